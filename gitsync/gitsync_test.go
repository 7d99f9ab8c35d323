package gitsync_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/internal/gittest"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(child())
	}
	goleak.VerifyTestMain(m)
}

// following is a follower at work, and what it handed on.
type following struct {
	*gitsync.Follower
	t       *testing.T
	updates chan gitsync.Update
	refuse  func(gitsync.Update) error // nil: take everything
	stop    func()
}

type option func(*setup)

type setup struct {
	gitsync.Options
	taken  gitsync.Hash
	refuse func(gitsync.Update) error
	waits  time.Duration
	packs  int
	still  bool // open, and do not run
}

func taken(h gitsync.Hash) option                  { return func(s *setup) { s.taken = h } }
func at(dir string) option                         { return func(s *setup) { s.Dir = dir } }
func origin(h gitsync.Hash) option                 { return func(s *setup) { s.Origin = h } }
func branch(name string) option                    { return func(s *setup) { s.Branch = name } }
func token(f func() (string, error)) option        { return func(s *setup) { s.Token = f } }
func refusing(f func(gitsync.Update) error) option { return func(s *setup) { s.refuse = f } }
func observed(o gitsync.Observer) option           { return func(s *setup) { s.Observe = o } }
func polling(d time.Duration) option               { return func(s *setup) { s.Poll = d } }
func impatient(d time.Duration) option             { return func(s *setup) { s.waits = d } }
func packing(n int) option                         { return func(s *setup) { s.packs = n } }
func still() option                                { return func(s *setup) { s.still = true } }
func logged(h slog.Handler) option                 { return func(s *setup) { s.Log = slog.New(h) } }
func sshWith(keyFile, knownHosts string) option {
	return func(s *setup) { s.SSHKeyFile, s.KnownHostsFile = keyFile, knownHosts }
}

// follow opens a follower and runs it until the test ends. It polls so rarely that only hints make it look.
func follow(t *testing.T, url string, opts ...option) *following {
	t.Helper()
	s := setup{Options: gitsync.Options{URL: url, Branch: gittest.Branch, Poll: time.Hour}}
	for _, opt := range opts {
		opt(&s)
	}
	if s.Dir == "" {
		s.Dir = t.TempDir()
	}
	f, err := gitsync.Open(t.Context(), s.Options)
	if err != nil {
		t.Fatal(err)
	}
	if s.waits != 0 {
		gitsync.SetWaits(f, s.waits)
	}
	if s.packs != 0 {
		gitsync.SetPacks(f, s.packs)
	}
	w := &following{Follower: f, t: t, updates: make(chan gitsync.Update, 100), refuse: s.refuse}
	w.start(s)
	t.Cleanup(w.stop)
	return w
}

func (w *following) start(s setup) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	if s.still {
		done <- context.Canceled
	} else {
		go func() { done <- w.Run(ctx, s.taken, w.take) }()
	}
	stopped := false
	w.stop = func() {
		w.t.Helper()
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			w.t.Errorf("Run returned %v, want context.Canceled", err)
		}
		if err := w.Close(); err != nil {
			w.t.Errorf("close: %v", err)
		}
	}
}

func (w *following) take(_ context.Context, u gitsync.Update) error {
	if w.refuse != nil {
		if err := w.refuse(u); err != nil {
			return err
		}
	}
	w.updates <- u
	return nil
}

// next is the next update that is handed on.
func (w *following) next() gitsync.Update {
	w.t.Helper()
	select {
	case u := <-w.updates:
		return u
	case <-time.After(20 * time.Second):
		w.t.Fatalf("no update came; state: %+v", w.State())
		return gitsync.Update{}
	}
}

// none fails when something was handed on.
func (w *following) none() {
	w.t.Helper()
	select {
	case u := <-w.updates:
		w.t.Fatalf("an update came that should not: %+v", u)
	default:
	}
}

// until waits for a state.
func (w *following) until(what string, ok func(gitsync.State) bool) gitsync.State {
	w.t.Helper()
	return poll(w.t, what, func() (gitsync.State, bool) {
		s := w.State()
		return s, ok(s)
	})
}

// fails looks, and waits for the failure.
func (w *following) fails() gitsync.State {
	w.t.Helper()
	before := w.State().LastLook
	w.Hint()
	return w.until("a failed look", func(s gitsync.State) bool { return s.LastLook.After(before) && s.Failures > 0 })
}

// looks looks, and waits for the end of it.
func (w *following) looks() gitsync.State {
	w.t.Helper()
	before := w.State().LastLook
	w.Hint()
	return w.until("a look", func(s gitsync.State) bool { return s.LastLook.After(before) })
}

// poll asks until the answer is yes.
func poll[T any](t *testing.T, what string, ask func() (T, bool)) T {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		answer, ok := ask()
		if ok {
			return answer
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited in vain for %s: %+v", what, answer)
		}
	}
}

func hash(t *testing.T, s string) gitsync.Hash {
	t.Helper()
	h, err := gitsync.ParseHash(s)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// hashes are the commits of an update.
func hashes(commits []gitsync.Commit) string {
	var list []string
	for _, c := range commits {
		list = append(list, c.Hash.String())
	}
	return strings.Join(list, " ")
}

// change commits a change of one file, and pushes nothing.
func change(r *gittest.Remote, subject string, opts ...gittest.CommitOption) string {
	r.Write(map[string]string{"config/app.yaml": "subject: " + subject + "\n"})
	return r.Commit(subject, opts...)
}

// mirrorOf is the bare repository a follower works on.
func mirrorOf(t *testing.T, w *following) string {
	t.Helper()
	return gitsync.MirrorDir(w.Follower)
}

// git runs the git command on a mirror: it must be a repository to any Git.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := gittest.Command(t.Context(), dir, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func mirrorRef(t *testing.T, w *following, name string) string {
	t.Helper()
	return git(t, mirrorOf(t, w), "rev-parse", name)
}

// fetchedInto notes the size of each pack. Read the list after the follower stopped.
func fetchedInto(sizes *[]int64) func(time.Duration, int64) {
	return func(_ time.Duration, n int64) { *sizes = append(*sizes, n) }
}

// counting counts repacks.
func counting(n *atomic.Int64) func(time.Duration, int) {
	return func(time.Duration, int) { n.Add(1) }
}
