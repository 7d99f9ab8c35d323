package document

import (
	"slices"
	"strings"
)

// rows carries out what comes and goes among rows: region by region, from one row that stays to the next.
func (p *plan) rows(head, orig sheet, gone []bool, added []addition) {
	slices.SortStableFunc(added, addition.compare)
	for a := -1; a < len(head.rows); {
		b := a + 1
		for b < len(head.rows) && gone[b] {
			b++
		}
		n := 0
		for n < len(added) && added[n].after == a {
			n++
		}
		if b > a+1 || n > 0 {
			p.region(head, orig, a, b, added[:n])
		}
		a, added = b, added[n:]
	}
}

// region writes anew what lies between two rows that stay.
func (p *plan) region(head, orig sheet, a, b int, added []addition) {
	gaps := head.gaps(a, b)
	from, to := head.bounds(a, b)
	for k := range gaps[:len(gaps)-1] {
		n := attached(gaps[k], p.origComments())
		if p.orig == nil {
			n = head.about(a, b, k, gaps[k], nil)
		}
		gaps[k] = gaps[k][:len(gaps[k])-n]
	}
	text, ok := p.asBefore(head, orig, a, b, gaps, added)
	if !ok {
		text = woven(head, a, b, gaps, added)
	}
	p.splice(from, to, text)
}

// said are the lines of gaps that are not blank.
func said(gaps [][]string) []string {
	var all []string
	for _, line := range slices.Concat(gaps...) {
		if !blank(line) {
			all = append(all, strings.TrimRight(line, " \t\r\n"))
		}
	}
	return all
}

// asBefore is the region as the other version has it, if it lies between the same rows there and all else in it is the same.
func (p *plan) asBefore(head, orig sheet, a, b int, gaps [][]string, added []addition) (string, bool) {
	if orig.layout == nil {
		return "", false
	}
	from, to := -1, len(orig.rows)
	if a >= 0 {
		from = orig.index(head.rows[a].id)
	}
	if b < len(head.rows) {
		to = orig.index(head.rows[b].id)
	}
	if (from < 0) != (a < 0) || to-from-1 != len(added) || from < 0 && orig.compact() {
		return "", false
	}
	for i, add := range added {
		if add.orig != from+1+i {
			return "", false
		}
	}
	before := orig.gaps(from, to)
	for k := range added {
		before[k] = before[k][:len(before[k])-orig.about(from, to, k, before[k], p.headComments())]
	}
	if !slices.Equal(said(before), said(gaps)) {
		return "", false
	}
	first, last := orig.bounds(from, to)
	return shifted(string(orig.data[first:last]), orig.indent, head.indent, head.eol)
}

// woven is the region with what stays of the lines between its rows, and what is added: at its beginning, or, where no row stays
// before it, at its end. Sections of TOML come at the end, too: what stands above them belongs to the one before.
func woven(head sheet, a, b int, gaps [][]string, added []addition) string {
	kept := gaps[0]
	for k, gap := range gaps[1:] {
		kept = closed(kept, gap, a < 0, b == len(head.rows) && k == len(gaps)-2 && (a >= 0 || len(added) == 0))
	}
	end := len(kept)
	if b < len(head.rows) {
		end -= head.about(a, b, 0, kept, nil)
	}
	early := 0
	for a >= 0 && early < len(added) && !added[early].late {
		early++
	}
	var out []string
	for _, add := range added[:early] {
		out = append(out, add.lines(out, a >= 0, head.eol)...)
	}
	if early > 0 && added[early-1].open && more(kept, b < len(head.rows)) {
		out = append(out, head.eol)
	}
	out = append(out, kept[:end]...)
	for _, add := range added[early:] {
		out = append(out, add.lines(out, a >= 0, head.eol)...)
	}
	if n := len(added); n > early && added[n-1].open && more(kept[end:], b < len(head.rows)) {
		out = append(out, head.eol)
	}
	return strings.Join(append(out, kept[end:]...), "")
}

// more tells whether something follows at once: a line that is not blank, or else the next row.
func more(lines []string, row bool) bool {
	return len(lines) > 0 && !blank(lines[0]) || len(lines) == 0 && row
}

// closed joins the lines above and below a row that goes, without leaving blank lines twice.
func closed(above, below []string, first, last bool) []string {
	bare := above
	for len(bare) > 0 && blank(bare[len(bare)-1]) {
		bare = bare[:len(bare)-1]
	}
	if len(below) > 0 && blank(below[0]) || len(below) == 0 && last {
		above = bare
	}
	for first && len(above) == 0 && len(below) > 0 && blank(below[0]) {
		below = below[1:]
	}
	return slices.Concat(above, below)
}

// lines are what is written for a row that comes behind others. inside: a row stands before all of them.
func (add addition) lines(out []string, inside bool, eol string) []string {
	var lines []string
	last := ""
	if len(out) > 0 {
		last = out[len(out)-1]
	}
	if last != "" && !strings.HasSuffix(last, "\n") {
		lines = append(lines, eol)
	}
	if add.apart && (inside && last == "" || last != "" && !blank(last)) {
		lines = append(lines, eol)
	}
	text := add.text
	if !strings.HasSuffix(text, "\n") {
		text += eol
	}
	return append(lines, text)
}
