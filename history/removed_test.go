package history_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/trunkline/trunkline/history"
)

// removed is a removal in words: the subject of the commit, that of the newest version that has it, and the places.
func (w *world) removed(h *history.History, at history.At, env, text string, what history.Selection) string {
	w.tb.Helper()
	r, err := h.Removed(w.tb.Context(), at, env, path(w.tb, text), what)
	if err != nil {
		w.tb.Fatal(err)
	}
	if r.Last == nil {
		return fmt.Sprintf("nothing since %s, older %t", r.Commit.Subject, r.Older)
	}
	return fmt.Sprintf("%s, last %s at %s by %s", r.Commit.Subject, r.Last.Subject, r.Place, r.Taker)
}

func TestWhereValuesWent(t *testing.T) {
	w, _ := repoOf(t, map[string]string{
		"trunkline.yaml":           threeEnvironments,
		"config/a.yaml":            "x: 1\nkey: 1\nfile: 1\nlist: [1, 2]\nmap: {one: 1, two: 2}\nbroken: 1\n",
		"config/gone.yaml":         "y: 1\n",
		"environments/prod/a.yaml": "x: 2\nown: 1\n",
	})
	w.push("Drop the key", map[string]string{"config/a.yaml": "x: 1\nfile: 1\nlist: [1]\nmap: {two: 2}\nbroken: 1\n"})
	w.push("Drop the file", map[string]string{"config/gone.yaml": "-"})
	w.push("Break", map[string]string{"config/a.yaml": "x: [\n"})
	w.push("Mend without", map[string]string{"config/a.yaml": "x: 1\nfile: 1\nlist: [1]\nmap: {two: 2}\n"})
	w.push("Delete beneath", map[string]string{"environments/prod/a.yaml": "x: 2\nfile: {$patch: delete}\n"})
	w.push("Replace beneath", map[string]string{"environments/prodEu/a.yaml": "map: {$patch: replace, three: 3}\n"})
	w.push("Bring prodEu to an end", map[string]string{"trunkline.yaml": "version: 1\nenvironments: {staging: {}, prod: {}, prodEu: {extends: prod, retired: true}}\n"})
	w.push("Begin it anew", map[string]string{
		"trunkline.yaml": threeEnvironments, "config/late.yaml": "z: 1\n",
	})
	w.push("Drop what came late", map[string]string{"config/late.yaml": "w: 1\n"})

	knows := history.Selection{Knows: func(env string) bool { return env == "prodEu" }}
	for _, test := range []struct {
		env, path string
		what      history.Selection
		want      string
	}{
		{"prod", "a.key", history.Selection{}, "Drop the key, last Begin at config/a.yaml:2:6 by "},
		{"prod", "gone", history.Selection{}, "Drop the file, last Drop the key at config/gone.yaml:1:1 by "},
		{"prod", "gone.y", history.Selection{}, "Drop the file, last Drop the key at config/gone.yaml:1:4 by "},
		{"prod", "a.broken", history.Selection{}, "Mend without, last Drop the file at config/a.yaml:5:9 by "},
		{"prod", "a.list[1]", history.Selection{}, "Drop the key, last Begin at config/a.yaml:4:11 by "},
		{"prod", "a.file", history.Selection{}, "Delete beneath, last Mend without at config/a.yaml:2:7 by environments/prod/a.yaml:2:16"},
		{"prod", "a.own", history.Selection{}, "Delete beneath, last Mend without at environments/prod/a.yaml:2:6 by "},
		{"prodEu", "a.own", history.Selection{}, "Delete beneath, last Mend without at environments/prod/a.yaml:2:6 by "},
		{"prodEu", "a.own", knows, "Delete beneath, last Mend without at  by "},
		{"prodEu", "a.file", knows, "Delete beneath, last Mend without at config/a.yaml:2:7 by "},
		{"prodEu", "a.map.two", knows, "Replace beneath, last Delete beneath at config/a.yaml:4:12 by environments/prodEu/a.yaml:1:15"},
		{"prodEu", "late.z", history.Selection{}, "Drop what came late, last Begin it anew at config/late.yaml:1:4 by "},
		{"prod", "a.never", history.Selection{}, "nothing since Begin, older false"},
		{"prod", "a.key", selected(t, "a.x"), "nothing since Begin, older false"},
		{"prod", "gone", selected(t, "gone.y"), "Drop the file, last Drop the key at config/gone.yaml:1:4 by "},
		{"prod", "a.map", selected(t, "a.map.one"), "Drop the key, last Begin at config/a.yaml:5:12 by "},
	} {
		for _, h := range []*history.History{w.History, w.History, w.afresh()} { // what is remembered tells the same
			if got := w.removed(h, w.at("", test.env), test.env, test.path, test.what); got != test.want {
				t.Errorf("%s in %s: %s, want %s", test.path, test.env, got, test.want)
			}
		}
	}
	if got := w.removed(w.afresh(), w.at("", "prodEu"), "prodEu", "a.x", selected(t, "b")); got != "nothing since Begin, older false" {
		t.Errorf("what is not seen: %s", got)
	}
}

// Readers who see different parts of one map are each told of theirs, whoever asked before.
func TestRemovalsAreRememberedBySight(t *testing.T) {
	w, _ := repoOf(t, map[string]string{"config/a.yaml": "map: {one: 1, two: 2}\n"})
	w.push("Drop one", map[string]string{"config/a.yaml": "map: {two: 2}\nx: 1\n"})
	w.push("Drop two", map[string]string{"config/a.yaml": "x: 1\n"})
	sees := func(name string) history.Selection {
		what := selected(t, "a.map."+name)
		what.Sight = name
		return what
	}
	for range 2 {
		for name, want := range map[string]string{"one": "Drop one, last Begin at config/a.yaml:1:12 by ", "two": "Drop two, last Drop one at config/a.yaml:1:12 by "} {
			if got := w.removed(w.History, w.at("", "default"), "default", "a.map", sees(name)); got != want {
				t.Errorf("who sees %s: %s, want %s", name, got, want)
			}
		}
	}
	reads := w.mirror.reads(func() { w.removed(w.History, w.at("", "default"), "default", "a.map", sees("one")) })
	if reads > 2 { // the two sides of the removal
		t.Errorf("%d files were read again", reads)
	}
}

// Looking for what a mistyped path means is bounded, and goes on where it stopped.
func TestRemovalsAreLookedForInSteps(t *testing.T) {
	commits := []map[string]string{{"config/a.yaml": "x: 1\ngone: 1\n"}}
	for i := range 10 {
		commits = append(commits, map[string]string{"config/a.yaml": fmt.Sprintf("x: %d\n", i)})
	}
	w := begin(t, imported(t, commits))
	w.HurryRemovals(-time.Second)
	at := w.at("", "default")
	for i := 9; i > 0; i-- {
		if got, want := w.removed(w.History, at, "default", "a.gone", history.Selection{}), fmt.Sprintf("nothing since Commit %d, older true", i); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := w.removed(w.History, at, "default", "a.gone", history.Selection{}); got != "Commit 1, last Commit 0 at config/a.yaml:2:7 by " {
		t.Error(got)
	}
}

// What is remembered is bounded, however many mistyped paths are asked for at one version, and however long they are.
func TestWhatIsRememberedIsBounded(t *testing.T) {
	w, _ := repoOf(t, map[string]string{"config/a.yaml": "x: 1\n"})
	const most = 100
	w.Forgetful(most)
	for i := range 60 {
		for _, text := range []string{fmt.Sprintf("b.short%d", i), fmt.Sprintf("b.long%d%s", i, strings.Repeat("g", 1000))} {
			if got := w.removed(w.History, w.at("", "default"), "default", text, history.Selection{}); got != "nothing since Begin, older false" {
				t.Error(got)
			}
			if weight := w.Remembered(); weight > most {
				t.Fatalf("after %d paths %d are remembered", i, weight)
			}
		}
	}
}
