package value_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/value"
)

func pattern(t testing.TB, text string) value.Pattern {
	t.Helper()
	p, err := value.ParsePattern(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func patterns(t testing.TB, texts ...string) []value.Pattern {
	t.Helper()
	var all []value.Pattern
	for _, text := range texts {
		all = append(all, pattern(t, text))
	}
	return all
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern string
		yes, no []string
	}{
		{"a.b", []string{"a.b"}, []string{"", "a", "a.b.c", "b"}},
		{"*", []string{"a", `[""]`, `["a.b"]`}, []string{"", "a.b"}},
		{"**", []string{"", "a", "a.b.c"}, nil},
		{"database.*", []string{"database.a"}, []string{"database", "database.a.b", "a.database"}},
		{"database.**", []string{"database", "database.a", "database.a.b"}, []string{"", "databases"}},
		{"*.pool", []string{"a.pool"}, []string{"pool", "a.b.pool"}},
		{"**.pool", []string{"pool", "a.pool", "a.b.pool"}, []string{"pool.a", ""}},
		{"a.**.b.**", []string{"a.b", "a.x.b", "a.b.b.c", "a.x.y.b.z"}, []string{"a", "a.c", "b"}},
		{"**.**", []string{"", "a", "a.b"}, nil},
		{"*.**", []string{"a", "a.b"}, []string{""}},
		{"servers[0]", []string{"servers[0]", "servers.0"}, []string{"servers[1]"}},
		{"servers.*.name", []string{"servers[0].name"}, nil},
		{`["*"]`, []string{`["*"]`}, []string{"a"}},
		{`["**"].a`, []string{`["**"].a`}, []string{"a", "b.a"}},
		{`["a.b"]`, []string{`["a.b"]`}, []string{"a.b"}},
		{"/a/*", []string{"/a/*"}, []string{"a.b"}},
	} {
		p := pattern(t, c.pattern)
		for _, text := range append(c.yes, c.no...) {
			path, err := value.ParsePath(text)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Match(path); got != slices.Contains(c.yes, text) {
				t.Errorf("%s matches %q: %t", c.pattern, text, got)
			}
		}
	}
}

func TestParsePatternErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "an empty pattern"},
		{"a*", "at character 1: * stands for a whole segment"},
		{"a.*b", "at character 2: * stands for a whole segment"},
		{"a.***", "at character 2: * stands for a whole segment"},
		{"**.a.**.b.**", "** may occur at most 2 times"},
		{"a..b", "at character 3: a segment is empty"},
		{"a.é", "at character 3: a key with other characters"},
		{"a[*]", "at character 2: a bracket holds"},
		{"*.", "at character 3: a segment is empty"},
		{strings.Repeat("a", value.MaxPathBytes+1), "longer than"},
	} {
		if _, err := value.ParsePattern(c.text); !errors.Is(err, value.ErrPath) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40s: %v", c.text, err)
		}
	}
}

func TestParsePatterns(t *testing.T) {
	for _, c := range []struct{ texts, want []string }{
		{nil, nil},
		{[]string{"b", "a", "b"}, []string{"a", "b"}},
		{[]string{"b", "**", "a"}, []string{"**"}},
		{[]string{"a.**"}, []string{"a.**"}},
	} {
		got, err := value.ParsePatterns(c.texts)
		var texts []string
		for _, p := range got {
			texts = append(texts, p.String())
		}
		if err != nil || !slices.Equal(texts, c.want) {
			t.Errorf("%q: %q, %v", c.texts, texts, err)
		}
	}
	for _, bad := range [][]string{{"a..b", "**"}, {"**", "a..b"}} {
		if _, err := value.ParsePatterns(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// model is a pattern as a list of segments, and what it means as a regular expression over paths.
type model []string // a key, or one of the two wildcards below

const (
	anyOne  = "\x00one"
	anyDeep = "\x00deep"
)

func drawModel(t *rapid.T) model {
	segments := rapid.SliceOfN(rapid.SampledFrom(append([]string{anyOne, anyOne, anyDeep}, treeKeys...)), 1, 5).Draw(t, "pattern")
	deeps := 0
	for i, s := range segments {
		if s == anyDeep {
			if deeps++; deeps > value.MaxDeepWildcards {
				segments[i] = anyOne
			}
		}
	}
	return segments
}

func drawModels(t *rapid.T) []model {
	return rapid.SliceOfN(rapid.Custom(drawModel), 0, 3).Draw(t, "patterns")
}

func (m model) text() string {
	var b strings.Builder
	for _, s := range m {
		part := map[string]string{anyOne: "*", anyDeep: "**"}[s]
		if part == "" {
			part = value.Path{s}.String()
		}
		if b.Len() > 0 && part[0] != '[' {
			b.WriteByte('.')
		}
		b.WriteString(part)
	}
	return b.String()
}

// flat writes a path so that no key can be mistaken for a border.
func flat(path value.Path) string {
	var b strings.Builder
	for _, key := range path {
		b.WriteString("<" + strings.ReplaceAll(key, "<", "<<") + ">\n")
	}
	return b.String()
}

func (m model) regexp() *regexp.Regexp {
	var b strings.Builder
	for _, s := range m {
		switch s {
		case anyOne:
			b.WriteString(`<[^\n]*>\n`)
		case anyDeep:
			b.WriteString(`(<[^\n]*>\n)*`)
		default:
			b.WriteString(regexp.QuoteMeta(flat(value.Path{s})))
		}
	}
	return regexp.MustCompile("^" + b.String() + "$")
}

// compiled is a set of models as patterns and as a plain answer to whether one of them matches.
func compiled(t *rapid.T, models []model) ([]value.Pattern, func(value.Path) bool) {
	var all []value.Pattern
	var expressions []*regexp.Regexp
	for _, m := range models {
		p, err := value.ParsePattern(m.text())
		if err != nil {
			t.Fatalf("%s: %v", m.text(), err)
		}
		all, expressions = append(all, p), append(expressions, m.regexp())
	}
	return all, func(path value.Path) bool {
		return slices.ContainsFunc(expressions, func(e *regexp.Regexp) bool { return e.MatchString(flat(path)) })
	}
}

func TestMatchAgreesWithRegexp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		all, matches := compiled(t, []model{m})
		path := value.Path(rapid.SliceOfN(rapid.Custom(drawKey), 0, 6).Draw(t, "path"))
		if got, want := all[0].Match(path), matches(path); got != want {
			t.Fatalf("%s matches %q: %t, want %t", m.text(), path, got, want)
		}
		covers := false
		for n := range len(path) + 1 {
			covers = covers || matches(path[:n])
		}
		if all[0].Covers(path) != covers {
			t.Fatalf("%s covers %q: %t", m.text(), path, !covers)
		}
	})
}

// plainSelect narrows a tree by asking for each path alone.
func plainSelect(v *value.Value, path value.Path, matches func(value.Path) bool) *value.Value {
	if matches(path) {
		return v
	}
	if v.Kind() != value.Map {
		return nil
	}
	var entries []value.Entry
	for _, e := range v.Entries() {
		if member := plainSelect(e.Value, append(path[:len(path):len(path)], e.Key), matches); member != nil {
			entries = append(entries, value.Entry{Key: e.Key, Value: member})
		}
	}
	if len(entries) == 0 {
		return nil
	}
	return value.NewMap(entries, v.Place())
}

func TestSelectAgreesWithPlainOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		root := drawTree(t, 4)
		all, matches := compiled(t, drawModels(t))
		want := plainSelect(root, nil, matches)
		if want == nil {
			want = value.Empty
		}
		if got := value.Select(root, all); !value.Equal(got, want) {
			t.Fatalf("%v of %s: %s, want %s", all, root, got, want)
		}
	})
}

func TestSelectAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		root := drawMap(t, 4)
		all, _ := compiled(t, drawModels(t))
		selected := value.Select(root, all)
		for range 3 {
			next := drawEdit(t, root)
			again := value.SelectAgain(next, all, root, selected)
			if fresh := value.Select(next, all); !value.Equal(again, fresh) {
				t.Fatalf("%v of %s after %s: %s, want %s", all, next, root, again, fresh)
			}
			each(again, nil, func(path value.Path, v *value.Value) {
				before, was := root.At(path)
				now, is := next.At(path)
				had, ok := selected.At(path)
				if was && is && ok && before == now && had != v {
					t.Fatalf("%v: %s did not change and was built anew", all, path)
				}
			})
			root, selected = next, again
		}
		if again := value.SelectAgain(root, all, root, selected); again != selected {
			t.Fatal("nothing changed, but the result did")
		}
	})
}

func TestSelect(t *testing.T) {
	root := parse(t, `{"a":{"b":1,"c":{}},"l":[{"x":1}],"e":{}}`)
	for _, c := range []struct {
		patterns []string
		want     string
	}{
		{nil, `{}`},
		{[]string{"none"}, `{}`},
		{[]string{"**"}, root.String()},
		{[]string{"a.*"}, `{"a":{"b":1,"c":{}}}`},
		{[]string{"a.c.*"}, `{}`},
		{[]string{"e"}, `{"e":{}}`},
		{[]string{"l"}, `{"l":[{"x":1}]}`},
		{[]string{"l[0]", "l.*.x"}, `{}`},
		{[]string{"a.b", "a.none", "e.**"}, `{"a":{"b":1},"e":{}}`},
	} {
		if got := value.Select(root, patterns(t, c.patterns...)); got.String() != c.want {
			t.Errorf("%q: %s", c.patterns, got)
		}
	}
	if all := value.Select(root, patterns(t, "**")); all != root {
		t.Error("everything is another tree")
	}
}
