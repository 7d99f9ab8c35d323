package value_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/value"
)

// touched are the names of those an index finds for a change, sorted.
func touched(x *value.Index[string], old, new *value.Value) string {
	var names []string
	for name := range x.Touched(old, new) {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestIndexFindsWhoIsTouched(t *testing.T) {
	var x value.Index[string]
	for _, text := range []string{"a.b", "a.**", "a.*", "**.c", "**", "b.*.x", `["*"].b`, "a.b.c.d", "q.**.z"} {
		x.Add(lookedAt(t, text), text)
	}
	x.Add(lookedAt(t, "a.b", "b"), "two")
	for _, c := range []struct{ old, new, want string }{
		{`{}`, `{}`, ""},
		{`{"a":{"b":1}}`, `{"a":{"b":1}}`, ""},
		{`{"a":{"b":1}}`, `{"a":{"b":2}}`, "** a.* a.** a.b two"},
		{`{"a":{"c":1}}`, `{}`, "** **.c a.* a.**"},
		{`{"a":1}`, `{"a":2}`, "** a.**"},
		{`{"b":{"k":{"x":1,"y":1}}}`, `{"b":{"k":{"x":1,"y":2}}}`, "** two"},
		{`{"b":{"k":{"x":1,"y":1}}}`, `{"b":{"k":{"x":2,"y":2}}}`, "** b.*.x two"},
		{`{"*":{"b":1}}`, `{"*":{}}`, `** ["*"].b`},
		{`{"a":{"b":1}}`, `{"a":{"b":{"c":{"d":null}}}}`, "** **.c a.* a.** a.b a.b.c.d two"},
		{`{"z":[{"c":1}]}`, `{"z":[{"c":2}]}`, "**"},
		{`{}`, `{"q":{"z":1}}`, "** q.**.z"},
		{`{}`, `{"q":{"r":{"s":{"z":1,"c":{}}}}}`, "** **.c q.**.z"},
	} {
		if got := touched(&x, parse(t, c.old), parse(t, c.new)); got != c.want {
			t.Errorf("%s to %s touches %q, want %q", c.old, c.new, got, c.want)
		}
	}
}

func lookedAt(tb interface {
	Helper()
	Fatal(args ...any)
}, texts ...string,
) []value.Pattern {
	tb.Helper()
	all, err := value.ParsePatterns(texts)
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

var indexSegments = []string{"a", "b", "c", "*", "**", `["*"]`}

// Whoever selects something else from the one tree than from the other is found, and nobody once removed.
func TestIndexMissesNobody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x value.Index[int]
		sets := map[int][]value.Pattern{}
		for who := range rapid.IntRange(1, 8).Draw(t, "how many") {
			var texts []string
			for range rapid.IntRange(1, 3).Draw(t, "patterns") {
				segments := rapid.SliceOfN(rapid.SampledFrom(indexSegments), 1, 4).Draw(t, "segments")
				if text := dotted(segments); strings.Count(text, "**") <= value.MaxDeepWildcards {
					texts = append(texts, text)
				}
			}
			sets[who] = lookedAt(t, append(texts, "c")...)
			x.Add(sets[who], who)
		}
		old, new := smallTree(t, 3), smallTree(t, 3)
		check := func() {
			found := x.Touched(old, new)
			for who, set := range sets {
				_, is := found[who]
				if !is && !value.Equal(value.Select(old, set), value.Select(new, set)) {
					t.Fatalf("%v is missed from %s to %s", set, old, new)
				}
			}
			for who := range found {
				if sets[who] == nil {
					t.Fatalf("%d was removed, and is found", who)
				}
			}
		}
		check()
		for who, set := range sets {
			x.Remove(set, who)
			delete(sets, who)
			check()
		}
		if found := x.Touched(value.Empty, new); len(found) > 0 {
			t.Fatalf("an empty index finds %v", found)
		}
	})
}

func dotted(segments []string) string {
	var b strings.Builder
	for i, s := range segments {
		if i > 0 && s[0] != '[' {
			b.WriteByte('.')
		}
		b.WriteString(s)
	}
	return b.String()
}

func smallTree(t *rapid.T, depth int) *value.Value {
	var entries []value.Entry
	for _, key := range []string{"*", "a", "b", "c"} {
		var v *value.Value
		switch kind := rapid.IntRange(0, 4).Draw(t, "kind"); {
		case kind < 2:
			v = value.NewInt(int64(kind), value.Place{})
		case kind < 4 && depth > 0:
			v = smallTree(t, depth-1)
		default:
			continue
		}
		entries = append(entries, value.Entry{Key: key, Value: v})
	}
	return value.NewMap(entries, value.Place{})
}

// BenchmarkIndex is a change of one value, at which one of many looks.
func BenchmarkIndex(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var x value.Index[int]
			var entries []value.Entry
			for i := range n {
				key := fmt.Sprintf("service%d", i)
				entries = append(entries, value.Entry{Key: key, Value: value.NewInt(0, value.Place{})})
				x.Add(lookedAt(b, key+".**", "common.*"), i)
			}
			old := value.NewMap(entries, value.Place{})
			now, _ := old.Set(value.Path{"service7"}, value.NewInt(1, value.Place{}))
			b.ReportAllocs()
			for b.Loop() {
				if len(x.Touched(old, now)) != 1 {
					b.Fatal("another number")
				}
			}
		})
	}
}
