package ofrep

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/trunkline/trunkline/value"
)

// reader reads bodies, one after the other, and keeps what it needs for the next.
type reader struct {
	body  []byte
	from  bytes.Buffer
	dec   *jsontext.Decoder
	names map[string]string // of attributes: most requests send the same
}

var readers = sync.Pool{New: func() any {
	in := &reader{body: make([]byte, 0, 1024), names: map[string]string{}}
	in.dec = jsontext.NewDecoder(&in.from)
	return in
}}

func (in *reader) release() {
	if cap(in.body) > 8<<10 {
		return // few bodies are that large
	}
	in.body = in.body[:0]
	readers.Put(in)
}

// parse reads the body: an object, of which the member context is returned. Where nothing of it counts it is only looked at.
func (in *reader) parse(counts bool) (*value.Value, error) {
	in.from = *bytes.NewBuffer(in.body)
	in.dec.Reset(&in.from)
	if in.dec.PeekKind() != '{' {
		if err := in.dec.SkipValue(); err != nil {
			return nil, err
		}
		return nil, noObject
	}
	context := value.Empty
	_, err := in.dec.ReadToken()
	for err == nil && in.dec.PeekKind() != '}' {
		var name string
		if name, err = in.name(); err != nil {
			break
		}
		if name != "context" {
			err = in.dec.SkipValue()
			continue
		}
		context, err = in.context(counts)
	}
	if err == nil {
		_, err = in.dec.ReadToken()
	}
	if err != nil {
		return nil, err
	}
	if _, err := in.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("at byte %d: something follows", in.dec.InputOffset())
	}
	return context, nil
}

func (in *reader) context(counts bool) (*value.Value, error) {
	switch in.dec.PeekKind() {
	case 'n':
		return value.Empty, in.dec.SkipValue()
	case '{':
		if !counts {
			return value.Empty, in.dec.SkipValue()
		}
		return in.value(0)
	}
	if err := in.dec.SkipValue(); err != nil {
		return nil, err
	}
	return nil, noContext
}

// name reads the name of a member.
func (in *reader) name() (string, error) {
	raw, err := in.dec.ReadValue()
	if err != nil {
		return "", err
	}
	if bytes.IndexByte(raw, '\\') >= 0 {
		text, err := jsontext.AppendUnquote(nil, raw)
		return string(text), err
	}
	raw = raw[1 : len(raw)-1]
	if known, ok := in.names[string(raw)]; ok {
		return known, nil
	}
	name := string(raw)
	if len(in.names) < maxNames && len(name) <= maxName {
		in.names[name] = name
	}
	return name, nil
}

// value reads a value, as value.ParseJSON does.
func (in *reader) value(depth int) (*value.Value, error) {
	if depth > value.MaxDepth {
		return nil, fmt.Errorf("at byte %d: nested deeper than %d", in.dec.InputOffset(), value.MaxDepth)
	}
	token, err := in.dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case '{':
		return in.object(depth)
	case '[':
		return in.array(depth)
	case '"':
		return value.NewString(token.String(), value.Place{}), nil
	case '0':
		v, err := value.ParseNumber(token.String(), value.Place{})
		if err != nil {
			return nil, fmt.Errorf("at byte %d: %w", in.dec.InputOffset(), err)
		}
		return v, nil
	case 't', 'f':
		return value.NewBool(token.Bool(), value.Place{}), nil
	default:
		return value.NewNull(value.Place{}), nil
	}
}

func (in *reader) object(depth int) (*value.Value, error) {
	entries := make([]value.Entry, 0, 8)
	for in.dec.PeekKind() != '}' {
		name, err := in.name()
		if err != nil {
			return nil, err
		}
		member, err := in.value(depth + 1)
		if err != nil {
			return nil, err
		}
		entries = append(entries, value.Entry{Key: name, Value: member})
	}
	if _, err := in.dec.ReadToken(); err != nil {
		return nil, err
	}
	return value.NewMap(entries, value.Place{}), nil
}

func (in *reader) array(depth int) (*value.Value, error) {
	var items []*value.Value
	for in.dec.PeekKind() != ']' {
		item, err := in.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	if _, err := in.dec.ReadToken(); err != nil {
		return nil, err
	}
	return value.NewList(items, value.Place{}), nil
}
