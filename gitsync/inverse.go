package gitsync

import (
	"context"
	"fmt"
	"slices"
)

// Span is one first-parent commit, or several in a row.
type Span struct {
	First, Last Hash // the oldest and the newest of them
	Commits     int
}

// Inverse finds the earlier commits that a commit takes back, as git revert does: one, or several in a row whose changes in the
// folder taken together it undoes file by file, content and mode. It looks down the commit's own first parents, 10,000 commits at
// most, and names the nearest span that holds no shorter one which does the same. Where the span ends with the commit's parent the
// commit restores the folder as it was before the span; whether that is called a revert or a rollback is up to the caller. A commit that
// changes nothing in the folder takes nothing back.
//
// Sums over what each commit changed point at a span in one pass, and then its files are compared with the commit's: what is named is
// exact, and no sum that was made to mislead makes it otherwise.
func (c *Chain) Inverse(ctx context.Context, commit Hash) (Span, bool, error) {
	s, err := c.step(commit)
	if err != nil {
		return Span{}, false, err
	}
	if s.unknown || s.delta == (sum{}) {
		return Span{}, false, nil
	}
	span, found, err := c.inverse(ctx, s)
	if err != nil {
		return Span{}, false, fmt.Errorf("what %s takes back: %w", commit.Short(), err)
	}
	return span, found, nil
}

// end is a place where a span may end: its newest commit, and how many there are above it.
type end struct {
	last  *step
	above int
}

// inverse goes down the history and adds up what the commits changed. Two places between which the sum is the opposite of what the
// commit changed enclose a span that it takes back. Of several ends with one sum the lowest makes the shortest span; the first
// beginning that has an end at all makes one that holds no other.
func (c *Chain) inverse(ctx context.Context, s *step) (Span, bool, error) {
	ends := map[sum]end{}
	var total sum
	at := s.Parent
	for n := 0; n < maxInverse && !at.IsZero(); n++ {
		if err := ctx.Err(); err != nil {
			return Span{}, false, err
		}
		below, err := c.step(at)
		if err != nil {
			return Span{}, false, err
		}
		at = below.Parent
		if below.unknown {
			clear(ends) // no span can hold it
			continue
		}
		ends[total] = end{below, n}
		total = total.plus(below.delta)
		e, found := ends[total.plus(s.delta)]
		if !found {
			continue
		}
		if exact, err := c.undoes(s, below, e.last); err != nil || exact {
			return Span{First: below.Commit, Last: e.last.Commit, Commits: n - e.above + 1}, exact, err
		}
	}
	return Span{}, false, nil
}

// undoes compares the files that a commit changed with those that a span did.
func (c *Chain) undoes(s, first, last *step) (bool, error) {
	before, err := c.tree(first.Parent)
	if err != nil {
		return false, err
	}
	parent, err := c.tree(s.Parent)
	if err != nil {
		return false, err
	}
	span, err := diff(c.list, last.Tree, before, maxDiff)
	if err != nil {
		return false, err
	}
	own, err := diff(c.list, parent, s.Tree, maxDiff)
	if err != nil {
		return false, err
	}
	return !span.unknown && !own.unknown && slices.Equal(span.edits, own.edits), nil
}

// tree is the folder's in a commit.
func (c *Chain) tree(h Hash) (Hash, error) {
	if h.IsZero() {
		return emptyTree, nil
	}
	s, err := c.step(h)
	if err != nil {
		return Hash{}, err
	}
	return s.Tree, nil
}
