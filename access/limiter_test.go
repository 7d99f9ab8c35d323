package access_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trunkline/trunkline/access"
)

// burst sends requests until one is refused, and returns how many were let on, and the answer that refused.
func burst(g *access.Guard, r *http.Request, most int) (int, *httptest.ResponseRecorder) {
	for n := range most {
		if who, w := ask(g, r); who == nil {
			return n, w
		}
	}
	return most, nil
}

func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var observed []string
		tokens := newTokens(t)
		text, _ := makeToken(t, tokens, access.TokenOptions{Name: "ci", Grant: checkout(t)})
		same, _ := makeToken(t, tokens, access.TokenOptions{Name: "ci", Grant: checkout(t)})
		other, _ := makeToken(t, tokens, access.TokenOptions{Name: "other", Grant: checkout(t)})
		g := access.NewGuard(access.GuardOptions{
			Tokens: tokens, Observe: func(reason string) { observed = append(observed, reason) },
			Limits: access.Limits{Requests: access.Rate{PerSecond: 0.1, Burst: 5}, AddressRequests: access.Rate{PerSecond: 1, Burst: 12}},
		})
		n, w := burst(g, bearer("192.0.2.1:1", text), 100)
		if n != 5 || w.Code != 429 || w.Header().Get("Retry-After") != "10" || code(t, w) != access.ReasonRequests {
			t.Fatalf("%d let on, then %d %q %s", n, w.Code, w.Header(), w.Body)
		}
		if n, _ := burst(g, bearer("192.0.2.2:1", same), 100); n != 0 {
			t.Errorf("%d by another token of the name, from elsewhere", n)
		}
		if n, _ := burst(g, bearer(peer, text), 100); n != 0 {
			t.Errorf("%d from this machine", n)
		}
		if n, _ := burst(g, bearer("192.0.2.1:2", other), 3); n != 3 {
			t.Errorf("another identity: %d", n)
		}
		time.Sleep(10*time.Second - time.Millisecond)
		if n, w := burst(g, bearer(peer, text), 1); n != 0 || w.Header().Get("Retry-After") != "1" {
			t.Errorf("%d let on early, %q", n, w.Header())
		}
		time.Sleep(time.Millisecond)
		if n, _ := burst(g, bearer(peer, text), 100); n != 1 {
			t.Errorf("%d let on after ten seconds", n)
		}
		time.Sleep(time.Hour)
		if n, _ := burst(g, bearer(peer, text), 100); n != 5 {
			t.Errorf("%d let on after an hour", n)
		}
		if n, w := burst(g, request("192.0.2.1:3", host), 100); n != 0 || w.Code != 401 {
			t.Errorf("without a credential: %d, %d", n, w.Code)
		}
		n, w = 0, nil
		for n = range 100 {
			if _, w = ask(g, request("192.0.2.1:4", host)); w.Code == 429 {
				break
			}
		}
		if n != 11 || code(t, w) != access.ReasonAddressRequests || w.Header().Get("Retry-After") != "1" {
			t.Errorf("an address: %d, %q %s", n, w.Header(), w.Body)
		}
		if n, _ := burst(g, request(peer, host), 100); n != 100 {
			t.Errorf("local callers without a credential: %d", n)
		}
		if len(observed) == 0 {
			t.Error("nothing observed")
		}
	})
}

// A flood of bad credentials is answered 429, and does no harm to good ones behind the same address.
func TestFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, text := tokenGuard(t, access.GuardOptions{})
		bad, _, _ := access.NewToken()
		counts := map[int]int{}
		for range 200 {
			_, w := ask(g, bearer(peer, bad))
			counts[w.Code]++
			if w.Code == 429 && (code(t, w) != access.ReasonFailures || w.Header().Get("Retry-After") != "1" || w.Header().Get("Connection") != "close") {
				t.Fatalf("%q %s", w.Header(), w.Body)
			}
		}
		if counts[401] != 50 || counts[429] != 150 {
			t.Errorf("answers %v", counts)
		}
		if who, w := ask(g, bearer(peer, text)); who == nil {
			t.Errorf("a good one: %s", w.Body)
		}
		if _, w := ask(g, bearer(stranger, bad)); w.Code != 401 {
			t.Errorf("another address: %d", w.Code)
		}
		time.Sleep(200 * time.Millisecond)
		if _, w := ask(g, bearer(peer, bad)); w.Code != 401 {
			t.Errorf("after a while: %d", w.Code)
		}
	})
}

func TestAddresses(t *testing.T) {
	for name, tt := range map[string]struct {
		a, b string
		same bool
	}{
		"ports":                 {"192.0.2.1:1", "192.0.2.1:2", true},
		"neighbours":            {"192.0.2.1:1", "192.0.2.2:1", false},
		"an IPv6 network":       {"[2001:db8::1]:1", "[2001:db8::ffff:1]:1", true},
		"two IPv6 networks":     {"[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false},
		"IPv4 in IPv6":          {"[::ffff:192.0.2.1]:1", "192.0.2.1:1", true},
		"IPv4 in IPv6, another": {"[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.2]:1", false},
		"zones":                 {"[fe80::1%eth0]:1", "[fe80::1%eth1]:1", true},
		"garbled":               {"@", "", true},
	} {
		g := access.NewGuard(access.GuardOptions{Insecure: true, Limits: access.Limits{AddressRequests: access.Rate{PerSecond: 0.001, Burst: 1}}})
		if who, _ := ask(g, request(tt.a, host)); who == nil {
			t.Errorf("%s: the first", name)
		}
		if who, _ := ask(g, request(tt.b, host)); (who == nil) != tt.same {
			t.Errorf("%s: %v", name, who)
		}
	}
}

// Whoever makes many addresses does not begin anew with one of his, and leaves a share to addresses not seen yet.
func TestEviction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := access.NewGuard(access.GuardOptions{Insecure: true, Limits: access.Limits{AddressRequests: access.Rate{PerSecond: 0.01, Burst: 3}}})
		const greedy = "192.0.2.1:1"
		if n, _ := burst(g, request(greedy, host), 10); n != 3 {
			t.Fatalf("%d", n)
		}
		for n := range access.MaxBuckets + 10 {
			ask(g, request(fmt.Sprintf("[2001:db8:%x:%x::1]:1", n>>16, n&0xffff), host))
		}
		if n, _ := burst(g, request(greedy, host), 10); n != 0 {
			t.Errorf("%d after a flood of addresses", n)
		}
		time.Sleep(100 * time.Second)
		if n, _ := burst(g, request(greedy, host), 10); n != 1 {
			t.Errorf("%d after the time of one", n)
		}
		time.Sleep(time.Hour)
		if n, _ := burst(g, request("198.51.100.1:1", host), 10); n != 3 {
			t.Errorf("%d of a new address once there is room", n)
		}
	})
}

func TestLimitsCanBeOff(t *testing.T) {
	none := access.Rate{PerSecond: -1}
	g, text := tokenGuard(t, access.GuardOptions{Limits: access.Limits{
		Requests: none, AddressRequests: none, Failures: none, Webhooks: none, Sessions: -1, AddressSessions: -1, Patterns: -1, AddressPatterns: -1,
	}})
	if n, _ := burst(g, bearer(stranger, text), 5000); n != 5000 {
		t.Errorf("%d", n)
	}
	if _, err := enter(t, g, bearer(stranger, text)); err != nil {
		t.Error(err)
	}
}

// enter opens a session as a handler does.
func enter(t testing.TB, g *access.Guard, r *http.Request) (s *access.Session, err error) {
	t.Helper()
	w := httptest.NewRecorder()
	g.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { s, err = g.Session(r) })).ServeHTTP(w, r)
	if w.Body.Len() > 0 {
		t.Fatal(w.Body)
	}
	return s, err
}

func refusedAs(t testing.TB, err error, reason string) {
	t.Helper()
	var refused *access.Refused
	if !errors.As(err, &refused) || refused.Reason != reason || refused.Status != 429 || refused.RetryAfter < time.Second {
		t.Errorf("%v, want %s", err, reason)
	}
}

func TestSessions(t *testing.T) {
	tokens := newTokens(t)
	a, _ := makeToken(t, tokens, access.TokenOptions{Name: "a", Grant: checkout(t)})
	b, _ := makeToken(t, tokens, access.TokenOptions{Name: "b", Grant: checkout(t)})
	var observed []string
	g := access.NewGuard(access.GuardOptions{
		Tokens: tokens, Limits: access.Limits{Sessions: 3, AddressSessions: 4, Patterns: 10, AddressPatterns: 12},
		Observe: func(reason string) { observed = append(observed, reason) },
	})
	must := func(r *http.Request) *access.Session {
		t.Helper()
		s, err := enter(t, g, r)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := must(bearer("192.0.2.1:1", a))
	must(bearer("192.0.2.1:2", a))
	must(bearer("192.0.2.2:1", a))
	_, err := enter(t, g, bearer("192.0.2.3:1", a))
	refusedAs(t, err, access.ReasonSessions)
	must(bearer("192.0.2.1:1", b))
	second := must(bearer("192.0.2.1:1", b))
	_, err = enter(t, g, bearer("192.0.2.1:1", b))
	refusedAs(t, err, access.ReasonAddressSessions)

	if err := first.Patterns(10); err != nil {
		t.Error(err)
	}
	refusedAs(t, first.Patterns(11), access.ReasonPatterns)
	refusedAs(t, second.Patterns(3), access.ReasonAddressPatterns)
	if err := errors.Join(first.Patterns(2), second.Patterns(8)); err != nil {
		t.Error(err)
	}
	first.Leave()
	first.Leave()
	if err := first.Patterns(100); err != nil {
		t.Error(err)
	}
	must(bearer("192.0.2.1:1", a))
	_, err = enter(t, g, bearer("192.0.2.1:1", b))
	refusedAs(t, err, access.ReasonAddressSessions)
	if len(observed) != 5 {
		t.Errorf("observed %q", observed)
	}
	for range 100 {
		if _, err := enter(t, g, request(peer, host)); err != nil {
			t.Fatalf("local, without a credential: %v", err)
		}
	}
}

// Neither an identity nor an address takes all the sessions that a server can hold.
func TestLimitsWithinSessions(t *testing.T) {
	for sessions, want := range map[int][2]int{1: {1, 1}, 576: {432, 288}, 18_976: {14_232, 9_488}, 100_000: {50_000, 20_000}} {
		if l := (access.Limits{}).Within(sessions); l.Sessions != want[0] || l.AddressSessions != want[1] {
			t.Errorf("of %d sessions: %d an identity, %d an address, want %v", sessions, l.Sessions, l.AddressSessions, want)
		}
	}
	if l := (access.Limits{Sessions: -1, AddressSessions: 3}).Within(100); l.Sessions != -1 || l.AddressSessions != 3 {
		t.Errorf("what was set: %+v", l)
	}
}

// A visitor of a page cannot use up what the public token of the page allows the others.
func TestPublicTokenIsLimitedByAddress(t *testing.T) {
	tokens := newTokens(t)
	public, err := access.PublicGrant([]string{"prod"})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := makeToken(t, tokens, access.TokenOptions{Name: "web", Grant: public})
	g := access.NewGuard(access.GuardOptions{Tokens: tokens, Limits: access.Limits{
		Requests: access.Rate{PerSecond: 0.001, Burst: 1}, AddressRequests: access.Rate{PerSecond: 0.001, Burst: 5}, Sessions: 1,
	}})
	for n := range 3 {
		if got, _ := burst(g, bearer(fmt.Sprintf("192.0.2.%d:1", n), text), 10); got != 5 {
			t.Errorf("visitor %d: %d", n, got)
		}
	}
}

func TestWebhooks(t *testing.T) {
	g := access.NewGuard(access.GuardOptions{Limits: access.Limits{Webhooks: access.Rate{PerSecond: 0.25, Burst: 2}}})
	h := g.Webhooks(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202) }))
	deliver := func(peer string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request(peer, host))
		return w
	}
	if a, b := deliver(stranger), deliver(stranger); a.Code != 202 || b.Code != 202 {
		t.Errorf("%d, %d", a.Code, b.Code)
	}
	if w := deliver(stranger); w.Code != 429 || w.Header().Get("Retry-After") != "4" || code(t, w) != access.ReasonWebhooks {
		t.Errorf("%d %q %s", w.Code, w.Header(), w.Body)
	}
	if w := deliver("192.0.2.99:1"); w.Code != 202 {
		t.Errorf("another address: %d", w.Code)
	}
}

func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reports [][]access.Refusal
		g, text := tokenGuard(t, access.GuardOptions{
			Report: func(list []access.Refusal) { reports = append(reports, list) },
			Limits: access.Limits{Requests: access.Rate{PerSecond: 0.001, Burst: 1}},
		})
		stop := running(t, g.Run)
		begin := time.Now()
		for n := range 3 {
			ask(g, request("192.0.2."+strconv.Itoa(n)+":1", host))
			ask(g, bearer("[2001:db8::"+strconv.Itoa(n+1)+"]:1", text))
		}
		ask(g, bearer("@", "x"))
		time.Sleep(time.Minute)
		synctest.Wait()
		want := []string{
			"credentialMalformed - invalid Prefix 1", "peerNotLocal - 192.0.2.0/24 3", "tooManyRequests token:ci 2001:db8::/48 2",
		}
		if len(reports) != 1 || len(reports[0]) != len(want) {
			t.Fatalf("reports %v", reports)
		}
		for i, r := range reports[0] {
			if got := fmt.Sprint(r.Reason, " ", r.Identity, " ", r.Network, " ", r.Count); got != want[i] || !r.Minute.Equal(begin.Truncate(time.Minute)) {
				t.Errorf("%s %v, want %s", got, r.Minute, want[i])
			}
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if len(reports) != 1 {
			t.Errorf("reports of nothing: %v", reports[1:])
		}
		for n := range access.MaxRefusalKinds + 1000 {
			ask(g, request(fmt.Sprintf("10.%d.%d.1:1", n>>8, n&0xff), host))
		}
		stop()
		last := reports[len(reports)-1]
		total := 0
		for _, r := range last {
			total += r.Count
		}
		if len(last) != access.MaxRefusalKinds+1 || total != access.MaxRefusalKinds+1000 {
			t.Errorf("%d kinds, %d refusals", len(last), total)
		}
	})
}

// Nor can it use up their sessions and patterns.
func TestSessionsOfVisitors(t *testing.T) {
	tokens := newTokens(t)
	public, err := access.PublicGrant([]string{"prod"})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := makeToken(t, tokens, access.TokenOptions{Name: "web", Grant: public})
	g := access.NewGuard(access.GuardOptions{Tokens: tokens, Limits: access.Limits{Sessions: 1, Patterns: 1, AddressSessions: 2, AddressPatterns: 3}})
	for _, visitor := range []string{"192.0.2.1:1", "192.0.2.2:1", "192.0.2.1:2"} {
		s, err := enter(t, g, bearer(visitor, text))
		if err == nil {
			err = s.Patterns(1)
		}
		if err != nil {
			t.Errorf("%s: %v", visitor, err)
		}
	}
	_, err = enter(t, g, bearer("192.0.2.1:3", text))
	refusedAs(t, err, access.ReasonAddressSessions)
}

// Two tokens of a name have one bucket, also after it was forgotten meanwhile.
func TestForgottenRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := newTokens(t)
		text, _ := makeToken(t, tokens, access.TokenOptions{Name: "ci", Grant: checkout(t)})
		same, _ := makeToken(t, tokens, access.TokenOptions{Name: "ci", Grant: checkout(t)})
		g := access.NewGuard(access.GuardOptions{Tokens: tokens, Limits: access.Limits{Requests: access.Rate{PerSecond: 0.1, Burst: 5}}})
		if n, _ := burst(g, bearer(peer, text), 100); n != 5 {
			t.Errorf("%d let on", n)
		}
		time.Sleep(time.Hour)
		g.ForgetFull()
		if n, _ := burst(g, bearer(peer, same), 100); n != 5 {
			t.Errorf("%d let on an hour later, by another token of the name", n)
		}
		if n, _ := burst(g, bearer(peer, text), 100); n != 0 {
			t.Errorf("%d more by the first", n)
		}
	})
}
