package server

import (
	"context"
	"errors"
	"sync"
	"time"
)

// A step of the end has a share of the time, in ninths: so much of it may be over when the step is. What one does not need is left to
// those after it.
const (
	stopRequests = 5 // those under way are answered
	stopNotes    = 7 // what happened in the last minute is added up, and given to the log
	stopRecords  = 9 // the log takes what it was given
)

// RunWithin is [Server.Run], but returns within ten seconds after ctx ended whatever hangs. What nobody can break off, as a write to a disk
// that does not answer, goes on until the process ends, which is then to be soon: as after a kill, nothing acknowledged is lost.
func (s *Server) RunWithin(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	late := time.NewTimer(time.Until(s.ending.begin().Add(s.ending.within + closeWithin)))
	defer late.Stop()
	select {
	case err := <-ended:
		return err
	case <-late.C:
		return errHangs
	}
}

var errHangs = errors.New("the server did not end in time: something hangs, mostly a disk that does not answer; the next start goes on from what was acknowledged")

// ending is the end of a program: one stretch of time that begins once, for all who have to be done in it.
type ending struct {
	within  time.Duration
	observe func(share int, by time.Time) // nil but in tests

	mu    sync.Mutex
	begun time.Time // zero while the program runs
}

func newEnding() *ending { return &ending{within: stopWithin} }

// begin begins it, if it has not begun.
func (e *ending) begin() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.begun.IsZero() {
		e.begun = time.Now()
	}
	return e.begun
}

// by is the time that a step may take.
func (e *ending) by(share int) (context.Context, context.CancelFunc) {
	by := e.begin().Add(e.within * time.Duration(share) / stopRecords)
	if e.observe != nil {
		e.observe(share, by)
	}
	return context.WithDeadline(context.Background(), by)
}

// patience is a time at work, or at the end what is left of a step's.
func (e *ending) patience(usual time.Duration, share int) (context.Context, context.CancelFunc) {
	e.mu.Lock()
	begun := e.begun
	e.mu.Unlock()
	if begun.IsZero() {
		return context.WithTimeout(context.Background(), usual)
	}
	return e.by(share)
}
