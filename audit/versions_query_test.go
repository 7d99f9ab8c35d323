package audit_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
)

func versionsWhere(t *testing.T, log *audit.Log, q audit.VersionQuery) ([]string, gitsync.Hash) {
	t.Helper()
	versions, next, err := log.VersionsWhere(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, v := range versions {
		all = append(all, tellVersion(v.Commit, v.Records))
	}
	return all, next
}

func tellVersion(commit gitsync.Hash, records []*audit.Record) string {
	line := commit.String()[:6]
	for _, r := range records {
		line += fmt.Sprintf(" %s=%s/%d", r.Environment, r.Verdict, len(r.Changes))
	}
	return line
}

// history stores verdicts of all sorts on so many commits: some are judged again, much later.
func history(t *testing.T, log *audit.Log, r *rand.Rand, commits int) {
	t.Helper()
	for n := range commits {
		var list []apply.Decision
		for i, env := range []string{"dev", "prod", "staging"} {
			if r.IntN(8) == 0 {
				continue
			}
			d := decided(1, env)
			d.Commit.Hash, d.Due, d.At = gitsync.Hash{byte(n), byte(n >> 8), 7}, 3, epoch.Add(time.Duration(n)*time.Minute+time.Duration(i)*time.Second)
			d.Commit.Author = gitsync.Person{Name: []string{"Ada", "Bob", "Carol"}[r.IntN(3)]}
			d.Verdict = []apply.Verdict{apply.Valid, apply.Valid, apply.Rejected, apply.Pending}[r.IntN(4)]
			d.Changes, d.Problems = nil, nil
			for range r.IntN(3) {
				d.Changes = append(d.Changes, apply.Change{Path: fmt.Sprintf("%s.x%d", []string{"a", "b", "c"}[r.IntN(3)], r.IntN(2))})
			}
			list = append(list, d)
		}
		if n > 0 && r.IntN(4) == 0 { // asked again, or accepted
			again := decided(1, []string{"dev", "prod", "staging"}[r.IntN(3)])
			again.Commit.Hash = gitsync.Hash{byte(n / 2), byte(n / 2 >> 8), 7}
			again.Accepted, again.Due, again.Commit.Author.Email = hash(1), 3, ""
			list = append(list, again)
		}
		record(t, log, list, nil)
		if r.IntN(3) == 0 {
			note(t, log, audit.Event{Kind: "storm", Reason: fmt.Sprint(n)})
		}
	}
}

// listed is what a query for versions has to answer, by reading the whole log.
func listed(records []*audit.Record, q audit.VersionQuery) []string {
	var order []gitsync.Hash
	newest := map[gitsync.Hash][]*audit.Record{}
	for _, r := range slices.Backward(records) {
		if r.Kind != audit.KindCommit || q.Environment != "" && q.Environment != r.Environment {
			continue
		}
		if newest[r.Commit] == nil {
			order = append(order, r.Commit)
		}
		if !slices.ContainsFunc(newest[r.Commit], func(have *audit.Record) bool { return have.Environment == r.Environment }) {
			newest[r.Commit] = append(newest[r.Commit], r)
		}
	}
	var all []string
	for _, commit := range order {
		var seen []*audit.Record
		matches := false
		for _, r := range newest[commit] {
			if q.See != nil {
				r = q.See(r)
			}
			if r != nil {
				seen = append(seen, r)
				matches = matches || selected(r, q)
			}
		}
		slices.SortFunc(seen, func(a, b *audit.Record) int { return strings.Compare(a.Environment, b.Environment) })
		if matches {
			all = append(all, tellVersion(commit, seen))
		}
	}
	return all
}

func selected(r *audit.Record, q audit.VersionQuery) bool {
	touches := q.Path.String() == ""
	for _, c := range r.Changes {
		path, _ := value.ParsePath(c.Path)
		touches = touches || q.Path.Match(path)
	}
	return touches && strings.Contains(strings.ToLower(r.Author.Name), q.Author) && (q.Verdict == "" || q.Verdict == r.Verdict) &&
		(q.Since.IsZero() || !r.At.Before(q.Since)) && (q.Until.IsZero() || r.At.Before(q.Until))
}

// hiding shows little: what changed below a, in all environments but dev.
func hiding(r *audit.Record) *audit.Record {
	if r.Kind != audit.KindCommit || r.Environment == "dev" {
		return nil
	}
	poorer, c := *r, *r.CommitRecord
	poorer.CommitRecord, c.Changes = &c, nil
	for _, change := range r.Changes {
		if strings.HasPrefix(change.Path, "a.") {
			c.Changes = append(c.Changes, change)
		}
	}
	if len(c.Changes) == 0 {
		return nil
	}
	return &poorer
}

// TestVersionsWhere asks for versions in many ways, page by page, and compares with a reading of the whole log.
func TestVersionsWhere(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, _ := b.running()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	history(t, log, r, 60)
	records := b.records()
	for _, forgotten := range []uint64{0, uint64(len(records) / 2), uint64(len(records))} {
		log.ForgetIndex(forgotten)
		for name, q := range map[string]audit.VersionQuery{
			"all": {}, "an environment": {Environment: "prod"}, "none such": {Environment: "nowhere"}, "an author": {Author: "bob"},
			"a path": {Path: pattern("b.**")}, "a path anywhere": {Path: pattern("*.x1")}, "a verdict": {Verdict: apply.Rejected},
			"pending in one": {Verdict: apply.Pending, Environment: "staging"},
			"several":        {Verdict: apply.Valid, Environment: "prod", Author: "ada", Path: pattern("a.*")},
			"a while":        {Since: epoch.Add(20 * time.Minute), Until: epoch.Add(40 * time.Minute)},
			"nobody":         {Author: "mallory"},
		} {
			for _, see := range []func(*audit.Record) *audit.Record{nil, hiding} {
				q.See, q.Before, q.Limit = see, gitsync.Hash{}, 3+r.IntN(9)
				var got []string
				for {
					page, next := versionsWhere(t, log, q)
					if len(page) > q.Limit {
						t.Fatalf("%s: %d versions, and %d were asked for", name, len(page), q.Limit)
					}
					got = append(got, page...)
					if q.Before = next; next.IsZero() {
						break
					}
				}
				if diff := cmp.Diff(listed(records, q), got); diff != "" {
					t.Errorf("%s, with all to be seen %t, %d at a time, without an index of %d (-want +got):\n%s", name, see == nil, q.Limit, forgotten, diff)
				}
			}
		}
	}
}

func TestVersionsThatCannotBeAsked(t *testing.T) {
	t.Parallel()
	log := openBus(t, t.TempDir()).open()
	for _, q := range []audit.VersionQuery{
		{Limit: -1}, {Limit: audit.MaxVersions + 1}, {Author: "a\nb"}, {Verdict: "tidal"}, {Since: epoch, Until: epoch},
	} {
		if _, _, err := log.VersionsWhere(t.Context(), q); !errors.Is(err, audit.ErrQuery) {
			t.Errorf("%+v: error %v", q, err)
		}
	}
	if _, _, err := log.VersionsWhere(t.Context(), audit.VersionQuery{Before: hash(3)}); !errors.Is(err, audit.ErrUnknown) {
		t.Errorf("after what is not there: %v", err)
	}
}

// What waits for the log is listed first, by the same conditions, and an environment has an order of its own.
func TestVersionsWhereSomeWait(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, stop := b.running()
	record(t, log, twice(1), nil)
	record(t, log, twice(2), nil)
	stop()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	again := decided(1, "staging")
	again.Accepted, again.Commit.Author.Name = hash(1), "Bob"
	_ = log.Record(ended, apply.Events{Decisions: append(twice(3), again)})
	for name, test := range map[string]struct {
		q    audit.VersionQuery
		want []string
	}{
		"all":                {audit.VersionQuery{}, []string{"010000 prod=valid/1 staging=valid/1", "030000 prod=valid/1 staging=valid/1", "020000 prod=valid/1 staging=valid/1"}},
		"an environment":     {audit.VersionQuery{Environment: "prod"}, []string{"030000 prod=valid/1", "020000 prod=valid/1", "010000 prod=valid/1"}},
		"an author":          {audit.VersionQuery{Author: "bob"}, []string{"010000 prod=valid/1 staging=valid/1"}},
		"after one":          {audit.VersionQuery{Before: hash(3)}, []string{"020000 prod=valid/1 staging=valid/1"}},
		"after one of these": {audit.VersionQuery{Before: hash(3), Environment: "prod"}, []string{"020000 prod=valid/1", "010000 prod=valid/1"}},
	} {
		got, next := versionsWhere(t, log, test.q)
		if diff := cmp.Diff(test.want, got); diff != "" || !next.IsZero() {
			t.Errorf("%s, next %s (-want +got):\n%s", name, next, diff)
		}
	}
}

// A commit whose name begins as another's does is listed beside it.
func TestVersionsOfNamesThatBeginAlike(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, _ := b.running()
	forged := decided(1, "prod")
	forged.Commit.Hash[19] = 1
	record(t, log, []apply.Decision{decided(1, "prod")}, nil)
	record(t, log, []apply.Decision{decided(2, "prod"), forged}, nil)
	versions, _, err := log.VersionsWhere(t.Context(), audit.VersionQuery{Limit: 10})
	if err != nil || len(versions) != 3 || versions[0].Commit == versions[1].Commit {
		t.Errorf("%d versions, %v", len(versions), err)
	}
}

// Whoever may not see all learns nothing of what is hidden: neither from what an answer holds, nor from whether and where it goes on.
func TestHiddenRecordsLeaveNoTrace(t *testing.T) {
	t.Parallel()
	seen := func(r *audit.Record) *audit.Record {
		if r.CommitRecord == nil || r.Environment != "prod" {
			return nil
		}
		return r
	}
	answers := func(hidden string) (all []string) {
		b := openBusWith(t, t.TempDir(), false)
		log, _ := b.running()
		log.SearchBlocks(16)
		for n := range 12 {
			list := make([]apply.Decision, 40)
			for i := range list {
				list[i] = decided(1, "staging")
				list[i].Commit.Hash = gitsync.Hash{byte(n), byte(i), byte(i >> 8), 9}
				list[i].Commit.Author.Name, list[i].Changes = hidden, []apply.Change{{Path: hidden + ".x"}}
			}
			shown := decided(byte(n+1), "prod")
			shown.Commit.Author.Name, shown.Changes = "mallory", []apply.Change{{Path: "mallory.x"}}
			if n%5 == 2 {
				list = append(list, shown)
			}
			record(t, log, list, nil)
		}
		for _, q := range []audit.Query{{Author: "mallory"}, {Path: pattern("mallory.**")}, {Kinds: []audit.Kind{audit.KindCommit}}} {
			for _, q.Oldest = range []bool{true, false} {
				for q.Limit, q.After, q.See = 1, 0, seen; ; {
					a := query(t, log, q)
					all = append(all, fmt.Sprint(places(a), a.Truncated, a.Next, a.Waiting))
					if q.After = a.Next; !a.Truncated {
						break
					}
				}
			}
		}
		for _, q := range []audit.VersionQuery{{Author: "mallory"}, {Path: pattern("mallory.**")}, {Environment: "prod"}, {}} {
			for q.Limit, q.See = 1, seen; ; {
				page, next := versionsWhere(t, log, q)
				all = append(all, fmt.Sprint(page, next))
				if q.Before = next; next.IsZero() {
					break
				}
			}
		}
		return all
	}
	none, many := answers("nobody"), answers("mallory")
	if diff := cmp.Diff(none, many); diff != "" || len(none) < 20 {
		t.Errorf("%d answers differ by what is hidden (-without +with):\n%s", len(none), diff)
	}
}
