package compile_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/value"
)

var (
	partManifests = []string{
		"", "", "version: 1\nenvironments: {prod: {}, staging: {extends: prod}}\n", "version: 1\nenvironments: {prod: {}, staging: {}}\n",
		"version: 1\nenvironments: {prod: {}, staging: {extends: prod}}\nignore: ['**/b.yaml', config/d/e]\n",
		"version: 1\nenvironments: {prod: {extends: staging}, staging: {}}\ndirectories: {config: deploy/base, environments: deploy/env, schemas: none}\n",
		"version: 1\nenvironments: {prod: {}, staging: {retired: true}}\nschemas: [{path: a, schema: schemas/a.json}]\n",
	}
	partFolders = []string{"config", "config", "environments/prod", "environments/staging", "deploy/base", "deploy/env/prod", "deploy/env/staging"}
	partPlaces  = []string{
		"a.yaml", "a.json", "b.yaml", "B.YAML", "c", "d/a.yaml", "d/_index.json", "d/e/a.yaml", "d/e/_index.yaml", "d/e/b.yaml", "d/.hidden/a.yaml", "_index.yaml", "a/x.yaml",
	}
	partTexts = []string{
		`{}`, `{"x": 1}`, `{"y": {"v": 1, "w": 2}}`, `{"y": {"v": 2}}`, `{"z": [1, {"v": 1}]}`, `{"z": [2]}`, `{"d": {"y": 1}}`, `{"e": {"y": {"v": 1}}}`,
		`{"y": {"$patch": "delete"}}`, `{"y": {"$patch": "replace", "u": 1}}`, `{"$patch": "replace", "x": 3}`, `{"a": {"x": {"v": 1}}}`, `{"x": [`,
	}
	partOthers = []string{"schemas/a.json", "schemas/a.schema.json", "policies/a.yaml", "README.md", "deploy/notes.yaml", ".github/a.yaml", "config.yaml"}
	partPaths  = []string{
		"", "a", "a.x", "a.y", "a.y.v", "a.z", "a.z[1].v", "b", "d", "d.a", "d.a.y.w", "d.y", "d.e", "d.e.y", "d.e.y.v", "d.e.a.x", "x", "y.u", "nowhere.at.all",
	}
)

// partDefinitions change what is laid over values for some, and never what is configured.
var partDefinitions = map[string][]string{
	"rollouts/r.yaml": {
		"environments: [prod]\nset: {a.x: 2}\nrules: [{name: all}]\n", "environments: [staging, prod]\nset: {d.a.y.v: 2}\nrules: [{name: all}]\n", "broken",
	},
	"layers/l.yaml": {"salt: l\n"}, "segments/s.json": {`{"when": "true"}`}, "metrics/m.toml": {"kind = 'mean'\nevent = 'visit'\n"},
}

func drawPlace(t *rapid.T) string {
	if rapid.IntRange(0, 7).Draw(t, "other") == 0 {
		return rapid.SampledFrom(partOthers).Draw(t, "file")
	}
	return rapid.SampledFrom(partFolders).Draw(t, "folder") + "/" + rapid.SampledFrom(partPlaces).Draw(t, "place")
}

// drawRepo draws a config repo, with files that are in no part of it.
func drawRepo(t *rapid.T) map[string]string {
	files := map[string]string{}
	for range rapid.IntRange(0, 9).Draw(t, "files") {
		files[drawPlace(t)] = rapid.SampledFrom(partTexts).Draw(t, "text")
	}
	if text := rapid.SampledFrom(partManifests).Draw(t, "manifest"); text != "" {
		files["trunkline.yaml"] = text
	}
	return files
}

// placed is a value with the places of all that it holds.
func placed(v *value.Value) string {
	if v == nil {
		return "nothing"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", v.Pos(), v)
	for _, e := range v.Entries() {
		b.WriteString(placed(e.Value))
	}
	return b.String()
}

func settledResult(t *rapid.T, s *store, tree compile.Hash) *compile.Result {
	result, err := compile.New(key).Compile(t.Context(), s, tree, compile.Against{Settled: compile.AllSettled})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// valueAt is what the layers of a part of the tree say of a path, told with places.
func valueAt(t *rapid.T, c *compile.Compiler, s *store, tree compile.Hash, env string, path value.Path) string {
	layers, err := c.LayersAt(t.Context(), s, tree, env, path)
	if err != nil {
		t.Fatalf("%s at %s: %v", path, env, err)
	}
	v, _ := layers[len(layers)-1].Merged.At(path)
	return placed(v)
}

// The files on the way to a path make up the value there, and whatever they were read for before.
func TestLayersAtAPath(t *testing.T) {
	checked := 0
	rapid.Check(t, func(t *rapid.T) {
		s, c := newStore(), compile.New(key)
		for range rapid.IntRange(1, 4).Draw(t, "trees") {
			files := drawRepo(t)
			tree := s.put(files)
			snapshots := settledResult(t, s, tree).Snapshots
			for _, text := range rapid.SliceOfN(rapid.SampledFrom(partPaths), 1, 4).Draw(t, "paths") {
				path, _ := value.ParsePath(text)
				for _, env := range slices.Sorted(maps.Keys(snapshots)) {
					v, _ := snapshots[env].Values.At(path)
					if got, want := valueAt(t, c, s, tree, env, path), placed(v); got != want {
						t.Fatalf("%s in %s of %q:\n%s, want\n%s", text, env, files, got, want)
					}
					checked++
				}
			}
		}
	})
	if checked < 100 {
		t.Errorf("only %d values were compared", checked)
	}
}

// A change of files that do not matter to a path changes nothing there.
func TestFilesThatDoNotMatter(t *testing.T) {
	spared, told := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		s := newStore()
		files := drawRepo(t)
		changed := maps.Clone(files)
		file := drawPlace(t)
		if rapid.IntRange(0, 3).Draw(t, "define") == 0 {
			file = rapid.SampledFrom(slices.Sorted(maps.Keys(partDefinitions))).Draw(t, "definition")
			changed[file] = rapid.SampledFrom(partDefinitions[file]).Draw(t, "definition")
		} else if rapid.IntRange(0, 3).Draw(t, "remove") == 0 && len(files) > 0 {
			file = rapid.SampledFrom(slices.Sorted(maps.Keys(files))).Draw(t, "removed")
			delete(changed, file)
		} else {
			changed[file] = rapid.SampledFrom(partTexts).Draw(t, "text")
		}
		before, after := settledResult(t, s, s.put(files)), settledResult(t, s, s.put(changed))
		for _, text := range partPaths {
			path, _ := value.ParsePath(text)
			for _, env := range []string{"prod", "staging", compile.DefaultEnvironment} {
				if before.Manifest.Matters(file, env, path) {
					told++
					continue
				}
				spared++
				if was, is := at(before, env, path), at(after, env, path); was != is && was != failed && is != failed {
					t.Fatalf("%s of %q does not matter to %s in %s:\n%s, then\n%s", file, files, text, env, was, is)
				}
			}
		}
	})
	if spared < 100 || told < 100 {
		t.Errorf("%d were spared, and %d not", spared, told)
	}
}

const failed = "it does not compile"

// at is what stands at a path of an environment, if there is one, with places.
func at(r *compile.Result, env string, path value.Path) string {
	switch snapshot := r.Snapshots[env]; {
	case snapshot != nil:
		v, _ := snapshot.Values.At(path)
		return placed(v)
	case slices.Contains(r.Environments, env):
		return failed
	default:
		return "no environment"
	}
}

func TestMatters(t *testing.T) {
	manifest := func(text string) *compile.Manifest {
		s := newStore()
		files := map[string]string{"config/a.yaml": "x: 1\n", "environments/prod/a.yaml": "x: 1\n", "conf/a.yaml": "x: 1\n"}
		if text != "" {
			files["trunkline.yaml"] = text
		}
		m, err := compile.New(key).Manifest(t.Context(), s, s.put(files))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	none := manifest("")
	chain := manifest("version: 1\nenvironments: {prod: {}, prodEu: {extends: prod}, staging: {}}\nignore: ['**/draft*', config/old]\n")
	moved := manifest("version: 1\nenvironments: {prod: {}}\ndirectories: {config: conf}\n")
	if got := none.Names(); !slices.Equal(got, []string{"prod"}) {
		t.Errorf("the environments are %q", got)
	}
	for _, c := range []struct {
		m         *compile.Manifest
		file, env string
		want      bool
	}{
		{chain, "trunkline.yaml", "prod", true},
		{chain, "config/database.yaml", "prod", true},
		{chain, "config/database/primary.toml", "prod", true},
		{chain, "config/database/_index.yaml", "prod", true},
		{chain, "config/_index.json", "prod", true},
		{chain, "config/database/primary/dsn.yaml", "prod", true},
		{chain, "config/database/primary/dsn/host.yaml", "prod", true},
		{chain, "config/database/replica.yaml", "prod", false},
		{chain, "config/database/primary/pool.yaml", "prod", false},
		{chain, "config/database/primary/dsn.txt", "prod", false},
		{chain, "config/cache/_index.yaml", "prod", false},
		{chain, "config/Database.yaml", "prod", false},
		{chain, "config/.database.yaml", "prod", false},
		{chain, "config/.draft/database.yaml", "prod", false},
		{chain, "config/draft-database.yaml", "prod", false},
		{chain, "config/old/_index.yaml", "prod", false},
		{chain, "environments/prod/database.yaml", "prod", true},
		{chain, "environments/prod/database.yaml", "prodEu", true},
		{chain, "environments/prodEu/database.yaml", "prod", false},
		{chain, "environments/staging/database.yaml", "prod", false},
		{chain, "environments/prod/cache.yaml", "prod", false},
		{chain, "schemas/database.schema.json", "prod", false},
		{chain, "policies/database.yaml", "prod", false},
		{chain, "rollouts/database.yaml", "prod", false},
		{chain, "experiments/database.yaml", "prod", false},
		{chain, "layers/database.yaml", "prod", false},
		{chain, "segments/database.yaml", "prod", false},
		{chain, "metrics/database.yaml", "prod", false},
		{chain, "conf/database.yaml", "prod", false},
		{chain, "README.md", "prod", false},
		{moved, "conf/database.yaml", "prod", true},
		{moved, "config/database.yaml", "prod", false},
		{none, "environments/prod/cache.yaml", "prod", true},
		{none, "environments/prod/.keep", "prod", true},
		{none, "environments/staging/cache.yaml", "prod", false},
		{none, "environments/staging/cache.yaml", compile.DefaultEnvironment, true},
		{none, "config/cache.yaml", "prod", false},
	} {
		if got := c.m.Matters(c.file, c.env, value.Path{"database", "primary", "dsn"}); got != c.want {
			t.Errorf("%s in %s matters: %t", c.file, c.env, got)
		}
	}
}

// reads is a store that tells which of its files were read.
type reads struct {
	*store
	mu    sync.Mutex // above what it guards: files are read by several at once
	texts []string
}

func (r *reads) Read(file compile.Hash, limit int64) ([]byte, error) {
	data, err := r.store.Read(file, limit)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.texts = append(r.texts, string(data))
	return data, err
}

// A part of a tree is read without what lies elsewhere, broken or not.
func TestLayersAtAPathReadNothingElse(t *testing.T) {
	const manifest = "version: 1\nenvironments: {prod: {extends: all}, all: {}, dev: {}}\nschemas: [{path: '**', schema: schemas/none.json}]\n"
	s := newStore()
	tree := s.put(map[string]string{
		"trunkline.yaml":            manifest,
		"config/b.yaml":             "x: [broken b",
		"config/d/e/a.yaml":         "x: 1\ny: 1\n",
		"config/d/f/a.yaml":         "x: [broken f",
		"schemas/a.json":            "broken schema",
		"policies/a.yaml":           "broken policy",
		"rollouts/a.yaml":           "broken rollout",
		"segments/deep/a.yaml":      "broken segment",
		"environments/all/d/e.yaml": "a: {x: 2}\n",
		"environments/prod/c.yaml":  "x: [broken c",
		"environments/dev/d/e.yaml": "a: [broken dev",
	})
	source := &reads{store: s}
	layers, err := compile.New(key).LayersAt(t.Context(), source, tree, "prod", parsePath(t, "d.e.a.x"))
	if err != nil {
		t.Fatal(err)
	}
	if got := layers[2].Merged.String(); got != `{"d":{"e":{"a":{"x":2,"y":1}}}}` {
		t.Errorf("the values are %s", got)
	}
	slices.Sort(source.texts)
	if want := []string{"a: {x: 2}\n", manifest, "x: 1\ny: 1\n"}; !slices.Equal(source.texts, want) {
		t.Errorf("read were %q, want %q", source.texts, want)
	}
}
