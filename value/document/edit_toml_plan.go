package document

import (
	"slices"
	"strings"

	"github.com/trunkline/trunkline/value"
)

// tomlPlan is what comes and goes among the lines of a TOML document.
type tomlPlan struct {
	*plan
	here, there       sheet // of this version and the other one
	lines, otherLines *node // as members of one map, by what they set
	otherText         *layout
	headers           map[string]int // those of this version
	gone              []bool
	added             []addition
}

func (p *plan) toml(want *value.Value) error {
	t := &tomlPlan{plan: p, headers: map[string]int{}, gone: make([]bool, len(p.head.rows)), otherText: &layout{}}
	t.here, t.lines = p.head.tomlSheet()
	if p.orig != nil {
		t.otherText = p.orig
		t.there, t.otherLines = p.orig.tomlSheet()
	}
	for i, m := range p.head.toml {
		if m.header {
			t.headers[m.path.Pointer()] = i
		}
	}
	if err := t.members(nil, p.old, want); err != nil {
		return err
	}
	for i, add := range t.added {
		t.added[i].after = lastStaying(t.gone, add.after+1) // what it was to follow may have gone since
	}
	p.rows(t.here, t.there, t.gone, t.added)
	return nil
}

// tomlSheet are the lines of a document, and the same as members of one map.
func (l *layout) tomlSheet() (sheet, *node) {
	n := &node{shape: blockMap}
	for _, m := range l.toml {
		m.key = m.path.Pointer()
		if m.header {
			m.key = m.id()
		}
		n.parts = append(n.parts, m.part)
	}
	return newSheet(l, l.rows, "", len(l.data)), n
}

// change leads from one value to another at a path.
func (t *tomlPlan) change(path value.Path, old, want *value.Value) error {
	if value.Equal(old, want) {
		return nil
	}
	if t.lines.find(path.Pointer()) != nil {
		if t.original(path, want) && t.otherLines.find(path.Pointer()) == nil && t.swap(path) {
			return nil
		}
		return t.part(path, t.lines, t.lines.keys[path.Pointer()], old, want, t.otherLines)
	}
	_, open := t.headers[path.Pointer()]
	if open && !shares(old, want) && t.original(path, want) {
		open = t.there.index(tomlPart{header: true, path: path}.id()) >= 0
	}
	switch {
	case old.Kind() == value.Map && want.Kind() == value.Map && (open || shares(old, want)):
		return t.members(path, old, want)
	case tablesAlike(old, want):
		for i, e := range old.Entries() {
			wanted, _ := want.Index(i)
			if err := t.change(join(path, itoa(i)), e.Value, wanted); err != nil {
				return err
			}
		}
		return nil
	}
	t.drop(path)
	return t.come(path, want)
}

// swap takes the lines of the other version, which has headers or dots for it, in the place of a line here.
func (t *tomlPlan) swap(path value.Path) bool {
	before := slices.Clone(t.gone)
	t.drop(path)
	if t.take(path) {
		return true
	}
	t.gone = before
	return false
}

// shares tells of two maps that have a key in common.
func shares(a, b *value.Value) bool {
	return slices.ContainsFunc(a.Entries(), func(e value.Entry) bool {
		_, ok := b.Get(e.Key)
		return ok
	})
}

// tablesAlike tells of two lists of maps that item follows item.
func tablesAlike(a, b *value.Value) bool {
	if a.Kind() != value.List || b.Kind() != value.List || a.Len() != b.Len() {
		return false
	}
	return !slices.ContainsFunc(b.Entries(), func(e value.Entry) bool { return e.Value.Kind() != value.Map })
}

func (t *tomlPlan) members(path value.Path, old, want *value.Value) error {
	for _, e := range old.Entries() {
		wanted, stays := want.Get(e.Key)
		if !stays {
			t.drop(join(path, e.Key))
		} else if err := t.change(join(path, e.Key), e.Value, wanted); err != nil {
			return err
		}
	}
	for _, e := range want.Entries() {
		if _, there := old.Get(e.Key); !there {
			if err := t.come(join(path, e.Key), e.Value); err != nil {
				return err
			}
		}
	}
	return nil
}

func within(path, above value.Path) bool {
	return len(path) >= len(above) && slices.Equal(path[:len(above)], above)
}

// drop takes out every line that sets something at a path or below it.
func (t *tomlPlan) drop(path value.Path) {
	for i, m := range t.head.toml {
		t.gone[i] = t.gone[i] || within(m.path, path)
	}
}

// last is the last line for which something holds, and that stays; negative without one.
func (t *tomlPlan) last(holds func(tomlPart) bool) int {
	for i := len(t.gone) - 1; i >= 0; i-- {
		if !t.gone[i] && holds(t.head.toml[i]) {
			return i
		}
	}
	return -1
}

// come puts a value where none is, by the lines of the other version or by new ones.
func (t *tomlPlan) come(path value.Path, want *value.Value) error {
	if t.original(path, want) && t.take(path) {
		return nil
	}
	parent := path[:len(path)-1]
	_, open := t.headers[parent.Pointer()]
	inTable := t.last(func(m tomlPart) bool { return slices.Equal(m.table, parent) })
	dotted := t.last(func(m tomlPart) bool { return !m.header && within(m.path, parent) })
	sections := t.last(func(m tomlPart) bool { return m.header }) >= 0
	switch {
	case sections && want.Kind() == value.Map && want.Len() > 0 && (len(parent) == 0 || open || dotted < 0):
		return t.section(path, want)
	case open || len(parent) == 0:
		return t.line(path, parent, want, inTable)
	case dotted >= 0 && len(t.head.toml[dotted].table) < len(parent):
		return t.line(path, t.head.toml[dotted].table, want, dotted)
	}
	return t.section(parent, one(path[len(path)-1], want))
}

// line writes a key with its value into the section of a table. What stands behind the key may be that of the other version.
func (t *tomlPlan) line(path, table value.Path, want *value.Value, after int) error {
	text, err := t.inline(path, want, 0, nil)
	if from := t.otherLines.find(path.Pointer()); from != nil && t.original(path, want) {
		text, _ = shifted(string(t.otherText.data[from.value.start:t.otherText.lineEnd(from.value.end)]), "", "", t.head.eol)
		err = nil
	}
	text = tomlKeys(t.names(path)[len(t.names(table)):]...) + " = " + text
	t.added = append(t.added, addition{after: after, orig: -1, text: text})
	return err
}

// section writes a table under a header of its own, behind all that its parent holds.
func (t *tomlPlan) section(path value.Path, want *value.Value) error {
	w := writer{plan: t.plan, path: path}
	parent := path[:len(path)-1]
	after := t.last(func(m tomlPart) bool { return within(m.path, parent) })
	text := strings.Join(w.section(t.names(path), want), t.head.eol)
	t.added = append(t.added, addition{after: after, orig: -1, text: text + t.head.eol, apart: true, late: true})
	return w.err
}

// section are the lines of a table: its own values first, then the tables in it.
func (w *writer) section(names []string, v *value.Value) []string {
	out := []string{"[" + tomlKeys(names...) + "]"}
	var below []string
	for _, e := range v.Entries() {
		if e.Value.Kind() == value.Map && e.Value.Len() > 0 {
			below = append(append(below, ""), w.section(append(names[:len(names):len(names)], e.Key), e.Value)...)
		} else {
			out = append(out, tomlKeys(e.Key)+" = "+w.toml(e.Value, 0))
		}
	}
	return append(out, below...)
}

// names are the keys of a path, without the indices of lists.
func (t *tomlPlan) names(path value.Path) []string {
	var names []string
	at := t.old
	for _, segment := range path {
		if at == nil || at.Kind() != value.List {
			names = append(names, segment)
		}
		if at != nil {
			at, _ = at.Step(segment)
		}
	}
	return names
}

// take takes the lines of the other version for a path. It reports false where they stand in a table that is not here.
func (t *tomlPlan) take(path value.Path) bool {
	var rows []addition
	belongs := slots(t.here, t.there, t.gone)
	group := -1
	for i, m := range t.otherText.toml {
		if !within(m.path, path) {
			continue
		}
		add, ok := t.lift(t.here, t.there, i)
		if !ok || t.clashes(m) {
			return false
		}
		switch at, open := t.headers[m.table.Pointer()]; {
		case m.header:
			if group < 0 {
				group = t.sectionEnd(belongs[i])
			}
			add.after, add.late = group, true
		case within(m.table, path):
			add.after, add.late = group, true
		case len(m.table) > 0 && (!open || t.gone[at]):
			return false
		default:
			add.after = t.inSection(i)
		}
		rows = append(rows, add)
	}
	t.added = append(t.added, rows...)
	return len(rows) > 0
}

// clashes tells that a line of the other version sets by dots what has a header here, or the other way.
func (t *tomlPlan) clashes(m tomlPart) bool {
	for n := len(m.table) + 1; n < len(m.path); n++ {
		if i, open := t.headers[m.path[:n].Pointer()]; open && !t.gone[i] {
			return true
		}
	}
	return m.header && t.last(func(o tomlPart) bool { return !o.header && len(o.table) < len(m.path) && within(o.path, m.path) }) >= 0
}

// sectionEnd is the last line that stays of the section that a line is in.
func (t *tomlPlan) sectionEnd(after int) int {
	next := after + 1
	for next < len(t.gone) && !t.head.toml[next].header {
		next++
	}
	return lastStaying(t.gone, next)
}

// inSection is the line behind which a line of the other version belongs, by its neighbours in its section.
func (t *tomlPlan) inSection(at int) int {
	table := t.otherText.toml[at].table
	stays := func(k int) int {
		if !slices.Equal(t.otherText.toml[k].table, table) {
			return -1
		}
		i := t.here.index(t.there.rows[k].id)
		if i >= 0 && t.gone[i] {
			return -1
		}
		return i
	}
	for k := at - 1; k >= 0; k-- {
		if i := stays(k); i >= 0 {
			return i
		}
	}
	for k := at + 1; k < len(t.there.rows); k++ {
		if i := stays(k); i >= 0 {
			return lastStaying(t.gone, i)
		}
	}
	return t.last(func(m tomlPart) bool { return slices.Equal(m.table, table) })
}
