package client_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/notify"
)

// generous is a deadline that only a fault exceeds.
const generous = 20 * time.Second

// hub serves at an address until it is stopped.
type hub struct {
	*notify.Hub
	addr string
	stop func()
}

func serve(t *testing.T, live notify.Live, addr string) *hub {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	h := notify.New(notify.Options{Live: live})
	mux := http.NewServeMux()
	mux.Handle("/v1/stream", access.NewGuard(access.GuardOptions{}).Wrap(h))
	srv := httptest.NewUnstartedServer(mux)
	_ = srv.Listener.Close()
	srv.Listener = notify.Listen(l)
	srv.Start()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		<-done
		srv.Close()
	})
	t.Cleanup(stop)
	return &hub{h, l.Addr().String(), stop}
}

// following is a client that runs.
type following struct {
	*client.Client
	events chan client.Event
	done   chan error
	cancel func()
}

func follow(t *testing.T, o client.Options) *following {
	t.Helper()
	events := make(chan client.Event, 10_000)
	o.OnEvent = func(e client.Event) { events <- e }
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	f := run(t, c.Hasten())
	f.events = events
	return f
}

func run(t *testing.T, c *client.Client) *following {
	t.Helper()
	f := &following{Client: c, done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	go func() { f.done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		f.ended(t)
	})
	return f
}

func (f *following) ended(t *testing.T) error {
	t.Helper()
	select {
	case err := <-f.done:
		f.done <- err
		return err
	case <-time.After(generous):
		t.Fatal("Run does not end")
		return nil
	}
}

func (f *following) wait(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), generous)
	defer cancel()
	if err := f.Wait(ctx); err != nil {
		t.Fatal(err)
	}
}

// next is the next event, which must be of a kind.
func (f *following) next(t *testing.T, kind client.EventKind) client.Event {
	t.Helper()
	select {
	case e := <-f.events:
		if e.Kind != kind {
			t.Fatalf("%s in the place of %s: %d changes, %v", e.Kind, kind, len(e.Changes), e.Err)
		}
		return e
	case <-time.After(generous):
		t.Fatalf("no %s came", kind)
		return client.Event{}
	}
}

// until skips failed attempts to connect.
func (f *following) until(t *testing.T, kind client.EventKind) client.Event {
	t.Helper()
	for {
		select {
		case e := <-f.events:
			if e.Kind == client.Disconnected && kind != client.Disconnected {
				continue
			}
			if e.Kind != kind {
				t.Fatalf("%s in the place of %s: %d changes, %v", e.Kind, kind, len(e.Changes), e.Err)
			}
			return e
		case <-time.After(generous):
			t.Fatalf("no %s came", kind)
		}
	}
}

// next is what comes from a channel.
func next[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(generous):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func upToDate(f *following) bool {
	since, stale := f.Stale()
	return !stale && since.IsZero()
}

func leakless(t *testing.T) {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
}

const shop = `{"checkout":{"timeout":"90s","days":"7d","ratio":1.5,"limit":20,"on":true,"name":"x","dsn":{"$redacted":true,"fp":"ab"}},"list":[1,2]}`

// relay carries connections until it is told to cut them.
type relay struct {
	addr  string
	close func()

	mu     sync.Mutex
	to     string
	conns  []net.Conn
	closed bool
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{addr: l.Addr().String(), to: to}
	var carrying sync.WaitGroup
	carrying.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", r.target())
			if err != nil || !r.add(in, out) {
				_ = in.Close()
				continue
			}
			for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
				carrying.Go(func() {
					_, _ = pair[0].(*net.TCPConn).WriteTo(pair[1])
					_ = pair[0].Close()
					_ = pair[1].Close()
				})
			}
		}
	})
	r.close = sync.OnceFunc(func() {
		r.mu.Lock()
		r.closed = true
		r.mu.Unlock()
		_ = l.Close()
		r.cut()
		carrying.Wait()
	})
	t.Cleanup(r.close)
	return r
}

func (r *relay) target() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.to
}

// lead leads the connections from now on to another address.
func (r *relay) lead(to string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to = to
}

func (r *relay) add(in, out net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		_ = out.Close()
		return false
	}
	r.conns = append(r.conns, in, out)
	return true
}

func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.conns = nil
}

// script is a server that says given lines, one connection after the other, and hands on the hello of each.
func script(t *testing.T, connections ...func(ws *websocket.Conn)) (url string, hellos chan wire.Client) {
	t.Helper()
	return scripted(t, websocket.Upgrader{Subprotocols: []string{wire.Subprotocol}}, connections)
}

// scriptCompressed is script by a server that takes up the offer to compress.
func scriptCompressed(t *testing.T, connections ...func(ws *websocket.Conn)) (url string, hellos chan wire.Client) {
	t.Helper()
	return scripted(t, websocket.Upgrader{Subprotocols: []string{wire.Subprotocol}, EnableCompression: true}, connections)
}

func scripted(t *testing.T, up websocket.Upgrader, connections []func(ws *websocket.Conn)) (url string, hellos chan wire.Client) {
	t.Helper()
	hellos = make(chan wire.Client, 100)
	next := make(chan func(*websocket.Conn), len(connections))
	for _, c := range connections {
		next <- c
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case do := <-next:
			ws, err := up.Upgrade(w, r, nil)
			if err != nil {
				return
			}
			defer ws.Close()
			_, data, err := ws.ReadMessage()
			if err != nil {
				return
			}
			m, err := wire.ParseClient(data)
			if err != nil {
				t.Error(err)
				return
			}
			hellos <- *m
			do(ws)
		default:
			http.Error(w, "nothing more", http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL, hellos
}

func say(lines ...string) func(*websocket.Conn) {
	return func(ws *websocket.Conn) {
		for _, line := range lines {
			_ = ws.WriteMessage(websocket.TextMessage, []byte(line))
		}
		for {
			if _, _, err := ws.ReadMessage(); err != nil {
				return
			}
		}
	}
}

func ending(code int, lines ...string) func(*websocket.Conn) {
	return func(ws *websocket.Conn) {
		for _, line := range lines {
			_ = ws.WriteMessage(websocket.TextMessage, []byte(line))
		}
		_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, "why"), time.Now().Add(generous))
		_, _, _ = ws.ReadMessage()
	}
}

const (
	one   = `{"type":"snapshot","cursor":"c1","commit":"1","reason":"hello","values":{"a":1}}`
	fresh = `{"type":"snapshot","cursor":"c9","commit":"9","reason":"hello","values":{"a":9}}`
)
