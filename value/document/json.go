package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/trunkline/trunkline/value"
)

func (d *decoder) json() *value.Value {
	if len(bytes.TrimSpace(d.data)) == 0 {
		return d.empty(emptyHint)
	}
	// Duplicate names are found by the reader below, which can name both places.
	r := &jsonReader{decoder: d, tokens: jsontext.NewDecoder(bytes.NewBuffer(d.data), jsontext.AllowDuplicateNames(true))}
	if what, ok := notMap[r.tokens.PeekKind()]; ok {
		line, column := d.place(r.next())
		d.rootMustBeMap(what, line, column)
		return nil
	}
	v := r.read(0, -1)
	if d.failed {
		return nil
	}
	end := r.next()
	if _, err := r.tokens.ReadToken(); !errors.Is(err, io.EOF) {
		line, column := d.place(end)
		d.fail(line, column, "secondDocument", "something follows after the document", "one file is one document: remove what follows")
	}
	return v
}

// notMap are the roots that are read well and yet not taken. What begins no value at all is left to the syntax.
var notMap = map[jsontext.Kind]string{'[': "list", '"': "scalar", '0': "scalar", 't': "scalar", 'f': "scalar", 'n': "scalar"}

type jsonReader struct {
	*decoder
	tokens *jsontext.Decoder
}

// next is the offset at which the next token begins.
func (r *jsonReader) next() int {
	at := int(r.tokens.InputOffset())
	for at < len(r.data) && strings.IndexByte(" \t\r\n,:", r.data[at]) >= 0 {
		at++
	}
	return at
}

// excerpt is what the library quotes from inside a string, which may be a secret.
var excerpt = regexp.MustCompile("(?s) `.*`")

func (r *jsonReader) syntax(err error) *value.Value {
	at := r.next()
	var syntactic *jsontext.SyntacticError
	message := err.Error()
	if errors.As(err, &syntactic) {
		at = int(syntactic.ByteOffset)
		if syntactic.Err != nil {
			message = syntactic.Err.Error()
		}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		at, message = len(r.data), "the document ends too early"
	}
	line, column := r.place(at)
	message = excerpt.ReplaceAllString(strings.TrimPrefix(message, "jsontext: "), "")
	r.fail(line, column, "jsonSyntax", clip(message), "mend the JSON syntax here; JSON knows neither comments nor trailing commas")
	return nil
}

// read converts the next value. keyAt is the offset of its key, or negative.
func (r *jsonReader) read(depth, keyAt int) *value.Value {
	if r.full() {
		return nil
	}
	start := r.next()
	tok, err := r.tokens.ReadToken()
	if err != nil {
		return r.syntax(err)
	}
	if kind := tok.Kind(); keyAt >= 0 && (kind == '{' || kind == '[') {
		start = keyAt
	}
	line, column := r.place(start)
	if r.deep(depth, line, column) || !r.count(line, column) {
		return nil
	}
	at := r.at(line, column)
	switch tok.Kind() {
	case '{':
		return r.object(depth, at)
	case '[':
		return r.array(depth, at)
	case '"':
		return value.NewString(tok.String(), at)
	case '0':
		return r.number(tok.String(), at)
	case 't', 'f':
		return value.NewBool(tok.Bool(), at)
	default:
		return value.NewNull(at)
	}
}

func (r *jsonReader) number(text string, at value.Place) *value.Value {
	v, err := value.ParseNumber(text, at)
	switch {
	case errors.Is(err, value.ErrNumber):
		r.bigInteger(at.Line, at.Column)
	case err != nil:
		r.notFinite(text, at.Line, at.Column)
	case v.Kind() == value.Float:
		r.precision(text, at)
	}
	return v
}

func (r *jsonReader) object(depth int, at value.Place) *value.Value {
	var entries []value.Entry
	seen := map[string]value.Place{}
	for r.tokens.PeekKind() != '}' {
		keyAt := r.next()
		name, err := r.tokens.ReadToken()
		if err != nil {
			return r.syntax(err)
		}
		key := name.String()
		line, column := r.place(keyAt)
		first, twice := seen[key]
		if twice {
			r.duplicate(key, line, column, first.Line, first.Column)
		} else {
			seen[key] = r.at(line, column)
		}
		r.keyAllowed(key, line, column)
		member := r.read(depth+1, keyAt)
		if member == nil && (r.tokens.StackDepth() == 0 || r.stopped()) {
			return nil
		}
		if !twice && member != nil {
			entries = append(entries, value.Entry{Key: key, Value: member})
		}
		if len(entries) > r.limits.MaxKeys {
			r.fail(line, column, "tooManyKeys", fmt.Sprintf("a map holds more than %d keys", r.limits.MaxKeys), "split the map")
			return nil
		}
	}
	if _, err := r.tokens.ReadToken(); err != nil {
		return r.syntax(err)
	}
	return value.NewMap(entries, at)
}

func (r *jsonReader) array(depth int, at value.Place) *value.Value {
	var items []*value.Value
	for r.tokens.PeekKind() != ']' {
		item := r.read(depth+1, -1)
		if item == nil {
			if r.stopped() {
				return nil
			}
			continue
		}
		items = append(items, item)
	}
	if _, err := r.tokens.ReadToken(); err != nil {
		return r.syntax(err)
	}
	return value.NewList(items, at)
}

// stopped tells that reading cannot go on: the syntax is broken or a bound was met. Other problems leave the reader in step
// with the document, and what follows is still looked at.
func (r *jsonReader) stopped() bool {
	for _, p := range r.problems {
		switch p.Rule {
		case "jsonSyntax", "tooDeep", "tooManyNodes", "tooManyKeys":
			return true
		}
	}
	return r.full()
}
