package notify

import (
	"errors"
	"time"

	"github.com/gorilla/websocket"
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
				if s.push(f) {
					s.hub.queue.add(s)
				}
			})
			return
		case !s.lend(f, f.parts(s.deflate), 0):
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
	s.ping.Store(false) // any frame shows that the server is there
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
		return r.frame, r.to
	case s.has == nil:
		return nil, nil
	case r == nil && !s.ping.Load() && s.view.now.Load() == s.has:
		return nil, nil
	}
	f, to := s.view.delta(s.has)
	switch {
	case f != nil:
	case r != nil:
		f = s.view.current()
	case s.ping.Load():
		f = pingFrame(to)
	}
	return f, to
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
