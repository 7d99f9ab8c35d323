package document

import (
	"bytes"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/value"
)

// base is what the line begins with that an offset is on, with blanks for the dashes of lists; ok where nothing else stands before it.
func (l *layout) base(at int) (prefix string, ok bool) {
	before := l.before(at)
	if blank(before) {
		return before, true
	}
	if l.format == YAML && strings.Trim(before, " -") == "" {
		return spaces(len(before)), true
	}
	return indent(before), false
}

// many tells a collection in flow style whose parts have lines of their own.
func (l *layout) many(c *node) bool {
	return len(c.parts) > 0 && bytes.ContainsRune(l.data[c.open:c.parts[0].start], '\n')
}

// flowText is the text of a part's value in another version, as it may stand in brackets in the place of m.
func (p *plan) flowText(from *part, other *node, m part) (string, bool) {
	if from == nil || from.value.block() || from.value.shape == plain && p.format == YAML && other.block() {
		return "", false
	}
	return p.taken(from.value.start, from.value.end, from.start, m.start)
}

// taken is text of the other version, indented for its new place: there is the part it belongs to, and here one beside its place.
func (p *plan) taken(from, to, there, here int) (string, bool) {
	was, ok := p.orig.base(there)
	is, also := p.head.base(here)
	if !ok || !also {
		was, is = "", ""
	}
	return shiftedRest(string(p.orig.data[from:to]), was, is, p.head.eol)
}

// flowRoot writes the whole of a document in brackets.
func (p *plan) flowRoot(want *value.Value) error {
	text, err := p.inline(nil, want, 0, p.head.root)
	if err != nil {
		return err
	}
	if other := p.origRoot(); other != nil && p.original(nil, want) && other.shape == flowMap {
		text, _ = shiftedRest(string(p.orig.data[other.start:other.end]), "", "", p.head.eol)
	}
	if c := p.head.root; c != nil {
		p.splice(c.start, c.end, text)
		return nil
	}
	p.splice(0, len(p.head.data), text+p.head.eol)
	return nil
}

// flowMembers changes which members a map in flow style has: region by region, from the end of one that stays to the next.
func (p *plan) flowMembers(path value.Path, c *node, gone []bool, added []string, want *value.Value, other *node) error {
	if other != nil && other.shape != flowMap {
		other = nil
	}
	f := flowPlan{plan: p, path: path, c: c, other: other, gone: gone}
	if err := f.place(added, want); err != nil {
		return err
	}
	for a := -1; a < len(c.parts); {
		b := a + 1
		for b < len(c.parts) && gone[b] {
			b++
		}
		if here := f.added[a]; b > a+1 || len(here) > 0 {
			if err := f.region(a, b, here); err != nil {
				return err
			}
		}
		a = b
	}
	return nil
}

// flowPlan is what comes and goes in one map in flow style.
type flowPlan struct {
	*plan
	path     value.Path
	c, other *node // here, and in the other version; other may be nil
	gone     []bool
	added    map[int][]flowAddition // by the part that they follow, and that stays
}

type flowAddition struct {
	orig int // its part in the other version; negative when it has none there
	text string
}

// place finds the text of each member that comes, and where it goes.
func (f *flowPlan) place(added []string, want *value.Value) error {
	f.added = map[int][]flowAddition{}
	var belongs []int
	if f.other != nil {
		belongs = slots(idsOf(f.c), idsOf(f.other), f.gone)
	}
	for _, key := range added {
		wanted, _ := want.Get(key)
		at := join(f.path, key)
		add, after := flowAddition{orig: -1}, lastStaying(f.gone, len(f.gone))
		ok := false
		if from := f.other.find(key); from != nil && !from.odd && !from.value.tangled && f.original(at, wanted) {
			add.orig = f.other.keys[key]
			after = belongs[add.orig]
			add.text, ok = f.taken(from.start, from.value.end, from.start, f.beside())
		}
		if !ok {
			var err error
			if add.text, err = f.flowMember(at, key, wanted, f.c, f.beside()); err != nil {
				return err
			}
		}
		f.added[after] = append(f.added[after], add)
	}
	for _, here := range f.added {
		slices.SortStableFunc(here, func(a, b flowAddition) int {
			if a.orig < 0 || b.orig < 0 {
				return b.orig - a.orig
			}
			return a.orig - b.orig
		})
	}
	return nil
}

// idsOf are the keys of a map as a sheet knows them.
func idsOf(c *node) sheet {
	rows := make([]row, len(c.parts))
	for i, m := range c.parts {
		rows[i].id = m.key
	}
	return newSheet(nil, rows, "", 0)
}

// beside is where the first member begins, or the map where it has none.
func (f *flowPlan) beside() int {
	if len(f.c.parts) == 0 {
		return f.c.start
	}
	return f.c.parts[0].start
}

// bounds are where the text between two parts begins and ends: behind the first, or the bracket, and at the second, or the bracket.
func (c *node) bounds(a, b int) (from, to int) {
	from, to = c.open, c.end-1
	if a >= 0 {
		from = max(c.parts[a].mark, c.parts[a].value.end)
	}
	if b < len(c.parts) {
		to = c.parts[b].start
	}
	return from, to
}

func (l *layout) between(c *node, a, b int) string {
	from, to := c.bounds(a, b)
	return string(l.data[from:to])
}

// commented tells whether comments stand among the parts from one to another.
func (l *layout) commented(c *node, a, b int) bool {
	for ; a < b; a++ {
		if strings.Contains(l.between(c, a, a+1), "#") {
			return true
		}
	}
	return false
}

// region writes anew what lies between two members that stay.
func (f *flowPlan) region(a, b int, added []flowAddition) error {
	if f.head.commented(f.c, a, b) {
		return f.fail(f.path, f.c.start, "comments stand between the values in brackets")
	}
	from, to := f.c.bounds(a, b)
	if k, ok := f.head.anchored(from, to); ok {
		return f.tied(f.path, k)
	}
	text, ok := f.asBefore(a, b, added)
	if !ok {
		text = f.joined(a, b, added)
	}
	f.splice(from, to, text)
	return nil
}

// asBefore is the region as the other version has it, if it lies between the same members there, on lines as here.
func (f *flowPlan) asBefore(a, b int, added []flowAddition) (string, bool) {
	o := f.other
	if o == nil || f.orig.many(o) != f.head.many(f.c) {
		return "", false
	}
	from, to, ok := f.neighbours(a, b)
	if !ok || to-from-1 != len(added) || f.orig.commented(o, from, to) {
		return "", false
	}
	for i, add := range added {
		if add.orig != from+1+i {
			return "", false
		}
	}
	if len(o.parts) == 0 {
		return "", false
	}
	start, end := o.bounds(from, to)
	return f.taken(start, end, o.parts[0].start, f.beside())
}

// neighbours are the members of the other version that two members here are.
func (f *flowPlan) neighbours(a, b int) (from, to int, ok bool) {
	from, to = -1, len(f.other.parts)
	if a >= 0 {
		if f.other.find(f.c.parts[a].key) == nil {
			return 0, 0, false
		}
		from = f.other.keys[f.c.parts[a].key]
	}
	if b < len(f.c.parts) {
		if f.other.find(f.c.parts[b].key) == nil {
			return 0, 0, false
		}
		to = f.other.keys[f.c.parts[b].key]
	}
	return from, to, true
}

// joined are members that come, with commas and line ends as the map has them already.
func (f *flowPlan) joined(a, b int, added []flowAddition) string {
	n := len(f.c.parts)
	texts := make([]string, len(added))
	for i, add := range added {
		texts[i] = add.text
	}
	text, comma := strings.Join(texts, f.comma()), f.comma()
	first, last := "", ""
	if n > 0 {
		first, last = f.head.between(f.c, -1, 0), f.head.between(f.c, n-1, n)
	}
	switch {
	case a < 0 && b == n:
		return first + text + last
	case a < 0 && text == "":
		return first
	case a < 0:
		return first + text + comma
	case b == n && text == "":
		return last
	case b == n:
		return comma + text + last
	case text == "":
		return f.head.between(f.c, b-1, b)
	default:
		return comma + text + comma
	}
}

// comma is what stands between two members: as between those that are there, or on lines as the first one.
func (f *flowPlan) comma() string {
	for i := range len(f.c.parts) - 1 {
		if text := f.head.between(f.c, i, i+1); !strings.Contains(text, "#") {
			return text
		}
	}
	if f.head.many(f.c) {
		indent, _ := f.head.base(f.beside())
		return "," + f.head.eol + indent
	}
	return ", "
}
