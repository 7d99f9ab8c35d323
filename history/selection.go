package history

import (
	"context"
	"strings"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/value"
)

// Selection is what of a tree an answer is about.
type Selection struct {
	// See is what the reader may see of a tree; nil: all of it.
	See func(*value.Value) *value.Value
	// Sight names what See shows: two that have the same name show the same of any tree. What is found for a See without a name is
	// not remembered.
	Sight string
	// Knows tells of which environments the reader may know; nil: of all. What one that he may not know of says is told where it counts,
	// and not where it stands: there may be such ones beneath any environment.
	Knows func(env string) bool
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

// place is where a value at hand stands, as far as the reader may know. Of a version without the environment there is none.
func (s sight) place(what Selection, v *value.Value) value.Pos {
	if v == nil {
		return value.Pos{}
	}
	return what.place(overlaysOf(s.snapshot), v)
}

// overlaysOf is the folder in which a version has those of the environments.
func overlaysOf(s *compile.Snapshot) string { return s.Manifest.Directories.Environments }

// shown is a value at a path as people may see it; nil where there is none.
func (s sight) shown(path value.Path, v *value.Value) *value.Value {
	if v == nil {
		return nil
	}
	return s.snapshot.ShownAt(path, v)
}

// knows tells whether the reader may know of an environment.
func (s Selection) knows(env string) bool { return s.Knows == nil || s.Knows(env) }

// place is where a value of a version stands, or, for the map of a folder, which stands in no file, the first value below it that does.
// A map of which the reader may not see all stands where the first of it does that is seen: its own place may tell of another file.
// What the overlay of an environment says that the reader may not know of, in its folder among the overlays, stands nowhere.
func (s Selection) place(overlays string, v *value.Value) value.Pos {
	for v != nil && v.Kind() == value.Map && v.Len() > 0 && (s.See != nil || v.Pos().File == "") {
		v = v.Entries()[0].Value
	}
	if v == nil {
		return value.Pos{}
	}
	at := v.Pos()
	if below, ok := strings.CutPrefix(at.File, overlays+"/"); ok {
		if env, _, _ := strings.Cut(below, "/"); !s.knows(env) {
			return value.Pos{}
		}
	}
	return at
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
