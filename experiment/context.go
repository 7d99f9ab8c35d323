package experiment

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/expr"
)

// Context is what a client says of who asks: its attributes. It is immutable; the zero Context says nothing.
type Context struct {
	attributes *value.Value
	numerals   []numeral
	subject    *expr.Subject
}

// ParseContext reads the attributes of a client: a map of strings, numbers, booleans, lists and maps. A null is as if it were not there.
func ParseContext(v *value.Value) (Context, error) {
	if v.Kind() != value.Map {
		return Context{}, fmt.Errorf("the context is %s; send a map of attributes, as {\"targetingKey\": \"u1\"}", v.Kind().Article())
	}
	if v.Weight() > MaxAttributes {
		return Context{}, fmt.Errorf("the context holds %d values, more than %d; send the attributes that rules look at", v.Weight(), MaxAttributes)
	}
	if v.Depth() > MaxContextDepth {
		return Context{}, fmt.Errorf("the context is %d maps and lists deep, more than %d; flatten it", v.Depth(), MaxContextDepth)
	}
	if n := size(v); n > MaxContextBytes {
		return Context{}, fmt.Errorf("the context has %d bytes, more than %d; send the attributes that rules look at", n, MaxContextBytes)
	}
	return newContext(present(v)), nil
}

func newContext(attributes *value.Value) Context {
	return Context{attributes, numerals(nil, attributes), expr.NewSubject(attributes)}
}

// numeral is an integer, and the text by which it names a unit.
type numeral struct {
	of   *value.Value
	text string
}

// numerals are those of the members of a map, and of the maps in it.
func numerals(all []numeral, v *value.Value) []numeral {
	for _, e := range v.Entries() {
		switch e.Value.Kind() {
		case value.Int:
			all = append(all, numeral{e.Value, strconv.FormatInt(e.Value.Int(), 10)})
		case value.Map:
			all = numerals(all, e.Value)
		}
	}
	return all
}

// size is how long the value is as JSON. One that is short enough whatever must be escaped in it is not written to find out: it is at most
// so long.
func size(v *value.Value) int {
	if most := sizeAtMost(v); most <= MaxContextBytes {
		return most
	}
	return len(v.AppendJSON(nil))
}

func sizeAtMost(v *value.Value) int {
	const escaped, scalar = 6, 64 // bytes of one in a string; of any value that is none
	n := scalar + escaped*(len(v.Str())+len(v.Fingerprint()))
	for _, e := range v.Entries() {
		n += escaped*len(e.Key) + 4 + sizeAtMost(e.Value)
	}
	return n
}

// present is the value without members that are null or stand for what is hidden.
func present(v *value.Value) *value.Value {
	if whole(v) {
		return v
	}
	if v.Kind() == value.List {
		items := make([]*value.Value, v.Len())
		for i, e := range v.Entries() {
			items[i] = present(e.Value)
		}
		return value.NewList(items, v.Place())
	}
	var entries []value.Entry
	for _, e := range v.Entries() {
		if !absent(e.Value) {
			entries = append(entries, value.Entry{Key: e.Key, Value: present(e.Value)})
		}
	}
	return value.NewMap(entries, v.Place())
}

func absent(v *value.Value) bool { return v.Kind() == value.Null || v.Kind() == value.Redacted }

// whole tells whether there is no such member.
func whole(v *value.Value) bool {
	return !slices.ContainsFunc(v.Entries(), func(e value.Entry) bool { return v.Kind() == value.Map && absent(e.Value) || !whole(e.Value) })
}

// With is the context with claims in the place of attributes of the same name: what a credential says of who asks counts more than what the
// client says itself. Nil claims nothing.
func (c Context) With(claims *value.Value) Context {
	if claims == nil || claims.Len() == 0 {
		return c
	}
	var entries []value.Entry
	for _, e := range c.Value().Entries() {
		if _, claimed := claims.Get(e.Key); !claimed {
			entries = append(entries, e)
		}
	}
	return newContext(value.NewMap(slices.Concat(entries, present(claims).Entries()), value.Place{}))
}

// Value is the attributes as a map. Two contexts whose values are equal get the same choices.
func (c Context) Value() *value.Value {
	if c.attributes == nil {
		return value.Empty
	}
	return c.attributes
}

var nobody = newContext(value.Empty)

// unit is the name of the unit, that of the first attribute that can name one, or "".
func (c *Context) unit(u *Unit) string {
	if name := c.name(u.Attribute.path); name != "" || u.Fallback.path == nil {
		return name
	}
	return c.name(u.Fallback.path)
}

func (c *Context) name(path value.Path) string {
	if c.attributes == nil {
		return ""
	}
	v, ok := c.attributes.At(path)
	if !ok {
		return ""
	}
	if v.Kind() == value.Int {
		return c.digits(v)
	}
	if name := v.Str(); len(name) <= MaxUnit && strings.IndexByte(name, 0) < 0 {
		return name
	}
	return ""
}

// digits are those of an integer; none of one in a list, which names nobody.
func (c *Context) digits(v *value.Value) string {
	for _, n := range c.numerals {
		if n.of == v {
			return n.text
		}
	}
	return ""
}
