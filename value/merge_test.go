package value_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/value"
)

// in parses a tree whose values all stand in one file.
func in(t testing.TB, file, text string) *value.Value {
	t.Helper()
	return moved(parse(t, text), value.Place{File: &value.File{Path: file}})
}

// told lists conflicts as rule, path, and the files of both places.
func told(conflicts []value.Conflict) []string {
	var all []string
	for _, c := range conflicts {
		line := c.Rule + " " + c.Path.String() + ": " + c.At.Pos().File
		if c.Other != nil {
			line += ", " + c.Other.Pos().File
		}
		all = append(all, strings.TrimSuffix(line, ", "))
	}
	return all
}

func expectConflicts(t *testing.T, m *value.Merger, want ...string) {
	t.Helper()
	found := m.Conflicts()
	if diff := cmp.Diff(want, told(found)); diff != "" {
		t.Errorf("conflicts (-want +got):\n%s", diff)
	}
	for _, c := range found {
		if c.Message == "" || c.Hint == "" {
			t.Errorf("%s without message or hint", c.Rule)
		}
	}
	if again := m.Conflicts(); len(again) > 0 {
		t.Errorf("told twice: %v", told(again))
	}
}

func TestMerge(t *testing.T) {
	for _, c := range []struct {
		name, base, overlay, want string
		conflicts                 []string
	}{
		{"maps merge", `{"a":{"b":1,"c":2}}`, `{"a":{"c":3,"d":4},"e":5}`, `{"a":{"b":1,"c":3,"d":4},"e":5}`, nil},
		{"nothing beneath", `{}`, `{"a":{"b":1}}`, `{"a":{"b":1}}`, nil},
		{"nothing above", `{"a":{"b":1}}`, `{}`, `{"a":{"b":1}}`, nil},
		{"empty map above", `{"a":{"b":1}}`, `{"a":{}}`, `{"a":{"b":1}}`, nil},
		{"scalars replace", `{"a":1,"b":"x"}`, `{"a":true,"b":2.5}`, `{"a":true,"b":2.5}`, nil},
		{"lists replace", `{"a":[1,2,3]}`, `{"a":[4]}`, `{"a":[4]}`, nil},
		{"list over scalar", `{"a":1}`, `{"a":[1]}`, `{"a":[1]}`, nil},
		{"scalar over list", `{"a":[1]}`, `{"a":1}`, `{"a":1}`, nil},
		{"null is a value", `{"a":1,"b":[1]}`, `{"a":null,"b":null}`, `{"a":null,"b":null}`, nil},
		{"map over null", `{"a":null}`, `{"a":{"b":1}}`, `{"a":{"b":1}}`, nil},

		{"map over scalar", `{"a":1}`, `{"a":{"b":1}}`, `{"a":1}`, []string{"kindClash a: over, base"}},
		{"map over list", `{"a":[1]}`, `{"a":{"b":1}}`, `{"a":[1]}`, []string{"kindClash a: over, base"}},
		{"scalar over map", `{"a":{"b":1}}`, `{"a":1}`, `{"a":{"b":1}}`, []string{"kindClash a: over, base"}},
		{"list over map", `{"a":{"b":1}}`, `{"a":[1]}`, `{"a":{"b":1}}`, []string{"kindClash a: over, base"}},
		{"null over map", `{"a":{"b":1}}`, `{"a":null}`, `{"a":{"b":1}}`, []string{"kindClash a: over, base"}},
		{"all clashes together", `{"a":{"b":1},"c":{"d":{"e":1}}}`, `{"a":1,"c":{"d":2}}`, `{"a":{"b":1},"c":{"d":{"e":1}}}`, []string{"kindClash a: over, base", "kindClash c.d: over, base"}},

		{"delete a scalar", `{"a":1,"b":2}`, `{"a":{"$patch":"delete"}}`, `{"b":2}`, nil},
		{"delete a map", `{"a":{"b":{"c":1}}}`, `{"a":{"b":{"$patch":"delete"}}}`, `{"a":{}}`, nil},
		{"delete a null", `{"a":null}`, `{"a":{"$patch":"delete"}}`, `{}`, nil},
		{"delete everything", `{"a":1}`, `{"$patch":"delete"}`, `{}`, nil},
		{"delete beside other members", `{"a":{"b":1}}`, `{"a":{"$patch":"delete","c":1}}`, `{"a":{"b":1}}`, []string{"patchConflict a: over, base"}},
		{"delete with nothing beneath", `{"b":1}`, `{"a":{"$patch":"delete"}}`, `{"b":1}`, []string{"patchNothing a: over"}},
		{"delete below what is not there", `{}`, `{"a":{"b":{"$patch":"delete"}}}`, `{"a":{}}`, []string{"patchNothing a.b: over"}},
		{"delete below a scalar", `{"a":1}`, `{"a":{"b":{"$patch":"delete"}}}`, `{"a":1}`, []string{"kindClash a: over, base"}},

		{"replace a map", `{"a":{"b":1,"c":2}}`, `{"a":{"$patch":"replace","d":3}}`, `{"a":{"d":3}}`, nil},
		{"replace a scalar by a map", `{"a":1}`, `{"a":{"$patch":"replace","d":3}}`, `{"a":{"d":3}}`, nil},
		{"replace a list by a map", `{"a":[1]}`, `{"a":{"$patch":"replace"}}`, `{"a":{}}`, nil},
		{"replace with nothing beneath", `{}`, `{"a":{"$patch":"replace","d":3}}`, `{"a":{"d":3}}`, nil},
		{"replace everything", `{"a":1}`, `{"$patch":"replace","b":2}`, `{"b":2}`, nil},
		{"replace within replace", `{"a":{"b":{"c":1}}}`, `{"a":{"$patch":"replace","b":{"$patch":"replace","d":1}}}`, `{"a":{"b":{"d":1}}}`, nil},
		{"delete within replace", `{"a":{"b":1}}`, `{"a":{"$patch":"replace","b":{"$patch":"delete"}}}`, `{"a":{}}`, []string{"patchNothing a.b: over"}},

		{"control inside a list", `{"a":[1]}`, `{"a":[{"$patch":"delete"}]}`, `{"a":[{"$patch":"delete"}]}`, []string{"patchConflict a.0: over"}},
		{"control deep inside a list", `{}`, `{"a":[1,[{"b":{"$patch":"replace"}}]]}`, `{"a":[1,[{"b":{"$patch":"replace"}}]]}`, []string{"patchConflict a.1.0.b: over"}},
		{"unknown control", `{"a":{"b":1}}`, `{"a":{"$patch":"remove"}}`, `{"a":{"b":1}}`, []string{"patchUnknown a: over, base"}},
		{"control of another kind", `{"a":{"b":1}}`, `{"a":{"$patch":{"b":1}}}`, `{"a":{"b":1}}`, []string{"patchUnknown a: over, base"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := value.NewMerger()
			if got := m.Merge(in(t, "base", c.base), in(t, "over", c.overlay)); got.String() != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			expectConflicts(t, m, c.conflicts...)
		})
	}
}

func TestBase(t *testing.T) {
	for _, c := range []struct {
		name, layer, want string
		conflicts         []string
	}{
		{"plain", `{"a":{"b":1}}`, `{"a":{"b":1}}`, nil},
		{"delete", `{"a":{"$patch":"delete"}}`, `{}`, []string{"patchNothing a: f"}},
		{"delete of everything", `{"$patch":"delete"}`, `{}`, []string{"patchNothing : f"}},
		{"replace", `{"a":{"$patch":"replace","b":1}}`, `{"a":{"b":1}}`, nil},
		{"unknown", `{"a":{"$patch":"x"}}`, `{}`, []string{"patchUnknown a: f"}},
		{"in a list", `{"a":[{"$patch":"delete"}]}`, `{"a":[{"$patch":"delete"}]}`, []string{"patchConflict a.0: f"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := value.NewMerger()
			if got := m.Base(in(t, "f", c.layer)); got.String() != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			expectConflicts(t, m, c.conflicts...)
		})
	}
}

// A base layer is taken as it is, and so is what an overlay does not change.
func TestMergeSharesWhatDoesNotChange(t *testing.T) {
	base := parse(t, `{"a":{"b":1},"c":{"d":{"e":1}},"f":[1]}`)
	m := value.NewMerger()
	if m.Base(base) != base {
		t.Error("the base was built anew")
	}
	merged := m.Merge(base, parse(t, `{"a":{"b":2},"c":{"d":{}}}`))
	for _, path := range []string{"c", "c.d", "f"} {
		was, _ := base.Lookup(path)
		if now, _ := merged.Lookup(path); now != was {
			t.Errorf("%s was built anew", path)
		}
	}
	if m.Merge(base, value.Empty) != base {
		t.Error("an overlay of nothing changed the base")
	}
}

func TestMergedValuesStandWhereTheyWereWritten(t *testing.T) {
	m := value.NewMerger()
	merged := m.Merge(in(t, "base", `{"a":{"b":1,"c":2}}`), in(t, "over", `{"a":{"c":3}}`))
	for path, want := range map[string]string{"a.b": "base", "a.c": "over", "a": "base"} {
		if v, _ := merged.Lookup(path); v.Pos().File != want {
			t.Errorf("%s stands in %s", path, v.Pos().File)
		}
	}
}

func mount(t testing.TB, path, file, text string) value.Mount {
	t.Helper()
	p, err := value.ParsePath(path)
	if err != nil {
		t.Fatal(err)
	}
	return value.Mount{Path: p, Value: in(t, file, text)}
}

func TestUnion(t *testing.T) {
	for _, c := range []struct {
		name      string
		mounts    []value.Mount
		want      string
		conflicts []string
	}{
		{"nothing", nil, `{}`, nil},
		{"one at the root", []value.Mount{mount(t, "", "f", `{"a":1}`)}, `{"a":1}`, nil},
		{"side by side", []value.Mount{mount(t, "b", "f", `{"x":1}`), mount(t, "a.c", "g", `{"y":1}`)}, `{"a":{"c":{"y":1}},"b":{"x":1}}`, nil},
		{"one inside the other", []value.Mount{mount(t, "a", "f", `{"x":1}`), mount(t, "a.c", "g", `{"y":1}`)}, `{"a":{"c":{"y":1},"x":1}}`, nil},
		{"inside, the other way round", []value.Mount{mount(t, "a.c", "g", `{"y":1}`), mount(t, "a", "f", `{"x":1}`)}, `{"a":{"c":{"y":1},"x":1}}`, nil},
		{"at one place", []value.Mount{mount(t, "a", "f", `{"x":{"p":1}}`), mount(t, "a", "g", `{"x":{"q":2}}`)}, `{"a":{"x":{"p":1,"q":2}}}`, nil},
		{"path twice", []value.Mount{mount(t, "a", "f", `{"x":1}`), mount(t, "a", "g", `{"x":1}`)}, `{"a":{"x":1}}`, []string{"pathTwice a.x: g, f"}},
		{"path twice, a map", []value.Mount{mount(t, "a", "f", `{"x":1}`), mount(t, "a.x", "g", `{"y":1}`)}, `{"a":{"x":1}}`, []string{"pathTwice a.x: g, f"}},
		{"path twice, a directory", []value.Mount{mount(t, "", "f", `{"a":1}`), mount(t, "a.b.c", "g", `{"y":1}`)}, `{"a":1}`, []string{"pathTwice a: g, f"}},
		{"path twice, a list", []value.Mount{mount(t, "a", "f", `{"x":[1]}`), mount(t, "a", "g", `{"x":[2]}`)}, `{"a":{"x":[1]}}`, []string{"pathTwice a.x: g, f"}},
		{"path thrice", []value.Mount{mount(t, "a", "f", `{"x":1}`), mount(t, "a", "g", `{"x":2}`), mount(t, "a", "h", `{"x":3}`)}, `{"a":{"x":1}}`, []string{"pathTwice a.x: g, f", "pathTwice a.x: h, f"}},
		{"control beside values", []value.Mount{mount(t, "a", "f", `{"x":{"$patch":"delete"}}`), mount(t, "a", "g", `{"x":{"y":1}}`)}, `{"a":{"x":{"$patch":"delete"}}}`, []string{"patchConflict a.x: g, f"}},
		{"control above a directory", []value.Mount{mount(t, "a", "f", `{"$patch":"replace"}`), mount(t, "a.b.c", "g", `{"y":1}`)}, `{"a":{"$patch":"replace"}}`, []string{"patchConflict a: g, f"}},
		{"control below values", []value.Mount{mount(t, "a", "f", `{"b":1}`), mount(t, "a", "g", `{"$patch":"replace"}`)}, `{"a":{"b":1}}`, []string{"patchConflict a: g, f"}},
		{"control in one file", []value.Mount{mount(t, "a", "f", `{"x":{"$patch":"delete"}}`), mount(t, "a", "g", `{"y":1}`)}, `{"a":{"x":{"$patch":"delete"},"y":1}}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := value.NewMerger()
			if got := m.Union(c.mounts); got.String() != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			expectConflicts(t, m, c.conflicts...)
		})
	}
}

// A clash with what is only a directory of files names one of them.
func TestClashWithADirectory(t *testing.T) {
	m := value.NewMerger()
	base := m.Union([]value.Mount{mount(t, "a.b", "f", `{"x":1}`), mount(t, "a.c", "g", `{"x":1}`)})
	m.Merge(m.Base(base), in(t, "over", `{"a":1}`))
	expectConflicts(t, m, "kindClash a: over, f")
}

// plainMerge is the merge of two trees without anything shared; false where it must be refused.
func plainMerge(base, overlay *value.Value) (*value.Value, bool) {
	isMap := func(v *value.Value) bool { return v != nil && v.Kind() == value.Map }
	if !isMap(overlay) {
		return overlay, !isMap(base)
	}
	control, patch := overlay.Get(value.PatchKey)
	if patch && control.Str() == "delete" {
		return nil, base != nil && overlay.Len() == 1
	}
	if patch && control.Str() != "replace" {
		return nil, false
	}
	if patch || base == nil || base.Kind() == value.Null {
		base = value.Empty
	}
	if !isMap(base) {
		return nil, false
	}
	members, good := map[string]*value.Value{}, true
	for _, e := range base.Entries() {
		members[e.Key] = e.Value
	}
	for _, e := range overlay.Entries() {
		if e.Key == value.PatchKey {
			continue
		}
		below, _ := base.Get(e.Key)
		merged, ok := plainMerge(below, e.Value)
		good = good && ok
		if members[e.Key] = merged; merged == nil {
			delete(members, e.Key)
		}
	}
	var entries []value.Entry
	for key, member := range members {
		entries = append(entries, value.Entry{Key: key, Value: member})
	}
	return value.NewMap(entries, nowhere), good
}

// drawOverlay draws a tree that fits over another more often than a random one would, with merge controls.
func drawOverlay(t *rapid.T, base *value.Value, depth int) *value.Value {
	if base.Kind() != value.Map || depth == 0 {
		return value.NewInt(rapid.Int64().Draw(t, "int"), nowhere)
	}
	var entries []value.Entry
	for _, e := range base.Entries() {
		switch rapid.IntRange(0, 9).Draw(t, "member") {
		case 0:
			entries = append(entries, value.Entry{Key: e.Key, Value: control("delete")})
		case 1:
			entries = append(entries, value.Entry{Key: e.Key, Value: control("replace", value.Entry{Key: "r", Value: drawTree(t, 1)})})
		case 2, 3, 4:
			entries = append(entries, value.Entry{Key: e.Key, Value: drawOverlay(t, e.Value, depth-1)})
		case 5:
			entries = append(entries, value.Entry{Key: e.Key, Value: drawTree(t, 2)})
		}
	}
	if rapid.Bool().Draw(t, "add") {
		entries = append(entries, value.Entry{Key: "added", Value: drawTree(t, 2)})
	}
	return value.NewMap(entries, nowhere)
}

func control(word string, members ...value.Entry) *value.Value {
	return value.NewMap(append(members, value.Entry{Key: value.PatchKey, Value: value.NewString(word, nowhere)}), nowhere)
}

func TestMergeAgreesWithPlainOne(t *testing.T) {
	refused := 0
	rapid.Check(t, func(t *rapid.T) {
		base := drawMap(t, 4)
		overlay := drawOverlay(t, base, 4)
		m := value.NewMerger()
		got := m.Merge(base, overlay)
		want, good := plainMerge(base, overlay)
		if found := m.Conflicts(); good != (len(found) == 0) {
			t.Fatalf("%s over %s: %v, want good: %t", overlay, base, told(found), good)
		}
		if good && !value.Equal(got, want) {
			t.Fatalf("%s over %s: %s, want %s", overlay, base, got, want)
		}
		if !good {
			refused++
		}
	})
	if refused == 0 {
		t.Error("no overlay was refused: the property says little")
	}
}

// generation is the documents of one commit: the same number in the base and in the overlay, mounted at the same places.
type generation struct{ base, overlay []*value.Value }

func (g generation) merge(m *value.Merger) (*value.Value, []string) {
	mounts := func(docs []*value.Value) []value.Mount {
		var all []value.Mount
		for i, doc := range docs {
			all = append(all, value.Mount{Path: value.Path{"dir", fmt.Sprint(i)}, Value: doc})
		}
		return all
	}
	m.Next()
	merged := m.Merge(m.Base(m.Union(mounts(g.base))), m.Union(mounts(g.overlay)))
	return merged, told(m.Conflicts())
}

// From commit to commit one document is read anew. What the others merge to keeps its pointers, and everything is as a Merger
// without a memory has it.
func TestMergerRemembers(t *testing.T) {
	const docs = 4
	rapid.Check(t, func(t *rapid.T) {
		var g generation
		for range docs {
			doc := drawMap(t, 3)
			g.base, g.overlay = append(g.base, doc), append(g.overlay, drawOverlay(t, doc, 3))
		}
		m := value.NewMerger()
		before, conflicts := g.merge(m)
		for range rapid.IntRange(1, 4).Draw(t, "commits") {
			changed := rapid.IntRange(-1, docs-1).Draw(t, "changed")
			next := generation{slices.Clone(g.base), slices.Clone(g.overlay)}
			if changed >= 0 && rapid.Bool().Draw(t, "in the base") {
				next.base[changed] = drawMap(t, 3)
			} else if changed >= 0 {
				next.overlay[changed] = drawOverlay(t, next.base[changed], 3)
			}
			merged, found := next.merge(m)
			fresh, freshFound := next.merge(value.NewMerger())
			if !value.Equal(merged, fresh) || !slices.Equal(found, freshFound) {
				t.Fatalf("%s, %q; a fresh one says %s, %q", merged, found, fresh, freshFound)
			}
			for i := range docs {
				path := value.Path{"dir", fmt.Sprint(i)}
				was, _ := before.At(path)
				if now, _ := merged.At(path); i != changed && now != was && len(conflicts)+len(found) == 0 {
					t.Fatalf("document %d did not change and was merged anew", i)
				}
			}
			g, before, conflicts = next, merged, found
		}
	})
}
