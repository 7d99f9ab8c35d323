package document_test

import (
	"testing"

	toml "github.com/pelletier/go-toml/v2"

	"github.com/trunkline/trunkline/value/document"
)

func TestTOMLScalars(t *testing.T) {
	for _, c := range []struct{ text, json string }{
		{`"x\ty\u00e9"`, `"x\tyé"`},
		{`'x\ty'`, `"x\\ty"`},
		{"\"\"\"\nx\ny \\\n  z\"\"\"", `"x\ny z"`},
		{"'''\nx\ny'''", `"x\ny"`},
		{`""""x""""`, `"\"x\""`},
		{`5`, `5`},
		{`+5`, `5`},
		{`-0`, `0`},
		{`1_000`, `1000`},
		{`0xdead_BEEF`, `3735928559`},
		{`0o17`, `15`},
		{`0b101`, `5`},
		{`1.5`, `1.5`},
		{`-0.0`, `0.0`},
		{`5e2`, `500.0`},
		{`6.626_1e-34`, `6.6261e-34`},
		{`true`, `true`},
		{`[1, 'a', [true], ]`, `[1,"a",[true]]`},
		{"[ # comment\n 1, # one\n]", `[1]`},
		{`{}`, `{}`},
		{"{x = 1,\n y.z = 2, # comment\n}", `{"x":1,"y":{"z":2}}`},
		{`[{x = 1}, {x = 2}]`, `[{"x":1},{"x":2}]`},
		{`2024-01-02`, `"2024-01-02"`},
		{`07:32:00`, `"07:32:00"`},
		{`07:32`, `"07:32:00"`},
		{`07:32:00.999`, `"07:32:00.999"`},
		{`2024-01-02T03:04:05Z`, `"2024-01-02T03:04:05Z"`},
		{`2024-01-02t03:04:05.5z`, `"2024-01-02T03:04:05.5Z"`},
		{`2024-01-02 03:04:05-07:30`, `"2024-01-02T03:04:05-07:30"`},
		{`2024-01-02 03:04`, `"2024-01-02T03:04:00"`},
		{`2024-01-02T03:04+01:00`, `"2024-01-02T03:04:00+01:00"`},
		{`2024-02-29`, `"2024-02-29"`},
	} {
		t.Run(c.text, func(t *testing.T) {
			want := `{"a":` + c.json + `}`
			if got := accepted(t, document.TOML, "a = "+c.text+"\n").String(); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestTOMLScalarsRefused(t *testing.T) {
	for _, c := range []struct{ text, rule string }{
		{`01`, "tomlSyntax"},
		{`1__0`, "tomlSyntax"},
		{`1.`, "tomlSyntax"},
		{`.5`, "tomlSyntax"},
		{`+0x1`, "tomlSyntax"},
		{`0X1`, "tomlSyntax"},
		{`True`, "tomlSyntax"},
		{`[1 2]`, "tomlSyntax"},
		{`{x = 1`, "tomlSyntax"},
		{`"x`, "tomlSyntax"},
		{"'x\ny'", "tomlSyntax"},
		{`"\q"`, "tomlSyntax"},
		{`"\ud800"`, "tomlSyntax"},
		{`0xFFFFFFFFFFFFFFFF`, "integerRange"},
		{`2023-02-29`, "badTime"},
		{`2024-13-01`, "badTime"},
		{`2024-01-02T24:00:00Z`, "badTime"},
		{`2024-01-02T03:60:00Z`, "badTime"},
		{`2024-01-02T3:04:05Z`, "badTime"},
		{`2024-01-02T03:04:05+25:00`, "badTime"},
		{`2024-01-02T`, "badTime"},
		{`2024-1-2`, "badTime"},
		{`25:00:00`, "badTime"},
		{`07:32:00Z`, "badTime"},
		{`07:32:`, "badTime"},
	} {
		t.Run(c.text, func(t *testing.T) {
			_, problems := decode(t, document.TOML, "a = "+c.text+"\n")
			if len(problems) != 1 || problems[0].Rule != c.rule {
				t.Errorf("got %v, want %s", problems, c.rule)
			}
		})
	}
}

// tomlTables are the rules for opening, extending and repeating tables, by the TOML specification.
var tomlTables = []struct {
	name, text, json string // json is empty where the document is refused
}{
	{"table empty", "[a]\n", `{"a":{}}`},
	{"keys trimmed and quoted", "[ a . \"b.c\" ]\nd . 'e' = 1\n", `{"a":{"b.c":{"d":{"e":1}}}}`},
	{"super-table after", "[x.y.z.w]\n[x]\n", `{"x":{"y":{"z":{"w":{}}}}}`},
	{"super-table after, with keys", "[a.b]\nc = 1\n[a]\nd = 2\n", `{"a":{"b":{"c":1},"d":2}}`},
	{"out of order", "[fruit.apple]\n[animal]\n[fruit.orange]\n", `{"animal":{},"fruit":{"apple":{},"orange":{}}}`},
	{"sub-table of what dotted keys made", "[fruit]\napple.color = 'red'\napple.taste.sweet = true\n[fruit.apple.texture]\nsmooth = true\n", `{"fruit":{"apple":{"color":"red","taste":{"sweet":true},"texture":{"smooth":true}}}}`},
	{"dotted keys out of order", "apple.type = 'fruit'\norange.type = 'fruit'\napple.skin = 'thin'\n", `{"apple":{"skin":"thin","type":"fruit"},"orange":{"type":"fruit"}}`},
	{"dotted keys in a table", "[a]\nb.c = 1\nb.d = 2\n", `{"a":{"b":{"c":1,"d":2}}}`},
	{"digits as keys", "3.14159 = 'pi'\n", `{"3":{"14159":"pi"}}`},
	{"array of tables", "[[p]]\nn = 1\n[[p]]\n[[p]]\nn = 3\n", `{"p":[{"n":1},{},{"n":3}]}`},
	{"array of tables with sub-tables", "[[f]]\nn = 1\n[f.p]\nc = 1\n[[f.v]]\nn = 2\n[[f.v]]\nn = 3\n[[f]]\n[[f.v]]\nn = 4\n", `{"f":[{"n":1,"p":{"c":1},"v":[{"n":2},{"n":3}]},{"v":[{"n":4}]}]}`},
	{"same sub-table in every item", "[[a]]\n[a.b]\n[[a]]\n[a.b]\n", `{"a":[{"b":{}},{"b":{}}]}`},
	{"super-table of an array after", "[[a.b]]\n[a]\nc = 1\n", `{"a":{"b":[{}],"c":1}}`},
	{"dotted keys in an item", "[[a]]\nb.c = 1\n[[a]]\nb.c = 2\n", `{"a":[{"b":{"c":1}},{"b":{"c":2}}]}`},
	{"inline with dotted keys", "a = {b.c = 1, b.d = 2}\n", `{"a":{"b":{"c":1,"d":2}}}`},

	{"table twice", "[a]\n[a]\n", ""},
	{"table twice, apart", "[a]\nb = 1\n[c]\n[a]\nd = 1\n", ""},
	{"table over a key", "[fruit]\napple = 'red'\n[fruit.apple]\ntexture = 'smooth'\n", ""},
	{"table through a key", "a = 1\n[a.b]\n", ""},
	{"key over a table", "[a.b]\n[a]\nb = 1\n", ""},
	{"key through a key", "a = 1\na.b = 2\n", ""},
	{"key through a string", "a.b = 'x'\na.b.c = 2\n", ""},
	{"key over dotted keys", "a.b = 1\na = 2\n", ""},
	{"table over dotted keys", "[fruit]\napple.color = 'red'\n[fruit.apple]\n", ""},
	{"table over deeper dotted keys", "[fruit]\napple.taste.sweet = true\n[fruit.apple.taste]\n", ""},
	{"table over dotted keys at the root", "a.b = 1\n[a]\n", ""},
	{"array over dotted keys", "a.b = 1\n[[a]]\n", ""},
	{"dotted keys into a table", "[a.b.c]\nz = 9\n[a]\nb.c.t = 'x'\n", ""},
	{"dotted keys through a table", "[a.b.c.d]\nz = 9\n[a]\nb.c.d.k.t = 'x'\n", ""},
	{"dotted keys into a table of an array", "[[a.b]]\n[a]\nb.y = 2\n", ""},
	{"array over a table", "[fruit]\n[[fruit]]\n", ""},
	{"array over an implied table", "[fruit.physical]\n[[fruit]]\n", ""},
	{"table over an array", "[[fruit]]\n[fruit]\n", ""},
	{"array over a static array", "fruit = []\n[[fruit]]\n", ""},
	{"array over a static array of tables", "fruit = [{a = 1}]\n[[fruit]]\n", ""},
	{"table through a static array", "fruit = [{a = 1}]\n[fruit.b]\n", ""},
	{"array over a table of an item", "[[f]]\n[f.v]\n[[f.v]]\n", ""},
	{"table over an array of an item", "[[f]]\n[[f.v]]\n[f.v]\n", ""},
	{"table twice in an item", "[[a]]\n[a.b]\n[a.b]\n", ""},
	{"table over an inline table", "a = {}\n[a]\n", ""},
	{"table in an inline table", "a = {b = 1}\n[a.c]\n", ""},
	{"table in a table of an inline table", "a = {b = {}}\n[a.b.c]\n", ""},
	{"array in an inline table", "a = {b = 1}\n[[a.c]]\n", ""},
	{"dotted key in an inline table", "a = {b = 1}\na.c = 2\n", ""},
	{"dotted key in what dotted keys of an inline table made", "a = {b.c = 1}\na.b.d = 2\n", ""},
	{"dotted key in an inline table beside it", "t = {a = {b = 1}, a.c = 2}\n", ""},
	{"inline table over dotted keys", "t = {a.b = 1, a = {c = 2}}\n", ""},
	{"inline table over a table", "[a.b]\n[a]\nb = {}\n", ""},
	{"keys that differ in quotes only", "[a]\n'b' = 1\nb = 2\n", ""},
}

func TestTOMLTables(t *testing.T) {
	for _, c := range tomlTables {
		t.Run(c.name, func(t *testing.T) {
			if c.json != "" {
				if got := accepted(t, document.TOML, c.text).String(); got != c.json {
					t.Errorf("got %s, want %s", got, c.json)
				}
				return
			}
			_, problems := decode(t, document.TOML, c.text)
			if len(problems) != 1 || problems[0].Rule != "duplicateKey" {
				t.Errorf("got %v", problems)
			}
		})
	}
}

// The library's own decoding, too slow to use, is a second opinion on what is good.
func TestTOMLTablesSecondOpinion(t *testing.T) {
	for _, c := range tomlTables {
		var into map[string]any
		if err := toml.Unmarshal([]byte(c.text), &into); (err == nil) != (c.json != "") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestTOMLTablesNameBothPlaces(t *testing.T) {
	for _, c := range []struct {
		text    string
		want    finding
		message string
	}{
		{"x = 1\n[a]\n[b]\n[a]\n", problem(4, 2, "duplicateKey"), `the key "a" stands twice in one map, first at line 2, column 2`},
		{"a = {b = 1}\n[a.c]\n", problem(2, 2, "duplicateKey"), `"a" cannot be extended: it was written whole at line 1, column 1`},
		{"a.b = 'x'\na.b.c = 2\n", problem(2, 3, "duplicateKey"), `"b" cannot be extended: it was written whole at line 1, column 3`},
		{"[[a]]\n[a]\n", problem(2, 2, "duplicateKey"), `the key "a" stands twice in one map, first at line 1, column 3`},
	} {
		_, problems := decode(t, document.TOML, c.text)
		expect(t, problems, c.want)
		if problems[0].Message != c.message {
			t.Errorf("%q: %s", c.text, problems[0].Message)
		}
	}
}

// What stands below a header that is refused is still looked at.
func TestTOMLReadsOnAfterAProblem(t *testing.T) {
	_, problems := decode(t, document.TOML, "[a]\n[a]\nb = nan\n[c]\nd = 1\nd = 2\n")
	expect(t, problems, problem(2, 2, "duplicateKey"), problem(3, 5, "notFinite"), problem(6, 1, "duplicateKey"))
}
