package document

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/trunkline/trunkline/value"
)

// Change is one edit of a document: what stands at the path becomes the value. Nil removes it. Maps that are missing above it are
// made; a list is changed as a whole, or in an item that it has.
type Change struct {
	Path  value.Path
	Value *value.Value
}

// EditError tells why a document was not edited. It never holds a value.
type EditError struct {
	value.Pos
	Path    string // with the indices of lists; empty for the whole document
	Message string
	Hint    string
}

func (e *EditError) Error() string {
	at := e.Pos.String()
	if e.Path != "" {
		at += ": " + e.Path
	}
	return fmt.Sprintf("%s: %s; %s", at, e.Message, e.Hint)
}

// Edit changes values of a document, whose format the file's name tells, and leaves every byte as it is that does not belong to them:
// comments, order, quotes, indentation, line ends. What is new is written in the style around it. The result is read again, and is
// what was asked for; an error, which is an *[EditError], means that this cannot be done without touching anything else.
//
// To a value belong the comments on its lines, and, when it goes, those directly above it. Those at the top of a file are the file's.
func Edit(name string, data []byte, changes []Change) ([]byte, error) {
	e, old, err := newEdition(name, data)
	if err == nil && len(changes) > MaxChanges {
		err = e.refuse(old, nil, fmt.Sprintf("%d changes at once are more than %d", len(changes), MaxChanges), "make them in parts")
	}
	if err != nil {
		return nil, err
	}
	want, err := e.changed(old, changes)
	if err != nil {
		return nil, err
	}
	return e.write(old, want, nil, nil)
}

// Restore is [Edit] by the text of another version of the document: what stands at the paths becomes what stands there in the
// original, with its comments and as it was written; what does not stand there is removed.
func Restore(name string, data, original []byte, paths []value.Path) ([]byte, error) {
	e, old, err := newEdition(name, data)
	if err == nil && len(paths) > MaxChanges {
		err = e.refuse(old, nil, fmt.Sprintf("%d values at once are more than %d", len(paths), MaxChanges), "restore what holds them")
	}
	if err != nil {
		return nil, err
	}
	from, was, err := newEdition(name, original)
	if err != nil {
		return nil, fmt.Errorf("in the other version: %w", err)
	}
	want, err := e.restored(old, was, paths)
	if err != nil {
		return nil, err
	}
	if narrow := narrowed(old, want, was); narrow != was {
		text, err := from.write(was, narrow, nil, nil)
		if err != nil {
			return nil, fmt.Errorf("in the other version: %w", err)
		}
		if from, was, err = newEdition(name, text); err != nil {
			return nil, err
		}
	}
	return e.write(old, want, from, was)
}

// edition is one state of a document.
type edition struct {
	file   *value.File
	format Format
	mark   []byte // of the byte order, when there is one
	data   []byte // whose last line has an end
	bare   int    // how many bytes of that the file does not have
}

func newEdition(name string, data []byte) (*edition, *value.Value, error) {
	e := &edition{file: &value.File{Path: name}, format: FormatOf(name)}
	v, problems := Decode(e.file, e.format, data, Limits{})
	if v == nil {
		i := slices.IndexFunc(problems, func(p Problem) bool { return !p.Warning })
		p := problems[i]
		return nil, nil, &EditError{
			Pos:     value.Pos{File: name, Line: p.Line, Column: p.Column},
			Message: "the file cannot be read: " + p.Message, Hint: p.Hint,
		}
	}
	e.data = bytes.TrimPrefix(data, []byte("\ufeff"))
	e.mark = data[:len(data)-len(e.data)]
	if n := len(e.data); n > 0 && e.data[n-1] != '\n' {
		end := newLayout(e.format, e.data).eol
		e.data, e.bare = slices.Concat(e.data, []byte(end)), len(end)
	}
	return e, v, nil
}

// layout is nil where the document's parts cannot be told from its lines.
func (e *edition) layout() *layout {
	switch e.format {
	case YAML:
		return layoutYAML(e.data)
	case JSON:
		return layoutJSON(e.data)
	default:
		return layoutTOML(e.data)
	}
}

// refuse is an error at a path, or at the nearest value above it.
func (e *edition) refuse(root *value.Value, path value.Path, message, hint string) error {
	at := root
	for n := range path {
		next, ok := at.Step(path[n])
		if !ok {
			break
		}
		at = next
	}
	return &EditError{Pos: at.Pos(), Path: root.PathString(path), Message: message, Hint: hint}
}

const byHand = "edit the file by hand"

// write changes the text so that it says what is wanted, with the text of another version where that says the same.
func (e *edition) write(old, want *value.Value, original *edition, was *value.Value) (out []byte, err error) {
	if value.Equal(old, want) {
		return slices.Concat(e.mark, e.data[:len(e.data)-e.bare]), nil
	}
	defer func() {
		if recover() != nil { // a stranger's document must not end the process
			out, err = nil, e.refuse(old, nil, "the editor gave up on the document", byHand+", and report this as a bug")
		}
	}()
	p := &plan{edition: e, old: old, head: e.layout(), was: was}
	if original != nil {
		p.orig = original.layout()
	}
	if p.head == nil {
		return nil, e.refuse(old, nil, "the file has line ends of several kinds", "end its lines alike, with a line feed")
	}
	if err := p.document(want); err != nil {
		return nil, err
	}
	text, err := p.text()
	if err != nil {
		return nil, err
	}
	// The last line ends as it did, unless a text that it belongs to would not be the same.
	bare := bytes.TrimSuffix(text, []byte(p.head.eol))
	if e.bare > 0 {
		text, bare = bare, text
	}
	if err := e.check(text, old, want); err == nil || e.check(bare, old, want) != nil {
		return slices.Concat(e.mark, text), err
	}
	return slices.Concat(e.mark, bare), nil
}

// check reads what was written again.
func (e *edition) check(text []byte, old, want *value.Value) error {
	got, _ := Decode(e.file, e.format, text, Limits{})
	if got == nil {
		return e.refuse(old, firstPath(old, want), "the file could not be read any more with this change", byHand)
	}
	if value.Equal(got, want) {
		return nil
	}
	path := firstPath(want, got)
	before, _ := old.At(path)
	wanted, _ := want.At(path)
	if value.Equal(before, wanted) {
		return e.refuse(old, path, "this value would change, too, with the ones that were asked for", "it is shared by an alias, or a text whose end is that of the file or of blank lines below it: "+byHand)
	}
	return e.refuse(old, path, "the value cannot be written here without touching others", byHand)
}

func firstPath(a, b *value.Value) value.Path {
	if d := value.Diff(a, b); len(d) > 0 {
		return d[0].Path
	}
	return nil
}

// narrowed is the original without what is not wanted of maps that are not there yet, so that their text can be taken as a whole.
func narrowed(old, want, was *value.Value) *value.Value {
	for _, e := range was.Entries() {
		wanted, ok := want.Get(e.Key)
		if !ok || wanted.Kind() != value.Map || e.Value.Kind() != value.Map {
			continue
		}
		next := wanted
		if now, ok := old.Get(e.Key); ok && now.Kind() == value.Map && now.Len() > 0 {
			next = narrowed(now, wanted, e.Value)
		}
		if !value.Equal(next, e.Value) {
			was, _ = was.Set(value.Path{e.Key}, next)
		}
	}
	return was
}
