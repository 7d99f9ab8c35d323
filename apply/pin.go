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
	version *Version // nil while it cannot be compiled
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
	if was := r.pins[p.Environment]; was != nil {
		p.From = was.From // one pin after the other flees from the same
	} else if v := r.o.Live.Get(p.Environment); v != nil {
		p.From = v.Commit.Hash
	}
	version, err := r.pinnable(ctx, p)
	if err != nil {
		return p, fmt.Errorf("pin %s: %w", p.Environment, err)
	}
	if err := r.o.Mirror.Keep(commit); err != nil {
		return p, fmt.Errorf("pin %s: %w", p.Environment, err)
	}
	if err := r.o.Log.Record(ctx, Events{Pin: &p}); err != nil {
		return p, fmt.Errorf("pin %s: %w", p.Environment, err)
	}
	r.pins = maps.Clone(r.pins)
	if r.pins == nil {
		r.pins = map[string]*pinned{}
	}
	r.pins[p.Environment] = &pinned{p, version}
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

func (r *Reconciler) release(ctx context.Context, u Unpin) error {
	if err := r.o.Log.Record(ctx, Events{Unpin: &u}); err != nil {
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
		return true, nil // the environment was retired meanwhile
	case v.Commit.Hash == p.Commit || p.From.IsZero() || p.From == p.Commit:
		return true, nil
	case v.Commit.Hash == p.From:
		return false, nil
	}
	beyond, _, err := r.o.Mirror.Beyond(p.From, []gitsync.Hash{v.Commit.Hash}, 1)
	if errors.Is(err, gitsync.ErrNotFound) {
		return true, nil // it is gone, and nobody falls back to it
	}
	return len(beyond) == 0, err
}

// expire takes off the pins whose time is over, unless that led back to what was fled from.
func (r *Reconciler) expire(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.o.Now()
	for env, p := range r.pins {
		if p.Expires.IsZero() || now.Before(p.Expires) {
			continue
		}
		onward, err := r.onward(p.Pin)
		if err == nil && onward {
			err = r.release(ctx, Unpin{Pin: p.Pin, By: "expiry", Reason: "the pin's time was over", At: now})
		}
		if err != nil && ctx.Err() == nil {
			r.o.Slog.Error("a pin whose time is over cannot be taken off", "component", "apply", "env", env, "err", err)
		}
	}
}

// pinnable compiles a version for its environment: it must fit its schemas, and whatever else stands against it is a warning.
func (r *Reconciler) pinnable(ctx context.Context, p Pin) (*Version, error) {
	c, err := r.o.Mirror.Commit(p.Commit)
	if err != nil {
		return nil, err
	}
	baselines := compile.Baselines{}
	if v := r.tip.valid[p.Environment]; v != nil {
		baselines[p.Environment] = v.Snapshot // what it calls sensitive stays redacted
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

// restorePins compiles what is pinned. One that cannot be is an error, and its environment serves nothing else in its place.
func (r *Reconciler) restorePins(ctx context.Context) error {
	var failed []error
	for _, env := range slices.Sorted(maps.Keys(r.pins)) {
		p := r.pins[env]
		if p.version != nil {
			continue
		}
		version, err := r.pinnable(ctx, p.Pin)
		if err != nil {
			failed = append(failed, fmt.Errorf("pin of %s at %s: %w", env, p.Commit.Short(), err))
			continue
		}
		p.version = version
	}
	return errors.Join(failed...)
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
