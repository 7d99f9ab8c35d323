package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
)

// trace finds the commits that last changed things in an environment, from a version back.
func (h *History) trace(ctx context.Context, head gitsync.Hash, env string, traces []*trace) error {
	return h.traceFor(ctx, h.patience, head, env, traces)
}

// traceFor does so for a while.
func (h *History) traceFor(ctx context.Context, patience time.Duration, head gitsync.Hash, env string, traces []*trace) (err error) {
	for _, t := range traces {
		t.open, t.since, t.equal = true, head, true
	}
	if h.blames.recall(version{head, env}, traces); settled(traces) {
		return nil
	}
	release, err := h.walks.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	defer func() { caught(&err, recover()) }()
	w := &walk{h: h, ctx: ctx, env: env, traces: traces, groups: h.grouped(traces), deadline: time.Now().Add(patience)}
	err = errors.Join(h.chain.Walk(ctx, head, w.step), w.err)
	if err != nil {
		return fmt.Errorf("walk down from %s: %w", head.Short(), err)
	}
	w.end()
	h.blames.remember(version{head, env}, traces)
	return nil
}

func settled(traces []*trace) bool {
	return !slices.ContainsFunc(traces, func(t *trace) bool { return t.open })
}

// walk goes down the history. A commit can only have changed something if it changed a file that matters to it: the trees between two
// such commits are not read, and of the others no more than such files.
type walk struct {
	h        *History
	ctx      context.Context
	env      string
	traces   []*trace
	groups   []*group
	deadline time.Time

	reached  gitsync.Step
	manifest *compile.Manifest // of the commit that was reached
	steps    int
	news     bool // a commit was looked at that no earlier walk had come to
	err      error
}

// group are traces that are read together, because they stand in one file or at one path.
type group struct {
	traces   []*trace
	path     value.Path // what they have in common
	compiler *compile.Compiler
	due      bool // what the commit that was reached had before it is to be read
}

func (h *History) grouped(traces []*trace) []*group {
	byFile := map[string]*group{}
	for _, t := range traces {
		g := byFile[t.file()]
		if g == nil {
			g = &group{path: t.at, compiler: compile.New(h.o.Key)}
			byFile[t.file()] = g
		}
		g.traces, g.path = append(g.traces, t), common(g.path, t.at)
	}
	var groups []*group
	for _, g := range byFile {
		groups = append(groups, g)
	}
	if len(groups) <= maxGroups {
		return groups
	}
	all := &group{traces: traces, path: groups[0].path, compiler: groups[0].compiler}
	for _, g := range groups {
		all.path = common(all.path, g.path)
	}
	return []*group{all}
}

// common is how far two paths go together.
func common(a, b value.Path) value.Path {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return a[:n]
}

func (g *group) follows() bool { return slices.ContainsFunc(g.traces, (*trace).follows) }

// unread tells whether the commit that was reached cannot be read: any file may be why.
func (g *group) unread() bool {
	return slices.ContainsFunc(g.traces, func(t *trace) bool { return t.follows() && !t.equal })
}

// step looks at the next older commit, and tells whether to go on.
func (w *walk) step(s gitsync.Step) bool {
	w.news = w.news || w.steps > 0 && slices.ContainsFunc(w.traces, (*trace).follows)
	if w.err = w.read(s); w.err != nil {
		return false
	}
	if w.err = w.reach(s); w.err != nil {
		return false
	}
	for _, t := range w.traces {
		if t.follows() && t.equal {
			t.since = s.Commit
		}
	}
	w.h.blames.recall(version{s.Commit, w.env}, w.traces)
	for _, t := range w.traces {
		if t.open && t.until == s.Commit {
			t.until, t.older = gitsync.Hash{}, false
		}
	}
	if settled(w.traces) || w.steps >= MaxWalked || w.news && time.Now().After(w.deadline) {
		return false
	}
	for _, g := range w.groups {
		g.due = g.follows() && (g.unread() || w.touches(g.path))
	}
	return true
}

// reach goes on to a commit. Its manifest is that of the one above, unless that one changed it.
func (w *walk) reach(s gitsync.Step) (err error) {
	above := w.reached
	w.reached, w.steps = s, w.steps+1
	changed := func(f gitsync.FileChange) bool { return f.Path == compile.ManifestFile }
	if w.manifest == nil || above.Many || slices.ContainsFunc(above.Files, changed) {
		w.manifest, err = compile.New(w.h.o.Key).Manifest(w.ctx, w.h.parts, compile.Hash(s.Tree))
	}
	return err
}

// touches tells whether the commit that was reached may have changed what stands at a path or below it.
func (w *walk) touches(path value.Path) bool {
	return w.reached.Many || slices.ContainsFunc(w.reached.Files, func(f gitsync.FileChange) bool { return w.manifest.Matters(f.Path, w.env, path) })
}

// read holds what is due against the tree below the commit that was reached.
func (w *walk) read(s gitsync.Step) error {
	for _, g := range w.groups {
		if !g.due {
			continue
		}
		layers, readable, err := w.layers(g, s.Tree, g.path)
		if err != nil {
			return err
		}
		for _, t := range g.traces {
			if readable || len(g.traces) == 1 {
				t.compare(s.Commit, layers, readable)
			} else if err := w.alone(g, t, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// alone holds one trace against a tree that cannot be read with all of its group, because the fault may lie beside it. If the commit that
// was reached did not touch it, that fault is no news.
func (w *walk) alone(g *group, t *trace, s gitsync.Step) error {
	if !t.follows() || t.equal && !w.touches(t.at) {
		return nil
	}
	layers, readable, err := w.layers(g, s.Tree, t.at)
	if err == nil {
		t.compare(s.Commit, layers, readable)
	}
	return err
}

// layers are those of a tree at a path; they are not readable where they cannot be merged.
func (w *walk) layers(g *group, tree gitsync.Hash, path value.Path) (list []compile.Layer, readable bool, err error) {
	list, err = g.compiler.LayersAt(w.ctx, w.h.parts, compile.Hash(tree), w.env, path)
	var tooLarge *gitsync.TooLargeError
	switch {
	case errors.Is(err, compile.ErrNotMerged), errors.As(err, &tooLarge):
		return nil, false, nil
	case errors.Is(err, compile.ErrNoEnvironment):
		return nil, true, nil
	}
	return list, err == nil, err
}

// end settles what was not found: it is as old as history, or older than what was looked at.
func (w *walk) end() {
	for _, t := range w.traces {
		switch {
		case !t.open:
		case w.reached.Parent.IsZero():
			t.open = false
		case w.steps >= MaxWalked:
			t.open, t.older, t.until = false, true, gitsync.Hash{}
		case t.until.IsZero():
			t.older, t.until = true, w.reached.Commit
		default:
			t.older = true
		}
	}
}
