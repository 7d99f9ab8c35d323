package document

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/trunkline/trunkline/value"
)

// toml walks the library's syntax tree, because its own decoding is quadratic in sibling tables. The rules for opening, extending
// and repeating tables are those of TOML 1.1.
func (d *decoder) toml() *value.Value {
	r := &tomlReader{decoder: d, root: &table{defined: true, at: d.at(1, 1)}}
	if !d.count(1, 1) {
		return nil
	}
	r.parser.Reset(d.data)
	current := r.root
	for !r.full() && r.parser.NextExpression() {
		switch e := r.parser.Expression(); e.Kind {
		case unstable.Table:
			current = r.header(e, false)
		case unstable.ArrayTable:
			current = r.header(e, true)
		case unstable.KeyValue:
			r.keyValue(current, e)
		}
		if r.exhausted {
			return nil
		}
	}
	if err := r.parser.Error(); err != nil {
		r.syntax(err)
	}
	if d.failed {
		return nil
	}
	if len(r.root.members) == 0 {
		return d.empty("remove it")
	}
	return freeze(r.root)
}

type tomlReader struct {
	*decoder
	parser    unstable.Parser
	root      *table
	exhausted bool // a bound was met: nothing more is read
}

// table is a map while the document is read. A member is a *table, a *tables or a *value.Value.
type table struct {
	members map[string]*tomlMember
	keys    []string
	at      value.Place
	depth   int  // counted from the root
	defined bool // by a header, which may do so once
	dotted  bool // by a dotted key, so that no header may open it
	inline  bool // written out in braces, so that nothing may extend it
}

type tables struct {
	items []*table
	at    value.Place
}

type tomlMember struct {
	content any
	key     value.Place
}

func (t *table) put(key tomlKey, content any) {
	if t.members == nil {
		t.members = map[string]*tomlMember{}
	}
	t.members[key.name] = &tomlMember{content, key.at}
	t.keys = append(t.keys, key.name)
}

func (r *tomlReader) syntax(err error) {
	line, column := r.place(0)
	var parse *unstable.ParserError
	message := err.Error()
	if errors.As(err, &parse) {
		message = parse.Message
		if off := cap(r.data) - cap(parse.Highlight); parse.Highlight != nil && off >= 0 && off <= len(r.data) {
			line, column = r.place(off)
		}
	}
	r.fail(line, column, "tomlSyntax", clip(message), "mend the TOML syntax here; strings need quotes")
}

// where is the place of a node, or the fallback for one that knows none.
func (r *tomlReader) where(n *unstable.Node, fallback value.Place) value.Place {
	if n.Raw.Length == 0 {
		return fallback
	}
	line, column := r.place(int(n.Raw.Offset))
	return r.at(line, column)
}

type tomlKey struct {
	name string
	at   value.Place
}

func (r *tomlReader) keys(it unstable.Iterator) ([]tomlKey, bool) {
	var keys []tomlKey
	for it.Next() {
		n := it.Node()
		at := r.where(n, r.at(1, 1))
		if !r.keyAllowed(string(n.Data), at.Line, at.Column) {
			return nil, false
		}
		keys = append(keys, tomlKey{string(n.Data), at})
	}
	return keys, len(keys) > 0
}

// header opens the table that [a.b] or [[a.b]] names. After a problem it answers a table that is thrown away, so that the keys
// below are still looked at.
func (r *tomlReader) header(e *unstable.Node, array bool) *table {
	lost := &table{}
	keys, ok := r.keys(e.Key())
	if !ok {
		return lost
	}
	t := r.root
	for _, key := range keys[:len(keys)-1] {
		if t = r.open(t, key); t == nil || r.exhausted {
			return lost
		}
	}
	last := keys[len(keys)-1]
	if t = r.define(t, last, array); t == nil {
		return lost
	}
	return t
}

// open goes into a table on the way to another, making it where it is not there yet.
func (r *tomlReader) open(t *table, key tomlKey) *table {
	m := t.members[key.name]
	if m == nil {
		next := r.table(t.depth+1, key.at)
		r.put(t, key, next)
		return next
	}
	switch c := m.content.(type) {
	case *table:
		if !c.inline {
			return c
		}
	case *tables:
		return c.items[len(c.items)-1]
	}
	r.notExtensible(key, m)
	return nil
}

// table makes a table that is bounded as every value is.
func (r *tomlReader) table(depth int, at value.Place) *table {
	r.take(depth, at)
	return &table{depth: depth, at: at}
}

// take counts one more value, and reports false when it is too many or too deep.
func (r *tomlReader) take(depth int, at value.Place) bool {
	if r.deep(depth, at.Line, at.Column) || !r.count(at.Line, at.Column) {
		r.exhausted = true
	}
	return !r.exhausted
}

func (r *tomlReader) define(t *table, key tomlKey, array bool) *table {
	m := t.members[key.name]
	if m == nil {
		next := r.table(t.depth+1, key.at)
		if array {
			list := &tables{at: key.at}
			r.put(t, key, list)
			return r.item(list, t.depth+2, key.at)
		}
		next.defined = true
		r.put(t, key, next)
		return next
	}
	switch c := m.content.(type) {
	case *tables:
		if array {
			return r.item(c, t.depth+2, key.at)
		}
	case *table:
		if !array && !c.defined && !c.dotted && !c.inline {
			c.defined = true
			return c
		}
	}
	r.duplicate(key.name, key.at.Line, key.at.Column, m.key.Line, m.key.Column)
	return nil
}

// item adds a table to an array of tables.
func (r *tomlReader) item(list *tables, depth int, at value.Place) *table {
	next := r.table(depth, at)
	next.defined = true
	list.items = append(list.items, next)
	return next
}

func (r *tomlReader) put(t *table, key tomlKey, content any) {
	if len(t.keys) == r.limits.MaxKeys {
		r.fail(key.at.Line, key.at.Column, "tooManyKeys", fmt.Sprintf("a map holds more than %d keys", r.limits.MaxKeys), "split the map")
		r.exhausted = true
		return
	}
	t.put(key, content)
}

func (r *tomlReader) notExtensible(key tomlKey, m *tomlMember) {
	r.fail(key.at.Line, key.at.Column, "duplicateKey",
		fmt.Sprintf("%q cannot be extended: it was written whole at line %d, column %d", clip(key.name), m.key.Line, m.key.Column),
		"write all its keys in one place")
}

func (r *tomlReader) keyValue(t *table, e *unstable.Node) {
	keys, ok := r.keys(e.Key())
	if !ok {
		return
	}
	for _, key := range keys[:len(keys)-1] {
		m := t.members[key.name]
		if m == nil {
			next := r.table(t.depth+1, key.at)
			next.dotted = true
			r.put(t, key, next)
			if t = next; r.exhausted {
				return
			}
			continue
		}
		next, isTable := m.content.(*table)
		if !isTable || !next.dotted {
			r.notExtensible(key, m)
			return
		}
		t = next
	}
	last := keys[len(keys)-1]
	if m := t.members[last.name]; m != nil {
		r.duplicate(last.name, last.at.Line, last.at.Column, m.key.Line, m.key.Column)
		return
	}
	if content := r.read(e.Value(), last.at, t.depth+1); content != nil {
		r.put(t, last, content)
	}
}

// read converts a value. A map or a list stands at its key, a scalar at itself.
func (r *tomlReader) read(n *unstable.Node, key value.Place, depth int) any {
	at := r.where(n, key)
	if r.full() || !r.take(depth, at) {
		return nil
	}
	switch n.Kind {
	case unstable.Array:
		return r.array(n, key, depth)
	case unstable.InlineTable:
		inline := &table{depth: depth, at: key}
		for it := n.Children(); it.Next() && !r.exhausted; {
			r.keyValue(inline, it.Node())
		}
		seal(inline)
		return inline
	default:
		if v := r.scalar(n, at); v != nil {
			return v
		}
		return nil
	}
}

// seal closes an inline table and what its dotted keys made.
func seal(t *table) {
	t.inline, t.dotted = true, false
	for _, m := range t.members {
		if inner, ok := m.content.(*table); ok {
			seal(inner)
		}
	}
}

func (r *tomlReader) array(n *unstable.Node, key value.Place, depth int) *value.Value {
	var items []*value.Value
	for it := n.Children(); it.Next(); {
		switch c := r.read(it.Node(), r.where(it.Node(), key), depth+1).(type) {
		case *value.Value:
			items = append(items, c)
		case *table:
			items = append(items, freeze(c))
		}
		if r.exhausted {
			return nil
		}
	}
	return value.NewList(items, key)
}

// freeze makes a table a value, now that nothing can extend it any more.
func freeze(t *table) *value.Value {
	entries := make([]value.Entry, 0, len(t.keys))
	for _, key := range t.keys {
		m := t.members[key]
		var v *value.Value
		switch c := m.content.(type) {
		case *value.Value:
			v = c
		case *table:
			v = freeze(c)
		case *tables:
			items := make([]*value.Value, len(c.items))
			for i, item := range c.items {
				items[i] = freeze(item)
			}
			v = value.NewList(items, c.at)
		}
		entries = append(entries, value.Entry{Key: key, Value: v})
	}
	return value.NewMap(entries, t.at)
}

func (r *tomlReader) scalar(n *unstable.Node, at value.Place) *value.Value {
	text := string(n.Data)
	switch n.Kind {
	case unstable.String:
		return value.NewString(text, at)
	case unstable.Bool:
		return value.NewBool(text == "true", at)
	case unstable.Integer:
		i, err := parseInt(text)
		if err != nil {
			r.bigInteger(at.Line, at.Column)
			return nil
		}
		return value.NewInt(i, at)
	case unstable.Float:
		f, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			r.notFinite(text, at.Line, at.Column)
			return nil
		}
		r.precision(text, at)
		return value.NewFloat(f, at)
	default:
		return r.time(n.Kind, text, at)
	}
}

// tomlTimes are what the parser delimits without looking inside.
var tomlTimes = map[unstable.Kind]string{
	unstable.LocalDate: "2006-01-02", unstable.LocalTime: "15:04:05", unstable.LocalDateTime: "2006-01-02T15:04:05", unstable.DateTime: time.RFC3339,
}

func (r *tomlReader) time(kind unstable.Kind, text string, at value.Place) *value.Value {
	text = rfc3339(text)
	if _, err := time.Parse(tomlTimes[kind], text); err != nil || !tomlTimeShape.MatchString(text) {
		r.fail(at.Line, at.Column, "badTime", fmt.Sprintf("%s is no date or time", clip(text)), "mend it, or quote it to keep it as it is")
		return nil
	}
	return value.NewString(text, at)
}

var (
	withoutSeconds = regexp.MustCompile(`(^|T)(\d\d:\d\d)($|[Z+-])`)
	tomlTimeShape  = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)?(T?\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?)?$`) // time.Parse takes more
)

// rfc3339 writes a TOML date or time in the form of RFC 3339.
func rfc3339(text string) string {
	text = strings.ToUpper(strings.Replace(text, " ", "T", 1))
	return withoutSeconds.ReplaceAllString(text, "$1$2:00$3")
}
