package apply

import (
	"maps"
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
}

func newMemory(beneath *memory) *memory {
	m := &memory{beneath: beneath, commits: map[gitsync.Hash]*judged{}}
	if beneath != nil {
		m.last = beneath.last
	}
	return m
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
	if len(m.order) > MaxRemembered {
		delete(m.commits, m.order[0])
		m.order = m.order[1:]
	}
	return c
}

// settle moves what m holds into what lies beneath it.
func (m *memory) settle() {
	for _, h := range m.order {
		c := m.commits[h]
		m.beneath.add(h, c.parent, c.tree).environments = c.environments
	}
	m.beneath.last, m.beneath.origin, m.beneath.moved = m.last, gitsync.Hash{}, move{}
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
	c := m.get(parent)
	if c == nil || c.tree == tree {
		return gitsync.Hash{}
	}
	for at, n := parent, 0; c != nil && n < MaxRemembered; at, c, n = c.parent, m.get(c.parent), n+1 {
		if c.tree == tree && c.environments[env].verdict == Valid {
			return at
		}
	}
	return gitsync.Hash{}
}
