package access

import (
	"errors"
	"fmt"
	"strings"

	strict "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// formError is what is wrong with a document, and where.
type formError struct {
	pointer string // JSON Pointer
	what    error
}

func (e *formError) Error() string {
	if e.pointer == "" {
		return e.what.Error()
	}
	return fmt.Sprintf("at %s: %s", e.pointer, e.what)
}

func (e *formError) Unwrap() error { return e.what }

// readForm reads JSON in which no name is unknown or occurs twice.
func readForm(data []byte, into any) error {
	err := strict.Unmarshal(data, into, strict.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	var semantic *strict.SemanticError
	if errors.As(err, &semantic) {
		return formErrorOf(semantic)
	}
	var syntactic *jsontext.SyntacticError
	if !errors.As(err, &syntactic) {
		return err
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return &formError{string(syntactic.JSONPointer), errors.New("the name occurs twice")}
	}
	return fmt.Errorf("no JSON at byte %d", syntactic.ByteOffset)
}

// formErrorOf puts a decoder's error into words of ours: its own may quote what was read.
func formErrorOf(e *strict.SemanticError) error {
	pointer := string(e.JSONPointer)
	var inner *formError
	switch {
	case errors.As(e.Err, &inner):
		return &formError{pointer + inner.pointer, inner.what}
	case errors.Is(e.Err, strict.ErrUnknownName):
		return &formError{pointer, fmt.Errorf("%q is not known here", pointer[strings.LastIndexByte(pointer, '/')+1:])}
	case e.Err != nil && e.JSONValue == nil:
		return &formError{pointer, e.Err}
	default:
		return &formError{pointer, fmt.Errorf("%s does not belong here", kindNames[e.JSONKind])}
	}
}

var kindNames = map[jsontext.Kind]string{
	'n': "a null", 't': "a boolean", 'f': "a boolean", '"': "a string", '0': "a number", '{': "a map", '[': "a list", 0: "what stands here",
}
