package compile

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/trunkline/trunkline/value"
)

// Layer is one of the layers that make up the values of an environment. Nothing in it is redacted: what people see of it goes through
// [Snapshot.ShownAt].
type Layer struct {
	Environment string // whose overlay it is; "" for the base
	Folder      string // where it is written, as environments/prod
	// Own is what the layer itself says, merge controls as they are written; [value.Empty] when it says nothing.
	Own *value.Value
	// Merged is what there is with the layer laid over those beneath.
	Merged *value.Value

	beneath *value.Value // nil for the base
}

// At tells what the layer does at a path: what it writes there, and where; see [value.Effect].
func (l Layer) At(path value.Path) (own *value.Value, op value.Op, place value.Pos, ok bool) {
	return value.Effect(l.beneath, l.Own, path)
}

// The errors of layers.
var (
	// ErrNoEnvironment is reported for an environment that a tree does not serve.
	ErrNoEnvironment = errors.New("the tree serves no such environment")
	// ErrNotMerged is reported for an environment whose files cannot be read, or do not fit together.
	ErrNotMerged = errors.New("the layers cannot be merged")
)

// Layers tells how the values of an environment come about: the base, then the overlays of those it extends, and its own last, whose
// Merged are the values. The tree is judged no further than its layers need it.
//
// It forgets what [Compiler.Compile] kept of other files: to compile and to explain in turns takes two Compilers.
func (c *Compiler) Layers(ctx context.Context, source Source, tree Hash, env string) ([]Layer, error) {
	return c.LayersAt(ctx, source, tree, env, nil)
}

// LayersAt tells the same of the values at a path and below it, and reads no other files than those that can matter to them (see
// [Manifest.Matters]): of the rest of the tree the layers hold nothing, or not all. A fault elsewhere in the tree goes unseen.
func (c *Compiler) LayersAt(ctx context.Context, source Source, tree Hash, env string, path value.Path) ([]Layer, error) {
	r := c.begin(ctx, source, Against{Settled: AllSettled})
	r.part = &part{env, path}
	if err := r.manifest(tree); err != nil {
		return nil, err
	}
	if !slices.Contains(r.served, env) {
		return nil, fmt.Errorf("%w as %s", ErrNoEnvironment, env)
	}
	r.tree()
	if err := r.decode(ctx); err != nil {
		return nil, err
	}
	var layers []Layer
	if !r.failed(env) {
		laid := r.base()
		r.lay(env, laid)
		layers = append(layers, laid[""])
		for _, link := range r.own.Chain(env) {
			layers = append(layers, laid[link])
		}
	}
	if r.failed(env) {
		return nil, fmt.Errorf("%w in %s: %s", ErrNotMerged, env, r.firstError(env))
	}
	return layers, nil
}

func (r *run) firstError(env string) Problem {
	problems, _ := r.found.list()
	i := slices.IndexFunc(problems, func(p Problem) bool { return p.Severity == Error && p.Touches(env) })
	return problems[i]
}
