package value_test

import (
	"encoding"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/trunkline/trunkline/value"
)

// reading reads a value as a T.
func reading[T any](text string) func(t testing.TB) (any, error) {
	return func(t testing.TB) (any, error) {
		root := parse(t, `{"a": `+text+`}`)
		var none T
		got, err := value.Get(root, "a", none)
		var decoded T
		if decodeErr := value.Decode(root, "a", &decoded); fmt.Sprint(decodeErr) != fmt.Sprint(err) || !reflect.DeepEqual(got, decoded) {
			t.Errorf("%s as %T: Get reads %v, %v; Decode %v, %v", text, none, got, err, decoded, decodeErr)
		}
		return got, err
	}
}

func TestReadEveryKind(t *testing.T) {
	for _, c := range []struct {
		read func(testing.TB) (any, error)
		want any
		err  string
	}{
		{reading[bool](`true`), true, ""},
		{reading[bool](`"true"`), false, `expected true or false, found the string "true"`},
		{reading[bool](`1`), false, "expected true or false, found 1"},
		{reading[string](`"x"`), "x", ""},
		{reading[string](`1`), "", "expected a string, found 1"},
		{reading[string](`null`), "", "expected a string, found null"},
		{reading[int](`-5`), -5, ""},
		{reading[int](`5.0`), 0, "expected an integer, found 5.0"},
		{reading[int64](`9223372036854775807`), int64(math.MaxInt64), ""},
		{reading[int64](`"5"`), int64(0), `expected an integer, found the string "5"`},
		{reading[int8](`127`), int8(127), ""},
		{reading[int8](`-128`), int8(-128), ""},
		{reading[int8](`128`), int8(0), "expected an integer from -128 to 127, found 128"},
		{reading[int16](`-32769`), int16(0), "expected an integer from -32768 to 32767, found -32769"},
		{reading[int32](`2147483648`), int32(0), "expected an integer from -2147483648 to 2147483647, found 2147483648"},
		{reading[uint](`5`), uint(5), ""},
		{reading[uint](`-1`), uint(0), "expected an integer from 0 to 18446744073709551615, found -1"},
		{reading[uint8](`255`), uint8(255), ""},
		{reading[uint8](`256`), uint8(0), "expected an integer from 0 to 255, found 256"},
		{reading[uint16](`65536`), uint16(0), "from 0 to 65535"},
		{reading[uint32](`4294967296`), uint32(0), "from 0 to 4294967295"},
		{reading[uint64](`9223372036854775807`), uint64(math.MaxInt64), ""},
		{reading[float64](`1.5`), 1.5, ""},
		{reading[float64](`1`), 1.0, ""},
		{reading[float64](`9007199254740992`), 9007199254740992.0, ""},
		{reading[float64](`9007199254740993`), 0.0, "expected an integer that a float64 holds exactly, found 9007199254740993"},
		{reading[float64](`9223372036854775807`), 0.0, "holds exactly"},
		{reading[float64](`-9223372036854775808`), -9223372036854775808.0, ""},
		{reading[float64](`"1"`), 0.0, `expected a number in the range of a float64, found the string "1"`},
		{reading[float32](`0.1`), float32(0.1), ""},
		{reading[float32](`16777216`), float32(16777216), ""},
		{reading[float32](`16777217`), float32(0), "an integer that a float32 holds exactly, found 16777217"},
		{reading[float32](`1e300`), float32(0), "expected a number in the range of a float32, found 1e+300"},
		{reading[time.Duration](`"7d"`), 7 * 24 * time.Hour, ""},
		{reading[time.Duration](`90`), time.Duration(0), "expected a duration, as 90s or 7d, found 90"},
		{reading[value.Size](`"1.5KiB"`), value.Size(1536), ""},
		{reading[value.Size](`1024`), value.Size(1024), ""},
		{reading[value.Size](`-1`), value.Size(0), "expected a size, as 512MB or 10MiB, or an integer of bytes, found -1"},
		{reading[value.Size](`1.0`), value.Size(0), "found 1.0"},
		{reading[time.Time](`"2026-12-01T09:00:00.5Z"`), time.Date(2026, 12, 1, 9, 0, 0, 5e8, time.UTC), ""},
		{reading[time.Time](`1`), time.Time{}, "expected a time of RFC 3339"},
		{reading[level](`"info"`), level("info"), ""},
		{reading[level](`""`), level(""), `expected one of debug, info, warn, found the string ""`},
		{reading[level](`1`), level(""), "expected one of debug, info, warn, found 1"},
		{reading[slog.Level](`"WARN+2"`), slog.LevelWarn + 2, ""},
		{reading[slog.Level](`4`), slog.Level(0), "expected a string, found 4"},
		{reading[[]string](`["a", "b"]`), []string{"a", "b"}, ""},
		{reading[[]string](`[]`), []string{}, ""},
		{reading[[]string](`null`), []string(nil), ""},
		{reading[[]string](`["a", 1]`), []string(nil), "a[1]: expected a string, found 1"},
		{reading[[]string]("\"a\""), []string(nil), "expected a list, found the string"},
		{reading[[][]level](`[["info"], ["inf"]]`), [][]level(nil), "a[1][0]: expected one of debug, info, warn, found the string \"inf\"; did you mean info?"},
		{reading[map[string]int](`{"x.y": 1}`), map[string]int{"x.y": 1}, ""},
		{reading[map[level]int](`{"info": 1}`), map[level]int{"info": 1}, ""},
		{reading[map[string]int](`null`), map[string]int(nil), ""},
		{reading[map[string]int](`{"x.y": "1"}`), map[string]int(nil), `a["x.y"]: expected an integer`},
		{reading[map[string]int](`[1]`), map[string]int(nil), "expected a map, found a list"},
		{reading[*int](`1`), ptr(1), ""},
		{reading[*int](`null`), (*int)(nil), ""},
		{reading[**int](`1`), ptr(ptr(1)), ""},
		{reading[*int](`"x"`), (*int)(nil), `expected an integer, found the string "x"`},
		{reading[any](`1`), any(int64(1)), ""},
		{reading[any](`null`), nil, ""},
		{reading[any](`{"b": [1.5]}`), any(map[string]any{"b": []any{1.5}}), ""},
		{reading[struct{ B int }](`{"b": 1}`), struct{ B int }{1}, ""},
		{reading[struct{ B int }](`null`), struct{ B int }{}, "expected a map, found null"},
		{reading[[1]bool](`[true]`), [1]bool{true}, ""},
		{reading[encoding.TextUnmarshaler](`"x"`), nil, "nothing can be read into a encoding.TextUnmarshaler"},
	} {
		got, err := c.read(t)
		if !reflect.DeepEqual(got, c.want) || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%T %v, %v; want %v, %s", got, got, err, c.want, c.err)
		}
	}
}

func ptr[T any](v T) *T { return &v }

func TestGet(t *testing.T) {
	root := parse(t, `{"a": {"n": 5, "s": "x", "dsn": {"$redacted": true, "fp": "00"}}, "list": [{"$redacted": true, "fp": "00"}]}`)
	if n, err := value.Get(root, "a.n", 7); n != 5 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := value.Get(root, "a.missing", 7); n != 7 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := value.Get(nil, "a", 7); n != 7 || err != nil {
		t.Errorf("no tree: %d, %v", n, err)
	}
	if n, err := value.Get(root, "a.s", 7); n != 7 || err == nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := value.Get(root, "a..s", 7); n != 7 || !errors.Is(err, value.ErrPath) {
		t.Errorf("%d, %v", n, err)
	}
	defaults := struct{ N, M int }{1, 2}
	if got, err := value.Get(root, "a", defaults); got.N != 5 || got.M != 2 || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	for path, want := range map[string]string{
		"a.dsn":      "a.dsn: the value is redacted: its reader may not see it",
		"a.dsn.host": "a.dsn.host: the value is redacted: its reader may not see it",
		"list[0]":    "list[0]: the value is redacted: its reader may not see it",
	} {
		if s, err := value.Get(root, path, "default"); s != "default" || fmt.Sprint(err) != want || !errors.Is(err, value.ErrRedacted) {
			t.Errorf("%s: %q, %v", path, s, err)
		}
	}
	if v, err := value.Get[any](root, "list", nil); v != nil || !errors.Is(err, value.ErrRedacted) {
		t.Errorf("%v, %v", v, err)
	}
	if v, err := value.Get[*value.Value](root, "a.dsn", nil); err != nil || v.Kind() != value.Redacted {
		t.Errorf("%v, %v", v, err)
	}
}

func TestGetAllocatesNothing(t *testing.T) {
	root := parse(t, `{"a": {"n": 5, "s": "x", "b": true, "f": 1.5, "d": "90s", "i": 1}}`)
	got := testing.AllocsPerRun(100, func() {
		n, _ := value.Get(root, "a.n", int64(0))
		i, _ := value.Get(root, "a.n", 0)
		s, _ := value.Get(root, "a.s", "")
		b, _ := value.Get(root, "a.b", false)
		f, _ := value.Get(root, "a.f", 0.0)
		whole, _ := value.Get(root, "a.i", 0.0)
		d, _ := value.Get(root, "a.d", time.Duration(0))
		if n != 5 || i != 5 || s != "x" || !b || f != 1.5 || whole != 1 || d != 90*time.Second {
			t.Fatal(n, i, s, b, f, whole, d)
		}
	})
	if got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestReadErrorsHoldNoSecret(t *testing.T) {
	const secret = "hunter2hunter2"
	root := parse(t, fmt.Sprintf(`{"password": %[1]q, "credentials": {"values": [%[1]q]}, "url": "postgres://u:%[1]s@db", "apiKey": %[1]q, "since": {"token": %[1]q}}`, secret))
	read := []error{}
	for _, path := range []string{"password", "credentials.values[0]", "url", "apiKey", "since.token"} {
		_, number := value.Get(root, path, 1)
		_, address := value.Get(root, path, netip.Addr{})
		_, size := value.Get(root, path, value.Size(0))
		_, enum := value.Get(root, path, level(""))
		_, deep := value.Get(root, path, [][]int{})
		read = append(read, number, address, size, enum, deep)
	}
	for _, err := range read {
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(fmt.Sprintf("%v %+v %#v", e, e, e), secret) {
				t.Errorf("%v", e)
			}
		}
		if err == nil || !strings.Contains(err.Error(), "a string that is not shown, because it looks like a secret") {
			t.Errorf("%v", err)
		}
	}
}
