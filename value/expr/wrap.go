package expr

import (
	"fmt"
	"reflect"

	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/trunkline/trunkline/value"
)

// adapter makes configuration values known to CEL.
type adapter struct{ types.Adapter }

func (a adapter) NativeToValue(v any) ref.Val {
	if tree, ok := v.(*value.Value); ok {
		return wrap(tree)
	}
	return a.Adapter.NativeToValue(v)
}

// treeCost prices what compares trees by how many values they hold.
type treeCost struct{}

// CallCost is nil for what CEL itself prices.
func (treeCost) CallCost(function, _ string, args []ref.Val, _ ref.Val) *uint64 {
	if function == overloads.Matches {
		return matchCost(args)
	}
	if function != operators.Equals && function != operators.NotEquals && function != operators.In || len(args) != 2 {
		return nil
	}
	cost := 1 + min(weight(args[0]), weight(args[1]))
	if items, ok := args[1].(traits.Lister); ok && function == operators.In {
		n, _ := items.Size().(types.Int)
		cost = 1 + int(n)*weight(args[0])
	}
	priced := uint64(cost)
	return &priced
}

func matchCost(args []ref.Val) *uint64 {
	text, ok := args[0].(types.String)
	pattern, both := args[len(args)-1].(types.String)
	if !ok || !both {
		return nil
	}
	re, err := regexps.get(string(pattern))
	if err != nil {
		return nil // the call has failed
	}
	cost := re.Cost(string(text))
	return &cost
}

// weight is how many values there are to compare; a long string counts by its length.
func weight(v ref.Val) int {
	switch v := v.(type) {
	case list:
		return v.v.Weight()
	case mapping:
		return v.v.Weight()
	case types.String:
		return 1 + len(v)/10
	case traits.Sizer:
		if n, ok := v.Size().(types.Int); ok {
			return 1 + int(n)
		}
	}
	return 1
}

// wrap shows a value to CEL without copying it. Integers stay integers.
func wrap(v *value.Value) ref.Val {
	switch v.Kind() {
	case value.Bool:
		return types.Bool(v.Bool())
	case value.Int:
		return types.Int(v.Int())
	case value.Float:
		return types.Double(v.Float())
	case value.String:
		return types.String(v.Str())
	case value.List:
		return list{v}
	case value.Map:
		return mapping{v}
	case value.Redacted:
		return types.NewErr("the value is redacted")
	default:
		return types.NullValue
	}
}

// list is a list of the configuration.
type list struct{ v *value.Value }

var (
	_ traits.Lister = list{}
	_ traits.Mapper = mapping{}
)

// plain is the list as CEL's own kind, for operations that make new ones.
func (l list) plain() traits.Lister {
	items := make([]ref.Val, l.v.Len())
	for i, e := range l.v.Entries() {
		items[i] = wrap(e.Value)
	}
	return types.NewRefValList(types.DefaultTypeAdapter, items)
}

// Add joins two lists.
func (l list) Add(other ref.Val) ref.Val { return l.plain().Add(other) }

// Contains tells whether an item equals a value.
func (l list) Contains(item ref.Val) ref.Val {
	for _, e := range l.v.Entries() {
		if types.Equal(wrap(e.Value), item) == types.True {
			return types.True
		}
	}
	return types.False
}

// Get is the item at an index.
func (l list) Get(index ref.Val) ref.Val {
	i, ok := index.(types.Int)
	if !ok {
		return types.MaybeNoSuchOverloadErr(index)
	}
	if v, ok := l.v.Index(int(i)); ok {
		return wrap(v)
	}
	return types.NewErr("index %d is outside the list of %d", i, l.v.Len())
}

// Iterator goes through the items.
func (l list) Iterator() traits.Iterator {
	return &iterator{n: l.v.Len(), at: func(i int) ref.Val { return wrap(l.v.Entries()[i].Value) }}
}

// Size counts the items.
func (l list) Size() ref.Val { return types.Int(l.v.Len()) }

// AggregateSize is the same for every tree: it lies in memory already, whatever an expression does with it.
func (l list) AggregateSize(types.AggregateSizer) uint32 { return 1 }

// Equal compares with another list.
func (l list) Equal(other ref.Val) ref.Val {
	if same, ok := other.(list); ok && value.Equal(l.v, same.v) {
		return types.True
	}
	theirs, ok := other.(traits.Lister)
	if !ok || theirs.Size() != l.Size() {
		return types.False
	}
	for i, e := range l.v.Entries() {
		if types.Equal(wrap(e.Value), theirs.Get(types.Int(i))) != types.True {
			return types.False
		}
	}
	return types.True
}

// ConvertToNative is for results that leave CEL; trees do not.
func (l list) ConvertToNative(t reflect.Type) (any, error) { return native(l.v, t) }

// ConvertToType knows its own type alone.
func (l list) ConvertToType(t ref.Type) ref.Val { return convert(l, types.ListType, t) }

// Type is CEL's list.
func (l list) Type() ref.Type { return types.ListType }

// Value is the tree.
func (l list) Value() any { return l.v }

// mapping is a map of the configuration.
type mapping struct{ v *value.Value }

// Find looks a key up.
func (m mapping) Find(key ref.Val) (ref.Val, bool) {
	text, ok := key.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(key), false
	}
	if v, ok := m.v.Get(string(text)); ok {
		return wrap(v), true
	}
	return nil, false
}

// Contains tells whether there is a key.
func (m mapping) Contains(key ref.Val) ref.Val {
	_, ok := m.Find(key)
	return types.Bool(ok)
}

// Get is the member under a key; its absence is an error.
func (m mapping) Get(key ref.Val) ref.Val {
	v, ok := m.Find(key)
	if ok || v != nil {
		return v
	}
	return types.NewErr("no such key: %v", key)
}

// Iterator goes through the keys, in their order.
func (m mapping) Iterator() traits.Iterator {
	return &iterator{n: m.v.Len(), at: func(i int) ref.Val { return types.String(m.v.Entries()[i].Key) }}
}

// Size counts the members.
func (m mapping) Size() ref.Val { return types.Int(m.v.Len()) }

// AggregateSize is the same for every tree: it lies in memory already, whatever an expression does with it.
func (m mapping) AggregateSize(types.AggregateSizer) uint32 { return 1 }

// Equal compares with another map.
func (m mapping) Equal(other ref.Val) ref.Val {
	if same, ok := other.(mapping); ok && value.Equal(m.v, same.v) {
		return types.True
	}
	theirs, ok := other.(traits.Mapper)
	if !ok || theirs.Size() != m.Size() {
		return types.False
	}
	for _, e := range m.v.Entries() {
		v, found := theirs.Find(types.String(e.Key))
		if !found || types.Equal(wrap(e.Value), v) != types.True {
			return types.False
		}
	}
	return types.True
}

// ConvertToNative is for results that leave CEL; trees do not.
func (m mapping) ConvertToNative(t reflect.Type) (any, error) { return native(m.v, t) }

// ConvertToType knows its own type alone.
func (m mapping) ConvertToType(t ref.Type) ref.Val { return convert(m, types.MapType, t) }

// Type is CEL's map.
func (m mapping) Type() ref.Type { return types.MapType }

// Value is the tree.
func (m mapping) Value() any { return m.v }

func native(v *value.Value, t reflect.Type) (any, error) {
	if t == reflect.TypeFor[*value.Value]() || t == reflect.TypeFor[any]() {
		return v, nil
	}
	return nil, fmt.Errorf("a %s of the configuration cannot be made a %s", v.Kind(), t)
}

func convert(v ref.Val, own, want ref.Type) ref.Val {
	switch want {
	case own:
		return v
	case types.TypeType:
		return own.(*types.Type)
	}
	return types.NewErr("a %s cannot be made a %s", own.TypeName(), want.TypeName())
}

// iterator goes through what a function answers for 0 to n-1.
type iterator struct {
	n, next int
	at      func(int) ref.Val
}

// HasNext tells whether there is more.
func (i *iterator) HasNext() ref.Val { return types.Bool(i.next < i.n) }

// Next is the next one.
func (i *iterator) Next() ref.Val {
	if i.next >= i.n {
		return nil
	}
	i.next++
	return i.at(i.next - 1)
}

// ConvertToNative is never called: iterators do not leave an evaluation.
func (i *iterator) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("an iterator cannot be made a %s", t)
}

// ConvertToType is never called: iterators do not leave an evaluation.
func (i *iterator) ConvertToType(t ref.Type) ref.Val { return convert(i, types.IteratorType, t) }

// Equal is never called: iterators do not leave an evaluation.
func (i *iterator) Equal(ref.Val) ref.Val { return types.False }

// Type is CEL's iterator.
func (i *iterator) Type() ref.Type { return types.IteratorType }

// Value is nothing of use outside.
func (i *iterator) Value() any { return nil }
