package client

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trunkline/trunkline/value"
)

// ErrClosed is what a watch ends with when nothing more will come because the program said so.
var ErrClosed = errors.New("closed")

// Feed holds the newest state for any number of readers, and wakes those that watch. A [Client] is read through the one in it.
// Whoever makes states by other means begins with [NewFeed].
type Feed struct {
	state atomic.Pointer[State]
	stale atomic.Pointer[time.Time] // nil while the state is what is live

	mu    sync.Mutex
	wake  chan struct{} // closed, and replaced, at the next state
	ended error         // nothing more will come
}

// Feeder is the other end of a [Feed]: where states are put in.
type Feeder struct{ feed *Feed }

// NewFeed makes a Feed that holds nothing and is stale, and its other end.
func NewFeed() (*Feed, Feeder) {
	f := &Feed{wake: make(chan struct{})}
	now := time.Now()
	f.stale.Store(&now)
	return f, Feeder{f}
}

// Put makes a state the newest one, and wakes those that watch. Say before whether it is what is live.
func (f Feeder) Put(s *State) {
	f.feed.mu.Lock()
	defer f.feed.mu.Unlock()
	f.feed.state.Store(s)
	f.feed.broadcast()
}

// Stale says that the state may be older than what is live, unless that was said before.
func (f Feeder) Stale(since time.Time) { f.feed.stale.CompareAndSwap(nil, &since) }

// Fresh says that the state is what is live.
func (f Feeder) Fresh() { f.feed.stale.Store(nil) }

// End says that nothing more will come, and why. The first reason counts.
func (f Feeder) End(err error) {
	f.feed.mu.Lock()
	defer f.feed.mu.Unlock()
	if f.feed.ended == nil {
		f.feed.ended = err
		f.feed.broadcast()
	}
}

// broadcast wakes all that watch. The lock must be held.
func (f *Feed) broadcast() {
	close(f.wake)
	f.wake = make(chan struct{})
}

// next returns a channel that is closed at the next state, or why there will be none. Take it before reading, so that none is missed.
func (f *Feed) next() (<-chan struct{}, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wake, f.ended
}

// State is the newest state; nil before the first.
func (f *Feed) State() *State { return f.state.Load() }

// Assignments are the variants of experiments that whoever asks has, in the newest state. They must not be changed.
func (f *Feed) Assignments() []Assignment {
	if s := f.State(); s != nil {
		return s.Assignments
	}
	return nil
}

// Stale tells whether the values may be older than what is live, and since when.
func (f *Feed) Stale() (since time.Time, stale bool) {
	if at := f.stale.Load(); at != nil {
		return *at, true
	}
	return time.Time{}, false
}

// Get finds a value, as [State.Get] does in the newest state.
func (f *Feed) Get(path string) (*value.Value, bool) { return f.State().Get(path) }

// String reads a string, or the default where there is none.
func (f *Feed) String(path, otherwise string) string { return f.State().String(path, otherwise) }

// Int reads an integer, or the default where there is none.
func (f *Feed) Int(path string, otherwise int64) int64 { return f.State().Int(path, otherwise) }

// Float reads a number, integers included, or the default where there is none.
func (f *Feed) Float(path string, otherwise float64) float64 { return f.State().Float(path, otherwise) }

// Bool reads a boolean, or the default where there is none.
func (f *Feed) Bool(path string, otherwise bool) bool { return f.State().Bool(path, otherwise) }

// Duration reads a duration written like 90s or 7d, or the default where there is none.
func (f *Feed) Duration(path string, otherwise time.Duration) time.Duration {
	return f.State().Duration(path, otherwise)
}

// Decode reads a value into what target points to, as [value.Decode] does.
func (f *Feed) Decode(path string, target any) error { return f.State().Decode(path, target) }
