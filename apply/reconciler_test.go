package apply_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/gitsync"
)

const both = "version: 1\nenvironments: {prod: {}, staging: {}}\n"

// repo is a config repo of two environments with one base document, and whatever else is named in pairs.
func repo(base string, more ...string) map[string]string {
	files := map[string]string{"trunkline.yaml": both, "config/a.yaml": base}
	for i := 0; i < len(more); i += 2 {
		files[more[i]] = more[i+1]
	}
	return files
}

func expectVerdicts(t *testing.T, log *memoryLog, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, log.verdicts()); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
}

func TestABadHeadDoesNotHideTheGoodCommitUnderIt(t *testing.T) {
	h, log := newHistory(), newLog()
	first := h.commit(repo("x: 1\n"))
	older := h.commit(repo("x: 2\n"), first)
	good := h.commit(repo("x: 3\n"), older)
	bad := h.commit(repo("x: ["), good)
	p := start(t, h, log)
	p.see(first, bad)
	p.expect(map[string]string{"prod": `{"a":{"x":3}}`, "staging": `{"a":{"x":3}}`})
	expectVerdicts(t, log, "prod valid applied", "staging valid applied",
		"prod valid superseded", "staging valid superseded", "prod valid applied", "staging valid applied",
		"prod rejected yamlSyntax", "staging rejected yamlSyntax")
	for _, d := range log.decisions[6:] {
		if d.Baseline != good || d.Parent != good || d.Checksum != "" || d.Due != 2 {
			t.Errorf("decision %+v", d)
		}
	}
}

func TestAFaultTouchesItsEnvironmentAlone(t *testing.T) {
	h, log := newHistory(), newLog()
	first := h.commit(repo("x: 1\n"))
	bad := h.commit(repo("x: 2\n", "environments/staging/a.yaml", "x: {y: 1}\n"), first)
	next := h.commit(repo("x: 3\n"), bad)
	p := start(t, h, log)
	p.see(first, bad)
	p.expect(map[string]string{"prod": `{"a":{"x":2}}`, "staging": `{"a":{"x":1}}`})
	p.see(next)
	p.expect(map[string]string{"prod": `{"a":{"x":3}}`, "staging": `{"a":{"x":3}}`})
	if d := log.decisions[5]; d.Environment != "staging" || d.Baseline != first || d.Parent != bad {
		t.Errorf("staging is judged against %s", d.Baseline)
	}
}

func TestRollbacks(t *testing.T) {
	h, log := newHistory(), newLog()
	a := h.commit(repo("x: 1\n"))
	b := h.commit(repo("x: 2\n"), a)
	undone := h.commit(repo("x: 1\n"), b)
	same := h.commit(repo("x: 1\n"), undone)
	redone := h.commit(repo("x: 2\n"), same)
	bad := h.commit(repo("x: ["), redone)
	mended := h.commit(repo("x: 2\n"), bad)
	p := start(t, h, log)
	want := map[gitsync.Hash]gitsync.Hash{undone: a, redone: b, mended: redone}
	for _, c := range []gitsync.Hash{a, b, undone, same, redone, bad, mended} {
		p.see(c)
		d := log.decisions[len(log.decisions)-1]
		if d.RollbackOf != want[c] {
			t.Errorf("%s is a rollback of %s, want %s", d.Commit.Subject, d.RollbackOf.Short(), want[c].Short())
		}
		v := p.live.Get("prod")
		if cause := v.Cause; c != bad && (cause == apply.CauseRollback) != !want[c].IsZero() {
			t.Errorf("%s went live by %s", d.Commit.Subject, cause)
		}
	}
}

func TestForcePushes(t *testing.T) {
	h, log := newHistory(), newLog()
	older := h.commit(repo("x: 0\n"))
	a := h.commit(repo("x: 1\n"), older)
	b := h.commit(repo("x: 2\n"), a)
	side := h.commit(repo("x: 3\n"), a)
	unrelated := h.commit(repo("x: 4\n"))
	serve := func(x string) map[string]string {
		return map[string]string{"prod": `{"a":{"x":` + x + `}}`, "staging": `{"a":{"x":` + x + `}}`}
	}
	p := start(t, h, log)
	for i, step := range []struct {
		head      gitsync.Hash
		x         string
		decisions int
		rewrites  int
	}{
		{a, "1", 2, 0}, {b, "2", 2, 0}, {a, "1", 0, 1}, {b, "2", 0, 1}, // the branch grew again: nothing tells but the move
		{side, "3", 2, 1}, {b, "2", 0, 1}, {unrelated, "4", 2, 1}, {older, "0", 2, 1}, {b, "2", 0, 1},
	} {
		decisions, rewrites := len(log.decisions), len(log.rewrites)
		p.see(step.head)
		p.expect(serve(step.x))
		if got := len(log.decisions) - decisions; got != step.decisions {
			t.Errorf("step %d: %d decisions, want %d", i, got, step.decisions)
		}
		if got := len(log.rewrites) - rewrites; got != step.rewrites {
			t.Errorf("step %d: %d rewrites, want %d", i, got, step.rewrites)
		}
		again := start(t, h, log)
		again.expect(serve(step.x))
	}
	if v := p.live.Get("prod"); v.Cause != apply.CauseCommit && v.Cause != apply.CauseRewrite {
		t.Errorf("cause %s", v.Cause)
	}
}

// What was on the other side of a merge is judged when it becomes the trunk, whatever was known before.
func TestFoxtrot(t *testing.T) {
	h, log := newHistory(), newLog()
	a := h.commit(repo("x: 1\n"))
	mine := h.commit(repo("x: 2\n"), a)
	theirs := h.commit(repo("x: 3\n"), a)
	merged := h.commit(repo("x: 3\n"), theirs, mine)
	fox := h.commit(repo("x: 4\n"), mine, merged)
	p := start(t, h, log)
	p.see(a, merged, fox)
	p.expect(map[string]string{"prod": `{"a":{"x":4}}`, "staging": `{"a":{"x":4}}`})
	last := log.decisions[len(log.decisions)-1]
	if last.Baseline != mine || last.Parent != mine {
		t.Errorf("the merge is judged after %s, want its first parent", last.Parent.Short())
	}
}

func TestRetiredEnvironment(t *testing.T) {
	h, log := newHistory(), newLog()
	a := h.commit(repo("x: 1\n"))
	gone := h.commit(repo("x: 1\n", "trunkline.yaml", "version: 1\nenvironments: {prod: {}}\n"), a)
	retired := h.commit(repo("x: 2\n", "trunkline.yaml", "version: 1\nenvironments: {prod: {}, staging: {retired: true}}\n"), gone)
	without := h.commit(repo("x: 3\n", "trunkline.yaml", "version: 1\nenvironments: {prod: {}}\n"), retired)
	p := start(t, h, log)
	p.see(a, gone)
	p.expect(map[string]string{"prod": `{"a":{"x":1}}`, "staging": `{"a":{"x":1}}`})
	p.see(retired)
	p.expect(map[string]string{"prod": `{"a":{"x":2}}`})
	if d := log.decisions[len(log.decisions)-1]; !d.Retired || d.Verdict != apply.Valid || d.Checksum != "" {
		t.Errorf("decision %+v", d)
	}
	again := start(t, h, log)
	again.expect(map[string]string{"prod": `{"a":{"x":2}}`})
	if n := len(again.rec.Status().Environments); n != 1 {
		t.Errorf("%d environments in the status, want prod alone", n)
	}
	again.see(without)
	again.expect(map[string]string{"prod": `{"a":{"x":3}}`})
}

// A process that is killed in the middle of a record begins with what is whole, and completes it.
func TestKilledInTheMiddleOfARecord(t *testing.T) {
	h, log := newHistory(), newLog()
	a := h.commit(repo("x: 1\n"))
	b := h.commit(repo("x: 2\n"), a)
	p := start(t, h, log)
	p.see(a)
	log.room = 1
	if err := p.look(b); !errors.Is(err, errKilled) {
		t.Fatalf("error %v", err)
	}
	p = start(t, h, log)
	p.expect(map[string]string{"prod": `{"a":{"x":1}}`, "staging": `{"a":{"x":1}}`})
	p.see(b)
	p.expect(map[string]string{"prod": `{"a":{"x":2}}`, "staging": `{"a":{"x":2}}`})
	if len(log.decisions) != 4 {
		t.Errorf("%d decisions on record, want 4", len(log.decisions))
	}
}

// A rewrite that is on record, while the commits it led to are not, is not recorded again.
func TestKilledAfterARewrite(t *testing.T) {
	h, log := newHistory(), newLog()
	a := h.commit(repo("x: 1\n"))
	b := h.commit(repo("x: 2\n"), a)
	side := h.commit(repo("x: 3\n"), a)
	p := start(t, h, log)
	p.see(a, b)
	log.room = 2 // the rewrite and one environment
	if err := p.look(side); !errors.Is(err, errKilled) {
		t.Fatalf("error %v", err)
	}
	p = start(t, h, log)
	p.see(side)
	if len(log.rewrites) != 1 {
		t.Errorf("%d rewrites on record", len(log.rewrites))
	}
	p.see(b, side)
	if len(log.rewrites) != 3 {
		t.Errorf("%d rewrites on record, want those back and forth too", len(log.rewrites))
	}
}

func TestAnErrorChangesNothing(t *testing.T) {
	h, log := newHistory(), newLog()
	a := h.commit(repo("x: 1\n"))
	b := h.commit(repo("x: 2\n"), a)
	p := start(t, h, log)
	p.see(a)
	status := p.rec.Status()
	h.fail = errors.New("disk on fire")
	if err := p.look(b); !errors.Is(err, h.fail) {
		t.Fatalf("error %v", err)
	}
	if p.rec.Status() != status || len(log.decisions) != 2 || p.rec.Last() != a {
		t.Error("something was changed")
	}
	p.expect(map[string]string{"prod": `{"a":{"x":1}}`, "staging": `{"a":{"x":1}}`})
	h.fail = nil
	p.see(b)
	p.expect(map[string]string{"prod": `{"a":{"x":2}}`, "staging": `{"a":{"x":2}}`})
}

// The mirror is lost while the log is not: Start says so, and the next update brings everything back.
func TestMirrorLost(t *testing.T) {
	whole, log := newHistory(), newLog()
	a := whole.commit(repo("x: 1\n"))
	bad := whole.commit(repo("x: 2\n", "environments/staging/a.yaml", "x: ["), a)
	next := whole.commit(repo("x: 3\n", "environments/staging/a.yaml", "x: ["), bad)
	p := start(t, whole, log)
	p.see(a, bad)
	lost := newHistory()
	p.live = apply.NewLive()
	rec := apply.New(apply.Options{Mirror: lost, Log: log, Live: p.live, Key: key, Remembered: log.remembered})
	if err := rec.Start(t.Context()); !errors.Is(err, gitsync.ErrNotFound) {
		t.Fatalf("start without a mirror: %v", err)
	}
	if names := rec.Status().Environments; len(names) != 2 || names[0].Live != nil {
		t.Errorf("status %+v: both environments wait", names)
	}
	*lost = *whole
	if err := rec.Take(t.Context(), whole.update(gitsync.Hash{}, next)); err != nil {
		t.Fatal(err)
	}
	p.expect(map[string]string{"prod": `{"a":{"x":3}}`, "staging": `{"a":{"x":1}}`})
}

// The mirror and the history are both gone: what is new is judged all the same.
func TestMirrorAndHistoryLost(t *testing.T) {
	h, log := newHistory(), newLog()
	p := start(t, h, log)
	p.see(h.commit(repo("x: 1\n")))
	other := newHistory()
	other.commit(repo("x: 0\n"))
	head := other.commit(repo("x: 9\n"))
	live := apply.NewLive()
	rec := apply.New(apply.Options{Mirror: other, Log: log, Live: live, Key: key, Remembered: log.remembered})
	if err := rec.Start(t.Context()); err == nil {
		t.Fatal("start served what is not there")
	}
	if err := rec.Take(t.Context(), other.update(gitsync.Hash{}, head)); err != nil {
		t.Fatal(err)
	}
	if v := live.Get("prod"); v == nil || v.Commit.Hash != head {
		t.Errorf("live is %+v", v)
	}
}

func TestBlocked(t *testing.T) {
	h, log := newHistory(), newLog()
	a := h.commit(repo("x: 1\n"))
	first := h.commit(repo("x: 2\n", "environments/staging/a.yaml", "x: ["), a)
	second := h.commit(repo("x: 3\n", "environments/staging/a.yaml", "y: ["), first)
	p := start(t, h, log)
	p.see(a, first, second)
	check := func(s *apply.Status) {
		t.Helper()
		if s.Judged != second || len(s.Environments) != 2 || s.Environments[0].Blocked != nil {
			t.Fatalf("status %+v", s)
		}
		staging := s.Environments[1]
		if staging.Live.Commit.Hash != a || staging.Blocked == nil || staging.Blocked.Commit.Hash != second || len(staging.Blocked.Problems) != 1 {
			t.Fatalf("staging %+v", staging)
		}
		if since := log.decisions[3].At; !staging.Blocked.Since.Equal(since) {
			t.Errorf("blocked since %s, want %s", staging.Blocked.Since, since)
		}
	}
	check(p.rec.Status())
	check(start(t, h, log).rec.Status())
	p.see(h.commit(repo("x: 4\n"), second))
	if e := p.rec.Status().Environments[1]; e.Blocked != nil {
		t.Errorf("staging is still blocked: %+v", e)
	}
}

func TestChangesHoldKeyedDigestsAlone(t *testing.T) {
	h, log := newHistory(), newLog()
	a := h.commit(repo("secret: hunter2\nkept: 1\nold: 1\n"))
	b := h.commit(repo("secret: swordfish\nkept: 1\nnew: 1\n"), a)
	p := start(t, h, log)
	p.see(a, b)
	changes := log.decisions[2].Changes
	var paths []string
	for _, c := range changes {
		paths = append(paths, c.Path)
	}
	if diff := cmp.Diff([]string{"a.new", "a.old", "a.secret"}, paths); diff != "" {
		t.Fatalf("changes (-want +got):\n%s", diff)
	}
	if changes[0].Old != "" || changes[1].New != "" || changes[2].Old == changes[2].New || len(changes[2].Old) != 64 {
		t.Errorf("changes %+v", changes)
	}
	text, err := json.Marshal(log.decisions)
	if err != nil || strings.Contains(string(text), "hunter2") || strings.Contains(string(text), "swordfish") {
		t.Errorf("a decision holds a value: %s, %v", text, err)
	}
	other := newLog()
	q := begin(t, h, other, apply.Options{})
	q.rec = apply.New(apply.Options{Mirror: h, Log: other, Live: q.live, Key: []byte("another")})
	q.see(a, b)
	if other.decisions[2].Changes[2].Old == changes[2].Old {
		t.Error("digests do not depend on the key")
	}
}

// stuckLog does not answer until it is let go.
type stuckLog struct{ free chan struct{} }

func (l stuckLog) Record(ctx context.Context, _ apply.Events) error {
	select {
	case <-l.free:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestALogThatDoesNotAnswer(t *testing.T) {
	h := newHistory()
	a := h.commit(repo("x: 1\n"))
	synctest.Test(t, func(t *testing.T) {
		live := apply.NewLive()
		rec := apply.New(apply.Options{Mirror: h, Log: stuckLog{}, Live: live, Key: key})
		began := time.Now()
		if err := rec.Take(t.Context(), h.update(gitsync.Hash{}, a)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 2*time.Second || live.Get("prod") == nil {
			t.Errorf("live after %s: %v", took, live.Get("prod"))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		log, live := stuckLog{make(chan struct{})}, apply.NewLive()
		rec := apply.New(apply.Options{Mirror: h, Log: log, Live: live, Key: key, LogRequired: true})
		done := make(chan error)
		go func() { done <- rec.Take(t.Context(), h.update(gitsync.Hash{}, a)) }()
		<-time.After(time.Hour)
		if live.Get("prod") != nil {
			t.Error("it is live before it is on record")
		}
		close(log.free)
		if err := <-done; err != nil || live.Get("prod") == nil {
			t.Errorf("live %v, error %v", live.Get("prod"), err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		live := apply.NewLive()
		rec := apply.New(apply.Options{Mirror: h, Log: stuckLog{}, Live: live, Key: key})
		if err := rec.Take(ctx, h.update(gitsync.Hash{}, a)); !errors.Is(err, context.DeadlineExceeded) || live.Get("prod") != nil {
			t.Errorf("live %v, error %v", live.Get("prod"), err)
		}
	})
}

func TestPathOfTheConfigRepo(t *testing.T) {
	h, log := newHistory(), newLog()
	a := h.commit(map[string]string{"ops/conf/config/a.yaml": "x: 1\n", "src/main.go": "1"})
	b := h.commit(map[string]string{"ops/conf/config/a.yaml": "x: 1\n", "src/main.go": "2"}, a)
	gone := h.commit(map[string]string{"src/main.go": "2"}, b)
	p := begin(t, h, log, apply.Options{Path: "ops/conf"})
	p.see(a, b, gone)
	p.expect(map[string]string{"default": `{"a":{"x":1}}`})
	expectVerdicts(t, log, "default valid applied", "default valid applied", "default rejected nothingFound")
	if log.decisions[0].Tree != log.decisions[1].Tree {
		t.Error("the tree is not that of the folder")
	}
}
