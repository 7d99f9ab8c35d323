package document_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/document"
)

// finding is what tests expect of a problem; messages and hints are held to rules of their own.
type finding struct {
	Line, Column int
	Rule         string
	Warning      bool
}

func problem(line, column int, rule string) finding { return finding{line, column, rule, false} }
func warning(line, column int, rule string) finding { return finding{line, column, rule, true} }

func decode(t *testing.T, format document.Format, text string) (*value.Value, []document.Problem) {
	t.Helper()
	return decodeWithin(t, format, text, document.Limits{})
}

func decodeWithin(t *testing.T, format document.Format, text string, limits document.Limits) (*value.Value, []document.Problem) {
	t.Helper()
	v, problems := document.Decode(&value.File{Path: "f"}, format, []byte(text), limits)
	wellFormed(t, v, problems)
	return v, problems
}

// wellFormed holds what every answer of Decode promises.
func wellFormed(t *testing.T, v *value.Value, problems []document.Problem) {
	t.Helper()
	refused := false
	for _, p := range problems {
		refused = refused || !p.Warning
		if p.Line < 1 || p.Column < 1 || p.Rule == "" || p.Message == "" || p.Hint == "" {
			t.Errorf("incomplete problem: %+v", p)
		}
		if len(p.Message) > 200 {
			t.Errorf("message of %d bytes: %s", len(p.Message), p.Message)
		}
		if p.Rule == "parserPanic" {
			t.Error("a parser panicked")
		}
	}
	if refused == (v != nil) {
		t.Errorf("refused: %t, but there is a value: %t; problems: %v", refused, v != nil, problems)
	}
	if len(problems) > 100 {
		t.Errorf("%d problems", len(problems))
	}
}

// accepted decodes a document that must be taken without any finding, and answers it as JSON.
func accepted(t *testing.T, format document.Format, text string) *value.Value {
	t.Helper()
	v, problems := decode(t, format, text)
	if len(problems) > 0 {
		t.Fatalf("%q: %v", text, problems)
	}
	return v
}

func findings(problems []document.Problem) []finding {
	var got []finding
	for _, p := range problems {
		got = append(got, finding{p.Line, p.Column, p.Rule, p.Warning})
	}
	return got
}

func expect(t *testing.T, problems []document.Problem, want ...finding) {
	t.Helper()
	if diff := cmp.Diff(want, findings(problems)); diff != "" {
		t.Errorf("findings (-want +got):\n%s\n%v", diff, problems)
	}
}

func formatName(f document.Format) string {
	return [...]string{"unknown", "yaml", "json", "toml"}[f]
}

func TestFormatOf(t *testing.T) {
	for name, want := range map[string]document.Format{
		"a.yaml": document.YAML, "a.yml": document.YAML, "A.YAML": document.YAML, "x/y.json": document.JSON, "a.b.toml": document.TOML,
		"a.txt": document.Unknown, "yaml": document.Unknown, "a.yaml/b": document.Unknown, "": document.Unknown,
	} {
		if got := document.FormatOf(name); got != want {
			t.Errorf("FormatOf(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestUnknownFormat(t *testing.T) {
	_, problems := decode(t, document.Unknown, "a: 1")
	expect(t, problems, problem(1, 1, "unknownFormat"))
}

// Every format must take as much, so that a file can change its format.
func TestFormatsAgree(t *testing.T) {
	texts := map[document.Format]string{
		document.YAML: "a: 1\nb: 1.5\nc: [x, true, {d: -7}]\ne: {f: {g: \"\"}}\nh: [[1], []]\n",
		document.JSON: `{"a": 1, "b": 1.5, "c": ["x", true, {"d": -7}], "e": {"f": {"g": ""}}, "h": [[1], []]}`,
		document.TOML: "a = 1\nb = 1.5\nc = ['x', true, {d = -7}]\nh = [[1], []]\n[e]\nf.g = ''\n",
	}
	want := `{"a":1,"b":1.5,"c":["x",true,{"d":-7}],"e":{"f":{"g":""}},"h":[[1],[]]}`
	const nodes = 15
	for format, text := range texts {
		t.Run(formatName(format), func(t *testing.T) {
			if got := accepted(t, format, text).String(); got != want {
				t.Errorf("got %s", got)
			}
			if _, problems := decodeWithin(t, format, text, document.Limits{MaxNodes: nodes}); len(problems) > 0 {
				t.Errorf("with just enough room: %v", problems)
			}
			_, problems := decodeWithin(t, format, text, document.Limits{MaxNodes: nodes - 1})
			if len(problems) != 1 || problems[0].Rule != "tooManyNodes" {
				t.Errorf("with one too little: %v", problems)
			}
		})
	}
}

// nested is a document whose deepest scalar lies so many levels below the root.
func nested(format document.Format, depth int) string {
	switch format {
	case document.YAML:
		return strings.Repeat("{a: ", depth) + "1" + strings.Repeat("}", depth)
	case document.JSON:
		return strings.Repeat(`{"a": `, depth) + "1" + strings.Repeat("}", depth)
	default:
		return strings.Repeat("a.", depth-1) + "a = 1"
	}
}

func TestDepth(t *testing.T) {
	for _, format := range []document.Format{document.YAML, document.JSON, document.TOML} {
		t.Run(formatName(format), func(t *testing.T) {
			deepest := accepted(t, format, nested(format, value.MaxDepth))
			if _, err := value.ParseJSON([]byte(deepest.String())); err != nil {
				t.Errorf("its JSON cannot be read again: %v", err)
			}
			_, problems := decode(t, format, nested(format, value.MaxDepth+1))
			if len(problems) != 1 || problems[0].Rule != "tooDeep" || problems[0].Line != 1 {
				t.Errorf("got %v", problems)
			}
		})
	}
}

// In TOML depth is made of several parts, none of which need be deep.
func TestDepthOfTOMLParts(t *testing.T) {
	head := strings.Repeat("a.", 39) + "a"
	for name, text := range map[string]string{
		"header and dotted key":     "[" + head + "]\n" + head + " = 1",
		"header and list":           "[" + head + "]\nx = " + strings.Repeat("[", 40) + strings.Repeat("]", 40),
		"header and inline table":   "[" + head + "]\nx = " + strings.Repeat("{a = ", 40) + "1" + strings.Repeat("}", 40),
		"header and header":         "[" + head + "]\n[" + head + "." + head + "]",
		"arrays of tables":          "[[" + head + "]]\n[[" + head + "." + head + "]]",
		"array of tables and value": "[[" + head + "]]\n" + head + " = 1",
		"many keys":                 strings.Repeat("a.", 500_000) + "a = 1",
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := decode(t, document.TOML, text)
			if len(problems) != 1 || problems[0].Rule != "tooDeep" {
				t.Errorf("got %v", problems)
			}
		})
	}
}

func TestBounds(t *testing.T) {
	manyKeys := func(entry, sep string) string {
		var keys []string
		for i := range 11 {
			keys = append(keys, fmt.Sprintf(entry, i))
		}
		return strings.Join(keys, sep)
	}
	for _, c := range []struct {
		name   string
		format document.Format
		text   string
		limits document.Limits
		rule   string
	}{
		{"bytes yaml", document.YAML, "a: 12345678", document.Limits{MaxBytes: 10}, "fileTooLarge"},
		{"bytes json", document.JSON, `{"a": 123456}`, document.Limits{MaxBytes: 10}, "fileTooLarge"},
		{"bytes toml", document.TOML, "a = 1234567", document.Limits{MaxBytes: 10}, "fileTooLarge"},
		{"default bytes", document.YAML, "a: " + strings.Repeat("x", document.DefaultMaxBytes), document.Limits{}, "fileTooLarge"},
		{"keys yaml", document.YAML, manyKeys("k%d: 1", "\n"), document.Limits{MaxKeys: 10}, "tooManyKeys"},
		{"keys yaml merged", document.YAML, "<<: {" + manyKeys("k%d: 1", ", ") + "}", document.Limits{MaxKeys: 10}, "tooManyKeys"},
		{"keys yaml own and merged", document.YAML, "a: 1\n<<: [{b: 1}, {c: 1}]", document.Limits{MaxKeys: 2}, "tooManyKeys"},
		{"keys json", document.JSON, "{" + manyKeys(`"k%d": 1`, ",") + "}", document.Limits{MaxKeys: 10}, "tooManyKeys"},
		{"keys toml", document.TOML, manyKeys("k%d = 1", "\n"), document.Limits{MaxKeys: 10}, "tooManyKeys"},
		{"keys toml inline", document.TOML, "a = {" + manyKeys("k%d = 1", ",") + "}", document.Limits{MaxKeys: 10}, "tooManyKeys"},
		{"keys toml headers", document.TOML, manyKeys("[a.k%d]", "\n"), document.Limits{MaxKeys: 10}, "tooManyKeys"},
		{"default keys", document.JSON, func() string {
			var b strings.Builder
			for i := range document.DefaultMaxKeys + 1 {
				fmt.Fprintf(&b, `,"%d":1`, i)
			}
			return "{" + b.String()[1:] + "}"
		}(), document.Limits{}, "tooManyKeys"},
		{"nodes toml tables", document.TOML, strings.Repeat("[[a]]\n", 20), document.Limits{MaxNodes: 10}, "tooManyNodes"},
		{"key length yaml", document.YAML, strings.Repeat("k", 257) + ": 1", document.Limits{}, "keyTooLong"},
		{"key length json", document.JSON, `{"` + strings.Repeat("k", 257) + `": 1}`, document.Limits{}, "keyTooLong"},
		{"key length toml", document.TOML, strings.Repeat("k", 257) + " = 1", document.Limits{}, "keyTooLong"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, problems := decodeWithin(t, c.format, c.text, c.limits)
			if len(problems) != 1 || problems[0].Rule != c.rule {
				t.Errorf("got %v", problems)
			}
		})
	}
}

// A document that stands right at its bounds is good.
func TestJustWithinBounds(t *testing.T) {
	for format, text := range map[document.Format]string{
		document.YAML: "a: 1\nb: 2\n", document.JSON: `{"a":1, "b":2}`, document.TOML: "a = 1\nb = 2\n",
	} {
		limits := document.Limits{MaxBytes: len(text), MaxNodes: 3, MaxKeys: 2}
		if _, problems := decodeWithin(t, format, text, limits); len(problems) > 0 {
			t.Errorf("%s: %v", formatName(format), problems)
		}
	}
}

// A refusal must be explained even after more warnings than are kept.
func TestErrorAfterManyWarnings(t *testing.T) {
	var b strings.Builder
	for i := range 150 {
		fmt.Fprintf(&b, "k%d: no\n", i)
	}
	b.WriteString("x: !secret y\n")
	_, problems := decode(t, document.YAML, b.String())
	if last := problems[len(problems)-1]; len(problems) != 100 || last.Rule != "unknownTag" || last.Line != 151 {
		t.Errorf("%d problems, the last is %+v", len(problems), problems[len(problems)-1])
	}
}

func TestManyErrorsEndTheReading(t *testing.T) {
	for format, text := range map[document.Format]string{
		document.YAML: strings.Repeat("a: 1\n", 40_000),
		document.JSON: "{" + strings.Repeat(`"a":1,`, 150_000) + `"a":1}`,
		document.TOML: strings.Repeat("a=1\n", 150_000),
	} {
		_, problems := decode(t, format, text)
		if len(problems) != 100 || problems[99].Rule != "duplicateKey" {
			t.Errorf("%s: %d problems", formatName(format), len(problems))
		}
	}
}

// Documents of one long line or of many small parts must not take quadratic time. The bound is wide: quadratic is minutes.
func TestLargeDocumentsAreFast(t *testing.T) {
	for _, c := range []struct {
		name   string
		format document.Format
		text   string
	}{
		{"json one line", document.JSON, `{"a":[` + strings.Repeat("1,", 400_000) + "1]}"},
		{"toml one line", document.TOML, "a=[" + strings.Repeat("1,", 400_000) + "1]"},
		{"toml array of tables", document.TOML, strings.Repeat("[[a]]\nb=1\n", 90_000)},
		{"yaml one line", document.YAML, "a: [" + strings.Repeat("a,", 400_000) + "]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			decode(t, c.format, c.text)
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}
