package client_test

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/notify/notifytest"
)

// exchange says one line after the other, and after each hands on what the client answers.
func exchange(answers chan<- wire.Client, lines ...string) func(*websocket.Conn) {
	return func(ws *websocket.Conn) {
		for _, line := range lines {
			_ = ws.WriteMessage(websocket.TextMessage, []byte(line))
			if !hear(ws, answers) {
				return
			}
		}
		for hear(ws, answers) {
		}
	}
}

func hear(ws *websocket.Conn, answers chan<- wire.Client) bool {
	_, data, err := ws.ReadMessage()
	if err != nil {
		return false
	}
	m, err := wire.ParseClient(data)
	if err != nil {
		panic(err)
	}
	answers <- *m
	return true
}

func negative(s *client.State) error {
	if s.Int("a", 0) < 0 {
		return errors.New("a is negative")
	}
	return nil
}

const (
	worse  = `{"type":"delta","from":"c1","to":"c2","commit":"2","cause":"commit","patch":[{"op":"replace","path":"/a","value":-1},{"op":"add","path":"/b","value":2}]}`
	better = `{"type":"delta","from":"c2","to":"c3","commit":"3","cause":"commit","patch":[{"op":"replace","path":"/a","value":3}]}`
)

// What a program does not accept is not served, and the server is told why; the next delta still applies to it.
func TestNack(t *testing.T) {
	leakless(t)
	answers := make(chan wire.Client, 10)
	url, _ := script(t, exchange(answers, one, worse, `{"type":"ping","cursor":"c2"}`, better))
	f := follow(t, client.Options{URL: url, Accept: negative})
	f.next(t, client.Snapshot)
	if e := f.next(t, client.Rejected); e.Err == nil || e.State.Commit != "2" {
		t.Errorf("%+v", e)
	}
	if _, stale := f.Stale(); !stale || f.Int("a", 0) != 1 || f.State().Commit != "1" {
		t.Errorf("what was not accepted is served: %+v", f.State())
	}
	if e := f.next(t, client.Delta); e.State.Values.String() != `{"a":3,"b":2}` || len(e.Changes) != 2 || !upToDate(f) {
		t.Errorf("%+v", e)
	}
	for _, want := range []wire.Client{
		{Type: wire.TypeAck, Cursor: "c1"},
		{Type: wire.TypeNack, Cursor: "c2", Reason: "a is negative"},
		{Type: wire.TypeNack, Cursor: "c2", Reason: "a is negative"}, // the ping
		{Type: wire.TypeAck, Cursor: "c3"},
	} {
		if got := next(t, answers); got.Type != want.Type || got.Cursor != want.Cursor || got.Reason != want.Reason {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

// The same is asked of again after a new connection: what stood against it may be over.
func TestNackIsAskedAgain(t *testing.T) {
	leakless(t)
	answers := make(chan wire.Client, 10)
	url, hellos := script(t, func(ws *websocket.Conn) {
		for _, line := range []string{one, worse} {
			_ = ws.WriteMessage(websocket.TextMessage, []byte(line))
			hear(ws, answers)
		}
	}, exchange(answers, `{"type":"current","cursor":"c2","commit":"2"}`))
	var asked atomic.Int64
	f := follow(t, client.Options{URL: url, Accept: func(s *client.State) error {
		if asked.Add(1) == 2 {
			return negative(s)
		}
		return nil
	}})
	f.next(t, client.Snapshot)
	f.next(t, client.Rejected)
	if e := f.until(t, client.Current); e.State.Values.String() != `{"a":-1,"b":2}` || len(e.Changes) != 2 || !upToDate(f) {
		t.Errorf("%+v", e)
	}
	next(t, answers)
	next(t, answers)
	<-hellos
	if second := <-hellos; second.Cursor != "c2" {
		t.Errorf("the server still takes us to have c2: %+v", second)
	}
	if got := next(t, answers); got.Type != wire.TypeAck || got.Cursor != "c2" {
		t.Errorf("%+v", got)
	}
}

// Nothing is there before the program accepts something.
func TestNothingAccepted(t *testing.T) {
	leakless(t)
	live := notifytest.NewLive()
	live.PutJSON("prod", `{"a":-1}`)
	f := follow(t, client.Options{URL: "http://" + serve(t, live, "127.0.0.1:0").addr, Accept: negative})
	f.next(t, client.Rejected)
	if f.State() != nil || f.Int("a", 7) != 7 {
		t.Error("what was not accepted is served")
	}
	live.PutJSON("prod", `{"a":1}`)
	f.wait(t)
	if e := f.next(t, client.Delta); e.Changes != nil || f.Int("a", 7) != 1 {
		t.Errorf("%+v", e)
	}
}

// A program that takes its time gets the newest when it is done. Meanwhile the client is there for the server.
func TestSlowAccept(t *testing.T) {
	leakless(t)
	answers := make(chan wire.Client, 10)
	url, _ := script(t, func(ws *websocket.Conn) {
		say := func(line string) { _ = ws.WriteMessage(websocket.TextMessage, []byte(line)) }
		say(one)
		hear(ws, answers)
		say(worse)
		say(`{"type":"ping","cursor":"c2"}`)
		hear(ws, answers)
		say(better)
		say(`{"type":"delta","from":"c3","to":"c4","commit":"4","patch":[{"op":"replace","path":"/a","value":4}]}`)
		say(`{"type":"ping","cursor":"c4"}`)
		for hear(ws, answers) {
		}
	})
	asked, done := make(chan string, 10), make(chan struct{})
	f := follow(t, client.Options{URL: url, Accept: func(s *client.State) error {
		asked <- s.Commit
		if s.Commit == "2" {
			<-done
		}
		return nil
	}})
	free := sync.OnceFunc(func() { close(done) })
	defer free()
	f.next(t, client.Snapshot)
	for i := range 3 { // of the snapshot, and of two pings
		if got := next(t, answers); got.Type != wire.TypeAck || got.Cursor != "c1" {
			t.Errorf("%d: %+v", i, got)
		}
	}
	free()
	f.next(t, client.Delta)
	if e := f.next(t, client.Delta); e.State.Values.String() != `{"a":4,"b":2}` {
		t.Errorf("%+v", e)
	}
	for _, want := range []string{"1", "2", "4"} {
		if got := <-asked; got != want {
			t.Errorf("asked of %s in the place of %s", got, want)
		}
	}
	for _, want := range []string{"c2", "c4"} {
		if got := next(t, answers); got.Cursor != want {
			t.Errorf("%+v, want %s", got, want)
		}
	}
}

// What was judged when the connection broke off is served; the new connection answers for itself.
func TestAcceptAcrossConnections(t *testing.T) {
	leakless(t)
	live := notifytest.NewLive()
	live.PutJSON("prod", `{"a":1}`)
	relay := newRelay(t, serve(t, live, "127.0.0.1:0").addr)
	asked, free := make(chan struct{}, 10), make(chan struct{})
	f := follow(t, client.Options{URL: "http://" + relay.addr, Accept: func(*client.State) error {
		asked <- struct{}{}
		<-free
		return nil
	}})
	<-asked
	relay.cut()
	f.next(t, client.Disconnected)
	free <- struct{}{}
	f.next(t, client.Snapshot)
	if f.Int("a", 0) != 1 {
		t.Error("what was accepted is not there")
	}
	close(free)
	for !upToDate(f) {
		select {
		case <-f.events:
		case <-t.Context().Done():
			t.Fatal("it stays stale")
		}
	}
}

func TestLongReasons(t *testing.T) {
	leakless(t)
	for _, reason := range []string{strings.Repeat("x", 5000), strings.Repeat("ü", 2000), "not \xff UTF-8", strings.Repeat("\xff", 3000)} {
		answers := make(chan wire.Client, 10)
		url, _ := script(t, exchange(answers, one))
		f := follow(t, client.Options{URL: url, Accept: func(*client.State) error { return errors.New(reason) }})
		got := next(t, answers)
		if got.Type != wire.TypeNack || !utf8.ValidString(got.Reason) || len(got.Reason) > wire.MaxReasonLength || got.Reason == "" {
			t.Errorf("%+v", got)
		}
		f.cancel()
	}
}

// However a program judges, what it reads is the newest that it accepted.
func TestAcceptUnderLoad(t *testing.T) {
	leakless(t)
	live := notifytest.NewLive()
	live.PutJSON("prod", `{"a":0}`)
	var accepted atomic.Int64
	f := follow(t, client.Options{URL: "http://" + serve(t, live, "127.0.0.1:0").addr, Accept: func(s *client.State) error {
		if s.Int("a", 0)%3 == 1 {
			return errors.New("not this")
		}
		accepted.Store(s.Int("a", 0))
		return nil
	}})
	for n := 1; n <= 300; n++ {
		live.PutJSON("prod", `{"a":`+strconv.Itoa(n)+`}`)
	}
	for {
		e := next(t, f.events)
		if e.Kind != client.Rejected && e.State.Int("a", -1)%3 == 1 {
			t.Fatalf("%+v", e)
		}
		if e.State.Int("a", -1) == 300 {
			break
		}
	}
	if f.Int("a", -1) != 300 || accepted.Load() != 300 {
		t.Errorf("a is %d, accepted %d", f.Int("a", -1), accepted.Load())
	}
}
