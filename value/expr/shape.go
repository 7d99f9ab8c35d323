package expr

import (
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/trunkline/trunkline/value"
)

// ShapeKind is what an attribute holds.
type ShapeKind uint8

// The kinds of attributes. Anything is what nobody declared.
const (
	Anything ShapeKind = iota
	TextShape
	WholeShape  // an integer
	NumberShape // a number, integers included
	FlagShape
	ListShape
	MapShape
)

// Shape declares what an attribute holds, so that a condition is checked before anybody is asked.
type Shape struct {
	Kind    ShapeKind
	Items   *Shape            // of a list; nil: anything
	Members map[string]*Shape // of a map
	Open    bool              // a map has members that are not declared
}

func (s *Shape) member(name string) (*Shape, bool) {
	switch member, declared := s.Members[name]; {
	case declared:
		return member, true
	default:
		return &Shape{}, s.Open
	}
}

// names are the declared members, sorted.
func (s *Shape) names() []string {
	var names []string
	for name := range s.Members {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// shapes are the types of what is declared: each map is a type of its own, named by its place.
type shapes struct {
	types.Provider
	maps map[string]mapType
}

type mapType struct {
	fields map[string]*types.FieldType
	open   bool
}

// typeOf is the type of what is declared at a place.
func (p *shapes) typeOf(s *Shape, place value.Path) *cel.Type {
	if s == nil || len(place) > maxShapeDepth {
		return cel.DynType
	}
	switch s.Kind {
	case TextShape:
		return cel.StringType
	case WholeShape:
		return cel.IntType
	case NumberShape:
		return cel.DoubleType
	case FlagShape:
		return cel.BoolType
	case ListShape:
		return cel.ListType(p.typeOf(s.Items, append(place, "items")))
	case MapShape:
		return p.mapOf(s, place)
	default:
		return cel.DynType
	}
}

func (p *shapes) mapOf(s *Shape, place value.Path) *cel.Type {
	if len(s.Members) == 0 {
		return cel.MapType(cel.StringType, cel.DynType)
	}
	fields := map[string]*types.FieldType{}
	for name, member := range s.Members {
		fields[name] = &types.FieldType{Type: p.typeOf(member, append(place[:len(place):len(place)], name))}
	}
	name := "@" + place.String() // so that context.device is never the name of a type
	p.maps[name] = mapType{fields, s.Open}
	return cel.ObjectType(name)
}

// FindStructType knows the declared maps.
func (p *shapes) FindStructType(name string) (*types.Type, bool) {
	if _, ok := p.maps[name]; ok {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return p.Provider.FindStructType(name)
}

// FindStructFieldType knows the members of the declared maps.
func (p *shapes) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	declared, ok := p.maps[name]
	if !ok {
		return p.Provider.FindStructFieldType(name, field)
	}
	if t, ok := declared.fields[field]; ok || !declared.open {
		return t, ok
	}
	return &types.FieldType{Type: cel.DynType}, true
}
