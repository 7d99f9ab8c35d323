package document

import (
	"fmt"
	"strings"

	"github.com/trunkline/trunkline/value"
)

// inline writes a value as it stands in brackets, or behind a key on its line: that of the part at an offset, or beside it. old is what
// stood there, whose style is kept.
func (p *plan) inline(path value.Path, v *value.Value, at int, old *node) (string, error) {
	w := writer{plan: p, path: path}
	switch p.format {
	case JSON:
		indent, _ := p.head.base(at)
		return w.json(v, indent), w.err
	case TOML:
		return w.toml(v, p.quote(old)), w.err
	default:
		return w.flow(v, p.quote(old)), w.err
	}
}

// quote is the quote that a value is written with; 0 without.
func (p *plan) quote(old *node) byte {
	if old != nil && old.shape == quoted && old.start < old.end {
		return p.head.data[old.start]
	}
	return 0
}

// flowMember writes a member of a map in brackets, with a colon as its neighbours have it.
func (p *plan) flowMember(path value.Path, key string, v *value.Value, c *node, at int) (string, error) {
	text, err := p.inline(path, v, at, nil)
	switch p.format {
	case JSON:
		colon := ": "
		if len(c.parts) > 0 {
			colon = string(p.head.data[c.parts[0].mark-1 : c.parts[0].value.start])
		}
		return quoteJSON(key) + colon + text, err
	case TOML:
		return tomlKeys(key) + " = " + text, err
	default:
		return yamlKey(key, true) + ": " + text, err
	}
}

// rendered writes a value behind a key or dash in a column: what stands on its line, and what stands on lines below.
func (p *plan) rendered(path value.Path, v *value.Value, column int, item bool, old *node) (string, []string, error) {
	if p.format == TOML || v.Len() == 0 && v.Kind() != value.String || old != nil && (old.shape == flowMap || old.shape == flowList) {
		text, err := p.inline(path, v, 0, old)
		return text, nil, err
	}
	w := writer{plan: p, path: path}
	text, lines := w.block(v, w.inner(v, column, item), p.quote(old))
	if item && text == "" {
		text, lines = behindDash(lines)
	}
	return text, lines, w.err
}

// renderedRow writes a member of a block map with its line ends.
func (p *plan) renderedRow(path value.Path, key string, v *value.Value, indent string) (string, error) {
	text, lines, err := p.rendered(path, v, len(indent), false, nil)
	if text != "" {
		text = " " + text
	}
	all := append([]string{indent + yamlKey(key, false) + ":" + text}, lines...)
	return strings.Join(all, p.head.eol) + p.head.eol, err
}

// writer writes values as text. It keeps the first thing that cannot be written.
type writer struct {
	*plan
	path value.Path
	err  error
}

func (w *writer) cannot(what string) string {
	if w.err == nil {
		w.err = w.refuse(w.old, w.path, what, "give it another value")
	}
	return ""
}

// number writes what all formats write alike; ok is false for the others.
func (w *writer) number(v *value.Value) (text string, ok bool) {
	switch v.Kind() {
	case value.Bool, value.Int, value.Float:
		return v.String(), true
	case value.Redacted:
		return w.cannot("a value that is redacted cannot be written"), true
	}
	return "", false
}

// each writes the parts of a collection.
func each(v *value.Value, write func(value.Entry) string) []string {
	var all []string
	for _, e := range v.Entries() {
		all = append(all, write(e))
	}
	return all
}

func quoteJSON(s string) string { return value.NewString(s, value.Place{}).String() }

// json writes a value on several lines where the document has several.
func (w *writer) json(v *value.Value, indent string) string {
	if text, ok := w.number(v); ok {
		return text
	}
	deeper, many := indent+w.jsonStep(), w.head.root != nil && w.head.many(w.head.root)
	switch v.Kind() {
	case value.Map:
		members := each(v, func(e value.Entry) string { return quoteJSON(e.Key) + ": " + w.json(e.Value, deeper) })
		return bracketed("{", members, "}", many, indent, deeper, w.head.eol)
	case value.List:
		items := each(v, func(e value.Entry) string { return w.json(e.Value, deeper) })
		return bracketed("[", items, "]", many && v.Depth() > 1, indent, deeper, w.head.eol)
	}
	return v.String()
}

// jsonStep is by how much the document indents.
func (w *writer) jsonStep() string {
	if c := w.head.root; c != nil && w.head.many(c) {
		if step := w.head.before(c.parts[0].start); blank(step) && step != "" {
			return step
		}
	}
	return "  "
}

func bracketed(open string, parts []string, end string, many bool, indent, deeper, eol string) string {
	if !many || len(parts) == 0 {
		return open + strings.Join(parts, ", ") + end
	}
	return open + eol + deeper + strings.Join(parts, ","+eol+deeper) + eol + indent + end
}

// flow writes YAML in brackets.
func (w *writer) flow(v *value.Value, quote byte) string {
	if text, ok := w.number(v); ok {
		return text
	}
	switch v.Kind() {
	case value.Map:
		return "{" + strings.Join(each(v, func(e value.Entry) string { return yamlKey(e.Key, true) + ": " + w.flow(e.Value, 0) }), ", ") + "}"
	case value.List:
		return "[" + strings.Join(each(v, func(e value.Entry) string { return w.flow(e.Value, 0) }), ", ") + "]"
	case value.String:
		return yamlText(v.Str(), quote, true)
	}
	return v.String()
}

// inner is the column of what lies in a value whose key or dash stands in a column.
func (w *writer) inner(v *value.Value, column int, item bool) int {
	switch {
	case item:
		return column + 2
	case w.head.flush && v.Kind() == value.List:
		return column
	}
	return column + w.head.step
}

// behindDash puts the first line of a collection on the line of its dash.
func behindDash(lines []string) (text string, rest []string) {
	return strings.TrimLeft(lines[0], " "), lines[1:]
}

// block writes YAML on lines of its own, which begin in a column; what fits behind the key is text.
func (w *writer) block(v *value.Value, column int, quote byte) (text string, lines []string) {
	switch {
	case v.Kind() == value.String:
		if header, lines, ok := yamlBlock(v.Str(), column); ok && quote == 0 {
			return header, lines
		}
		return yamlText(v.Str(), quote, false), nil
	case v.Len() == 0:
		return w.flow(v, quote), nil
	}
	item := v.Kind() == value.List
	for _, e := range v.Entries() {
		text, below := w.block(e.Value, w.inner(e.Value, column, item), 0)
		head := "-"
		if !item {
			head = yamlKey(e.Key, false) + ":"
		} else if text == "" {
			text, below = behindDash(below)
		}
		if text != "" {
			text = " " + text
		}
		lines = append(append(lines, spaces(column)+head+text), below...)
	}
	return "", lines
}

// readsAs tells whether a document of one key says just this.
func readsAs(format Format, text string, want *value.Value) bool {
	v, problems := Decode(&value.File{}, format, []byte(text), Limits{})
	return v != nil && len(problems) == 0 && value.Equal(v, want)
}

func one(key string, v *value.Value) *value.Value {
	return value.NewMap([]value.Entry{{Key: key, Value: v}}, value.Place{})
}

// yamlText writes a string: without quotes where it reads as itself, or in the quotes that stood there.
func yamlText(s string, quote byte, flow bool) string {
	want := one("k", value.NewString(s, value.Place{}))
	reads := func(text string) bool {
		if flow {
			return readsAs(YAML, "{k: "+text+"}\n", want)
		}
		return readsAs(YAML, "k: "+text+"\n", want)
	}
	if single := "'" + strings.ReplaceAll(s, "'", "''") + "'"; quote == '\'' && reads(single) {
		return single
	}
	if quote == 0 && !strings.ContainsAny(s, "\r\n") && reads(s) {
		return s
	}
	return escaped(s)
}

func yamlKey(key string, flow bool) string {
	want := one(key, value.NewInt(1, value.Place{}))
	text := key + ": 1\n"
	if flow {
		text = "{" + key + ": 1}\n"
	}
	if !strings.ContainsAny(key, "\r\n") && readsAs(YAML, text, want) {
		return key
	}
	return escaped(key)
}

// escaped writes a string in double quotes, as YAML and TOML read it.
func escaped(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff || r == 0xfffe || r == 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// yamlBlock writes a string of several lines as they are. It reports false where they would not read as they are.
func yamlBlock(s string, column int) (header string, out []string, ok bool) {
	if !strings.Contains(s, "\n") || strings.HasPrefix(s, " ") || strings.HasPrefix(s, "\n") || strings.ContainsAny(s, "\r\u0085\u2028\u2029") {
		return "", nil, false
	}
	header = "|-"
	if strings.HasSuffix(s, "\n") {
		header, s = "|", strings.TrimSuffix(s, "\n")
	}
	for line := range strings.SplitSeq(s, "\n") {
		if line != "" {
			line = spaces(column) + line
		}
		out = append(out, line)
	}
	if strings.HasSuffix(s, "\n") || blank(out[len(out)-1]) {
		return "", nil, false // blank lines at its end would have to be kept
	}
	return header, out, true
}

// toml writes a value behind an equals sign.
func (w *writer) toml(v *value.Value, quote byte) string {
	if text, ok := w.number(v); ok {
		return text
	}
	switch v.Kind() {
	case value.Map:
		return "{" + strings.Join(each(v, func(e value.Entry) string { return tomlKeys(e.Key) + " = " + w.toml(e.Value, 0) }), ", ") + "}"
	case value.List:
		return "[" + strings.Join(each(v, func(e value.Entry) string { return w.toml(e.Value, 0) }), ", ") + "]"
	case value.Null:
		return w.cannot("TOML has no null")
	}
	want := one("k", v)
	if single := "'" + v.Str() + "'"; quote == '\'' && readsAs(TOML, "k = "+single+"\n", want) {
		return single
	}
	return escaped(v.Str())
}

// tomlKeys writes a dotted key.
func tomlKeys(keys ...string) string {
	var all []string
	for _, key := range keys {
		if key != "" && strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == "" {
			all = append(all, key)
		} else {
			all = append(all, escaped(key))
		}
	}
	return strings.Join(all, ".")
}
