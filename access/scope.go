package access

import (
	"slices"
	"strings"

	"github.com/trunkline/trunkline/value"
)

// Scope is what one reader sees of an environment: what both its grant and its own patterns select.
//
// It stays two lists of patterns that are applied one after the other. One list would not do: what a.**.b and **.c both select
// cannot be written with the two ** that a pattern may hold.
type Scope struct {
	levels [][]value.Pattern
	none   bool
	key    string
}

// Scope narrows what is asked for to what is granted. public is what the live manifest calls public; it counts for a public grant
// alone, and its scope must be made anew when it changes. No patterns ask for everything.
func (g Grant) Scope(public, asked []value.Pattern) Scope {
	granted := g.patterns
	if g.public {
		granted = canonical(public)
	}
	if len(granted) == 0 {
		return Scope{none: true, key: "none"}
	}
	var s Scope
	var keys []string
	for _, patterns := range [][]value.Pattern{granted, canonical(asked)} {
		key := patternsKey(patterns)
		if len(patterns) > 0 && !patterns[0].All() && !slices.Contains(keys, key) {
			s.levels, keys = append(s.levels, patterns), append(keys, key)
		}
	}
	s.key = strings.Join(keys, "\x01")
	return s
}

// canonical does what [value.ParsePatterns] does with texts. It does not change what it is given.
func canonical(patterns []value.Pattern) []value.Pattern {
	if i := slices.IndexFunc(patterns, value.Pattern.All); i >= 0 {
		return patterns[i : i+1 : i+1]
	}
	patterns = slices.Clone(patterns)
	slices.SortFunc(patterns, func(a, b value.Pattern) int { return strings.Compare(a.String(), b.String()) })
	return slices.CompactFunc(patterns, func(a, b value.Pattern) bool { return a.String() == b.String() })
}

func patternsKey(patterns []value.Pattern) string {
	var b strings.Builder
	for _, p := range patterns {
		b.WriteString(p.String())
		b.WriteByte(0)
	}
	return b.String()
}

// Key tells scopes apart: two with the same key see the same of any tree. Readers with equal keys, of one environment and alike in the
// right [Reveal], may share what is made for them.
func (s Scope) Key() string { return s.key }

// Levels are lists of patterns to narrow a tree with, one after the other: none for everything, at most two. The lists must not be
// changed. A scope that sees nothing has one empty list.
func (s Scope) Levels() [][]value.Pattern {
	if s.none {
		return [][]value.Pattern{{}}
	}
	return slices.Clone(s.levels)
}

// All tells whether everything is seen.
func (s Scope) All() bool { return !s.none && len(s.levels) == 0 }

// Select narrows a tree to what is seen, as [value.Select] does. Compare narrowed trees rather than narrowing what a comparison
// found: a map that came as a whole is one change, at a path that may not be seen.
func (s Scope) Select(root *value.Value) *value.Value {
	if s.none {
		return value.Empty
	}
	for _, patterns := range s.levels {
		root = value.Select(root, patterns)
	}
	return root
}

// Sees tells whether all that stands at a path is seen. Of a map above what is seen it is false.
func (s Scope) Sees(path value.Path) bool {
	for _, patterns := range s.levels {
		if !slices.ContainsFunc(patterns, func(p value.Pattern) bool { return p.Covers(path) }) {
			return false
		}
	}
	return !s.none
}
