package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/notify/notifytest"
)

func TestDial(t *testing.T) {
	leakless(t)
	live := notifytest.NewLive()
	live.PutJSON("prod", `{"a":1}`)
	h := serve(t, live, "127.0.0.1:0")
	ctx, cancel := context.WithTimeout(t.Context(), generous)
	c, err := client.Dial(ctx, client.Options{URL: "http://" + h.addr, Env: "prod"})
	if err != nil {
		t.Fatal(err)
	}
	cancel() // which bounds dialling alone
	if c.Int("a", 0) != 1 || c.Err() != nil {
		t.Errorf("a is %d, %v", c.Int("a", 0), c.Err())
	}
	live.PutJSON("prod", `{"a":2}`)
	for u, err := range c.Watch(t.Context(), "a") {
		if err != nil {
			if !errors.Is(err, client.ErrClosed) {
				t.Error(err)
			}
			break
		}
		if u.State.Int("a", 0) == 2 {
			c.Close() // the loop ends with it
		}
	}
	c.Close()
	if _, stale := c.Stale(); !stale || c.Int("a", 0) != 2 || c.Err() != nil {
		t.Error("after Close the values stay, and are known as stale")
	}
}

// The error tells why there was nothing.
func TestDialInVain(t *testing.T) {
	leakless(t)
	for name, c := range map[string]struct {
		status int
		says   string
	}{"nobody": {0, "connection refused"}, "another server": {404, "404 Not Found"}, "busy": {503, "503"}} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(c.status) }))
		if c.status == 0 {
			srv.Close()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		_, err := client.Dial(ctx, client.Options{URL: srv.URL})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
		srv.Close()
	}
	if _, err := client.Dial(t.Context(), client.Options{URL: "nowhere"}); err == nil {
		t.Error("a URL that is none is taken")
	}
}

func TestDialRefused(t *testing.T) {
	leakless(t)
	live := notifytest.NewLive()
	live.PutJSON("prod", `{}`)
	_, err := client.Dial(t.Context(), client.Options{URL: "http://" + serve(t, live, "127.0.0.1:0").addr, Env: "prd"})
	if !errors.Is(err, client.ErrRefused) || !strings.Contains(err.Error(), "name one of prod") {
		t.Error(err)
	}
}

// A server that refuses later ends the watches with its words; what there is stays.
func TestRefusedLater(t *testing.T) {
	leakless(t)
	live := notifytest.NewLive()
	live.PutJSON("prod", `{"a":1}`)
	live.PutJSON("staging", `{"a":1}`)
	c, err := client.Dial(t.Context(), client.Options{URL: "http://" + serve(t, live, "127.0.0.1:0").addr, Env: "prod"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var ended error
	for _, err := range c.Watch(t.Context()) {
		ended = err
		live.Remove("prod")
	}
	if !errors.Is(ended, client.ErrRefused) || !errors.Is(c.Err(), client.ErrRefused) || c.Int("a", 0) != 1 {
		t.Errorf("%v, %v", ended, c.Err())
	}
}

func TestCloseWithoutDial(t *testing.T) {
	c, err := client.New(client.Options{URL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	for _, err := range c.Watch(t.Context()) {
		if !errors.Is(err, client.ErrClosed) {
			t.Error(err)
		}
	}
}

// A server that is full says when to come back, and its clients do not all come at once.
func TestRetryAfter(t *testing.T) {
	leakless(t)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "10")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"error":{"message":"the server is full"}}`))
	}))
	t.Cleanup(srv.Close)
	waits := map[time.Duration]bool{}
	for range 5 {
		f := follow(t, client.Options{URL: srv.URL})
		e := f.next(t, client.Disconnected)
		if e.Retry < 10*time.Second || e.Retry > 20*time.Second || e.Err.Error() != "connect: the server is full" {
			t.Errorf("%+v", e)
		}
		waits[e.Retry] = true
		f.cancel()
	}
	if len(waits) < 2 {
		t.Error("all come back at once")
	}
}

// What a server says before it closes counts, although nothing can be sent to it any more.
func TestHearsTheLastWords(t *testing.T) {
	leakless(t)
	for range 20 {
		url, _ := script(t, func(ws *websocket.Conn) {
			for range 50 {
				_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"current","cursor":"c1"}`))
				_ = ws.WriteMessage(websocket.TextMessage, []byte(one))
			}
			_ = ws.Close()
		}, ending(wire.CloseUnknownEnvironment, one, `{"type":"error","code":"x","message":"it is no longer served"}`))
		err := follow(t, client.Options{URL: url}).ended(t)
		if !errors.Is(err, client.ErrRefused) || !strings.Contains(err.Error(), "it is no longer served") {
			t.Fatal(err)
		}
	}
}

// Compression is taken up where the server offers it.
func TestCompression(t *testing.T) {
	leakless(t)
	offered := make(chan string, 1)
	up := websocket.Upgrader{Subprotocols: []string{wire.Subprotocol}, EnableCompression: true}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		offered <- r.Header.Get("Sec-WebSocket-Extensions")
		ws, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		say(one)(ws)
	}))
	t.Cleanup(srv.Close)
	f := follow(t, client.Options{URL: srv.URL})
	if e := f.next(t, client.Snapshot); e.State.Values.String() != `{"a":1}` {
		t.Errorf("%+v", e)
	}
	if got := next(t, offered); !strings.HasPrefix(got, "permessage-deflate") {
		t.Errorf("offered %q", got)
	}
}

// A connection that took long to make, and ended at once, is no good one: the waiting goes on growing.
func TestALongDialIsNoGoodConnection(t *testing.T) {
	leakless(t)
	const settled, first = 50 * time.Millisecond, time.Millisecond
	up := websocket.Upgrader{Subprotocols: []string{wire.Subprotocol}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-time.After(settled + 10*time.Millisecond)
		if ws, err := up.Upgrade(w, r, nil); err == nil {
			_ = ws.Close()
		}
	}))
	defer srv.Close()
	ctx, stop := context.WithTimeout(t.Context(), generous)
	defer stop()
	grown := false
	c, err := client.New(client.Options{URL: srv.URL, OnEvent: func(e client.Event) {
		if e.Retry > 4*first { // which is more than after the first failure, however often that is had
			grown = true
			stop()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Settled(settled, first).Run(ctx)
	if !grown {
		t.Error("the waiting begins anew after each failure")
	}
}
