package ofrep_test

import (
	"bufio"
	"context"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/api/ofrep"
	"github.com/trunkline/trunkline/notify/notifytest"
)

// wire is the other side of an event stream, without a socket.
type wire struct {
	mu     sync.Mutex
	text   strings.Builder
	header http.Header
	status int
	cancel context.CancelFunc
	done   chan struct{}
}

func (w *wire) Header() http.Header { return w.header }
func (w *wire) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status = status
}
func (w *wire) FlushError() error                { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

// heard is what came since the last call, without the first lines of a stream.
func (w *wire) heard() string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	text := w.text.String()
	w.text.Reset()
	return text
}

const near = "127.0.0.1:4711" // no bound of an address holds for this machine

// listens opens an event stream in a bubble.
func listens(h http.Handler, who *access.Identity, path string, headers ...string) *wire {
	w := &wire{header: http.Header{}, done: make(chan struct{})}
	ctx, cancel := context.WithCancel(access.NewContext(context.Background(), who))
	w.cancel = cancel
	r := httptest.NewRequest(http.MethodGet, path, nil).WithContext(ctx)
	r.RemoteAddr = near
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	go func() {
		defer close(w.done)
		h.ServeHTTP(w, r)
	}()
	return w
}

func (w *wire) close() {
	w.cancel()
	<-w.done
}

const refetch = "event: message\ndata: {\"type\":\"refetchEvaluation\",\"etag\":\""

// TestEventsTellOfWhatIsSeen holds that a stream is woken by what it can evaluate, time included, and by nothing else.
func TestEventsTellOfWhatIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now().UTC().Truncate(time.Minute).Add(10 * time.Minute)
		ramp := func(path string) string {
			return "environments: [prod]\nunit: targetingKey\nsalt: s1\nset: {" + path + ": true}\nrules: [{name: all, ramp: {start: " + began.Format(time.RFC3339) + ", steps: [{after: 0h, percentage: 5%}, {after: 1h, percentage: 50%}]}}]\n"
		}
		c := content{
			values: "seen: {a: 1, ramped: false}\nhidden: {a: 1, ramped: false}\nother: {a: 1}", flags: []string{"seen.**", "hidden.**"},
			files: map[string]string{"rollouts/seen.yaml": ramp("seen.ramped"), "rollouts/hidden.yaml": strings.NewReplacer("1h", "2h", "s1", "s2").Replace(ramp("hidden.ramped"))},
		}
		h, l := serving(t, c)
		part := caller(t, `{"environments": ["prod"], "patterns": ["seen.**", "other.**"]}`)
		w := listens(h, part, "/ofrep/v1/events")
		if first := w.heard(); strings.Contains(first, "event:") || !strings.HasPrefix(first, "retry: ") || w.header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("the stream begins with %q", first)
		}
		commits := 1
		change := func(what string, edit func(*content), wakes bool) {
			t.Helper()
			edit(&c)
			commits++
			commit := "commit" + string(rune('0'+commits))
			l.PutVersion("prod", compiled(t, "prod", commit, c))
			if got := w.heard(); strings.Contains(got, refetch+commit) != wakes || !wakes && got != "" {
				t.Errorf("%s: %q", what, got)
			}
		}
		change("a commit of nothing", func(*content) {}, false)
		change("what is not granted", func(c *content) { c.values = strings.Replace(c.values, "hidden: {a: 1", "hidden: {a: 2", 1) }, false)
		change("what is no flag", func(c *content) { c.values = strings.Replace(c.values, "other: {a: 1", "other: {a: 2", 1) }, false)
		change("a definition that is not seen", func(c *content) {
			c.files["rollouts/hidden.yaml"] = strings.Replace(c.files["rollouts/hidden.yaml"], "5%", "6%", 1)
		}, false)
		change("a stop of it", func(c *content) { c.stopped = []string{"hidden"} }, false)
		change("a value", func(c *content) { c.values = strings.Replace(c.values, "seen: {a: 1", "seen: {a: 2", 1) }, true)
		change("a definition", func(c *content) {
			c.files["rollouts/seen.yaml"] = strings.Replace(c.files["rollouts/seen.yaml"], "5%", "6%", 1)
		}, true)
		change("a stop", func(c *content) { c.stopped = []string{"hidden", "seen"} }, true)
		change("its end", func(c *content) { c.stopped = []string{"hidden"} }, true)
		for _, step := range []struct {
			at    time.Duration
			wakes bool
		}{{-time.Second, false}, {0, true}, {time.Hour - time.Second, false}, {time.Hour, true}, {2*time.Hour + time.Second, false}} {
			time.Sleep(time.Until(began.Add(step.at)))
			if got := w.heard(); strings.Contains(got, refetch) != step.wakes {
				t.Errorf("at %s: %q", step.at, got)
			}
		}
		time.Sleep(ofrep.Heartbeat + time.Second)
		if got := w.heard(); !strings.Contains(got, ":\n\n") {
			t.Errorf("no heartbeat: %q", got)
		}
		w.close()
	})
}

// TestNothingIsMissed holds that a change between an answer and its stream is told, and one while the connection was broken.
func TestNothingIsMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, l := serving(t, shop)
		offered := read[flags](t, as(h, everybody, "POST", "/env/prod"+bulk, "").Body).EventStreams
		if len(offered) != 1 || offered[0].Type != "sse" || !strings.HasPrefix(offered[0].Endpoint.RequestURI, "/env/prod/ofrep/v1/events?since=") {
			t.Fatalf("offered are %+v", offered)
		}
		at := offered[0].Endpoint.RequestURI
		still := listens(h, everybody, at)
		first := still.heard()
		_, state, _ := strings.Cut(first, "id: ")
		state = strings.TrimSpace(state)
		still.close()
		changed := shop
		changed.values = strings.Replace(shop.values, "timeout: 20", "timeout: 21", 1)
		l.PutVersion("prod", compiled(t, "prod", "commit2", changed))
		late := listens(h, everybody, at)
		again := listens(h, everybody, at, "Last-Event-ID", state)
		for name, w := range map[string]*wire{"late": late, "again": again} {
			if got := w.heard(); !strings.Contains(got, refetch+"commit2") {
				t.Errorf("%s: %q", name, got)
			}
			w.close()
		}
		if strings.Contains(first, "event:") || len(state) != 24 {
			t.Errorf("the first words are %q", first)
		}
	})
}

// TestWhenStreamsEnd holds that a stream ends with its environment and with the server, and that they are bounded.
func TestWhenStreamsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := notifytest.NewLive()
		l.PutVersion("prod", compiled(t, "prod", "commit1", shop))
		var open atomic.Int32
		h := ofrep.New(ofrep.Options{Live: l, MaxStreams: 2, Observe: ofrep.Observer{Streams: func(n int) { open.Add(int32(n)) }}})
		first, second := listens(h, everybody, "/ofrep/v1/events"), listens(h, everybody, "/ofrep/v1/events")
		first.heard()
		if w := as(h, everybody, "GET", "/ofrep/v1/events", ""); w.Code != 503 || w.Header().Get("Retry-After") != "10" || open.Load() != 2 {
			t.Errorf("a third of two: %d %v, %d are open", w.Code, w.Header(), open.Load())
		}
		first.close()
		l.PutVersion("prod", nil)
		<-second.done
		l.PutVersion("prod", compiled(t, "prod", "commit2", shop))
		third := listens(h, everybody, "/ofrep/v1/events")
		third.heard()
		h.Stop()
		<-third.done
		if w := as(h, everybody, "GET", "/ofrep/v1/events", ""); w.Code != 503 || open.Load() != 0 {
			t.Errorf("after the end: %d, %d are open", w.Code, open.Load())
		}
		h.Stop()
	})
}

// TestStreamsOfOneAddress holds that one address has half of the streams at most, this machine excepted, and gives back what it has.
func TestStreamsOfOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := notifytest.NewLive()
		l.PutVersion("prod", compiled(t, "prod", "commit1", shop))
		counted, guard := counting()
		h := ofrep.New(ofrep.Options{Live: l, MaxStreams: 6, Guard: guard})
		from := func(addr string) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.RemoteAddr = addr
				h.ServeHTTP(w, r)
			})
		}
		var open []*wire
		for _, addr := range []string{"[2001:db8::1]:1", "[2001:db8::2]:2", "[2001:db8::3]:3"} {
			open = append(open, listens(from(addr), everybody, "/ofrep/v1/events"))
			open[len(open)-1].heard()
		}
		if w := as(from("[2001:db8::4]:4"), everybody, "GET", "/ofrep/v1/events", ""); w.Code != 429 || w.Header().Get("Retry-After") != "10" {
			t.Errorf("a fourth of three: %d %v", w.Code, w.Header())
		}
		open[0].close()
		open[0] = listens(from("[2001:db8::5]:5"), everybody, "/ofrep/v1/events")
		if got := open[0].heard(); !strings.HasPrefix(got, "retry: ") {
			t.Errorf("once another is closed: %d %q", open[0].status, got)
		}
		for range 3 {
			open = append(open, listens(h, everybody, "/ofrep/v1/events"))
			if got := open[len(open)-1].heard(); !strings.HasPrefix(got, "retry: ") {
				t.Errorf("of this machine: %d %q", open[len(open)-1].status, got)
			}
		}
		if w := as(h, everybody, "GET", "/ofrep/v1/events", ""); w.Code != 503 {
			t.Errorf("a seventh of six: %d", w.Code)
		}
		for _, w := range open {
			w.close()
		}
		if want := map[string]int{"tooManyStreamsAddress": 1, "tooManyStreamsServer": 1}; !maps.Equal(counted, want) {
			t.Errorf("counted are %v", counted)
		}
	})
}

// TestTicketsOfStreams holds that a page is given another stream when its own has ended, and keeps what it has otherwise.
func TestTicketsOfStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := notifytest.NewLive()
		l.PutVersion("prod", compiled(t, "prod", "commit1", shop))
		made := 0
		h := ofrep.New(ofrep.Options{Live: l, Ticket: func(*http.Request) (string, bool) {
			made++
			return "tlt_" + string(rune('a'+made)), made < 20
		}})
		time.Sleep(time.Second)
		who := caller(t, `{"environments": ["prod"], "patterns": ["**"]}`)
		asks := func(tag string) (int, string, string) {
			w := as(h, who, "POST", bulk, "", "If-None-Match", tag)
			if w.Code != 200 {
				return w.Code, w.Header().Get("ETag"), ""
			}
			return w.Code, w.Header().Get("ETag"), read[flags](t, w.Body).EventStreams[0].Endpoint.RequestURI
		}
		is := func(want int) func(int, string, string) (string, string) {
			t.Helper()
			return func(code int, tag, at string) (string, string) {
				t.Helper()
				if code != want {
					t.Errorf("answered %d, not %d", code, want)
				}
				return tag, at
			}
		}
		tag, at := is(200)(asks(""))
		if address, err := url.Parse(at); err != nil || address.Query().Get("ticket") == "" || address.Query().Get("stream") == "" {
			t.Fatalf("the stream is at %s", at)
		}
		is(304)(asks(tag)) // a poller that opens no stream
		time.Sleep(time.Hour)
		is(304)(asks(tag))
		w := listens(h, who, at)
		w.heard()
		is(304)(asks(tag)) // the stream is open
		changed := shop
		changed.values = strings.Replace(shop.values, "timeout: 20", "timeout: 21", 1)
		l.PutVersion("prod", compiled(t, "prod", "commit2", changed))
		newer, _ := is(200)(asks(tag)) // it goes on with the stream that it has
		is(304)(asks(newer))
		w.close()
		again, elsewhere := is(200)(asks(newer)) // which has ended: what it was given with the answer serves no longer
		if again == newer || elsewhere == at {
			t.Errorf("after the end it is given %s at %s", again, elsewhere)
		}
		is(304)(asks(again))
		is(200)(asks(`"` + strings.Repeat("a", 24) + `.nonsense"`))
		time.Sleep(time.Second)
		fresh := ofrep.New(ofrep.Options{Live: l, Ticket: func(*http.Request) (string, bool) { return "tlt_z", true }})
		if w := as(fresh, who, "POST", bulk, "", "If-None-Match", again); w.Code != 200 {
			t.Errorf("a server that began later: %d", w.Code)
		}
		made = 100
		if w := as(h, who, "POST", bulk, ""); strings.Contains(w.Body.String(), "eventStreams") || strings.Contains(w.Header().Get("ETag"), ".") {
			t.Errorf("without a ticket: %v %s", w.Header(), w.Body)
		}
	})
}

// TestEventsOverSockets holds what needs a real connection: a ticket serves once, a stream ends with its credential within a second, and who
// does not read is cut.
func TestEventsOverSockets(t *testing.T) {
	tokens, err := access.OpenTokens(t.TempDir()+"/tokens.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	text, made, err := tokens.New(access.TokenOptions{Name: "web", Grant: grant(t, `{"environments": ["prod"], "patterns": ["**"]}`)})
	if err != nil {
		t.Fatal(err)
	}
	guard := access.NewGuard(access.GuardOptions{Tokens: tokens, CredentialsOnly: true})
	ctx, cancel := context.WithCancel(t.Context())
	var watch sync.WaitGroup
	watch.Go(func() { _ = guard.Run(ctx) })
	defer watch.Wait()
	defer cancel()
	l := notifytest.NewLive()
	l.PutVersion("prod", compiled(t, "prod", "commit1", shop))
	h := ofrep.New(ofrep.Options{Live: l, Guard: guard, Ticket: guard.Ticket})
	server := httptest.NewUnstartedServer(ofrep.Entry(guard.WrapFunc(h.Serve, access.AcceptTickets())))
	server.Config.ReadTimeout, server.Config.WriteTimeout = 500*time.Millisecond, 500*time.Millisecond // a stream outlives both
	server.Start()
	defer server.Close()

	request, _ := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+bulk, strings.NewReader(`{}`))
	request.Header.Set("Authorization", "Bearer "+text)
	res, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	at := server.URL + read[flags](t, res.Body).EventStreams[0].Endpoint.RequestURI
	_ = res.Body.Close()
	stream, err := server.Client().Get(at)
	if err != nil || stream.StatusCode != 200 {
		t.Fatalf("%v %v", stream, err)
	}
	defer stream.Body.Close()
	lines := bufio.NewScanner(stream.Body)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "retry: ") {
		t.Fatalf("%q", lines.Text())
	}
	second, err := server.Client().Get(at)
	if err != nil || second.StatusCode != 401 {
		t.Errorf("a ticket serves twice: %v %v", second, err)
	}
	_ = second.Body.Close()
	time.Sleep(700 * time.Millisecond) // beyond the deadlines of other requests
	changed := shop
	changed.values = strings.Replace(shop.values, "timeout: 20", "timeout: 21", 1)
	l.PutVersion("prod", compiled(t, "prod", "commit2", changed))
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "data: ") {
		// the end of what was begun, and the name of the state
	}
	if lines.Text() != `data: {"type":"refetchEvaluation","etag":"commit2"}` {
		t.Errorf("%q", lines.Text())
	}
	if _, err := tokens.Revoke(made.ID); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines.Scan() {
			// until the server ends it
		}
	}()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("the stream outlives its credential")
	}
}

// stuck is a connection whose reader takes nothing.
type stuck struct {
	wire
	deadline time.Time
}

func (s *stuck) SetWriteDeadline(at time.Time) error {
	s.deadline = at
	return nil
}

func (s *stuck) Write([]byte) (int, error) {
	time.Sleep(time.Until(s.deadline))
	return 0, net.ErrClosed
}

// TestWhoDoesNotReadIsCut holds that a reader who takes nothing keeps a stream for no longer than its patience.
func TestWhoDoesNotReadIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := serving(t, shop)
		w := &stuck{wire: wire{header: http.Header{}}}
		r := httptest.NewRequest(http.MethodGet, "/ofrep/v1/events", nil)
		began := time.Now()
		h.ServeHTTP(w, r.WithContext(access.NewContext(r.Context(), everybody)))
		if took := time.Since(began); took != ofrep.Patience {
			t.Errorf("it was kept for %s", took)
		}
	})
}
