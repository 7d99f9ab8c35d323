package audit_test

import (
	"context"
	"testing"
	"time"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/gitsync"
)

var begun = time.Now()

// second is a time that is near those of which the bus says that it stored the records.
func second(s int) time.Time { return begun.Add(time.Duration(s) * time.Second) }

// made is a verdict on a commit that follows another, as it was told then.
func made(n, parent byte, at int, outcome apply.Outcome) apply.Decision {
	d := decided(n, "prod")
	d.Parent, d.Baseline, d.RollbackOf, d.Due = hash(parent), hash(parent), gitsync.Hash{}, 1
	d.Outcome, d.At = outcome, second(at)
	if parent == 0 {
		d.Parent, d.Baseline = gitsync.Hash{}, gitsync.Hash{}
	}
	return d
}

// unfit is a verdict that leaves live what was.
func unfit(n, parent, baseline byte, at int, verdict apply.Verdict) apply.Decision {
	d := made(n, parent, at, "")
	d.Verdict, d.Baseline = verdict, hash(baseline)
	return d
}

func later(d apply.Decision) apply.Decision {
	d.Reconstructed = true
	return d
}

// expectLive asks what prod served in each second: "1 1 - 2" is commit 1, 1, nothing, 2.
func expectLive(t *testing.T, log *audit.Log, from int, want ...byte) {
	t.Helper()
	for i, n := range want {
		commit, known, err := log.LiveAt(t.Context(), "prod", second(from+i))
		if err != nil {
			t.Fatal(err)
		}
		if commit != hash(n) && n > 0 || known != (n > 0) {
			t.Errorf("after %d s: live is %s, known %t, want %d", from+i, commit.Short(), known, n)
		}
	}
}

func TestLiveAt(t *testing.T) {
	t.Parallel()
	retired := made(3, 2, 5, apply.Applied)
	retired.Retired = true
	elsewhere := made(9, 0, 2, apply.Applied)
	elsewhere.Environment = "staging"
	hold := &apply.Pin{Environment: "prod", Commit: hash(1), From: hash(2), By: "ops", Reason: "fire", At: second(5)}
	off := &apply.Unpin{Pin: *hold, By: "ops", Reason: "out", At: second(9)}
	back := func(from, to byte, at int) apply.Events {
		w := moved(from, to)
		w.At = second(at)
		return apply.Events{Rewrite: w}
	}
	give := func(list ...apply.Decision) apply.Events { return apply.Events{Decisions: list} }
	for name, test := range map[string]struct {
		events []apply.Events
		want   []byte // from second 1 on
	}{
		"nothing":           {nil, []byte{0, 0}},
		"one after another": {[]apply.Events{give(made(1, 0, 2, apply.Applied)), give(made(2, 1, 4, apply.Applied))}, []byte{0, 1, 1, 2, 2}},
		"another environment": {
			[]apply.Events{give(elsewhere), give(made(1, 0, 4, apply.Applied))}, []byte{0, 0, 0, 1},
		},
		"superseded at one look": {
			[]apply.Events{give(made(1, 0, 1, apply.Applied)), give(made(2, 1, 3, apply.Superseded), unfit(3, 2, 2, 4, apply.Rejected), made(4, 2, 5, apply.Applied))},
			[]byte{1, 1, 1, 1, 4},
		},
		"rejected and pending": {
			[]apply.Events{
				give(made(1, 0, 1, apply.Applied)), give(unfit(2, 1, 1, 3, apply.Rejected)), give(unfit(3, 2, 1, 4, apply.Pending)), give(unfit(4, 3, 1, 5, apply.Pending)),
				give(made(3, 2, 7, apply.Superseded), made(4, 3, 7, apply.Applied)),
			},
			[]byte{1, 1, 1, 1, 1, 1, 4},
		},
		"retired": {[]apply.Events{give(made(1, 0, 1, apply.Applied)), give(made(2, 1, 3, apply.Applied)), give(retired)}, []byte{1, 1, 2, 2, 0, 0}},
		"back in vain after it was retired": {
			[]apply.Events{give(made(2, 0, 1, apply.Applied)), give(retired), give(unfit(4, 3, 0, 7, apply.Rejected))}, []byte{2, 2, 2, 2, 0, 0, 0},
		},
		"pinned": {
			[]apply.Events{
				give(made(1, 0, 1, apply.Applied)), give(made(2, 1, 3, apply.Applied)),
				{Pin: hold},
				give(made(3, 2, 6, apply.Withheld)),
				give(made(4, 3, 7, apply.Withheld)),
				{Unpin: off},
				give(made(5, 4, 11, apply.Applied)),
			},
			[]byte{1, 1, 2, 2, 1, 1, 1, 1, 4, 4, 5},
		},
		"a pin that is taken back": {
			[]apply.Events{give(made(1, 0, 1, apply.Applied)), give(made(2, 1, 3, apply.Applied)), {Pin: hold}, {Unpin: &apply.Unpin{Pin: *hold, At: second(5)}}},
			[]byte{1, 1, 2, 2, 2, 2},
		},
		"taken off in vain": {
			[]apply.Events{
				give(made(1, 0, 1, apply.Applied)), give(made(2, 1, 3, apply.Applied)), {Pin: hold}, {Unpin: &apply.Unpin{Pin: *hold, At: second(6)}}, {Pin: hold},
			},
			[]byte{1, 1, 2, 2, 1, 1, 1},
		},
		"moved back": {
			[]apply.Events{
				give(made(1, 0, 1, apply.Superseded), made(2, 1, 1, apply.Applied)), give(unfit(3, 2, 2, 2, apply.Rejected)), back(3, 1, 4), back(1, 3, 6),
			},
			[]byte{2, 2, 2, 1, 1, 2},
		},
		"moved to what is refused": {
			[]apply.Events{
				give(made(1, 0, 1, apply.Superseded), made(2, 1, 1, apply.Applied)),
				{Rewrite: back(2, 4, 3).Rewrite, Decisions: []apply.Decision{unfit(3, 1, 1, 3, apply.Rejected), unfit(4, 3, 1, 5, apply.Rejected)}},
				give(made(5, 4, 7, apply.Applied)),
			},
			[]byte{2, 2, 2, 2, 1, 1, 5},
		},
		"moved to what waited, and was judged meanwhile": {
			[]apply.Events{
				give(made(1, 0, 1, apply.Applied)), give(unfit(2, 1, 1, 2, apply.Pending)), give(unfit(3, 2, 1, 3, apply.Pending)),
				give(made(2, 1, 4, apply.Applied)), back(3, 1, 5), back(1, 3, 6), back(3, 1, 7),
			},
			[]byte{1, 1, 1, 2, 1, 2, 1},
		},
		"moved to where the environment was not yet": {
			[]apply.Events{give(elsewhere), give(made(1, 9, 3, apply.Applied)), back(1, 9, 5)}, []byte{0, 0, 1, 1, 0},
		},
		"moved to what nobody has judged": {[]apply.Events{give(made(1, 0, 1, apply.Applied)), back(1, 8, 3)}, []byte{1, 1, 1, 1}},
		"lost, and written later": {
			[]apply.Events{
				give(made(1, 0, 1, apply.Applied)), give(unfit(3, 2, 2, 4, apply.Rejected)), give(made(4, 3, 5, apply.Applied)),
				give(later(made(2, 1, 7, apply.Superseded))), give(later(unfit(3, 2, 2, 8, apply.Rejected))),
			},
			[]byte{1, 1, 1, 2, 4, 4, 4, 4},
		},
		"lost, and live since": {
			[]apply.Events{give(made(1, 0, 1, apply.Applied)), give(later(made(2, 1, 4, apply.Applied)), later(unfit(3, 2, 2, 4, apply.Rejected)))},
			[]byte{1, 1, 1, 2},
		},
		"lost, and written later as if it were the newest": {
			[]apply.Events{
				give(made(1, 0, 1, apply.Applied)), give(made(3, 2, 3, apply.Applied)), give(unfit(4, 3, 3, 4, apply.Rejected)),
				give(later(made(2, 1, 6, apply.Applied))), give(made(5, 4, 8, apply.Applied)),
			},
			[]byte{1, 1, 3, 3, 3, 3, 3, 5},
		},
		"lost without a trace": {[]apply.Events{give(unfit(3, 2, 2, 2, apply.Rejected))}, []byte{0, 2, 2}},
		"a clock that was put back": {
			[]apply.Events{give(made(1, 0, 5, apply.Applied)), give(made(2, 1, 3, apply.Applied))}, []byte{0, 0, 2, 2, 2, 2},
		},
		"given twice": {
			[]apply.Events{give(made(1, 0, 1, apply.Applied)), give(made(2, 1, 2, apply.Applied)), give(later(made(1, 0, 4, apply.Applied)))}, []byte{1, 2, 2, 2, 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := openBus(t, t.TempDir())
			log, stop := b.running()
			for _, e := range test.events {
				if err := log.Record(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
			expectLive(t, log, 1, test.want...)
			log.ForgetIndex(uint64(len(test.events) / 2)) // as when the log is longer
			expectLive(t, log, 1, test.want...)
			log.ForgetIndex(1000)
			expectLive(t, log, 1, test.want...)
			stop()
			expectLive(t, b.open(), 1, test.want...)
		})
		t.Run(name+", while it waits", func(t *testing.T) {
			t.Parallel()
			b := openBus(t, t.TempDir())
			log := b.open()
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			for _, e := range test.events {
				_ = log.Record(ended, e)
			}
			if name != "given twice" { // what is given twice is told apart when it is stored
				expectLive(t, log, 1, test.want...)
			}
		})
	}
}

func TestBaselines(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, stop := b.running()
	expect := func(n byte, env string, want byte, wantKnown bool) {
		t.Helper()
		baseline, known, err := log.Baseline(t.Context(), hash(n), env)
		if err != nil || baseline != hash(want) || known != wantKnown {
			t.Errorf("baseline of %d in %s: %s, %t, %v; want %d, %t", n, env, baseline.Short(), known, err, want, wantKnown)
		}
	}
	record(t, log, []apply.Decision{made(1, 0, 1, apply.Applied), unfit(3, 2, 1, 3, apply.Pending)}, nil)
	expect(1, "prod", 0, true)
	expect(3, "prod", 1, true)
	record(t, log, []apply.Decision{made(2, 1, 4, apply.Applied), unfit(3, 2, 2, 5, apply.Rejected)}, nil)
	expect(3, "prod", 2, true)
	for _, env := range []string{"staging", "", "*", ">", "a b", "prod.x"} {
		expect(3, env, 0, false)
	}
	expect(4, "prod", 0, false)
	stop()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	accepted := made(3, 2, 6, apply.Applied)
	accepted.Accepted, accepted.Baseline = hash(3), hash(7)
	_ = log.Record(ended, apply.Events{Decisions: []apply.Decision{accepted, made(4, 3, 7, apply.Applied)}})
	expect(3, "prod", 7, true)
	expect(4, "prod", 3, true)
	if _, _, err := log.Baseline(ended, hash(1), "prod"); err == nil {
		t.Error("no error after the end of the context")
	}
}

// A log that was trimmed tells what was live from there on, and the pins that stood.
func TestLiveAtInATrimmedLog(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, stop := b.running()
	record(t, log, []apply.Decision{made(1, 0, 1, apply.Applied)}, nil)
	held := &apply.Pin{Environment: "staging", Commit: hash(9), By: "ops", Reason: "fire", At: second(2)}
	if err := log.Record(t.Context(), apply.Events{Pin: held}); err != nil {
		t.Fatal(err)
	}
	unpin(t, log, pin(t, log, "dev", 9))
	record(t, log, many(0, 40), nil)
	list := many(40, apply.MaxRemembered)
	for i := range list {
		list[i].At = second(100 + i)
	}
	list[0].Verdict, list[0].Baseline = apply.Rejected, hash(8)
	record(t, log, list, nil)
	trim(t, log, audit.Trimming{Records: apply.MaxRemembered})
	for range 2 {
		expectLive(t, log, 1, 0, 0)
		expectLive(t, log, 100, 8)
		commit, known, err := log.LiveAt(t.Context(), "prod", second(3000))
		if want := list[len(list)-1].Commit.Hash; err != nil || !known || commit != want {
			t.Errorf("live is %s, %t, %v, want %s", commit.Short(), known, err, want.Short())
		}
		for env, want := range map[string]gitsync.Hash{"staging": hash(9), "dev": {}} {
			if commit, known, err := log.LiveAt(t.Context(), env, second(50)); err != nil || commit != want || known == want.IsZero() {
				t.Errorf("%s served %s, %t, %v", env, commit.Short(), known, err)
			}
		}
		stop()
		log, stop = b.running()
	}
}
