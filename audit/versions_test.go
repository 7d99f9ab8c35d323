package audit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/gitsync"
)

func expectVersions(t *testing.T, log *audit.Log, before gitsync.Hash, limit int, want string, wantMore bool) {
	t.Helper()
	versions, more, err := log.Versions(t.Context(), before, limit)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range versions {
		line := v.Commit.Short()[:2]
		for _, r := range v.Records {
			line += " " + r.Environment
		}
		got = append(got, line)
	}
	if diff := cmp.Diff(want, strings.Join(got, "; ")); diff != "" || more != wantMore {
		t.Errorf("versions before %s, more %t, want %t (-want +got):\n%s", before.Short(), more, wantMore, diff)
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, stop := b.running()
	expectVersions(t, log, gitsync.Hash{}, 10, "", false)
	for n := byte(1); n <= 4; n++ {
		var w *apply.Rewrite
		if n == 3 {
			w = moved(2, 3)
		}
		record(t, log, []apply.Decision{decided(n, "staging"), decided(n, "prod")}, w)
	}
	expectVersions(t, log, gitsync.Hash{}, 10, "04 prod staging; 03 prod staging; 02 prod staging; 01 prod staging", false)
	expectVersions(t, log, gitsync.Hash{}, 2, "04 prod staging; 03 prod staging", true)
	expectVersions(t, log, hash(3), 1, "02 prod staging", true)
	expectVersions(t, log, hash(3), 2, "02 prod staging; 01 prod staging", false)
	expectVersions(t, log, hash(1), 10, "", false)
	if _, _, err := log.Versions(t.Context(), hash(99), 10); !errors.Is(err, audit.ErrUnknown) {
		t.Errorf("before a commit that is not there: %v", err)
	}
	expectVersions(t, log, gitsync.Hash{}, 0, "04 prod staging", true)

	// What waits comes first, each record once.
	stop()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	again := decided(4, "prod")
	again.Reconstructed = true
	_ = log.Record(ended, append([]apply.Decision{again}, twice(5)...), nil)
	expectVersions(t, log, gitsync.Hash{}, 2, "05 prod staging; 04 prod staging", true)
	expectVersions(t, log, hash(5), 1, "04 prod staging", true)
	versions, _, err := log.Versions(t.Context(), hash(5), 1)
	if err != nil || versions[0].Records[0].Reconstructed {
		t.Errorf("what waits is told in the place of what is stored: %v", err)
	}
	if _, _, err := log.Versions(ended, gitsync.Hash{}, 10); err == nil {
		t.Error("no error after the end of the context")
	}
}

func TestVersionsAreAtMostSoMany(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log := b.open()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range audit.MaxVersions + 1 {
		d := decided(1, "prod")
		d.Commit.Hash = gitsync.Hash{1, byte(i), byte(i >> 8)}
		_ = log.Record(ended, []apply.Decision{d}, nil)
	}
	versions, more, err := log.Versions(t.Context(), gitsync.Hash{}, 100_000)
	if err != nil || len(versions) != audit.MaxVersions || !more {
		t.Errorf("%d versions, more %t, %v", len(versions), more, err)
	}
}

// Beyond so many records in memory more are refused, and the first batch is always taken.
func TestPendingIsBounded(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log := b.open()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	many := make([]apply.Decision, audit.MaxPending)
	for i := range many {
		many[i] = apply.Decision{Environment: fmt.Sprint("e", i)}
	}
	_ = log.Record(ended, many, nil)
	if err := log.Record(t.Context(), twice(1), nil); err != audit.ErrFull {
		t.Errorf("error %v, want %v", err, audit.ErrFull)
	}
	if n, _ := log.Pending(); n != audit.MaxPending {
		t.Errorf("%d wait", n)
	}
}
