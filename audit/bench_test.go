package audit_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/gitsync"
)

const manyRecords = 100_000

// BenchmarkAppend is a record given and acknowledged, one by one and many together, on disk and left to the system.
func BenchmarkAppend(b *testing.B) {
	for _, sync := range []bool{true, false} {
		for _, together := range []int{1, 100} {
			b.Run(fmt.Sprintf("sync=%t/together=%d", sync, together), func(b *testing.B) {
				log := runningLog(b, sync)
				n := 0
				for b.Loop() {
					list := make([]apply.Decision, together)
					for i := range list {
						list[i] = typical(n)
						n++
					}
					if err := log.Record(context.Background(), apply.Events{Decisions: list}); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/record")
			})
		}
	}
}

func runningLog(b *testing.B, sync bool) *audit.Log {
	bus := openBusWith(b, b.TempDir(), sync)
	log, err := audit.Open(context.Background(), bus.js, quiet)
	if err != nil {
		b.Fatal(err)
	}
	run(b, log)
	return log
}

// typical is the nth verdict of a log: three environments, a hundred authors, a few changes.
func typical(n int) apply.Decision {
	commit, env := n/3, []string{"prod", "prodEu", "staging"}[n%3]
	d := decided(1, env)
	d.Commit.Hash = gitsync.Hash{byte(commit >> 24), byte(commit >> 16), byte(commit >> 8), byte(commit), 1}
	d.Commit.Author = gitsync.Person{Name: fmt.Sprintf("Author %d", commit%100), Email: fmt.Sprintf("author%d@example.com", commit%100)}
	d.At = epoch.Add(time.Duration(commit) * time.Minute)
	d.RollbackOf, d.Due, d.Problems = gitsync.Hash{}, 3, nil
	d.Changes = []apply.Change{
		{Path: fmt.Sprintf("service%d.timeout", commit%50), Old: "6fbc1a52d3c0e811", New: "8a0c1a52d3c0e8ff"},
		{Path: fmt.Sprintf("service%d.retries", commit%50), Old: "6fbc1a52d3c0e811", New: "8a0c1a52d3c0e8ff"},
	}
	if commit%10 == 0 {
		d.Verdict, d.Outcome = apply.Rejected, ""
		d.Problems = []compile.Problem{{Stage: compile.StageSchemas, Severity: compile.Error, Path: "service1.timeout", Rule: "maximum", Message: "30 is more than 20"}}
	}
	return d
}

// BenchmarkLarge reads a log of 100,000 records.
func BenchmarkLarge(b *testing.B) {
	bus := openBusWith(b, b.TempDir(), false)
	log, err := audit.Open(context.Background(), bus.js, quiet)
	if err != nil {
		b.Fatal(err)
	}
	stop := run(b, log)
	for n := 0; n < manyRecords; n += 1000 {
		list := make([]apply.Decision, 1000)
		for i := range list {
			list[i] = typical(n + i)
		}
		if err := log.Record(context.Background(), apply.Events{Decisions: list}); err != nil {
			b.Fatal(err)
		}
	}
	stop()
	ctx := context.Background()
	for name, q := range map[string]audit.Query{
		"newest":        {},
		"author":        {Author: "author42@"},
		"authorOldest":  {Author: "author42@", Oldest: true},
		"path":          {Path: pattern("service7.**")},
		"pathAnywhere":  {Path: pattern("*.timeout"), Author: "author42@"},
		"rejectedInEnv": {Verdict: apply.Rejected, Environment: "prod"},
		"aDay":          {Since: epoch.AddDate(0, 0, 10), Until: epoch.AddDate(0, 0, 11)},
		"commit":        {Commit: typical(manyRecords / 2).Commit.Hash.String()},
		"nothing":       {Author: "mallory"},
	} {
		b.Run("query/"+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := log.Query(ctx, q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("query/author/all", func(b *testing.B) {
		for b.Loop() {
			for q := (audit.Query{Author: "author42@", Limit: audit.MaxEntries}); ; {
				a, err := log.Query(ctx, q)
				if err != nil {
					b.Fatal(err)
				}
				if q.After = a.Next; !a.Truncated {
					break
				}
			}
		}
	})
	b.Run("versions/20", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := log.VersionsWhere(ctx, audit.VersionQuery{Limit: 20}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("versions/200/middle", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := log.VersionsWhere(ctx, audit.VersionQuery{Before: typical(manyRecords / 2).Commit.Hash, Limit: 200}); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, q := range map[string]audit.VersionQuery{
		"environment": {Environment: "prod", Limit: 200}, "author": {Author: "author42@"}, "path": {Path: pattern("service7.**")},
		"rejectedInEnv": {Environment: "prod", Verdict: apply.Rejected}, "nothing": {Author: "mallory"},
	} {
		b.Run("versions/"+name, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := log.VersionsWhere(ctx, q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for name, at := range map[string]time.Time{"now": time.Now(), "middle": typical(manyRecords / 2).At, "beforeAll": epoch.Add(-time.Hour)} {
		b.Run("liveAt/"+name, func(b *testing.B) {
			for b.Loop() {
				if _, known, err := log.LiveAt(ctx, "prod", at); err != nil || known == (name == "beforeAll") {
					b.Fatal(known, err)
				}
			}
		})
	}
	b.Run("baseline", func(b *testing.B) {
		for b.Loop() {
			if _, known, err := log.Baseline(ctx, typical(manyRecords/2).Commit.Hash, "prod"); err != nil || !known {
				b.Fatal(known, err)
			}
		}
	})
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			if v, err := log.Verify(ctx); err != nil || v.Break != nil {
				b.Fatal(v, err)
			}
		}
	})
	b.Run("report/all", func(b *testing.B) {
		for b.Loop() {
			if _, err := log.Report(ctx, epoch, epoch.AddDate(1, 0, 0)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("report/lastDay", func(b *testing.B) {
		end := typical(manyRecords).At
		for b.Loop() {
			if _, err := log.Report(ctx, end.AddDate(0, 0, -1), end); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("follow", func(b *testing.B) {
		for b.Loop() {
			n := 0
			_ = log.Follow(ctx, 0, func(audit.Entry) error {
				if n++; n == manyRecords {
					return context.Canceled
				}
				return nil
			})
		}
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			if _, err := audit.Open(ctx, bus.js, quiet); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("memory", func(b *testing.B) {
		var grown int64
		for b.Loop() {
			before := heap()
			opened, err := audit.Open(ctx, bus.js, quiet)
			if err != nil {
				b.Fatal(err)
			}
			opened.Remembered()
			grown = heap() - before
			runtime.KeepAlive(opened)
		}
		b.ReportMetric(float64(grown)/manyRecords, "B/record")
		b.ReportMetric(float64(heap())/(1<<20), "MB/heapWithBus")
	})
}

// BenchmarkManyEnvironments lists versions of 64 environments, which is as many as there may be.
func BenchmarkManyEnvironments(b *testing.B) {
	log := runningLog(b, false)
	for n := range 400 {
		list := make([]apply.Decision, 64)
		for i := range list {
			list[i] = typical(3 * n)
			list[i].Environment, list[i].Due = fmt.Sprint("env", i), len(list)
		}
		if err := log.Record(context.Background(), apply.Events{Decisions: list}); err != nil {
			b.Fatal(err)
		}
	}
	for name, q := range map[string]audit.VersionQuery{"all": {Limit: 200}, "environment": {Limit: 200, Environment: "env7"}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if list, _, err := log.VersionsWhere(context.Background(), q); err != nil || len(list) != 200 {
					b.Fatal(len(list), err)
				}
			}
		})
	}
	log.ForgetIndex(1 << 40)
	b.Run("withoutIndex", func(b *testing.B) {
		for b.Loop() {
			if list, _, err := log.VersionsWhere(context.Background(), audit.VersionQuery{Limit: 200}); err != nil || len(list) != 200 {
				b.Fatal(len(list), err)
			}
		}
	})
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
