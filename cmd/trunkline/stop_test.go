package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/internal/gittest"
)

// dial asks for a stream; ws is nil when that is refused.
func (c *child) dial(t *testing.T, receiveBuffer int) (ws *websocket.Conn, res *http.Response) {
	t.Helper()
	d := websocket.Dialer{Subprotocols: []string{wire.Subprotocol}, HandshakeTimeout: killPatience, NetDial: func(network, addr string) (net.Conn, error) {
		conn, err := net.Dial(network, addr)
		if err == nil && receiveBuffer > 0 {
			err = conn.(*net.TCPConn).SetReadBuffer(receiveBuffer)
		}
		return conn, err
	}}
	ws, res, err := d.Dial("ws"+strings.TrimPrefix(c.url, "http")+"/v1/stream", nil)
	if err != nil && res == nil {
		t.Fatal(err)
	}
	if err != nil {
		return nil, res
	}
	t.Cleanup(func() { _ = ws.Close() })
	if err := ws.WriteMessage(websocket.TextMessage, wire.Encode(wire.Client{Type: wire.TypeHello, Env: "default"})); err != nil {
		t.Fatal(err)
	}
	return ws, res
}

// expect reads messages until one of a type comes.
func expect(t *testing.T, ws *websocket.Conn, kind string) *wire.Server {
	t.Helper()
	for {
		_ = ws.SetReadDeadline(time.Now().Add(killPatience))
		_, data, err := ws.ReadMessage()
		if err != nil {
			t.Fatalf("in the place of %s: %v", kind, err)
		}
		m, err := wire.ParseServer(data)
		if err != nil {
			t.Fatal(err)
		}
		if m.Type == kind {
			return m
		}
	}
}

// larger is a config repo whose values do not fit a socket.
func larger(t *testing.T) *gittest.Remote {
	t.Helper()
	remote := gittest.NewRemote(t)
	remote.Write(map[string]string{"config/web.yaml": "step: 0\ntext: " + strings.Repeat("a", 900_000) + "\n"})
	remote.Commit("Begin")
	remote.Push()
	return remote
}

// TestStopsInTime holds what a supervisor relies on: after SIGTERM nobody connects any more, every session is told when to come back,
// at times that differ, and the process ends, whatever its clients do.
func TestStopsInTime(t *testing.T) {
	t.Parallel()
	c := startChild(t, larger(t), filepath.Join(t.TempDir(), "data"))
	if err := waitReady(t.Context(), c.url); err != nil {
		t.Fatal(err)
	}
	var sessions []*websocket.Conn
	for range 40 {
		ws, _ := c.dial(t, 0)
		expect(t, ws, wire.TypeSnapshot)
		sessions = append(sessions, ws)
	}
	for range 5 {
		c.dial(t, 4<<10) // and never reads
	}
	for _, text := range []string{"", "GET /v1/status HTTP/1.1\r\n", "GET /v1/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, text)
	}

	began := time.Now()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waits := map[int]bool{}
	for _, ws := range sessions {
		m := expect(t, ws, wire.TypeGoaway)
		if m.RetryAfterMs < 500 || m.RetryAfterMs > 5500 {
			t.Errorf("a client is asked to come back after %d ms", m.RetryAfterMs)
		}
		waits[m.RetryAfterMs] = true
		var closed *websocket.CloseError
		if _, _, err := ws.ReadMessage(); !errors.As(err, &closed) || closed.Code != wire.CloseRestart {
			t.Errorf("a session ends with %v", err)
		}
	}
	if len(waits) < len(sessions)/2 {
		t.Errorf("%d clients come back at %d different times", len(sessions), len(waits))
	}
	if conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://")); err == nil {
		_ = conn.Close()
		t.Error("a connection is accepted after the sessions have ended")
	}
	ended := make(chan error, 1)
	go func() { ended <- c.cmd.Wait() }()
	const supervisor = 15 * time.Second // as docs/operate.md asks for
	select {
	case err := <-ended:
		t.Logf("it ended after %s", time.Since(began))
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(supervisor):
		_ = c.cmd.Process.Kill()
		<-ended
		t.Errorf("it did not end within %s", supervisor)
	}
}

// TestFewDescriptors holds that no number of connections keeps a server from following its remote, and that those beyond what it can
// hold are told so.
func TestFewDescriptors(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no shell to set the limit with")
	}
	t.Parallel()
	remote := gittest.NewRemote(t)
	remote.Write(map[string]string{"config/web.yaml": "step: 0\n"})
	remote.Commit("Begin")
	remote.Push()
	c := follow(t, exec.Command("sh", "-c", `ulimit -n 128 && exec trunkline serve --listen 127.0.0.1:0 --poll 1s --repo "$0" --data "$1"`,
		remote.URL(), filepath.Join(t.TempDir(), "data")))
	if err := waitReady(t.Context(), c.url); err != nil {
		t.Fatal(err)
	}
	var sessions []*websocket.Conn
	for len(sessions) < 128 {
		ws, res := c.dial(t, 0)
		if ws == nil {
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") != "10" || !strings.Contains(string(body), "tooManySessionsServer") {
				t.Errorf("a session too many is answered %s %s", res.Status, body)
			}
			break
		}
		expect(t, ws, wire.TypeSnapshot)
		sessions = append(sessions, ws)
	}
	if len(sessions) < 30 || len(sessions) > 64 {
		t.Errorf("%d sessions of 128 descriptors", len(sessions))
	}
	if metrics, err := ask(t.Context(), c.url, "", "/metrics", nil); err != nil || !strings.Contains(string(metrics), `trunkline_requests_refused_total{reason="tooManySessionsServer"} 1`) {
		t.Errorf("the refusal is not counted: %v", err)
	}

	var idle []net.Conn
	for range 150 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n") // after which it may stay for minutes
		idle = append(idle, conn)
	}
	for step := range 3 {
		remote.Write(map[string]string{"config/web.yaml": fmt.Sprintf("step: %d\n", step+1)})
		remote.Commit("Step")
		remote.Push()
		expect(t, sessions[step], wire.TypeDelta)
	}
	for _, conn := range idle {
		_ = conn.Close()
	}
	if all := c.settled(t, remote.Git("rev-parse", "origin/main")); len(all) != 4 {
		t.Errorf("on record are %v", all)
	}
}
