package value_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
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
		r := value.NewRedactor(redactKey, value.Delivered)
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
		got := value.NewRedactor(redactKey, value.Delivered).Redact(root, patterns(t, c.marks...))
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
	r := value.NewRedactor(redactKey, value.Delivered)
	for _, mark := range []string{"a", "b", "**", "a"} {
		marks := patterns(t, mark)
		if got, want := r.Redact(root, marks), value.NewRedactor(redactKey, value.Delivered).Redact(root, marks); !value.Equal(got, want) {
			t.Errorf("%s: %s, want %s", mark, got, want)
		}
		if r.Redact(root, nil) != root {
			t.Error("redacted without a mark")
		}
	}
}

func TestRedactedStandsWhereTheValueStood(t *testing.T) {
	root := in(t, "f", `{"a":{"b":"x"}}`)
	got := value.NewRedactor(redactKey, value.Delivered).Redact(root, patterns(t, "a.b"))
	for _, path := range []string{"", "a", "a.b"} {
		was, _ := root.Lookup(path)
		if v, _ := got.Lookup(path); v.Pos() != was.Pos() {
			t.Errorf("%q stands at %+v", path, v.Pos())
		}
	}
}

// tellingKeys stand for the keys of random trees, so that some tell of secrets.
var tellingKeys = map[string]string{"a": "password", "b": "auth", "c": "tokenName", "d.e": "apiKey"}

// renamed is a tree with telling keys, and with texts that are short, long, and of the shape of a secret.
func renamed(v *value.Value) *value.Value {
	switch v.Kind() {
	case value.String:
		texts := map[string]string{"x": "long enough", "": "redis://:" + "pass@host"}
		if text, ok := texts[v.Str()]; ok {
			return value.NewString(text, nowhere)
		}
		return v
	case value.List:
		var items []*value.Value
		for _, e := range v.Entries() {
			items = append(items, renamed(e.Value))
		}
		return value.NewList(items, nowhere)
	case value.Map:
		var entries []value.Entry
		for _, e := range v.Entries() {
			key := e.Key
			if other, ok := tellingKeys[key]; ok {
				key = other
			}
			entries = append(entries, value.Entry{Key: key, Value: renamed(e.Value)})
		}
		return value.NewMap(entries, nowhere)
	default:
		return v
	}
}

// plainShown is what people may see of a tree without marks: each string is looked at alone, with all keys above it.
func plainShown(v *value.Value, path value.Path) *value.Value {
	below := func(key string, member *value.Value) *value.Value {
		return plainShown(member, append(path[:len(path):len(path)], key))
	}
	switch v.Kind() {
	case value.String:
		if value.LooksSecret("", v) || slices.ContainsFunc(path, func(key string) bool { return value.LooksSecret(key, v) }) {
			return value.NewRedacted(redactKey.Fingerprint(v), nowhere)
		}
		return v
	case value.List:
		var items []*value.Value
		for i, e := range v.Entries() {
			items = append(items, below(fmt.Sprint(i), e.Value))
		}
		return value.NewList(items, nowhere)
	case value.Map:
		var entries []value.Entry
		for _, e := range v.Entries() {
			entries = append(entries, value.Entry{Key: e.Key, Value: below(e.Key, e.Value)})
		}
		return value.NewMap(entries, nowhere)
	default:
		return v
	}
}

// What is shown is what is delivered, without what looks secret: made from nothing, from an earlier result, or at one path alone.
func TestShownAgreesWithPlainOne(t *testing.T) {
	hidden := 0
	rapid.Check(t, func(t *rapid.T) {
		telling := renamed(drawMap(t, 4))
		marks, marked := compiled(t, drawModels(t))
		r := value.NewRedactor(redactKey, value.Shown)
		for range 3 {
			telling = drawEdit(t, telling)
			got := r.Redact(telling, marks)
			if want := plainShown(plainRedact(telling, nil, marked), nil); !value.Equal(got, want) {
				t.Fatalf("%v of %s: %s, want %s", marks, telling, got, want)
			}
			if again := r.Redact(got, marks); !value.Equal(again, got) {
				t.Fatalf("redacted twice: %s, once: %s", again, got)
			}
			each(telling, nil, func(path value.Path, v *value.Value) {
				want, there := got.At(path)
				if there && !value.Equal(r.RedactAt(path, v, marks), want) {
					t.Fatalf("%v of %s alone, at %s: %s, want %s", marks, v, path, r.RedactAt(path, v, marks), want)
				}
			})
			hidden += strings.Count(got.String(), "$redacted")
		}
	})
	if hidden == 0 {
		t.Error("nothing was hidden")
	}
}

func TestShown(t *testing.T) {
	root := parse(t, `{"db":{"password":"x","port":5,"passwordEnabled":"yes","url":"redis://:p`+`@host"},"tokens":[1,"a"],
		"credentials":{"user":{"name":"u"},"count":2,"list":["a",true]},"auth":{"mode":"oidc","issuer":"https://id.example"},"marked":[1,2],"empty":{}}`)
	const want = "auth.issuer credentials.list.0 credentials.user.name db.password db.url marked"
	got := value.NewRedactor(redactKey, value.Shown).Redact(root, patterns(t, "marked"))
	var redacted []string
	each(got, nil, func(path value.Path, v *value.Value) {
		if v.Kind() == value.Redacted {
			redacted = append(redacted, path.String())
		}
	})
	if strings.Join(redacted, " ") != want {
		t.Errorf("hidden are %q, want %q", redacted, want)
	}
	if empty := parse(t, `{"port":5}`); value.NewRedactor(redactKey, value.Shown).Redact(empty, nil) != empty {
		t.Error("nothing is hidden, but the tree is another")
	}
}

// What does not change keeps the pointer of its redacted form.
func TestShownIsShared(t *testing.T) {
	root := parse(t, `{"a":{"password":"x"},"b":{"c":{"secret":"y"},"d":1}}`)
	r := value.NewRedactor(redactKey, value.Shown)
	before := r.Redact(root, nil)
	next, _ := root.Set(value.Path{"b", "d"}, value.NewInt(2, nowhere))
	after := r.Redact(next, nil)
	for _, path := range []string{"a", "b.c"} {
		was, _ := before.Lookup(path)
		if is, _ := after.Lookup(path); was != is {
			t.Errorf("%s was redacted anew", path)
		}
	}
}

func TestRedactorForSeveral(t *testing.T) {
	r := value.NewRedactor(redactKey, value.Shown)
	roots := []*value.Value{parse(t, `{"a":{"password":"x"}}`), parse(t, `{"a":{"password":"y"},"b":1}`)}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			root := roots[i%len(roots)]
			password, _ := root.Lookup("a.password")
			for range 100 {
				shown, _ := r.Redact(root, nil).Lookup("a.password")
				if alone := r.RedactAt(value.Path{"a", "password"}, password, nil); !value.Equal(shown, alone) || shown.Fingerprint() != redactKey.Fingerprint(password) {
					t.Errorf("%s, alone %s", shown, alone)
				}
			}
		})
	}
	wg.Wait()
}

// Without a key a fingerprint tells values apart all the same, and cannot be computed by anybody.
func TestFingerprintsWithoutAKey(t *testing.T) {
	one, other := value.NewString("1234", nowhere), value.NewString("1235", nowhere)
	var none value.Key
	first := none.Fingerprint(one)
	if none.Fingerprint(one) != first || none.Fingerprint(one) == none.Fingerprint(other) {
		t.Error("fingerprints do not tell values apart")
	}
	sum := one.Sum()
	mac := hmac.New(sha256.New, nil)
	mac.Write(sum[:])
	if none.Digest(one) == hex.EncodeToString(mac.Sum(nil)) {
		t.Error("the digest is keyed with nothing")
	}
}
