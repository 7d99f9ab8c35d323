package gitsync

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The directory of a mirror:
//
//	lock        held by the process that follows
//	current     the name of the generation in use
//	mirror.3    a bare repository; a damaged one is replaced by the next generation
//	damaged.2   the last one that was replaced, for whoever wants to know why
//	tags        the remote's tags as of the last look
const (
	currentFile   = "current"
	lockFile      = "lock"
	mirrorPrefix  = "mirror."
	damagedPrefix = "damaged."
	tmpPrefix     = "tmp_"
)

func mirrorName(generation int) string { return mirrorPrefix + strconv.Itoa(generation) }

// generation is the number in "mirror.3".
func generation(name string) (int, bool) {
	digits, ok := strings.CutPrefix(name, mirrorPrefix)
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && n > 0
}

// current reads which generation is in use: zero when none is.
func current(root string) (int, error) {
	data, err := os.ReadFile(filepath.Join(root, currentFile))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("mirror: %w", err)
	}
	n, ok := generation(strings.TrimSpace(string(data[:min(len(data), maxRefFile)])))
	if !ok {
		return 0, nil // nobody writes this but we, in one step: what stands there is worth nothing
	}
	if _, err := os.Stat(filepath.Join(root, mirrorName(n))); err != nil {
		return 0, nil
	}
	return n, nil
}

func setCurrent(root string, n int) error {
	if err := writeFile(filepath.Join(root, currentFile), mirrorName(n)+"\n"); err != nil {
		return fmt.Errorf("mirror: %w", err)
	}
	return nil
}

// sweep removes what a process that was killed left beside the generation in use. It also removes every damaged generation but
// the newest.
func sweep(root string, inUse int) error {
	entries, err := os.ReadDir(root)
	if err != nil {
		return fmt.Errorf("mirror: %w", err)
	}
	newest := newestDamaged(entries)
	for _, e := range entries {
		n, ours := generation(e.Name())
		old := strings.HasPrefix(e.Name(), damagedPrefix) && e.Name() != newest
		if ours && n != inUse || old || strings.HasPrefix(e.Name(), tmpPrefix) {
			if err := os.RemoveAll(filepath.Join(root, e.Name())); err != nil {
				return fmt.Errorf("mirror: %w", err)
			}
		}
	}
	return nil
}

func newestDamaged(entries []os.DirEntry) string {
	newest, name := 0, ""
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), damagedPrefix)
		if n, err := strconv.Atoi(digits); ok && err == nil && n > newest {
			newest, name = n, e.Name()
		}
	}
	return name
}

// initMirror makes an empty bare repository, or sets an existing one to what is followed. When it followed something else its
// heads become refs of ours: they are not what the remote now called upon has, but they may be pinned.
func initMirror(dir, url, branch string) error {
	for _, sub := range []string{"objects/info", packDir, "refs/heads", keepPrefix} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(sub)), 0o755); err != nil {
			return fmt.Errorf("mirror: %w", err)
		}
	}
	files := map[string]string{
		"HEAD": "ref: " + branchPrefix + branch + "\n",
		"config": "[core]\n\trepositoryformatversion = 0\n\tbare = true\n[gc]\n\tauto = 0\n" +
			"[remote \"origin\"]\n\turl = " + strconv.Quote(url) + "\n",
	}
	if same(dir, files) {
		return nil
	}
	if err := demote(dir); err != nil {
		return err
	}
	for name, content := range files {
		if err := writeFile(filepath.Join(dir, name), content); err != nil {
			return fmt.Errorf("mirror: %w", err)
		}
	}
	return nil
}

func same(dir string, files map[string]string) bool {
	for name, want := range files {
		if have, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(have) != want {
			return false
		}
	}
	return true
}

func demote(dir string) error {
	names, err := heads(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		path := filepath.Join(dir, filepath.FromSlash(branchPrefix+name))
		data, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("mirror: %w", err)
		}
		if h, err := ParseHash(strings.TrimSpace(string(data))); err == nil {
			if err := keep(dir, h); err != nil {
				return err
			}
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("mirror: %w", err)
		}
	}
	return nil
}
