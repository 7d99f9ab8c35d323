package value_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/value"
)

var redactKey = value.Key("key")

// plainRedact redacts a tree by asking for each path alone.
func plainRedact(v *value.Value, path value.Path, marked func(value.Path) bool) *value.Value {
	if marked(path) {
		return redactAll(v)
	}
	below := func(key string, member *value.Value) *value.Value {
		return plainRedact(member, append(path[:len(path):len(path)], key), marked)
	}
	switch v.Kind() {
	case value.Map:
		var entries []value.Entry
		for _, e := range v.Entries() {
			entries = append(entries, value.Entry{Key: e.Key, Value: below(e.Key, e.Value)})
		}
		return value.NewMap(entries, nowhere)
	case value.List:
		var items []*value.Value
		for i, e := range v.Entries() {
			items = append(items, below(fmt.Sprint(i), e.Value))
		}
		return value.NewList(items, nowhere)
	default:
		return v
	}
}

func redactAll(v *value.Value) *value.Value {
	if v.Kind() != value.Map {
		return value.NewRedacted(redactKey.Fingerprint(v), nowhere)
	}
	var entries []value.Entry
	for _, e := range v.Entries() {
		entries = append(entries, value.Entry{Key: e.Key, Value: redactAll(e.Value)})
	}
	return value.NewMap(entries, nowhere)
}

func TestRedactAgreesWithPlainOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		root := drawMap(t, 4)
		marks, marked := compiled(t, drawModels(t))
		r := value.NewRedactor(redactKey)
		for range 4 {
			got := r.Redact(root, marks)
			if want := plainRedact(root, nil, marked); !value.Equal(got, want) {
				t.Fatalf("%v of %s: %s, want %s", marks, root, got, want)
			}
			if again := r.Redact(root, marks); again != got {
				t.Fatal("nothing changed, but the result did")
			}
			next := drawEdit(t, root)
			redacted := r.Redact(next, marks)
			each(got, nil, func(path value.Path, v *value.Value) {
				was, _ := root.At(path)
				now, is := next.At(path)
				// A list is redacted anew as a whole.
				if after, ok := redacted.At(path); is && ok && was == now && after != v && !belowList(next, path) {
					t.Fatalf("%v: %s did not change and was redacted anew", marks, path)
				}
			})
			root = next
		}
	})
}

func belowList(root *value.Value, path value.Path) bool {
	for n := range path {
		if v, _ := root.At(path[:n]); v.Kind() == value.List {
			return true
		}
	}
	return false
}

func TestRedact(t *testing.T) {
	root := parse(t, `{"db":{"dsn":"x","pool":5,"hosts":["a","b"]},"list":[{"user":"u","password":"p"},{"password":"q"}],"null":null,"empty":{}}`)
	for _, c := range []struct {
		marks []string
		want  []string // paths that are redacted
	}{
		{nil, nil},
		{[]string{"none.**"}, nil},
		{[]string{"db.dsn"}, []string{"db.dsn"}},
		{[]string{"db"}, []string{"db.dsn", "db.hosts", "db.pool"}},
		{[]string{"db.**"}, []string{"db.dsn", "db.hosts", "db.pool"}},
		{[]string{"db.hosts"}, []string{"db.hosts"}},
		{[]string{"db.hosts[0]"}, []string{"db.hosts.0"}},
		{[]string{"list.*.password"}, []string{"list.0.password", "list.1.password"}},
		{[]string{"list[1].password"}, []string{"list.1.password"}},
		{[]string{"**.password", "db.dsn"}, []string{"db.dsn", "list.0.password", "list.1.password"}},
		{[]string{"list.*"}, []string{"list.0.password", "list.0.user", "list.1.password"}},
		{[]string{`list["*"].password`}, nil},
		{[]string{"null", "empty"}, []string{"null"}},
	} {
		got := value.NewRedactor(redactKey).Redact(root, patterns(t, c.marks...))
		var redacted []string
		each(got, nil, func(path value.Path, v *value.Value) {
			if v.Kind() == value.Redacted {
				redacted = append(redacted, path.String())
				if was, _ := root.At(path); v.Fingerprint() != redactKey.Fingerprint(was) {
					t.Errorf("%s has the fingerprint %s", path, v.Fingerprint())
				}
			}
		})
		if fmt.Sprint(redacted) != fmt.Sprint(c.want) {
			t.Errorf("%q: %q, want %q", c.marks, redacted, c.want)
		}
		if len(c.want) == 0 && got != root {
			t.Errorf("%q: nothing is redacted, but the tree is another", c.marks)
		}
	}
}

// A Redactor whose marks change forgets what it did by the old ones.
func TestRedactWithOtherMarks(t *testing.T) {
	root := parse(t, `{"a":"x","b":"y"}`)
	r := value.NewRedactor(redactKey)
	for _, mark := range []string{"a", "b", "**", "a"} {
		marks := patterns(t, mark)
		if got, want := r.Redact(root, marks), value.NewRedactor(redactKey).Redact(root, marks); !value.Equal(got, want) {
			t.Errorf("%s: %s, want %s", mark, got, want)
		}
		if r.Redact(root, nil) != root {
			t.Error("redacted without a mark")
		}
	}
}

func TestRedactedStandsWhereTheValueStood(t *testing.T) {
	root := in(t, "f", `{"a":{"b":"x"}}`)
	got := value.NewRedactor(redactKey).Redact(root, patterns(t, "a.b"))
	for _, path := range []string{"", "a", "a.b"} {
		was, _ := root.Lookup(path)
		if v, _ := got.Lookup(path); v.Pos() != was.Pos() {
			t.Errorf("%q stands at %+v", path, v.Pos())
		}
	}
}
