package notify

import (
	"crypto/sha256"
	"encoding/base64"
	"time"

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
// values count by their keyed fingerprints. Definitions are nil but for those who decide by themselves.
func (v *view) cursor(values, definitions *value.Value) string {
	sum := values.Sum()
	named := append(v.prefix[:len(v.prefix):len(v.prefix)], sum[:]...)
	if definitions != nil {
		sum = definitions.Sum()
		named = append(named, sum[:]...)
	}
	digest := sha256.Sum256(named)
	return v.tag() + base64.RawURLEncoding.EncodeToString(digest[:contentBytes])
}

func (v *view) tag() string { return base64.RawURLEncoding.EncodeToString(v.prefix[:tagBytes]) }

// own tells whether a cursor is one of this view, of whichever content.
func (v *view) own(cursor string) bool {
	return len(cursor) == tagLength+base64.RawURLEncoding.EncodedLen(contentBytes) && cursor[:tagLength] == v.tag()
}

// Why values change without a new version.
const (
	causeRamp    = "ramp"    // time: a ramp or a schedule
	causeContext = "context" // the client speaks of somebody else
)

// deltaFrame leads from one state to another, for a reason; nil when they have the same content. The lock must be held, as for all that
// follows.
func (v *view) deltaFrame(p *person, from, to *state, cause string) *frame {
	if from.cursor == to.cursor {
		return nil
	}
	return v.frames.get(content{wire.TypeDelta, from.cursor, to.cursor, cause}, func() *frame {
		return v.changeFrame(p, from, to, cause, !same(from.definitions, to.definitions))
	})
}

// changeFrame leads from one state to another by a patch, or where that is large, by all values.
func (v *view) changeFrame(p *person, from, to *state, cause string, defines bool) *frame {
	b := appendCursor(begin(wire.TypeDelta), "from", from.cursor)
	b = appendCursor(b, "to", to.cursor)
	b = append(b, v.about()...)
	b = appendField(b, "cause", cause)
	b = append(b, `,"patch":`...)
	before := len(b)
	b = value.AppendPatch(b, value.Diff(from.values, to.values))
	f := defining(wire.TypeDelta, to, defines, append(b, '}'))
	f.reveals = v.revealing(p, from, to, defines)
	if len(b)-before > wire.MaxWhole {
		same := *v.snapshotFrame(p, to, wire.ReasonLargeChange)
		f = &same
	}
	f.since = v.since(cause)
	return f
}

// since is from when on clients could have what a frame tells; zero for an answer.
func (v *view) since(cause string) time.Time {
	switch c := v.chooser.Load(); {
	case cause == causeContext:
		return noTime
	case cause == causeRamp && c != nil:
		return c.since
	}
	return v.version.Load().Since
}

// resumeFrame answers a hello that names a state, with the definitions for those who decide by themselves.
func (v *view) resumeFrame(p *person, had, to *state) *frame {
	cause := v.cause
	var f *frame
	switch {
	case had.cursor == to.cursor:
		f = defining(wire.TypeCurrent, to, v.local, v.currentText(to))
		f.reveals = v.revealing(p, had, to, v.local)
	case v.local:
		f = v.changeFrame(p, had, to, cause, true)
	default:
		f = v.deltaFrame(p, had, to, cause)
	}
	late := *f
	late.since = noTime // how long the client was away is no delay of ours
	return &late
}

// snapshotFrame tells everything. It is encoded when it is first sent: that may take long.
func (v *view) snapshotFrame(p *person, to *state, reason string) *frame {
	version := v.version.Load()
	return v.frames.get(content{wire.TypeSnapshot, "", to.cursor, reason}, func() *frame {
		f := newFrame(wire.TypeSnapshot, func() [][]byte { return v.snapshotTexts(to, version, reason) })
		f.reveals = v.revealing(p, nil, to, true)
		return f
	})
}

func (v *view) snapshotTexts(s *state, version *apply.Version, reason string) [][]byte {
	b := appendCursor(begin(wire.TypeSnapshot), "cursor", s.cursor)
	b = v.appendVersion(b, version)
	b = appendField(b, "reason", reason)
	return append(definitionTexts(s), wholeOrChunks(b, s.cursor, "values", s.values)...)
}

// wholeOrChunks ends a message with a value, or with the number of the chunks that it comes in.
func wholeOrChunks(b []byte, cursor, name string, v *value.Value) [][]byte {
	before := len(b)
	b = append(append(append(b, `,"`...), name...), `":`...)
	begins := len(b)
	b = v.AppendJSON(b)
	text := b[begins:]
	if len(text) <= wire.MaxWhole {
		return [][]byte{append(b, '}')}
	}
	parts := split(text)
	all := chunks(cursor, parts)
	head := append(appendNumber(append([]byte(nil), b[:before]...), "chunks", len(parts)), '}')
	return append([][]byte{head}, all...)
}

// definitionTexts are the messages of the definitions that go with a state; none where it has none.
func definitionTexts(s *state) [][]byte {
	if s.definitions == nil {
		return nil
	}
	return wholeOrChunks(appendCursor(begin(wire.TypeDefinitions), "cursor", s.cursor), s.cursor, "definitions", s.definitions)
}

// defining makes a frame of a text, behind the definitions of its state where they are to be sent.
func defining(kind string, s *state, defines bool, text []byte) *frame {
	if !defines {
		return textFrame(kind, text)
	}
	return newFrame(kind, func() [][]byte { return append(definitionTexts(s), text) })
}

func (v *view) currentFrame(s *state) *frame { return textFrame(wire.TypeCurrent, v.currentText(s)) }

func (v *view) currentText(s *state) []byte {
	b := appendCursor(begin(wire.TypeCurrent), "cursor", s.cursor)
	return append(append(b, v.about()...), '}')
}

// rollFrame tells the assignments that go with a state.
func (v *view) rollFrame(r roll, s *state) *frame {
	list := r.json()
	return v.frames.get(content{wire.TypeAssignments, "", s.cursor, list}, func() *frame {
		b := appendCursor(begin(wire.TypeAssignments), "cursor", s.cursor)
		b = append(append(b, `,"assignments":`...), list...)
		return textFrame(wire.TypeAssignments, append(b, '}'))
	})
}

func pingFrame(s *state) *frame {
	return textFrame(wire.TypePing, append(appendCursor(begin(wire.TypePing), "cursor", s.cursor), '}'))
}

// about tells of the version that the view stands at.
func (v *view) about() []byte {
	if version := v.version.Load(); v.described.version != version {
		v.described.version, v.described.text = version, v.appendVersion(nil, version)
	}
	return v.described.text
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
	if l := version.Lineage; l != nil && v.grant.May(access.History) && v.concerns(l) {
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
