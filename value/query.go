package value

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Query finds values of a tree: those that a pattern selects and a condition holds for. It is read by [ParseQuery], knows nothing
// of a tree, and may be run by several goroutines.
//
// Other than in a subscription, a list is taken apart: the pattern selects every path it matches ([Pattern.Match]).
type Query struct {
	pattern Pattern
	where   condition // nil holds for everything
	limit   int
	after   Path
	resumes bool // after was given; it may be the root
}

// QueryBudget bounds one run of a query. A zero field stands for the limit of this package.
type QueryBudget struct {
	Bytes int // of the matches as JSON; see [MaxQueryAnswerBytes]
	Work  int // in values looked at; see [MaxQueryWork]
}

// QueryAnswer is what a run of a query found, in the order of paths: a value before what lies in it, keys by their bytes, items by their
// index. If it is truncated there may be more, and After is what the query must name as its after to go on from there; an
// answer without a match may be truncated too.
type QueryAnswer struct {
	Matches   []QueryMatch `json:"matches"`
	Truncated bool         `json:"truncated"`
	After     *string      `json:"after,omitempty"` // not a plain string: the root's path is empty
}

// QueryMatch is one match.
type QueryMatch struct {
	Path  string `json:"path"`
	Value *Value `json:"value"`
}

// ErrQueryWork is the error of a query that takes more than its budget at one single value.
var ErrQueryWork = errors.New("the query takes too much work")

// Pattern says which values are looked at.
func (q *Query) Pattern() Pattern { return q.pattern }

// Conditional tells whether a condition is asked of the values: then the answer tells something of those that do not match, too.
func (q *Query) Conditional() bool { return q.where != nil }

// Run answers the query from a tree. What stands behind a redacted value changes neither what matches nor where an answer ends:
// see [ParseQuery]. The only error is [ErrQueryWork].
func (q *Query) Run(root *Value, b QueryBudget) (QueryAnswer, error) {
	p := page{query: q, root: root, meter: meter{left: b.Work}, bytes: b.Bytes, found: []QueryMatch{}}
	if b.Work == 0 {
		p.meter.left = MaxQueryWork
	}
	if b.Bytes == 0 {
		p.bytes = MaxQueryAnswerBytes
	}
	if root == nil || p.walk(root, newFront([]Pattern{q.pattern}), q.after, q.resumes) {
		return QueryAnswer{Matches: p.found}, nil
	}
	if !p.moved {
		return QueryAnswer{}, fmt.Errorf("%w: the value at %q alone takes more than one answer may; narrow the pattern or the condition", ErrQueryWork, root.PathString(p.path))
	}
	after := root.PathString(p.last)
	return QueryAnswer{p.found, true, &after}, nil
}

// page is one run of a query.
type page struct {
	query *Query
	root  *Value
	meter meter
	bytes int // left for matches
	found []QueryMatch
	path  Path
	last  Path // what was looked at last, to the end
	moved bool // something was
	buf   []byte
}

// walk looks at v and what lies in it, and reports false when the page is full. Where resumes is set v was looked at on an earlier
// page, which ended at the path after below v.
func (p *page) walk(v *Value, f front, after Path, resumes bool) bool {
	if !resumes {
		if f.matched() && !p.look(v) {
			return false
		}
		p.last, p.moved = append(p.last[:0], p.path...), true
	}
	return p.members(v, f, after, resumes)
}

// look takes v if the condition holds for it, and reports false when there is no room or no work left for it.
func (p *page) look(v *Value) bool {
	verdict := yes
	if p.query.where != nil {
		verdict = p.query.where.holds(&p.meter, v)
	}
	if p.meter.spent() {
		return false
	}
	return verdict != yes || p.take(v)
}

// take adds a match. The first is taken whatever its size, so that every answer leads on.
func (p *page) take(v *Value) bool {
	if len(p.found) == p.query.limit {
		return false
	}
	path := p.root.PathString(p.path)
	p.buf = v.AppendJSON(p.buf[:0])
	if p.bytes -= len(path) + len(p.buf); p.bytes < 0 && len(p.found) > 0 {
		return false
	}
	p.found = append(p.found, QueryMatch{path, v})
	return true
}

// members goes down to the members of v that can be selected, from the one an earlier page ended in.
func (p *page) members(v *Value, f front, after Path, resumes bool) bool {
	from, to := 0, v.Len()
	if keys, only := f.keys(); only {
		if len(keys) == 0 {
			return true
		}
		from = v.position(keys[0]) // one pattern without ** goes on in one way
		to = min(to, from+1)
	}
	resumes = resumes && len(after) > 0
	if resumes {
		from = max(from, v.position(after[0]))
	}
	for i := from; i < to; i++ {
		e := v.Entries()[i]
		if v.Kind() == List {
			e.Key = strconv.Itoa(i)
		}
		if !p.below(e, f, after, resumes) {
			return false
		}
	}
	return true
}

// below goes down to a member; the path stays where the page ended.
func (p *page) below(e Entry, f front, after Path, resumes bool) bool {
	p.path = append(p.path, e.Key)
	if p.meter.spend(len(f)); p.meter.spent() {
		return false
	}
	if resumes = resumes && e.Key == after[0]; resumes {
		after = after[1:]
	}
	if next := f.step(e.Key).compact(); len(next) > 0 && !p.walk(e.Value, next, after, resumes) {
		return false
	}
	p.path = p.path[:len(p.path)-1]
	return true
}

// position is where a key stands in a map, or would, and an index in a list.
func (v *Value) position(key string) int {
	if v.Kind() == List {
		i, _ := parseIndex(key)
		return min(i, v.Len())
	}
	i, _ := slices.BinarySearchFunc(v.Entries(), key, func(e Entry, key string) int { return strings.Compare(e.Key, key) })
	return i
}

// compact leaves each rest of one pattern once: two ** lead to the same one in several ways, whose number grows with the depth.
func (f front) compact() front {
	if len(f) < 2 {
		return f
	}
	slices.SortFunc(f, func(a, b []patternSegment) int { return len(a) - len(b) })
	return slices.CompactFunc(f, func(a, b []patternSegment) bool { return len(a) == len(b) })
}
