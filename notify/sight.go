package notify

import (
	"strings"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// sight is what a session may see, and asks for.
type sight struct {
	env      string
	grant    access.Grant
	patterns []value.Pattern
	local    bool // the client decides by itself who gets what
}

// key is the same for sights that see the same of every version: their frames are shared.
func (s sight) key() string {
	key := s.env + "\x00"
	if s.grant.May(access.Reveal) {
		key += "r"
	}
	if s.grant.May(access.History) {
		key += "h"
	}
	if s.grant.Public() {
		key += "p" // and what that is, the manifest of each version says
	}
	if s.local {
		key += "l"
	}
	return key + "\x00" + s.grant.Scope(nil, s.patterns).Key() + "\x00" + patternsKey(s)
}

// patternsKey tells public sights apart by what they ask for: without a manifest their scopes are all empty.
func patternsKey(s sight) string {
	if !s.grant.Public() {
		return ""
	}
	var b strings.Builder
	for _, p := range s.patterns {
		b.WriteString(p.String())
		b.WriteByte(0)
	}
	return b.String()
}

// text is what is looked at: what is asked for, or granted where everything is asked for.
func (s sight) text() string {
	patterns, whole := s.watched()
	if whole {
		return "**"
	}
	texts := make([]string, len(patterns))
	for i, p := range patterns {
		texts[i] = p.String()
	}
	return strings.Join(texts, " ")
}

// watched are patterns that select all that a sight can see, and maybe more; whole where only everything does.
func (s sight) watched() (patterns []value.Pattern, whole bool) {
	if s.grant.Public() {
		return s.patterns, s.patterns[0].All()
	}
	levels := s.grant.Scope(nil, s.patterns).Levels()
	if len(levels) == 0 {
		return nil, true
	}
	return levels[len(levels)-1], false
}

// full is what a version holds for those who may see everything.
func full(v *apply.Version, reveals bool) *value.Value {
	all, _ := v.Snapshot.Of(reveals)
	return all
}

// laid is what is laid over it.
func laid(v *apply.Version, reveals bool) *experiment.Set {
	_, set := v.Snapshot.Of(reveals)
	return set
}

// selection is what a sight sees of one version.
type selection struct {
	scope  access.Scope
	full   *value.Value
	levels []*value.Value // what is left after each level of the scope
}

// values are what is seen.
func (s *selection) values() *value.Value {
	if len(s.levels) == 0 {
		return s.full
	}
	return s.levels[len(s.levels)-1]
}

// see narrows a version, and takes over from an earlier selection what has not changed since.
func (s sight) see(v *apply.Version, before *selection) *selection {
	next := &selection{full: full(v, s.grant.May(access.Reveal))}
	again := before != nil && !s.grant.Public() // whose scope stays as it is
	if again {
		next.scope = before.scope
	} else {
		next.scope = s.grant.Scope(v.Snapshot.Manifest.Public, s.patterns)
		again = before != nil && before.scope.Key() == next.scope.Key()
	}
	var was *value.Value
	if again {
		was = before.full
	}
	at := next.full
	for i, patterns := range next.scope.Levels() {
		var had *value.Value
		if again {
			had = before.levels[i]
		}
		at, was = value.SelectAgain(at, patterns, was, had), had
		next.levels = append(next.levels, at)
	}
	return next
}

// of is what is seen of a tree that differs from the selection's own in little.
func (s *selection) of(full *value.Value) *value.Value {
	at, was := full, s.full
	for i, patterns := range s.scope.Levels() {
		at, was = value.SelectAgain(at, patterns, was, s.levels[i]), s.levels[i]
	}
	return at
}
