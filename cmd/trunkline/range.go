package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/trunkline/trunkline/apply/compile"
)

// maxRange is how many commits one range may have.
const maxRange = 1000

// span are the versions that a revision or a range names, and the one before them.
type span struct {
	before  *object.Commit   // nil where history begins
	commits []*object.Commit // oldest first
}

// isRange tells whether a revision names a range, whatever the number of its commits.
func isRange(revision string) bool { return strings.Contains(revision, "..") }

// span finds what a server would judge: one commit, or those of a range. A baseline replaces the version before, and is all there is
// without a revision.
func (c *clone) span(revision, baseline string) (s span, err error) {
	switch {
	case isRange(revision):
		s, err = c.between(revision)
	case revision != "":
		s, err = c.single(revision, baseline == "")
	}
	if err == nil && baseline != "" {
		s.before, err = c.commit(baseline)
	}
	return s, err
}

func (c *clone) single(revision string, withParent bool) (span, error) {
	commit, err := c.commit(revision)
	if err != nil {
		return span{}, err
	}
	s := span{commits: []*object.Commit{commit}}
	if withParent {
		s.before, err = c.parent(commit)
	}
	return s, err
}

// between finds the commits of a range as git writes it: an end that is left out is HEAD.
func (c *clone) between(revision string) (span, error) {
	from, to, _ := strings.Cut(revision, "..")
	if strings.HasPrefix(to, ".") {
		return span{}, fmt.Errorf("%s holds commits of both sides, which no server judges in one line; did you mean %s..%s?", revision, from, to[1:])
	}
	a, err := c.commit(cmp.Or(from, "HEAD"))
	if err != nil {
		return span{}, err
	}
	b, err := c.commit(cmp.Or(to, "HEAD"))
	if err != nil {
		return span{}, err
	}
	return c.after(a, b)
}

var errLongRange = fmt.Errorf("the range has more than %d commits; judge it in parts", maxRange)

// after is the first-parent chain of b down to a. Where a is not on it, the chain begins where it leaves the history of a, as on a
// server whose branch was rewritten from a to b; if they share nothing, all of b follows a.
func (c *clone) after(a, b *object.Commit) (span, error) {
	s, err := c.down(b, map[plumbing.Hash]bool{a.Hash: true})
	if s.before != nil || err != nil && !errors.Is(err, errLongRange) {
		return s, err
	}
	reached := map[plumbing.Hash]bool{}
	err = object.NewCommitPreorderIter(a, nil, nil).ForEach(func(c *object.Commit) error {
		reached[c.Hash] = true
		return nil
	})
	if err != nil {
		return span{}, shallow(a, err)
	}
	if s, err = c.down(b, reached); s.before == nil {
		s.before = a
	}
	return s, err
}

// down walks the first-parent chain until it meets a commit that is known.
func (c *clone) down(from *object.Commit, known map[plumbing.Hash]bool) (s span, err error) {
	for at := from; at != nil; {
		if known[at.Hash] {
			s.before = at
			break
		}
		if len(s.commits) == maxRange {
			return span{}, errLongRange
		}
		s.commits = append(s.commits, at)
		if at, err = c.parent(at); err != nil {
			return span{}, err
		}
	}
	slices.Reverse(s.commits)
	return s, nil
}

// parent is a commit's first parent, or nil.
func (c *clone) parent(commit *object.Commit) (*object.Commit, error) {
	if commit.NumParents() == 0 {
		return nil, nil
	}
	parent, err := c.repo.CommitObject(commit.ParentHashes[0])
	if err != nil {
		return nil, shallow(commit, err)
	}
	return parent, nil
}

// shallow says what to do about history that the clone does not have.
func shallow(commit *object.Commit, err error) error {
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return fmt.Errorf("what came before %s is not in this clone; fetch it: git fetch --unshallow, or fetch-depth: 0 in a workflow", short(commit.Hash.String()))
	}
	return err
}

// chain judges commits one after the other, each against the newest valid version before it in each environment, as a server does.
type chain struct {
	repo     *clone
	compiler *compile.Compiler
	valid    compile.Baselines
	known    []knownTree // judged before, oldest first
}

// knownTree is what is remembered of a version, to recognise a return to it.
type knownTree struct {
	tree  compile.Hash
	valid map[string]bool
}

// begin takes a commit as judged before, and returns the environments in which it does not compile, so that what follows is judged
// there as a first version. A commit without the config repo's folder is before all of them.
func (j *chain) begin(ctx context.Context, commit *object.Commit) (broken []string, err error) {
	tree, err := j.repo.folder(commit)
	if err != nil || tree == emptyTree {
		return nil, err
	}
	before, err := j.judge(ctx, commit, compile.Against{Settled: compile.AllSettled})
	return slices.DeleteFunc(slices.Clone(before.environments), func(env string) bool { return before.valid[env] }), err
}

// next judges the commit that follows.
func (j *chain) next(ctx context.Context, commit *object.Commit) (judged, error) {
	return j.judge(ctx, commit, compile.Against{Baselines: j.valid})
}

func (j *chain) judge(ctx context.Context, commit *object.Commit, against compile.Against) (judged, error) {
	tree, err := j.repo.folder(commit)
	if err != nil {
		return judged{}, err
	}
	against.Rollback = map[string]bool{}
	for env := range against.Baselines {
		against.Rollback[env] = j.returns(tree, env)
	}
	result, err := j.repo.compile(ctx, j.compiler, commit, tree, against)
	if err != nil {
		return judged{}, err
	}
	j.take(tree, result)
	return newJudged(commit, result, func(file string) ([]byte, error) { return j.repo.file(commit, file) }), nil
}

// take makes what is valid the baseline of the next commit.
func (j *chain) take(tree compile.Hash, result *compile.Result) {
	known := knownTree{tree, map[string]bool{}}
	next := compile.Baselines{}
	maps.Copy(next, j.valid)
	for _, env := range result.Environments {
		if known.valid[env] = result.Valid(env); !known.valid[env] {
			continue
		}
		if next[env] = result.Snapshots[env]; next[env] == nil {
			delete(next, env) // retired
		}
	}
	j.valid, j.known = next, append(j.known, known)
}

// returns tells whether a tree is exactly that of an earlier version which was valid in the environment, while something else lay
// between.
func (j *chain) returns(tree compile.Hash, env string) bool {
	n := len(j.known)
	return n > 0 && j.known[n-1].tree != tree &&
		slices.ContainsFunc(j.known, func(v knownTree) bool { return v.tree == tree && v.valid[env] })
}
