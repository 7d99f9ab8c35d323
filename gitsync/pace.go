package gitsync

import (
	"math/rand/v2"
	"time"
)

// pace is how long to wait before the next try.
type pace struct {
	calm     time.Duration // when all is well
	first    time.Duration // after the first failure; it doubles from there
	failures int
}

func (p *pace) good() { p.failures = 0 }
func (p *pace) bad()  { p.failures++ }

// next is spread at random: many followers that start together, or lose their remote together, must not ask together.
func (p *pace) next() time.Duration {
	if p.failures == 0 {
		return spread(p.calm, 0.1)
	}
	wait := p.first
	for i := 1; i < p.failures && wait < maxBackoff; i++ {
		wait *= 2
	}
	return min(spread(min(wait, maxBackoff), 0.25), maxBackoff)
}

// spread moves d by up to share of it, either way.
func spread(d time.Duration, share float64) time.Duration {
	return d + time.Duration((2*rand.Float64()-1)*share*float64(d))
}
