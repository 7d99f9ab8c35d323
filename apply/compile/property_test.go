package compile_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/experiment"
)

var (
	someManifests = []string{
		"", "version: 1\n", "version: 1\nenvironments: {prod: {}, staging: {}}\n", "version: 1\nenvironments: {prod: {}, staging: {extends: prod}}\n",
		"version: 1\nenvironments: {prod: {}, staging: {retired: true}}\nsensitive: [a.x]\n", "version: 1\napply: together\nsensitive: ['**.w']\n",
		"version: 2\n", "environments: [", "version: 1\nenvironments: {prod: {extends: staging}, staging: {extends: prod}}\n",
	}
	someDocuments = []string{
		"x: 1\n", "x: 2\nw: {v: 1, w: 2}\n", "x: {v: 1}\n", "list: [1, {w: 2}]\nx: many\n", "x: [", "x: 1\nx: 1\n", "", "{}\n",
		"password: hunter2\n", "x: {$patch: delete}\n", "w: {$patch: replace, v: 3}\n", "b: {c: {x: 5}}\n", "Good: 1\nother: {Bad: 1}\n",
	}
	someSchemas = []string{
		`{}`, `{"properties": {"x": {"type": "integer"}}}`, `{"properties": {"x": {"maximum": 1}, "w": {"writeOnly": true}}}`, `{"$ref": "shared.json"}`,
		`{"$ref": "none.json"}`, `{"type": 5}`, `{`, `{"anyOf": [{"required": ["x"]}, {"required": ["w", "list"]}]}`,
		`{"propertyNames": {"pattern": "^[a-z]+$"}, "additionalProperties": {"propertyNames": {"maxLength": 1}}}`,
		`{"additionalProperties": false, "properties": {"x": {"x-sensitive": true}, "down": {"$ref": "#"}}}`,
	}
	someNames = []string{
		"config/a.yaml", "config/b.yaml", "config/d/a.yaml", "config/d/b.yaml", "config/d/e/_index.yaml", "config/a/b.yaml",
		"environments/prod/a.yaml", "environments/prod/d/a.yaml", "environments/staging/a.yaml", "environments/staging/d.yaml",
	}
	someSchemaNames = []string{"schemas/a.schema.json", "schemas/d.schema.json", "schemas/d/a.schema.json", "schemas/shared.json", "schemas/_index.schema.json"}
)

// edit changes one thing of a repo.
func edit(t *rapid.T, files map[string]string) map[string]string {
	files = maps.Clone(files)
	switch rapid.IntRange(0, 9).Draw(t, "edit") {
	case 0:
		files["trunkline.yaml"] = rapid.SampledFrom(someManifests).Draw(t, "manifest")
		if files["trunkline.yaml"] == "" {
			delete(files, "trunkline.yaml")
		}
	case 1, 2:
		files[rapid.SampledFrom(someSchemaNames).Draw(t, "schema")] = rapid.SampledFrom(someSchemas).Draw(t, "text")
	case 3, 4:
		if len(files) > 0 {
			delete(files, rapid.SampledFrom(slices.Sorted(maps.Keys(files))).Draw(t, "removed"))
		}
	default:
		files[rapid.SampledFrom(someNames).Draw(t, "document")] = rapid.SampledFrom(someDocuments).Draw(t, "text")
	}
	return files
}

// told is all of a result, as text.
func told(t interface{ Fatal(...any) }, r *compile.Result) string {
	var b strings.Builder
	problems, err := json.MarshalIndent(r.Problems, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&b, "%v retired %v omitted %d\n%s\n", r.Environments, r.Retired, r.Omitted, problems)
	for _, env := range slices.Sorted(maps.Keys(r.Snapshots)) {
		s := r.Snapshots[env]
		fmt.Fprintf(&b, "%s %s omitted %d\n%s\n%s\n", env, s.Sum(), r.OmittedOf(env), s.Delivered.AppendJSON(nil), s.Values.AppendJSON(nil))
		fmt.Fprintf(&b, "defined %t\n%s%s%s", s.Definitions != nil, armsTold(s.Overrides), armsTold(s.DeliveredOverrides), armsTold(s.ShownOverrides()))
	}
	for _, e := range r.Effects {
		fmt.Fprintf(&b, "%v %s %s %d %d %d\n", e.Environments, e, e.Place, e.Moved, e.Gained, e.Lost)
	}
	return b.String()
}

// armsTold is what all arms set, as text.
func armsTold(s *experiment.Set) string {
	if s == nil {
		return "nothing\n"
	}
	var b strings.Builder
	for a := range s.Arms() {
		for _, setting := range a.Settings {
			fmt.Fprintf(&b, "%s %s %s: %s = %s\n", a.Kind, a.Key, a.Name, setting.Path, setting.Value)
		}
	}
	return b.String()
}

// Whatever was compiled before, the result is that of a Compiler which has compiled nothing; and what did not change is the same.
func TestIncrementalIsFresh(t *testing.T) {
	start := map[string]string{"config/a.yaml": "x: 1\n", "environments/prod/a.yaml": "v: 1\n", "environments/staging/a.yaml": "v: 2\n"}
	incrementalIsFresh(t, start, edit, func(*compile.Result) {})
}

func incrementalIsFresh(
	t *testing.T, start map[string]string, edit func(*rapid.T, map[string]string) map[string]string, see func(*compile.Result),
) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStore()
		old := compile.New(key)
		files := start
		baselines := compile.Baselines{}
		var before *compile.Result
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			for range rapid.IntRange(0, 3).Draw(t, "edits") {
				files = edit(t, files)
			}
			tree := s.put(files)
			against := compile.Against{Baselines: baselines, Rollback: map[string]bool{"prod": rapid.IntRange(0, 5).Draw(t, "rollback") == 0}}
			result, err := old.Compile(t.Context(), s, tree, against)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				fresh, err := compile.New(key).Compile(t.Context(), s, tree, against)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(told(t, fresh), told(t, result)); diff != "" {
					t.Fatalf("files %q (-fresh +incremental):\n%s", files, diff)
				}
			}
			explained(t, result)
			see(result)
			if before != nil && rapid.Bool().Draw(t, "advance") {
				for env, snapshot := range result.Snapshots {
					baselines[env] = snapshot
				}
				for _, env := range result.Retired {
					delete(baselines, env)
				}
			}
			before = result
		}
	})
}

// explained checks that a verdict and the problems agree, and that no environment is told of two stages.
func explained(t *rapid.T, r *compile.Result) {
	for _, env := range r.Environments {
		if r.Valid(env) == (r.Errors(env) > 0) {
			t.Fatalf("%s is valid: %t, and has %d errors", env, r.Valid(env), r.Errors(env))
		}
		stages := map[compile.Stage]bool{}
		for _, p := range r.Problems {
			if p.Touches(env) && p.Severity == compile.Error {
				stages[p.Stage] = true
			}
		}
		if len(stages) > 1 {
			t.Fatalf("%s has errors of the stages %v", env, slices.Collect(maps.Keys(stages)))
		}
	}
	for _, p := range r.Problems {
		if len(p.Environments) == 0 || !slices.IsSorted(p.Environments) {
			t.Fatalf("a problem of the environments %v: %v", p.Environments, p)
		}
	}
}

// What a commit does not touch keeps its pointers, in values and in what is delivered, whatever lay between.
func TestUnchangedPartsKeepTheirPointers(t *testing.T) {
	files := map[string]string{
		"trunkline.yaml": "version: 1\nenvironments: {prod: {}, staging: {}}\nsensitive: [d.a.w, c.x]\n",
		"config/a.yaml":  "x: 1\n", "config/c.yaml": "x: 1\n", "config/d/a.yaml": "w: 1\nx: {v: 1}\n", "config/d/e/b.yaml": "x: 1\n",
		"environments/prod/d/a.yaml": "x: {v: 2}\n", "schemas/d/a.schema.json": `{"properties": {"x": {"writeOnly": true}}}`,
	}
	s, c := newStore(), compile.New(key)
	first := compileTree(t, c, s, s.put(files), nil)
	broken := maps.Clone(files)
	broken["trunkline.yaml"] = "version: ["
	compileTree(t, c, s, s.put(broken), first.Snapshots)
	broken["trunkline.yaml"], broken["config/a.yaml"] = files["trunkline.yaml"], "x: ["
	compileTree(t, c, s, s.put(broken), first.Snapshots)
	files["config/a.yaml"] = "x: 2\n"
	second := compileTree(t, c, s, s.put(files), first.Snapshots)
	for env, now := range second.Snapshots {
		before := first.Snapshots[env]
		for _, name := range []string{"c", "d"} {
			was, _ := before.Values.Get(name)
			is, _ := now.Values.Get(name)
			if was != is {
				t.Errorf("%s: %s was made anew", env, name)
			}
			was, _ = before.Delivered.Get(name)
			is, _ = now.Delivered.Get(name)
			if was != is {
				t.Errorf("%s: %s was redacted anew", env, name)
			}
		}
		if v, _ := now.Values.Lookup("a.x"); v.Int() != 2 {
			t.Errorf("%s: a.x is %d", env, v.Int())
		}
	}
}

// A long-lived Compiler reads a file once, also when a broken commit lay between.
func TestOnlyWhatChangedIsRead(t *testing.T) {
	files := map[string]string{"trunkline.yaml": "version: 1\n", "config/a.yaml": "x: 1\n", "config/b.yaml": "x: 1\n"}
	s, c := newStore(), compile.New(key)
	compileTree(t, c, s, s.put(files), nil)
	files["trunkline.yaml"] = "version: 9\n"
	compileTree(t, c, s, s.put(files), nil)
	files["trunkline.yaml"] = "version: 1 # mended\n"
	tree := s.put(files)
	for name, text := range files {
		if name != "trunkline.yaml" {
			delete(s.files, hashOf("blob", text))
		}
	}
	if result := compileTree(t, c, s, tree, nil); !result.Valid("default") {
		t.Errorf("problems %v", rules(result.Problems))
	}
}
