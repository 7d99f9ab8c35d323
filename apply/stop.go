package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/experiment"
)

// Stop keeps a rollout or an experiment out of effect in an environment, until its file changes or somebody resumes it.
type Stop struct {
	Environment string
	Kind        experiment.Kind // may be left out of what is asked, where the key says enough
	Key         string
	By          string // the name of the operator's credential
	Reason      string
	At          time.Time
	Content     string // names the content of the file: the stop counts for no other
}

// Resume ends a stop.
type Resume struct {
	Stop   Stop
	By     string // the name of the operator's credential; "change" when the file changed
	Reason string
	At     time.Time
}

// The errors of stops, beside those of the log.
var (
	// ErrUnknownDefinition is reported for a rollout or an experiment that the environment does not have.
	ErrUnknownDefinition = errors.New("no such rollout or experiment")
	// ErrAmbiguousDefinition is reported for a key that both a rollout and an experiment have.
	ErrAmbiguousDefinition = errors.New("a rollout and an experiment have this key")
	// ErrNotStopped is reported where there is nothing to resume.
	ErrNotStopped = errors.New("it is not stopped")
	// ErrManyStops is reported when there are [MaxStops].
	ErrManyStops = fmt.Errorf("there are %d stops, and may be no more: change the files of some", MaxStops)
)

// stopKey is what can be stopped once.
type stopKey struct {
	environment string
	kind        experiment.Kind
	key         string
}

func (s Stop) key() stopKey { return stopKey{s.Environment, s.Kind, s.Key} }

// Stop takes a rollout or an experiment that is live out of effect at once. It is on record when Stop returns no error; another one
// of the same takes the place of the first.
func (r *Reconciler) Stop(ctx context.Context, s Stop) (Stop, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.stoppable(&s); err != nil {
		return s, fmt.Errorf("stop %s in %s: %w", s.Key, s.Environment, err)
	}
	s.At = r.o.Now()
	back := Events{Resumes: []Resume{{Stop: s, By: s.By, Reason: "the stop was not recorded in time", At: s.At}}}
	if was, stands := r.stops[s.key()]; stands {
		back = Events{Stop: &was}
	}
	if err := r.recordOrTakeBack(ctx, Events{Stop: &s}, back); err != nil {
		return s, fmt.Errorf("stop %s in %s: %w", s.Key, s.Environment, err)
	}
	r.stops[s.key()] = s
	r.settle(r.tip, CauseStop)
	return s, nil
}

// stoppable finds what a stop means in what its environment serves.
func (r *Reconciler) stoppable(s *Stop) error {
	live := r.o.Live.Get(s.Environment)
	if live == nil || live.Snapshot.Overrides == nil {
		return ErrUnknownDefinition
	}
	kinds, near := live.Snapshot.Overrides.Named(s.Key)
	if s.Kind != "" {
		kinds = slices.DeleteFunc(kinds, func(k experiment.Kind) bool { return k != s.Kind })
	}
	switch {
	case len(kinds) == 0 && near != "":
		return fmt.Errorf("%w: did you mean %s?", ErrUnknownDefinition, near)
	case len(kinds) == 0:
		return ErrUnknownDefinition
	case len(kinds) > 1:
		return ErrAmbiguousDefinition
	}
	s.Kind = kinds[0]
	s.Content = contentOf(live, s.key())
	if _, again := r.stops[s.key()]; !again && len(r.stops) >= MaxStops {
		return ErrManyStops
	}
	return nil
}

// stopsIn are the stops of an environment, in order.
func (r *Reconciler) stopsIn(env string) []Stop {
	var list []Stop
	for k, s := range r.stops {
		if k.environment == env {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, byDefinition)
	return list
}

// contentOf names the content of a definition in a version; "" where it has none, or nothing is served.
func contentOf(v *Version, k stopKey) string {
	if v == nil || v.Snapshot.Definitions == nil {
		return ""
	}
	doc, ok := v.Snapshot.Definitions.Document(k.kind, k.key)
	if !ok {
		return ""
	}
	sum := doc.Sum()
	return sum.String()
}

// Resume ends a stop before its file changes.
func (r *Reconciler) Resume(ctx context.Context, asked Resume) (Resume, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := asked.Stop.key()
	var found []Stop
	for _, s := range r.stops {
		if s.Environment == k.environment && s.Key == k.key && (k.kind == "" || k.kind == s.Kind) {
			found = append(found, s)
		}
	}
	switch {
	case len(found) == 0:
		return asked, fmt.Errorf("resume %s in %s: %w", k.key, k.environment, ErrNotStopped)
	case len(found) > 1:
		return asked, fmt.Errorf("resume %s in %s: %w", k.key, k.environment, ErrAmbiguousDefinition)
	}
	asked.Stop, asked.At = found[0], r.o.Now()
	if err := r.recordOrTakeBack(ctx, Events{Resumes: []Resume{asked}}, Events{Stop: &found[0]}); err != nil {
		return asked, fmt.Errorf("resume %s in %s: %w", k.key, k.environment, err)
	}
	delete(r.stops, found[0].key())
	r.settle(r.tip, CauseResume)
	return asked, nil
}

// outdated are the stops whose file has another content in all that their environment may serve: they end. Where what it should serve is not
// at hand, which a later start may find, nobody knows yet.
func (r *Reconciler) outdated(p position, m *memory) []Resume {
	var ended []Resume
	served := r.served(p)
	for k, s := range r.stops {
		if served[k.environment] == nil && (r.pins[k.environment] != nil || !m.gone(p.at, k.environment)) {
			continue
		}
		if contentOf(p.valid[k.environment], k) != s.Content && contentOf(served[k.environment], k) != s.Content {
			ended = append(ended, Resume{Stop: s, By: "change", Reason: "its file changed", At: r.o.Now()})
		}
	}
	slices.SortFunc(ended, func(a, b Resume) int { return byDefinition(a.Stop, b.Stop) })
	return ended
}

// stopping are the stops that count for a version of an environment, in order.
func (r *Reconciler) stopping(env string, v *Version) []Stop {
	return slices.DeleteFunc(r.stopsIn(env), func(s Stop) bool { return contentOf(v, s.key()) != s.Content })
}

func byDefinition(a, b Stop) int {
	return cmp.Or(strings.Compare(a.Environment, b.Environment), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Key, b.Key))
}

// overlay is what was laid over an environment last: the sets as they were compiled, and with its stops.
type overlay struct {
	own, delivered *experiment.Set
	stops          []Stop
	snapshot       *compile.Snapshot
}

// decide gives a version its stops, and what counts conditions that cannot be evaluated. As long as neither its definitions nor its stops
// change, its sets are those of the version before, so that nobody has to be decided about again.
func (r *Reconciler) decide(v *Version, env string, stops []Stop) {
	v.Stops = stops
	if v.Snapshot.Overrides == nil {
		return
	}
	was, own, delivered := r.overlays[env], v.Snapshot.Overrides, v.Snapshot.DeliveredOverrides
	if was.snapshot != nil && own == was.snapshot.Overrides {
		own, delivered = was.own, was.delivered
	}
	if own == was.own && delivered == was.delivered && slices.Equal(stops, was.stops) {
		v.Snapshot = v.Snapshot.WithThose(was.snapshot)
		return
	}
	v.Snapshot = v.Snapshot.With(r.deciding(v, env, stops))
	r.overlays[env] = overlay{own, delivered, stops, v.Snapshot}
}

// deciding are the options of an environment's overrides. The first condition of each definition that cannot be evaluated is told.
func (r *Reconciler) deciding(v *Version, env string, stops []Stop) experiment.Options {
	told, commit := &firsts{}, v.Commit.Hash.Short()
	return experiment.Options{
		Stopped: func(kind experiment.Kind, key string) bool {
			return slices.ContainsFunc(stops, func(s Stop) bool { return s.Kind == kind && s.Key == key })
		},
		Failed: func(kind experiment.Kind, key string, err error) {
			if r.o.Observe.Undecided != nil {
				r.o.Observe.Undecided(env, kind)
			}
			if told.first(kind, key) {
				r.o.Slog.Warn("a condition cannot be evaluated for somebody, who is left out; it is told once", "component", "apply", "env", env,
					"commit", commit, string(kind), key, "err", err)
			}
		},
	}
}

// pinnedSince is when time stopped for an environment; zero where it goes on.
func (r *Reconciler) pinnedSince(env string) time.Time {
	if p := r.pins[env]; p != nil {
		return p.At
	}
	return time.Time{}
}

// stopsRemembered are the stops that stand by what the log knows, oldest first.
func stopsRemembered(log []Remembered) map[stopKey]Stop {
	stops := map[stopKey]Stop{}
	for _, one := range log {
		switch {
		case one.Stop == nil:
		case one.Resumed:
			delete(stops, one.Stop.key())
		default:
			stops[one.Stop.key()] = *one.Stop
		}
	}
	return stops
}

// firsts remembers what was told already.
type firsts struct{ seen sync.Map }

func (f *firsts) first(kind experiment.Kind, key string) bool {
	_, told := f.seen.LoadOrStore(stopKey{kind: kind, key: key}, true)
	return !told
}
