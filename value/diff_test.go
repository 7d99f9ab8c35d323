package value_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/value"
)

// plain is JSON as encoding/json reads it, numbers as they are written.
func plain(data []byte) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	return v, dec.Decode(&v)
}

// applyPatch is JSON Patch as RFC 6902 has it, of the operations that are written here, and knows nothing of package value.
func applyPatch(doc any, patch []byte) (any, error) {
	var operations []struct {
		Op, Path string
		Value    json.RawMessage
	}
	if err := json.Unmarshal(patch, &operations); err != nil {
		return nil, err
	}
	for _, o := range operations {
		var member any
		if o.Op != "remove" {
			var err error
			if member, err = plain(o.Value); err != nil {
				return nil, err
			}
		}
		var err error
		if doc, err = applyOperation(doc, o.Op, o.Path, member); err != nil {
			return nil, fmt.Errorf("%s %s: %w", o.Op, o.Path, err)
		}
	}
	return doc, nil
}

func applyOperation(doc any, op, pointer string, member any) (any, error) {
	if pointer == "" {
		return member, nil
	}
	if pointer[0] != '/' {
		return nil, fmt.Errorf("not a pointer")
	}
	object, ok := doc.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("not an object")
	}
	token, rest, _ := strings.Cut(pointer[1:], "/")
	if rest != "" || strings.HasSuffix(pointer, "/") && len(token)+1 < len(pointer) {
		rest = "/" + rest
	}
	key := strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
	old, found := object[key]
	switch {
	case rest != "":
		below, err := applyOperation(old, op, rest, member)
		object[key] = below
		return object, err
	case found != (op != "add"):
		return nil, fmt.Errorf("found is %t", found)
	case op == "remove":
		delete(object, key)
	default:
		object[key] = member
	}
	return object, nil
}

// patched applies the patch between two trees to the first, and answers whether the second comes out.
func patched(t *rapid.T, old, next *value.Value) {
	patch := value.AppendPatch(nil, value.Diff(old, next))
	doc, err := plain(old.AppendJSON(nil))
	if err != nil {
		t.Fatal(err)
	}
	got, err := applyPatch(doc, patch)
	if err != nil {
		t.Fatalf("%s to %s: %s: %v", old, next, patch, err)
	}
	want, err := plain(next.AppendJSON(nil))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s to %s: %s: %s", old, next, patch, diff)
	}
}

func TestPatchGivesTheNewTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old := drawTree(t, 4)
		next := old
		if rapid.Bool().Draw(t, "unrelated") || old.Kind() != value.Map {
			next = drawTree(t, 4)
		} else {
			for range 3 {
				next = drawEdit(t, next)
			}
		}
		patched(t, old, next)
		patched(t, next, old)
	})
}

// The same changes, set one after the other, give the new tree too; and they come in the order of paths.
func TestDiffBySet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old, next := drawMap(t, 4), drawMap(t, 4)
		changes := value.Diff(old, next)
		if !slices.IsSortedFunc(changes, func(a, b value.Change) int { return slices.Compare(a.Path, b.Path) }) {
			t.Fatalf("not in order: %v", changes)
		}
		got := old
		for _, c := range changes {
			was, found := got.At(c.Path)
			if found != (c.Old != nil) || found && was != c.Old {
				t.Fatalf("%s was %v, not %v", c.Path, was, c.Old)
			}
			var ok bool
			if got, ok = got.Set(c.Path, c.New); !ok {
				t.Fatalf("%s leads nowhere", c.Path)
			}
		}
		if !value.Equal(got, next) {
			t.Fatalf("%s, want %s", got, next)
		}
	})
}

func TestDiffOfEqualTrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawTree(t, 4)
		elsewhere := moved(v, value.Place{File: &value.File{Path: "elsewhere"}, Line: 7, Column: 3})
		if changes := value.Diff(v, elsewhere); len(changes) != 0 {
			t.Fatalf("%s: %v", v, changes)
		}
		if patch := value.AppendPatch(nil, nil); string(patch) != "[]" {
			t.Fatalf("%s", patch)
		}
	})
}

func TestMergeThenDiffThenPatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base, overlay := drawMap(t, 4), drawMap(t, 4)
		merger := value.NewMerger()
		merged := merger.Merge(base, overlay)
		if len(merger.Conflicts()) == 0 {
			patched(t, base, merged)
			patched(t, overlay, merged)
		}
	})
}

func TestDiff(t *testing.T) {
	for _, c := range []struct{ old, new, patch string }{
		{`{"a":1}`, `{"a":2}`, `[{"op":"replace","path":"/a","value":2}]`},
		{`{"a":1}`, `{"a":1.0}`, `[{"op":"replace","path":"/a","value":1.0}]`},
		{`{}`, `{"a":{"b":1}}`, `[{"op":"add","path":"/a","value":{"b":1}}]`},
		{`{"a":{"b":1}}`, `{}`, `[{"op":"remove","path":"/a"}]`},
		{`{"a":{"b":1}}`, `{"a":{}}`, `[{"op":"remove","path":"/a/b"}]`},
		{`{"a":[1,2]}`, `{"a":[1,3]}`, `[{"op":"replace","path":"/a","value":[1,3]}]`},
		{`{"a":{"b":1}}`, `{"a":[]}`, `[{"op":"replace","path":"/a","value":[]}]`},
		{`{"a":null}`, `{}`, `[{"op":"remove","path":"/a"}]`},
		{`{}`, `{"a":null}`, `[{"op":"add","path":"/a","value":null}]`},
		{`{"b":1,"c":1}`, `{"a":1,"c":2,"d":1}`, `[{"op":"add","path":"/a","value":1},{"op":"remove","path":"/b"},{"op":"replace","path":"/c","value":2},{"op":"add","path":"/d","value":1}]`},
		{`{"a/b":{"~":1,"":1}}`, `{"a/b":{"~":2,"":2}}`, `[{"op":"replace","path":"/a~1b/","value":2},{"op":"replace","path":"/a~1b/~0","value":2}]`},
		{`{"\"":1}`, `{}`, `[{"op":"remove","path":"/\""}]`},
		{`{"a":{"$redacted":true,"fp":"x"}}`, `{"a":{"$redacted":true,"fp":"y"}}`, `[{"op":"replace","path":"/a","value":{"$redacted":true,"fp":"y"}}]`},
		{`1`, `2`, `[{"op":"replace","path":"","value":2}]`},
	} {
		if got := value.AppendPatch(nil, value.Diff(parse(t, c.old), parse(t, c.new))); string(got) != c.patch {
			t.Errorf("%s to %s: %s", c.old, c.new, got)
		}
	}
}

func TestDiffOfNothing(t *testing.T) {
	v := parse(t, `{"a":1}`)
	if changes := value.Diff(nil, v); len(changes) != 1 || changes[0].Old != nil || changes[0].New != v || len(changes[0].Path) != 0 {
		t.Errorf("from nothing: %v", changes)
	}
	if changes := value.Diff(v, nil); len(changes) != 1 || changes[0].Old != v || changes[0].New != nil {
		t.Errorf("to nothing: %v", changes)
	}
	if changes := value.Diff(nil, nil); len(changes) != 0 {
		t.Errorf("nothing: %v", changes)
	}
}
