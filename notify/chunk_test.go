package notify_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/notify"
)

// sized are values whose JSON text has so many bytes, in characters of one, two, three or four.
func sized(bytes int, character string) string {
	const around = len(`{"a":""}`)
	n := (bytes - around) / len(character)
	return `{"a":"` + strings.Repeat(character, n) + strings.Repeat("x", bytes-around-n*len(character)) + `"}`
}

func TestLargeValuesComeInChunks(t *testing.T) {
	s := serve(t, nil)
	for _, c := range []struct {
		text   string
		chunks bool
	}{
		{sized(wire.MaxWhole, "a"), false},
		{sized(wire.MaxWhole+1, "a"), true},
		{sized(wire.MaxWhole+1, "é"), true},
		{sized(wire.MaxWhole+2, "\u20ac"), true},
		{sized(1<<20, "🙂"), true},
		{sized(1<<20, `\"`), true},
		{sized(2<<20, `a`), true},
	} {
		s.live.PutJSON("prod", c.text)
		for _, deflate := range []bool{false, true} {
			p := s.connectAs(t, deflate)
			p.send(wire.Client{Type: wire.TypeHello})
			m := p.expect(wire.TypeSnapshot)
			p.has(c.text)
			if (m.Chunks > 0) != c.chunks || m.Chunks > len(c.text)/(60<<10)+1 {
				t.Errorf("%d bytes come in %d chunks", len(c.text), m.Chunks)
			}
			_ = p.Close()
		}
	}
}

// A client that reads slowly is sent each chunk when the one before is gone, and the newest state after the last.
func TestChunksToASlowClient(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%t", secure), func(t *testing.T) {
			s := serveAs(t, secure, nil)
			s.live.PutJSON("prod", sized(4<<20, "a"))
			p := s.connect(t, 32<<10)
			defer p.Close()
			p.send(wire.Client{Type: wire.TypeHello})
			head := p.message()
			healthy := s.follow(t, "prod")
			for n := range 20 {
				s.live.PutJSON("prod", fmt.Sprintf(`{"a":%d}`, n))
				healthy.expect(wire.TypeDelta)
			}
			total := 0
			for n := range head.Chunks {
				m := p.message()
				if m.Type != wire.TypeChunk || m.Index != n {
					t.Fatalf("%s %d in the place of chunk %d", m.Type, m.Index, n)
				}
				total += len(m.Data)
			}
			if total != 4<<20 {
				t.Errorf("%d bytes", total)
			}
			p.tree, p.cursor = map[string]any{"a": ""}, head.Cursor
			p.expect(wire.TypeDelta)
			p.has(`{"a":19}`)
		})
	}
}

// What ends a session comes between chunks, too.
func TestDrainBetweenChunks(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%t", secure), func(t *testing.T) { drainBetweenChunks(t, secure) })
	}
}

func drainBetweenChunks(t *testing.T, secure bool) {
	s := serveAs(t, secure, func(l *notify.Limits) { l.Linger = generous })
	s.live.PutJSON("prod", sized(4<<20, "a"))
	p := s.connect(t, 32<<10)
	p.send(wire.Client{Type: wire.TypeHello})
	head := p.message()
	s.cancel()
	n := 0
	m := p.message()
	for ; m.Type == wire.TypeChunk; m = p.message() {
		n++
	}
	if m.Type != wire.TypeGoaway || n >= head.Chunks/2 {
		t.Errorf("%s after %d of %d chunks", m.Type, n, head.Chunks)
	}
	p.closed(wire.CloseRestart)
	_ = p.Close()
}

// In the place of a patch that is too large comes everything, and says so.
func TestLargeChange(t *testing.T) {
	s := serve(t, nil)
	s.live.PutJSON("prod", `{"b":1}`)
	p, q := s.follow(t, "prod"), s.follow(t, "prod")
	first := p.cursor
	text := strings.Replace(sized(wire.MaxWhole, "a"), "{", `{"b":1,`, 1)
	s.live.PutJSON("prod", text)
	for _, peer := range []*peer{p, q} {
		if m := peer.expect(wire.TypeSnapshot); m.Reason != wire.ReasonLargeChange || m.Chunks == 0 {
			t.Errorf("%s in %d chunks", m.Reason, m.Chunks)
		}
		peer.has(text)
	}
	back := s.hello(t, wire.Client{Env: "prod", Cursor: first})
	defer back.Close()
	if m := back.expect(wire.TypeSnapshot); m.Reason != wire.ReasonLargeChange {
		t.Errorf("%+v", m.Reason)
	}
	s.live.PutJSON("prod", `{"b":1}`)
	for _, peer := range []*peer{p, q, back} {
		peer.expect(wire.TypeDelta)
		peer.has(`{"b":1}`)
	}
	s.wait(t, "the delays of all but who came back", func() bool { return len(s.late) == 5 })
}
