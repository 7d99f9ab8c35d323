package value_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/value"
)

func TestEachTellsWhatWildcardsStoodFor(t *testing.T) {
	root, err := value.ParseJSON([]byte(`{"db": {"a": {"pool": 1}, "b": {"pool": 2, "deep": {"pool": 3}}, "c": 4}, "list": [{"pool": 5}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]string{
		"db.a.pool":    {"db.a.pool=1 []"},
		"db.*.pool":    {"db.a.pool=1 [a]", "db.b.pool=2 [b]"},
		"**.pool":      {"db.a.pool=1 [db.a]", "db.b.pool=2 [db.b]", "db.b.deep.pool=3 [db.b.deep]"},
		"db.**.pool":   {"db.a.pool=1 [a]", "db.b.pool=2 [b]", "db.b.deep.pool=3 [b.deep]"},
		"**.*.**.pool": {"db.a.pool=1 [ db a]", "db.b.pool=2 [ db b]", "db.b.deep.pool=3 [ db b.deep]"},
		"list.*":       nil,
		"none.**":      nil,
	} {
		p, err := value.ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		p.Each(root, 1_000_000, func(path value.Path, v *value.Value, captures []string) bool {
			got = append(got, path.String()+"="+v.String()+" ["+strings.Join(captures, " ")+"]")
			return true
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

func TestEachVisitsWhatMatchSelects(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		segment := rapid.SampledFrom([]string{"a", "b", "*", "**"})
		text := strings.Join(rapid.SliceOfN(segment, 1, 5).Draw(t, "pattern"), ".")
		p, err := value.ParsePattern(text)
		if err != nil {
			t.Skip("too many wildcards")
		}
		root := drawNested(t, 4)
		want, got := map[string]bool{}, map[string]bool{}
		walkMaps(root, nil, func(path value.Path) {
			if p.Match(path) {
				want[path.String()] = true
			}
		})
		p.Each(root, 1_000_000, func(path value.Path, _ *value.Value, _ []string) bool {
			if got[path.String()] {
				t.Fatalf("%s is visited twice", path)
			}
			got[path.String()] = true
			return true
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s on %s: %s", text, root, diff)
		}
	})
}

func drawNested(t *rapid.T, depth int) *value.Value {
	var entries []value.Entry
	for _, key := range []string{"a", "b", "c"} {
		switch {
		case !rapid.Bool().Draw(t, "has"):
		case depth > 0 && rapid.Bool().Draw(t, "deeper"):
			entries = append(entries, value.Entry{Key: key, Value: drawNested(t, depth-1)})
		default:
			entries = append(entries, value.Entry{Key: key, Value: value.NewInt(1, value.Place{})})
		}
	}
	return value.NewMap(entries, value.Place{})
}

func walkMaps(v *value.Value, path value.Path, visit func(value.Path)) {
	visit(path)
	if v.Kind() != value.Map {
		return
	}
	for _, e := range v.Entries() {
		walkMaps(e.Value, append(path[:len(path):len(path)], e.Key), visit)
	}
}
