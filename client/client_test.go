package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/notify/notifytest"
	"github.com/trunkline/trunkline/value"
)

func TestTypedReads(t *testing.T) {
	leakless(t)
	live := notifytest.NewLive()
	f := follow(t, client.Options{URL: "http://" + serve(t, live, "127.0.0.1:0").addr + "/"})
	if f.State() != nil || f.Int("checkout.limit", 7) != 7 || upToDate(f) {
		t.Error("something is there before the first values")
	}
	v := live.PutJSON("prod", shop)
	f.wait(t)
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"string", f.String("checkout.name", "d"), "x"},
		{"string for an integer", f.String("checkout.limit", "d"), "d"},
		{"string that is redacted", f.String("checkout.dsn", "d"), "d"},
		{"missing", f.String("checkout.nope", "d"), "d"},
		{"no path", f.String("checkout..", "d"), "d"},
		{"int", f.Int("checkout.limit", 1), int64(20)},
		{"int by pointer", f.Int("/checkout/limit", 1), int64(20)},
		{"int of a list", f.Int("list[1]", 7), int64(2)},
		{"int for a float", f.Int("checkout.ratio", 1), int64(1)},
		{"float", f.Float("checkout.ratio", 1), 1.5},
		{"float for an integer", f.Float("checkout.limit", 1), 20.0},
		{"bool", f.Bool("checkout.on", false), true},
		{"bool for a string", f.Bool("checkout.name", true), true},
		{"duration", f.Duration("checkout.timeout", 1), 90 * time.Second},
		{"days", f.Duration("checkout.days", 1), 7 * 24 * time.Hour},
		{"duration for a number", f.Duration("checkout.limit", time.Hour), time.Hour},
		{"duration that is redacted", f.Duration("checkout.dsn", time.Hour), time.Hour},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
	s := f.State()
	if s.Commit != v.ID || s.Author != "Ada" || s.Subject != "change" || s.Cursor == "" || !upToDate(f) {
		t.Errorf("%+v", s)
	}
	if dsn, ok := s.Values.Lookup("checkout.dsn"); !ok || dsn.Fingerprint() != "ab" {
		t.Error("the fingerprint is not there")
	}
}

func TestReadsIntoTypes(t *testing.T) {
	live := notifytest.NewLive()
	live.PutJSON("prod", `{"checkout":{"timeout":"90s","limit":20,"hosts":["a","b"],"retries":300}}`)
	h := serve(t, live, "127.0.0.1:0")
	f := follow(t, client.Options{URL: "http://" + h.addr})
	if got, err := client.Read(f.Client, "checkout.limit", 7); got != 7 && got != 20 || err != nil {
		t.Errorf("before the first values: %d, %v", got, err)
	}
	if err := f.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	timeout, err := client.Read(f.Client, "checkout.timeout", time.Second)
	if timeout != 90*time.Second || err != nil {
		t.Errorf("timeout %s, %v", timeout, err)
	}
	if n, err := client.Read(f.Client, "checkout.retries", uint8(3)); n != 3 || err == nil || !strings.Contains(err.Error(), "checkout.retries") {
		t.Errorf("retries %d, %v", n, err)
	}
	var into struct {
		Timeout time.Duration
		Hosts   []string
	}
	if err := f.Decode("checkout", &into); err != nil || into.Timeout != 90*time.Second || len(into.Hosts) != 2 {
		t.Errorf("%+v, %v", into, err)
	}
}

func TestReadsAllocateNothing(t *testing.T) {
	live := notifytest.NewLive()
	live.PutJSON("prod", shop)
	f := follow(t, client.Options{URL: "http://" + serve(t, live, "127.0.0.1:0").addr})
	f.wait(t)
	if n := testing.AllocsPerRun(100, func() {
		if f.Int("checkout.limit", 0) != 20 || !f.Bool("checkout.on", false) || f.String("checkout.name", "") != "x" {
			t.Error("another value")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestEventsInOrder(t *testing.T) {
	leakless(t)
	live := notifytest.NewLive()
	live.PutJSON("prod", `{"n":0,"other":0}`)
	f := follow(t, client.Options{URL: "http://" + serve(t, live, "127.0.0.1:0").addr, Patterns: []string{"n"}})
	if e := f.next(t, client.Snapshot); e.Changes != nil || e.State.Values.String() != `{"n":0}` {
		t.Errorf("%+v", e)
	}
	for n := 1; n <= 50; n++ {
		v := live.PutJSON("prod", `{"n":`+strconv.Itoa(n)+`,"other":1}`)
		e := f.next(t, client.Delta)
		if len(e.Changes) != 1 || e.Changes[0].Old.Int() != int64(n-1) || e.Changes[0].New.Int() != int64(n) || e.Cause != "commit" || e.State.Commit != v.ID {
			t.Fatalf("%d: %+v", n, e)
		}
		if f.Int("n", -1) != int64(n) {
			t.Fatal("the event came before the value")
		}
	}
}

func TestReadsDuringUpdates(t *testing.T) {
	leakless(t)
	live := notifytest.NewLive()
	live.PutJSON("prod", `{"a":0,"b":0}`)
	f := follow(t, client.Options{URL: "http://" + serve(t, live, "127.0.0.1:0").addr})
	f.next(t, client.Snapshot)
	var readers sync.WaitGroup
	stop := make(chan struct{})
	defer readers.Wait()
	defer close(stop)
	for range 4 {
		readers.Go(func() {
			last := int64(0)
			for {
				select {
				case <-stop:
					return
				default:
				}
				v := f.State().Values
				a, _ := v.Lookup("a")
				b, _ := v.Lookup("b")
				if a.Int() != b.Int() || a.Int() < last || f.Int("a", -1) < a.Int() {
					t.Errorf("a is %d, b is %d, after %d", a.Int(), b.Int(), last)
					return
				}
				last = a.Int()
			}
		})
	}
	for n := 1; n <= 200; n++ {
		live.PutJSON("prod", `{"a":`+strconv.Itoa(n)+`,"b":`+strconv.Itoa(n)+`}`)
	}
	for f.next(t, client.Delta).State.Values.String() != `{"a":200,"b":200}` {
	}
}

func TestServerRestart(t *testing.T) {
	leakless(t)
	live := notifytest.NewLive()
	live.PutJSON("prod", `{"a":1}`)
	h := serve(t, live, "127.0.0.1:0")
	f := follow(t, client.Options{URL: "http://" + h.addr, Env: "prod"})
	f.next(t, client.Snapshot)
	h.stop()
	if e := f.next(t, client.Disconnected); e.Err == nil || e.Retry < 500*time.Millisecond || e.Retry > 6*time.Second {
		t.Errorf("%+v", e)
	}
	if upToDate(f) || f.Int("a", 0) != 1 {
		t.Error("the last values must stay, and be known as stale")
	}
	moved := live.PutJSON("prod", `{"a":1}`)
	serve(t, live, h.addr)
	if e := f.until(t, client.Current); e.State.Commit != moved.ID || len(e.Changes) != 0 || !upToDate(f) {
		t.Errorf("%+v", e)
	}
	live.PutJSON("prod", `{"a":2}`)
	if e := f.next(t, client.Delta); e.State.Values.String() != `{"a":2}` {
		t.Errorf("%+v", e)
	}
}

// A network that breaks is no reason to send everything again.
func TestResumesByADelta(t *testing.T) {
	leakless(t)
	live := notifytest.NewLive()
	live.PutJSON("prod", `{"a":1,"b":1}`)
	h := serve(t, live, "127.0.0.1:0")
	relay := newRelay(t, h.addr)
	f := follow(t, client.Options{URL: "http://" + relay.addr})
	f.next(t, client.Snapshot)
	relay.cut()
	f.next(t, client.Disconnected)
	live.PutJSON("prod", `{"a":2,"b":1}`)
	if e := f.until(t, client.Delta); len(e.Changes) != 1 || f.Int("a", 0) != 2 {
		t.Errorf("%+v", e)
	}
}

// Whatever does not fit what the client has makes it ask for everything anew; the last values stay until then.
func TestWhatDoesNotFit(t *testing.T) {
	for name, line := range map[string]string{
		"a delta from elsewhere":    `{"type":"delta","from":"c0","to":"c2","patch":[]}`,
		"replace what is not there": `{"type":"delta","from":"c1","to":"c2","patch":[{"op":"replace","path":"/b","value":1}]}`,
		"remove what is not there":  `{"type":"delta","from":"c1","to":"c2","patch":[{"op":"remove","path":"/b"}]}`,
		"an unknown operation":      `{"type":"delta","from":"c1","to":"c2","patch":[{"op":"test","path":"/a","value":1}]}`,
		"no pointer":                `{"type":"delta","from":"c1","to":"c2","patch":[{"op":"replace","path":"a","value":2}]}`,
		"no value":                  `{"type":"delta","from":"c1","to":"c2","patch":[{"op":"replace","path":"/a"}]}`,
		"no patch":                  `{"type":"delta","from":"c1","to":"c2"}`,
		"current elsewhere":         `{"type":"current","cursor":"c2"}`,
		"a ping from elsewhere":     `{"type":"ping","cursor":"c2"}`,
	} {
		t.Run(name, func(t *testing.T) {
			leakless(t)
			url, hellos := script(t, say(one, line), say(fresh))
			f := follow(t, client.Options{URL: url, Env: "prod", Name: "test", Version: "1"})
			f.next(t, client.Snapshot)
			if e := f.next(t, client.Disconnected); e.State.Values.String() != `{"a":1}` {
				t.Errorf("%+v", e)
			}
			if e := f.until(t, client.Snapshot); e.State.Values.String() != `{"a":9}` || len(e.Changes) != 1 {
				t.Errorf("%+v", e)
			}
			if first, second := <-hellos, <-hellos; first.Cursor != "" || second.Cursor != "" || first.Client.Name != "test" || first.Env != "prod" {
				t.Errorf("%+v %+v", first, second)
			}
		})
	}
}

func TestStrangeServers(t *testing.T) {
	for name, do := range map[string]func(*websocket.Conn){
		"a ping first":     say(`{"type":"ping","cursor":""}`),
		"a current first":  say(`{"type":"current","cursor":"c1"}`),
		"a delta first":    say(`{"type":"delta","from":"","to":"c1","patch":[]}`),
		"garbage":          say(`<html>`),
		"no values":        say(`{"type":"snapshot","cursor":"c1"}`),
		"values cut short": say(`{"type":"snapshot","cursor":"c1","values":{"a":1e999}}`),
		"error, no close": func(ws *websocket.Conn) {
			_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"error","code":"notReady"}`))
		},
		"close": ending(1000),
	} {
		t.Run(name, func(t *testing.T) {
			leakless(t)
			url, _ := script(t, do, say(`{"type":"news"}`, fresh))
			f := follow(t, client.Options{URL: url})
			f.next(t, client.Disconnected)
			f.until(t, client.Snapshot)
		})
	}
}

func TestGoaway(t *testing.T) {
	leakless(t)
	url, hellos := script(t, ending(wire.CloseRestart, one, `{"type":"goaway","retryAfterMs":321}`), say(`{"type":"current","cursor":"c1","commit":"2"}`))
	f := follow(t, client.Options{URL: url})
	f.next(t, client.Snapshot)
	if e := f.next(t, client.Disconnected); e.Retry != 321*time.Millisecond {
		t.Errorf("%+v", e)
	}
	if e := f.next(t, client.Current); e.State.Commit != "2" || (<-hellos).Cursor != "" || (<-hellos).Cursor != "c1" {
		t.Errorf("%+v", e)
	}
}

// Who loses the connection is told why: a server that restarts is not a credential that ends.
func TestGoawaySaysWhy(t *testing.T) {
	for _, test := range []struct {
		code       int
		text, want string
	}{
		{wire.CloseRestart, "restart", "the server stops or restarts"},
		{wire.CloseCredential, "changed", "what the credential grants has changed"},
		{wire.CloseCredential, "revoked", "the credential was revoked"},
		{wire.CloseCredential, "expired", "the credential has expired"},
	} {
		t.Run(test.text, func(t *testing.T) {
			leakless(t)
			url, _ := script(t, func(ws *websocket.Conn) {
				_ = ws.WriteMessage(websocket.TextMessage, []byte(one))
				_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"goaway","retryAfterMs":5000}`))
				_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(test.code, test.text), time.Now().Add(generous))
				_, _, _ = ws.ReadMessage()
			})
			f := follow(t, client.Options{URL: url})
			f.next(t, client.Snapshot)
			if e := f.next(t, client.Disconnected); e.Err.Error() != test.want || e.Retry != 5*time.Second {
				t.Errorf("disconnected: %v, again after %s", e.Err, e.Retry)
			}
		})
	}
}

func TestPause(t *testing.T) {
	c, err := client.New(client.Options{URL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	for try, most := range map[int]time.Duration{0: 220, 1: 440, 3: 1760, 7: 28160, 8: 33000, 100: 33000, 1 << 40: 33000} {
		seen := map[time.Duration]bool{}
		for range 200 {
			p := c.Pause(errors.New("broken"), try)
			if p < most*time.Millisecond/11 || p > most*time.Millisecond {
				t.Fatalf("try %d: %s", try, p)
			}
			seen[p] = true
		}
		if len(seen) < 100 {
			t.Errorf("try %d: %d different pauses of 200", try, len(seen))
		}
	}
	for asked, want := range map[time.Duration]time.Duration{
		-time.Hour: 200 * time.Millisecond, 0: 200 * time.Millisecond, time.Second: time.Second, 1000 * time.Hour: 5 * time.Minute,
	} {
		if got := c.Pause(client.Restarting(asked), 3); got != want {
			t.Errorf("asked for %s, waits %s", asked, got)
		}
	}
}

func TestRefused(t *testing.T) {
	live := notifytest.NewLive()
	live.PutJSON("prod", `{}`)
	live.PutJSON("staging", `{}`)
	for name, o := range map[string]client.Options{
		"unknown environment": {Env: "nope"},
		"no environment":      {},
	} {
		t.Run(name, func(t *testing.T) {
			leakless(t)
			o.URL = "http://" + serve(t, live, "127.0.0.1:0").addr
			f := follow(t, o)
			if err := f.ended(t); !errors.Is(err, client.ErrRefused) {
				t.Error(err)
			}
			if err := f.Wait(t.Context()); !errors.Is(err, client.ErrRefused) {
				t.Error(err)
			}
		})
	}
	for name, do := range map[string]func(*websocket.Conn){
		"a code of tomorrow": ending(4403, `{"type":"error","code":"forbidden","message":"m","hint":"h"}`),
		"a bare close":       ending(wire.CloseUnknownEnvironment),
	} {
		t.Run(name, func(t *testing.T) {
			leakless(t)
			url, _ := script(t, do)
			if err := follow(t, client.Options{URL: url}).ended(t); !errors.Is(err, client.ErrRefused) {
				t.Error(err)
			}
		})
	}
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusMisdirectedRequest} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		if err := follow(t, client.Options{URL: srv.URL}).ended(t); !errors.Is(err, client.ErrRefused) {
			t.Errorf("%d: %v", status, err)
		}
		srv.Close()
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	c, err := client.New(client.Options{URL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestOptionsThatTheServerWouldRefuse(t *testing.T) {
	for name, o := range map[string]client.Options{
		"no pattern":        {Patterns: []string{"a..b"}},
		"too many patterns": {Patterns: slices.Repeat([]string{"a"}, 101)},
		"a long name":       {Name: strings.Repeat("x", 1000)},
		"no context":        {Context: map[string]any{"f": func() {}}},
		"a large context":   {Context: map[string]any{"f": strings.Repeat("x", 20_000)}},
	} {
		o.URL = "http://127.0.0.1:1"
		if _, err := client.New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestCredentialInURL(t *testing.T) {
	_, err := client.New(client.Options{URL: "https://ops:hunter2@config.example"})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}

func TestURLs(t *testing.T) {
	for url, good := range map[string]bool{
		"http://127.0.0.1:7420": true, "https://config.example": true, "http://config.example/under/": true, "ws://x": true, "wss://x": true,
		"": false, "127.0.0.1:7420": false, "http://": false, "ftp://x": false, "http://[::1": false, "http://x/?a=b": false, "http://x/#a": false,
	} {
		if _, err := client.New(client.Options{URL: url}); (err == nil) != good {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestPatch(t *testing.T) {
	long := strings.Repeat("k", 5000)
	for _, c := range []struct{ doc, patch, want string }{
		{`{"a":1}`, `[]`, `{"a":1}`},
		{`{"a":1}`, `[{"op":"add","path":"/a","value":null}]`, `{"a":null}`},
		{`{"a":1}`, `[{"op":"add","path":"/b","value":{"$redacted":true,"fp":"x"}}]`, `{"a":1,"b":{"$redacted":true,"fp":"x"}}`},
		{`{"a/b":{"~":1,"~1":2}}`, `[{"op":"replace","path":"/a~1b/~0","value":[1.0]},{"op":"remove","path":"/a~1b/~01"}]`, `{"a/b":{"~":[1.0]}}`},
		{`{"":{"":1}}`, `[{"op":"remove","path":"//"}]`, `{"":{}}`},
		{`{"a":1}`, `[{"op":"replace","path":"","value":{"b":2}}]`, `{"b":2}`},
		{`{}`, `[{"op":"add","path":"/` + long + `","value":1}]`, `{"` + long + `":1}`},
		{`{"a":{"b":1,"c":1}}`, `[{"op":"remove","path":"/a/b"},{"op":"add","path":"/a/b","value":2},{"op":"replace","path":"/a/b","value":3}]`, `{"a":{"b":3,"c":1}}`},
		{`{"a":{"b":1}}`, `[{"op":"replace","path":"/a","value":{"c":1}},{"op":"add","path":"/a/d","value":2}]`, `{"a":{"c":1,"d":2}}`},
		{`{"a":{"b":1}}`, `[{"op":"replace","path":"/a/b","value":2},{"op":"remove","path":"/a"}]`, `{}`},
		{`{"a":{"b":1}}`, `[{"op":"remove","path":"/a"},{"op":"add","path":"/a/b","value":1}]`, ""},
		{`{"a":{"b":1}}`, `[{"op":"remove","path":"/a/b"},{"op":"remove","path":"/a/b"}]`, ""},
		{`{"a":{"b":1}}`, `[{"op":"replace","path":"/a/b","value":1}]`, `{"a":{"b":1}}`},
		{`{"a":1}`, `[{"op":"remove","path":""}]`, ""},
		{`{"a":1}`, `[{"op":"add","path":"/b/c","value":1}]`, ""},
		{`{"a":1}`, `[{"op":"add","path":"/a/c","value":1}]`, ""},
		{`{"a":[1]}`, `[{"op":"replace","path":"/a/0","value":2}]`, ""}, // lists are replaced as a whole
		{`{"a":1}`, `{}`, ""},
	} {
		v, err := value.ParseJSON([]byte(c.doc))
		if err != nil {
			t.Fatal(err)
		}
		got, err := client.ApplyPatch(v, []byte(c.patch))
		switch {
		case (err == nil) != (c.want != ""):
			t.Errorf("%s: %v", c.patch, err)
		case err == nil && got.String() != c.want:
			t.Errorf("%s: %s", c.patch, got)
		}
	}
}

// The client is linked into other people's programs.
func TestDependencies(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	const module = "github.com/trunkline/trunkline/"
	for dep := range strings.Lines(string(out)) {
		dep = strings.TrimSpace(dep)
		own, ours := strings.CutPrefix(dep, module)
		if ours && !slices.Contains([]string{"client", "client/wire", "internal/atomicfile", "value"}, own) || strings.Contains(dep, "go-git") || strings.Contains(dep, "nats") {
			t.Errorf("the client needs %s", dep)
		}
	}
}

// The token is asked for before each connection, and a refusal is told in the server's words.
func TestShowsItsToken(t *testing.T) {
	leakless(t)
	shown := make(chan string, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown <- r.Header.Get("Authorization")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"error":{"code":"tokenExpired","message":"the token has expired","hint":"make another"}}`))
	}))
	t.Cleanup(srv.Close)
	c, err := client.New(client.Options{URL: srv.URL, Token: func() (string, error) { return "tlk_of_mine", nil }})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Run(t.Context()); !errors.Is(err, client.ErrRefused) || !strings.Contains(err.Error(), "the token has expired; make another") {
		t.Errorf("Run: %v", err)
	}
	if got := <-shown; got != "Bearer tlk_of_mine" {
		t.Errorf("shown %q", got)
	}
}
