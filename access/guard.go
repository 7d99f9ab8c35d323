package access

import (
	"net/http"
	"net/netip"
	"strings"
)

// GuardOptions configure a [Guard]. The zero value lets this machine read.
type GuardOptions struct {
	// Insecure lets any address read, under any name and through proxies. A
	// web page of another origin is still refused.
	Insecure bool

	// Hosts are names that count as local beside localhost, such as one that
	// /etc/hosts gives to a loopback address. Case, a port and a trailing dot
	// do not matter; what is no host name matches nothing. A name that others
	// can have resolve to this machine opens it to DNS rebinding.
	Hosts []string

	// Observe, if set, is told the reason of each refusal by Wrap: one of the
	// Reason constants.
	Observe func(reason string)
}

// Guard lets through the requests that may go on. It is immutable, and safe
// for concurrent use.
type Guard struct {
	insecure bool
	hosts    []string
	observe  func(reason string)
}

// NewGuard returns a guard. There is nothing to close.
func NewGuard(o GuardOptions) *Guard {
	g := &Guard{insecure: o.Insecure, observe: o.Observe}
	for _, host := range o.Hosts {
		if strings.Count(host, ":") > 1 && !strings.HasPrefix(host, "[") {
			host = "[" + host + "]"
		}
		if a, ok := parseAuthority(host); ok {
			g.hosts = append(g.hosts, a.host)
		}
	}
	if g.observe == nil {
		g.observe = func(string) {}
	}
	return g
}

// Wrap passes on what Check allows and answers the rest with JSON.
func (g *Guard) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refused := g.check(r); refused != nil {
			g.observe(refused.Reason)
			refused.write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Check returns nil if the request may go on, and else a *[Refused]. It does
// not allocate for a request that may.
func (g *Guard) Check(r *http.Request) error {
	if refused := g.check(r); refused != nil {
		return refused
	}
	return nil
}

// check is where a credential will be asked for first. Without one, the rule
// is that of the package comment.
func (g *Guard) check(r *http.Request) *Refused {
	host, hostOK := parseAuthority(r.Host)
	hostOK = hostOK && g.local(host)
	header := inspect(r.Header)
	if !g.insecure {
		switch {
		case !loopback(r.RemoteAddr):
			return refusedPeer
		case header.forwarded:
			return refusedForwarded
		case !hostOK:
			return refusedHost
		}
	}
	if header.origin != nil && !g.allowOrigin(header.origin, r.Host, host, hostOK) {
		return refusedOrigin
	}
	return nil
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
	origin    []string // nil if absent
	forwarded bool     // a proxy stands between
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
			t.forwarded = t.forwarded || key == "X-Real-Ip" || strings.HasPrefix(key, "X-Forwarded-")
		case 'F', 'V':
			t.forwarded = t.forwarded || key == "Forwarded" || key == "Via"
		case 'O':
			if key == "Origin" {
				t.origin = values
			}
		}
	}
	return t
}
