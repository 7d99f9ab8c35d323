package gitsync

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// EntryMode is what a tree says an entry is.
type EntryMode uint8

// The kinds of entries. Odd is a mode Git does not define.
const (
	Odd EntryMode = iota
	File
	Executable
	Symlink
	Submodule
	Dir
)

func (m EntryMode) String() string {
	return [...]string{"odd", "file", "executable", "symlink", "submodule", "directory"}[m]
}

// Entry is one line of a tree. Its name is as the repository has it: it may be hostile.
type Entry struct {
	Name string
	Mode EntryMode
	Hash Hash
}

func entryMode(m filemode.FileMode) EntryMode {
	switch m {
	case filemode.Regular, filemode.Deprecated:
		return File
	case filemode.Executable:
		return Executable
	case filemode.Symlink:
		return Symlink
	case filemode.Submodule:
		return Submodule
	case filemode.Dir:
		return Dir
	default:
		return Odd
	}
}

// holdsBlob tells whether the entry's hash names a blob of this repository.
func (m EntryMode) holdsBlob() bool { return m == File || m == Executable || m == Symlink }

func entries(t *object.Tree) []Entry {
	list := make([]Entry, len(t.Entries))
	for i, e := range t.Entries {
		list[i] = Entry{Name: e.Name, Mode: entryMode(e.Mode), Hash: Hash(e.Hash)}
	}
	return list
}

// Commit reads a commit. ErrNotFound when the mirror does not hold it.
func (f *Follower) Commit(h Hash) (Commit, error) {
	c, err := f.store.full(h)
	if err != nil && !errors.Is(err, ErrNotFound) {
		f.suspect(h)
	}
	return c, err
}

// full reads a commit with the authors of what it merged.
func (s *store) full(h Hash) (Commit, error) {
	raw, err := s.commit(h)
	if err != nil {
		return Commit{}, err
	}
	c := CommitOf(raw)
	if len(c.Parents) > 1 {
		if c.Merged, err = s.merged(c.Parents); err != nil {
			return Commit{}, fmt.Errorf("authors merged by %s: %w", h.Short(), err)
		}
	}
	return c, nil
}

// Tree reads the entries of a tree, in Git's order.
func (f *Follower) Tree(h Hash) ([]Entry, error) {
	t, err := f.store.tree(h)
	if err != nil {
		f.suspect(h)
		return nil, err
	}
	return entries(t), nil
}

// Blob reads a blob of at most limit bytes. A larger one is a *TooLargeError, judged by its header.
func (f *Follower) Blob(h Hash, limit int64) ([]byte, error) {
	size, err := f.BlobSize(h)
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, &TooLargeError{Hash: h, Size: size, Max: limit}
	}
	data, err := f.store.blob(h)
	if err != nil {
		f.suspect(h)
	}
	return data, err
}

// BlobSize reads a blob's size in bytes from its header.
func (f *Follower) BlobSize(h Hash) (int64, error) {
	size, err := f.store.size(h)
	if err != nil {
		f.suspect(h)
	}
	return size, err
}

// Subtree finds the tree of a folder in a commit; "" is the root. ErrNotFound when there is none, or something else is there.
func (f *Follower) Subtree(commit Hash, dir string) (Hash, error) {
	c, err := f.store.commit(commit)
	if err != nil {
		return Hash{}, err
	}
	at := Hash(c.TreeHash)
	for part := range strings.SplitSeq(strings.Trim(dir, "/"), "/") {
		if part == "" {
			continue
		}
		if at, err = f.child(at, part); err != nil {
			return Hash{}, fmt.Errorf("folder %q in %s: %w", oneLine(dir, 200), commit.Short(), err)
		}
	}
	return at, nil
}

func (f *Follower) child(tree Hash, name string) (Hash, error) {
	list, err := f.Tree(tree)
	if err != nil {
		return Hash{}, err
	}
	for _, e := range list {
		if e.Name == name && e.Mode == Dir {
			return e.Hash, nil
		}
	}
	return Hash{}, ErrNotFound
}
