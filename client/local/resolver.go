package local

import (
	"time"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// Resolver is one version, ready to be decided for whoever asks. It is immutable.
type Resolver struct {
	state  *client.State // as it is configured
	set    *experiment.Set
	held   time.Time
	owners *owners
}

// NewResolver makes values and what may be laid over them ready. The set is one that [experiment.Import] read; nil lays nothing over them.
// Held is the time at which schedules and ramps stand still; zero where they do not.
func NewResolver(s *client.State, set *experiment.Set, held time.Time) *Resolver {
	r := &Resolver{state: s, set: set, held: held}
	if set != nil {
		r.owners = ownersOf(set)
	}
	return r
}

// with is the resolver of another state of the same definitions.
func (r *Resolver) with(s *client.State) *Resolver {
	other := *r
	other.state = s
	return &other
}

// clock is the time that schedules and ramps go by.
func (r *Resolver) clock(now time.Time) time.Time {
	if !r.held.IsZero() {
		return r.held
	}
	return now
}

// Next is when somebody's values may change after a time though no version does.
func (r *Resolver) Next(now time.Time) (time.Time, bool) {
	if r.set == nil || !r.held.IsZero() {
		return time.Time{}, false
	}
	return r.set.Next(now)
}

// choices are what is in effect for somebody, of all definitions.
func (r *Resolver) choices(who *experiment.Context, now time.Time) []experiment.Choice {
	if r.set == nil {
		return nil
	}
	return r.set.Choose(nil, who, now)
}

// State is everything that somebody has at a time. A nil who says nothing of itself.
func (r *Resolver) State(who *experiment.Context, now time.Time) *client.State {
	s := *r.state
	s.Definitions, s.Assignments = nil, nil
	if choices := r.choices(who, r.clock(now)); len(choices) > 0 {
		s.Values, s.Assignments = r.set.Values(r.state.Values, choices), assignments(r.set, choices)
	}
	return &s
}

func assignments(set *experiment.Set, choices []experiment.Choice) []client.Assignment {
	var list []client.Assignment
	for _, a := range set.Assignments(choices) {
		list = append(list, client.Assignment(a))
	}
	return list
}

// part are values that are those of somebody at a path, and whatever elsewhere.
func (r *Resolver) part(who *experiment.Context, now time.Time, path string) *value.Value {
	choices := r.decide(nil, r.owners.of(path).numbers, who, now)
	if len(choices) == 0 {
		return r.state.Values
	}
	return r.set.Values(r.state.Values, choices)
}

// at is what somebody has at a path. It takes no memory for a path that is set as it is read.
func (r *Resolver) at(who *experiment.Context, now time.Time, path string) (*value.Value, bool) {
	var room [4]experiment.Choice
	found := r.owners.of(path)
	return r.value(r.decide(room[:0], found.numbers, who, now), path, found.path)
}

// decide appends what is in effect for somebody, of a few definitions.
func (r *Resolver) decide(dst []experiment.Choice, numbers []int, who *experiment.Context, now time.Time) []experiment.Choice {
	for _, n := range numbers {
		if o := r.set.Decide(who, now, n); o.In {
			dst = append(dst, o.Choice)
		}
	}
	return dst
}

// value is what choices make of a path; parsed may be nil.
func (r *Resolver) value(choices []experiment.Choice, path string, parsed value.Path) (*value.Value, bool) {
	if len(choices) == 0 {
		return r.state.Values.Lookup(path)
	}
	if parsed == nil {
		var err error
		if parsed, err = value.ParsePath(path); err != nil {
			return nil, false
		}
	}
	return r.set.Value(r.state.Values, choices, parsed)
}
