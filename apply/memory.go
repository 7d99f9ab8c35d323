package apply

import (
	"maps"
	"slices"
	"time"

	"github.com/trunkline/trunkline/gitsync"
)

// memory holds the verdicts of the newest judged commits, from which a baseline is found after a restart or a rewritten
// history, and a rollback is recognised.
type memory struct {
	beneath *memory // what is looked at next; nil when this is all
	commits map[gitsync.Hash]*judged
	order   []gitsync.Hash // oldest first
	last    gitsync.Hash   // the commit judged last

	origin gitsync.Hash // where judging began, while the log does not hold all verdicts of it
	moved  move         // of the branch: on record, but no commit that it led to is

	turnedAway move // of the branch, that was refused last: on record
	allowed    move // of the branch, that an operator accepted

	accepted []gitsync.Hash           // by an operator, oldest first
	partial  map[gitsync.Hash]*judged // commits of which the log holds the verdicts of some environments: those bind
}

// move is a branch that left its old head.
type move struct{ old, new gitsync.Hash }

// judged is a commit that was judged.
type judged struct {
	parent, tree gitsync.Hash
	environments map[string]judgement
}

type judgement struct {
	verdict  Verdict
	retired  bool
	baseline gitsync.Hash
	at       time.Time
	changes  []Change // as [traced] tells
}

func newMemory(beneath *memory) *memory {
	m := &memory{beneath: beneath, commits: map[gitsync.Hash]*judged{}}
	if beneath != nil {
		m.last, m.accepted, m.partial = beneath.last, beneath.accepted, beneath.partial
	}
	return m
}

// bound are the verdicts that are on record of a commit that was not judged to its end.
func (m *memory) bound(commit, parent gitsync.Hash) map[string]judgement {
	if c := m.partial[commit]; c != nil && c.parent == parent {
		return c.environments
	}
	return nil
}

// accept remembers that a commit, with all beneath it, need not satisfy what is asked of commits.
func (m *memory) accept(h gitsync.Hash) {
	m.accepted = append(m.accepted, h)
	m.accepted = m.accepted[max(0, len(m.accepted)-maxAccepted):]
}

// get returns a judged commit, or nil.
func (m *memory) get(h gitsync.Hash) *judged {
	if c := m.commits[h]; c != nil || m.beneath == nil {
		return c
	}
	return m.beneath.get(h)
}

func (m *memory) add(commit, parent, tree gitsync.Hash) *judged {
	m.last = commit
	if c := m.commits[commit]; c != nil {
		return c
	}
	c := &judged{parent: parent, tree: tree, environments: map[string]judgement{}}
	m.commits[commit] = c
	m.order = append(m.order, commit)
	if n := len(m.order) - tracedVersions; n > 0 {
		m.commits[m.order[n-1]].forget()
	}
	if len(m.order) > MaxRemembered {
		delete(m.commits, m.order[0])
		m.order = m.order[1:]
	}
	return c
}

// forget drops what is kept of a commit for those alone that follow it soon.
func (j *judged) forget() {
	for env, one := range j.environments {
		one.changes = nil
		j.environments[env] = one
	}
}

// settle moves what m holds into what lies beneath it.
func (m *memory) settle() {
	for _, h := range m.order {
		c := m.commits[h]
		m.beneath.add(h, c.parent, c.tree).environments = c.environments
	}
	m.beneath.last, m.beneath.origin, m.beneath.moved, m.beneath.accepted = m.last, gitsync.Hash{}, move{}, m.accepted
}

// newestValid finds, for every environment, the newest valid commit among a commit and its first-parent ancestors. An
// environment that was no longer judged at the commit itself is left out: it was retired. Where the chain is remembered no further,
// the last verdict tells its baseline.
func (m *memory) newestValid(from gitsync.Hash) map[string]gitsync.Hash {
	found := map[string]gitsync.Hash{}
	first := m.get(from)
	if first == nil {
		return found
	}
	missing := len(first.environments)
	baselines := map[string]gitsync.Hash{}
	for at, c := from, first; c != nil && missing > 0; at, c = c.parent, m.get(c.parent) {
		for env, j := range c.environments {
			_, wanted := first.environments[env]
			if _, has := found[env]; wanted && !has && j.verdict == Valid {
				found[env] = at
				if j.retired {
					found[env] = gitsync.Hash{} // what lies beneath is no longer served
				}
				missing--
			}
			baselines[env] = j.baseline
		}
	}
	for env := range first.environments {
		if _, has := found[env]; !has {
			found[env] = baselines[env]
		}
	}
	maps.DeleteFunc(found, func(_ string, h gitsync.Hash) bool { return h.IsZero() })
	return found
}

// rollback finds the newest earlier ancestor that was valid in the environment and held the same tree, while something else lay
// between. Zero when there is none.
func (m *memory) rollback(parent, tree gitsync.Hash, env string) gitsync.Hash {
	if c := m.get(parent); c == nil || c.tree == tree {
		return gitsync.Hash{}
	}
	return m.holder(parent, tree, env)
}

// holder finds the newest commit, from one down, that was valid in the environment and held a tree. Zero when there is none.
func (m *memory) holder(from, tree gitsync.Hash, env string) gitsync.Hash {
	c := m.get(from)
	for at, n := from, 0; c != nil && n < MaxRemembered; at, c, n = c.parent, m.get(c.parent), n+1 {
		if c.tree == tree && c.environments[env].verdict == Valid {
			return at
		}
	}
	return gitsync.Hash{}
}

// pending lists the commits from the oldest one that is pending in some environment to the one named, oldest first.
func (m *memory) pending(from gitsync.Hash) []gitsync.Hash {
	var chain []gitsync.Hash
	oldest := 0
	c := m.get(from)
	for at := from; c != nil && len(chain) < MaxRemembered; at, c = c.parent, m.get(c.parent) {
		chain = append(chain, at)
		if len(c.waiting()) > 0 {
			oldest = len(chain)
		}
	}
	chain = chain[:oldest]
	slices.Reverse(chain)
	return chain
}

// gone tells whether a commit that was judged has an environment no longer.
func (m *memory) gone(at gitsync.Hash, env string) bool {
	c := m.get(at)
	if c == nil {
		return false
	}
	j, judged := c.environments[env]
	return !judged || j.retired
}

// waiting are the environments in which the commit is pending.
func (j *judged) waiting() map[string]bool {
	envs := map[string]bool{}
	for env, one := range j.environments {
		if one.verdict == Pending {
			envs[env] = true
		}
	}
	return envs
}
