package notify

import (
	"encoding/binary"
	"slices"
	"sync/atomic"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// overrides are what may be laid over the values of a view: those of a version's that it sees something of. What members see of them is
// shared by those for whom the same is chosen; what nobody sees is not kept.
type overrides struct {
	whole *experiment.Set // of the version
	scope string          // that they are narrowed to
	set   *experiment.Set

	// Guarded by the view.
	faces weakly[string, face]
	rolls weakly[string, roll]
}

// chooser chooses for each member of a view, at one time. Until another time it would choose the same.
type chooser struct {
	*overrides
	since     time.Time // from when on it counts; zero: from that of the version
	at, until time.Time // until is zero for ever
}

// face is what those see for whom choices set the same.
type face struct {
	of      *overrides
	choices []experiment.Choice
	bare    bool                  // nothing of what is seen is set
	now     atomic.Pointer[state] // at the version of the view; nil until somebody looks
}

// roll is a list of assignments, as JSON. A nil one is empty.
type roll struct{ text string }

func (r *roll) json() string {
	if r == nil {
		return "[]"
	}
	return r.text
}

// chooserOf makes the chooser of a version, or goes on with the one before where that would choose the same. It is nil where nothing that
// is seen depends on who asks.
func (v *view) chooserOf(version *apply.Version, scope access.Scope, at time.Time) *chooser {
	_, whole := version.Snapshot.Of(v.grant.May(access.Reveal))
	if v.local || whole == nil {
		return nil
	}
	switch {
	case v.narrowed.by(whole, scope): // as it is
	case visible(whole, scope.Select):
		v.narrowed = narrowed{whole, scope.Key(), &overrides{whole: whole, scope: scope.Key(), set: whole.Within(scope.Select)}}
	default:
		v.narrowed = narrowed{whole, scope.Key(), nil}
	}
	switch o, before := v.narrowed.to, v.chooser.Load(); {
	case o == nil:
		return nil
	case before != nil && before.overrides == o && before.holds(at):
		return before
	default:
		return newChooser(o, at)
	}
}

// narrowed is what overrides were narrowed to last: nil for that nothing of them is seen. Narrowing is not done again for each version.
type narrowed struct {
	whole *experiment.Set
	scope string
	to    *overrides
}

func (n *narrowed) by(whole *experiment.Set, scope access.Scope) bool {
	return n.whole == whole && n.scope == scope.Key()
}

// visible tells whether an arm sets something that is seen.
func visible(whole *experiment.Set, see func(*value.Value) *value.Value) bool {
	for arm := range whole.Arms() {
		if whole.Touches(arm.Choice, see) {
			return true
		}
	}
	return false
}

func newChooser(o *overrides, at time.Time) *chooser {
	c := &chooser{overrides: o, at: at}
	if next, ok := o.set.Next(at); ok {
		c.until = next
	}
	return c
}

// holds tells whether the same is chosen at another time.
func (c *chooser) holds(at time.Time) bool {
	return !at.Before(c.at) && (c.until.IsZero() || at.Before(c.until))
}

// step goes on to another time.
func (c *chooser) step(at time.Time) *chooser {
	next := newChooser(c.overrides, at)
	if next.since = at; !at.Before(c.until) {
		next.since = c.until
	}
	return next
}

// face finds the face of choices, or makes it. The view's lock must be held, as for roll.
func (o *overrides) face(choices []experiment.Choice) *face {
	var buf [64]byte
	key := o.set.AppendKey(buf[:0], choices)
	if f := o.faces.all[string(key)].Value(); f != nil {
		return f
	}
	f := &face{of: o, choices: slices.Clone(choices), bare: len(key) == 0}
	o.faces.put(string(key), f)
	return f
}

// roll finds the list of the assignments among choices, or makes it.
func (o *overrides) roll(choices []experiment.Choice) *roll {
	var buf [128]byte
	key := appendChoices(buf[:0], choices)
	if r := o.rolls.all[string(key)].Value(); r != nil {
		return r
	}
	assignments := o.set.Assignments(choices)
	if len(assignments) == 0 {
		return nil
	}
	list := make([]wire.Assignment, len(assignments))
	for i, a := range assignments {
		list[i] = wire.Assignment(a)
	}
	r := &roll{string(wire.Encode(list))}
	o.rolls.put(string(key), r)
	return r
}

func appendChoices(b []byte, choices []experiment.Choice) []byte {
	for _, c := range choices {
		b = binary.BigEndian.AppendUint16(b, c.Definition)
		b = binary.BigEndian.AppendUint16(b, c.Arm)
		if c.Forced {
			b = append(b, 'f')
		}
		b = append(b, ';')
	}
	return b
}
