package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
)

// Run asks again about what is pending, and takes off pins whose time is over, until ctx ends.
func (r *Reconciler) Run(ctx context.Context) error {
	wait := askFirst
	timer, ticks := time.NewTimer(wait), time.NewTicker(expireEvery)
	defer timer.Stop()
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.asks:
			wait = askFirst
			timer.Reset(jitter(wait))
			continue
		case <-ticks.C:
			r.expire(ctx)
			continue
		case <-timer.C:
		}
		waits, err := r.Reconsider(ctx)
		if err != nil && ctx.Err() == nil {
			r.o.Slog.Error("what is pending cannot be judged and is tried again", "component", "apply", "err", err)
		}
		if waits || err != nil {
			wait = min(2*wait, askMost)
			timer.Reset(jitter(wait))
		}
	}
}

func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d) }

// askAgain lets Run know that something is pending.
func (r *Reconciler) askAgain() {
	if len(r.tip.waiting) == 0 {
		return
	}
	select {
	case r.asks <- struct{}{}:
	default:
	}
}

// Reconsider judges once more what is pending, oldest first, as far as there are answers. waits tells that something still is.
func (r *Reconciler) Reconsider(ctx context.Context) (waits bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	chain := r.memory.pending(r.tip.at)
	if len(chain) == 0 {
		return false, nil
	}
	a, err := r.rejudge(ctx, chain[0])
	if err != nil {
		return true, err
	}
	for _, h := range chain {
		if err := a.judge(ctx, h, Pending); err != nil {
			return true, err
		}
	}
	err = a.finish(ctx, Events{}, r.record)
	return len(r.tip.waiting) > 0, err
}

// ErrUnreachable is reported for a commit that is not among those the branch holds beyond what is live.
var ErrUnreachable = errors.New("the branch holds no such commit beyond what is live")

// Accept takes an operator's word for a commit and all that it was made from: what is asked of commits is not asked of them. The
// commit is named by the beginning of its name. The commit judged last is judged once more. The acceptance is on record when Accept
// returns no error, and counts from then on. After an error it may still be taken to the log, and then counts from the next start on.
//
// So it is with a head to which the branch was rewritten, where that is refused: it is followed at the next look.
func (r *Reconciler) Accept(ctx context.Context, name string, accepted Acceptance) (gitsync.Hash, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuses(name) {
		return r.refused.New, r.acceptRewrite(ctx, accepted)
	}
	commit, err := r.waiting(name)
	if err != nil {
		return commit, fmt.Errorf("accept %q: %w", name, err)
	}
	a, err := r.rejudge(ctx, r.tip.at)
	if err != nil {
		return commit, err
	}
	a.batch.accepted = commit
	a.batch.memory.accept(commit)
	if err := a.judge(ctx, r.tip.at, Rejected); err != nil {
		return commit, err
	}
	accepted.Commit, accepted.At = commit, r.o.Now()
	ctx, cancel := context.WithTimeout(ctx, logPatience)
	defer cancel()
	err = a.finish(ctx, Events{Acceptance: &accepted}, r.o.Log.Record)
	r.askAgain()
	return commit, err
}

// waiting finds a commit among those that are not live yet.
func (r *Reconciler) waiting(name string) (gitsync.Hash, error) {
	if r.tip.at.IsZero() || len(name) < minAbbreviation {
		return gitsync.Hash{}, ErrUnreachable
	}
	var found []gitsync.Hash
	for _, v := range r.tip.valid {
		beyond, _, err := r.o.Mirror.Beyond(r.tip.at, []gitsync.Hash{v.Commit.Hash}, maxBeyond)
		if err != nil {
			return gitsync.Hash{}, err
		}
		for _, h := range beyond {
			if strings.HasPrefix(h.String(), name) && !slices.Contains(found, h) {
				found = append(found, h)
			}
		}
	}
	switch len(found) {
	case 0:
		return gitsync.Hash{}, ErrUnreachable
	case 1:
		return found[0], nil
	default:
		return gitsync.Hash{}, fmt.Errorf("%w, but %d that begin like this", ErrUnreachable, len(found))
	}
}

// again is the judging of commits that were judged before.
type again struct {
	*Reconciler
	batch   *batch
	news    []Decision      // verdicts that are not as before
	decided map[string]bool // environments with such
	refused map[string][]compile.Problem
}

// rejudge begins with a commit that was judged before.
func (r *Reconciler) rejudge(ctx context.Context, first gitsync.Hash) (*again, error) {
	b := &batch{Reconciler: r, memory: newMemory(r.memory), waits: map[string]string{}}
	maps.Copy(b.waits, r.waits)
	var err error
	b.position, err = r.restore(ctx, r.memory.get(first).parent)
	return &again{Reconciler: r, batch: b, decided: map[string]bool{}, refused: maps.Clone(r.problems)}, err
}

// judge judges the next commit of the chain in the environments where it has one verdict.
func (a *again) judge(ctx context.Context, h gitsync.Hash, verdict Verdict) error {
	c, err := a.o.Mirror.Commit(h)
	if err != nil {
		return err
	}
	before := a.memory.get(h)
	known := maps.Clone(before.environments)
	maps.DeleteFunc(known, func(_ string, j judgement) bool { return j.verdict == verdict })
	a.batch.decisions = nil
	if err := a.batch.judge(ctx, c, before.parent, known); err != nil {
		return fmt.Errorf("judge %s again: %w", h.Short(), err)
	}
	for _, d := range a.batch.decisions {
		if h == a.tip.at {
			a.refusal(d)
		}
		if d.Verdict != verdict {
			a.decided[d.Environment] = true
			a.news = append(a.news, d)
		}
	}
	return nil
}

// refusal keeps what is told of the newest commit in step.
func (a *again) refusal(d Decision) {
	if a.refused == nil {
		a.refused = map[string][]compile.Problem{}
	}
	delete(a.refused, d.Environment)
	if d.Verdict == Rejected {
		a.refused[d.Environment] = d.Problems
	}
}

// finish takes to the log what is decided anew, and puts it live.
func (a *again) finish(ctx context.Context, e Events, record func(context.Context, Events) error) error {
	b := a.batch
	b.decisions = a.news
	b.outcomes()
	if e.Decisions = b.decisions; !e.empty() {
		if err := record(ctx, e); err != nil {
			return err
		}
	}
	b.memory.last = a.memory.last
	b.memory.settle()
	a.problems, a.waits = a.refused, b.waits
	a.announce(b.decisions, nil)
	tip := position{a.tip.at, maps.Clone(a.tip.valid), a.memory.get(a.tip.at).waiting()}
	for env := range a.decided {
		if tip.valid[env] = b.position.valid[env]; tip.valid[env] == nil {
			delete(tip.valid, env)
		}
	}
	a.settle(tip, CauseCommit)
	return nil
}
