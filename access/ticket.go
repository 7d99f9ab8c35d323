package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// A ticket is tlt_ and 256 random bits in base64.
const (
	ticketPrefix = "tlt_"
	ticketParam  = "ticket"
	ticketBytes  = 32
)

var ticketLength = len(ticketPrefix) + base64.RawURLEncoding.EncodedLen(ticketBytes)

// tickets stand in for credentials for one request that cannot have headers of its own.
type tickets struct {
	mu    sync.Mutex
	open  map[digest]ticket
	count map[ticketOwner]int
	queue []issued // in the order in which they expire, used ones among them
}

type ticket struct {
	identity *Identity
	owner    ticketOwner
	origin   string // of the page it was issued to; empty for a program
}

// ticketOwner is by whom tickets are counted: an identity, and with a public token, which any visitor of a page holds, each address of it.
type ticketOwner struct {
	identity identityKey
	addr     netip.Addr // zero where it does not count
}

func ticketOwnerOf(i *Identity, remoteAddr string) ticketOwner {
	owner := ticketOwner{identity: i.key()}
	if i.Grant.Public() {
		owner.addr = AddressOf(remoteAddr)
	}
	return owner
}

type issued struct {
	digest  digest
	expires time.Time
}

func newTickets() *tickets {
	return &tickets{open: map[digest]ticket{}, count: map[ticketOwner]int{}}
}

// issue makes a ticket for who makes a request, or refuses when too many wait to be used.
func (t *tickets) issue(r *http.Request, now time.Time) (text string, expires time.Time, refused *Refused) {
	i := FromContext(r.Context())
	owner := ticketOwnerOf(i, r.RemoteAddr)
	var secret [ticketBytes]byte
	_, _ = rand.Read(secret[:]) // it never fails
	text = ticketPrefix + base64.RawURLEncoding.EncodeToString(secret[:])
	d, expires := digest(sha256.Sum256([]byte(text))), now.Add(ticketLife)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep(now)
	if len(t.open) >= maxTickets || t.count[owner] >= maxTicketsIdentity {
		return "", time.Time{}, refusedTickets
	}
	t.open[d] = ticket{i, owner, r.Header.Get("Origin")}
	t.count[owner]++
	t.queue = append(t.queue, issued{d, expires})
	return text, expires, nil
}

// redeem takes a ticket back, whatever becomes of it then.
func (t *tickets) redeem(text, origin string, now time.Time) (*Identity, *Refused) {
	d := digest(sha256.Sum256([]byte(text)))
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep(now)
	found, ok := t.open[d]
	if !ok {
		return nil, refusedTicket
	}
	t.remove(d)
	foreign := origin != "" && found.origin != "" && origin != found.origin // event streams of the same origin send none
	if foreign || found.identity.over(now) {
		return nil, refusedTicket
	}
	return found.identity, nil
}

func (t *tickets) remove(d digest) {
	owner := t.open[d].owner
	delete(t.open, d)
	if t.count[owner]--; t.count[owner] == 0 {
		delete(t.count, owner)
	}
}

// sweep forgets what has expired, and what was used once it is most of the queue.
func (t *tickets) sweep(now time.Time) {
	if len(t.queue) > 2*len(t.open)+minTickets {
		t.queue = slices.DeleteFunc(t.queue, func(i issued) bool { return t.open[i.digest].identity == nil })
	}
	for len(t.queue) > 0 && !now.Before(t.queue[0].expires) {
		if d := t.queue[0].digest; t.open[d].identity != nil {
			t.remove(d)
		}
		t.queue = t.queue[1:]
	}
}

func ticketShaped(text string) bool {
	return len(text) == ticketLength && strings.HasPrefix(text, ticketPrefix)
}

// withoutTicket is a request for which nobody downstream can log the ticket.
func withoutTicket(r *http.Request) *http.Request {
	var kept []string
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if name, _, _ := strings.Cut(pair, "="); name != ticketParam {
			kept = append(kept, pair)
		}
	}
	clone, address := *r, *r.URL
	address.RawQuery = strings.Join(kept, "&")
	clone.URL, clone.RequestURI = &address, address.RequestURI()
	return &clone
}

// Ticket is a ticket for who asks, as [Guard.ServeTicket] answers with; empty for who has no credential and needs none. It is not ok where
// there are too many.
func (g *Guard) Ticket(r *http.Request) (ticket string, ok bool) {
	who := FromContext(r.Context())
	if !who.authenticated() {
		return "", true
	}
	ticket, _, refused := g.tickets.issue(r, time.Now())
	if refused != nil {
		g.Count(who, r.RemoteAddr, refused.Reason)
	}
	return ticket, refused == nil
}

// ServeTicket answers with a ticket for who asks:
//
//	{"ticket": "tlt_…", "expires": "2026-11-01T09:00:30Z"}
//
// It serves for one request to a route that was wrapped with [AcceptTickets], as its query parameter ticket, within 30 s. One that was
// issued to a page serves no page of another origin. The handler is to be wrapped with the guard, and to be reached by POST alone. Who
// has no credential needs no ticket and gets none.
func (g *Guard) ServeTicket(w http.ResponseWriter, r *http.Request) {
	who := FromContext(r.Context())
	if !who.authenticated() {
		g.Refuse(w, r, refusedTicketless)
		return
	}
	text, expires, refused := g.tickets.issue(r, time.Now())
	if refused != nil {
		g.Refuse(w, r, refused)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_ = json.NewEncoder(w).Encode(map[string]string{"ticket": text, "expires": expires.UTC().Format(time.RFC3339)})
}
