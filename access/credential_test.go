package access_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/access"
)

// tokenGuard is a guard with one token.
func tokenGuard(t testing.TB, o access.GuardOptions) (*access.Guard, string) {
	t.Helper()
	o.Tokens = newTokens(t)
	text, _ := makeToken(t, o.Tokens, access.TokenOptions{Name: "ci", Grant: checkout(t)})
	return access.NewGuard(o), text
}

func TestAuthorization(t *testing.T) {
	g, text := tokenGuard(t, access.GuardOptions{})
	other, _, _ := access.NewToken()
	for name, tt := range map[string]struct {
		values []string
		status int
		code   string
	}{
		"good":               {[]string{"Bearer " + text}, 200, ""},
		"lower case":         {[]string{"bearer " + text}, 200, ""},
		"upper case":         {[]string{"BEARER " + text}, 200, ""},
		"more spaces":        {[]string{"Bearer   " + text}, 200, ""},
		"nothing":            {[]string{""}, 401, access.ReasonScheme},
		"no values":          {[]string{}, 200, ""},
		"only the scheme":    {[]string{"Bearer"}, 401, access.ReasonMalformed},
		"scheme and space":   {[]string{"Bearer "}, 401, access.ReasonMalformed},
		"no scheme":          {[]string{text}, 401, access.ReasonScheme},
		"a tab":              {[]string{"Bearer\t" + text}, 401, access.ReasonScheme},
		"a space before":     {[]string{" Bearer " + text}, 401, access.ReasonScheme},
		"a longer scheme":    {[]string{"Bearerx " + text}, 401, access.ReasonScheme},
		"a letter like it":   {[]string{"Beare\u212a " + text}, 401, access.ReasonScheme},
		"Basic":              {[]string{"Basic " + text}, 401, access.ReasonScheme},
		"Digest":             {[]string{`Digest username="a"`}, 401, access.ReasonScheme},
		"two good ones":      {[]string{"Bearer " + text, "Bearer " + text}, 400, access.ReasonTwice},
		"a good and a bad":   {[]string{"Bearer " + text, "Bearer x"}, 400, access.ReasonTwice},
		"a bad and a good":   {[]string{"Bearer x", "Bearer " + text}, 400, access.ReasonTwice},
		"an empty and a one": {[]string{"", "Bearer " + text}, 400, access.ReasonTwice},
		"joined":             {[]string{"Bearer " + text + ", Bearer " + text}, 400, access.ReasonTwice},
		"joined tightly":     {[]string{"Bearer " + text + "," + text}, 400, access.ReasonTwice},
		"something after":    {[]string{"Bearer " + text + " x"}, 400, access.ReasonTwice},
		"quoted":             {[]string{`Bearer "` + text + `"`}, 401, access.ReasonMalformed},
		"a line after":       {[]string{"Bearer " + text + "\n"}, 401, access.ReasonMalformed},
		"a byte 0":           {[]string{"Bearer " + text + "\x00"}, 401, access.ReasonMalformed},
		"escaped":            {[]string{"Bearer %74lk_" + text[4:]}, 401, access.ReasonMalformed},
		"another prefix":     {[]string{"Bearer ghp_" + text[4:]}, 401, access.ReasonMalformed},
		"a ticket":           {[]string{"Bearer tlt_" + strings.Repeat("a", 43)}, 401, access.ReasonMalformed},
		"cut":                {[]string{"Bearer " + text[:40]}, 401, access.ReasonMalformed},
		"unknown":            {[]string{"Bearer " + other}, 401, access.ReasonUnknown},
		"very long":          {[]string{"Bearer " + strings.Repeat("a", 1<<20)}, 401, access.ReasonMalformed},
		"a JWT of nobody":    {[]string{"Bearer " + sign(t, keys()["ed"], claims(nil))}, 401, access.ReasonJWTIssuer},
	} {
		r := request(peer, host)
		r.Header["Authorization"] = tt.values
		who, w := ask(g, r)
		if w.Code != tt.status || code(t, w) != tt.code || (who == nil) != (tt.status != 200) {
			t.Errorf("%s: %d %s, want %d %s", name, w.Code, w.Body, tt.status, tt.code)
		}
		if tt.status != 200 && !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer error=") {
			t.Errorf("%s: WWW-Authenticate %q", name, w.Header().Get("WWW-Authenticate"))
		}
		if strings.Contains(w.Body.String(), text[4:20]) {
			t.Errorf("%s: the answer holds the token", name)
		}
	}
}

// With credentials configured the rule for callers without one stays as it was, and a credential is needed where it refuses.
func TestWithoutCredential(t *testing.T) {
	g, _ := tokenGuard(t, access.GuardOptions{})
	who, _ := ask(g, request(peer, host))
	if who == nil || who.Kind != access.KindLocal || !who.Grant.Allows("any") || who.Grant.Rights() != access.History || !who.Grant.Scope(nil, nil).All() {
		t.Errorf("local: %+v", who)
	}
	for name, tt := range map[string]struct {
		r      *http.Request
		status int
		code   string
	}{
		"elsewhere":     {request(stranger, host), 401, access.ReasonPeer},
		"a proxy":       {request(peer, host, "X-Forwarded-For", "::1"), 401, access.ReasonForwarded},
		"another name":  {request(peer, "evil.example"), 421, access.ReasonHost},
		"another page":  {request(peer, host, "Origin", "https://evil.example"), 403, access.ReasonOrigin},
		"Proxy-Auth":    {request(stranger, host, "Proxy-Authorization", "Bearer x"), 401, access.ReasonPeer},
		"X-Token":       {request(stranger, host, "X-Authorization", "Bearer x"), 401, access.ReasonPeer},
		"a cookie":      {request(stranger, host, "Cookie", "token=x"), 401, access.ReasonPeer},
		"Host as local": {request(stranger, "localhost"), 401, access.ReasonPeer},
	} {
		_, w := ask(g, tt.r)
		if w.Code != tt.status || code(t, w) != tt.code || (w.Header().Get("WWW-Authenticate") == "Bearer") != (tt.status == 401) {
			t.Errorf("%s: %d %s %q", name, w.Code, w.Body, w.Header())
		}
	}
	open, _ := tokenGuard(t, access.GuardOptions{Insecure: true})
	if who, _ := ask(open, request(stranger, "any")); who == nil || who.Kind != access.KindInsecure || who.Grant.Rights() != access.History {
		t.Errorf("insecure: %+v", who)
	}
	if _, w := ask(open, bearer(stranger, "tlk_x")); w.Code != 401 {
		t.Errorf("insecure, with a bad credential: %d", w.Code)
	}
	if who := access.FromContext(t.Context()); who.Kind != access.KindNobody || who.Grant.Allows("prod") || who.Grant.Rights() != 0 {
		t.Errorf("nobody: %+v", who)
	}
}

// A credential in a URL is in somebody's log by then: it is refused, from this machine too, so that it is noticed and replaced.
func TestCredentialInURL(t *testing.T) {
	g, text := tokenGuard(t, access.GuardOptions{})
	jwt := sign(t, keys()["ed"], claims(nil))
	for _, query := range []string{"access_token=" + text, "access_token=x", "token=" + text, "x=1&y=" + text, "jwt=" + jwt, "a=" + jwt + "&b", "ticket=tlt_x", "ticket=", "ticket"} {
		r := request(peer, host)
		r.URL.RawQuery = query
		if who, w := ask(g, r); who != nil || w.Code != 400 || code(t, w) != access.ReasonInURL {
			t.Errorf("%s: %v %d %s", query, who, w.Code, w.Body)
		}
		r.Header.Set("Authorization", "Bearer "+text)
		if who, w := ask(g, r); who != nil || w.Code != 400 {
			t.Errorf("%s with a good header: %v %d", query, who, w.Code)
		}
	}
	for _, query := range []string{"env=prod", "env=prod&at=4be2", "tickets=3", "env=tlk_x", "q=a.b.c", "%zz"} {
		r := request(peer, host)
		r.URL.RawQuery = query
		if who, w := ask(g, r); who == nil {
			t.Errorf("%s: %s", query, w.Body)
		}
	}
}

// As net/http hands requests on: what it joins, trims or refuses is judged the same.
func TestAuthorizationOverHTTP(t *testing.T) {
	g, text := tokenGuard(t, access.GuardOptions{})
	server := httptest.NewServer(g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(access.FromContext(r.Context()).String()))
	})))
	defer server.Close()
	get := func(values ...string) int {
		t.Helper()
		r, _ := http.NewRequest(http.MethodGet, server.URL, nil)
		r.Header["authorization"] = values
		resp, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	if got := get("Bearer " + text); got != 200 {
		t.Errorf("good: %d", got)
	}
	if got := get("  Bearer " + text + " \t"); got != 200 {
		t.Errorf("with space around: %d", got)
	}
	if got := get("Bearer "+text, "Bearer "+text); got != 400 {
		t.Errorf("twice: %d", got)
	}
	if got := get("Bearer x"); got != 401 {
		t.Errorf("bad: %d", got)
	}
}

// What could be read in two ways never reaches a handler.
func TestSmuggling(t *testing.T) {
	g, text := tokenGuard(t, access.GuardOptions{})
	server := httptest.NewServer(g.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	defer server.Close()
	for name, tt := range map[string]struct {
		head string
		want string
	}{
		"good":                 {"Host: localhost\r\nAuthorization: Bearer " + text + "\r\n", "200"},
		"folded":               {"Host: localhost\r\nAuthorization: Bearer\r\n " + text + "\r\n", "200"}, // one line by RFC 9112
		"a good one folded in": {"Host: localhost\r\nAuthorization: Bearer x\r\n Authorization: Bearer " + text + "\r\n", "400"},
		"space before colon":   {"Host: localhost\r\nAuthorization : Bearer " + text + "\r\n", "400"},
		"in two cases":         {"Host: localhost\r\nauthorization: Bearer x\r\nAUTHORIZATION: Bearer " + text + "\r\n", "400"},
		"two hosts":            {"Host: localhost\r\nHost: evil.example\r\n", "400"},
		"no host":              {"Authorization: Bearer " + text + "\r\n", "400"},
		"a byte 0":             {"Host: localhost\r\nAuthorization: Bearer x\x00\r\n", "400"},
		"a bare line end":      {"Host: localhost\r\nX: y\nAuthorization: Bearer x\r\n", "401"},
		"two lengths":          {"Host: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n", "400"},
	} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte("GET /v1/config HTTP/1.1\r\n" + tt.head + "Connection: close\r\n\r\n"))
		answer, _ := io.ReadAll(conn)
		_ = conn.Close()
		if _, got, _ := strings.Cut(string(answer), " "); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %.40q", name, answer)
		}
	}
}

func TestRights(t *testing.T) {
	var observed []string
	g, text := tokenGuard(t, access.GuardOptions{Observe: func(reason string) { observed = append(observed, reason) }})
	w := httptest.NewRecorder()
	g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !access.FromContext(r.Context()).Grant.May(access.Operate) {
			g.Refuse(w, r, access.NotGranted(access.Operate))
		}
	})).ServeHTTP(w, bearer(stranger, text))
	if w.Code != 403 || code(t, w) != access.ReasonRight || w.Header().Get("WWW-Authenticate") != `Bearer error="insufficient_scope"` || len(observed) != 1 {
		t.Errorf("%d %s %q, observed %q", w.Code, w.Body, w.Header(), observed)
	}
}

func TestOrigins(t *testing.T) {
	const page = "https://app.example"
	g, text := tokenGuard(t, access.GuardOptions{Origins: []string{page, "http://dev.example:3000", "HTTPS://bad.example", "https://x/y"}})
	preflight := func(peer, origin string) *httptest.ResponseRecorder {
		r := request(peer, "config.example", "Origin", origin, "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization")
		r.Method = http.MethodOptions
		who, w := ask(g, r)
		if who != nil {
			t.Errorf("a preflight of %s reached the handler", origin)
		}
		return w
	}
	for _, origin := range []string{page, "http://dev.example:3000"} {
		w := preflight(stranger, origin)
		h := w.Header()
		if w.Code != 204 || h.Get("Access-Control-Allow-Origin") != origin || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "Authorization") ||
			!strings.Contains(strings.Join(h.Values("Vary"), ","), "Origin") || h.Get("Access-Control-Max-Age") == "" || h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %d %q", origin, w.Code, h)
		}
		who, w := ask(g, request(stranger, "config.example", "Origin", origin, "Authorization", "Bearer "+text))
		if who == nil || w.Header().Get("Access-Control-Allow-Origin") != origin || w.Header().Get("Access-Control-Expose-Headers") != "ETag, Retry-After, WWW-Authenticate, Trunkline-Commit, Trunkline-Basis, Trunkline-Next" {
			t.Errorf("%s: %v %q", origin, who, w.Header())
		}
	}
	// A page can read why it was refused.
	_, w := ask(g, request(stranger, "config.example", "Origin", page, "Authorization", "Bearer x"))
	if w.Code != 401 || w.Header().Get("Access-Control-Allow-Origin") != page {
		t.Errorf("a bad credential: %d %q", w.Code, w.Header())
	}
	// Without a credential an origin on the list is as foreign as any.
	_, w = ask(g, request(peer, host, "Origin", page))
	if w.Code != 403 || code(t, w) != access.ReasonOrigin {
		t.Errorf("without a credential: %d %s", w.Code, w.Body)
	}
	for _, origin := range []string{"https://evil.example", "https://app.example.evil", "https://app.example:444", "http://app.example", "HTTPS://app.example", "null", "", "https://bad.example", "https://x", "*"} {
		if w := preflight(stranger, origin); w.Code < 400 || w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("preflight of %s: %d %q", origin, w.Code, w.Header())
		}
		who, w := ask(g, request(stranger, "config.example", "Origin", origin, "Authorization", "Bearer "+text))
		if who != nil || w.Code != 403 || w.Header().Get("Access-Control-Allow-Origin") != "" || w.Header().Get("Vary") != "Origin" {
			t.Errorf("%s: %v %d %q", origin, who, w.Code, w.Header())
		}
	}
	two := request(stranger, "config.example", "Origin", page, "Origin", page, "Authorization", "Bearer "+text)
	if who, w := ask(g, two); who != nil || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("two origins: %v %q", who, w.Header())
	}
	// A page of the server's own needs no list.
	if who, w := ask(g, request(stranger, "config.example", "Origin", "https://config.example", "Authorization", "Bearer "+text)); who == nil {
		t.Errorf("its own page: %s", w.Body)
	}
	if who, _ := ask(g, request(stranger, "config.example", "Authorization", "Bearer "+text)); who == nil {
		t.Error("no page")
	}
	for origin, want := range map[string]bool{page: true, "https://app.example/": false, "app.example": false, "*": false, "null": false, "https://A.example": false, "http://[::1]:3000": true} {
		if err := access.CheckOrigin(origin); (err == nil) != want {
			t.Errorf("%s: %v", origin, err)
		}
	}
}

func TestCredentialsDoNotAllocate(t *testing.T) {
	tokens := newTokens(t)
	text, _ := makeToken(t, tokens, access.TokenOptions{Name: "ci", Grant: checkout(t)})
	j := openJWTs(t, settings(t, "", "rsa"), access.KeyTimes{})
	g := access.NewGuard(access.GuardOptions{Tokens: tokens, JWTs: j})
	for name, r := range map[string]*http.Request{
		"token": bearer(stranger, text), "JWT": bearer(stranger, sign(t, keys()["rsa"], kubernetes("shop", "checkout", map[string]any{"iss": issuer, "aud": audience, "sub": "checkout"}))),
	} {
		if err := g.Check(r); err != nil {
			t.Fatal(err)
		}
		n := testing.AllocsPerRun(100, func() { _ = g.Check(r) })
		if n != 0 && !raceEnabled {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkWrap(b *testing.B) {
	tokens := newTokens(b)
	text, _ := makeToken(b, tokens, access.TokenOptions{Name: "ci", Grant: checkout(b)})
	j := openJWTs(b, settings(b, "", "rsa"), access.KeyTimes{})
	g := access.NewGuard(access.GuardOptions{Tokens: tokens, JWTs: j, Limits: access.Limits{Requests: access.Rate{PerSecond: 1e9}, AddressRequests: access.Rate{PerSecond: 1e9}}})
	h := g.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for name, r := range map[string]*http.Request{
		"none": request(peer, host), "token": bearer(stranger, text), "JWT": bearer(stranger, sign(b, keys()["rsa"], claims(nil))),
	} {
		b.Run(name, func(b *testing.B) {
			w := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
			if w.Code != 200 {
				b.Fatal(w.Code)
			}
		})
	}
}

// OpenFeature clients may send their key in a header of its own. Gateways use it, too, for keys that are none of ours.
func TestAPIKey(t *testing.T) {
	g, text := tokenGuard(t, access.GuardOptions{})
	other, _, _ := access.NewToken()
	for name, tt := range map[string]struct {
		keys, authorization []string
		status              int
		code                string
	}{
		"good":                    {[]string{text}, nil, 200, ""},
		"unknown":                 {[]string{other}, nil, 401, access.ReasonUnknown},
		"cut":                     {[]string{text[:len(text)-1]}, nil, 401, access.ReasonMalformed},
		"mistyped":                {[]string{text[:20] + "-" + text[21:]}, nil, 401, access.ReasonMalformed},
		"too long":                {[]string{text + strings.Repeat("a", access.MaxCredential)}, nil, 401, access.ReasonMalformed},
		"a JWT of nobody":         {[]string{sign(t, keys()["ed"], claims(nil))}, nil, 401, access.ReasonJWTIssuer},
		"a gateway's":             {[]string{"gw-1"}, nil, 200, ""},
		"two":                     {[]string{text, text}, nil, 400, access.ReasonTwice},
		"beside another":          {[]string{text}, []string{"Bearer " + text}, 400, access.ReasonTwice},
		"a gateway's, beside one": {[]string{"gw-1"}, []string{"Bearer " + text}, 200, ""},
	} {
		r := request(peer, host)
		r.Header["X-Api-Key"] = tt.keys
		if tt.authorization != nil {
			r.Header["Authorization"] = tt.authorization
		}
		who, w := ask(g, r)
		if w.Code != tt.status || code(t, w) != tt.code {
			t.Errorf("%s: %d %s, want %d %s", name, w.Code, w.Body, tt.status, tt.code)
		}
		if mine := name == "good" || name == "a gateway's, beside one"; who != nil && mine != (who.Name == "ci") {
			t.Errorf("%s: taken for %s", name, who)
		}
	}
}
