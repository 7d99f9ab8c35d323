package document_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/document"
)

// line is a line of a document, and the value that it belongs to. A whole one holds that value with all that is in it.
type line struct {
	text  string
	owner value.Path
	whole bool
}

// scribe writes documents as people do: every way to write a value, with comments and blank lines where they may stand.
type scribe struct {
	*rapid.T
	lines []line
	n     int
}

func (s *scribe) write(owner value.Path, whole bool, format string, args ...any) {
	for text := range strings.SplitSeq(fmt.Sprintf(format, args...), "\n") {
		s.lines = append(s.lines, line{text, slices.Clone(owner), whole})
	}
}

func (s *scribe) one(label string, of ...string) string {
	return rapid.SampledFrom(of).Draw(s.T, label)
}

func (s *scribe) chance(label string, in int) bool {
	return rapid.IntRange(1, in).Draw(s.T, label) == 1
}

// name is new every time, so that a comment or key tells where it came from.
func (s *scribe) name(prefix string) string {
	s.n++
	return prefix + strconv.Itoa(s.n)
}

func (s *scribe) note() string {
	if s.chance("note", 3) {
		return s.one("before note", " ", "  ") + "# " + s.name("c")
	}
	return ""
}

// above writes what may stand above a member.
func (s *scribe) above(owner value.Path, indent string) {
	for s.chance("blank", 3) {
		s.write(nil, false, "")
	}
	if s.chance("free comment", 8) {
		s.write(owner[:len(owner)-1], false, "%s# %s\n", indent, s.name("c"))
	}
	for s.chance("comment", 3) {
		s.write(owner, false, "%s# %s", indent, s.name("c"))
	}
}

func (s *scribe) yamlScalar(flow bool) string {
	all := []string{
		"1", "-2.50", "true", "~", "x", "x y", "'it''s'", `"a\tb\u00e9"`, "2024-01-02", `"# no comment"`, "x#y", "http://a:80/b", `''`, "0x1F", "é", "!!str 5",
	}
	if !flow {
		all = append(all, "", "a, [b", "x}}y", "a{b")
	}
	return s.one("scalar", all...)
}

func (s *scribe) yamlFlow(depth int) string {
	space := s.one("space", "", " ")
	switch kind := s.one("flow", "map", "list", "scalar", "scalar"); {
	case kind == "scalar" || depth > 2:
		return s.yamlScalar(true)
	case kind == "map":
		var parts []string
		for range rapid.IntRange(0, 3).Draw(s.T, "members") {
			parts = append(parts, s.name("f")+": "+s.yamlFlow(depth+1))
		}
		return "{" + space + strings.Join(parts, ","+space) + space + "}"
	}
	var parts []string
	for range rapid.IntRange(0, 3).Draw(s.T, "items") {
		parts = append(parts, s.yamlFlow(depth+1))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// yamlMap writes a block map. first is what stands before its first key, where that is not its indentation.
func (s *scribe) yamlMap(path value.Path, indent, first string, depth int) {
	for i := range rapid.IntRange(1, 4).Draw(s.T, "members") {
		key := s.name("k")
		owner, written := append(path[:len(path):len(path)], key), s.one("key", key, key, `"`+key+`"`, "'"+key+"' ")
		lead := indent
		if i > 0 || first == "" {
			s.above(owner, indent)
		} else {
			lead = first
		}
		if s.yamlValue(owner, lead+written+":", indent, depth) && s.chance("deeper comment", 8) {
			s.write(owner, false, "%s  # %s", indent, s.name("c"))
		}
	}
}

// yamlValue writes a value behind its key or dash, and tells whether it ends there: what follows deeper is not inside of it.
func (s *scribe) yamlValue(owner value.Path, head, indent string, depth int) bool {
	kinds := []string{"scalar", "scalar", "scalar", "flow", "text", "long", "flow lines"}
	if depth < 3 {
		kinds = append(kinds, "map", "map", "map", "list", "list")
	}
	switch s.one("kind", kinds...) {
	case "scalar":
		s.write(owner, true, "%s%s%s%s", head, s.one("gap", " ", "  "), s.yamlScalar(false), s.note())
	case "flow":
		s.write(owner, true, "%s %s%s", head, s.yamlFlow(0), s.note())
	case "flow lines":
		s.write(owner, true, "%s {\n%s    %s: 1,\n%s    %s: [2, 3]\n%s  }%s", head, indent, s.name("f"), indent, s.name("f"), indent, s.note())
	case "text":
		s.write(owner, true, "%s %s%s", head, s.one("header", "|", ">", "|-", ">-", "|2", "|+"), s.note())
		for _, text := range strings.Split(s.one("text", "x", "x\ny", "x\n\ny", "# no comment", "x\n  y: 1\n# z", "- x"), "\n") {
			if text != "" {
				text = indent + "  " + text
			}
			s.write(owner, true, "%s", text)
		}
	case "long":
		s.write(owner, true, "%s %s", head, strings.ReplaceAll(s.one("long", "x\nto y", "\"a\n\n b\"", "'x\ny' # c"), "\n", "\n"+indent+"   "))
	case "map":
		s.write(owner, false, "%s%s", head, s.note())
		s.yamlMap(owner, indent+s.one("step", "  ", "    "), "", depth+1)
		return false
	case "list":
		s.write(owner, false, "%s%s", head, s.note())
		step := "  "
		if !strings.HasSuffix(head, "-") {
			step = s.one("step", "", "  ")
		}
		s.yamlList(owner, indent+step, depth+1)
		return false
	}
	return true
}

func (s *scribe) yamlList(path value.Path, indent string, depth int) {
	for i := range rapid.IntRange(1, 3).Draw(s.T, "items") {
		owner := append(path[:len(path):len(path)], strconv.Itoa(i))
		if i > 0 && s.chance("comment", 4) {
			s.write(owner, false, "%s# %s", indent, s.name("c"))
		}
		if s.chance("item map", 3) {
			s.yamlMap(owner, indent+"  ", indent+"- ", depth+1)
		} else {
			s.yamlValue(owner, indent+"-", indent, depth+1)
		}
	}
}

// document is the lines put together.
func (s *scribe) document() string {
	var texts []string
	for _, l := range s.lines {
		texts = append(texts, l.text)
	}
	text := strings.Join(texts, "\n")
	if !s.chance("no last line end", 8) {
		text += "\n"
	}
	if s.chance("carriage returns", 4) {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	if s.chance("byte order mark", 8) {
		text = "\ufeff" + text
	}
	return text
}

func (s *scribe) yaml() string {
	if s.chance("file comment", 3) {
		s.write(nil, false, "# %s", s.name("c"))
	}
	if s.chance("begin", 4) {
		s.write(nil, false, "---")
	}
	s.yamlMap(nil, "", "", 0)
	return s.document()
}

// paths are the places of a tree that can be changed: members of maps, and items of lists.
func paths(v *value.Value) (members, maps []value.Path, items []value.Path) {
	var walk func(v *value.Value, path value.Path)
	walk = func(v *value.Value, path value.Path) {
		if v.Kind() == value.Map {
			maps = append(maps, path)
		}
		for i, e := range v.Entries() {
			if v.Kind() == value.Map {
				below := append(path[:len(path):len(path)], e.Key)
				members = append(members, below)
				walk(e.Value, below)
			} else {
				below := append(path[:len(path):len(path)], strconv.Itoa(i))
				items = append(items, below)
				walk(e.Value, below)
			}
		}
	}
	walk(v, nil)
	return members, maps, items
}

var someValues = []string{`1`, `2.5`, `true`, `"x"`, `"no"`, `"5"`, `"a: b # c"`, `""`, `"p\nq\n"`, `"é\u0001"`, `{}`, `[]`, `[1, "a, b"]`, `{"p": 1, "q": {"r": ["s", {"t": 2}]}}`, `[[1], {"u": {"v": 1}}]`}

func within(path, above value.Path) bool {
	return len(path) >= len(above) && slices.Equal(path[:len(above)], above)
}

// drawChanges are a few changes that do not lie in each other.
func drawChanges(t *rapid.T, root *value.Value, values []string) []document.Change {
	members, maps, items := paths(root)
	var all []document.Change
	for range rapid.IntRange(1, 4).Draw(t, "changes") {
		c := document.Change{}
		if kind := rapid.SampledFrom([]string{"replace", "remove", "add", "item"}).Draw(t, "change"); kind == "add" {
			above := rapid.SampledFrom(maps).Draw(t, "map")
			c.Path = append(above[:len(above):len(above)], rapid.SampledFrom([]string{"new", "a new one"}).Draw(t, "new key"))
		} else if kind == "item" && len(items) > 0 {
			c.Path = rapid.SampledFrom(items).Draw(t, "item")
		} else {
			c.Path = rapid.SampledFrom(members).Draw(t, "member")
			if kind == "remove" {
				all = append(all, c)
				continue
			}
		}
		c.Value, _ = value.ParseJSON([]byte(rapid.SampledFrom(values).Draw(t, "value")))
		all = append(all, c)
	}
	var apart []document.Change
	for _, c := range all {
		if !slices.ContainsFunc(apart, func(o document.Change) bool { return within(o.Path, c.Path) || within(c.Path, o.Path) }) {
			apart = append(apart, c)
		}
	}
	return apart
}

// changed is the tree with one change.
func changed(v *value.Value, path value.Path, to *value.Value) *value.Value {
	if len(path) == 0 {
		return to
	}
	var entries []value.Entry
	found := false
	for i, e := range v.Entries() {
		key := e.Key
		if v.Kind() == value.List {
			key = strconv.Itoa(i)
		}
		if key == path[0] {
			found = true
			if e.Value = changed(e.Value, path[1:], to); e.Value == nil {
				continue
			}
		}
		entries = append(entries, e)
	}
	if v.Kind() == value.List {
		items := make([]*value.Value, len(entries))
		for i, e := range entries {
			items[i] = e.Value
		}
		return value.NewList(items, value.Place{})
	}
	if !found && to != nil {
		entries = append(entries, value.Entry{Key: path[0], Value: to})
	}
	return value.NewMap(entries, value.Place{})
}

func read(t *rapid.T, file, text string) *value.Value {
	v, problems := document.Decode(&value.File{Path: file}, document.FormatOf(file), []byte(text), document.Limits{})
	if v == nil {
		t.Fatalf("%v:\n%s", problems, text)
	}
	return v
}

// checkEdit holds what every edit promises: the values asked for, every other line as it was, and the way back.
func checkEdit(t *rapid.T, file string, s *scribe, before string, values []string) {
	old := read(t, file, before)
	edits := drawChanges(t, old, values)
	if file == "a.toml" {
		edits = slices.DeleteFunc(edits, func(c document.Change) bool { return ofTables(old, c) })
	}
	if len(edits) == 0 {
		t.Skip("nothing to change")
	}
	after, err := document.Edit(file, []byte(before), edits)
	var refused *document.EditError
	if errors.As(err, &refused) && (strings.HasPrefix(refused.Message, "comments stand between") || openEnded(before)) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("%v\n%s\n%v", err, before, edits)
	}
	want := old
	var where []value.Path
	for _, c := range edits {
		want = changed(want, c.Path, c.Value)
		where = append(where, c.Path)
	}
	if got := read(t, file, string(after)); !value.Equal(got, want) {
		t.Fatalf("%s\n%v\n%s\ngot %s, want %s", before, edits, after, got, want)
	}
	rest := strings.Split(strings.ReplaceAll(string(after), "\r\n", "\n"), "\n")
	for _, l := range s.lines {
		if strings.TrimSpace(l.text) == "" || touched(l, edits, want) {
			continue
		}
		i := slices.IndexFunc(rest, func(got string) bool { return same(got, l) })
		if i < 0 {
			t.Fatalf("%q of %v is gone or moved:\n%s\n%v\n%s", l.text, l.owner, before, edits, after)
		}
		rest = rest[i+1:]
	}
	again, err := document.Restore(file, after, []byte(before), where)
	if err != nil || unended(string(again), string(after)) != unended(before, string(after)) {
		t.Fatalf("restored: %v\n%s\n-- before\n%q\n-- after\n%q\n-- and again\n%q", err, before, before, after, again)
	}
	checkPart(t, file, before, string(after), old, want, where[0])
}

// ofTables tells that a list of tables would be one no more: it is written anew then, as a whole.
func ofTables(root *value.Value, c document.Change) bool {
	list, _ := root.At(c.Path[:len(c.Path)-1])
	item, ok := root.At(c.Path)
	return ok && list.Kind() == value.List && item.Kind() == value.Map && c.Value.Kind() != value.Map
}

// checkPart holds that one value can be restored while others stay as they have become since.
func checkPart(t *rapid.T, file, before, after string, old, want *value.Value, path value.Path) {
	was, _ := old.At(path)
	want = changed(want, path, was)
	got, err := document.Restore(file, []byte(after), []byte(before), []value.Path{path})
	var refused *document.EditError
	if errors.As(err, &refused) && openEnded(before) {
		t.Skip(err)
	}
	if err != nil || !value.Equal(read(t, file, string(got)), want) {
		t.Fatalf("restored at %v: %v\n-- before\n%s\n-- after\n%s\n-- and again\n%s", path, err, before, after, got)
	}
}

// openEnded tells of a document that may hold a text whose end is that of the file, or of blank lines below it.
func openEnded(text string) bool {
	return strings.Contains(text, "|+") || !strings.HasSuffix(text, "\n")
}

// unended is a document without the end of its last line, which a text needs, and without carriage returns if another one no longer
// tells that lines end so.
func unended(text, other string) string {
	if !strings.Contains(other, "\n") {
		text = strings.ReplaceAll(text, "\r\n", "\n")
	}
	return strings.TrimRight(text, "\r\n")
}

// touched tells whether a line belongs to a value that is changed, or to a map that is empty before or after.
func touched(l line, edits []document.Change, want *value.Value) bool {
	for _, c := range edits {
		for n := range c.Path {
			if v, ok := want.At(c.Path[:n]); ok && v.Len() == 0 && within(l.owner, c.Path[:n]) {
				return true
			}
		}
		if within(l.owner, c.Path) || l.whole && within(c.Path, l.owner) {
			return true
		}
	}
	return false
}

// same tells whether a line is still there. One in a list may come to stand behind its dash.
func same(got string, l line) bool {
	got = strings.TrimPrefix(got, "\ufeff")
	if slices.ContainsFunc(l.owner, func(key string) bool { return key[0] >= '0' && key[0] <= '9' }) {
		return strings.TrimLeft(got, " -") == strings.TrimLeft(l.text, " -")
	}
	return got == l.text
}

func (s *scribe) jsonValue(depth int, indent string) string {
	many := s.chance("lines", 2)
	wrap := func(open string, parts []string, end string) string {
		if many && len(parts) > 0 {
			return open + "\n" + indent + "  " + strings.Join(parts, ",\n"+indent+"  ") + "\n" + indent + end
		}
		return open + strings.Join(parts, s.one("comma", ",", ", ", " , ")) + end
	}
	var parts []string
	switch kind := s.one("json", "map", "map", "list", "scalar", "scalar"); {
	case depth == 0 || kind == "map" && depth < 4:
		for range rapid.IntRange(min(1-depth, 1), 4).Draw(s.T, "members") {
			parts = append(parts, `"`+s.name("k")+`"`+s.one("colon", ":", ": ", " : ")+s.jsonValue(depth+1, indent+"  "))
		}
		return wrap("{", parts, "}")
	case kind == "list" && depth < 4:
		for range rapid.IntRange(0, 3).Draw(s.T, "items") {
			parts = append(parts, s.jsonValue(depth+1, indent+"  "))
		}
		return wrap("[", parts, "]")
	}
	return s.one("scalar", "1", "-2.5e3", "true", "null", `"x"`, `"a, \"b\": {"`, `"\u00e9\n"`, `"é"`, `""`)
}

func (s *scribe) tomlValue(depth int) string {
	var parts []string
	switch kind := s.one("toml", "map", "list", "lines", "scalar", "scalar", "scalar"); {
	case kind == "map" && depth < 3:
		for range rapid.IntRange(0, 3).Draw(s.T, "members") {
			parts = append(parts, s.name("f")+s.one("equals", " = ", "=")+s.tomlValue(depth+1))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case kind == "list" && depth < 3:
		for range rapid.IntRange(0, 3).Draw(s.T, "items") {
			parts = append(parts, s.tomlValue(depth+1))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case kind == "lines" && depth < 3:
		return "[\n  " + s.tomlValue(3) + ", # " + s.name("c") + "\n  " + s.tomlValue(3) + ",\n]"
	}
	return s.one("scalar", "1", "0x1F", "-2.5", "true", `"x"`, `'it"s'`, `"a, b = 1 # c"`, "1979-05-27 07:32:00", "\"\"\"\na\\\n  b\"\"\"", "'''x'''")
}

// tomlTable writes what stands in one table: its values, and then the tables in it.
func (s *scribe) tomlTable(path value.Path, names string, depth int) {
	for range rapid.IntRange(0, 3).Draw(s.T, "values") {
		key := s.name("k")
		owner := append(path[:len(path):len(path)], key)
		if s.chance("dotted", 5) {
			key += "." + s.name("d")
			owner = append(owner, "d"+strconv.Itoa(s.n))
		}
		s.above(owner, "")
		s.write(owner, true, "%s%s%s%s", key, s.one("equals", " = ", "=", "   = "), s.tomlValue(0), s.note())
	}
	for range rapid.IntRange(0, 2).Draw(s.T, "tables") {
		if depth == 3 {
			return
		}
		key := s.name("t")
		owner, name := append(path[:len(path):len(path)], key), strings.TrimPrefix(names+"."+key, ".")
		s.above(owner, "")
		if s.chance("array", 4) {
			for i := range rapid.IntRange(1, 3).Draw(s.T, "tables of an array") {
				item := append(owner[:len(owner):len(owner)], strconv.Itoa(i))
				s.write(item, false, "[[%s]]%s", name, s.note())
				s.tomlTable(item, name, depth+1)
			}
			continue
		}
		s.write(owner, false, "[%s]%s", name, s.note())
		s.tomlTable(owner, name, depth+1)
	}
}

func TestEditYAML(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &scribe{T: t}
		checkEdit(t, "a.yaml", s, s.yaml(), append(someValues, "null"))
	})
}

func TestEditJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &scribe{T: t}
		s.write(nil, true, "%s", s.jsonValue(0, ""))
		checkEdit(t, "a.json", s, s.document(), append(someValues, "null"))
	})
}

func TestEditTOML(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &scribe{T: t}
		s.write(value.Path{"begin"}, true, "begin = 1")
		s.tomlTable(nil, "", 0)
		checkEdit(t, "a.toml", s, s.document(), someValues)
	})
}
