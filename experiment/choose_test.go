package experiment_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// noon is a time at which the example's ramp is at 5 %.
var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// chosen is what is in effect, as rollout new-ranking=on or experiment checkout-button=green!, the mark for forced.
func chosen(s *experiment.Set, who *experiment.Context, now time.Time) []string {
	var list []string
	for _, c := range s.Choose(nil, who, now) {
		a := s.Arm(c)
		text := fmt.Sprintf("%s %s=%s", a.Kind, a.Key, a.Name)
		if c.Forced {
			text += "!"
		}
		list = append(list, text)
	}
	return list
}

// slots says under a salt which slots are wanted.
type slots map[string]func(slot int) bool

// unitOf finds the first unit u0, u1, … whose slots under salts are as wanted.
func unitOf(t testing.TB, wanted slots) string {
	t.Helper()
	for i := range 1_000_000 {
		name, fits := fmt.Sprintf("u%d", i), true
		for salt, holds := range wanted {
			fits = fits && holds(experiment.Slot(salt, name))
		}
		if fits {
			return name
		}
	}
	t.Fatal("no such unit")
	return ""
}

func below(n int) func(int) bool { return func(slot int) bool { return slot < n } }

func between(n, m int) func(int) bool { return func(slot int) bool { return slot >= n && slot < m } }

func from(n int) func(int) bool { return func(slot int) bool { return slot >= n } }

const (
	rolloutSalt = "41be77c20a9d"
	trialSalt   = "8f3a1c90d2b7"
	layerSalt   = "5d1f7a26c3e8"
)

func TestTheDesignsExampleIsDecided(t *testing.T) {
	s := good(t, story).In("prod", experiment.Options{})
	control := unitOf(t, slots{layerSalt: below(2000), trialSalt: below(5000), rolloutSalt: from(5000)})
	green := unitOf(t, slots{layerSalt: below(2000), trialSalt: from(5000), rolloutSalt: from(5000)})
	outside := unitOf(t, slots{layerSalt: between(2000, 9500), rolloutSalt: from(5000)})
	early := unitOf(t, slots{rolloutSalt: below(500), layerSalt: from(2000)})
	later := unitOf(t, slots{rolloutSalt: between(500, 5000), layerSalt: from(2000)})
	for _, c := range []struct {
		attributes string
		now        time.Time
		want       string
	}{
		{fmt.Sprintf(`{"accountId": %q, "country": "DE"}`, control), noon, "experiment checkout-button=control"},
		{fmt.Sprintf(`{"accountId": %q, "country": "FR"}`, green), noon, "experiment checkout-button=green"},
		{fmt.Sprintf(`{"targetingKey": %q, "country": "FR"}`, green), noon, "experiment checkout-button=green"}, // the layer's fallback
		{fmt.Sprintf(`{"accountId": %q, "country": "US"}`, green), noon, ""},
		{fmt.Sprintf(`{"accountId": %q, "country": "DE"}`, outside), noon, ""},
		{fmt.Sprintf(`{"accountId": %q}`, green), noon, ""},
		{`{"accountId": "qa-1"}`, noon, "experiment checkout-button=green!"},
		{`{"country": "DE"}`, noon, ""},
		{`{"email": "ada@example.com"}`, noon, "rollout new-ranking=on"},
		{`{"email": "ada@example.com"}`, noon.AddDate(-1, 0, 0), "rollout new-ranking=on"},
		{fmt.Sprintf(`{"accountId": %q, "country": "DE"}`, early), noon, "rollout new-ranking=on"},
		{fmt.Sprintf(`{"accountId": %q, "country": "DE"}`, early), noon.Add(-4 * time.Hour), ""},
		{fmt.Sprintf(`{"accountId": %q, "country": "DE"}`, later), noon, ""},
		{fmt.Sprintf(`{"accountId": %q, "country": "DE"}`, later), noon.AddDate(0, 0, 1), "rollout new-ranking=on"},
		{fmt.Sprintf(`{"accountId": %q}`, early), noon, ""},
	} {
		if got := strings.Join(chosen(s, whoIs(t, c.attributes), c.now), ", "); got != c.want {
			t.Errorf("%s at %s: %q, want %q", c.attributes, c.now, got, c.want)
		}
	}
	if got := chosen(s, nil, noon); got != nil {
		t.Errorf("nobody gets %v", got)
	}
	if got := chosen(good(t, story).In("staging", experiment.Options{}), whoIs(t, `{"accountId": "qa-1"}`), noon); got != nil {
		t.Errorf("staging gets %v", got)
	}
}

// TestAssignments holds what clients are told of experiments.
func TestAssignments(t *testing.T) {
	s := good(t, story).In("prod", experiment.Options{})
	got := s.Assignments(s.Choose(nil, whoIs(t, `{"accountId": "qa-1", "email": "ada@example.com"}`), noon))
	if want := []experiment.Assignment{{Experiment: "checkout-button", Variant: "green", Phase: 1, Layer: "checkout", Forced: true}}; !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

// TestFirstMatchEnds holds that the first rule that matches decides, whether its percentage includes the unit or not; so a rule can hold a
// group back.
func TestFirstMatchEnds(t *testing.T) {
	s := good(t, map[string]string{"rollouts/r.yaml": `environments: [prod]
salt: abc
set: {flag: 1}
rules:
  - {name: asleep, schedule: {start: 2027-01-01T00:00:00Z, end: 2027-02-01T00:00:00Z}}
  - {name: heldBack, when: context.country == "DE", percentage: 0%}
  - {name: half, when: context.country == "FR", percentage: 50%}
  - {name: own, when: context.plan == "pro", set: {flag: 2}}
  - {name: everyone}
force: {in: true, out: false, pro: own}
`}).In("prod", experiment.Options{})
	inside, outside := unitOf(t, slots{"abc": below(5000)}), unitOf(t, slots{"abc": from(5000)})
	january := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		attributes string
		now        time.Time
		want, rule string
		check      experiment.Check
		split      bool
	}{
		{`{"country": "DE"}`, noon, "", "heldBack", experiment.CheckPercentage, false},
		{`{"country": "DE"}`, january, "rollout r=on", "asleep", experiment.CheckRule, false},
		{`{"country": "DE"}`, january.AddDate(0, 1, 0), "", "heldBack", experiment.CheckPercentage, false},
		{fmt.Sprintf(`{"country": "FR", "targetingKey": %q}`, inside), noon, "rollout r=on", "half", experiment.CheckPercentage, true},
		{fmt.Sprintf(`{"country": "FR", "targetingKey": %q}`, outside), noon, "", "half", experiment.CheckPercentage, true},
		{`{"country": "FR"}`, noon, "", "half", experiment.CheckUnit, false},
		{`{"country": "FR", "targetingKey": "a\u0000b"}`, noon, "", "half", experiment.CheckUnit, false},
		{`{"country": "FR", "targetingKey": true}`, noon, "", "half", experiment.CheckUnit, false},
		{`{"plan": "pro"}`, noon, "rollout r=own", "own", experiment.CheckRule, false},
		{`{}`, noon, "rollout r=on", "everyone", experiment.CheckRule, false},
		{`{"targetingKey": "in", "country": "DE"}`, noon, "rollout r=on!", "", experiment.CheckForced, false},
		{`{"targetingKey": "out"}`, noon, "", "", experiment.CheckForced, false},
		{`{"targetingKey": "pro"}`, noon, "rollout r=own!", "", experiment.CheckForced, false},
	} {
		who := whoIs(t, c.attributes)
		if got := strings.Join(chosen(s, who, c.now), ", "); got != c.want {
			t.Errorf("%s: %q, want %q", c.attributes, got, c.want)
		}
		o := s.Decide(who, c.now, 0)
		if o.In != (c.want != "") || o.Check != c.check || o.Split != c.split || s.Rule(0, o) != c.rule {
			t.Errorf("%s: %+v by rule %q", c.attributes, o, s.Rule(0, o))
		}
	}
}

// TestOrderOfChecks holds that of several reasons to be left out the first one in the order decides.
func TestOrderOfChecks(t *testing.T) {
	files := with(story,
		trial, strings.Replace(story[trial], "layer: checkout", "layer: checkout\nprerequisites: [{rollout: gate}]", 1),
		"rollouts/gate.yaml", "environments: [prod]\nset: {gate: true}\nrules: [{name: open, when: context.gate}]\n",
	)
	in, held, out := unitOf(t, slots{layerSalt: below(2000)}), unitOf(t, slots{layerSalt: from(9500)}), unitOf(t, slots{layerSalt: between(2000, 9500)})
	who := func(unit, gate, country string) *experiment.Context {
		if unit == "" {
			return whoIs(t, fmt.Sprintf(`{"gate": %s, "country": %q}`, gate, country))
		}
		return whoIs(t, fmt.Sprintf(`{"accountId": %q, "gate": %s, "country": %q}`, unit, gate, country))
	}
	d := good(t, files)
	stopped := func(kind experiment.Kind, key string) bool {
		return kind == experiment.KindExperiment && key == "checkout-button"
	}
	for _, c := range []struct {
		who     *experiment.Context
		stopped func(experiment.Kind, string) bool
		want    experiment.Check
		in      bool
	}{
		{who("qa-1", "false", "US"), stopped, experiment.CheckStatus, false},
		{who("qa-1", "false", "US"), nil, experiment.CheckForced, true},
		{who(held, "false", "US"), nil, experiment.CheckHoldout, false},
		{who("", "false", "US"), nil, experiment.CheckPrerequisite, false},
		{who(out, "false", "US"), nil, experiment.CheckPrerequisite, false},
		{who("", "true", "US"), nil, experiment.CheckTargeting, false},
		{who(out, "true", "US"), nil, experiment.CheckTargeting, false},
		{who("", "true", "DE"), nil, experiment.CheckUnit, false},
		{who(out, "true", "DE"), nil, experiment.CheckTraffic, false},
		{who(in, "true", "DE"), nil, experiment.CheckVariant, true},
	} {
		s := d.In("prod", experiment.Options{Stopped: c.stopped})
		o := s.Decide(c.who, noon, 2)
		if o.Check != c.want || o.In != c.in {
			t.Errorf("%v: %+v, want %s", c.who.Value(), o, c.want)
		}
	}
}

func TestPrerequisites(t *testing.T) {
	files := with(story,
		"rollouts/after.yaml", "environments: [prod]\nset: {after: true}\nprerequisites: [{experiment: checkout-button, variant: green}, {rollout: between}]\nrules: [{name: all}]\n",
		"rollouts/between.yaml", "environments: [prod]\nset: {between: true}\nprerequisites: [{experiment: checkout-button}]\nrules: [{name: all}]\n",
	)
	d := good(t, files)
	green, control := unitOf(t, slots{layerSalt: below(2000), trialSalt: from(5000)}), unitOf(t, slots{layerSalt: below(2000), trialSalt: below(5000)})
	for _, c := range []struct{ unit, want string }{
		{green, "rollout after=on, rollout between=on, experiment checkout-button=green"},
		{control, "rollout between=on, experiment checkout-button=control"},
		{"qa-1", "rollout after=on, rollout between=on, experiment checkout-button=green!"},
	} {
		who := whoIs(t, fmt.Sprintf(`{"accountId": %q, "country": "DE"}`, c.unit))
		s := d.In("prod", experiment.Options{})
		got := slices.DeleteFunc(chosen(s, who, noon), func(s string) bool { return strings.Contains(s, "new-ranking") })
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %v", c.unit, got)
		}
		narrow := s.Within(seen(t, "after"))
		if got := chosen(narrow, who, noon); slices.Contains(got, "rollout after=on") != strings.Contains(c.want, "after") || len(got) > 1 {
			t.Errorf("%s through a pattern: %v", c.unit, got)
		}
		off := d.In("prod", experiment.Options{Stopped: func(_ experiment.Kind, key string) bool { return key == "checkout-button" }})
		if got := chosen(off, who, noon); slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "after") || strings.Contains(s, "between") }) {
			t.Errorf("%s while the prerequisite is stopped: %v", c.unit, got)
		}
	}
}

func patterns(t testing.TB, texts ...string) []value.Pattern {
	t.Helper()
	list, err := value.ParsePatterns(texts)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// seen is what patterns select of any values.
func seen(t testing.TB, texts ...string) func(*value.Value) *value.Value {
	list := patterns(t, texts...)
	return func(v *value.Value) *value.Value { return value.Select(v, list) }
}

// TestStatus holds that only a running experiment is in effect, and that a stop is as good as a pause.
func TestStatus(t *testing.T) {
	who := whoIs(t, `{"accountId": "qa-1"}`)
	for _, status := range []string{"draft", "running", "paused", "decided"} {
		s := good(t, with(story, trial, strings.Replace(story[trial], "status: running", "status: "+status, 1))).In("prod", experiment.Options{})
		if got := chosen(s, who, noon); (len(got) == 1) != (status == "running") {
			t.Errorf("%s: %v", status, got)
		}
	}
}

// TestFailures holds that a condition that cannot be evaluated leaves out, whatever comes after it, and is told of.
func TestFailures(t *testing.T) {
	d := good(t, with(story, "rollouts/broken.yaml", "environments: [prod]\nset: {a: 1}\nrules: [{name: bad, when: context.age > 3}, {name: all}]\n",
		"rollouts/needs.yaml", "environments: [prod]\nset: {b: 1}\nprerequisites: [{rollout: broken}]\nrules: [{name: all}]\n"))
	var failed []string
	s := d.In("prod", experiment.Options{Failed: func(kind experiment.Kind, key string, err error) {
		failed = append(failed, fmt.Sprintf("%s %s: %v", kind, key, err))
	}})
	if got := chosen(s, whoIs(t, `{"age": "old"}`), noon); got != nil {
		t.Errorf("in effect: %v", got)
	}
	if want := []string{"rollout broken: no such overload"}; !slices.Equal(failed, want) {
		t.Errorf("told of %v", failed)
	}
	if got := chosen(s, whoIs(t, `{"age": 4}`), noon); !slices.Equal(got, []string{"rollout broken=on", "rollout needs=on"}) {
		t.Errorf("in effect: %v", got)
	}
}

func TestNext(t *testing.T) {
	s := good(t, with(story, "rollouts/sale.yaml", `environments: [prod]
set: {sale: true}
salt: s
rules:
  - {name: week, schedule: {start: 2026-12-01T09:30:00Z, end: 2026-12-08T09:30:00Z}, percentage: 10%}
  - {name: slowly, ramp: {start: 2027-01-01T00:00:00Z, over: 3m, from: 1%, to: 5.5%}}
`)).In("prod", experiment.Options{})
	var got []string
	for at, ok := s.Next(time.Time{}); ok; at, ok = s.Next(at) {
		got = append(got, at.Format("01-02 15:04"))
	}
	want := []string{"12-01 09:00", "12-01 09:30", "12-02 09:00", "12-08 09:30", "01-01 00:00", "01-01 00:01", "01-01 00:02", "01-01 00:03"}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if at, ok := s.Within(seen(t, "search.**")).Next(noon); !ok || at != noon.Add(21*time.Hour) {
		t.Errorf("through a pattern: %s", at)
	}
	if at, ok := s.Within(seen(t, "checkout.**")).Next(noon); ok {
		t.Errorf("of what never changes: %s", at)
	}
}

// TestDecidingTakesNoMemory holds it for everything that is asked again and again.
func TestDecidingTakesNoMemory(t *testing.T) {
	files := with(story, trial, strings.Replace(story[trial], "traffic: 20%", "traffic: 95%", 1),
		"rollouts/gate.yaml", "environments: [prod]\nsalt: gate\nset: {gate: true}\nprerequisites: [{experiment: checkout-button}]\n"+
			"rules: [{name: some, percentage: 50%, when: 'semver(context.version) >= semver(\"1.2.0\") && context.absent != 1'}]\n")
	s := good(t, files).In("prod", experiment.Options{})
	narrow := s.Within(seen(t, "gate"))
	choices, key := make([]experiment.Choice, 0, 10), make([]byte, 0, 100)
	base, color := parsed(t, `{"checkout": {"ui": {"button": {"color": "blue"}}}}`), value.Path{"checkout", "ui", "button", "color"}
	for _, attributes := range []string{visitor, `{}`, `{"accountId": 77, "country": "FR", "version": "0.1"}`, `{"accountId": "qa-1"}`} {
		who := whoIs(t, attributes)
		if n := leastAllocations(func() {
			choices = s.Choose(choices[:0], who, noon)
			key = narrow.AppendKey(key[:0], narrow.Choose(choices[:0], who, noon))
			s.Decide(who, noon, 1)
			s.Value(base, choices, color)
			s.Next(noon)
		}); n != 0 {
			t.Errorf("%s: %v allocations", attributes, n)
		}
	}
}

// leastAllocations is how often f takes memory at least. A sync.Pool forgets at random under the race detector, so not every run counts.
func leastAllocations(f func()) float64 {
	least := testing.AllocsPerRun(1, f)
	for range 200 {
		least = min(least, testing.AllocsPerRun(1, f))
	}
	return least
}

// TestDecidingFromSeveralGoroutines is for the race detector.
func TestDecidingFromSeveralGoroutines(t *testing.T) {
	s := good(t, with(many(20, "experiments", `segment("staff") || context.country in ["DE"]`), rollout, story[rollout])).In("prod", experiment.Options{})
	who := whoIs(t, visitor)
	want := s.Choose(nil, who, noon)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 200 {
				if got := s.Choose(nil, who, noon); !slices.Equal(got, want) {
					t.Errorf("%v", got)
				}
			}
		})
	}
	wait.Wait()
}

// TestNumbersDoNotDependOnChance holds that two readings of the same files number alike, whatever is stopped.
func TestNumbersDoNotDependOnChance(t *testing.T) {
	files := many(50, "experiments", "")
	maps.Copy(files, many(50, "rollouts", ""))
	names := func(o experiment.Options) (all []string) {
		for a := range good(t, files).In("prod", o).Arms() {
			all = append(all, fmt.Sprint(a.Choice, a.Kind, a.Key, a.Name))
		}
		return all
	}
	want := names(experiment.Options{})
	for range 3 {
		if got := names(experiment.Options{Stopped: func(_ experiment.Kind, key string) bool { return strings.HasSuffix(key, "7") }}); !reflect.DeepEqual(got, want) {
			t.Fatal("the numbers differ")
		}
	}
}
