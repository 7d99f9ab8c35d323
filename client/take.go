package client

import (
	"errors"
	"fmt"
	"time"

	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/value"
)

// take acts on one message.
func (r *run) take(m *wire.Server) error {
	switch m.Type {
	case wire.TypeSnapshot, wire.TypeDelta, wire.TypeCurrent:
		if r.parts != nil {
			return r.forget("a snapshot breaks off")
		}
		return r.advance(m)
	case wire.TypeAssignments:
		return r.assigned(m)
	case wire.TypeDefinitions:
		if r.parts != nil {
			return r.forget("a snapshot breaks off")
		}
		return r.define(m)
	case wire.TypeChunk:
		return r.chunk(m)
	case wire.TypePing:
		return r.ping(m)
	case wire.TypeGoaway:
		after := time.Duration(min(m.RetryAfterMs, int(mostAsked.Milliseconds()))) * time.Millisecond
		return &restarting{after, r.sentAway()}
	case wire.TypeError:
		return r.reported(m)
	default:
		return nil // a newer server may say more than we know
	}
}

// advance makes an offer of what a message tells.
func (r *run) advance(m *wire.Server) error {
	o := &offer{kind: EventKind(m.Type), cause: m.Cause, state: &State{
		Cursor: m.Cursor, Commit: m.Commit, Author: m.Author, Subject: m.Subject, RollbackOf: m.RollbackOf,
	}}
	switch m.Type {
	case wire.TypeSnapshot:
		if m.Chunks > 0 {
			r.parts = &parts{head: m}
			return nil
		}
		if err := o.parse(m.Values, r.bounds); err != nil {
			return err
		}
	case wire.TypeCurrent:
		if r.has == nil || r.has.state.Cursor != m.Cursor && !r.open {
			return r.forget("the server takes us for another state than we have")
		}
		o.state.Values, o.size = r.has.state.Values, r.has.size
		o.same = r.has.accepted()
	case wire.TypeDelta:
		if r.has == nil || r.has.state.Cursor != m.From {
			return r.forget("a delta begins at another state than we have")
		}
		if err := o.patch(r.has, m, r.bounds); err != nil {
			return r.forget(err.Error())
		}
	}
	if err := r.defined(o); err != nil {
		return err
	}
	o.request, r.open = r.asked, false
	r.unassign(o)
	r.offer(o)
	return nil
}

// parse reads the values of a snapshot.
func (o *offer) parse(values []byte, b bounds) error {
	switch {
	case len(values) > b.bytes:
		return fmt.Errorf("a snapshot is larger than %d bytes", b.bytes)
	case countNodes(values) > b.nodes:
		return fmt.Errorf("a snapshot holds more than %d values", b.nodes)
	}
	v, err := value.ParseJSON(values)
	if err != nil {
		return fmt.Errorf("values of a snapshot: %w", err)
	}
	if v.Kind() != value.Map {
		return fmt.Errorf("the values of a snapshot are %s", v.Kind().Article())
	}
	o.state.Values, o.size = v, len(values)
	return nil
}

// patch brings what the server takes us to have to what a delta tells.
func (o *offer) patch(has *offer, m *wire.Server, b bounds) error {
	if countNodes(m.Patch) > b.nodes {
		return fmt.Errorf("a patch holds more than %d values", b.nodes)
	}
	v, err := applyPatch(has.state.Values, m.Patch)
	if err != nil {
		return err
	}
	switch {
	case v.Kind() != value.Map:
		return fmt.Errorf("a patch makes the values %s", v.Kind().Article())
	case v.Depth() > value.MaxDepth:
		return fmt.Errorf("a patch nests values deeper than %d", value.MaxDepth)
	}
	if o.size = has.size + len(m.Patch); o.size > b.bytes {
		o.size = len(v.AppendJSON(nil)) // most of what was patched has been replaced since
	}
	if o.size > b.bytes || v.Weight() > b.nodes {
		return errors.New("patches have led to more values than can be taken")
	}
	o.state.Values, o.state.Cursor = v, m.To
	return nil
}

// countNodes bounds how many values a JSON text holds, before memory is taken for them.
func countNodes(text []byte) int {
	n, quoted := 1, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case !quoted && (c == ',' || c == '[' || c == '{'):
			n++
		}
	}
	return n
}

// parts are what has come of a snapshot, or of definitions, that are sent in chunks.
type parts struct {
	head *wire.Server
	next int
	text []byte
}

func (r *run) chunk(m *wire.Server) error {
	p := r.parts
	switch {
	case p == nil || m.Cursor != p.head.Cursor || m.Index != p.next:
		return r.forget("a chunk belongs to nothing")
	case len(p.text)+len(m.Data) > r.bounds.bytes:
		return r.forget(fmt.Sprintf("a snapshot is larger than %d bytes", r.bounds.bytes))
	}
	p.text, p.next = append(p.text, m.Data...), p.next+1
	if p.next < p.head.Chunks {
		return nil
	}
	r.parts = nil
	whole := *p.head
	whole.Chunks = 0
	if whole.Type == wire.TypeDefinitions {
		whole.Definitions = p.text
		return r.define(&whole)
	}
	whole.Values = p.text
	return r.advance(&whole)
}

// ping tells what the server takes us to have. It is answered, so that the server knows that we are there.
func (r *run) ping(m *wire.Server) error {
	switch {
	case r.parts != nil:
		r.alive() // what it names is on its way
	case r.has == nil || r.has.state.Cursor != m.Cursor:
		return r.forget("the server is at another state than we have")
	case r.has.decided:
		r.answer(r.has)
	default:
		r.alive()
	}
	return nil
}

// alive answers while there is nothing to say yet of what the server has sent.
func (r *run) alive() {
	if s := r.State(); s != nil && s.Cursor != "" {
		r.conn.send(wire.Client{Type: wire.TypeAck, Cursor: s.Cursor})
	}
}

// forget makes the next connection begin with a snapshot. The values stay until then.
func (r *run) forget(why string) error {
	r.has = nil
	return errors.New(why)
}
