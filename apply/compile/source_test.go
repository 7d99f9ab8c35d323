package compile_test

import (
	"crypto/sha1"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/apply/compile"
)

var key = []byte("0123456789abcdef")

// store is a Source in memory. What was put into it stays, so that one Compiler can be given several trees of it.
type store struct {
	trees map[compile.Hash][]compile.Entry
	files map[compile.Hash]string
	fail  error
}

func newStore() *store {
	return &store{trees: map[compile.Hash][]compile.Entry{}, files: map[compile.Hash]string{}}
}

func (s *store) List(tree compile.Hash) ([]compile.Entry, error) {
	if entries, ok := s.trees[tree]; ok && s.fail == nil {
		return slices.Clone(entries), nil
	}
	return nil, fmt.Errorf("tree %s: %w", tree, s.gone())
}

func (s *store) Read(file compile.Hash, limit int64) ([]byte, error) {
	text, ok := s.files[file]
	if !ok || s.fail != nil {
		return nil, fmt.Errorf("file %s: %w", file, s.gone())
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("file %s is larger than %d bytes", file, limit)
	}
	return []byte(text), nil
}

func (s *store) gone() error {
	if s.fail != nil {
		return s.fail
	}
	return compile.ErrGone
}

func hashOf(kind, text string) compile.Hash { return sha1.Sum([]byte(kind + "\x00" + text)) }

func (s *store) file(name, text string) compile.Entry {
	h := hashOf("blob", text)
	s.files[h] = text
	return compile.Entry{Name: name, Hash: h, Size: int64(len(text))}
}

// folder puts a tree of the given entries into the store.
func (s *store) folder(name string, entries ...compile.Entry) compile.Entry {
	h := hashOf("tree", fmt.Sprintf("%#v", entries))
	s.trees[h] = entries
	return compile.Entry{Name: name, Kind: compile.Folder, Hash: h}
}

// put stores files named by their paths, and returns the tree that holds them.
func (s *store) put(files map[string]string) compile.Hash { return s.below(files, "").Hash }

func (s *store) below(files map[string]string, name string) compile.Entry {
	var entries []compile.Entry
	folders := map[string]map[string]string{}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		dir, rest, deeper := strings.Cut(path, "/")
		if !deeper {
			entries = append(entries, s.file(path, files[path]))
			continue
		}
		if folders[dir] == nil {
			folders[dir] = map[string]string{}
		}
		folders[dir][rest] = files[path]
	}
	for _, dir := range slices.Sorted(maps.Keys(folders)) {
		entries = append(entries, s.below(folders[dir], dir))
	}
	return s.folder(name, entries...)
}

// unpack reads the files of an archive: each begins with a line like -- name --. Whatever it is given it takes.
func unpack(archive string) map[string]string {
	files, name := map[string]string{}, ""
	for line := range strings.Lines(archive) {
		if marker, ok := strings.CutPrefix(strings.TrimSpace(line), "-- "); ok && strings.HasSuffix(marker, " --") {
			name = strings.TrimSuffix(marker, " --")
			files[name] = ""
		} else if name != "" {
			files[name] += line
		}
	}
	return files
}

// compiled compiles one tree with a Compiler of its own.
func compiled(t testing.TB, files map[string]string, baselines compile.Baselines) *compile.Result {
	t.Helper()
	s := newStore()
	return compileTree(t, compile.New(key), s, s.put(files), baselines)
}

func compileTree(t testing.TB, c *compile.Compiler, s compile.Source, tree compile.Hash, baselines compile.Baselines) *compile.Result {
	t.Helper()
	result, err := c.Compile(t.Context(), s, tree, compile.Against{Baselines: baselines})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// writeFiles puts files into a directory.
func writeFiles(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// rules lists problems by severity, rule, file and environments.
func rules(problems []compile.Problem) []string {
	var all []string
	for _, p := range problems {
		all = append(all, fmt.Sprintf("%s %s %s %s", p.Severity, p.Rule, p.File, strings.Join(p.Environments, ",")))
	}
	return all
}
