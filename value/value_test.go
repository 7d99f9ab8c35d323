package value_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/value"
)

var nowhere value.Place

// parse reads a tree from JSON.
func parse(t testing.TB, text string) *value.Value {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// treeKeys are few, so that random trees meet, and some need care in paths, pointers and patterns.
var treeKeys = []string{"a", "b", "c", "d.e", "", "~/", "*", "**", "0", "é\"\\"}

func drawKey(t *rapid.T) string { return rapid.SampledFrom(treeKeys).Draw(t, "key") }

// drawTree draws a value of at most so many levels.
func drawTree(t *rapid.T, depth int) *value.Value {
	kind := rapid.IntRange(0, 8).Draw(t, "kind")
	if depth == 0 {
		kind = min(kind, 4)
	}
	switch kind {
	case 0:
		return value.NewNull(nowhere)
	case 1:
		return value.NewBool(rapid.Bool().Draw(t, "bool"), nowhere)
	case 2:
		return value.NewInt(rapid.Int64().Draw(t, "int"), nowhere)
	case 3:
		return value.NewFloat(rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64).Draw(t, "float"), nowhere)
	case 4:
		return value.NewString(rapid.SampledFrom([]string{"", "x", "é\n", "\x00\u2028"}).Draw(t, "string"), nowhere)
	case 5:
		items := make([]*value.Value, rapid.IntRange(0, 3).Draw(t, "items"))
		for i := range items {
			items[i] = drawTree(t, depth-1)
		}
		return value.NewList(items, nowhere)
	default:
		return drawMap(t, depth)
	}
}

func drawMap(t *rapid.T, depth int) *value.Value {
	keys := rapid.SliceOfNDistinct(rapid.SampledFrom(treeKeys), 0, 4, rapid.ID[string]).Draw(t, "keys")
	entries := make([]value.Entry, len(keys))
	for i, key := range keys {
		entries[i] = value.Entry{Key: key, Value: drawTree(t, depth-1)}
	}
	return value.NewMap(entries, nowhere)
}

// drawEdit changes one value below the root, at a place that is there or could be, and shares the rest.
func drawEdit(t *rapid.T, root *value.Value) *value.Value {
	path := value.Path{drawKey(t)}
	for v, ok := root.At(path); ok && v.Len() > 0 && v.Kind() == value.Map && rapid.Bool().Draw(t, "deeper"); v, ok = root.At(path) {
		path = append(path, drawKey(t))
	}
	var member *value.Value
	if rapid.IntRange(0, 3).Draw(t, "remove") > 0 {
		member = drawTree(t, 2)
	}
	if next, ok := root.Set(path, member); ok {
		return next
	}
	return root
}

// each visits every value of a tree; the indices of lists are segments.
func each(v *value.Value, path value.Path, visit func(path value.Path, v *value.Value)) {
	visit(path, v)
	for i, e := range v.Entries() {
		key := e.Key
		if v.Kind() == value.List {
			key = fmt.Sprint(i)
		}
		each(e.Value, append(path[:len(path):len(path)], key), visit)
	}
}

// moved is the same content, written elsewhere.
func moved(v *value.Value, at value.Place) *value.Value {
	at.Line++
	switch v.Kind() {
	case value.Null:
		return value.NewNull(at)
	case value.Bool:
		return value.NewBool(v.Bool(), at)
	case value.Int:
		return value.NewInt(v.Int(), at)
	case value.Float:
		return value.NewFloat(v.Float(), at)
	case value.String:
		return value.NewString(v.Str(), at)
	case value.Redacted:
		return value.NewRedacted(v.Fingerprint(), at)
	case value.List:
		var items []*value.Value
		for _, e := range v.Entries() {
			items = append(items, moved(e.Value, at))
		}
		return value.NewList(items, at)
	default:
		var entries []value.Entry
		for _, e := range v.Entries() {
			entries = append(entries, value.Entry{Key: e.Key, Value: moved(e.Value, at)})
		}
		return value.NewMap(entries, at)
	}
}

func TestKinds(t *testing.T) {
	at := value.Place{File: &value.File{Path: "f"}, Line: 3, Column: 7}
	for _, c := range []struct {
		v    *value.Value
		kind value.Kind
		name string
		json string
	}{
		{new(value.Value), value.Null, "null", "null"},
		{value.NewNull(at), value.Null, "null", "null"},
		{value.NewBool(true, at), value.Bool, "boolean", "true"},
		{value.NewInt(math.MinInt64, at), value.Int, "integer", "-9223372036854775808"},
		{value.NewFloat(1, at), value.Float, "number", "1.0"},
		{value.NewFloat(math.Copysign(0, -1), at), value.Float, "number", "0.0"},
		{value.NewFloat(1e21, at), value.Float, "number", "1e+21"},
		{value.NewFloat(1e-7, at), value.Float, "number", "1e-07"},
		{value.NewString("a\"\n\u2028é", at), value.String, "string", "\"a\\\"\\n\u2028é\""},
		{value.NewRedacted("f\"p", at), value.Redacted, "redacted", `{"$redacted":true,"fp":"f\"p"}`},
		{value.NewList([]*value.Value{value.NewInt(1, at)}, at), value.List, "list", "[1]"},
		{value.NewMap([]value.Entry{{Key: "b", Value: value.NewInt(1, at)}, {Key: "a", Value: value.NewNull(at)}}, at), value.Map, "map", `{"a":null,"b":1}`},
	} {
		if c.v.Kind() != c.kind || c.kind.String() != c.name || c.v.String() != c.json {
			t.Errorf("got %v %v %s, want %v %s %s", c.v.Kind(), c.kind, c.v, c.kind, c.name, c.json)
		}
		if c.v.Place() == at && c.v.Pos() != (value.Pos{File: "f", Line: 3, Column: 7}) {
			t.Errorf("%s stands at %+v", c.v, c.v.Pos())
		}
		marshaled, err := json.Marshal(map[string]*value.Value{"v": c.v})
		if err != nil || !json.Valid(marshaled) {
			t.Errorf("encoding/json: %s, %v", marshaled, err)
		}
	}
}

// Accessors of another kind answer with nothing, never with a panic.
func TestAccessorsOfOtherKinds(t *testing.T) {
	for _, text := range []string{"null", "true", "5", "1.5", `"x"`, "[1]", `{"a":1}`, `{"$redacted":true,"fp":"x"}`} {
		v := parse(t, text)
		k := v.Kind()
		if v.Bool() != (k == value.Bool) || (v.Int() != 0) != (k == value.Int) || (v.Float() != 0) != (k == value.Int || k == value.Float) ||
			(v.Str() != "") != (k == value.String) || (v.Fingerprint() != "") != (k == value.Redacted) || (v.Len() != 0) != (k == value.List || k == value.Map) {
			t.Errorf("%s", text)
		}
		if _, ok := v.Get("a"); ok != (k == value.Map) {
			t.Errorf("Get of %s", text)
		}
		if _, ok := v.Index(0); ok != (k == value.List) {
			t.Errorf("Index of %s", text)
		}
	}
}

func TestGetAndStep(t *testing.T) {
	v := parse(t, `{"list": [10, 11], "": 1, "a": 2, "a.b": 3, "0": 4, "z": 5}`)
	for _, c := range []struct {
		path value.Path
		want string
	}{
		{value.Path{}, v.String()},
		{value.Path{""}, "1"},
		{value.Path{"a"}, "2"},
		{value.Path{"a.b"}, "3"},
		{value.Path{"0"}, "4"},
		{value.Path{"z"}, "5"},
		{value.Path{"zz"}, ""},
		{value.Path{"A"}, ""},
		{value.Path{"list", "1"}, "11"},
		{value.Path{"list", "2"}, ""},
		{value.Path{"list", "01"}, ""},
		{value.Path{"list", "+1"}, ""},
		{value.Path{"list", "-1"}, ""},
		{value.Path{"list", ""}, ""},
		{value.Path{"list", "9999999999"}, ""},
		{value.Path{"a", "x"}, ""},
	} {
		got, ok := v.At(c.path)
		if ok != (c.want != "") || ok && got.String() != c.want {
			t.Errorf("%q: %v, %t", c.path, got, ok)
		}
	}
	list, _ := v.Get("list")
	if _, ok := list.Index(-1); ok {
		t.Error("Index(-1) is there")
	}
}

func TestNewMapSorts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfNDistinct(rapid.String(), 0, 20, rapid.ID[string]).Draw(t, "keys")
		var entries []value.Entry
		for i, key := range keys {
			entries = append(entries, value.Entry{Key: key, Value: value.NewInt(int64(i), nowhere)})
		}
		m := value.NewMap(entries, nowhere)
		if !slices.IsSortedFunc(m.Entries(), func(a, b value.Entry) int { return strings.Compare(a.Key, b.Key) }) {
			t.Fatalf("not sorted: %s", m)
		}
		for i, key := range keys {
			if got, ok := m.Get(key); !ok || got.Int() != int64(i) {
				t.Fatalf("%q is %v", key, got)
			}
		}
	})
}

func TestJSONRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawTree(t, 4)
		again, err := value.ParseJSON(v.AppendJSON(nil))
		if err != nil || !value.Equal(v, again) {
			t.Fatalf("%s reads as %v, %v", v, again, err)
		}
	})
}

func TestParseJSONRefuses(t *testing.T) {
	deep := strings.Repeat("[", value.MaxDepth+1)
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"{", ""},
		{`{"a":1,"a":2}`, "duplicate"},
		{`{"a":1,}`, ""},
		{`{} {}`, "byte"},
		{`[1] x`, "byte"},
		{"\"\xff\"", "UTF-8"},
		{`"\ud800"`, "surrogate"},
		{`{"a":9223372036854775808}`, "byte 24"},
		{"1e400", "range of a double"},
		{"1" + strings.Repeat("0", 5000) + ".0", "range of a double"},
		{"NaN", ""},
		{deep + "1" + strings.Repeat("]", value.MaxDepth+1), "nested deeper"},
		{strings.Repeat("[", 100_000), "nested deeper"},
	} {
		v, err := value.ParseJSON([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 200 {
			t.Errorf("%.40s: %v, %v", c.text, v, err)
		}
	}
	if _, err := value.ParseJSON([]byte(deep[1:] + "1" + strings.Repeat("]", value.MaxDepth))); err != nil {
		t.Errorf("at the bound: %v", err)
	}
}

func TestParseJSONKinds(t *testing.T) {
	for text, want := range map[string]value.Kind{
		"-0": value.Int, "1": value.Int, "1.0": value.Float, "1e2": value.Float, "1E2": value.Float,
		`{"$redacted":true,"fp":"x"}`: value.Redacted, `{"$redacted":false,"fp":"x"}`: value.Map, `{"$redacted":true,"fp":1}`: value.Map,
		`{"$redacted":true,"fp":"x","y":1}`: value.Map, `{"$redacted":true}`: value.Map,
	} {
		if got := parse(t, text).Kind(); got != want {
			t.Errorf("%s is a %v", text, got)
		}
	}
}

func TestEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawTree(t, 3), drawTree(t, 3)
		if value.Equal(a, b) != (a.String() == b.String()) || value.Equal(a, b) != (a.Sum() == b.Sum()) {
			t.Fatalf("%s and %s", a, b)
		}
	})
	one, oneFloat := parse(t, "1"), parse(t, "1.0")
	switch {
	case value.Equal(one, oneFloat), value.Equal(one, nil), value.Equal(nil, one), !value.Equal(nil, nil):
		t.Error("1, 1.0 and nothing are three things")
	case value.Equal(parse(t, `{"a":1}`), parse(t, `[1]`)), value.Equal(parse(t, `{}`), parse(t, `[]`)):
		t.Error("a map is no list")
	}
}

func TestSet(t *testing.T) {
	root := parse(t, `{"a":{"b":1,"c":2},"l":[1]}`)
	for _, c := range []struct {
		path   value.Path
		member *value.Value
		want   string
	}{
		{value.Path{"a", "b"}, value.NewInt(5, nowhere), `{"a":{"b":5,"c":2},"l":[1]}`},
		{value.Path{"a", "d"}, value.NewInt(5, nowhere), `{"a":{"b":1,"c":2,"d":5},"l":[1]}`},
		{value.Path{"a", "b"}, nil, `{"a":{"c":2},"l":[1]}`},
		{value.Path{"a"}, nil, `{"l":[1]}`},
		{nil, value.NewInt(5, nowhere), "5"},
		{nil, nil, ""},
		{value.Path{"a", "d"}, nil, ""},
		{value.Path{"x", "y"}, value.NewInt(5, nowhere), ""},
		{value.Path{"l", "0"}, value.NewInt(5, nowhere), ""},
		{value.Path{"a", "b", "c"}, value.NewInt(5, nowhere), ""},
	} {
		got, ok := root.Set(c.path, c.member)
		if ok != (c.want != "") || ok && got.String() != c.want {
			t.Errorf("%q: %v, %t", c.path, got, ok)
		}
	}
	if root.String() != `{"a":{"b":1,"c":2},"l":[1]}` {
		t.Error("Set changed the tree itself")
	}
}
