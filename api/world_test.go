package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/api"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/history"
	"github.com/trunkline/trunkline/internal/gittest"
	"github.com/trunkline/trunkline/value"
)

// world is a remote that is followed and judged, and the handler that answers about it.
type world struct {
	api.Log // of which no more is asked than Query
	tb      testing.TB
	remote  *gittest.Remote
	mirror  *gitsync.Follower
	handler http.Handler
	taken   chan error

	mu      sync.Mutex
	records []*audit.Record // newest first, as the log lists them
}

func begin(tb testing.TB, files map[string]string) *world {
	tb.Helper()
	w := &world{tb: tb, remote: gittest.NewRemote(tb), taken: make(chan error)}
	w.remote.Write(files)
	w.remote.Commit("Begin")
	w.remote.Push()
	f, err := gitsync.Open(tb.Context(), gitsync.Options{URL: w.remote.URL(), Branch: gittest.Branch, Dir: tb.TempDir(), Poll: time.Hour})
	if err != nil {
		tb.Fatal(err)
	}
	w.mirror = f
	key, live := value.Key("a key of the tests"), apply.NewLive()
	rec := apply.New(apply.Options{Mirror: f, Log: w, Live: live, Key: key})
	past := history.New(history.Options{Mirror: f, Log: w, Live: live, Status: rec.Status, Key: key})
	w.handler = api.New(api.Options{Live: live, Status: rec.Status, History: past, Versions: w, Log: w, Stops: rec})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		_ = f.Run(ctx, gitsync.Hash{}, func(ctx context.Context, u gitsync.Update) error {
			err := rec.Take(ctx, u)
			w.taken <- err
			return err
		})
	})
	tb.Cleanup(func() {
		cancel()
		running.Wait()
		_ = f.Close()
	})
	w.take()
	return w
}

func (w *world) take() {
	w.tb.Helper()
	if err := <-w.taken; err != nil {
		w.tb.Fatal(err)
	}
}

// push commits files, those with the content "-" removed, and waits until they are judged.
func (w *world) push(subject string, files map[string]string) (commit string) {
	w.tb.Helper()
	for name, text := range files {
		if text == "-" {
			w.remote.Remove(name)
			continue
		}
		w.remote.Write(map[string]string{name: text})
	}
	commit = w.remote.Commit(subject)
	w.remote.Push()
	w.mirror.Hint()
	w.take()
	return commit
}

// Record keeps decisions as the audit log does.
func (w *world) Record(_ context.Context, e apply.Events) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range e.Decisions {
		w.records = slices.Insert(w.records, 0, &audit.Record{Kind: audit.KindCommit, At: d.At, CommitRecord: &audit.CommitRecord{
			Environment: d.Environment, Commit: d.Commit.Hash, Subject: d.Commit.Subject, Verdict: d.Verdict, Outcome: d.Outcome, Problems: d.Problems,
			Baseline: &d.Baseline, Committed: d.Commit.Committer.When,
		}})
	}
	return nil
}

// Query finds the record of a commit in an environment.
func (w *world) Query(_ context.Context, q audit.Query) (*audit.Answer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.records {
		if r.Commit.String() == q.Commit && r.Environment == q.Environment {
			return &audit.Answer{Entries: []audit.Entry{{Record: r}}}, nil
		}
	}
	return &audit.Answer{}, nil
}

func (w *world) Baseline(_ context.Context, commit gitsync.Hash, env string) (gitsync.Hash, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.records {
		if r.Commit == commit && r.Environment == env {
			return *r.Baseline, true, nil
		}
	}
	return gitsync.Hash{}, false, nil
}

func (w *world) LiveAt(context.Context, string, time.Time) (gitsync.Hash, bool, error) {
	return gitsync.Hash{}, false, nil
}

func (w *world) Pending() (int, time.Time) { return 0, time.Time{} }

// VersionsWhere lists all, as far as the query lets them be seen.
func (w *world) VersionsWhere(_ context.Context, q audit.VersionQuery) (list []audit.Version, next gitsync.Hash, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.records {
		if q.See != nil {
			r = q.See(r)
		}
		if r == nil {
			continue
		}
		if n := len(list); n == 0 || list[n-1].Commit != r.Commit {
			list = append(list, audit.Version{Commit: r.Commit})
		}
		list[len(list)-1].Records = append(list[len(list)-1].Records, r)
	}
	return list, next, nil
}

// reader has the right to history in some environments, and sees what some patterns select.
func reader(tb testing.TB, environments, patterns string) *access.Identity {
	tb.Helper()
	grant, err := access.NewGrant(strings.Fields(environments), strings.Fields(patterns), access.History)
	if err != nil {
		tb.Fatal(err)
	}
	return &access.Identity{Name: "test", Kind: access.KindToken, Grant: grant}
}

// get answers a reader: the status and the body.
func (w *world) get(who *access.Identity, path string) string {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, r.WithContext(access.NewContext(r.Context(), who)))
	return fmt.Sprint(answer.Code, " ", strings.TrimSpace(answer.Body.String()))
}
