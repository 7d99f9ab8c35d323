package compile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/apply/compile"
)

func count(problems []compile.Problem, stage compile.Stage) int {
	n := 0
	for _, p := range problems {
		if p.Stage == stage {
			n++
		}
	}
	return n
}

// At most a hundred findings of a stage are told and the others counted, once however many environments they touch.
func TestManyProblems(t *testing.T) {
	var list strings.Builder
	for i := range 150 {
		fmt.Fprintf(&list, "k%03d: many\n", i)
	}
	files := map[string]string{
		"trunkline.yaml": "version: 1\nenvironments: {a: {}, b: {}, c: {}}\n", "config/a.yaml": list.String(),
		"schemas/a.schema.json":     `{"additionalProperties": {"type": "integer"}}`,
		"environments/c/other.yaml": "x: 1\n", "schemas/other.schema.json": `{"type": "string"}`,
	}
	result := compiled(t, files, nil)
	if n := count(result.Problems, compile.StageSchemas); n != compile.MaxProblems || result.Omitted != 51 {
		t.Errorf("%d problems and %d omitted, want 100 and 51", n, result.Omitted)
	}
	if result.OmittedOf("a") != 50 || result.OmittedOf("c") != 51 {
		t.Errorf("omitted of a %d, of c %d; want 50 and 51", result.OmittedOf("a"), result.OmittedOf("c"))
	}
}

// However much is wrong elsewhere, no environment is refused without a reason, and no warning hides an error.
func TestEveryRefusalIsExplained(t *testing.T) {
	files := map[string]string{
		"trunkline.yaml":        "version: 1\nenvironments: {a: {}, b: {}}\n",
		"environments/b/z.yaml": "x: [",
	}
	for i := range 150 {
		files[fmt.Sprintf("config/c%03d.txt", i)] = "warned of"
		files[fmt.Sprintf("environments/a/m%03d.yaml", i)] = "x: ["
	}
	result := compiled(t, files, nil)
	if result.Errors("b") != 1 || result.Errors("a") != compile.MaxProblems-1 || len(result.Problems) != compile.MaxProblems {
		t.Errorf("%d errors of a, %d of b", result.Errors("a"), result.Errors("b"))
	}
	if result.Omitted != 201 {
		t.Errorf("%d omitted, want 201", result.Omitted)
	}
}

// Documents and schemas made to cost much are refused or judged; none of them takes long or ends the process.
func TestBombs(t *testing.T) {
	aliases := "a: &a [x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'm'; c++ {
		aliases += fmt.Sprintf("%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n", c, c, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1)
	}
	doubling := `{"$defs": {"s0": {"properties": {"x": {"writeOnly": true}}}`
	for i := range 200 {
		doubling += fmt.Sprintf(`, "s%d": {"properties": {"l": {"$ref": "#/$defs/s%d"}, "r": {"$ref": "#/$defs/s%d"}}}`, i+1, i, i)
	}
	doubling += `}, "$ref": "#/$defs/s200"}`
	wide := `{"properties": {`
	for i := range 3000 {
		wide += fmt.Sprintf(`"k%d": {"writeOnly": true},`, i)
	}
	wide += `"k": true}}`
	var keys, numbers strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&keys, "k%d: 1\n", i)
	}
	for i := range 40_000 {
		fmt.Fprintf(&numbers, "k%d: x\n", i)
	}
	for name, files := range map[string]map[string]string{
		"aliases":            {"config/a.yaml": aliases},
		"deep yaml":          {"config/a.yaml": "x: " + strings.Repeat("[", 50_000)},
		"deep json":          {"config/a.json": strings.Repeat(`{"a":`, 50_000)},
		"deep toml":          {"config/a.toml": "a = " + strings.Repeat("[", 50_000)},
		"keys":               {"config/a.yaml": keys.String(), "schemas/a.schema.json": `{"propertyNames": {"pattern": "^(k|l)+[0-9]*$"}}`},
		"findings":           {"config/a.yaml": numbers.String(), "schemas/a.schema.json": `{"additionalProperties": {"type": "integer"}}`},
		"regular expression": {"config/a.yaml": "x: " + strings.Repeat("a", 50_000) + "\n", "schemas/a.schema.json": `{"properties": {"x": {"pattern": "^(a+)+$|(a|a)*b|(.*.*)*c"}}}`},
		"large repeat":       {"config/a.yaml": "x: a\n", "schemas/a.schema.json": `{"properties": {"x": {"pattern": "((a{1,1000}){1,1000}){1,1000}"}}}`},
		"recursive schema":   {"config/a.json": strings.Repeat(`{"a":`, 60) + "1" + strings.Repeat("}", 60), "schemas/a.schema.json": `{"properties": {"a": {"$ref": "#"}}, "allOf": [{"properties": {"a": {"$ref": "#"}}}]}`},
		"circle":             {"config/a.yaml": "x: 1\n", "schemas/a.schema.json": `{"$ref": "b.json"}`, "schemas/b.json": `{"allOf": [{"$ref": "a.schema.json"}]}`},
		"doubling marks":     {"config/a.yaml": "x: 1\n", "schemas/a.schema.json": doubling},
		"many marks":         {"config/a.yaml": "k1: 1\n", "schemas/a.schema.json": wide},
		"deep schema":        {"config/a.yaml": "x: 1\n", "schemas/a.schema.json": strings.Repeat(`{"not":`, 60) + "true" + strings.Repeat("}", 60)},
		"dynamic":            {"config/a.json": `{"a": {"a": 1}}`, "schemas/a.schema.json": `{"$dynamicAnchor": "n", "properties": {"a": {"$dynamicRef": "#n"}}, "type": "object"}`},
		"exponents":          {"config/a.yaml": "x: 1e308\ny: -1e-308\n", "schemas/a.schema.json": `{"additionalProperties": {"multipleOf": 1e-300}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result := compiled(t, files, nil)
			if result.Valid("default") == (result.Errors("default") > 0) {
				t.Errorf("problems %v", rules(result.Problems))
			}
		})
	}
}

// So many marks are not told apart: then everything is sensitive.
func TestTooManyMarksHideEverything(t *testing.T) {
	schema := `{"properties": {`
	for i := range 3000 {
		schema += fmt.Sprintf(`"k%d": {"writeOnly": true},`, i)
	}
	result := compiled(t, map[string]string{"config/a.yaml": "k1: 1\nz: 1\n", "config/b.yaml": "x: 1\n", "schemas/a.schema.json": schema + `"k": true}}`}, nil)
	if got := delivered(result, "default"); strings.Count(got, "$redacted") != 2 || !strings.Contains(got, `"b":{"x":1}`) {
		t.Errorf("delivered %s", got)
	}
}
