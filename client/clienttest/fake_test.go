package clienttest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/client/clienttest"
	"github.com/trunkline/trunkline/value"
)

func TestReads(t *testing.T) {
	f := clienttest.New(t, map[string]any{
		"checkout.retries": 3, "checkout.timeout": 90 * time.Second, "checkout.ratio": 1.0, "checkout.on": true, "checkout.name": "x",
		"hosts": []string{"a", "b"}, "search": map[string]any{"limit": 20}, `odd["a.b"]`: nil, "own": value.NewInt(7, value.Place{}),
	})
	for _, c := range []struct{ got, want any }{
		{f.Int("checkout.retries", 0), int64(3)},
		{f.Duration("checkout.timeout", 0), 90 * time.Second},
		{f.Float("checkout.ratio", 0), 1.0},
		{f.Int("checkout.ratio", 7), int64(7)},
		{f.Bool("checkout.on", false), true},
		{f.String("checkout.name", ""), "x"},
		{f.String("hosts[1]", ""), "b"},
		{f.Int("search.limit", 0), int64(20)},
		{f.Int("own", 0), int64(7)},
		{f.Int("missing", 7), int64(7)},
	} {
		if c.got != c.want {
			t.Errorf("%v, want %v", c.got, c.want)
		}
	}
	if v, ok := f.Get(`odd["a.b"]`); !ok || v.Kind() != value.Null {
		t.Error("null is not there")
	}
	if n, err := client.Read(f, "checkout.retries", uint8(0)); n != 3 || err != nil {
		t.Error(n, err)
	}
	f.Redact("checkout.name")
	if f.String("checkout.name", "d") != "d" {
		t.Error("what is redacted is read")
	}
	f.Remove("checkout")
	if _, ok := f.Get("checkout"); ok {
		t.Error("what was removed is there")
	}
}

// What a program does not accept is not read, and counts for what is set after it all the same.
func TestNacks(t *testing.T) {
	f := clienttest.New(t, map[string]any{"pool.max": 10})
	f.Accept(func(s *client.State) error {
		if n := s.Int("pool.max", 0); n > 100 {
			return fmt.Errorf("a pool of %d is too large", n)
		}
		return nil
	})
	before := f.State()
	f.Set("pool.max", 1000)
	f.Set("pool.min", 1)
	if _, stale := f.Stale(); !stale || f.State() != before {
		t.Error("what was not accepted is read")
	}
	nacks := f.Nacks()
	if len(nacks) != 2 || nacks[0].Reason != "a pool of 1000 is too large" || nacks[1].State.Int("pool.min", 0) != 1 {
		t.Errorf("%+v", nacks)
	}
	f.Set("pool.max", 20)
	if _, stale := f.Stale(); stale || f.Int("pool.max", 0) != 20 || f.Int("pool.min", 0) != 1 || len(f.Nacks()) != 2 {
		t.Errorf("%s", f.State().Values)
	}
}

func TestWatch(t *testing.T) {
	f := clienttest.New(t, map[string]any{"a": 1, "b": 1})
	var watching sync.WaitGroup
	seen := make(chan int64)
	watching.Go(func() {
		defer close(seen)
		for u, err := range f.Watch(t.Context(), "a") {
			if err != nil {
				if !errors.Is(err, client.ErrClosed) {
					t.Error(err)
				}
				return
			}
			seen <- u.State.Int("a", 0)
		}
	})
	if <-seen != 1 {
		t.Error("the first value did not come")
	}
	f.Set("b", 2)
	f.Set("a", 2)
	if <-seen != 2 {
		t.Error("the change did not come")
	}
	f.Close()
	watching.Wait()
}

// Assignments stand beside the values, and change alone or with them.
func TestAssignments(t *testing.T) {
	f := clienttest.New(t, map[string]any{"a": 1})
	green := client.Assignment{Experiment: "button", Variant: "green", Phase: 1, Layer: "checkout"}
	before := f.State()
	f.Assign(green)
	if got := f.Assignments(); !slices.Equal(got, []client.Assignment{green}) || f.State().Values != before.Values || before.Assignments != nil {
		t.Errorf("%+v", got)
	}
	f.Set("a", 2)
	if got := f.State(); !slices.Equal(got.Assignments, []client.Assignment{green}) || got.Int("a", 0) != 2 {
		t.Errorf("%+v", got)
	}
	f.Assign()
	if got := f.Assignments(); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestStale(t *testing.T) {
	f := clienttest.New(t, nil)
	if _, stale := f.Stale(); stale || f.State() == nil {
		t.Error("it begins stale, or without a state")
	}
	f.Disconnect()
	if _, stale := f.Stale(); !stale {
		t.Error("it is not stale")
	}
	f.Connect()
	if _, stale := f.Stale(); stale {
		t.Error("it stays stale")
	}
}

// failing notes what a test would fail with.
type failing struct {
	testing.TB
	said []string
}

func (f *failing) Helper()                        {}
func (f *failing) Cleanup(func())                 {}
func (f *failing) Errorf(format string, a ...any) { f.said = append(f.said, fmt.Sprintf(format, a...)) }

// What cannot be set fails the test, and changes nothing.
func TestWhatCannotBeSet(t *testing.T) {
	tb := &failing{}
	f := clienttest.New(tb, map[string]any{"a": 1, "list": []int{1}})
	before := f.State()
	f.Set("a.b", 1)
	f.Set("a..b", 1)
	f.Set("", 1)
	f.Set("f", func() {})
	f.Set("list[0].x", 1)
	f.Remove("nothing")
	f.Remove("a..b")
	f.Redact("a.b.c")
	want := []string{"no map", "not a path", "by the paths in it", "unsupported type", "no map", "nothing stands there", "not a path", "no map"}
	if f.State() != before || len(tb.said) != len(want) {
		t.Fatalf("%s\n%s", f.State().Values, strings.Join(tb.said, "\n"))
	}
	for i, what := range want {
		if !strings.Contains(tb.said[i], what) {
			t.Errorf("%q does not say %q", tb.said[i], what)
		}
	}
	if !slices.ContainsFunc(tb.said, func(s string) bool { return strings.HasPrefix(s, "clienttest: a.b: ") }) {
		t.Errorf("the path is not named: %q", tb.said)
	}
}
