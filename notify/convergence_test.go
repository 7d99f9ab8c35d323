package notify_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/notify"
)

func fresh(l *notify.Limits) { l.TellAgain = 0 }

// converges waits until an environment's clients have followed as far as is wanted.
func (s *server) converges(t *testing.T, env, want string) notify.Convergence {
	t.Helper()
	got := ""
	var of notify.Convergence
	for late := time.Now().Add(generous); time.Now().Before(late); runtime.Gosched() {
		for _, c := range s.hub.Convergence() {
			if c.Environment == env {
				of, got = c, told(c)
			}
		}
		if got == want {
			return of
		}
	}
	t.Fatalf("%s is told as\n%s, want\n%s", env, got, want)
	return of
}

// told writes a convergence in short: commits by their first four digits.
func told(c notify.Convergence) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%.4s: %d of %d, %d pending, %d rejected", c.Live, c.Current, c.Sessions, c.Pending, c.Rejected)
	for _, v := range c.Versions {
		fmt.Fprintf(&b, "; %.4s %d %d %d", v.Commit, v.Sessions, v.Pending, v.Rejected)
	}
	return b.String()
}

func TestConvergence(t *testing.T) {
	s := serve(t, fresh)
	one := s.live.PutJSON("prod", `{"a":1,"b":1}`).ID[:4]
	s.live.PutJSON("staging", `{}`)
	hello := func(name, version string, patterns ...string) *peer {
		p := s.hello(t, wire.Client{Env: "prod", Patterns: patterns, Client: wire.Name{Name: name, Version: version}})
		t.Cleanup(func() { _ = p.Close() })
		p.expect(wire.TypeSnapshot)
		return p
	}
	ack := func(p *peer) { p.send(wire.Client{Type: wire.TypeAck, Cursor: p.cursor}) }
	a, b, c := hello("web", "1", "a"), hello("web", "1", "a"), hello("job\x1b[31m\u202e", "2", "b")
	s.converges(t, "prod", one+": 0 of 3, 3 pending, 0 rejected; "+one+" 0 3 0")
	ack(a)
	ack(c)
	s.converges(t, "prod", one+": 2 of 3, 1 pending, 0 rejected; "+one+" 2 1 0")
	ack(b)

	// A version that leaves a session's values alone is one that it has.
	two := s.live.PutJSON("prod", `{"a":2,"b":1}`).ID[:4]
	a.expect(wire.TypeDelta)
	b.expect(wire.TypeDelta)
	s.converges(t, "prod", two+": 1 of 3, 2 pending, 0 rejected; "+two+" 1 2 0; "+one+" 2 0 0")
	ack(a)
	b.send(wire.Client{Type: wire.TypeNack, Cursor: b.cursor, Reason: "too\x07 small"})
	was := s.converges(t, "prod", two+": 2 of 3, 0 pending, 1 rejected; "+two+" 2 0 1; "+one+" 1 0 0")
	if diff := cmp.Diff([]notify.ClientSessions{{Name: "web", Version: "1", Sessions: 2, Current: 1, Rejected: 1}, {Name: "job[31m", Version: "2", Sessions: 1, Current: 1}}, was.Clients); diff != "" {
		t.Error(diff)
	}
	if len(was.Rejections) != 1 || was.Rejections[0].Reason != "too small" || was.Rejections[0].Client != "web" || was.Rejections[0].Commit[:4] != two {
		t.Errorf("%+v", was.Rejections)
	}

	// Whoever could not use a version may use the next, and answers late are understood.
	three := s.live.PutJSON("prod", `{"a":3,"b":3}`).ID[:4]
	for _, p := range []*peer{a, b, c} {
		p.expect(wire.TypeDelta)
	}
	s.converges(t, "prod", three+": 0 of 3, 3 pending, 0 rejected; "+three+" 0 3 0; "+two+" 2 0 0; "+one+" 1 0 0")
	before := b.cursor
	four := s.live.PutJSON("prod", `{"a":4,"b":3}`).ID[:4]
	a.expect(wire.TypeDelta)
	b.expect(wire.TypeDelta)
	b.send(wire.Client{Type: wire.TypeAck, Cursor: before})
	s.converges(t, "prod", four+": 0 of 3, 3 pending, 0 rejected; "+four+" 0 3 0; "+three+" 1 0 0; "+two+" 2 0 0")
	for _, p := range []*peer{a, b, c} {
		ack(p)
	}
	s.converges(t, "prod", four+": 3 of 3, 0 pending, 0 rejected; "+four+" 3 0 0")
	_ = a.Close()
	_ = b.Close()
	s.converges(t, "prod", four+": 1 of 1, 0 pending, 0 rejected; "+four+" 1 0 0")
	s.live.Remove("staging")
	if got := s.hub.Convergence(); len(got) != 1 || len(got[0].Clients) != 1 {
		t.Errorf("%+v", got)
	}
}

// Callers choose their names and reasons: what is told of them is bounded, and says what it leaves out.
func TestConvergenceIsBounded(t *testing.T) {
	s := serve(t, fresh)
	s.live.PutJSON("prod", `{"a":0}`)
	const more = 10
	var peers []*peer
	for n := range notify.MaxClientsTold + more {
		p := s.hello(t, wire.Client{Client: wire.Name{Name: fmt.Sprint("client", n)}})
		t.Cleanup(func() { _ = p.Close() })
		p.expect(wire.TypeSnapshot)
		for range 3 {
			p.send(wire.Client{Type: wire.TypeNack, Cursor: p.cursor, Reason: strings.Repeat("x", wire.MaxReasonLength)})
		}
		peers = append(peers, p)
	}
	s.wait(t, "their answers", func() bool { return s.answered[wire.TypeNack] == 3*len(peers) })
	c := s.hub.Convergence()[0]
	if len(c.Clients) != notify.MaxClientsTold || c.OtherClients != more || len(c.Rejections) != notify.MaxRejectionsTold || c.Rejected != len(peers) {
		t.Errorf("%d clients and %d, %d rejections, %d rejected", len(c.Clients), c.OtherClients, len(c.Rejections), c.Rejected)
	}
	for n, p := range peers {
		s.live.PutJSON("prod", fmt.Sprintf(`{"a":%d}`, n+1))
		for number := -1; number != n+1; {
			p.next()
			_, _ = fmt.Sscanf(text(t, p.tree), `{"a":%d}`, &number)
		}
		p.send(wire.Client{Type: wire.TypeAck, Cursor: p.cursor})
	}
	s.wait(t, "their answers", func() bool { return s.answered[wire.TypeAck] == len(peers) })
	c = s.hub.Convergence()[0]
	sessions := c.OtherVersions
	for _, v := range c.Versions {
		sessions += v.Sessions + v.Pending + v.Rejected
	}
	if len(c.Versions) > notify.MaxVersionsTold || sessions < len(peers) || c.Versions[0].Commit != c.Live {
		t.Errorf("%d versions of %d sessions: %+v", len(c.Versions), sessions, c.Versions)
	}
}

func TestConvergenceIsRememberedForAMoment(t *testing.T) {
	s := serve(t, nil)
	s.live.PutJSON("prod", `{}`)
	if c := s.hub.Convergence(); len(c) != 1 || c[0].Sessions != 0 {
		t.Errorf("%+v", c)
	}
	s.follow(t, "prod")
	if c := s.hub.Convergence(); len(c) != 1 || c[0].Sessions != 0 {
		t.Errorf("looked at all again: %+v", c)
	}
}
