package document_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/trunkline/trunkline/value/document"
)

func TestYAMLScalars(t *testing.T) {
	for _, c := range []struct{ text, json string }{
		{`"no"`, `"no"`},
		{`'010'`, `"010"`},
		{`"5"`, `"5"`},
		{`!!str 5`, `"5"`},
		{`!!str`, `""`},
		{`!!float 3`, `3.0`},
		{`!!float 010`, `10.0`},
		{`!!float "1_0.5"`, `10.5`},
		{`!!int "5"`, `5`},
		{`!!bool true`, `true`},
		{`!!null ~`, `null`},
		{`!!timestamp "2024-1-2"`, `"2024-01-02"`},
		{`0o17`, `15`},
		{`-0o17`, `-15`},
		{`0x1F`, `31`},
		{`0b101`, `5`},
		{`1_000`, `1000`},
		{`+5`, `5`},
		{`-0`, `0`},
		{`0`, `0`},
		{`1.5`, `1.5`},
		{`-.5`, `-0.5`},
		{`5.`, `5.0`},
		{`1e3`, `1000.0`},
		{`-0.0`, `0.0`},
		{`1_000.5`, `1000.5`},
		{`12e03`, `12000.0`},
		{`~`, `null`},
		{`null`, `null`},
		{`Null`, `null`},
		{`NULL`, `null`},
		{``, `null`},
		{`nUll`, `"nUll"`},
		{`true`, `true`},
		{`True`, `true`},
		{`FALSE`, `false`},
		{`tRue`, `"tRue"`},
		{`<<`, `"<<"`},
		{`1:30`, `"1:30"`},
		{`1.2.3`, `"1.2.3"`},
		{`+`, `"+"`},
		{`.`, `"."`},
		{`_5`, `"_5"`},
		{`.5_0`, `0.5`},
		{`1e999x`, `"1e999x"`},
		{`0x`, `"0x"`},
		{`0xg`, `"0xg"`},
		{`"99999999999999999999"`, `"99999999999999999999"`},
		{`99999999999999999999a`, `"99999999999999999999a"`},
		{`é`, `"é"`},
		{`a#b`, `"a#b"`},
		{`a #b`, `"a"`},
		{`"\u00e9\t\x41"`, `"é\tA"`},
	} {
		t.Run(c.text, func(t *testing.T) {
			want := `{"a":` + c.json + `}`
			if got := accepted(t, document.YAML, "a: "+c.text+"\n").String(); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestYAMLTimestamps(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"2024-01-02", "2024-01-02"},
		{"2024-1-2", "2024-01-02"},
		{"2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"},
		{"2024-01-02t03:04:05Z", "2024-01-02T03:04:05Z"},
		{"2024-01-02T03:04:05+02:00", "2024-01-02T03:04:05+02:00"},
		{"2024-01-02T3:4:5.250-07:30", "2024-01-02T03:04:05.25-07:30"},
		{"2024-01-02 03:04:05", "2024-01-02T03:04:05Z"},
		{"2024-01-02 03:04:05.5", "2024-01-02T03:04:05.5Z"},
		{"!!timestamp 2024-01-02 03:04:05 Z", "2024-01-02T03:04:05Z"},
		// What the parser takes as a string stays as it is.
		{"2024-01-02 03:04:05 -5", "2024-01-02 03:04:05 -5"},
		{"2024-02-30", "2024-02-30"},
		{"'2024-1-2'", "2024-1-2"},
		{"!!str 2024-1-2", "2024-1-2"},
		{"2024-01", "2024-01"},
	} {
		t.Run(c.text, func(t *testing.T) {
			v := accepted(t, document.YAML, "a: "+c.text+"\n")
			if a, _ := v.Get("a"); a.Str() != c.want {
				t.Errorf("got %s, want %q", a, c.want)
			}
		})
	}
}

func TestYAMLStructure(t *testing.T) {
	for _, c := range []struct{ name, text, json string }{
		{"empty values", "a:\nb: \nc: ''\nd: {}\ne: []\n", `{"a":null,"b":null,"c":"","d":{},"e":[]}`},
		{"literal block", "a: |\n  x\n   y\n\n  z\n", `{"a":"x\n y\n\nz\n"}`},
		{"literal block stripped", "a: |-\n  010\n", `{"a":"010"}`},
		{"folded block", "a: >\n  x\n  y\n\n  z\n", `{"a":"x y\nz\n"}`},
		{"plain over lines", "a: x\n  y\n", `{"a":"x y"}`},
		{"quoted over lines", "a: \"x\n  y\\\n  z\"\n", `{"a":"x yz"}`},
		{"list not indented", "a:\n- 1\n- 2\n", `{"a":[1,2]}`},
		{"key in question form", "? a\n: 1\n", `{"a":1}`},
		{"key quoted", "\"a: b\": 1\n'c': 2\n", `{"a: b":1,"c":2}`},
		{"key that looks like a date", "2024-1-2: x\n", `{"2024-1-2":"x"}`},
		{"set in flow", "a: {x, z: 1}\n", `{"a":{"x":null,"z":1}}`},
		{"pair in flow list", "a: [x: 1]\n", `{"a":[{"x":1}]}`},
		{"directive", "%YAML 1.1\n---\na: 1\n", `{"a":1}`},
		{"own tags", "!!map\na: !!seq [!!map {b: 1}]\n", `{"a":[{"b":1}]}`},
		{"alias of a scalar", "a: &x 5\nb: *x\n", `{"a":5,"b":5}`},
		{"alias of a map", "a: &x {c: 1}\nb: *x\n", `{"a":{"c":1},"b":{"c":1}}`},
		{"alias of an empty value", "a: &x\nb: *x\n", `{"a":null,"b":null}`},
		{"anchor on a key", "&k a: 1\nb: *k\n", `{"a":1,"b":"a"}`},
		{"alias as a key", "a: &k b\n*k : 1\n", `{"a":"b","b":1}`},
		{"anchor named again", "a: &x 1\nb: &x 2\nc: *x\n", `{"a":1,"b":2,"c":2}`},
		{"merge", "a: &a {x: 1, z: 1}\nb: {<<: *a, z: 2}\n", `{"a":{"x":1,"z":1},"b":{"x":1,"z":2}}`},
		{"merge after own keys", "a: &a {x: 1, z: 1}\nb: {z: 2, <<: *a}\n", `{"a":{"x":1,"z":1},"b":{"x":1,"z":2}}`},
		{"merge of a list, the first wins", "b: {<<: [{x: 1}, {x: 2, z: 2}]}\n", `{"b":{"x":1,"z":2}}`},
		{"merge of an alias of a list", "a: &a [{x: 1}, {z: 2}]\nb: {<<: *a}\n", `{"a":[{"x":1},{"z":2}],"b":{"x":1,"z":2}}`},
		{"merge of a merge", "a: &a {x: 1}\nb: &b {<<: *a, z: 2}\nc: {<<: *b}\n", `{"a":{"x":1},"b":{"x":1,"z":2},"c":{"x":1,"z":2}}`},
		{"merge is not deep", "a: &a {m: {x: 1}}\nb: {<<: *a, m: {z: 2}}\n", `{"a":{"m":{"x":1}},"b":{"m":{"z":2}}}`},
		{"merge at the root", "<<: {a: 1}\nb: 2\n", `{"a":1,"b":2}`},
		{"merge of nothing", "a: {<<: []}\nb: {<<: {}}\n", `{"a":{},"b":{}}`},
		{"merge key quoted is a key", "\"<<\": {a: 1}\n", `{"<<":{"a":1}}`},
		{"merge key tagged as string", "!!str <<: {a: 1}\n", `{"<<":{"a":1}}`},
		{"merge key quoted beside a merge key", "'<<': 1\n<<: {a: 2}\n", `{"<<":1,"a":2}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := accepted(t, document.YAML, c.text).String(); got != c.json {
				t.Errorf("got %s, want %s", got, c.json)
			}
		})
	}
}

func TestYAMLAliasProblems(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       finding
	}{
		{"cycle through a list", "a: &a [*a]\n", problem(1, 8, "aliasCycle")},
		{"cycle through a map", "a: &a\n  b: *a\n", problem(2, 6, "aliasCycle")},
		{"cycle through both", "a: &a {b: [{c: *a}]}\n", problem(1, 16, "aliasCycle")},
		{"cycle through a merge key", "a: &a {<<: *a}\n", problem(1, 12, "aliasCycle")},
		{"cycle through a merged list", "a: &a [{<<: *a}]\n", problem(1, 13, "aliasCycle")},
		{"merge of a scalar", "a: {<<: 5}\n", problem(1, 9, "mergeKey")},
		{"merge of null", "a: {<<: }\n", problem(1, 9, "mergeKey")},
		{"merge of a list of scalars", "a: {<<: [5]}\n", problem(1, 10, "mergeKey")},
		{"merge of an alias of a scalar", "a: &a 5\nb: {<<: *a}\n", problem(2, 9, "mergeKey")},
		{"unknown anchor in a merge", "b: {<<: *a}\n", problem(1, 9, "yamlSyntax")},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, problems := decode(t, document.YAML, c.text)
			expect(t, problems, c.want)
		})
	}
}

// listLaughs multiplies a list by its width on every line; mergeLaughs a map, by merge keys.
func listLaughs(lines, width int) string {
	return laughs(lines, func(i int) string { return "[" + strings.Repeat(fmt.Sprintf("*a%d, ", i), width) + "]" })
}

func mergeLaughs(lines, width int) string {
	return laughs(lines, func(i int) string {
		return "{<<: [" + strings.Repeat(fmt.Sprintf("*a%d, ", i), width) + "]}"
	})
}

func laughs(lines int, above func(i int) string) string {
	var b strings.Builder
	b.WriteString("a0: &a0 {x: lol}\n")
	for i := 1; i <= lines; i++ {
		fmt.Fprintf(&b, "a%d: &a%d %s\n", i, i, above(i-1))
	}
	return b.String()
}

func numbered(entry string, n int) string {
	entries := make([]string, n)
	for i := range entries {
		entries[i] = fmt.Sprintf(entry, i)
	}
	return strings.Join(entries, ", ")
}

func TestYAMLAliasBombs(t *testing.T) {
	many := strings.Repeat("*a,", 100_000)
	for _, c := range []struct{ name, text, rule string }{
		{"billion laughs", listLaughs(9, 9), "aliasExpansion"},
		{"billion laughs, narrow and deep", listLaughs(40, 2), "aliasExpansion"},
		{"laughing merge keys", mergeLaughs(30, 2), "aliasExpansion"},
		{"one large map merged often", "a: &a {" + numbered("k%d: 1", 20_000) + "}\nb: [" + strings.Repeat("{<<: *a},", 20_000) + "]\n", "aliasExpansion"},
		{"a long list merged often", "a: &a {}\nl: &l [" + many + "]\nm: [" + strings.Repeat("{<<: *l},", 50_000) + "]\n", "aliasExpansion"},
		{"a long list of scalars merged often", "l: &l [" + strings.Repeat("1,", 100_000) + "]\nm: [" + strings.Repeat("{<<: *l},", 50_000) + "]\n", "mergeKey"},
		{"a chain of merge keys", mergeLaughs(20_000, 1), "aliasExpansion"},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			_, problems := decode(t, document.YAML, c.text)
			if len(problems) == 0 || problems[0].Rule != c.rule {
				t.Errorf("got %v", problems)
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// Modest use of aliases is within the budget.
func TestYAMLAliasBudget(t *testing.T) {
	text := "a: &a {x: 1, w: 2}\nb: [" + strings.Repeat("*a,", 50) + "]\nc: [" + strings.Repeat("{<<: *a, z: 3},", 50) + "]\n"
	v := accepted(t, document.YAML, text)
	if c, _ := v.Get("c"); c.Len() != 50 {
		t.Errorf("got %d", c.Len())
	}
}
