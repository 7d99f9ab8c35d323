package history

import (
	"context"
	"time"
)

// Index looks at the history, as Run does.
func (h *History) Index(ctx context.Context) (commits int, err error) { return h.index(ctx) }

// Drop forgets what has not been used for ten minutes at a time, as Run does.
func (h *History) Drop(at time.Time) { h.drop(at) }

// Kept counts the snapshots that are kept.
func (h *History) Kept() int {
	h.past.mu.Lock()
	defer h.past.mu.Unlock()
	return len(h.past.kept)
}

// Idle tells whether nothing is left of what was compiled.
func (h *History) Idle() bool { return h.Kept() == 0 && h.past.compiler == nil }

// MaxCommits, MaxWaiting and MaxShownWeight are limits that tests reach.
const (
	MaxCommits     = maxCommits
	MaxWaiting     = maxWaiting
	MaxShownWeight = maxShownWeight
)

// Hurry bounds the time of walks.
func (h *History) Hurry(patience time.Duration) { h.patience = patience }

// HurryRemovals bounds the time of looking for what was removed.
func (h *History) HurryRemovals(patience time.Duration) { h.brevity = patience }

// Forgetful bounds what is remembered of walks, and Remembered tells how much that is.
func (h *History) Forgetful(most int) { h.blames.most = most }

// Remembered weighs what is remembered of walks.
func (h *History) Remembered() int {
	h.blames.mu.Lock()
	defer h.blames.mu.Unlock()
	return h.blames.weight
}

// Lighten bounds what all that is kept may weigh.
func (h *History) Lighten(weight int) { h.past.most = weight }
