package server_test

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trunkline/trunkline/notify"
	"github.com/trunkline/trunkline/server"
)

func TestBoundsWithinALimitOfDescriptors(t *testing.T) {
	for limit, want := range map[uint64][2]int{
		0:              {1, 1},
		64:             {32, 24},
		1024:           {768, 576},
		20_000:         {19_744, 18_976},
		131_072:        {130_816, notify.MaxSessions},
		math.MaxUint64: {1<<30 - 256, notify.MaxSessions},
	} {
		if connections, sessions := server.Within(limit); connections != want[0] || sessions != want[1] {
			t.Errorf("%d descriptors: %d connections, %d sessions, want %v", limit, connections, sessions, want)
		}
	}
}

// elsewhere is a listener whose connections come from other addresses, each from the next that is sent.
type elsewhere struct {
	net.Listener
	from chan string
}

func (l elsewhere) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return distant{c, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(<-l.from))}, nil
}

type distant struct {
	net.Conn
	addr net.Addr
}

func (c distant) RemoteAddr() net.Addr { return c.addr }

// ask sends a request on a connection, and reports whether it was answered.
func ask(conn net.Conn, path string) bool {
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode == http.StatusOK
}

// No address but this machine's has more than a quarter of the connections that are no sessions, and what it leaves it can have again.
func TestGateGivesAnAddressAShare(t *testing.T) {
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var refused []string
	from := make(chan string, 100)
	gate, changed := server.NewGate(elsewhere{plain, from}, 12, func(remoteAddr, reason string) {
		mu.Lock()
		defer mu.Unlock()
		refused = append(refused, reason+" "+remoteAddr)
	})
	left := make(chan struct{}, 100)
	surface := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/session" {
				return
			}
			conn, _, err := http.NewResponseController(w).Hijack() // as a session takes it over
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}),
		ConnState: func(c net.Conn, state http.ConnState) {
			if changed(c, state); state == http.StateClosed {
				left <- struct{}{}
			}
		},
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = surface.Serve(gate) })
	t.Cleanup(serving.Wait)
	t.Cleanup(func() { _ = surface.Close() })

	come := func(addr, path string, enters bool) net.Conn {
		t.Helper()
		from <- addr
		conn, err := net.Dial("tcp", plain.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if answered := ask(conn, path); answered != enters {
			t.Errorf("a connection from %s: answered %v, want %v", addr, answered, enters)
		}
		return conn
	}
	first := come("192.0.2.1:1", "/", true)
	come("192.0.2.1:2", "/", true)
	third := come("192.0.2.1:3", "/", true)
	come("192.0.2.1:4", "/", false)
	come("192.0.2.2:1", "/", true)
	for host := range 3 {
		come(fmt.Sprintf("[2001:db8::%d]:1", host+1), "/", true)
	}
	come("[2001:db8::ff]:1", "/", false) // a host has a whole /64
	for port := range 4 {
		come(fmt.Sprintf("127.0.0.1:%d", port+1), "/", true)
	}
	_ = first.Close()
	<-left
	come("192.0.2.1:5", "/session", true) // which counts no more, once it is one
	come("192.0.2.1:6", "/", true)
	come("192.0.2.1:7", "/", false)
	_ = third.Close()
	<-left
	come("192.0.2.1:8", "/", true)

	mu.Lock()
	defer mu.Unlock()
	want := "tooManyConnectionsAddress 192.0.2.1:4, tooManyConnectionsAddress [2001:db8::ff]:1, tooManyConnectionsAddress 192.0.2.1:7"
	if got := strings.Join(refused, ", "); got != want {
		t.Errorf("refused %s, want %s", got, want)
	}
}

// What net/http refuses by itself, or its caller breaks off, is counted all the same; who says nothing, or is answered, is not.
func TestUnreadRequestsAreCounted(t *testing.T) {
	remote := shop(t)
	s := start(t, remote, settings(remote, t.TempDir()))
	s.becomes("prod", "checkout.timeout", `"30s"`)
	const get = "GET /v1/config/checkout.timeout?env=prod HTTP/1.1\r\nHost: localhost\r\n"
	_ = s.dial().Close()
	if statuses, bodies := s.raw(get + "\r\n" + get + "\r\n"); fmt.Sprint(statuses) != "[200 200]" {
		t.Errorf("two requests: %v %s", statuses, bodies)
	}
	for i, text := range []string{
		get + "X-Note: " + strings.Repeat("a", 64<<10) + "\r\n\r\n", // answered 431
		"no HTTP\r\n\r\n",
		get + "X-No", // broken off
	} {
		s.raw(text)
		eventually(t, fmt.Sprintf("the unread request %d is counted", i+1), func() bool { return s.refused("requestUnread") == fmt.Sprint(i+1) })
	}
}
