package access

import (
	"net/netip"
	"strings"
)

// maxName is the longest host name, as in DNS.
const maxName = 253

// authority is the host[:port] of a Host header or an Origin. Both parts share
// the memory of what was parsed.
type authority struct {
	host string // without brackets and trailing dot
	port string // digits, or empty
	ip   bool   // the host was in brackets
}

// parseAuthority is stricter than RFC 3986: a host is a name of letters,
// digits, hyphens and underscores, an IPv4 address, or an IPv6 address without
// a zone in brackets. Whatever browsers and resolvers might read differently
// is not ok, above all user@host.
func parseAuthority(s string) (a authority, ok bool) {
	if strings.HasPrefix(s, "[") {
		return parseBracketed(s)
	}
	host, after := s, ""
	if colon := strings.IndexByte(s, ':'); colon >= 0 {
		host, after = s[:colon], s[colon:]
	}
	port, ok := parsePort(after)
	if !ok || !isName(host) {
		return authority{}, false
	}
	return authority{host: strings.TrimSuffix(host, "."), port: port}, true
}

func parseBracketed(s string) (a authority, ok bool) {
	host, after, found := strings.Cut(s[1:], "]")
	port, ok := parsePort(after)
	if !found || !ok {
		return authority{}, false
	}
	if addr, err := netip.ParseAddr(host); err != nil || !addr.Is6() || addr.Zone() != "" {
		return authority{}, false
	}
	return authority{host: host, port: port, ip: true}, true
}

// parsePort takes what follows a host: nothing, or a colon and a port. As in
// RFC 3986 the port may be missing after the colon.
func parsePort(s string) (port string, ok bool) {
	if s == "" || s == ":" {
		return "", true
	}
	if s[0] != ':' || len(s) > len(":65535") {
		return "", false
	}
	n := 0
	for _, c := range []byte(s[1:]) {
		if c < '0' || c > '9' {
			return "", false
		}
		n = n*10 + int(c-'0')
	}
	return s[1:], n <= 65535
}

// isName reports whether s is dot-separated labels, with or without the dot
// that ends a full name.
func isName(s string) bool {
	if len(s) > maxName+1 {
		return false
	}
	label := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
			label++
		default:
			return false
		}
	}
	return s != ""
}

// local reports whether the authority can only be this machine: localhost and
// the names under it, and loopback addresses. Names are ASCII here, so that
// folding case cannot make a foreign letter one of localhost.
func (a authority) local() bool {
	const name = "localhost"
	if !a.ip && len(a.host) >= len(name) {
		rest, last := a.host[:len(a.host)-len(name)], a.host[len(a.host)-len(name):]
		if strings.EqualFold(last, name) && (rest == "" || strings.HasSuffix(rest, ".")) {
			return true
		}
	}
	if !a.ip && (a.host[0] < '0' || a.host[0] > '9') {
		return false
	}
	addr, err := netip.ParseAddr(a.host)
	return err == nil && addr.IsLoopback()
}

// is reports whether the authority is one of names, whatever its port.
func (a authority) is(names []string) bool {
	for _, name := range names {
		if strings.EqualFold(a.host, name) {
			return true
		}
	}
	return false
}

// cutScheme takes the scheme off an Origin, which must be http or https.
// Others, "null" among them, can be claimed by anyone's page.
func cutScheme(origin string) (defaultPort, rest string, ok bool) {
	scheme, rest, found := strings.Cut(origin, "://")
	switch {
	case !found:
		return "", "", false
	case strings.EqualFold(scheme, "http"):
		return "80", rest, true
	case strings.EqualFold(scheme, "https"):
		return "443", rest, true
	}
	return "", "", false
}

// same reports whether an origin is that of a request to b. The scheme is not
// compared: behind a proxy that ends TLS we do not know ours.
func (a authority) same(b authority, defaultPort string) bool {
	return strings.EqualFold(a.host, b.host) && a.ip == b.ip && a.portOr(defaultPort) == b.portOr(defaultPort)
}

func (a authority) portOr(defaultPort string) string {
	if a.port == "" {
		return defaultPort
	}
	return a.port
}
