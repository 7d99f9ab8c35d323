package api

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
)

// reader is somebody who reads records, within what one request may look up.
type reader struct {
	*api
	ctx    context.Context
	who    *access.Identity
	beyond *beyond
	left   int // versions that may still be looked into
}

func (a *api) reader(ctx context.Context, who *access.Identity) *reader {
	return &reader{api: a, ctx: ctx, who: who, beyond: a.beyond(who), left: maxLookedInto}
}

// changesSeen are the changes of a record that the reader may know of.
func (d *reader) changesSeen(r *audit.CommitRecord, may access.Scope) []apply.Change {
	var seen []apply.Change
	for _, c := range r.Changes {
		path, err := value.ParsePath(c.Path)
		switch {
		case err != nil:
		case may.Sees(path):
			seen = append(seen, c)
		default:
			seen = append(seen, d.within(r, path, may)...)
		}
	}
	return seen
}

// within is what the reader may know of a map that came or went as a whole: the paths below it at which something did that the reader
// sees, without a digest. The versions themselves are looked into for them, because the record does not tell.
func (d *reader) within(r *audit.CommitRecord, path value.Path, may access.Scope) []apply.Change {
	reached := slices.ContainsFunc(d.who.Grant.Patterns(), func(p value.Pattern) bool { return reaches(p, path) })
	if !reached || d.o.History == nil || r.Baseline == nil {
		return nil
	}
	key := withinKey{r.Commit, *r.Baseline, r.Environment, d.who.Grant.Key(), path.String()}
	if known, ok := d.withins.get(key); ok {
		return known
	}
	if d.left--; d.left < 0 {
		return nil
	}
	paths, err := d.o.History.Changed(d.ctx, r.Environment, *r.Baseline, r.Commit, path, may.Sees)
	if err != nil {
		return nil // what cannot be looked into stays untold; the next request tries again
	}
	var changes []apply.Change
	for _, p := range paths {
		changes = append(changes, apply.Change{Path: p.String()})
	}
	d.withins.put(key, changes)
	return changes
}

// reaches tells whether a pattern may select something below a path: whether its first segments, up to a wildcard, lead there.
func reaches(p value.Pattern, path value.Path) bool {
	literal, _, _ := strings.Cut(p.String(), "*")
	prefix, err := value.ParsePath(strings.TrimSuffix(literal, "."))
	n := min(len(prefix), len(path))
	return err != nil || slices.Equal(prefix[:n], path[:n]) // a * in quotes may have cut it anywhere
}

// withins keeps what was looked up.
type withins struct {
	mu   sync.Mutex
	kept map[withinKey][]apply.Change
}

type withinKey struct {
	commit, baseline gitsync.Hash
	env, grant, path string
}

func (w *withins) get(key withinKey) (changes []apply.Change, known bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	changes, known = w.kept[key]
	return changes, known
}

func (w *withins) put(key withinKey, changes []apply.Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.kept) >= maxWithins || w.kept == nil {
		w.kept = map[withinKey][]apply.Change{}
	}
	w.kept[key] = changes
}

// lineageSeen is what a reader may know of what a commit takes back; nil where that is about other paths alone.
func lineageSeen(l *audit.LineageRecord, may access.Scope) *audit.LineageRecord {
	if l == nil || len(l.Paths) == 0 {
		return l
	}
	seen := *l
	seen.Paths = slices.DeleteFunc(slices.Clone(l.Paths), func(text string) bool {
		path, err := value.ParsePath(text)
		return err != nil || !may.Sees(path)
	})
	if len(seen.Paths) == 0 {
		return nil
	}
	return &seen
}
