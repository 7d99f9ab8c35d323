package history

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
)

// marks are the versions that tell what is sensitive today: what the environment serves, and what is valid there and kept out by a
// pin. Where nothing is live it is what all others tell.
func (h *History) marks(env string) []*compile.Snapshot {
	var own, others []*compile.Snapshot
	add := func(name string, v *apply.Version) {
		if v == nil {
			return
		}
		if others = append(others, v.Snapshot); name == env {
			own = append(own, v.Snapshot)
		}
	}
	for _, name := range h.o.Live.Environments() {
		add(name, h.o.Live.Get(name))
	}
	if h.o.Status != nil {
		for _, e := range h.o.Status().Environments {
			if e.Pin != nil {
				add(e.Name, e.Newest)
			}
		}
	}
	if own != nil {
		return own
	}
	return others
}

// snapshot compiles a version, redacted by its own marks, by its baseline's and by today's. Whoever calls it has the turn to compile.
func (h *History) snapshot(ctx context.Context, v version, marks []*compile.Snapshot) (*compile.Snapshot, error) {
	base, err := h.baseline(ctx, v)
	if err != nil {
		return nil, err
	}
	for _, m := range marks {
		if base == nil {
			base = m
			continue
		}
		base = base.MarkedBy(m)
	}
	if base == nil {
		return h.compiled(ctx, v, nil)
	}
	return h.compiled(ctx, v, compile.Baselines{v.env: base})
}

func (h *History) compiled(ctx context.Context, v version, baselines compile.Baselines) (_ *compile.Snapshot, err error) {
	defer func() {
		if caught(&err, recover()) {
			h.past.compiler = nil // what it kept may be half done
		}
	}()
	tree, err := h.tree(ctx, v.commit)
	if err != nil {
		return nil, err
	}
	if h.past.compiler == nil {
		h.past.compiler = compile.New(h.o.Key)
	}
	result, err := h.past.compiler.Compile(ctx, h.source, compile.Hash(tree), compile.Against{Baselines: baselines, Settled: compile.AllSettled})
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", v.commit.Short(), err)
	}
	if s := result.Snapshots[v.env]; s != nil {
		return s, nil
	}
	for _, p := range result.Problems {
		if p.Severity == compile.Error && p.Touches(v.env) {
			return nil, &UnfitError{v.commit, v.env, p}
		}
	}
	return nil, fmt.Errorf("%w: version %s does not serve %s", ErrNoEnvironment, v.commit.Short(), v.env)
}

// caught makes an error of a fault of ours that a repository brings out: it ends one answer and never the server.
func caught(err *error, fault any) bool {
	if fault != nil {
		*err = fmt.Errorf("this is a fault of the server, please report it: %v\n%s", fault, debug.Stack())
	}
	return fault != nil
}

// tree is the folder of the config repo in a commit; the empty tree where it has none.
func (h *History) tree(ctx context.Context, commit gitsync.Hash) (gitsync.Hash, error) {
	var tree gitsync.Hash
	err := h.chain.Walk(ctx, commit, func(s gitsync.Step) bool {
		tree = s.Tree
		return false
	})
	return tree, err
}

// baseline is the version that a commit was judged against, for its marks. Where the log does not know it, it is the nearest ancestor
// that compiles.
func (h *History) baseline(ctx context.Context, v version) (*compile.Snapshot, error) {
	hash, known, err := h.o.Log.Baseline(ctx, v.commit, v.env)
	switch {
	case err != nil:
		return nil, fmt.Errorf("baseline of %s: %w", v.commit.Short(), err)
	case known:
		return h.readable(ctx, version{hash, v.env})
	}
	for range maxAncestors {
		c, err := h.o.Mirror.Commit(v.commit)
		if err != nil || len(c.Parents) == 0 {
			return nil, err
		}
		v.commit = c.Parents[0]
		if s, err := h.readable(ctx, v); s != nil || err != nil {
			return s, err
		}
	}
	return nil, nil
}

// readable compiles a version; nil where that cannot be done, or there is none.
func (h *History) readable(ctx context.Context, v version) (*compile.Snapshot, error) {
	if v.commit.IsZero() {
		return nil, nil
	}
	s, err := h.compiled(ctx, v, nil)
	var unfit *UnfitError
	if errors.Is(err, gitsync.ErrNotFound) || errors.Is(err, ErrNoEnvironment) || errors.As(err, &unfit) {
		return nil, nil
	}
	return s, err
}
