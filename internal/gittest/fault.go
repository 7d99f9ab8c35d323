package gittest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
)

// Fault is one way for a remote to misbehave.
type Fault struct {
	name string
	// serve answers in place of the real handler, which it is given.
	serve func(w http.ResponseWriter, req *http.Request, real http.Handler, cleared <-chan struct{})
}

func (f Fault) String() string { return f.name }

// None is a remote that behaves.
var None = Fault{name: "none"}

// Stall takes requests and answers nothing until the fault is cleared.
var Stall = Fault{"stall", func(w http.ResponseWriter, req *http.Request, real http.Handler, cleared <-chan struct{}) {
	// The server notices that a client went away only once the body was read.
	body, _ := io.ReadAll(req.Body)
	req.Body = io.NopCloser(bytes.NewReader(body))
	select {
	case <-cleared:
		real.ServeHTTP(w, req)
	case <-req.Context().Done():
	}
}}

// StallPack lists references, and stalls in the middle of the pack until the fault is cleared.
var StallPack = Fault{"stall in the pack", func(w http.ResponseWriter, req *http.Request, real http.Handler, cleared <-chan struct{}) {
	if !isPack(req) {
		real.ServeHTTP(w, req)
		return
	}
	answer := record(real, req)
	answer.header(w)
	_, _ = w.Write(answer.body.Bytes()[:answer.body.Len()/2])
	_ = http.NewResponseController(w).Flush()
	select {
	case <-cleared:
		_, _ = w.Write(answer.body.Bytes()[answer.body.Len()/2:])
	case <-req.Context().Done():
	}
}}

// Garbage answers with the right content type and bytes that are no Git protocol.
var Garbage = Fault{"garbage", func(w http.ResponseWriter, req *http.Request, real http.Handler, _ <-chan struct{}) {
	record(real, req).header(w)
	_, _ = w.Write(bytes.Repeat([]byte{0xde, 0xad, 0xbe, 0xef}, 256))
}}

// GarbagePack lists references, and answers with a pack whose second half is noise.
var GarbagePack = Fault{"garbage pack", onPack(func(pack []byte) []byte {
	for i := len(pack) / 2; i < len(pack); i++ {
		pack[i] ^= 0xa5
	}
	return pack
})}

// HTML answers 200 with a web page, as a login wall does.
var HTML = Fault{"html", func(w http.ResponseWriter, _ *http.Request, _ http.Handler, _ <-chan struct{}) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, "<!doctype html><title>Sign in</title>")
}}

// RedirectLoop answers every request with a redirect to itself.
var RedirectLoop = Fault{"redirect loop", func(w http.ResponseWriter, req *http.Request, _ http.Handler, _ <-chan struct{}) {
	http.Redirect(w, req, req.URL.String(), http.StatusTemporaryRedirect)
}}

// Status answers every request with a status code.
func Status(code int) Fault {
	return Fault{fmt.Sprintf("status %d", code), func(w http.ResponseWriter, _ *http.Request, _ http.Handler, _ <-chan struct{}) {
		if code == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
		}
		http.Error(w, http.StatusText(code), code)
	}}
}

// Redirect answers every request with a redirect to the same path under base.
func Redirect(base string) Fault {
	return Fault{"redirect", func(w http.ResponseWriter, req *http.Request, _ http.Handler, _ <-chan struct{}) {
		http.Redirect(w, req, strings.TrimSuffix(base, "/")+req.URL.RequestURI(), http.StatusTemporaryRedirect)
	}}
}

// Truncate lists references, and breaks the pack's answer off after n bytes.
func Truncate(n int) Fault {
	return Fault{fmt.Sprintf("truncate after %d", n), onPack(func(pack []byte) []byte { return pack[:min(n, len(pack))] })}
}

// Lie lists hash in place of what hash the branch has, and never delivers it.
func Lie(branchHash, hash string) Fault {
	return Fault{"lie", func(w http.ResponseWriter, req *http.Request, real http.Handler, _ <-chan struct{}) {
		answer := record(real, req)
		answer.header(w)
		_, _ = w.Write(bytes.ReplaceAll(answer.body.Bytes(), []byte(branchHash), []byte(hash)))
	}}
}

// Handler answers with h, which may pass requests on to the real handler it is given.
func Handler(name string, h func(w http.ResponseWriter, req *http.Request, real http.Handler)) Fault {
	return Fault{name, func(w http.ResponseWriter, req *http.Request, real http.Handler, _ <-chan struct{}) { h(w, req, real) }}
}

func onPack(change func([]byte) []byte) func(http.ResponseWriter, *http.Request, http.Handler, <-chan struct{}) {
	return func(w http.ResponseWriter, req *http.Request, real http.Handler, _ <-chan struct{}) {
		if !isPack(req) {
			real.ServeHTTP(w, req)
			return
		}
		answer := record(real, req)
		answer.header(w)
		_, _ = w.Write(change(answer.body.Bytes()))
	}
}

func isPack(req *http.Request) bool { return strings.HasSuffix(req.URL.Path, "/git-upload-pack") }

// answer is a response held back, so that a fault can change it.
type answer struct {
	headers http.Header
	status  int
	body    bytes.Buffer
}

func record(h http.Handler, req *http.Request) *answer {
	a := &answer{headers: http.Header{}, status: http.StatusOK}
	h.ServeHTTP(a, req)
	return a
}

func (a *answer) Header() http.Header         { return a.headers }
func (a *answer) WriteHeader(code int)        { a.status = code }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

func (a *answer) header(w http.ResponseWriter) {
	for k, v := range a.headers {
		w.Header()[k] = v
	}
	w.Header().Del("Content-Length")
	w.WriteHeader(a.status)
}

// faulty serves the real handler, or what the fault of the moment makes of it.
type faulty struct {
	real     http.Handler
	requests *atomic.Int64

	mu      sync.Mutex
	fault   Fault
	cleared chan struct{} // closed when the fault ends
	closed  bool
}

func newFaulty(real http.Handler, requests *atomic.Int64) *faulty {
	return &faulty{real: real, requests: requests, fault: None, cleared: make(chan struct{})}
}

func (f *faulty) set(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	close(f.cleared)
	f.fault, f.cleared = fault, make(chan struct{})
}

func (f *faulty) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		close(f.cleared)
		f.fault, f.closed = None, true
	}
}

func (f *faulty) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	f.requests.Add(1)
	f.mu.Lock()
	fault, cleared := f.fault, f.cleared
	f.mu.Unlock()
	if fault.serve == nil {
		f.real.ServeHTTP(w, req)
		return
	}
	fault.serve(w, req, f.real, cleared)
}
