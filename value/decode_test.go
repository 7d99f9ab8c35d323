package value_test

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/value"
)

type level string

func (level) Allowed() []string { return []string{"debug", "info", "warn"} }

type pool struct {
	Max     int
	Timeout time.Duration
	Buffer  value.Size
}

type Common struct {
	Owner string
	Since time.Time
}

type database struct {
	Common
	Host      string `trunkline:"host,required"`
	HTTPPort  uint16
	MaxConns  int `trunkline:"connections"`
	Pool      pool
	Replica   *pool
	Level     level
	Addresses []netip.Addr
	Pools     map[string]pool
	Weights   [2]float64
	Extra     any
	Raw       *value.Value
	Hidden    string `trunkline:"-"`
	private   string
}

const full = `{
	"owner": "team-a", "since": "2026-12-01T09:00:00Z", "host": "db.local", "httpPort": 8080, "connections": 9, "level": "warn",
	"pool": {"max": 5, "timeout": "90s", "buffer": "10MiB"}, "replica": {"max": 2}, "addresses": ["10.0.0.1", "::1"],
	"pools": {"a": {"max": 1}, "b": {"timeout": "7d"}}, "weights": [0.5, 1], "extra": {"a": [1, 1.0, null, true, "x"]},
	"raw": [1], "Hidden": "x", "private": "x", "unknown": 1
}`

func TestDecode(t *testing.T) {
	root := parse(t, `{"db": `+full+`}`)
	replica := &pool{Max: 1, Timeout: time.Second}
	pools := map[string]pool{"a": {Buffer: 1}, "c": {Max: 3}}
	got := database{Pool: pool{Max: 100, Timeout: time.Hour}, Replica: replica, Pools: pools, Hidden: "kept", private: "kept"}
	if err := value.Decode(root, "db", &got); err != nil {
		t.Fatal(err)
	}
	raw, _ := root.Lookup("db.raw")
	want := database{
		Common: Common{"team-a", time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)},
		Host:   "db.local", HTTPPort: 8080, MaxConns: 9, Level: "warn", Hidden: "kept", private: "kept",
		Pool:      pool{5, 90 * time.Second, 10 << 20},
		Replica:   &pool{Max: 2, Timeout: time.Second},
		Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("::1")},
		Pools:     map[string]pool{"a": {Max: 1}, "b": {Timeout: 7 * 24 * time.Hour}, "c": {Max: 3}},
		Weights:   [2]float64{0.5, 1},
		Extra:     map[string]any{"a": []any{int64(1), 1.0, nil, true, "x"}},
		Raw:       raw,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if replica.Max != 1 || len(pools) != 2 {
		t.Error("what the target pointed to was changed in place")
	}
}

func TestDecodeKeepsWhatTheTreeDoesNotSay(t *testing.T) {
	got := database{Host: "default", Pool: pool{Max: 1, Timeout: time.Minute}, Addresses: []netip.Addr{{}}, Replica: &pool{}}
	if err := value.Decode(parse(t, `{"host": "set", "pool": {"max": 2}, "replica": null, "addresses": []}`), "", &got); err != nil {
		t.Fatal(err)
	}
	want := database{Host: "set", Pool: pool{Max: 2, Timeout: time.Minute}, Addresses: []netip.Addr{}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestDecodeTellsAllThatIsWrong(t *testing.T) {
	root := parse(t, `{"services": [{}, {
		"owner": 1, "httpPort": 65536, "pool": {"max": 1.0, "timeout": "90", "buffer": "1mb"}, "level": "Warn", "addresses": ["10.0.0.1", "x"],
		"pools": {"a.b": 1}, "weights": [1], "replica": {"max": "many"}, "since": "2026-12-01", "connections": null
	}]}`)
	before := database{Pool: pool{Max: 7}}
	got := before
	err := value.Decode(root, "services[1]", &got)
	want := []string{
		`services[1].owner: expected a string, found 1`,
		`services[1].since: expected a time of RFC 3339, as 2026-12-01T09:00:00Z, found the string "2026-12-01"`,
		`services[1].host: nothing stands here`,
		`services[1].httpPort: expected an integer from 0 to 65535, found 65536`,
		`services[1].connections: expected an integer, found null`,
		`services[1].pool.max: expected an integer, found 1.0`,
		`services[1].pool.timeout: expected a duration, as 90s or 7d, found the string "90"`,
		`services[1].pool.buffer: expected a size, as 512MB or 10MiB, or an integer of bytes, found the string "1mb"`,
		`services[1].replica.max: expected an integer, found the string "many"`,
		`services[1].level: expected one of debug, info, warn, found the string "Warn"; did you mean warn?`,
		`services[1].addresses[1]: expected a netip.Addr, found the string "x": ParseAddr("x"): unable to parse IP`,
		`services[1].pools["a.b"]: expected a map, found 1`,
		`services[1].weights: expected a list of 2, found a list`,
	}
	if diff := cmp.Diff(want, strings.Split(fmt.Sprint(err), "\n")); diff != "" {
		t.Error(diff)
	}
	if !reflect.DeepEqual(got, before) {
		t.Errorf("a failed read changed the target: %+v", got)
	}
	var one *value.ReadError
	if !errors.As(err, &one) || one.Path != "services[1].owner" || !errors.Is(err, value.ErrMissing) {
		t.Errorf("%#v", one)
	}
}

func TestDecodeStrict(t *testing.T) {
	root := parse(t, `{"max": 1, "timout": "1s", "a": {"b": 1}}`)
	var p pool
	if err := value.Decode(root, "", &p); err != nil || p.Max != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	want := "a: is not known here; known are max, timeout, buffer\ntimout: is not known here; did you mean timeout?"
	if err := value.DecodeStrict(root, "", &p); fmt.Sprint(err) != want {
		t.Errorf("%v", err)
	}
	if err := value.DecodeStrict(parse(t, `{"pools": {"x": {"maximum": 1}}, "host": "", "extra": {"any": "thing"}}`), "", &database{}); fmt.Sprint(err) != "pools.x.maximum: is not known here; known are max, timeout, buffer" {
		t.Errorf("%v", err)
	}
}

func TestDecodeWhereNothingStands(t *testing.T) {
	root := parse(t, `{"database": {"pool": 1}, "list": [1]}`)
	for path, want := range map[string]string{
		"databse":       "databse: nothing stands here; did you mean database?",
		"database.poll": "database.poll: nothing stands here; did you mean pool?",
		"database.xyz":  "database.xyz: nothing stands here",
		"list[1]":       "list[1]: nothing stands here",
		"list.a":        "list[a]: nothing stands here",
	} {
		var n int
		if err := value.Decode(root, path, &n); fmt.Sprint(err) != want || !errors.Is(err, value.ErrMissing) {
			t.Errorf("%s: %v", path, err)
		}
	}
	var n int
	if err := value.Decode(nil, "a", &n); !errors.Is(err, value.ErrMissing) {
		t.Errorf("no tree: %v", err)
	}
	if err := value.Decode(root, "a..b", &n); !errors.Is(err, value.ErrPath) {
		t.Errorf("no path: %v", err)
	}
}

func TestDecodeIntoWhatCannotBe(t *testing.T) {
	root := parse(t, `{"a": 1, "m": {"a": 1}, "n": null}`)
	var n *int
	for want, target := range map[string]any{
		"not into a <nil>":                          nil,
		"not into a int":                            1,
		"not into a *int":                           n,
		"nothing can be read into a chan int":       new(chan int),
		"nothing can be read into a func()":         new(func()),
		"nothing can be read into a complex128":     new(complex128),
		"nothing can be read into a uintptr":        new(uintptr),
		"nothing can be read into a fmt.Stringer":   new(fmt.Stringer),
		"nothing can be read into a map[int]string": new(map[int]string),
	} {
		if err := value.Decode(root, "a", target); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for want, target := range map[string]any{
		`has the option "omitempty"`: new(struct {
			A int `trunkline:"a,omitempty"`
		}),
		"are named a": new(struct {
			A int
			B int `trunkline:"a"`
		}),
	} {
		if err := value.Decode(root, "m", target); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

type inner struct{ A, B int }

type Pointed struct{ C int }

func TestFieldsAreNamedAsInGo(t *testing.T) {
	type shadowing struct {
		inner
		*Pointed
		A      int
		URL    string
		HTTPv2 bool
		Named  inner `trunkline:"other"`
		B2     *shadowed
	}
	var got shadowing
	root := parse(t, `{"a": 1, "b": 2, "c": 3, "pointed": {"c": 4}, "url": "u", "httPv2": true, "other": {"a": 5}, "b2": {"b2": {"b2": null}}}`)
	if err := value.Decode(root, "", &got); err != nil {
		t.Fatal(err)
	}
	want := shadowing{inner: inner{B: 2}, Pointed: &Pointed{4}, A: 1, URL: "u", HTTPv2: true, Named: inner{A: 5}, B2: &shadowed{&shadowed{}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

type shadowed struct{ B2 *shadowed }

// Whatever the tree holds, reading it is an error at most, and an error changes nothing.
func TestDecodeAnything(t *testing.T) {
	type everything struct {
		A struct {
			A, B *int8
			C    map[string]any `trunkline:"c"`
		}
		B []database
		C map[string][]everythingInside `trunkline:"d.e"`
		D any                           `trunkline:"0"`
		E *everythingInside             `trunkline:"~/"`
		F float32                       `trunkline:"*"`
		G time.Duration                 `trunkline:"**"`
		H [1]level                      `trunkline:"c"`
	}
	rapid.Check(t, func(t *rapid.T) {
		root := drawTree(t, 4)
		one := int8(1)
		got := everything{D: "kept"}
		got.A.A = &one
		before := got
		err := value.Decode(root, "", &got)
		if err != nil && !reflect.DeepEqual(got, before) || one != 1 {
			t.Fatalf("%v: %+v", err, got)
		}
		var whole any
		if err := value.Decode(root, "", &whole); err != nil {
			t.Fatal(err)
		}
		each(root, nil, func(path value.Path, v *value.Value) {
			if _, err := value.Get(root, root.PathString(path), before); err == nil && v.Kind() != value.Map {
				t.Fatalf("%s is read as a struct", v)
			}
		})
	})
}

type everythingInside struct {
	A uint16
	B string
	C []byte `trunkline:"d.e"`
}
