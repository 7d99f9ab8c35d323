package apply_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/internal/gittest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// From a real remote through a real mirror: pushes, a bad one, a force push, and a restart without the remote.
func TestWithAFollower(t *testing.T) {
	remote := gittest.NewRemote(t)
	remote.Write(repo("x: 1\n"))
	remote.Commit("First")
	remote.Push()
	dir, log := t.TempDir(), newLog()
	taken := make(chan struct{})
	run := func() (*gitsync.Follower, *apply.Live, func()) {
		f, err := gitsync.Open(t.Context(), gitsync.Options{URL: remote.URL(), Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		live := apply.NewLive()
		rec := apply.New(apply.Options{Mirror: f, Log: log, Live: live, Key: key, Remembered: log.remembered})
		if err := rec.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = f.Run(ctx, rec.Last(), func(ctx context.Context, u gitsync.Update) error {
				err := rec.Take(ctx, u)
				taken <- struct{}{}
				return err
			})
		}()
		return f, live, func() {
			cancel()
			<-done
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	f, live, stop := run()
	<-taken
	push := func(files map[string]string) string {
		remote.Write(files)
		head := remote.Commit("Change")
		remote.ForcePush()
		f.Hint()
		<-taken
		return head
	}
	first := live.Get("prod").Commit.Hash.String()
	second := push(repo("x: 2\n"))
	push(repo("x: ["))
	if got := live.Get("prod").Commit.Hash.String(); got != second {
		t.Errorf("live is %s, want %s", got, second)
	}
	remote.Git("reset", "--quiet", "--hard", first)
	third := push(repo("x: 3\n"))
	if got := live.Get("staging"); got.Commit.Hash.String() != third || got.Cause != apply.CauseRewrite {
		t.Errorf("live is %s by %s, want %s", got.Commit.Hash, got.Cause, third)
	}
	stop()
	remote.Fault(gittest.Status(503))
	_, live, stop = run()
	defer stop()
	if got := live.Get("prod"); got == nil || got.Commit.Hash.String() != third || got.Cause != apply.CauseStart {
		t.Errorf("after a restart live is %+v", got)
	}
	if len(log.rewrites) != 1 {
		t.Errorf("%d rewrites on record", len(log.rewrites))
	}
}
