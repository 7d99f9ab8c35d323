package history

import (
	"context"
	"errors"

	"github.com/trunkline/trunkline/value"
)

// Side is one side of a difference.
type Side struct {
	At
	Environment string
}

// Change is one value that differs. Old is nil where it was added, New where it was removed; places are those of the values themselves,
// as far as the reader may know of them.
type Change struct {
	value.Change
	OldPlace, NewPlace value.Pos
}

// Diff is what leads from one side to the other.
type Diff struct {
	Changes []Change // in the order of paths
	Total   int
	// Truncated: not all of them are listed.
	Truncated bool
}

// Diff compares an environment at a version with one at another. A side without the environment has no values, if the other has it.
func (h *History) Diff(ctx context.Context, from, to Side, what Selection) (*Diff, error) {
	old, oldErr := h.sight(ctx, from.At, from.Environment, what)
	if oldErr != nil && !errors.Is(oldErr, ErrNoEnvironment) {
		return nil, oldErr
	}
	now, err := h.sight(ctx, to.At, to.Environment, what)
	if err != nil && (oldErr != nil || !errors.Is(err, ErrNoEnvironment)) {
		return nil, err
	}
	changes := value.Diff(old.values, now.values)
	d, room := &Diff{Total: len(changes)}, allowance{MaxChanges, maxAnswerWeight}
	for _, c := range changes {
		if !room.take(c.Old, c.New) {
			break
		}
		d.Changes = append(d.Changes, Change{
			Change:   value.Change{Path: c.Path, Old: old.shown(c.Path, c.Old), New: now.shown(c.Path, c.New)},
			OldPlace: old.place(what, c.Old), NewPlace: now.place(what, c.New),
		})
	}
	d.Truncated = len(d.Changes) < d.Total
	return d, nil
}
