// Package document reads configuration documents, YAML, JSON and TOML, into values that know their line and column.
//
// [Decode] takes strangers' bytes: it never panics, its cost is bounded by [Limits], and what it does not take without loss
// (duplicate keys, unknown tags, numbers that do not fit, a second document) it refuses with a [Problem] that names the place,
// where the underlying libraries would drop or change it silently.
//
// [Edit] and [Restore] change values in the text of a document and leave all else in it as it is. They promise the same, and that
// what they return says what was asked for; otherwise they refuse with an [EditError].
package document

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/trunkline/trunkline/value"
)

// Problem is one finding in a document. Line and Column count from 1, columns in characters.
type Problem struct {
	Line, Column int
	Rule         string
	Message      string
	Hint         string
	Warning      bool // the document is still good
}

// Format is a syntax of documents.
type Format uint8

// The formats.
const (
	Unknown Format = iota
	YAML
	JSON
	TOML
)

// FormatOf tells the format of a file by its extension.
func FormatOf(name string) Format {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml":
		return YAML
	case ".json":
		return JSON
	case ".toml":
		return TOML
	default:
		return Unknown
	}
}

// Decode reads a document, whose root must be a map; an empty one is an empty map, with a warning. The value is nil when a
// problem is not a warning.
func Decode(file *value.File, format Format, data []byte, limits Limits) (*value.Value, []Problem) {
	d := &decoder{file: file, limits: limits.withDefaults(), data: bytes.TrimPrefix(data, []byte("\ufeff"))}
	if !d.acceptable(data) {
		return nil, d.problems
	}
	v := d.read(format)
	if d.failed {
		return nil, d.problems
	}
	return v, d.problems
}

// read turns a panic of a parser into a problem: a stranger's document must not end the process.
func (d *decoder) read(format Format) (v *value.Value) {
	defer func() {
		if r := recover(); r != nil {
			d.fail(1, 1, "parserPanic", "the parser gave up on the document", "simplify it, and report this as a bug")
		}
	}()
	switch format {
	case YAML:
		return d.yaml()
	case JSON:
		return d.json()
	case TOML:
		return d.toml()
	default:
		d.fail(1, 1, "unknownFormat", "not a document that can be read", "use .yaml, .yml, .json or .toml")
		return nil
	}
}

type decoder struct {
	file     *value.File
	data     []byte
	limits   Limits
	nodes    int
	lines    []int // offsets of the beginnings of lines, made when first needed
	last     mark  // the place that was asked for last
	problems []Problem
	failed   bool
}

// mark is how far the characters of a line are counted.
type mark struct{ offset, column int }

func (d *decoder) fail(line, column int, rule, message, hint string) {
	d.failed = true
	d.note(Problem{Line: line, Column: column, Rule: rule, Message: message, Hint: hint})
}

func (d *decoder) warn(line, column int, rule, message, hint string) {
	d.note(Problem{Line: line, Column: column, Rule: rule, Message: message, Hint: hint, Warning: true})
}

// note keeps a problem. Where there is no more room an error takes that of a warning, so that a refusal never goes unexplained.
func (d *decoder) note(p Problem) {
	if len(d.problems) < maxProblems && slices.Contains(d.problems, p) {
		return // found once more, by way of an alias
	}
	if len(d.problems) >= maxProblems {
		i := slices.IndexFunc(d.problems, func(p Problem) bool { return p.Warning })
		if i < 0 || p.Warning {
			return
		}
		d.problems = slices.Delete(d.problems, i, i+1)
	}
	d.problems = append(d.problems, p)
}

// full tells that enough was found to stop reading.
func (d *decoder) full() bool { return d.failed && len(d.problems) >= maxProblems }

// spent tells that the values were more than may be read.
func (d *decoder) spent() bool { return d.nodes > d.limits.MaxNodes }

// acceptable looks at the bytes before any parser does.
func (d *decoder) acceptable(data []byte) bool {
	utf8Hint := "save the file as UTF-8"
	switch {
	case len(data) > d.limits.MaxBytes:
		d.fail(1, 1, "fileTooLarge", fmt.Sprintf("the file has %d bytes, more than %d", len(data), d.limits.MaxBytes), "split it into several files")
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		d.fail(1, 1, "encoding", "the file is in UTF-16", utf8Hint)
	case bytes.HasPrefix(data, []byte("version https://git-lfs.github.com/spec/")):
		d.fail(1, 1, "lfsPointer", "the file is a Git LFS pointer; its content is not in the repository", "keep configuration out of Git LFS")
	default:
		if at := badByte(d.data); at >= 0 {
			line, column := d.place(at)
			what := "a byte that is not UTF-8"
			if d.data[at] == 0 {
				what = "a NUL byte"
			}
			d.fail(line, column, "encoding", "the file holds "+what, utf8Hint)
		}
	}
	return !d.failed
}

// badByte is the offset of the first NUL or of the first byte that is not UTF-8, or -1.
func badByte(data []byte) int {
	nul := bytes.IndexByte(data, 0)
	if utf8.Valid(data) {
		return nul
	}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == 0 || r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return nul
}

// place turns a byte offset into line and column. Readers ask in the order of the document, so a line is counted on from where
// it was asked for last: counting it from its beginning would be quadratic in a document of one long line.
func (d *decoder) place(offset int) (line, column int) {
	if d.lines == nil {
		d.lines = append(d.lines, 0)
		for i, c := range d.data {
			if c == '\n' {
				d.lines = append(d.lines, i+1)
			}
		}
	}
	offset = d.runeStart(min(offset, len(d.data)))
	lo, hi := 0, len(d.lines)
	for hi-lo > 1 {
		mid := (lo + hi) / 2
		if d.lines[mid] <= offset {
			lo = mid
		} else {
			hi = mid
		}
	}
	from := mark{d.lines[lo], 1}
	if d.last.offset > from.offset && d.last.offset <= offset {
		from = d.last
	}
	d.last = mark{offset, from.column + utf8.RuneCount(d.data[from.offset:offset])}
	return lo + 1, d.last.column
}

// runeStart is the beginning of the character that an offset is inside of.
func (d *decoder) runeStart(offset int) int {
	if offset == len(d.data) || utf8.RuneStart(d.data[offset]) {
		return offset
	}
	for start := offset; start >= max(0, offset-utf8.UTFMax+1); start-- {
		if _, size := utf8.DecodeRune(d.data[start:]); start+size > offset && size > 1 {
			return start
		}
	}
	return offset
}

func (d *decoder) at(line, column int) value.Place {
	return value.Place{File: d.file, Line: line, Column: column}
}

// count takes one more node, and reports false when there are too many.
func (d *decoder) count(line, column int) bool {
	d.nodes++
	if d.nodes == d.limits.MaxNodes+1 {
		d.fail(line, column, "tooManyNodes", fmt.Sprintf("the document holds more than %d values", d.limits.MaxNodes), "split it into several files")
	}
	return !d.spent()
}

func (d *decoder) deep(depth, line, column int) bool {
	if depth <= value.MaxDepth {
		return false
	}
	d.fail(line, column, "tooDeep", fmt.Sprintf("nested deeper than %d", value.MaxDepth), "flatten the structure")
	return true
}

func (d *decoder) empty(hint string) *value.Value {
	d.warn(1, 1, "emptyFile", "the file holds no values", hint)
	return value.NewMap(nil, d.at(1, 1))
}

// emptyHint is for formats that have a way to write an empty map.
const emptyHint = "remove it, or write {} to say that this is meant"

func (d *decoder) rootMustBeMap(kind string, line, column int) {
	d.fail(line, column, "rootNotMap", "the document is a "+kind+"; it must be a map", "give the value a key; a file is mounted as a map")
}

func (d *decoder) duplicate(key string, line, column, firstLine, firstColumn int) {
	d.fail(line, column, "duplicateKey",
		fmt.Sprintf("the key %q stands twice in one map, first at line %d, column %d", clip(key), firstLine, firstColumn), "keep one of them")
}

// keyAllowed refuses keys that mean something to readers of values, or that could not be printed.
func (d *decoder) keyAllowed(key string, line, column int) bool {
	switch {
	case key == "$redacted":
		d.fail(line, column, "reservedKey", "the key $redacted is reserved: it marks what a reader may not see", "choose another key")
		return false
	case len(key) > maxKeyBytes:
		d.fail(line, column, "keyTooLong", fmt.Sprintf("a key has %d bytes, more than %d", len(key), maxKeyBytes), "shorten it")
		return false
	case strings.IndexFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0:
		d.fail(line, column, "controlCharacter", "a key holds a control character", "remove it")
		return false
	}
	return true
}

const maxKeyBytes = 256

// clip keeps a stranger's text in a message short.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// exactDigits is how many significant digits a double can tell apart.
const exactDigits = 17

// precision warns of a number with more digits than are kept.
func (d *decoder) precision(text string, at value.Place) {
	mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
	digits := strings.TrimLeft(strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, mantissa), "0")
	if len(digits) > exactDigits {
		d.warn(at.Line, at.Column, "precision", fmt.Sprintf("the number has %d digits, of which %d are kept", len(digits), exactDigits), "write it as a string if all count")
	}
}
