package document

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// layoutJSON finds the parts of a document that [Decode] takes.
func layoutJSON(data []byte) *layout {
	s := &jsonScan{layout: newLayout(JSON, data)}
	if len(bytes.TrimSpace(data)) > 0 {
		s.root = s.node(0)
	}
	return s.layout
}

type jsonScan struct{ *layout }

func (s *jsonScan) skip(at int) int {
	for at < len(s.data) && strings.IndexByte(" \t\r\n", s.data[at]) >= 0 {
		at++
	}
	return at
}

func (s *jsonScan) node(at int) *node {
	at = s.skip(at)
	switch s.data[at] {
	case '{':
		return s.collection(at, flowMap, '}')
	case '[':
		return s.collection(at, flowList, ']')
	case '"':
		return &node{shape: quoted, start: at, end: s.text(at)}
	}
	end := at
	for end < len(s.data) && strings.IndexByte(" \t\r\n,]}", s.data[end]) < 0 {
		end++
	}
	return &node{start: at, end: end}
}

// text is the end of a string.
func (s *jsonScan) text(at int) int {
	for at++; s.data[at] != '"'; at++ {
		if s.data[at] == '\\' {
			at++
		}
	}
	return at + 1
}

func (s *jsonScan) collection(at int, shape shape, end byte) *node {
	out := &node{shape: shape, start: at, open: at + 1}
	at = s.skip(at + 1)
	for s.data[at] != end {
		p := part{start: at, mark: at}
		if shape == flowMap {
			name := s.text(at)
			key, _ := jsontext.AppendUnquote(nil, s.data[at:name])
			p.key, p.mark = string(key), s.skip(name)+1
		}
		p.value = s.node(p.mark)
		out.parts = append(out.parts, p)
		if at = s.skip(p.value.end); s.data[at] == ',' {
			at = s.skip(at + 1)
		}
	}
	out.end = at + 1
	return out
}
