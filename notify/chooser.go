package notify

import (
	"slices"
	"sync/atomic"
	"time"
	"weak"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// overrides are what may be laid over the values of a view: those of a version's that it sees something of. What members see of them is
// shared by those for whom the same is chosen; what nobody sees is not kept.
type overrides struct {
	definitions *experiment.Definitions // of the version
	stops       []apply.Stop
	whole       *experiment.Set
	scope       string // that they are narrowed to
	see         func(*value.Value) *value.Value
	set         *experiment.Set

	// Guarded by the view.
	faces   weakly[string, face]
	members map[experiment.Choice]*member // nil for what is no assignment
}

// chooser chooses for each member of a view, at one time. Until another time it would choose the same.
type chooser struct {
	*overrides
	since     time.Time // from when on it counts; zero: from that of the version
	at, until time.Time // until is zero for ever

	after   weak.Pointer[chooser] // the one before, where little has to be decided again: renewal
	renewal *renewal
}

// face is what those see for whom choices set the same.
type face struct {
	of      *overrides
	choices []experiment.Choice
	bare    bool                  // nothing of what is seen is set
	now     atomic.Pointer[state] // at the version of the view; nil until somebody looks
}

// roll is a list of assignments. Those of all sessions are made of the same members.
type roll []*member

// member is one assignment, and its JSON.
type member struct {
	wire.Assignment
	text []byte
}

// same tells whether two lists tell the same, also of different definitions.
func (r roll) same(other roll) bool {
	return slices.EqualFunc(r, other, func(a, b *member) bool { return a == b || a.Assignment == b.Assignment })
}

func (r roll) json() string {
	b := []byte{'['}
	for i, m := range r {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, m.text...)
	}
	return string(append(b, ']'))
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
		v.narrowed = narrowed{whole, scope.Key(), &overrides{
			definitions: version.Snapshot.Definitions, stops: version.Stops,
			whole: whole, scope: scope.Key(), see: scope.Select, set: whole.Within(scope.Select),
		}}
	default:
		v.narrowed = narrowed{whole, scope.Key(), nil}
	}
	switch o, before := v.narrowed.to, v.chooser.Load(); {
	case o == nil:
		return nil
	case before != nil && before.overrides == o && before.holds(at):
		return before
	default:
		return v.newChooser(o, at, before)
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

// newChooser makes a chooser that comes after another, which may be nil.
func (v *view) newChooser(o *overrides, at time.Time, before *chooser) *chooser {
	c := &chooser{overrides: o, at: at}
	if before != nil && v.size() >= leastAgain {
		if r, ok := o.renewal(before.overrides, before.at, at); ok {
			c.after, c.renewal = weak.Make(before), r
		}
	}
	if next, ok := o.set.Next(at); ok {
		c.until = next
	}
	return c
}

// holds tells whether the same is chosen at another time.
func (c *chooser) holds(at time.Time) bool {
	return !at.Before(c.at) && (c.until.IsZero() || at.Before(c.until))
}

// stepped goes on to another time.
func (v *view) stepped(c *chooser, at time.Time) *chooser {
	next := v.newChooser(c.overrides, at, c)
	if next.since = at; !at.Before(c.until) {
		next.since = c.until
	}
	return next
}

// face finds the face of choices, which never change, or makes it. The view's lock must be held, as for roll.
func (o *overrides) face(choices []experiment.Choice) *face {
	var buf [64]byte
	key := o.set.AppendKey(buf[:0], choices)
	if f := o.faces.all[string(key)].Value(); f != nil {
		return f
	}
	f := &face{of: o, choices: choices, bare: len(key) == 0}
	o.faces.put(string(key), f)
	return f
}

// roll is the list of the assignments among choices.
func (o *overrides) roll(choices []experiment.Choice) roll {
	r := make(roll, 0, len(choices))
	for _, c := range choices {
		if m := o.member(c); m != nil {
			r = append(r, m)
		}
	}
	return r
}

// member finds the assignment that a choice is, or makes it; nil where it is none.
func (o *overrides) member(c experiment.Choice) *member {
	m, known := o.members[c]
	if known {
		return m
	}
	if o.members == nil {
		o.members = map[experiment.Choice]*member{}
	}
	for _, a := range o.set.Assignments([]experiment.Choice{c}) {
		m = &member{wire.Assignment(a), wire.Encode(wire.Assignment(a))}
	}
	o.members[c] = m
	return m
}
