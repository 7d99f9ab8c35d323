package local

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/experiment"
)

// Source holds the newest version for whoever asks, and wakes those that watch. A [Client] is one; programs that have versions by other means
// begin with [NewSource].
type Source struct {
	current atomic.Pointer[Resolver]
	stale   func() (since time.Time, stale bool)

	mu    sync.Mutex
	wake  chan struct{} // closed, and replaced, at the next version
	ended error
}

// NewSource makes a Source that holds nothing yet, and how it tells whether what it holds is what is live.
func NewSource(stale func() (since time.Time, stale bool)) *Source {
	return &Source{stale: stale, wake: make(chan struct{})}
}

// Put makes a version the newest one.
func (s *Source) Put(r *Resolver) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current.Store(r)
	s.broadcast()
}

// End says that nothing more will come, and why. The first reason counts.
func (s *Source) End(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == nil {
		s.ended = err
		s.broadcast()
	}
}

// broadcast wakes all that watch. The lock must be held.
func (s *Source) broadcast() {
	close(s.wake)
	s.wake = make(chan struct{})
}

// next returns a channel that is closed at the next version, or why there will be none. Take it before reading, so that none is missed.
func (s *Source) next() (<-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wake, s.ended
}

// Stale tells whether the values may be older than what is live, and since when.
func (s *Source) Stale() (since time.Time, stale bool) { return s.stale() }

// Configured is the newest version as it is configured, with nothing laid over it; nil before the first.
func (s *Source) Configured() *client.State {
	if r := s.current.Load(); r != nil {
		return r.state
	}
	return nil
}

// Settable are the paths that rollouts and experiments set for some, in the newest version, sorted.
func (s *Source) Settable() []string {
	r := s.current.Load()
	if r == nil || r.owners == nil {
		return nil
	}
	return slices.Sorted(slices.Values(r.owners.paths(nil)))
}

// For is what somebody has, of the newest version and as of now: what is read from one View belongs together. Make one for each request.
func (s *Source) For(who experiment.Context) *View {
	return &View{source: s, resolver: s.current.Load(), who: who, at: time.Now()}
}

// ForMap is For somebody whose attributes [Context] reads.
func (s *Source) ForMap(attributes map[string]any) (*View, error) {
	who, err := Context(attributes)
	if err != nil {
		return nil, err
	}
	return s.For(who), nil
}

// await blocks until there is a version, following ended, or ctx ends.
func (s *Source) await(ctx context.Context) error {
	for {
		wake, ended := s.next()
		switch {
		case s.current.Load() != nil:
			return nil
		case ended != nil:
			return ended
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
