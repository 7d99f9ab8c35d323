package document_test

import (
	"strings"
	"testing"

	"github.com/trunkline/trunkline/value/document"
)

// TestTraps holds what parsers would take silently, and must not: each trap in every format that has it.
func TestTraps(t *testing.T) {
	for _, c := range []struct {
		name   string
		format document.Format
		text   string
		json   string // what it is read as; empty when it is refused
		want   []finding
	}{
		{"duplicate key", document.YAML, "a: 1\nb: 2\na: 3\n", "", []finding{problem(3, 1, "duplicateKey")}},
		{"duplicate key", document.JSON, "{\"a\": 1,\n \"b\": 2,\n \"a\": 3}", "", []finding{problem(3, 2, "duplicateKey")}},
		{"duplicate key", document.TOML, "a = 1\nb = 2\na = 3\n", "", []finding{problem(3, 1, "duplicateKey")}},
		{"duplicate key nested", document.YAML, "m: {x: 1, x: 2}\n", "", []finding{problem(1, 11, "duplicateKey")}},
		{"duplicate key nested", document.JSON, `{"m": {"x": 1, "x": 2}}`, "", []finding{problem(1, 16, "duplicateKey")}},
		{"duplicate key nested", document.TOML, "m = {x = 1, x = 2}", "", []finding{problem(1, 13, "duplicateKey")}},
		{"duplicate key escaped", document.JSON, `{"a": 1, "\u0061": 2}`, "", []finding{problem(1, 10, "duplicateKey")}},
		{"duplicate key quoted", document.YAML, "a: 1\n'a': 2\n", "", []finding{problem(2, 1, "duplicateKey")}},
		{"duplicate key quoted", document.TOML, "a = 1\n'a' = 2\n", "", []finding{problem(2, 1, "duplicateKey")}},
		{"duplicate integer beside string", document.YAML, "1: a\n\"1\": b\n", "", []finding{problem(2, 1, "duplicateKey")}},
		{"duplicate integer in other form", document.YAML, "1: a\n+1: b\n", "", []finding{problem(2, 1, "duplicateKey")}},
		{"duplicate merge key", document.YAML, "<<: {a: 1}\n<<: {b: 1}\n", "", []finding{problem(2, 1, "duplicateKey")}},

		{"second document", document.YAML, "a: 1\n---\nb: 2\n", "", []finding{problem(2, 1, "secondDocument")}},
		{"second document empty", document.YAML, "a: 1\n---\n", "", []finding{problem(2, 1, "secondDocument")}},
		{"second document broken", document.YAML, "a: 1\n---\nb: [\n", "", []finding{problem(4, 1, "yamlSyntax")}},
		{"second document", document.JSON, "{\"a\": 1}\n{\"b\": 2}", "", []finding{problem(2, 1, "secondDocument")}},
		{"second document garbage", document.JSON, "{} x", "", []finding{problem(1, 4, "secondDocument")}},
		{"first document marked", document.YAML, "---\na: 1\n...\n", `{"a":1}`, nil},

		{"unknown tag", document.YAML, "a: !secret x\n", "", []finding{problem(1, 4, "unknownTag")}},
		{"unknown tag on map", document.YAML, "a: !secret {x: 1}\n", "", []finding{problem(1, 4, "unknownTag")}},
		{"unknown tag on list", document.YAML, "a: !secret [x]\n", "", []finding{problem(1, 4, "unknownTag")}},
		{"unknown tag on key", document.YAML, "!secret a: 1\n", "", []finding{problem(1, 1, "keyKind")}},
		{"unknown tag on root", document.YAML, "!secret\na: 1\n", "", []finding{problem(1, 1, "unknownTag")}},
		{"binary", document.YAML, "a: !!binary aGVsbG8=\n", "", []finding{problem(1, 4, "unknownTag")}},
		{"set", document.YAML, "a: !!set {x}\n", "", []finding{problem(1, 4, "unknownTag")}},
		{"tag of another type", document.YAML, "a: !!int x\nb: !!null x\nc: !!bool x\nd: !!float x\ne: !!timestamp x\n", "", []finding{
			problem(1, 4, "tagMismatch"), problem(2, 4, "tagMismatch"), problem(3, 4, "tagMismatch"), problem(4, 4, "tagMismatch"), problem(5, 4, "tagMismatch"),
		}},

		{"date", document.YAML, "a: 2024-01-02\n", `{"a":"2024-01-02"}`, nil},
		{"date", document.TOML, "a = 2024-01-02\n", `{"a":"2024-01-02"}`, nil},
		{"date that is not", document.TOML, "a = 2024-02-30\n", "", []finding{problem(1, 5, "badTime")}},

		{"words of older YAML", document.YAML, "a: no\nb: [on, Yes]\n", `{"a":"no","b":["on","Yes"]}`, []finding{
			warning(1, 4, "ambiguousBoolean"), warning(2, 5, "ambiguousBoolean"), warning(2, 9, "ambiguousBoolean"),
		}},
		{"words of older YAML as keys", document.YAML, "on: 1\n", `{"on":1}`, []finding{warning(1, 1, "ambiguousBoolean")}},
		{"words of older YAML quoted", document.YAML, "a: 'no'\n\"on\": !!str off\n", `{"a":"no","on":"off"}`, nil},

		{"octal", document.YAML, "a: 010\n", `{"a":8}`, []finding{warning(1, 4, "octal")}},
		{"octal with underscore", document.YAML, "a: 0_10\n", `{"a":8}`, []finding{warning(1, 4, "octal")}},
		{"octal that is not", document.YAML, "a: 08\n", "", []finding{problem(1, 4, "octal")}},
		{"octal", document.JSON, `{"a": 010}`, "", []finding{problem(1, 8, "jsonSyntax")}},
		{"octal", document.TOML, "a = 010\n", "", []finding{problem(1, 5, "tomlSyntax")}},
		{"octal as key", document.YAML, "010: a\n", "", []finding{problem(1, 1, "keyKind")}},

		{"integer beyond 64 bits", document.YAML, "a: 9223372036854775808\n", "", []finding{problem(1, 4, "integerRange")}},
		{"integer beyond 64 bits", document.JSON, `{"a": 9223372036854775808}`, "", []finding{problem(1, 7, "integerRange")}},
		{"integer beyond 64 bits", document.TOML, "a = 9223372036854775808\n", "", []finding{problem(1, 5, "integerRange")}},
		{"integer beyond unsigned", document.YAML, "a: 18446744073709551616\n", "", []finding{problem(1, 4, "integerRange")}},
		{"integer below 64 bits", document.YAML, "a: -9223372036854775809\n", "", []finding{problem(1, 4, "integerRange")}},
		{"hexadecimal beyond 64 bits", document.YAML, "a: 0xFFFFFFFFFFFFFFFFFF\n", "", []finding{problem(1, 4, "integerRange")}},
		{"integer beyond 64 bits as key", document.YAML, "9223372036854775808: a\n", "", []finding{problem(1, 1, "keyKind")}},
		{"largest integers", document.YAML, "a: 9223372036854775807\nb: -9223372036854775808\n", `{"a":9223372036854775807,"b":-9223372036854775808}`, nil},
		{"largest integers", document.JSON, `{"a": 9223372036854775807, "b": -9223372036854775808}`, `{"a":9223372036854775807,"b":-9223372036854775808}`, nil},
		{"largest integers", document.TOML, "a = 9223372036854775807\nb = -9223372036854775808\n", `{"a":9223372036854775807,"b":-9223372036854775808}`, nil},

		{"not finite", document.YAML, "a: .nan\nb: .inf\nc: -.Inf\nd: +.INF\n", "", []finding{
			problem(1, 4, "notFinite"), problem(2, 4, "notFinite"), problem(3, 4, "notFinite"), problem(4, 4, "notFinite"),
		}},
		{"not finite", document.TOML, "a = nan\nb = inf\nc = -inf\n", "", []finding{
			problem(1, 5, "notFinite"), problem(2, 5, "notFinite"), problem(3, 5, "notFinite"),
		}},
		{"not finite", document.JSON, `{"a": NaN}`, "", []finding{problem(1, 7, "jsonSyntax")}},
		{"number too large", document.YAML, "a: 1e400\n", "", []finding{problem(1, 4, "notFinite")}},
		{"number too large", document.JSON, `{"a": 1e400}`, "", []finding{problem(1, 7, "notFinite")}},
		{"number too large", document.TOML, "a = 1e400\n", "", []finding{problem(1, 5, "notFinite")}},

		{"integer key", document.YAML, "80: a\n-1: b\n1_000: c\n", `{"-1":"b","1000":"c","80":"a"}`, nil},
		{"integer key", document.TOML, "80 = 'a'\n", `{"80":"a"}`, nil},
		{"boolean key", document.YAML, "true: a\n", "", []finding{problem(1, 1, "keyKind")}},
		{"null key", document.YAML, "~: a\n", "", []finding{problem(1, 1, "keyKind")}},
		{"number key", document.YAML, "1.5: a\n", "", []finding{problem(1, 1, "keyKind")}},
		{"binary key", document.YAML, "!!binary aGk=: a\n", "", []finding{problem(1, 1, "keyKind")}},
		{"list key", document.YAML, "? [a]\n: b\n", "", []finding{problem(1, 3, "keyKind")}},
		{"map key", document.YAML, "? {a: b}\n: c\n", "", []finding{problem(1, 3, "keyKind")}},
		{"template left in", document.YAML, "a: {{ name }}\n", "", []finding{problem(1, 5, "keyKind")}},
		{"integer key", document.JSON, "{1: 2}", "", []finding{problem(1, 2, "jsonSyntax")}},

		{"empty", document.YAML, "", "{}", []finding{warning(1, 1, "emptyFile")}},
		{"empty", document.JSON, " \n", "{}", []finding{warning(1, 1, "emptyFile")}},
		{"empty", document.TOML, "", "{}", []finding{warning(1, 1, "emptyFile")}},
		{"comments only", document.YAML, "# a\n\n# b\n", "{}", []finding{warning(1, 1, "emptyFile")}},
		{"comments only", document.TOML, "# a\n", "{}", []finding{warning(1, 1, "emptyFile")}},
		{"marker only", document.YAML, "---\n", "{}", []finding{warning(1, 1, "emptyFile")}},
		{"empty and meant", document.YAML, "{}\n", "{}", nil},
		{"empty and meant", document.JSON, "{}\n", "{}", nil},

		{"scalar at the root", document.YAML, "\n5\n", "", []finding{problem(2, 1, "rootNotMap")}},
		{"scalar at the root", document.JSON, "\n 5", "", []finding{problem(2, 2, "rootNotMap")}},
		{"null at the root", document.YAML, "null\n", "", []finding{problem(1, 1, "rootNotMap")}},
		{"null at the root", document.JSON, "null", "", []finding{problem(1, 1, "rootNotMap")}},
		{"list at the root", document.YAML, "- a\n", "", []finding{problem(1, 1, "rootNotMap")}},
		{"list at the root", document.JSON, "[]", "", []finding{problem(1, 1, "rootNotMap")}},
		{"nothing that begins", document.JSON, "}", "", []finding{problem(1, 1, "jsonSyntax")}},

		{"byte order mark", document.YAML, "\ufeffa: no\n", `{"a":"no"}`, []finding{warning(1, 4, "ambiguousBoolean")}},
		{"byte order mark", document.JSON, "\ufeff{\"a\": 1}", `{"a":1}`, nil},
		{"byte order mark", document.TOML, "\ufeffa = 1\n", `{"a":1}`, nil},
		{"byte order mark before a bad byte", document.YAML, "\ufeffa: \xff\n", "", []finding{problem(1, 4, "encoding")}},
		{"UTF-16 little-endian", document.YAML, "\xff\xfea\x00:\x00", "", []finding{problem(1, 1, "encoding")}},
		{"UTF-16 big-endian", document.JSON, "\xfe\xff\x00{\x00}", "", []finding{problem(1, 1, "encoding")}},
		{"NUL", document.YAML, "a: 1\nb: \x00\n", "", []finding{problem(2, 4, "encoding")}},
		{"NUL", document.JSON, "{\"é\": \"\x00\"}", "", []finding{problem(1, 8, "encoding")}},
		{"NUL", document.TOML, "a = '\x00'\n", "", []finding{problem(1, 6, "encoding")}},
		{"bad UTF-8", document.YAML, "é: \xc3\n", "", []finding{problem(1, 4, "encoding")}},
		{"bad UTF-8", document.JSON, "{\"a\": \"\xed\xa0\x80\"}", "", []finding{problem(1, 8, "encoding")}},
		{"bad UTF-8", document.TOML, "# \xff\n", "", []finding{problem(1, 3, "encoding")}},
		{"lone surrogate", document.JSON, `{"a": "\ud800"}`, "", []finding{problem(1, 8, "jsonSyntax")}},

		{"LFS pointer", document.YAML, "version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "", []finding{problem(1, 1, "lfsPointer")}},
		{"LFS pointer", document.JSON, "version https://git-lfs.github.com/spec/v1\n", "", []finding{problem(1, 1, "lfsPointer")}},

		{"control character in a key", document.YAML, "\"a\\nb\": 1\n", "", []finding{problem(1, 1, "controlCharacter")}},
		{"control character in a key", document.JSON, `{"a\u0000b": 1}`, "", []finding{problem(1, 2, "controlCharacter")}},
		{"control character in a key", document.TOML, "\"a\\u0007b\" = 1\n", "", []finding{problem(1, 1, "controlCharacter")}},
		{"reserved key", document.YAML, "a: {$redacted: true}\n", "", []finding{problem(1, 5, "reservedKey")}},
		{"reserved key", document.JSON, `{"$redacted": true, "fp": "x"}`, "", []finding{problem(1, 2, "reservedKey")}},
		{"reserved key", document.TOML, "[\"$redacted\"]\nb = 1\n", "", []finding{problem(1, 2, "reservedKey")}},
		{"merge control", document.YAML, "a: {$patch: delete}\n", `{"a":{"$patch":"delete"}}`, nil},

		{"key holding a dot", document.YAML, "a.b: 1\n", `{"a.b":1}`, nil},
		{"key holding a dot", document.JSON, `{"a.b": 1}`, `{"a.b":1}`, nil},
		{"key holding a dot", document.TOML, "'a.b' = 1\na.c = 2\n", `{"a":{"c":2},"a.b":1}`, nil},
		{"empty key", document.YAML, "'': 1\n", `{"":1}`, nil},
		{"empty key", document.JSON, `{"": 1}`, `{"":1}`, nil},
		{"empty key", document.TOML, "'' = 1\n", `{"":1}`, nil},

		{"comment", document.JSON, "{ // x\n}", "", []finding{problem(1, 3, "jsonSyntax")}},
		{"trailing comma", document.JSON, "{\"a\": 1,\n}", "", []finding{problem(1, 8, "jsonSyntax")}},
		{"cut short", document.JSON, "{\"a\": [1,\n 2", "", []finding{problem(2, 3, "jsonSyntax")}},
		{"cut short", document.TOML, "a = [1,\n 2", "", []finding{problem(2, 2, "tomlSyntax")}},
		{"cut short", document.YAML, "a: 1\nb: [1,\n 2", "", []finding{problem(2, 1, "yamlSyntax")}},
		{"control character", document.YAML, "a: 1\nbé: \x01\n", "", []finding{problem(2, 5, "yamlSyntax")}},
		{"block cut short", document.YAML, "a: 1\nb:\n  c: 1\n d: 2\n", "", []finding{problem(4, 1, "yamlSyntax")}},
		{"tab", document.YAML, "a:\n\tb: 1\n", "", []finding{problem(2, 1, "yamlSyntax")}},
		{"unknown anchor", document.YAML, "a: 1\nb: *nowhere\n", "", []finding{problem(2, 4, "yamlSyntax")}},
		{"unquoted string", document.TOML, "a = 1\nb = x\n", "", []finding{problem(2, 5, "tomlSyntax")}},
	} {
		t.Run(c.name+" "+formatName(c.format), func(t *testing.T) {
			v, problems := decode(t, c.format, c.text)
			expect(t, problems, c.want...)
			got := ""
			if v != nil {
				got = v.String()
			}
			if got != c.json {
				t.Errorf("read as %s, want %s", got, c.json)
			}
		})
	}
}

func TestDuplicateNamesBothPlaces(t *testing.T) {
	for format, text := range map[document.Format]string{
		document.YAML: "x: 1\na: [1]\nb: 2\na: 3\na: 4\n",
		document.JSON: "{\"x\": 1,\n\"a\": [1],\n\"b\": 2,\n\"a\": 3,\n\"a\": 4}",
		document.TOML: "x = 1\na = [1]\nb = 2\na = 3\na = 4\n",
	} {
		_, problems := decode(t, format, text)
		expect(t, problems, problem(4, 1, "duplicateKey"), problem(5, 1, "duplicateKey"))
		for _, p := range problems {
			if !strings.Contains(p.Message, `"a"`) || !strings.Contains(p.Message, "first at line 2, column 1") {
				t.Errorf("%s: %s", formatName(format), p.Message)
			}
		}
	}
}

// What a problem says goes to people and logs, so it may name keys, numbers and tags, never the text of a value.
func TestMessagesNameNoValues(t *testing.T) {
	const secret = "hunter2"
	for _, c := range []struct {
		name   string
		format document.Format
		text   string
	}{
		{"unknown tag", document.YAML, "a: !x hunter2"},
		{"binary", document.YAML, "a: !!binary hunter2"},
		{"integer", document.YAML, "a: !!int hunter2"},
		{"boolean", document.YAML, "a: !!bool hunter2"},
		{"null", document.YAML, "a: !!null hunter2"},
		{"number", document.YAML, "a: !!float hunter2"},
		{"timestamp", document.YAML, "a: !!timestamp hunter2"},
		{"root", document.YAML, "hunter2"},
		{"root list", document.YAML, "- hunter2"},
		{"merge key", document.YAML, "<<: hunter2"},
		{"syntax", document.YAML, "a: \"hunter2\n"},
		{"syntax special character", document.YAML, "a: @hunter2"},
		{"escape", document.YAML, "a: \"\\qhunter2\""},
		{"second document", document.YAML, "a: 1\n---\nhunter2"},
		{"duplicate", document.YAML, "a: 1\na: hunter2"},
		{"root", document.JSON, `"hunter2"`},
		{"bare word", document.JSON, `{"a": hunter2}`},
		{"escape", document.JSON, `{"a": "\qhunter2"}`},
		{"surrogate", document.JSON, `{"a": "\ud800hunter2"}`},
		{"surrogate and escape", document.JSON, `{"a": "\ud800\uhunter2"}`},
		{"control character", document.JSON, "{\"a\": \"hunter2\n\"}"},
		{"after the document", document.JSON, `{} hunter2`},
		{"bare word", document.TOML, "a = hunter2"},
		{"after the value", document.TOML, "a = 1 hunter2"},
		{"unterminated", document.TOML, "a = 'hunter2"},
		{"escape", document.TOML, `a = "\qhunter2"`},
		{"keyword", document.TOML, "a = truehunter2"},
	} {
		t.Run(c.name+" "+formatName(c.format), func(t *testing.T) {
			v, problems := decode(t, c.format, c.text)
			if v != nil {
				t.Fatal("accepted")
			}
			for _, p := range problems {
				for n := 4; n <= len(secret); n++ {
					if strings.Contains(p.Message+p.Hint, secret[:n]) {
						t.Fatalf("leaks: %s", p.Message)
					}
				}
			}
		})
	}
}

func TestMessagesAreShort(t *testing.T) {
	long, digits := strings.Repeat("é", 120), strings.Repeat("9", 5000)
	for _, c := range []struct {
		format document.Format
		text   string
	}{
		{document.YAML, long + ": 1\n" + long + ": 2\n"},
		{document.YAML, "a: !" + strings.Repeat("t", 5000) + " x\n"},
		{document.YAML, "a: *" + strings.Repeat("t", 5000) + "\n"},
		{document.YAML, "a: 1." + digits + "e999\n"},
		{document.YAML, "a: 0" + digits + "\n"},
		{document.YAML, "1." + digits + ": x\n"},
		{document.YAML, "a: &" + strings.Repeat("t", 500) + " [*" + strings.Repeat("t", 500) + "]\n"},
		{document.JSON, `{"` + long + `": 1, "` + long + `": 2}`},
		{document.JSON, `{"a": 1` + digits + `.0e999}`},
		{document.TOML, "'" + long + "' = 1\n'" + long + "' = 2\n"},
		{document.TOML, "a = 1" + digits + ".0e999\n"},
		{document.TOML, "a = 2024-01-02T" + digits + "\n"},
	} {
		if v, _ := decode(t, c.format, c.text); v != nil { // which looks at the length of messages
			t.Errorf("%s accepted: %.40q", formatName(c.format), c.text)
		}
	}
}
