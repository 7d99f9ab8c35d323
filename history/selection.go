package history

import (
	"context"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/value"
)

// Selection is what of a tree an answer is about.
type Selection struct {
	// See is what the reader may see of a tree; nil: all of it.
	See func(*value.Value) *value.Value
	// Patterns select what is asked for; none: everything.
	Patterns []value.Pattern
}

func (s Selection) of(root *value.Value) *value.Value {
	if s.See != nil {
		root = s.See(root)
	}
	if len(s.Patterns) == 0 {
		return root
	}
	return value.Select(root, s.Patterns)
}

// sight is what is selected of a version: the values themselves, which decide what differs. People are shown them through shown.
type sight struct {
	snapshot *compile.Snapshot // nil for a version without the environment
	values   *value.Value
}

func (h *History) sight(ctx context.Context, at At, env string, what Selection) (sight, error) {
	s, err := h.Snapshot(ctx, at.Commit.Hash, env)
	if err != nil {
		return sight{nil, value.Empty}, err
	}
	return sight{s, what.of(s.Values)}, nil
}

// shown is a value at a path as people may see it; nil where there is none.
func (s sight) shown(path value.Path, v *value.Value) *value.Value {
	if v == nil {
		return nil
	}
	return s.snapshot.ShownAt(path, v)
}

// place is where a value stands, or, for the map of a folder, which stands in no file, the first value below it that does. A map of
// which the reader may not see all stands where the first of it does that is seen: its own place may tell of another file.
func (s Selection) place(v *value.Value) value.Pos {
	for v != nil && v.Kind() == value.Map && v.Len() > 0 && (s.See != nil || v.Pos().File == "") {
		v = v.Entries()[0].Value
	}
	if v == nil {
		return value.Pos{}
	}
	return v.Pos()
}

// allowance bounds what one answer holds: how many things, and how many values in all of them.
type allowance struct{ count, weight int }

// take tells whether there is room for one thing more. Nothing finds room after something did not.
func (a *allowance) take(values ...*value.Value) bool {
	if a.count <= 0 || a.weight <= 0 {
		a.count = 0
		return false
	}
	a.count--
	for _, v := range values {
		if v != nil {
			a.weight -= v.Weight()
		}
	}
	return true
}
