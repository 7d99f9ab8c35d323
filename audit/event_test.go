package audit_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/audit"
)

func TestEventsAreNoted(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, _ := b.running()
	stop := audit.Event{
		Kind: "storm", At: epoch, By: "ops", Environment: "prod", Commit: hash(1), Reason: "fire", Details: map[string]string{"expires": "1h"},
	}
	note(t, log, stop)
	note(t, log, stop) // the same again
	stop.Reason = "flood"
	note(t, log, stop)
	before := time.Now()
	note(t, log, audit.Event{Kind: "credential2"})
	records := b.records()
	if len(records) != 3 {
		t.Fatalf("%d records", len(records))
	}
	one := hash(1)
	want := &audit.EventRecord{By: "ops", Environment: "prod", Commit: &one, Reason: "fire", Details: map[string]string{"expires": "1h"}}
	if diff := cmp.Diff(want, records[0].Event); diff != "" || records[0].Kind != "storm" || !records[0].At.Equal(epoch) || records[0].Truncated {
		t.Errorf("%+v (-want +got):\n%s", records[0], diff)
	}
	if records[2].At.Before(before) || time.Now().Before(records[2].At) {
		t.Errorf("at %s", records[2].At)
	}
	if got := b.open().Remembered(); len(got) != 0 {
		t.Errorf("remembered %+v", got)
	}
}

func TestEventsAreBounded(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, _ := b.running()
	e := audit.Event{Kind: "refusal", By: strings.Repeat("ü", 200), Reason: strings.Repeat("\x01", 1<<20), Details: map[string]string{}}
	for i := range 1000 {
		e.Details[fmt.Sprintf("%03d%s", i, strings.Repeat("k", 100))] = strings.Repeat("v", 1<<20)
	}
	note(t, log, e)
	r := b.records()[0]
	if !r.Truncated || len(r.Event.By) != 256 || len(r.Event.Reason) != 4096 || len(r.Event.Details) != 32 {
		t.Errorf("truncated %t, by %d, reason %d, details %d", r.Truncated, len(r.Event.By), len(r.Event.Reason), len(r.Event.Details))
	}
	for key, text := range r.Event.Details {
		if len(key) != 64 || len(text) != 1024 || key[:1] != "0" {
			t.Errorf("detail %s of %d bytes", key, len(text))
		}
	}
	whole(t, log, 1)
}

func TestWhatIsNoEvent(t *testing.T) {
	t.Parallel()
	log := openBus(t, t.TempDir()).open()
	for _, kind := range []audit.Kind{
		"", "commit", "rewrite", "settings", "acceptance", "checkpoint", "unreadable", "pin", "unpin", "a.b", "a b", "*", ">", "1a", "ä", audit.Kind(strings.Repeat("a", 33)),
	} {
		if err := log.Note(t.Context(), audit.Event{Kind: kind}); !errors.Is(err, audit.ErrEvent) {
			t.Errorf("%q: error %v", kind, err)
		}
	}
	huge := map[string]string{"a": strings.Repeat("x", audit.MaxRecordBytes)}
	if err := log.Settings(t.Context(), huge, epoch); !errors.Is(err, audit.ErrTooLarge) || !errors.Is(err, audit.ErrLost) || log.Lost() != 1 {
		t.Errorf("error %v", err)
	}
	if n, _ := log.Pending(); n != 0 {
		t.Errorf("%d wait", n)
	}
}
