package local_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/client/local"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/experiment"
)

// One connection serves many: each has what the server would have sent.
func TestManyUsersOfOneConnection(t *testing.T) {
	leakless(t)
	set := setOf(t, shop)
	s := newStream(t)
	s.define("c1", exported(t, set))
	s.snapshot("c1", configured)
	c := dial(t, s, nil)
	if h := <-s.heard; h.Evaluate != wire.EvaluateLocal || h.Context != nil {
		t.Errorf("%+v", h)
	}
	base := parsed(t, configured)
	for i := range 200 {
		asks := who(t, fmt.Sprintf(`{"targetingKey":"u%d","country":"DE","plan":%q}`, i, []string{"pro", "free"}[i%2]))
		choices := set.Choose(nil, &asks, noon)
		want, got := set.Values(base, choices), c.For(asks)
		if !slices.Equal(got.Assignments(), assigned(set.Assignments(choices))) {
			t.Fatalf("%v", got.Assignments())
		}
		if state := got.State(); state.Values.String() != want.String() || state.Commit != "4be2" {
			t.Fatalf("%s, want %s", state.Values, want)
		}
		for _, path := range []string{"search.ranking", "limits", "limits.perHour", "checkout", "checkout.color", `["a.b"].c`, "/a.b", "search.on", "checkout.dsn", "none", "limits.none", "a..b", ""} {
			wanted, there := (&client.State{Values: want}).Get(path)
			if v, ok := got.Get(path); ok != there || ok && v.String() != wanted.String() {
				t.Fatalf("%s: %s, want %s", path, v, wanted)
			}
		}
	}
}

func assigned(list []experiment.Assignment) (all []client.Assignment) {
	for _, a := range list {
		all = append(all, client.Assignment(a))
	}
	return all
}

// Views are read by type, as clients are.
func TestReads(t *testing.T) {
	c := holding(t, resolver(t, setOf(t, shop), configured, noon))
	v, err := c.ForMap(map[string]any{"targetingKey": "qa", "plan": "pro", "email": "ada@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	var limits struct {
		PerHour int
		Burst   time.Duration
	}
	if err := v.Decode("limits", &limits); err != nil || limits.PerHour != 500 || limits.Burst != 5*time.Second {
		t.Error(limits, err)
	}
	per, err := local.Get(v, "limits.perHour", uint16(1))
	read, other := client.Read(v, "limits.perHour", uint16(1))
	if per != 500 || read != 500 || err != nil || other != nil {
		t.Error(per, read, err, other)
	}
	if _, err := local.Get(v, "search.ranking", 7); err == nil || !strings.Contains(err.Error(), "search.ranking") {
		t.Error(err)
	}
	for _, c := range []struct{ got, want any }{
		{v.String("search.ranking", ""), "new"},
		{v.Int("search.depth", 0), int64(9)},
		{v.Bool("search.on", false), true},
		{v.Float("checkout.ratio", 0), 0.5},
		{v.Duration("limits.burst", 0), 5 * time.Second},
		{v.String("checkout.color", ""), "green"},
		{v.String("checkout.dsn", "hidden"), "hidden"},
		{v.Int("search.ranking", 7), int64(7)},
		{v.Bool("nothing", true), true},
	} {
		if c.got != c.want {
			t.Errorf("%v, want %v", c.got, c.want)
		}
	}
	x, ok := v.Explain(experiment.KindExperiment, "button")
	if !ok || !x.In || !x.Forced || x.Arm != "green" {
		t.Errorf("%+v", x)
	}
	if _, err := c.ForMap(map[string]any{"a": func() {}}); err == nil {
		t.Error("a function is an attribute")
	}
	if got := fmt.Sprint(c.Settable()); got != "[[\"a.b\"].c checkout.color limits search.depth search.ranking]" {
		t.Errorf("settable are %s", got)
	}
	if got := c.Configured().Values.String(); got != parsed(t, configured).String() {
		t.Errorf("configured is %s", got)
	}
}

// Before there is a version everything is its default, and nothing without definitions.
func TestNothingThere(t *testing.T) {
	s := local.NewSource(func() (time.Time, bool) { return time.Unix(1, 0), true })
	for range 2 {
		v := s.For(experiment.Context{})
		_, explained := v.Explain(experiment.KindRollout, "ranking")
		_, stale := v.Stale()
		if v.Int("a.b", 3) != 3 || v.Assignments() != nil || explained || !stale || v.Evaluate("a").Value != nil {
			t.Error("something is there")
		}
		s.Put(local.NewResolver(&client.State{Values: parsed(t, `{}`)}, nil, time.Time{}))
	}
}

// Definitions that cannot be read are not accepted: what there was stays, and the server and the program are told why.
func TestDefinitionsThatCannotBeRead(t *testing.T) {
	leakless(t)
	s := newStream(t)
	events := make(chan client.Event, 100)
	s.define("c1", exported(t, setOf(t, shop)))
	s.snapshot("c1", configured)
	c := dial(t, s, func(o *local.Options) { o.OnEvent = func(e client.Event) { events <- e } })
	s.said(t)
	forced := who(t, `{"targetingKey":"qa"}`)
	s.define("c2", `{"environment":"prod","rollouts":{"r":{"environments":["prod"],"mode":"new","rules":[]}}}`)
	s.delta("c1", "c2", `[{"op":"replace","path":"/checkout/color","value":"red"}]`)
	if m := s.said(t); m.Type != wire.TypeNack || m.Cursor != "c2" || !strings.Contains(m.Reason, `the rollout r: `) {
		t.Errorf("%+v", m)
	}
	if got := c.For(forced).String("checkout.color", ""); got != "green" || c.Configured().Cursor != "c1" {
		t.Errorf("%s of %s", got, c.Configured().Cursor)
	}
	if _, stale := c.Stale(); !stale {
		t.Error("it is not stale")
	}
	<-events
	if e := <-events; e.Kind != client.Rejected || !errors.Is(e.Err, experiment.ErrExport) {
		t.Errorf("%+v", e)
	}
	s.define("c3", `{}`)
	s.delta("c2", "c3", `[]`)
	if m := s.said(t); m.Type != wire.TypeAck || m.Cursor != "c3" {
		t.Errorf("%+v", m)
	}
	if got := c.For(forced).String("checkout.color", ""); got != "red" {
		t.Errorf("without definitions: %s", got)
	}
}

// The program's own Accept is asked, too, and its veto keeps the definitions with the values.
func TestAccept(t *testing.T) {
	leakless(t)
	s := newStream(t)
	s.define("c1", exported(t, setOf(t, shop)))
	s.snapshot("c1", configured)
	c := dial(t, s, func(o *local.Options) {
		o.Accept = func(s *client.State) error {
			if s.String("checkout.color", "") == "red" {
				return errors.New("not red")
			}
			return nil
		}
	})
	s.said(t)
	s.define("c2", `{}`)
	s.delta("c1", "c2", `[{"op":"replace","path":"/checkout/color","value":"red"}]`)
	if m := s.said(t); m.Reason != "not red" {
		t.Errorf("%+v", m)
	}
	if got := c.For(who(t, `{"targetingKey":"qa"}`)).String("checkout.color", ""); got != "green" {
		t.Error(got)
	}
}

// Without a server a program decides by what it kept.
func TestKept(t *testing.T) {
	leakless(t)
	s := newStream(t)
	keep := filepath.Join(t.TempDir(), "kept")
	s.define("c1", exported(t, setOf(t, shop)))
	s.snapshot("c1", configured)
	dial(t, s, func(o *local.Options) { o.Keep = keep }).Close()
	again := dial(t, s, func(o *local.Options) { o.Keep = keep })
	if got := again.For(who(t, `{"targetingKey":"qa"}`)).String("checkout.color", ""); got != "green" {
		t.Error(got)
	}
	if _, stale := again.Stale(); !stale {
		t.Error("it is not stale")
	}
}

// Dial fails when the server refuses, and leaves nothing behind.
func TestRefused(t *testing.T) {
	leakless(t)
	if _, err := local.Dial(t.Context(), local.Options{Options: client.Options{URL: "nothing"}}); err == nil {
		t.Error("no server is one")
	}
	if _, err := local.New(local.Options{Options: client.Options{URL: "http://127.0.0.1:1", Context: map[string]any{"a": 1}}}); err == nil || !strings.Contains(err.Error(), "For") {
		t.Error(err)
	}
}

// Whoever reads while versions change has one or the other, and the definitions that belong to it.
func TestReadingWhileVersionsChange(t *testing.T) {
	leakless(t)
	s := newStream(t)
	of := func(n int) string {
		return exported(t, setOf(t, map[string]string{"rollouts/r": fmt.Sprintf("environments: [prod]\nset: {b: %d}\nrules: [{name: all}]\n", n)}))
	}
	s.define("c0", of(0))
	s.snapshot("c0", `{"a":0,"b":-1}`)
	c := dial(t, s, nil)
	s.said(t)
	var reading sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		reading.Go(func() {
			for {
				v := c.For(experiment.Context{})
				if a, b := v.Int("a", -1), v.Int("b", -1); a != b {
					t.Errorf("a of %d and b of %d", a, b)
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for n := range 50 {
		s.define(fmt.Sprintf("c%d", n+1), of(n+1))
		s.delta(fmt.Sprintf("c%d", n), fmt.Sprintf("c%d", n+1), fmt.Sprintf(`[{"op":"replace","path":"/a","value":%d}]`, n+1))
		s.said(t)
	}
	close(stop)
	reading.Wait()
	if got := c.For(experiment.Context{}).Int("b", 0); got != 50 {
		t.Error(got)
	}
}

// TestGoldenDefinitions holds that the protocol's example of definitions is decided by.
func TestGoldenDefinitions(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "wire", "testdata", "definitions.json"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := wire.ParseServer(data)
	if err != nil {
		t.Fatal(err)
	}
	set, _, err := experiment.Import(parsed(t, string(m.Definitions)))
	if err != nil {
		t.Fatal(err)
	}
	v := holding(t, local.NewResolver(&client.State{Values: parsed(t, `{"checkout":{"ui":{"button":{"color":"blue"}}},"search":{"newRanking":false}}`)}, set, time.Time{})).
		For(who(t, `{"staff":true}`))
	x, ok := v.Explain(experiment.KindRollout, "new-ranking")
	if !ok || x.In || v.Bool("search.newRanking", true) || v.Evaluate("search.newRanking").Reason != local.Disabled || v.Evaluate("checkout.ui").NoUnit != true {
		t.Errorf("%+v", x)
	}
}
