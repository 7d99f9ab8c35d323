package value

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// AppendJSON writes v as JSON: members in the order of their keys, integers exact, and a number that is not an integer with a
// fraction or an exponent, so that its kind survives. A redacted value is written {"$redacted":true,"fp":"…"}.
func (v *Value) AppendJSON(b []byte) []byte {
	switch v.Kind() {
	case Null:
		return append(b, "null"...)
	case Bool:
		return strconv.AppendBool(b, v.Bool())
	case Int:
		return strconv.AppendInt(b, v.Int(), 10)
	case Float:
		return appendFloat(b, v.Float())
	case String:
		return appendQuoted(b, v.str)
	case Redacted:
		b = append(b, `{"$redacted":true,"fp":`...)
		return append(appendQuoted(b, v.str), '}')
	case List:
		b = append(b, '[')
		for i, e := range v.Entries() {
			if i > 0 {
				b = append(b, ',')
			}
			b = e.Value.AppendJSON(b)
		}
		return append(b, ']')
	default:
		b = append(b, '{')
		for i, e := range v.Entries() {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendQuoted(b, e.Key), ':')
			b = e.Value.AppendJSON(b)
		}
		return append(b, '}')
	}
}

// MarshalJSON makes values part of what encoding/json writes.
func (v *Value) MarshalJSON() ([]byte, error) { return v.AppendJSON(nil), nil }

func (v *Value) String() string { return string(v.AppendJSON(nil)) }

func appendFloat(b []byte, f float64) []byte {
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	start := len(b)
	b = strconv.AppendFloat(b, f, format, -1, 64)
	if bytes.IndexByte(b[start:], '.') < 0 && bytes.IndexByte(b[start:], 'e') < 0 {
		b = append(b, ".0"...)
	}
	return b
}

// appendQuoted writes a string that is known to be valid UTF-8, the common plain one without a second look at its bytes.
func appendQuoted(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			b, _ = jsontext.AppendQuote(b, s)
			return b
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// ErrNumber is the error of a number that cannot be kept exactly.
var ErrNumber = errors.New("an integer beyond 64 bits; write it as a string")

// ParseNumber reads a JSON number: an integer where it has neither fraction nor exponent, else a float.
func ParseNumber(text string, at Place) (*Value, error) {
	if strings.ContainsAny(text, ".eE") {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, errors.New("a number beyond the range of a double")
		}
		return NewFloat(f, at), nil
	}
	i, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, ErrNumber
	}
	return NewInt(i, at), nil
}

// ParseJSON reads one JSON document. Duplicate names, invalid UTF-8 and nesting deeper than [MaxDepth] are errors, which tell
// the byte offset. What [Value.AppendJSON] writes for a redacted value is read as one. Values know no place.
func ParseJSON(data []byte) (*Value, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(data))
	v, err := readJSON(dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.ReadToken(); err != io.EOF {
		return nil, fmt.Errorf("after the value, at byte %d: something follows", dec.InputOffset())
	}
	return v, nil
}

func readJSON(dec *jsontext.Decoder, depth int) (*Value, error) {
	if depth > MaxDepth {
		return nil, fmt.Errorf("at byte %d: nested deeper than %d", dec.InputOffset(), MaxDepth)
	}
	tok, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch tok.Kind() {
	case '{':
		return readObject(dec, depth)
	case '[':
		return readArray(dec, depth)
	case '"':
		return NewString(tok.String(), Place{}), nil
	case '0':
		v, err := ParseNumber(tok.String(), Place{})
		if err != nil {
			return nil, fmt.Errorf("at byte %d: %w", dec.InputOffset(), err)
		}
		return v, nil
	case 't', 'f':
		return NewBool(tok.Bool(), Place{}), nil
	default:
		return NewNull(Place{}), nil
	}
}

func readObject(dec *jsontext.Decoder, depth int) (*Value, error) {
	var entries []Entry
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		member, err := readJSON(dec, depth+1)
		if err != nil {
			return nil, err
		}
		entries = append(entries, Entry{key, member})
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	m := NewMap(entries, Place{})
	if fp, ok := redactedForm(m); ok {
		return NewRedacted(fp, Place{}), nil
	}
	return m, nil
}

func readArray(dec *jsontext.Decoder, depth int) (*Value, error) {
	var items []*Value
	for dec.PeekKind() != ']' {
		item, err := readJSON(dec, depth+1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	return NewList(items, Place{}), nil
}

func redactedForm(m *Value) (fingerprint string, ok bool) {
	mark, marked := m.Get("$redacted")
	fp, has := m.Get("fp")
	if m.Len() != 2 || !marked || !has || !mark.Bool() || fp.Kind() != String {
		return "", false
	}
	return fp.str, true
}
