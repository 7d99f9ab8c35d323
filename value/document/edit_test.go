package document_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/document"
)

// changes reads edits of the form path=json, one a line; without the json the path goes.
func changes(t *testing.T, text string) []document.Change {
	t.Helper()
	var all []document.Change
	for line := range strings.Lines(text) {
		path, json, set := strings.Cut(strings.TrimSpace(line), "=")
		p, err := value.ParsePath(path)
		if err != nil {
			t.Fatal(err)
		}
		c := document.Change{Path: p}
		if set {
			if c.Value, err = value.ParseJSON([]byte(json)); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, c)
	}
	return all
}

func TestEdit(t *testing.T) {
	for _, c := range []struct{ name, file, before, edits, after string }{
		{
			"a scalar keeps the comment on its line", "a.yaml",
			"# top\na:  1   # about a\nb: 2\n", "a=\"x\"", "# top\na:  x   # about a\nb: 2\n",
		},
		{
			"quotes stay as they are", "a.yaml",
			"a: 'x'\nb: \"x\"\nc: x\n", "a=\"it's\"\nb=\"y\"\nc=\"5\"", "a: 'it''s'\nb: \"y\"\nc: \"5\"\n",
		},
		{
			"carriage returns stay", "a.yaml",
			"a: 1\r\nb: 2 # b\r\nc:\r\n  d: 3\r\n", "b=5\nc.e={\"f\":1}", "a: 1\r\nb: 5 # b\r\nc:\r\n  d: 3\r\n  e:\r\n    f: 1\r\n",
		},
		{
			"what goes takes the comment above it along", "a.yaml",
			"# the file\n\n# about a\na: 1\n\n# about b\nb: 2\n\nc: 3\n", "b", "# the file\n\n# about a\na: 1\n\nc: 3\n",
		},
		{
			"the comment at the top is the file's", "a.yaml",
			"# the file\na: 1\nb: 2\n", "a", "# the file\nb: 2\n",
		},
		{
			"the last member leaves an empty map", "a.yaml",
			"a: # about a\n  b: 1\nc: 2\n", "a.b", "a: {} # about a\nc: 2\n",
		},
		{
			"all members leave an empty document", "a.yaml",
			"# the file\n\na: 1\n", "a", "# the file\n\n{}\n",
		},
		{
			"a map in the place of a scalar, and the other way", "a.yaml",
			"a: 1 # one\nb: # two\n  c: 1\n  # more\n\n# about d\nd: 3\n", "a={\"x\":[1,{\"y\":2}]}\nb=5",
			"a: # one\n  x:\n    - 1\n    - y: 2\nb: 5 # two\n\n# about d\nd: 3\n",
		},
		{
			"four spaces and flush lists", "a.yaml",
			"a:\n    b:\n    - 1\n", "a.c=[{\"d\":1,\"e\":[2]}]\nf={\"g\":1}",
			"a:\n    b:\n    - 1\n    c:\n    - d: 1\n      e:\n      - 2\nf:\n    g: 1\n",
		},
		{
			"flow collections", "a.yaml",
			"a: {b: 1, c: [1, 2], d: 3} # x\n", "a.b\na.c=[\"x,y\"]\na.e={\"f\":\"g\"}", "a: {c: [\"x,y\"], d: 3, e: {f: g}} # x\n",
		},
		{
			"a flow map on several lines", "a.yaml",
			"a: {\n  b: 1,\n  c: 2,\n  d: 3\n}\n", "a.c\na.e=4", "a: {\n  b: 1,\n  d: 3,\n  e: 4\n}\n",
		},
		{
			"text blocks", "a.yaml",
			"a: |\n  x\n  y\n\n# b\nb: >-\n  folded\n  text\nc: 1\n", "a=\"p\\nq\\n\"\nc=\"r\\ns\"", "a: |\n  p\n  q\n\n# b\nb: >-\n  folded\n  text\nc: |-\n  r\n  s\n",
		},
		{
			"items of lists", "a.yaml",
			"a:\n  - b: 1 # first\n    c: 2\n  - 5 # second\n", "a[0].b=7\na[0].d=8\na[1]=6", "a:\n  - b: 7 # first\n    c: 2\n    d: 8\n  - 6 # second\n",
		},
		{
			"the first member behind a dash goes", "a.yaml",
			"a:\n- b: 1\n  c: 2\n", "a[0].b", "a:\n- c: 2\n",
		},
		{
			"no line end at the end", "a.yaml", "a: 1\nb: 2", "c=3\na", "b: 2\nc: 3",
		},
		{
			"an empty file", "a.yaml", "# nothing yet\n", "a.b=1", "# nothing yet\na:\n  b: 1\n",
		},
		{
			"keys that need quotes", "a.yaml", "a: 1\n", "[\"x: y\"]=1\nno=\"no\"\n[\"5\"]=5", "a: 1\n5: 5\n\"no\": \"no\"\n\"x: y\": 1\n",
		},
		{
			"a key with spaces before its colon", "a.yaml", "a : 1\nb : {c : 2}\n", "a=2\nb.c=3", "a : 2\nb : {c : 3}\n",
		},
		{
			"JSON on one line", "a.json",
			"{\"a\": 1, \"b\": {\"c\": [1, 2]}, \"d\": null}\n", "a\nb.c=[1]\nb.e=\"x\"\nf=true", "{\"b\": {\"c\": [1], \"e\": \"x\"}, \"d\": null, \"f\": true}\n",
		},
		{
			"JSON on several lines", "a.json",
			"{\n\t\"a\": 1,\n\t\"b\": {\n\t\t\"c\": 2\n\t}\n}\n", "a\nb.d={\"e\":[1,2]}\nf={}",
			"{\n\t\"b\": {\n\t\t\"c\": 2,\n\t\t\"d\": {\n\t\t\t\"e\": [1, 2]\n\t\t}\n\t},\n\t\"f\": {}\n}\n",
		},
		{
			"JSON without spaces", "a.json", `{"a":1,"b":2}`, "a=3\nc=4", `{"a":3,"b":2,"c":4}`,
		},
		{
			"TOML", "a.toml",
			"# top\na = 1 # one\nb.c = 'x'\n\n# a table\n[d]\ne = [1, 2]\n\n[d.f]\ng = {h = 1}\n", "a=2\nb.c=\"y\"\nb.d=5\nd.e=[3]\nd.f.g.i=true\nd.x=1.5\nz={\"y\":{\"x\":1},\"w\":2}",
			"# top\na = 2 # one\nb.c = 'y'\nb.d = 5\n\n# a table\n[d]\ne = [3]\nx = 1.5\n\n[d.f]\ng = {h = 1, i = true}\n\n[z]\nw = 2\n\n[z.y]\nx = 1\n",
		},
		{
			"TOML tables go", "a.toml",
			"[a]\nb = 1\n\n# about c\n[a.c]\nd = 1\n\n[e]\nf = 1\n", "a.c", "[a]\nb = 1\n\n[e]\nf = 1\n",
		},
		{
			"TOML arrays of tables", "a.toml",
			"[[a]]\nb = 1\n[a.c]\nd = 1\n[[a]]\nb = 2\n", "a[0].c.d=5\na[0].e=6\na[1].b=7\na[1].f={\"g\":1}",
			"[[a]]\nb = 1\ne = 6\n[a.c]\nd = 5\n[[a]]\nb = 7\n\n[a.f]\ng = 1\n",
		},
		{
			"an empty TOML table", "a.toml", "[a.b]\nc = 1\n", "a.b.c", "[a.b]\n",
		},
		{
			"another value in the place of an alias", "a.yaml", "a: &x {b: 1}\nc: *x # c\nd: *x\n", "c=5\nd", "a: &x {b: 1}\nc: 5 # c\n",
		},
		{
			"an anchor goes with all that names it", "a.yaml", "a: &x {b: 1}\nc: *x\nd: 1\n", "a\nc", "d: 1\n",
		},
		{
			"a byte order mark stays", "a.yaml", "\ufeffa: 1\n", "a=2", "\ufeffa: 2\n",
		},
		{
			"nothing to do", "a.yaml", "a:   {b :  1}\n", "a.b=1\nc", "a:   {b :  1}\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := document.Edit(c.file, []byte(c.before), changes(t, c.edits))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.after, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestEditRefuses(t *testing.T) {
	for _, c := range []struct{ name, file, before, edits, want string }{
		{"an alias", "a.yaml", "a: &x {b: 1}\nc: *x\n", "c.b=2", "a.yaml:2:4: c: the value is an alias, and a part"},
		{"an anchor that is named elsewhere", "a.yaml", "a: &x 1\nc: *x\n", "a=2", "a.yaml:1:4: a: an anchor stands in the value, which line 2 names by an alias"},
		{"a value that is shared", "a.yaml", "a: &x\n  b: 1\nc: *x\n", "a.b=2", "a.yaml:2:6: c.b: this value would change, too"},
		{"a merge key", "a.yaml", "a: &x {b: 1}\nc:\n  <<: *x\n  d: 2\n", "c.b", "a.yaml:3:3: c.b: the value comes from a merge key <<"},
		{"a question mark", "a.yaml", "? a\n: 1\nb: 2\n", "a=5", "a.yaml:1:3: a: the key is written in a way that is not edited"},
		{"comments in brackets", "a.yaml", "a: {\n  b: 1, # one\n  c: 2\n}\n", "a.b", "a.yaml:1:4: a: comments stand between the values in brackets"},
		{"an item alone", "a.yaml", "a: [1, 2]\n", "a[1]", "a.yaml:1:8: a[1]: an item of a list cannot come or go alone; change the whole list, or an item that it has"},
		{"a broken file", "a.yaml", "a: 1\nb: [\n", "a=2", "a.yaml:3:1: the file cannot be read: "},
		{"null in TOML", "a.toml", "a = 1\n", "a=null", "a.toml:1:5: a: TOML has no null"},
		{"dotted keys in braces", "a.toml", "a = {b.c = 1, b.d = 2}\n", "a.b.c=2", "a.toml:1:6: a.b: the key is written in a way that is not edited"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := document.Edit(c.file, []byte(c.before), changes(t, c.edits))
			var refused *document.EditError
			if !errors.As(err, &refused) || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%s, %v", got, err)
			}
		})
	}
}

func TestRestore(t *testing.T) {
	for _, c := range []struct{ name, file, before, original, paths, after string }{
		{
			"a value comes back with the comment on its line", "a.yaml",
			"# new\na: 5 # now\nb:   9\n", "# old\na: 1   # was\nb: 2\n", "a", "# new\na: 1   # was\nb:   9\n",
		},
		{
			"a map comes back as it was written, and where it stood", "a.yaml",
			"a: 1\nd: 5 # five\n", "a: 1\n\n# about b\nb: # b\n    # about c\n    c:  'x'\n\nd: 4\n", "b", "a: 1\n\n# about b\nb: # b\n    # about c\n    c:  'x'\n\nd: 5 # five\n",
		},
		{
			"a part of a map that is gone comes back alone", "a.yaml",
			"d: 4\n", "d: 3\n# about a\na: # a\n  b: 1 # b\n  # about c\n  c: 2 # c\n", "a.c", "d: 4\n# about a\na: # a\n  # about c\n  c: 2 # c\n",
		},
		{
			"what was not there goes, with a comment that was not there", "a.yaml",
			"# kept\na: 1\n\n# kept, too\n# new\nb: 2\nc: 3\n", "# kept\na: 1\n\n# kept, too\nc: 3\n", "b", "# kept\na: 1\n\n# kept, too\nc: 3\n",
		},
		{
			"a map that was not there goes with its last member", "a.yaml", "a: 1\nb:\n  c:\n    d: 1\n", "a: 2\n", "b.c.d", "a: 1\n",
		},
		{
			"other line ends and indentation", "a.yaml",
			"a:\r\n    b:\r\n    - 1\r\n", "a:\n  b:\n    - 1 # one\n    # and\n    - x: |\n        text\n", "a.b", "a:\r\n    b:\r\n      - 1 # one\r\n      # and\r\n      - x: |\r\n          text\r\n",
		},
		{
			"a list of the same length, item by item", "a.yaml",
			"a:\n- 1 # new note\n- 5\n", "a:\n- 1\n- 2 # two\n", "a", "a:\n- 1 # new note\n- 2 # two\n",
		},
		{
			"an alias of the original is written out", "a.yaml",
			"a: 1\nb: 2\n", "x: &x {y: 1}\na: 1\nb: *x\n", "b", "a: 1\nb:\n  y: 1\n",
		},
		{
			"from brackets into lines, and the other way", "a.yaml",
			"a:\n  b: 1\nc: {d: 1}\n", "a: {b: 2}\nc:\n  d: [3, 4] # d\n", "a.b\nc.d", "a:\n  b: 2\nc: {d: [3, 4]}\n",
		},
		{
			"JSON", "a.json",
			"{\n  \"a\": 1,\n  \"d\": 4\n}\n", "{\n    \"a\":  0,\n    \"b\": {\n        \"c\": [1,2]\n    },\n    \"d\": 3\n}\n", "b", "{\n  \"a\": 1,\n  \"b\": {\n      \"c\": [1,2]\n  },\n  \"d\": 4\n}\n",
		},
		{
			"TOML", "a.toml",
			"# new\n[b]\nc = 1\n\n[d]\ne = 5\n", "# old\na = 0x1F # a\n\n[b]\nc = 1\n\n# about x\n[b.x] # x\ny = 'z'\n\n[d]\nf = [\n  1, # one\n]\ne = 4\n", "a\nb.x\nd.f",
			"# new\na = 0x1F # a\n\n[b]\nc = 1\n\n# about x\n[b.x] # x\ny = 'z'\n\n[d]\nf = [\n  1, # one\n]\ne = 5\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var paths []value.Path
			for _, change := range changes(t, c.paths) {
				paths = append(paths, change.Path)
			}
			got, err := document.Restore(c.file, []byte(c.before), []byte(c.original), paths)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.after, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
