package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/gitsync"
)

// carried is what counts of records however old they are: what a checkpoint keeps of those that it lets go.
type carried struct {
	settings map[string]string
	accepted []gitsync.Hash      // oldest first
	pins     map[string]Standing // by environment
	stops    map[stopped]Standing
}

// Standing is a pin or a stop that stood when its record was trimmed.
type Standing struct {
	At time.Time `json:"at"`
	EventRecord
}

// kept is what the newest checkpoint keeps.
func (l *Log) kept(ctx context.Context) (*carried, error) {
	c := &carried{pins: map[string]Standing{}, stops: map[stopped]Standing{}}
	m, err := l.stream.GetLastMsgForSubject(ctx, subjects+".checkpoint.>")
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	if r := (message{data: m.Data}).decode(); r.Kind == KindCheckpoint {
		c.settings, c.accepted = r.Checkpoint.Settings, r.Checkpoint.Accepted
		for _, p := range r.Checkpoint.Pins {
			c.pins[p.Environment] = p
		}
		for _, s := range r.Checkpoint.Stops {
			c.stops[s.stopped()] = s
		}
	}
	return c, nil
}

// see follows a record that comes after what is carried so far.
func (c *carried) see(r *Record) {
	switch r.Kind {
	case KindSettings:
		c.settings = r.Settings
	case KindAcceptance:
		if r.Acceptance.From == nil {
			c.accepted = append(c.accepted, r.Acceptance.Commit)
		}
		c.accepted = c.accepted[max(0, len(c.accepted)-maxCarried):]
	case KindPin:
		if r.Event != nil {
			c.pins[r.Event.Environment] = Standing{r.At, *r.Event}
		}
	case KindUnpin:
		if r.Event != nil {
			delete(c.pins, r.Event.Environment)
		}
	case KindStop:
		if r.Event != nil {
			c.stops[r.Event.stopped()] = Standing{r.At, *r.Event}
		}
	case KindResume:
		if r.Event != nil {
			delete(c.stops, r.Event.stopped())
		}
	}
}

// pinned are the pins that stand, with shorter reasons: there is one for each environment at most.
func (c *carried) pinned() []Standing {
	var all []Standing
	for _, env := range slices.Sorted(maps.Keys(c.pins)) {
		p := c.pins[env]
		p.Reason = cut(p.Reason, maxKeptReason)
		all = append(all, p)
	}
	return all
}

// stopped are the stops that stand, the oldest first.
func (c *carried) stopped() []Standing {
	all := slices.Collect(maps.Values(c.stops))
	for i := range all {
		all[i].By, all[i].Reason = cut(all[i].By, maxKeptStop), cut(all[i].Reason, maxKeptStop)
	}
	slices.SortFunc(all, func(a, b Standing) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.Details[detailKey], b.Details[detailKey]), cmp.Compare(a.Details[detailOf], b.Details[detailOf]))
	})
	return all
}

func (c *carried) remembered() []apply.Remembered {
	var all []apply.Remembered
	for _, h := range c.accepted {
		all = append(all, apply.Remembered{Commit: h, Accepted: true})
	}
	for _, p := range c.pinned() {
		all = append(all, rememberedPin(&Record{Kind: KindPin, At: p.At, Event: &p.EventRecord}))
	}
	for _, p := range c.stopped() {
		all = append(all, rememberedStop(&Record{Kind: KindStop, At: p.At, Event: &p.EventRecord}))
	}
	return all
}
