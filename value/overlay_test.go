package value_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/value"
)

func TestEffect(t *testing.T) {
	const base = `{"map":{"a":1,"b":{"c":2}},"list":[1,{"x":2}],"scalar":1,"null":null}`
	for _, c := range []struct{ name, overlay, path, own, op string }{
		{"nothing", `{}`, "map", "", ""},
		{"empty map at the root", `{}`, "", `{}`, "merge"},
		{"nothing of the path", `{"map":{"a":2}}`, "map.b", "", ""},
		{"nothing, within a scalar", `{"scalar":2}`, "scalar.x", "", ""},
		{"scalar over scalar", `{"map":{"a":2}}`, "map.a", `2`, "replace"},
		{"the same scalar", `{"map":{"a":1}}`, "map.a", `1`, "replace"},
		{"null over scalar", `{"map":{"a":null}}`, "map.a", `null`, "replace"},
		{"list over list", `{"list":[3]}`, "list", `[3]`, "replace"},
		{"scalar over list", `{"list":3}`, "list", `3`, "replace"},
		{"list over scalar", `{"scalar":[1]}`, "scalar", `[1]`, "replace"},
		{"map over null", `{"null":{"a":1}}`, "null", `{"a":1}`, "replace"},
		{"below a map over null", `{"null":{"a":1}}`, "null.a", `1`, "set"},
		{"map over map", `{"map":{"a":2}}`, "map", `{"a":2}`, "merge"},
		{"map over map, at the root", `{"map":{"a":2}}`, "", `{"map":{"a":2}}`, "merge"},
		{"empty map over map", `{"map":{}}`, "map", `{}`, "merge"},
		{"new scalar", `{"map":{"new":2}}`, "map.new", `2`, "set"},
		{"new map", `{"new":{"a":2}}`, "new", `{"a":2}`, "set"},
		{"below a new map", `{"new":{"a":2}}`, "new.a", `2`, "set"},
		{"item of a list", `{"list":[3]}`, "list[0]", `3`, "replace"},
		{"map in a list", `{"list":[3,{"y":1}]}`, "list[1]", `{"y":1}`, "replace"},
		{"new in a list", `{"list":[3,{"y":1}]}`, "list[1].y", `1`, "set"},
		{"item that the list no longer has", `{"list":[3]}`, "list[1].x", "", "delete"},
		{"item of a list that is a scalar now", `{"list":3}`, "list[0]", "", "delete"},
		{"item that never was", `{"list":[3]}`, "list[7]", "", ""},
		{"delete", `{"map":{"a":{"$patch":"delete"}}}`, "map.a", "", "delete"},
		{"delete above", `{"map":{"$patch":"delete"}}`, "map.b.c", "", "delete"},
		{"delete above what never was", `{"map":{"$patch":"delete"}}`, "map.z", "", ""},
		{"delete below", `{"map":{"a":{"$patch":"delete"}}}`, "map", `{"a":{"$patch":"delete"}}`, "merge"},
		{"delete everything", `{"$patch":"delete"}`, "map", "", "delete"},
		{"replace", `{"map":{"$patch":"replace","d":3}}`, "map", `{"$patch":"replace","d":3}`, "replace"},
		{"replace a scalar", `{"scalar":{"$patch":"replace","d":3}}`, "scalar", `{"$patch":"replace","d":3}`, "replace"},
		{"replace nothing", `{"new":{"$patch":"replace","d":3}}`, "new", `{"$patch":"replace","d":3}`, "replace"},
		{"replace above, new", `{"map":{"$patch":"replace","d":3}}`, "map.d", `3`, "replace"},
		{"replace above, as before", `{"map":{"$patch":"replace","b":{"c":2}}}`, "map.b.c", `2`, "replace"},
		{"replace above, a map", `{"map":{"$patch":"replace","b":{"c":2}}}`, "map.b", `{"c":2}`, "replace"},
		{"replace above, left out", `{"map":{"$patch":"replace","d":3}}`, "map.b.c", "", "delete"},
		{"replace above, never was", `{"map":{"$patch":"replace","d":3}}`, "map.z", "", ""},
		{"replace within replace", `{"map":{"$patch":"replace","b":{"$patch":"replace","d":1}}}`, "map.b.d", `1`, "replace"},
		{"replace everything", `{"$patch":"replace","map":{"a":1}}`, "scalar", "", "delete"},
		{"the control itself", `{"map":{"$patch":"replace"}}`, `map["$patch"]`, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, err := value.ParsePath(c.path)
			if err != nil {
				t.Fatal(err)
			}
			own, op, place, ok := value.Effect(in(t, "base", base), in(t, "over", c.overlay), path)
			if string(op) != c.op || ok != (c.op != "") || ok != (place.File == "over") {
				t.Errorf("%q at %s, ok: %t; want %q", op, place, ok, c.op)
			}
			if own == nil && c.own != "" || own != nil && own.String() != c.own {
				t.Errorf("it writes %s, want %s", own, c.own)
			}
		})
	}
}

func TestEffectOverNothing(t *testing.T) {
	own, op, place, ok := value.Effect(nil, in(t, "base", `{"a":{"b":1}}`), value.Path{"a", "b"})
	if !ok || op != value.OpSet || own.Int() != 1 || place.File != "base" {
		t.Errorf("%s, %q at %s", own, op, place)
	}
	if _, op, _, ok := value.Effect(nil, value.Empty, nil); ok {
		t.Errorf("an empty layer does %q", op)
	}
}

// What the overlay is said to do at a path is what merging does there.
func TestEffectAgreesWithMerge(t *testing.T) {
	met := map[value.Op]int{}
	rapid.Check(t, func(t *rapid.T) {
		base := drawMap(t, 4)
		overlay := drawOverlay(t, base, 4)
		m := value.NewMerger()
		merged := m.Merge(base, overlay)
		if len(m.Conflicts()) > 0 {
			return
		}
		check := func(path value.Path, _ *value.Value) {
			was, _ := base.At(path)
			is, _ := merged.At(path)
			own, op, _, _ := value.Effect(base, overlay, path)
			met[op]++
			if !agrees(op, own, was, is) {
				t.Fatalf("%s over %s does %q at %s, where %s became %s", overlay, base, op, path, was, is)
			}
		}
		each(base, nil, check)
		each(overlay, nil, check)
	})
	for _, op := range []value.Op{"", value.OpSet, value.OpMerge, value.OpReplace, value.OpDelete} {
		if met[op] == 0 {
			t.Errorf("no overlay did %q", op)
		}
	}
}

func agrees(op value.Op, own, was, is *value.Value) bool {
	wrote := own != nil && is != nil && value.Equal(value.NewMerger().Base(own), is)
	switch op {
	case value.OpSet:
		return was == nil && wrote
	case value.OpReplace:
		return wrote
	case value.OpMerge:
		return was.Kind() == value.Map && is.Kind() == value.Map && own.Kind() == value.Map
	case value.OpDelete:
		return was != nil && is == nil && own == nil
	default:
		return value.Equal(was, is) && own == nil
	}
}
