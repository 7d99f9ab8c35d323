package notify

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/client/wire"
)

// session is one connected client. It has no writer goroutine and no queue: only what it has, and that it may need more. Its reader
// has no buffer and the smallest stack while it waits. Times are since the Hub was made.
type session struct {
	hub  *Hub
	net  net.Conn
	conn *conn // net, or what lies beneath it; nil where reads wait
	who  *access.Identity
	room *access.Session // what it takes of the caller's limits; nil where there are none
	stop func() bool     // ends the wait for the end of the credential

	slot    uint8 // when it is its turn to be pinged
	direct  bool  // writes go to conn, and never wait
	deflate bool  // the client takes compressed messages
	seat    int32 // among the sessions of its turn; guarded by the Hub
	place   int32 // among the members of its view; guarded by the view

	// Of the goroutine that reads.
	greeted  bool
	inbox    *inbox        // nil between messages
	due      time.Duration // when the client must have sent a whole message
	deadline time.Duration // that is set
	arrived  time.Duration // of the limits of bytes, messages and updates
	told     time.Duration
	updated  time.Duration
	lingered int  // bytes that came after the end
	deaf     bool // and what came then made no sense
	seated   *view

	queued atomic.Bool // waits for a writer
	ping   atomic.Bool // is due a ping

	mu      sync.Mutex
	client  *client // nil before the hello
	view    *view   // nil before the hello
	asks    *person // nil for nobody in particular, of whom nothing was chosen
	has     *state  // what it was sent last; nil before the hello was answered
	reply   *reply  // what it is to be sent next
	acked   *mark   // the newest version it is known to use, before the one it has
	last    *ending // what the write under way is to be followed by
	owed    string  // the pong that the write under way is to be followed by
	credit  int16   // messages it may send in answer to what it was sent
	number  uint32  // of the version at which it was last found to lack nothing, or was sent what it lacked
	asked   bool    // for somebody else, since then
	answer  answer  // to what it has
	writing bool    // a write is under way, by a writer, a tail, or a goroutine of its own
	closed  bool    // nothing more is delivered
}

// answer is what a client says of the state it was sent.
type answer uint8

const (
	noAnswer answer = iota
	acked
	rejected
)

// reply answers a hello or an update: by a frame that leads to a state, or, when it is nil, by telling what is new.
type reply struct {
	frame *frame
	aspect
}

// ending is the last that a client is told.
type ending struct {
	close   int
	reason  string
	message wire.Server // of no type where the close code says it all
}

// refusal is why the server must end a session.
type refusal struct {
	close               int
	code, message, hint string
}

func (r *refusal) Error() string { return r.message }

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
func (s *session) begun(c net.Conn, deflate bool) {
	bound(c)
	s.mu.Lock()
	s.net, s.conn, s.deflate = c, beneath(c), deflate
	if s.conn != nil {
		s.conn.attend()
	}
	if plain, ok := c.(*conn); ok {
		s.direct = true
		plain.stream(s.hub.limits.write)
	}
	last := s.last
	s.mu.Unlock()
	if last != nil { // the server began to stop during the upgrade
		_ = c.SetReadDeadline(time.Now().Add(s.hub.limits.linger))
		s.say(*last)
	}
	s.due = s.hub.now() + s.hub.limits.hello
	s.setDeadline()
	s.stop = s.who.OnEnd(s.ended)
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

// ended asks a client whose credential has ended to show its new one.
func (s *session) ended(why access.End) {
	s.finish(ending{wire.CloseCredential, string(why), wire.Server{
		Type: wire.TypeGoaway, RetryAfterMs: int(rand.N(s.hub.limits.renewSpread).Milliseconds()),
	}})
}

// finish ends the session, unless it has ended: the last message goes out, after the write that may be under way, and the client
// has a moment to read it. It never waits.
func (s *session) finish(e ending) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	c, free := s.net, !s.writing
	s.closed, s.writing = true, true
	if !free || c == nil {
		s.last = &e
	}
	if c != nil {
		_ = c.SetReadDeadline(time.Now().Add(s.hub.limits.linger))
	}
	s.mu.Unlock()
	s.hub.o.Observe.ended(e.reason)
	switch {
	case c == nil: // the upgrade under way says it
	case !free:
		time.AfterFunc(s.hub.limits.linger, func() { cut(c) }) // whatever holds the write up
	case s.direct:
		s.say(e)
	default:
		s.hub.writes.Go(func() { s.say(e) })
	}
}

// say writes the last message.
func (s *session) say(e ending) {
	var b []byte
	if e.message.Type != "" {
		b = seal(append(make([]byte, headroom), wire.Encode(e.message)...), finalBit|websocket.TextMessage)
	}
	b = append(b, controlFrame(websocket.CloseMessage, websocket.FormatCloseMessage(e.close, e.reason))...)
	_ = s.net.SetWriteDeadline(time.Now().Add(s.hub.limits.linger))
	if _, err := s.net.Write(b); err != nil {
		cut(s.net)
	}
}

// bye answers the client's own farewell, unless something else is being written to it.
func (s *session) bye(farewell []byte) {
	s.mu.Lock()
	free := !s.closed && !s.writing
	s.closed, s.writing = true, true
	s.mu.Unlock()
	if free || s.direct {
		_ = s.net.SetWriteDeadline(time.Now().Add(s.hub.limits.linger))
		_, _ = s.net.Write(controlFrame(websocket.CloseMessage, farewell)) // who has gone need not hear it
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
