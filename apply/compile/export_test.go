package compile

import (
	"maps"
	"slices"
	"time"
)

// Trusted are the files that are not read at the next look unless their stamps differ.
func (w *WorkingTree) Trusted() []string { return slices.Sorted(maps.Keys(w.known)) }

// Redacting are the environments of which it is kept what was redacted.
func (c *Compiler) Redacting() []string { return slices.Sorted(maps.Keys(c.redactors)) }

// Later puts the clock forward.
func (w *WorkingTree) Later(by time.Duration) {
	w.now = func() time.Time { return time.Now().Add(by) }
}
