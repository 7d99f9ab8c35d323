package value_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/value"
)

// drawContent draws what may stand behind a redaction, from so few that queries often ask for it.
func drawContent(t *rapid.T) *value.Value {
	contents := []string{`null`, `true`, `1`, `1.0`, `2`, `"x"`, `"xy"`, `"X"`, `"90s"`, `"1.2.3"`, `[]`, `[1]`, `["x", 1]`, `[{"a": 1}]`}
	v, err := value.ParseJSON([]byte(rapid.SampledFrom(contents).Draw(t, "content")))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// drawSecrets draws two trees that differ only behind marks, which may be of a member, of an item of a list, or of both.
func drawSecrets(t *rapid.T) (one, other *value.Value, marks []value.Pattern) {
	one = drawMap(t, 3)
	other = one
	for range rapid.IntRange(1, 3).Draw(t, "secrets") {
		path := value.Path{drawKey(t)}
		if v, ok := one.At(path); ok && v.Kind() == value.Map && !hides(marks, path) && rapid.Bool().Draw(t, "deeper") {
			path = append(path, drawKey(t))
		}
		if hides(marks, path) {
			continue
		}
		a, b, mark := drawContent(t), drawContent(t), path
		if rapid.Bool().Draw(t, "in a list") {
			open := drawContent(t)
			a, b = value.NewList([]*value.Value{open, a}, nowhere), value.NewList([]*value.Value{open, b}, nowhere)
			mark = append(path[:len(path):len(path)], "1")
		}
		one, _ = one.Set(path, a)
		other, _ = other.Set(path, b)
		marks = append(marks, value.Literal(mark))
	}
	return one, other, marks
}

// hides tells whether setting the path would undo a mark.
func hides(marks []value.Pattern, path value.Path) bool {
	return slices.ContainsFunc(marks, func(m value.Pattern) bool {
		return m.Covers(path) || value.Literal(path).Covers(mustPath(m.String()))
	})
}

func mustPath(text string) value.Path {
	path, err := value.ParsePath(text)
	if err != nil {
		panic(err)
	}
	return path
}

func drawCondition(t *rapid.T, depth int, kinds bool) string {
	draw := func() string { return drawCondition(t, depth-1, kinds) }
	if depth > 0 {
		switch rapid.IntRange(0, 5).Draw(t, "combination") {
		case 0:
			return `{"all": [` + draw() + `, ` + draw() + `]}`
		case 1:
			return `{"any": [` + draw() + `, ` + draw() + `]}`
		case 2, 3:
			return `{"not": ` + draw() + `}`
		}
	}
	operand := drawContent(t).String()
	operators := []string{
		`"eq": ` + operand, `"ne": ` + operand, `"in": [` + operand + `, 2]`, `"notIn": [` + operand + `]`, `"contains": ` + operand,
		`"gt": 1`, `"gte": "x"`, `"lt": "xx"`, `"lte": 1.5`, `"startsWith": "x"`, `"endsWith": "y"`, `"matches": "^x"`, `"exists": true`, `"exists": false`,
		`"gt": "60s", "as": "duration"`, `"lt": "2.0.0", "as": "semver"`, `"eq": "X", "ignoreCase": true`, `"contains": "X", "ignoreCase": true`,
		`"type": "string"`, `"type": "list"`, `"eq": [1, "x"]`, `"eq": {"a": 1}`, `"path": "[0]", "exists": true`, `"path": "[1].a", "eq": 1`,
	}
	if kinds {
		operators = append(operators, `"type": "redacted"`)
	}
	operator := rapid.SampledFrom(operators).Draw(t, "operator")
	if !strings.Contains(operator, `"path"`) && rapid.Bool().Draw(t, "below") {
		quoted, _ := json.Marshal(value.Path{drawKey(t)}.String())
		operator = `"path": ` + string(quoted) + `, ` + operator
	}
	return "{" + operator + "}"
}

var fingerprints = regexp.MustCompile(`"fp":"[0-9a-f]+"`)

// shown is all that an answer tells, but for the fingerprints of the values it holds.
func shown(t rapid.TB, a value.QueryAnswer) string {
	data, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return fingerprints.ReplaceAllString(string(data), `"fp":""`)
}

// No query tells one redacted content from another: by what matches, by how much, or by where an answer ends.
func TestNoQueryTellsWhatIsRedacted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one, other, marks := drawSecrets(t)
		q := query(t, fmt.Sprintf(`{"pattern": "**", "limit": %d, "where": %s}`, rapid.IntRange(1, 20).Draw(t, "limit"), drawCondition(t, 3, true)))
		b := value.QueryBudget{Work: rapid.IntRange(0, 100).Draw(t, "work"), Bytes: rapid.IntRange(0, 200).Draw(t, "bytes")}
		first, firstErr := q.Run(value.NewRedactor(redactKey, value.Delivered).Redact(one, marks), b)
		second, secondErr := q.Run(value.NewRedactor(redactKey, value.Delivered).Redact(other, marks), b)
		if fmt.Sprint(firstErr) != fmt.Sprint(secondErr) {
			t.Fatalf("%v, %v", firstErr, secondErr)
		}
		if diff := cmp.Diff(shown(t, first), shown(t, second)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// What matches a redacted tree matches whatever stands behind the redactions.
func TestWhatMatchesIsSure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one, _, marks := drawSecrets(t)
		q := query(t, `{"pattern": "**", "limit": 1000, "where": `+drawCondition(t, 3, false)+`}`)
		open := paths(run(t, q, one, value.QueryBudget{}))
		for _, path := range paths(run(t, q, value.NewRedactor(redactKey, value.Delivered).Redact(one, marks), value.QueryBudget{})) {
			if !slices.Contains(open, path) {
				t.Fatalf("%s of %s matches only where it is redacted, by %v", path, one, marks)
			}
		}
	})
}

func TestNothingComparesWithARedactedValue(t *testing.T) {
	for _, condition := range []string{
		`{"eq": {"$redacted": true, "fp": "00"}}`, `{"ne": [{"$redacted": true, "fp": "00"}]}`, `{"in": [1, {"$redacted": true, "fp": "00"}]}`,
		`{"contains": {"a": {"$redacted": true, "fp": "00"}}}`, `{"gt": {"$redacted": true, "fp": "00"}}`, `{"$redacted": true, "fp": "00"}`,
	} {
		if _, err := value.ParseQuery([]byte(`{"pattern": "**", "where": ` + condition + `}`)); err == nil || !strings.Contains(err.Error(), "redacted value") {
			t.Errorf("%s: %v", condition, err)
		}
	}
}
