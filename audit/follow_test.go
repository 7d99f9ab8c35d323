package audit_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/trunkline/trunkline/audit"
)

// follow reads on from a place until it has so many records, and returns their sequences.
func follow(t *testing.T, log *audit.Log, after uint64, n int) []uint64 {
	t.Helper()
	enough := errors.New("enough")
	var got []uint64
	err := log.Follow(t.Context(), after, func(e audit.Entry) error {
		if got = append(got, e.Sequence); len(got) == n {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatalf("error %v after %v", err, got)
	}
	return got
}

func upTo(from, to uint64) []uint64 {
	var all []uint64
	for ; from <= to; from++ {
		all = append(all, from)
	}
	return all
}

func TestFollowGoesOnOverRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := openBus(t, dir)
	log, stop := b.running()
	for n := byte(1); n <= 3; n++ {
		record(t, log, twice(n), nil)
	}
	if got := follow(t, log, 0, 4); !slices.Equal(got, upTo(1, 4)) {
		t.Errorf("followed %v", got)
	}
	stop()
	b.close()

	b = openBus(t, dir)
	log, _ = b.running()
	got := make(chan []uint64)
	go func() { got <- follow(t, log, 4, 6) }() // two that are there, and four to come
	record(t, log, twice(4), nil)
	other, _ := b.running()
	record(t, other, twice(5), nil) // by another process
	if got := <-got; !slices.Equal(got, upTo(5, 10)) {
		t.Errorf("followed %v", got)
	}
}

// A reader that never comes back from its visit delays neither the log nor other readers, and misses nothing.
func TestASlowFollowerDelaysNobody(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, _ := b.running()
	record(t, log, twice(1), nil)
	stuck, free, slow := make(chan struct{}), make(chan struct{}), make(chan []uint64)
	enough := errors.New("enough")
	go func() {
		var got []uint64
		_ = log.Follow(t.Context(), 0, func(e audit.Entry) error {
			if len(got) == 0 {
				close(stuck)
				<-free
			}
			if got = append(got, e.Sequence); len(got) == 602 {
				return enough
			}
			return nil
		})
		slow <- got
	}()
	<-stuck
	record(t, log, many(1, 600), nil)
	if got := follow(t, log, 0, 602); !slices.Equal(got, upTo(1, 602)) {
		t.Errorf("followed %v", got)
	}
	close(free)
	if got := <-slow; !slices.Equal(got, upTo(1, 602)) {
		t.Errorf("the slow one followed %v", got)
	}
}

func TestFollowTellsWhatItCannotGive(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, _ := b.running()
	for n := byte(1); n <= 3; n++ {
		record(t, log, twice(n), nil)
	}
	never := func(audit.Entry) error { return errors.New("visited") }
	if err := log.Follow(t.Context(), 7, never); !errors.Is(err, audit.ErrAhead) {
		t.Errorf("error %v", err)
	}
	// Trimmed while it reads: what was read before is not asked for again, and what is gone is told.
	var got []uint64
	err := log.Follow(t.Context(), 0, func(e audit.Entry) error {
		if got = append(got, e.Sequence); e.Sequence == 6 {
			record(t, log, twice(4), nil)
			return b.stream().Purge(t.Context(), jetstream.WithPurgeSequence(8))
		}
		return nil
	})
	if !errors.Is(err, audit.ErrTrimmed) || !slices.Equal(got, upTo(1, 6)) {
		t.Errorf("error %v after %v", err, got)
	}
	if err := log.Follow(t.Context(), 3, never); !errors.Is(err, audit.ErrTrimmed) {
		t.Errorf("error %v", err)
	}
	if got := follow(t, log, 0, 1); !slices.Equal(got, []uint64{8}) {
		t.Errorf("followed %v", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := log.Follow(ctx, 8, never); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}
