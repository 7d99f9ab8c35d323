package audit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/trunkline/trunkline/gitsync"
)

// Event is something that an operator did, or that somebody was refused or shown: what goes on record beside verdicts.
type Event struct {
	// Kind names what happened: credential, refusal, reveal and the like. A letter and up to 31 letters and digits
	// more; not one of the kinds that Record or this package itself writes.
	Kind Kind
	// At is when it happened; now when it is zero. An event that is noted twice with the same time and contents is stored once.
	At          time.Time
	By          string // the name of the credential, never the credential; empty when there was none
	Environment string
	Commit      gitsync.Hash
	Reason      string // in the words of who did it
	// Details are whatever else there is to know, paths of values as [DetailPath]. Never a secret and never a value.
	Details map[string]string
}

// DetailPath is the detail that queries for a path look at.
const DetailPath = "path"

// EventRecord is what the record of an event holds.
type EventRecord struct {
	By          string            `json:"by,omitempty"`
	Environment string            `json:"environment,omitempty"`
	Commit      *gitsync.Hash     `json:"commit,omitempty"`
	Reason      string            `json:"reason,omitempty"`
	Details     map[string]string `json:"details,omitempty"`
}

// ErrEvent is reported for an event that cannot be noted.
var ErrEvent = errors.New("not an event")

// Note puts an event on record. Like [Log.Record] it returns when the event is on disk; when ctx ends before, Run goes on to store it.
// Texts that are too long are cut, and of more than 32 details the first by name are kept; the record then says that it is truncated.
func (l *Log) Note(ctx context.Context, e Event) error {
	if slices.Contains(lasting, e.Kind) {
		return fmt.Errorf("%w: a %s is recorded by whoever serves it", ErrEvent, e.Kind)
	}
	r, err := eventRecord(e)
	if err != nil {
		return err
	}
	return l.add(ctx, []*Record{r})
}

func eventRecord(e Event) (*Record, error) {
	if !e.Kind.free() {
		return nil, fmt.Errorf("%w: the kind %q is not a letter and up to %d letters and digits more, or is one of the log's own", ErrEvent, e.Kind, maxKindBytes-1)
	}
	if e.At.IsZero() {
		e.At = time.Now()
	}
	told := &EventRecord{By: cut(e.By, maxByBytes), Environment: cut(e.Environment, maxByBytes), Commit: optional(e.Commit), Reason: clip(e.Reason)}
	r := &Record{Version: 1, Kind: e.Kind, At: e.At.UTC(), Event: told}
	r.Truncated = told.By != e.By || told.Environment != e.Environment || told.Reason != e.Reason || len(e.Details) > maxDetails
	for _, key := range slices.Sorted(maps.Keys(e.Details)) {
		if len(told.Details) == maxDetails {
			break
		}
		if told.Details == nil {
			told.Details = map[string]string{}
		}
		name, text := cut(key, maxDetailKey), cut(e.Details[key], maxDetailBytes)
		r.Truncated = r.Truncated || name != key || text != e.Details[key]
		told.Details[name] = text
	}
	return r, nil
}

// free tells whether events may be of the kind. It is a part of the record's name on the bus, so it holds nothing but letters and
// digits.
func (k Kind) free() bool {
	switch k {
	case "", KindCommit, KindRewrite, KindSettings, KindAcceptance, KindCheckpoint, KindUnreadable:
		return false
	}
	for i, c := range []byte(k) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return len(k) <= maxKindBytes
}
