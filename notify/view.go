package notify

import (
	"crypto/sha256"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/value"
)

// view is what all sessions with the same sight see. Frames are encoded once for all of them. Where overrides are laid over what is seen,
// each sees one of the view's faces; where none are, all see the same, and nobody is asked about.
type view struct {
	sight
	key    string
	prefix [sha256.Size]byte // of every cursor: what the view is
	turn   int               // among the views of its group; guarded by views

	version atomic.Pointer[apply.Version] // that it was made from
	now     atomic.Pointer[state]         // the newest, of those for whom nothing that is seen is set
	chooser atomic.Pointer[chooser]       // nil where all see the same
	number  atomic.Uint32                 // of the version: one more for each; set when all else is

	seats    sync.Mutex
	sessions []*session

	mu        sync.Mutex
	seen      *selection // of version
	mark      *mark      // of version
	cause     string     // of version, as far as it may be told
	narrowed  narrowed
	defined   defined
	states    []*state              // newest last
	others    []*state              // of faces, newest last
	held      weakly[string, state] // of faces, by cursor
	older     map[string]*state     // by cursor, from versions before the view was made; nil until one is asked for
	described struct {
		version *apply.Version
		text    []byte // of a message that tells of it
	}
	frames weakly[content, frame] // that tell of version, as long as somebody is being sent them: views are many, and what they show may be large
}

// content tells frames apart: one that leads from a state or tells of it, and why.
type content struct{ kind, from, to, why string }

// state is one content of a view. Two states with the same cursor have the same content.
type state struct {
	values      *value.Value
	definitions *value.Value // nil but for those who decide by themselves
	cursor      string
	until       atomic.Pointer[mark] // the newest version known to show it
}

// apart tells whether something of the view depends on who asks.
func (v *view) apart() bool {
	return v.chooser.Load() != nil || v.local && v.now.Load().definitions.Len() > 0
}

// nowhere is the place of a session that is no member of a view.
const nowhere = -1

func newView(s sight, key string) *view {
	return &view{sight: s, key: key, prefix: prefixOf(key)}
}

func (v *view) add(s *session) {
	v.seats.Lock()
	defer v.seats.Unlock()
	s.place = int32(len(v.sessions))
	v.sessions = append(v.sessions, s)
}

// remove reports whether the session was the last.
func (v *view) remove(s *session) bool {
	v.seats.Lock()
	defer v.seats.Unlock()
	v.sessions = without(v.sessions, s.place, func(moved *session) { moved.place = s.place })
	s.place = nowhere
	return len(v.sessions) == 0
}

func (v *view) members() []*session {
	v.seats.Lock()
	defer v.seats.Unlock()
	return append([]*session(nil), v.sessions...)
}

func (v *view) size() int {
	v.seats.Lock()
	defer v.seats.Unlock()
	return len(v.sessions)
}

// refresh brings the view to what is live, and to a time. It reports whether what it shows may have changed for some, and whether its
// environment is served at all. until is the version until which it is known to have shown what it does; nil for that it was made from.
// What is live, and the time, is read under the lock: the view could else be brought back to what was before.
func (v *view) refresh(live Live, clock func() time.Time, until *mark) (changed, served bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	version := live.Get(v.env)
	switch {
	case version == nil:
		return false, false
	case v.version.Load() == version:
		return v.step(version.Clock(clock())), true
	}
	v.leave(until)
	v.seen = v.see(version, v.seen)
	changed = v.show(v.seen.values(), v.definitionsOf(version))
	v.mark = &mark{version.ID}
	v.now.Load().until.Store(v.mark)
	v.cause = v.causeOf(version, v.version.Swap(version))
	v.frames = weakly[content, frame]{}
	before, next := v.chooser.Load(), v.chooserOf(version, v.seen.scope, version.Clock(clock()))
	v.chooser.Store(next)
	v.number.Add(1)
	return changed || before != nil || next != nil, true
}

// step brings the view to a time, of the same version.
func (v *view) step(at time.Time) bool {
	c := v.chooser.Load()
	if c == nil || c.holds(at) {
		return false
	}
	v.chooser.Store(v.stepped(c, at))
	v.frames = weakly[content, frame]{}
	return true
}

// leave notes until which version the view showed what it does, and has its faces made anew.
func (v *view) leave(until *mark) {
	if before := v.now.Load(); before != nil && until != nil {
		before.until.Store(until)
	}
	c := v.chooser.Load()
	if c == nil {
		return
	}
	c.faces.each(func(f *face) {
		if before := f.now.Swap(nil); before != nil && until != nil {
			before.until.Store(until)
		}
	})
}

// show adds a state, unless it is what the view shows, and reports whether it did. The lock must be held, as for all that follows.
func (v *view) show(values, definitions *value.Value) bool {
	if before := v.now.Load(); before != nil && value.Equal(before.values, values) && same(before.definitions, definitions) {
		return false
	}
	s := v.stateOf(values, definitions)
	v.states = pushed(v.states, s)
	v.now.Store(s)
	return true
}

func same(a, b *value.Value) bool { return a == b || a != nil && b != nil && value.Equal(a, b) }

// pushed is a list of states with one more, which is not longer than it may be.
func pushed(states []*state, s *state) []*state {
	states = append(states, s)
	if len(states) > kept {
		states = append([]*state(nil), states[1:]...)
	}
	return states
}

func (v *view) stateOf(values, definitions *value.Value) *state {
	return &state{values: values, definitions: definitions, cursor: v.cursor(values, definitions)}
}

// aspect is what one session sees of a view: a state, at which version.
type aspect struct {
	person *person // nil where nobody is known and nothing is chosen
	to     *state
	number uint32
}

// look finds what somebody sees, and takes the lock, which the caller gives back. What was chosen already is not chosen again.
func (v *view) look(p *person, who *access.Identity) aspect {
	for {
		c := v.chooser.Load()
		if p == nil && c != nil {
			p = &person{claims: who.Claims}
		}
		d := p.decide(c)
		v.mu.Lock()
		if v.chooser.Load() == c {
			p.settle(d)
			return aspect{p, v.faceOf(p), v.number.Load()}
		}
		v.mu.Unlock() // it was brought on meanwhile
	}
}

// faceOf is the state that somebody sees.
func (v *view) faceOf(p *person) *state {
	if p == nil || p.face == nil {
		return v.now.Load()
	}
	f := p.face
	if s := f.now.Load(); s != nil {
		return s
	}
	s := v.now.Load()
	if !f.bare {
		s = v.hold(v.seen.of(f.of.set.Values(v.seen.full, f.choices)))
	}
	s.until.Store(v.mark)
	f.now.Store(s)
	return s
}

// hold finds the state of values that a face shows, or adds it.
func (v *view) hold(values *value.Value) *state {
	made := v.stateOf(values, nil)
	if now := v.now.Load(); now.cursor == made.cursor {
		return now
	}
	return v.held.get(made.cursor, func() *state {
		v.others = pushed(v.others, made)
		return made
	})
}
