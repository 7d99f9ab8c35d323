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
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
)

func pattern(s string) value.Pattern {
	p, err := value.ParsePattern(s)
	if err != nil {
		panic(err)
	}
	return p
}

func query(t *testing.T, log *audit.Log, q audit.Query) *audit.Answer {
	t.Helper()
	a, err := log.Query(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func places(a *audit.Answer) []uint64 {
	at := []uint64{}
	for _, e := range a.Entries {
		at = append(at, e.Sequence)
	}
	return at
}

func note(t *testing.T, log *audit.Log, e audit.Event) {
	t.Helper()
	if err := log.Note(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

// told stores a little of everything.
func told(t *testing.T, log *audit.Log) {
	t.Helper()
	settings(t, log, "30s")       // 1
	record(t, log, twice(1), nil) // 2, 3
	db := decided(2, "prod")      // 4
	db.Commit.Author = gitsync.Person{Name: "Bob", Email: "BOB@example.com"}
	db.Commit.CoAuthors = []gitsync.Person{{Name: "Carol Ann", Email: "carol@example.com"}}
	db.Commit.Merged = []gitsync.Person{{Name: "Dan", Email: "dan@example.com"}}
	db.Signer = &gitsync.Signer{Kind: "ssh", Principal: "erin@keys.example", Fingerprint: "SHA256:x"}
	db.Changes = []apply.Change{{Path: "database.primary.pool"}, {Path: `hosts["a.b"].port`}, {Path: "servers[0]"}}
	db.Problems = nil
	db.Lineage = &apply.Lineage{Kind: apply.LineageRevert, First: hash(1), Last: hash(1)}
	bad := decided(2, "staging") // 5
	bad.Verdict, bad.Outcome, bad.Changes = apply.Rejected, "", nil
	bad.Problems = []compile.Problem{{Severity: compile.Error, Path: "database.replica.pool", Rule: "range"}}
	record(t, log, []apply.Decision{db, bad}, nil)
	record(t, log, nil, moved(2, 3)) // 6
	accept(t, log, 3)                // 7, by grace
	note(t, log, audit.Event{Kind: "storm", At: epoch.Add(time.Hour), By: "ops-token", Environment: "prod", Commit: hash(1), Reason: "fire"})
	note(t, log, audit.Event{Kind: "reveal", At: epoch.Add(2 * time.Hour), By: "Grace's laptop", Details: map[string]string{audit.DetailPath: "database.primary.dsn"}})
	short := decided(3, "prod") // 10
	short.ChangesOmitted, short.Problems = 12, nil
	record(t, log, []apply.Decision{short}, nil)
}

func TestQueries(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, _ := b.running()
	told(t, log)
	at := func(s int) time.Time { return epoch.Add(time.Duration(s) * time.Second) }
	for name, test := range map[string]struct {
		q    audit.Query
		want []uint64
	}{
		"everything, newest first":     {audit.Query{}, []uint64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}},
		"everything, oldest first":     {audit.Query{Oldest: true}, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		"an author by name":            {audit.Query{Author: "bob"}, []uint64{4}},
		"an author by address":         {audit.Query{Author: "bob@EXAMPLE"}, []uint64{4}},
		"a co-author":                  {audit.Query{Author: "carol ann"}, []uint64{4}},
		"an author of what was merged": {audit.Query{Author: "dan@"}, []uint64{4}},
		"a signer":                     {audit.Query{Author: "erin"}, []uint64{4}},
		"an operator":                  {audit.Query{Author: "GRACE"}, []uint64{9, 7}},
		"nobody":                       {audit.Query{Author: "mallory"}, []uint64{}},
		"a kind":                       {audit.Query{Kinds: []audit.Kind{audit.KindRewrite}}, []uint64{6}},
		"kinds":                        {audit.Query{Kinds: []audit.Kind{"storm", audit.KindAcceptance, "unheard"}}, []uint64{8, 7}},
		"a kind there is none of":      {audit.Query{Kinds: []audit.Kind{"unheard"}}, []uint64{}},
		"an environment":               {audit.Query{Environment: "prod"}, []uint64{10, 8, 4, 2}},
		"an environment there is not":  {audit.Query{Environment: "elsewhere"}, []uint64{}},
		"a verdict":                    {audit.Query{Verdict: apply.Rejected}, []uint64{5}},
		"a commit":                     {audit.Query{Commit: hash(2).String()}, []uint64{6, 5, 4}},
		"the beginning of a commit":    {audit.Query{Commit: "0300"}, []uint64{10, 7, 6}},
		"an odd beginning":             {audit.Query{Commit: "010"}, []uint64{8, 3, 2}},
		"no commit":                    {audit.Query{Commit: "ffff"}, []uint64{}},
		"a time":                       {audit.Query{Since: at(2), Until: at(3), Kinds: []audit.Kind{audit.KindCommit}}, []uint64{5, 4}},
		"from a time on":               {audit.Query{Since: at(3600), Until: at(9000)}, []uint64{9, 8}},
		"a path":                       {audit.Query{Path: pattern("database.primary.pool"), Kinds: []audit.Kind{audit.KindCommit}}, []uint64{10, 4}},
		"paths":                        {audit.Query{Path: pattern("database.**")}, []uint64{10, 9, 5, 4}},
		"paths by a wildcard":          {audit.Query{Path: pattern("*.*.pool")}, []uint64{10, 5, 4}},
		"a quoted key":                 {audit.Query{Path: pattern(`hosts["a.b"].*`)}, []uint64{10, 4}},
		"an item of a list":            {audit.Query{Path: pattern("servers.**")}, []uint64{10, 4}},
		"a pointer":                    {audit.Query{Path: pattern("/database/primary/dsn")}, []uint64{10, 9}},
		"a path above":                 {audit.Query{Path: pattern("database")}, []uint64{10}},
		"several":                      {audit.Query{Environment: "prod", Path: pattern("a.x"), Author: "ada", Verdict: apply.Valid, Oldest: true}, []uint64{2, 10}},
		"after one, newest first":      {audit.Query{After: 4}, []uint64{3, 2, 1}},
		"after one, oldest first":      {audit.Query{After: 7, Oldest: true}, []uint64{8, 9, 10}},
		"after the last":               {audit.Query{After: 1}, []uint64{}},
		"after all":                    {audit.Query{After: 99, Oldest: true}, []uint64{}},
		"after all there can be":       {audit.Query{After: 1<<64 - 1, Oldest: true}, []uint64{}},
		"before what is to come":       {audit.Query{After: 99, Limit: 1}, []uint64{10}},
	} {
		a := query(t, log, test.q)
		if diff := cmp.Diff(test.want, places(a)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		for _, e := range a.Entries {
			if want := e.Sequence == 10 && test.q.Path.String() != "" && test.q.Path.String() != "a.x"; e.Uncertain != want {
				t.Errorf("%s: record %d is uncertain: %t", name, e.Sequence, e.Uncertain)
			}
		}
		if a.First != 1 || a.Waiting != 0 {
			t.Errorf("%s: first %d, waiting %d", name, a.First, a.Waiting)
		}
	}
}

func TestQueriesThatCannotBeAsked(t *testing.T) {
	t.Parallel()
	log := openBus(t, t.TempDir()).open()
	for _, q := range []audit.Query{
		{Author: "a\nb"},
		{Author: strings.Repeat("a", 2000)},
		{Commit: "xyz"},
		{Commit: "ABC"},
		{Commit: strings.Repeat("0", 41)},
		{Kinds: make([]audit.Kind, 100)},
		{Verdict: "tidal"},
		{Limit: -1},
		{Limit: audit.MaxEntries + 1},
		{Since: epoch, Until: epoch},
	} {
		if _, err := log.Query(t.Context(), q); !errors.Is(err, audit.ErrQuery) {
			t.Errorf("%+v: error %v", q, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := log.Query(ended, audit.Query{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// An answer that is cut says so, and going on from it gives every record once, in both orders, with the index and without.
func TestPagesOfAnswers(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, _ := b.running()
	for n := byte(1); n <= 80; n++ {
		d := twice(n)
		d[0].Commit.Author.Name = fmt.Sprint("author", n%3)
		d[1].Changes = []apply.Change{{Path: fmt.Sprintf("area%d.x", n%5)}}
		record(t, log, d, nil)
	}
	for _, forgotten := range []uint64{0, 50, 160} {
		log.ForgetIndex(forgotten)
		for name, q := range map[string]audit.Query{
			"all": {}, "an author": {Author: "author1"}, "an area": {Path: pattern("area3.**")}, "any area": {Path: pattern("*.x"), Environment: "staging"},
			"an environment": {Environment: "prod"}, "a while": {Since: epoch.Add(20 * time.Second), Until: epoch.Add(60 * time.Second)},
		} {
			q.Limit = audit.MaxEntries
			want := places(query(t, log, q))
			for range 3 {
				q.Limit, q.Oldest = 1+rand.IntN(40), rand.N(2) == 0
				if got := paged(t, log, q); !slices.Equal(want, got) {
					t.Errorf("%s, %d at a time, oldest first %t, without %d:\nwant %v\n got %v", name, q.Limit, q.Oldest, forgotten, want, got)
				}
			}
		}
	}
}

// paged asks page for page and returns the sequences, newest first.
func paged(t *testing.T, log *audit.Log, q audit.Query) []uint64 {
	t.Helper()
	var all []uint64
	for {
		a := query(t, log, q)
		all = append(all, places(a)...)
		if len(a.Entries) > q.Limit || a.Truncated && a.Next == q.After {
			t.Fatalf("%d entries after %d, next %d", len(a.Entries), q.After, a.Next)
		}
		if q.After = a.Next; !a.Truncated {
			break
		}
	}
	if q.Oldest {
		slices.Reverse(all)
	}
	return all
}

// What another process has stored is found, and what waits is counted.
func TestQueriesSeeWhatOthersStore(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, stop := b.running()
	record(t, log, twice(1), nil)
	other, _ := b.running()
	record(t, other, twice(2), nil)
	record(t, log, twice(3), nil)
	if got := places(query(t, log, audit.Query{Environment: "prod"})); !slices.Equal(got, []uint64{5, 3, 1}) {
		t.Errorf("found %v", got)
	}
	if got := places(query(t, other, audit.Query{Commit: hash(3).String()})); !slices.Equal(got, []uint64{6, 5}) {
		t.Errorf("found %v", got)
	}
	stop()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_ = log.Record(ended, apply.Events{Decisions: twice(4)})
	if a := query(t, log, audit.Query{Commit: hash(4).String()}); len(a.Entries) != 0 || a.Waiting != 2 {
		t.Errorf("%d entries, %d wait", len(a.Entries), a.Waiting)
	}
}

// Who may see less than all finds no more than that, and cannot ask for what is hidden.
func TestQueriesForWhoSeesLess(t *testing.T) {
	t.Parallel()
	b := openBus(t, t.TempDir())
	log, _ := b.running()
	told(t, log)
	see := func(r *audit.Record) *audit.Record {
		if r.Kind != audit.KindCommit || r.Environment != "prod" {
			return nil
		}
		poorer, c := *r, *r.CommitRecord
		poorer.CommitRecord, c.Changes, c.Author = &c, nil, audit.Person{}
		return &poorer
	}
	a := query(t, log, audit.Query{See: see, Oldest: true})
	if got := places(a); !slices.Equal(got, []uint64{2, 4, 10}) {
		t.Errorf("sees %v", got)
	}
	for _, e := range a.Entries {
		line, err := e.MarshalJSON()
		if err != nil || e.SHA256() != "" || strings.Contains(string(line), "Ada") || !strings.Contains(string(line), `"reduced":true`) {
			t.Errorf("%s, %v", line, err)
		}
	}
	if got := places(query(t, log, audit.Query{See: see, Author: "bob"})); len(got) != 0 {
		t.Errorf("finds %v by a hidden author", got)
	}
	if got := places(query(t, log, audit.Query{See: see, Path: pattern("database.**")})); !slices.Equal(got, []uint64{10}) {
		t.Errorf("finds %v by a hidden path", got)
	}
}
