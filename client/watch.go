package client

import (
	"context"
	"iter"

	"github.com/trunkline/trunkline/value"
)

// Update is what has changed for one who watches.
type Update struct {
	State *State
	// Values are what the patterns select of it: a map.
	Values *value.Value
	// Changes lead to Values from those of the update before; at first from nothing.
	Changes []value.Change
}

// Watch yields what the patterns select, each with all that is below it, and everything without patterns: at once, as soon as there are
// values, and then after every change of it. It is for a loop of the program's own:
//
//	for update, err := range config.Watch(ctx, "database.**") {
//		if err != nil {
//			return err
//		}
//		pool.Resize(update.State.Int("database.pool.max", 10))
//	}
//
// Whoever is busy misses what lies between and gets the newest, and holds nobody up. An error comes last: that of ctx, that of a pattern
// that cannot be read, or why nothing more will come, which is [ErrClosed] after Close. Nothing is left running when the loop ends.
func (f *Feed) Watch(ctx context.Context, patterns ...string) iter.Seq2[Update, error] {
	return func(yield func(Update, error) bool) {
		selected, err := parsePatterns(patterns)
		if err != nil {
			yield(Update{}, err)
			return
		}
		w := watch{patterns: selected}
		for ctx.Err() == nil {
			wake, ended := f.next()
			if update, changed := w.look(f.State()); changed && !yield(update, nil) {
				return
			}
			if ended != nil {
				yield(Update{}, ended)
				return
			}
			select {
			case <-ctx.Done():
			case <-wake:
			}
		}
		yield(Update{}, ctx.Err())
	}
}

// parsePatterns reads patterns; none means all.
func parsePatterns(texts []string) ([]value.Pattern, error) {
	if len(texts) == 0 {
		texts = []string{"**"}
	}
	return value.ParsePatterns(texts)
}

// watch is what one who watches has seen.
type watch struct {
	patterns []value.Pattern
	all      *value.Value // of the state seen last
	selected *value.Value // of that
}

// look narrows a state, and tells whether anything differs from the one before.
func (w *watch) look(s *State) (Update, bool) {
	if s == nil || s.Values == w.all {
		return Update{}, false
	}
	before := w.selected
	w.selected = value.SelectAgain(s.Values, w.patterns, w.all, before)
	w.all = s.Values
	first := before == nil
	if first {
		before = value.Empty
	}
	changes := value.Diff(before, w.selected)
	return Update{State: s, Values: w.selected, Changes: changes}, first || len(changes) > 0
}
