package gitsync

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

const packDir = "objects/pack"

// pack is one pack of a mirror, by the path of its .pack file.
type pack struct {
	path string
	size int64
}

func (p pack) index() string { return strings.TrimSuffix(p.path, ".pack") + ".idx" }

// packs lists the packs of a mirror, smallest first.
func packs(dir string) ([]pack, error) {
	root := filepath.Join(dir, filepath.FromSlash(packDir))
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("list packs: %w", err)
	}
	var list []pack
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".pack") {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, fmt.Errorf("list packs: %w", err)
		}
		list = append(list, pack{path: filepath.Join(root, e.Name()), size: info.Size()})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].size < list[j].size })
	return list, nil
}

// packs is where a store keeps its packs.
func (s *store) packs() string { return filepath.Join(s.dir, filepath.FromSlash(packDir)) }

// tidy removes what an interrupted fetch or a killed process leaves below dir: the whole mirror before it is opened, its packs
// alone while it is in use, for elsewhere somebody may be writing. An index without its pack must go too: go-git
// writes it first and in place, so it may be half an index, and a later fetch of the very same pack would find and trust it.
func tidy(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !debris(path, d.Name()) {
			return nil
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", d.Name(), err)
		}
		return nil
	})
}

func debris(path, name string) bool {
	switch {
	case strings.HasPrefix(name, tmpPrefix), strings.HasSuffix(name, ".lock"):
		return true
	case strings.HasSuffix(name, ".idx"):
		return absent(strings.TrimSuffix(path, ".idx") + ".pack")
	case strings.HasSuffix(name, ".pack"):
		return absent(strings.TrimSuffix(path, ".pack") + ".idx")
	}
	return false
}

func absent(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}
