package access_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/access"
)

// request is a request as net/http would hand it on. Headers are pairs.
func request(peer, host string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/v1/config/database", nil)
	r.RemoteAddr, r.Host = peer, host
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

const (
	peer = "127.0.0.1:50000"
	host = "localhost:7420"
)

// reason is why a request was refused, or "".
func reason(t testing.TB, g *access.Guard, r *http.Request) string {
	t.Helper()
	err := g.Check(r)
	if err == nil {
		return ""
	}
	var refused *access.Refused
	if !errors.As(err, &refused) || refused.Error() == "" || refused.Hint == "" || refused.Status < 400 || refused.Status > 499 {
		t.Fatalf("not a refusal: %#v", err)
	}
	return refused.Reason
}

func TestPeer(t *testing.T) {
	g := access.NewGuard(access.GuardOptions{})
	for peer, want := range map[string]string{
		"127.0.0.1:50000":          "",
		"127.8.9.10:50000":         "",
		"[::1]:50000":              "",
		"[::1%lo]:50000":           "",
		"[::ffff:127.0.0.1]:50000": "",

		"10.0.0.7:50000":          access.ReasonPeer,
		"0.0.0.0:50000":           access.ReasonPeer,
		"128.0.0.1:50000":         access.ReasonPeer,
		"[fe80::1%eth0]:50000":    access.ReasonPeer,
		"[fe80::1]:50000":         access.ReasonPeer,
		"[::]:50000":              access.ReasonPeer,
		"[::ffff:10.0.0.7]:50000": access.ReasonPeer,
		"[2001:db8::1]:50000":     access.ReasonPeer,
		"127.0.0.1":               access.ReasonPeer,
		"localhost:50000":         access.ReasonPeer,
		"@":                       access.ReasonPeer,
		"":                        access.ReasonPeer,
	} {
		if got := reason(t, g, request(peer, host)); got != want {
			t.Errorf("peer %q: %q, want %q", peer, got, want)
		}
	}
}

var (
	localHosts = []string{
		"localhost", "localhost:7420", "LocalHost:7420", "localhost.", "localhost.:7420",
		"web.localhost", "a.b.LOCALHOST:1", "web.localhost.:65535", "localhost:", "localhost:0", "localhost:00080",
		"127.0.0.1", "127.0.0.1:7420", "127.255.1.2:80", "[::1]", "[::1]:7420", "[0:0:0:0:0:0:0:1]:7420", "[::ffff:7f00:1]",
	}
	otherHosts = []string{
		"evil.example", "evil.example:7420", "localhost.evil.com", "localhost.evil.com:7420", "127.0.0.1.evil.com",
		"evillocalhost", "evil-localhost:7420", "localhost.evil", "local", "localhos", "10.0.0.7:7420", "0.0.0.0", "128.0.0.1",
		"[::]:7420", "[fe80::1]", "[::2]:7420", "localhost.localdomain",
	}
	garbledHosts = []string{
		"", " ", ":", ":7420", ".", "..", ".localhost", "a..localhost", "localhost..", "..localhost",
		"localhost:x", "localhost:-1", "localhost:+1", "localhost:65536", "localhost:123456", "localhost:80:80", "localhost::80",
		"localhost@evil.example", "evil.example@localhost", "localhost:80@evil.example", "evil.example:80@localhost", "@localhost", "user:pw@localhost:7420",
		"::1", "::1:7420", "[::1", "::1]", "[::1]7420", "[::1]:x", "[::1]]", "[[::1]]", "[]", "[::1%lo]", "[::1%25lo]", "[localhost]", "[127.0.0.1]",
		"localhost/", "localhost/evil.example", "evil.example/.localhost", "evil.example#.localhost", "evil.example?.localhost", `evil.example\.localhost`,
		"evil.example .localhost", "localhost ", " localhost", "localhost\t", "localhost\x00", "evil.example,localhost", "localhost,evil.example",
		"%6cocalhost", "localho\u017ft", "\u217focalhost", "127.0.0.1%20", "http://localhost",
		"127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "127.0.0.01", "127.0.0.1.1", "127.0.0.256",
		strings.Repeat("a", 254-len(".localhost")) + ".localhost..",
		strings.Repeat("a.", 200) + "localhost",
	}
)

func TestHost(t *testing.T) {
	g := access.NewGuard(access.GuardOptions{})
	for _, host := range localHosts {
		if got := reason(t, g, request(peer, host)); got != "" {
			t.Errorf("Host %q: %q", host, got)
		}
	}
	for _, host := range append(otherHosts, garbledHosts...) {
		if got := reason(t, g, request(peer, host)); got != access.ReasonHost {
			t.Errorf("Host %q: %q, want %q", host, got, access.ReasonHost)
		}
	}
}

// A page of a name that was made to resolve to a loopback address comes from a
// loopback peer, and its Origin is as its Host: only the name tells.
func TestRebinding(t *testing.T) {
	g := access.NewGuard(access.GuardOptions{})
	for _, r := range []*http.Request{
		request(peer, "evil.example:7420"),
		request(peer, "evil.example:7420", "Origin", "http://evil.example:7420"),
		request(peer, "evil.example:7420", "Origin", "http://localhost:7420"),
	} {
		if got := reason(t, g, r); got != access.ReasonHost {
			t.Errorf("Host %s, Origin %s: %q", r.Host, r.Header.Get("Origin"), got)
		}
	}
}

func TestOrigin(t *testing.T) {
	g := access.NewGuard(access.GuardOptions{})
	for _, host := range localHosts {
		for _, scheme := range []string{"http", "https", "HTTP"} {
			if got := reason(t, g, request(peer, "localhost:7420", "Origin", scheme+"://"+host)); got != "" {
				t.Errorf("Origin %s://%s: %q", scheme, host, got)
			}
		}
	}
	refused := []string{
		"null", "", " ", "*", "localhost", "//localhost", "http:localhost", "http:/localhost", "http:///localhost",
		"ftp://localhost", "file://localhost", "file://", "ws://localhost", "chrome-extension://localhost", "httpx://localhost", "://localhost",
		"http://localhost/", "http://localhost http://evil.example", "http://evil.example http://localhost", "http://localhost, http://evil.example",
		"http://user@localhost", "http://localhost@evil.example", "javascript://localhost", "http://http://localhost",
	}
	for _, host := range append(otherHosts, garbledHosts...) {
		refused = append(refused, "http://"+host)
	}
	for _, origin := range refused {
		if got := reason(t, g, request(peer, host, "Origin", origin)); got != access.ReasonOrigin {
			t.Errorf("Origin %q: %q, want %q", origin, got, access.ReasonOrigin)
		}
	}
	two := request(peer, host, "Origin", "http://localhost", "Origin", "http://localhost")
	if got := reason(t, g, two); got != access.ReasonOrigin {
		t.Errorf("two Origins: %q", got)
	}
}

func TestForwarded(t *testing.T) {
	g := access.NewGuard(access.GuardOptions{})
	for _, name := range []string{
		"Forwarded", "forwarded", "Via", "X-Forwarded-For", "x-forwarded-for", "X-Forwarded-Host", "X-Forwarded-Proto",
		"X-Forwarded-Anything", "X-Real-IP",
	} {
		for _, value := range []string{"127.0.0.1", "for=127.0.0.1", ""} {
			if got := reason(t, g, request(peer, host, name, value)); got != access.ReasonForwarded {
				t.Errorf("%s: %q: %q, want %q", name, value, got, access.ReasonForwarded)
			}
		}
	}
	for _, name := range []string{"X-Request-Id", "X-Forwarded", "X-Real", "Viax", "X", "V", "Forward", "Range", "Accept", "Authorization"} {
		if got := reason(t, g, request(peer, host, name, "x")); got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestHosts(t *testing.T) {
	g := access.NewGuard(access.GuardOptions{Hosts: []string{
		"Config.Internal", "port.internal:7420", "dot.internal.", "10.1.2.3", "fd00::1", "[fd00::2]:80",
		"", "*.wild.internal", "http://scheme.internal", "user@name.internal",
	}})
	for _, host := range []string{
		"config.internal", "CONFIG.internal.:7420", "port.internal:1", "dot.internal", "10.1.2.3:80", "[fd00::1]:7420", "[FD00::2]", "localhost",
	} {
		if got := reason(t, g, request(peer, host, "Origin", "https://"+host)); got != "" {
			t.Errorf("Host %q: %q", host, got)
		}
	}
	for _, host := range []string{
		"", "internal", "a.config.internal", "config.internal.evil.example", "x.wild.internal", "*.wild.internal", "scheme.internal", "name.internal", "http",
	} {
		if got := reason(t, g, request(peer, host)); got != access.ReasonHost {
			t.Errorf("Host %q: %q, want %q", host, got, access.ReasonHost)
		}
	}
	if got := reason(t, g, request("10.0.0.7:50000", "config.internal")); got != access.ReasonPeer {
		t.Errorf("a peer elsewhere that uses the name: %q", got)
	}
}

func TestInsecure(t *testing.T) {
	g := access.NewGuard(access.GuardOptions{Insecure: true, Hosts: []string{"dash.internal"}})
	const peer = "10.0.0.7:50000"
	tests := []struct {
		name string
		r    *http.Request
		want string
	}{
		{"any peer", request(peer, "box:7420"), ""},
		{"any Host", request(peer, "evil.example"), ""},
		{"no Host", request(peer, ""), ""},
		{"garbled Host", request(peer, "a b@c"), ""},
		{"through a proxy", request(peer, "box", "X-Forwarded-For", "192.0.2.1", "Forwarded", "x", "Via", "y"), ""},
		{"a page of its own", request(peer, "box:7420", "Origin", "http://box:7420"), ""},
		{"in upper case, with a final dot", request(peer, "box.example:7420", "Origin", "http://BOX.Example.:7420"), ""},
		{"default port left out by the browser", request(peer, "box:443", "Origin", "https://box"), ""},
		{"behind TLS", request(peer, "box", "Origin", "https://box"), ""},
		{"an IPv6 address", request(peer, "[2001:db8::1]:7420", "Origin", "http://[2001:DB8::1]:7420"), ""},
		{"a local page and a local name", request(peer, "localhost:7420", "Origin", "http://localhost:3000"), ""},
		{"a page of another name of ours", request(peer, "dash.internal:7420", "Origin", "http://dash.internal:3000"), ""},

		{"a foreign page", request(peer, "box:7420", "Origin", "http://evil.example"), access.ReasonOrigin},
		{"another port", request(peer, "box:7420", "Origin", "http://box:3000"), access.ReasonOrigin},
		{"default port of the other scheme", request(peer, "box:443", "Origin", "http://box"), access.ReasonOrigin},
		{"a local page and a foreign name", request(peer, "box:7420", "Origin", "http://localhost:3000"), access.ReasonOrigin},
		{"null", request(peer, "box:7420", "Origin", "null"), access.ReasonOrigin},
		{"null and no Host", request(peer, "", "Origin", "null"), access.ReasonOrigin},
		{"empty", request(peer, "", "Origin", ""), access.ReasonOrigin},
		{"nothing but a scheme and no Host", request(peer, "", "Origin", "http://"), access.ReasonOrigin},
		{"as garbled as the Host", request(peer, "a@box", "Origin", "http://a@box"), access.ReasonOrigin},
		{"garbled port of the Host", request(peer, "box:x", "Origin", "http://box"), access.ReasonOrigin},
		{"two", request(peer, "box", "Origin", "http://box", "Origin", "http://box"), access.ReasonOrigin},
	}
	for _, tt := range tests {
		if got := reason(t, g, tt.r); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Being insecure only ever allows more, and what is allowed without it has a
// loopback peer and no sign of a proxy.
func TestInsecureAllowsMore(t *testing.T) {
	hosts := append(append([]string{"extra.internal:1"}, localHosts...), append(otherHosts, garbledHosts...)...)
	names := []string{"extra.internal"}
	secure := access.NewGuard(access.GuardOptions{Hosts: names})
	insecure := access.NewGuard(access.GuardOptions{Hosts: names, Insecure: true})
	rapid.Check(t, func(t *rapid.T) {
		peer := rapid.SampledFrom([]string{peer, "[::1]:1", "10.0.0.7:1", ""}).Draw(t, "peer")
		r := request(peer, rapid.SampledFrom(hosts).Draw(t, "host"))
		if rapid.Bool().Draw(t, "page") {
			r.Header.Add("Origin", "http://"+rapid.SampledFrom(hosts).Draw(t, "origin"))
		}
		proxied := rapid.Bool().Draw(t, "proxied")
		if proxied {
			r.Header.Add("Via", "1.1 proxy")
		}
		if secure.Check(r) != nil {
			return
		}
		if err := insecure.Check(r); err != nil {
			t.Fatalf("refused only if insecure: %v", err)
		}
		if addr, err := netip.ParseAddrPort(peer); err != nil || !addr.Addr().IsLoopback() || proxied {
			t.Fatalf("allowed peer %q, proxied %v", peer, proxied)
		}
	})
}

func TestWrap(t *testing.T) {
	var observed []string
	g := access.NewGuard(access.GuardOptions{Observe: func(reason string) { observed = append(observed, reason) }})
	passed := 0
	h := g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { passed++; w.WriteHeader(http.StatusNoContent) }))
	tests := []struct {
		r      *http.Request
		status int
		code   string
	}{
		{request(peer, host), http.StatusNoContent, ""},
		{request("10.0.0.7:1", host), http.StatusForbidden, access.ReasonPeer},
		{request(peer, "evil.example"), http.StatusMisdirectedRequest, access.ReasonHost},
		{request(peer, host, "Origin", "https://evil.example"), http.StatusForbidden, access.ReasonOrigin},
		{request(peer, host, "X-Forwarded-For", "evil"), http.StatusForbidden, access.ReasonForwarded},
	}
	for _, tt := range tests {
		passed, observed = 0, nil
		w := httptest.NewRecorder()
		h.ServeHTTP(w, tt.r)
		if w.Code != tt.status {
			t.Errorf("%q: status %d, want %d", tt.code, w.Code, tt.status)
		}
		if tt.code == "" {
			if passed != 1 || observed != nil {
				t.Errorf("good request: passed %d times, observed %q", passed, observed)
			}
			continue
		}
		if passed != 0 || len(observed) != 1 || observed[0] != tt.code {
			t.Errorf("%q: passed %d times, observed %q", tt.code, passed, observed)
		}
		var body map[string]map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		e := body["error"]
		if len(body) != 1 || len(e) != 3 || e["code"] != tt.code || e["message"] == "" || e["hint"] == "" {
			t.Errorf("answer %s", w.Body)
		}
		if strings.Contains(w.Body.String(), "evil") {
			t.Errorf("answer repeats the request: %s", w.Body)
		}
	}
}

// As net/http hands requests on, over a real connection.
func TestOverHTTP(t *testing.T) {
	g := access.NewGuard(access.GuardOptions{})
	server := httptest.NewServer(g.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	defer server.Close()
	get := func(host string, headers ...string) int {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		for i := 0; i < len(headers); i += 2 {
			r.Header[headers[i]] = []string{headers[i+1]}
		}
		resp, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	if got := get(""); got != http.StatusOK {
		t.Errorf("plain: %d", got)
	}
	if got := get("evil.example"); got != http.StatusMisdirectedRequest {
		t.Errorf("other Host: %d", got)
	}
	if got := get("", "x-forwarded-for", "127.0.0.1"); got != http.StatusForbidden {
		t.Errorf("lower-case X-Forwarded-For: %d", got)
	}
	if got := get("", "oRIGIN", "null"); got != http.StatusForbidden {
		t.Errorf("Origin in odd case: %d", got)
	}
}

func TestListenAllowed(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:7420": true, "127.1.2.3:0": true, "[::1]:7420": true, "[::1%lo]:7420": true, "localhost:7420": true, "LOCALHOST:http": true,
		":7420": false, "0.0.0.0:7420": false, "[::]:7420": false, "10.0.0.7:7420": false, "box.example:7420": false,
		"localhost.example:7420": false, "web.localhost:7420": false, "[fe80::1%eth0]:7420": false, "": false, "7420": false, "127.0.0.1": false,
	} {
		err := access.ListenAllowed(addr, false)
		if (err == nil) != want {
			t.Errorf("%q: %v", addr, err)
		}
		if err != nil && !strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("%q: no next step in %q", addr, err)
		}
		if err := access.ListenAllowed(addr, true); err != nil {
			t.Errorf("%q, insecure: %v", addr, err)
		}
	}
}

// localURL judges an authority by the URL parser of the standard library.
func localURL(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	name := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.IsLoopback()
}

// Whatever is let through is local in the eyes of another parser too.
func FuzzGuard(f *testing.F) {
	for _, host := range append(append(localHosts, otherHosts...), garbledHosts...) {
		f.Add(host, "http://"+host)
		f.Add("localhost", "https://"+host)
	}
	f.Add("localhost", "null")
	secure := access.NewGuard(access.GuardOptions{})
	insecure := access.NewGuard(access.GuardOptions{Insecure: true})
	f.Fuzz(func(t *testing.T, host, origin string) {
		if secure.Check(request(peer, host)) == nil && !localURL("http://"+host) {
			t.Errorf("let Host %q through", host)
		}
		r := request(peer, host, "Origin", origin)
		allowed := secure.Check(r) == nil
		if allowed && !(localURL("http://"+host) && localURL(origin)) {
			t.Errorf("let Host %q, Origin %q through", host, origin)
		}
		if allowed && insecure.Check(r) != nil {
			t.Errorf("Host %q, Origin %q: refused only if insecure", host, origin)
		}
		if secure.Check(request("10.0.0.7:1", host, "Origin", origin)) == nil {
			t.Errorf("let a stranger through with Host %q, Origin %q", host, origin)
		}
	})
}

// ordinary are requests as programs and browsers send them.
func ordinary() map[string]*http.Request {
	program := request(peer, host, "User-Agent", "Go-http-client/1.1", "Accept-Encoding", "gzip")
	page := request(peer, host, "User-Agent", "Mozilla/5.0", "Accept", "*/*", "Accept-Encoding", "gzip", "Accept-Language", "en",
		"Origin", "http://localhost:7420", "Referer", "http://localhost:7420/", "If-None-Match", `"c1"`)
	return map[string]*http.Request{
		"program": program,
		"page":    page,
		"address": request(peer, "127.0.0.1:7420", "User-Agent", "curl/8", "Accept", "*/*"),
		"ipv6":    request("[::1]:50000", "[::1]:7420", "User-Agent", "curl/8", "Accept", "*/*"),
	}
}

func TestCheckDoesNotAllocate(t *testing.T) {
	for _, insecure := range []bool{false, true} {
		g := access.NewGuard(access.GuardOptions{Insecure: insecure, Hosts: []string{"config.internal"}})
		for name, r := range ordinary() {
			if n := testing.AllocsPerRun(100, func() { _ = g.Check(r) }); n != 0 {
				t.Errorf("%s, insecure %v: %v allocations", name, insecure, n)
			}
		}
		refused := request("10.0.0.7:1", "evil.example", "Origin", "http://evil.example:1")
		if n := testing.AllocsPerRun(100, func() { _ = g.Check(refused) }); n != 0 {
			t.Errorf("refused, insecure %v: %v allocations", insecure, n)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	g := access.NewGuard(access.GuardOptions{})
	for name, r := range ordinary() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := g.Check(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
