package client

import (
	"strings"
	"time"

	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/value"
)

// offer is a state on its way from the server to the program.
type offer struct {
	state   *State
	kind    EventKind
	cause   string
	size    int         // of the values as JSON, in bytes, at most
	same    bool        // the program has accepted these values before
	request request     // what it answers
	conn    *connection // on which it came

	decided bool
	err     error // why the program does not accept it
}

func (o *offer) accepted() bool { return o.decided && o.err == nil }

// offer gives a state to the program, which is asked first if it wants to be. While it is asked about one, the newest waits.
func (r *run) offer(o *offer) {
	o.conn, r.has = r.conn, o
	switch {
	case r.o.Accept == nil || o.same && r.judging == nil:
		r.decide(o, nil)
	case r.judging != nil:
		r.waiting = o
	default:
		r.judge(o)
	}
}

func (r *run) judge(o *offer) {
	r.judging = o
	state := o.state
	go func() { r.judged <- r.o.Accept(state) }()
}

// answered takes what the program says. Its event comes before the next is asked about.
func (r *run) answered(verdict error) {
	o, next := r.judging, r.waiting
	r.judging, r.waiting = nil, nil
	r.decide(o, verdict)
	if next != nil {
		r.judge(next)
	}
}

// decide makes a state the newest one, if it is accepted, and tells the server.
func (r *run) decide(o *offer, verdict error) {
	o.decided, o.err = true, verdict
	if verdict != nil {
		r.reject(o)
	} else {
		r.accept(o)
	}
	r.answer(o)
}

func (r *run) accept(o *offer) {
	event := Event{Kind: o.kind, State: o.state, Cause: o.cause}
	if old := r.State(); old != nil {
		event.Changes = value.Diff(old.Values, o.state.Values)
	}
	if o == r.has && o.conn != nil && o.conn == r.conn {
		r.feeder.Fresh()
	}
	r.feeder.Put(o.state)
	r.keep.put(o)
	r.available()
	r.event(event)
}

func (r *run) reject(o *offer) {
	r.feeder.Stale(time.Now())
	r.troubled(o.err)
	r.o.Log.Error("not accepted: the values stay as they were", "component", "client", "commit", o.state.Commit, "err", o.err)
	r.event(Event{Kind: Rejected, State: o.state, Cause: o.cause, Err: o.err})
}

// answer tells the server what the program makes of a state, if it is the connection's own.
func (r *run) answer(o *offer) {
	if o.conn == nil || o.conn != r.conn {
		return
	}
	m := wire.Client{Type: wire.TypeAck, Cursor: o.state.Cursor}
	if o.err != nil {
		m.Type, m.Reason = wire.TypeNack, brief(o.err.Error())
	}
	r.conn.send(m)
}

// brief is a reason as it may be sent.
func brief(reason string) string {
	const more = "…"
	reason = strings.ToValidUTF8(reason, "?")
	if len(reason) <= wire.MaxReasonLength {
		return reason
	}
	return strings.ToValidUTF8(reason[:wire.MaxReasonLength-len(more)], "") + more
}
