package document_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	toml "github.com/pelletier/go-toml/v2"

	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/document"
)

// fuzzLimits are small, so that a fuzzer finds the bounds.
var fuzzLimits = document.Limits{MaxBytes: 1 << 14, MaxNodes: 2000, MaxKeys: 200}

// breaks ends lines as YAML does. Where YAML's parser names no place, and in the other formats, only a newline ends one.
var breaks = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n")

// extent answers whether a place is inside a document, the one after its last character included.
func extent(format document.Format, data []byte) func(line, column int) bool {
	text := string(bytes.ToValidUTF8(bytes.TrimPrefix(data, []byte("\ufeff")), []byte("?")))
	inside := func(lines []string, line, column int) bool {
		return line >= 1 && line <= len(lines) && column >= 1 && column <= utf8.RuneCountInString(lines[line-1])+1
	}
	lines, yamlLines := strings.Split(text, "\n"), strings.Split(breaks.Replace(text), "\n")
	return func(line, column int) bool {
		return inside(lines, line, column) || format == document.YAML && inside(yamlLines, line, column)
	}
}

// check holds what must be true of every document, good or bad.
func check(t *testing.T, format document.Format, data []byte) (*value.Value, []document.Problem) {
	t.Helper()
	v, problems := document.Decode(&value.File{Path: "f"}, format, data, fuzzLimits)
	wellFormed(t, v, problems)
	inside := extent(format, data)
	for _, p := range problems {
		// Bytes that are no text have no characters to count.
		if p.Rule != "encoding" && !inside(p.Line, p.Column) {
			t.Errorf("outside the document: %+v", p)
		}
	}
	if v == nil {
		return nil, problems
	}
	if v.Kind() != value.Map {
		t.Errorf("the root is a %v", v.Kind())
	}
	standsInside(t, v, inside)
	again, err := value.ParseJSON(v.AppendJSON(nil))
	if err != nil || !value.Equal(v, again) {
		t.Errorf("its JSON reads as %v, %v: %s", again, err, v)
	}
	return v, problems
}

func standsInside(t *testing.T, v *value.Value, inside func(line, column int) bool) {
	t.Helper()
	if p := v.Pos(); p.File != "f" || !inside(p.Line, p.Column) {
		t.Errorf("%v stands outside the document, at %+v", v, p)
	}
	for _, e := range v.Entries() {
		standsInside(t, e.Value, inside)
	}
}

func FuzzYAML(f *testing.F) {
	for _, seed := range []string{
		"", "# c\n", "a: 1\n", "\ufeffa: {b: [1, 2.5, no, ~, 'x', \"\\u00e9\"]}\r\n", "a: &x {b: 1}\nc: *x\nd: {<<: [*x, {e: 2}], f: 3}\n",
		"a: &a [*a]\n", "a: &a {<<: *a}\n", "a: !!float 3\nb: !!int '5'\nc: !!timestamp 2024-01-02\nd: !x y\n", "? [a]\n: {b}\n", "? a\n? b\n",
		"a: |+2\n    x\n\nb: >-\n  y\n  z\n", "a: 1\n---\nb: 2\n...\n", "%YAML 1.1\n%TAG ! tag:x,2000:\n---\na: !y 1\n", "010: 1\n0x1: 2\n1e3: 3\n",
		"a: 0o17\nb: 0b1\nc: 1_0\nd: .5\ne: 1e400\nf: 0xFFFFFFFFFFFFFFFFFFFF\ng: 2024-1-2 3:4:5\n", "- a\n- b\n", "&a a: *a\n", "\"a\\nb\": 1\n", "a: \x01\n", "a: b: c\n",
		"é: [日本, 😀]\n\u2028b: 1\n", "a:\n\tb: 1\n", "? 0", "\r\a", "a: 'x\n\n  y'\n", "{a: 1, b, ? c : d, [e]: f}", "<<: {a: 1}\n<<: {b: 1}\n", "a: *é\n", listLaughs(5, 4), mergeLaughs(5, 4), nested(document.YAML, 65),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) { check(t, document.YAML, data) })
}

func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		"", " ", "{}", "[]", "null", "5", `"x"`, "}", "\ufeff{\"a\": 1}", `{"a": [1, -2.5e3, true, false, null, "x\u00e9\n\ud83d\ude00", {"b": {}}, []]}`,
		`{"a": 1, "a": 2}`, `{"a": 1,}`, `{"a" 1}`, `{"a": 01}`, `{"a": 1e400, "b": 99999999999999999999}`, `{"a": "\ud800"}`, `{"a": "\q"}`, "{\"é\": \"日本\",\r\n\"b\": 1}",
		`{} {}`, `{"a": [1, 2`, `{"$redacted": true, "fp": "x"}`, `{"a": {"$patch": "delete"}}`, "{\"a\": \"x\ny\"}", `{"a": tru}`, "// c\n{}", `{1: 2}`, nested(document.JSON, 65),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) { check(t, document.JSON, data) })
}

func FuzzTOML(f *testing.F) {
	for _, c := range tomlTables {
		f.Add([]byte(c.text))
	}
	for _, seed := range []string{
		"", "# c\n", "\ufeffa = 1\r\n", "a = [1, 2.5, true, 'x', \"\\u00e9\", [], {b = 1}]\n", "a = 0x1F\nb = 0o17\nc = 0b1\nd = 1_0\ne = nan\nf = 1e400\n",
		"a = 2024-01-02T03:04:05Z\nb = 07:32\nc = 2024-01-02 03:04\nd = 2024-02-30\n", "a = '''\nx\ny'''\nb = \"\"\"\\\n  z\"\"\"\n", "'é' = '日本'\n", "a = \n", "[a\n", "[[a]\n", "a = {b = 1,\n c.d = 2}\n",
		nested(document.TOML, 65),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, problems := check(t, document.TOML, data)
		// The library's own decoding agrees on what is TOML. It does not know our byte order mark.
		var into map[string]any
		err := toml.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &into)
		var decodeError *toml.DecodeError
		if v != nil && errors.As(err, &decodeError) {
			t.Errorf("accepted, but the library says: %v", err)
		}
		for _, p := range problems {
			if err == nil && slices.Contains([]string{"tomlSyntax", "duplicateKey", "badTime"}, p.Rule) {
				t.Errorf("the library accepts it: %+v", p)
			}
		}
	})
}
