package value

import "slices"

// Each visits the values that p selects below root, in the order of their paths, each once. captures are what the wildcards stood
// for, in the order they are written: a segment for *, a path for **. It stops when visit reports false, and after most values were
// looked at, and returns how many were. Lists are not taken apart.
func (p Pattern) Each(root *Value, most int, visit func(path Path, v *Value, captures []string) bool) (looked int) {
	m := matcher{visit: visit, most: most}
	if p.deeps() > 1 {
		m.seen = map[string]bool{}
	}
	m.walk(root, p.segments)
	return m.looked
}

func (p Pattern) deeps() int {
	n := 0
	for _, s := range p.segments {
		if s.wild == deep {
			n++
		}
	}
	return n
}

type matcher struct {
	visit    func(Path, *Value, []string) bool
	path     Path
	captures []string
	seen     map[string]bool // paths visited, where a value can be reached in several ways
	looked   int
	most     int
}

// walk visits what the segments select below v, and reports false when it is to stop.
func (m *matcher) walk(v *Value, segments []patternSegment) bool {
	if m.looked++; m.looked > m.most {
		return false
	}
	if len(segments) == 0 {
		return m.found(v)
	}
	switch s := segments[0]; s.wild {
	case literal:
		member, ok := v.Get(s.key)
		return !ok || m.below(s.key, member, segments[1:])
	case one:
		return m.each(v, segments[1:])
	default:
		return m.deep(v, segments[1:], len(m.path))
	}
}

func (m *matcher) found(v *Value) bool {
	if m.seen != nil {
		text := m.path.String()
		if m.seen[text] {
			return true
		}
		m.seen[text] = true
	}
	return m.visit(slices.Clone(m.path), v, slices.Clone(m.captures))
}

// deep lets ** stand for nothing, and then for each way down. from is where it began.
func (m *matcher) deep(v *Value, rest []patternSegment, from int) bool {
	captured := len(m.captures)
	m.captures = append(m.captures, m.path[from:].String())
	goOn := m.walk(v, rest)
	m.captures = m.captures[:captured]
	if !goOn || v.Kind() != Map {
		return goOn
	}
	for _, e := range v.Entries() {
		m.path = append(m.path, e.Key)
		goOn := m.deep(e.Value, rest, from)
		m.path = m.path[:len(m.path)-1]
		if !goOn {
			return false
		}
	}
	return true
}

// each lets * stand for each key.
func (m *matcher) each(v *Value, rest []patternSegment) bool {
	if v.Kind() != Map {
		return true
	}
	for _, e := range v.Entries() {
		captured := len(m.captures)
		m.captures = append(m.captures, e.Key)
		goOn := m.below(e.Key, e.Value, rest)
		m.captures = m.captures[:captured]
		if !goOn {
			return false
		}
	}
	return true
}

func (m *matcher) below(key string, v *Value, rest []patternSegment) bool {
	m.path = append(m.path, key)
	defer func() { m.path = m.path[:len(m.path)-1] }()
	return m.walk(v, rest)
}
