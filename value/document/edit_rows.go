package document

import (
	"cmp"
	"slices"
	"strings"
)

// sheet are rows that follow each other, with blank lines and comments between them.
type sheet struct {
	*layout
	rows   []row
	ids    map[string]int
	indent string // before their keys
	end    int    // where the blank lines and comments behind the last of them end
}

// addition is a row that comes.
type addition struct {
	after int    // the row that it follows, and that stays; negative at the beginning
	orig  int    // its row in the other version; negative when it has none there
	text  string // its lines, with the comments that are about it
	apart bool   // a blank line stands before it
	open  bool   // a blank line stands behind it
	late  bool   // it comes behind those that are not: a section of TOML ends what stands before it
}

// compare orders additions: by where they go, and those of the other version first, as they stand there.
func (a addition) compare(b addition) int {
	switch {
	case a.after != b.after:
		return a.after - b.after
	case a.late != b.late:
		if a.late {
			return 1
		}
		return -1
	case a.orig < 0 || b.orig < 0:
		return b.orig - a.orig
	}
	return a.orig - b.orig
}

func newSheet(l *layout, rows []row, indent string, end int) sheet {
	s := sheet{layout: l, rows: rows, indent: indent, end: end, ids: make(map[string]int, len(rows))}
	for i, r := range rows {
		s.ids[r.id] = i
	}
	return s
}

// sheetOf are the rows of a block map.
func (l *layout) sheetOf(c *node) sheet {
	rows := make([]row, len(c.parts))
	for i, m := range c.parts {
		rows[i] = l.row(m)
	}
	return newSheet(l, rows, spaces(l.column(c.parts[0].start)), c.bottom)
}

// compact tells that the first row begins behind the dash of a list.
func (s sheet) compact() bool {
	return len(s.rows) > 0 && !blank(s.before(s.rows[0].start))
}

func (s sheet) index(id string) int {
	if i, ok := s.ids[id]; ok {
		return i
	}
	return -1
}

// rowAt is the row that an offset lies in; negative without one.
func (s sheet) rowAt(at int) int {
	i, _ := slices.BinarySearchFunc(s.rows, at, func(r row, at int) int { return cmp.Compare(r.to, at+1) })
	if i < len(s.rows) && at >= s.rows[i].from {
		return i
	}
	return -1
}

// bounds are where the lines between two rows begin and end; a is negative before the first, b the number of rows behind the last.
func (s sheet) bounds(a, b int) (from, to int) {
	switch {
	case a >= 0:
		from = s.rows[a].to
	case len(s.rows) > 0:
		from = s.triviaAbove(s.rows[0].from)
	default:
		from = s.triviaAbove(len(s.data))
	}
	if b < len(s.rows) {
		return from, s.rows[b].from
	}
	return from, s.end
}

// gaps are the blank lines and comments between two rows, line by line: before, between and behind the rows that lie there.
func (s sheet) gaps(a, b int) [][]string {
	from, to := s.bounds(a, b)
	var gaps [][]string
	for _, r := range s.rows[a+1 : b] {
		gaps = append(gaps, s.split(from, r.from))
		from = r.to
	}
	return append(gaps, s.split(from, to))
}

// gap are the lines above a row.
func (s sheet) gap(i int) []string { return s.gaps(i-1, i)[0] }

// split are the lines between two offsets, with their ends.
func (s sheet) split(from, to int) []string {
	return slices.Collect(strings.Lines(string(s.data[from:to])))
}

// attached counts the comment lines directly above a row, as far as they are about it: not those that the other version has as well.
func attached(gap []string, known map[string]bool) int {
	n := 0
	for n < len(gap) && comment(gap[len(gap)-1-n]) && !known[strings.TrimSpace(gap[len(gap)-1-n])] {
		n++
	}
	return n
}

// about is attached for gap k between two rows, where a comment at the top of the file is the file's.
func (s sheet) about(a, b, k int, gap []string, known map[string]bool) int {
	n := attached(gap, known)
	if from, _ := s.bounds(a, b); k == 0 && from == 0 && n == len(gap) {
		return 0
	}
	return n
}

// slots are, for each row of the other version, the row behind which it belongs: by its neighbours there, as far as they stay.
func slots(head, orig sheet, gone []bool) []int {
	all := make([]int, len(orig.rows))
	last := lastStaying(gone, len(gone))
	for k := len(orig.rows) - 1; k >= 0; k-- {
		if i := head.index(orig.rows[k].id); i >= 0 && !gone[i] {
			last = lastStaying(gone, i)
		}
		all[k] = last
	}
	before := -1
	for k := range orig.rows {
		if before >= 0 {
			all[k] = before
		}
		if i := head.index(orig.rows[k].id); i >= 0 && !gone[i] {
			before = i
		}
	}
	return all
}

// lastStaying is the last row before another one that stays; negative without one.
func lastStaying(gone []bool, before int) int {
	for before--; before >= 0 && gone[before]; before-- {
	}
	return before
}

// lift takes a row of the other version by its text. It reports false where it is not indented in a way that can be changed.
func (p *plan) lift(head, orig sheet, i int) (addition, bool) {
	gap, r := orig.gap(i), orig.rows[i]
	own := orig.about(i-1, i, 0, gap, p.headComments())
	text, ok := shifted(string(orig.data[r.start:r.to]), orig.indent, head.indent, head.eol)
	if first := orig.before(r.start); blank(first) || orig.compact() {
		about := strings.Join(gap[len(gap)-own:], "")
		text, ok = shifted(about+orig.indent+string(orig.data[r.start:r.to]), orig.indent, head.indent, head.eol)
	}
	below := orig.gap(i + 1)
	return addition{
		orig: i, text: text,
		apart: own < len(gap) && blank(gap[len(gap)-own-1]),
		open:  len(below) > 0 && blank(below[0]),
	}, ok
}
