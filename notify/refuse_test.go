package notify_test

import (
	"bytes"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/notify"
	"github.com/trunkline/trunkline/notify/notifytest"
)

const greeting = `{"type":"hello","env":"prod"}`

func TestMisbehavingClients(t *testing.T) {
	s := serve(t, nil)
	s.live.PutJSON("prod", shop)
	say := func(messages ...string) func(*peer) {
		return func(p *peer) {
			for _, m := range messages {
				_ = p.WriteMessage(websocket.TextMessage, []byte(m))
			}
		}
	}
	for _, c := range []struct {
		name  string
		do    func(*peer)
		close int
		code  string
	}{
		{"garbage", say("garbage"), wire.CloseBadMessage, "badMessage"},
		{"a list", say("[]"), wire.CloseBadMessage, "badMessage"},
		{"an unknown type", say(`{"type":"subscribe"}`), wire.CloseBadMessage, "badMessage"},
		{"ack before hello", say(`{"type":"ack","cursor":"x"}`), wire.CloseBadMessage, "badMessage"},
		{"nack before hello", say(`{"type":"nack","cursor":"x"}`), wire.CloseBadMessage, "badMessage"},
		{"second hello", say(greeting, greeting), wire.CloseBadMessage, "badMessage"},
		{"garbage after hello", say(greeting, `{"type":`), wire.CloseBadMessage, "badMessage"},
		{"bad pattern", say(`{"type":"hello","patterns":["a..b"]}`), wire.CloseBadMessage, "badPattern"},
		{"endless bad pattern", say(`{"type":"hello","patterns":["` + strings.Repeat("é", 2000) + `"]}`), wire.CloseBadMessage, "badPattern"},
		{"too many patterns", say(`{"type":"hello","patterns":[` + strings.Repeat(`"a",`, 100) + `"a"]}`), wire.CloseBadMessage, "badMessage"},
		{"binary", func(p *peer) { _ = p.WriteMessage(websocket.BinaryMessage, []byte(greeting)) }, wire.CloseBadMessage, "badMessage"},
		{"oversized", say(strings.Repeat(" ", wire.MaxClientMessage) + greeting), wire.CloseBadMessage, "badMessage"},
		{"oversized after hello", say(greeting, strings.Repeat("x", 1<<20)), wire.CloseBadMessage, "badMessage"},
		{"frame that claims to be endless", func(p *peer) {
			_, _ = p.NetConn().Write([]byte{0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
			_, _ = p.NetConn().Write(bytes.Repeat([]byte("x"), wire.MaxClientMessage+1))
		}, wire.CloseBadMessage, "badMessage"},
		{"fragments for ever", func(p *peer) {
			go func() {
				_, err := p.NetConn().Write([]byte{0x01, 0x81, 0, 0, 0, 0, 'x'})
				for err == nil {
					_, err = p.NetConn().Write([]byte{0x00, 0x81, 0, 0, 0, 0, 'x'})
				}
			}()
		}, wire.CloseBadMessage, "badMessage"},
		{"no mask", func(p *peer) { _, _ = p.NetConn().Write([]byte{0x81, 0x02, '{', '}'}) }, websocket.CloseProtocolError, ""},
		{"unknown opcode", func(p *peer) {
			_, _ = p.NetConn().Write(append([]byte{0x8b, 0x80, 0, 0, 0, 0}, bytes.Repeat([]byte("x"), 4096)...))
		}, websocket.CloseProtocolError, ""},
		{"its own close", func(p *peer) {
			_ = p.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseGoingAway, ""), time.Now().Add(generous))
		}, websocket.CloseGoingAway, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := s.connect(t, 0)
			defer p.Close()
			before := 0
			s.change(func() { before = s.ended[c.code] })
			go c.do(p)
			var last *wire.Server
			for last == nil && c.code != "" {
				if m := p.next(); m.Type == wire.TypeError {
					last = m
				}
			}
			p.closed(c.close)
			_ = p.Close()
			if last != nil && (last.Code != c.code || last.Message == "" || last.Hint == "" || len(last.Message) > 400) {
				t.Errorf("%+v", last)
			}
			s.wait(t, "its end", func() bool { return s.sessions == 0 && (c.code == "" || s.ended[c.code] == before+1) })
		})
	}
	if got := sorted(s.ended); !slices.Equal(got, []string{"badMessage:13", "badPattern:2", "protocol:2"}) {
		t.Errorf("ended %v", got)
	}
}

func TestNoHello(t *testing.T) {
	s := serve(t, func(l *notify.Limits) {
		l.Hello, l.Messages, l.Bytes = 50*time.Millisecond, notify.NoLimit, notify.NoLimit
	})
	s.live.PutJSON("prod", shop)
	silent, dribbling := s.connect(t, 0), s.connect(t, 0)
	defer silent.Close()
	defer dribbling.Close()
	go func() { // empty fragments are no message, however many come; nor are pings
		_, err := dribbling.NetConn().Write([]byte{0x01, 0x80, 0, 0, 0, 0})
		for err == nil {
			_, err = dribbling.NetConn().Write([]byte{0x00, 0x80, 0, 0, 0, 0, 0x89, 0x80, 0, 0, 0, 0})
		}
	}()
	for _, p := range []*peer{silent, dribbling} {
		if m := p.expect(wire.TypeError); m.Code != "noHello" {
			t.Errorf("%+v", m)
		}
		p.closed(wire.CloseNoHello)
		_ = p.Close()
	}
	s.wait(t, "their end", func() bool { return s.sessions == 0 && s.ended["noHello"] == 2 })
}

func TestSilence(t *testing.T) {
	s := serve(t, func(l *notify.Limits) { l.Silence = 50 * time.Millisecond })
	s.live.PutJSON("prod", shop)
	p := s.follow(t, "prod")
	if m := p.expect(wire.TypeError); m.Code != "silent" {
		t.Errorf("%+v", m)
	}
	p.closed(wire.CloseSilent)
	_ = p.Close()
	s.wait(t, "its end", func() bool { return s.sessions == 0 && s.ended["silent"] == 1 })
}

func TestPings(t *testing.T) {
	s := serve(t, func(l *notify.Limits) { l.Ping = 100 * time.Millisecond })
	s.live.PutJSON("prod", shop)
	for range 10 {
		p := s.follow(t, "prod", "search.**")
		for range 2 {
			p.expect(wire.TypePing) // of the cursor the client has, which the peer sees to
			p.send(wire.Client{Type: wire.TypeAck, Cursor: p.cursor})
		}
	}
	s.wait(t, "the answers", func() bool { return s.answered[wire.TypeAck] >= 20 })
}

// A ping's turn must not be the same for all.
func TestTurnsAreSpread(t *testing.T) {
	turns := notify.Turns()
	for step, n := range turns {
		if n < 10 || n > 11 {
			t.Errorf("%d of 256 in step %d", n, step)
		}
	}
}

func TestAcksAreCounted(t *testing.T) {
	s := serve(t, nil)
	s.live.PutJSON("prod", shop)
	p := s.follow(t, "prod")
	p.send(wire.Client{Type: wire.TypeAck, Cursor: p.cursor})
	p.send(wire.Client{Type: wire.TypeNack, Cursor: p.cursor, Reason: "no"})
	s.wait(t, "both", func() bool { return s.answered["ack"] == 1 && s.answered["nack"] == 1 })
}

// storm connects and goes away at every stage, many times at once.
func storm(t *testing.T, s *server, rounds int) {
	t.Helper()
	var clients sync.WaitGroup
	for worker := range 8 {
		clients.Go(func() {
			for round := range rounds {
				switch (worker + round) % 4 {
				case 0:
					if c, err := net.Dial("tcp", s.Listener.Addr().String()); err == nil {
						_ = c.Close()
					}
				case 1:
					if ws, _, err := dialer(0).Dial(s.endpoint(), nil); err == nil {
						_ = ws.Close()
					}
				default:
					ws, _, err := dialer(0).Dial(s.endpoint(), nil)
					if err != nil {
						continue
					}
					_ = ws.WriteMessage(websocket.TextMessage, []byte(greeting))
					if round%2 == 0 {
						_, _, _ = ws.ReadMessage()
					}
					_ = ws.Close()
				}
			}
		})
	}
	clients.Wait()
}

func TestConnectAndCloseStorm(t *testing.T) {
	s := serve(t, nil)
	s.live.PutJSON("prod", shop)
	stop := make(chan struct{})
	var putting sync.WaitGroup
	putting.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				s.live.PutJSON("prod", large(n))
			}
		}
	})
	storm(t, s, 50)
	close(stop)
	putting.Wait()
	s.wait(t, "the end of all", func() bool { return s.sessions == 0 && s.opened >= 8*50*3/4 })
	if n := s.hub.Views(); n != 0 {
		t.Errorf("%d views are left", n)
	}
	if got := sorted(s.ended); len(got) != 0 {
		t.Errorf("ended %v, while the clients went away by themselves", got)
	}
	s.live.PutJSON("prod", shop)
	s.follow(t, "prod").has(shop)
}

func TestDrain(t *testing.T) {
	for _, secure := range []bool{false, true} {
		live := notifytest.NewLive()
		live.PutJSON("prod", large(0))
		s := open(live, secure, func(l *notify.Limits) { l.Write = 10 * time.Minute })
		stuck := slow(t, s, 3)
		healthy := s.hello(t, wire.Client{Env: "prod"})
		defer healthy.Close()
		healthy.expect(wire.TypeSnapshot)
		publish(t, s, healthy)
		mute := s.connect(t, 0) // has not said hello
		defer mute.Close()
		s.cancel()
		for _, p := range []*peer{healthy, mute} {
			if m := p.expect(wire.TypeGoaway); m.RetryAfterMs < 500 || m.RetryAfterMs >= 5500 {
				t.Errorf("%+v", m)
			}
			p.closed(wire.CloseRestart)
			_ = p.Close()
		}
		s.wait(t, "the end of all", func() bool { return s.sessions == 0 })
		if n := s.ended["restart"]; n != 5 {
			t.Errorf("restart was counted %d times for 5 sessions: %v", n, sorted(s.ended))
		}
		s.turnsAway(t, "serverStops")
		s.stop(t)
		for _, p := range stuck {
			_ = p.Close()
		}
	}
}

// Sessions that are just opening or being written to when the server stops end like all others.
func TestDrainDuringAStorm(t *testing.T) {
	for range 20 {
		live := notifytest.NewLive()
		live.PutJSON("prod", shop)
		s := open(live, false, func(l *notify.Limits) { l.Linger = 100 * time.Millisecond })
		var storming sync.WaitGroup
		storming.Go(func() { storm(t, s, 10) })
		for n := range 5 {
			live.PutJSON("prod", large(n))
		}
		s.wait(t, "some sessions", func() bool { return s.opened > 10 })
		s.cancel()
		s.wait(t, "the end of all", func() bool { return s.sessions == 0 })
		storming.Wait()
		s.stop(t)
	}
}
