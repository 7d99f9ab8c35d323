package notify

import (
	"crypto/sha256"
	"strings"
	"sync"
	"sync/atomic"
	"weak"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/value"
)

// sight is what a session may see, and asks for.
type sight struct {
	env      string
	grant    access.Grant
	patterns []value.Pattern
}

// key is the same for sights that see the same of every version: their frames are shared.
func (s sight) key() string {
	key := s.env + "\x00"
	if s.grant.May(access.Reveal) {
		key += "r"
	}
	if s.grant.May(access.History) {
		key += "h"
	}
	if s.grant.Public() {
		key += "p" // and what that is, the manifest of each version says
	}
	return key + "\x00" + s.grant.Scope(nil, s.patterns).Key() + "\x00" + patternsKey(s)
}

// patternsKey tells public sights apart by what they ask for: without a manifest their scopes are all empty.
func patternsKey(s sight) string {
	if !s.grant.Public() {
		return ""
	}
	var b strings.Builder
	for _, p := range s.patterns {
		b.WriteString(p.String())
		b.WriteByte(0)
	}
	return b.String()
}

// watched are patterns that select all that a sight can see, and maybe more; whole where only everything does.
func (s sight) watched() (patterns []value.Pattern, whole bool) {
	if s.grant.Public() {
		return s.patterns, s.patterns[0].All()
	}
	levels := s.grant.Scope(nil, s.patterns).Levels()
	if len(levels) == 0 {
		return nil, true
	}
	return levels[len(levels)-1], false
}

// full is what a version holds for those who may see everything.
func full(v *apply.Version, reveals bool) *value.Value {
	if reveals {
		return v.Snapshot.Values
	}
	return v.Snapshot.Delivered
}

// selection is what a sight sees of one version.
type selection struct {
	scope  access.Scope
	full   *value.Value
	levels []*value.Value // what is left after each level of the scope
}

// values are what is seen.
func (s *selection) values() *value.Value {
	if len(s.levels) == 0 {
		return s.full
	}
	return s.levels[len(s.levels)-1]
}

// see narrows a version, and takes over from an earlier selection what has not changed since.
func (s sight) see(v *apply.Version, before *selection) *selection {
	next := &selection{full: full(v, s.grant.May(access.Reveal))}
	again := before != nil && !s.grant.Public() // whose scope stays as it is
	if again {
		next.scope = before.scope
	} else {
		next.scope = s.grant.Scope(v.Snapshot.Manifest.Public, s.patterns)
		again = before != nil && before.scope.Key() == next.scope.Key()
	}
	var was *value.Value
	if again {
		was = before.full
	}
	at := next.full
	for i, patterns := range next.scope.Levels() {
		var had *value.Value
		if again {
			had = before.levels[i]
		}
		at, was = value.SelectAgain(at, patterns, was, had), had
		next.levels = append(next.levels, at)
	}
	return next
}

// view is what all sessions with the same sight see. Frames are encoded once for all of them.
type view struct {
	sight
	key    string
	prefix [sha256.Size]byte // of every cursor: what the view is
	turn   int               // among the views of its group; guarded by views

	version atomic.Pointer[apply.Version] // that it was made from
	now     atomic.Pointer[state]         // the newest

	seats    sync.Mutex
	sessions []*session

	mu     sync.Mutex
	seen   *selection        // of version
	states []*state          // newest last
	older  map[string]*state // by cursor, from versions before the view was made; nil until one is asked for

	// Frames that tell of version, as long as somebody is being sent them: views are many, and what they show may be large.
	deltas    map[string]weak.Pointer[frame] // by the cursor they begin at
	snapshots map[string]weak.Pointer[frame] // by their reason
}

// state is one content of a view. Two states with the same cursor have the same content.
type state struct {
	values *value.Value
	cursor string
	until  atomic.Pointer[mark] // the newest version known to show it
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

// refresh brings the view to what is live, and reports whether its content changed and whether its environment is served at all.
// until is the version until which it is known to have shown what it does; nil for that it was made from. What is live is read under
// the lock: the view could else be brought back to an older version.
func (v *view) refresh(live Live, until *mark) (changed, served bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	version := live.Get(v.env)
	if version == nil || v.version.Load() == version {
		return false, version != nil
	}
	before := v.now.Load()
	if before != nil && until != nil {
		before.until.Store(until)
	}
	v.seen = v.see(version, v.seen)
	values := v.seen.values()
	if changed = before == nil || !value.Equal(before.values, values); changed {
		v.push(v.stateOf(values))
	}
	v.now.Load().until.Store(&mark{version.ID})
	v.version.Store(version)
	v.deltas, v.snapshots = nil, nil
	return changed, true
}

// push adds a state, which is the newest then. The lock must be held.
func (v *view) push(s *state) {
	v.states = append(v.states, s)
	if len(v.states) > kept {
		v.states = append([]*state(nil), v.states[1:]...)
	}
	v.now.Store(s)
}

func (v *view) stateOf(values *value.Value) *state {
	return &state{values: values, cursor: v.cursor(values)}
}

// reveals tells whether the view shows values that others get redacted.
func (v *view) reveals() bool {
	if !v.grant.May(access.Reveal) {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.seen.values().Sum() != v.seen.scope.Select(v.version.Load().Snapshot.Delivered).Sum()
}

// first answers a hello: nothing new, what changed since the cursor, or everything.
func (v *view) first(cursor string, recent []*apply.Version) *reply {
	if cursor == "" {
		return v.snapshot(wire.ReasonHello)
	}
	if r := v.resume(cursor, recent); r != nil {
		return r
	}
	if v.own(cursor) {
		return v.snapshot(wire.ReasonStaleCursor)
	}
	return v.snapshot(wire.ReasonUnknownCursor)
}

// resume goes on from a cursor; nil when it is not known.
func (v *view) resume(cursor string, recent []*apply.Version) *reply {
	v.mu.Lock()
	defer v.mu.Unlock()
	had := v.find(cursor, recent)
	if had == nil {
		return nil
	}
	f, to := v.deltaFrom(had)
	if f == nil {
		return &reply{v.currentFrame(), to}
	}
	late := *f
	late.since = noTime // how long the client was away is no delay of ours
	return &reply{&late, to}
}

// snapshot tells everything.
func (v *view) snapshot(reason string) *reply {
	v.mu.Lock()
	defer v.mu.Unlock()
	return &reply{v.snapshotFrame(reason), v.now.Load()}
}

// current tells that there is nothing new.
func (v *view) current() *frame {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.currentFrame()
}

// delta leads from a state to the newest one; the frame is nil when they have the same content.
func (v *view) delta(from *state) (*frame, *state) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.deltaFrom(from)
}

// find returns the state a cursor names, looking at what the view held and then at what earlier versions would have shown. Nil
// when none of them is it. The lock must be held.
func (v *view) find(cursor string, recent []*apply.Version) *state {
	if !v.own(cursor) {
		return nil
	}
	for _, s := range v.states {
		if s.cursor == cursor {
			return s
		}
	}
	if v.older == nil {
		v.older = map[string]*state{}
		seen := v.seen
		for _, version := range recent { // newest first: each shares with the one after it what it has in common
			seen = v.see(version, seen)
			s := v.stateOf(seen.values())
			v.older[s.cursor] = s
		}
	}
	return v.older[cursor]
}

// shown is the version until which the view showed what a cursor names; nil when it is not known.
func (v *view) shown(cursor string) *mark {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, s := range v.states {
		if s.cursor == cursor {
			return s.until.Load()
		}
	}
	return nil
}
