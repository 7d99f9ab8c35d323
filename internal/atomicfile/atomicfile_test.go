package atomicfile_test

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/trunkline/trunkline/internal/atomicfile"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "app.json")
	for _, c := range []struct {
		text string
		mode os.FileMode
	}{{"one", 0o600}, {"another", 0o644}, {"", 0o400}, {"last", 0o600}} {
		if err := atomicfile.Write(file, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		info, statErr := os.Stat(file)
		if err != nil || statErr != nil || string(data) != c.text || info.Mode() != c.mode {
			t.Errorf("%q of mode %s, %v", data, info.Mode(), err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("beside the file there is something: %v, %v", entries, err)
	}
}

// A link is replaced: what it leads to may be another's.
func TestLink(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.WriteFile(target, []byte("untouched"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Write(link, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(target)
	if info, statErr := os.Lstat(link); err != nil || statErr != nil || string(data) != "untouched" || !info.Mode().IsRegular() {
		t.Errorf("%q, %v, %v", data, err, info.Mode())
	}
}

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	if err := atomicfile.Write(filepath.Join(dir, "nowhere", "f"), nil, 0o600); err == nil {
		t.Error("a file in no directory was written")
	}
	if err := atomicfile.Write(dir, nil, 0o600); err == nil {
		t.Error("a directory was replaced")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("something was left behind: %v, %v", entries, err)
	}
}

// Whoever reads while it is written finds all of one content.
func TestNeverAPart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	contents := [][]byte{bytes.Repeat([]byte("a"), 100_000), bytes.Repeat([]byte("b"), 50_000)}
	if err := atomicfile.Write(file, contents[0], 0o600); err != nil {
		t.Fatal(err)
	}
	var writing sync.WaitGroup
	writing.Go(func() {
		for i := range 40 {
			if err := atomicfile.Write(file, contents[i%2], 0o600); err != nil {
				t.Error(err)
			}
		}
	})
	for range 400 {
		data, err := os.ReadFile(file)
		if err != nil || !bytes.Equal(data, contents[0]) && !bytes.Equal(data, contents[1]) {
			t.Fatalf("%d bytes, %v", len(data), err)
		}
	}
	writing.Wait()
}
