// Package value holds configuration values: immutable trees of maps, lists and scalars in which every value knows the file,
// line and column it was written at.
//
// Trees are built with [NewMap], [NewList] and the scalar constructors, or read by package document; they are combined with
// [Merger] and [Union], compared with [Diff], narrowed with [Select], redacted by a [Redactor], and addressed by
// [Path] and [Pattern].
//
// Nothing is ever changed in place, so a tree may be read from any goroutine without a lock, and operations share what did not
// change: the same pointer means the same content. [Value.Sum] is a Merkle checksum kept in every map and list, so content is
// compared without walking it.
package value

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Kind is what a value is.
type Kind uint8

// The kinds. A Redacted value stands in for one its reader may not see.
const (
	Null Kind = iota
	Bool
	Int
	Float
	String
	List
	Map
	Redacted
)

var kindNames = [...]string{"null", "boolean", "integer", "number", "string", "list", "map", "redacted"}

func (k Kind) String() string { return kindNames[k] }

// Article is the kind with its article: a map, an integer.
func (k Kind) Article() string {
	if k == Int {
		return "an " + k.String()
	}
	return "a " + k.String()
}

// Value is one node of a tree. It is immutable; the zero Value is null.
type Value struct {
	file *File
	line uint32
	meta uint32 // column<<8 | kind: a field of its own each would cost eight bytes a value
	bits uint64 // bool, integer, or the bits of a float
	str  string // string, or the fingerprint of a redacted value
	coll *collection
}

// collection is what maps and lists hold. The checksum is computed once, when the collection is made.
type collection struct {
	sum     Sum
	entries []Entry // of a map: sorted by key; of a list: in order, with empty keys
	weight  uint32  // how many values it is, itself and all below it
	depth   uint16  // how many collections lie in each other, itself included
}

// Entry is one member of a map.
type Entry struct {
	Key   string
	Value *Value
}

// File is a document values were read from. Values of one document share it.
type File struct{ Path string }

// Pos is a place in a document. Line and Column count from 1, columns in characters; the zero Pos is nowhere.
type Pos struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// Place is where a value being built stands.
type Place struct {
	File   *File
	Line   int
	Column int
}

const maxColumn = 1<<24 - 1

func (p Place) value(k Kind) *Value {
	return &Value{file: p.File, line: uint32(p.Line), meta: uint32(min(p.Column, maxColumn))<<8 | uint32(k)}
}

// NewNull makes a null.
func NewNull(at Place) *Value { return at.value(Null) }

// NewBool makes a boolean.
func NewBool(b bool, at Place) *Value {
	v := at.value(Bool)
	if b {
		v.bits = 1
	}
	return v
}

// NewInt makes an integer; all 64 bits are kept exactly.
func NewInt(i int64, at Place) *Value {
	v := at.value(Int)
	v.bits = uint64(i)
	return v
}

// NewFloat makes a number with a fraction. It must be finite; negative zero becomes zero.
func NewFloat(f float64, at Place) *Value {
	v := at.value(Float)
	if f != 0 {
		v.bits = math.Float64bits(f)
	}
	return v
}

// NewString makes a string, which must be valid UTF-8.
func NewString(s string, at Place) *Value {
	v := at.value(String)
	v.str = s
	return v
}

// NewRedacted makes the stand-in for a value that is not shown; the fingerprint tells that it changed, and nothing else.
func NewRedacted(fingerprint string, at Place) *Value {
	v := at.value(Redacted)
	v.str = fingerprint
	return v
}

// NewList makes a list and keeps the slice.
func NewList(items []*Value, at Place) *Value {
	entries := make([]Entry, len(items))
	for i, item := range items {
		entries[i].Value = item
	}
	return at.collection(List, entries)
}

// NewMap makes a map and keeps the slice, sorting it by key. No key may occur twice.
func NewMap(entries []Entry, at Place) *Value {
	byKey := func(a, b Entry) int { return cmp.Compare(a.Key, b.Key) }
	if !slices.IsSortedFunc(entries, byKey) {
		slices.SortFunc(entries, byKey)
	}
	return at.collection(Map, entries)
}

func (p Place) collection(k Kind, entries []Entry) *Value {
	v := p.value(k)
	v.coll = &collection{entries: entries, sum: sumOf(k, entries), weight: 1, depth: 1}
	for _, e := range entries {
		v.coll.weight += uint32(e.Value.Weight())
		v.coll.depth = max(v.coll.depth, uint16(1+e.Value.Depth()))
	}
	return v
}

// Weight counts the values of a tree: itself and all below it.
func (v *Value) Weight() int {
	if v.coll == nil {
		return 1
	}
	return int(v.coll.weight)
}

// Depth counts the maps and lists that lie in each other; 0 for a scalar.
func (v *Value) Depth() int {
	if v.coll == nil {
		return 0
	}
	return int(v.coll.depth)
}

// Empty is a map without members that stands nowhere.
var Empty = NewMap(nil, Place{})

// Kind tells what v is.
func (v *Value) Kind() Kind { return Kind(v.meta & 0xff) }

// Pos tells where v was written.
func (v *Value) Pos() Pos {
	p := Pos{Line: int(v.line), Column: int(v.meta >> 8)}
	if v.file != nil {
		p.File = v.file.Path
	}
	return p
}

// Place is Pos in the form that constructors take.
func (v *Value) Place() Place {
	return Place{File: v.file, Line: int(v.line), Column: int(v.meta >> 8)}
}

// Bool is the boolean v holds; false for every other kind.
func (v *Value) Bool() bool { return v.Kind() == Bool && v.bits == 1 }

// Int is the integer v holds; 0 for every other kind.
func (v *Value) Int() int64 {
	if v.Kind() != Int {
		return 0
	}
	return int64(v.bits)
}

// Float is the number v holds, integers included; 0 for every other kind.
func (v *Value) Float() float64 {
	switch v.Kind() {
	case Float:
		return math.Float64frombits(v.bits)
	case Int:
		return float64(int64(v.bits))
	default:
		return 0
	}
}

// Str is the string v holds; empty for every other kind.
func (v *Value) Str() string {
	if v.Kind() != String {
		return ""
	}
	return v.str
}

// Fingerprint is what a redacted value shows of the one it stands for; empty for every other kind.
func (v *Value) Fingerprint() string {
	if v.Kind() != Redacted {
		return ""
	}
	return v.str
}

// Len counts the members of a map or a list; 0 for every other kind.
func (v *Value) Len() int {
	if v.coll == nil {
		return 0
	}
	return len(v.coll.entries)
}

// Entries are the members of a map in the order of their keys, or of a list in its order with empty keys. The slice must not
// be changed.
func (v *Value) Entries() []Entry {
	if v.coll == nil {
		return nil
	}
	return v.coll.entries
}

// Get finds a member of a map.
func (v *Value) Get(key string) (*Value, bool) {
	i, ok := v.Find(key)
	if !ok {
		return nil, false
	}
	return v.coll.entries[i].Value, true
}

// Find finds a member among the entries of a map.
func (v *Value) Find(key string) (int, bool) {
	if v.Kind() != Map {
		return 0, false
	}
	entries := v.coll.entries
	lo, hi := 0, len(entries)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if entries[mid].Key < key {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < len(entries) && entries[lo].Key == key
}

// Index is the i-th item of a list.
func (v *Value) Index(i int) (*Value, bool) {
	if v.Kind() != List || i < 0 || i >= len(v.coll.entries) {
		return nil, false
	}
	return v.coll.entries[i].Value, true
}

// Step goes one segment down: a key of a map, or a decimal index of a list.
func (v *Value) Step(segment string) (*Value, bool) {
	switch v.Kind() {
	case Map:
		return v.Get(segment)
	case List:
		i, ok := parseIndex(segment)
		if !ok {
			return nil, false
		}
		return v.Index(i)
	default:
		return nil, false
	}
}

// At follows a path down from v.
func (v *Value) At(p Path) (*Value, bool) {
	for _, segment := range p {
		next, ok := v.Step(segment)
		if !ok {
			return nil, false
		}
		v = next
	}
	return v, true
}

// Equal tells whether two values have the same content, wherever they were written. 1 and 1.0 are different content.
func Equal(a, b *Value) bool {
	if a == b {
		return true
	}
	if a == nil || b == nil || a.Kind() != b.Kind() {
		return false
	}
	if a.coll != nil {
		return a.coll.sum == b.coll.sum
	}
	return a.bits == b.bits && a.str == b.str
}

func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}
