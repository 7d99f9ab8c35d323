package history_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/history"
	"github.com/trunkline/trunkline/internal/gittest"
	"github.com/trunkline/trunkline/value"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var key = value.Key("a key of the tests")

// world is a remote that is followed and judged, and its past.
type world struct {
	*history.History
	tb     testing.TB
	remote *gittest.Remote
	mirror *mirror
	live   *apply.Live
	log    *records
	rec    *apply.Reconciler
	taken  chan error
	asked  atomic.Int64 // how often it was asked what is marked
}

// mirror is a follower whose reads of files are counted and can be held up.
type mirror struct {
	*gitsync.Follower
	blobs atomic.Int64
	gate  atomic.Pointer[chan struct{}]
}

func (m *mirror) Blob(h gitsync.Hash, most int64) ([]byte, error) {
	m.blobs.Add(1)
	if gate := m.gate.Load(); gate != nil {
		<-*gate
	}
	return m.Follower.Blob(h, most)
}

// hold keeps reads of files waiting until the function it returns is called.
func (m *mirror) hold() (release func()) {
	gate := make(chan struct{})
	m.gate.Store(&gate)
	return func() { m.gate.Store(nil); close(gate) }
}

// reads counts the files that something reads.
func (m *mirror) reads(something func()) int64 {
	before := m.blobs.Load()
	something()
	return m.blobs.Load() - before
}

// records remember decisions as the audit log does.
type records struct {
	mu        sync.Mutex
	decisions []apply.Decision
	forgotten bool // as after a trim
}

func (r *records) Record(_ context.Context, e apply.Events) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.decisions = append(r.decisions, e.Decisions...)
	return nil
}

func (r *records) newest(which func(apply.Decision) bool) (d apply.Decision, found bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.decisions {
		if !r.forgotten && which(one) {
			d, found = one, true
		}
	}
	return d, found
}

func (r *records) Baseline(_ context.Context, commit gitsync.Hash, env string) (gitsync.Hash, bool, error) {
	d, known := r.newest(func(d apply.Decision) bool { return d.Commit.Hash == commit && d.Environment == env })
	return d.Baseline, known, nil
}

func (r *records) LiveAt(_ context.Context, env string, at time.Time) (gitsync.Hash, bool, error) {
	d, known := r.newest(func(d apply.Decision) bool {
		return d.Environment == env && d.Outcome == apply.Applied && !d.At.After(at)
	})
	return d.Commit.Hash, known, nil
}

// begin follows a remote.
func begin(tb testing.TB, remote *gittest.Remote) *world {
	tb.Helper()
	f, err := gitsync.Open(tb.Context(), gitsync.Options{URL: remote.URL(), Branch: gittest.Branch, Dir: tb.TempDir(), Poll: time.Hour})
	if err != nil {
		tb.Fatal(err)
	}
	w := &world{tb: tb, remote: remote, mirror: &mirror{Follower: f}, live: apply.NewLive(), log: &records{}, taken: make(chan error)}
	w.rec = apply.New(apply.Options{Mirror: f, Log: w.log, Live: w.live, Key: key, Now: func() time.Time { return w.committed(f.Head()) }})
	w.History = w.afresh()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		_ = f.Run(ctx, gitsync.Hash{}, func(ctx context.Context, u gitsync.Update) error {
			err := w.rec.Take(ctx, u)
			w.taken <- err
			return err
		})
	})
	tb.Cleanup(func() {
		cancel()
		running.Wait()
		if err := f.Close(); err != nil {
			tb.Error(err)
		}
	})
	w.take()
	return w
}

// afresh is the past of the world to somebody who remembers nothing of it.
func (w *world) afresh() *history.History {
	return history.New(history.Options{Mirror: w.mirror, Log: w.log, Live: w.live, Status: w.status, Key: key})
}

func (w *world) status() *apply.Status {
	w.asked.Add(1)
	return w.rec.Status()
}

// committed is when a commit was made; in this world it is judged at once.
func (w *world) committed(h gitsync.Hash) time.Time {
	c, err := w.mirror.Commit(h)
	if err != nil {
		return time.Time{}
	}
	return c.Committer.When
}

func (w *world) take() {
	w.tb.Helper()
	if err := <-w.taken; err != nil {
		w.tb.Fatal(err)
	}
}

// repoOf begins a world with a first commit.
func repoOf(tb testing.TB, files map[string]string) (*world, gitsync.Hash) {
	tb.Helper()
	remote := gittest.NewRemote(tb)
	remote.Write(files)
	first := hash(tb, remote.Commit("Begin"))
	remote.Push()
	return begin(tb, remote), first
}

// push commits files, those with the content "-" removed, and waits until they are judged.
func (w *world) push(subject string, files map[string]string, options ...gittest.CommitOption) gitsync.Hash {
	w.tb.Helper()
	h := w.commit(subject, files, options...)
	w.remote.Push()
	w.mirror.Hint()
	w.take()
	return h
}

func (w *world) commit(subject string, files map[string]string, options ...gittest.CommitOption) gitsync.Hash {
	w.tb.Helper()
	for name, text := range files {
		if text == "-" {
			w.remote.Remove(name)
			continue
		}
		w.remote.Write(map[string]string{name: text})
	}
	return hash(w.tb, w.remote.Commit(subject, options...))
}

func (w *world) at(name, env string) history.At {
	w.tb.Helper()
	at, err := w.Resolve(w.tb.Context(), name, env)
	if err != nil {
		w.tb.Fatal(err)
	}
	return at
}

func hash(tb testing.TB, text string) gitsync.Hash {
	tb.Helper()
	h, err := gitsync.ParseHash(text)
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

func patterns(tb testing.TB, texts ...string) []value.Pattern {
	tb.Helper()
	list, err := value.ParsePatterns(texts)
	if err != nil {
		tb.Fatal(err)
	}
	return list
}

// selected is what is asked for, by somebody who sees what some patterns select.
func selected(tb testing.TB, seen string, asked ...string) history.Selection {
	s := history.Selection{Patterns: patterns(tb, asked...)}
	if seen != "" {
		granted := patterns(tb, strings.Fields(seen)...)
		s.See = func(root *value.Value) *value.Value { return value.Select(root, granted) }
	}
	return s
}

func path(tb testing.TB, text string) value.Path {
	tb.Helper()
	p, err := value.ParsePath(text)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// imported gives a remote commits, by git fast-import: each is the files it writes, "-" for those it removes.
func imported(tb testing.TB, commits []map[string]string) *gittest.Remote {
	tb.Helper()
	remote := gittest.NewRemote(tb)
	var s strings.Builder
	for i, files := range commits {
		subject := fmt.Sprintf("Commit %d", i)
		fmt.Fprintf(&s, "commit refs/heads/main\ncommitter Grace <grace@example.com> %d +0000\ndata %d\n%s\n", 1_700_000_000+60*i, len(subject), subject)
		for name, text := range files {
			if text == "-" {
				fmt.Fprintf(&s, "D %s\n", name)
				continue
			}
			fmt.Fprintf(&s, "M 100644 inline %s\ndata %d\n%s\n", name, len(text), text)
		}
		s.WriteByte('\n')
	}
	cmd := gittest.Command(tb.Context(), remote.Path(), "fast-import", "--quiet")
	cmd.Stdin = strings.NewReader(s.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("fast-import: %v\n%s", err, out)
	}
	return remote
}

func pin(env string) apply.Pin { return apply.Pin{Environment: env, By: "a test", Reason: "to see"} }
