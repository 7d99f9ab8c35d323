package server

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/audit"
)

// reveals adds up, by the minute, who was shown which sensitive values. What one identity reads takes no room from what another does, and
// beyond all room it stays on record who read, where, and how often.
type reveals struct {
	note func([]audit.Event)

	mu       sync.Mutex
	revealed map[string]*revealedTo // by the names of identities
	apart    int                    // reads that are told apart, of all identities
	nameless int                    // reads of identities for which there was no room
}

// revealedTo is what one identity was shown.
type revealedTo struct {
	counts map[revealed]int
	beyond map[string]int // by environment: reads whose paths are not kept
}

type revealed struct{ env, path, commit string } // no commit for what was live

const revealEvery = time.Minute

func newReveals(note func([]audit.Event)) *reveals {
	return &reveals{note: note, revealed: map[string]*revealedTo{}}
}

// add counts a read of what is live.
func (r *reveals) add(who *access.Identity, env, path string) { r.at(who, env, path, "") }

// at counts a read of what a commit says.
func (r *reveals) at(who *access.Identity, env, path, commit string) {
	name := who.String()
	if len(path) > maxRevealedPath { // more than a record holds
		path = strings.Clone(path[:maxRevealedPath])
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	to := r.revealed[name]
	if to == nil {
		if len(r.revealed) >= maxRevealed {
			r.nameless++
			return
		}
		to = &revealedTo{counts: map[revealed]int{}, beyond: map[string]int{}}
		r.revealed[name] = to
	}
	r.count(to, revealed{env, path, commit})
}

// count keeps a read apart from others while there is room. mu must be held.
func (r *reveals) count(to *revealedTo, key revealed) {
	_, known := to.counts[key]
	_, named := to.beyond[key.env]
	switch {
	case known:
		to.counts[key]++
	case len(to.counts) < maxIdentityReveals && r.apart < maxReveals:
		r.apart++
		to.counts[key] = 1
	case named || len(to.beyond) < maxRevealedIn:
		to.beyond[key.env]++
	default:
		to.beyond[""]++
	}
}

// run puts them on record until ctx ends, and then what is left.
func (r *reveals) run(ctx context.Context) error {
	ticks := time.NewTicker(revealEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			r.flush()
			return ctx.Err()
		case <-ticks.C:
			r.flush()
		}
	}
}

func (r *reveals) flush() {
	r.mu.Lock()
	all, nameless := r.revealed, r.nameless
	r.revealed, r.apart, r.nameless = map[string]*revealedTo{}, 0, 0
	r.mu.Unlock()
	var events []audit.Event
	for by, to := range all {
		events = append(events, to.events(by)...)
	}
	if nameless > 0 {
		events = append(events, audit.Event{
			Kind: "reveal", Reason: "more credentials read sensitive values than are told apart", Details: map[string]string{"count": strconv.Itoa(nameless)},
		})
	}
	r.note(events)
}

// events are the records of what one identity was shown.
func (to *revealedTo) events(by string) (events []audit.Event) {
	for env, n := range to.beyond {
		events = append(events, audit.Event{
			Kind: "reveal", By: by, Environment: env, Reason: "more reads of sensitive values than are told apart",
			Details: map[string]string{"count": strconv.Itoa(n)},
		})
	}
	for key, n := range to.counts {
		details := map[string]string{audit.DetailPath: key.path, "count": strconv.Itoa(n)}
		if key.commit != "" {
			details["commit"] = key.commit
		}
		events = append(events, audit.Event{Kind: "reveal", By: by, Environment: key.env, Details: details})
	}
	return events
}
