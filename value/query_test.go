package value_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/value"
)

func query(t rapid.TB, text string) *value.Query {
	t.Helper()
	q, err := value.ParseQuery([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return q
}

func run(t rapid.TB, q *value.Query, root *value.Value, b value.QueryBudget) value.QueryAnswer {
	t.Helper()
	a, err := q.Run(root, b)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func paths(a value.QueryAnswer) []string {
	all := []string{}
	for _, f := range a.Matches {
		all = append(all, f.Path)
	}
	return all
}

// kinds are values of every kind. Where one is redacted, so is whatever lies in it.
const kinds = `{
	"null": null, "true": true, "false": false,
	"zero": 0, "one": 1, "oneFloat": 1.0, "half": 1.5, "negative": -2, "exact": 9007199254740993, "most": 9223372036854775807, "huge": 1e300,
	"empty": "", "b": "b", "B": "B", "abc": "abc", "digit": "1", "street": "Straße", "kelvin": "KELVIN",
	"90s": "90s", "2m": "2m", "7d": "7d", "10MiB": "10MiB", "11MB": "11MB", "noon": "2026-12-01T12:00:00Z", "noonCET": "2026-12-01T13:00:00+01:00",
	"1.9.0": "1.9.0", "1.10.0-rc.1": "1.10.0-rc.1", "v1.10.0": "v1.10.0",
	"list": [1, "b", {"a": 1}], "emptyList": [], "map": {"a": 1}, "emptyMap": {},
	"hidden": {"$redacted": true, "fp": "00"}, "listHidden": [1, {"$redacted": true, "fp": "00"}], "mapHidden": {"a": 1, "b": {"$redacted": true, "fp": "00"}}
}`

func TestOperatorsOnEveryKind(t *testing.T) {
	root := parse(t, kinds)
	const texts = "empty b B abc digit street kelvin 90s 2m 7d 10MiB 11MB noon noonCET 1.9.0 1.10.0-rc.1 v1.10.0"
	const numbers = "zero one oneFloat half negative exact most huge"
	const lists, maps = "list emptyList listHidden", "map emptyMap mapHidden"
	for _, c := range []struct{ condition, yes, unknown string }{
		{`"eq": null`, "null", "hidden"},
		{`"eq": true`, "true", "hidden"},
		{`"eq": false`, "false", "hidden"},
		{`"eq": 1`, "one oneFloat", "hidden"},
		{`"eq": 1.0`, "one oneFloat", "hidden"},
		{`"eq": 1.5`, "half", "hidden"},
		{`"eq": "1"`, "digit", "hidden"},
		{`"eq": ""`, "empty", "hidden"},
		{`"eq": 9007199254740992.0`, "", "hidden"},
		{`"eq": 9007199254740993`, "exact", "hidden"},
		{`"eq": 9223372036854775808.0`, "", "hidden"},
		{`"eq": "b"`, "b", "hidden"},
		{`"eq": "b", "ignoreCase": true`, "b B", "hidden"},
		{`"eq": "b", "ignoreCase": false`, "b", "hidden"},
		{`"eq": "STRASSE", "ignoreCase": true`, "", "hidden"},
		{`"eq": "kelvin", "ignoreCase": true`, "kelvin", "hidden"},
		{`"eq": []`, "emptyList", "hidden"},
		{`"eq": {}`, "emptyMap", "hidden"},
		{`"eq": [1.0, "b", {"a": 1.0}]`, "list", "hidden"},
		{`"eq": [1, "B", {"a": 1}]`, "", "hidden"},
		{`"eq": [1, "B", {"a": 1}], "ignoreCase": true`, "list", "hidden"},
		{`"eq": [1, 2]`, "", "hidden listHidden"},
		{`"eq": [2, 2]`, "", "hidden"},
		{`"eq": {"a": 1}`, "map", "hidden"},
		{`"eq": {"A": 1}, "ignoreCase": true`, "", "hidden"},
		{`"eq": {"a": 1, "b": 2}`, "", "hidden mapHidden"},
		{`"eq": {"a": 2, "b": 2}`, "", "hidden"},
		{`"ne": 1`, rest(root, "one oneFloat hidden"), "hidden"},
		{`"ne": "b"`, rest(root, "b hidden"), "hidden"},
		{`"ne": null`, rest(root, "null hidden"), "hidden"},
		{`"ne": [1, 2]`, rest(root, "hidden listHidden"), "hidden listHidden"},
		{`"in": [1, "b", null]`, "one oneFloat b null", "hidden"},
		{`"in": ["B"], "ignoreCase": true`, "b B", "hidden"},
		{`"in": [[1, 2], 1]`, "one oneFloat", "hidden listHidden"},
		{`"notIn": [1, "b", null]`, rest(root, "one oneFloat b null hidden"), "hidden"},
		{`"gt": 1`, "half exact most huge", "hidden"},
		{`"gt": 9007199254740992.0`, "exact most huge", "hidden"},
		{`"gt": 9007199254740992`, "exact most huge", "hidden"},
		{`"gte": 9007199254740994.0`, "most huge", "hidden"},
		{`"gte": 9223372036854775808.0`, "huge", "hidden"},
		{`"gte": 9223372036854775807`, "most huge", "hidden"},
		{`"gte": 1.0`, "one oneFloat half exact most huge", "hidden"},
		{`"lt": 1`, "zero negative", "hidden"},
		{`"lt": 1.5`, "zero one oneFloat negative", "hidden"},
		{`"lte": 1`, "zero one oneFloat negative", "hidden"},
		{`"lt": -1.5`, "negative", "hidden"},
		{`"gte": 0, "lt": 1.5`, "zero one oneFloat", "hidden"},
		{`"gt": "abc", "lt": "c"`, "b", "hidden"},
		{`"gte": "B", "lte": "b"`, "B kelvin abc b street", "hidden"},
		{`"gte": "B", "lte": "b", "ignoreCase": true`, "b B", "hidden"},
		{`"lt": ""`, "", "hidden"},
		{`"gt": "80s", "as": "duration"`, "90s 2m 7d", "hidden"},
		{`"eq": "120s", "as": "duration"`, "2m", "hidden"},
		{`"ne": "120s", "as": "duration"`, rest(root, "2m hidden"), "hidden"},
		{`"in": ["120s", "168h"], "as": "duration"`, "2m 7d", "hidden"},
		{`"gt": "10MB", "as": "size"`, "exact most 10MiB 11MB", "hidden"},
		{`"gte": 10485760, "lt": "11MB", "as": "size"`, "10MiB", "hidden"},
		{`"eq": "2026-12-01T12:00:00Z", "as": "time"`, "noon noonCET", "hidden"},
		{`"gt": "2026-12-01T12:30:00+01:00", "as": "time"`, "noon noonCET", "hidden"},
		{`"gt": "1.9.0", "as": "semver"`, "1.10.0-rc.1 v1.10.0", "hidden"},
		{`"lt": "1.10.0", "as": "semver"`, "1.9.0 1.10.0-rc.1", "hidden"},
		{`"eq": "1.10.0+build.7", "as": "semver"`, "v1.10.0", "hidden"},
		{`"contains": "b"`, "b abc list", "hidden listHidden"},
		{`"contains": "B"`, "B 10MiB 11MB", "hidden listHidden"},
		{`"contains": "B", "ignoreCase": true`, "b B abc 10MiB 11MB list", "hidden listHidden"},
		{`"contains": ""`, texts, "hidden listHidden"},
		{`"contains": 1`, "list listHidden", "hidden"},
		{`"contains": {"a": 1}`, "list", "hidden listHidden"},
		{`"contains": [1]`, "", "hidden listHidden"},
		{`"startsWith": "1."`, "1.9.0 1.10.0-rc.1", "hidden"},
		{`"startsWith": "STRA", "ignoreCase": true`, "street", "hidden"},
		{`"startsWith": ""`, texts, "hidden"},
		{`"endsWith": "bc"`, "abc", "hidden"},
		{`"endsWith": "\u212aelvin", "ignoreCase": true`, "kelvin", "hidden"},
		{`"matches": "^[0-9]+(s|m)$"`, "90s 2m", "hidden"},
		{`"matches": "^b$", "ignoreCase": true`, "b B", "hidden"},
		{`"matches": "r|^b"`, "b street 1.10.0-rc.1", "hidden"},
		{`"matches": ""`, texts, "hidden"},
		{`"exists": true`, rest(root, ""), ""},
		{`"exists": false`, "", ""},
		{`"type": "null"`, "null", "hidden"},
		{`"type": "boolean"`, "true false", "hidden"},
		{`"type": "integer"`, "zero one negative exact most", "hidden"},
		{`"type": "number"`, numbers, "hidden"},
		{`"type": "string"`, texts, "hidden"},
		{`"type": "list"`, lists, "hidden"},
		{`"type": "map"`, maps, "hidden"},
		{`"type": "redacted"`, "hidden", ""},
		{`"path": "a", "eq": 1`, "map mapHidden", "hidden"},
		{`"path": "b", "eq": 1`, "", "hidden mapHidden"},
		{`"path": "b", "exists": true`, "mapHidden", "hidden"},
		{`"path": "b", "exists": false`, rest(root, "mapHidden hidden"), "hidden"},
		{`"path": "b.c", "exists": false`, rest(root, "mapHidden hidden"), "mapHidden hidden"},
		{`"path": "b", "type": "redacted"`, "mapHidden", "hidden"},
		{`"path": "nowhere", "ne": 1`, "", "hidden"},
		{`"path": "nowhere", "notIn": [1]`, "", "hidden"},
		{`"path": "nowhere", "type": "null"`, "", "hidden"},
		{`"path": "[0]", "eq": 1`, "list listHidden", "hidden"},
		{`"path": "[2].a", "eq": 1`, "list", "hidden"},
		{`"path": "/2/a", "eq": 1`, "list", "hidden"},
		{`"path": "", "eq": 1`, "one oneFloat", "hidden"},
		{`"all": [{"type": "number"}, {"gt": 0}, {"lt": 1.5}]`, "one oneFloat", "hidden"},
		{`"any": [{"eq": null}, {"eq": true}]`, "null true", "hidden"},
		{`"any": [{"exists": true}, {"eq": 1}]`, rest(root, ""), ""},
		{`"all": [{"exists": false}, {"eq": 1}]`, "", ""},
		{`"not": {"not": {"eq": 1}}`, "one oneFloat", "hidden"},
		{`"not": {"any": [{"type": "number"}, {"type": "string"}]}`, "null true false " + lists + " " + maps, "hidden"},
	} {
		yes := run(t, query(t, `{"pattern": "*", "where": {`+c.condition+`}}`), root, value.QueryBudget{})
		if diff := cmp.Diff(sorted(c.yes), paths(yes)); diff != "" {
			t.Errorf("%s: %s", c.condition, diff)
		}
		no := run(t, query(t, `{"pattern": "*", "where": {"not": {`+c.condition+`}}}`), root, value.QueryBudget{})
		if diff := cmp.Diff(sorted(rest(root, c.yes+" "+c.unknown)), paths(no)); diff != "" {
			t.Errorf("not %s: %s", c.condition, diff)
		}
	}
}

// rest are the keys of a map but for some, as they stand in a path.
func rest(root *value.Value, but string) string {
	var keys []string
	for _, e := range root.Entries() {
		if !slices.Contains(strings.Fields(but), e.Key) {
			keys = append(keys, e.Key)
		}
	}
	return strings.Join(keys, " ")
}

// sorted are the paths of some keys, in order.
func sorted(keys string) []string {
	fields := strings.Fields(keys)
	slices.Sort(fields)
	all := []string{}
	for _, key := range fields {
		all = append(all, value.Path{key}.String())
	}
	return all
}

func TestQuerySelects(t *testing.T) {
	root := parse(t, `{"a": {"pool": 1, "b": {"pool": 2}}, "a.b": {"pool": 3}, "list": [{"pool": 4}, 5], "pool": 6}`)
	for pattern, want := range map[string][]string{
		"pool":         {"pool"},
		"*.pool":       {"a.pool", `["a.b"].pool`},
		"**.pool":      {"a.b.pool", "a.pool", `["a.b"].pool`, "list[0].pool", "pool"},
		"list.*":       {"list[0]", "list[1]"},
		"list[1]":      {"list[1]"},
		"list[2]":      {},
		"list.x":       {},
		"a.**":         {"a", "a.b", "a.b.pool", "a.pool"},
		"a.**.b.**":    {"a.b", "a.b.pool"},
		"**.**.pool":   {"a.b.pool", "a.pool", `["a.b"].pool`, "list[0].pool", "pool"},
		"pool.x.**":    {},
		"none.*":       {},
		"/a.b/pool":    {`["a.b"].pool`},
		`["a.b"]["*"]`: {},
	} {
		got := paths(run(t, query(t, fmt.Sprintf(`{"pattern": %q}`, pattern)), root, value.QueryBudget{}))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", pattern, diff)
		}
	}
	if a := run(t, query(t, `{"pattern": "**"}`), nil, value.QueryBudget{}); len(a.Matches) != 0 || a.Truncated {
		t.Errorf("no tree: %+v", a)
	}
	if a := run(t, query(t, `{"pattern": "**"}`), parse(t, `7`), value.QueryBudget{}); len(a.Matches) != 1 || a.Matches[0].Path != "" {
		t.Errorf("a scalar: %+v", a)
	}
}

func TestQueryAnswerAsJSON(t *testing.T) {
	root := parse(t, `{"a": 9007199254740993, "b": {"$redacted": true, "fp": "00"}, "c": 1.0}`)
	for text, want := range map[string]string{
		`{"pattern": "*"}`:                           `{"matches":[{"path":"a","value":9007199254740993},{"path":"b","value":{"$redacted":true,"fp":"00"}},{"path":"c","value":1.0}],"truncated":false}`,
		`{"pattern": "*", "limit": 2}`:               `{"matches":[{"path":"a","value":9007199254740993},{"path":"b","value":{"$redacted":true,"fp":"00"}}],"truncated":true,"after":"b"}`,
		`{"pattern": "**", "limit": 1}`:              `{"matches":[{"path":"","value":{"a":9007199254740993,"b":{"$redacted":true,"fp":"00"},"c":1.0}}],"truncated":true,"after":""}`,
		`{"pattern": "**", "after": "", "limit": 1}`: `{"matches":[{"path":"a","value":9007199254740993}],"truncated":true,"after":"a"}`,
		`{"pattern": "*", "after": "b"}`:             `{"matches":[{"path":"c","value":1.0}],"truncated":false}`,
		`{"pattern": "*", "after": "bb"}`:            `{"matches":[{"path":"c","value":1.0}],"truncated":false}`,
		`{"pattern": "*", "after": "c"}`:             `{"matches":[],"truncated":false}`,
		`{"pattern": "a", "after": "b"}`:             `{"matches":[],"truncated":false}`,
	} {
		got, err := json.Marshal(run(t, query(t, text), root, value.QueryBudget{}))
		if err != nil || string(got) != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
}

func TestQueryBudget(t *testing.T) {
	long := strings.Repeat("x", 1000)
	root := parse(t, `{"a": "`+long+`", "b": "`+long+`", "c": 1}`)
	a := run(t, query(t, `{"pattern": "*"}`), root, value.QueryBudget{Bytes: 1500})
	if got := paths(a); !slices.Equal(got, []string{"a"}) || *a.After != "a" {
		t.Errorf("%q, after %v", got, a.After)
	}
	if a := run(t, query(t, `{"pattern": "*"}`), root, value.QueryBudget{Bytes: 1}); len(a.Matches) != 1 || !a.Truncated {
		t.Error("the first match is kept back for its size")
	}
}

// A page ends before a value that takes too much; where it would begin with it there is no way on.
func TestQueryWork(t *testing.T) {
	root := parse(t, `{"a": 1, "b": "`+strings.Repeat("x", 1000)+`", "c": 2}`)
	const condition = `"where": {"matches": "(x{20}){30}y"}}`
	little := value.QueryBudget{Work: 10_000}
	if a := run(t, query(t, `{"pattern": "*", `+condition), root, little); !a.Truncated || *a.After != "a" || len(a.Matches) > 0 {
		t.Errorf("%+v", a)
	}
	_, err := query(t, `{"pattern": "*", "after": "a", `+condition).Run(root, little)
	if !errors.Is(err, value.ErrQueryWork) || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("no way on: %v", err)
	}
	if a := run(t, query(t, `{"pattern": "*", `+condition), root, value.QueryBudget{}); a.Truncated || len(a.Matches) > 0 {
		t.Errorf("%+v", a)
	}
}

// The ways in which two ** can match grow with the depth; the work does not.
func TestQueryWorkOfADeepTree(t *testing.T) {
	root := value.NewInt(1, nowhere)
	for range value.MaxDepth {
		root = value.NewMap([]value.Entry{{Key: "a", Value: root}}, nowhere)
	}
	for _, pattern := range []string{"**.*.**", "**.a.**", "**.a.*.**"} {
		a := run(t, query(t, `{"pattern": "`+pattern+`", "limit": 1000, "where": {"type": "integer"}}`), root, value.QueryBudget{Work: 7 * value.MaxDepth})
		if len(a.Matches) != 1 || a.Truncated {
			t.Errorf("%s: %d, truncated: %t", pattern, len(a.Matches), a.Truncated)
		}
	}
}

// Whatever ends its pages, a query answers in pages what it answers in one.
func TestQueryInPages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		root := drawMap(t, 4)
		pattern, matches := compiled(t, []model{drawModel(t)})
		text, _ := json.Marshal(pattern[0].String())
		var want []string
		each(root, nil, func(path value.Path, _ *value.Value) {
			if matches(path) {
				want = append(want, root.PathString(path))
			}
		})
		budget := value.QueryBudget{Work: rapid.IntRange(0, 60).Draw(t, "work"), Bytes: rapid.IntRange(0, 100).Draw(t, "bytes")}
		limit := rapid.IntRange(1, 5).Draw(t, "limit")
		var got []string
		for after := ""; ; {
			a, err := query(t, fmt.Sprintf(`{"pattern": %s, "limit": %d%s}`, text, limit, after)).Run(root, budget)
			if errors.Is(err, value.ErrQueryWork) && budget.Work < 20 {
				t.Skip("too little for a single value")
			}
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, paths(a)...); !a.Truncated {
				break
			}
			quoted, _ := json.Marshal(a.After)
			after = `, "after": ` + string(quoted)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s on %s: %s", text, root, diff)
		}
	})
}

func TestNumbersCompareExactly(t *testing.T) {
	number := rapid.OneOf(
		rapid.Custom(func(t *rapid.T) *value.Value { return value.NewInt(rapid.Int64().Draw(t, "int"), nowhere) }),
		rapid.Custom(func(t *rapid.T) *value.Value {
			near := rapid.SampledFrom([]int64{0, 1 << 53, -1 << 53, math.MaxInt64, math.MinInt64}).Draw(t, "near")
			return value.NewInt(near+rapid.Int64Range(-3, 3).Draw(t, "off"), nowhere)
		}),
		rapid.Custom(func(t *rapid.T) *value.Value {
			near := rapid.SampledFrom([]float64{0, 1 << 53, -1 << 53, 1 << 62, 1 << 63, -1 << 63, 1e300, 0.5}).Draw(t, "near")
			return value.NewFloat(math.Nextafter(near, rapid.SampledFrom([]float64{-math.MaxFloat64, near, math.MaxFloat64}).Draw(t, "to")), nowhere)
		}),
	)
	exact := func(v *value.Value) *big.Rat {
		if v.Kind() == value.Int {
			return new(big.Rat).SetInt64(v.Int())
		}
		return new(big.Rat).SetFloat64(v.Float())
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := number.Draw(t, "a"), number.Draw(t, "b")
		order := exact(a).Cmp(exact(b))
		for operator, want := range map[string]bool{"eq": order == 0, "ne": order != 0, "gt": order > 0, "gte": order >= 0, "lt": order < 0, "lte": order <= 0} {
			q := query(t, fmt.Sprintf(`{"pattern": "**", "where": {%q: %s}}`, operator, b))
			if got := len(run(t, q, a, value.QueryBudget{}).Matches) == 1; got != want {
				t.Fatalf("%s %s %s: %t", a, operator, b, got)
			}
		}
	})
}

func TestIgnoredCaseIsThatOfEqualFold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("aAkKsSſßẞσςΣéÉ\u212aǆǅǄiıİI_1")))
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		quoted, _ := json.Marshal(b)
		q := query(t, fmt.Sprintf(`{"pattern": "**", "where": {"eq": %s, "ignoreCase": true}}`, quoted))
		if got := len(run(t, q, value.NewString(a, nowhere), value.QueryBudget{}).Matches) == 1; got != strings.EqualFold(a, b) {
			t.Fatalf("%q and %q: %t", a, b, got)
		}
	})
}
