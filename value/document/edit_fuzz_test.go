package document_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/document"
)

// fuzzEdit edits and restores what strangers wrote: it says what was asked for, or says why not, and never gives up.
func fuzzEdit(f *testing.F, file string, seeds ...string) {
	for _, seed := range seeds {
		for _, other := range seeds[:2] {
			f.Add([]byte(seed), []byte(other), uint(1))
			f.Add([]byte(other), []byte(seed), uint(2))
		}
	}
	f.Fuzz(func(t *testing.T, data, original []byte, which uint) {
		old, _ := document.Decode(&value.File{Path: file}, document.FormatOf(file), data, document.Limits{})
		was, _ := document.Decode(&value.File{Path: file}, document.FormatOf(file), original, document.Limits{})
		if old == nil || was == nil {
			return
		}
		members, _, items := paths(old)
		comes, _, _ := paths(was)
		all := append(append(append(members, items...), comes...), value.Path{"new"})
		path := all[which%uint(len(all))]
		to := value.NewString("x: # y\n", value.Place{})
		asked(t, file, path, to)(document.Edit(file, data, []document.Change{{Path: path, Value: to}}))
		asked(t, file, path, nil)(document.Edit(file, data, []document.Change{{Path: path}}))
		to, _ = was.At(path)
		asked(t, file, path, to)(document.Restore(file, data, original, []value.Path{path}))
	})
}

// asked checks the answer of an edit.
func asked(t *testing.T, file string, path value.Path, want *value.Value) func([]byte, error) {
	return func(text []byte, err error) {
		t.Helper()
		var refused *document.EditError
		if err != nil {
			if !errors.As(err, &refused) || refused.Message == "" || refused.Hint == "" || strings.Contains(refused.Message, "gave up") {
				t.Errorf("%v", err)
			}
			return
		}
		v, problems := document.Decode(&value.File{Path: file}, document.FormatOf(file), text, document.Limits{})
		if v == nil {
			t.Fatalf("it cannot be read any more: %v\n%s", problems, text)
		}
		if got, ok := v.At(path); ok != (want != nil) || ok && !value.Equal(got, want) {
			t.Errorf("at %v: %v\n%s", path, got, text)
		}
	}
}

func FuzzEditYAML(f *testing.F) {
	fuzzEdit(f, "a.yaml", "a: 1\nb: {c: [1, {d: 2}], e: x}\n\n# f\nf:\n- g: |\n    h\n  i: 'j'\n- - k\n", "# a\n\na: &x {b: 1} # c\nc: *x\nd:\n  <<: *x\n  e: \"f\n    g\"\n",
		"", "{}\n", "---\n# c\n? a\n: b\n...\n", "a: !!str 5\nb: !!map\n  c: 1\n", "\ufeffa: >-2\n    x\n\r\nb:\r\n  - 1\r\n", "{a: 1,\n b: {c: 2}, # d\n e: [f: 1]}\n", "é: {ü: [日本, x]}\n", "a:\n  # b\n\n  c: |+\n    x\n\n\nd:", "? a\n? b\n", "a:\n-\n- \n-   - b: 1\n", "\"a\" : 1\n'b' : 2\n*x : 3\n")
}

func FuzzEditJSON(f *testing.F) {
	fuzzEdit(f, "a.json", `{"a": 1, "b": {"c": [1, {"d": 2}]}}`, "{\n\t\"a\": {\n\t\t\"b\": 1,\n\t\t\"c\": []\n\t},\n\t\"d\": \"e\\u00e9\"\n}\n", "", "{ }", "{\"a\"\n:\n1\n,\"b\":{}\r\n}", "\ufeff{\"\\u0061\":null}")
}

func FuzzEditTOML(f *testing.F) {
	fuzzEdit(f, "a.toml", "a = 1\n[b]\nc = [1, {d = 2}]\n\n# e\n[[b.e]]\nf = 'g'\n[[b.e]]\n[b.e.h]\ni.j = 1\n", "a.b.c = 1 # d\na.b.d = {e = 1, f.g = 2}\n['h i'.\"j\"]\nk = '''\nl'''\n", "", "# c\n",
		"[a.b.c]\n[a]\nb.d = 1\n", "a = [ # b\n  1,\n]\r\n", "a = 1979-05-27 07:32:00\nb = {\n  c = 1,\n}\n", "[ a . b ]\nc . d = 1\n[[ e ]]\n")
}
