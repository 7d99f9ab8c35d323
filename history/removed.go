package history

import (
	"context"
	"errors"
	"strings"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
)

// Removal tells where to what stood at a path went.
type Removal struct {
	Origin // the commit that took it away; where nothing was found, the oldest that was looked at
	// Last is the newest version that has it; nil where none was found.
	Last *gitsync.Commit
	// Place is where it stands in that version, and Taker what of the overlays took it away, where that was one; neither is told of an
	// environment that the reader may not know of.
	Place, Taker value.Pos
}

// Removed finds the commit that took away what stood at a path where nothing does. It looks at no more commits than [History.Blame], and
// not for long: a mistyped path must not keep others waiting. The next call goes on where one stopped.
func (h *History) Removed(ctx context.Context, at At, env string, path value.Path, what Selection) (*Removal, error) {
	t := newTrace(effective, path, nil)
	if what.See != nil {
		t.narrow(what)
	}
	if err := h.traceFor(ctx, h.brevity, at.Commit.Hash, env, []*trace{t}); err != nil {
		return nil, err
	}
	origins, err := h.origins([]*trace{t})
	if err != nil {
		return nil, err
	}
	r := &Removal{Origin: origins[0]}
	if t.before.IsZero() {
		return r, nil
	}
	last, err := h.o.Mirror.Commit(t.before)
	if err != nil {
		return nil, err
	}
	r.Last = &last
	return r, h.placed(ctx, r, env, path, what)
}

// placed tells where something stood before it was taken away, and what took it.
func (h *History) placed(ctx context.Context, r *Removal, env string, path value.Path, what Selection) error {
	before, err := h.layers(ctx, r.Last.Hash, env, path)
	if err != nil {
		return err
	}
	top := before[len(before)-1]
	if v, ok := what.of(top.Merged).At(path); ok {
		r.Place = what.place(strings.TrimSuffix(top.Folder, "/"+env), v)
	}
	after, err := h.layers(ctx, r.Commit.Hash, env, path)
	if errors.Is(err, compile.ErrNoEnvironment) || errors.Is(err, compile.ErrNotMerged) {
		return nil // then no overlay took it
	}
	for _, l := range after {
		if own, _, place, ok := l.At(path); ok && own == nil && what.knows(l.Environment) {
			r.Taker = place
		}
	}
	return err
}
