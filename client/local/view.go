package local

import (
	"context"
	"iter"
	"time"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// View is what somebody has at one moment. It is immutable, and read as a [client.Reader]: a read decides about those definitions alone that
// set what is read, takes no lock, and asks nobody.
type View struct {
	source   *Source
	resolver *Resolver // nil before the first version
	who      experiment.Context
	at       time.Time
}

var _ client.Reader = (*View)(nil)

func (v *View) now() time.Time { return v.resolver.clock(v.at) }

// one is a state of what stands at a path alone, as its root.
func (v *View) one(path string) client.State {
	if v.resolver == nil {
		return client.State{}
	}
	found, ok := v.resolver.at(&v.who, v.now(), path)
	if !ok {
		return client.State{}
	}
	return client.State{Values: found}
}

// Get finds a value. It is not found where nothing stands, or where what stands is redacted.
func (v *View) Get(path string) (*value.Value, bool) {
	s := v.one(path)
	return s.Get("")
}

// String reads a string, or the default where there is none.
func (v *View) String(path, otherwise string) string {
	s := v.one(path)
	return s.String("", otherwise)
}

// Int reads an integer, or the default where there is none.
func (v *View) Int(path string, otherwise int64) int64 {
	s := v.one(path)
	return s.Int("", otherwise)
}

// Float reads a number, integers included, or the default where there is none.
func (v *View) Float(path string, otherwise float64) float64 {
	s := v.one(path)
	return s.Float("", otherwise)
}

// Bool reads a boolean, or the default where there is none.
func (v *View) Bool(path string, otherwise bool) bool {
	s := v.one(path)
	return s.Bool("", otherwise)
}

// Duration reads a duration written like 90s or 7d, or the default where there is none.
func (v *View) Duration(path string, otherwise time.Duration) time.Duration {
	s := v.one(path)
	return s.Duration("", otherwise)
}

// Decode reads a value into what target points to, as [value.Decode] does.
func (v *View) Decode(path string, target any) error { return value.Decode(v.part(path), path, target) }

// Get reads a value into a Go type as [value.Get] does: the default where there is none, and an error, with the path, where there is something
// else.
func Get[T any](v *View, path string, otherwise T) (T, error) {
	return value.Get(v.part(path), path, otherwise)
}

func (v *View) part(path string) *value.Value {
	if v.resolver == nil {
		return nil
	}
	return v.resolver.part(&v.who, v.now(), path)
}

// State is all values and assignments together; nil before the first version. It decides about every definition, so make it only where
// everything is needed.
func (v *View) State() *client.State {
	if v.resolver == nil {
		return nil
	}
	return v.resolver.State(&v.who, v.at)
}

// Assignments are the variants of experiments that somebody has, in the order of the experiments' keys.
func (v *View) Assignments() []client.Assignment {
	if v.resolver == nil || v.resolver.set == nil {
		return nil
	}
	return assignments(v.resolver.set, v.resolver.choices(&v.who, v.now()))
}

// Explain tells check by check why somebody is in a rollout or an experiment or not. It is not ok where none of the name is known here.
func (v *View) Explain(kind experiment.Kind, key string) (x experiment.Explanation, ok bool) {
	if v.resolver == nil || v.resolver.set == nil {
		return experiment.Explanation{}, false
	}
	return v.resolver.set.Explain(&v.who, v.now(), kind, key)
}

// Stale tells whether the values may be older than what is live, and since when.
func (v *View) Stale() (since time.Time, stale bool) { return v.source.Stale() }

// Watch yields what the patterns select for whom the View is of, now and after every change, as [client.Feed.Watch] does: changes of values, of
// definitions, and of what time brings. The View itself stays as it is.
func (v *View) Watch(ctx context.Context, patterns ...string) iter.Seq2[client.Update, error] {
	return func(yield func(client.Update, error) bool) {
		if len(patterns) == 0 {
			patterns = []string{"**"}
		}
		selected, err := value.ParsePatterns(patterns)
		if err != nil {
			yield(client.Update{}, err)
			return
		}
		w := watch{source: v.source, who: v.who, patterns: selected}
		if err := w.run(ctx, yield); err != nil {
			yield(client.Update{}, err)
		}
	}
}

// watch is what one who watches has seen.
type watch struct {
	source   *Source
	who      experiment.Context
	patterns []value.Pattern
	selected *value.Value // nil before the first
}

// run yields until the loop or ctx ends, or nothing more will come, which it returns.
func (w *watch) run(ctx context.Context, yield func(client.Update, error) bool) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		wake, ended := w.source.next()
		now := time.Now()
		r := w.source.current.Load()
		if update, changed := w.look(r, now); changed && !yield(update, nil) {
			return nil
		}
		if ended != nil {
			return ended
		}
		timer.Stop()
		if r != nil {
			if at, ok := r.Next(now); ok {
				timer.Reset(time.Until(at))
			}
		}
		select {
		case <-ctx.Done():
		case <-wake:
		case <-timer.C:
		}
	}
	return ctx.Err()
}

func (w *watch) look(r *Resolver, now time.Time) (client.Update, bool) {
	if r == nil {
		return client.Update{}, false
	}
	s := r.State(&w.who, now)
	before, first := w.selected, w.selected == nil
	if first {
		before = value.Empty
	}
	w.selected = value.Select(s.Values, w.patterns)
	changes := value.Diff(before, w.selected)
	return client.Update{State: s, Values: w.selected, Changes: changes}, first || len(changes) > 0
}
