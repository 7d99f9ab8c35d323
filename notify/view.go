package notify

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/value"
)

// view is what all sessions with the same environment and patterns see. Frames are encoded once for all of them.
type view struct {
	env      string
	patterns []value.Pattern
	prefix   [sha256.Size]byte // of every cursor: what the view is

	mu       sync.Mutex
	sessions map[*session]struct{}
	full     *value.Value // of the present version, before the patterns
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

func viewKey(env string, patterns []value.Pattern) string {
	var b strings.Builder
	b.WriteString(env)
	for _, p := range patterns {
		b.WriteByte(0)
		b.WriteString(p.String())
	}
	return b.String()
}

func newView(env string, patterns []value.Pattern) *view {
	return &view{
		env: env, patterns: patterns, prefix: sha256.Sum256([]byte("cursor v1\x00marked\x00" + viewKey(env, patterns))),
		sessions: map[*session]struct{}{},
	}
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
	full := version.Snapshot.Delivered
	var before *value.Value
	if n := len(v.states); n > 0 {
		before = v.states[n-1].values
	}
	values := value.SelectAgain(full, v.patterns, v.full, before)
	v.full, v.version = full, version
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
		v.snapshots[reason] = sync.OnceValue(func() *frame { return snapshotFrame(present, version, reason) })
	}
	return changed, true
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
		return currentFrame(to, v.version), to
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
		full, values := v.full, v.present().values
		for _, version := range recent { // newest first: each shares with the one after it what it has in common
			values = value.SelectAgain(version.Snapshot.Delivered, v.patterns, full, values)
			full = version.Snapshot.Delivered
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
	b = appendVersion(b, v.version)
	b = appendField(b, "cause", string(v.version.Cause))
	b = append(b, `,"patch":`...)
	b = value.AppendPatch(b, value.Diff(from.values, to.values))
	f := newFrame(wire.TypeDelta, append(b, '}'))
	f.since = v.version.Since
	v.deltas[from.cursor] = f
	return f, to
}

func snapshotFrame(s *state, version *apply.Version, reason string) *frame {
	b := []byte(`{"type":"snapshot"`)
	b = appendField(b, "cursor", s.cursor)
	b = appendVersion(b, version)
	b = appendField(b, "reason", reason)
	b = append(b, `,"values":`...)
	return newFrame(wire.TypeSnapshot, append(s.values.AppendJSON(b), '}'))
}

func currentFrame(s *state, version *apply.Version) *frame {
	b := appendField([]byte(`{"type":"current"`), "cursor", s.cursor)
	return newFrame(wire.TypeCurrent, append(appendVersion(b, version), '}'))
}

func pingFrame(s *state) *frame {
	return newFrame(wire.TypePing, append(appendField([]byte(`{"type":"ping"`), "cursor", s.cursor), '}'))
}

func appendVersion(b []byte, v *apply.Version) []byte {
	b = appendField(b, "commit", v.ID)
	b = appendField(b, "author", v.Commit.Author.Name)
	b = appendField(b, "subject", v.Commit.Subject)
	if !v.RollbackOf.IsZero() {
		b = appendField(b, "rollbackOf", v.RollbackOf.String())
	}
	return b
}

func appendField(b []byte, name, text string) []byte {
	b = append(append(append(b, ",\""...), name...), "\":"...)
	return append(b, wire.Encode(text)...)
}
