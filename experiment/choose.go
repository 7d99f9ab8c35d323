package experiment

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/trunkline/trunkline/value/expr"
)

// Choice is an arm of a definition that is in effect for somebody: their numbers in the set.
type Choice struct {
	Definition uint16
	Arm        uint16
	Forced     bool
}

// Check is a question that deciding asks.
type Check string

// The checks, in the order in which they are asked. Those after the prerequisites are an experiment's up to CheckVariant, and a rollout's from
// CheckRule on.
const (
	CheckStatus       Check = "status"
	CheckForced       Check = "forced"
	CheckHoldout      Check = "holdout"
	CheckPrerequisite Check = "prerequisite"
	CheckTargeting    Check = "targeting"
	CheckUnit         Check = "unit"
	CheckTraffic      Check = "traffic"
	CheckVariant      Check = "variant"
	CheckRule         Check = "rule"
	CheckPercentage   Check = "percentage"
)

// Outcome is what was decided about one definition, and by which check.
type Outcome struct {
	In     bool
	Choice Choice // when it is in
	Check  Check
	Split  bool  // the place of the unit decided, not only what is said of it
	Err    error // why a condition could not be evaluated
	rule   int   // the rule that matched, or -1
	need   int   // the prerequisite that was not met
}

// Choose appends what is in effect for somebody at a time, in ascending order, and takes no memory beyond that. A nil who says nothing of
// itself. The same arguments give the same choices, on every machine.
func (s *Set) Choose(dst []Choice, who *Context, now time.Time) []Choice {
	if len(s.run) == 0 {
		return dst
	}
	d := s.decider(who, now)
	for _, n := range s.run {
		if o := d.decide(int(n)); o.In {
			dst = append(dst, o.Choice)
		}
	}
	d.done()
	return dst
}

// Decide decides about one definition alone, by its number.
func (s *Set) Decide(who *Context, now time.Time, definition int) Outcome {
	d := s.decider(who, now)
	defer d.done()
	return d.decide(definition)
}

// Rule is the name of the rule that decided, of an outcome of [Set.Decide] for a rollout; "" where none matched.
func (s *Set) Rule(definition int, o Outcome) string {
	if x := s.entries[definition].rollout; x != nil && o.rule >= 0 {
		return x.Rules[o.rule].Name
	}
	return ""
}

// AppendKey appends a name of what the choices do to the values that the set can see: lists of the same name set the same there. It is the
// same on every machine that has the same files.
func (s *Set) AppendKey(b []byte, choices []Choice) []byte {
	for _, c := range choices {
		if s.sees(c) {
			b = binary.BigEndian.AppendUint16(b, c.Definition)
			b = binary.BigEndian.AppendUint16(b, c.Arm)
		}
	}
	return b
}

func (s *Set) sees(c Choice) bool {
	if s.seen == nil {
		return s.entries[c.Definition].arms[c.Arm].tree.Len() > 0
	}
	return s.seen[c.Definition] != nil && s.seen[c.Definition][c.Arm]
}

// decider decides about definitions for one context at one time. It remembers what conditions, layers and prerequisites came to.
type decider struct {
	set        *Set
	who        *Context
	now        int64
	evaluation *expr.Evaluation // begun when the first condition is asked
	layers     []int16          // the unit's slot, 1 more; 0: not asked yet
	decided    []int16          // by entry, what it came to; 0: not asked yet
}

var deciders = sync.Pool{New: func() any { return new(decider) }}

func (s *Set) decider(who *Context, now time.Time) *decider {
	if who == nil || who.subject == nil {
		who = &nobody
	}
	d := deciders.Get().(*decider)
	d.set, d.who, d.now = s, who, now.Unix()
	d.layers = zeroed(d.layers, len(s.layers))
	d.decided = zeroed(d.decided, len(s.entries))
	return d
}

func zeroed(list []int16, n int) []int16 {
	if cap(list) < n {
		return make([]int16, n)
	}
	list = list[:n]
	clear(list)
	return list
}

func (d *decider) done() {
	if d.evaluation != nil {
		d.evaluation.Done()
	}
	*d = decider{layers: d.layers, decided: d.decided}
	deciders.Put(d)
}

func (d *decider) decide(n int) Outcome {
	e := &d.set.entries[n]
	o := Outcome{Check: CheckStatus, rule: -1}
	asked := d.decided[n] != 0
	d.decided[n] = outside // while it is decided: what requires itself is in effect for nobody
	switch {
	case e.off:
	case e.experiment != nil:
		d.experiment(n, e, &o)
	default:
		d.rollout(n, e, &o)
	}
	if o.Err != nil && d.set.failed != nil && !asked {
		d.set.failed(e.name.kind, e.name.key, o.Err)
	}
	if o.In {
		d.decided[n] = outside + 1 + int16(o.Choice.Arm)
	}
	return o
}

// outside is what a decider remembers of a definition that is not in effect; of one that is, the number of its arm comes after it.
const outside = 1

func (o *Outcome) in(n, arm int, check Check) {
	o.In, o.Check = true, check
	o.Choice = Choice{Definition: uint16(n), Arm: uint16(arm), Forced: check == CheckForced}
}

func (d *decider) experiment(n int, e *entry, o *Outcome) {
	x, layer := e.experiment, d.set.layers[e.layer]
	unit := d.who.unit(&layer.Unit)
	if d.forced(n, x.Force, unit, o) {
		return
	}
	if o.Check = CheckHoldout; layer.Holdout != nil && unit != "" && layer.Holdout.Contains(d.layerSlot(e.layer, unit)) {
		return
	}
	if !d.met(e, o) {
		return
	}
	if o.Check = CheckTargeting; !d.holds(&x.targeting, o) {
		return
	}
	if o.Check = CheckUnit; unit == "" {
		return
	}
	o.Split = true
	if o.Check = CheckTraffic; !x.Slots.Contains(d.layerSlot(e.layer, unit)) {
		return
	}
	o.in(n, x.variant(Slot(x.salt.text, unit)), CheckVariant)
}

// variant is the arm that a slot belongs to.
func (x *Experiment) variant(slot int) int {
	lo, hi := 0, len(x.bounds)-1
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if int(x.bounds[mid].last) < slot {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return int(x.bounds[lo].arm)
}

func (d *decider) layerSlot(layer int, unit string) int {
	if d.layers[layer] == 0 {
		d.layers[layer] = int16(Slot(d.set.layers[layer].salt.text, unit) + 1)
	}
	return int(d.layers[layer]) - 1
}

func (d *decider) forced(n int, force map[string]int, unit string, o *Outcome) bool {
	if len(force) == 0 || unit == "" {
		return false
	}
	arm, ok := force[unit]
	switch {
	case !ok:
		return false
	case arm < 0:
		o.Check = CheckForced
	default:
		o.in(n, arm, CheckForced)
	}
	return true
}

// met tells whether all prerequisites are.
func (d *decider) met(e *entry, o *Outcome) bool {
	o.Check = CheckPrerequisite
	for i, need := range e.needs {
		if arm := d.arm(need.entry); arm < 0 || need.arm >= 0 && need.arm != arm {
			o.need = i
			return false
		}
	}
	return true
}

// arm is which arm of a definition is in effect, or -1.
func (d *decider) arm(n int) int {
	if n < 0 {
		return -1
	}
	if d.decided[n] == 0 {
		d.decide(n)
	}
	return int(d.decided[n]) - outside - 1
}

// holds evaluates a condition. One that cannot be evaluated does not hold.
func (d *decider) holds(c *condition, o *Outcome) bool {
	if c.program == nil {
		return true
	}
	if d.evaluation == nil {
		d.evaluation = d.set.definitions.known.conditions.Ask(d.who.subject)
	}
	holds, err := d.evaluation.Holds(c.program)
	o.Err = err
	return holds
}

func (d *decider) rollout(n int, e *entry, o *Outcome) {
	x := e.rollout
	unit := d.who.unit(&x.Unit)
	if d.forced(n, x.Force, unit, o) || !d.met(e, o) {
		return
	}
	o.Check = CheckRule
	for i := range x.Rules {
		rule := &x.Rules[i]
		if !rule.window.open(d.now) {
			continue
		}
		if d.holds(&rule.condition, o) {
			o.rule = i
			d.share(n, x, rule, unit, o)
			return
		}
		if o.Err != nil {
			o.rule = i
			return
		}
	}
}

// share decides by the percentage of the rule that matched.
func (d *decider) share(n int, x *Rollout, rule *Rule, unit string, o *Outcome) {
	switch share := rule.share.at(d.now); {
	case share == Slots:
		o.in(n, rule.arm, CheckRule)
	case share == 0:
		o.Check = CheckPercentage
	case unit == "":
		o.Check = CheckUnit
	default:
		o.Split, o.Check = true, CheckPercentage
		if Slot(x.salt.text, unit) < share {
			o.in(n, rule.arm, CheckPercentage)
		}
	}
}
