package history

import (
	"context"
	"errors"
	"slices"

	"github.com/trunkline/trunkline/value"
)

// Matrix sets the environments beside each other.
type Matrix struct {
	Sides []Side // that are compared
	// Unfit are environments of which the version does not compile, and which nobody named.
	Unfit     []string
	Rows      []Row // where they differ, in the order of paths
	Total     int
	Truncated bool
}

// Row is what stands at a path, in the order of the sides: a scalar, a list or an empty map, or nil where nothing of the kind does.
type Row struct {
	Path   value.Path
	Values []*value.Value
}

// Matrix compares environments at versions. One of which the version does not compile is left out if there is a second one that does, and
// lenient says so.
func (h *History) Matrix(ctx context.Context, sides []Side, lenient bool, what Selection) (*Matrix, error) {
	m := &Matrix{}
	var sights []sight
	var unfit *UnfitError
	for _, side := range sides {
		s, err := h.sight(ctx, side.At, side.Environment, what)
		switch {
		case lenient && errors.As(err, &unfit):
			m.Unfit = append(m.Unfit, side.Environment)
			continue
		case lenient && errors.Is(err, ErrNoEnvironment):
			continue
		case err != nil:
			return nil, err
		}
		m.Sides, sights = append(m.Sides, side), append(sights, s)
	}
	w := &weaver{sights: sights, matrix: m, room: allowance{MaxPaths, maxAnswerWeight}}
	roots := make([]*value.Value, len(sights))
	for i, s := range sights {
		if s.values.Len() > 0 { // a tree of which nothing is selected is no empty map that stands at the root
			roots[i] = s.values
		}
	}
	w.walk(roots)
	m.Truncated = len(m.Rows) < m.Total
	return m, nil
}

// weaver walks down several trees at a time.
type weaver struct {
	sights []sight
	matrix *Matrix
	path   value.Path
	room   allowance
}

// walk lists what differs at a path and below. Where nothing stands, there is nil.
func (w *weaver) walk(at []*value.Value) {
	if len(at) < 2 || !slices.ContainsFunc(at[1:], func(v *value.Value) bool { return !value.Equal(v, at[0]) }) {
		return
	}
	if slices.ContainsFunc(at, leaf) {
		w.row(at)
	}
	for _, key := range keys(at) {
		below := make([]*value.Value, len(at))
		for i, v := range at {
			below[i] = member(v, key)
		}
		w.path = append(w.path, key)
		w.walk(below)
		w.path = w.path[:len(w.path)-1]
	}
}

// leaf tells whether a value is told as a whole: all are but maps with members.
func leaf(v *value.Value) bool { return v != nil && (v.Kind() != value.Map || v.Len() == 0) }

func (w *weaver) row(at []*value.Value) {
	w.matrix.Total++
	row := Row{Path: slices.Clone(w.path), Values: make([]*value.Value, len(at))}
	for i, v := range at {
		if leaf(v) {
			row.Values[i] = w.sights[i].shown(w.path, v)
		}
	}
	if w.room.take(row.Values...) {
		w.matrix.Rows = append(w.matrix.Rows, row)
	}
}

// keys are those of all the maps.
func keys(at []*value.Value) []string {
	var all []string
	for _, v := range at {
		if v == nil || v.Kind() != value.Map {
			continue
		}
		for _, e := range v.Entries() {
			all = append(all, e.Key)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
