package history

import (
	"context"
	"slices"

	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
)

// Blame tells of values which commits last changed them.
type Blame struct {
	Entries   []BlameEntry // in the order of paths
	Total     int          // values that were selected
	Truncated bool         // of which not all are told
}

// BlameEntry is one value, which is a scalar, a list or an empty map.
type BlameEntry struct {
	Path  value.Path
	Value *value.Value // as people are shown it
	Place value.Pos    // none where the reader may not know of the environment whose overlay says it
	Origin
}

// Origin is the first-parent commit that last changed something.
type Origin struct {
	Commit gitsync.Commit
	// Older: it was changed before, and this is the oldest commit that was looked at.
	Older bool
}

// Blame finds the newest first-parent commits, from a version back, that changed the effective values of an environment. A commit that
// moves a value between files changes it as little as one whose content cannot be read.
func (h *History) Blame(ctx context.Context, at At, env string, what Selection) (*Blame, error) {
	s, err := h.sight(ctx, at, env, what)
	if err != nil {
		return nil, err
	}
	b := &Blame{}
	var traces []*trace
	leaves(s.values, nil, func(path value.Path, v *value.Value) {
		if b.Total++; b.Total > MaxEntries {
			return
		}
		path = slices.Clone(path)
		b.Entries = append(b.Entries, BlameEntry{Path: path, Value: s.shown(path, v), Place: s.place(what, v)})
		traces = append(traces, newTrace(effective, path, v))
	})
	b.Truncated = b.Total > MaxEntries
	if err := h.trace(ctx, at.Commit.Hash, env, traces); err != nil {
		return nil, err
	}
	origins, err := h.origins(traces)
	if err != nil {
		return nil, err
	}
	for i := range b.Entries {
		b.Entries[i].Origin = origins[i]
	}
	return b, nil
}

// leaves visits what is told as a whole: all but maps with members, and the root.
func leaves(v *value.Value, path value.Path, visit func(value.Path, *value.Value)) {
	if leaf(v) {
		if len(path) > 0 {
			visit(path, v)
		}
		return
	}
	for _, e := range v.Entries() {
		leaves(e.Value, append(path, e.Key), visit)
	}
}

// origins reads the commits that were found, each once.
func (h *History) origins(traces []*trace) ([]Origin, error) {
	read, list := map[gitsync.Hash]gitsync.Commit{}, make([]Origin, len(traces))
	for i, t := range traces {
		c, known := read[t.since]
		if !known {
			var err error
			if c, err = h.o.Mirror.Commit(t.since); err != nil {
				return nil, err
			}
			read[t.since] = c
		}
		list[i] = Origin{Commit: c, Older: t.older}
	}
	return list, nil
}
