package document

import (
	"slices"

	"github.com/trunkline/trunkline/value"
)

// blockMembers changes which members a block map has.
func (p *plan) blockMembers(path value.Path, c *node, gone []bool, added []string, want *value.Value, other *node) error {
	head, orig := p.head.sheetOf(c), sheet{}
	if other != nil && other.shape == blockMap {
		orig = p.orig.sheetOf(other)
	}
	for _, k := range p.head.links {
		if i := head.rowAt(k.target); i >= 0 && gone[i] {
			if j := head.rowAt(k.at); j < 0 || !gone[j] {
				return p.tied(join(path, c.parts[i].key), k)
			}
		}
	}
	rows, err := p.additions(path, head, orig, gone, added, want, other)
	switch {
	case err != nil:
		return err
	case head.compact():
		return p.compactRows(path, head, orig, gone, rows)
	}
	p.rows(head, orig, gone, rows)
	return nil
}

// additions are the rows of members that come, by the text of the other version where it can be taken.
func (p *plan) additions(path value.Path, head, orig sheet, gone []bool, added []string, want *value.Value, other *node) ([]addition, error) {
	var rows []addition
	belongs := slots(head, orig, gone)
	for _, key := range added {
		at := join(path, key)
		wanted, _ := want.Get(key)
		if i := orig.index(key); i >= 0 && p.original(at, wanted) && !other.parts[i].odd && !other.parts[i].value.tangled {
			if add, ok := p.lift(head, orig, i); ok {
				add.after = belongs[i]
				rows = append(rows, add)
				continue
			}
		}
		text, err := p.renderedRow(at, key, wanted, head.indent)
		if err != nil {
			return nil, err
		}
		rows = append(rows, addition{after: lastStaying(gone, len(gone)), orig: -1, text: text})
	}
	return rows, nil
}

// root changes all that a YAML document holds: it held nothing, or will.
func (p *plan) root(want *value.Value) error {
	c, orig := p.head.root, sheet{}
	head := newSheet(p.head, nil, "", len(p.head.data))
	switch {
	case c == nil:
	case c.shape == blockMap:
		head = p.head.sheetOf(c)
	case want.Len() == 0 || !blank(p.head.before(c.start)):
		return p.fail(nil, c.start, "the document is written in one line with its beginning")
	default:
		head.end = p.head.triviaBelow(p.head.lineEnd(c.end))
		head.rows = []row{{from: p.head.lineStart(c.start), start: c.start, to: p.head.lineEnd(c.end)}}
	}
	gone := slices.Repeat([]bool{true}, len(head.rows))
	if want.Len() == 0 {
		p.rows(head, orig, gone, []addition{{after: -1, orig: -1, text: "{}"}})
		return nil
	}
	other := p.origRoot()
	if other != nil && other.shape == blockMap {
		orig = p.orig.sheetOf(other)
	}
	var keys []string
	for _, e := range want.Entries() {
		keys = append(keys, e.Key)
	}
	rows, err := p.additions(nil, head, orig, gone, keys, want, other)
	if err == nil {
		p.rows(head, orig, gone, rows)
	}
	return err
}

// compactRows is rows for a map that begins behind a dash: its first row has no line of its own to come or go with.
func (p *plan) compactRows(path value.Path, head, orig sheet, gone []bool, added []addition) error {
	first := slices.Index(gone, false)
	if first > 0 && len(said(head.gaps(0, first))) > 0 {
		return p.fail(path, head.rows[0].start, "comments stand between the dash and the first value that stays")
	}
	slices.SortStableFunc(added, addition.compare)
	n := 0
	for n < len(added) && added[n].after < 0 && added[n].orig == n {
		n++
	}
	text := ""
	if n > 0 && orig.compact() && orig.index(head.rows[first].id) == n {
		text, _ = shiftedRest(string(orig.data[orig.rows[0].start:orig.rows[n].start]), orig.indent, head.indent, head.eol)
		added = added[n:]
	}
	p.splice(head.rows[0].start, head.rows[first].start, text)
	for i := range added {
		added[i].after = max(added[i].after, first) - first
	}
	p.rows(newSheet(head.layout, head.rows[first:], head.indent, head.end), orig, gone[first:], added)
	return nil
}

func (p *plan) tied(path value.Path, k link) error {
	line, _ := p.head.line(k.at)
	return p.fail(path, k.target, "an anchor stands in the value, which line "+itoa(line)+" names by an alias")
}
