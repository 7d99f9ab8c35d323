package compile_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/apply/compile"
)

func read(t *testing.T, w *compile.WorkingTree) compile.Hash {
	t.Helper()
	_, tree, err := w.Read()
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// A file is taken from the look before only if every change of it shows without reading it.
func TestWorkingTreeReadsWhatMayHaveChanged(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"config/a.yaml": "x: 1\n", "config/b.yaml": "y: 1\n"})
	at := time.Now().Add(-time.Hour)
	back := func(name string) {
		t.Helper()
		if err := os.Chtimes(filepath.Join(dir, "config", name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	back("a.yaml")
	w := compile.NewWorkingTree(dir)
	first := read(t, w)
	if got := w.Trusted(); len(got) > 0 {
		t.Errorf("just saved, and trusted: %v", got)
	}
	w.Later(time.Minute)
	if read(t, w) != first {
		t.Error("nothing changed, and the tree is another")
	}
	if diff := cmp.Diff([]string{"config/a.yaml", "config/b.yaml"}, w.Trusted()); diff != "" && runtime.GOOS == "linux" {
		t.Errorf("saved long ago and not trusted (-want +got):\n%s", diff)
	}

	seen := first
	for what, change := range map[string]func(text string){
		"in place": func(text string) { writeFiles(t, dir, map[string]string{"config/a.yaml": text}) },
		"replaced": func(text string) {
			writeFiles(t, dir, map[string]string{"config/.a.yaml": text})
			back(".a.yaml")
			if err := os.Rename(filepath.Join(dir, "config", ".a.yaml"), filepath.Join(dir, "config", "a.yaml")); err != nil {
				t.Fatal(err)
			}
		},
		"made anew": func(text string) {
			if err := os.Remove(filepath.Join(dir, "config", "a.yaml")); err != nil {
				t.Fatal(err)
			}
			writeFiles(t, dir, map[string]string{"config/a.yaml": text})
		},
	} {
		deadline := time.Now().Add(10 * time.Second)
		for n, before := 0, seen; seen == before; n++ { // a minute has not really passed: the time of a file may stand still
			if time.Now().After(deadline) {
				t.Fatalf("%s: a change of the same size and time was not seen", what)
			}
			change(fmt.Sprintf("x: %d\n", 2+n%8))
			back("a.yaml")
			seen = read(t, w)
		}
	}
}

func TestWorkingTreeFolders(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"config/a/b.yaml": "x: 1\n", "environments/prod/c.yaml": "", "src/deep/main.go": "", ".git/config": "", "config/.hidden/d.yaml": "",
		"deploy/conf/e.yaml": "y: 1\n", "deploy/charts/f.yaml": "",
	})
	folders := func(w *compile.WorkingTree) []string {
		t.Helper()
		read(t, w)
		var names []string
		for _, folder := range w.Folders() {
			name, err := filepath.Rel(dir, folder)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, filepath.ToSlash(name))
		}
		return names
	}
	w := compile.NewWorkingTree(dir)
	if diff := cmp.Diff([]string{".", "config", "config/a", "environments", "environments/prod"}, folders(w)); diff != "" {
		t.Errorf("folders (-want +got):\n%s", diff)
	}
	writeFiles(t, dir, map[string]string{"trunkline.yaml": "version: 1\ndirectories: {config: deploy/conf}\n"})
	if diff := cmp.Diff([]string{".", "deploy", "deploy/conf", "environments", "environments/prod"}, folders(w)); diff != "" {
		t.Errorf("as the manifest says (-want +got):\n%s", diff)
	}
}

// The directories that a manifest names are read as those of a commit are.
func TestReadDirectoryAsTheManifestSays(t *testing.T) {
	for what, files := range map[string]map[string]string{
		"deep":   {"trunkline.yaml": "version: 1\ndirectories: {config: deploy/conf}\n", "deploy/conf/a.yaml": "x: 1\n", "config/b.yaml": "y: 1\n"},
		"hidden": {"trunkline.yaml": "version: 1\ndirectories: {config: .deploy/.conf}\n", ".deploy/.conf/a.yaml": "x: 1\n"},
		"ignored": {
			"trunkline.yaml": "version: 1\nignore: [config/vendor, '**/README.md']\n",
			"config/a.yaml":  "x: 1\n", "config/vendor/b.yaml": "y: 1\n", "config/README.md": "",
		},
		"unreadable": {"trunkline.yaml": "directories: [", "config/a.yaml": "x: 1\n"},
	} {
		dir := t.TempDir()
		writeFiles(t, dir, files)
		source, tree, err := compile.ReadDirectory(dir)
		if err != nil {
			t.Fatal(err)
		}
		onDisk, inMemory := compileTree(t, compile.New(key), source, tree, nil), compiled(t, files, nil)
		if diff := cmp.Diff(inMemory.Problems, onDisk.Problems); diff != "" {
			t.Errorf("%s: problems in memory and on disk:\n%s", what, diff)
		}
		if got, want := delivered(onDisk, "default"), delivered(inMemory, "default"); got != want || what != "unreadable" && want != `{"a":{"x":1}}` {
			t.Errorf("%s: delivered from memory %s, from disk %s", what, want, got)
		}
	}
}

func TestReadDirectoryWhileAFileGoes(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"config/a.yaml": "x: 1\n"})
	source, tree, err := compile.ReadDirectory(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "config", "a.yaml")); err != nil {
		t.Fatal(err)
	}
	if _, err := compile.New(key).Compile(t.Context(), source, tree, compile.Against{}); !errors.Is(err, compile.ErrGone) {
		t.Errorf("a file that is gone: %v", err)
	}
}

// A folder that becomes another part stands elsewhere, whatever was kept of it.
func TestAFolderThatBecomesAnotherPart(t *testing.T) {
	files := map[string]string{"trunkline.yaml": "version: 1\ndirectories: {environments: x, config: c}\n", "x/prod/a.yaml": "k: 1\n", "c/b.yaml": "y: 1\n"}
	c := compile.New(nil)
	for i, manifest := range []string{files["trunkline.yaml"], "version: 1\ndirectories: {config: x}\n"} {
		files["trunkline.yaml"] = manifest
		source := newStore()
		result := compileTree(t, c, source, source.put(files), nil)
		env, want := "prod", `{"a":{"k":1},"b":{"y":1}}`
		if i == 1 {
			env, want = "default", `{"prod":{"a":{"k":1}}}`
		}
		if s := result.Snapshots[env]; s == nil || s.Values.String() != want {
			t.Errorf("%d: %v", i, result.Problems)
		}
	}
}
