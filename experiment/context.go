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
	units      *value.Value // the attributes, integers as texts
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
	if n := len(v.AppendJSON(nil)); n > MaxContextBytes {
		return Context{}, fmt.Errorf("the context has %d bytes, more than %d; send the attributes that rules look at", n, MaxContextBytes)
	}
	return newContext(present(v)), nil
}

func newContext(attributes *value.Value) Context {
	return Context{attributes, named(attributes), expr.NewSubject(attributes)}
}

// named is the value with the texts that integers name units by.
func named(v *value.Value) *value.Value {
	switch v.Kind() {
	case value.Int:
		return value.NewString(strconv.FormatInt(v.Int(), 10), v.Place())
	case value.Map:
		entries := make([]value.Entry, v.Len())
		for i, e := range v.Entries() {
			entries[i] = value.Entry{Key: e.Key, Value: named(e.Value)}
		}
		return value.NewMap(entries, v.Place())
	default:
		return v
	}
}

// present is the value without members that are null or stand for what is hidden.
func present(v *value.Value) *value.Value {
	switch v.Kind() {
	case value.Map:
		var entries []value.Entry
		for _, e := range v.Entries() {
			if kind := e.Value.Kind(); kind != value.Null && kind != value.Redacted {
				entries = append(entries, value.Entry{Key: e.Key, Value: present(e.Value)})
			}
		}
		return value.NewMap(entries, v.Place())
	case value.List:
		items := make([]*value.Value, v.Len())
		for i, e := range v.Entries() {
			items[i] = present(e.Value)
		}
		return value.NewList(items, v.Place())
	default:
		return v
	}
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
	if c.units == nil {
		return ""
	}
	v, ok := c.units.At(path)
	if !ok || len(v.Str()) > MaxUnit || strings.IndexByte(v.Str(), 0) >= 0 {
		return ""
	}
	return v.Str()
}
