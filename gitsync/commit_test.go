package gitsync_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/internal/gittest"
)

// head pushes what the clone has and reads its head through a mirror.
func head(t *testing.T, remote *gittest.Remote) gitsync.Commit {
	t.Helper()
	remote.Push()
	w := follow(t, remote.URL())
	c, err := w.Commit(w.next().Head)
	must(t, err)
	return c
}

func TestCommit(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	parent := change(remote, "Parent")
	h := change(remote, "Raise the limit", gittest.Author("Ada Lovelace", "ada@example.com"),
		gittest.Body("Because it was low.\n\nCo-authored-by: Ben <ben@example.com>\nco-authored-BY: Cy <Cy@Example.com>\n"+
			"Co-authored-by: Cy <cy@example.com>\nCo-authored-by: Ada <ADA@example.com>\nCo-authored-by: nobody"))
	c := head(t, remote)
	if c.Hash.String() != h || len(c.Parents) != 1 || c.Parents[0].String() != parent {
		t.Errorf("commit %s with parents %v, want %s with %s", c.Hash, c.Parents, h, parent)
	}
	if c.Tree.String() != remote.Git("rev-parse", "HEAD^{tree}") {
		t.Errorf("tree %s", c.Tree)
	}
	if c.Subject != "Raise the limit" || !strings.HasPrefix(c.Message, "Raise the limit\n\nBecause") {
		t.Errorf("subject %q, message %q", c.Subject, c.Message)
	}
	if c.Author.Name != "Ada Lovelace" || c.Author.When.IsZero() || c.Committer.Email != "grace@example.com" {
		t.Errorf("author %v, committer %v", c.Author, c.Committer)
	}
	want := []gitsync.Person{{Name: "Ben", Email: "ben@example.com"}, {Name: "Cy", Email: "Cy@Example.com"}}
	if diff := cmp.Diff(want, c.CoAuthors); diff != "" {
		t.Errorf("co-authors (-want +got):\n%s", diff)
	}
}

func TestHostileCommits(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		raw     string
		subject string
	}{
		"control characters": {"Evil \x1b[31mred\x07\ttab\n\nbody\n", "Evil [31mred tab"},
		"no message":         {"", ""},
		"blank lines first":  {"\n\n  \nFirst\nsecond\n\nbody", "First second"},
		"invalid UTF-8":      {"Caf\xe9\n", "Caf\uFFFD"},
		"very long":          {strings.Repeat("é", 100_000), strings.Repeat("é", 250)},
	} {
		t.Run(name, func(t *testing.T) {
			remote := gittest.NewRemote(t)
			change(remote, "Parent")
			tree := remote.Git("rev-parse", "HEAD^{tree}")
			raw := fmt.Sprintf("tree %s\nparent %s\nauthor A\x1b U <a@b> 1700000000 +0100\ncommitter C <c@d> 1700000001 +0000\n\n%s",
				tree, remote.Head(), tt.raw)
			file := filepath.Join(t.TempDir(), "raw")
			must(t, os.WriteFile(file, []byte(raw), 0o600))
			remote.Git("reset", "--quiet", remote.Git("hash-object", "-t", "commit", "-w", "--literally", file))
			c := head(t, remote)
			if c.Subject != tt.subject {
				t.Errorf("subject %.60q, want %.60q", c.Subject, tt.subject)
			}
			if !utf8.ValidString(c.Message) || len(c.Message) > 64<<10 {
				t.Errorf("message of %d bytes, valid UTF-8: %t", len(c.Message), utf8.ValidString(c.Message))
			}
			if c.Author.Name != "A U" || c.Author.When.Unix() != 1_700_000_000 {
				t.Errorf("author %+v", c.Author)
			}
		})
	}
}

// A header of very many lines takes no more time than its size deserves, and changes nothing in what is read.
func TestHugeHeaders(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]string{
		"one line":  "encoding x\n",
		"signature": "gpgsig x\n" + strings.Repeat(" \n", 1_000_000),
		"many":      strings.Repeat("gpgsig x\n", 200_000),
		"tag":       "mergetag x\n" + strings.Repeat(" \n", 1_000_000),
		"unknown":   "x y\n" + strings.Repeat(" \n", 1_000_000),
		"again":     "x y\ntree z\nparent z\nauthor Eve <e@v> 1 +0000\n",
	} {
		t.Run(name, func(t *testing.T) {
			remote := gittest.NewRemote(t)
			parent := change(remote, "Parent")
			tree := remote.Git("rev-parse", "HEAD^{tree}")
			raw := fmt.Sprintf("tree %s\nparent %s\nauthor A <a@b> 1700000000 +0100\ncommitter C <c@d> 1700000001 +0000\n%s\nSubject\n\nBody\n",
				tree, parent, header)
			file := filepath.Join(t.TempDir(), "raw")
			must(t, os.WriteFile(file, []byte(raw), 0o600))
			h := remote.Git("hash-object", "-t", "commit", "-w", "--literally", file)
			remote.Git("reset", "--quiet", h)
			c := head(t, remote)
			if c.Hash.String() != h || c.Tree.String() != tree || len(c.Parents) != 1 || c.Parents[0].String() != parent ||
				c.Author.Name != "A" || c.Committer.Name != "C" || c.Message != "Subject\n\nBody\n" {
				t.Errorf("read as %+v", c)
			}
		})
	}
}

// What is left out of a commit changes nothing in what go-git reads.
func FuzzCommitHeaders(f *testing.F) {
	commit := text("Signed\n\nAnd why.\n")
	f.Add([]byte(commit))
	f.Add([]byte(withHeader(commit, "gpgsig", "a\nb\n\nc")))
	f.Add([]byte(strings.Replace(commit, "author", " x\nauthor", 1)))
	f.Add([]byte(strings.Replace(commit, "parent", "gpgsig x\n y\nparent", 1)))
	f.Add([]byte(strings.Replace(commit, "committer", "parent "+strings.Repeat("ab", 20)+"\ntree "+strings.Repeat("ab", 20)+"\ncommitter", 1)))
	f.Add([]byte(strings.Replace(commit, "\n\n", "\n", 2)))
	read := func(raw []byte) (*object.Commit, error) {
		o := &plumbing.MemoryObject{}
		o.SetType(plumbing.CommitObject)
		_, _ = o.Write(raw)
		return object.DecodeCommit(nil, o)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := string(raw)
		whole, err := read(raw)
		c, errPlain := read(gitsync.Plain(raw))
		if string(raw) != before {
			t.Errorf("%q became %q", before, raw)
		}
		if (err == nil) != (errPlain == nil) {
			t.Fatalf("%q: %v, and as a whole %v", raw, errPlain, err)
		}
		if err != nil {
			return
		}
		say := func(c *object.Commit) string {
			return fmt.Sprintf("%s %s %q %q %q", c.TreeHash, c.ParentHashes, c.Author.String(), c.Committer.String(), c.Message)
		}
		if say(c) != say(whole) {
			t.Errorf("%q is read as %s, and as a whole as %s", raw, say(c), say(whole))
		}
		if tree, parents := gitsync.Links(raw); tree != gitsync.Hash(c.TreeHash) || fmt.Sprint(parents) != fmt.Sprint(c.ParentHashes) {
			t.Errorf("%q has tree %s and parents %s, want those of %s", raw, tree, parents, say(c))
		}
	})
}

func TestCoAuthorsAreBounded(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	var body strings.Builder
	for i := range 500 {
		fmt.Fprintf(&body, "Co-authored-by: P%d <p%d@example.com>\n", i, i)
	}
	change(remote, "Many", gittest.Body(body.String()))
	if c := head(t, remote); len(c.CoAuthors) != 50 {
		t.Errorf("%d co-authors, want 50", len(c.CoAuthors))
	}
}

// Clocks that went wrong do not make the first parent's authors into merged ones.
func TestMergedAuthorsWithWrongClocks(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	change(remote, "Base", gittest.Author("Base", "base@example.com"))
	remote.Git("checkout", "--quiet", "-b", "feature")
	for i := range 3 {
		remote.Write(map[string]string{"config/feature.yaml": fmt.Sprint(i)})
		remote.Commit("Feature", gittest.Author("Fay", "fay@example.com"))
		remote.Git("-c", "user.name=Fay", "commit", "--amend", "--quiet", "--no-edit", "--date=2001-01-01T00:00:00Z")
	}
	remote.Git("checkout", "--quiet", gittest.Branch)
	change(remote, "Main", gittest.Author("Max", "max@example.com"))
	remote.Git("merge", "--quiet", "--no-ff", "--no-edit", "feature")
	c := head(t, remote)
	if len(c.Merged) != 1 || c.Merged[0].Name != "Fay" {
		t.Errorf("merged %v, want Fay alone", c.Merged)
	}
}

func TestTreesAndBlobs(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	remote.Write(map[string]string{"config/app.yaml": "a: 1\n", "config/db/primary.yaml": "b: 2\n", "run.sh": "#!/bin/sh\n"})
	must(t, os.Chmod(filepath.Join(remote.Work(), "run.sh"), 0o755))
	must(t, os.Symlink("run.sh", filepath.Join(remote.Work(), "link")))
	remote.Commit("All kinds")
	remote.Git("update-index", "--add", "--cacheinfo", "160000,"+strings.Repeat("ab", 20)+",module")
	remote.Git("commit", "--quiet", "--message", "A submodule")
	remote.Push()
	w := follow(t, remote.URL())
	u := w.next()

	modes := map[string]gitsync.EntryMode{}
	list, err := w.Tree(u.Commits[0].Tree)
	must(t, err)
	for _, e := range list {
		modes[e.Name] = e.Mode
	}
	want := map[string]gitsync.EntryMode{
		"config": gitsync.Dir, "run.sh": gitsync.Executable, "link": gitsync.Symlink, "module": gitsync.Submodule,
	}
	if diff := cmp.Diff(want, modes); diff != "" {
		t.Errorf("modes (-want +got):\n%s", diff)
	}

	for _, dir := range []string{"", "config", "config/db", "/config/db/"} {
		tree, err := w.Subtree(u.Head, dir)
		if err != nil || tree.String() != remote.Git("rev-parse", "HEAD:"+strings.Trim(dir, "/")) {
			t.Errorf("folder %q is %s, %v", dir, tree, err)
		}
	}
	for _, dir := range []string{"none", "config/app.yaml", "config/db/none"} {
		if _, err := w.Subtree(u.Head, dir); !errors.Is(err, gitsync.ErrNotFound) {
			t.Errorf("folder %q: %v, want ErrNotFound", dir, err)
		}
	}

	blob := hash(t, remote.Git("rev-parse", "HEAD:config/app.yaml"))
	if data, err := w.Blob(blob, 5); err != nil || string(data) != "a: 1\n" {
		t.Errorf("blob %q, %v", data, err)
	}
	var large *gitsync.TooLargeError
	if _, err := w.Blob(blob, 4); !errors.As(err, &large) || large.Size != 5 || large.Max != 4 {
		t.Errorf("a blob beyond the limit: %v, want *TooLargeError", err)
	}
	if n, err := w.BlobSize(blob); err != nil || n != 5 {
		t.Errorf("size %d, %v", n, err)
	}
}

func TestHashAsText(t *testing.T) {
	want := hash(t, strings.Repeat("0a", 20))
	text, err := want.MarshalText()
	must(t, err)
	var got gitsync.Hash
	if err := got.UnmarshalText(text); err != nil || got != want || want.Short() != "0a0a0a0a0a0a" {
		t.Errorf("%s is read back as %s, %v", want, got, err)
	}
	if err := got.UnmarshalText(nil); err != nil || !got.IsZero() {
		t.Errorf("nothing is read as %s, %v", got, err)
	}
	for _, bad := range []string{"", "abc", strings.Repeat("zz", 20), strings.Repeat("a", 41), strings.Repeat("\x00", 40)} {
		if _, err := gitsync.ParseHash(bad); err == nil {
			t.Errorf("%q is taken for a hash", bad)
		}
	}
}
