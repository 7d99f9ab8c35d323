package notify

import (
	"crypto/sha256"
	"encoding/base64"
	"time"
	"weak"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
)

var noTime time.Time

// A cursor is tagLength characters that name the view, and the rest, which names its content.
const (
	tagLength    = 4
	tagBytes     = 3
	contentBytes = 12
)

// prefixOf is what a view puts into the digests of its cursors.
func prefixOf(key string) [sha256.Size]byte { return sha256.Sum256([]byte("cursor v3\x00" + key)) }

// cursor names a content of the view, the same on every server: a digest of what the view is and of what is in it. Sensitive
// values count by their keyed fingerprints.
func (v *view) cursor(values *value.Value) string {
	sum := values.Sum()
	digest := sha256.Sum256(append(v.prefix[:len(v.prefix):len(v.prefix)], sum[:]...))
	return v.tag() + base64.RawURLEncoding.EncodeToString(digest[:contentBytes])
}

func (v *view) tag() string { return base64.RawURLEncoding.EncodeToString(v.prefix[:tagBytes]) }

// own tells whether a cursor is one of this view, of whichever content.
func (v *view) own(cursor string) bool {
	return len(cursor) == tagLength+base64.RawURLEncoding.EncodedLen(contentBytes) && cursor[:tagLength] == v.tag()
}

// keptFrame finds a frame that is still in use, or makes it and notes it.
func keptFrame(frames *map[string]weak.Pointer[frame], name string, encode func() *frame) *frame {
	if f := (*frames)[name].Value(); f != nil {
		return f
	}
	f := encode()
	if *frames == nil {
		*frames = map[string]weak.Pointer[frame]{}
	}
	(*frames)[name] = weak.Make(f)
	return f
}

// deltaFrom leads from a state to the newest one. The lock must be held, as for all that follows.
func (v *view) deltaFrom(from *state) (*frame, *state) {
	to := v.now.Load()
	if from.cursor == to.cursor {
		return nil, to
	}
	return keptFrame(&v.deltas, from.cursor, func() *frame { return v.deltaFrame(from, to) }), to
}

// deltaFrame leads from one state to another by a patch, or where that is large, by all values.
func (v *view) deltaFrame(from, to *state) *frame {
	version := v.version.Load()
	b := appendField(begin(wire.TypeDelta), "from", from.cursor)
	b = appendField(b, "to", to.cursor)
	b = v.appendVersion(b, version)
	b = appendField(b, "cause", string(version.Cause))
	b = append(b, `,"patch":`...)
	before := len(b)
	b = value.AppendPatch(b, value.Diff(from.values, to.values))
	f := textFrame(wire.TypeDelta, append(b, '}'))
	if len(b)-before > wire.MaxWhole {
		same := *v.snapshotFrame(wire.ReasonLargeChange)
		f = &same
	}
	f.since = version.Since
	return f
}

// snapshotFrame tells everything. It is encoded when it is first sent: that may take long.
func (v *view) snapshotFrame(reason string) *frame {
	to, version := v.now.Load(), v.version.Load()
	return keptFrame(&v.snapshots, reason, func() *frame {
		return newFrame(wire.TypeSnapshot, func() [][]byte { return v.snapshotTexts(to, version, reason) })
	})
}

func (v *view) snapshotTexts(s *state, version *apply.Version, reason string) [][]byte {
	b := appendField(begin(wire.TypeSnapshot), "cursor", s.cursor)
	b = v.appendVersion(b, version)
	b = appendField(b, "reason", reason)
	before := len(b)
	b = s.values.AppendJSON(append(b, `,"values":`...))
	values := b[before+len(`,"values":`):]
	if len(values) <= wire.MaxWhole {
		return [][]byte{append(b, '}')}
	}
	parts := split(values)
	all := chunks(s.cursor, parts)
	head := append(appendNumber(append([]byte(nil), b[:before]...), "chunks", len(parts)), '}')
	return append([][]byte{head}, all...)
}

func (v *view) currentFrame() *frame {
	b := appendField(begin(wire.TypeCurrent), "cursor", v.now.Load().cursor)
	return textFrame(wire.TypeCurrent, append(v.appendVersion(b, v.version.Load()), '}'))
}

func pingFrame(s *state) *frame {
	return textFrame(wire.TypePing, append(appendField(begin(wire.TypePing), "cursor", s.cursor), '}'))
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
	if l := version.Lineage; l != nil && v.grant.May(access.History) {
		b = append(append(b, `,"lineage":`...), wire.Encode(lineage(l))...)
	}
	return b
}

// lineage is what may be told of one: neither paths, which the reader may not see, nor what a message quotes.
func lineage(l *apply.Lineage) wire.Lineage {
	name := func(h gitsync.Hash) string {
		if h.IsZero() {
			return ""
		}
		return h.String()
	}
	return wire.Lineage{Kind: string(l.Kind), Version: name(l.Version), First: name(l.First), Last: name(l.Last), Confirmed: l.Confirmed}
}
