package notify_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.uber.org/goleak"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/notify"
	"github.com/trunkline/trunkline/notify/notifytest"
)

// generous is a deadline that only a fault exceeds.
const generous = 20 * time.Second

// tb is what tests and properties have in common.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// counts are what an Observer was told.
type counts struct {
	mu        sync.Mutex
	changed   sync.Cond
	sessions  int
	opened    int
	delivered map[string]int
	late      []time.Duration // delays that were told
	answered  map[string]int
	ended     map[string]int
	refused   map[string]int
}

func newCounts() *counts {
	c := &counts{delivered: map[string]int{}, answered: map[string]int{}, ended: map[string]int{}, refused: map[string]int{}}
	c.changed.L = &c.mu
	return c
}

func (c *counts) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	c.changed.Broadcast()
}

func (c *counts) observer() notify.Observer {
	return notify.Observer{
		Sessions: func(n int) {
			c.change(func() {
				c.sessions += n
				c.opened += max(n, 0)
			})
		},
		Delivered: func(kind string, _ int, delay time.Duration) {
			c.change(func() {
				c.delivered[kind]++
				if delay >= 0 {
					c.late = append(c.late, delay)
				}
			})
		},
		Answered: func(kind string) { c.change(func() { c.answered[kind]++ }) },
		Ended:    func(code string) { c.change(func() { c.ended[code]++ }) },
	}
}

// wait waits until something is so.
func (c *counts) wait(t tb, what string, so func() bool) {
	t.Helper()
	late := false
	timer := time.AfterFunc(generous, func() { c.change(func() { late = true }) })
	defer timer.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for !so() {
		if late {
			t.Fatalf("never came: %s; sessions %d, ended %v", what, c.sessions, c.ended)
		}
		c.changed.Wait()
	}
}

// server is a Hub behind a real listener.
type server struct {
	*httptest.Server
	*counts
	hub    *notify.Hub
	live   *notifytest.Live
	cancel func()
	done   chan error
}

// guarded lets this machine in without a credential, as servers do.
func guarded(h http.Handler) http.Handler { return access.NewGuard(access.GuardOptions{}).Wrap(h) }

func open(live *notifytest.Live, secure bool, change func(*notify.Limits)) *server {
	s := openOn(live, secure, change)
	s.live = live
	return s
}

func openOn(live notify.Live, secure bool, change func(*notify.Limits)) *server {
	s := &server{counts: newCounts(), done: make(chan error, 1)}
	guard := access.NewGuard(access.GuardOptions{Observe: func(reason string) { s.change(func() { s.refused[reason]++ }) }})
	o := notify.Options{Live: live, Guard: guard, Observe: s.observer()}
	if change == nil {
		change = func(l *notify.Limits) {}
	}
	s.hub = notify.NewLimited(o, change)
	s.Server = httptest.NewUnstartedServer(guard.Wrap(s.hub))
	s.Listener = notify.Listen(s.Listener)
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go func() { s.done <- s.hub.Run(ctx) }()
	return s
}

// stop ends the Hub and waits for it.
func (s *server) stop(t tb) {
	t.Helper()
	s.cancel()
	select {
	case err := <-s.done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
		s.done <- err
	case <-time.After(generous):
		t.Fatalf("Run does not end")
	}
	s.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions != 0 {
		t.Errorf("%d sessions are left", s.sessions)
	}
}

// serve is open for a test, at whose end nothing may be left.
func serve(t *testing.T, change func(*notify.Limits)) *server { return serveAs(t, false, change) }

func serveAs(t *testing.T, secure bool, change func(*notify.Limits)) *server {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	s := open(notifytest.NewLive(), secure, change)
	t.Cleanup(func() { s.stop(t) })
	return s
}

func (s *server) endpoint() string { return "ws" + strings.TrimPrefix(s.URL, "http") }

// peer is a client with state of its own, kept by an independent reading of the protocol.
type peer struct {
	*websocket.Conn
	t      tb
	tree   any
	cursor string
	frames int

	assignments string         // told last; empty for none
	coming      *wire.Server   // definitions whose state has not come yet
	definitions map[string]any // nil for none
}

func dialer(receiveBuffer int) *websocket.Dialer {
	return &websocket.Dialer{
		Subprotocols: []string{wire.Subprotocol}, HandshakeTimeout: generous, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // a test's own certificate
		NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			if err == nil && receiveBuffer > 0 {
				err = c.(*net.TCPConn).SetReadBuffer(receiveBuffer)
			}
			return c, err
		},
	}
}

func (s *server) connect(t tb, receiveBuffer int) *peer {
	t.Helper()
	ws, answer, err := dialer(receiveBuffer).Dial(s.endpoint(), nil)
	if err != nil {
		t.Fatalf("dial: %v %v", err, answer)
	}
	if ws.Subprotocol() != wire.Subprotocol {
		t.Errorf("subprotocol %q", ws.Subprotocol())
	}
	return &peer{Conn: ws, t: t}
}

// turnsAway wants who connects to be told to come back, and that to be counted.
func (s *server) turnsAway(t tb, reason string) {
	t.Helper()
	_, answer, err := dialer(0).Dial(s.endpoint(), nil)
	if err == nil || answer == nil {
		t.Fatalf("dial: %v %v", err, answer)
	}
	body, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") != "10" || !strings.Contains(string(body), `"code":"`+reason+`"`) {
		t.Errorf("%s %v %s", answer.Status, answer.Header, body)
	}
	s.wait(t, "the count", func() bool { return s.refused[reason] > 0 })
}

// hello connects and greets.
func (s *server) hello(t tb, m wire.Client) *peer {
	t.Helper()
	p := s.connect(t, 0)
	m.Type = wire.TypeHello
	p.send(m)
	return p
}

// follow is hello, and takes the first frame.
func (s *server) follow(t *testing.T, env string, patterns ...string) *peer {
	t.Helper()
	p := s.hello(t, wire.Client{Env: env, Patterns: patterns})
	t.Cleanup(func() { _ = p.Close() })
	p.expect(wire.TypeSnapshot)
	return p
}

func (p *peer) send(m wire.Client) {
	p.t.Helper()
	if err := p.WriteMessage(websocket.TextMessage, wire.Encode(m)); err != nil {
		p.t.Fatalf("send: %v", err)
	}
}

// next reads a message, with the chunks that may follow it, and acts on it.
func (p *peer) next() *wire.Server {
	p.t.Helper()
	m := p.message()
	for n := range m.Chunks {
		part := p.message()
		if part.Type != wire.TypeChunk || part.Index != n || part.Cursor != m.Cursor {
			p.t.Fatalf("%s %d of %s in the place of chunk %d of %s", part.Type, part.Index, part.Cursor, n, m.Cursor)
		}
		if m.Type == wire.TypeDefinitions {
			m.Definitions = append(m.Definitions, part.Data...)
		} else {
			m.Values = append(m.Values, part.Data...)
		}
	}
	p.take(m)
	return m
}

// message reads one message, which must be as the schema says.
func (p *peer) message() *wire.Server {
	p.t.Helper()
	_ = p.SetReadDeadline(time.Now().Add(generous))
	kind, data, err := p.ReadMessage()
	if err != nil {
		p.t.Fatalf("read: %v", err)
	}
	if kind != websocket.TextMessage {
		p.t.Fatalf("a frame of kind %d", kind)
	}
	conforms(p.t, data)
	m, err := wire.ParseServer(data)
	if err != nil {
		p.t.Fatalf("%v: %s", err, data)
	}
	return m
}

// described is what docs/schemas says that a server sends.
var described = sync.OnceValues(func() (*jsonschema.Schema, error) {
	return jsonschema.NewCompiler().Compile(filepath.Join("..", "docs", "schemas", "stream-server.schema.json"))
})

// conforms judges a message by the schema.
func conforms(t tb, data []byte) {
	t.Helper()
	s, err := described()
	if err != nil {
		t.Fatalf("schema: %v", err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err == nil {
		err = s.Validate(v)
	}
	if err != nil {
		t.Fatalf("%v: %.1000s", err, data)
	}
	of := s.AllOf[slices.IndexFunc(s.AllOf, func(one *jsonschema.Schema) bool { return one.If.Validate(v) == nil })].Then.Ref
	for name := range v.(map[string]any) {
		if of.Properties[name] == nil {
			t.Fatalf("the field %s is not described: %.1000s", name, data)
		}
	}
}

func (p *peer) take(m *wire.Server) {
	p.t.Helper()
	p.frames++
	switch m.Type {
	case wire.TypeSnapshot:
		p.tree, p.cursor = decode(p.t, m.Values), m.Cursor
	case wire.TypeCurrent, wire.TypePing:
		if m.Cursor != p.cursor {
			p.t.Fatalf("%s of %q, while the client has %q", m.Type, m.Cursor, p.cursor)
		}
	case wire.TypeDelta:
		if m.From != p.cursor || m.To == m.From || len(m.Commit) != 40 {
			p.t.Fatalf("a delta from %q to %q of %q, while the client has %q", m.From, m.To, m.Commit, p.cursor)
		}
		before := text(p.t, p.tree)
		patched, err := patch(decode(p.t, []byte(before)), m.Patch)
		if err != nil {
			p.t.Fatalf("patch %s: %v", m.Patch, err)
		}
		if (text(p.t, patched) == before) != (p.coming != nil && string(m.Patch) == "[]") {
			p.t.Fatalf("a delta that changes nothing: %s", m.Patch)
		}
		p.tree, p.cursor = patched, m.To
	case wire.TypeAssignments:
		list := text(p.t, m.Assignments)
		if list == "[]" {
			list = ""
		}
		if m.Cursor != p.cursor || list == p.assignments {
			p.t.Fatalf("assignments %q of %s to a client that has %q and %s", list, m.Cursor, p.assignments, p.cursor)
		}
		p.assignments = list
	case wire.TypeDefinitions:
		p.coming = m
		return
	}
	if p.coming != nil && m.Type != wire.TypePing {
		if p.coming.Cursor != p.cursor {
			p.t.Fatalf("definitions of %s come before %s", p.coming.Cursor, p.cursor)
		}
		p.definitions, p.coming = decode(p.t, p.coming.Definitions).(map[string]any), nil
	}
}

// expect reads the next message but pings, which must be of a type.
func (p *peer) expect(kind string) *wire.Server {
	p.t.Helper()
	m := p.next()
	for m.Type == wire.TypePing && kind != wire.TypePing {
		m = p.next()
	}
	if m.Type != kind {
		p.t.Fatalf("%s in the place of %s: %+v", m.Type, kind, m)
	}
	return m
}

// has fails where the client has another content.
func (p *peer) has(want string) {
	p.t.Helper()
	if got := text(p.t, p.tree); got != text(p.t, decode(p.t, []byte(want))) {
		p.t.Fatalf("has %s, want %s", got, want)
	}
}

// closed reads until the connection ends, and wants a close code.
func (p *peer) closed(code int) {
	p.t.Helper()
	_ = p.SetReadDeadline(time.Now().Add(generous))
	for {
		_, data, err := p.ReadMessage()
		if err == nil {
			if m, err := wire.ParseServer(data); err == nil {
				p.take(m)
			}
			continue
		}
		var closed *websocket.CloseError
		if !errors.As(err, &closed) || closed.Code != code {
			p.t.Fatalf("the connection ended with %v, want code %d", err, code)
		}
		return
	}
}

func decode(t tb, data []byte) any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return v
}

func text(t tb, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return string(b)
}

// patch is RFC 6902 as far as the protocol uses it, to the letter.
func patch(doc any, data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var operations []map[string]any
	if err := dec.Decode(&operations); err != nil {
		return nil, err
	}
	for _, o := range operations {
		path, _ := o["path"].(string)
		v, has := o["value"]
		if o["op"] != "remove" && !has {
			return nil, fmt.Errorf("%v without a value", o)
		}
		if path == "" {
			if o["op"] == "remove" {
				return nil, errors.New("the root is removed")
			}
			doc = v
			continue
		}
		if path[0] != '/' {
			return nil, fmt.Errorf("%q is no pointer", path)
		}
		steps := strings.Split(path[1:], "/")
		at := doc
		for i, step := range steps {
			step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
			object, ok := at.(map[string]any)
			if !ok {
				return nil, fmt.Errorf("%s: %s leads into no object", path, step)
			}
			_, found := object[step]
			switch {
			case i < len(steps)-1:
				at = object[step]
			case o["op"] == "add":
				object[step] = v
			case !found:
				return nil, fmt.Errorf("%v: %s is not there", o["op"], path)
			case o["op"] == "replace":
				object[step] = v
			case o["op"] == "remove":
				delete(object, step)
			default:
				return nil, fmt.Errorf("operation %v", o["op"])
			}
		}
	}
	return doc, nil
}

func TestPatchOfThisTest(t *testing.T) {
	got, err := patch(decode(t, []byte(`{"a":{"b":1},"c/d":null,"e~":[1]}`)), []byte(
		`[{"op":"replace","path":"/a/b","value":{"x":2}},{"op":"remove","path":"/c~1d"},{"op":"add","path":"/e~0","value":[]},{"op":"add","path":"/f","value":null}]`))
	if want := decode(t, []byte(`{"a":{"b":{"x":2}},"e~":[],"f":null}`)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v %v", got, err)
	}
}

// large is a version of more than 20 kB.
func large(n int) string {
	return `{"n":` + strconv.Itoa(n) + `,"filler":"` + strings.Repeat(strconv.Itoa(n%10), 20_000) + `"}`
}

func number(p *peer) int {
	object, _ := p.tree.(map[string]any)
	n, _ := strconv.Atoi(fmt.Sprint(object["n"]))
	return n
}

func get(t *testing.T, url string, header http.Header) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

func sorted(m map[string]int) []string {
	var out []string
	for k, n := range m {
		out = append(out, fmt.Sprintf("%s:%d", k, n))
	}
	slices.Sort(out)
	return out
}
