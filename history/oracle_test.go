package history_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/history"
	"github.com/trunkline/trunkline/value"
)

// story writes a history at random: values that change and return, files that move, break and come back, environments that come, go and
// extend each other.
func story(random *rand.Rand, length int) []map[string]string {
	document := func() string {
		switch n := random.IntN(3); random.IntN(12) {
		case 0:
			return "x: [broken\n"
		case 1:
			return fmt.Sprintf("y: %d\n", n)
		case 2:
			return "{}\n"
		case 3:
			return fmt.Sprintf("deep: {$patch: replace, x: %d}\n", n)
		case 4:
			return fmt.Sprintf("deep: {x: %d, y: [%d]}\n", n, random.IntN(2))
		default:
			return fmt.Sprintf("x: %d\ny: %d\n", n, random.IntN(2))
		}
	}
	manifests := []string{
		"version: 1\nenvironments: {a: {}, b: {}}\n", "version: 1\nenvironments: {a: {}, b: {extends: a}}\n", "version: 1\nenvironments: {a: {retired: true}, b: {}}\n",
		"version: 1\nenvironments: {a: {}, b: {}}\ndirectories: {config: other}\n", "version: [\n",
	}
	files := []string{
		"config/s.yaml", "config/s.yaml", "config/s/deep.yaml", "config/_index.yaml", "environments/a/s.yaml", "environments/b/s.yaml", "other/s.yaml",
		"environments/b/s/_index.yaml", "schemas/s.schema.json",
	}
	have := map[string]bool{}
	commits := []map[string]string{{"trunkline.yaml": manifests[0], "config/s.yaml": "x: 1\n"}}
	for len(commits) < length {
		commit := map[string]string{}
		for range 1 + random.IntN(2) {
			switch name := files[random.IntN(len(files))]; {
			case random.IntN(12) == 0:
				commit["trunkline.yaml"] = manifests[random.IntN(len(manifests))]
			case have[name] && random.IntN(3) == 0:
				commit[name] = "-"
			case name == "config/_index.yaml":
				commit[name] = "t: {x: 1}\n"
			default:
				commit[name] = document()
			}
		}
		for name, text := range commit {
			have[name] = text != "-"
		}
		commits = append(commits, commit)
	}
	return append(commits, map[string]string{ // so that there is something to ask about
		"trunkline.yaml": manifests[1], "config/s.yaml": "x: 1\n", "config/_index.yaml": "-", "config/s/deep.yaml": "-", "environments/a/s.yaml": "deep: {y: [1]}\n",
		"environments/b/s.yaml": "y: 1\n", "environments/b/s/_index.yaml": "-", "schemas/s.schema.json": "-",
	})
}

// The commits that blame names are those that reading every version of a history, from the newest down, finds.
func TestBlameIsWhatReadingEverythingFinds(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			remote := imported(t, story(random, 60))
			remote.Git("pull", "--quiet", "origin", "main")
			w := begin(t, remote)
			commits := w.commits()
			for _, env := range []string{"a", "b"} {
				for _, n := range []int{len(commits) - 1, 40, len(commits) - 1} {
					w.compareBlame(commits[:n+1], env)
				}
			}
		})
	}
}

// compareBlame holds the blame of a version, the last of some commits, against what they hold.
func (w *world) compareBlame(commits []gitsync.Hash, env string) {
	w.tb.Helper()
	at := w.at(commits[len(commits)-1].String(), env)
	b, err := w.Blame(w.tb.Context(), at, env, history.Selection{})
	var unfit *history.UnfitError
	if errors.As(err, &unfit) || errors.Is(err, history.ErrNoEnvironment) {
		return
	}
	if err != nil {
		w.tb.Fatal(err)
	}
	got, want, alone := map[string]gitsync.Hash{}, map[string]gitsync.Hash{}, map[string]gitsync.Hash{}
	compiler := compile.New(key)
	for _, e := range b.Entries {
		got[e.Path.String()] = e.Commit.Hash
		want[e.Path.String()] = w.blamedOn(compiler, commits, env, e.Path)
		one, err := w.afresh().Blame(w.tb.Context(), at, env, history.Selection{Patterns: []value.Pattern{value.Literal(e.Path)}})
		if err != nil {
			w.tb.Fatal(err)
		}
		alone[e.Path.String()] = one.Entries[0].Commit.Hash
	}
	if !maps.Equal(got, want) || !maps.Equal(alone, want) {
		w.tb.Errorf("%s at %s: blamed together\n%v, alone\n%v, want\n%v", env, at.Commit.Subject, got, alone, want)
	}
}

// blamedOn is the oldest of the newest commits that agree on a value, passing over those in which it cannot be read.
func (w *world) blamedOn(c *compile.Compiler, commits []gitsync.Hash, env string, path value.Path) gitsync.Hash {
	w.tb.Helper()
	last := len(commits) - 1
	now, _ := w.read(c, commits[last], env, path)
	found := commits[last]
	for i := last - 1; i >= 0; i-- {
		was, readable := w.read(c, commits[i], env, path)
		if !readable {
			continue
		}
		if !value.Equal(was, now) {
			break
		}
		found = commits[i]
	}
	return found
}

// read is what stands at a path of a version; nil where nothing does.
func (w *world) read(c *compile.Compiler, commit gitsync.Hash, env string, path value.Path) (v *value.Value, readable bool) {
	w.tb.Helper()
	at, err := w.mirror.Commit(commit)
	if err != nil {
		w.tb.Fatal(err)
	}
	layers, err := c.LayersAt(w.tb.Context(), apply.Source(w.mirror), compile.Hash(at.Tree), env, path)
	switch {
	case errors.Is(err, compile.ErrNotMerged):
		return nil, false
	case errors.Is(err, compile.ErrNoEnvironment):
		return nil, true
	case err != nil:
		w.tb.Fatal(err)
	}
	v, _ = layers[len(layers)-1].Merged.At(path)
	return v, true
}
