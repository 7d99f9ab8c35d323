//go:build browser

package browser_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	patience = 20 * time.Second // for anything that is to happen in a page
	answer   = 30 * time.Second // for one command of the DevTools protocol
)

// names are those that Chromium goes by.
var names = []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// chrome is a headless Chromium, driven by the DevTools protocol through a pipe: no port is opened, and it ends when the pipe does,
// whatever becomes of the test.
type chrome struct {
	commands *os.File
	mu       sync.Mutex
	last     int
	waiting  map[int]chan reply
	tabs     map[string]*tab // by session
	gone     chan struct{}   // closed when nothing more is heard
}

type reply struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

func binary(tb testing.TB) string {
	tb.Helper()
	if path := os.Getenv("CHROMIUM"); path != "" {
		return path
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	tb.Fatal("no Chromium is installed: web/setup.sh installs one on Debian, or name yours by CHROMIUM")
	return ""
}

// launch starts Chromium, which ends with the test.
func launch(tb testing.TB) *chrome {
	tb.Helper()
	theirs, commands, err := os.Pipe()
	must(tb, err)
	events, ours, err := os.Pipe()
	must(tb, err)
	var talk bytes.Buffer
	cmd := exec.Command(binary(tb), "--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
		"--user-data-dir="+tb.TempDir(), "about:blank")
	cmd.ExtraFiles, cmd.Stderr = []*os.File{theirs, ours}, &talk
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	must(tb, cmd.Start())
	_, _ = theirs.Close(), ours.Close()
	c := &chrome{commands: commands, waiting: map[int]chan reply{}, tabs: map[string]*tab{}, gone: make(chan struct{})}
	go c.listen(events)
	tb.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the group that it began, and nobody else
		_ = cmd.Wait()
		_, _ = commands.Close(), events.Close()
		<-c.gone
		if tb.Failed() {
			tb.Logf("Chromium said: %s", &talk)
		}
	})
	return c
}

// listen hands on what Chromium says, messages that each end in a zero byte.
func (c *chrome) listen(from io.Reader) {
	defer close(c.gone)
	r := bufio.NewReaderSize(from, 1<<20)
	for {
		data, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m struct {
			ID        int
			SessionID string
			Method    string
			Params    json.RawMessage
			reply
		}
		if json.Unmarshal(data[:len(data)-1], &m) != nil {
			continue
		}
		c.mu.Lock()
		waiting, page := c.waiting[m.ID], c.tabs[m.SessionID]
		delete(c.waiting, m.ID)
		c.mu.Unlock()
		switch {
		case waiting != nil:
			waiting <- m.reply
		case page != nil && m.Method != "":
			page.hear(m.Method, m.Params)
		}
	}
}

// do sends a command, to the browser itself without a session, and reads its result.
func (c *chrome) do(session, method string, params, result any) error {
	if params == nil {
		params = struct{}{}
	}
	heard := make(chan reply, 1)
	c.mu.Lock()
	c.last++
	id := c.last
	c.waiting[id] = heard
	data, err := json.Marshal(map[string]any{"id": id, "sessionId": session, "method": method, "params": params})
	if session == "" {
		data = bytes.Replace(data, []byte(`,"sessionId":""`), nil, 1)
	}
	if err == nil {
		_, err = c.commands.Write(append(data, 0))
	}
	c.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case r := <-heard:
		if r.Error != nil {
			return fmt.Errorf("%s: %s", method, r.Error.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(r.Result, result)
	case <-c.gone:
		return fmt.Errorf("%s: Chromium has ended", method)
	case <-time.After(answer):
		return fmt.Errorf("%s: no answer within %s", method, answer)
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// eventually waits for a condition, which says what it still lacks.
func eventually(tb testing.TB, what string, lacks func() error) {
	tb.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := lacks()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("%s: not within %s: %v", what, patience, err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// quoted is a text as JavaScript writes it.
func quoted(text string) string {
	data, _ := json.Marshal(text)
	return strings.ReplaceAll(string(data), "\u2028", `\u2028`)
}
