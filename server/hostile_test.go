package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trunkline/trunkline/server"
)

// address is where the server listens.
func (s *running) address() string { return strings.TrimPrefix(s.url, "http://") }

// dial opens a connection.
func (s *running) dial() net.Conn {
	s.tb.Helper()
	conn, err := net.Dial("tcp", s.address())
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() { _ = conn.Close() })
	return conn
}

// raw sends bytes on a connection of their own, ends the sending, and returns the answers: the status and the body of each.
func (s *running) raw(text string) (statuses []int, bodies string) {
	s.tb.Helper()
	conn := s.dial()
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	var sending sync.WaitGroup
	sending.Go(func() {
		_, _ = io.WriteString(conn, text) // a server that has answered need not read on
		_ = conn.(*net.TCPConn).CloseWrite()
	})
	for in := bufio.NewReader(conn); ; {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			_ = conn.Close()
			sending.Wait()
			return statuses, bodies
		}
		body, _ := io.ReadAll(res.Body)
		statuses, bodies = append(statuses, res.StatusCode), bodies+string(body)
	}
}

// refused counts the requests that were refused for a reason.
func (s *running) refused(reason string) string {
	s.tb.Helper()
	_, metrics := s.request(http.MethodGet, s.ops+"/metrics", nil, nil)
	m := regexp.MustCompile(`(?m)^trunkline_requests_refused_total\{reason="` + reason + `"\} (\d+)$`).FindSubmatch(metrics)
	if m == nil {
		return "0"
	}
	return string(m[1])
}

// Requests that two readers of HTTP could take for different ones. What is not refused is answered as one reader alone would, and
// a second request on the same connection stands or falls with its own credential.
func TestSmuggledRequests(t *testing.T) {
	remote, data := shop(t), t.TempDir()
	s := start(t, remote, settings(remote, data))
	s.becomes("prod", "checkout.timeout", `"30s"`)
	credential := s.token(data, fmt.Sprintf(limited, "")).Get("Authorization")
	const (
		get    = "GET /v1/config/checkout.timeout?env=prod HTTP/1.1\r\nHost: localhost\r\n"
		hidden = "GET /v1/config/database.primary.port?env=prod HTTP/1.1\r\nHost: localhost\r\n" // not granted to the token
		post   = "POST /v1/tickets HTTP/1.1\r\nHost: localhost\r\n"
		end    = "\r\n"
	)
	auth := "Authorization: " + credential + "\r\n"
	for name, c := range map[string]struct {
		text string
		want string // statuses
		says string
	}{
		"two credentials":                    {get + auth + auth + end, "[400]", "credentialTwice"},
		"a good one and a bad one":           {get + auth + "Authorization: Bearer x\r\n" + end, "[400]", "credentialTwice"},
		"two in one header":                  {get + strings.TrimSuffix(auth, end) + ", " + credential + end + end, "[400]", "credentialTwice"},
		"a ticket beside it":                 {strings.Replace(get, "?", "?ticket=x&", 1) + auth + end, "[400]", "credentialInURL"},
		"a token in the URL":                 {strings.Replace(get, "?", "?x="+strings.TrimPrefix(credential, "Bearer ")+"&", 1) + end, "[400]", "credentialInURL"},
		"a folded credential":                {hidden + strings.Replace(auth, "Bearer ", "Bearer\r\n ", 1) + end, "[404]", "pathNotFound"},
		"a header in a fold":                 {get + "X-Note: a\r\n Forwarded: for=192.0.2.1\r\n" + end, "[200]", "30s"},
		"a fold before all":                  {strings.Replace(get, "\r\nHost", "\r\n Host", 1) + end, "[400]", ""},
		"a credential that Connection names": {hidden + "Connection: Authorization\r\n" + auth + end, "[404]", "pathNotFound"},
		"a credential in a trailer":          {post + "Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n0\r\n" + auth + end, "[403]", "ticketNeedsCredential"},
		"a space before the colon":           {get + "Forwarded : for=192.0.2.1\r\n" + end, "[400]", ""},
		"NUL in a value":                     {get + "X-Note: a\x00b\r\n" + end, "[400]", ""},
		"CR in a value":                      {get + "X-Note: a\rForwarded: b\r\n" + end, "[400]", ""},
		"LF ends a header":                   {get + "X-Note: a\nForwarded: for=192.0.2.1\r\n" + end, "[401]", "forwarded"},
		"NUL in the path":                    {strings.Replace(get, "timeout", "time\x00out", 1) + end, "[400]", ""},

		"both lengths":           {post + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG" + get + end, "[403]", "ticketNeedsCredential"},
		"both, the other way":    {post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n1\r\nZ\r\n0\r\n\r\n" + get + end, "[403]", "ticketNeedsCredential"},
		"chunked twice":          {post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get + end, "[501]", ""},
		"chunked, chunked":       {post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + get + end, "[501]", ""},
		"chunked, identity":      {post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + get + end, "[501]", ""},
		"a chunked of one's own": {post + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + get + end, "[400]", ""},
		"chunks in HTTP/1.0":     {strings.Replace(post, "1.1", "1.0", 1) + "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + get + end, "[403]", "ticketNeedsCredential"},
		"a chunk of 0x2":         {post + "Transfer-Encoding: chunked\r\n\r\n0x2\r\nzz\r\n0\r\n\r\n" + get + end, "[403]", ""},
		"two lengths":            {post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", "[400]", ""},
		"a length of +1":         {post + "Content-Length: +1\r\n\r\nx", "[400]", ""},
		"a length of -1":         {post + "Content-Length: -1\r\n\r\nx", "[400]", ""},

		"another host in the URI": {strings.Replace(get, "/v1", "http://evil.example/v1", 1) + end, "[421]", "hostNotLocal"},
		"a local user of it":      {strings.Replace(get, "/v1", "http://localhost@evil.example/v1", 1) + end, "[421]", "hostNotLocal"},
		"a local host in the URI": {strings.NewReplacer("/v1", "http://localhost/v1", "Host: localhost", "Host: evil.example").Replace(get) + end, "[200]", "30s"}, // RFC 9112, section 3.2.2
		"two hosts":               {get + "Host: evil.example\r\n" + end, "[400]", ""},
		"no host":                 {strings.Replace(get, "Host: localhost\r\n", "", 1) + end, "[400]", ""},
		"no host in HTTP/1.0":     {strings.NewReplacer("1.1", "1.0", "Host: localhost\r\n", "").Replace(get) + end, "[421]", "hostNotLocal"},
		"a user of the host":      {strings.Replace(get, "localhost", "localhost@evil.example", 1) + end, "[400]", ""},

		"with it, and then without": {hidden + auth + end + hidden + end, "[404 200]", "5432"},
		"without it, and then with": {hidden + end + hidden + auth + end, "[200 404]", "5432"},
		"TRACE":                     {strings.Replace(get, "GET", "TRACE", 1) + auth + end, "[404]", "notFound"},
		"HTTP/2 in the clear":       {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "[400]", ""},
		"an upgrade to it":          {get + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n" + end, "[200]", "30s"},
		"TLS":                       {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "[400]", ""},
	} {
		statuses, bodies := s.raw(c.text)
		if fmt.Sprint(statuses) != c.want || !strings.Contains(bodies, c.says) {
			t.Errorf("%s: %v %s, want %s %s", name, statuses, bodies, c.want, c.says)
		}
		if strings.Contains(bodies, credential) {
			t.Errorf("%s: the credential comes back: %s", name, bodies)
		}
	}
	for reason, want := range map[string]string{"credentialTwice": "3", "hostNotLocal": "3", "forwarded": "1", "ticketNeedsCredential": "5"} {
		if got := s.refused(reason); got != want {
			t.Errorf("%s refused for %s, want %s", got, reason, want)
		}
	}
	s.keeps(credential)
}

// keeps checks that secrets are nowhere in the log.
func (s *running) keeps(secrets ...string) {
	s.tb.Helper()
	for _, secret := range secrets {
		if secret = strings.TrimPrefix(secret, "Bearer "); strings.Contains(s.log.String(), secret) {
			s.tb.Errorf("the log holds %s", secret)
		}
	}
}

func TestOversizedRequests(t *testing.T) {
	remote, data := shop(t), t.TempDir()
	s := start(t, remote, settings(remote, data))
	s.becomes("prod", "checkout.timeout", `"30s"`)
	operator := s.token(data, `{"environments": ["*"], "patterns": ["**"], "rights": ["operate"]}`).Get("Authorization")
	const head = " HTTP/1.1\r\nHost: localhost\r\n"
	large := strings.Repeat("a", 64<<10)
	tokens := "POST /v1/tokens" + head + "Authorization: " + operator + "\r\n"
	body := `{"name": "` + large + `", "grant": {"environments": ["prod"], "patterns": ["**"]}}`
	for name, c := range map[string]struct {
		text string
		want string
	}{
		"a path":          {"GET /v1/config/" + large + head + "\r\n", "[431]"},
		"a header":        {"GET /v1/status" + head + "X-Note: " + large + "\r\n\r\n", "[431]"},
		"a credential":    {"GET /v1/status" + head + "Authorization: Bearer " + large[:20<<10] + "\r\n\r\n", "[401]"},
		"a long one":      {"GET /v1/status" + head + "Authorization: Bearer " + large + "\r\n\r\n", "[431]"},
		"many headers":    {"GET /v1/status" + head + strings.Repeat("A: b\r\n", 10_000) + "\r\n", "[431]"},
		"a body":          {fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", tokens, len(body), body), "[413]"},
		"a body of parts": {fmt.Sprintf("%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", tokens, len(body), body), "[413]"},
		"an endless one":  {fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", tokens, int64(1)<<50, body), "[413]"},
		"no right to it":  {"GET /v1/versions" + head + "Authorization: " + operator + "\r\n\r\n", "[403]"},
		"nor by a read":   {"GET /v1/config/checkout?env=prod&at=0123456" + head + "Authorization: " + operator + "\r\n\r\n", "[403]"},
		"a small one":     {tokens + "Content-Length: 70\r\n\r\n" + `{"name": "x", "grant": {"environments": ["prod"], "patterns": ["**"]}}`, "[201]"},
		"to who need not read it": {
			fmt.Sprintf("POST /v1/tokens%sAuthorization: Bearer x\r\nContent-Length: %d\r\n\r\n%s", head, 1<<30, strings.Repeat(large, 64)), "[401]",
		},
		"chunks without end": {"POST /v1/tickets" + head + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("10000\r\n"+large+"\r\n", 64), "[403]"},
	} {
		if statuses, bodies := s.raw(c.text); fmt.Sprint(statuses) != c.want {
			t.Errorf("%s: %v %s, want %s", name, statuses, bodies, c.want)
		}
	}
	for reason, want := range map[string]string{"tooLarge": "3", "forbidden": "2", "credentialMalformed": "2", "ticketNeedsCredential": "1"} {
		if got := s.refused(reason); got != want {
			t.Errorf("%s refused for %s, want %s", got, reason, want)
		}
	}
	s.keeps(operator)
}

// A body that does not come is told so, and counted.
func TestSlowBodies(t *testing.T) {
	remote, data := shop(t), t.TempDir()
	s := start(t, remote, settings(remote, data), func(s *server.Server) { s.Hasten(patience, time.Second, patience) })
	s.becomes("prod", "checkout.timeout", `"30s"`)
	operator := s.token(data, `{"environments": ["*"], "patterns": ["**"], "rights": ["operate"]}`).Get("Authorization")
	for _, path := range []string{"/v1/query?env=prod", "/v1/tokens"} {
		conn := s.dial()
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\nAuthorization: "+operator+"\r\nContent-Length: 20\r\n\r\n{")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		if res.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(body), "tooSlow") {
			t.Errorf("%s: %s %s", path, res.Status, body)
		}
	}
	if got := s.refused("tooSlow"); got != "2" {
		t.Errorf("%s refused for being too slow", got)
	}
}

// reading reads a value over and over, by one connection after the other, until it is told to stop; then it tells how often. A read
// that fails, or another value, fails the test.
func (s *running) reading() (stop func() int) {
	s.tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	reads := make(chan int)
	go func() {
		transport := &http.Transport{}
		client := &http.Client{Transport: transport, Timeout: patience}
		n := 0
		for ctx.Err() == nil {
			res, err := client.Get(s.url + "/v1/config/checkout.timeout?env=prod")
			if err != nil {
				s.tb.Errorf("an ordinary reader: %v", err)
				break
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err != nil || res.StatusCode != http.StatusOK || string(body) != `"30s"` {
				s.tb.Errorf("an ordinary reader: %s %s %v", res.Status, body, err)
				break
			}
			if n++; n%10 == 0 {
				transport.CloseIdleConnections()
			}
		}
		transport.CloseIdleConnections()
		reads <- n
	}()
	return func() int { cancel(); return <-reads }
}

// settles waits until no goroutines are left but those there were.
func settles(tb testing.TB, before goleak.Option) {
	tb.Helper()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	eventually(tb, "only the goroutines from before are left", func() bool { return goleak.Find(before) == nil })
}

// Who connects and is slow, in whichever way, is cut off, and is no burden to others meanwhile.
func TestSlowCallersAreCutOff(t *testing.T) {
	remote := shop(t)
	s := start(t, remote, settings(remote, t.TempDir()), func(s *server.Server) {
		s.Hasten(time.Second, 2*time.Second, 2*time.Second)
	})
	s.becomes("prod", "checkout.timeout", `"30s"`)
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	before := goleak.IgnoreCurrent()
	stop := s.reading()
	const get = "GET /v1/config/?env=prod HTTP/1.1\r\nHost: localhost\r\n"
	var callers sync.WaitGroup
	attack := func(n int, do func(net.Conn)) {
		for range n {
			callers.Go(func() {
				conn, err := net.Dial("tcp", s.address())
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(patience))
				do(conn)
			})
		}
	}
	isCut := func(what string, conn net.Conn) {
		var late net.Error
		if _, err := io.Copy(io.Discard, conn); errors.As(err, &late) && late.Timeout() {
			t.Errorf("%s is still connected", what)
		}
	}
	dribble := func(conn net.Conn, text string) {
		for _, b := range []byte(text) {
			if _, err := conn.Write([]byte{b}); err != nil {
				return
			}
			<-time.After(20 * time.Millisecond)
		}
	}
	attack(200, func(conn net.Conn) { isCut("one that says nothing", conn) })
	attack(50, func(conn net.Conn) {
		dribble(conn, get+"X-Note: "+strings.Repeat("a", 1000))
		isCut("one that dribbles its header", conn)
	})
	attack(50, func(conn net.Conn) {
		_, _ = io.WriteString(conn, get+"Content-Length: 1000\r\n\r\n")
		dribble(conn, strings.Repeat("a", 1000))
		isCut("one that dribbles its body", conn)
	})
	attack(20, func(conn net.Conn) {
		_, _ = io.WriteString(conn, get+"Authorization: Bearer x\r\nContent-Length: 10\r\n\r\n")
		isCut("one that is refused and owes a body", conn)
	})
	for range 2 { // more would take long to fill their sockets
		deaf := s.dial() // until the test ends: its own system may not let it know that it was cut off
		callers.Go(func() {
			_ = deaf.SetWriteDeadline(time.Now().Add(3 * time.Second))
			for err := error(nil); err == nil; {
				_, err = io.WriteString(deaf, strings.Repeat(get+"\r\n", 100))
			}
		})
	}
	callers.Wait()
	if n := stop(); n < 10 {
		t.Errorf("an ordinary reader had %d answers meanwhile", n)
	}
	settles(t, before)
}

// A burst of connections, and of requests that are refused, leaves nothing behind.
func TestBurstOfConnections(t *testing.T) {
	remote := shop(t)
	s := start(t, remote, settings(remote, t.TempDir()))
	s.becomes("prod", "checkout.timeout", `"30s"`)
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	before := goleak.IgnoreCurrent()
	stop := s.reading()
	const (
		connections = 1000
		workers     = 20
	)
	var burst sync.WaitGroup
	for worker := range workers {
		burst.Go(func() {
			for n := range connections / workers {
				conn, err := net.Dial("tcp", s.address())
				if err != nil {
					t.Error(err)
					return
				}
				switch (worker + n) % 4 {
				case 0: // goes away without a word
				case 1: // in the middle of one
					_, _ = io.WriteString(conn, "GET /v1/config HTTP/1.1\r\nHo")
				case 2: // and without farewell
					_ = conn.(*net.TCPConn).SetLinger(0)
				case 3:
					_, _ = io.WriteString(conn, "GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer guess\r\n\r\n")
					_, _ = io.ReadAll(io.LimitReader(conn, 12))
				}
				_ = conn.Close()
			}
		})
	}
	burst.Wait()
	if n := stop(); n < 10 {
		t.Errorf("an ordinary reader had %d answers meanwhile", n)
	}
	settles(t, before)
	malformed, many := s.refused("credentialMalformed"), s.refused("tooManyFailures")
	var told, held int
	_, _ = fmt.Sscan(malformed, &told)
	_, _ = fmt.Sscan(many, &held)
	if told+held != connections/4 || told < 50 {
		t.Errorf("%s are counted as malformed and %s as too many, of %d", malformed, many, connections/4)
	}
}
