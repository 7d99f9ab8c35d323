package gitsync_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/gitsync"
)

func TestPace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		poll := time.Duration(rapid.Int64Range(int64(time.Second), int64(time.Hour)).Draw(t, "poll"))
		failures := rapid.IntRange(0, 100).Draw(t, "failures")
		wait := gitsync.NextWait(poll, failures)
		low, high := poll*9/10, poll*11/10
		if failures > 0 {
			grown := poll
			for i := 1; i < failures && grown < 15*time.Minute; i++ {
				grown *= 2
			}
			grown = min(grown, 15*time.Minute)
			low, high = grown*3/4, min(grown*5/4, 15*time.Minute)
		}
		if wait < low || wait > high {
			t.Errorf("poll %s after %d failures waits %s, want %s to %s", poll, failures, wait, low, high)
		}
	})
}

func TestPaceIsSpread(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 20 {
		seen[gitsync.NextWait(time.Minute, 3)] = true
	}
	if len(seen) < 10 {
		t.Errorf("%d different waits of 20: followers would ask together", len(seen))
	}
}
