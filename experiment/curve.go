package experiment

import (
	"cmp"
	"math"
	"slices"

	"github.com/trunkline/trunkline/value"
)

// curve is a share that changes over time: at each step it becomes so many slots, before the first it is none. The steps are in order.
type curve []step

type step struct {
	at    int64 // seconds since 1970
	slots int
}

// always is everybody at any time.
var always = curve{{math.MinInt64, Slots}}

// at is the share at a time.
func (c curve) at(now int64) int {
	if len(c) == 1 && c[0].at == math.MinInt64 {
		return c[0].slots
	}
	i, found := slices.BinarySearchFunc(c, now, func(s step, now int64) int { return cmp.Compare(s.at, now) })
	switch {
	case found:
		return c[i].slots
	case i == 0:
		return 0
	default:
		return c[i-1].slots
	}
}

// end is the share after the last step.
func (c curve) end() int {
	if len(c) == 0 {
		return 0
	}
	return c[len(c)-1].slots
}

// partial tells whether the share is ever one for which a unit's place must be known.
func (c curve) partial() bool {
	return slices.ContainsFunc(c, func(s step) bool { return s.slots > 0 && s.slots < Slots })
}

// window is when a rule counts: from its start until just before its end.
type window struct{ start, end int64 }

var forever = window{math.MinInt64, math.MaxInt64}

func (w window) open(now int64) bool { return now >= w.start && now < w.end }

// ramp reads a share that grows: by steps, or evenly.
func (r *reader) ramp(v *value.Value, to *curve) {
	const example = "ramp: {start: 2026-12-01T09:00:00Z, steps: [{after: 0h, percentage: 5%}]}, or over: 7d instead of steps"
	var start, over int64
	from, until := 0, Slots
	var steps curve
	r.members(v, "a ramp", []member{
		{"start", "start: 2026-12-01T09:00:00Z", r.instant("start", &start)},
		{"steps", "", func(v *value.Value) { r.steps(v, &steps) }},
		{"over", "", r.duration("over", MaxRamp, &over)},
		{"from", "", r.share("from", &from)},
		{"to", "", r.share("to", &until)},
	})
	has := func(key string) bool {
		_, ok := v.Get(key)
		return ok
	}
	switch {
	case v.Kind() != value.Map:
	case has("steps") == has("over") || has("steps") && (has("from") || has("to")):
		r.fail(v, "ramp", "write "+example, "a ramp has either steps, or a time over which it grows with perhaps from and to")
	case has("steps"):
		*to = steps.from(start)
	case over < 60:
		r.fail(v, "ramp", "write over: 7d", "an even ramp takes at least a minute")
	case from >= until:
		r.fail(v, "ramp", "let to be more than from", "the ramp goes from %s to %s: it does not grow", share(from), share(until))
	default:
		*to = evenly(start, over, from, until)
	}
}

// steps read shares and when they come after the start.
func (r *reader) steps(v *value.Value, to *curve) {
	const example = "steps: [{after: 0h, percentage: 5%}]"
	if v.Kind() == value.List && v.Len() == 0 {
		r.fail(v, "ramp", "write "+example, "a ramp without steps")
	}
	r.each(v, "steps", example, MaxSteps, func(i int, item *value.Value) {
		var s step
		r.members(item, "a step", []member{
			{"after", "after: 24h", r.duration("after", MaxRamp, &s.at)},
			{"percentage", "percentage: 5%", r.share("percentage", &s.slots)},
		})
		switch {
		case i > 0 && s.at <= (*to)[i-1].at:
			r.fail(item, "ramp", "put the steps in the order of time", "a step comes no later than the one before it")
		case i > 0 && s.slots < (*to)[i-1].slots:
			r.fail(item, "ramp", "let the percentage grow; to take a change back, lower percentage in a commit", "a step has %s, less than %s before it", share(s.slots), share((*to)[i-1].slots))
		}
		*to = append(*to, s)
	})
}

// from are the steps of a ramp that starts at a time.
func (c curve) from(start int64) curve {
	moved := make(curve, len(c))
	for i, s := range c {
		moved[i] = step{start + s.at, s.slots}
	}
	return moved
}

// evenly is a share that grows by whole percents and not more often than once a minute, whichever of both makes fewer steps.
func evenly(start, over int64, from, until int) curve {
	var c curve
	if from > 0 {
		c = append(c, step{start, from})
	}
	minutes := over / 60
	grows := int64(until - from)
	n := min((grows+99)/100, minutes)
	for k := int64(1); k <= n; k++ {
		slots := grows * k / n / 100 * 100
		if k == n {
			slots = grows
		}
		c = append(c, step{start + 60*((minutes*k+n-1)/n), from + int(slots)})
	}
	return c
}
