package apply

import (
	"maps"

	"github.com/trunkline/trunkline/gitsync"
)

// recall remembers what the log knows, oldest first.
//
// The log may end in the middle of a commit: it stores one environment after the other, and the process may be killed between two.
// It may also lack commits whose records it could not take at their time. A commit counts only when the verdicts of all its
// environments are there, and those of the commits beneath it. Whatever else there is will be judged again, and the log knows the
// records that it has.
func recall(log []Remembered) *memory {
	r := &recollection{memory: newMemory(nil), heard: map[gitsync.Hash]*judged{}, waiting: map[gitsync.Hash][]gitsync.Hash{}}
	for _, one := range log {
		switch {
		case one.Pin != nil: // see pinsOf
		case one.Stop != nil: // see stopsRemembered
		case one.Accepted && !one.Parent.IsZero():
			r.memory.allowed = move{one.Parent, one.Commit}
		case one.Accepted:
			r.memory.accept(one.Commit)
		case one.Refused:
			r.memory.turnedAway = move{one.Parent, one.Commit}
		case one.Environment == "":
			r.rewrite(one)
		default:
			r.verdict(one)
		}
	}
	if len(r.memory.order) == 0 {
		r.memory.origin = r.began
	}
	maps.DeleteFunc(r.heard, func(h gitsync.Hash, _ *judged) bool { return r.memory.get(h) != nil })
	r.memory.partial = r.heard
	return r.memory
}

type recollection struct {
	memory  *memory
	heard   map[gitsync.Hash]*judged        // commits with what is known of them so far
	waiting map[gitsync.Hash][]gitsync.Hash // by the commit that they follow and that is not remembered yet
	began   gitsync.Hash                    // the origin, if the log is known from its beginning
}

func (r *recollection) rewrite(one Remembered) {
	r.memory.moved = move{one.Parent, one.Commit}
	r.memory.turnedAway, r.memory.allowed = move{}, move{}
	if r.memory.get(one.Commit) != nil {
		r.memory.last, r.memory.moved = one.Commit, move{}
	}
}

func (r *recollection) verdict(one Remembered) {
	c := r.heard[one.Commit]
	if c == nil {
		c = &judged{parent: one.Parent, tree: one.Tree, environments: map[string]judgement{}}
		if len(r.heard) == 0 && one.Parent.IsZero() {
			r.began = one.Commit
		}
		r.heard[one.Commit] = c
	}
	c.environments[one.Environment] = judgement{one.Verdict, one.Retired, one.Baseline, one.At, one.Changes}
	if len(c.environments) < one.Due || r.memory.get(one.Commit) != nil {
		return
	}
	if r.joins(c.parent) {
		r.accept(one.Commit)
		return
	}
	r.waiting[c.parent] = append(r.waiting[c.parent], one.Commit)
}

// joins tells whether a commit may follow another: one that is remembered, none, or, where the log is no longer known from its
// beginning, any that came before.
func (r *recollection) joins(parent gitsync.Hash) bool {
	return parent.IsZero() || r.memory.get(parent) != nil || len(r.memory.order) == 0 && r.began.IsZero()
}

// accept remembers a commit as the last one judged, and those that were waiting for it as judged. Whether the branch stands at one
// of them the log does not tell; following it will.
func (r *recollection) accept(h gitsync.Hash) {
	defer func() { r.memory.last = h }()
	for todo := []gitsync.Hash{h}; len(todo) > 0; todo = todo[1:] {
		c := r.heard[todo[0]]
		r.memory.add(todo[0], c.parent, c.tree).environments = c.environments
		r.memory.moved = move{}
		todo = append(todo, r.waiting[todo[0]]...)
		delete(r.waiting, todo[0])
	}
}

// pinsOf are the pins that stand by what the log knows, oldest first.
func pinsOf(log []Remembered) map[string]*pinned {
	pins := map[string]*pinned{}
	for _, one := range log {
		switch {
		case one.Pin == nil:
		case one.Unpinned:
			delete(pins, one.Pin.Environment)
		default:
			pins[one.Pin.Environment] = &pinned{Pin: *one.Pin}
		}
	}
	return pins
}
