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

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/gorilla/websocket"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/notify"
	"github.com/trunkline/trunkline/notify/notifytest"
	"github.com/trunkline/trunkline/value"
)

var grants = []string{
	`{"environments":["*"],"patterns":["**"],"rights":["history"]}`, `{"environments":["*"],"patterns":["**"],"rights":["reveal"]}`,
	`{"environments":["*"],"patterns":["a.**","**.c"],"rights":["reveal"]}`, `{"environments":["*"],"patterns":["a.**","**.c"]}`,
	`{"environments":["*"],"patterns":["*.b"],"rights":["history"]}`, `{"environments":["*"],"public":true}`,
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
	stop func()
}

func newReplica(t tb, live *notifytest.Live) *replica {
	hub := notify.New(notify.Options{Live: live})
	srv := httptest.NewUnstartedServer(granting(t, hub))
	srv.Listener = notify.Listen(srv.Listener)
	srv.Start()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- hub.Run(ctx) }()
	return &replica{srv, func() { cancel(); <-done; srv.Close() }}
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
	deltas   int
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
	l.cursor = cursor
	l.send(t, wire.Client{Type: wire.TypeHello, Env: l.env, Patterns: l.texts, Cursor: cursor})
}

func (l *looker) send(t *rapid.T, m wire.Client) {
	if err := l.ws.WriteMessage(websocket.TextMessage, wire.Encode(m)); err != nil {
		t.Fatal(err)
	}
}

// read takes one message.
func (l *looker) read(t *rapid.T, b book) {
	m := (&peer{Conn: l.ws, t: t}).message()
	switch m.Type {
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
		l.cursor = m.To
		l.deltas++
	default:
		t.Fatalf("%+v", m)
	}
}

// canonical is a JSON text with its members in order.
func canonical(t tb, data []byte) string { return text(t, decode(t, data)) }

// catchUp reads until the client has what it may see of what is live.
func (l *looker) catchUp(t *rapid.T, live *notifytest.Live, b book) {
	v := live.Get(l.env).Snapshot
	all := v.Delivered
	if l.grant.May(access.Reveal) {
		all = v.Values
	}
	want := canonical(t, l.grant.Scope(v.Manifest.Public, l.patterns).Select(all).AppendJSON(nil))
	for l.cursor == "" || b[l.cursor] != want {
		l.read(t, b)
	}
}

// A delta applied to what its from names gives what its to names, by a library that is not ours: whatever was live and is, whatever
// clients ask for and may see, and whichever server they come back to.
func TestDeltasLeadFromCursorToCursor(t *testing.T) {
	defer goleak.VerifyNone(t)
	deltas := 0
	rapid.Check(t, func(t *rapid.T) {
		live, b := notifytest.NewLive(), book{}
		envs := []string{"prod", "staging"}
		var history [][2]*value.Value
		put := func(env string) {
			next := tree(t, 2)
			pair := [2]*value.Value{next, redact(t, next)}
			if len(history) > 0 && rapid.IntRange(0, 3).Draw(t, "revert") == 0 {
				pair = rapid.SampledFrom(history).Draw(t, "old")
			}
			if rapid.IntRange(0, 4).Draw(t, "mark") == 0 { // the same values, otherwise redacted
				pair[1] = redact(t, pair[0])
			}
			public, err := value.ParsePatterns(rapid.SampledFrom(publics).Draw(t, "public"))
			if err != nil {
				t.Fatal(err)
			}
			live.Manifest = &compile.Manifest{Public: public}
			history = append(history, pair)
			live.PutRedacted(env, pair[0], pair[1])
		}
		for _, env := range envs {
			put(env)
		}
		replicas := []*replica{newReplica(t, live), newReplica(t, live)}
		defer replicas[1].stop()
		defer replicas[0].stop()
		anywhere := func() *replica { return rapid.SampledFrom(replicas).Draw(t, "replica") }
		lookers := make([]*looker, rapid.IntRange(1, 5).Draw(t, "clients"))
		for i := range lookers {
			l := &looker{env: rapid.SampledFrom(envs).Draw(t, "env"), header: rapid.SampledFrom(grants).Draw(t, "grant")}
			if err := json.Unmarshal([]byte(l.header), &l.grant); err != nil {
				t.Fatal(err)
			}
			l.ask(t, rapid.SampledFrom(patternSets).Draw(t, "patterns"))
			l.connect(t, anywhere(), "")
			lookers[i] = l
			defer func() { _ = l.ws.Close() }()
		}
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			l := rapid.SampledFrom(lookers).Draw(t, "who")
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0, 1:
				put(rapid.SampledFrom(envs).Draw(t, "env"))
			case 2:
				l.catchUp(t, live, b)
			case 3:
				l.connect(t, anywhere(), l.cursor)
			case 4: // another cursor that somebody had
				if known := slices.Sorted(maps.Keys(b)); len(known) > 0 {
					l.connect(t, anywhere(), rapid.SampledFrom(known).Draw(t, "cursor"))
				}
			case 5:
				if l.cursor == "" {
					l.read(t, b)
				}
				l.ask(t, rapid.SampledFrom(patternSets).Draw(t, "patterns"))
				patterns := l.texts
				if patterns == nil {
					patterns = []string{}
				}
				l.send(t, wire.Client{Type: wire.TypeUpdate, Patterns: patterns})
			}
		}
		for _, l := range lookers {
			l.catchUp(t, live, b)
			l.connect(t, anywhere(), "") // whose snapshot goes into the book, too
			l.catchUp(t, live, b)
			deltas += l.deltas
		}
	})
	if deltas == 0 {
		t.Error("there was no delta")
	}
}
