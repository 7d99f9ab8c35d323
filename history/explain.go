package history

import (
	"context"
	"fmt"
	"slices"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
)

// Explanation tells how what stands at a path came about.
type Explanation struct {
	Value *value.Value // as people are shown it; nil where a layer took it away, or where it is too large
	Steps []ExplainStep
	// Truncated: values that are too large are left out.
	Truncated bool
}

// ExplainStep is what one layer does at the path.
type ExplainStep struct {
	Environment string // whose layer it is; "" for the base
	Folder      string // empty, as the place is, where the reader may not know of the environment whose layer it is
	Place       value.Pos
	Op          value.Op
	Value       *value.Value // what the layer itself says, as people are shown it; nil for a deletion, and of what is too large
	Effective   bool         // what stands there in the end, or some of it, is this layer's; or it is this layer's doing that nothing does
	Origin                   // of what the layer says
}

// Explain tells what the layers of an environment do at a path, the base first, and which commit last changed what each of them says.
// [ErrNothing] where none does anything that the reader sees.
func (h *History) Explain(ctx context.Context, at At, env string, path value.Path, what Selection) (*Explanation, error) {
	snapshot, err := h.Snapshot(ctx, at.Commit.Hash, env)
	if err != nil {
		return nil, err
	}
	layers, err := h.layers(ctx, at.Commit.Hash, env, path)
	if err != nil {
		return nil, err
	}
	e := &explainer{snapshot: snapshot, path: path, what: what}
	for _, l := range layers {
		e.layer(l)
	}
	if len(e.steps) == 0 {
		return nil, fmt.Errorf("%s: %w", path, ErrNothing)
	}
	if err := h.trace(ctx, at.Commit.Hash, env, e.traces); err != nil {
		return nil, err
	}
	origins, err := h.origins(e.traces)
	if err != nil {
		return nil, err
	}
	return e.answer(origins), nil
}

// layers are those of a version, as far as they matter to a path.
func (h *History) layers(ctx context.Context, commit gitsync.Hash, env string, path value.Path) ([]compile.Layer, error) {
	release, err := h.walks.take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	return h.layersAt(ctx, compile.New(h.o.Key), commit, env, path)
}

func (h *History) layersAt(ctx context.Context, c *compile.Compiler, commit gitsync.Hash, env string, path value.Path) (list []compile.Layer, err error) {
	defer func() { caught(&err, recover()) }()
	tree, err := h.tree(ctx, commit)
	if err != nil {
		return nil, err
	}
	return c.LayersAt(ctx, h.parts, compile.Hash(tree), env, path)
}

// explainer puts an explanation together, layer by layer.
type explainer struct {
	snapshot *compile.Snapshot
	path     value.Path
	what     Selection

	steps  []ExplainStep
	owns   []*value.Value // what the layers say, as far as the reader sees it
	traces []*trace
	stands *value.Value // what stands at the path with the layers so far, as far as the reader sees it
}

// layer adds what one layer does, if it does anything that the reader sees.
func (e *explainer) layer(l compile.Layer) {
	beneath := e.stands
	e.stands = e.see(l.Merged)
	whole, op, place, ok := l.At(e.path)
	if !ok {
		return
	}
	var own *value.Value
	if whole != nil {
		own = e.see(l.Own)
	}
	switch {
	case own == nil && (beneath == nil || op == value.OpMerge || op == value.OpSet):
		return // all this is about what the reader does not see
	case own != nil && !value.Equal(own, whole):
		place = e.what.place(overlaysOf(e.snapshot), own)
		if beneath == nil {
			op = value.OpSet
		}
	}
	e.steps = append(e.steps, ExplainStep{Environment: l.Environment, Folder: l.Folder, Place: place, Op: op})
	e.owns = append(e.owns, own)
	e.traces = append(e.traces, e.follow(l, own))
}

// see is what the reader sees at the path of a tree; nil where that is nothing.
func (e *explainer) see(root *value.Value) *value.Value {
	v, ok := e.what.of(root).At(e.path)
	if whole, _ := root.At(e.path); !ok || v.Len() == 0 && whole.Len() > 0 {
		return nil
	}
	return v
}

// follow traces what the layer says there, as far as the reader sees it, or what takes away what the layers beneath say.
func (e *explainer) follow(l compile.Layer, own *value.Value) *trace {
	at := e.path
	if own == nil {
		at, own = taker(l.Own, e.path)
	}
	t := newTrace(l.Environment, at, own)
	if whole, ok := l.Own.At(at); !ok || !value.Equal(whole, own) {
		t.narrow(e.what)
	}
	return t
}

// taker is what of an overlay takes away what is beneath it at a path: the last merge control on the way, or the list or scalar that
// the way ends at.
func taker(own *value.Value, path value.Path) (at value.Path, found *value.Value) {
	for i := 0; ; i++ {
		if control, ok := own.Get(value.PatchKey); ok {
			at, found = append(path[:i:i], value.PatchKey), control
		}
		if i == len(path) {
			return at, found
		}
		next, ok := own.Step(path[i])
		if !ok && own.Kind() != value.Map {
			return path[:i:i], own
		}
		if !ok {
			return at, found
		}
		own = next
	}
}

func (e *explainer) answer(origins []Origin) *Explanation {
	out := &Explanation{Steps: e.steps}
	show := func(v *value.Value) *value.Value {
		if v == nil {
			return nil
		}
		if v.Weight() > maxShownWeight {
			out.Truncated = true
			return nil
		}
		return e.snapshot.ShownAt(e.path, v)
	}
	for i := range out.Steps {
		step := &out.Steps[i]
		step.Value, step.Origin, step.Effective = show(e.owns[i]), origins[i], contributes(e.owns[i], e.stands)
	}
	if !slices.ContainsFunc(out.Steps, func(s ExplainStep) bool { return s.Effective }) || e.stands == nil {
		out.Steps[len(out.Steps)-1].Effective = true // its doing is that nothing stands there, or an empty map
	}
	out.Value = show(e.stands)
	out.Steps = e.known(out.Steps)
	return out
}

// known are the steps as far as the reader may know of their environments. What one beyond that does is left out, or, where it counts,
// told as if the environment that was asked about did it.
func (e *explainer) known(steps []ExplainStep) []ExplainStep {
	var known []ExplainStep
	for _, step := range steps {
		if step.Environment != "" && !e.what.knows(step.Environment) {
			if !step.Effective {
				continue
			}
			step.Environment, step.Folder, step.Place = e.snapshot.Environment, "", value.Pos{}
		}
		known = append(known, step)
	}
	return known
}

// contributes tells whether something of what a layer says is there in the end.
func contributes(own, stands *value.Value) bool {
	if own == nil || stands == nil || own == stands {
		return own != nil && own == stands
	}
	for _, e := range own.Entries() {
		if below, ok := stands.Step(e.Key); ok && own.Kind() == value.Map && contributes(e.Value, below) {
			return true
		}
	}
	return false
}
