package server

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/audit"
)

// untold is a system that tells of no changes.
var untold = notices{open: func() (*fsnotify.Watcher, error) { return nil, syscall.EMFILE }}

// TellNothing makes the system tell of no changes. It is called before Run.
func (d *Dev) TellNothing() { d.notices = untold }

// OnWatch calls before whenever a folder is about to be watched; an error stands for one of the system. It is called before Run.
func (d *Dev) OnWatch(before func(folder string) error) {
	d.notices.add = func(w *fsnotify.Watcher, folder string) error {
		if err := before(folder); err != nil {
			return err
		}
		return w.Add(folder)
	}
}

// Hasten shortens the times for a request's header, for the whole of it, and for its answer. It is called before Run.
func (s *Server) Hasten(header, request, answer time.Duration) {
	s.timeouts = timeouts{header, request, answer}
}

// Within tells how many connections, and how many sessions among them, a limit of descriptors allows.
func Within(limit uint64) (connections, sessions int) {
	b := within(limit)
	return b.connections, b.sessions
}

// WatchUntold watches a directory of which the system tells nothing.
func WatchUntold(ctx context.Context, dir string, log *slog.Logger, look func() ([]string, error)) error {
	return watchDirectory(ctx, dir, untold, log, look)
}

// The steps of the end that take time.
const (
	StopRequests = stopRequests
	StopNotes    = stopNotes
	StopRecords  = stopRecords
)

// EndWithin gives the end so long, and calls observe when a step asks by when it has to be done. It is called before Run.
func (s *Server) EndWithin(within time.Duration, observe func(step int, by time.Time)) {
	s.ending.within, s.ending.observe = within, observe
}

// OnBus hands over, once the bus is open, what ends it while everything else goes on. It is called before Run.
func (s *Server) OnBus(opened func(end func())) {
	s.opened = func(b *bus) { opened(b.server.Shutdown) }
}

// Limits of what is told apart of reads of sensitive values.
const (
	MaxReveals         = maxReveals
	MaxIdentityReveals = maxIdentityReveals
	MaxRevealed        = maxRevealed
)

// NewReveals adds up reads of sensitive values until end tells of them.
func NewReveals(note func([]audit.Event)) (at func(who *access.Identity, env, path, commit string), end func()) {
	r := newReveals(note)
	return r.at, r.flush
}

// NewGate makes the listener that bounds connections, and what follows their states.
func NewGate(l net.Listener, most int, refused func(remoteAddr, reason string)) (_ net.Listener, changed func(net.Conn, http.ConnState)) {
	g := newGate(l, most, refused)
	return g, g.changed
}

// Garbage is the pace of a collector that has not run.
func Garbage() func(live, cycles uint64) int { return (&garbage{percent: usualGarbage}).next }
