package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/notify"
	"github.com/trunkline/trunkline/notify/notifytest"
	"github.com/trunkline/trunkline/value"
)

// granting takes the grant of a caller from a header.
func granting(t tb, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var g access.Grant
		if err := json.Unmarshal([]byte(r.Header.Get("Grant")), &g); err != nil {
			t.Errorf("grant: %v", err)
		}
		next.ServeHTTP(w, r.WithContext(access.NewContext(r.Context(), &access.Identity{Kind: access.KindToken, Grant: g})))
	})
}

// Whoever shares frames with whom, each sees what both its grant and its patterns select of each version, and is sent nothing when
// that did not change.
func TestEachSeesItsGrantAlone(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	live := notifytest.NewLive()
	hub := notify.New(notify.Options{Live: live})
	srv := httptest.NewUnstartedServer(granting(t, hub))
	srv.Listener = notify.Listen(srv.Listener)
	srv.Start()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- hub.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done; srv.Close() })

	random := rand.New(rand.NewPCG(3, 3))
	content := func() string {
		n := func() int { return random.IntN(3) }
		return fmt.Sprintf(`{"a":{"x":%d,"y":{"x":%d,"z":%d}},"b":{"x":%d},"c":%d}`, n(), n(), n(), n(), n())
	}
	public, err := value.ParsePatterns([]string{"a.y", "c"})
	if err != nil {
		t.Fatal(err)
	}
	live.Manifest = &compile.Manifest{Public: public}
	put := func() *value.Value { return live.PutJSON("prod", content()).Snapshot.Values }
	now := put()

	type watching struct {
		*peer
		grant    access.Grant
		patterns []value.Pattern
		name     string
	}
	var all []*watching
	for _, text := range []string{
		`{"environments":["*"],"patterns":["**"],"rights":["history"]}`, `{"environments":["prod"],"patterns":["**"]}`,
		`{"environments":["prod"],"patterns":["a.**"]}`, `{"environments":["p*"],"patterns":["**.x"]}`,
		`{"environments":["prod"],"patterns":["a.y","c"]}`, `{"environments":["prod"],"public":true}`, `{"environments":["prod"],"rights":["publish"]}`,
	} {
		for _, patterns := range [][]string{nil, {"a.**"}, {"**.x", "c"}} {
			header := http.Header{"Grant": {text}}
			ws, _, err := dialer(0).Dial("ws"+strings.TrimPrefix(srv.URL, "http"), header)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = ws.Close() })
			w := &watching{peer: &peer{Conn: ws, t: t}, name: text + fmt.Sprint(patterns)}
			if err := json.Unmarshal([]byte(text), &w.grant); err != nil {
				t.Fatal(err)
			}
			if w.patterns, err = value.ParsePatterns(patterns); err != nil {
				t.Fatal(err)
			}
			w.send(wire.Client{Type: wire.TypeHello, Env: "prod", Patterns: patterns})
			first := w.expect(wire.TypeSnapshot)
			if told := first.Author != "" || first.Subject != ""; told != w.grant.May(access.History) {
				t.Errorf("%s: author %q", w.name, first.Author)
			}
			all = append(all, w)
		}
	}
	for range 30 {
		before := now
		now = put()
		for _, w := range all {
			scope := w.grant.Scope(public, w.patterns)
			want := scope.Select(now)
			if !value.Equal(scope.Select(before), want) {
				w.expect(wire.TypeDelta)
			}
			w.has(string(want.AppendJSON(nil)))
		}
	}
	for _, w := range all { // nobody was sent more
		_ = w.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		if _, data, err := w.ReadMessage(); err == nil {
			t.Errorf("%s is sent %s", w.name, data)
		}
	}
}

func TestAnEnvironmentThatIsNotGranted(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	live := notifytest.NewLive()
	live.PutJSON("prod", `{"a":1}`)
	live.PutJSON("hidden", `{"a":1}`)
	hub := notify.New(notify.Options{Live: live})
	srv := httptest.NewServer(granting(t, hub))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- hub.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done; srv.Close() })
	for env, want := range map[string]string{"hidden": "no such environment is served; name one of prod", "none": "no such environment is served; name one of prod", "": ""} {
		ws, _, err := dialer(0).Dial("ws"+strings.TrimPrefix(srv.URL, "http"), http.Header{"Grant": {`{"environments":["prod"],"patterns":["**"]}`}})
		if err != nil {
			t.Fatal(err)
		}
		defer ws.Close()
		p := &peer{Conn: ws, t: t}
		p.send(wire.Client{Type: wire.TypeHello, Env: env})
		m := p.next()
		if got := strings.TrimPrefix(m.Message+"; "+m.Hint, "; "); got != want {
			t.Errorf("%q is answered %q, want %q", env, got, want)
		}
	}
}

// Sessions whose views are the same by different ways, one by what it is granted and the other by what it asks for, stay apart when they
// ask for something else.
func TestAnUpdateStaysWithinItsOwnGrant(t *testing.T) {
	live, r := replicated(t)
	live.PutJSON("prod", `{"a":1,"b":2,"c":3}`)
	enter := func(grant string, patterns ...string) *peer {
		t.Helper()
		ws, _, err := dialer(0).Dial("ws"+strings.TrimPrefix(r.URL, "http"), http.Header{"Grant": {grant}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = ws.Close() })
		p := &peer{Conn: ws, t: t}
		p.send(wire.Client{Type: wire.TypeHello, Env: "prod", Patterns: patterns})
		p.expect(wire.TypeSnapshot)
		p.has(`{"a":1}`)
		return p
	}
	const whole, part = `{"environments":["prod"],"patterns":["**"]}`, `{"environments":["prod"],"patterns":["a"]}`
	first, second := enter(whole, "a"), enter(part)
	third := enter(whole, "a")
	second.send(wire.Client{Type: wire.TypeUpdate, Patterns: []string{"b"}})
	second.expect(wire.TypeSnapshot)
	second.has(`{}`)
	for _, p := range []*peer{first, third} {
		p.send(wire.Client{Type: wire.TypeUpdate, Patterns: []string{"b", "c"}})
		p.expect(wire.TypeSnapshot)
		p.has(`{"b":2,"c":3}`)
	}
}
