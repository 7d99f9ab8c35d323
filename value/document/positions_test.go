package document_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/document"
)

// places lists every value of a tree as path=line:column.
func places(v *value.Value) string {
	var b strings.Builder
	var walk func(v *value.Value, path value.Path)
	walk = func(v *value.Value, path value.Path) {
		fmt.Fprintf(&b, "%s=%d:%d\n", path.Pointer(), v.Pos().Line, v.Pos().Column)
		for i, e := range v.Entries() {
			key := e.Key
			if v.Kind() == value.List {
				key = fmt.Sprint(i)
			}
			walk(e.Value, append(path, key))
		}
	}
	walk(v, nil)
	return b.String()
}

// A scalar stands at itself, a map or a list at its key, or at itself where it has none.
func TestPositions(t *testing.T) {
	for _, c := range []struct {
		name   string
		format document.Format
		text   string
		want   string
	}{
		{
			"yaml block", document.YAML,
			"# comment\na: 1\nb:\n  c: two\n  d:\n    - x\n    - w: 1\n      z: 2\n",
			"=2:1 /a=2:4 /b=3:1 /b/c=4:6 /b/d=5:3 /b/d/0=6:7 /b/d/1=7:7 /b/d/1/w=7:10 /b/d/1/z=8:10",
		},
		{
			"yaml flow", document.YAML,
			"a: {b: [1, {c: 2}], d: \"x\"}\n",
			"=1:1 /a=1:1 /a/b=1:5 /a/b/0=1:9 /a/b/1=1:12 /a/b/1/c=1:16 /a/d=1:24",
		},
		{
			"yaml block strings and empty values", document.YAML,
			"a: |\n  x\n  y\nb:\nc: 'z'\n",
			"=1:1 /a=1:4 /b=4:3 /c=5:4",
		},
		{
			"yaml alias", document.YAML,
			"a: &x\n  b: 1\nc: *x\nd: {<<: *x, e: 2}\n",
			"=1:1 /a=1:1 /a/b=2:6 /c=3:1 /c/b=2:6 /d=4:1 /d/b=2:6 /d/e=4:16",
		},
		{
			"yaml tags and anchors", document.YAML,
			"a: !!str 5\nb: &x 6\n",
			"=1:1 /a=1:4 /b=2:4",
		},
		{
			"json one line", document.JSON,
			`{"a": 1, "b": {"c": [true, {"d": null}]}, "e":"x"}`,
			"=1:1 /a=1:7 /b=1:10 /b/c=1:16 /b/c/0=1:22 /b/c/1=1:28 /b/c/1/d=1:34 /e=1:47",
		},
		{
			"json many lines", document.JSON,
			"\n {\n  \"a\"\n :\n   1,\n\t\"b\": [\n[\n2]]}",
			"=2:2 /a=5:4 /b=6:2 /b/0=7:1 /b/0/0=8:1",
		},
		{
			"toml tables", document.TOML,
			"a = 1\n\n[b]\nc = 'x'\n  [b.d.e]\n  f = true\n",
			"=1:1 /a=1:5 /b=3:2 /b/c=4:5 /b/d=5:6 /b/d/e=5:8 /b/d/e/f=6:7",
		},
		{
			"toml dotted", document.TOML,
			"a.b.c = 1\na.b.d = 2\n",
			"=1:1 /a=1:1 /a/b=1:3 /a/b/c=1:9 /a/b/d=2:9",
		},
		{
			"toml inline", document.TOML,
			"a = {b = 1, c = {d = [1, 'x']}}\n",
			"=1:1 /a=1:1 /a/b=1:10 /a/c=1:13 /a/c/d=1:18 /a/c/d/0=1:23 /a/c/d/1=1:26",
		},
		{
			"toml array of tables", document.TOML,
			"[[a]]\nb = 1\n[[a]]\nb = 2\n[[a.c]]\n",
			"=1:1 /a=1:3 /a/0=1:3 /a/0/b=2:5 /a/1=3:3 /a/1/b=4:5 /a/1/c=5:5 /a/1/c/0=5:5",
		},
		{
			"toml static array of tables", document.TOML,
			"a = [\n  {b = 1},\n  {b = 2},\n]\n",
			"=1:1 /a=1:1 /a/0=2:3 /a/0/b=2:8 /a/1=3:3 /a/1/b=3:8",
		},
		{
			"yaml not ASCII", document.YAML,
			"é: {ü: [日本, x]}\n",
			"=1:1 /é=1:1 /é/ü=1:5 /é/ü/0=1:9 /é/ü/1=1:13",
		},
		{
			"json not ASCII", document.JSON,
			`{"é": {"ü": ["日本", "😀", 1]}}`,
			"=1:1 /é=1:2 /é/ü=1:8 /é/ü/0=1:14 /é/ü/1=1:20 /é/ü/2=1:25",
		},
		{
			"toml not ASCII", document.TOML,
			"'é' = {'ü' = ['日本', '😀', 1]}\n",
			"=1:1 /é=1:1 /é/ü=1:8 /é/ü/0=1:15 /é/ü/1=1:21 /é/ü/2=1:26",
		},
		{
			"yaml carriage returns", document.YAML,
			"# x\r\na: 1\r\nb:\r\n  c: |\r\n    x\r\n  d: 2\r\n",
			"=2:1 /a=2:4 /b=3:1 /b/c=4:6 /b/d=6:6",
		},
		{
			"json carriage returns", document.JSON,
			"{\r\n\"a\": 1,\r\n \"b\": [\r\n2]}\r\n",
			"=1:1 /a=2:6 /b=3:2 /b/0=4:1",
		},
		{
			"toml carriage returns", document.TOML,
			"# x\r\na = 1\r\n[b]\r\nc = '''\r\nx'''\r\nd = 2\r\n",
			"=1:1 /a=2:5 /b=3:2 /b/c=4:5 /b/d=6:5",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, mark := range []string{"", "\ufeff"} {
				v := accepted(t, c.format, mark+c.text)
				want := strings.ReplaceAll(c.want, " ", "\n") + "\n"
				if diff := cmp.Diff(want, places(v)); diff != "" {
					t.Errorf("with mark %q (-want +got):\n%s", mark, diff)
				}
				if v.Pos().File != "f" {
					t.Errorf("file %q", v.Pos().File)
				}
			}
		})
	}
}

// Line ends are no part of what is read.
func TestCarriageReturnsInStrings(t *testing.T) {
	for format, text := range map[document.Format]string{
		document.YAML: "a: |\r\n  x\r\n  y\r\n",
		document.JSON: "{\r\n\"a\": \"x\\ny\\n\"}",
	} {
		if got := accepted(t, format, text).String(); got != `{"a":"x\ny\n"}` {
			t.Errorf("%s: %s", formatName(format), got)
		}
	}
}
