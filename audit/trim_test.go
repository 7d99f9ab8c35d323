package audit_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/gitsync"
)

// many are verdicts on so many commits, after a number of others.
func many(after, n int) []apply.Decision {
	list := make([]apply.Decision, n)
	for i := range list {
		d := decided(1, "prod")
		d.Commit.Hash = gitsync.Hash{1, byte((after + i) >> 8), byte(after + i)}
		d.Problems = nil
		list[i] = d
	}
	return list
}

func settings(t *testing.T, log *audit.Log, poll string) {
	t.Helper()
	if err := log.Settings(t.Context(), map[string]string{"poll": poll}, time.Now()); err != nil {
		t.Fatal(err)
	}
}

func accept(t *testing.T, log *audit.Log, n byte) {
	t.Helper()
	if err := log.Record(t.Context(), apply.Events{Acceptance: &apply.Acceptance{Commit: hash(n), By: "grace", At: epoch}}); err != nil {
		t.Fatal(err)
	}
}

func pin(t *testing.T, log *audit.Log, env string, n byte) *apply.Pin {
	t.Helper()
	p := &apply.Pin{Environment: env, Commit: hash(n), From: hash(n + 1), By: "ops", Reason: "fire", At: epoch, Expires: epoch.Add(time.Hour)}
	if err := log.Record(t.Context(), apply.Events{Pin: p}); err != nil {
		t.Fatal(err)
	}
	return p
}

// halt is a stop that the log has, if there is one.
func halt(t *testing.T, log *audit.Log, key string) *apply.Stop {
	t.Helper()
	s := &apply.Stop{Environment: "prod", Kind: experiment.KindRollout, Key: key, Content: "c" + key, By: "ops", Reason: "fire", At: epoch}
	if log == nil {
		return s
	}
	if err := log.Record(t.Context(), apply.Events{Stop: s}); err != nil {
		t.Fatal(err)
	}
	return s
}

func unpin(t *testing.T, log *audit.Log, p *apply.Pin) {
	t.Helper()
	if err := log.Record(t.Context(), apply.Events{Unpin: &apply.Unpin{Pin: *p, By: "ops", Reason: "out", At: p.At.Add(time.Minute)}}); err != nil {
		t.Fatal(err)
	}
}

func trim(t *testing.T, log *audit.Log, keep audit.Trimming) *audit.Checkpoint {
	t.Helper()
	c, err := log.Trim(t.Context(), keep)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTrimming(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, stop := b.running()
	settings(t, log, "30s")
	accept(t, log, 7)
	early := head(t, log) // 2
	prod := pin(t, log, "prod", 9)
	unpin(t, log, pin(t, log, "staging", 9))
	ranking := halt(t, log, "ranking")
	button := halt(t, log, "button")
	record(t, log, many(0, 13), nil)
	atTrim := head(t, log) // 20
	record(t, log, many(13, apply.MaxRemembered), nil)

	if c := trim(t, log, audit.Trimming{Records: 1e6}); c != nil {
		t.Errorf("trimmed %+v, though all was to be kept", c)
	}
	for name, keep := range map[string]audit.Trimming{
		"verdicts that a start needs": {Records: apply.MaxRemembered - 1},
		"all that is older than now":  {Since: time.Now()},
	} {
		if _, err := log.Trim(t.Context(), keep); !errors.Is(err, audit.ErrNeeded) || !strings.Contains(err.Error(), "record 21") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := log.Trim(t.Context(), audit.Trimming{}); err == nil {
		t.Error("trimmed without being told what to keep")
	}
	planned := trim(t, log, audit.Trimming{Records: apply.MaxRemembered, By: "ops", Reason: "room", DryRun: true})
	whole(t, log, 2020, early, atTrim)

	c := trim(t, log, audit.Trimming{Records: apply.MaxRemembered, By: "ops", Reason: "room"})
	if c.From != 1 || c.UpTo != 20 || c.Records != 20 || c.SHA256 != atTrim.SHA256 || c.Digest == "" || !c.Newest.Equal(atTrim.At) || c.By != "ops" {
		t.Errorf("checkpoint %+v", c)
	}
	if diff := cmp.Diff(planned, c); diff != "" {
		t.Errorf("it did other than it had told (-told +did):\n%s", diff)
	}
	v := whole(t, log, 2001, early, atTrim, head(t, log))
	if !v.Trimmed || v.First != 21 || len(v.Unproven) != 1 || v.Unproven[0] != early {
		t.Errorf("%+v", v)
	}
	broken(t, log, 20, audit.BreakPublished, audit.Head{Sequence: 20, SHA256: early.SHA256})

	// A start knows what it knew before.
	stop()
	log, stop = b.running()
	if got := log.LastSettings(); !maps.Equal(got, map[string]string{"poll": "30s"}) {
		t.Errorf("settings %v", got)
	}
	remembered := log.Remembered()
	if len(remembered) != apply.MaxRemembered+4 || !cmp.Equal(remembered[0], apply.Remembered{Commit: hash(7), Accepted: true}) {
		t.Errorf("%d remembered, first %+v", len(remembered), remembered[0])
	}
	if diff := cmp.Diff(apply.Remembered{Pin: prod}, remembered[1]); diff != "" {
		t.Errorf("the pin (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]apply.Remembered{{Stop: button}, {Stop: ranking}}, remembered[2:4]); diff != "" {
		t.Errorf("the stops (-want +got):\n%s", diff)
	}
	whole(t, log, 2001)

	// Trimmed once more, it still does, and newer settings go before those of a checkpoint.
	settings(t, log, "60s")
	accept(t, log, 8)
	unpin(t, log, prod)
	record(t, log, many(3000, apply.MaxRemembered), nil)
	settings(t, log, "10s")
	c = trim(t, log, audit.Trimming{Records: apply.MaxRemembered + 1})
	if c.From != 21 || c.UpTo != 2024 {
		t.Errorf("checkpoint %+v", c)
	}
	stop()
	log, _ = b.running()
	remembered = log.Remembered()
	if log.LastSettings()["poll"] != "10s" || len(remembered) != apply.MaxRemembered+4 || remembered[1].Commit != hash(8) {
		t.Errorf("settings %v, %d remembered", log.LastSettings(), len(remembered))
	}
	if v := whole(t, log, 2002); !v.Trimmed || v.First != 2025 {
		t.Errorf("%+v", v)
	}
	expectVersions(t, log, hash(0), 1, "01 prod", true)
	size, err := log.Size(t.Context())
	if err != nil || size.Records != 2002 || size.First != 2025 || size.Last != 4026 || size.Full || size.MaxBytes != 10<<30 ||
		size.Oldest.IsZero() || size.Oldest.After(size.Newest) || time.Since(size.Newest) > time.Hour {
		t.Errorf("size %+v, %v", size, err)
	}

	// A record that goes beyond what a checkpoint says it removed is missing.
	_ = b.stream().Purge(t.Context(), jetstream.WithPurgeSequence(2026))
	broken(t, log, 1, audit.BreakMissing)
}

// The program may end after the checkpoint, before or while the records are removed.
func TestTrimmingThatDidNotEnd(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, stop := b.running()
	settings(t, log, "30s")
	accept(t, log, 7)
	record(t, log, many(0, apply.MaxRemembered+20), nil)
	before := b.raw()
	trim(t, log, audit.Trimming{Records: apply.MaxRemembered})
	stop()
	all := append(before, b.raw()[apply.MaxRemembered])
	b.rewrite(all)
	log, stop = b.running()
	if v := whole(t, log, 2023); v.Trimmed {
		t.Errorf("%+v", v)
	}
	if err := b.stream().Purge(t.Context(), jetstream.WithPurgeSequence(11)); err != nil {
		t.Fatal(err)
	}
	stop()
	log, _ = b.running()
	if v := whole(t, log, 2013); !v.Trimmed || v.First != 11 {
		t.Errorf("%+v", v)
	}
	if got := log.Remembered(); log.LastSettings()["poll"] != "30s" || got[0].Commit != hash(7) {
		t.Errorf("settings %v, first remembered %+v", log.LastSettings(), got[0])
	}
	if c := trim(t, log, audit.Trimming{Records: apply.MaxRemembered + 1}); c.From != 11 || c.UpTo != 22 {
		t.Errorf("checkpoint %+v", c)
	}
	whole(t, log, 2001) // by the checkpoint that was there
}

// A log that is full says so, loses nothing, and takes what waits once it is trimmed.
func TestAFullLog(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	said := &strings.Builder{}
	log, err := audit.Open(t.Context(), b.js, slog.New(slog.NewTextHandler(said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, log)
	record(t, log, many(0, apply.MaxRemembered+300), nil)
	info, err := b.stream().Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	info.Config.MaxBytes = int64(info.State.Bytes + 100)
	if _, err := b.js.UpdateStream(t.Context(), info.Config); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := log.Record(ctx, apply.Events{Decisions: twice(9)}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v", err)
	}
	size, err := log.Size(t.Context())
	if err != nil || !size.Full || size.MaxBytes != info.Config.MaxBytes {
		t.Errorf("size %+v, %v", size, err)
	}
	trim(t, log, audit.Trimming{Records: apply.MaxRemembered + 50})
	if err := log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if size, err = log.Size(t.Context()); err != nil || size.Full || size.MaxBytes != info.Config.MaxBytes {
		t.Errorf("size %+v, %v", size, err)
	}
	v := whole(t, log, size.Records)
	if v.Head.Sequence != apply.MaxRemembered+300+3 {
		t.Errorf("%+v", v)
	}
	kinds := briefly(b.records())
	last := slices.DeleteFunc(kinds[len(kinds)-3:], func(kind string) bool { return kind == "checkpoint" }) // a record under way may be before it
	if !slices.Equal(last, []string{"09 prod", "09 staging"}) {
		t.Errorf("stored last %v", last)
	}
	stop()
	if !strings.Contains(said.String(), "the audit log is full; trim it") {
		t.Errorf("said: %s", said)
	}
}
