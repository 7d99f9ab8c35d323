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

// applyPatch applies the steps one after the other. A map is made anew once, however many of them change it.
func applyPatch(v *value.Value, patch []byte) (*value.Value, error) {
	var operations []operation
	if err := json.Unmarshal(patch, &operations); err != nil {
		return nil, fmt.Errorf("a patch cannot be read: %w", err)
	}
	root := &draft{value: v}
	for _, op := range operations {
		if err := op.apply(root); err != nil {
			return nil, fmt.Errorf("a patch: %s %s: %w", op.Op, op.Path, err)
		}
	}
	if root.value == nil {
		return nil, errors.New("a patch removes everything")
	}
	return root.finish(), nil
}

var errNotThere = errors.New("it is not there")

func (op operation) apply(root *draft) error {
	path, err := pointer(op.Path)
	if err != nil {
		return err
	}
	at := root
	for _, key := range path {
		if at = at.member(key); at == nil {
			return errNotThere
		}
	}
	if at.value == nil && op.Op != "add" {
		return errNotThere
	}
	switch op.Op {
	case "add", "replace":
		v, err := value.ParseJSON(op.Value)
		if err != nil {
			return err
		}
		*at = draft{value: v}
	case "remove":
		*at = draft{}
	default:
		return errors.New("an unknown operation")
	}
	return nil
}

// draft is a value that is being changed.
type draft struct {
	value   *value.Value      // what stood here before its members were changed; nil where nothing stands
	members map[string]*draft // those of a map that were looked at
}

// member is what stands at a key, be it nothing; nil where no map stands above.
func (d *draft) member(key string) *draft {
	if m := d.members[key]; m != nil {
		return m
	}
	if d.value == nil || d.value.Kind() != value.Map {
		return nil
	}
	if d.members == nil {
		d.members = map[string]*draft{}
	}
	m := &draft{}
	m.value, _ = d.value.Get(key)
	d.members[key] = m
	return m
}

// finish is what a draft has become; nil where nothing stands.
func (d *draft) finish() *value.Value {
	if len(d.members) == 0 {
		return d.value
	}
	entries := make([]value.Entry, 0, d.value.Len()+len(d.members))
	for _, e := range d.value.Entries() {
		if d.members[e.Key] == nil {
			entries = append(entries, e)
		}
	}
	for key, m := range d.members {
		if v := m.finish(); v != nil {
			entries = append(entries, value.Entry{Key: key, Value: v})
		}
	}
	return value.NewMap(entries, d.value.Place())
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
