package document

import (
	"strconv"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/trunkline/trunkline/value"
)

// tomlPart is a line of a TOML document that sets something: a header, or a key with its value.
type tomlPart struct {
	part
	header bool
	list   bool       // a header of an array of tables
	table  value.Path // the section it stands in, or opens, with the indices of arrays of tables
	path   value.Path // what it sets
}

// layoutTOML finds the parts of a document that [Decode] takes.
func layoutTOML(data []byte) *layout {
	s := &tomlScan{layout: newLayout(TOML, data), items: map[string]int{}}
	s.parser.Reset(data)
	var table value.Path
	for s.parser.NextExpression() {
		e := s.parser.Expression()
		keys, start, end := s.keys(e.Key())
		p := tomlPart{table: table}
		switch e.Kind {
		case unstable.KeyValue:
			p.path = join(table, keys...)
			p.start, p.mark = start, s.behind(end, '=')
			p.value = s.node(e.Value(), s.blanks(p.mark))
			end = p.value.end
		default:
			p.header, p.list = true, e.Kind == unstable.ArrayTable
			table = s.open(keys, p.list)
			p.table, p.path = table, table
			p.start = s.lineStart(start) + len(indent(s.before(start)))
			end = s.behind(end, ']')
			p.value = &node{start: end, end: end}
		}
		s.toml = append(s.toml, p)
		s.rows = append(s.rows, row{id: p.id(), from: s.lineStart(p.start), to: s.lineEnd(end), start: p.start})
	}
	return s.layout
}

// id tells a part from all others of the document.
func (p tomlPart) id() string {
	if p.header {
		return "[" + p.path.Pointer() + "]"
	}
	return p.table.Pointer() + "]" + p.path.Pointer()
}

func join(path value.Path, keys ...string) value.Path {
	return append(path[:len(path):len(path)], keys...)
}

type tomlScan struct {
	*layout
	parser unstable.Parser
	items  map[string]int // how many tables an array has so far
}

// keys are the names of a dotted key, and where it begins and ends.
func (s *tomlScan) keys(it unstable.Iterator) (keys []string, start, end int) {
	start = -1
	for it.Next() {
		n := it.Node()
		if start < 0 {
			start = int(n.Raw.Offset)
		}
		end = int(n.Raw.Offset + n.Raw.Length)
		keys = append(keys, string(n.Data))
	}
	return keys, start, end
}

// open is the path of the table that a header names: what lies in an array of tables is part of the last one.
func (s *tomlScan) open(keys []string, list bool) value.Path {
	var path value.Path
	for i, key := range keys {
		path = join(path, key)
		at := path.Pointer()
		if list && i == len(keys)-1 {
			s.items[at]++
		}
		if n := s.items[at]; n > 0 {
			path = join(path, strconv.Itoa(n-1))
		}
	}
	return path
}

func (s *tomlScan) blanks(at int) int {
	for at < len(s.data) && (s.data[at] == ' ' || s.data[at] == '\t') {
		at++
	}
	return at
}

// behind goes over blank space to a character, and over that as often as it stands there.
func (s *tomlScan) behind(at int, c byte) int {
	at = s.blanks(at)
	for at < len(s.data) && s.data[at] == c {
		at++
	}
	return at
}

func (s *tomlScan) node(n *unstable.Node, at int) *node {
	out := &node{start: at, end: at + len(n.Data)}
	switch n.Kind {
	case unstable.Array:
		s.array(n, out)
	case unstable.InlineTable:
		s.inline(n, out)
	case unstable.String:
		out.shape, out.end = quoted, at+int(n.Raw.Length)
	}
	return out
}

func (s *tomlScan) array(n *unstable.Node, out *node) {
	out.shape, out.open = flowList, out.start+1
	at := s.skip(out.start + 1)
	for it := n.Children(); it.Next(); {
		if it.Node().Kind == unstable.Comment {
			continue
		}
		v := s.node(it.Node(), at)
		out.parts = append(out.parts, part{start: at, mark: at, value: v})
		at = s.skip(s.skipComma(v.end))
	}
	out.end = at + 1
}

func (s *tomlScan) skipComma(at int) int {
	if at = s.skip(at); at < len(s.data) && s.data[at] == ',' {
		at++
	}
	return at
}

func (s *tomlScan) inline(n *unstable.Node, out *node) {
	out.shape, out.open = flowMap, out.start+1
	at := s.skip(out.start + 1)
	for it := n.Children(); it.Next(); {
		member := it.Node()
		if member.Kind != unstable.KeyValue {
			continue
		}
		keys, start, end := s.keys(member.Key())
		p := part{key: keys[0], start: start, mark: s.behind(end, '='), odd: len(keys) > 1}
		p.value = s.node(member.Value(), s.skip(p.mark))
		out.parts = append(out.parts, p)
		at = s.skip(s.skipComma(p.value.end))
	}
	out.end = at + 1
}
