package notify

import (
	"net"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/value"
)

// Limits are the limits a test may change.
type Limits struct {
	Sessions, Views                                                             int
	Hello, Write, Ping, Silence, Linger, GoawayLeast, GoawaySpread, RenewSpread time.Duration
}

// NewLimited makes a Hub with changed limits.
func NewLimited(o Options, change func(*Limits)) *Hub {
	h := New(o)
	l := Limits(h.limits.exported())
	change(&l)
	h.limits = limits{l.Sessions, l.Views, l.Hello, l.Write, l.Ping, l.Silence, l.Linger, l.GoawayLeast, l.GoawaySpread, l.RenewSpread}
	return h
}

func (l limits) exported() Limits {
	return Limits{l.sessions, l.views, l.hello, l.write, l.ping, l.silence, l.linger, l.goawayLeast, l.goawaySpread, l.renewSpread}
}

// Views counts the views of a Hub.
func (h *Hub) Views() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.views)
}

// First returns what identifies the encoded answer to a hello of somebody who looks at a view that is in use.
func (h *Hub) First(env string, patterns []string, cursor string) any {
	parsed, err := value.ParsePatterns(patterns)
	if err != nil {
		panic(err)
	}
	grant, err := access.NewGrant([]string{"*"}, []string{"**"}, access.History)
	if err != nil {
		panic(err)
	}
	h.mu.Lock()
	v, recent := h.views[sight{env, grant, parsed}.key()], h.recent[env]
	h.mu.Unlock()
	f, _ := v.first(cursor, recent)
	return f.message
}

// Turns counts, for each step of an interval of pings, the slots whose turn it is.
func Turns() []int {
	turns := make([]int, pingSteps)
	for slot := range 256 {
		turns[(&session{slot: uint8(slot)}).turn(pingSteps)]++
	}
	return turns
}

// Stream begins the mode of a connection of Listen in which writes do not wait.
func Stream(c net.Conn, patience time.Duration) { c.(*conn).stream(patience) }

// WhenIdle waits for the end of a tail.
func WhenIdle(c net.Conn, after func(error)) bool { return c.(*conn).whenIdle(after) }

// ErrTail is the error of a connection whose tail grew too long.
var ErrTail = errTail
