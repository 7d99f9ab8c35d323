package notify_test

import (
	"testing"

	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/notify"
)

func TestUpdate(t *testing.T) {
	s := serve(t, nil)
	v := s.live.PutJSON("prod", shop)
	p := s.follow(t, "prod", "search.**")
	first := p.cursor
	for _, c := range []struct {
		name     string
		m        wire.Client
		kind     string
		has      string
		patterns int // views in use
	}{
		{"other patterns", wire.Client{Patterns: []string{"checkout.ui"}}, wire.TypeSnapshot, `{"checkout":{"ui":{"color":"red"}}}`, 1},
		{"the same patterns", wire.Client{Patterns: []string{"checkout.ui", "checkout.ui"}}, wire.TypeCurrent, `{"checkout":{"ui":{"color":"red"}}}`, 1},
		{"the context", wire.Client{Context: []byte(`{"targetingKey":"u2"}`)}, wire.TypeCurrent, `{"checkout":{"ui":{"color":"red"}}}`, 1},
		{"nothing", wire.Client{}, wire.TypeCurrent, `{"checkout":{"ui":{"color":"red"}}}`, 1},
		{"everything", wire.Client{Patterns: []string{}}, wire.TypeSnapshot, shop, 1},
		{"back again", wire.Client{Patterns: []string{"search.**"}}, wire.TypeSnapshot, `{"search":{"limit":10}}`, 1},
	} {
		c.m.Type = wire.TypeUpdate
		p.send(c.m)
		m := p.expect(c.kind)
		p.has(c.has)
		if m.Commit != v.ID || c.kind == wire.TypeSnapshot && m.Reason != wire.ReasonUpdate || s.hub.Views() != c.patterns {
			t.Errorf("%s: %+v, %d views", c.name, m, s.hub.Views())
		}
	}
	if p.cursor != first {
		t.Errorf("%s became %s", first, p.cursor)
	}
	s.live.PutJSON("prod", `{"search":{"limit":11}}`)
	p.expect(wire.TypeDelta)
	p.has(`{"search":{"limit":11}}`)
	s.wait(t, "their count", func() bool { return s.answered[wire.TypeUpdate] == 6 })
}

func TestUpdateThatIsRefused(t *testing.T) {
	s := serve(t, func(l *notify.Limits) { l.Views, l.Updates.Burst = 2, 2 })
	s.live.PutJSON("prod", shop)
	s.follow(t, "prod", "checkout.**")
	for _, c := range []struct {
		updates [][]string
		close   int
		code    string
	}{
		{[][]string{{"a..b"}}, wire.CloseBadMessage, "badPattern"},
		{[][]string{{"checkout.**"}, {"search"}, {"a"}}, wire.CloseFlood, "tooManyUpdates"},
	} {
		p := s.follow(t, "prod", "search.**")
		for _, patterns := range c.updates {
			p.send(wire.Client{Type: wire.TypeUpdate, Patterns: patterns})
		}
		m := p.next()
		for m.Type == wire.TypeSnapshot {
			m = p.next()
		}
		if m.Code != c.code {
			t.Errorf("%+v, want %s", m, c.code)
		}
		p.closed(c.close)
		_ = p.Close()
		s.wait(t, "its end", func() bool { return s.sessions == 1 && s.hub.Views() == 1 })
	}
	p, q := s.follow(t, "prod", "search.**"), s.follow(t, "prod", "search.**")
	p.send(wire.Client{Type: wire.TypeUpdate, Patterns: []string{"a"}})
	if m := p.expect(wire.TypeError); m.Code != "tooManyViews" {
		t.Errorf("%+v", m)
	}
	p.closed(wire.CloseTooMany)
	_ = p.Close()
	s.wait(t, "its end", func() bool { return s.sessions == 2 })
	q.send(wire.Client{Type: wire.TypeUpdate, Patterns: []string{"checkout.**"}}) // a view that there is
	q.expect(wire.TypeSnapshot)
	if n := s.hub.Views(); n != 1 {
		t.Errorf("%d views", n)
	}
}

// An update while a message is on its way to a full socket is answered after it.
func TestUpdateOfASlowClient(t *testing.T) {
	s := serve(t, nil)
	s.live.PutJSON("prod", large(0))
	p := slow(t, s, 1)[0]
	healthy := s.follow(t, "prod")
	publish(t, s, healthy)
	p.send(wire.Client{Type: wire.TypeUpdate, Patterns: []string{"n"}})
	s.wait(t, "the update", func() bool { return s.answered[wire.TypeUpdate] == 1 })
	s.live.PutJSON("prod", large(versions+1))
	healthy.expect(wire.TypeDelta)
	for {
		if m := p.next(); m.Type == wire.TypeSnapshot && m.Reason == wire.ReasonUpdate {
			break
		}
	}
	for number(p) != versions+1 {
		p.next()
	}
	if object := p.tree.(map[string]any); len(object) != 1 {
		t.Errorf("it has %d members", len(object))
	}
}

// An environment that goes away meets an update as it meets a hello.
func TestUpdateOfAnEnvironmentThatGoes(t *testing.T) {
	s := serve(t, nil)
	s.live.PutJSON("prod", shop)
	p := s.follow(t, "prod")
	s.live.Remove("prod")
	_ = p.WriteMessage(1, wire.Encode(wire.Client{Type: wire.TypeUpdate, Patterns: []string{"a"}}))
	if m := p.expect(wire.TypeError); m.Code != "unknownEnvironment" {
		t.Errorf("%+v", m)
	}
	p.closed(wire.CloseUnknownEnvironment)
}
