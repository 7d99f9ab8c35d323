package notify_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trunkline/trunkline/notify"
)

// handlers are those of a server whose times are short.
var handlers = map[string]http.HandlerFunc{
	"/": func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "ok") },
	"/body": func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprint(w, len(body), " late ", errors.Is(err, os.ErrDeadlineExceeded))
	},
	"/long": func(w http.ResponseWriter, r *http.Request) { // longer than a request may take to come
		select {
		case <-r.Context().Done():
		case <-time.After(4 * short):
		}
		fmt.Fprint(w, "ended ", r.Context().Err() != nil)
	},
	"/stream": func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.SetReadDeadline(time.Time{})
		_ = control.SetWriteDeadline(time.Time{})
		for n := range 3 {
			select {
			case <-r.Context().Done():
			case <-time.After(short):
			}
			fmt.Fprint(w, n, " ended ", r.Context().Err() != nil, "\n")
			_ = control.Flush()
		}
	},
	"/hijack": func(w http.ResponseWriter, r *http.Request) {
		c, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		<-time.After(2 * short) // all that held for the request has passed
		_, _ = io.WriteString(c, "hijacked ")
		_, _ = io.Copy(c, io.LimitReader(buffered, 4))
	},
}

const short = 150 * time.Millisecond

// HTTP is served by our connections as by Go's own, whatever is done with their deadlines.
func TestHTTPIsServedAsEver(t *testing.T) {
	get := func(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n" }
	pause := func(net.Conn) { <-time.After(short / 3) }
	say := func(text string) func(net.Conn) { return func(c net.Conn) { _, _ = io.WriteString(c, text) } }
	for name, steps := range map[string][]func(net.Conn){
		"nothing":                         {},
		"half a header":                   {say("GET / HTTP/1.1\r\n")},
		"then idle":                       {say(get("/"))},
		"pipelined":                       {say(strings.Repeat(get("/"), 5))},
		"one after the other":             {say(get("/")), pause, say(get("/")), pause, say(get("/")), pause, say(get("/")), pause, say(get("/")), pause, say(get("/"))},
		"half a header of the second":     {say(get("/") + "GET")},
		"a body that comes":               {say("POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n"), pause, say("body" + get("/"))},
		"a body that does not":            {say("POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n"), pause, say("b")},
		"a long answer":                   {say(get("/long"))},
		"a long answer, and another":      {say(get("/long") + get("/"))},
		"a stream":                        {say(get("/stream"))},
		"a stream, and another":           {say(get("/stream")), pause, say(get("/stream"))},
		"hijacked":                        {say(get("/hijack")), pause, pause, say("more")},
		"hijacked, with more":             {say(get("/hijack") + "more")},
		"hijacked by the second":          {say(get("/") + get("/hijack")), pause, say("more")},
		"who goes away during the answer": {say(get("/stream")), pause, func(c net.Conn) { _ = c.(*net.TCPConn).CloseWrite() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told := [2]string{}
			for i, listen := range []func(net.Listener) net.Listener{func(l net.Listener) net.Listener { return l }, notify.Listen} {
				s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handlers[r.URL.Path](w, r) }))
				s.Listener = listen(s.Listener)
				s.Config.ReadHeaderTimeout, s.Config.ReadTimeout, s.Config.WriteTimeout, s.Config.IdleTimeout = short, 2*short, 10*short, 3*short
				s.Start()
				c, err := net.Dial("tcp", s.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				for _, step := range steps {
					step(c)
				}
				_ = c.SetReadDeadline(time.Now().Add(generous))
				for lines := bufio.NewScanner(c); lines.Scan(); {
					if line := lines.Text(); !strings.HasPrefix(line, "Date: ") {
						told[i] += line + "\n"
					}
				}
				_ = c.Close()
				s.Close()
			}
			if told[0] != told[1] {
				t.Errorf("answered\n%s\nand by Go's own\n%s", told[1], told[0])
			}
		})
	}
}

// A server that shuts down does not wait for connections that are idle, or were, whatever their deadlines are.
func TestShutdownDoesNotWaitForIdleConnections(t *testing.T) {
	defer goleak.VerifyNone(t)
	s := httptest.NewUnstartedServer(handlers["/"])
	s.Listener = notify.Listen(s.Listener)
	s.Config.IdleTimeout, s.Config.ReadTimeout = far, far
	s.Start()
	for range 3 {
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Config.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	s.Close()
}
