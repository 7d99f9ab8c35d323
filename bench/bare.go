package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gorilla/websocket"
)

// bareArg makes this program the counterpart of a server.
const bareArg = "-serve-bare"

// serveBare is the least that answers over net/http: a GET by as much as a read, and a POST and the hello of a WebSocket by the bytes of a
// file.
func serveBare(addrFile, answerFile string) error {
	answer, err := os.ReadFile(answerFile)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := os.WriteFile(addrFile, []byte(l.Addr().String()), 0o600); err != nil {
		return err
	}
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:gosec // as bare as can be
		if websocket.IsWebSocketUpgrade(r) {
			if ws, err := upgrader.Upgrade(w, r, nil); err == nil {
				answerHello(ws, answer)
			}
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if r.Method != http.MethodPost {
			_, _ = w.Write([]byte(readExpected))
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			_, _ = w.Write(answer)
		}
	}))
}

func answerHello(ws *websocket.Conn, answer []byte) {
	defer ws.Close()
	for first := true; ; first = false {
		if _, _, err := ws.ReadMessage(); err != nil {
			return
		}
		if first && ws.WriteMessage(websocket.TextMessage, answer) != nil {
			return
		}
	}
}

// bareServer is the counterpart, in a process of its own.
type bareServer struct {
	addr string
	cmd  *exec.Cmd
}

func (s *suite) startBare(ctx context.Context, answer []byte) (*bareServer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(s.dir, "bare-")
	if err != nil {
		return nil, err
	}
	addrFile, answerFile := filepath.Join(dir, "addr"), filepath.Join(dir, "answer")
	if err := os.WriteFile(answerFile, answer, 0o600); err != nil {
		return nil, err
	}
	b := &bareServer{cmd: exec.CommandContext(ctx, self, bareArg, addrFile, answerFile)}
	b.cmd.Stderr = os.Stderr
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	for range 500 {
		if text, err := os.ReadFile(addrFile); err == nil && len(text) > 0 {
			b.addr = string(text)
			return b, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.stop()
	return nil, errors.New("the bare server did not start")
}

func (b *bareServer) stop() {
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait()
}
