package notify

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/client/wire"
)

// session is one connected client. It has no writer goroutine and no queue: only what it has, and that it may need more.
type session struct {
	hub  *Hub
	ws   *websocket.Conn
	conn *conn // nil where writes may wait
	view *view // set by the hello
	who  *access.Identity
	room *access.Session // what it takes of the caller's limits; nil where there are none

	slot uint8 // when it is its turn to be pinged

	mu      sync.Mutex
	has     *state  // nil before the hello was answered
	writing bool    // a write is under way, by a writer, a tail, or a goroutine of its own
	closed  bool    // nothing more is delivered
	last    *ending // what the write under way is to be followed by
	queued  bool    // waits for a writer
	ping    bool    // is due a ping
}

// ending is the last that a client is told.
type ending struct {
	close   int
	reason  string
	message wire.Server
}

// admit makes room for the session within the caller's limits.
func (s *session) admit(r *http.Request) *access.Refused {
	if s.hub.o.Guard == nil {
		return nil
	}
	room, err := s.hub.o.Guard.Session(r)
	var refused *access.Refused
	if errors.As(err, &refused) {
		return refused
	}
	s.room = room
	return nil
}

// begun takes over the connection.
func (s *session) begun(ws *websocket.Conn) {
	bound(ws.NetConn())
	s.mu.Lock()
	s.ws = ws
	if c, ok := ws.NetConn().(*conn); ok {
		s.conn = c
		c.stream(s.hub.limits.write)
	}
	last := s.last
	s.mu.Unlock()
	if last != nil { // the server began to stop during the upgrade
		_ = ws.SetReadDeadline(time.Now().Add(s.hub.limits.linger))
		s.say(*last)
	}
}

// turn is the step of an interval in which the session is pinged.
func (s *session) turn(steps int) int { return int(s.slot) % steps }

// goaway asks the client to come back after a while.
func (s *session) goaway(after time.Duration) {
	s.finish(ending{wire.CloseRestart, "restart", wire.Server{Type: wire.TypeGoaway, RetryAfterMs: int(after.Milliseconds())}})
}

// end tells the client what is wrong and closes the connection.
func (s *session) end(why *refusal) {
	s.finish(ending{why.close, why.code, wire.Server{Type: wire.TypeError, Code: why.code, Message: why.message, Hint: why.hint}})
}

// finish ends the session, unless it has ended: the last message goes out, after the write that may be under way, and the client
// has a moment to read it. It never waits.
func (s *session) finish(e ending) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	ws, free := s.ws, !s.writing
	s.closed, s.writing = true, true
	if !free || ws == nil {
		s.last = &e
	}
	s.mu.Unlock()
	s.hub.o.Observe.ended(e.reason)
	if ws == nil {
		return // the upgrade under way says it
	}
	_ = ws.SetReadDeadline(time.Now().Add(s.hub.limits.linger))
	switch {
	case !free:
		time.AfterFunc(s.hub.limits.linger, func() { cut(ws.NetConn()) }) // whatever holds the write up
	case s.conn == nil:
		s.hub.writes.Go(func() { s.say(e) })
	default:
		s.say(e)
	}
}

// say writes the last message.
func (s *session) say(e ending) {
	patience := time.Now().Add(s.hub.limits.linger)
	_ = s.ws.SetWriteDeadline(patience)
	_ = s.ws.WriteMessage(websocket.TextMessage, wire.Encode(e.message))
	if s.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(e.close, e.reason), patience) != nil {
		cut(s.ws.NetConn())
	}
}

// ended asks a client whose credential has ended to show its new one.
func (s *session) ended(why access.End) {
	s.finish(ending{wire.CloseCredential, string(why), wire.Server{
		Type: wire.TypeGoaway, RetryAfterMs: int(rand.N(s.hub.limits.renewSpread).Milliseconds()),
	}})
}

// read takes the client's messages until the session ends.
func (s *session) read() {
	defer s.hub.leave(s)
	defer s.who.OnEnd(s.ended)()
	if refused := s.attend(); refused != nil {
		s.end(refused)
	}
	s.linger()
}

// attend takes the client's messages, and tells why the server must end the session, if it must. A fault of ours that a client
// brings out ends its session and no other.
func (s *session) attend() (refused *refusal) {
	defer func() {
		if p := recover(); p != nil {
			refused = &refusal{wire.CloseRestart, "fault", "a fault of the server", "please report it"}
		}
	}()
	if refused := s.greet(); refused != nil {
		return refused
	}
	for s.patience(s.hub.limits.silence) {
		m, err := s.next()
		if err == nil && m.Type == wire.TypeHello {
			err = fmt.Errorf("%w: a second hello", wire.ErrMessage)
		}
		switch {
		case errors.Is(err, wire.ErrMessage):
			return &refusal{wire.CloseBadMessage, "badMessage", err.Error(), "see the protocol page"}
		case isTimeout(err):
			return &refusal{wire.CloseSilent, "silent", "no ping was answered", "answer a ping with an ack"}
		case err != nil:
			s.gone(err)
			return nil
		}
		s.hub.o.Observe.answered(m.Type)
	}
	return nil
}

// gone closes the connection at once where the client has closed it or must be cut off.
func (s *session) gone(err error) {
	var closed *websocket.CloseError
	if errors.As(err, &closed) || errors.Is(err, errTail) {
		s.broken(err)
	}
}

// patience sets how long the client may be silent, and reports false when the session has ended.
func (s *session) patience(d time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		_ = s.ws.SetReadDeadline(time.Now().Add(d))
	}
	return !s.closed
}

// linger takes in what the client still sends, for a moment: closing on unread bytes would make its system throw away our answer.
func (s *session) linger() {
	_ = s.ws.SetReadDeadline(time.Now().Add(s.hub.limits.linger))
	_, _ = io.Copy(io.Discard, io.LimitReader(s.ws.NetConn(), lingerBytes))
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// next reads one message. The WebSocket library would answer one that is too large with a close code outside of ours, so the limit
// is kept here.
func (s *session) next() (*wire.Client, error) {
	kind, r, err := s.ws.NextReader()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, wire.MaxClientMessage+1))
	if err != nil {
		return nil, err
	}
	if kind != websocket.TextMessage {
		return nil, fmt.Errorf("%w: a binary frame", wire.ErrMessage)
	}
	return wire.ParseClient(data)
}

// greet waits for the hello and answers it with what the client needs to be up to date.
func (s *session) greet() *refusal {
	s.patience(s.hub.limits.hello)
	m, err := s.next()
	switch {
	case errors.Is(err, wire.ErrMessage):
		return &refusal{wire.CloseBadMessage, "badMessage", err.Error(), "begin with a hello"}
	case isTimeout(err):
		return &refusal{wire.CloseNoHello, "noHello", "no hello came in time", "send a hello at once"}
	case err != nil:
		return nil // reading on meets the same
	case m.Type != wire.TypeHello:
		return &refusal{wire.CloseBadMessage, "badMessage", "the first message must be a hello", "begin with a hello"}
	}
	return s.hub.join(s, m)
}

// answer writes the first frame, after which the session is delivered to.
func (s *session) answer(f *frame, has *state) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.has, s.writing, s.ping = has, true, false
	s.mu.Unlock()
	if s.write(f) {
		s.hub.queue.add(s) // something newer may have come meanwhile
	}
}

// deliver writes what the session lacks, if nothing is being written to it. It is called by the writers and never waits.
func (s *session) deliver() {
	for {
		f := s.begin()
		if f == nil {
			return
		}
		if s.conn == nil {
			s.hub.writes.Go(func() {
				if s.write(f) {
					s.hub.queue.add(s)
				}
			})
			return
		}
		if !s.write(f) {
			return
		}
	}
}

// begin takes the next frame the session needs, which counts as sent from then on; nil when it needs none, or is being written to.
func (s *session) begin() *frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queued = false
	if s.writing || s.closed || s.has == nil {
		return nil
	}
	f, to := s.view.delta(s.has)
	s.has = to
	switch {
	case f != nil:
	case s.ping:
		f = pingFrame(to)
	default:
		return nil
	}
	s.ping = false // any frame shows that the server is there
	s.writing = true
	return f
}

// write writes a frame, and reports whether the session can take another at once. When its socket is full, the end of the tail
// brings it back to the writers.
func (s *session) write(f *frame) bool {
	_ = s.ws.SetWriteDeadline(time.Now().Add(s.hub.limits.write))
	if err := s.ws.WritePreparedMessage(f.message); err != nil {
		s.broken(err)
		return false
	}
	s.hub.o.Observe.delivered(f)
	if s.conn == nil || s.conn.whenIdle(s.drained) {
		s.idle()
		return true
	}
	return false
}

// drained is called when a tail was written, or could not be.
func (s *session) drained(err error) {
	if err != nil {
		s.broken(err)
		return
	}
	s.idle()
	s.hub.queue.add(s)
}

// idle ends a write.
func (s *session) idle() {
	s.mu.Lock()
	last := s.last
	s.last, s.writing = nil, last != nil
	s.mu.Unlock()
	if last != nil {
		s.say(*last)
	}
}

// broken ends the session without a word: the connection is gone, or takes nothing more.
func (s *session) broken(err error) {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	ws := s.ws
	s.mu.Unlock()
	if first && (isTimeout(err) || errors.Is(err, errTail)) {
		s.hub.o.Observe.ended("slow")
	}
	if ws != nil {
		cut(ws.NetConn())
	}
}
