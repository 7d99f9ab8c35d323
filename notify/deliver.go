package notify

import (
	"errors"
	"time"

	"github.com/gorilla/websocket"

	"github.com/trunkline/trunkline/client/wire"
)

// deliver writes what the session lacks, if nothing is being written to it. It never waits.
func (s *session) deliver() {
	for {
		f := s.begin()
		switch {
		case f == nil:
			return
		case !s.direct:
			s.hub.writes.Go(func() {
				again := s.push(f)
				s.reveal(f)
				if again {
					s.hub.queue.add(s)
				}
			})
			return
		}
		again := s.lend(f, f.parts(s.deflate), 0)
		s.reveal(f) // whatever becomes of its end
		if !again {
			return
		}
	}
}

// begin takes the next frame the session needs, which counts as sent from then on; nil when it needs none, or is being written to.
func (s *session) begin() *frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queued.Store(false)
	if s.writing || s.closed {
		return nil
	}
	f, to := s.lacks()
	if to != nil {
		s.move(to)
	}
	if f == nil {
		return nil
	}
	if f.kind != wire.TypeAssignments { // which a client does not answer
		s.ping.Store(false)
	}
	s.writing = true
	s.credit = min(s.credit+1, maxCredit)
	return f
}

// lacks is what the session needs, and the state it will have then. The lock must be held.
func (s *session) lacks() (*frame, *state) {
	r := s.reply
	s.reply = nil
	switch {
	case r != nil && r.frame != nil:
		s.number = r.number
		return r.frame, r.to
	case s.has == nil:
		return nil, nil
	case r == nil && !s.ping.Load() && s.settled():
		return nil, nil
	}
	a := s.view.look(s.asks, s.who)
	defer s.view.mu.Unlock()
	p, f := a.person, s.view.deltaFrame(a.person, s.has, a.to, s.cause(a.number))
	s.asks, s.number, s.asked = p, a.number, false
	switch {
	case f != nil:
	case r != nil:
		f = s.view.currentFrame(a.to)
	case s.ping.Load():
		f = pingFrame(a.to)
	case p != nil && !p.roll.same(p.told):
		f, p.told = s.view.rollFrame(p.roll, a.to), p.roll
	}
	return f, a.to
}

// settled tells whether the session has what the view shows it, and knows its assignments. It takes no lock of the view.
func (s *session) settled() bool {
	number := s.view.number.Load() // before all that is shown at it
	if p := s.asks; s.shows() != s.has || p != nil && (p.by != s.view.chooser.Load() || !p.roll.same(p.told)) {
		return false
	}
	s.number, s.asked = number, false
	return true
}

// shows is what the view shows the session; nil where that was not chosen yet, or not made.
func (s *session) shows() *state {
	switch c, p := s.view.chooser.Load(), s.asks; {
	case c == nil:
		return s.view.now.Load()
	case p == nil || p.by != c:
		return nil
	default:
		return p.face.now.Load()
	}
}

// cause is why the session is sent something else, when the view stands at a version. The view's lock must be held.
func (s *session) cause(number uint32) string {
	switch {
	case s.number != number:
		return s.view.cause
	case s.asked:
		return causeContext
	}
	return causeRamp
}

// move notes what the session has from now on. The lock must be held.
func (s *session) move(to *state) {
	if s.has != nil && s.has.cursor != to.cursor {
		if s.answer == acked {
			s.acked = s.has.until.Load()
		}
		s.answer = noAnswer
	}
	s.has = to
}

// lend writes the parts of a frame from one on, and reports whether the session can take another frame at once. When its socket is
// full, the end of the tail goes on.
func (s *session) lend(f *frame, parts [][]byte, from int) bool {
	for n := from; n < len(parts); n++ {
		if n > 0 && s.over() { // what is said last need not wait for the rest
			s.idle()
			return false
		}
		if err := s.conn.lend(parts[n]); err != nil {
			s.broken(err)
			return false
		}
		if !s.conn.whenIdle(func(err error) { s.drained(f, parts, n+1, err) }) {
			return false
		}
	}
	s.delivered(f, parts)
	s.idle()
	return true
}

// drained is called when a tail was written, or could not be.
func (s *session) drained(f *frame, parts [][]byte, next int, err error) {
	if err != nil {
		s.broken(err)
		return
	}
	if s.lend(f, parts, next) {
		s.hub.queue.add(s)
	}
}

// push is lend for connections whose writes wait.
func (s *session) push(f *frame) bool {
	parts := f.parts(s.deflate)
	for n, part := range parts {
		if n > 0 && s.over() {
			break
		}
		_ = s.net.SetWriteDeadline(time.Now().Add(s.hub.limits.write))
		if _, err := s.net.Write(part); err != nil {
			s.broken(err)
			return false
		}
	}
	s.delivered(f, parts)
	s.idle()
	return true
}

func (s *session) delivered(f *frame, parts [][]byte) {
	bytes := 0
	for _, part := range parts {
		bytes += len(part)
	}
	s.hub.o.Observe.delivered(f, bytes)
}

// pong answers a ping. Where writes wait, only the last is answered of those that come during one.
func (s *session) pong(payload []byte) error {
	f := controlFrame(websocket.PongMessage, payload)
	if s.direct {
		_, err := s.conn.Write(f)
		if err != nil {
			s.broken(err)
		}
		return err
	}
	s.mu.Lock()
	waits := s.writing
	s.owed, s.writing = string(f), true
	s.mu.Unlock()
	if !waits {
		s.hub.writes.Go(func() {
			s.idle()
			s.hub.queue.add(s)
		})
	}
	return nil
}

// idle ends a write, once what is to follow it is written.
func (s *session) idle() {
	for {
		s.mu.Lock()
		last, pong := s.last, s.owed
		s.last, s.owed = nil, ""
		s.writing = last != nil || pong != ""
		s.mu.Unlock()
		switch {
		case last != nil:
			s.say(*last)
			return // and nothing is written any more
		case pong == "":
			return
		}
		_ = s.net.SetWriteDeadline(time.Now().Add(s.hub.limits.write))
		if _, err := s.net.Write([]byte(pong)); err != nil {
			s.broken(err)
			return
		}
	}
}

// broken ends the session without a word: the connection is gone, or takes nothing more.
func (s *session) broken(err error) {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	c := s.net
	s.mu.Unlock()
	if first && (isTimeout(err) || errors.Is(err, errTail)) {
		s.hub.o.Observe.ended("slow")
	}
	if c != nil {
		cut(c)
	}
}
