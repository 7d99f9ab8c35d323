package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
)

// clone is a Git repository on this machine, whose commits can be compiled without checking them out.
type clone struct {
	repo *git.Repository
	path string // of the config repo's folder within it, with slashes; "" is its root
}

// openClone finds the repository a directory is in.
func openClone(dir string) (*clone, error) {
	repo, err := git.PlainOpenWithOptions(dir, &git.PlainOpenOptions{DetectDotGit: true, EnableDotGitCommonDir: true})
	if err != nil {
		return nil, fmt.Errorf("%s is in no Git repository: %w", dir, err)
	}
	c := &clone{repo: repo}
	tree, err := repo.Worktree()
	if err != nil {
		return c, nil //nolint:nilerr // a bare repository is the config repo itself
	}
	full, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if full, err = filepath.EvalSymlinks(full); err != nil {
		return nil, err
	}
	root, err := filepath.EvalSymlinks(tree.Filesystem.Root())
	if err != nil {
		return nil, err
	}
	rel, err := filepath.Rel(root, full)
	if err != nil {
		return nil, err
	}
	if rel != "." {
		c.path = filepath.ToSlash(rel)
	}
	return c, nil
}

// commit finds the commit a revision names.
func (c *clone) commit(revision string) (*object.Commit, error) {
	hash, err := c.repo.ResolveRevision(plumbing.Revision(revision))
	if err != nil {
		return nil, fmt.Errorf("%s names no commit here: %w", revision, err)
	}
	return c.repo.CommitObject(*hash)
}

// at compiles the config repo at a revision, and judges what policies say of the commit.
func (c *clone) at(ctx context.Context, compiler *compile.Compiler, revision string, against compile.Against) (*compile.Result, error) {
	commit, err := c.commit(revision)
	if err != nil {
		return nil, err
	}
	tree, err := c.folder(commit)
	if err != nil {
		return nil, err
	}
	return c.compile(ctx, compiler, commit, tree, against)
}

// compile compiles the config repo's folder at a commit, and judges what policies say of the commit.
func (c *clone) compile(ctx context.Context, compiler *compile.Compiler, commit *object.Commit, tree compile.Hash, against compile.Against) (*compile.Result, error) {
	against.ID = commit.Hash.String()
	against.Commit = apply.Describe(gitsync.CommitOf(commit))
	return compiler.Compile(ctx, c, tree, against)
}

// emptyTree is the tree of a folder that a commit does not have, as Git names it.
var emptyTree = compile.Hash(plumbing.NewHash("4b825dc642cb6eb9a060e54bf8d69288fbee4904"))

// folder is the tree of the config repo's folder at a commit. A commit without it has an empty one, as on a server.
func (c *clone) folder(commit *object.Commit) (compile.Hash, error) {
	at := compile.Hash(commit.TreeHash)
	if c.path == "" {
		return at, nil
	}
	for part := range strings.SplitSeq(c.path, "/") {
		entries, err := c.List(at)
		if err != nil {
			return compile.Hash{}, fmt.Errorf("folder %s of %s: %w", c.path, short(commit.Hash.String()), err)
		}
		i := slices.IndexFunc(entries, func(e compile.Entry) bool { return e.Name == part && e.Kind == compile.Folder })
		if i < 0 {
			return emptyTree, nil
		}
		at = entries[i].Hash
	}
	return at, nil
}

// file is the content of a file of the config repo at a commit.
func (c *clone) file(commit *object.Commit, name string) ([]byte, error) {
	f, err := commit.File(path.Join(c.path, name))
	if err != nil {
		return nil, err
	}
	return c.Read(compile.Hash(f.Hash), compile.MaxFileBytes)
}

// List returns the entries of a tree.
func (c *clone) List(tree compile.Hash) ([]compile.Entry, error) {
	if tree == emptyTree {
		return nil, nil
	}
	t, err := c.repo.TreeObject(plumbing.Hash(tree))
	if err != nil {
		return nil, err
	}
	entries := make([]compile.Entry, len(t.Entries))
	for i, e := range t.Entries {
		entries[i] = compile.Entry{Name: e.Name, Hash: compile.Hash(e.Hash), Kind: entryKind(e.Mode)}
		if entries[i].Kind != compile.RegularFile {
			continue
		}
		if entries[i].Size, err = c.repo.Storer.EncodedObjectSize(e.Hash); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

func entryKind(m filemode.FileMode) compile.EntryKind {
	switch m {
	case filemode.Dir:
		return compile.Folder
	case filemode.Submodule:
		return compile.Submodule
	case filemode.Regular, filemode.Executable, filemode.Deprecated:
		return compile.RegularFile
	default:
		return compile.Symlink
	}
}

// Read returns a file's content.
func (c *clone) Read(file compile.Hash, limit int64) ([]byte, error) {
	blob, err := c.repo.BlobObject(plumbing.Hash(file))
	if err != nil {
		return nil, err
	}
	if blob.Size > limit {
		return nil, fmt.Errorf("file %s has %d bytes, more than %d", file, blob.Size, limit)
	}
	r, err := blob.Reader()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}
