package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/gorilla/websocket"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/notify"
	"github.com/trunkline/trunkline/notify/notifytest"
	"github.com/trunkline/trunkline/value"
)

var grants = []string{
	`{"environments":["*"],"patterns":["**"],"rights":["history"]}`, `{"environments":["*"],"patterns":["**"],"rights":["reveal"]}`,
	`{"environments":["*"],"patterns":["a.**","**.c"],"rights":["reveal"]}`, `{"environments":["*"],"patterns":["a.**","**.c"]}`,
	`{"environments":["*"],"patterns":["*.b"],"rights":["history"]}`, `{"environments":["*"],"public":true}`,
	`{"environments":["*"],"patterns":["**"],"rights":["reveal","define"]}`, `{"environments":["*"],"patterns":["a.**","c","**.c"],"rights":["define"]}`,
}

var publics = [][]string{nil, {"a"}, {"**.b", "c"}, {"**"}}

// redact replaces some values by their stand-ins.
func redact(t *rapid.T, v *value.Value) *value.Value {
	for _, key := range keys {
		member, ok := v.Get(key)
		if !ok {
			continue
		}
		switch rapid.IntRange(0, 3).Draw(t, "redact") {
		case 0:
			v, _ = v.Set(value.Path{key}, value.NewRedacted(fmt.Sprintf("%.16x", member.Sum()), value.Place{}))
		case 1:
			if member.Kind() == value.Map {
				v, _ = v.Set(value.Path{key}, redact(t, member))
			}
		}
	}
	return v
}

// replica is a Hub that takes the grant of a caller from a header.
type replica struct {
	*httptest.Server
	hub  *notify.Hub
	stop func()
}

func newReplica(t tb, live *notifytest.Live) *replica { return newReplicaAt(t, live, time.Now) }

func newReplicaAt(t tb, live *notifytest.Live, clock func() time.Time) *replica {
	hub := notify.NewLimited(notify.Options{Live: live}, func(l *notify.Limits) { l.Clock, l.Updates = clock, notify.NoLimit })
	srv := httptest.NewUnstartedServer(granting(t, hub))
	srv.Listener = notify.Listen(srv.Listener)
	srv.Start()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- hub.Run(ctx) }()
	return &replica{srv, hub, func() { cancel(); <-done; srv.Close() }}
}

// book holds what every cursor was found to name, as text: by a snapshot, or by applying a delta with a library that is not ours.
type book map[string]string

func (b book) note(t tb, cursor, content, by string) {
	if was, ok := b[cursor]; ok && was != content {
		t.Fatalf("%s names %s, and by %s it is %s", cursor, was, by, content)
	}
	b[cursor] = content
}

// looker is a client that trusts the patches alone.
type looker struct {
	ws       *websocket.Conn
	env      string
	grant    access.Grant
	header   string
	texts    []string
	patterns []value.Pattern
	cursor   string
	local    bool
	context  string // "" for none

	assignments string       // as JSON; "" for none
	coming      *wire.Server // definitions whose state has not come
	definitions string
	told        map[string]int // causes of deltas, and types of messages
}

func (l *looker) ask(t *rapid.T, texts []string) {
	l.texts = texts
	if len(texts) == 0 {
		texts = []string{"**"}
	}
	var err error
	if l.patterns, err = value.ParsePatterns(texts); err != nil {
		t.Fatal(err)
	}
}

func (l *looker) connect(t *rapid.T, to *replica, cursor string) {
	if l.ws != nil {
		_ = l.ws.Close()
	}
	var err error
	if l.ws, _, err = dialer(0).Dial("ws"+strings.TrimPrefix(to.URL, "http"), http.Header{"Grant": {l.header}}); err != nil {
		t.Fatal(err)
	}
	l.cursor, l.assignments, l.coming, l.definitions = cursor, "", nil, ""
	m := wire.Client{Type: wire.TypeHello, Env: l.env, Patterns: l.texts, Context: []byte(l.context), Cursor: cursor}
	if l.local {
		m.Evaluate = wire.EvaluateLocal
	}
	l.send(t, m)
}

func (l *looker) send(t *rapid.T, m wire.Client) {
	if err := l.ws.WriteMessage(websocket.TextMessage, wire.Encode(m)); err != nil {
		t.Fatal(err)
	}
}

// read takes one message.
func (l *looker) read(t *rapid.T, b book) {
	m := (&peer{Conn: l.ws, t: t}).message()
	l.told[m.Type+m.Cause]++
	defined := l.coming != nil
	if defined {
		l.definitions = canonical(t, l.coming.Definitions)
		if cursor := m.Cursor + m.To; cursor != l.coming.Cursor {
			t.Fatalf("definitions of %s come before %s", l.coming.Cursor, cursor)
		}
		l.coming = nil
	}
	switch m.Type {
	case wire.TypeAssignments:
		list := text(t, m.Assignments)
		if list == "[]" {
			list = ""
		}
		if m.Cursor != l.cursor || list == l.assignments || l.local {
			t.Fatalf("%s of %s to a client that has %s and %s", list, m.Cursor, l.assignments, l.cursor)
		}
		l.assignments = list
	case wire.TypeDefinitions:
		l.coming = m
	case wire.TypeSnapshot:
		b.note(t, m.Cursor, canonical(t, m.Values), "a snapshot")
		l.cursor = m.Cursor
	case wire.TypeCurrent:
		if m.Cursor != l.cursor {
			t.Fatalf("current at %s, while the client has %s", m.Cursor, l.cursor)
		}
	case wire.TypeDelta:
		if m.From != l.cursor {
			t.Fatalf("a delta from %s, while the client has %s", m.From, l.cursor)
		}
		patch, err := jsonpatch.DecodePatch(m.Patch)
		if err != nil {
			t.Fatalf("%v: %s", err, m.Patch)
		}
		next, err := patch.Apply([]byte(b[m.From]))
		if err != nil {
			t.Fatalf("%v: %s on %s", err, m.Patch, b[m.From])
		}
		b.note(t, m.To, canonical(t, next), "a delta from "+b[m.From]+": "+string(m.Patch))
		if b[m.To] == b[m.From] && !defined {
			t.Fatalf("a delta that changes nothing: %s", m.Patch)
		}
		l.cursor = m.To
	default:
		t.Fatalf("%+v", m)
	}
}

// canonical is a JSON text with its members in order.
func canonical(t tb, data []byte) string { return text(t, decode(t, data)) }

// wanted is what the client is to have: values, assignments and definitions, found without any of what a Hub makes of them.
func (l *looker) wanted(t *rapid.T, live *notifytest.Live, now time.Time) (values, assignments, definitions string) {
	v := live.Get(l.env)
	base, set := v.Snapshot.Of(l.grant.May(access.Reveal))
	scope := l.grant.Scope(v.Snapshot.Manifest.Public, l.patterns)
	if l.local {
		defined := value.Empty
		if set != nil {
			defined = set.Export(scope.Select)
		}
		if defined.Len() > 0 && !v.Held.IsZero() {
			defined, _ = defined.Set(value.Path{"held"}, value.NewString(v.Held.Format(time.RFC3339), value.Place{}))
		}
		return canonical(t, scope.Select(base).AppendJSON(nil)), "", canonical(t, defined.AppendJSON(nil))
	}
	if set == nil {
		return canonical(t, scope.Select(base).AppendJSON(nil)), "", ""
	}
	choices := set.Choose(nil, l.who(t), v.Clock(now))
	seen := slices.DeleteFunc(slices.Clone(choices), func(c experiment.Choice) bool {
		for arm := range set.Arms() {
			if arm.Choice.Definition == c.Definition && set.Touches(arm.Choice, scope.Select) {
				return false
			}
		}
		return true
	})
	if list := set.Assignments(seen); len(list) > 0 {
		assignments = text(t, list)
	}
	return canonical(t, scope.Select(set.Values(base, choices)).AppendJSON(nil)), assignments, ""
}

func (l *looker) who(t *rapid.T) *experiment.Context {
	if l.context == "" {
		return nil
	}
	v, err := value.ParseJSON([]byte(l.context))
	if err != nil {
		t.Fatal(err)
	}
	who, err := experiment.ParseContext(v)
	if err != nil {
		t.Fatal(err)
	}
	return &who
}

// catchUp reads until the client has what it may see of what is live.
func (l *looker) catchUp(t *rapid.T, live *notifytest.Live, now time.Time, b book) {
	values, assignments, definitions := l.wanted(t, live, now)
	for l.cursor == "" || b[l.cursor] != values || l.assignments != assignments || l.definitions != definitions {
		l.read(t, b)
	}
}

// paths are what the definitions of the property set; each has a configured value.
var paths = []value.Path{{"a"}, {"b", "c"}, {"c"}, {"x/y"}}

// configured is a tree with values at all paths that can be set.
func configured(v *value.Value) *value.Value {
	for _, path := range paths {
		if above := path[:len(path)-1]; len(above) > 0 {
			if at, ok := v.At(above); !ok || at.Kind() != value.Map {
				v, _ = v.Set(above, value.Empty)
			}
		}
		if at, ok := v.At(path); !ok || at.Kind() != value.Int {
			v, _ = v.Set(path, value.NewInt(0, value.Place{}))
		}
	}
	return v
}

// draw draws files that set the paths; nil for none.
func (r *repository) draw(t *rapid.T) *experiment.Definitions {
	if rapid.IntRange(0, 7).Draw(t, "none") == 7 {
		return nil
	}
	draw := func(texts ...string) string { return rapid.SampledFrom(texts).Draw(t, "text") }
	n := func() int { return rapid.IntRange(0, 2).Draw(t, "set") }
	files := map[string]string{"layers/l": layer, "layers/m": `{"unit":"account","fallback":"targetingKey","salt":"dd44","holdout":"20%"}`}
	if rapid.Bool().Draw(t, "a") {
		files["rollouts/a"] = fmt.Sprintf(`{"environments":["prod"],"salt":"s1","set":{"a":%d},"rules":[{"name":"staff","when":"context.plan == \"staff\""},{"name":"some","percentage":%q}]}`, n(), draw("0%", "30%", "31%", "100%"))
	}
	if rapid.IntRange(0, 3).Draw(t, "b") < 3 {
		files["rollouts/b"] = fmt.Sprintf(`{"environments":["prod","staging"],"salt":"s2","set":{"b.c":%d},"rules":[{"name":"some",%s}]}`, n(), draw(
			`"ramp":{"start":"2026-12-01T09:00:00Z","over":"2h","to":"100%"}`, `"schedule":{"start":"2026-12-01T09:30:00Z","end":"2026-12-01T10:30:00Z"}`,
			`"ramp":{"start":"2026-12-01T09:00:00Z","steps":[{"after":"1h","percentage":"50%"}]}`, `"when":"context.age > 3"`))
	}
	running := func() string { return draw("running", "running", "paused") }
	const trial = `{"environments":["prod","staging"],"status":%q,"layer":%q,"salt":%q,"phase":%d,"slots":%s,%s"variants":{"control":{"weight":"40%%"},"x":{"weight":"30%%","set":{%q:%d}},"y":{"weight":"30%%","set":{%q:%d}}},` +
		`"force":{"u0":"y"},"plan":{"unitsTotal":1000,"minimumEffect":{"relative":"10%%"},"alpha":0.05,"power":0.8,"minRuntime":"7d","onInconclusive":"rollback"}}`
	if rapid.Bool().Draw(t, "c") {
		files["experiments/c"] = fmt.Sprintf(trial, running(), "l", "s3", 1+n(), draw(`["0-4999"]`, `["0-3999"]`), "", "c", n(), "c", n())
		files["experiments/d"] = fmt.Sprintf(trial, running(), "l", "s4", 1, `["5000-9999"]`, draw("", `"targeting":"context.plan == \"staff\"",`), "c", n(), "c", n())
	}
	if rapid.Bool().Draw(t, "x/y") {
		needs := ""
		if files["experiments/c"] != "" {
			needs = draw("", `"prerequisites":[{"experiment":"c"}],`)
		}
		files["experiments/e"] = fmt.Sprintf(trial, running(), "m", "s5", 1, `["0-7999"]`, needs, `["x/y"]`, n(), `["x/y"]`, n())
	}
	return r.read(t, files)
}

var contexts = []string{"", "{}", `{"targetingKey":"u0"}`, `{"targetingKey":"u1"}`, `{"targetingKey":"u2","plan":"staff"}`, `{"targetingKey":"u3","account":7,"age":4}`, `{"account":"u4","age":"old"}`}

// course makes what is live, and lets time pass.
type course struct {
	live  *notifytest.Live
	clock clock
	files repository
	pairs [][2]*value.Value
}

// put puts a version live that is new, or was before, in one thing or another.
func (h *course) put(t *rapid.T, env string) {
	next := configured(tree(t, 2))
	pair := [2]*value.Value{next, redact(t, next)}
	if len(h.pairs) > 0 && rapid.IntRange(0, 3).Draw(t, "revert") == 0 {
		pair = rapid.SampledFrom(h.pairs).Draw(t, "old")
	}
	if rapid.IntRange(0, 4).Draw(t, "mark") == 0 { // the same values, otherwise redacted
		pair[1] = redact(t, pair[0])
	}
	public, err := value.ParsePatterns(rapid.SampledFrom(publics).Draw(t, "public"))
	if err != nil {
		t.Fatal(err)
	}
	h.live.Manifest = &compile.Manifest{Public: public}
	if rapid.Bool().Draw(t, "defines") {
		h.live.Definitions = h.files.draw(t)
	}
	h.pairs = append(h.pairs, pair)
	h.live.PutRedacted(env, pair[0], pair[1])
}

// again puts what is live again: stopped in part, or pinned, or neither.
func (h *course) again(t *rapid.T, env string) {
	stopped := rapid.SampledFrom([]string{"", "a", "c", "e"}).Draw(t, "stopped")
	held := rapid.Bool().Draw(t, "held")
	h.live.Again(env, func(v *apply.Version) {
		v.Snapshot = v.Snapshot.With(experiment.Options{Stopped: func(_ experiment.Kind, key string) bool { return key == stopped }})
		v.Cause, v.Held, v.Stops = apply.CauseStop, time.Time{}, nil
		if kind := map[string]experiment.Kind{"a": experiment.KindRollout, "c": experiment.KindExperiment, "e": experiment.KindExperiment}[stopped]; kind != "" {
			v.Stops = []apply.Stop{{Environment: env, Kind: kind, Key: stopped}}
		}
		if held {
			v.Cause, v.Held = apply.CausePin, h.clock.time()
		}
	})
}

// pass lets time pass.
func (h *course) pass(t *rapid.T, replicas []*replica) {
	h.clock.set(h.clock.time().Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "minutes")) * time.Minute))
	for _, r := range replicas {
		r.hub.Wake()
	}
}

// newLooker draws a client.
func newLooker(t *rapid.T, envs []string) *looker {
	l := &looker{
		env: rapid.SampledFrom(envs).Draw(t, "env"), header: rapid.SampledFrom(grants).Draw(t, "grant"),
		context: rapid.SampledFrom(contexts).Draw(t, "context"), told: map[string]int{},
	}
	if err := json.Unmarshal([]byte(l.header), &l.grant); err != nil {
		t.Fatal(err)
	}
	l.local = l.grant.May(access.Define) && rapid.Bool().Draw(t, "local")
	if l.ask(t, nil); rapid.Bool().Draw(t, "narrow") {
		l.ask(t, rapid.SampledFrom(patternSets).Draw(t, "patterns"))
	}
	return l
}

// update asks for something else, or for somebody else.
func (l *looker) update(t *rapid.T, b book) {
	for l.cursor == "" {
		l.read(t, b)
	}
	m := wire.Client{Type: wire.TypeUpdate}
	if rapid.Bool().Draw(t, "patterns change") {
		if l.ask(t, rapid.SampledFrom(patternSets).Draw(t, "patterns")); l.texts == nil {
			m.Patterns = []string{}
		} else {
			m.Patterns = l.texts
		}
	}
	if rapid.Bool().Draw(t, "context changes") {
		l.context = rapid.SampledFrom(contexts[1:]).Draw(t, "context")
		m.Context = []byte(l.context)
	}
	l.send(t, m)
}

// A delta applied to what its from names gives what its to names, by a library that is not ours: whatever was live and is, whatever is
// set for whom and when, whatever clients ask for and may see, and whichever server they come back to. In the end each has what is its own.
func TestDeltasLeadFromCursorToCursor(t *testing.T) {
	defer goleak.VerifyNone(t)
	told := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		h, b := &course{live: notifytest.NewLive()}, book{}
		h.clock.set(nine)
		envs := []string{"prod", "staging"}
		for _, env := range envs {
			h.put(t, env)
		}
		replicas := []*replica{newReplicaAt(t, h.live, h.clock.time), newReplicaAt(t, h.live, h.clock.time)}
		defer replicas[1].stop()
		defer replicas[0].stop()
		anywhere := func() *replica { return rapid.SampledFrom(replicas).Draw(t, "replica") }
		lookers := make([]*looker, rapid.IntRange(1, 5).Draw(t, "clients"))
		for i := range lookers {
			l := newLooker(t, envs)
			l.connect(t, anywhere(), "")
			lookers[i] = l
			defer func() { _ = l.ws.Close() }()
		}
		for range rapid.IntRange(5, 40).Draw(t, "steps") {
			l := rapid.SampledFrom(lookers).Draw(t, "who")
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0, 1:
				h.put(t, rapid.SampledFrom(envs).Draw(t, "env"))
			case 2:
				l.catchUp(t, h.live, h.clock.time(), b)
			case 3:
				l.context = rapid.SampledFrom([]string{l.context, contexts[3]}).Draw(t, "as whom")
				l.connect(t, anywhere(), l.cursor)
			case 4: // another cursor that somebody had
				if known := slices.Sorted(maps.Keys(b)); len(known) > 0 {
					l.connect(t, anywhere(), rapid.SampledFrom(known).Draw(t, "cursor"))
				}
			case 5, 6:
				l.update(t, b)
			case 7, 8:
				l.catchUp(t, h.live, h.clock.time(), b)
				h.pass(t, replicas)
			case 9:
				h.again(t, rapid.SampledFrom(envs).Draw(t, "env"))
			}
			if rapid.Bool().Draw(t, "in time") {
				l.catchUp(t, h.live, h.clock.time(), b)
			}
		}
		for _, l := range lookers {
			l.catchUp(t, h.live, h.clock.time(), b)
			l.connect(t, anywhere(), "") // whose snapshot goes into the book, too
			l.catchUp(t, h.live, h.clock.time(), b)
			for kind, n := range l.told {
				told[kind] += n
			}
		}
	})
	t.Log(told)
	for _, kind := range []string{"deltacommit", "deltaramp", "deltacontext", "deltastop", "deltapin", "assignments", "definitions", "current"} {
		if told[kind] == 0 {
			t.Errorf("there was no %s: %v", kind, told)
		}
	}
}
