package audit

import (
	"strconv"
	"time"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/gitsync"
)

// The kinds of events that a start remembers: an environment was pinned, and its pin was taken off.
const (
	KindPin   Kind = "pin"
	KindUnpin Kind = "unpin"
)

// lasting are the kinds of events that count however old they are. Only who serves what they tell records them.
var lasting = []Kind{KindPin, KindUnpin, KindStop, KindResume}

func pinRecord(p *apply.Pin) (*Record, error) {
	return lastingEvent(Event{
		Kind: KindPin, At: p.At, By: p.By, Environment: p.Environment, Commit: p.Commit, Reason: p.Reason, Details: pinDetails(p),
	})
}

func unpinRecord(u *apply.Unpin) (*Record, error) {
	details := pinDetails(&u.Pin)
	details["forced"] = strconv.FormatBool(u.Forced)
	return lastingEvent(Event{
		Kind: KindUnpin, At: u.At, By: u.By, Environment: u.Pin.Environment, Commit: u.Pin.Commit, Reason: u.Reason, Details: details,
	})
}

func lastingEvent(e Event) (*Record, error) {
	r, err := eventRecord(e)
	if err == nil {
		r.asked = time.Now()
	}
	return r, err
}

func pinDetails(p *apply.Pin) map[string]string {
	details := map[string]string{}
	if !p.From.IsZero() {
		details["from"] = p.From.String()
	}
	if !p.Expires.IsZero() {
		details["expires"] = p.Expires.UTC().Format(time.RFC3339)
	}
	return details
}

// rememberedPin is what a start needs of the record of a pin, or of its end.
func rememberedPin(r *Record) apply.Remembered {
	e := r.Event
	p := &apply.Pin{Environment: e.Environment, Commit: required(e.Commit), By: e.By, Reason: e.Reason, At: r.At}
	p.From, _ = gitsync.ParseHash(e.Details["from"])
	p.Expires, _ = time.Parse(time.RFC3339, e.Details["expires"])
	return apply.Remembered{Pin: p, Unpinned: r.Kind == KindUnpin}
}
