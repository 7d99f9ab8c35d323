package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/value"
)

type schemaCmd struct {
	Infer inferCmd `cmd:"" help:"Write a JSON Schema that the present values fit."`
}

type inferCmd struct {
	Path string `arg:"" help:"Path of the value, as database.primary." placeholder:"PATH"`
	Dir  string `arg:"" optional:"" default:"." help:"Directory of the config repo." placeholder:"DIR"`
}

func (inferCmd) Help() string {
	return `Looks at the value in every environment and writes the strictest schema all of them fit: types, keys that are always there, no
others. A map of many members of one shape is taken for a table, whose keys are free. Read it, loosen what is too narrow, and
commit it.

Example:
  trunkline schema infer database.primary > schemas/database/primary.schema.json`
}

func (c inferCmd) Run(ctx context.Context, io *streams) error {
	path, err := value.ParsePath(c.Path)
	if err != nil {
		return err
	}
	result, err := compileFiles(ctx, compile.New(nil), c.Dir, compile.Against{})
	if err != nil {
		return err
	}
	var values []*value.Value
	for _, env := range slices.Sorted(maps.Keys(result.Snapshots)) {
		if v, ok := result.Snapshots[env].Values.At(path); ok {
			values = append(values, v)
		}
	}
	if len(result.Snapshots) == 0 {
		return errors.New("no environment is valid; see trunkline validate")
	}
	if len(values) == 0 {
		return fmt.Errorf("%s holds a value in no environment", c.Path)
	}
	shape := infer(values)
	shape.Schema = "https://json-schema.org/draft/2020-12/schema"
	enc := json.NewEncoder(io.out)
	enc.SetIndent("", "  ")
	return enc.Encode(shape)
}

// shape is the part of JSON Schema that can be inferred.
type shape struct {
	Schema     string            `json:"$schema,omitempty"`
	Type       any               `json:"type,omitempty"` // one name or several
	Required   []string          `json:"required,omitempty"`
	Properties map[string]*shape `json:"properties,omitempty"`
	Additional any               `json:"additionalProperties,omitempty"` // false, or the shape of a table's members
	Items      *shape            `json:"items,omitempty"`
}

// tableLeast is from how many members on a map of one shape is taken for a table.
const tableLeast = 8

// infer is the narrowest shape that all values fit.
func infer(values []*value.Value) *shape {
	s := &shape{Type: types(values)}
	members, items := map[string][]*value.Value{}, []*value.Value{}
	var collections int
	for _, v := range values {
		switch v.Kind() {
		case value.Map:
			collections++
			for _, e := range v.Entries() {
				members[e.Key] = append(members[e.Key], e.Value)
			}
		case value.List:
			for _, e := range v.Entries() {
				items = append(items, e.Value)
			}
		}
	}
	if len(items) > 0 {
		s.Items = infer(items)
	}
	if collections > 0 {
		s.members(members, collections)
	}
	return s
}

func (s *shape) members(members map[string][]*value.Value, of int) {
	s.Properties = map[string]*shape{}
	var all []*value.Value
	alike := len(members) >= tableLeast
	var first string
	for _, key := range slices.Sorted(maps.Keys(members)) {
		below := infer(members[key])
		s.Properties[key] = below
		all = append(all, members[key]...)
		if len(members[key]) == of {
			s.Required = append(s.Required, key)
		}
		text, _ := json.Marshal(below) // shapes can always be written
		if first == "" {
			first = string(text)
		}
		alike = alike && string(text) == first
	}
	s.Additional = false
	if alike {
		s.Properties, s.Required, s.Additional = nil, nil, infer(all)
	}
}

func types(values []*value.Value) any {
	found := map[string]bool{}
	for _, v := range values {
		found[typeOf(v)] = true
	}
	if found["number"] {
		delete(found, "integer") // every integer is a number
	}
	names := slices.Sorted(maps.Keys(found))
	if len(names) == 1 {
		return names[0]
	}
	return names
}

func typeOf(v *value.Value) string {
	switch v.Kind() {
	case value.Map:
		return "object"
	case value.List:
		return "array"
	default:
		return v.Kind().String()
	}
}
