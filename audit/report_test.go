package audit_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/gitsync"
)

func day(month time.Month, day, hour, minute int) time.Time {
	return time.Date(2026, month, day, hour, minute, 0, 0, time.UTC)
}

var (
	march = day(3, 1, 0, 0)
	april = day(4, 1, 0, 0)
	bob   = gitsync.Person{Name: "Bob <script>|", Email: "bob@example.com"}
)

// happened is a verdict on a commit that was made so long before.
func happened(n byte, env string, at time.Time, lead time.Duration, changed ...string) apply.Decision {
	d := decided(n, env)
	d.At, d.Commit.Committer.When, d.RollbackOf, d.Problems, d.Changes = at, at.Add(-lead), gitsync.Hash{}, nil, nil
	for _, path := range changed {
		d.Changes = append(d.Changes, apply.Change{Path: path})
	}
	return d
}

func refused(d apply.Decision, rules ...string) apply.Decision {
	d.Verdict, d.Outcome = apply.Rejected, ""
	for _, rule := range rules {
		d.Problems = append(d.Problems, compile.Problem{Stage: compile.StageSchemas, Severity: compile.Error, Rule: rule})
	}
	d.Problems = append(d.Problems, compile.Problem{Severity: compile.Warning, Rule: "only-a-warning"})
	return d
}

func restoring(d apply.Decision, n byte) apply.Decision {
	d.RollbackOf = hash(n)
	return d
}

func pending(d apply.Decision) apply.Decision {
	d.Verdict, d.Outcome = apply.Pending, ""
	return d
}

// lived stores two months of which every number is known.
func lived(t *testing.T, log *audit.Log) {
	t.Helper()
	give := func(list ...apply.Decision) { record(t, log, list, nil) }
	origin := happened(1, "prod", day(2, 20, 10, 0), time.Hour)
	origin.Parent = gitsync.Hash{}
	give(origin)
	give(happened(2, "prod", day(2, 28, 10, 0), 10*time.Minute, "database.pool"))
	give(restoring(happened(3, "prod", day(3, 1, 10, 0), time.Minute, "database.pool"), 1)) // undoes 2, after 24 h
	written := happened(12, "prod", day(3, 1, 12, 0), 9*time.Minute)
	written.Reconstructed = true
	give(written)
	signed := happened(4, "prod", day(3, 2, 9, 0), 10*time.Minute, "database.pool", "database.dsn", "web.port")
	signed.Signer = &gitsync.Signer{Kind: "ssh", Principal: "ada"}
	early := happened(4, "staging", day(3, 2, 9, 0), -time.Minute, "web.port")
	early.Signer = signed.Signer
	give(signed, early)
	overtaken := happened(5, "prod", day(3, 3, 9, 0), 20*time.Minute, "flags.a")
	overtaken.Outcome, overtaken.Commit.Author.Email = apply.Superseded, "ADA@example.com"
	six := happened(6, "prod", day(3, 3, 9, 0), 5*time.Minute, "flags.a", "flags.b")
	six.Commit.Author = bob
	give(overtaken, six)
	seven := happened(7, "prod", day(3, 4, 12, 0), 0)
	seven.Commit.Author, seven.Commit.Subject = bob, "Make *everything* | faster"
	sevenStaging := seven
	sevenStaging.Environment = "staging"
	give(refused(seven, "range", "required"), refused(sevenStaging, "range"))
	give(pending(happened(8, "prod", day(3, 4, 13, 0), time.Minute)))
	give(happened(8, "prod", day(3, 4, 13, 30), 31*time.Minute))
	give(restoring(happened(9, "prod", day(3, 5, 10, 0), 2*time.Minute), 4)) // undoes 6 and 8, after 49 h
	give(pending(happened(13, "prod", day(3, 31, 22, 0), 0)))
	give(happened(10, "prod", day(3, 31, 23, 0), 6*time.Minute))
	give(restoring(happened(11, "prod", day(4, 1, 1, 0), time.Minute), 9)) // undoes 10, after the period
	give(happened(13, "prod", day(4, 2, 0, 0), time.Hour))

	if err := log.Record(t.Context(), apply.Events{
		Acceptance: &apply.Acceptance{Commit: hash(7), By: "grace", Reason: "pairing | on it", At: day(3, 5, 11, 0)},
	}); err != nil {
		t.Fatal(err)
	}
	eu := func(n byte, at time.Time, outcome apply.Outcome) {
		d := happened(n, "eu", at, 10*time.Minute)
		d.Outcome = outcome
		give(d)
	}
	eu(20, day(3, 10, 9, 0), apply.Applied)
	eu(21, day(3, 10, 10, 0), apply.Applied)
	pin := &apply.Pin{Environment: "eu", Commit: hash(20), From: hash(21), By: "ops", Reason: "fire", At: day(3, 10, 10, 30)}
	unpin := &apply.Unpin{Pin: *pin, By: "grace", At: day(3, 10, 13, 0)}
	for _, e := range []apply.Events{{Pin: pin}, {Unpin: unpin}} {
		if err := log.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if e.Pin != nil {
			eu(22, day(3, 10, 11, 0), apply.Withheld)
			eu(23, day(3, 10, 12, 0), apply.Withheld)
		}
	}
	w := moved(8, 9)
	w.At = day(3, 6, 0, 0)
	record(t, log, nil, w)
	for i, e := range []audit.Event{
		{Kind: "storm", By: "ops", Environment: "prod", Commit: hash(4), Reason: "harm"},
		{Kind: "retry", By: "grace", Environment: "prod"},
		{Kind: "storm", By: "grace", Environment: "prod", Commit: hash(6), Reason: "again"},
		{Kind: "reveal", By: "ops", Details: map[string]string{audit.DetailPath: "database.dsn"}},
		{Kind: "frobnication"},
		{Kind: "storm", By: "ops", At: day(4, 3, 0, 0)},
	} {
		if e.At.IsZero() {
			e.At = day(3, 7, i, 0)
		}
		note(t, log, e)
	}
	if err := log.Settings(t.Context(), map[string]string{"poll": "30s"}, day(3, 8, 0, 0)); err != nil {
		t.Fatal(err)
	}
}

func report(t *testing.T, log *audit.Log, from, to time.Time) *audit.Report {
	t.Helper()
	r, err := log.Report(t.Context(), from, to)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func markdown(t *testing.T, r *audit.Report) string {
	t.Helper()
	var b strings.Builder
	if err := r.WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestReport(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, _ := b.running()
	lived(t, log)
	r := report(t, log, march, april)
	if r.AsOf != head(t, log) || r.Truncated {
		t.Errorf("as of %+v", r.AsOf)
	}
	rate := 3.0 / 7
	prod := audit.EnvironmentReport{
		Name: "prod", Deployments: 7, Superseded: 1, Rejected: 1, Rollbacks: 2, Failed: 3, ChangeFailureRate: &rate, StillPending: 1,
		TimeToRestore: audit.Spread{Count: 2, Median: 24 * 3600, P90: 49 * 3600, Max: 49 * 3600},
		LeadTime:      audit.Spread{Count: 7, Median: 360, P90: 1860, Max: 1860},
		Pending:       audit.Spread{Count: 1, Median: 1800, P90: 1800, Max: 1800},
	}
	third := 1.0 / 3
	eu := audit.EnvironmentReport{
		Name: "eu", Deployments: 3, Superseded: 1, Withheld: 2, Rollbacks: 1, Failed: 1, ChangeFailureRate: &third,
		TimeToRestore: audit.Spread{Count: 1, Median: 1800, P90: 1800, Max: 1800},
		LeadTime:      audit.Spread{Count: 4, Median: 600, P90: 130 * 60, Max: 130 * 60},
	}
	if diff := cmp.Diff([]audit.EnvironmentReport{eu, prod}, r.Environments[:2]); diff != "" {
		t.Errorf("environments (-want +got):\n%s", diff)
	}
	staging := r.Environments[2]
	if staging.Deployments != 1 || staging.Rejected != 1 || *staging.ChangeFailureRate != 0 || staging.LeadTime.Count != 0 {
		t.Errorf("staging %+v", staging)
	}
	r.AsOf.SHA256 = "00"
	golden(t, "report.md", markdown(t, r))

	// The same period, of a log that holds nothing from before it, does not know what one of the rollbacks undid.
	log.ForgetIndex(3)
	if again := report(t, log, march, april); cmp.Diff(r.Environments, again.Environments) != "" {
		t.Error("the report needs the index")
	}
}

// A period ends where the next one begins: what is in two of them is in the two together, and no rollback is counted twice.
func TestReportsOfPeriodsAddUp(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, _ := b.running()
	lived(t, log)
	whole := report(t, log, march, april)
	var records, deployments, failed, rollbacks int
	for from := march; from.Before(april); from = from.AddDate(0, 0, 1) {
		r := report(t, log, from, from.AddDate(0, 0, 1))
		records += r.Records
		for _, e := range r.Environments {
			deployments, failed, rollbacks = deployments+e.Deployments, failed+e.Failed, rollbacks+e.Rollbacks
		}
	}
	if records != whole.Records || deployments != 11 || failed != 4 || rollbacks != 3 {
		t.Errorf("%d of %d records, %d deployments, %d failed, %d rollbacks", records, whole.Records, deployments, failed, rollbacks)
	}
}

func TestReportsSayWhatTheyDoNotCover(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, _ := b.running()
	if r := report(t, log, march, april); len(r.Notes) != 1 || r.Notes[0] != "The log is empty." {
		t.Errorf("notes %v", r.Notes)
	}
	lived(t, log)
	for name, test := range map[string]struct {
		from, to time.Time
		want     string
	}{
		"before the log":     {day(1, 1, 0, 0), day(2, 1, 0, 0), "There are no records of this period."},
		"around its start":   {day(1, 1, 0, 0), april, "The log begins at 2026-02-20T10:00:00Z"},
		"after the log":      {day(6, 1, 0, 0), day(7, 1, 0, 0), "There are no records of this period."},
		"written later":      {march, april, "written by a later start, at whose time, and are left out of lead times and times to restore: 1."},
		"clocks that differ": {march, april, "bear a later time than they went live at, and that are left out of lead times: 1."},
	} {
		r := report(t, log, test.from, test.to)
		if !strings.Contains(strings.Join(r.Notes, "\n"), test.want) || !strings.Contains(markdown(t, r), test.want) {
			t.Errorf("%s: notes %v", name, r.Notes)
		}
	}
	if _, err := log.Report(t.Context(), april, march); !errors.Is(err, audit.ErrPeriod) {
		t.Errorf("error %v", err)
	}
}

// A revert undoes what went live with the commits that it takes back, and nothing that came after them.
func TestReportsOfReverts(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, _ := b.running()
	taking := func(d apply.Decision, kind apply.LineageKind, first, last byte) apply.Decision {
		d.Lineage = &apply.Lineage{Kind: kind, First: hash(first), Last: hash(last)}
		return d
	}
	at := func(n byte) apply.Decision { return happened(n, "prod", day(3, int(n), 0, 0), time.Minute) }
	overtaken := at(4)
	overtaken.Outcome = apply.Superseded
	for _, d := range []apply.Decision{
		at(1), at(2), at(3), overtaken, at(5), at(6),
		taking(at(7), apply.LineageRevert, 2, 2),   // undoes 2, after 5 days
		taking(at(8), apply.LineageRevert, 3, 4),   // undoes 3 and 5, with which 4 went live
		taking(at(9), apply.LineagePartial, 6, 6),  // undoes nothing
		taking(at(10), apply.LineageClaimed, 6, 6), // nor this
		refused(at(11)),
		taking(at(12), apply.LineageRevert, 11, 11), // 11 never was live
		taking(at(13), apply.LineageRevert, 99, 6),  // the log knows the end alone: 6
		taking(at(14), apply.LineageRevert, 2, 2),   // once more: it is undone already
	} {
		record(t, log, []apply.Decision{d}, nil)
	}
	r := report(t, log, march, april)
	e := r.Environments[0]
	if e.Rollbacks != 3 || e.Failed != 4 || e.Deployments != 12 || e.TimeToRestore.Count != 3 || e.TimeToRestore.Max != 7*24*3600 {
		t.Errorf("%+v", e)
	}
	if len(r.Rollbacks) != 3 || r.Rollbacks[1].Undone != 2 || *r.Rollbacks[1].First != hash(3) || r.Rollbacks[1].Restored != nil {
		t.Errorf("%+v", r.Rollbacks)
	}
	if text := markdown(t, r); !strings.Contains(text, "| reverted 030000000000 to 040000000000 | 2 |") || !strings.Contains(text, "| reverted 020000000000 | 1 |") {
		t.Error(text)
	}
}

// Whatever the log holds, a report is made, and its shares are shares.
func TestReportsOfStrangeRecords(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, _ := b.running()
	give := func(d apply.Decision) { record(t, log, []apply.Decision{d}, nil) }
	give(restoring(happened(1, "prod", day(3, 1, 1, 0), 0), 99)) // restores what the log does not hold
	give(restoring(happened(2, "prod", day(3, 1, 2, 0), 0), 98)) // undoes the one before
	give(restoring(happened(3, "prod", day(3, 1, 3, 0), 0), 3))  // restores itself
	gone := happened(4, "staging", day(3, 1, 4, 0), 0)
	gone.Retired = true
	give(gone)
	bare := refused(happened(5, "prod", day(3, 1, 5, 0), 0))
	bare.Problems, bare.Omitted, bare.Changes = nil, 7, []apply.Change{{Path: ""}, {Path: "not a path"}}
	give(bare)
	root := happened(6, "prod", day(3, 1, 6, 0), 0, "", "also not")
	root.Commit.Author = gitsync.Person{}
	give(root)
	b.forge("trunkline.audit.x", "junk")
	r := report(t, log, march, april)
	if len(r.Environments) != 1 || r.Environments[0].Failed != 2 || r.Environments[0].Rollbacks != 3 || r.Environments[0].TimeToRestore.Count != 0 {
		t.Errorf("%+v", r.Environments)
	}
	if rate := *r.Environments[0].ChangeFailureRate; math.IsNaN(rate) || rate < 0 || rate > 1 {
		t.Errorf("rate %f", rate)
	}
	if len(r.Rejections) != 1 || r.Rejections[0].Rule != "(not in the record)" {
		t.Errorf("%+v", r.Rejections)
	}
	if text := markdown(t, r); !strings.Contains(text, "| (root) | 1 | 1 |") || r.Records != 6 {
		t.Errorf("%d records\n%s", r.Records, text)
	}
}
