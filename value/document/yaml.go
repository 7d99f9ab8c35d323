package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"gopkg.in/yaml.v3"

	"github.com/trunkline/trunkline/value"
)

// yaml parses to nodes only and walks them itself: the library's own decoding compares every pair of keys of a map, and drops
// or changes what the walker refuses.
func (d *decoder) yaml() *value.Value {
	dec := yaml.NewDecoder(bytes.NewReader(d.data))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return d.empty(emptyHint)
	case err != nil:
		d.yamlSyntax(err)
		return nil
	}
	var second yaml.Node
	switch err := dec.Decode(&second); {
	case err == nil:
		d.fail(max(second.Line, 1), max(second.Column, 1), "secondDocument", "a second document follows after ---", "one file is one document: split it, or remove the ---")
		return nil
	case !errors.Is(err, io.EOF):
		d.yamlSyntax(err)
		return nil
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" && root.Value == "" {
		return d.empty(emptyHint)
	}
	w := &yamlWalker{decoder: d, budget: min(maxAliased, aliasFactor*countNodes(&doc, lastLine(d.data)))}
	if target(root).Kind != yaml.MappingNode {
		d.rootMustBeMap(kindOf(target(root)), root.Line, root.Column)
		return nil
	}
	return w.walk(root, 0, root.Line, root.Column)
}

var (
	yamlLine      = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)
	fromParser    = regexp.MustCompile(`^did not find expected (<|node content|'-' indicator|key$|',' or)|^found (undefined tag handle|duplicate %|incompatible YAML)`)
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced`)
)

func (d *decoder) yamlSyntax(err error) {
	line, message := 1, err.Error()
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		message = m[2]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
			if fromParser.MatchString(message) {
				line++ // the library counts lines from 0 here, from 1 elsewhere
			}
		}
	}
	if m := unknownAnchor.FindStringSubmatch(message); m != nil {
		line, column := d.place(max(bytes.Index(d.data, []byte("*"+m[1])), 0))
		d.fail(line, column, "yamlSyntax", clip(message), "name an anchor that stands above it, or quote a value that begins with *")
		return
	}
	if message == "control characters are not allowed" {
		line, column := d.place(max(bytes.IndexFunc(d.data, forbidden), 0))
		d.fail(line, column, "yamlSyntax", message, "remove the character, or write it as an escape in double quotes")
		return
	}
	lines := bytes.Split(d.data, []byte("\n"))
	line = min(max(line, 1), len(lines))
	hint := "mend the YAML syntax here, or further down in the block that begins here"
	if bytes.Contains(lines[line-1], []byte("\t")) || strings.Contains(message, "cannot start any token") {
		hint = "indent with spaces, not tabs, and quote values that begin with a special character"
	}
	d.fail(line, 1, "yamlSyntax", clip(message), hint)
}

// forbidden are the characters that no YAML document may hold.
func forbidden(r rune) bool {
	return unicode.IsControl(r) && !strings.ContainsRune("\t\n\r\u0085", r) || r == 0xfffe || r == 0xffff
}

// target follows an alias to what it names.
func target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

func kindOf(n *yaml.Node) string {
	if n.Kind == yaml.SequenceNode {
		return "list"
	}
	return "scalar"
}

// countNodes counts what is written, without aliases. The parser puts what is left out at the end of a file without a line end
// on a line of its own; such a place is moved back into the file.
func countNodes(n *yaml.Node, last int) int {
	n.Line = min(n.Line, last)
	count := 1
	for _, child := range n.Content {
		count += countNodes(child, last)
	}
	return count
}

// lastLine counts lines as YAML ends them.
func lastLine(data []byte) int {
	count := 1 - bytes.Count(data, []byte("\r\n"))
	for _, end := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} {
		count += bytes.Count(data, []byte(end))
	}
	return count
}

type yamlWalker struct {
	*decoder
	budget  int          // values that aliases and merge keys may still add
	aliased int          // how many aliases the walk is inside of
	open    []*yaml.Node // collections the walk is inside of, so that an alias to one of them is seen
}

// stopped tells that nothing more is worth walking: enough was found, or a bound was met.
func (w *yamlWalker) stopped() bool { return w.full() || w.spent() || w.budget < 0 }

// walk converts a node. The place is that of its key where it has one, so that a problem with a map points at its name.
func (w *yamlWalker) walk(n *yaml.Node, depth, line, column int) *value.Value {
	if w.stopped() || w.deep(depth, line, column) || !w.count(line, column) || !w.spend(line, column) {
		return nil
	}
	switch n.Kind {
	case yaml.AliasNode:
		return w.alias(n, depth, line, column)
	case yaml.MappingNode:
		return w.mapping(n, depth, line, column)
	case yaml.SequenceNode:
		return w.sequence(n, depth, line, column)
	default:
		return w.scalar(n)
	}
}

func (w *yamlWalker) spend(line, column int) bool {
	if w.aliased == 0 {
		return true
	}
	w.budget--
	if w.budget == -1 {
		w.fail(line, column, "aliasExpansion", "aliases and merge keys expand to too many values", "write the values out, or share less by alias")
	}
	return w.budget >= 0
}

func (w *yamlWalker) alias(n *yaml.Node, depth, line, column int) *value.Value {
	if w.cycle(n) {
		return nil
	}
	w.aliased++
	v := w.walk(n.Alias, depth, line, column)
	w.aliased--
	return v
}

// cycle refuses an alias of what the walk is inside of.
func (w *yamlWalker) cycle(n *yaml.Node) bool {
	if n.Kind != yaml.AliasNode || !slices.Contains(w.open, n.Alias) {
		return false
	}
	w.fail(n.Line, n.Column, "aliasCycle", fmt.Sprintf("the alias *%s names a value it is part of", clip(n.Value)), "remove the alias")
	return true
}

func (w *yamlWalker) sequence(n *yaml.Node, depth, line, column int) *value.Value {
	if !w.tagIs(n, "!!seq") {
		return nil
	}
	w.open = append(w.open, n)
	items := make([]*value.Value, 0, len(n.Content))
	for _, child := range n.Content {
		if item := w.walk(child, depth+1, child.Line, child.Column); item != nil {
			items = append(items, item)
		}
	}
	w.open = w.open[:len(w.open)-1]
	return value.NewList(items, w.at(line, column))
}

func (w *yamlWalker) mapping(n *yaml.Node, depth, line, column int) *value.Value {
	if !w.tagIs(n, "!!map") {
		return nil
	}
	w.open = append(w.open, n)
	m := w.members(n, depth)
	w.open = w.open[:len(w.open)-1]
	return value.NewMap(m, w.at(line, column))
}

// members reads the members of a mapping. Those of merge keys come after, where the mapping has none of its own.
func (w *yamlWalker) members(n *yaml.Node, depth int) []value.Entry {
	if len(n.Content)/2 > w.limits.MaxKeys {
		w.fail(n.Line, n.Column, "tooManyKeys", fmt.Sprintf("a map holds %d keys, more than %d", len(n.Content)/2, w.limits.MaxKeys), "split the map")
		return nil
	}
	entries := make([]value.Entry, 0, len(n.Content)/2)
	seen := make(map[string]*yaml.Node, len(n.Content)/2)
	var mergeKey *yaml.Node
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, child := n.Content[i], n.Content[i+1]
		if isMergeKey(k) {
			if mergeKey != nil {
				w.duplicate(k.Value, k.Line, k.Column, mergeKey.Line, mergeKey.Column)
			}
			mergeKey, merges = k, append(merges, child)
			continue
		}
		key, ok := w.key(k)
		if !ok {
			continue
		}
		if first, twice := seen[key]; twice {
			w.duplicate(key, k.Line, k.Column, first.Line, first.Column)
			continue
		}
		seen[key] = k
		line, column := child.Line, child.Column
		if t := target(child).Kind; t == yaml.MappingNode || t == yaml.SequenceNode {
			line, column = k.Line, k.Column
		}
		if v := w.walk(child, depth+1, line, column); v != nil {
			entries = append(entries, value.Entry{Key: key, Value: v})
		}
	}
	for _, merge := range merges {
		entries = w.merge(entries, seen, merge, depth)
	}
	return entries
}

func isMergeKey(k *yaml.Node) bool {
	return k.Kind == yaml.ScalarNode && k.Value == "<<" && k.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) == 0 &&
		(k.Tag == "" || k.Tag == "!!merge" || k.Tag == "!")
}

// merge adds what a merge key names: an alias of a map, a map, or a list of them, of which earlier ones win.
func (w *yamlWalker) merge(entries []value.Entry, seen map[string]*yaml.Node, source *yaml.Node, depth int) []value.Entry {
	if w.cycle(source) {
		return entries
	}
	sources := []*yaml.Node{source}
	if target(source).Kind == yaml.SequenceNode {
		sources = target(source).Content
	}
	for _, s := range sources {
		if w.stopped() {
			return nil
		}
		if target(s).Kind != yaml.MappingNode {
			w.fail(s.Line, s.Column, "mergeKey", "a merge key << names something that is not a map", "let it name a map or a list of maps")
			continue
		}
		w.aliased++
		merged := w.walk(s, depth, s.Line, s.Column)
		w.aliased--
		if merged == nil {
			continue
		}
		for _, e := range merged.Entries() {
			if seen[e.Key] == nil {
				seen[e.Key] = s
				entries = append(entries, e)
			}
		}
		if len(entries) > w.limits.MaxKeys {
			w.fail(s.Line, s.Column, "tooManyKeys", fmt.Sprintf("a map holds more than %d keys", w.limits.MaxKeys), "split the map")
			return nil
		}
	}
	return entries
}

func (w *yamlWalker) key(n *yaml.Node) (string, bool) {
	if n = target(n); n.Kind != yaml.ScalarNode {
		w.fail(n.Line, n.Column, "keyKind", "a key is a map or a list", "quote it, or indent what follows")
		return "", false
	}
	key := n.Value
	switch tag := n.ShortTag(); tag {
	case "!!str", "!!timestamp":
	case "!!int":
		if leadingZero(key) || strings.ContainsAny(key, "xXoObB") {
			w.fail(n.Line, n.Column, "keyKind", fmt.Sprintf("the key %s is an integer that is not written in decimal", clip(key)), "quote it")
			return "", false
		}
		i, err := parseInt(key)
		if err != nil {
			w.fail(n.Line, n.Column, "keyKind", "a key is an integer beyond 64 bits", "quote it")
			return "", false
		}
		key = strconv.FormatInt(i, 10)
	default:
		w.fail(n.Line, n.Column, "keyKind", fmt.Sprintf("the key %s is a %s; keys are strings or integers", clip(key), tagName(tag)), "quote it")
		return "", false
	}
	if tag := n.ShortTag(); tag == "!!str" && n.Style == 0 && ambiguousBool[strings.ToLower(key)] {
		w.warn(n.Line, n.Column, "ambiguousBoolean", fmt.Sprintf("the key %s is a string here, but a boolean to older YAML readers", key), "quote it")
	}
	return key, w.keyAllowed(key, n.Line, n.Column)
}

func tagName(tag string) string {
	names := map[string]string{"!!bool": "boolean", "!!null": "null", "!!float": "number with a fraction", "!!binary": "binary value"}
	if name, ok := names[tag]; ok {
		return name
	}
	return "value with the tag " + clip(tag)
}

// tagIs refuses tags that would otherwise be ignored.
func (w *yamlWalker) tagIs(n *yaml.Node, want string) bool {
	if tag := n.ShortTag(); tag != want && tag != "" && n.Tag != "!" {
		w.unknownTag(n, tag)
		return false
	}
	return true
}

func (w *yamlWalker) unknownTag(n *yaml.Node, tag string) {
	w.fail(n.Line, n.Column, "unknownTag", fmt.Sprintf("the tag %s is not understood", clip(tag)), "remove it; a tag is never resolved here")
}

// ambiguousBool are the words that YAML 1.1 read as booleans. true and false are booleans to everyone.
var ambiguousBool = map[string]bool{"yes": true, "no": true, "on": true, "off": true}

func (w *yamlWalker) scalar(n *yaml.Node) *value.Value {
	at := w.at(n.Line, n.Column)
	switch tag := n.ShortTag(); tag {
	case "!!str":
		if n.Style == 0 && ambiguousBool[strings.ToLower(n.Value)] {
			w.warn(n.Line, n.Column, "ambiguousBoolean", fmt.Sprintf("%s is a string here, but a boolean to older YAML readers", n.Value), "quote it, or write true or false")
		}
		return w.text(n, at)
	case "!!merge":
		if n.Style&yaml.TaggedStyle != 0 {
			return w.tagMismatch(n, tag)
		}
		return value.NewString(n.Value, at) // << merges as a key only
	case "!!null":
		if !nulls[n.Value] {
			return w.tagMismatch(n, tag)
		}
		return value.NewNull(at)
	case "!!bool":
		return w.boolean(n, at)
	case "!!int":
		return w.integer(n, at)
	case "!!float":
		return w.float(n, at)
	case "!!timestamp":
		return w.timestamp(n, at)
	default:
		w.unknownTag(n, tag)
		return nil
	}
}

// nulls are the ways to write null.
var nulls = map[string]bool{"": true, "~": true, "null": true, "Null": true, "NULL": true}

// text takes a string. Numbers too large for any type of the parser come as strings too, and are refused as in other formats.
func (w *yamlWalker) text(n *yaml.Node, at value.Place) *value.Value {
	if n.Style != 0 || n.Value == "" || strings.IndexByte("+-.0123456789", n.Value[0]) < 0 {
		return value.NewString(n.Value, at)
	}
	plain := strings.ReplaceAll(n.Value, "_", "")
	if yamlPrefixed.MatchString(plain) {
		w.bigInteger(n.Line, n.Column)
		return nil
	}
	if _, err := strconv.ParseFloat(plain, 64); errors.Is(err, strconv.ErrRange) && yamlFloat.MatchString(plain) {
		w.notFinite(n.Value, n.Line, n.Column)
		return nil
	}
	return value.NewString(n.Value, at)
}

// tagMismatch refuses a tag whose value is of another type. The value is not named: it may be a secret.
func (w *yamlWalker) tagMismatch(n *yaml.Node, tag string) *value.Value {
	w.fail(n.Line, n.Column, "tagMismatch", fmt.Sprintf("the value is not what its tag %s says", tag), "remove the tag, or mend the value")
	return nil
}

func (w *yamlWalker) boolean(n *yaml.Node, at value.Place) *value.Value {
	switch strings.ToLower(n.Value) {
	case "true":
		return value.NewBool(true, at)
	case "false":
		return value.NewBool(false, at)
	}
	return w.tagMismatch(n, "!!bool")
}

func (w *yamlWalker) integer(n *yaml.Node, at value.Place) *value.Value {
	i, err := parseInt(n.Value)
	switch {
	case errors.Is(err, strconv.ErrRange):
		w.bigInteger(n.Line, n.Column)
		return nil
	case err != nil:
		return w.tagMismatch(n, "!!int")
	}
	if leadingZero(n.Value) {
		w.warn(n.Line, n.Column, "octal", fmt.Sprintf("%s is read as octal: %d", n.Value, i), "write it in decimal, or as 0o…, or quote it")
	}
	return value.NewInt(i, at)
}

func (d *decoder) bigInteger(line, column int) {
	d.fail(line, column, "integerRange", "an integer beyond 64 bits", "write it as a string")
}

// parseInt reads every form of integer that YAML knows.
func parseInt(s string) (int64, error) {
	return strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 0, 64)
}

// leadingZero tells an integer that older YAML readers take as octal and newer ones as decimal.
func leadingZero(s string) bool {
	digits := strings.TrimLeft(strings.ReplaceAll(s, "_", ""), "+-")
	return len(digits) > 1 && digits[0] == '0' && strings.Trim(digits, "0123456789") == ""
}

func (w *yamlWalker) float(n *yaml.Node, at value.Place) *value.Value {
	text := strings.ReplaceAll(n.Value, "_", "")
	tagged := n.Style&yaml.TaggedStyle != 0
	switch {
	case tagged && !yamlFloat.MatchString(text):
		return w.tagMismatch(n, "!!float")
	case !tagged && leadingZero(text):
		w.fail(n.Line, n.Column, "octal", fmt.Sprintf("%s begins with a zero, but is no octal number", clip(n.Value)), "write it without the zero, or quote it")
		return nil
	case !tagged && strings.Trim(text, "+-0123456789") == "":
		w.bigInteger(n.Line, n.Column)
		return nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		w.notFinite(n.Value, n.Line, n.Column)
		return nil
	}
	w.precision(text, at)
	return value.NewFloat(f, at)
}

var (
	yamlPrefixed = regexp.MustCompile(`^[-+]?0([xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)$`)
	yamlFloat    = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$`)
)

func (d *decoder) notFinite(text string, line, column int) {
	d.fail(line, column, "notFinite", fmt.Sprintf("%s is not a finite number", clip(text)), "configuration holds finite numbers only; use a string or null")
}

var yamlTimes = []string{
	"2006-01-02", time.RFC3339Nano, "2006-1-2T15:4:5.999999999Z07:00", "2006-1-2t15:4:5.999999999Z07:00",
	"2006-1-2 15:4:5.999999999 Z07:00", "2006-1-2 15:4:5.999999999Z07:00", "2006-1-2 15:4:5.999999999", "2006-1-2",
}

// timestamp keeps what YAML reads as a date or a time as a string, in the form of RFC 3339.
func (w *yamlWalker) timestamp(n *yaml.Node, at value.Place) *value.Value {
	for _, layout := range yamlTimes {
		t, err := time.Parse(layout, n.Value)
		if err != nil {
			continue
		}
		if !strings.Contains(layout, "15") {
			return value.NewString(t.Format("2006-01-02"), at)
		}
		return value.NewString(t.Format(time.RFC3339Nano), at)
	}
	return w.tagMismatch(n, "!!timestamp")
}
