package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/trunkline/trunkline/apply/compile"
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
	subject, _, _ := strings.Cut(commit.Message, "\n")
	against.Commit = compile.DescribeCommit(commit.Author.Name, commit.Author.Email, subject, commit.Message, nil)
	tree, err := commit.Tree()
	if err != nil {
		return nil, err
	}
	if c.path != "" {
		if tree, err = tree.Tree(c.path); err != nil {
			return nil, fmt.Errorf("%s has no folder %s: %w", commit.Hash, c.path, err)
		}
	}
	return compiler.Compile(ctx, c, compile.Hash(tree.Hash), against)
}

// List returns the entries of a tree.
func (c *clone) List(tree compile.Hash) ([]compile.Entry, error) {
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
