package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/gitsync"
)

func expectStored(t *testing.T, b *bus, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, briefly(b.records())); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

func TestRecordsAreStoredOnceAndInOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := openBus(t, dir)
	log, stop := b.running()
	record(t, log, twice(5), nil)
	record(t, log, twice(5), nil)
	record(t, log, append(twice(5), twice(6)...), moved(4, 6))
	stop()
	b.close()

	b = openBus(t, dir)
	log, _ = b.running()
	changes := []apply.Change{{Path: "a.x", Old: "digest", New: "digest"}}
	want := []apply.Remembered{
		{Commit: hash(5), Parent: hash(4), Tree: hash(105), Environment: "prod", Due: 2, Verdict: apply.Valid, Baseline: hash(4), At: epoch.Add(5 * time.Second), Changes: changes},
		{Commit: hash(5), Parent: hash(4), Tree: hash(105), Environment: "staging", Due: 2, Verdict: apply.Valid, Baseline: hash(4), At: epoch.Add(5 * time.Second), Changes: changes},
		{Commit: hash(6), Parent: hash(4)},
		{Commit: hash(6), Parent: hash(5), Tree: hash(106), Environment: "prod", Due: 2, Verdict: apply.Valid, Baseline: hash(5), At: epoch.Add(6 * time.Second), Changes: changes},
		{Commit: hash(6), Parent: hash(5), Tree: hash(106), Environment: "staging", Due: 2, Verdict: apply.Valid, Baseline: hash(5), At: epoch.Add(6 * time.Second), Changes: changes},
	}
	if diff := cmp.Diff(want, log.Remembered()); diff != "" {
		t.Errorf("remembered (-want +got):\n%s", diff)
	}
	if log.Remembered() != nil {
		t.Error("what is remembered is handed out twice")
	}
	retired := decided(7, "prod")
	retired.Retired, retired.Verdict = true, apply.Valid
	record(t, log, append(twice(6), retired), nil)
	expectStored(t, b, "05 prod", "05 staging", "04>06", "06 prod", "06 staging", "07 prod")
	if n, since := log.Pending(); n != 0 || !since.IsZero() {
		t.Errorf("%d records wait since %s", n, since)
	}
	if list := b.open().Remembered(); !list[len(list)-1].Retired {
		t.Errorf("the retirement is not remembered: %+v", list)
	}
}

// A branch may go back and forth between the same heads: each time is a record of its own, also while nothing is stored.
func TestRewritesBackAndForth(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := openBus(t, dir)
	log := b.open()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, m := range []*apply.Rewrite{moved(1, 2), moved(2, 1), moved(1, 2)} {
		if err := log.Record(ended, apply.Events{Rewrite: m}); !errors.Is(err, context.Canceled) {
			t.Fatalf("error %v", err)
		}
	}
	stop := run(t, log)
	record(t, log, nil, moved(2, 1))
	stop()
	log, _ = b.running()
	record(t, log, nil, moved(1, 2))
	record(t, log, twice(9), moved(2, 1))
	record(t, log, nil, moved(1, 2))
	expectStored(t, b, "01>02", "02>01", "01>02", "02>01", "01>02", "02>01", "09 prod", "09 staging", "01>02")
}

// Record gives up with its context; the record does not.
func TestRecordOutlivesItsContext(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log := b.open()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := log.Record(ctx, apply.Events{Decisions: twice(1)}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v", err)
	}
	if n, since := log.Pending(); n != 2 || since.IsZero() {
		t.Errorf("%d records wait since %s", n, since)
	}
	if err := log.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("flush: %v", err)
	}
	run(t, log)
	if err := log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, since := log.Pending(); n != 0 || !since.IsZero() {
		t.Errorf("%d records wait since %s", n, since)
	}
	if err := log.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	if err := log.Record(t.Context(), apply.Events{}); err != nil {
		t.Errorf("nothing to record: %v", err)
	}
	expectStored(t, b, "01 prod", "01 staging")
}

// Run may end and begin again; what waited is stored.
func TestRunAgain(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log := b.open()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_ = log.Record(ended, apply.Events{Decisions: twice(1)})
	if err := log.Run(ended); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	run(t, log)
	if err := log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	expectStored(t, b, "01 prod", "01 staging")
}

// The bus goes away in the middle: what it acknowledged is there afterwards, and the rest can be given again.
func TestTheBusGoesAway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := openBus(t, dir)
	log, stop := b.running()
	record(t, log, twice(1), nil)
	b.close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := log.Record(ctx, apply.Events{Decisions: twice(2)}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v", err)
	}
	if n, since := log.Pending(); n != 2 || since.IsZero() {
		t.Errorf("%d records wait since %s", n, since)
	}
	stop()
	b = openBus(t, dir)
	log, _ = b.running()
	if n := len(log.Remembered()); n != 2 {
		t.Errorf("%d records remembered, want 2", n)
	}
	record(t, log, twice(2), nil)
	expectStored(t, b, "01 prod", "01 staging", "02 prod", "02 staging")
}

func TestSettingsAreRecordedWhenTheyChange(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := openBus(t, dir)
	log, stop := b.running()
	set := func(log *audit.Log, n int, value string) {
		t.Helper()
		if err := log.Settings(t.Context(), map[string]string{"poll": value}, epoch.Add(time.Duration(n))); err != nil {
			t.Fatal(err)
		}
	}
	set(log, 0, "30s")
	set(log, 1, "30s")
	record(t, log, twice(1), nil)
	stop()
	log, _ = b.running()
	set(log, 2, "30s")
	set(log, 3, "60s")
	set(log, 4, "30s")
	expectStored(t, b, "map[poll:30s]", "01 prod", "01 staging", "map[poll:60s]", "map[poll:30s]")
	if n := len(log.Remembered()); n != 2 {
		t.Errorf("%d records remembered, want the verdicts alone", n)
	}
}

func TestLargeRecordsAreShortened(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, _ := b.running()
	d := decided(1, "prod")
	d.Commit.Message, d.Commit.Subject = strings.Repeat("ü", 200_000), strings.Repeat("\x01", 100_000)
	d.Problems, d.Changes, d.Commit.CoAuthors, d.Commit.Parents = nil, nil, nil, nil
	for i := range 1000 {
		d.Problems = append(d.Problems, compile.Problem{Rule: "r", Message: strings.Repeat("m", 3000)})
		d.Changes = append(d.Changes, apply.Change{Path: strings.Repeat("p", 4000), New: fmt.Sprint(i)})
		d.Commit.CoAuthors = append(d.Commit.CoAuthors, gitsync.Person{Name: strings.Repeat("n", 200)})
		d.Commit.Parents = append(d.Commit.Parents, hash(byte(i)))
	}
	d.Lineage = &apply.Lineage{Kind: apply.LineagePartial, Claim: &gitsync.Claim{Subject: strings.Repeat("s", 100_000)}}
	for range 1000 {
		d.Lineage.Paths = append(d.Lineage.Paths, strings.Repeat("p", 4000))
	}
	d.Omitted, d.ChangesOmitted = 7, 9
	w := moved(1, 2)
	for range 10_000 {
		w.Lost = append(w.Lost, hash(3))
	}
	w.LostTotal = 10_001
	record(t, log, []apply.Decision{d}, w)
	records := b.records()
	if !records[0].Truncated || records[0].Rewrite.LostTotal != 10_001 || len(records[0].Rewrite.Lost) == 0 {
		t.Errorf("rewrite %+v", records[0].Rewrite)
	}
	r := records[1]
	if !r.Truncated || r.ProblemsTotal != 1007 || r.ChangesTotal != 1009 || len(r.Problems) == 0 || len(r.Changes) == 0 || len(r.Parents) == 0 ||
		len(r.Lineage.Paths) == 0 || len(r.Lineage.Paths) == 1000 {
		t.Errorf("truncated %t, problems %d of %d, changes %d of %d", r.Truncated, len(r.Problems), r.ProblemsTotal, len(r.Changes), r.ChangesTotal)
	}
	if !strings.HasPrefix(d.Commit.Message, r.Message) || strings.ContainsRune(r.Message, '\ufffd') {
		t.Error("the message is cut inside a character")
	}
	if got := b.open().Remembered(); len(got) != 2 || got[1].Commit != hash(1) {
		t.Errorf("remembered %+v", got)
	}
	small := decided(2, "prod")
	record(t, log, []apply.Decision{small}, nil)
	if r := b.records()[2]; r.Truncated || r.Message != "more" || r.ProblemsTotal != 1 || r.ChangesTotal != 1 {
		t.Errorf("a small record %+v", r)
	}
}

// A commit may claim any time; its record is written all the same.
func TestTimesThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, _ := b.running()
	for n, when := range []time.Time{epoch.In(time.FixedZone("", 99*3600)), time.Unix(1<<40, 0), time.Unix(-1<<40, 0), epoch.In(time.FixedZone("", -90*60))} {
		d := decided(byte(n+1), "prod")
		d.Commit.Committer.When = when
		record(t, log, []apply.Decision{d}, nil)
	}
	var got []string
	for _, r := range b.records() {
		got = append(got, r.Committed.Format(time.RFC3339))
	}
	if diff := cmp.Diff([]string{"2026-01-01T09:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "2026-01-01T07:30:00-01:30"}, got); diff != "" {
		t.Errorf("committed (-want +got):\n%s", diff)
	}
}

// A record holds what a decision does, and no value is among it: digests stand for them.
func TestARecordTellsTheDecision(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, _ := b.running()
	record(t, log, []apply.Decision{decided(5, "prod")}, nil)
	text, err := json.Marshal(b.records()[0])
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"prev":"","v":1,"kind":"commit","at":"2026-01-01T09:00:05Z","environment":"prod",` +
		`"commit":"0500000000000000000000000000000000000000","parent":"0400000000000000000000000000000000000000",` +
		`"parents":["0400000000000000000000000000000000000000"],"tree":"6900000000000000000000000000000000000000",` +
		`"author":{"name":"Ada","email":"ada@example.com"},"committer":{"name":"","email":""},"committed":"0001-01-01T00:00:00Z",` +
		`"subject":"commit 5","message":"more","due":2,"verdict":"valid","outcome":"applied",` +
		`"baseline":"0400000000000000000000000000000000000000","rollbackOf":"0300000000000000000000000000000000000000","checksum":"sum",` +
		`"problems":[{"stage":"decode","severity":"warning","environments":["prod"],"rule":"octal","message":"m"}],"problemsTotal":1,` +
		`"changes":[{"path":"a.x","old":"digest","new":"digest"}],"changesTotal":1,"claimedAuthors":true}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

// A record whose acknowledgement is lost is stored once, and so is one that arrives when it has long been sent again.
func TestAcknowledgementsThatAreLost(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	lossy := &lossyBus{JetStream: b.js}
	log, err := audit.Open(t.Context(), lossy, quiet)
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, log)
	var want []string
	for n := byte(1); n <= 12; n++ {
		record(t, log, twice(n), nil)
		want = append(want, fmt.Sprintf("%02x prod", n), fmt.Sprintf("%02x staging", n))
	}
	stop()
	expectStored(t, b, want...)
	whole(t, log, 24)
	if lossy.lost == 0 || lossy.late == 0 {
		t.Errorf("%d acknowledgements lost, %d records late", lossy.lost, lossy.late)
	}
}

// lossyBus loses what is published every few times, or its acknowledgement, or lets it arrive later.
type lossyBus struct {
	jetstream.JetStream
	calls, lost, late int
	held              func()
}

func (l *lossyBus) PublishMsg(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	publish := func() (*jetstream.PubAck, error) {
		return l.JetStream.PublishMsg(ctx, &nats.Msg{Subject: m.Subject, Data: m.Data}, opts...)
	}
	switch l.calls++; l.calls % 7 {
	case 2:
		_, _ = publish()
		l.lost++
		return nil, context.DeadlineExceeded
	case 4:
		ctx = context.WithoutCancel(ctx)
		l.held = func() { _, _ = publish() }
		return nil, context.DeadlineExceeded
	}
	ack, err := publish()
	if l.held != nil {
		l.held()
		l.held, l.late = nil, l.late+1
	}
	return ack, err
}

// A start reads so many records, and of older ones those that count however old they are.
func TestALogThatIsLongerThanAStartReads(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, stop := b.running()
	settings(t, log, "30s")
	accept(t, log, 7)
	prod := pin(t, log, "prod", 9)
	unpin(t, log, pin(t, log, "staging", 9))
	ranking, button := halt(t, log, "ranking"), halt(t, log, "button")
	ended := apply.Resume{Stop: *button, By: "grace", Reason: "mended", At: epoch.Add(time.Minute)}
	if err := log.Record(t.Context(), apply.Events{Resumes: []apply.Resume{ended}}); err != nil {
		t.Fatal(err)
	}
	for n := byte(1); n <= 20; n++ {
		record(t, log, twice(n), nil)
	}
	stop()
	log, err := audit.OpenWith(t.Context(), b.js, quiet, 8)
	if err != nil {
		t.Fatal(err)
	}
	run(t, log)
	staging := *prod
	staging.Environment = "staging"
	off := staging
	off.Reason, off.At = "out", epoch.Add(time.Minute)
	remembered := log.Remembered()
	button.By, button.Reason, button.At = "grace", "mended", ended.At
	want := []apply.Remembered{
		{Commit: hash(7), Accepted: true},
		{Pin: prod},
		{Pin: &staging},
		{Pin: &off, Unpinned: true},
		{Stop: ranking},
		{Stop: halt(t, nil, "button")},
		{Stop: button, Resumed: true},
	}
	if diff := cmp.Diff(want, remembered[:7]); diff != "" || len(remembered) != 15 || remembered[7].Commit != hash(17) {
		t.Errorf("%d remembered (-want +got):\n%s", len(remembered), diff)
	}
	if got := log.LastSettings()["poll"]; got != "30s" {
		t.Errorf("settings %s", got)
	}
	for n := byte(21); n <= 40; n++ { // the index drops what is old
		record(t, log, twice(n), nil)
	}
	for _, q := range []audit.Query{{Environment: "prod"}, {Environment: "prod", Oldest: true}} {
		if a := query(t, log, q); len(a.Entries) != 44 || a.Truncated {
			t.Errorf("%d entries, truncated %t", len(a.Entries), a.Truncated)
		}
	}
	expectVersions(t, log, hash(3), 3, "02 prod staging; 01 prod staging", false)
	expectVersions(t, log, hash(39), 1, "26 prod staging", true)
	if r := report(t, log, epoch, epoch.Add(time.Hour)); r.Records != 87 || r.Environments[0].Deployments != 40 {
		t.Errorf("%d records, %+v", r.Records, r.Environments[0])
	}
	whole(t, log, 88)
}
