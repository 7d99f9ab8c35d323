package notify

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"github.com/trunkline/trunkline/client/wire"
)

// wait waits until the client sends something. Almost all sessions are here almost always, so it is a goroutine of its own, whose
// stack has never grown.
func (s *session) wait() {
	var err error
	if s.conn != nil {
		err = s.conn.await()
	}
	s.hear(err)
}

// hear takes what the client has sent, and lets the session wait again until it has ended.
func (s *session) hear(err error) {
	if err == nil {
		err = s.receive()
	}
	if err == errNothing || isTimeout(err) && s.silent() { //nolint:errorlint // our own
		go s.wait()
		return
	}
	s.stop()
	s.hub.leave(s)
}

var buffers = sync.Pool{New: func() any { return new([readBuffer]byte) }}

// receive reads until nothing is left to read.
func (s *session) receive() error {
	buf := buffers.Get().(*[readBuffer]byte)
	defer buffers.Put(buf)
	for {
		n, err := s.net.Read(buf[:])
		if n > 0 {
			if err := s.take(buf[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
}

var (
	errFlood  = errors.New("the client sends too much")
	errEnough = errors.New("the client sends on after its end")
)

// take takes in bytes.
func (s *session) take(b []byte) error {
	if s.over() {
		return s.linger(b)
	}
	err := s.judge(b)
	if errors.Is(err, errFarewell) || errors.Is(err, errTail) {
		return err
	}
	if err != nil {
		s.reject(err)
		s.inbox = nil
		return nil
	}
	s.setDeadline()
	return nil
}

// linger drops what comes after the end, until the client says its farewell: closing on unread bytes would make its system throw away
// our answer.
func (s *session) linger(b []byte) (err error) {
	if s.lingered += len(b); s.lingered > lingerBytes {
		return errEnough
	}
	if s.deaf {
		return nil
	}
	s.inbox, err = s.inbox.take(b, s.deflate, s.hub.now(), farewells{})
	if s.deaf = err != nil && !errors.Is(err, errFarewell); s.deaf {
		return nil // what comes after what was refused need not make sense
	}
	return err
}

// farewells hears nothing else.
type farewells struct{}

func (farewells) message([]byte) error { return nil }

func (farewells) control(kind int, _ []byte) error {
	if kind == websocket.CloseMessage {
		return errFarewell
	}
	return nil
}

func (s *session) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// judge takes in bytes of a client that keeps to the protocol. A fault of ours that a client brings out ends its session and no other.
func (s *session) judge(b []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.hub.fault(s, p)
			err = &refusal{wire.CloseRestart, "fault", "a fault of the server", "please report it"}
		}
	}()
	if !s.hub.limits.bytes.take(&s.arrived, s.hub.now(), len(b)) {
		return errFlood
	}
	s.inbox, err = s.inbox.take(b, s.deflate, s.hub.now(), s)
	return err
}

// faults are counted, so that a client that brings them out cannot fill the log.
type faults struct {
	mu     sync.Mutex
	full   time.Duration
	untold int // since the last that was logged
}

// fault logs a fault of ours, of which a message of the session's client was the cause.
func (h *Hub) fault(s *session, what any) {
	h.faults.mu.Lock()
	defer h.faults.mu.Unlock()
	if !h.limits.faults.take(&h.faults.full, h.now(), 1) {
		h.faults.untold++
		return
	}
	env := ""
	if s.seated != nil {
		env = s.seated.env
	}
	h.o.Log.Error("a message of a client brought out a fault of the server: please report it", "component", "notify",
		"env", env, "fault", what, "untold", h.faults.untold, "stack", string(debug.Stack()))
	h.faults.untold = 0
}

// reject ends the session for what the client sent.
func (s *session) reject(err error) {
	var refused *refusal
	var broken protocolError
	hint := "see the protocol page"
	if !s.greeted {
		hint = "begin with a hello"
	}
	switch {
	case errors.As(err, &refused):
		s.end(refused)
	case errors.As(err, &broken):
		s.finish(ending{close: websocket.CloseProtocolError, reason: "protocol"})
	case errors.Is(err, errFlood):
		s.end(&refusal{wire.CloseFlood, "tooManyMessages", "more comes than answers what was sent", "answer each message once"})
	default:
		s.end(&refusal{wire.CloseBadMessage, "badMessage", err.Error(), hint})
	}
}

// silent ends the session of a client that was silent for too long, and reports false where it had ended before.
func (s *session) silent() bool {
	if s.over() {
		return false
	}
	why := &refusal{wire.CloseSilent, "silent", "no ping was answered", "answer a ping with an ack"}
	switch {
	case !s.greeted:
		why = &refusal{wire.CloseNoHello, "noHello", "no hello came in time", "send a hello at once"}
	case s.inbox != nil:
		why.message, why.hint = "a message was begun and not finished", "send each message at once"
	}
	s.end(why)
	return true
}

// setDeadline sets how long the client may be silent, or take to finish what it has begun.
func (s *session) setDeadline() {
	until := s.due
	if s.inbox != nil {
		until = min(until, s.inbox.begun+s.hub.limits.message)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed && until != s.deadline {
		s.deadline = until
		_ = s.net.SetReadDeadline(s.hub.born.Add(until))
	}
}

// message takes in a message.
func (s *session) message(data []byte) error {
	if !s.mayTell() {
		return errFlood
	}
	m, err := wire.ParseClient(data)
	if err != nil {
		return err
	}
	switch first := !s.greeted; {
	case first && m.Type != wire.TypeHello:
		return &refusal{wire.CloseBadMessage, "badMessage", "the first message must be a hello", "begin with a hello"}
	case !first && m.Type == wire.TypeHello:
		return fmt.Errorf("%w: a second hello; ask for something else with an update", wire.ErrMessage)
	}
	s.due = s.hub.now() + s.hub.limits.silence
	if s.greeted {
		s.hub.o.Observe.answered(m.Type)
	}
	s.greeted = true
	return s.heed(m)
}

// heed acts on a message.
func (s *session) heed(m *wire.Client) error {
	var refused *refusal
	switch m.Type {
	case wire.TypeHello:
		refused = s.hub.greet(s, m)
	case wire.TypeUpdate:
		refused = s.hub.update(s, m)
	default:
		s.hub.answered(s, m)
	}
	if refused != nil {
		return refused
	}
	return nil
}

// mayTell counts a message: against what the client was sent, or else against the limit.
func (s *session) mayTell() bool {
	s.mu.Lock()
	owed := s.credit > 0
	if owed {
		s.credit--
	}
	s.mu.Unlock()
	return owed || s.hub.limits.messages.take(&s.told, s.hub.now(), 1)
}

// errFarewell is the error of a session whose client has said its farewell.
var errFarewell = errors.New("the client closes the connection")

// control takes in a control frame.
func (s *session) control(kind int, payload []byte) error {
	if kind == websocket.CloseMessage {
		return s.farewell(payload)
	}
	if !s.hub.limits.messages.take(&s.told, s.hub.now(), 1) {
		return errFlood
	}
	if kind == websocket.PingMessage {
		return s.pong(payload)
	}
	return nil
}

// farewell answers the client's close frame.
func (s *session) farewell(payload []byte) error {
	code := websocket.CloseNoStatusReceived
	if len(payload) > 0 {
		if len(payload) == 1 || !utf8.Valid(payload[2:]) {
			return protocolError("a close frame cannot be read")
		}
		if code = int(binary.BigEndian.Uint16(payload)); !mayClose(code) {
			return protocolError(fmt.Sprintf("a connection cannot be closed with the code %d", code))
		}
	}
	s.bye(websocket.FormatCloseMessage(code, ""))
	return errFarewell
}
