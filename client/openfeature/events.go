package openfeature

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/open-feature/go-sdk/openfeature"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/client/local"
)

// teller turns what happens to a client into events of OpenFeature.
type teller struct {
	announcer *announcer
	client    *local.Client
	told      func(client.Event)

	state    *client.State // the newest
	settable []string      // of that
	stale    bool
}

// event is called by one goroutine.
func (t *teller) event(e client.Event) {
	switch e.Kind {
	case client.Kept:
		t.take(e)
	case client.Snapshot, client.Delta, client.Current:
		t.take(e)
		if t.stale {
			t.stale = false
			t.announcer.announce(openfeature.ProviderReady, openfeature.ProviderEventDetails{Message: "the flags are what is live"})
		}
	case client.Disconnected, client.Rejected:
		if t.state != nil && !t.stale {
			t.stale = true
			t.announcer.announce(openfeature.ProviderStale, openfeature.ProviderEventDetails{Message: e.Err.Error()})
		}
	}
	if t.told != nil {
		t.told(e)
	}
}

// take notes a state, and tells which flags may be others in it.
func (t *teller) take(e client.Event) {
	before, settable := t.state, t.settable
	t.state, t.settable = e.State, t.client.Settable()
	if before == nil {
		return
	}
	var flags []string
	for _, c := range e.Changes {
		flags = append(flags, c.Path.String())
	}
	if string(before.Definitions) != string(e.State.Definitions) {
		flags = slices.Concat(flags, settable, t.settable)
	}
	if len(flags) > 0 {
		t.announcer.announce(openfeature.ProviderConfigChange, openfeature.ProviderEventDetails{
			FlagChanges: flags, EventMetadata: map[string]any{"commit": e.State.Commit},
		})
	}
}

// ended tells that the server will not serve this client any more.
func (t *teller) ended(err error) {
	if t.state != nil && errors.Is(err, client.ErrRefused) {
		t.announcer.announce(openfeature.ProviderError, openfeature.ProviderEventDetails{Message: err.Error(), ErrorCode: openfeature.ProviderFatalCode})
	}
}

// announcer hands events to the SDK, which may take its time or never ask: so no more waits than one change of flags and one change of the
// provider's state, the newest.
type announcer struct {
	events chan openfeature.Event
	wake   chan struct{} // holds one token when something waits

	mu      sync.Mutex
	waiting []openfeature.Event
}

func newAnnouncer() *announcer {
	return &announcer{events: make(chan openfeature.Event), wake: make(chan struct{}, 1)}
}

func (a *announcer) announce(kind openfeature.EventType, d openfeature.ProviderEventDetails) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = slices.DeleteFunc(a.waiting, func(e openfeature.Event) bool {
		same := (e.EventType == openfeature.ProviderConfigChange) == (kind == openfeature.ProviderConfigChange)
		if same {
			d.FlagChanges = append(d.FlagChanges, e.FlagChanges...)
		}
		return same
	})
	slices.Sort(d.FlagChanges)
	d.FlagChanges = slices.Compact(d.FlagChanges)
	a.waiting = append(a.waiting, openfeature.Event{ProviderName: name, EventType: kind, ProviderEventDetails: d})
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// run hands events on until ctx ends.
func (a *announcer) run(ctx context.Context) {
	for {
		next, ok := a.next()
		if !ok {
			select {
			case <-a.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case a.events <- next:
		case <-ctx.Done():
			return
		}
	}
}

func (a *announcer) next() (openfeature.Event, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.waiting) == 0 {
		return openfeature.Event{}, false
	}
	next := a.waiting[0]
	a.waiting = a.waiting[1:]
	return next, true
}
