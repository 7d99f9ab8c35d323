package compile_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/value"
)

// canary is in every value that must not be shown. Its shape tells nothing.
const canary = "canary77"

// constraints are keywords that no canary satisfies, and whose messages might repeat it.
var constraints = []string{
	`{"const": "a"}`, `{"enum": ["a", "b"]}`, `{"pattern": "^a$"}`, `{"format": "date"}`, `{"format": "uri"}`, `{"format": "email"}`,
	`{"format": "uuid"}`, `{"format": "regex", "maxLength": 2}`, `{"maxLength": 2}`, `{"minLength": 50}`, `{"type": "integer"}`,
	`{"anyOf": [{"const": "a"}, {"pattern": "^b$"}]}`, `{"oneOf": [{"const": "a"}, {"pattern": "^b$"}]}`,
	`{"allOf": [{"pattern": "^b$"}]}`, `{"not": {"type": "string"}}`, `{"if": {"type": "string"}, "then": {"format": "ipv4"}}`,
	`{"$ref": "#/$defs/strict"}`, `false`,
}

// places are values that hide the canary: by mark in the manifest, by mark in the schema, or by how they look.
var places = []struct{ name, document, schema, manifest string }{
	{"manifest", `{"v": %s}`, `{"properties": {"v": %s}}`, `[a.v]`},
	{"manifest above", `{"v": {"w": %s}}`, `{"properties": {"v": {"properties": {"w": %s}}}}`, `[a.v]`},
	{"writeOnly", `{"v": %s}`, `{"properties": {"v": {"writeOnly": true, "allOf": [%s]}}}`, `[]`},
	{"x-sensitive", `{"v": %s}`, `{"properties": {"v": {"x-sensitive": true, "allOf": [%s]}}}`, `[]`},
	{"list items", `{"v": [1, %s]}`, `{"properties": {"v": {"items": {"anyOf": [{"type": "integer"}, {"x-sensitive": true, "allOf": [%s]}]}}}}`, `[]`},
	{"secret key", `{"password": %s}`, `{"properties": {"password": %s}}`, `[]`},
	{"list below a secret key", `{"apiKey": [%s]}`, `{"properties": {"apiKey": {"items": %s}}}`, `[]`},
	{"map below a secret key", `{"credentials": {"v": %s}}`, `{"properties": {"credentials": {"properties": {"v": %s}}}}`, `[]`},
	{"alternative above", `{"v": {"w": %s}}`, `{"properties": {"v": {"anyOf": [{"type": "integer"}, {"properties": {"w": %s}}]}}}`, `[a.v.w]`},
	{"alternatives far above", `{"v": [{"w": %s}]}`, `{"oneOf": [{"type": "integer"}, {"anyOf": [{"properties": {"v": {"items": {"properties": {"w": %s}}}}}, {"type": "string"}]}]}`, `["**.w"]`},
}

func TestProblemsShowNoSecret(t *testing.T) {
	for _, place := range places {
		for _, constraint := range constraints {
			t.Run(place.name+" "+constraint, func(t *testing.T) {
				schema := fmt.Sprintf(place.schema, constraint)
				schema = strings.TrimSuffix(schema, "}") + `, "$defs": {"strict": {"pattern": "^a$"}}}`
				files := map[string]string{
					"trunkline.yaml":        "version: 1\nsensitive: " + place.manifest + "\n",
					"config/a.json":         fmt.Sprintf(place.document, `"`+canary+`"`),
					"schemas/a.schema.json": schema,
				}
				result := compiled(t, files, nil)
				if result.Errors("default") == 0 {
					t.Fatalf("nothing was found:\n%s", describe(result))
				}
				expectNoCanary(t, result)
			})
		}
	}
}

func expectNoCanary(t *testing.T, r *compile.Result) {
	t.Helper()
	text, err := json.Marshal(r.Problems)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), canary) {
		t.Errorf("a value is shown:\n%s", describe(r))
	}
}

func TestProblemsShowNoNumberThatIsMarked(t *testing.T) {
	for _, constraint := range []string{`"maximum": 1`, `"minimum": 99999999`, `"exclusiveMaximum": 1`, `"exclusiveMinimum": 99999999`, `"multipleOf": 7`} {
		result := compiled(t, map[string]string{
			"config/a.yaml": "pin: 8675309\n", "schemas/a.schema.json": `{"properties": {"pin": {"writeOnly": true, ` + constraint + `}}}`,
		}, nil)
		if text := describe(result); strings.Contains(text, "8675309") || result.Errors("default") != 1 {
			t.Errorf("%s:\n%s", constraint, text)
		}
	}
}

func TestValuesThatAreNotSecretAreShown(t *testing.T) {
	result := compiled(t, map[string]string{"config/a.yaml": "v: canary77\n", "schemas/a.schema.json": `{"properties": {"v": {"pattern": "^a$"}}}`}, nil)
	if !strings.Contains(describe(result), canary) {
		t.Errorf("the value is not shown:\n%s", describe(result))
	}
}

// A value that a layer, a merge or the manifest's reader stumbles over is not shown either.
func TestOtherStagesShowNoSecret(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"merge": {
			"config/a.yaml": "password: {v: " + canary + "}\nx: " + canary + "\n", "config/a.json": `{"x": "` + canary + `"}`,
			"environments/prod/a.yaml": "password: " + canary + "\nx: {$patch: " + canary + "}\n",
		},
		"patch":    {"config/a.yaml": "x: {$patch: " + canary + "}\n"},
		"manifest": {"trunkline.yaml": "version: " + canary + "\napply: " + canary + "\nenvironments: {prod: {retired: " + canary + "}}\n", "config/a.yaml": "x: 1\n"},
		"tag":      {"config/a.yaml": "password: !!int " + canary + "\n"},
		"yaml":     {"config/a.yaml": "password: " + canary + ": " + canary + "\n"},
		"json":     {"config/a.json": `{"password": "` + canary + `" "x"}`},
		"toml":     {"config/a.toml": "password = \"" + canary + "\" x\n"},
	} {
		result := compiled(t, files, nil)
		if len(result.Problems) == 0 {
			t.Errorf("%s: nothing was found", name)
		}
		expectNoCanary(t, result)
	}
}

// deliveries lists what the values named by want look like in what is delivered.
func deliveries(t *testing.T, s *compile.Snapshot, want map[string]bool) {
	t.Helper()
	for _, path := range slices.Sorted(maps.Keys(want)) {
		v, ok := s.Delivered.Lookup(path)
		if !ok {
			t.Errorf("%s is not delivered at all", path)
		} else if hidden := v.Kind() == value.Redacted; hidden != want[path] {
			t.Errorf("%s is redacted: %t, want %t", path, hidden, want[path])
		}
	}
}

func TestDeliveredIsRedactedByMarkAlone(t *testing.T) {
	result := compiled(t, map[string]string{
		"trunkline.yaml": "version: 1\nsensitive: [a.byManifest, '**.anywhere']\n",
		"config/a.yaml":  "byManifest: {x: 1}\nplain: 1\npassword: looks secret and is not marked\nlist: [{anywhere: 1, w: 2}]\n",
		"config/b.json":  `{"w": 1, "x": 2, "deep": [{"w": 1, "x": 2}], "any": {"one": {"w": 1}}, "shared": {"w": 1}, "older": [{"w": 3}]}`,
		"schemas/b.schema.json": `{"properties": {"w": {"writeOnly": true}, "deep": {"items": {"properties": {"w": {"x-sensitive": true}}}},
			"any": {"additionalProperties": {"$ref": "shared.json"}}, "shared": {"anyOf": [{"$ref": "shared.json"}, true]},
			"older": {"$ref": "older.json"}}}`,
		"schemas/shared.json": `{"properties": {"w": {"writeOnly": true}}}`,
		"schemas/older.json":  `{"$schema": "http://json-schema.org/draft-07/schema#", "items": {"properties": {"w": {"writeOnly": true}}}}`,
	}, nil)
	if len(result.Problems) > 0 {
		t.Fatal(describe(result))
	}
	s := result.Snapshots["default"]
	deliveries(t, s, map[string]bool{
		"a.byManifest.x": true, "a.plain": false, "a.password": false, "a.list[0].anywhere": true, "a.list[0].w": false,
		"b.w": true, "b.x": false, "b.deep[0].w": true, "b.deep[0].x": false, "b.any.one.w": true, "b.shared.w": true, "b.older[0].w": true,
	})
	if s.Delivered.Sum() != s.Sum() || s.Values.Sum() == s.Sum() {
		t.Error("the checksum is not that of what is delivered")
	}
}

// A schema that refers to itself marks at every depth, also by way of others.
func TestRecursiveSchemasMarkAtEveryDepth(t *testing.T) {
	result := compiled(t, map[string]string{
		"config/a.json": `{"w": 1, "x": 2, "down": {"w": 1, "x": 2, "down": {"w": 1, "x": 2, "down": {"w": 1}}},
			"left": {"right": {"left": {"right": {"w": 1, "x": 2}}}}}`,
		"schemas/a.schema.json": `{"properties": {"w": {"writeOnly": true}, "down": {"$ref": "#"}, "left": {"$ref": "other.json"}}}`,
		"schemas/other.json":    `{"properties": {"right": {"$ref": "a.schema.json"}}}`,
	}, nil)
	if len(result.Problems) > 0 {
		t.Fatal(describe(result))
	}
	deliveries(t, result.Snapshots["default"], map[string]bool{
		"a.w": true, "a.x": false, "a.down.w": true, "a.down.x": false, "a.down.down.w": true, "a.down.down.x": false,
		"a.down.down.down.w": true, "a.left.right.left.right.w": true, "a.left.right.left.right.x": false,
	})
}

func TestMarksOfOddKeys(t *testing.T) {
	long := strings.Repeat("k", 250)
	below, schema := `1`, `{"writeOnly": true}`
	for range 20 {
		below, schema = fmt.Sprintf(`{"%s": %s}`, long, below), fmt.Sprintf(`{"properties": {"%s": %s}}`, long, schema)
	}
	result := compiled(t, map[string]string{
		"config/odd.json":         `{"a.b": {"*": 1, "": 2, "x": 3}}`,
		"schemas/odd.schema.json": `{"properties": {"a.b": {"properties": {"*": {"writeOnly": true}, "": {"writeOnly": true}}}}}`,
		"config/long.json":        below, "schemas/long.schema.json": schema,
	}, nil)
	if len(result.Problems) > 0 {
		t.Fatal(describe(result))
	}
	got := delivered(result, "default")
	if strings.Count(got, "$redacted") != 3 || !strings.Contains(got, `"x":3`) {
		t.Errorf("delivered %.200s", got)
	}
}

// Marks count from the baseline too: a commit that takes one away still delivers redacted, and the next one no longer does.
func TestDeclassifying(t *testing.T) {
	marked := map[string]string{"trunkline.yaml": "version: 1\nsensitive: [a.x]\n", "config/a.yaml": "x: 1\ny: 2\n"}
	bare := map[string]string{"config/a.yaml": "x: 1\ny: 2\n"}
	first := compiled(t, marked, nil)
	second := compiled(t, bare, first.Snapshots)
	third := compiled(t, bare, second.Snapshots)
	deliveries(t, first.Snapshots["default"], map[string]bool{"a.x": true, `a["y"]`: false})
	deliveries(t, second.Snapshots["default"], map[string]bool{"a.x": true, `a["y"]`: false})
	deliveries(t, third.Snapshots["default"], map[string]bool{"a.x": false})
	fourth := compiled(t, marked, third.Snapshots)
	deliveries(t, fourth.Snapshots["default"], map[string]bool{"a.x": true})
}

// A problem of a commit that takes a mark away does not show the value.
func TestDeclassifyingShowsNothingInProblems(t *testing.T) {
	first := compiled(t, map[string]string{"trunkline.yaml": "version: 1\nsensitive: [a.v]\n", "config/a.yaml": "v: ok\n"}, nil)
	second := compiled(t, map[string]string{
		"config/a.yaml": "v: " + canary + "\n", "schemas/a.schema.json": `{"properties": {"v": {"pattern": "^ok$"}}}`,
	}, first.Snapshots)
	if second.Valid("default") {
		t.Fatal("the commit is valid")
	}
	expectNoCanary(t, second)
}
