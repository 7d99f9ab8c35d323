package gitsync

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

const (
	keepPrefix   = "refs/trunkline/keep/"
	branchPrefix = "refs/heads/"
)

// writeFile replaces a file in one step: whoever is killed between truncating and writing leaves a ref that nobody can read,
// and that is what go-git does.
func writeFile(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), tmpPrefix)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

func writeRef(dir, name string, h Hash) error {
	if err := writeFile(filepath.Join(dir, filepath.FromSlash(name)), h.String()+"\n"); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// ref reads a ref, packed ones too, for an operator may have run git gc. A ref that is not there is the zero Hash.
func (s *store) ref(name string) (Hash, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.fs.Reference(plumbing.ReferenceName(name))
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return Hash{}, nil
	}
	if err != nil {
		return Hash{}, fmt.Errorf("read %s: %w", name, err)
	}
	if r.Type() != plumbing.HashReference || r.Hash().IsZero() {
		return Hash{}, fmt.Errorf("read %s: it holds no hash", name)
	}
	return Hash(r.Hash()), nil
}

// kept lists the commits that have a ref of ours.
func kept(dir string) ([]Hash, error) {
	entries, err := os.ReadDir(filepath.Join(dir, filepath.FromSlash(keepPrefix)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", keepPrefix, err)
	}
	var hashes []Hash
	for _, e := range entries {
		if h, err := ParseHash(e.Name()); err == nil {
			hashes = append(hashes, h)
		}
	}
	return hashes, nil
}

func keep(dir string, h Hash) error {
	name := keepPrefix + h.String()
	if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name))); err == nil {
		return nil
	}
	return writeRef(dir, name, h)
}

func (s *store) keep(h Hash) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return keep(s.dir, h)
}

// heads lists the branches of a mirror that are files: by name, without the prefix.
func heads(dir string) ([]string, error) {
	root := filepath.Join(dir, filepath.FromSlash(branchPrefix))
	var names []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err == nil && !strings.HasPrefix(d.Name(), tmpPrefix) {
			names = append(names, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", branchPrefix, err)
	}
	return names, nil
}
