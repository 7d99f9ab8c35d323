//go:build browser

package browser_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// tab is one page in a browser context of its own: it shares neither storage nor cache with another. What goes wrong in it fails the
// test: errors on the console, exceptions, violations of the page's policy, and answers that are errors, unless they are expected.
type tab struct {
	testing.TB
	chrome  *chrome
	session string

	mu         sync.Mutex
	complaints []string
	expected   []string // parts of complaints that are none
	requests   []request
}

type request struct{ method, url, authorization string }

const (
	wide   = 1280
	narrow = 360
)

// open makes a tab.
func (c *chrome) open(tb testing.TB) *tab {
	tb.Helper()
	var made struct{ BrowserContextID, TargetID, SessionID string }
	must(tb, c.do("", "Target.createBrowserContext", map[string]any{"disposeOnDetach": true}, &made))
	must(tb, c.do("", "Target.createTarget", map[string]any{"url": "about:blank", "browserContextId": made.BrowserContextID}, &made))
	must(tb, c.do("", "Target.attachToTarget", map[string]any{"targetId": made.TargetID, "flatten": true}, &made))
	p := &tab{TB: tb, chrome: c, session: made.SessionID}
	c.mu.Lock()
	c.tabs[made.SessionID] = p
	c.mu.Unlock()
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		p.do(domain+".enable", nil, nil)
	}
	p.do("Page.addScriptToEvaluateOnNewDocument", map[string]any{
		"source": `addEventListener("securitypolicyviolation", (e) => console.error("policy violated:", e.violatedDirective, e.blockedURI, e.sample))`,
	}, nil)
	p.size(wide, 900)
	tb.Cleanup(func() {
		p.check()
		_ = c.do("", "Target.disposeBrowserContext", map[string]any{"browserContextId": made.BrowserContextID}, nil)
	})
	return p
}

// hear takes note of what goes wrong and of what is asked for.
func (p *tab) hear(method string, params json.RawMessage) {
	var m struct {
		Type  string
		Args  []struct{ Value, Description any }
		Entry struct{ Level, Source, Text, URL string }

		ExceptionDetails struct {
			Text      string
			Exception struct{ Description string }
		}
		Request struct {
			Method, URL string
			Headers     map[string]string
		}
	}
	_ = json.Unmarshal(params, &m)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case method == "Runtime.consoleAPICalled" && (m.Type == "error" || m.Type == "warning" || m.Type == "assert"):
		p.complaints = append(p.complaints, fmt.Sprintf("console.%s: %v", m.Type, m.Args))
	case method == "Runtime.exceptionThrown":
		p.complaints = append(p.complaints, "exception: "+m.ExceptionDetails.Text+" "+m.ExceptionDetails.Exception.Description)
	case method == "Log.entryAdded" && (m.Entry.Level == "error" || m.Entry.Level == "warning"):
		p.complaints = append(p.complaints, fmt.Sprintf("%s: %s %s", m.Entry.Source, m.Entry.Text, m.Entry.URL))
	case method == "Network.requestWillBeSent":
		p.requests = append(p.requests, request{m.Request.Method, m.Request.URL, m.Request.Headers["Authorization"]})
	}
}

// expect says that complaints with a text are meant to be.
func (p *tab) expect(part string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = append(p.expected, part)
}

func (p *tab) check() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, complaint := range p.complaints {
		if !slices.ContainsFunc(p.expected, func(part string) bool { return strings.Contains(complaint, part) }) {
			p.Error("in the page: " + complaint)
		}
	}
	p.complaints = nil
}

// asked are the requests so far whose address holds a text.
func (p *tab) asked(part string) []request {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []request
	for _, r := range p.requests {
		if strings.Contains(r.url, part) {
			found = append(found, r)
		}
	}
	return found
}

func (p *tab) do(method string, params, result any) {
	p.Helper()
	must(p, p.chrome.do(p.session, method, params, result))
}

// visit loads an address anew.
func (p *tab) visit(url string) {
	p.Helper()
	p.do("Page.navigate", map[string]any{"url": "about:blank"}, nil)
	p.do("Page.navigate", map[string]any{"url": url}, nil)
	p.until(`document.readyState === "complete"`)
}

// follow changes the part of the address after #, as a link does.
func (p *tab) follow(hash string) {
	p.Helper()
	p.eval("void (location.hash = "+quoted(hash)+")", nil)
}

// eval runs an expression in the page, waits for what it promises, and reads its value.
func (p *tab) eval(expression string, into any) {
	p.Helper()
	must(p, p.try(expression, into))
}

func (p *tab) try(expression string, into any) error {
	var out struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	asked := map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}
	if err := p.chrome.do(p.session, "Runtime.evaluate", asked, &out); err != nil {
		return err
	}
	if e := out.ExceptionDetails; e != nil {
		return fmt.Errorf("%s: %s %s", expression, e.Text, e.Exception.Description)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(out.Result.Value, into)
}

// until waits for a condition in the page.
func (p *tab) until(condition string) {
	p.Helper()
	eventually(p, condition, func() error {
		var holds bool
		if err := p.try("Boolean("+condition+")", &holds); err != nil || holds {
			return err
		}
		var text string
		_ = p.try("location.href + '\\n' + document.body?.innerText", &text)
		return fmt.Errorf("the page at %s", text)
	})
}

// shows waits until the page's content has a text, wherever its lines break.
func (p *tab) shows(text string) {
	p.Helper()
	p.until(`document.getElementById("main").innerText.replace(/\s+/g, " ").includes(` + quoted(text) + ")")
}

// settled waits until nothing in the page is loading.
func (p *tab) settled() {
	p.Helper()
	p.until(`document.querySelector("main h1") && !document.querySelector("main [aria-busy]")`)
}

func (p *tab) text() string {
	p.Helper()
	var text string
	p.eval("document.body.innerText", &text)
	return text
}

// keys are those that are more than a character.
var keys = map[string]map[string]any{
	"Tab":       {"code": "Tab", "windowsVirtualKeyCode": 9},
	"Enter":     {"code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"},
	"Space":     {"key": " ", "code": "Space", "windowsVirtualKeyCode": 32, "text": " "},
	"ArrowDown": {"code": "ArrowDown", "windowsVirtualKeyCode": 40},
}

func (p *tab) press(key string, shift ...bool) {
	p.Helper()
	event := map[string]any{"key": key, "type": "keyDown"}
	for name, v := range keys[key] {
		event[name] = v
	}
	if len(shift) > 0 && shift[0] {
		event["modifiers"] = 8
	}
	p.do("Input.dispatchKeyEvent", event, nil)
	event["type"] = "keyUp"
	delete(event, "text")
	p.do("Input.dispatchKeyEvent", event, nil)
}

// write types a text where the focus is.
func (p *tab) write(text string) {
	p.Helper()
	p.do("Input.insertText", map[string]any{"text": text}, nil)
}

// focused describes what has the focus: its name as people read it.
func (p *tab) focused() string {
	p.Helper()
	var name string
	p.eval(`(() => { const e = document.activeElement; return e.labels?.[0]?.innerText || e.innerText || e.getAttribute("aria-label") || e.tagName })()`, &name)
	return strings.TrimSpace(name)
}

func (p *tab) click(selector string) {
	p.Helper()
	p.until("document.querySelector(" + quoted(selector) + ")")
	var at struct{ X, Y float64 }
	p.eval(`(() => { const e = document.querySelector(`+quoted(selector)+`); e.scrollIntoView({block: "center"}); const b = e.getBoundingClientRect(); return {X: b.x + b.width / 2, Y: b.y + b.height / 2} })()`, &at)
	for _, kind := range []string{"mousePressed", "mouseReleased"} {
		p.do("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": at.X, "y": at.Y, "button": "left", "clickCount": 1}, nil)
	}
}

func (p *tab) size(width, height int) {
	p.Helper()
	p.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
}

// prefer sets what the reader's system says: light or dark.
func (p *tab) prefer(scheme string) {
	p.Helper()
	p.do("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// shot saves a picture of the whole page, where TRUNKLINE_SHOTS names a directory.
func (p *tab) shot(name string) {
	p.Helper()
	dir := os.Getenv("TRUNKLINE_SHOTS")
	if dir == "" {
		return
	}
	var picture struct{ Data string }
	p.do("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true}, &picture)
	data, err := base64.StdEncoding.DecodeString(picture.Data)
	must(p, err)
	must(p, os.MkdirAll(dir, 0o755))
	must(p, os.WriteFile(filepath.Join(dir, name+".png"), data, 0o644))
}
