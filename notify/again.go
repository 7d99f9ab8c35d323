package notify

import (
	"maps"
	"slices"
	"time"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/experiment"
)

// renewal is what a later chooser may decide otherwise than an earlier one, by the numbers of definitions: it counts as decided that the
// others are as they were.
type renewal struct {
	gone    []uint16 // of which what was decided before does not count
	decided []uint16 // which are decided again: those of them that can be seen
}

// again chooses anew, from what was chosen before for the same person. What was chosen is returned itself where it is the same.
func (c *chooser) again(before []experiment.Choice, who *experiment.Context) []experiment.Choice {
	var room [usualChoices]experiment.Choice
	now := room[:0]
	for _, choice := range before {
		if !slices.Contains(c.renewal.gone, choice.Definition) {
			now = append(now, choice)
		}
	}
	for _, n := range c.renewal.decided {
		if o := c.set.Decide(who, c.at, int(n)); o.In {
			now = append(now, o.Choice)
		}
	}
	slices.SortFunc(now, func(a, b experiment.Choice) int { return int(a.Definition) - int(b.Definition) })
	if slices.Equal(now, before) {
		return before
	}
	return slices.Clone(now)
}

// named is a rollout or an experiment.
type named struct {
	kind experiment.Kind
	key  string
}

// renewal finds what has to be decided again after others had decided at a time. It reports false where all has to be. Whatever was read
// from a file that did not change is the same pointer as before.
func (o *overrides) renewal(before *overrides, then, now time.Time) (*renewal, bool) {
	if o.scope != before.scope || !slices.Equal(o.definitions.Segments(), before.definitions.Segments()) {
		return nil, false
	}
	if o.whole != before.whole && o.definitions == before.definitions && slices.Equal(o.stops, before.stops) {
		return nil, false // nobody says why
	}
	numbers := numbersOf(o.whole)
	if o.whole != before.whole && !maps.Equal(numbers, numbersOf(before.whole)) {
		return nil, false
	}
	r := &renewal{}
	for name := range o.changed(before, then, now) {
		if n, ok := numbers[name]; ok {
			r.gone = append(r.gone, n)
		}
	}
	slices.Sort(r.gone)
	for arm := range o.whole.Arms() {
		n := arm.Choice.Definition
		if slices.Contains(r.gone, n) && !slices.Contains(r.decided, n) && o.whole.Touches(arm.Choice, o.see) {
			r.decided = append(r.decided, n)
		}
	}
	return r, len(r.gone) <= mostAgain
}

// numbersOf are the numbers of the definitions that set something.
func numbersOf(set *experiment.Set) map[named]uint16 {
	numbers := map[named]uint16{}
	for arm := range set.Arms() {
		numbers[named{arm.Kind, arm.Key}] = arm.Choice.Definition
	}
	return numbers
}

// changed are the definitions that may be decided otherwise: by another file, another time or an operator, and those that require them.
func (o *overrides) changed(before *overrides, then, now time.Time) map[named]bool {
	changed, requires := map[named]bool{}, map[named][]experiment.Prerequisite{}
	is, was := o.definitions, before.definitions
	for _, x := range is.Rollouts() {
		name := named{experiment.KindRollout, x.Key}
		requires[name] = x.Prerequisites
		if old, _ := was.Rollout(x.Key); old != x || moves(x, then, now) {
			changed[name] = true
		}
	}
	for _, x := range is.Experiments() {
		name := named{experiment.KindExperiment, x.Key}
		requires[name] = x.Prerequisites
		old, _ := was.Experiment(x.Key)
		layer, _ := is.Layer(x.Layer)
		if oldLayer, _ := was.Layer(x.Layer); old != x || layer != oldLayer {
			changed[name] = true
		}
	}
	for _, stops := range [][]apply.Stop{o.stops, before.stops} {
		for _, stop := range stops {
			if name := (named{stop.Kind, stop.Key}); o.stopped(name) != before.stopped(name) {
				changed[name] = true
			}
		}
	}
	spread(changed, requires)
	return changed
}

// spread adds those that require what changed, or what is not there.
func spread(changed map[named]bool, requires map[named][]experiment.Prerequisite) {
	needs := func(p experiment.Prerequisite) bool {
		of := named{p.Kind, p.Key}
		_, there := requires[of]
		return changed[of] || !there
	}
	for more := true; more; {
		more = false
		for name, list := range requires {
			if !changed[name] && slices.ContainsFunc(list, needs) {
				changed[name], more = true, true
			}
		}
	}
}

// moves tells whether time changes whom a rollout includes.
func moves(x *experiment.Rollout, then, now time.Time) bool {
	return slices.ContainsFunc(x.Rules, func(r experiment.Rule) bool {
		slots, counts := r.At(then)
		nextSlots, nextCounts := r.At(now)
		return slots != nextSlots || counts != nextCounts
	})
}

// stopped tells whether an operator has stopped a definition.
func (o *overrides) stopped(name named) bool {
	return slices.ContainsFunc(o.stops, func(s apply.Stop) bool { return s.Kind == name.kind && s.Key == name.key })
}
