package document

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// layout is where the parts of a document stand in its text.
type layout struct {
	format Format
	data   []byte     // without a byte order mark
	eol    string     // how its lines end
	root   *node      // nil where the document holds nothing; in TOML the rows stand in its place
	toml   []tomlPart // of TOML
	rows   []row      // of TOML, one for each part
	links  []link     // aliases of YAML
	step   int        // how much deeper a block collection of YAML is indented than what holds it
	flush  bool       // lists in maps of YAML are not indented
}

// node is a value in the text: the bytes from start to end, without comments and line ends around it.
type node struct {
	shape      shape
	start, end int
	open       int            // behind the bracket of a collection in flow style
	bottom     int            // where the lines end that a block collection has to itself
	parts      []part         // of collections
	keys       map[string]int // their places, once one is looked for
	tangled    bool           // holds an anchor or an alias
}

type shape uint8

const (
	plain     shape = iota // a scalar, or what is not taken apart
	quoted                 // a scalar in quotes
	textBlock              // a block scalar of YAML
	aliasNode
	blockMap
	blockList
	flowMap // as all maps of JSON, and the inline tables of TOML
	flowList
)

// block tells a value that takes lines of its own.
func (n *node) block() bool {
	return n.shape == blockMap || n.shape == blockList || n.shape == textBlock
}

func (n *node) isMap() bool  { return n.shape == blockMap || n.shape == flowMap }
func (n *node) isList() bool { return n.shape == blockList || n.shape == flowList }

// part is a member of a map, or an item of a list, which has no key.
type part struct {
	key   string
	start int // of the key; of an item its dash, or the value itself in flow style
	mark  int // behind the colon, the equals sign or the dash
	value *node
	odd   bool // written in a way that is not edited, as a key behind a question mark
}

// find is the part with a key; nil where the text has none.
func (n *node) find(key string) *part {
	if n == nil || !n.isMap() {
		return nil
	}
	if n.keys == nil {
		n.keys = make(map[string]int, len(n.parts))
		for i, p := range n.parts {
			n.keys[p.key] = i
		}
	}
	if i, ok := n.keys[key]; ok {
		return &n.parts[i]
	}
	return nil
}

// link is an alias and what it names.
type link struct{ at, target int }

// row is a part of a document that has lines of its own. Between rows stand blank lines and comments only.
type row struct {
	id       string // unique among its neighbours
	from, to int    // the lines, the comments on them included
	start    int    // where its key begins
}

func newLayout(format Format, data []byte) *layout {
	l := &layout{format: format, data: data, eol: "\n", step: 2}
	if i := bytes.IndexByte(data, '\n'); i > 0 && data[i-1] == '\r' {
		l.eol = "\r\n"
	}
	return l
}

// lineStart is where the line begins that an offset is in.
func (l *layout) lineStart(at int) int { return bytes.LastIndexByte(l.data[:at], '\n') + 1 }

// skip goes over blank space, line ends and comments that begin with #.
func (l *layout) skip(at int) int {
	for at < len(l.data) {
		switch {
		case strings.IndexByte(" \t\r\n", l.data[at]) >= 0:
			at++
		case l.data[at] == '#':
			at = l.lineEnd(at)
		default:
			return at
		}
	}
	return at
}

// lineEnd is where the next line begins.
func (l *layout) lineEnd(at int) int {
	if i := bytes.IndexByte(l.data[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(l.data)
}

// rest is what stands on the line behind an offset, without the line end.
func (l *layout) rest(at int) string {
	return strings.TrimRight(string(l.data[at:l.lineEnd(at)]), "\r\n")
}

// before is what stands on the line before an offset.
func (l *layout) before(at int) string { return string(l.data[l.lineStart(at):at]) }

// line counts the lines up to an offset, and the characters on the last of them, both from 1.
func (l *layout) line(at int) (line, column int) {
	return bytes.Count(l.data[:at], []byte{'\n'}) + 1, utf8.RuneCount(l.data[l.lineStart(at):at]) + 1
}

// column counts the characters before an offset on its line.
func (l *layout) column(at int) int { return utf8.RuneCount(l.data[l.lineStart(at):at]) }

// indent is the blank space that a line begins with.
func indent(line string) string { return line[:len(line)-len(strings.TrimLeft(line, " \t"))] }

// trivial tells a line that is blank or a comment.
func trivial(line string) bool {
	s := strings.TrimSpace(line)
	return s == "" || s[0] == '#'
}

func itoa(n int) string { return strconv.Itoa(n) }

func spaces(n int) string { return strings.Repeat(" ", n) }

func comment(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "#") }

func blank(line string) bool { return strings.TrimSpace(line) == "" }

// triviaAbove is where the blank lines and comments begin that stand directly above a line.
func (l *layout) triviaAbove(from int) int {
	for from > 0 {
		above := l.lineStart(from - 1)
		if !trivial(string(l.data[above:from])) {
			break
		}
		from = above
	}
	return from
}

// triviaBelow is where the blank lines and comments end that begin with a line.
func (l *layout) triviaBelow(from int) int {
	for from < len(l.data) {
		next := l.lineEnd(from)
		if !trivial(string(l.data[from:next])) {
			break
		}
		from = next
	}
	return from
}

// comments are the comment lines of a document, to tell whether it has one.
func (l *layout) comments() map[string]bool {
	all := map[string]bool{}
	for line := range strings.Lines(string(l.data)) {
		if comment(line) {
			all[strings.TrimSpace(line)] = true
		}
	}
	return all
}

// row is the lines of a part of a block collection. In YAML comments below it that are indented deeper are its own.
func (l *layout) row(p part) row {
	r := row{id: p.key, from: p.start, start: p.start, to: l.lineEnd(max(p.mark, p.value.end))}
	if blank(l.before(p.start)) {
		r.from = l.lineStart(p.start)
	}
	for at := r.to; l.format == YAML && at < len(l.data); {
		next := l.lineEnd(at)
		line := string(l.data[at:next])
		if !trivial(line) || comment(line) && len(indent(line)) <= l.column(p.start) {
			break
		}
		if comment(line) {
			r.to = next
		}
		at = next
	}
	return r
}

// shifted is text from another place: its lines begin with one prefix in place of another, and end as here. It reports false where a
// line does not begin with it.
func shifted(text, from, to, eol string) (string, bool) {
	var b strings.Builder
	for line := range strings.Lines(text) {
		body := strings.TrimRight(line, "\r\n")
		switch {
		case from == to:
		case strings.HasPrefix(body, from):
			body = to + body[len(from):]
		case !blank(body):
			return "", false
		}
		b.WriteString(body)
		if strings.HasSuffix(line, "\n") {
			b.WriteString(eol)
		}
	}
	return b.String(), true
}

// shiftedRest is shifted for text that begins in the middle of a line.
func shiftedRest(text, from, to, eol string) (string, bool) {
	i := strings.IndexByte(text, '\n')
	if i < 0 {
		return text, true
	}
	rest, ok := shifted(text[i+1:], from, to, eol)
	return strings.TrimRight(text[:i], "\r") + eol + rest, ok
}
