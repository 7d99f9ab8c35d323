package history_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/history"
	"github.com/trunkline/trunkline/internal/gittest"
)

func (w *world) blame(at history.At, env string, what history.Selection) *history.Blame {
	w.tb.Helper()
	b, err := w.Blame(w.tb.Context(), at, env, what)
	if err != nil {
		w.tb.Fatal(err)
	}
	return b
}

// blamed is a blame in lines: path, value, place, subject of the commit.
func blamed(b *history.Blame) string {
	var s strings.Builder
	for _, e := range b.Entries {
		text := e.Value.String()
		if strings.HasPrefix(text, `{"$redacted"`) {
			text = "redacted"
		}
		fmt.Fprintf(&s, "%s %s %s %s", e.Path, text, e.Place, e.Commit.Subject)
		if e.Older {
			s.WriteString(" or older")
		}
		s.WriteString("\n")
	}
	return s.String()
}

func TestBlame(t *testing.T) {
	w, first := repoOf(t, map[string]string{
		"trunkline.yaml":           threeEnvironments,
		"config/a.yaml":            "x: 1\nlist: [1, {b: 2}]\ndeep: {one: 1, two: 2}\npassword: hunter2-first\nempty: {}\n",
		"environments/prod/a.yaml": "x: 5\n",
	})
	w.push("Change x of the base", map[string]string{"config/a.yaml": "x: 2\nlist: [1, {b: 2}]\ndeep: {one: 1, two: 2}\npassword: hunter2-first\nempty: {}\n"})
	w.push("Reformat", map[string]string{"config/a.yaml": "# comment\nempty: {}\nx: 2\nlist: [1, {b: 2}]\ndeep:\n  one: 1\n  two: 2\npassword: hunter2-first\n"})
	w.push("Add and change", map[string]string{"config/a.yaml": "empty: {}\nx: 2\nlist: [1, {b: 3}]\ndeep:\n  one: 1\n  two: 3\n  three: 3\npassword: hunter2-second\n"})
	w.push("Break", map[string]string{"config/a.yaml": "x: [\n"})
	w.push("Mend and move", map[string]string{
		"config/a.yaml": "empty: {}\nx: 2\nlist: [1, {b: 3}]\npassword: hunter2-second\n", "config/a/deep.yaml": "one: 1\ntwo: 3\nthree: 3\n",
	})
	w.push("Elsewhere", map[string]string{"config/b.yaml": "x: 1\n"})
	w.push("Let prodEu say it itself", map[string]string{"environments/prodEu/a.yaml": "x: 5\n"})

	live := w.at("", "prod")
	for _, test := range []struct {
		name, env string
		at        history.At
		what      history.Selection
		want      string
	}{
		{"a map of the base", "staging", live, selected(t, "", "a.**"), `
a.deep.one 1 config/a/deep.yaml:1:6 Begin
a.deep.three 3 config/a/deep.yaml:3:8 Add and change
a.deep.two 3 config/a/deep.yaml:2:6 Add and change
a.empty {} config/a.yaml:1:1 Begin
a.list [1,{"b":3}] config/a.yaml:3:1 Add and change
a.password redacted config/a.yaml:4:11 Add and change
a.x 2 config/a.yaml:2:4 Change x of the base
`},
		{"an overlay", "prod", live, selected(t, "", "a.x"), "\na.x 5 environments/prod/a.yaml:1:4 Begin\n"},
		{"the same value said elsewhere", "prodEu", live, selected(t, "", "*.x"), `
a.x 5 environments/prodEu/a.yaml:1:4 Begin
b.x 1 config/b.yaml:1:4 Elsewhere
`},
		{"an old version", "staging", w.at(first.String(), "prod"), selected(t, "", "a.x", "a.deep.two"), `
a.deep.two 2 config/a.yaml:3:21 Begin
a.x 1 config/a.yaml:1:4 Begin
`},
		{"what is seen", "staging", live, selected(t, "a.deep.* b", "**"), `
a.deep.one 1 config/a/deep.yaml:1:6 Begin
a.deep.three 3 config/a/deep.yaml:3:8 Add and change
a.deep.two 3 config/a/deep.yaml:2:6 Add and change
b.x 1 config/b.yaml:1:4 Elsewhere
`},
		{"nothing", "staging", live, selected(t, "", "none.**"), "\n"},
	} {
		b := w.blame(test.at, test.env, test.what)
		if got := "\n" + blamed(b); got != test.want || b.Total != len(b.Entries) || b.Truncated {
			t.Errorf("%s: %d, truncated %t: %s", test.name, b.Total, b.Truncated, got)
		}
	}
}

// A change that came with a commit that cannot be read is that of the commit that made it readable.
func TestBlameOverWhatCannotBeRead(t *testing.T) {
	w, _ := repoOf(t, map[string]string{"config/a.yaml": "x: 1\ny: 1\n"})
	w.push("Change and break", map[string]string{"config/a.yaml": "x: 2\ny: 1\nx: 3\n"})
	w.push("Break on", map[string]string{"config/a.yaml": "x: 2\ny: 1\nx: 4\n"})
	w.push("Elsewhere", map[string]string{"config/b.yaml": "x: 2\n"})
	w.push("Mend", map[string]string{"config/a.yaml": "x: 2\ny: 1\n"})
	w.push("Spaces", map[string]string{"config/a.yaml": "x:  2\ny:  1\n"})
	if got := blamed(w.blame(w.at("", "default"), "default", selected(t, "", "a.*"))); got != "a.x 2 config/a.yaml:1:5 Mend\na.y 1 config/a.yaml:2:5 Begin\n" {
		t.Error(got)
	}
}

// What the manifest says decides which files matter, at every commit anew.
func TestBlameAcrossManifests(t *testing.T) {
	w, _ := repoOf(t, map[string]string{"trunkline.yaml": "version: 1\nenvironments: {prod: {}, prodEu: {}}\n", "config/a.yaml": "x: 1\n", "environments/prod/a.yaml": "x: 2\n"})
	w.push("Extend", map[string]string{"trunkline.yaml": "version: 1\nenvironments: {prod: {}, prodEu: {extends: prod}}\n"})
	w.push("Move", map[string]string{
		"trunkline.yaml": "version: 1\nenvironments: {prod: {}, prodEu: {extends: prod}}\ndirectories: {config: base}\n",
		"config/a.yaml":  "-", "base/a.yaml": "x: 1\nz: 1\n",
	})
	w.push("Unrelated", map[string]string{"config/a.yaml": "x: 9\n"})
	if got := blamed(w.blame(w.at("", "prodEu"), "prodEu", selected(t, "", "a.*"))); got != "a.x 2 environments/prod/a.yaml:1:4 Extend\na.z 1 base/a.yaml:2:4 Move\n" {
		t.Error(got)
	}
}

// A merge is one version: what it brings in is blamed on it, whoever wrote it.
func TestBlameOfMerges(t *testing.T) {
	w, _ := repoOf(t, map[string]string{"config/a.yaml": "x: 1\n"})
	w.remote.Git("checkout", "--quiet", "-b", "side")
	w.commit("On the side", map[string]string{"config/a.yaml": "x: 2\n"}, gittest.Author("Lin", "lin@example.com"))
	w.remote.Git("checkout", "--quiet", gittest.Branch)
	w.commit("On the trunk", map[string]string{"config/b.yaml": "x: 2\n"})
	w.remote.Git("merge", "--quiet", "--no-ff", "--message", "Merge the side", "side")
	w.remote.Push()
	w.mirror.Hint()
	w.take()
	b := w.blame(w.at("", "default"), "default", selected(t, "", "a.x"))
	if e := b.Entries[0]; e.Commit.Subject != "Merge the side" || len(e.Commit.Merged) != 1 || e.Commit.Merged[0].Name != "Lin" {
		t.Errorf("%+v", e.Commit)
	}
}

func TestBlameIsRemembered(t *testing.T) {
	w, first := repoOf(t, map[string]string{"config/a.yaml": "x: 1\ny: 1\n"})
	for i := range 10 {
		w.push("Change y", map[string]string{"config/a.yaml": fmt.Sprintf("x: 1\ny: %d\n", i)})
	}
	ask := func() string { return blamed(w.blame(w.at("", "default"), "default", selected(t, "", "a.x"))) }
	reads := func(want int64) {
		t.Helper()
		var got string
		if n := w.mirror.reads(func() { got = ask() }); n != want || got != "a.x 1 config/a.yaml:1:4 Begin\n" {
			t.Errorf("%d files were read, want %d: %s", n, want, got)
		}
	}
	reads(10)
	reads(0)
	w.push("Elsewhere", map[string]string{"config/b.yaml": "x: 1\n"})
	reads(0)
	w.push("Change y again", map[string]string{"config/a.yaml": "x: 1\ny: 100\n"})
	reads(1)
	_ = first
}

func TestBlameHasBounds(t *testing.T) {
	var b strings.Builder
	for i := range history.MaxEntries + 1 {
		fmt.Fprintf(&b, "k%d: 1\n", i)
	}
	commits := []map[string]string{{"config/a.yaml": b.String()}, {"config/b.yaml": "x: 0\n"}}
	for i := range history.MaxWalked {
		commits = append(commits, map[string]string{"config/counter.yaml": fmt.Sprintf("x: %d\n", i)})
	}
	w := begin(t, imported(t, commits))
	head := w.mirror.Head()
	at := w.at(head.String(), "default")
	all := w.blame(at, "default", history.Selection{})
	if len(all.Entries) != history.MaxEntries || all.Total != history.MaxEntries+3 || !all.Truncated {
		t.Errorf("%d of %d, truncated %t", len(all.Entries), all.Total, all.Truncated)
	}
	oldest := "Commit 2" // of the 10,000 that are looked at
	if got := blamed(w.blame(at, "default", selected(t, "", "b.x"))); got != "b.x 0 config/b.yaml:1:4 "+oldest+" or older\n" {
		t.Error(got)
	}
	if got := w.blame(at, "default", selected(t, "a.k1", "**")); got.Total != 1 || got.Truncated {
		t.Errorf("who sees one is told of %d", got.Total)
	}
}

// A walk that takes too long tells how far it came, and the next one goes on there.
func TestBlameGoesOn(t *testing.T) {
	var commits []map[string]string
	for i := range 12 {
		commits = append(commits, map[string]string{"config/a.yaml": fmt.Sprintf("x: 1\ny: %d\n", i)})
	}
	w := begin(t, imported(t, commits))
	w.Hurry(-time.Second) // one commit at a time
	for i := 10; i > 0; i-- {
		want := fmt.Sprintf("a.x 1 config/a.yaml:1:4 Commit %d or older\n", i)
		if got := blamed(w.blame(w.at(w.mirror.Head().String(), "default"), "default", selected(t, "", "a.x"))); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := blamed(w.blame(w.at(w.mirror.Head().String(), "default"), "default", selected(t, "", "a.x"))); got != "a.x 1 config/a.yaml:1:4 Commit 0\n" {
		t.Error(got)
	}
}

// newest names the commits of a branch, oldest first.
func (w *world) commits() (list []gitsync.Hash) {
	for _, line := range strings.Fields(w.remote.Git("rev-list", "--first-parent", "--reverse", "HEAD")) {
		list = append(list, hash(w.tb, line))
	}
	return list
}
