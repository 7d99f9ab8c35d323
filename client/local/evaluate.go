package local

import (
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// Reason tells what made a value what it is.
type Reason string

// The reasons.
const (
	Static   Reason = "static"   // nothing but the configuration sets it
	Default  Reason = "default"  // something sets it, and not for whom it was asked
	Disabled Reason = "disabled" // what sets it is stopped, or rests
	Matched  Reason = "matched"  // a rollout or an experiment set it, by what is said of whom it was asked for
	Split    Reason = "split"    // … by the place of the unit
)

// Evaluation is one value, and who decided it.
type Evaluation struct {
	Value  *value.Value // nil where nothing stands; it may be redacted
	Reason Reason
	Commit string // of the version

	// Of the first definition that is in effect, else of one that is stopped or rests: its kind and key, and of an experiment its phase and layer.
	Kind  experiment.Kind
	Key   string
	Phase int
	Layer string
	// Variant is what is in effect: a variant of an experiment; of a rollout on, or the rule with a set of its own. Rule is the rule that matched.
	Variant, Rule string
	Forced        bool // by the file, and left out of analysis

	// NoUnit tells that a unit was needed, and the context names none. Err is why a condition could not be evaluated.
	NoUnit bool
	Err    error
}

// Evaluate is what somebody has at a path, and why.
func (v *View) Evaluate(path string) Evaluation {
	r := v.resolver
	if r == nil {
		return Evaluation{Reason: Static}
	}
	e, found := Evaluation{Reason: Static, Commit: r.state.Commit}, r.owners.of(path)
	if len(found.numbers) > 0 {
		e.Reason = Default
	}
	var room [4]experiment.Choice
	choices, off := room[:0], 0
	for _, n := range found.numbers {
		o := r.set.Decide(&v.who, v.now(), n)
		e.add(r.set, n, o)
		if o.In {
			choices = append(choices, o.Choice)
		}
		if o.Check == experiment.CheckStatus {
			off++
		}
	}
	if off > 0 && off == len(found.numbers) {
		e.by(r.set, experiment.Choice{Definition: uint16(found.numbers[0])})
		e.Reason = Disabled
	}
	if v, ok := r.value(choices, path, found.path); ok {
		e.Value = v
	}
	return e
}

// add notes what one definition came to.
func (e *Evaluation) add(set *experiment.Set, n int, o experiment.Outcome) {
	switch {
	case o.In && e.Variant == "":
		e.by(set, o.Choice)
		e.Variant, e.Rule, e.Forced, e.Reason = set.Arm(o.Choice).Name, set.Rule(n, o), o.Choice.Forced, Matched
		if o.Split {
			e.Reason = Split
		}
	case o.Err != nil:
		e.Err = o.Err
	case o.Check == experiment.CheckUnit:
		e.NoUnit = true
	}
}

// by names the definition of a choice.
func (e *Evaluation) by(set *experiment.Set, c experiment.Choice) {
	arm := set.Arm(c)
	e.Kind, e.Key = arm.Kind, arm.Key
	for _, a := range set.Assignments([]experiment.Choice{c}) {
		e.Phase, e.Layer = a.Phase, a.Layer
	}
}
