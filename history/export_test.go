package history

import "time"

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

// Lighten bounds what all that is kept may weigh.
func (h *History) Lighten(weight int) { h.past.most = weight }
