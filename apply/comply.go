package apply

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
)

// compliance asks of one commit, and of those that it brings along, what the rules of baselines ask of commits.
type compliance struct {
	*Reconciler
	memory       *memory
	head         gitsync.Commit
	parent, tree gitsync.Hash
	valid        map[string]*Version
}

// comply judges by the rules that hold in an environment.
func (c *compliance) comply(env string, rules []compile.CommitRules) ([]compile.Problem, error) {
	if slices.Contains(c.memory.accepted, c.head.Hash) {
		return nil, nil
	}
	if !c.memory.holder(c.parent, c.tree, env).IsZero() {
		return c.accuse([]gitsync.Hash{c.head.Hash}, true, rules) // it begins anew: what lies between is undone
	}
	covered := c.baselines(env)
	problems, err := c.beyond(covered, rules)
	if err == nil && len(problems) > 0 && len(c.memory.accepted) > 0 {
		return c.beyond(append(covered, c.memory.accepted...), rules)
	}
	return problems, err
}

// baselines are the commits whose history is known to comply: the environment's baseline, or where it has none, those of all.
func (c *compliance) baselines(env string) []gitsync.Hash {
	if v := c.valid[env]; v != nil {
		return []gitsync.Hash{v.Commit.Hash}
	}
	var all []gitsync.Hash
	for _, name := range slices.Sorted(maps.Keys(c.valid)) {
		all = append(all, c.valid[name].Commit.Hash)
	}
	return all
}

func (c *compliance) beyond(covered []gitsync.Hash, rules []compile.CommitRules) ([]compile.Problem, error) {
	list, all, err := c.o.Mirror.Beyond(c.head.Hash, covered, maxBeyond)
	if err != nil {
		return nil, fmt.Errorf("what %s brings along: %w", c.head.Hash.Short(), err)
	}
	return c.accuse(list, all, rules)
}

func (c *compliance) accuse(list []gitsync.Hash, all bool, rules []compile.CommitRules) ([]compile.Problem, error) {
	if !all {
		return []compile.Problem{{
			Rule: "tooManyCommits", Message: fmt.Sprintf("the commit brings along more than %d commits that were not judged before", maxBeyond),
			Hint: c.wayOut(c.head.Hash),
		}}, nil
	}
	var problems []compile.Problem
	for _, h := range list {
		p, err := c.one(h, rules)
		if err != nil {
			return nil, err
		}
		if p != nil {
			problems = append(problems, *p)
		}
		if len(problems) == maxAccused {
			break
		}
	}
	return problems, nil
}

// one tells what the first of the rules that a commit breaks has against it; nil when it breaks none.
func (c *compliance) one(h gitsync.Hash, rules []compile.CommitRules) (*compile.Problem, error) {
	commit, err := c.o.Mirror.Commit(h)
	if err != nil {
		return nil, err
	}
	for _, rule := range rules {
		if !rule.Author(commit.Author.Email) {
			return &compile.Problem{
				Rule:    "author",
				Message: fmt.Sprintf("commit %s: its author, %q, is none of commits.authors in the manifest of the version before", h.Short(), commit.Author.Email),
				Hint:    c.wayOut(h),
			}, nil
		}
		if !rule.Signed {
			continue
		}
		_, broken, err := c.signer(h)
		if err != nil {
			return nil, err
		}
		if broken != nil {
			broken.Hint = c.wayOut(h)
			return broken, nil
		}
	}
	return nil, nil
}

func (c *compliance) wayOut(h gitsync.Hash) string {
	return fmt.Sprintf("mend and push it again, restore exactly the files of a valid version, or have an operator accept it: trunkline accept %s --reason TEXT", h.Short())
}

// signer tells whose key signed a commit, or what is wrong with that.
func (r *Reconciler) signer(h gitsync.Hash) (*gitsync.Signer, *compile.Problem, error) {
	s, err := r.o.Mirror.Signer(h, r.o.Keys)
	if err == nil {
		return &s, nil, nil
	}
	for rule, kind := range map[string]error{
		"unsigned": gitsync.ErrUnsigned, "untrustedSigner": gitsync.ErrUntrusted, "badSignature": gitsync.ErrBadSignature,
	} {
		if errors.Is(err, kind) {
			return nil, &compile.Problem{Rule: rule, Message: err.Error()}, nil
		}
	}
	return nil, nil, fmt.Errorf("signature: %w", err)
}
