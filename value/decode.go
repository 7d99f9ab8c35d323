package value

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// decoder reads one value into a target, and collects what is wrong with it. Targets are fresh: what they point to is copied before
// it is changed, because it may be shared with what a failed read must leave alone.
type decoder struct {
	root   *Value
	path   Path
	strict bool
	errs   []error
}

var nodeType = reflect.TypeFor[*Value]()

func (d *decoder) into(v *Value, t reflect.Value) {
	switch {
	case len(d.errs) >= MaxReadErrors:
	case t.Type() == nodeType:
		t.Set(reflect.ValueOf(v))
	case t.Kind() == reflect.Pointer:
		d.pointer(v, t)
	case v.Kind() == Redacted:
		d.redacted()
	case !d.byType(v, t.Addr().Interface()):
		d.byKind(v, t)
	}
}

// at reads what lies one segment down.
func (d *decoder) at(segment string, v *Value, t reflect.Value) {
	d.path = append(d.path, segment)
	d.into(v, t)
	d.path = d.path[:len(d.path)-1]
}

func (d *decoder) pointer(v *Value, t reflect.Value) {
	if v.Kind() == Null {
		t.SetZero()
		return
	}
	fresh := reflect.New(t.Type().Elem())
	if !t.IsNil() {
		fresh.Elem().Set(t.Elem())
	}
	d.into(v, fresh.Elem())
	t.Set(fresh)
}

// byType reads the types that have a form of their own, and reports false for all others.
func (d *decoder) byType(v *Value, to any) bool {
	if e, ok := to.(Enum); ok && (v.Kind() != String || !slices.Contains(e.Allowed(), v.str)) {
		d.notAllowed(v, e.Allowed())
		return true
	}
	switch to := to.(type) {
	case *time.Duration:
		readFormat(d, v, durations, to)
	case *Size:
		readFormat(d, v, sizes, to)
	case *time.Time:
		readFormat(d, v, times, to)
	case encoding.TextUnmarshaler:
		d.text(v, to)
	default:
		return false
	}
	return true
}

func readFormat[T any](d *decoder, v *Value, f format[T], to *T) {
	got, ok := f.read(v)
	if !ok {
		d.expected(v, f.expected)
		return
	}
	*to = got
}

func (d *decoder) text(v *Value, to encoding.TextUnmarshaler) {
	if v.Kind() != String {
		d.expected(v, "a string")
		return
	}
	what := "a " + reflect.TypeOf(to).Elem().String()
	err := to.UnmarshalText([]byte(v.str))
	switch {
	case err == nil:
	case d.secret(v): // its error is likely to hold the text
		d.expected(v, what)
	default:
		d.fail(err, "expected %s, found %s: %v", what, described(v), err)
	}
}

func (d *decoder) byKind(v *Value, t reflect.Value) {
	switch t.Kind() {
	case reflect.Bool:
		if v.Kind() != Bool {
			d.expected(v, "true or false")
		}
		t.SetBool(v.Bool())
	case reflect.String:
		if v.Kind() != String {
			d.expected(v, "a string")
		}
		t.SetString(v.Str())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		d.integer(v, t)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		d.unsigned(v, t)
	case reflect.Float32, reflect.Float64:
		d.float(v, t)
	default:
		d.collection(v, t)
	}
}

func (d *decoder) integer(v *Value, t reflect.Value) {
	switch most := int64(math.MaxInt64) >> (64 - t.Type().Bits()); {
	case v.Kind() == Int && !t.OverflowInt(v.Int()):
		t.SetInt(v.Int())
	case most == math.MaxInt64:
		d.expected(v, "an integer")
	default:
		d.expected(v, fmt.Sprintf("an integer from %d to %d", -most-1, most))
	}
}

func (d *decoder) unsigned(v *Value, t reflect.Value) {
	if v.Kind() != Int || v.Int() < 0 || t.OverflowUint(uint64(v.Int())) {
		d.expected(v, fmt.Sprintf("an integer from 0 to %d", uint64(math.MaxUint64)>>(64-t.Type().Bits())))
		return
	}
	t.SetUint(uint64(v.Int()))
}

// float reads a number. A fraction is rounded to what the type holds; an integer must survive as it is.
func (d *decoder) float(v *Value, t reflect.Value) {
	switch f := v.Float(); {
	case !v.number() || t.OverflowFloat(f):
		d.expected(v, fmt.Sprintf("a number in the range of a %s", t.Kind()))
	case !exactly(v), v.Kind() == Int && t.Kind() == reflect.Float32 && float64(float32(f)) != f:
		d.expected(v, fmt.Sprintf("an integer that a %s holds exactly", t.Kind()))
	default:
		t.SetFloat(f)
	}
}

// exactly tells whether a double holds the number.
func exactly(v *Value) bool {
	return v.Kind() == Float || v.Kind() == Int && compareIntFloat(v.Int(), v.Float()) == 0
}

func (d *decoder) collection(v *Value, t reflect.Value) {
	switch k := t.Kind(); {
	case k == reflect.Struct:
		d.fields(v, t)
	case k == reflect.Array:
		d.array(v, t)
	case v.Kind() == Null && (k == reflect.Slice || k == reflect.Map || k == reflect.Interface):
		t.SetZero()
	case k == reflect.Slice:
		d.slice(v, t)
	case k == reflect.Map && t.Type().Key().Kind() == reflect.String:
		d.mapping(v, t)
	case k == reflect.Interface && t.NumMethod() == 0:
		d.dynamic(v, t)
	default:
		d.fail(nil, "nothing can be read into a %s", t.Type())
	}
}

func (d *decoder) slice(v *Value, t reflect.Value) {
	if v.Kind() != List {
		d.expected(v, "a list")
		return
	}
	items := reflect.MakeSlice(t.Type(), v.Len(), v.Len())
	for i, e := range v.Entries() {
		d.at(strconv.Itoa(i), e.Value, items.Index(i))
	}
	t.Set(items)
}

func (d *decoder) array(v *Value, t reflect.Value) {
	if v.Kind() != List || v.Len() != t.Len() {
		d.expected(v, fmt.Sprintf("a list of %d", t.Len()))
		return
	}
	for i, e := range v.Entries() {
		d.at(strconv.Itoa(i), e.Value, t.Index(i))
	}
}

func (d *decoder) mapping(v *Value, t reflect.Value) {
	if v.Kind() != Map {
		d.expected(v, "a map")
		return
	}
	members := reflect.MakeMapWithSize(t.Type(), v.Len())
	for key, member := range t.Seq2() {
		members.SetMapIndex(key, member)
	}
	for _, e := range v.Entries() {
		member := reflect.New(t.Type().Elem()).Elem()
		d.at(e.Key, e.Value, member)
		members.SetMapIndex(reflect.ValueOf(e.Key).Convert(t.Type().Key()), member)
	}
	t.Set(members)
}

// dynamic reads a value as what fits it.
func (d *decoder) dynamic(v *Value, t reflect.Value) {
	var got any
	switch v.Kind() {
	case Bool:
		got = v.Bool()
	case Int:
		got = v.Int()
	case Float:
		got = v.Float()
	case String:
		got = v.Str()
	case List:
		var items []any
		d.into(v, reflect.ValueOf(&items).Elem())
		got = items
	default:
		var members map[string]any
		d.into(v, reflect.ValueOf(&members).Elem())
		got = members
	}
	t.Set(reflect.ValueOf(got))
}
