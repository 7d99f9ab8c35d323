package compile_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/value"
)

// layered are the same layers in each format: whatever a layer can do to what is beneath.
var layered = map[string][2]string{
	"yaml": {`
kept: 1
scalar: 1
nothing: null
list: [1, 2]
map: {a: 1, b: {c: 2}}
gone: {a: 1}
taken: {a: 1, b: 2}
`, `
scalar: 2
new: {a: 1}
nothing: {a: 1}
list: [3]
map:
  b: {c: 3}
gone:
  $patch: delete
taken:
  $patch: replace
  b: 3
`},
	"json": {`{
"kept": 1,
"scalar": 1, "nothing": null, "list": [1, 2],
"map": {"a": 1, "b": {"c": 2}},
"gone": {"a": 1}, "taken": {"a": 1, "b": 2}
}`, `{
"scalar": 2,
"new": {"a": 1},
"nothing": {"a": 1},
"list": [3],
"map": {
  "b": {"c": 3}},
"gone": {
  "$patch": "delete"},
"taken": {
  "$patch": "replace",
  "b": 3}
}`},
	"toml": {`
kept = 1
scalar = 1
list = [1, 2]
map = {a = 1, b = {c = 2}}
gone = {a = 1}
taken = {a = 1, b = 2}
`, `
scalar = 2
new = {a = 1}
list = [3]
[map]
b = {c = 3}
[gone]
"$patch" = "delete"
[taken]
"$patch" = "replace"
b = 3
`},
}

// effects are what the overlay does, and on which line by format: of YAML, JSON and TOML. TOML has no null.
var effects = []struct {
	path  string
	op    value.Op
	own   string
	lines [3]int
}{
	{"a.kept", "", "", [3]int{}},
	{"a.scalar", value.OpReplace, "2", [3]int{2, 2, 2}},
	{"a.new", value.OpSet, `{"a":1}`, [3]int{3, 3, 3}},
	{"a.new.a", value.OpSet, "1", [3]int{3, 3, 3}},
	{"a.nothing", value.OpReplace, `{"a":1}`, [3]int{4, 4, 0}},
	{"a.nothing.a", value.OpSet, "1", [3]int{4, 4, 0}},
	{"a.list", value.OpReplace, "[3]", [3]int{5, 5, 4}},
	{"a.list[0]", value.OpReplace, "3", [3]int{5, 5, 4}},
	{"a.list[1]", value.OpDelete, "", [3]int{5, 5, 4}},
	{"a.map", value.OpMerge, `{"b":{"c":3}}`, [3]int{6, 6, 5}},
	{"a.map.a", "", "", [3]int{}},
	{"a.map.b", value.OpMerge, `{"c":3}`, [3]int{7, 7, 6}},
	{"a.map.b.c", value.OpReplace, "3", [3]int{7, 7, 6}},
	{"a.gone", value.OpDelete, "", [3]int{9, 9, 8}},
	{"a.gone.a", value.OpDelete, "", [3]int{9, 9, 8}},
	{"a.taken", value.OpReplace, `{"$patch":"replace","b":3}`, [3]int{10, 10, 9}},
	{"a.taken.a", value.OpDelete, "", [3]int{11, 11, 10}},
	{"a.taken.b", value.OpReplace, "3", [3]int{12, 12, 11}},
	{"a", value.OpMerge, "…", [3]int{2, 1, 1}},
	{"elsewhere", "", "", [3]int{}},
}

func TestLayersInEachFormat(t *testing.T) {
	for i, format := range []string{"yaml", "json", "toml"} {
		t.Run(format, func(t *testing.T) {
			files := map[string]string{"config/a." + format: layered[format][0], "environments/prod/a." + format: layered[format][1]}
			layers := layersOf(t, files, "prod")
			for _, want := range effects {
				if want.op != "" && want.lines[i] == 0 {
					continue
				}
				path := parsePath(t, want.path)
				own, op, place, ok := layers[1].At(path)
				if op != want.op || ok != (want.op != "") || place.Line != want.lines[i] {
					t.Errorf("%s: %q at %s, want %q on line %d", want.path, op, place, want.op, want.lines[i])
				}
				if own != nil && want.own != "…" && own.String() != want.own || own == nil && want.own != "" {
					t.Errorf("%s: the layer writes %s, want %s", want.path, own, want.own)
				}
				if _, op, place, ok = layers[0].At(path); ok && (op != value.OpSet || place.File != "config/a."+format) {
					t.Errorf("%s: the base does %q at %s", want.path, op, place)
				}
			}
		})
	}
}

func parsePath(t testing.TB, text string) value.Path {
	t.Helper()
	path, err := value.ParsePath(text)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func layersOf(t testing.TB, files map[string]string, env string) []compile.Layer {
	t.Helper()
	s := newStore()
	layers, err := compile.New(key).Layers(t.Context(), s, s.put(files), env)
	if err != nil {
		t.Fatal(err)
	}
	return layers
}

func TestLayersOfAChain(t *testing.T) {
	files := map[string]string{
		"trunkline.yaml":             "version: 1\nenvironments: {eu: {}, prod: {extends: eu}, prodEu: {extends: prod}, other: {}}\ndirectories: {config: deploy/base}\n",
		"deploy/base/a.yaml":         "x: 1\ny: 1\n",
		"environments/eu/a.yaml":     "x: 2\n",
		"environments/prodEu/a.toml": "x = 4\n",
		"environments/other/a.yaml":  "x: 5\n",
	}
	var got []string
	for _, l := range layersOf(t, files, "prodEu") {
		got = append(got, fmt.Sprintf("%s %s %s %s", l.Environment, l.Folder, l.Own, l.Merged))
	}
	want := []string{
		` deploy/base {"a":{"x":1,"y":1}} {"a":{"x":1,"y":1}}`,
		`eu environments/eu {"a":{"x":2}} {"a":{"x":2,"y":1}}`,
		`prod environments/prod {} {"a":{"x":2,"y":1}}`,
		`prodEu environments/prodEu {"a":{"x":4}} {"a":{"x":4,"y":1}}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for env, want := range map[string]int{"eu": 2, "other": 2, "prod": 3} {
		if got := len(layersOf(t, files, env)); got != want {
			t.Errorf("%s has %d layers, want %d", env, got, want)
		}
	}
}

func TestLayersThatAreNot(t *testing.T) {
	s, c := newStore(), compile.New(key)
	for name, test := range map[string]struct {
		files map[string]string
		want  error
		says  string
	}{
		"no such environment": {map[string]string{"environments/dev/a.yaml": "x: 1\n"}, compile.ErrNoEnvironment, "prod"},
		"retired":             {map[string]string{"trunkline.yaml": "version: 1\nenvironments: {prod: {retired: true}}\n"}, compile.ErrNoEnvironment, "prod"},
		"unreadable":          {map[string]string{"config/a.yaml": "x: [", "environments/prod/a.yaml": "x: 1\n"}, compile.ErrNotMerged, "config/a.yaml:1"},
		"a clash":             {map[string]string{"config/a.yaml": "x: {}\n", "environments/prod/a.yaml": "x: 1\n"}, compile.ErrNotMerged, "kindClash"},
		"a bad manifest":      {map[string]string{"trunkline.yaml": "version: 7\nenvironments: {prod: {}}\n", "config/a.yaml": "x: 1\n"}, compile.ErrNotMerged, "manifestVersion"},
	} {
		_, err := c.Layers(t.Context(), s, s.put(test.files), "prod")
		if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Layers(t.Context(), s, compile.Hash{1}, "prod"); !errors.Is(err, compile.ErrGone) {
		t.Errorf("a tree that is gone: %v", err)
	}
	// What stands in the way of another environment does not matter, nor does what judges.
	if _, err := c.Layers(t.Context(), s, s.put(map[string]string{
		"config/a.yaml": "x: {}\n", "environments/dev/a.yaml": "x: 1\n", "environments/prod/a.yaml": "x: {y: 1}\n", "schemas/a.schema.json": `{"type": "list"}`,
	}), "prod"); err != nil {
		t.Error(err)
	}
}

// The last layer has the values that compiling gives, whatever was explained before with the same Compiler.
func TestLayersEndInTheValues(t *testing.T) {
	s, c := newStore(), compile.New(key)
	files := map[string]string{
		"config/a.yaml": "x: 1\n", "config/d/_index.yaml": "x: {v: 1}\n", "environments/prod/a.json": `{"x": {"$patch": "replace", "y": 1}}`,
		"environments/dev/d.toml": "[x]\nv = 2\n",
	}
	for range 3 {
		tree := s.put(files)
		result := compileTree(t, compile.New(key), s, tree, nil)
		for _, env := range slices.Sorted(maps.Keys(result.Snapshots)) {
			layers, err := c.Layers(t.Context(), s, tree, env)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := layers[len(layers)-1].Merged, result.Snapshots[env].Values; !value.Equal(got, want) {
				t.Errorf("%s: %s, want %s", env, got, want)
			}
		}
		files["config/a.yaml"] += "z: 1\n"
	}
}
