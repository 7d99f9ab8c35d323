package access_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trunkline/trunkline/access"
)

// issueTo asks for a ticket as a credential allows.
func issueTo(t testing.TB, g *access.Guard, r *http.Request) (string, *httptest.ResponseRecorder) {
	t.Helper()
	w := httptest.NewRecorder()
	g.Wrap(http.HandlerFunc(g.ServeTicket)).ServeHTTP(w, r)
	var body struct {
		Ticket  string
		Expires time.Time
	}
	_ = json.Unmarshal(w.Body.Bytes(), &body)
	if body.Ticket != "" && (time.Until(body.Expires) > 30*time.Second || time.Until(body.Expires) < 28*time.Second) {
		t.Errorf("expires %v", body.Expires)
	}
	return body.Ticket, w
}

func redeem(g *access.Guard, ticket, query, origin string) (*access.Identity, *httptest.ResponseRecorder) {
	r := request(stranger, "config.example")
	r.URL.RawQuery = strings.TrimPrefix(query+"&ticket="+ticket, "&")
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	return ask(g, r, access.AcceptTickets())
}

func TestTicket(t *testing.T) {
	g, text := tokenGuard(t, access.GuardOptions{})
	ticket, w := issueTo(t, g, bearer(stranger, text))
	if !regexp.MustCompile(`^tlt_[A-Za-z0-9_-]{43}$`).MatchString(ticket) || w.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("ticket %q, %q", ticket, w.Header())
	}
	owner, _ := ask(g, bearer(stranger, text))
	if who, w := redeem(g, ticket, "", ""); who != owner {
		t.Errorf("%+v %s", who, w.Body)
	}
	if who, w := redeem(g, ticket, "", ""); who != nil || w.Code != 401 || code(t, w) != access.ReasonTicket {
		t.Errorf("used again: %v %d", who, w.Code)
	}
	for _, bad := range []string{"", "tlt_", "tlt_" + strings.Repeat("a", 43), strings.Repeat("a", 47), ticket + "a", text} {
		if who, w := redeem(g, bad, "", ""); who != nil || w.Code < 400 || w.Code > 401 {
			t.Errorf("%q: %v %d", bad, who, w.Code)
		}
	}
	one, _ := issueTo(t, g, bearer(stranger, text))
	two, _ := issueTo(t, g, bearer(stranger, text))
	if who, w := redeem(g, one, "ticket="+two, ""); who != nil || code(t, w) != access.ReasonTwice {
		t.Errorf("two tickets: %v %s", who, w.Body)
	}
	r := bearer(stranger, text)
	r.URL.RawQuery = "ticket=" + one
	if who, w := ask(g, r, access.AcceptTickets()); who != nil || code(t, w) != access.ReasonTwice {
		t.Errorf("a ticket and a token: %v %s", who, w.Body)
	}
	// A request to read its own way refuses it, whoever asks.
	r = request(peer, host)
	r.URL.RawQuery = "ticket=" + one
	if who, w := ask(g, r); who != nil || code(t, w) != access.ReasonInURL {
		t.Errorf("a route that takes none: %v %s", who, w.Body)
	}
	if who, _ := redeem(g, one, "", ""); who == nil {
		t.Error("refusing for other reasons used it up")
	}
}

// What serves the route sees all of the query but the ticket.
func TestTicketIsNotPassedOn(t *testing.T) {
	g, text := tokenGuard(t, access.GuardOptions{})
	for query, want := range map[string]string{"": "", "env=prod": "env=prod", "a=1&b=2": "a=1&b=2"} {
		ticket, _ := issueTo(t, g, bearer(stranger, text))
		r := request(stranger, "config.example")
		r.URL.RawQuery = strings.TrimPrefix(query+"&ticket="+ticket, "&")
		r.RequestURI = r.URL.RequestURI()
		original := r.URL.RawQuery
		g.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery != want || strings.Contains(r.RequestURI, "ticket") {
				t.Errorf("passed on: %s, %s", r.URL, r.RequestURI)
			}
		}), access.AcceptTickets()).ServeHTTP(httptest.NewRecorder(), r)
		if r.URL.RawQuery != original {
			t.Error("the request itself was changed")
		}
	}
}

func TestTicketOfAPage(t *testing.T) {
	const page, other = "https://app.example", "https://other.example"
	g, text := tokenGuard(t, access.GuardOptions{Origins: []string{page, other}})
	issue := func(origin string) string {
		r := bearer(stranger, text)
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		ticket, _ := issueTo(t, g, r)
		return ticket
	}
	for _, tt := range []struct {
		to, by string
		want   bool
	}{
		{page, page, true},
		{page, other, false},
		{page, "", true}, // a stream of the same origin
		{"", page, true}, // handed to a page by its own server
		{"", "", true},
	} {
		if who, _ := redeem(g, issue(tt.to), "", tt.by); (who != nil) != tt.want {
			t.Errorf("issued to %q, used by %q: %v", tt.to, tt.by, who)
		}
	}
	ticket := issue(page)
	if who, _ := redeem(g, ticket, "", "https://evil.example"); who != nil {
		t.Error("used by a page that is not on the list")
	}
}

func TestTicketEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := newTokens(t)
		text, _ := makeToken(t, tokens, access.TokenOptions{Name: "ci", Grant: checkout(t), Expires: time.Now().Add(time.Minute)})
		g := access.NewGuard(access.GuardOptions{Tokens: tokens})
		early, _ := issueTo(t, g, bearer(stranger, text))
		late, _ := issueTo(t, g, bearer(stranger, text))
		time.Sleep(30*time.Second - 1)
		if who, _ := redeem(g, early, "", ""); who == nil {
			t.Error("before it expires")
		}
		time.Sleep(time.Nanosecond)
		if who, _ := redeem(g, late, "", ""); who != nil {
			t.Error("after it has expired")
		}
		time.Sleep(29 * time.Second)
		last, _ := issueTo(t, g, bearer(stranger, text))
		time.Sleep(time.Second)
		if who, _ := redeem(g, last, "", ""); who != nil {
			t.Error("of a token that has expired")
		}
		text, _ = makeToken(t, tokens, access.TokenOptions{Name: "x", Grant: checkout(t)})
		ticket, _ := issueTo(t, g, bearer(stranger, text))
		if _, err := tokens.Revoke("x"); err != nil {
			t.Fatal(err)
		}
		if who, _ := redeem(g, ticket, "", ""); who != nil {
			t.Error("of a token that was revoked")
		}
	})
}

// A flood of tickets ends at a limit of its identity, and leaves others theirs.
func TestTicketFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := newTokens(t)
		flood, _ := makeToken(t, tokens, access.TokenOptions{Name: "flood", Grant: checkout(t)})
		quiet, _ := makeToken(t, tokens, access.TokenOptions{Name: "quiet", Grant: checkout(t)})
		g := access.NewGuard(access.GuardOptions{Tokens: tokens, Limits: access.Limits{Requests: access.Rate{PerSecond: -1}, AddressRequests: access.Rate{PerSecond: -1}}})
		for range access.MaxTicketsIdentity {
			if ticket, w := issueTo(t, g, bearer(stranger, flood)); ticket == "" {
				t.Fatal(w.Body)
			}
		}
		if ticket, w := issueTo(t, g, bearer(stranger, flood)); ticket != "" || w.Code != 429 || w.Header().Get("Retry-After") != "30" || code(t, w) != access.ReasonTickets {
			t.Errorf("%d %q %s", w.Code, w.Header(), w.Body)
		}
		if ticket, _ := issueTo(t, g, bearer(stranger, quiet)); ticket == "" {
			t.Error("another identity")
		}
		time.Sleep(30 * time.Second)
		if ticket, _ := issueTo(t, g, bearer(stranger, flood)); ticket == "" {
			t.Error("when they have expired")
		}
	})
}

// Tickets that were used take no room, and the visitors of a page none from each other.
func TestTicketsOfVisitors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := newTokens(t)
		public, err := access.PublicGrant([]string{"prod"})
		if err != nil {
			t.Fatal(err)
		}
		text, _ := makeToken(t, tokens, access.TokenOptions{Name: "web", Grant: public})
		var refused []string
		g := access.NewGuard(access.GuardOptions{
			Tokens: tokens, Limits: access.Limits{AddressRequests: access.Rate{PerSecond: -1}}, Observe: func(reason string) { refused = append(refused, reason) },
		})
		for range access.MaxTickets + 1 {
			ticket, w := issueTo(t, g, bearer(stranger, text))
			if who, _ := redeem(g, ticket, "", ""); who == nil {
				t.Fatal(w.Body)
			}
		}
		if n := g.TicketsKept(); n > 2_000 {
			t.Errorf("%d tickets are kept, and none is open", n)
		}
		for range access.MaxTicketsIdentity {
			issueTo(t, g, bearer("192.0.2.66:1", text))
		}
		if ticket, w := issueTo(t, g, bearer("192.0.2.66:1", text)); ticket != "" || w.Code != 429 {
			t.Errorf("a visitor who takes all: %d %s", w.Code, w.Body)
		}
		flood := bearer("192.0.2.66:1", text)
		who, _ := ask(g, flood)
		if ticket, ok := g.Ticket(flood.WithContext(access.NewContext(flood.Context(), who))); ok {
			t.Errorf("and among flags: %q", ticket)
		}
		if fmt.Sprint(refused) != "[tooManyTickets tooManyTickets]" {
			t.Errorf("refusals %q", refused)
		}
		if ticket, w := issueTo(t, g, bearer(stranger, text)); ticket == "" {
			t.Errorf("another visitor: %s", w.Body)
		}
		time.Sleep(30 * time.Second)
		if ticket, _ := issueTo(t, g, flood); ticket == "" || g.TicketsKept() != 1 {
			t.Errorf("%d tickets are kept when they have expired", g.TicketsKept())
		}
	})
}

func TestTicketOnce(t *testing.T) {
	g, text := tokenGuard(t, access.GuardOptions{})
	ticket, _ := issueTo(t, g, bearer(stranger, text))
	var used atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if who, _ := redeem(g, ticket, "", ""); who != nil {
				used.Add(1)
			}
		})
	}
	all.Wait()
	if used.Load() != 1 {
		t.Errorf("used %d times", used.Load())
	}
}

func TestTicketNeedsCredential(t *testing.T) {
	g, _ := tokenGuard(t, access.GuardOptions{})
	if ticket, w := issueTo(t, g, request(peer, host)); ticket != "" || w.Code != 403 || code(t, w) != access.ReasonTicketless {
		t.Errorf("%q %d %s", ticket, w.Code, w.Body)
	}
	w := httptest.NewRecorder()
	g.ServeTicket(w, request(peer, host))
	if w.Code != 403 {
		t.Errorf("without the guard: %d", w.Code)
	}
}

// The operator's ticket is good where the operator's token is.
func TestTicketOfTheOperator(t *testing.T) {
	dir := t.TempDir()
	operator, err := access.NewOperator(dir)
	if err != nil {
		t.Fatal(err)
	}
	g := access.NewGuard(access.GuardOptions{Operator: operator})
	ticket, w := issueTo(t, g, bearer(peer, readToken(t, dir)))
	if ticket == "" {
		t.Fatal(w.Body)
	}
	if who, w := redeem(g, ticket, "", ""); who != nil || code(t, w) != access.ReasonOperator {
		t.Errorf("elsewhere: %v %s", who, w.Body)
	}
}
