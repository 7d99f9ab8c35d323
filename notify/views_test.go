package notify_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/notify"
	"github.com/trunkline/trunkline/notify/notifytest"
	"github.com/trunkline/trunkline/value"
)

// early is a Live of which one read alone shows what is put live next, before the Hub is told: as a session sees it that joins just then.
type early struct {
	*notifytest.Live
	next atomic.Pointer[apply.Version]
}

func (e *early) Get(env string) *apply.Version {
	if v := e.next.Swap(nil); v != nil {
		return v
	}
	return e.Live.Get(env)
}

func (e *early) Changed() <-chan struct{} { return nil }

// running is a Hub on a Live of the test's own.
func running(t *testing.T, live notify.Live) *server {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	s := openOn(live, false, func(l *notify.Limits) { l.Ping = time.Hour }) // which would bring what was missed, too
	t.Cleanup(func() { s.stop(t) })
	return s
}

// A session that joins brings its view ahead of the Hub. Then the others of the view have what it has, too.
func TestAJoinAheadOfTheHub(t *testing.T) {
	live := &early{Live: notifytest.NewLive()}
	live.PutJSON("prod", `{"a":1}`)
	s := running(t, live)
	p := s.follow(t, "prod", "a")
	live.PutJSON("prod", `{"a":2}`)
	s.follow(t, "prod", "a").has(`{"a":2}`)
	p.expect(wire.TypeDelta)
	p.has(`{"a":2}`)
}

// A version that the Hub never sees, because the next takes it back, leaves no view behind that a session had brought to it.
func TestAJoinAtAVersionThatTheHubMisses(t *testing.T) {
	live := &early{Live: notifytest.NewLive()}
	const content = `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1}`
	between := live.PutJSON("prod", `{"a":2,"b":2,"c":2,"d":2,"e":2,"f":2}`)
	live.PutJSON("prod", content)
	s := running(t, live)
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		s.follow(t, "prod", name, "none")
	}
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		live.next.Store(between)
		p := s.follow(t, "prod", name)
		p.has(fmt.Sprintf(`{%q:2}`, name))
		p.expect(wire.TypeDelta)
		p.has(fmt.Sprintf(`{%q:1}`, name))
	}
}

// What is public changes with the manifest, whether a value does or not.
func TestWhatIsPublicChanges(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	live := notifytest.NewLive()
	list := func(texts ...string) {
		public, err := value.ParsePatterns(texts)
		if err != nil {
			t.Fatal(err)
		}
		live.Manifest = &compile.Manifest{Public: public}
		live.PutJSON("prod", `{"a":1,"b":1,"c":1}`)
	}
	list("a", "b", "c")
	r := newReplica(t, live)
	defer r.stop()
	var peers []*peer
	for _, name := range []string{"a", "b", "c"} {
		ws, _, err := dialer(0).Dial("ws"+strings.TrimPrefix(r.URL, "http"), http.Header{"Grant": {`{"environments":["*"],"public":true}`}})
		if err != nil {
			t.Fatal(err)
		}
		p := &peer{Conn: ws, t: t}
		defer p.Close()
		p.send(wire.Client{Type: wire.TypeHello, Env: "prod", Patterns: []string{name}})
		p.expect(wire.TypeSnapshot)
		peers = append(peers, p)
	}
	list("none")
	for _, p := range peers {
		p.expect(wire.TypeDelta)
		p.has(`{}`)
	}
	list("**")
	for _, p := range peers {
		p.expect(wire.TypeDelta)
		if len(p.tree.(map[string]any)) != 1 {
			t.Errorf("%v", p.tree)
		}
	}
}

// Views that no version touches do not keep the tree they were made from for ever.
func TestUntouchedViewsComeAlong(t *testing.T) {
	live := notifytest.NewLive()
	hub := notify.New(notify.Options{Live: live})
	live.PutJSON("prod", `{"a":1}`)
	for n := range 100 {
		hub.Look("prod", fmt.Sprintf("x%d", n))
	}
	hub.Advance()
	for n := range 70 {
		live.PutJSON("prod", fmt.Sprintf(`{"a":%d}`, n+2))
		hub.Advance()
	}
	if n := hub.Behind("prod", 65); n > 0 {
		t.Errorf("%d views stand at a version that was live 65 versions ago", n)
	}
}

// BenchmarkOneLine is what a change of one value takes with many views of different patterns: of which one looks at it, or all.
func BenchmarkOneLine(b *testing.B) {
	for _, views := range []int{100, 10_000} {
		for _, who := range []string{"one", "all"} {
			b.Run(fmt.Sprintf("views=%d/touched=%s", views, who), func(b *testing.B) { oneLine(b, views, who == "all") })
		}
	}
}

func oneLine(b *testing.B, views int, all bool) {
	live := notifytest.NewLive()
	hub := notify.New(notify.Options{Live: live})
	service := func(n, timeout int) *value.Value {
		v, err := value.ParseJSON([]byte(fmt.Sprintf(`{"timeout":%d,"hosts":["a","b"],"limits":{"cpu":%d,"memory":"512Mi"}}`, timeout, n)))
		if err != nil {
			b.Fatal(err)
		}
		return v
	}
	entries := []value.Entry{{Key: "common", Value: service(0, 0)}}
	for n := range views {
		entries = append(entries, value.Entry{Key: fmt.Sprintf("service%d", n), Value: service(n, 1)})
	}
	tree := value.NewMap(entries, value.Place{})
	live.Put("prod", tree)
	for n := range views {
		hub.Look("prod", fmt.Sprintf("service%d.**", n), "common.**")
	}
	hub.Advance()
	at, want := value.Path{"service7", "timeout"}, 1
	if all {
		at, want = value.Path{"common", "timeout"}, views
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		tree, _ = tree.Set(at, value.NewInt(int64(n+10), value.Place{}))
		live.Put("prod", tree)
		b.StartTimer()
		if got := hub.Advance(); got != want {
			b.Fatalf("%d views changed", got)
		}
	}
}
