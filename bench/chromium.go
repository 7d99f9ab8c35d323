package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// chromiumNames are those that Chromium goes by.
var chromiumNames = []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// chromiumBinary is a Chromium; empty where none is installed.
func chromiumBinary() string {
	if path := os.Getenv("CHROMIUM"); path != "" {
		return path
	}
	for _, name := range chromiumNames {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// chromium is a headless Chromium, driven by the DevTools protocol through a pipe, one command after the other.
type chromium struct {
	cmd      *exec.Cmd
	dir      string
	commands *os.File
	events   *os.File
	heard    *bufio.Reader
	last     int
}

func startChromium(ctx context.Context, binary string) (_ *chromium, err error) {
	c := &chromium{}
	defer func() {
		if err != nil {
			c.stop()
		}
	}()
	if c.dir, err = os.MkdirTemp("", "trunkline-bench-chromium-"); err != nil {
		return nil, err
	}
	theirs, commands, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	events, ours, err := os.Pipe()
	if err != nil {
		_ = commands.Close()
		return nil, err
	}
	defer ours.Close()
	c.commands, c.events, c.heard = commands, events, bufio.NewReaderSize(events, 1<<20)
	c.cmd = exec.CommandContext(ctx, binary, "--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--user-data-dir="+c.dir, "about:blank")
	c.cmd.ExtraFiles = []*os.File{theirs, ours}
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.cmd.WaitDelay = time.Second
	return c, c.cmd.Start()
}

func (c *chromium) stop() {
	if c.cmd != nil && c.cmd.Process != nil {
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL) // the group that it began, and nobody else
		_ = c.cmd.Wait()
	}
	if c.commands != nil {
		_, _ = c.commands.Close(), c.events.Close()
	}
	_ = os.RemoveAll(c.dir)
}

// do gives a command, to the browser itself without a session, and reads its result. What else the browser tells is passed over.
func (c *chromium) do(session, method string, params, result any) error {
	c.last++
	command := map[string]any{"id": c.last, "method": method, "params": params}
	if session != "" {
		command["sessionId"] = session
	}
	data, err := json.Marshal(command)
	if err != nil {
		return err
	}
	if _, err := c.commands.Write(append(data, 0)); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	_ = c.events.SetReadDeadline(time.Now().Add(pagePatience))
	for {
		data, err := c.heard.ReadBytes(0)
		if err != nil {
			return fmt.Errorf("%s: %w", method, err)
		}
		var m struct {
			ID     int
			Result json.RawMessage
			Error  *struct{ Message string }
		}
		if json.Unmarshal(bytes.TrimSuffix(data, []byte{0}), &m) != nil || m.ID != c.last {
			continue
		}
		if m.Error != nil {
			return fmt.Errorf("%s: %s", method, m.Error.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(m.Result, result)
	}
}

// load opens an address in a browser context of its own, without anything cached, and tells what a script finds once it finds anything.
func (c *chromium) load(address, before, found string, into any) error {
	var made struct{ BrowserContextID, TargetID, SessionID string }
	if err := c.do("", "Target.createBrowserContext", struct{}{}, &made); err != nil {
		return err
	}
	defer func() {
		_ = c.do("", "Target.disposeBrowserContext", map[string]any{"browserContextId": made.BrowserContextID}, nil)
	}()
	if err := c.do("", "Target.createTarget", map[string]any{"url": "about:blank", "browserContextId": made.BrowserContextID}, &made); err != nil {
		return err
	}
	if err := c.do("", "Target.attachToTarget", map[string]any{"targetId": made.TargetID, "flatten": true}, &made); err != nil {
		return err
	}
	for _, step := range []struct {
		method string
		params map[string]any
	}{
		{"Page.enable", map[string]any{}},
		{"Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": before}},
		{"Page.navigate", map[string]any{"url": address}},
	} {
		if err := c.do(made.SessionID, step.method, step.params, nil); err != nil {
			return err
		}
	}
	for deadline := time.Now().Add(pagePatience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var out struct {
			Result struct{ Value json.RawMessage }
		}
		if err := c.do(made.SessionID, "Runtime.evaluate", map[string]any{"expression": found, "returnByValue": true}, &out); err != nil {
			return err
		}
		if len(out.Result.Value) > 0 && string(out.Result.Value) != "null" {
			return json.Unmarshal(out.Result.Value, into)
		}
	}
	return errors.New("the page at " + address + " does not show what it should within " + pagePatience.String())
}
