package server

import (
	"net"
	"net/http"
	"sync"

	"github.com/trunkline/trunkline/notify"
)

// What connections leave of the process's descriptors: some to the mirror, the log, fetches and validators, and beside them some
// that sessions leave to requests.
const (
	keptForFiles    = 256
	keptForRequests = 768
)

// bounds are how many connections may be open, and how many of them may be sessions.
type bounds struct{ connections, sessions int }

// within are the bounds under a limit of descriptors. A small limit is divided by halves and quarters.
func within(limit uint64) bounds {
	const enough = 1 << 30
	most := int(min(limit, enough))
	connections := most - min(keptForFiles, most/2)
	sessions := connections - min(keptForRequests, connections/4)
	return bounds{max(connections, 1), min(max(sessions, 1), notify.MaxSessions)}
}

// gate is a listener that accepts nothing while too many connections are open: those to come wait in the system's queue. Without it
// callers who only connect would use up the descriptors, and keep commits from being fetched and recorded.
type gate struct {
	net.Listener
	most int

	mu     sync.Mutex
	fewer  sync.Cond
	open   int
	closed bool
}

func newGate(l net.Listener, most int) *gate {
	g := &gate{Listener: l, most: most}
	g.fewer.L = &g.mu
	return g
}

// Accept waits until there is room. Who serves the connection counts it, by changed and add.
func (g *gate) Accept() (net.Conn, error) {
	g.mu.Lock()
	for g.open >= g.most && !g.closed {
		g.fewer.Wait()
	}
	g.mu.Unlock()
	return g.Listener.Accept()
}

// Close ends an Accept that waits.
func (g *gate) Close() error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.fewer.Broadcast()
	return g.Listener.Close()
}

// changed follows the connections that are no sessions.
func (g *gate) changed(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		g.add(1)
	case http.StateHijacked, http.StateClosed:
		g.add(-1)
	}
}

// add counts connections that opened, or that closed.
func (g *gate) add(n int) {
	g.mu.Lock()
	g.open += n
	g.mu.Unlock()
	g.fewer.Signal()
}
