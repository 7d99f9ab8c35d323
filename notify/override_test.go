package notify_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/notify"
	"github.com/trunkline/trunkline/notify/notifytest"
	"github.com/trunkline/trunkline/value"
)

// nine is a time that the definitions of tests are about.
var nine = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

// clock is a time that the test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// definitions reads files, which are JSON here, by names like rollouts/a.
func definitions(t tb, files map[string]string) *experiment.Definitions {
	t.Helper()
	return (&repository{}).read(t, files)
}

// repository reads trees one after the other, and what did not change only once.
type repository struct {
	documents map[string]*value.Value // by name and text
	last      *experiment.Definitions
}

func (r *repository) document(t tb, name, text string) *value.Value {
	t.Helper()
	if r.documents == nil {
		r.documents = map[string]*value.Value{}
	}
	v := r.documents[name+text]
	if v == nil {
		var err error
		if v, err = value.ParseJSON([]byte(text)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r.documents[name+text] = v
	}
	return v
}

func (r *repository) read(t tb, files map[string]string) *experiment.Definitions {
	t.Helper()
	all := map[string]map[string]*value.Value{"rollouts": {}, "experiments": {}, "layers": {}, "segments": {}}
	for name, text := range files {
		kind, key, _ := strings.Cut(name, "/")
		all[kind][key] = r.document(t, name, text)
	}
	d, problems := experiment.ParseAgain(experiment.Files{
		Rollouts: all["rollouts"], Experiments: all["experiments"], Layers: all["layers"], Segments: all["segments"],
	}, r.last)
	r.last = d
	for _, p := range problems {
		if !p.Warning {
			t.Fatalf("%s", p)
		}
	}
	return d
}

// rollout is a file that sets a path to true for those of a rule.
func rollout(path, rule string) string {
	return fmt.Sprintf(`{"environments":["prod"],"salt":%q,"set":{%q:true},"rules":[{"name":"some",%s}]}`, saltOf(path), path, rule)
}

// saltOf is a salt like no other.
func saltOf(path string) string { return fmt.Sprintf("s%x", path) }

// trial is an experiment that has a part of all, half of them with a path set to true.
func trial(layer, path, traffic string) string {
	return fmt.Sprintf(`{"environments":["prod"],"status":"running","layer":%q,"salt":%q,"phase":1,"traffic":%q,"variants":{`+
		`"control":{"weight":"50%%"},"on":{"weight":"50%%","set":{%q:true}}},"force":{"qa-on":"on","qa-control":"control"},`+
		`"plan":{"unitsTotal":1000,"minimumEffect":{"relative":"10%%"},"alpha":0.05,"power":0.8,"minRuntime":"7d","onInconclusive":"rollback"}}`, layer, saltOf("trial "+path), traffic, path)
}

const layer = `{"unit":"targetingKey","salt":"cc33"}`

// choosing serves values with definitions, at nine.
func choosing(t *testing.T, values string, files map[string]string) (*server, *clock) {
	t.Helper()
	c := &clock{now: nine}
	s := serve(t, func(l *notify.Limits) { l.Clock, l.Ping, l.Updates = c.time, time.Hour, notify.Rate{} })
	s.live.Definitions = definitions(t, files)
	s.live.PutJSON("prod", values)
	return s, c
}

// as follows with a context.
func (s *server) as(t *testing.T, context string, patterns ...string) *peer {
	t.Helper()
	p := s.hello(t, wire.Client{Env: "prod", Context: []byte(context), Patterns: patterns})
	t.Cleanup(func() { _ = p.Close() })
	p.expect(wire.TypeSnapshot)
	return p
}

func TestValuesDependOnWhoAsks(t *testing.T) {
	s, _ := choosing(t, `{"a":{"x":false,"y":false},"b":1}`, map[string]string{
		"rollouts/staff": rollout("a.x", `"when":"context.plan == \"staff\""`), "experiments/e": trial("l", "a.y", "100%"), "layers/l": layer,
	})
	none := s.follow(t, "prod")
	none.has(`{"a":{"x":false,"y":false},"b":1}`)
	staff := s.as(t, `{"plan":"staff"}`)
	staff.has(`{"a":{"x":true,"y":false},"b":1}`)
	on := s.as(t, `{"targetingKey":"qa-on"}`)
	on.has(`{"a":{"x":false,"y":true},"b":1}`)
	if m := on.expect(wire.TypeAssignments); m.Assignments[0] != (wire.Assignment{Experiment: "e", Variant: "on", Phase: 1, Layer: "l", Forced: true}) {
		t.Errorf("%+v", m)
	}
	for n := 0; ; n++ { // who has the same by chance is analysed
		unit := fmt.Sprint("u", n)
		if experiment.Slot(saltOf("trial a.y"), unit) < 5000 {
			continue
		}
		if m := s.as(t, fmt.Sprintf(`{"targetingKey":%q}`, unit)).expect(wire.TypeAssignments); m.Assignments[0].Variant != "on" || m.Assignments[0].Forced {
			t.Errorf("%+v", m)
		}
		break
	}
	control := s.as(t, `{"targetingKey":"qa-control","plan":"staff"}`)
	control.has(`{"a":{"x":true,"y":false},"b":1}`)
	if control.expect(wire.TypeAssignments); control.cursor != staff.cursor {
		t.Errorf("the same values are %s and %s", control.cursor, staff.cursor)
	}
	s.as(t, `{"targetingKey":"qa-on","plan":"staff"}`, "b").has(`{"b":1}`)

	// A version reaches all, each with what is its own.
	s.live.PutJSON("prod", `{"a":{"x":false,"y":false},"b":2}`)
	for p, want := range map[*peer]string{
		none: `{"a":{"x":false,"y":false},"b":2}`, staff: `{"a":{"x":true,"y":false},"b":2}`, on: `{"a":{"x":false,"y":true},"b":2}`, control: `{"a":{"x":true,"y":false},"b":2}`,
	} {
		if m := p.expect(wire.TypeDelta); m.Cause != "commit" {
			t.Errorf("%+v", m)
		}
		p.has(want)
	}

	// Without definitions all see the same again, and assignments end.
	s.live.Definitions = nil
	s.live.PutJSON("prod", `{"a":{"x":false,"y":false},"b":2}`)
	staff.expect(wire.TypeDelta)
	on.expect(wire.TypeDelta)
	on.expect(wire.TypeAssignments)
	control.expect(wire.TypeDelta)
	control.expect(wire.TypeAssignments)
	for _, p := range []*peer{none, staff, on, control} {
		if p.has(`{"a":{"x":false,"y":false},"b":2}`); p.assignments != "" {
			t.Errorf("assignments %s", p.assignments)
		}
	}
}

// The list is told after a hello though nothing else is new, and alone where only it changes.
func TestAssignmentsAlone(t *testing.T) {
	s, _ := choosing(t, `{"a":false}`, map[string]string{"experiments/e": trial("l", "a", "100%"), "layers/l": layer})
	p := s.as(t, `{"targetingKey":"qa-control"}`)
	p.expect(wire.TypeAssignments)
	again := s.hello(t, wire.Client{Env: "prod", Context: []byte(`{"targetingKey":"qa-control"}`), Cursor: p.cursor})
	defer again.Close()
	again.cursor = p.cursor
	again.expect(wire.TypeCurrent)
	again.expect(wire.TypeAssignments)
	s.live.Definitions = definitions(t, map[string]string{
		"experiments/e": strings.Replace(trial("l", "a", "100%"), `"phase":1`, `"phase":2`, 1), "layers/l": layer,
	})
	s.live.PutJSON("prod", `{"a":false}`)
	for _, p := range []*peer{p, again} {
		if m := p.expect(wire.TypeAssignments); m.Assignments[0].Phase != 2 {
			t.Errorf("%+v", m)
		}
	}
}

func TestContextUpdates(t *testing.T) {
	s, _ := choosing(t, `{"a":false,"b":1}`, map[string]string{"rollouts/r": rollout("a", `"when":"context.plan == \"staff\""`)})
	p := s.as(t, `{"plan":"staff"}`)
	p.has(`{"a":true,"b":1}`)
	update := func(context, kind, want string) *wire.Server {
		t.Helper()
		p.send(wire.Client{Type: wire.TypeUpdate, Context: []byte(context)})
		m := p.expect(kind)
		p.has(want)
		return m
	}
	if m := update(`{"plan":"free"}`, wire.TypeDelta, `{"a":false,"b":1}`); m.Cause != "context" {
		t.Errorf("%+v", m)
	}
	update(`{"plan":"paid"}`, wire.TypeCurrent, `{"a":false,"b":1}`)
	update(`{}`, wire.TypeCurrent, `{"a":false,"b":1}`)
	update(`{"plan":"staff"}`, wire.TypeDelta, `{"a":true,"b":1}`)
	p.send(wire.Client{Type: wire.TypeUpdate, Patterns: []string{"a"}})
	p.expect(wire.TypeSnapshot)
	p.has(`{"a":true}`) // the context stays as it is
	p.send(wire.Client{Type: wire.TypeUpdate, Patterns: []string{"b"}, Context: []byte(`{"plan":"free"}`)})
	p.expect(wire.TypeSnapshot)
	p.has(`{"b":1}`)

	// A client that comes back as somebody else is brought from where it was.
	staff := s.as(t, `{"plan":"staff"}`)
	back := s.hello(t, wire.Client{Env: "prod", Context: []byte(`{"plan":"free"}`), Cursor: staff.cursor})
	defer back.Close()
	back.cursor, back.tree = staff.cursor, decode(t, []byte(`{"a":true,"b":1}`))
	back.expect(wire.TypeDelta)
	back.has(`{"a":false,"b":1}`)
}

func TestContextsThatAreRefused(t *testing.T) {
	s, _ := choosing(t, `{"a":false}`, map[string]string{"rollouts/r": rollout("a", `"when":"context.plan == \"staff\""`)})
	for context, says := range map[string]string{
		`{"a":{"b":{"c":{"d":{"e":{}}}}}}`:                        "deep",
		`{"n":123456789012345678901234567890}`:                    "64 bits",
		`{"l":[` + strings.Repeat("1,", 300) + `1]}`:              "more than 256",
		`{"a":{"b":{"c":{"d":{"e":{"f":"` + "x" + `"}}}}}}`:       "deep",
		`{"u":[` + strings.Repeat(`"\u0001",`, 2) + `[[[[1]]]]]}`: "deep",
	} {
		p := s.hello(t, wire.Client{Env: "prod", Context: []byte(context)})
		q := s.as(t, `{"plan":"staff"}`)
		q.send(wire.Client{Type: wire.TypeUpdate, Context: []byte(context)})
		for _, p := range []*peer{p, q} {
			if m := p.expect(wire.TypeError); m.Code != "badContext" || !strings.Contains(m.Message, says) {
				t.Errorf("%.60s: %+v", context, m)
			}
			p.closed(wire.CloseBadMessage)
			_ = p.Close()
		}
	}
}

// What a credential claims counts more than what the client says.
func TestClaims(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	live := notifytest.NewLive()
	live.Definitions = definitions(t, map[string]string{"rollouts/r": rollout("a", `"when":"context.plan == \"staff\" && context.targetingKey == \"u1\""`)})
	live.PutJSON("prod", `{"a":false}`)
	claims, err := value.ParseJSON([]byte(`{"plan":"staff"}`))
	if err != nil {
		t.Fatal(err)
	}
	who := &access.Identity{Kind: access.KindJWT, Grant: access.Whole(0), Claims: claims}
	hub := notify.New(notify.Options{Live: live})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hub.ServeHTTP(w, r.WithContext(access.NewContext(r.Context(), who)))
	}))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- hub.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done; srv.Close() })
	for context, want := range map[string]string{
		`{"targetingKey":"u1","plan":"free"}`: `{"a":true}`, `{"targetingKey":"u1"}`: `{"a":true}`, `{"targetingKey":"u2","plan":"staff"}`: `{"a":false}`, `null`: `{"a":false}`,
	} {
		ws, _, err := dialer(0).Dial("ws"+strings.TrimPrefix(srv.URL, "http"), nil)
		if err != nil {
			t.Fatal(err)
		}
		p := &peer{Conn: ws, t: t}
		p.send(wire.Client{Type: wire.TypeHello, Context: []byte(context)})
		p.expect(wire.TypeSnapshot)
		p.has(want)
		_ = p.Close()
	}
	live.Definitions = definitions(t, map[string]string{"rollouts/r": rollout("a", `"when":"context.plan == \"staff\""`)})
	live.PutJSON("prod", `{"a":false}`)
	ws, _, err := dialer(0).Dial("ws"+strings.TrimPrefix(srv.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	p := &peer{Conn: ws, t: t}
	p.send(wire.Client{Type: wire.TypeHello}) // who says nothing is known by the claims
	p.expect(wire.TypeSnapshot)
	p.has(`{"a":true}`)
}

const hourly = `"ramp":{"start":"2026-12-01T09:00:00Z","steps":[{"after":"1h","percentage":"50%"},{"after":"2h","percentage":"100%"}]}`

// Time alone brings values, to those whose values it changes.
func TestRamps(t *testing.T) {
	s, c := choosing(t, `{"a":false,"b":1}`, map[string]string{"rollouts/r": rollout("a", hourly)})
	early, late := "", ""
	for n := 0; early == "" || late == ""; n++ {
		if unit := fmt.Sprint("u", n); experiment.Slot(saltOf("a"), unit) < 5000 {
			early = unit
		} else {
			late = unit
		}
	}
	p, q, none := s.as(t, fmt.Sprintf(`{"targetingKey":%q}`, early)), s.as(t, fmt.Sprintf(`{"targetingKey":%q}`, late)), s.follow(t, "prod")
	blind := s.as(t, fmt.Sprintf(`{"targetingKey":%q}`, early), "b")
	at := func(now time.Time) { c.set(now); s.hub.Wake() }
	at(nine.Add(59 * time.Minute))
	at(nine.Add(time.Hour))
	if m := p.expect(wire.TypeDelta); m.Cause != "ramp" {
		t.Errorf("%+v", m)
	}
	p.has(`{"a":true,"b":1}`)
	at(nine.Add(2 * time.Hour))
	q.expect(wire.TypeDelta)
	q.has(`{"a":true,"b":1}`)
	none.expect(wire.TypeDelta)
	none.has(`{"a":true,"b":1}`)
	s.live.PutJSON("prod", `{"a":false,"b":2}`)
	for _, p := range []*peer{p, q, none, blind} { // and nobody was sent anything else
		if m := p.expect(wire.TypeDelta); m.Cause != "commit" {
			t.Errorf("%+v", m)
		}
	}
}

// A step that comes with a version is not missed by those who see nothing of the version.
func TestRampsComeWithVersions(t *testing.T) {
	s, c := choosing(t, `{"a":false,"b":1}`, map[string]string{"rollouts/r": rollout("a", hourly)})
	peers := s.narrow(t, "a")
	c.set(nine.Add(2 * time.Hour))
	s.live.PutJSON("prod", `{"a":false,"b":2}`)
	for _, p := range peers {
		p.expect(wire.TypeDelta)
		p.has(`{"a":true}`)
	}
}

// narrow are clients of views that see one path, each of its own: of few views the Hub looks at some without need.
func (s *server) narrow(t *testing.T, path string) (peers []*peer) {
	for n := range 6 {
		peers = append(peers, s.follow(t, "prod", path, fmt.Sprint("none", n)))
	}
	return peers
}

// The Hub wakes by itself when a step comes.
func TestRampsComeInTime(t *testing.T) {
	begun := time.Now()
	s := serve(t, func(l *notify.Limits) {
		l.Clock = func() time.Time { return nine.Add(2*time.Hour - 200*time.Millisecond).Add(time.Since(begun)) }
	})
	s.live.Definitions = definitions(t, map[string]string{"rollouts/r": rollout("a", hourly)})
	s.live.PutJSON("prod", `{"a":false}`)
	p := s.hello(t, wire.Client{Env: "prod"})
	defer p.Close()
	p.expect(wire.TypeSnapshot)
	for text(t, p.tree) != `{"a":true}` {
		p.next()
	}
}

// A pin holds time, and its end lets it go on.
func TestPinsHoldTime(t *testing.T) {
	s, c := choosing(t, `{"a":false}`, map[string]string{"rollouts/r": rollout("a", hourly)})
	peers := append(s.narrow(t, "a"), s.follow(t, "prod"))
	s.live.Again("prod", func(v *apply.Version) { v.Held, v.Cause = nine, apply.CausePin })
	c.set(nine.Add(3 * time.Hour))
	s.hub.Wake()
	pinned := s.follow(t, "prod")
	pinned.has(`{"a":false}`)
	peers = append(peers, pinned)
	s.live.Again("prod", func(v *apply.Version) { v.Held, v.Cause = time.Time{}, apply.CauseUnpin })
	for _, p := range peers {
		if m := p.expect(wire.TypeDelta); m.Cause != "unpin" {
			t.Errorf("%+v", m)
		}
		p.has(`{"a":true}`)
	}
	s.live.Again("prod", func(v *apply.Version) { v.Held, v.Cause = nine, apply.CausePin })
	for _, p := range peers {
		p.expect(wire.TypeDelta)
		p.has(`{"a":false}`)
	}
}

func TestStopAndResume(t *testing.T) {
	s, _ := choosing(t, `{"a":false,"b":1}`, map[string]string{"experiments/e": trial("l", "a", "100%"), "layers/l": layer})
	p := s.as(t, `{"targetingKey":"qa-on"}`)
	p.expect(wire.TypeAssignments)
	blind := s.as(t, `{"targetingKey":"qa-on"}`, "b")
	stop := func(stopped bool, cause apply.Cause) {
		s.live.Again("prod", func(v *apply.Version) {
			v.Snapshot = v.Snapshot.With(experiment.Options{Stopped: func(experiment.Kind, string) bool { return stopped }})
			v.Cause = cause
		})
		if m := p.expect(wire.TypeDelta); m.Cause != string(cause) {
			t.Errorf("%+v", m)
		}
		p.expect(wire.TypeAssignments)
	}
	stop(true, apply.CauseStop)
	if p.has(`{"a":false,"b":1}`); p.assignments != "" {
		t.Errorf("%s", p.assignments)
	}
	stop(false, apply.CauseResume)
	p.has(`{"a":true,"b":1}`)
	s.live.PutJSON("prod", `{"a":false,"b":2}`)
	blind.expect(wire.TypeDelta)
}

// A change that moves one client in a hundred is sent to that one, and to nobody else.
func TestOneInAHundred(t *testing.T) {
	const n = 400
	s, _ := choosing(t, `{"a":false,"b":1}`, map[string]string{"rollouts/r": rollout("a", `"percentage":"20%"`)})
	peers, moved := make([]*peer, n), map[int]bool{}
	for i := range peers {
		unit := fmt.Sprint("unit-", i)
		peers[i] = s.as(t, fmt.Sprintf(`{"targetingKey":%q}`, unit))
		if slot := experiment.Slot(saltOf("a"), unit); slot >= 2000 && slot < 2100 {
			moved[i] = true
		}
	}
	if len(moved) == 0 || len(moved) > n/25 {
		t.Fatalf("%d are moved", len(moved))
	}
	s.live.Definitions = definitions(t, map[string]string{"rollouts/r": rollout("a", `"percentage":"21%"`)})
	s.live.PutJSON("prod", `{"a":false,"b":1}`)
	for i := range moved {
		peers[i].expect(wire.TypeDelta)
		peers[i].has(`{"a":true,"b":1}`)
	}
	s.live.PutJSON("prod", `{"a":false,"b":2}`)
	for i, p := range peers {
		m := p.expect(wire.TypeDelta)
		if number := len(moved); !strings.Contains(string(m.Patch), `"/b"`) || strings.Contains(string(m.Patch), `"/a"`) {
			t.Errorf("%d of %d is sent %s", i, number, m.Patch)
		}
	}
	s.wait(t, "the count", func() bool { return s.delivered[wire.TypeDelta] >= n+len(moved) })
	if got := s.delivered[wire.TypeDelta]; got != n+len(moved) {
		t.Errorf("%d deltas", got)
	}
}
