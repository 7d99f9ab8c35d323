package document

import (
	"bytes"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/value"
)

// plan is what is to be done to the text of a document. Everything is found before anything is changed.
type plan struct {
	*edition
	old     *value.Value
	head    *layout
	orig    *layout      // another version of the document; nil when there is none
	was     *value.Value // what it says
	splices []splice

	ofHead, ofOrig map[string]bool // the comments of both versions, once they are asked for
}

func (p *plan) headComments() map[string]bool {
	if p.ofHead == nil {
		p.ofHead = p.head.comments()
	}
	return p.ofHead
}

func (p *plan) origComments() map[string]bool {
	if p.ofOrig == nil && p.orig != nil {
		p.ofOrig = p.orig.comments()
	}
	return p.ofOrig
}

// splice puts a text in the place of the bytes between two offsets.
type splice struct {
	from, to int
	text     string
}

func (p *plan) splice(from, to int, text string) {
	if string(p.head.data[from:to]) != text {
		p.splices = append(p.splices, splice{from, to, text})
	}
}

// text is the document once the plan is carried out.
func (p *plan) text() ([]byte, error) {
	slices.SortStableFunc(p.splices, func(a, b splice) int { return a.from - b.from })
	var out bytes.Buffer
	at := 0
	for _, s := range p.splices {
		if s.from < at {
			return nil, p.refuse(p.old, nil, "changes that lie in each other", byHand)
		}
		out.Write(p.head.data[at:s.from])
		out.WriteString(s.text)
		at = s.to
	}
	out.Write(p.head.data[at:])
	return out.Bytes(), nil
}

func (p *plan) fail(path value.Path, at int, message string) error {
	line, column := p.head.line(at)
	return &EditError{Pos: value.Pos{File: p.file.Path, Line: line, Column: column}, Path: p.old.PathString(path), Message: message, Hint: byHand}
}

func (p *plan) document(want *value.Value) error {
	if p.format == TOML {
		return p.toml(want)
	}
	if c := p.head.root; c == nil || want.Len() == 0 || p.old.Len() == 0 {
		if p.format == JSON || c != nil && c.shape == flowMap && want.Len() == 0 {
			return p.flowRoot(want)
		}
		return p.root(want)
	}
	return p.members(nil, p.head.root, p.old, want, p.origRoot())
}

func (p *plan) origRoot() *node {
	if p.orig == nil {
		return nil
	}
	return p.orig.root
}

// original tells whether the other version says the same at a path, so that its text can be taken.
func (p *plan) original(path value.Path, want *value.Value) bool {
	if p.orig == nil {
		return false
	}
	v, ok := p.was.At(path)
	return ok && value.Equal(v, want)
}

// counterpart is the part of another version that stands in the place of part i of a collection; nil without one.
func counterpart(c *node, i int, other *node) *part {
	switch {
	case other == nil || c.isMap() != other.isMap():
		return nil
	case c.isMap():
		return other.find(c.parts[i].key)
	case len(other.parts) == len(c.parts):
		return &other.parts[i]
	}
	return nil
}

// part changes one part of a collection, whose counterpart lies in another one.
func (p *plan) part(path value.Path, c *node, i int, old, want *value.Value, other *node) error {
	m := &c.parts[i]
	same := counterpart(c, i, other)
	switch {
	case value.Equal(old, want):
		return nil
	case m.odd:
		return p.fail(path, m.start, "the key is written in a way that is not edited")
	case m.value.shape == aliasNode && old.Kind() == want.Kind() && old.Len()+want.Len() > 0:
		return p.fail(path, m.value.start, "the value is an alias, and a part of what it names would change")
	}
	var below *node
	if same != nil {
		below = same.value
	}
	switch {
	case m.value.isMap() && want.Kind() == value.Map && want.Len() > 0 && p.apart(m.value, old, want):
		return p.members(path, m.value, old, want, below)
	case old.Kind() == value.List && want.Kind() == value.List && old.Len() == want.Len() && m.value.isList():
		return p.items(path, m.value, old, want, below)
	}
	return p.replace(path, c, i, want, other)
}

// apart tells whether a map can be changed member by member: there is one, and one stays if the first stands behind a dash.
func (p *plan) apart(c *node, old, want *value.Value) bool {
	if len(c.parts) == 0 {
		return false
	}
	return c.shape == flowMap || blank(p.head.before(c.parts[0].start)) || slices.ContainsFunc(c.parts, func(m part) bool {
		_, now := old.Get(m.key)
		_, wanted := want.Get(m.key)
		return wanted || !now // a merge key
	})
}

func (p *plan) items(path value.Path, c *node, old, want *value.Value, other *node) error {
	for i, e := range old.Entries() {
		wanted, _ := want.Index(i)
		if err := p.part(join(path, itoa(i)), c, i, e.Value, wanted, other); err != nil {
			return err
		}
	}
	return nil
}

// members changes those of a map that stay, and plans what comes and goes.
func (p *plan) members(path value.Path, c *node, old, want *value.Value, other *node) error {
	gone := make([]bool, len(c.parts))
	for i, m := range c.parts {
		now, _ := old.Get(m.key)
		wanted, stays := want.Get(m.key)
		if !stays && now != nil {
			if m.odd {
				return p.fail(path, m.start, "the key is written in a way that is not edited")
			}
			gone[i] = true
			continue
		}
		if now == nil {
			continue // a merge key
		}
		if err := p.part(join(path, m.key), c, i, now, wanted, other); err != nil {
			return err
		}
	}
	var added []string
	for _, e := range want.Entries() {
		if now, _ := old.Get(e.Key); c.find(e.Key) == nil && !value.Equal(now, e.Value) {
			added = append(added, e.Key)
		}
	}
	for _, e := range old.Entries() {
		if _, stays := want.Get(e.Key); !stays && c.find(e.Key) == nil {
			return p.fail(join(path, e.Key), c.start, "the value comes from a merge key <<")
		}
	}
	if len(added) == 0 && !slices.Contains(gone, true) {
		return nil
	}
	if c.shape == flowMap {
		return p.flowMembers(path, c, gone, added, want, other)
	}
	return p.blockMembers(path, c, gone, added, want, other)
}

// replace puts another value in the place of a part's.
func (p *plan) replace(path value.Path, c *node, i int, want *value.Value, other *node) error {
	m := c.parts[i]
	if k, ok := p.head.anchored(m.mark, max(m.mark, m.value.end)); ok {
		return p.tied(path, k)
	}
	var from *part
	if same := counterpart(c, i, other); same != nil && !same.odd && !same.value.tangled && p.original(path, want) {
		from = same
	}
	if c.block() {
		return p.replaceRow(path, m, c.shape == blockList, want, from, other)
	}
	text, ok := p.flowText(from, other, m)
	if !ok {
		var err error
		if text, err = p.inline(path, want, m.start, m.value); err != nil {
			return err
		}
	}
	if m.value.end == m.mark {
		text = " " + text
	}
	p.splice(m.value.start, m.value.end, text)
	return nil
}

// replaceRow puts another value behind a key or dash that stands on a line of its own.
func (p *plan) replaceRow(path value.Path, m part, item bool, want *value.Value, from *part, other *node) error {
	if from != nil && other.block() {
		r, column := p.orig.row(*from), p.orig.column(from.start)
		text, ok := shiftedRest(string(p.orig.data[from.mark:r.to]), spaces(column), spaces(p.head.column(m.start)), p.head.eol)
		if ok {
			p.splice(m.mark, p.head.row(m).to, text)
			return nil
		}
	}
	if from != nil && !other.block() && !bytes.ContainsRune(p.orig.data[from.value.start:from.value.end], '\n') {
		p.putRow(m, string(p.orig.data[from.value.start:from.value.end]), nil)
		return nil
	}
	text, lines, err := p.rendered(path, want, p.head.column(m.start), item, m.value)
	if err != nil {
		return err
	}
	p.putRow(m, text, lines)
	return nil
}

// putRow writes a value behind a key: what stands on its line, and what stands on lines below. A comment on the line stays.
func (p *plan) putRow(m part, text string, lines []string) {
	v, l := m.value, p.head
	single := !v.block() && !bytes.ContainsRune(l.data[v.start:v.end], '\n')
	if single && len(lines) == 0 && v.start > m.mark {
		p.splice(v.start, v.end, text)
		return
	}
	if text != "" {
		text = " " + text
	}
	if single && len(lines) == 0 {
		p.splice(m.mark, v.end, text)
		return
	}
	to := l.lineEnd(v.end)
	if !single || strings.HasPrefix(text, " |") {
		to = l.row(m).to // comments below it would become part of a text
	}
	text += l.behindKey(m)
	for _, line := range lines {
		text += l.eol + line
	}
	p.splice(m.mark, to, text+l.eol)
}

// behindKey is the comment on the line of a key.
func (l *layout) behindKey(m part) string {
	line := l.rest(m.mark)
	if !m.value.block() {
		line = l.rest(m.value.end)
	} else if m.value.shape != textBlock && l.lineStart(m.value.start) == l.lineStart(m.mark) {
		return "" // a map begins behind the dash
	}
	if i := strings.IndexByte(line, '#'); i >= 0 && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
		for i > 0 && (line[i-1] == ' ' || line[i-1] == '\t') {
			i--
		}
		return line[i:]
	}
	return ""
}
