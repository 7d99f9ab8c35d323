package document

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// oddBreaks are line ends that YAML knows and editors of lines do not agree on.
var oddBreaks = regexp.MustCompile("\r[^\n]|\r$|\u0085|\u2028|\u2029")

// layoutYAML finds the parts of a document that [Decode] takes. It is nil where they cannot be told from the lines.
//
// The parser tells where values begin. Where they end is found here, by the rules of its scanner.
func layoutYAML(data []byte) *layout {
	var doc yaml.Node
	if oddBreaks.Match(data) {
		return nil
	}
	if err := yaml.NewDecoder(bytes.NewReader(data)).Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	s := &yamlScan{layout: newLayout(YAML, data), lines: []int{0}}
	for i, c := range data {
		if c == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	if len(doc.Content) == 0 || emptyNode(doc.Content[0]) {
		return s.layout
	}
	s.root = s.node(doc.Content[0], -1, false)
	s.root.bottom = s.triviaBelow(s.lineEnd(s.root.end))
	s.style(s.root, &seen{})
	return s.layout
}

type yamlScan struct {
	*layout
	lines []int // offsets of their beginnings
	last  struct{ line, column, offset int }
}

// offset is where a place of the parser stands. It is asked for in the order of the document, so that a line is walked once.
func (s *yamlScan) offset(n *yaml.Node) int {
	if n.Line > len(s.lines) {
		return len(s.data)
	}
	if s.last.line != n.Line || s.last.column > n.Column {
		s.last.line, s.last.column, s.last.offset = n.Line, 1, s.lines[n.Line-1]
	}
	for s.last.column < n.Column && s.last.offset < len(s.data) {
		_, size := utf8.DecodeRune(s.data[s.last.offset:])
		s.last.offset += size
		s.last.column++
	}
	return s.last.offset
}

func emptyNode(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "" && n.Style == 0 && n.Anchor == ""
}

// node finds the extent of a value. outer is the column of the block collection that it lies in, from 0, or negative.
func (s *yamlScan) node(n *yaml.Node, outer int, flow bool) *node {
	at := s.offset(n)
	out := &node{start: at, tangled: n.Anchor != "" || n.Kind == yaml.AliasNode}
	body := s.behindProperties(n, at)
	switch {
	case n.Kind == yaml.AliasNode:
		out.shape, out.end = aliasNode, at+1+len(n.Value)
		s.links = append(s.links, link{at, s.targetOf(n)})
	case n.Kind == yaml.ScalarNode:
		out.shape, out.end = s.scalar(n, body, outer, flow)
	case n.Style&yaml.FlowStyle != 0:
		s.flow(n, out, body, outer)
	case n.Kind == yaml.MappingNode:
		s.blockMap(n, out, body)
	default:
		s.blockList(n, out, body)
	}
	for _, p := range out.parts {
		out.tangled = out.tangled || p.value.tangled
	}
	return out
}

// targetOf is where the value of an alias begins. It stands above, so the walk of the line begins anew.
func (s *yamlScan) targetOf(n *yaml.Node) int {
	now := s.last
	defer func() { s.last = now }()
	return s.offset(n.Alias)
}

// behindProperties skips the tag and the anchor of a value.
func (s *yamlScan) behindProperties(n *yaml.Node, at int) int {
	if n.Kind == yaml.AliasNode || n.Anchor == "" && n.Style&yaml.TaggedStyle == 0 {
		return at
	}
	end := at
	for at < len(s.data) && (s.data[at] == '&' || s.data[at] == '!') {
		for at < len(s.data) && strings.IndexByte(" \t\r\n,]}", s.data[at]) < 0 {
			at++
		}
		end = at
		at = s.skip(at)
	}
	if n.Kind == yaml.ScalarNode && n.Value == "" && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
		return end // nothing stands behind them
	}
	return at
}

func (s *yamlScan) scalar(n *yaml.Node, at, outer int, flow bool) (shape, int) {
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		return quoted, s.doubleQuoted(at)
	case n.Style&yaml.SingleQuotedStyle != 0:
		return quoted, s.singleQuoted(at)
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return textBlock, s.textBlock(at, outer)
	case n.Value == "":
		return plain, at
	default:
		return plain, s.plain(at, outer, flow)
	}
}

func (s *yamlScan) doubleQuoted(at int) int {
	for at++; at < len(s.data) && s.data[at] != '"'; at++ {
		if s.data[at] == '\\' {
			at++
		}
	}
	return min(at+1, len(s.data))
}

func (s *yamlScan) singleQuoted(at int) int {
	for at++; at < len(s.data); at++ {
		if s.data[at] != '\'' {
			continue
		}
		if at+1 == len(s.data) || s.data[at+1] != '\'' {
			return at + 1
		}
		at++
	}
	return len(s.data)
}

// textBlock finds the last line of a block scalar. Blank lines behind it are part of the value only if all are kept.
func (s *yamlScan) textBlock(at, outer int) int {
	header, _, _ := strings.Cut(s.rest(at), "#")
	inner := 0
	if i := strings.IndexAny(header, "123456789"); i >= 0 {
		inner = max(outer, 0) + int(header[i]-'0')
	}
	end := at + len(s.rest(at))
	blanks := end
	for from := s.lineEnd(at); from < len(s.data); from = s.lineEnd(from) {
		line := s.rest(from)
		depth := len(line) - len(strings.TrimLeft(line, " "))
		switch {
		case inner == 0 && depth == len(line), inner > 0 && depth == len(line) && depth <= inner:
			blanks = from + len(line)
			continue
		case inner == 0:
			inner = max(outer+1, 1, depth)
		}
		if depth < inner {
			break
		}
		end = from + len(line)
		blanks = end
	}
	if strings.Contains(header, "+") {
		return blanks
	}
	return end
}

func blankAt(data []byte, at int) bool {
	return at >= len(data) || strings.IndexByte(" \t\r\n", data[at]) >= 0
}

// plain finds the end of a scalar without quotes, which may go on on lines that are indented.
func (s *yamlScan) plain(at, outer int, flow bool) int {
	end := at
	for at < len(s.data) && s.data[at] != '#' && !s.documentMark(at) {
		for !blankAt(s.data, at) {
			if s.data[at] == ':' && blankAt(s.data, at+1) || flow && strings.IndexByte(",?[]{}", s.data[at]) >= 0 {
				return end
			}
			at++
			end = at
		}
		for at < len(s.data) && blankAt(s.data, at) {
			at++
		}
		if !flow && at-s.lineStart(at) <= outer {
			break
		}
	}
	return end
}

// documentMark tells --- and ... at the beginning of a line.
func (s *yamlScan) documentMark(at int) bool {
	return (at == 0 || s.data[at-1] == '\n') && blankAt(s.data, at+3) && (bytes.HasPrefix(s.data[at:], []byte("---")) || bytes.HasPrefix(s.data[at:], []byte("...")))
}

// flow reads a collection in brackets.
func (s *yamlScan) flow(n *yaml.Node, out *node, at, outer int) {
	out.shape, out.open, out.end = flowList, at+1, at+1
	if n.Kind == yaml.MappingNode {
		out.shape = flowMap
	}
	bare := at < len(s.data) && s.data[at] != '{' && s.data[at] != '[' // a pair that stands in a list without braces
	if bare {
		out.end = at
	}
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			p := s.member(n.Content[i], n.Content[i+1], outer, true)
			out.parts = append(out.parts, p)
			out.end = max(p.mark, p.value.end)
		}
	} else {
		for _, item := range n.Content {
			v := s.node(item, outer, true)
			out.parts = append(out.parts, part{start: v.start, mark: v.start, value: v})
			out.end = v.end
		}
	}
	if bare {
		out.shape = plain
		return
	}
	for out.end = s.skip(out.end); out.end < len(s.data) && s.data[out.end] == ','; {
		out.end = s.skip(out.end + 1)
	}
	out.end = min(out.end+1, len(s.data))
}

// member reads a key and its value. inner is the column of the keys.
func (s *yamlScan) member(key, value *yaml.Node, inner int, flow bool) part {
	k := s.node(key, inner, flow)
	p := part{key: key.Value, start: k.start, mark: k.end}
	if canonical, ok := (&yamlWalker{decoder: &decoder{}}).key(key); ok {
		p.key = canonical
	}
	at := k.end
	if flow {
		at = s.skip(at)
	} else {
		for at < len(s.data) && (s.data[at] == ' ' || s.data[at] == '\t') {
			at++
		}
	}
	p.odd = isMergeKey(key) || k.tangled || at >= len(s.data) || s.data[at] != ':' || s.asked(k.start)
	if at < len(s.data) && s.data[at] == ':' {
		p.mark = at + 1
	}
	if emptyNode(value) && value.Style&yaml.TaggedStyle == 0 {
		p.value = &node{start: p.mark, end: p.mark}
		return p
	}
	p.value = s.node(value, inner, flow)
	p.value.tangled = p.value.tangled || k.tangled
	return p
}

// asked tells of a key behind a question mark.
func (s *yamlScan) asked(at int) bool {
	for at--; at >= 0 && (s.data[at] == ' ' || s.data[at] == '\t'); {
		at--
	}
	return at >= 0 && s.data[at] == '?'
}

func (s *yamlScan) blockMap(n *yaml.Node, out *node, at int) {
	out.shape, out.end = blockMap, at
	inner := s.column(at)
	if len(n.Content) > 0 {
		inner = s.column(s.offset(n.Content[0]))
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		p := s.member(n.Content[i], n.Content[i+1], inner, false)
		out.parts = append(out.parts, p)
		out.end = max(p.mark, p.value.end)
	}
}

func (s *yamlScan) blockList(n *yaml.Node, out *node, at int) {
	out.shape, out.end = blockList, at
	inner, dash := s.column(at), at
	for _, item := range n.Content {
		dash = s.dash(max(dash, out.end))
		p := part{start: dash, mark: dash + 1}
		if emptyNode(item) && item.Style&yaml.TaggedStyle == 0 {
			p.value = &node{start: p.mark, end: p.mark}
		} else {
			p.value = s.node(item, inner, false)
		}
		out.parts = append(out.parts, p)
		out.end = max(p.mark, p.value.end)
	}
}

// dash finds the next dash of a list.
func (s *yamlScan) dash(at int) int {
	at = s.skip(at)
	if at >= len(s.data) || s.data[at] != '-' {
		return min(at, len(s.data)-1)
	}
	return at
}

type seen struct{ maps, lists bool }

// style finds out where the lines of collections end, and how the document is indented: by its first map and its first list that lie
// in a map.
func (s *yamlScan) style(n *node, found *seen) {
	for _, p := range n.parts {
		if n.block() {
			p.value.bottom = s.row(p).to
		}
		if v := p.value; n.shape == blockMap && len(v.parts) > 0 {
			deeper := s.column(v.parts[0].start) - s.column(p.start)
			switch {
			case v.shape == blockList && !found.lists:
				s.flush, found.lists = deeper == 0, true
			case v.shape == blockMap && !found.maps:
				s.step, found.maps = deeper, true
			}
		}
		s.style(p.value, found)
	}
}

// anchored is the first anchor between two offsets that something outside of them names; ok is false without one.
func (l *layout) anchored(from, to int) (at link, ok bool) {
	i := slices.IndexFunc(l.links, func(k link) bool {
		return k.target >= from && k.target < to && (k.at < from || k.at >= to)
	})
	if i < 0 {
		return link{}, false
	}
	return l.links[i], true
}
