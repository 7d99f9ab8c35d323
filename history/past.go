package history

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
)

// version is a commit in an environment.
type version struct {
	commit gitsync.Hash
	env    string
}

// past are the old versions that were asked for lately, and those that are being compiled.
type past struct {
	compiler *compile.Compiler // belongs to whoever has the turn to compile

	mu      sync.Mutex
	kept    map[version]*kept
	flights map[version]*flight
	most    int // what all that is kept may weigh
}

// outcome is a snapshot, or why there is none.
type outcome struct {
	snapshot *compile.Snapshot
	err      error
}

// kept is what became of a version.
type kept struct {
	outcome
	marks []*compile.Snapshot // that told what is sensitive
	used  time.Time
}

func (k *kept) weight() int {
	if k.snapshot == nil {
		return 1
	}
	return k.snapshot.Values.Weight()
}

// flight is a compile that others wait for. What became of it is set when done is closed.
type flight struct {
	outcome
	marks []*compile.Snapshot // by which it began: they may have changed since
	done  chan struct{}
}

func newPast() past {
	return past{kept: map[version]*kept{}, flights: map[version]*flight{}, most: maxWeight}
}

// Snapshot is a version as an environment had it. Its errors are [ErrNoEnvironment], [ErrBusy], *[UnfitError], and those of the mirror
// and the log.
func (h *History) Snapshot(ctx context.Context, commit gitsync.Hash, env string) (*compile.Snapshot, error) {
	if live := h.o.Live.Get(env); live != nil && live.Commit.Hash == commit {
		return live.Snapshot, nil
	}
	v, marks := version{commit, env}, h.marks(env)
	for {
		known, under := h.past.find(v, marks)
		switch {
		case known != nil:
			return known.snapshot, known.err
		case under == nil:
			return h.fly(ctx, v, marks)
		}
		select {
		case <-under.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if !abandoned(under.err) && slices.Equal(under.marks, marks) {
			return under.snapshot, under.err
		}
	}
}

// abandoned tells whether a compile ended because whoever it was begun for had gone: then another takes it up.
func abandoned(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// find returns what is kept of a version, or the compile of it that is under way. Where there is neither, the caller has begun one.
func (p *past) find(v version, marks []*compile.Snapshot) (*outcome, *flight) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := p.kept[v]; k != nil && slices.Equal(k.marks, marks) {
		k.used = time.Now()
		return &k.outcome, nil
	}
	if f := p.flights[v]; f != nil {
		return nil, f
	}
	p.flights[v] = &flight{marks: marks, done: make(chan struct{})}
	return nil, nil
}

// fly compiles a version for all who wait for it.
func (h *History) fly(ctx context.Context, v version, marks []*compile.Snapshot) (*compile.Snapshot, error) {
	o := outcome{err: errors.New("the compile broke off")} // which it did not when it comes to its end
	defer func() { h.past.land(v, o, marks) }()
	release, err := h.compile.take(ctx)
	if err != nil {
		o.err = err
		return nil, err
	}
	defer release()
	o.snapshot, o.err = h.snapshot(ctx, v, marks)
	return o.snapshot, o.err
}

// land ends a compile. What will not change is kept.
func (p *past) land(v version, o outcome, marks []*compile.Snapshot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.flights[v]
	delete(p.flights, v)
	f.outcome = o
	close(f.done)
	var unfit *UnfitError
	if o.err == nil || errors.As(o.err, &unfit) || errors.Is(o.err, ErrNoEnvironment) {
		p.kept[v] = &kept{o, marks, time.Now()}
		p.shrink()
	}
}

// shrink keeps to the bounds: it drops the commits that were not used for the longest time, and never the one that was used last.
func (p *past) shrink() {
	for {
		used, weights, weight := map[gitsync.Hash]time.Time{}, map[gitsync.Hash]int{}, 0
		for v, k := range p.kept {
			if k.used.After(used[v.commit]) {
				used[v.commit] = k.used
			}
			weights[v.commit] = max(weights[v.commit], k.weight())
		}
		for _, w := range weights {
			weight += w
		}
		if len(used) == 1 || len(used) <= maxCommits && weight <= p.most {
			return
		}
		var oldest gitsync.Hash
		for commit, at := range used {
			if oldest.IsZero() || at.Before(used[oldest]) {
				oldest = commit
			}
		}
		p.forget(func(v version, _ *kept) bool { return v.commit == oldest })
	}
}

func (p *past) forget(which func(version, *kept) bool) {
	for v, k := range p.kept {
		if which(v, k) {
			delete(p.kept, v)
		}
	}
}

// drop forgets the versions that were not used lately, and once none is left, all that compiling them kept.
func (h *History) drop(now time.Time) {
	if !h.compile.try() {
		return // somebody compiles
	}
	defer h.compile.release()
	h.past.mu.Lock()
	defer h.past.mu.Unlock()
	h.past.forget(func(_ version, k *kept) bool { return now.Sub(k.used) >= keptFor })
	if len(h.past.kept) == 0 {
		h.past.compiler = nil
	}
}
