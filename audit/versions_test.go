package audit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/gitsync"
)

func expectVersions(t *testing.T, log *audit.Log, before gitsync.Hash, limit int, want string, wantMore bool) {
	t.Helper()
	versions, next, err := log.VersionsWhere(t.Context(), audit.VersionQuery{Before: before, Limit: limit})
	if err != nil {
		t.Fatal(err)
	}
	more := !next.IsZero()
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
	if _, _, err := log.VersionsWhere(t.Context(), audit.VersionQuery{Before: hash(99), Limit: 10}); !errors.Is(err, audit.ErrUnknown) {
		t.Errorf("before a commit that is not there: %v", err)
	}
	expectVersions(t, log, gitsync.Hash{}, 0, "04 prod staging; 03 prod staging; 02 prod staging; 01 prod staging", false)

	// What waits comes first, each record once.
	stop()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	again := decided(4, "prod")
	again.Reconstructed = true
	_ = log.Record(ended, apply.Events{Decisions: append([]apply.Decision{again}, twice(5)...)})
	expectVersions(t, log, gitsync.Hash{}, 2, "05 prod staging; 04 prod staging", true)
	expectVersions(t, log, hash(5), 1, "04 prod staging", true)
	versions, _, err := log.VersionsWhere(t.Context(), audit.VersionQuery{Before: hash(5), Limit: 1})
	if err != nil || versions[0].Records[0].Reconstructed {
		t.Errorf("what waits is told in the place of what is stored: %v", err)
	}
	if _, _, err := log.VersionsWhere(ended, audit.VersionQuery{Limit: 10}); err == nil {
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
		_ = log.Record(ended, apply.Events{Decisions: []apply.Decision{d}})
	}
	versions, next, err := log.VersionsWhere(t.Context(), audit.VersionQuery{Limit: audit.MaxVersions})
	if err != nil || len(versions) != audit.MaxVersions || next != versions[audit.MaxVersions-1].Commit {
		t.Errorf("%d versions, next %s, %v", len(versions), next, err)
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
	_ = log.Record(ended, apply.Events{Decisions: many})
	if err := log.Record(t.Context(), apply.Events{Decisions: twice(1)}); !errors.Is(err, audit.ErrFull) || !errors.Is(err, audit.ErrLost) {
		t.Errorf("error %v, want %v", err, audit.ErrFull)
	}
	if err := log.Note(t.Context(), audit.Event{Kind: "storm"}); !errors.Is(err, audit.ErrLost) {
		t.Errorf("error %v, want %v", err, audit.ErrLost)
	}
	if n := log.Lost(); n != 3 {
		t.Errorf("%d records are lost, want 3", n)
	}
	if n, _ := log.Pending(); n != audit.MaxPending {
		t.Errorf("%d wait", n)
	}
}

// A commit that was pending in one environment is told whole, by its last verdicts, also where those came much later.
func TestVersionsThatWerePending(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, _ := b.running()
	waits := decided(1, "prod")
	waits.Verdict, waits.Outcome, waits.Waiting = apply.Pending, "", "no answer"
	record(t, log, []apply.Decision{waits, decided(1, "staging")}, nil)
	record(t, log, twice(2), nil)
	expectVerdictOf := func(env string, want apply.Verdict) {
		t.Helper()
		versions, _, err := log.VersionsWhere(t.Context(), audit.VersionQuery{Before: hash(2), Limit: 1})
		if err != nil || len(versions) != 1 || len(versions[0].Records) != 2 {
			t.Fatalf("versions %+v, %v", versions, err)
		}
		for _, r := range versions[0].Records {
			if r.Environment == env && r.Verdict != want {
				t.Errorf("%s is %s, want %s", env, r.Verdict, want)
			}
		}
	}
	expectVerdictOf("prod", apply.Pending)
	refused := decided(1, "prod")
	refused.Verdict = apply.Rejected
	record(t, log, []apply.Decision{refused}, nil)
	versions, _, err := log.VersionsWhere(t.Context(), audit.VersionQuery{Limit: 1})
	if err != nil || versions[0].Commit != hash(1) || len(versions[0].Records) != 2 || versions[0].Records[0].Verdict != apply.Rejected {
		t.Errorf("versions %+v, %v", versions, err)
	}

	accepted := decided(1, "prod")
	accepted.Accepted, accepted.Signer = hash(1), &gitsync.Signer{Kind: "ssh", Principal: "ada", Fingerprint: "SHA256:x"}
	err = log.Record(t.Context(), apply.Events{
		Acceptance: &apply.Acceptance{Commit: hash(1), By: "grace", Reason: "pairing", At: epoch}, Decisions: []apply.Decision{accepted},
	})
	if err != nil {
		t.Fatal(err)
	}
	versions, _, err = log.VersionsWhere(t.Context(), audit.VersionQuery{Limit: 1})
	if err != nil || versions[0].Records[0].Verdict != apply.Valid || versions[0].Records[0].Signer.Principal != "ada" {
		t.Errorf("versions %+v, %v", versions, err)
	}
	again := b.open().Remembered()
	if want := (apply.Remembered{Commit: hash(1), Accepted: true}); !slices.ContainsFunc(again, func(one apply.Remembered) bool { return cmp.Equal(one, want) }) {
		t.Errorf("the acceptance is not remembered: %+v", again)
	}
}

// A version has one place in the listing, that of its newest verdict, whatever page it is on.
func TestPagesOfVersionsThatWereJudgedAgain(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, stop := b.running()
	refused, waits := decided(1, "prod"), decided(2, "prod")
	refused.Verdict, waits.Verdict = apply.Rejected, apply.Pending
	record(t, log, []apply.Decision{refused, decided(1, "staging")}, nil)
	record(t, log, []apply.Decision{decided(2, "staging"), waits}, nil)
	record(t, log, twice(3), nil)
	record(t, log, []apply.Decision{decided(2, "prod")}, nil)
	record(t, log, twice(4), nil)
	accepted := decided(1, "prod")
	accepted.Accepted = hash(1)
	record(t, log, []apply.Decision{accepted}, nil)
	pages := func() {
		t.Helper()
		for limit := 1; limit <= 5; limit++ {
			var all []string
			var before gitsync.Hash
			for more := true; more && len(all) < 10; more = !before.IsZero() {
				page, next, err := log.VersionsWhere(t.Context(), audit.VersionQuery{Before: before, Limit: limit})
				if err != nil {
					t.Fatal(err)
				}
				for _, v := range page {
					all = append(all, fmt.Sprint(v.Commit.Short()[:2], len(v.Records), v.Records[0].Verdict))
				}
				before = next
			}
			if diff := cmp.Diff([]string{"012valid", "042valid", "022valid", "032valid"}, all); diff != "" {
				t.Errorf("%d at a time (-want +got):\n%s", limit, diff)
			}
		}
	}
	pages()
	log.ForgetIndex(10)
	pages()

	// What waits for the log has its place before all others, and nowhere else.
	stop()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	again := decided(3, "prod")
	again.Accepted = hash(3)
	_ = log.Record(ended, apply.Events{Decisions: []apply.Decision{again}})
	expectVersions(t, log, gitsync.Hash{}, 1, "03 prod staging", true)
	expectVersions(t, log, hash(3), 3, "01 prod staging; 04 prod staging; 02 prod staging", false)
}
