package gitsync

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Run follows until ctx ends, and then returns its error. taken is the last commit that take accepted in an earlier run: zero
// when there was none, and then the first update holds the head alone, or the chain from the origin up to it.
//
// What the mirror holds beyond taken is handed on before the remote is asked. After that Run looks at the start, at every Hint
// and every poll interval; a remote that fails is asked less and less often, down to once in 15 minutes, but at once on a Hint.
//
// take is called from Run's goroutine. When it returns an error it is called again with the same update, after a while or at
// the next Hint. After an [ErrNotTaken] it is called with whatever the next look finds beyond what was taken, be it nothing.
func (f *Follower) Run(ctx context.Context, taken Hash, take func(context.Context, Update) error) error {
	if !f.running.CompareAndSwap(false, true) {
		return errors.New("gitsync: Run is running already")
	}
	defer f.running.Store(false)
	defer f.dialer.close()
	r := &run{Follower: f, taken: taken, take: take, pace: pace{calm: f.options.Poll, first: f.options.Poll}}
	r.restore(ctx)
	for ctx.Err() == nil {
		r.step(ctx)
		r.rest(ctx)
	}
	return ctx.Err()
}

// run is the state of one Run.
type run struct {
	*Follower
	taken Hash
	take  func(context.Context, Update) error
	pace  pace
	again bool // a hint came while an update was handed on
	left  Hash // the head of the last update, which was not taken

	moves   int             // updates so far
	flushed map[string]bool // packs that are safe on disk
}

// restore hands on what the mirror holds.
func (r *run) restore(ctx context.Context) {
	head := r.Head()
	if head.IsZero() || head == r.taken {
		return
	}
	u, err := r.store.update(r.taken, head, r.options.Origin)
	if err == nil {
		err = r.keepLost(r.store, u)
	}
	if err != nil {
		r.failed(err)
		return
	}
	u.Restored = true
	r.handOn(ctx, u)
}

// step looks once, and hands on what it found.
func (r *run) step(ctx context.Context) {
	began := time.Now()
	u, err := r.look(ctx, r.taken)
	if ctx.Err() != nil {
		return
	}
	outcome := Unchanged
	switch {
	case err != nil:
		outcome = Failed
		r.failed(err)
		r.pace.bad()
	case u != nil && u.Head != r.left:
		outcome = Moved
		fallthrough
	default:
		r.worked()
		r.pace.good()
	}
	r.options.Observe.looked(outcome, time.Since(began))
	if u == nil && err == nil && !r.left.IsZero() {
		u = &Update{From: r.taken, Head: r.taken} // the branch is back
	}
	if u == nil {
		return
	}
	r.handOn(ctx, *u)
	if outcome == Moved {
		r.tend(ctx)
	}
}

// handOn gives an update to take until take accepts it, or says that it will not.
func (r *run) handOn(ctx context.Context, u Update) {
	retry := pace{first: takeBackoff}
	for ctx.Err() == nil {
		err := r.take(ctx, u)
		if err == nil {
			r.taken, r.left = u.Head, Hash{}
			return
		}
		if errors.Is(err, ErrNotTaken) {
			r.left = u.Head
			return
		}
		if ctx.Err() != nil {
			return
		}
		retry.bad()
		wait := retry.next()
		r.log.Warn("an update was not taken: it is handed on again", "commit", u.Head.String(), "err", err, "wait", wait)
		if r.wait(ctx, wait) {
			r.again = true
		}
	}
}

// rest waits for a reason to look.
func (r *run) rest(ctx context.Context) {
	if r.again {
		r.again = false
		return
	}
	r.wait(ctx, r.pace.next())
}

// wait tells whether a hint ended it.
func (r *run) wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-r.hints:
		return true
	}
	return false
}

// failed notes why a look failed. What repeats is logged once.
func (f *Follower) failed(err error) {
	text := f.explain(err)
	now := time.Now()
	var before string
	f.note(func(s *State) {
		before = s.LastError
		s.LastLook, s.LastError = now, text
		s.Failures++
	})
	if text != before {
		f.log.Warn("the last good version stays", "err", text)
	}
}

func (f *Follower) worked() {
	now := time.Now()
	var failures int
	f.note(func(s *State) {
		failures = s.Failures
		s.LastLook, s.LastGood, s.LastError, s.Failures = now, now, "", 0
	})
	if failures > 0 {
		f.log.Info("the remote answers again", "failures", failures)
	}
}

// explain puts an error in words for people, without secrets.
func (f *Follower) explain(err error) string {
	text := err.Error()
	if f.lastToken != "" {
		text = strings.ReplaceAll(text, f.lastToken, "[token]")
	}
	return oneLine(text, maxError)
}
