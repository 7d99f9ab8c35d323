package compile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/apply/compile"
)

func TestHostileEntries(t *testing.T) {
	good := func(s *store) compile.Entry { return s.file("good.yaml", "x: 1\n") }
	for _, c := range []struct {
		name  string
		entry func(s *store) []compile.Entry
		want  []string // rules, or none
	}{
		{"symlink", func(*store) []compile.Entry { return []compile.Entry{{Name: "a.yaml", Kind: compile.Symlink}} }, []string{"error fileMode config/a.yaml default"}},
		{"submodule", func(*store) []compile.Entry { return []compile.Entry{{Name: "sub", Kind: compile.Submodule}} }, []string{"error fileMode config/sub default"}},
		{"parent", func(s *store) []compile.Entry { return []compile.Entry{s.folder("..", s.file("a.yaml", "x: 1"))} }, []string{"error fileName config/.. default"}},
		{"nameless", func(s *store) []compile.Entry { return []compile.Entry{s.folder("", s.file("a.yaml", "x: 1"))} }, []string{"error fileName config/ default"}},
		{"slash", func(s *store) []compile.Entry { return []compile.Entry{s.file("a/b.yaml", "x: 1")} }, []string{"error fileName config/a/b.yaml default"}},
		{"backslash", func(s *store) []compile.Entry { return []compile.Entry{s.file(`..\a.yaml`, "x: 1")} }, nil},
		{"backslash within", func(s *store) []compile.Entry { return []compile.Entry{s.file(`a\b.yaml`, "x: 1")} }, []string{`error fileName config/a\b.yaml default`}},
		{"control character", func(s *store) []compile.Entry { return []compile.Entry{s.file("a\nb.yaml", "x: 1")} }, []string{"error fileName config/a?b.yaml default"}},
		{"not UTF-8", func(s *store) []compile.Entry { return []compile.Entry{s.file("a\xff.yaml", "x: 1")} }, []string{"error fileName config/a?.yaml default"}},
		{"case", func(s *store) []compile.Entry {
			return []compile.Entry{s.file("Straße.yaml", "x: 1"), s.file("STRAẞE.yaml", "x: 1")}
		}, []string{"error caseCollision config/Straße.yaml default"}},
		{"case of folders", func(s *store) []compile.Entry {
			return []compile.Entry{s.folder("db", s.file("a.yaml", "x: 1")), s.folder("DB", s.file("b.yaml", "x: 1"))}
		}, []string{"error caseCollision config/db default"}},
		{"long path", func(s *store) []compile.Entry { return []compile.Entry{s.file(strings.Repeat("a", 1100)+".yaml", "")} }, []string{"error fileName config/" + strings.Repeat("a", 1100) + ".yaml default"}},
		{"oversized by its header alone", func(*store) []compile.Entry {
			return []compile.Entry{{Name: "big.yaml", Size: compile.MaxFileBytes + 1}}
		}, []string{"error fileTooLarge config/big.yaml default"}},
		{"hidden", func(s *store) []compile.Entry {
			return []compile.Entry{s.file(".a.yaml", "x: ["), {Name: ".link", Kind: compile.Symlink}, s.folder(".d", s.file("a.yaml", "x: ["))}
		}, nil},
		{"unknown extension", func(s *store) []compile.Entry { return []compile.Entry{s.file("a.ini", "x")} }, []string{"warning notRead config/a.ini default"}},
		{"LFS pointer", func(s *store) []compile.Entry {
			return []compile.Entry{s.file("a.yaml", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")}
		}, []string{"error lfsPointer config/a.yaml default"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStore()
			root := s.folder("", s.folder("config", append(c.entry(s), good(s))...))
			result := compileTree(t, compile.New(key), s, root.Hash, nil)
			if c.name == "backslash" {
				return // it begins with a dot, and is passed over as hidden files are
			}
			if diff := cmp.Diff(c.want, rules(result.Problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			for _, p := range result.Problems {
				if p.Message == "" || p.Hint == "" || p.Stage != compile.StageTree && p.Rule != "notRead" && p.Rule != "lfsPointer" {
					t.Errorf("problem %+v", p)
				}
			}
		})
	}
}

func TestRootEntriesOfTheWrongKind(t *testing.T) {
	s := newStore()
	root := s.folder("", compile.Entry{Name: "trunkline.yaml", Kind: compile.Symlink}, compile.Entry{Name: "schemas", Kind: compile.Submodule},
		s.file("environments", "x"), s.folder("config", s.file("a.yaml", "x: 1")), s.file("Makefile", "all:"))
	base := compiled(t, map[string]string{"trunkline.yaml": "version: 1\nenvironments: {prod: {}}\n", "config/a.yaml": "x: 1\n"}, nil)
	result := compileTree(t, compile.New(key), s, root.Hash, base.Snapshots)
	want := []string{"error fileMode environments prod", "error fileMode schemas prod", "error fileMode trunkline.yaml prod"}
	if diff := cmp.Diff(want, rules(result.Problems)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestManifestTooLarge(t *testing.T) {
	base := compiled(t, map[string]string{"trunkline.yaml": "version: 1\nenvironments: {prod: {}}\n", "config/a.yaml": "x: 1\n"}, nil)
	result := compiled(t, map[string]string{
		"trunkline.yaml": "version: 1\n#" + strings.Repeat("a", compile.MaxFileBytes), "config/a.yaml": "x: 1\n",
	}, base.Snapshots)
	if diff := cmp.Diff([]string{"error fileTooLarge trunkline.yaml prod"}, rules(result.Problems)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestEntriesUnderEnvironments(t *testing.T) {
	s := newStore()
	root := s.folder("", s.folder("environments",
		s.folder("prod", s.file("a.yaml", "x: 1"), compile.Entry{Name: "l.yaml", Kind: compile.Symlink}), s.folder("PROD", s.file("a.yaml", "x: 1")),
		s.folder("staging", s.file("a.yaml", "x: 1")), s.file("stray.yaml", "x: 1"), compile.Entry{Name: "link", Kind: compile.Symlink},
		s.folder("v1.2 *", s.file("a.yaml", "x: 1")), s.folder("..", s.file("a.yaml", "x: 1")), s.folder(".git", s.file("a.yaml", "x: [")),
		s.file("a\x01", "x")))
	result := compileTree(t, compile.New(key), s, root.Hash, nil)
	want := []string{
		"error fileName environments/.. prod,staging", "error caseCollision environments/PROD prod,staging",
		"error fileName environments/a? prod,staging", "error fileMode environments/link prod,staging",
		"error fileMode environments/prod/l.yaml prod", "error strayFile environments/stray.yaml prod,staging",
		"error environmentName environments/v1.2 * prod,staging",
	}
	if diff := cmp.Diff(want, rules(result.Problems)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestTooMuch(t *testing.T) {
	many, large := map[string]string{}, map[string]string{}
	for i := range compile.MaxFiles + 1 {
		many[fmt.Sprintf("config/f%d.yaml", i)] = "x: 1\n"
	}
	for i := range compile.MaxTreeBytes/compile.MaxFileBytes + 1 {
		large[fmt.Sprintf("config/f%d.yaml", i)] = "#" + strings.Repeat("a", compile.MaxFileBytes-1)
	}
	folders := map[string]string{}
	for i := range compile.MaxEnvironments + 1 {
		folders[fmt.Sprintf("environments/e%d/a.yaml", i)] = "x: 1\n"
	}
	for want, files := range map[string]map[string]string{"tooManyFiles": many, "treeTooLarge": large, "tooManyEnvironments": folders} {
		result := compiled(t, files, nil)
		if len(result.Problems) != 1 || result.Problems[0].Rule != want || len(result.Snapshots) > 0 {
			t.Errorf("problems %v, want %s", rules(result.Problems), want)
		}
	}
}

// Folders may be nested so deep and no deeper, wherever they are read from.
func TestDeepFolders(t *testing.T) {
	const most = 32
	for _, top := range []string{"config", "environments/default"} {
		for _, depth := range []int{most, most + 1} {
			files := map[string]string{top + strings.Repeat("/d", depth) + "/a.yaml": "x: 1\n"}
			dir := t.TempDir()
			writeFiles(t, dir, files)
			source, tree, err := compile.ReadDirectory(dir)
			if err != nil {
				t.Fatal(err)
			}
			onDisk, inMemory := compileTree(t, compile.New(key), source, tree, nil), compiled(t, files, nil)
			if diff := cmp.Diff(inMemory.Problems, onDisk.Problems); diff != "" {
				t.Errorf("problems in memory and on disk:\n%s", diff)
			}
			if bad := onDisk.Errors("default") > 0; bad != (depth > most) {
				t.Errorf("%s, %d deep: %v", top, depth, rules(onDisk.Problems))
			}
		}
	}
}

func TestReadDirectory(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"trunkline.yaml": "version: 1\n", "config/a.yaml": "x: 1\n", "config/.hidden": "", ".git/config": "", "src/main.go": "package main\n",
	})
	if err := os.Symlink("a.yaml", filepath.Join(dir, "config", "b.yaml")); err != nil {
		t.Fatal(err)
	}
	source, tree, err := compile.ReadDirectory(dir)
	if err != nil {
		t.Fatal(err)
	}
	result := compileTree(t, compile.New(key), source, tree, nil)
	if diff := cmp.Diff([]string{"error fileMode config/b.yaml default"}, rules(result.Problems)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if _, _, err := compile.ReadDirectory(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
	if _, _, err := compile.ReadDirectory(filepath.Join(dir, "trunkline.yaml")); err == nil {
		t.Error("a file was taken for a directory")
	}
}

// A file that is saved while it is read must not be kept under the name of what it held before.
func TestReadDirectoryWhileItChanges(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"config/a.yaml": "x: 1\n"})
	source, tree, err := compile.ReadDirectory(dir)
	if err != nil {
		t.Fatal(err)
	}
	writeFiles(t, dir, map[string]string{"config/a.yaml": "x: 2\n"})
	c := compile.New(key)
	if _, err := c.Compile(t.Context(), source, tree, compile.Against{}); !errors.Is(err, compile.ErrGone) {
		t.Errorf("a changed file was read: %v", err)
	}
	writeFiles(t, dir, map[string]string{"config/a.yaml": "x: 1\n"})
	if got := delivered(compileTree(t, c, source, tree, nil), "default"); got != `{"a":{"x":1}}` {
		t.Errorf("delivered %s", got)
	}
}

func delivered(r *compile.Result, env string) string {
	if r.Snapshots[env] == nil {
		return ""
	}
	return string(r.Snapshots[env].Delivered.AppendJSON(nil))
}

// What cannot be read is an error, never a problem, and never an empty configuration.
func TestSourceThatFails(t *testing.T) {
	broken := errors.New("disk on fire")
	s := newStore()
	tree := s.put(map[string]string{"trunkline.yaml": "version: 1\n", "config/a.yaml": "x: 1\n", "schemas/a.schema.json": "{}"})
	for h := range s.files {
		missing := newStore()
		missing.trees = s.trees
		for other, text := range s.files {
			if other != h {
				missing.files[other] = text
			}
		}
		if _, err := compile.New(key).Compile(t.Context(), missing, tree, compile.Against{}); !errors.Is(err, compile.ErrGone) {
			t.Errorf("without file %s: %v", h, err)
		}
	}
	s.fail = broken
	if _, err := compile.New(key).Compile(t.Context(), s, tree, compile.Against{}); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

func TestShopIsValid(t *testing.T) {
	source, tree, err := compile.ReadDirectory("../../testdata/shop")
	if err != nil {
		t.Fatal(err)
	}
	result := compileTree(t, compile.New(key), source, tree, nil)
	if len(result.Problems) > 0 || len(result.Snapshots) != 3 {
		t.Errorf("problems %v", rules(result.Problems))
	}
	dsn, _ := result.Snapshots["prodEu"].Delivered.Lookup("database.primary.dsn")
	if dsn.Fingerprint() == "" {
		t.Error("the manifest marks the dsn, and it is delivered")
	}
}
