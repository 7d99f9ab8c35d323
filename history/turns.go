package history

import (
	"context"
	"sync/atomic"
	"time"
)

// turns lets a few work at a time and some more wait, for a while; others are turned away.
type turns struct {
	slots   chan struct{}
	waiting atomic.Int32
}

func newTurns(atOnce int) *turns { return &turns{slots: make(chan struct{}, atOnce)} }

// take waits for a turn, which lasts until release is called.
func (t *turns) take(ctx context.Context) (release func(), err error) {
	if t.try() {
		return t.release, nil
	}
	defer t.waiting.Add(-1)
	if t.waiting.Add(1) > maxWaiting {
		return nil, ErrBusy
	}
	enough := time.NewTimer(waitPatience)
	defer enough.Stop()
	select {
	case t.slots <- struct{}{}:
		return t.release, nil
	case <-enough.C:
		return nil, ErrBusy
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// try takes a turn if there is one.
func (t *turns) try() bool {
	select {
	case t.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

func (t *turns) release() { <-t.slots }
