package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
)

// Pin holds an environment at a version, whatever else becomes valid, until it is taken off.
type Pin struct {
	Environment string
	Commit      gitsync.Hash
	From        gitsync.Hash // what was live when the environment was pinned: the version that was fled from
	By          string       // the name of the operator's credential
	Reason      string
	At          time.Time
	Expires     time.Time // zero: never
}

// Unpin takes a pin off.
type Unpin struct {
	Pin    Pin
	By     string // the name of the operator's credential; "expiry" when its time was over
	Reason string
	Forced bool // back to what was fled from
	At     time.Time
}

// The errors of pins, beside those of the mirror and of the log.
var (
	// ErrUnfit is reported for a version that does not compile, or does not fit its schemas.
	ErrUnfit = errors.New("the version cannot be served")
	// ErrNotPinned is reported when there is no pin to take off.
	ErrNotPinned = errors.New("the environment is not pinned")
	// ErrFledFrom is reported when nothing newer than what was fled from is valid.
	ErrFledFrom = errors.New("nothing newer than the version that was fled from is valid yet")
	// ErrUnknownVersion is reported for a name that no version has, or several.
	ErrUnknownVersion = errors.New("no such version")
)

// pinned is a pin with what it serves.
type pinned struct {
	Pin
	version *Version  // nil while it cannot be compiled
	tried   time.Time // when it was last tried in vain to compile it, or to take it off
}

// Pin holds an environment at a version, which is named by the beginning of its name. Any that compiles and fits its schemas will
// do. The pin is on record when Pin returns no error; another one of the environment ends with it.
func (r *Reconciler) Pin(ctx context.Context, name string, p Pin) (Pin, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	commit, err := r.version(name)
	if err != nil {
		return p, fmt.Errorf("pin %s: %w", p.Environment, err)
	}
	p.Commit, p.At = commit, r.o.Now()
	if p.From, err = r.fled(p); err != nil {
		return p, fmt.Errorf("pin %s: %w", p.Environment, err)
	}
	version, err := r.pinnable(ctx, p)
	if err != nil {
		return p, fmt.Errorf("pin %s: %w", p.Environment, err)
	}
	if err := r.o.Mirror.Keep(commit); err != nil {
		return p, fmt.Errorf("pin %s: %w", p.Environment, err)
	}
	if err := r.recordOrTakeBack(ctx, Events{Pin: &p}, Events{Unpin: &Unpin{Pin: p, By: p.By, Reason: "the pin was not recorded in time", At: p.At}}); err != nil {
		return p, fmt.Errorf("pin %s: %w", p.Environment, err)
	}
	r.pins = maps.Clone(r.pins)
	if r.pins == nil {
		r.pins = map[string]*pinned{}
	}
	r.pins[p.Environment] = &pinned{Pin: p, version: version}
	r.settle(r.tip, CausePin)
	return p, nil
}

// Unpin lets an environment go on to the newest valid version, if that is newer than the one that was fled from, or with force.
func (r *Reconciler) Unpin(ctx context.Context, u Unpin) (Unpin, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	env := u.Pin.Environment
	p := r.pins[env]
	if p == nil {
		return u, fmt.Errorf("unpin %s: %w", env, ErrNotPinned)
	}
	onward, err := r.onward(p.Pin)
	if err != nil {
		return u, fmt.Errorf("unpin %s: %w", env, err)
	}
	if !onward && !u.Forced {
		return u, fmt.Errorf("unpin %s: %w", env, ErrFledFrom)
	}
	u.Pin, u.Forced, u.At = p.Pin, !onward, r.o.Now()
	return u, r.release(ctx, u)
}

// recordOrTakeBack takes events to the log. What it does not take in time it may take later: then it takes others after them, so
// that the next start finds what is so now.
func (r *Reconciler) recordOrTakeBack(ctx context.Context, e, back Events) error {
	ctx, cancel := context.WithTimeout(ctx, logPatience)
	defer cancel()
	err := r.o.Log.Record(ctx, e)
	if err != nil {
		cancel()
		_ = r.o.Log.Record(ctx, back) // it is queued behind, and not waited for
	}
	return err
}

// fled is the newest version that an operator has fled from: what is live, or, where one pin follows the other, what the first fled
// from, unless something newer has been live since.
func (r *Reconciler) fled(p Pin) (gitsync.Hash, error) {
	live := r.o.Live.Get(p.Environment)
	was := r.pins[p.Environment]
	switch {
	case live == nil && was == nil:
		return gitsync.Hash{}, nil
	case was == nil:
		return live.Commit.Hash, nil
	case live == nil || live.Commit.Hash == p.Commit || was.From.IsZero():
		return was.From, nil
	}
	newer, err := r.descends(live.Commit.Hash, was.From)
	if err != nil || !newer {
		return was.From, err
	}
	return live.Commit.Hash, nil
}

// descends tells whether a commit was made from another one. What is gone was nobody's origin.
func (r *Reconciler) descends(from, origin gitsync.Hash) (bool, error) {
	beyond, _, err := r.o.Mirror.Beyond(origin, []gitsync.Hash{from}, 1)
	if errors.Is(err, gitsync.ErrNotFound) {
		return true, nil
	}
	return len(beyond) == 0, err
}

func (r *Reconciler) release(ctx context.Context, u Unpin) error {
	if err := r.recordOrTakeBack(ctx, Events{Unpin: &u}, Events{Pin: &u.Pin}); err != nil {
		return fmt.Errorf("unpin %s: %w", u.Pin.Environment, err)
	}
	r.pins = maps.Clone(r.pins)
	delete(r.pins, u.Pin.Environment)
	r.settle(r.tip, CauseUnpin)
	return nil
}

// onward tells whether the newest valid version is newer than the one that was fled from, or the pinned one itself.
func (r *Reconciler) onward(p Pin) (bool, error) {
	v := r.tip.valid[p.Environment]
	switch {
	case v == nil:
		return r.retired(p.Environment), nil
	case v.Commit.Hash == p.Commit || p.From.IsZero() || p.From == p.Commit:
		return true, nil
	case v.Commit.Hash == p.From:
		return false, nil
	}
	return r.descends(v.Commit.Hash, p.From)
}

// retired tells whether the commit judged last has an environment no longer. That nothing of it is at hand does not say so.
func (r *Reconciler) retired(env string) bool {
	return !r.incomplete && r.memory.gone(r.tip.at, env)
}

// expire takes off the pins whose time is over, unless that led back to what was fled from.
func (r *Reconciler) expire(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.o.Now()
	for env, p := range r.pins {
		if now.Sub(p.tried) < retryPin {
			continue
		}
		if p.version == nil {
			r.tryPin(ctx, p, now)
		}
		if p.Expires.IsZero() || now.Before(p.Expires) {
			continue
		}
		onward, err := r.onward(p.Pin)
		if err == nil && onward {
			err = r.release(ctx, Unpin{Pin: p.Pin, By: "expiry", Reason: "the pin's time was over", At: now})
		}
		if err != nil && ctx.Err() == nil {
			p.tried = now
			r.o.Slog.Error("a pin whose time is over cannot be taken off", "component", "apply", "env", env, "err", err)
		}
	}
}

// tryPin compiles what is pinned and could not be served so far.
func (r *Reconciler) tryPin(ctx context.Context, p *pinned, now time.Time) {
	version, err := r.pinnable(ctx, p.Pin)
	if err != nil {
		p.tried = now
		r.o.Slog.Error("what is pinned cannot be served, and nothing else is in its place", "component", "apply", "env", p.Environment,
			"commit", p.Commit.Short(), "err", err)
		return
	}
	p.version = version
	r.settle(r.tip, CausePin)
}

// pinnable compiles a version for its environment: it must fit its schemas, and whatever else stands against it is a warning.
func (r *Reconciler) pinnable(ctx context.Context, p Pin) (*Version, error) {
	c, err := r.o.Mirror.Commit(p.Commit)
	if err != nil {
		return nil, err
	}
	baselines, err := r.redacting(ctx, p)
	if err != nil {
		return nil, err
	}
	result, _, err := r.compile(ctx, p.Commit, settled(baselines))
	if err != nil {
		return nil, err
	}
	if s := result.Snapshots[p.Environment]; s != nil {
		return &Version{ID: c.Hash.String(), Commit: c, Snapshot: s}, nil
	}
	for _, problem := range result.Problems {
		if problem.Severity == compile.Error && problem.Touches(p.Environment) {
			return nil, fmt.Errorf("%w: %s", ErrUnfit, problem)
		}
	}
	return nil, fmt.Errorf("%w: it has no environment %s", ErrUnfit, p.Environment)
}

// redacting are the versions whose marks redact a pinned one: the newest valid one, and the one it was judged against.
func (r *Reconciler) redacting(ctx context.Context, p Pin) (compile.Baselines, error) {
	baselines := compile.Baselines{}
	if v := r.tip.valid[p.Environment]; v != nil {
		baselines[p.Environment] = v.Snapshot
	}
	known := r.memory.get(p.Commit)
	if known == nil || known.environments[p.Environment].baseline.IsZero() {
		return baselines, nil
	}
	result, _, err := r.compile(ctx, known.environments[p.Environment].baseline, settled(nil))
	if errors.Is(err, gitsync.ErrNotFound) {
		return baselines, nil
	}
	if err != nil {
		return nil, err
	}
	s := result.Snapshots[p.Environment]
	switch newest := baselines[p.Environment]; {
	case s != nil && newest != nil:
		baselines[p.Environment] = newest.MarkedBy(s)
	case s != nil:
		baselines[p.Environment] = s
	}
	return baselines, nil
}

// version finds a judged commit, or any other by its whole name.
func (r *Reconciler) version(name string) (gitsync.Hash, error) {
	if h, err := gitsync.ParseHash(name); err == nil {
		_, err = r.o.Mirror.Commit(h)
		if errors.Is(err, gitsync.ErrNotFound) {
			err = fmt.Errorf("%w as %s", ErrUnknownVersion, h.Short())
		}
		return h, err
	}
	var found []gitsync.Hash
	if len(name) >= minAbbreviation {
		for h := range r.memory.commits {
			if strings.HasPrefix(h.String(), name) {
				found = append(found, h)
			}
		}
	}
	if len(found) != 1 {
		return gitsync.Hash{}, fmt.Errorf("%w: %d begin with %q; name it by seven digits or more", ErrUnknownVersion, len(found), name)
	}
	return found[0], nil
}

// restorePins compiles what is pinned. What cannot be is tried again by Run.
func (r *Reconciler) restorePins(ctx context.Context) {
	for _, env := range slices.Sorted(maps.Keys(r.pins)) {
		p := r.pins[env]
		if p.version != nil {
			continue
		}
		var err error
		if p.version, err = r.pinnable(ctx, p.Pin); err != nil {
			r.o.Slog.Error("what is pinned cannot be served yet", "component", "apply", "env", env, "commit", p.Commit.Short(), "err", err)
		}
	}
}

// served is what the environments serve after a position: the newest valid version of each, but for those that are pinned.
func (r *Reconciler) served(p position) map[string]*Version {
	served := maps.Clone(p.valid)
	for env, pin := range r.pins {
		if delete(served, env); pin.version != nil {
			served[env] = pin.version
		}
	}
	return served
}
