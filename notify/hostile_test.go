package notify_test

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/notify"
)

// quiet is a limit that nobody reaches who keeps to the protocol, and that the tests below reach soon.
func quiet(l *notify.Limits) {
	l.Bytes, l.Messages = notify.Rate{Every: time.Millisecond, Burst: 1 << 20}, notify.Rate{Every: time.Minute, Burst: 50}
}

// Whoever sends too much of whatever is closed with a code that says so, and nobody else notices.
func TestFloods(t *testing.T) {
	for _, secure := range []bool{false, true} {
		name := map[bool]string{false: "plain", true: "tls"}[secure]
		t.Run(name, func(t *testing.T) { floods(t, secure) })
	}
}

func floods(t *testing.T, secure bool) {
	s := serveAs(t, secure, quiet)
	s.live.PutJSON("prod", shop)
	healthy := s.follow(t, "prod")
	ack := masked(0x81, wire.Encode(wire.Client{Type: wire.TypeAck, Cursor: "x"}))
	for _, c := range []struct {
		name  string
		frame []byte
		times int
	}{
		{"acks", ack, 200},
		{"pings", []byte{0x89, 0x80, 0, 0, 0, 0}, 200},
		{"pongs", []byte{0x8a, 0x80, 0, 0, 0, 0}, 200},
		{"empty fragments", append([]byte{0x01, 0x80, 0, 0, 0, 0}, bytes.Repeat([]byte{0x00, 0x80, 0, 0, 0, 0}, 220_000)...), 1},
	} {
		before := 0
		s.change(func() { before = s.ended["tooManyMessages"] })
		p := s.follow(t, "prod")
		var flooding sync.WaitGroup
		flooding.Go(func() {
			_, _ = p.NetConn().Write(bytes.Repeat(c.frame, c.times)) // it need not be read to its end
		})
		m := p.next()
		for m.Type != wire.TypeError {
			m = p.next()
		}
		if m.Code != "tooManyMessages" {
			t.Errorf("%s: %+v", c.name, m)
		}
		s.live.PutJSON("prod", large(before+1))
		healthy.expect(wire.TypeDelta)
		s.wait(t, "the end of "+c.name, func() bool { return s.sessions == 1 && s.ended["tooManyMessages"] == before+1 })
		_ = p.Close()
		flooding.Wait()
	}
}

// Who answers whatever it is sent is no flood, however much that is.
func TestAnswersAreNoFlood(t *testing.T) {
	s := serve(t, quiet)
	s.live.PutJSON("prod", large(0))
	p := s.follow(t, "prod")
	p.send(wire.Client{Type: wire.TypeAck, Cursor: p.cursor})
	for n := range 200 {
		s.live.PutJSON("prod", large(n+1))
		p.expect(wire.TypeDelta)
		p.send(wire.Client{Type: wire.TypeAck, Cursor: p.cursor})
	}
	s.wait(t, "the answers", func() bool { return s.answered[wire.TypeAck] == 201 })
}

// A message must be finished soon after it was begun, whether its frame or its fragments are missing. What came before does not count.
func TestUnfinishedMessages(t *testing.T) {
	s := serve(t, func(l *notify.Limits) { l.Message = 50 * time.Millisecond })
	s.live.PutJSON("prod", shop)
	for name, begun := range map[string][]byte{
		"a frame's header": {0x81}, "a frame": {0x81, 0x85, 0, 0, 0, 0, '{'}, "a fragment": {0x01, 0x81, 0, 0, 0, 0, '{'}, "a ping": {0x89, 0x82, 0, 0, 0, 0, 'x'},
	} {
		p := s.follow(t, "prod")
		_, _ = p.NetConn().Write(begun)
		if m := p.expect(wire.TypeError); m.Code != "silent" || !strings.Contains(m.Message, "not finished") {
			t.Errorf("%s: %+v", name, m)
		}
		p.closed(wire.CloseSilent)
		_ = p.Close()
	}
	s.wait(t, "their end", func() bool { return s.sessions == 0 && s.ended["silent"] == 4 })
}

// A client that names another's cursor learns nothing of it, and moves nobody.
func TestAnothersCursor(t *testing.T) {
	s := serve(t, func(l *notify.Limits) { l.TellAgain = 0 })
	s.live.PutJSON("prod", shop)
	s.live.PutJSON("staging", shop)
	other := s.follow(t, "prod", "checkout.**")
	elsewhere := s.follow(t, "staging", "search.**")
	for _, cursor := range []string{other.cursor, elsewhere.cursor} {
		p := s.hello(t, wire.Client{Env: "prod", Patterns: []string{"search.**"}, Cursor: cursor})
		if m := p.expect(wire.TypeSnapshot); m.Reason != wire.ReasonUnknownCursor {
			t.Errorf("%+v", m)
		}
		p.has(`{"search":{"limit":10}}`)
		p.send(wire.Client{Type: wire.TypeAck, Cursor: cursor})
		p.send(wire.Client{Type: wire.TypeNack, Cursor: cursor, Reason: "not mine"})
		s.wait(t, "its answers", func() bool { return s.answered[wire.TypeNack] == 1 })
		if c := s.hub.Convergence()[0]; c.Current != 0 || c.Pending != 2 || len(c.Rejections) != 0 {
			t.Errorf("%+v", c)
		}
		_ = p.Close()
		s.wait(t, "its end", func() bool { return s.sessions == 2 })
		s.change(func() { s.answered[wire.TypeNack] = 0 })
	}
}

// A cursor of this view that is too old, and one that is not of this view, are told apart.
func TestStaleCursor(t *testing.T) {
	s := serve(t, nil)
	s.live.PutJSON("prod", `{"a":-1}`)
	p := s.follow(t, "prod")
	first := p.cursor
	for n := range 70 {
		s.live.PutJSON("prod", `{"a":`+string(rune('1'+n%9))+strings.Repeat("0", n/9)+`}`)
		p.expect(wire.TypeDelta)
	}
	for cursor, reason := range map[string]string{
		first: wire.ReasonStaleCursor, first[:19]: wire.ReasonUnknownCursor, first + "x": wire.ReasonUnknownCursor, "": wire.ReasonHello,
	} {
		q := s.hello(t, wire.Client{Env: "prod", Cursor: cursor})
		if m := q.expect(wire.TypeSnapshot); m.Reason != reason {
			t.Errorf("%q: %s", cursor, m.Reason)
		}
		_ = q.Close()
	}
}

// Many that misbehave in every way at once leave a healthy client alone, and nothing behind.
func TestACrowdOfHostileClients(t *testing.T) {
	s := serve(t, func(l *notify.Limits) {
		quiet(l)
		l.Hello, l.Message, l.Silence, l.Write, l.Ping = time.Second, time.Second, 5*time.Second, time.Second, time.Second
	})
	s.live.PutJSON("prod", large(0))
	var crowd sync.WaitGroup
	ways := []func(*peer){
		func(p *peer) { _, _ = p.NetConn().Write(bytes.Repeat([]byte{0xff}, 10_000)) },
		func(p *peer) {
			_, _ = p.NetConn().Write(append([]byte{0x01, 0x80, 0, 0, 0, 0}, bytes.Repeat([]byte{0x00, 0x80, 0, 0, 0, 0}, 1000)...))
		},
		func(p *peer) { _ = p.WriteMessage(websocket.TextMessage, []byte(greeting)) }, // and reads nothing, and answers nothing
		func(p *peer) {
			_ = p.WriteMessage(websocket.TextMessage, []byte(greeting))
			for range 100 {
				_ = p.WriteMessage(websocket.TextMessage, wire.Encode(wire.Client{Type: wire.TypeUpdate, Patterns: []string{"n"}}))
			}
		},
		func(p *peer) {
			_ = p.WriteMessage(websocket.TextMessage, []byte(greeting))
			for err := error(nil); err == nil; {
				err = p.WriteControl(websocket.PingMessage, []byte("hello?"), time.Now().Add(generous))
			}
		},
		func(p *peer) { _ = p.NetConn().Close() },
		func(*peer) {}, // says nothing
	}
	gone := make(chan struct{})
	leave := sync.OnceFunc(func() { close(gone) })
	defer leave()
	for n := range 10 * len(ways) {
		p := s.connect(t, 64<<10)
		crowd.Go(func() {
			ways[n%len(ways)](p)
			<-gone
			_ = p.Close()
		})
	}
	healthy := s.follow(t, "prod")
	for n := range 50 {
		s.live.PutJSON("prod", large(n+1))
		healthy.expect(wire.TypeDelta)
		healthy.send(wire.Client{Type: wire.TypeAck, Cursor: healthy.cursor})
	}
	for s.left() > 1 {
		m := healthy.next()
		if m.Type != wire.TypePing {
			t.Fatalf("%+v", m)
		}
		healthy.send(wire.Client{Type: wire.TypeAck, Cursor: healthy.cursor})
	}
	leave()
	crowd.Wait()
	got := sorted(s.ended)
	for _, reason := range []string{"noHello", "slow", "tooManyMessages", "tooManyUpdates", "protocol"} {
		if !slices.ContainsFunc(got, func(one string) bool { return strings.HasPrefix(one, reason+":") }) {
			t.Errorf("none was ended for %s: %v", reason, got)
		}
	}
}

// left is how many sessions there are.
func (s *server) left() (n int) {
	s.change(func() { n = s.sessions })
	return n
}
