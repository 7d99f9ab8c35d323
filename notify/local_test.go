package notify_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/notify/notifytest"
	"github.com/trunkline/trunkline/value"
)

// local is a client that decides by itself, with a grant of its own.
func (r *replica) local(t *testing.T, grant string, m wire.Client) *peer {
	t.Helper()
	ws, _, err := dialer(0).Dial("ws"+strings.TrimPrefix(r.URL, "http"), http.Header{"Grant": {grant}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.Close() })
	p := &peer{Conn: ws, t: t}
	m.Type, m.Evaluate = wire.TypeHello, wire.EvaluateLocal
	p.send(m)
	return p
}

// replicated is a Live behind a Hub that takes grants from a header.
func replicated(t *testing.T) (*notifytest.Live, *replica) {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	live := notifytest.NewLive()
	r := newReplica(t, live)
	t.Cleanup(r.stop)
	return live, r
}

const definer = `{"environments":["*"],"patterns":["**"],"rights":["define"]}`

// defines wants the definitions that a client has by now.
func (p *peer) defines(want *value.Value) {
	p.t.Helper()
	if got := text(p.t, p.definitions); got != text(p.t, decode(p.t, want.AppendJSON(nil))) {
		p.t.Fatalf("has the definitions %s, want %s", got, want.AppendJSON(nil))
	}
}

func TestDefinitions(t *testing.T) {
	live, r := replicated(t)
	put := func(values string, files map[string]string) *value.Value {
		live.Definitions = definitions(t, files)
		return live.PutJSON("prod", values).Snapshot.Overrides.Export(nil)
	}
	first := put(`{"a":false,"b":1}`, map[string]string{"rollouts/r": rollout("a", `"percentage":"20%"`)})
	p := r.local(t, definer, wire.Client{Env: "prod", Context: []byte(`{"targetingKey":"u1"}`)})
	p.message() // the definitions, which the snapshot makes count
	_ = p.Close()
	p = r.local(t, definer, wire.Client{Env: "prod"})
	p.next()
	if p.coming == nil {
		t.Fatal("the snapshot comes before its definitions")
	}
	p.expect(wire.TypeSnapshot)
	p.has(`{"a":false,"b":1}`)
	p.defines(first)

	// Definitions alone, and values alone, and both.
	second := put(`{"a":false,"b":1}`, map[string]string{"rollouts/r": rollout("a", `"percentage":"100%"`)})
	p.next()
	if m := p.expect(wire.TypeDelta); string(m.Patch) != "[]" {
		t.Errorf("%s", m.Patch)
	}
	p.defines(second)
	live.PutJSON("prod", `{"a":false,"b":2}`)
	p.expect(wire.TypeDelta)
	p.has(`{"a":false,"b":2}`)
	third := put(`{"a":false,"b":3}`, nil)
	p.next()
	p.expect(wire.TypeDelta)
	p.has(`{"a":false,"b":3}`)
	p.defines(third)
	if text(t, p.definitions) != "{}" {
		t.Errorf("%v", p.definitions)
	}

	// A stop and a pin are of the definitions.
	put(`{"a":false,"b":3}`, map[string]string{"rollouts/r": rollout("a", `"percentage":"100%"`)})
	p.next()
	p.expect(wire.TypeDelta)
	live.Again("prod", func(v *apply.Version) {
		v.Snapshot = v.Snapshot.With(experiment.Options{Stopped: func(experiment.Kind, string) bool { return true }})
		v.Cause = apply.CauseStop
	})
	p.next()
	if m := p.expect(wire.TypeDelta); m.Cause != "stop" || len(p.definitions["stopped"].([]any)) != 1 {
		t.Errorf("%+v %v", m, p.definitions)
	}
	live.Again("prod", func(v *apply.Version) { v.Held, v.Cause = nine, apply.CausePin })
	p.next()
	if m := p.expect(wire.TypeDelta); m.Cause != "pin" || p.definitions["held"] != "2026-12-01T09:00:00Z" {
		t.Errorf("%+v %v", m, p.definitions)
	}

	// Whoever comes back is told them again, though it has what is live.
	back := r.local(t, definer, wire.Client{Env: "prod", Cursor: p.cursor})
	back.cursor = p.cursor
	back.next()
	back.expect(wire.TypeCurrent)
	if text(t, back.definitions) != text(t, p.definitions) {
		t.Errorf("%v, and %v", back.definitions, p.definitions)
	}
}

func TestDefinitionsNeedTheRight(t *testing.T) {
	live, r := replicated(t)
	live.PutJSON("prod", `{"a":1}`)
	p := r.local(t, `{"environments":["*"],"patterns":["**"],"rights":["history","reveal"]}`, wire.Client{Env: "prod"})
	if m := p.expect(wire.TypeError); m.Code != "forbidden" {
		t.Errorf("%+v", m)
	}
	p.closed(wire.CloseForbidden)
}

// Definitions are large when whole files of forced units are.
func TestLargeDefinitionsComeInChunks(t *testing.T) {
	live, r := replicated(t)
	files, values := map[string]string{}, []string{}
	for n := range 10 {
		var units []string
		for i := range experiment.MaxForced {
			units = append(units, fmt.Sprintf(`"a-long-name-of-a-unit-%d-%d":true`, n, i))
		}
		files[fmt.Sprintf("rollouts/r%d", n)] = strings.TrimSuffix(rollout(fmt.Sprintf("a%d", n), `"percentage":"20%"`), "}") + `,"force":{` + strings.Join(units, ",") + "}}"
		values = append(values, fmt.Sprintf(`"a%d":false`, n))
	}
	live.Definitions = definitions(t, files)
	v := live.PutJSON("prod", "{"+strings.Join(values, ",")+"}")
	p := r.local(t, definer, wire.Client{Env: "prod"})
	if m := p.next(); m.Type != wire.TypeDefinitions || m.Chunks < 2 {
		t.Fatalf("%s in %d chunks", m.Type, m.Chunks)
	}
	p.expect(wire.TypeSnapshot)
	p.defines(v.Snapshot.Overrides.Export(nil))
}

// Whoever may not see what is set does not learn of what sets it: by no message, and by none that comes at all.
func TestHiddenDefinitions(t *testing.T) {
	live, r := replicated(t)
	const canary = "canary"
	files := func(percentage string) map[string]string {
		hidden := strings.ReplaceAll(trial("canary-layer", "hidden.x", percentage), `"on"`, `"canary-arm"`)
		return map[string]string{
			"experiments/canary-e": hidden, "layers/canary-layer": layer, "rollouts/canary-r": rollout("hidden.y", `"percentage":"`+percentage+`"`),
			"rollouts/seen": rollout("open", `"percentage":"50%"`), "segments/canary-s": `{"when":"context.x == 1"}`,
		}
	}
	put := func(n int, percentage string) {
		live.Definitions = definitions(t, files(percentage))
		live.PutJSON("prod", fmt.Sprintf(`{"hidden":{"x":false,"y":false,"canary":%d},"open":false,"n":%d}`, n, n/10))
	}
	put(0, "10%")
	const grant = `{"environments":["*"],"patterns":["open","n"],"rights":["define","history"]}`
	peers := []*peer{r.local(t, grant, wire.Client{Env: "prod"}), r.local(t, definer, wire.Client{Env: "prod", Patterns: []string{"n", "open"}})}
	for _, unit := range []string{"qa-on", "u1", "u2"} {
		ws, _, err := dialer(0).Dial("ws"+strings.TrimPrefix(r.URL, "http"), http.Header{"Grant": {grant}})
		if err != nil {
			t.Fatal(err)
		}
		defer ws.Close()
		p := &peer{Conn: ws, t: t}
		p.send(wire.Client{Type: wire.TypeHello, Env: "prod", Context: []byte(fmt.Sprintf(`{"targetingKey":%q}`, unit))})
		peers = append(peers, p)
	}
	read := func(p *peer, kinds ...string) {
		t.Helper()
		for _, kind := range kinds {
			_ = p.SetReadDeadline(time.Now().Add(generous))
			_, data, err := p.ReadMessage()
			if err != nil || strings.Contains(string(data), canary) || !strings.HasPrefix(string(data), `{"type":"`+kind) {
				t.Fatalf("%v: %s in the place of %s", err, data, kind)
			}
		}
	}
	for i, p := range peers {
		if i < 2 {
			read(p, wire.TypeDefinitions)
		}
		read(p, wire.TypeSnapshot)
	}
	for n := range 9 {
		put(n+1, fmt.Sprintf("%d%%", 20+n))
	}
	put(10, "99%")
	for _, p := range peers {
		read(p, wire.TypeDelta) // of n, and nothing before it
	}
}
