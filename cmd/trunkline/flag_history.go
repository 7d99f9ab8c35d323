package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/trunkline/trunkline/apply/compile"
)

// maxWalked is how many commits are looked at for when files last changed; what did not change in so many is told by the oldest of them.
const maxWalked = 20_000

var errNoCommit = errors.New("the repository has no commit yet")

// lastChanges are when files of a folder last changed on the first-parent history of HEAD, by the keys that they are given under. One that
// differs from HEAD, or is not there, is left out: its change is not committed.
func (c *clone) lastChanges(dir string, files map[string]defined) (map[string]time.Time, error) {
	head, err := c.repo.Head()
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return nil, errNoCommit
	}
	if err != nil {
		return nil, fmt.Errorf("HEAD: %w", err)
	}
	commit, err := c.repo.CommitObject(head.Hash())
	if err != nil {
		return nil, err
	}
	w := &changeWalk{clone: c, dir: dir, at: map[string]time.Time{}}
	now, err := w.files(commit)
	if err != nil {
		return nil, err
	}
	w.open = map[string]defined{}
	for key, f := range files {
		if now[f.name] == f.hash {
			w.open[key] = f
		}
	}
	return w.at, w.walk(commit)
}

// changeWalk goes back through history until it knows of every file when it last changed.
type changeWalk struct {
	*clone
	dir  string
	open map[string]defined // not known yet; none has changed since
	at   map[string]time.Time
}

func (w *changeWalk) walk(commit *object.Commit) error {
	for n := 0; len(w.open) > 0; n++ {
		var parent *object.Commit
		if commit.NumParents() > 0 && n < maxWalked {
			parent, _ = commit.Parent(0) // a shallow clone does not have it
		}
		if err := w.step(commit, parent); err != nil {
			return err
		}
		commit = parent
	}
	return nil
}

// step finds what a commit changed; without a parent, all that is left.
func (w *changeWalk) step(commit, parent *object.Commit) error {
	var before map[string]compile.Hash
	if parent != nil {
		if parent.TreeHash == commit.TreeHash {
			return nil
		}
		var err error
		if before, err = w.files(parent); err != nil {
			return err
		}
	}
	for key, f := range w.open {
		if before[f.name] != f.hash {
			w.at[key] = commit.Committer.When
			delete(w.open, key)
		}
	}
	return nil
}

// files are the hashes of the folder's files at a commit.
func (w *changeWalk) files(commit *object.Commit) (map[string]compile.Hash, error) {
	root, err := w.folder(commit)
	if err != nil {
		return nil, err
	}
	entries, err := listFolder(w.clone, root, w.dir)
	files := map[string]compile.Hash{}
	for _, e := range entries {
		files[w.dir+"/"+e.Name] = e.Hash
	}
	return files, err
}
