package local_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/client/local"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/document"
)

// generous is a deadline that only a fault exceeds.
const generous = 20 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func leakless(t *testing.T) {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
}

// noon is a time at which the ramp of shop is at 50 %.
var noon = time.Date(2026, 12, 2, 12, 0, 0, 0, time.UTC)

// shop are the definitions of a shop.
var shop = map[string]string{
	"rollouts/ranking": `environments: [prod]
salt: rank
set: {search.ranking: new}
rules:
  - {name: staff, when: segment("staff")}
  - {name: eu, when: 'context.country in ["DE", "FR"]', ramp: {start: 2026-12-01T09:00:00Z, steps: [{after: 0h, percentage: 5%}, {after: 24h, percentage: 50%}]}}
`,
	"rollouts/limits": "environments: [prod]\nset: {limits: {perHour: 500, burst: 5s}}\nrules: [{name: pro, when: context.plan == \"pro\"}, {name: old, when: context.age > 60}]\n",
	"rollouts/halted": "environments: [prod]\nset: {search.depth: 9}\nrules: [{name: all}]\n",
	"experiments/button": `environments: [prod]
status: running
layer: checkout
salt: button
phase: 2
traffic: 100%
variants: {control: {weight: 50%}, green: {weight: 50%, set: {checkout.color: green, '["a.b"].c': 2}}}
force: {qa: green}
plan: {unitsTotal: 10, minimumEffect: {relative: 1%}}
`,
	"layers/checkout": "salt: lay\nunit: accountId\nfallback: targetingKey\n",
	"segments/staff":  "when: context.email.endsWith(\"@example.com\")\n",
}

const configured = `{"search":{"ranking":"old","depth":3,"on":true},"limits":{"perHour":100,"burst":"1s"},"checkout":{"color":"blue","ratio":0.5,"dsn":{"$redacted":true,"fp":"ab"}},"a.b":{"c":1}}`

func parsed(t testing.TB, text string) *value.Value {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// setOf reads files by their paths.
func setOf(t testing.TB, files map[string]string, stopped ...string) *experiment.Set {
	t.Helper()
	read := map[string]map[string]*value.Value{"rollouts": {}, "experiments": {}, "layers": {}, "segments": {}}
	for path, text := range files {
		v, problems := document.Decode(&value.File{Path: path}, document.YAML, []byte(text), document.Limits{})
		if v == nil {
			t.Fatalf("%s: %v", path, problems)
		}
		folder, key, _ := strings.Cut(path, "/")
		read[folder][key] = v
	}
	d, problems := experiment.Parse(experiment.Files{Rollouts: read["rollouts"], Experiments: read["experiments"], Layers: read["layers"], Segments: read["segments"]})
	for _, p := range problems {
		t.Fatal(p)
	}
	return d.In("prod", experiment.Options{Stopped: func(_ experiment.Kind, key string) bool { return strings.Join(stopped, " ") == key }})
}

// resolver is one version in process.
func resolver(t testing.TB, set *experiment.Set, values string, held time.Time) *local.Resolver {
	t.Helper()
	imported, _, err := experiment.Import(set.Export(nil))
	if err != nil {
		t.Fatal(err)
	}
	return local.NewResolver(&client.State{Values: parsed(t, values), Commit: "1"}, imported, held)
}

// holding is a source of one version.
func holding(t testing.TB, r *local.Resolver) *local.Source {
	t.Helper()
	s := local.NewSource(func() (time.Time, bool) { return time.Time{}, false })
	s.Put(r)
	return s
}

func who(t testing.TB, attributes string) experiment.Context {
	t.Helper()
	c, err := experiment.ParseContext(parsed(t, attributes))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// stream is a server that says what a test tells it to, to one client at a time.
type stream struct {
	url   string
	lines chan string
	heard chan wire.Client
}

func newStream(t testing.TB) *stream {
	t.Helper()
	s := &stream{lines: make(chan string, 100), heard: make(chan wire.Client, 1000)}
	up := websocket.Upgrader{Subprotocols: []string{wire.Subprotocol}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			s.hear(ws)
		}()
		for {
			select {
			case line := <-s.lines:
				_ = ws.WriteMessage(websocket.TextMessage, []byte(line))
			case <-gone:
				return
			}
		}
	}))
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

func (s *stream) hear(ws *websocket.Conn) {
	for {
		_, data, err := ws.ReadMessage()
		if err != nil {
			return
		}
		if m, err := wire.ParseClient(data); err == nil {
			s.heard <- *m
		}
	}
}

func (s *stream) define(cursor, definitions string) {
	s.lines <- fmt.Sprintf(`{"type":"definitions","cursor":%q,"definitions":%s}`, cursor, definitions)
}

func (s *stream) snapshot(cursor, values string) {
	s.lines <- fmt.Sprintf(`{"type":"snapshot","cursor":%q,"commit":"4be2","reason":"hello","values":%s}`, cursor, values)
}

func (s *stream) delta(from, to, patch string) {
	s.lines <- fmt.Sprintf(`{"type":"delta","from":%q,"to":%q,"commit":"77ad","cause":"commit","patch":%s}`, from, to, patch)
}

// said is the next ack or nack.
func (s *stream) said(t testing.TB) wire.Client {
	t.Helper()
	for {
		select {
		case m := <-s.heard:
			if m.Type == wire.TypeAck || m.Type == wire.TypeNack {
				return m
			}
		case <-time.After(generous):
			t.Fatal("the client says nothing")
		}
	}
}

// exported is what a server sends of definitions, standing still at noon.
func exported(t testing.TB, set *experiment.Set) string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(set.Export(nil).AppendJSON(nil), &members); err != nil {
		t.Fatal(err)
	}
	members["held"] = json.RawMessage(`"2026-12-02T12:00:00Z"`)
	data, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func dial(t testing.TB, s *stream, change func(*local.Options)) *local.Client {
	t.Helper()
	o := local.Options{Options: client.Options{URL: s.url, Env: "prod"}}
	if change != nil {
		change(&o)
	}
	c, err := local.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
