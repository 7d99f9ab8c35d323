package notify

import (
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/client/wire"
)

// past is what was live before, the newest first, and what time it is.
type past struct {
	versions []*apply.Version
	now      time.Time
}

// first answers a hello: nothing new, what changed since the cursor, or everything.
func (v *view) first(p *person, cursor string, past past) *reply {
	a := v.look(p, nil)
	defer v.mu.Unlock()
	reason := wire.ReasonHello
	if cursor != "" {
		if had := v.find(p, a.to, cursor, past); had != nil {
			return &reply{v.resumeFrame(a.person, had, a.to), a}
		}
		if reason = wire.ReasonUnknownCursor; v.own(cursor) {
			reason = wire.ReasonStaleCursor
		}
	}
	return &reply{v.snapshotFrame(a.person, a.to, reason), a}
}

// snapshot tells everything.
func (v *view) snapshot(p *person, reason string) *reply {
	a := v.look(p, nil)
	defer v.mu.Unlock()
	return &reply{v.snapshotFrame(a.person, a.to, reason), a}
}

// find returns the state a cursor names, looking at what somebody sees now, at what others see and saw, and then at what earlier
// versions would have shown. Nil when none of them is it. The lock must be held.
func (v *view) find(p *person, now *state, cursor string, past past) *state {
	if !v.own(cursor) {
		return nil
	}
	if now.cursor == cursor {
		return now
	}
	if s := v.known(cursor); s != nil {
		return s
	}
	if v.older == nil {
		v.older = map[string]*state{}
		seen := v.seen
		for _, version := range past.versions { // newest first: each shares with the one after it what it has in common
			seen = v.see(version, seen)
			s := v.stateOf(seen.values(), v.define(version, seen.scope))
			v.older[s.cursor] = s
		}
	}
	if s := v.older[cursor]; s != nil {
		return s
	}
	return v.shownTo(p, cursor, past)
}

// known is a state that the view shows or showed, by its cursor.
func (v *view) known(cursor string) *state {
	for _, s := range v.states {
		if s.cursor == cursor {
			return s
		}
	}
	return v.held.find(cursor)
}

// shownTo is the state of a cursor if one of the newest versions would have shown it to somebody.
func (v *view) shownTo(p *person, cursor string, past past) *state {
	if v.local {
		return nil
	}
	seen := v.seen
	for _, version := range past.versions[:min(len(past.versions), lookedBack)] {
		values, overrides := version.Snapshot.Of(v.grant.May(access.Reveal))
		if overrides == nil {
			continue
		}
		seen = v.see(version, seen)
		choices := overrides.Choose(nil, p.subject(), version.Clock(past.now))
		if s := v.stateOf(seen.of(overrides.Values(values, choices)), nil); s.cursor == cursor {
			return s
		}
	}
	return nil
}

// shown is the version until which the view showed what a cursor names; nil when it is not known.
func (v *view) shown(cursor string) *mark {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s := v.known(cursor); s != nil {
		return s.until.Load()
	}
	return nil
}
