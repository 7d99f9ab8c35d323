package access

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// GuardOptions configure a [Guard]. The zero value lets this machine read, and looks at no credential.
type GuardOptions struct {
	// Insecure lets any address read without a credential, under any name and through proxies. A web page of another origin is
	// still refused.
	Insecure bool

	// CredentialsOnly lets nobody in without a credential, this machine's own programs included: where a proxy that adds no header
	// stands on it, strangers cannot be told from them.
	CredentialsOnly bool

	// Hosts are names that count as local beside localhost, such as one that
	// /etc/hosts gives to a loopback address. Case, a port and a trailing dot
	// do not matter; what is no host name matches nothing. A name that others
	// can have resolve to this machine opens it to DNS rebinding.
	Hosts []string

	// Tokens, JWTs and Operator are the credentials that are good. With any of them a bad credential is refused, and never taken for
	// none.
	Tokens   *Tokens
	JWTs     *JWTs
	Operator *Operator

	// Origins are those of web pages elsewhere that may call with a credential, as [CheckOrigin] allows them.
	Origins []string

	// Limits bound what callers may take.
	Limits Limits

	// Observe, if set, is told the reason of each refusal: one of the Reason constants.
	Observe func(reason string)

	// Report, if set, is told by Run each minute what was refused in it, if anything was, added up.
	Report func([]Refusal)
}

// Guard lets through the requests that may go on. It is safe for concurrent use.
type Guard struct {
	insecure    bool
	credentials bool // only
	hosts       []string
	observe     func(reason string)

	tokens   *Tokens
	jwts     *JWTs
	operator *Operator
	tickets  *tickets
	origins  origins
	limiter  *limiter
	refusals *refusals
}

// NewGuard returns a guard.
func NewGuard(o GuardOptions) *Guard {
	g := &Guard{
		insecure: o.Insecure, credentials: o.CredentialsOnly, observe: o.Observe, tokens: o.Tokens, jwts: o.JWTs, operator: o.Operator, tickets: newTickets(),
		limiter: newLimiter(o.Limits), refusals: newRefusals(o.Report),
	}
	for _, host := range o.Hosts {
		if strings.Count(host, ":") > 1 && !strings.HasPrefix(host, "[") {
			host = "[" + host + "]"
		}
		if a, ok := parseAuthority(host); ok {
			g.hosts = append(g.hosts, a.host)
		}
	}
	for _, origin := range o.Origins {
		if CheckOrigin(origin) == nil {
			g.origins = append(g.origins, origin)
		}
	}
	if g.observe == nil {
		g.observe = func(string) {}
	}
	return g
}

// Run takes up changes of credentials, ends those that have expired, fetches the keys of issuers, and reports refusals, until ctx
// ends.
func (g *Guard) Run(ctx context.Context) error {
	var parts sync.WaitGroup
	defer parts.Wait()
	if g.tokens != nil {
		parts.Go(func() { _ = g.tokens.Run(ctx) }) // its error is that of ctx
	}
	if g.jwts != nil {
		parts.Go(func() { _ = g.jwts.Run(ctx) })
	}
	parts.Go(func() { g.refusals.run(ctx) })
	<-ctx.Done()
	return ctx.Err()
}

// WrapOption is a property of a route.
type WrapOption func(*route)

type route struct{ tickets bool }

// AcceptTickets lets a ticket in the query parameter ticket take the place of the Authorization header, for streams that browsers
// open. Whoever serves the route must not log the query; the handler does not see the ticket.
func AcceptTickets() WrapOption { return func(r *route) { r.tickets = true } }

// HandlerFunc answers a request of who makes it.
type HandlerFunc func(w http.ResponseWriter, r *http.Request, who *Identity)

// Wrap passes on what may go on, with who asks in the request's context, and answers the rest with JSON.
func (g *Guard) Wrap(next http.Handler, options ...WrapOption) http.Handler {
	return g.WrapFunc(func(w http.ResponseWriter, r *http.Request, who *Identity) {
		next.ServeHTTP(w, r.WithContext(NewContext(r.Context(), who)))
	}, options...)
}

// WrapFunc is Wrap for a handler that is told who asks, and does not find it in the request's context: to put it there costs a good part of
// what a small answer does.
func (g *Guard) WrapFunc(next HandlerFunc, options ...WrapOption) http.Handler {
	var at route
	for _, o := range options {
		o(&at)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		preflight := g.origins.announce(w, r)
		who, refused := g.admit(r, at, preflight)
		switch {
		case refused != nil:
			g.Count(who, r.RemoteAddr, refused.Reason)
			refused.Write(w)
		case preflight:
			w.WriteHeader(http.StatusNoContent)
		case at.tickets && strings.Contains(r.URL.RawQuery, ticketPrefix):
			next(w, withoutTicket(r), who)
		default:
			next(w, r, who)
		}
	})
}

// Check returns nil if a request may go on, and else a *[Refused]. It counts nothing, and does not allocate for a request that may,
// but for a JWT whose signature is to be checked.
func (g *Guard) Check(r *http.Request) error {
	if _, refused := g.judge(r, route{}, time.Now()); refused != nil {
		return refused
	}
	return nil
}

// Refuse answers a request that [Guard.Wrap] let on and a handler does not, and counts it with the guard's own refusals.
func (g *Guard) Refuse(w http.ResponseWriter, r *http.Request, refused *Refused) {
	g.Count(FromContext(r.Context()), r.RemoteAddr, refused.Reason)
	refused.Write(w)
}

// admit tells who makes a request, nobody if that is not known, and whether it keeps to the limits.
func (g *Guard) admit(r *http.Request, at route, preflight bool) (*Identity, *Refused) {
	now, addr := time.Now(), AddressOf(r.RemoteAddr)
	if refused := g.limiter.address(addr, now); refused != nil || preflight {
		return nobody, refused
	}
	who, refused := g.judge(r, at, now)
	if refused != nil {
		return nobody, g.limiter.failed(addr, refused, now)
	}
	return who, g.limiter.request(who, now)
}

// judge tells who makes a request: by the credential it brings, or else by the rule of the package comment.
func (g *Guard) judge(r *http.Request, at route, now time.Time) (*Identity, *Refused) {
	header := inspect(r.Header)
	var brought credential
	if g.checks() {
		var refused *Refused
		if brought, refused = bring(header.authorization, r.URL.RawQuery, at.tickets); refused != nil {
			return nil, refused
		}
	}
	without := brought.kind == noCredential
	if !without && header.origin == nil {
		return g.identify(r, brought, header, now)
	}
	host, hostOK := parseAuthority(r.Host)
	hostOK = hostOK && g.local(host)
	if without && !g.insecure {
		if refused := g.stranger(r.RemoteAddr, header.forwarded, hostOK); refused != nil {
			return nil, refused
		}
	}
	listed := !without && g.origins.listed(header.origin) != ""
	if header.origin != nil && !listed && !g.allowOrigin(header.origin, r.Host, host, hostOK) {
		return nil, g.either(refusedOrigin, unlistedOrigin)
	}
	if without {
		return g.anybody(), nil
	}
	return g.identify(r, brought, header, now)
}

// checks tells whether there are credentials to check.
func (g *Guard) checks() bool { return g.tokens != nil || g.jwts != nil || g.operator != nil }

// either is the answer of a guard without credentials, or of one with.
func (g *Guard) either(without, with *Refused) *Refused {
	if g.checks() {
		return with
	}
	return without
}

// stranger refuses who is not of this machine.
func (g *Guard) stranger(remoteAddr string, forwarded, hostOK bool) *Refused {
	switch {
	case g.credentials:
		return missingCredential
	case !loopback(remoteAddr):
		return g.either(refusedPeer, missingPeer)
	case forwarded:
		return g.either(refusedForwarded, missingForwarded)
	case !hostOK:
		return refusedHost
	}
	return nil
}

// anybody is who brings no credential and may go on.
func (g *Guard) anybody() *Identity {
	if g.insecure {
		return insecure
	}
	return local
}

// identify tells whose a credential is.
func (g *Guard) identify(r *http.Request, c credential, header traits, now time.Time) (who *Identity, refused *Refused) {
	switch {
	case c.kind == ticketCredential:
		who, refused = g.tickets.redeem(c.text, header.onlyOrigin(), now)
	case c.kind == jwtCredential && g.jwts != nil:
		who, refused = g.jwts.identify(r.Context(), c.text, now)
	case c.kind == jwtCredential:
		refused = refusedIssuer
	case g.operator != nil && g.operator.identify(c.text):
		who = g.operator.identity
	case g.tokens != nil:
		who, refused = g.tokens.identify(c.text, now)
	default:
		refused = refusedUnknown
	}
	if refused == refusedUnknown && c.kind == tokenCredential && !checked(c.text) {
		return nil, refusedMalformed
	}
	if refused == nil && who.Kind == KindOperator && (!loopback(r.RemoteAddr) || header.forwarded) {
		return nil, refusedOperator
	}
	return who, refused
}

// allowOrigin judges the Origin headers of a request to host, which was parsed
// from rawHost and is zero if that is garbled. A page from a local name may
// read from a local name, whatever the ports; otherwise a page may read only
// from where it came.
func (g *Guard) allowOrigin(values []string, rawHost string, host authority, hostLocal bool) bool {
	if len(values) != 1 {
		return false
	}
	defaultPort, rest, ok := cutScheme(values[0])
	if !ok {
		return false
	}
	if rest == rawHost && host != (authority{}) {
		// A page of this server, the ordinary case, costs no second parse.
		return true
	}
	origin, ok := parseAuthority(rest)
	return ok && (origin.same(host, defaultPort) || hostLocal && g.local(origin))
}

func (g *Guard) local(a authority) bool {
	return a.local() || a.is(g.hosts)
}

// loopback judges the peer of a TCP connection. What cannot be parsed, such as
// the peer of a Unix socket, is not loopback.
func loopback(remoteAddr string) bool {
	addr, err := netip.ParseAddrPort(remoteAddr)
	return err == nil && addr.Addr().IsLoopback()
}

// traits are what matters of a request's headers.
type traits struct {
	origin        []string // nil if absent
	authorization []string // nil if absent
	forwarded     bool     // a proxy stands between
}

// onlyOrigin is the Origin, of which there is one or none once the guard has judged it.
func (t *traits) onlyOrigin() string {
	if len(t.origin) == 0 {
		return ""
	}
	return t.origin[0]
}

// inspect walks over the headers once. Looking each one up would miss the
// X-Forwarded- headers that we do not know by name. Keys are canonical, as
// net/http makes them; a header without a value counts as present.
func inspect(h http.Header) (t traits) {
	for key, values := range h {
		if key == "" {
			continue
		}
		switch key[0] {
		case 'X':
			if key == "X-Api-Key" {
				t.authorization = append(t.authorization, keysAmong(values)...)
			}
			t.forwarded = t.forwarded || key == "X-Real-Ip" || strings.HasPrefix(key, "X-Forwarded-")
		case 'F', 'V':
			t.forwarded = t.forwarded || key == "Forwarded" || key == "Via"
		case 'A':
			if key == "Authorization" {
				t.authorization = append(values[:len(values):len(values)], t.authorization...)
			}
		case 'O':
			if key == "Origin" {
				t.origin = values
			}
		}
	}
	return t
}
