package access

import (
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// limiter keeps to the [Limits].
type limiter struct {
	limits Limits

	requests        *buckets[identityKey]
	addressRequests *buckets[netip.Addr]
	failures        *buckets[netip.Addr]
	webhooks        *buckets[netip.Addr]

	mu         sync.Mutex
	identities map[identityKey]taken
	addresses  map[netip.Addr]taken
}

// taken is what the open sessions of one key have.
type taken struct{ sessions, patterns int }

func newLimiter(l Limits) *limiter {
	l = l.orUsual()
	return &limiter{
		limits: l, identities: map[identityKey]taken{}, addresses: map[netip.Addr]taken{},
		requests: newBuckets[identityKey](l.Requests), addressRequests: newBuckets[netip.Addr](l.AddressRequests),
		failures: newBuckets[netip.Addr](l.Failures), webhooks: newBuckets[netip.Addr](l.Webhooks),
	}
}

// AddressOf is what of a peer's address is counted by, as [Limits] say: a host with IPv6 has a whole /64. What cannot be parsed counts as
// one address, the zero one.
func AddressOf(remoteAddr string) netip.Addr {
	peer, err := netip.ParseAddrPort(remoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap().WithZone("")
	if addr.Is4() || addr.IsLoopback() {
		return addr
	}
	network, _ := addr.Prefix(64) // it fits
	return network.Addr()
}

// address counts a request of an address, before its credential is looked at.
func (l *limiter) address(addr netip.Addr, now time.Time) *Refused {
	if addr.IsLoopback() {
		return nil
	}
	if wait, ok := l.addressRequests.take(addr, now); !ok {
		return refusedAddressRequests.after(wait)
	}
	return nil
}

// request counts a request of an identity.
func (l *limiter) request(i *Identity, now time.Time) *Refused {
	if !i.apart() {
		return nil
	}
	if wait, ok := l.requests.takeFrom(&i.requests, i.key(), now); !ok {
		return refusedRequests.after(wait)
	}
	return nil
}

// failed counts a bad credential, and returns what it is to be answered with: good ones of the same address are let on whatever
// bad ones come from there, because a proxy may stand there.
func (l *limiter) failed(addr netip.Addr, refused *Refused, now time.Time) *Refused {
	if refused.Status != http.StatusUnauthorized {
		return refused
	}
	if wait, ok := l.failures.take(addr, now); !ok {
		return refusedFailures.after(wait)
	}
	return refused
}

// Webhooks bounds the requests of an address to a receiver of webhooks, whose signature is their only credential.
func (g *Guard) Webhooks(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wait, ok := g.limiter.webhooks.take(AddressOf(r.RemoteAddr), time.Now()); !ok {
			g.Refuse(w, r, refusedWebhooks.after(wait))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Session is what an open connection takes of the limits. Its methods may be called from many goroutines.
type Session struct {
	guard *Guard
	who   *Identity
	addr  netip.Addr
	peer  string

	// Guarded by the limiter's mu.
	patterns int
	left     bool
}

// Session makes room for a connection that stays open, for who makes a request that [Guard.Wrap] let on, or returns a *[Refused].
// [Session.Leave] must be called when the connection ends.
func (g *Guard) Session(r *http.Request) (*Session, error) {
	s := &Session{guard: g, who: FromContext(r.Context()), addr: AddressOf(r.RemoteAddr), peer: r.RemoteAddr}
	g.limiter.mu.Lock()
	refused := g.limiter.count(s, taken{sessions: 1})
	g.limiter.mu.Unlock()
	if refused != nil {
		g.Count(s.who, s.peer, refused.Reason)
		return nil, refused
	}
	return s, nil
}

// Patterns makes room for so many patterns of the session, in place of those it had, or returns a *[Refused].
func (s *Session) Patterns(n int) error {
	l := s.guard.limiter
	l.mu.Lock()
	var refused *Refused
	if !s.left {
		if refused = l.count(s, taken{patterns: n - s.patterns}); refused == nil {
			s.patterns = n
		}
	}
	l.mu.Unlock()
	if refused != nil {
		s.guard.Count(s.who, s.peer, refused.Reason)
		return refused
	}
	return nil
}

// Leave gives back what the session took. A second call does nothing.
func (s *Session) Leave() {
	l := s.guard.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	if !s.left {
		s.left = true
		l.count(s, taken{-1, -s.patterns})
	}
}

// count changes what a session's identity and address have, both or neither. The lock must be held.
func (l *limiter) count(s *Session, change taken) *Refused {
	who, near := s.who.key(), s.addr.IsLoopback()
	apart := s.who.apart()
	mine, here := l.identities[who].plus(change), l.addresses[s.addr].plus(change)
	switch {
	case apart && change.sessions > 0 && beyond(mine.sessions, l.limits.Sessions):
		return refusedSessions
	case !near && change.sessions > 0 && beyond(here.sessions, l.limits.AddressSessions):
		return refusedAddressSessions
	case apart && change.patterns > 0 && beyond(mine.patterns, l.limits.Patterns):
		return refusedPatterns
	case !near && change.patterns > 0 && beyond(here.patterns, l.limits.AddressPatterns):
		return refusedAddressPatterns
	}
	set(l.identities, who, mine)
	set(l.addresses, s.addr, here)
	return nil
}

func (t taken) plus(o taken) taken { return taken{t.sessions + o.sessions, t.patterns + o.patterns} }

func beyond(n, limit int) bool { return limit >= 0 && n > limit }

// set keeps a count while there is one.
func set[K comparable](counts map[K]taken, key K, t taken) {
	if t == (taken{}) {
		delete(counts, key)
	} else {
		counts[key] = t
	}
}
