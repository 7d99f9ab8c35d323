package gitsync

import (
	"errors"
	"fmt"
)

// Update is what changed between two heads.
type Update struct {
	From, Head Hash
	// Commits are the new first-parent commits, oldest first. It is empty when the branch went back to an older commit.
	Commits []Commit
	// Rewrite is nil when history only grew.
	Rewrite *Rewrite
	// Restored is true when the update comes from the mirror, before the remote was asked.
	Restored bool
}

// Rewrite tells how a branch left its old head.
type Rewrite struct {
	Old, New Hash
	// Fork is the newest first-parent ancestor of New, or New itself, that is reachable from Old. Zero when the histories are
	// unrelated, or Unknown. Without a fork, Commits begin at the origin, or hold only the head when none is set.
	Fork Hash
	// Foxtrot is true when Old is still reachable from New, but not by first parents: somebody merged the branch into their
	// own work and pushed that.
	Foxtrot bool
	// Unknown is true when the mirror does not hold Old, as after a new clone.
	Unknown bool
	// Lost are the first-parent commits of Old that are none of New, newest first: at most 1000 of LostTotal.
	Lost      []Hash
	LostTotal int
}

// update tells what lies between what the caller has taken and a head. origin is where the chain begins, if set.
func (s *store) update(taken, head, origin Hash) (Update, error) {
	u := Update{From: taken, Head: head}
	if taken.IsZero() {
		list, err := s.beginning(head, origin)
		if err != nil {
			return Update{}, err
		}
		return s.fill(u, list)
	}
	// The common way: the old head is a few steps down, and nothing else need be read. All commits above it on the chain
	// descend from it, so that none of them is reachable from it.
	list, grown, err := s.chain(head, taken)
	if err != nil {
		return Update{}, err
	}
	if grown {
		return s.fill(u, list)
	}
	fresh, rewrite, err := s.rewritten(taken, head, list)
	if err != nil {
		return Update{}, err
	}
	u.Rewrite = rewrite
	if err := onChain(list, origin, head); err != nil {
		return Update{}, err
	}
	if rewrite.Fork.IsZero() {
		if fresh, err = s.beginning(head, origin); err != nil {
			return Update{}, err
		}
	}
	return s.fill(u, fresh)
}

// beginning is the chain that is handed on when nothing was taken before.
func (s *store) beginning(head, origin Hash) ([]Hash, error) {
	if origin.IsZero() {
		return []Hash{head}, nil
	}
	list, found, err := s.chain(head, origin)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, noOrigin(origin, head)
	}
	return append(list, origin), nil
}

func onChain(chain []Hash, origin, head Hash) error {
	if origin.IsZero() {
		return nil
	}
	for _, h := range chain {
		if h == origin {
			return nil
		}
	}
	return noOrigin(origin, head)
}

func noOrigin(origin, head Hash) error {
	return hint(ErrOrigin, "the origin %s is no first-parent ancestor of the branch's head %s: history before it was rewritten, or it is of "+
		"another branch; choose a new one by --origin", origin.Short(), head.Short())
}

// rewritten compares two heads of which the new one's first-parent chain does not hold the old one.
func (s *store) rewritten(old, head Hash, chain []Hash) ([]Hash, *Rewrite, error) {
	r := &Rewrite{Old: old, New: head}
	before, err := s.reach(old)
	if errors.Is(err, ErrNotFound) && !s.has(old) {
		r.Unknown = true
		return nil, r, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("history of %s: %w", old.Short(), err)
	}
	fresh := chain
	for i, h := range chain {
		if before[h] {
			r.Fork, fresh = h, chain[:i]
			break
		}
	}
	if r.Foxtrot, err = s.reaches(head, old, before); err != nil {
		return nil, nil, fmt.Errorf("history of %s: %w", head.Short(), err)
	}
	return fresh, r, s.lost(r, chain)
}

// lost names what the branch no longer has.
func (s *store) lost(r *Rewrite, chain []Hash) error {
	still := make(map[Hash]bool, len(chain))
	for _, h := range chain {
		still[h] = true
	}
	for at := r.Old; !at.IsZero() && !still[at]; {
		if r.LostTotal++; len(r.Lost) < maxLost {
			r.Lost = append(r.Lost, at)
		}
		l, err := s.links(at)
		if err != nil {
			return fmt.Errorf("history of %s: %w", r.Old.Short(), err)
		}
		at = l.first()
	}
	return nil
}

// fill reads the commits of a list that runs from newest to oldest.
func (s *store) fill(u Update, newestFirst []Hash) (Update, error) {
	u.Commits = make([]Commit, 0, len(newestFirst))
	for i := len(newestFirst) - 1; i >= 0; i-- {
		c, err := s.full(newestFirst[i])
		if err != nil {
			return Update{}, err
		}
		u.Commits = append(u.Commits, c)
	}
	return u, nil
}
