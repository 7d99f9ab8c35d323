package gitsync_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/internal/gittest"
)

func TestEachWayToReachARemote(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	first := change(remote, "First")
	remote.Push()
	for _, url := range []string{remote.URL(), remote.Path(), "file://" + remote.Path(), remote.Work()} {
		w := follow(t, url)
		if u := w.next(); u.Head != hash(t, first) || hashes(u.Commits) != first || u.Restored || u.Rewrite != nil {
			t.Errorf("%s: first update %+v, want %s alone", url, u, first)
		}
		w.stop()
	}
}

func TestCommitsComeInOrder(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	change(remote, "Before")
	first := change(remote, "First")
	remote.Push()
	w := follow(t, remote.URL())
	if u := w.next(); hashes(u.Commits) != first {
		t.Fatalf("the first update holds %s, want the head %s alone", hashes(u.Commits), first)
	}

	second, third := change(remote, "Second"), change(remote, "Third")
	remote.Push()
	w.Hint()
	u := w.next()
	if got, want := hashes(u.Commits), second+" "+third; got != want {
		t.Errorf("the update holds %s, want %s", got, want)
	}
	if u.From.String() != first || u.Head.String() != third || u.Rewrite != nil {
		t.Errorf("update %+v, want from %s to %s without a rewrite", u, first, third)
	}
	if w.Head().String() != third {
		t.Errorf("head is %s, want %s", w.Head(), third)
	}
}

func TestARefusedUpdateComesAgain(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	change(remote, "First")
	remote.Push()
	calls := make(chan gitsync.Update, 10)
	refuse := true
	w := follow(t, remote.URL(), refusing(func(u gitsync.Update) error {
		calls <- u
		if refuse {
			refuse = false
			return errors.New("not now")
		}
		return nil
	}))
	first := <-calls
	w.Hint()
	if second := <-calls; second.Head != first.Head || len(second.Commits) != 1 {
		t.Errorf("handed on %+v and then %+v, want the same again", first, second)
	}
	w.next()
}

func TestTheMirrorIsHandedOnBeforeTheRemoteIsAsked(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	first := change(remote, "First")
	remote.Push()
	dir := t.TempDir()
	w := follow(t, remote.URL(), at(dir))
	w.next()
	second := change(remote, "Second")
	remote.Push()
	w.Hint()
	w.next()
	w.stop()

	remote.Fault(gittest.Stall)
	asked := remote.Requests()
	again := follow(t, remote.URL(), at(dir), taken(hash(t, first)))
	u := again.next()
	if !u.Restored || hashes(u.Commits) != second {
		t.Errorf("restored %+v, want %s from the mirror", u, second)
	}
	again.stop()
	if n := remote.Requests() - asked; n > 1 {
		t.Errorf("%d requests before the mirror was handed on", n)
	}
}

func TestRunOnce(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	change(remote, "First")
	remote.Push()
	w := follow(t, remote.URL())
	w.next()
	err := w.Run(t.Context(), gitsync.Hash{}, func(context.Context, gitsync.Update) error { return nil })
	if err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("a second Run returned %v, want a refusal", err)
	}
}

// Any number of hints while a look runs become one more look.
func TestHintsFallTogether(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	change(remote, "First")
	remote.Push()
	var looks atomic.Int64
	w := follow(t, remote.URL(), observed(gitsync.Observer{Looked: func(gitsync.Outcome, time.Duration) { looks.Add(1) }}))
	w.next()
	w.looks()
	before := looks.Load()
	asked := remote.Requests()
	remote.Fault(gittest.Stall)
	w.Hint()
	poll(t, "a request", func() (int, bool) { n := remote.Requests(); return n, n > asked })
	for range 1000 {
		w.Hint()
	}
	change(remote, "Second")
	remote.Push()
	remote.Fault(gittest.None)
	w.next()
	poll(t, "two looks", func() (int64, bool) { n := looks.Load(); return n, n >= before+2 })
	w.stop()
	if n := looks.Load() - before; n != 2 {
		t.Errorf("%d looks for a burst of hints during one, want 2 in all", n)
	}
}

func TestPolling(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	change(remote, "First")
	remote.Push()
	w := follow(t, remote.URL(), polling(time.Second))
	w.next()
	second := change(remote, "Second")
	remote.Push()
	if u := w.next(); hashes(u.Commits) != second {
		t.Errorf("%s came without a hint, want %s", hashes(u.Commits), second)
	}
}

// A look that finds nothing costs one request, and every look the same connection.
func TestLooksAreCheap(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	change(remote, "First")
	remote.Push()
	w := follow(t, remote.URL())
	w.next()
	asked := remote.Requests()
	for range 3 {
		w.looks()
	}
	if n := remote.Requests() - asked; n != 3 {
		t.Errorf("%d requests for three looks, want 3", n)
	}
	for range 3 {
		change(remote, "Next")
		remote.Push()
		w.Hint()
		w.next()
	}
	if n := remote.Requests() - asked; n != 3+6 {
		t.Errorf("%d requests for three looks and three fetches, want 9", n)
	}
	if n := remote.Connections(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// The end of the context ends a look in the middle of whatever the remote does.
func TestRunEndsWhileTheRemoteStalls(t *testing.T) {
	t.Parallel()
	for _, fault := range []gittest.Fault{gittest.Stall, gittest.StallPack} {
		remote := gittest.NewRemote(t)
		change(remote, "First")
		remote.Push()
		remote.Fault(fault)
		w := follow(t, remote.URL())
		poll(t, "a request", func() (int, bool) { n := remote.Requests(); return n, n > 0 })
		w.stop()
	}
}
