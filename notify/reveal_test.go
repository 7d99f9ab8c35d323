package notify_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/notify"
	"github.com/trunkline/trunkline/notify/notifytest"
	"github.com/trunkline/trunkline/value"
)

// recording is a Hub that tells what it reveals and what it refuses.
type recording struct {
	*httptest.Server
	t        *testing.T
	live     *notifytest.Live
	told     chan string
	peers    []*peer
	refusals []access.Refusal
	stop     func()
}

// records serves callers with the grant that a header says.
func records(t *testing.T, secure bool) *recording {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	r := &recording{t: t, live: notifytest.NewLive(), told: make(chan string, 1000)}
	guard := access.NewGuard(access.GuardOptions{Report: func(list []access.Refusal) { r.refusals = append(r.refusals, list...) }})
	hub := notify.New(notify.Options{Live: r.live, Guard: guard, Observe: notify.Observer{
		Revealed: func(who *access.Identity, env, patterns string) { r.told <- who.String() + " " + env + " " + patterns },
	}})
	r.Server = httptest.NewUnstartedServer(granting(t, hub))
	r.Listener = notify.Listen(r.Listener)
	if secure {
		r.StartTLS()
	} else {
		r.Start()
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- hub.Run(ctx) }()
	go func() { done <- guard.Run(ctx) }()
	r.stop = func() { cancel(); <-done; <-done; r.Close() }
	return r
}

// put puts values live, of which what stands at secret is sensitive.
func (r *recording) put(text string) {
	r.t.Helper()
	v, err := value.ParseJSON([]byte(text))
	if err != nil {
		r.t.Fatal(err)
	}
	marks, err := value.ParsePatterns([]string{"secret.**"})
	if err != nil {
		r.t.Fatal(err)
	}
	r.live.PutRedacted("prod", v, value.NewRedactor(value.Key("test"), value.Delivered).Redact(v, marks))
}

func (r *recording) enter(grant string, m wire.Client) *peer {
	r.t.Helper()
	ws, _, err := dialer(0).Dial("ws"+strings.TrimPrefix(r.URL, "http"), http.Header{"Grant": {grant}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = ws.Close() })
	p := &peer{Conn: ws, t: r.t}
	r.peers = append(r.peers, p)
	m.Type, m.Env = wire.TypeHello, "prod"
	p.send(m)
	return p
}

// tells wants the next to be told, or that nothing is where the text is empty: then whatever is told too much is found by the next call.
func (r *recording) tells(want string) {
	r.t.Helper()
	if want == "" {
		return
	}
	select {
	case got := <-r.told:
		if got != "token: prod "+want {
			r.t.Errorf("told %q, want %q", got, want)
		}
	case <-time.After(generous):
		r.t.Fatalf("never told of %s", want)
	}
}

// end stops the hub; nothing more may have been told.
func (r *recording) end() {
	r.t.Helper()
	for _, p := range r.peers {
		_ = p.Close()
	}
	r.stop()
	close(r.told)
	for got := range r.told {
		r.t.Errorf("told %q, though nothing was shown", got)
	}
}

const revealer = `{"environments":["*"],"patterns":["**"],"rights":["reveal","define"]}`

// What is sensitive is on record whichever message shows it first, and what shows nothing new of it is not.
func TestRevealedValuesAreOnRecordHoweverTheyCome(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("secure ", secure), func(t *testing.T) {
			r := records(t, secure)
			defer r.end()
			r.put(`{"ui":{"a":1}}`)
			p := r.enter(revealer, wire.Client{Patterns: []string{"**"}})
			p.expect(wire.TypeSnapshot)
			plain := r.enter(`{"environments":["*"],"patterns":["**"]}`, wire.Client{})
			plain.expect(wire.TypeSnapshot)
			large := strings.Repeat("x", wire.MaxWhole)
			for _, step := range []struct{ put, kind, tells string }{
				{`{"ui":{"a":1},"secret":{"b":1}}`, wire.TypeDelta, "**"},
				{`{"ui":{"a":2},"secret":{"b":1}}`, wire.TypeDelta, ""},
				{`{"ui":{"a":2},"secret":{"b":2}}`, wire.TypeDelta, "**"},
				{`{"ui":{"a":"` + large + `"},"secret":{"b":2}}`, wire.TypeSnapshot, "**"}, // which shows all again
				{`{"ui":{"a":2}}`, wire.TypeDelta, ""},
				{`{"ui":{"a":2},"secret":3}`, wire.TypeDelta, "**"},
				{`{"ui":{"a":2},"secret":{"c":{"d":[1]}}}`, wire.TypeDelta, "**"},
			} {
				r.put(step.put)
				p.expect(step.kind)
				plain.next()
				r.tells(step.tells)
			}
			cursor := p.cursor
			_ = p.Close()
			p = r.enter(revealer, wire.Client{Cursor: cursor})
			p.cursor = cursor
			p.expect(wire.TypeCurrent)
			p.send(wire.Client{Type: wire.TypeUpdate, Patterns: []string{"ui.**"}})
			p.expect(wire.TypeSnapshot)
			p.send(wire.Client{Type: wire.TypeUpdate, Patterns: []string{"secret.c.*"}})
			p.expect(wire.TypeSnapshot)
			r.tells("secret.c.*")
			r.enter(`{"environments":["*"],"patterns":["secret.**"],"rights":["reveal"]}`, wire.Client{}).expect(wire.TypeSnapshot)
			r.tells("secret.**")
			r.put(`{"ui":{"a":2},"secret":{"c":{"d":[2]}}}`)
			p.expect(wire.TypeDelta)
			plain.expect(wire.TypeDelta)
			got := []string{<-r.told, <-r.told}
			if !strings.Contains(strings.Join(got, ","), "secret.c.*") || !strings.Contains(strings.Join(got, ","), "secret.**") {
				t.Errorf("told %q", got)
			}
			back := r.enter(revealer, wire.Client{Cursor: cursor})
			back.cursor, back.tree = cursor, decode(t, []byte(`{"ui":{"a":2},"secret":{"c":{"d":[1]}}}`))
			back.next()
			r.tells("**")
		})
	}
}

// What an arm sets counts for those alone who have it, and for whoever decides by itself.
func TestRevealedArmsAreOnRecord(t *testing.T) {
	r := records(t, false)
	defer r.end()
	const values = `{"secret":{"on":0,"n":0},"open":%d}`
	put := func(open int, files map[string]string) {
		r.live.Definitions = definitions(t, files)
		r.put(fmt.Sprintf(values, open))
	}
	arms := func(share string) map[string]string {
		return map[string]string{"experiments/e": trial("l", "secret.on", "100%"), "rollouts/r": rollout("open", `"percentage":"`+share+`"`), "layers/l": layer}
	}
	put(1, arms("10%"))
	r.enter(revealer, wire.Client{Patterns: []string{"open"}}).expect(wire.TypeSnapshot) // of which nothing is sensitive
	on := r.enter(revealer, wire.Client{Patterns: []string{"secret.on"}, Context: []byte(`{"targetingKey":"qa-control"}`)})
	on.expect(wire.TypeSnapshot)
	on.expect(wire.TypeAssignments)
	r.tells("secret.on")
	on.send(wire.Client{Type: wire.TypeUpdate, Context: []byte(`{"targetingKey":"qa-on"}`)})
	on.expect(wire.TypeDelta)
	r.tells("secret.on")
	_ = on.Close()

	local := r.enter(revealer, wire.Client{Evaluate: wire.EvaluateLocal, Patterns: []string{"open", "secret.on"}})
	local.next()
	local.expect(wire.TypeSnapshot)
	r.tells("open secret.on")
	put(2, arms("10%")) // values alone
	local.expect(wire.TypeDelta)
	put(2, arms("20%")) // definitions, which are sent whole
	local.next()
	local.expect(wire.TypeDelta)
	r.tells("open secret.on")
	put(2, map[string]string{"rollouts/r": rollout("open", `"percentage":"20%"`)})
	local.next()
	local.expect(wire.TypeDelta)
	put(2, map[string]string{"rollouts/r": rollout("open", `"percentage":"30%"`)})
	local.next()
	local.expect(wire.TypeDelta)
}

// Who asks for what it has no right to is counted as refused, by its name and where it is.
func TestForbiddenSessionsAreOnRecord(t *testing.T) {
	for _, secure := range []bool{false, true} {
		r := records(t, secure)
		r.put(`{"a":1}`)
		p := r.enter(`{"environments":["*"],"patterns":["**"],"rights":["history","reveal"]}`, wire.Client{Evaluate: wire.EvaluateLocal})
		p.expect(wire.TypeError)
		p.closed(wire.CloseForbidden)
		_ = p.Close()
		r.end()
		if len(r.refusals) != 1 || r.refusals[0].Reason != "forbidden" || r.refusals[0].Identity != "token:" || r.refusals[0].Network.String() != "127.0.0.0/24" {
			t.Errorf("%+v", r.refusals)
		}
	}
}
