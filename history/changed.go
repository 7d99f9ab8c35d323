package history

import (
	"context"
	"slices"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
)

// Changed are the first paths at or below one at which two versions differ, of those that sees tells a reader may see: what is left of
// a map that came or went as a whole. No more of the versions is read than that takes.
func (h *History) Changed(ctx context.Context, env string, from, to gitsync.Hash, below value.Path, sees func(value.Path) bool) ([]value.Path, error) {
	release, err := h.walks.take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	compiler := compile.New(h.o.Key)
	var sides [2]*value.Value
	for i, commit := range []gitsync.Hash{from, to} {
		layers, err := h.layersAt(ctx, compiler, commit, env, below)
		if err != nil {
			return nil, err
		}
		sides[i], _ = layers[len(layers)-1].Merged.At(below)
	}
	f := &finder{sees: sees, path: slices.Clone(below)}
	f.walk(sides[0], sides[1])
	return f.found, nil
}

// finder walks down two trees to what differs and is seen.
type finder struct {
	sees  func(value.Path) bool
	path  value.Path
	found []value.Path
}

func (f *finder) walk(old, now *value.Value) {
	if value.Equal(old, now) || len(f.found) == maxChanged {
		return
	}
	both := []*value.Value{old, now}
	maps := !slices.ContainsFunc(both, func(v *value.Value) bool { return v == nil || v.Kind() != value.Map })
	if !maps && f.sees(f.path) {
		f.found = append(f.found, slices.Clone(f.path))
		return
	}
	for _, key := range keys(both) {
		f.path = append(f.path, key)
		f.walk(member(old, key), member(now, key))
		f.path = f.path[:len(f.path)-1]
	}
}

// member is what a map holds under a key; nil where there is none.
func member(v *value.Value, key string) *value.Value {
	if v == nil {
		return nil
	}
	below, _ := v.Get(key)
	return below
}
