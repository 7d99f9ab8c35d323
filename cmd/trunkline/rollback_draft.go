package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/value"
)

// draft is the commit that would be made on top of one head of the branch.
type draft struct {
	*rollback
	repo    *clone
	old     *object.Commit   // the version to restore
	head    *object.Commit   // of the branch
	between []*object.Commit // what is taken back, oldest first
	tree    string           // of the commit
	paths   []value.Path     // that are restored, where it is not all
	read    map[string]layers
	message string
	changes []envDiff // found by judge
}

// draft fetches the branch and works out the commit.
func (r *rollback) draft(ctx context.Context) (*draft, error) {
	if err := r.fetch(ctx); err != nil {
		return nil, err
	}
	if err := r.resolve(ctx); err != nil {
		return nil, err
	}
	repo, err := openClone(r.Dir) // anew: it does not see what was fetched since
	if err != nil {
		return nil, err
	}
	d := &draft{rollback: r, repo: repo, read: map[string]layers{}}
	if d.old, err = repo.commit(r.version); err != nil {
		return nil, err
	}
	if d.head, err = repo.commit(r.tracking()); err != nil {
		return nil, err
	}
	if err := d.lineage(ctx); err != nil {
		return nil, err
	}
	files, err := d.files(ctx)
	if err != nil {
		return nil, err
	}
	if d.tree, err = d.write(ctx, files); err != nil {
		return nil, err
	}
	d.message = d.words()
	return d, nil
}

// tracking is what the clone knows of the branch.
func (r *rollback) tracking() string { return "refs/remotes/" + r.remote + "/" + r.branch }

func (r *rollback) fetch(ctx context.Context) error {
	_, err := r.git.run(ctx, "fetch", "--quiet", "--no-recurse-submodules", r.remote, "+refs/heads/"+r.branch+":"+r.tracking())
	switch {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), "find remote ref"):
		return fmt.Errorf("%s has no branch %s: name the one that the server follows with --onto", r.remote, r.branch)
	}
	return fmt.Errorf("%s cannot be fetched: %w", r.where(), err)
}

// resolve finds the commit that is to be restored. It is asked once: a name like HEAD~1 must not move with the branch.
func (r *rollback) resolve(ctx context.Context) error {
	if r.version != "" {
		return nil
	}
	commit, err := r.git.run(ctx, "rev-parse", "--verify", r.Version+"^{commit}")
	var failed *gitError
	switch {
	case err == nil:
		r.version = commit
		return nil
	case !errors.As(err, &failed):
		return err
	case strings.Contains(failed.said, "is ambiguous"):
		return fmt.Errorf("%s names several commits; write more of its digits:%s", r.Version, candidates(failed.said))
	}
	return fmt.Errorf("no version %s is known in this clone%s; see git log --first-parent %s/%s, or fetch tags with git fetch --tags %s",
		r.Version, r.ifShallow(ctx), r.remote, r.branch, r.remote)
}

// candidates are the commits that git lists for a name of several, one a line.
func candidates(said string) string {
	var list string
	for line := range strings.Lines(said) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "hint:"); ok && strings.Contains(text, " commit ") {
			list += "\n  " + strings.TrimSpace(text)
		}
	}
	return list
}

// ifShallow says so of a clone that does not have all of history.
func (r *rollback) ifShallow(ctx context.Context) string {
	if shallow, _ := r.git.run(ctx, "rev-parse", "--is-shallow-repository"); shallow == "true" {
		return ", which is shallow: git fetch --unshallow"
	}
	return ""
}

// lineage finds what is taken back. Only what was a version of the branch can be restored: the files of a commit that came with a merge
// were never live, and lack what others had merged before.
func (d *draft) lineage(ctx context.Context) error {
	if d.old.Hash == d.head.Hash {
		return nil
	}
	list, err := d.git.run(ctx, "rev-list", "--first-parent", d.version+".."+d.head.Hash.String())
	if err != nil {
		return err
	}
	taken := strings.Fields(list)
	if len(taken) > 0 {
		if parent, _ := d.git.run(ctx, "rev-parse", "--verify", "--quiet", taken[len(taken)-1]+"^1"); parent == d.version {
			return d.take(taken)
		}
	}
	if !d.git.ok(ctx, "merge-base", "--is-ancestor", d.version, d.head.Hash.String()) {
		return fmt.Errorf("%s is not in the history of %s%s; name a version of it: git log --first-parent %s/%s",
			shortCommit(d.old), d.where(), d.ifShallow(ctx), d.remote, d.branch)
	}
	brought, err := d.git.run(ctx, "rev-list", "--first-parent", "--ancestry-path", "--reverse", d.version+".."+d.head.Hash.String())
	if err != nil {
		return err
	}
	merge, err := d.repo.repo.CommitObject(plumbing.NewHash(strings.SplitN(brought, "\n", 2)[0]))
	if err != nil {
		return shallow(d.head, err)
	}
	return fmt.Errorf("%s was never a version of %s: it came with %s; roll back to that, or to the version before it: %s^",
		shortCommit(d.old), d.where(), shortCommit(merge), short(merge.Hash.String()))
}

func (d *draft) take(newestFirst []string) error {
	slices.Reverse(newestFirst)
	for _, hash := range newestFirst {
		commit, err := d.repo.repo.CommitObject(plumbing.NewHash(hash))
		if err != nil {
			return shallow(d.head, err)
		}
		d.between = append(d.between, commit)
	}
	return nil
}

// entry is a file as an index holds it; without a mode it is not there.
type entry struct{ mode, hash, path string }

// files are those in which the commit differs from the head.
func (d *draft) files(ctx context.Context) ([]entry, error) {
	if len(d.patterns) > 0 {
		return d.pathFiles(ctx)
	}
	was, err := d.repo.folder(d.old)
	if err != nil {
		return nil, err
	}
	now, err := d.repo.folder(d.head)
	if err != nil {
		return nil, err
	}
	if was == emptyTree {
		return nil, fmt.Errorf("%s has no files in %s to restore", shortCommit(d.old), d.repo.path)
	}
	out, err := d.git.run(ctx, "diff-tree", "-r", "-z", "--no-renames", "--no-abbrev", now.String(), was.String())
	if err != nil {
		return nil, err
	}
	return entries(out, d.repo.path)
}

// entries reads what diff-tree tells: of each file its mode and name before and after, and its path.
func entries(out, folder string) ([]entry, error) {
	fields := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	var all []entry
	for i := 0; i+1 < len(fields); i += 2 {
		meta := strings.Fields(fields[i])
		if len(meta) != 5 {
			return nil, fmt.Errorf("git diff-tree tells %q", fields[i])
		}
		e := entry{mode: meta[1], hash: meta[3], path: fields[i+1]}
		if folder != "" {
			e.path = folder + "/" + e.path
		}
		if e.mode == "000000" {
			e.mode = ""
		}
		all = append(all, e)
	}
	return all, nil
}

// write writes the tree of the head with other files in it, by an index of its own.
func (d *draft) write(ctx context.Context, files []entry) (string, error) {
	if len(files) == 0 {
		return d.head.TreeHash.String(), nil
	}
	dir, err := os.MkdirTemp("", "trunkline-rollback-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	git := d.git
	git.env = []string{"GIT_INDEX_FILE=" + filepath.Join(dir, "index")}
	if _, err := git.run(ctx, "read-tree", d.head.Hash.String()); err != nil {
		return "", err
	}
	if _, _, err := git.call(ctx, indexInfo(files), "update-index", "-z", "--index-info"); err != nil {
		return "", err
	}
	return git.run(ctx, "write-tree")
}

// indexInfo is how update-index reads files: those that go first, so that a folder can come where a file was.
func indexInfo(files []entry) string {
	var gone, come strings.Builder
	for _, e := range files {
		if e.mode == "" {
			fmt.Fprintf(&gone, "0 %s\t%s\x00", plumbing.ZeroHash, e.path)
		} else {
			fmt.Fprintf(&come, "%s %s\t%s\x00", e.mode, e.hash, e.path)
		}
	}
	return gone.String() + come.String()
}

// commit makes the commit as its author's git would: with their name, their signature, and their hook for messages.
func (d *draft) commit(ctx context.Context) (string, error) {
	args := []string{"commit-tree", d.tree, "-p", d.head.Hash.String(), "-F", "-"}
	if sign, _ := d.git.run(ctx, "config", "--type=bool", "--get", "commit.gpgsign"); sign == "true" {
		args = slices.Insert(args, 1, "-S")
	}
	out, _, err := d.git.call(ctx, d.message, args...)
	if err != nil {
		return "", fmt.Errorf("the commit cannot be made, and nothing was pushed: %w", err)
	}
	return strings.TrimSpace(out), nil
}

// hooked is the message as the commit-msg hook of the clone leaves it.
func (d *draft) hooked(ctx context.Context) error {
	hook, err := d.git.run(ctx, "rev-parse", "--git-path", "hooks/commit-msg")
	if err != nil {
		return err
	}
	if !filepath.IsAbs(hook) {
		hook = filepath.Join(d.git.dir, hook)
	}
	info, err := os.Stat(hook)
	if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
		return nil //nolint:nilerr // there is none
	}
	dir, err := os.MkdirTemp("", "trunkline-rollback-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "COMMIT_EDITMSG")
	if err := os.WriteFile(file, []byte(d.message), 0o600); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, hook, file)
	cmd.Dir = d.git.dir
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the commit-msg hook refuses the message, and nothing was pushed: %w: %s", err, strings.TrimSpace(withoutCredentials(string(said))))
	}
	text, err := os.ReadFile(file)
	d.message = string(text)
	return err
}

// maxJudged is how many of the commits that are taken back are judged for what was live before; further back it is the head alone.
const maxJudged = 200

// judge judges the commit as a server does that has the versions before it, and finds what it changes in each environment.
func (d *draft) judge(ctx context.Context) (judged, error) {
	line := &chain{repo: d.repo, compiler: compile.New(nil)}
	if _, err := line.begin(ctx, d.old); err != nil {
		return judged{}, err
	}
	if len(d.between) > maxJudged {
		if _, err := line.begin(ctx, d.head); err != nil {
			return judged{}, err
		}
	} else {
		for _, commit := range d.between {
			if _, err := line.next(ctx, commit); err != nil {
				return judged{}, err
			}
		}
	}
	commit, err := d.object(ctx)
	if err != nil {
		return judged{}, err
	}
	before := line.valid
	verdict, err := line.next(ctx, commit)
	if err != nil {
		return judged{}, err
	}
	if d.Env != "" {
		if !slices.Contains(verdict.environments, d.Env) {
			return judged{}, fmt.Errorf("there is no environment %q here, but %s", d.Env, strings.Join(verdict.environments, ", "))
		}
		verdict = verdict.of(d.Env)
	}
	for _, env := range verdict.environments {
		d.changes = gather(d.changes, pair{env, env}, differences(before[env], line.valid[env]), effects(before[env], line.valid[env], nil)...)
	}
	return verdict, nil
}

// differences are what leads from one snapshot to another, as people may see it. Either may be nil.
func differences(old, now *compile.Snapshot) []value.Change {
	changes := value.Diff(selected(old, nil), selected(now, nil))
	for i, d := range changes {
		for _, s := range []*compile.Snapshot{old, now} {
			changes[i].Old, changes[i].New = shown(s, d.Path, changes[i].Old), shown(s, d.Path, changes[i].New)
		}
	}
	return changes
}

// object is the commit as it would be, in memory alone.
func (d *draft) object(ctx context.Context) (*object.Commit, error) {
	commit := &object.Commit{Message: d.message, TreeHash: plumbing.NewHash(d.tree), ParentHashes: []plumbing.Hash{d.head.Hash}}
	for name, who := range map[string]*object.Signature{"GIT_AUTHOR_IDENT": &commit.Author, "GIT_COMMITTER_IDENT": &commit.Committer} {
		ident, err := d.git.run(ctx, "var", name)
		if err != nil && !d.DryRun {
			return nil, err
		}
		who.Decode([]byte(ident))
	}
	o := &plumbing.MemoryObject{}
	o.SetType(plumbing.CommitObject)
	if err := commit.Encode(o); err != nil {
		return nil, err
	}
	return object.DecodeCommit(d.repo.repo.Storer, o)
}
