package server

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/notify"
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
// callers who only connect would use up the descriptors, and keep commits from being fetched and recorded. Of one address it takes a
// part of the connections that are no sessions, and closes the rest at once, so that no single stranger can keep all others waiting.
type gate struct {
	net.Listener
	most    int
	mostOf  int // of one address
	refused func(remoteAddr, reason string)

	visits sync.Map // *visit by net.Conn

	mu     sync.Mutex
	fewer  sync.Cond
	open   int
	of     map[netip.Addr]int // by address, those that are no sessions
	closed bool
}

func newGate(l net.Listener, most int, refused func(remoteAddr, reason string)) *gate {
	g := &gate{Listener: l, most: most, mostOf: max(most/addressShare, 1), refused: refused, of: map[netip.Addr]int{}}
	g.fewer.L = &g.mu
	return g
}

// Accept waits until there is room. Who serves the connection counts it, by changed and add.
func (g *gate) Accept() (net.Conn, error) {
	for {
		g.mu.Lock()
		for g.open >= g.most && !g.closed {
			g.fewer.Wait()
		}
		g.mu.Unlock()
		c, err := g.Listener.Accept()
		if err != nil || g.enters(c) {
			return c, err
		}
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // nothing of it is to stay
		}
		_ = c.Close()
		g.refused(c.RemoteAddr().String(), "tooManyConnectionsAddress")
	}
}

// enters counts a connection for its address, unless there are enough. This machine's own are not counted: a proxy may stand here.
func (g *gate) enters(c net.Conn) bool {
	addr := access.AddressOf(c.RemoteAddr().String())
	g.mu.Lock()
	defer g.mu.Unlock()
	if !addr.IsLoopback() && g.of[addr] >= g.mostOf {
		return false
	}
	g.of[addr]++
	return true
}

// leaves takes back what enters counted. The lock must be held.
func (g *gate) leaves(c net.Conn) {
	addr := access.AddressOf(c.RemoteAddr().String())
	if g.of[addr]--; g.of[addr] <= 0 {
		delete(g.of, addr)
	}
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
func (g *gate) changed(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		g.add(1)
	case http.StateActive:
		if v, ok := g.visits.Load(c); ok {
			v.(*visit).begun.Add(1)
		}
	case http.StateHijacked, http.StateClosed:
		g.mu.Lock()
		g.leaves(c)
		g.mu.Unlock()
		g.add(-1)
		v, ok := g.visits.LoadAndDelete(c)
		if secure, is := c.(*tls.Conn); !ok || is && secure.ConnectionState().NegotiatedProtocol == "h2" {
			return // its requests are no states of the connection
		}
		if v := v.(*visit); v.begun.Load() > v.heard.Load() {
			g.refused(c.RemoteAddr().String(), "requestUnread")
		}
	}
}

// visit tells of a connection whether each request that was begun on it was whole, and came to a handler. What net/http refuses by itself, too
// slow, too large, or no HTTP, does not; nor does what its caller breaks off.
type visit struct {
	begun, heard atomic.Int64
}

type visitKey struct{}

// entered is an [http.Server.ConnContext].
func (g *gate) entered(ctx context.Context, c net.Conn) context.Context {
	v := &visit{}
	g.visits.Store(c, v)
	return context.WithValue(ctx, visitKey{}, v)
}

// heard notes that a request came to a handler.
func heard(r *http.Request) {
	if v, ok := r.Context().Value(visitKey{}).(*visit); ok {
		v.heard.Add(1)
	}
}

// connections is how many are open.
func (g *gate) connections() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}

// add counts connections that opened, or that closed.
func (g *gate) add(n int) {
	g.mu.Lock()
	g.open += n
	g.mu.Unlock()
	g.fewer.Signal()
}
