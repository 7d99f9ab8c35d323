package value

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// field is where a member of a map is read to.
type field struct {
	name     string
	index    []int
	required bool
}

// tagKey is the key of the tag that names a field.
const tagKey = "trunkline"

// fields reads a map into a struct.
func (d *decoder) fields(v *Value, t reflect.Value) {
	if v.Kind() != Map {
		d.expected(v, "a map")
		return
	}
	fields, err := fieldsOf(t.Type())
	if err != nil {
		d.fail(nil, "%v", err)
		return
	}
	for _, f := range fields {
		if member, ok := v.Get(f.name); ok {
			d.at(f.name, member, t.FieldByIndex(f.index))
		} else if f.required {
			d.path = append(d.path, f.name)
			d.missing()
			d.path = d.path[:len(d.path)-1]
		}
	}
	if d.strict {
		d.unknown(v, fields)
	}
}

// unknown tells of the members that no field is for.
func (d *decoder) unknown(v *Value, fields []field) {
	var names []string
	for _, f := range fields {
		names = append(names, f.name)
	}
	for _, e := range v.Entries() {
		if len(d.errs) < MaxReadErrors && !slices.Contains(names, e.Key) {
			d.path = append(d.path, e.Key)
			d.fail(nil, "is not known here; %s", Suggestion(e.Key, names, "known are "))
			d.path = d.path[:len(d.path)-1]
		}
	}
}

// fieldsOf lists the fields of a struct, with those of the structs that are embedded in it.
func fieldsOf(t reflect.Type) ([]field, error) {
	var fields []field
	var own [][]int // of embedded structs whose fields stay theirs
	for _, f := range reflect.VisibleFields(t) {
		tag, tagged := f.Tag.Lookup(tagKey)
		if slices.ContainsFunc(own, func(above []int) bool { return within(above, f.Index) }) || f.Anonymous && f.Type.Kind() == reflect.Struct && !tagged {
			continue
		}
		own = append(own, f.Index)
		if tag == "-" || !f.IsExported() {
			continue
		}
		name, option, _ := strings.Cut(tag, ",")
		if name == "" {
			name = camelCase(f.Name)
		}
		switch {
		case option != "" && option != "required":
			return nil, fmt.Errorf("the tag of %s.%s has the option %q; required is the only one", t, f.Name, option)
		case slices.ContainsFunc(fields, func(other field) bool { return other.name == name }):
			return nil, fmt.Errorf("two fields of %s are named %s", t, name)
		}
		fields = append(fields, field{name, f.Index, option == "required"})
	}
	return fields, nil
}

// within tells whether a field lies in another, by their indices.
func within(above, index []int) bool {
	return len(above) < len(index) && slices.Equal(above, index[:len(above)])
}

// camelCase is the name of a field with its first word in small letters: maxConns for MaxConns, httpPort for HTTPPort.
func camelCase(name string) string {
	runes := []rune(name)
	for i, r := range runes {
		if !unicode.IsUpper(r) || i > 0 && i+1 < len(runes) && unicode.IsLower(runes[i+1]) {
			break
		}
		runes[i] = unicode.ToLower(r)
	}
	return string(runes)
}
