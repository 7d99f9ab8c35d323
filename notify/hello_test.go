package notify_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/notify"
)

const shop = `{"checkout":{"timeout":20,"ui":{"color":"red"}},"search":{"limit":10}}`

func TestSnapshot(t *testing.T) {
	s := serve(t, nil)
	v := s.live.PutJSON("prod", shop)
	s.live.PutJSON("staging", `{}`)
	for _, c := range []struct {
		name     string
		patterns []string
		want     string
	}{
		{"everything", nil, shop},
		{"everything by name", []string{"search.*", "**"}, shop},
		{"a part", []string{"checkout.**"}, `{"checkout":{"timeout":20,"ui":{"color":"red"}}}`},
		{"two parts", []string{"search", "checkout.timeout"}, `{"checkout":{"timeout":20},"search":{"limit":10}}`},
		{"nothing", []string{"nothing.**"}, `{}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := s.hello(t, wire.Client{Env: "prod", Patterns: c.patterns})
			defer p.Close()
			m := p.expect(wire.TypeSnapshot)
			p.has(c.want)
			if m.Reason != wire.ReasonHello || m.Commit != v.ID || m.Cursor == "" || m.Author != "Ada" || m.Subject != "change" {
				t.Errorf("%+v", m)
			}
		})
	}
}

func TestEnvironments(t *testing.T) {
	s := serve(t, nil)
	if p := s.hello(t, wire.Client{}); p.expect(wire.TypeError).Code != "notReady" {
		t.Error("another refusal")
	} else {
		p.closed(wire.CloseNotReady)
		_ = p.Close()
	}
	s.live.PutJSON("prod", `{"a":1}`)
	p := s.hello(t, wire.Client{})
	p.expect(wire.TypeSnapshot)
	p.has(`{"a":1}`)
	_ = p.Close()
	s.live.PutJSON("staging", `{"a":2}`)
	for env, code := range map[string]string{"": "noEnvironment", "nope": "unknownEnvironment"} {
		p := s.hello(t, wire.Client{Env: env})
		if m := p.expect(wire.TypeError); m.Code != code || !strings.Contains(m.Hint, "prod, staging") {
			t.Errorf("%q: %+v", env, m)
		}
		p.closed(wire.CloseUnknownEnvironment)
		_ = p.Close()
	}
}

func TestPatternsInAnyOrderShareAView(t *testing.T) {
	s := serve(t, nil)
	s.live.PutJSON("prod", shop)
	a := s.follow(t, "prod", "search.**", "checkout.ui")
	b := s.follow(t, "prod", "checkout.ui", "search.**", "checkout.ui")
	if a.cursor != b.cursor || s.hub.Views() != 1 {
		t.Errorf("%s and %s in %d views", a.cursor, b.cursor, s.hub.Views())
	}
	c := s.follow(t, "prod", "search.**")
	if c.cursor == a.cursor || s.hub.Views() != 2 {
		t.Errorf("another view with the same cursor, or %d views", s.hub.Views())
	}
	_ = a.Close()
	_ = b.Close()
	_ = c.Close()
	s.wait(t, "the end of all sessions", func() bool { return s.sessions == 0 })
	if n := s.hub.Views(); n != 0 {
		t.Errorf("%d views are left", n)
	}
	s.live.PutJSON("prod", `{"search":{"limit":11}}`)
	s.follow(t, "prod", "search.**").has(`{"search":{"limit":11}}`)
}

// A view's name must depend on the environment, too.
func TestCursorsOfEnvironmentsDiffer(t *testing.T) {
	s := serve(t, nil)
	s.live.PutJSON("prod", shop)
	s.live.PutJSON("staging", shop)
	if s.follow(t, "prod").cursor == s.follow(t, "staging").cursor {
		t.Error("one cursor for two environments")
	}
}

func TestResume(t *testing.T) {
	s := serve(t, nil)
	s.live.PutJSON("prod", `{"a":1,"b":1}`)
	p := s.follow(t, "prod", "a")
	first := p.cursor
	again := func(cursor, kind string) (*peer, *wire.Server) {
		t.Helper()
		q := s.hello(t, wire.Client{Env: "prod", Patterns: []string{"a"}, Cursor: cursor})
		t.Cleanup(func() { _ = q.Close() })
		q.cursor, q.tree = cursor, map[string]any{"a": 1}
		return q, q.expect(kind)
	}
	if _, m := again(first, wire.TypeCurrent); m.Commit != s.live.Get("prod").ID {
		t.Errorf("%+v", m)
	}
	moved := s.live.PutJSON("prod", `{"a":1,"b":2}`)
	w := s.follow(t, "prod", "b") // its first frame shows that the Hub is at the new version or beyond
	w.has(`{"b":2}`)
	if _, m := again(first, wire.TypeCurrent); m.Commit != moved.ID {
		t.Errorf("only the commit moved: %+v", m)
	}
	if _, m := again("", wire.TypeSnapshot); m.Commit != moved.ID {
		t.Errorf("a snapshot of an older commit: %+v", m)
	}
	last := s.live.PutJSON("prod", `{"a":{"x":null},"b":2}`)
	p.expect(wire.TypeDelta)
	p.has(`{"a":{"x":null}}`)
	q, m := again(first, wire.TypeDelta)
	q.has(`{"a":{"x":null}}`)
	if m.Commit != last.ID || m.Cause != "commit" || q.cursor != p.cursor {
		t.Errorf("%+v", m)
	}
	for _, unknown := range []string{"nope", first + "x", w.cursor} {
		q, m := again(unknown, wire.TypeSnapshot)
		q.has(`{"a":{"x":null}}`)
		if m.Reason != wire.ReasonUnknownCursor {
			t.Errorf("%s: %+v", unknown, m)
		}
	}
	s.wait(t, "four sessions that were there and one that came back", func() bool { return s.delivered["delta"] == 5 })
	if len(s.late) != 4 {
		t.Errorf("delays were told of %d frames; a reconnection tells of none", len(s.late))
	}
}

// A view that was never looked at before is resumed from the versions before it.
func TestResumeFromAVersionBeforeTheView(t *testing.T) {
	s := serve(t, nil)
	s.live.PutJSON("prod", `{"a":1}`)
	watch := s.follow(t, "prod", "**")
	old := s.follow(t, "prod", "a")
	_ = old.Close()
	s.wait(t, "the end of one session", func() bool { return s.sessions == 1 })
	s.live.PutJSON("prod", `{"a":2}`)
	watch.expect(wire.TypeDelta)
	q := s.hello(t, wire.Client{Env: "prod", Patterns: []string{"a"}, Cursor: old.cursor})
	defer q.Close()
	q.cursor, q.tree = old.cursor, old.tree
	q.expect(wire.TypeDelta)
	q.has(`{"a":2}`)
}

// Content that came back has the cursor it had.
func TestResumeAfterARevert(t *testing.T) {
	s := serve(t, nil)
	s.live.PutJSON("prod", `{"a":1}`)
	p := s.follow(t, "prod")
	first := p.cursor
	s.live.PutJSON("prod", `{"a":2}`)
	p.expect(wire.TypeDelta)
	s.live.PutJSON("prod", `{"a":1}`)
	p.expect(wire.TypeDelta)
	if p.cursor != first {
		t.Errorf("%s became %s", first, p.cursor)
	}
	q := s.hello(t, wire.Client{Env: "prod", Cursor: first})
	defer q.Close()
	q.cursor = first
	q.expect(wire.TypeCurrent)
}

func TestAnotherServerGivesTheSameCursors(t *testing.T) {
	s := serve(t, nil)
	s.live.PutJSON("prod", shop)
	p := s.follow(t, "prod", "search.**")
	other := open(s.live, false, nil)
	defer other.stop(t)
	q := other.hello(t, wire.Client{Env: "prod", Patterns: []string{"search.**"}, Cursor: p.cursor})
	defer q.Close()
	q.cursor = p.cursor
	q.expect(wire.TypeCurrent)
}

func TestNoFrameWhenTheViewIsUnchanged(t *testing.T) {
	s := serve(t, nil)
	s.live.PutJSON("prod", `{"a":1,"b":0}`)
	a, b := s.follow(t, "prod", "a"), s.follow(t, "prod", "b")
	for n := range 5 {
		s.live.PutJSON("prod", `{"a":1,"b":`+string(rune('1'+n))+`}`)
		b.expect(wire.TypeDelta)
	}
	s.live.PutJSON("prod", `{"a":2,"b":5}`)
	a.next()
	a.has(`{"a":2}`)
	if a.frames != 2 {
		t.Errorf("%d frames", a.frames)
	}
}

func TestFramesAreShared(t *testing.T) {
	s := serve(t, nil)
	s.live.PutJSON("prod", shop)
	p := s.follow(t, "prod", "search")
	first := p.cursor
	s.live.PutJSON("prod", `{"search":{"limit":12}}`)
	p.expect(wire.TypeDelta)
	for _, cursor := range []string{"", "unknown", first} {
		if s.hub.First("prod", []string{"search"}, cursor) != s.hub.First("prod", []string{"search"}, cursor) {
			t.Errorf("encoded twice for the cursor %q", cursor)
		}
	}
}

func TestLimits(t *testing.T) {
	s := serve(t, func(l *notify.Limits) { l.Sessions, l.Views = 3, 2 })
	s.live.PutJSON("prod", shop)
	s.follow(t, "prod", "a")
	b := s.follow(t, "prod", "b")
	p := s.hello(t, wire.Client{Env: "prod", Patterns: []string{"c"}})
	if m := p.expect(wire.TypeError); m.Code != "tooManyViews" {
		t.Errorf("%+v", m)
	}
	p.closed(wire.CloseTooMany)
	_ = p.Close()
	s.wait(t, "room", func() bool { return s.sessions == 2 })
	s.follow(t, "prod", "b")
	s.turnsAway(t, "tooManySessionsServer")
	_ = b.Close()
	s.wait(t, "room", func() bool { return s.sessions == 2 })
	s.follow(t, "prod", "a")
}

func TestNotOurUpgrade(t *testing.T) {
	s := serve(t, nil)
	upgrade := http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
	}
	if got := get(t, s.URL, http.Header{}); got.StatusCode != http.StatusUpgradeRequired || got.Header.Get("Upgrade") != "websocket" {
		t.Errorf("plain HTTP: %s", got.Status)
	}
	if got := get(t, s.URL, upgrade); got.StatusCode != http.StatusBadRequest {
		t.Errorf("no subprotocol: %s", got.Status)
	}
	other := upgrade.Clone()
	other.Set("Sec-Websocket-Protocol", "graphql-ws")
	if got := get(t, s.URL, other); got.StatusCode != http.StatusBadRequest {
		t.Errorf("another subprotocol: %s", got.Status)
	}
	old := upgrade.Clone()
	old.Set("Sec-Websocket-Protocol", wire.Subprotocol)
	old.Set("Sec-Websocket-Version", "8")
	if got := get(t, s.URL, old); got.StatusCode != http.StatusBadRequest {
		t.Errorf("an old version: %s", got.Status)
	}
	s.wait(t, "no session", func() bool { return s.sessions == 0 })
}

func TestRetired(t *testing.T) {
	s := serve(t, nil)
	s.live.PutJSON("prod", shop)
	s.live.PutJSON("old", shop)
	stays := s.follow(t, "prod")
	var gone []*peer
	for range 5 {
		gone = append(gone, s.follow(t, "old"))
	}
	s.live.Remove("old")
	s.live.PutJSON("prod", `{}`) // looks again while they end
	stays.expect(wire.TypeDelta)
	for _, p := range gone {
		if m := p.expect(wire.TypeError); m.Code != "unknownEnvironment" || !strings.Contains(m.Message, "old") {
			t.Errorf("%+v", m)
		}
		p.closed(wire.CloseUnknownEnvironment)
		_ = p.Close()
	}
	s.wait(t, "the end of sessions", func() bool { return s.sessions == 1 && s.ended["unknownEnvironment"] == 5 })
	if p := s.hello(t, wire.Client{Env: "old"}); p.expect(wire.TypeError).Code != "unknownEnvironment" {
		t.Error("another refusal")
	}
	s.live.PutJSON("old", `{"back":true}`)
	s.follow(t, "old").has(`{"back":true}`)
}
