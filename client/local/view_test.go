package local_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/client/local"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// TestEvaluations holds what is told of who decided.
func TestEvaluations(t *testing.T) {
	c := holding(t, resolver(t, setOf(t, shop, "halted"), configured, noon))
	for _, test := range []struct {
		attributes, path string
		want             local.Evaluation
		value            string
	}{
		{`{"targetingKey":"u"}`, "search.on", local.Evaluation{Reason: local.Static}, "true"},
		{`{"targetingKey":"u"}`, "none", local.Evaluation{Reason: local.Static}, ""},
		{`{"targetingKey":"u"}`, "limits.perHour", local.Evaluation{Reason: local.Default}, "100"},
		{`{"targetingKey":"u"}`, "search.depth", local.Evaluation{Reason: local.Disabled, Kind: "rollout", Key: "halted"}, "3"},
		{`{"email":"a@example.com"}`, "search.ranking", local.Evaluation{Reason: local.Matched, Kind: "rollout", Key: "ranking", Variant: "on", Rule: "staff"}, `"new"`},
		{`{"targetingKey":"qa"}`, "checkout", local.Evaluation{
			Reason: local.Matched, Kind: "experiment", Key: "button", Phase: 2, Layer: "checkout", Variant: "green", Forced: true,
		}, `{"color":"green","dsn":{"$redacted":true,"fp":"ab"},"ratio":0.5}`},
		{`{"country":"DE"}`, "search.ranking", local.Evaluation{Reason: local.Default, NoUnit: true}, `"old"`},
		{`{}`, "checkout.color", local.Evaluation{Reason: local.Default, NoUnit: true}, `"blue"`},
	} {
		got := c.For(who(t, test.attributes)).Evaluate(test.path)
		text := ""
		if got.Value != nil {
			text = got.Value.String()
		}
		test.want.Commit = "1"
		if got.Value = nil; got != test.want || text != test.value {
			t.Errorf("%s of %s: %+v, %s", test.path, test.attributes, got, text)
		}
	}
	if got := c.For(who(t, `{"age":"old"}`)).Evaluate("limits"); got.Err == nil || got.Reason != local.Default {
		t.Errorf("%+v", got)
	}
	split := 0
	for i := range 100 {
		if e := c.For(who(t, fmt.Sprintf(`{"targetingKey":"u%d"}`, i))).Evaluate("checkout.color"); e.Reason == local.Split {
			split++
		}
	}
	if split != 100 {
		t.Errorf("%d of 100 are in one variant or the other", split)
	}
}

// TestWatch holds that whoever watches hears of versions, of definitions and of what time brings, and of nothing else.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
		set := setOf(t, map[string]string{"rollouts/r": "environments: [prod]\nset: {a: 2}\nrules: [{name: all, schedule: {start: " + start + "}}]\n"})
		s := holding(t, resolver(t, set, `{"a":1,"b":1}`, time.Time{}))
		began, step := time.Now(), 0
		for u, err := range s.For(experiment.Context{}).Watch(t.Context(), "a") {
			if err != nil {
				if !errors.Is(err, client.ErrClosed) {
					t.Error(err)
				}
				break
			}
			got := fmt.Sprint(u.State.Int("a", 0), len(u.Changes), time.Since(began))
			if want := []string{"1 1 0s", "2 1 1h0m0s", "5 1 1h0m0s"}[step]; got != want {
				t.Errorf("%s, want %s", got, want)
			}
			switch step++; step {
			case 2: // other values and definitions, of which the first change nothing here
				s.Put(resolver(t, set, `{"a":1,"b":2}`, time.Time{}))
				s.Put(resolver(t, setOf(t, nil), `{"a":5,"b":2}`, time.Time{}))
			case 3:
				s.End(client.ErrClosed)
			}
		}
		if step != 3 {
			t.Errorf("%d updates", step)
		}
	})
}

func TestWatchEnds(t *testing.T) {
	v := holding(t, resolver(t, setOf(t, nil), `{"a":1}`, time.Time{})).For(experiment.Context{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range v.Watch(ctx) {
		last = err
		cancel()
	}
	if !errors.Is(last, context.Canceled) {
		t.Error(last)
	}
	for _, err := range v.Watch(t.Context(), "a..b") {
		if !errors.Is(err, value.ErrPath) {
			t.Error(err)
		}
	}
}

// TestContexts holds that attributes are taken as their JSON would be, so that a unit is the same wherever it is decided about.
func TestContexts(t *testing.T) {
	drawn := rapid.MapOfN(rapid.StringMatching(`[a-z]{1,3}`), rapid.OneOf(
		rapid.Just[any](nil), rapid.Map(rapid.String(), func(s string) any { return s }), rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.Int(), func(i int) any { return i }), rapid.Map(rapid.Float64(), func(f float64) any { return f }),
		rapid.Map(rapid.Float64Range(-1e19, 1e19), func(f float64) any { return float64(int64(f)) }),
		rapid.Map(rapid.SliceOfN(rapid.String(), 0, 3), func(l []string) any { return l }),
		rapid.Map(rapid.Uint8(), func(n uint8) any { return map[string]any{"n": n, "l": []any{int64(n), "x"}} }),
		rapid.Map(rapid.Uint32(), func(n uint32) any { return time.Unix(int64(n), 0).UTC() }),
	), 0, 6)
	rapid.Check(t, func(r *rapid.T) {
		attributes := drawn.Draw(r, "attributes")
		data, err := json.Marshal(attributes)
		if err != nil {
			r.Fatal(err)
		}
		v, err := value.ParseJSON(data)
		if err != nil {
			return // an integer beyond 64 bits
		}
		want, _ := experiment.ParseContext(v)
		if got, err := local.Context(attributes); err != nil || got.Value().String() != want.Value().String() {
			r.Fatalf("%s, want %s, %v", got.Value(), want.Value(), err)
		}
	})
	deep := map[string]any{}
	deep["deep"] = deep
	for _, wrong := range []map[string]any{deep, {"a": "\xff"}, {"\xff": 1}, {"a": []any{make(chan int)}}, {"a": map[string]any{"b": [1000]int{}}}} {
		if c, err := local.Context(wrong); err == nil || !reflect.DeepEqual(c, experiment.Context{}) {
			t.Errorf("%v is a context", wrong)
		}
	}
}

// many is so many rollouts, each of one flag, and a context that all look at.
func many(n int) map[string]string {
	files := map[string]string{}
	for i := range n {
		files[fmt.Sprintf("rollouts/r%d", i)] = fmt.Sprintf("environments: [prod]\nsalt: r%d\nset: {flags.f%d: true}\nrules: [{name: some, when: 'context.country in [\"DE\", \"FR\"]', percentage: 50%%}]\n", i, i)
	}
	return files
}

func values(n int) string {
	flags := map[string]bool{}
	for i := range n {
		flags[fmt.Sprintf("f%d", i)] = false
	}
	data, _ := json.Marshal(map[string]any{"flags": flags, "plain": true, "deep": map[string]any{"er": 1}})
	return string(data)
}

func TestReadingTakesNoMemory(t *testing.T) {
	s := holding(t, resolver(t, setOf(t, many(20)), values(20), time.Time{}))
	asks := who(t, `{"targetingKey":"user-1234567","country":"DE"}`)
	v := s.For(asks)
	for _, path := range []string{"plain", "flags.f0", "flags.f1", "flags.f2", "flags.none"} {
		if n := leastAllocations(func() { v.Bool(path, false) }); n != 0 {
			t.Errorf("%s: %v allocations", path, n)
		}
	}
	if n := leastAllocations(func() { v = s.For(asks) }); n > 1 {
		t.Errorf("a View: %v allocations", n)
	}
}

// leastAllocations is how often f takes memory at least. A sync.Pool forgets at random under the race detector, so not every run counts.
func leastAllocations(f func()) float64 {
	least := testing.AllocsPerRun(1, f)
	for range 20 {
		least = min(least, testing.AllocsPerRun(1, f))
	}
	return least
}

func BenchmarkView(b *testing.B) {
	s := holding(b, resolver(b, setOf(b, many(200)), values(200), time.Time{}))
	attributes := map[string]any{"targetingKey": "user-1234567", "country": "DE", "plan": "pro"}
	asks, err := local.Context(attributes)
	if err != nil {
		b.Fatal(err)
	}
	v := s.For(asks)
	for name, do := range map[string]func(){
		"for":        func() { v = s.For(asks) },
		"forMap":     func() { _, _ = s.ForMap(attributes) },
		"configured": func() { v.Bool("plain", false) },
		"decided":    func() { v.Bool("flags.f7", false) },
		"evaluate":   func() { v.Evaluate("flags.f7") },
		"state200":   func() { v.State() },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				do()
			}
		})
	}
}
