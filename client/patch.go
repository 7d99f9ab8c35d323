package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/trunkline/trunkline/value"
)

// operation is one step of a JSON Patch (RFC 6902); the server sends add, replace and remove alone.
type operation struct {
	Op    string          `json:"op"`
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value"`
}

func applyPatch(v *value.Value, patch []byte) (*value.Value, error) {
	var operations []operation
	if err := json.Unmarshal(patch, &operations); err != nil {
		return nil, fmt.Errorf("a patch cannot be read: %w", err)
	}
	for _, op := range operations {
		next, err := op.apply(v)
		if err != nil {
			return nil, fmt.Errorf("a patch: %s %s: %w", op.Op, op.Path, err)
		}
		v = next
	}
	return v, nil
}

func (op operation) apply(v *value.Value) (*value.Value, error) {
	path, err := pointer(op.Path)
	if err != nil {
		return nil, err
	}
	var member *value.Value
	switch op.Op {
	case "add", "replace":
		if member, err = value.ParseJSON(op.Value); err != nil {
			return nil, err
		}
	case "remove":
	default:
		return nil, errors.New("an unknown operation")
	}
	_, found := v.At(path)
	next, ok := v.Set(path, member)
	if !ok || !found && op.Op != "add" {
		return nil, errors.New("it is not there")
	}
	return next, nil
}

var unescaper = strings.NewReplacer("~1", "/", "~0", "~")

// pointer reads a JSON Pointer (RFC 6901). Other than [value.ParsePath] it knows no longest one: the server's keys may be long.
func pointer(text string) (value.Path, error) {
	if text == "" {
		return nil, nil
	}
	if text[0] != '/' {
		return nil, errors.New("not a JSON Pointer")
	}
	path := value.Path(strings.Split(text[1:], "/"))
	for i, segment := range path {
		path[i] = unescaper.Replace(segment)
	}
	return path, nil
}
