package value

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Pattern selects paths. It is written like a path with dots, where `*` stands for exactly one segment and `**` for any number
// of them, none included: `database.*` are the children of database, `database.**` is database with all that is below it. A
// quoted segment is never a wildcard.
type Pattern struct {
	text     string
	segments []patternSegment
}

type patternSegment struct {
	key  string
	wild wildcard
}

type wildcard uint8

const (
	literal wildcard = iota
	one
	deep
)

// ParsePattern reads a pattern.
func ParsePattern(s string) (Pattern, error) {
	if s == "" {
		return Pattern{}, fmt.Errorf("%w: an empty pattern selects nothing; ** selects everything", ErrPath)
	}
	p := Pattern{text: s}
	deeps := 0
	for rest, first := s, true; rest != ""; first = false {
		seg, after, err := nextSegment(s, rest, first, true)
		if err != nil {
			return Pattern{}, err
		}
		if strings.ContainsFunc(seg.key, unicode.IsControl) {
			return Pattern{}, pathError(s, rest, "a key holds a control character")
		}
		part := patternSegment{key: seg.key}
		switch {
		case seg.quoted || !strings.Contains(seg.key, "*"):
		case seg.key == "*":
			part.wild = one
		case seg.key == "**":
			part.wild = deep
			deeps++
		default:
			return Pattern{}, pathError(s, rest, "* stands for a whole segment; it cannot be a part of one")
		}
		p.segments, rest = append(p.segments, part), after
	}
	if deeps > MaxDeepWildcards {
		return Pattern{}, fmt.Errorf("%w: %q: ** may occur at most %d times", ErrPath, s, MaxDeepWildcards)
	}
	return p, nil
}

// Literal is the pattern that selects one path alone.
func Literal(path Path) Pattern {
	p := Pattern{text: path.String()}
	for _, key := range path {
		p.segments = append(p.segments, patternSegment{key: key})
	}
	return p
}

// ParsePatterns reads several patterns and puts them into their canonical form: sorted, none twice, and ** alone where it is
// among them.
func ParsePatterns(texts []string) ([]Pattern, error) {
	patterns := make([]Pattern, 0, len(texts))
	for _, text := range texts {
		p, err := ParsePattern(text)
		if err != nil {
			return nil, err
		}
		patterns = append(patterns, p)
	}
	if i := slices.IndexFunc(patterns, Pattern.All); i >= 0 {
		return patterns[i : i+1 : i+1], nil
	}
	slices.SortFunc(patterns, func(a, b Pattern) int { return strings.Compare(a.text, b.text) })
	return slices.CompactFunc(patterns, func(a, b Pattern) bool { return a.text == b.text }), nil
}

func (p Pattern) String() string { return p.text }

// All tells whether p selects everything.
func (p Pattern) All() bool { return p.text == "**" }

// Match tells whether p selects the path itself.
func (p Pattern) Match(path Path) bool { return matchSegments(p.segments, path) }

func matchSegments(segments []patternSegment, path Path) bool {
	for i, seg := range segments {
		if seg.wild == deep {
			for skip := 0; skip <= len(path); skip++ {
				if matchSegments(segments[i+1:], path[skip:]) {
					return true
				}
			}
			return false
		}
		if len(path) == 0 || seg.wild == literal && seg.key != path[0] {
			return false
		}
		path = path[1:]
	}
	return len(path) == 0
}

// Covers tells whether p selects the path or something above it.
func (p Pattern) Covers(path Path) bool {
	for n := 0; n <= len(path); n++ {
		if p.Match(path[:n]) {
			return true
		}
	}
	return false
}

// front is where patterns stand after some segments of a path: what is left of each that can still match.
type front [][]patternSegment

func newFront(patterns []Pattern) front {
	f := make(front, 0, len(patterns))
	for _, p := range patterns {
		f = append(f, p.segments)
	}
	return f
}

// matched tells whether a pattern ends here.
func (f front) matched() bool {
	for _, segments := range f {
		if !slices.ContainsFunc(segments, func(s patternSegment) bool { return s.wild != deep }) {
			return true
		}
	}
	return false
}

// step is the front one segment further down.
func (f front) step(key string) front {
	var next front
	for _, segments := range f {
		next = stepInto(next, segments, key)
	}
	return next
}

func stepInto(next front, segments []patternSegment, key string) front {
	if len(segments) == 0 {
		return next
	}
	switch seg := segments[0]; {
	case seg.wild == deep:
		return stepInto(append(next, segments), segments[1:], key)
	case seg.wild == one || seg.key == key:
		return append(next, segments[1:])
	default:
		return next
	}
}

// keys are the only keys the front can go on with, or false when a wildcard allows any.
func (f front) keys() ([]string, bool) {
	var keys []string
	for _, segments := range f {
		if len(segments) == 0 {
			continue
		}
		if segments[0].wild != literal {
			return nil, false
		}
		keys = append(keys, segments[0].key)
	}
	slices.Sort(keys)
	return slices.Compact(keys), true
}

// Select narrows a tree to what the patterns select, each with all that is below it. Maps emptied by the patterns are left out;
// a list is one value and is never taken apart. The root of the result is always a map; a root of another kind selects as
// itself.
func Select(root *Value, patterns []Pattern) *Value { return SelectAgain(root, patterns, nil, nil) }

// SelectAgain does what [Select] does, and takes over from an earlier result what has not changed since: before is the root
// that narrowed to selected with the same patterns. Parts that did not change keep their pointers.
func SelectAgain(root *Value, patterns []Pattern, before, selected *Value) *Value {
	if narrowed := selectInto(root, newFront(patterns), before, selected); narrowed != nil {
		return narrowed
	}
	return Empty
}

// selectInto narrows v, or returns nil when nothing is selected. was is what stood in v's place, and had what it narrowed to.
func selectInto(v *Value, f front, was, had *Value) *Value {
	if v == was {
		return had
	}
	if f.matched() {
		return v
	}
	if v.Kind() != Map {
		return nil
	}
	var entries []Entry
	visit := func(e Entry) {
		next := f.step(e.Key)
		if len(next) == 0 {
			return
		}
		wasBelow, hadBelow := below(was, e.Key), below(had, e.Key)
		if narrowed := selectInto(e.Value, next, wasBelow, hadBelow); narrowed != nil {
			entries = append(entries, Entry{e.Key, narrowed})
		}
	}
	if keys, only := f.keys(); only {
		for _, key := range keys {
			if member, ok := v.Get(key); ok {
				visit(Entry{key, member})
			}
		}
	} else {
		for _, e := range v.Entries() {
			visit(e)
		}
	}
	if len(entries) == 0 {
		return nil
	}
	return NewMap(entries, v.Place())
}

func below(v *Value, key string) *Value {
	if v == nil {
		return nil
	}
	member, _ := v.Get(key)
	return member
}
