package notify

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

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

// full is what a version holds for those who may see everything.
func (s sight) full(v *apply.Version) *value.Value {
	if s.grant.May(access.Reveal) {
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
	next := &selection{scope: s.grant.Scope(v.Snapshot.Manifest.Public, s.patterns), full: s.full(v)}
	again := before != nil && before.scope.Key() == next.scope.Key()
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
	prefix [sha256.Size]byte // of every cursor: what the view is

	mu       sync.Mutex
	sessions map[*session]struct{}
	seen     *selection // of the present version
	version  *apply.Version
	states   []*state          // newest last
	older    map[string]*state // by cursor, from versions before the view was made; nil until one is asked for

	// Frames that tell of the present version.
	deltas    map[string]*frame        // by the cursor they begin at
	snapshots map[string]func() *frame // by their reason
}

// state is one content of a view. Two states with the same cursor have the same content.
type state struct {
	values *value.Value
	cursor string
}

// frame is an encoded message.
type frame struct {
	kind    string
	bytes   int
	since   time.Time // when what it tells went live; zero when it tells nothing new
	message *websocket.PreparedMessage
}

func newFrame(kind string, data []byte) *frame {
	m, err := websocket.NewPreparedMessage(websocket.TextMessage, data)
	if err != nil {
		panic(err) // a text message can always be prepared
	}
	return &frame{kind: kind, bytes: len(data), message: m}
}

func newView(s sight) *view {
	return &view{sight: s, prefix: sha256.Sum256([]byte("cursor v2\x00" + s.key())), sessions: map[*session]struct{}{}}
}

func (v *view) add(s *session) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sessions[s] = struct{}{}
}

// remove reports whether the session was the last.
func (v *view) remove(s *session) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.sessions, s)
	return len(v.sessions) == 0
}

func (v *view) members() []*session {
	v.mu.Lock()
	defer v.mu.Unlock()
	members := make([]*session, 0, len(v.sessions))
	for s := range v.sessions {
		members = append(members, s)
	}
	return members
}

// cursor names a content of the view, the same on every server: a digest of what the view is and of what is in it. Sensitive
// values count by their keyed fingerprints.
func (v *view) cursor(values *value.Value) string {
	sum := values.Sum()
	digest := sha256.Sum256(append(v.prefix[:len(v.prefix):len(v.prefix)], sum[:]...))
	return base64.RawURLEncoding.EncodeToString(digest[:15])
}

// refresh brings the view to what is live, and reports whether its content changed and whether its environment is served at all.
// What is live is read under the lock: the view could else be brought back to an older version.
func (v *view) refresh(live Live) (changed, served bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	version := live.Get(v.env)
	if version == nil || v.version == version {
		return false, version != nil
	}
	var before *value.Value
	if n := len(v.states); n > 0 {
		before = v.states[n-1].values
	}
	v.seen, v.version = v.see(version, v.seen), version
	values := v.seen.values()
	if changed = before == nil || !value.Equal(before, values); changed {
		v.states = append(v.states, &state{values: values, cursor: v.cursor(values)})
	}
	if len(v.states) > kept {
		v.states = append([]*state(nil), v.states[1:]...)
	}
	v.deltas = map[string]*frame{}
	v.snapshots = map[string]func() *frame{}
	for _, reason := range []string{wire.ReasonHello, wire.ReasonUnknownCursor} {
		present := v.present()
		v.snapshots[reason] = sync.OnceValue(func() *frame { return v.snapshotFrame(present, version, reason) })
	}
	return changed, true
}

// reveals tells whether the view shows values that others get redacted.
func (v *view) reveals() bool {
	if !v.grant.May(access.Reveal) {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.seen.values().Sum() != v.seen.scope.Select(v.version.Snapshot.Delivered).Sum()
}

// present is the newest state. The lock must be held.
func (v *view) present() *state { return v.states[len(v.states)-1] }

// first answers a hello: nothing new, what changed since the cursor, or everything.
func (v *view) first(cursor string, recent []*apply.Version) (*frame, *state) {
	f, has := v.resume(cursor, recent)
	if f != nil {
		return f, has
	}
	v.mu.Lock()
	reason := wire.ReasonHello
	if cursor != "" {
		reason = wire.ReasonUnknownCursor
	}
	has, encoded := v.present(), v.snapshots[reason]
	v.mu.Unlock()
	return encoded(), has // outside the lock: it may be large
}

// resume goes on from a cursor; the frame is nil when it is not known.
func (v *view) resume(cursor string, recent []*apply.Version) (*frame, *state) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if cursor == "" {
		return nil, nil
	}
	had := v.find(cursor, recent)
	if had == nil {
		return nil, nil
	}
	f, to := v.deltaFrom(had)
	if f == nil {
		return v.currentFrame(to), to
	}
	late := *f
	late.since = time.Time{} // how long the client was away is no delay of ours
	return &late, to
}

// find returns the state a cursor names, looking at what the view held and then at what earlier versions would have shown. Nil
// when none of them is it. The lock must be held.
func (v *view) find(cursor string, recent []*apply.Version) *state {
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
			values := seen.values()
			cursor := v.cursor(values)
			v.older[cursor] = &state{values: values, cursor: cursor}
		}
	}
	return v.older[cursor]
}

// delta leads from a state to the present one; the frame is nil when they have the same content.
func (v *view) delta(from *state) (*frame, *state) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.deltaFrom(from)
}

func (v *view) deltaFrom(from *state) (*frame, *state) {
	to := v.present()
	if f := v.deltas[from.cursor]; f != nil || from.cursor == to.cursor {
		return f, to
	}
	b := []byte(`{"type":"delta"`)
	b = appendField(b, "from", from.cursor)
	b = appendField(b, "to", to.cursor)
	b = v.appendVersion(b, v.version)
	b = appendField(b, "cause", string(v.version.Cause))
	b = append(b, `,"patch":`...)
	b = value.AppendPatch(b, value.Diff(from.values, to.values))
	f := newFrame(wire.TypeDelta, append(b, '}'))
	f.since = v.version.Since
	v.deltas[from.cursor] = f
	return f, to
}

func (v *view) snapshotFrame(s *state, version *apply.Version, reason string) *frame {
	b := []byte(`{"type":"snapshot"`)
	b = appendField(b, "cursor", s.cursor)
	b = v.appendVersion(b, version)
	b = appendField(b, "reason", reason)
	b = append(b, `,"values":`...)
	return newFrame(wire.TypeSnapshot, append(s.values.AppendJSON(b), '}'))
}

func (v *view) currentFrame(s *state) *frame {
	b := appendField([]byte(`{"type":"current"`), "cursor", s.cursor)
	return newFrame(wire.TypeCurrent, append(v.appendVersion(b, v.version), '}'))
}

func pingFrame(s *state) *frame {
	return newFrame(wire.TypePing, append(appendField([]byte(`{"type":"ping"`), "cursor", s.cursor), '}'))
}

// appendVersion tells of a version; who made it and why, those alone who may see its history.
func (v *view) appendVersion(b []byte, version *apply.Version) []byte {
	b = appendField(b, "commit", version.ID)
	if v.grant.May(access.History) {
		b = appendField(b, "author", version.Commit.Author.Name)
		b = appendField(b, "subject", version.Commit.Subject)
	}
	if !version.RollbackOf.IsZero() {
		b = appendField(b, "rollbackOf", version.RollbackOf.String())
	}
	return b
}

func appendField(b []byte, name, text string) []byte {
	b = append(append(append(b, ",\""...), name...), "\":"...)
	return append(b, wire.Encode(text)...)
}
