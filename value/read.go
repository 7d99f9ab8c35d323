package value

import (
	"fmt"
	"reflect"
	"time"
)

// Enum is a type whose values are some strings alone, written as Allowed lists them. It is asked of the type, not of a value.
type Enum interface{ Allowed() []string }

// Get reads the value at a path as a T, or returns otherwise where nothing stands. With an error, too, it returns otherwise. Reading
// a string, a boolean, an int, an int64, a float64 or a time.Duration allocates nothing. See [Decode] for what T may be.
func Get[T any](root *Value, path string, otherwise T) (T, error) {
	if root != nil {
		if v, ok := root.Lookup(path); ok {
			if got, ok := plain[T](v); ok {
				return got, nil
			}
		}
	}
	return get(root, path, otherwise)
}

// get is Get, slowly.
func get[T any](root *Value, path string, otherwise T) (T, error) {
	d, v, err := open(root, path)
	if err != nil || v == nil {
		return otherwise, err
	}
	got := otherwise
	d.into(v, reflect.ValueOf(&got).Elem())
	if len(d.errs) > 0 {
		return otherwise, d.err()
	}
	return got, nil
}

// plain reads the types that are read most.
func plain[T any](v *Value) (got T, ok bool) {
	switch to := any(&got).(type) {
	case *string:
		*to, ok = v.Str(), v.Kind() == String
	case *bool:
		*to, ok = v.Bool(), v.Kind() == Bool
	case *int64:
		*to, ok = v.Int(), v.Kind() == Int
	case *int:
		*to, ok = int(v.Int()), v.Kind() == Int && int64(int(v.Int())) == v.Int()
	case *float64:
		*to, ok = v.Float(), exactly(v)
	case *time.Duration:
		*to, ok = durations.read(v)
	}
	return got, ok
}

// Decode reads the value at a path into what target points to, which keeps what it held where the tree is silent: set the defaults
// before. It is changed only when all of it could be read. Members of a map that no field is for are passed over; see
// [DecodeStrict].
//
// Values are read into Go by type:
//
//	bool, string                  a boolean, a string
//	int…, uint…                   an integer in the type's range; 1.0 is none
//	float32, float64              a number; an integer only where it stays exact
//	time.Duration                 a string, as 90s or 7d
//	Size                          a string, as 512MB or 10MiB, or an integer of bytes
//	time.Time                     a string of RFC 3339
//	encoding.TextUnmarshaler      a string
//	Enum                          one of the strings it allows
//	slices, arrays                a list; of an array, of just its length
//	maps with keys of strings     a map, laid over what the target held
//	structs                       a map
//	pointers                      null, as nil, or what they point to
//	any                           any value, as nil, bool, int64, float64, string, []any or map[string]any
//	*Value                        the value itself, redacted or not
//
// Null is also the nil of slices, maps and any. A field of a struct is named by its tag, `trunkline:"maxConns"`, or by its own
// name in camelCase; `trunkline:"-"` leaves it out, and `trunkline:"maxConns,required"` makes it an error that it is missing. The
// fields of an embedded struct count as the outer one's.
//
// Its errors are [*ReadError], joined where there are several, at most [MaxReadErrors]; but [ErrPath] for what is no path, and one
// of its own for a target that is no pointer. Reading a redacted value is [ErrRedacted].
func Decode(root *Value, path string, target any) error {
	return decodeInto(root, path, target, false)
}

// DecodeStrict is [Decode] where a member of a map that no field is for is an error.
func DecodeStrict(root *Value, path string, target any) error {
	return decodeInto(root, path, target, true)
}

func decodeInto(root *Value, path string, target any, strict bool) error {
	t := reflect.ValueOf(target)
	if t.Kind() != reflect.Pointer || t.IsNil() {
		return fmt.Errorf("a value is read into a pointer that is not nil, not into a %T", target)
	}
	d, v, err := open(root, path)
	if err != nil {
		return err
	}
	if v == nil {
		d.missing()
		return d.err()
	}
	d.strict = strict
	fresh := reflect.New(t.Type().Elem()).Elem()
	fresh.Set(t.Elem())
	d.into(v, fresh)
	if len(d.errs) == 0 {
		t.Elem().Set(fresh)
	}
	return d.err()
}

// open finds the value at a path; nil where nothing stands.
func open(root *Value, path string) (*decoder, *Value, error) {
	at, err := ParsePath(path)
	if err != nil {
		return nil, nil, err
	}
	d := &decoder{root: root, path: at}
	if root == nil {
		return d, nil, nil
	}
	v, hidden := root.reach(at)
	if hidden {
		d.redacted()
		return nil, nil, d.err()
	}
	return d, v, nil
}
