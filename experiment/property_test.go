package experiment_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/experiment"
)

// person is a unit and what it says of itself.
type person struct {
	unit string
	who  *experiment.Context
}

// people are the units of the names.
func people(t testing.TB, units []string) []person {
	t.Helper()
	list := make([]person, len(units))
	for i, unit := range units {
		list[i] = person{unit, whoIs(t, fmt.Sprintf(`{"targetingKey": %q}`, unit))}
	}
	return list
}

// crowd is six hundred people.
func crowd(t testing.TB) []person { return people(t, ids(600)["emails"]) }

// held is which arm each has of the one definition of a set.
func held(crowd []person, s *experiment.Set, now time.Time) map[string]string {
	has := map[string]string{}
	var choices []experiment.Choice
	for _, p := range crowd {
		for _, c := range s.Choose(choices[:0], p.who, now) {
			has[p.unit] = s.Arm(c).Name
		}
	}
	return has
}

// TestRampsMoveNobody holds that a percentage that grows, by commits or by time, never takes the change from anybody who has it.
func TestRampsMoveNobody(t *testing.T) {
	crowd := crowd(t)
	rapid.Check(t, func(r *rapid.T) {
		shares := rapid.SliceOfN(rapid.IntRange(0, 10_000), 2, 6).Draw(r, "shares")
		slices.Sort(shares)
		ramp := rapid.SampledFrom([]string{"over: 3h, from: %[1]s, to: 100%%", "steps: [{after: 0h, percentage: %[1]s}, {after: 1h, percentage: 100%%}]"}).Draw(r, "ramp")
		had := map[string]string{}
		for _, share := range shares {
			percentage := fmt.Sprintf("%d.%02d%%", share/100, share%100)
			text := "percentage: " + percentage
			if share < 10_000 && rapid.Bool().Draw(r, "ramps") {
				text = "ramp: {start: 2026-12-01T09:00:00Z, " + fmt.Sprintf(ramp, percentage) + "}"
			}
			s := good(t, map[string]string{"rollouts/r.yaml": "environments: [prod]\nsalt: abc\nset: {flag: true}\nrules: [{name: all, " + text + "}]\n"}).In("prod", experiment.Options{})
			now := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
			has := held(crowd, s, now)
			for unit := range had {
				if has[unit] == "" {
					r.Fatalf("%s loses it at %s", unit, percentage)
				}
			}
			had = has
			if next, ok := s.Next(now); ok {
				grown := held(crowd, s, next)
				for unit := range had {
					if grown[unit] == "" {
						r.Fatalf("%s loses it at %s", unit, next)
					}
				}
			}
		}
	})
}

// TestTrafficChangesNobodysVariant holds that whatever becomes of the slots of a layer, who stays in keeps the variant.
func TestTrafficChangesNobodysVariant(t *testing.T) {
	crowd := crowd(t)
	rapid.Check(t, func(r *rapid.T) {
		had := map[string]string{}
		for range 4 {
			a, b := rapid.IntRange(0, 9999).Draw(r, "first"), rapid.IntRange(0, 9999).Draw(r, "last")
			s := good(t, trialOf(min(a, b), max(a, b), "control: {weight: 20%}, a: {weight: 30%, set: {flag: 1}}, b: {weight: 50%, set: {flag: 2}}")).In("prod", experiment.Options{})
			for unit, variant := range held(crowd, s, noon) {
				if was, known := had[unit]; known && was != variant {
					r.Fatalf("%s moves from %s to %s", unit, was, variant)
				}
				had[unit] = variant
			}
		}
	})
}

func trialOf(first, last int, variants string) map[string]string {
	return map[string]string{
		"layers/l.yaml": "salt: l\n",
		"experiments/x.yaml": fmt.Sprintf("environments: [prod]\nstatus: running\nlayer: l\nsalt: x\nslots: [%d-%d]\nvariants: {%s}\nplan: {unitsTotal: 10, minimumEffect: {relative: 1%%}}\n",
			first, last, variants),
	}
}

// TestNothingChangesBetweenTimes holds that choices change at the times that Next tells, and at no other.
func TestNothingChangesBetweenTimes(t *testing.T) {
	crowd := crowd(t)
	start := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	at := func(r *rapid.T, name string) time.Time {
		return start.Add(time.Duration(rapid.IntRange(0, 600).Draw(r, name)) * time.Minute)
	}
	rapid.Check(t, func(r *rapid.T) {
		from := at(r, "from")
		s := good(t, map[string]string{"rollouts/r.yaml": fmt.Sprintf(`environments: [prod]
salt: abc
set: {flag: 1}
rules:
  - {name: a, percentage: 30%%, schedule: {start: %[1]s, end: %[2]s}, set: {flag: 2}}
  - {name: b, ramp: {start: %[3]s, over: %[4]dm, from: %[5]d%%}}
`, from.Format(time.RFC3339), from.Add(time.Hour).Format(time.RFC3339), at(r, "ramp").Format(time.RFC3339), rapid.IntRange(1, 500).Draw(r, "over"), rapid.IntRange(0, 99).Draw(r, "share"))}).
			In("prod", experiment.Options{})
		a := at(r, "a").Add(time.Duration(rapid.IntRange(0, 59).Draw(r, "second")) * time.Second)
		next, ok := s.Next(a)
		b := a.Add(20 * time.Minute)
		if ok && !next.After(b) {
			b = next.Add(-time.Nanosecond)
		}
		before, after := held(crowd, s, a), held(crowd, s, b)
		if fmt.Sprint(before) != fmt.Sprint(after) {
			r.Fatalf("choices differ between %s and %s; next is %s", a, b, next)
		}
	})
}

// weights draws the weights of some variants.
func weights(r *rapid.T, name string) map[string]int {
	names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}), 1, 5, rapid.ID[string]).Draw(r, name)
	left, all := experiment.Slots, map[string]int{}
	for i, variant := range names {
		if all[variant] = left; i < len(names)-1 {
			all[variant] = rapid.IntRange(0, left).Draw(r, variant)
		}
		left -= all[variant]
	}
	return all
}

// TestCarvingMovesTheLeast holds that carved weights are the weights, and move exactly as many slots as the weights that shrink, time and
// again.
func TestCarvingMovesTheLeast(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		shares, err := experiment.Carve(nil, weights(r, "first"))
		for range 5 {
			if err != nil {
				r.Fatal(err)
			}
			next := weights(r, "next")
			var carved []experiment.Share
			if carved, err = experiment.Carve(shares, next); err != nil {
				r.Fatal(err)
			}
			owner := map[int]string{}
			for _, s := range shares {
				for slot := range experiment.Slots {
					if s.Slots.Contains(slot) {
						owner[slot] = s.Variant
					}
				}
			}
			moved, shrunk, total := 0, 0, 0
			for _, s := range shares {
				shrunk += max(0, s.Slots.Count()-next[s.Variant])
			}
			for _, s := range carved {
				if s.Slots.Count() != next[s.Variant] {
					r.Fatalf("%s has %d slots, not %d", s.Variant, s.Slots.Count(), next[s.Variant])
				}
				total += s.Slots.Count()
				for slot := range experiment.Slots {
					if s.Slots.Contains(slot) && owner[slot] != s.Variant {
						moved++
					}
				}
			}
			if moved != shrunk || total != experiment.Slots {
				r.Fatalf("%d of %d slots move, %d are enough", moved, total, shrunk)
			}
			shares = carved
		}
	})
}

func TestCarvingWrongWeights(t *testing.T) {
	for _, weights := range []map[string]int{{}, {"a": 5000}, {"a": -1, "b": 10_001}, {"a": 5000, "b": 5001}} {
		if shares, err := experiment.Carve(nil, weights); err == nil {
			t.Errorf("%v: %v", weights, shares)
		}
	}
}

// TestComparedByWhatUnitsGet holds that what Compare counts of slots is what becomes of units: as many slots gain, lose and move as units of
// one a slot.
func TestComparedByWhatUnitsGet(t *testing.T) {
	everybody := people(t, unitsOfEverySlot("l"))
	draw := func(r *rapid.T, name string, old []experiment.Share) *experiment.Definitions {
		a, b := rapid.IntRange(0, 9999).Draw(r, name+"first"), rapid.IntRange(0, 9999).Draw(r, name+"last")
		ws := weights(r, name)
		if len(ws) < 2 || ws["a"] == 0 {
			ws = map[string]int{"a": 4000, "b": 6000}
		}
		shares, err := experiment.Carve(old, ws)
		if err != nil {
			r.Fatal(err)
		}
		var variants []string
		for _, s := range shares {
			variants = append(variants, fmt.Sprintf("%s: {slots: [%s], set: {flag: 1}}", s.Variant, s.Slots))
		}
		files := trialOf(min(a, b), max(a, b), strings.Join(variants, ", "))
		phase := map[bool]int{true: 1, false: 2}[old == nil]
		files["experiments/x.yaml"] += fmt.Sprintf("control: a\nphase: %d\n", phase)
		return good(t, files)
	}
	rapid.Check(t, func(r *rapid.T) {
		old := draw(r, "old", nil)
		x, _ := old.Experiment("x")
		new := draw(r, "new", x.Shares())
		gained, lost := 0, 0
		was, is := old.In("prod", experiment.Options{}), new.In("prod", experiment.Options{})
		for _, p := range everybody {
			before, after := was.Decide(p.who, noon, 0).In, is.Decide(p.who, noon, 0).In
			if after && !before {
				gained++
			}
			if before && !after {
				lost++
			}
		}
		effects := experiment.Compare(old, new, "prod")
		if len(effects) != 1 || effects[0].Gained != gained || effects[0].Lost != lost || len(effects[0].Problems()) > 0 {
			r.Fatalf("%d gained and %d lost: %+v", gained, lost, effects)
		}
	})
}

// unitsOfEverySlot is one unit of each slot under a salt.
func unitsOfEverySlot(salt string) []string {
	units := make([]string, experiment.Slots)
	for i, found := 0, 0; found < len(units); i++ {
		name := fmt.Sprintf("u%d", i)
		if slot := experiment.Slot(salt, name); units[slot] == "" {
			units[slot] = name
			found++
		}
	}
	return units
}
