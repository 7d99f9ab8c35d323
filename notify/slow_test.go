package notify_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/notify"
)

const versions = 300

// slow are clients that say hello and read nothing.
func slow(t *testing.T, s *server, n int) []*peer {
	t.Helper()
	peers := make([]*peer, n)
	for i := range peers {
		peers[i] = s.connect(t, 128<<10)
		peers[i].send(wire.Client{Type: wire.TypeHello, Env: "prod"})
		t.Cleanup(func() { _ = peers[i].Close() })
	}
	s.wait(t, "their snapshots", func() bool { return s.delivered[wire.TypeSnapshot] >= n })
	return peers
}

// publish puts versions live, each when the healthy client has the one before.
func publish(t *testing.T, s *server, healthy *peer) {
	t.Helper()
	for n := 1; n <= versions; n++ {
		s.live.PutJSON("prod", large(n))
		healthy.expect(wire.TypeDelta)
		if number(healthy) != n {
			t.Fatalf("version %d came as %d", n, number(healthy))
		}
	}
}

func testSlow(t *testing.T, secure bool) {
	s := serveAs(t, secure, func(l *notify.Limits) { l.Write = 10 * time.Minute })
	s.live.PutJSON("prod", large(0))
	stuck := slow(t, s, 8)
	healthy := s.follow(t, "prod")
	publish(t, s, healthy)
	for _, p := range stuck[:4] {
		for number(p) != versions {
			p.next()
		}
		p.has(large(versions))
		if p.frames > versions/3 {
			t.Errorf("it took %d frames", p.frames)
		}
	}
	s.live.PutJSON("prod", `{"n":1000}`)
	for _, p := range stuck[:4] {
		p.expect(wire.TypeDelta)
		p.has(`{"n":1000}`)
	}
}

func TestSlowClientsDelayNobody(t *testing.T) { testSlow(t, false) }

func TestSlowClientsOverTLSDelayNobody(t *testing.T) { testSlow(t, true) }

// What a full socket holds up is the newest state alone, whoever else has moved on and back.
func TestSlowClientSkipsAChangeAndItsRevert(t *testing.T) {
	s := serve(t, nil)
	s.live.PutJSON("prod", large(0))
	p := slow(t, s, 1)[0]
	healthy := s.follow(t, "prod")
	publish(t, s, healthy)
	for n := range 50 {
		s.live.PutJSON("prod", large(1_000_000+n%2))
		healthy.expect(wire.TypeDelta)
	}
	for number(p) != 1_000_001 {
		p.next() // fails on a delta that changes nothing
	}
}

func TestPingingClientThatReadsNothingBlocksNobody(t *testing.T) {
	// Where the system itself stops taking the pings, because nothing is read on the way back, the full socket ends the session.
	s := serve(t, func(l *notify.Limits) { l.Write, l.Messages, l.Bytes = time.Second, notify.NoLimit, notify.NoLimit })
	s.live.PutJSON("prod", large(0))
	p := slow(t, s, 1)[0]
	healthy := s.follow(t, "prod")
	cut := make(chan struct{})
	go func() {
		defer close(cut)
		payload := make([]byte, 125)
		for p.WriteControl(websocket.PingMessage, payload, time.Now().Add(generous)) == nil {
		}
	}()
	publish(t, s, healthy)
	s.wait(t, "its end", func() bool { return s.sessions == 1 && s.ended["slow"] == 1 })
	_ = p.Close() // its own system may not let it know
	<-cut
}

func TestClientThatReadsNothingIsCutOff(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%t", secure), func(t *testing.T) {
			s := serveAs(t, secure, func(l *notify.Limits) { l.Write = 100 * time.Millisecond })
			s.live.PutJSON("prod", large(0))
			slow(t, s, 3)
			healthy := s.follow(t, "prod")
			publish(t, s, healthy)
			s.wait(t, "their end", func() bool { return s.sessions == 1 && s.ended["slow"] == 3 })
		})
	}
}

// A large message to a client that reads at its leisure is no reason to cut it off, even while it pings.
func TestPingsBesideALargeTail(t *testing.T) {
	s := serve(t, nil)
	s.live.PutJSON("prod", large(0))
	p := slow(t, s, 1)[0]
	healthy := s.follow(t, "prod")
	publish(t, s, healthy)
	for range 100 {
		if err := p.WriteControl(websocket.PingMessage, []byte("still here"), time.Now().Add(generous)); err != nil {
			t.Fatal(err)
		}
	}
	pongs := 0
	p.SetPongHandler(func(string) error { pongs++; return nil })
	for number(p) != versions {
		p.next()
	}
	s.live.PutJSON("prod", `{"n":1000}`) // comes after all pongs
	for number(p) != 1000 {
		p.next()
	}
	if pongs != 100 {
		t.Errorf("%d pongs of 100", pongs)
	}
}

func TestTLS(t *testing.T) {
	s := serveAs(t, true, nil)
	s.live.PutJSON("prod", shop)
	p := s.follow(t, "prod", "search.**")
	s.live.PutJSON("prod", `{"search":{"limit":11}}`)
	p.expect(wire.TypeDelta)
	p.has(`{"search":{"limit":11}}`)
}
