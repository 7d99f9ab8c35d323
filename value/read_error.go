package value

import (
	"errors"
	"fmt"
	"strings"
)

// ErrRedacted is wrapped by the error of reading a redacted value, or what would lie in one.
var ErrRedacted = errors.New("the value is redacted: its reader may not see it")

// ErrMissing is wrapped by the error of [Decode] where nothing stands.
var ErrMissing = errors.New("nothing stands here")

// ReadError tells why a value could not be read. It never holds a text that looks like a secret.
type ReadError struct {
	Path    string // with the indices of lists; empty for the root
	Message string // what was expected, and what was found
	cause   error
}

func (e *ReadError) Error() string {
	if e.Path == "" {
		return "the root: " + e.Message
	}
	return e.Path + ": " + e.Message
}

func (e *ReadError) Unwrap() error { return e.cause }

func (d *decoder) fail(cause error, message string, args ...any) {
	d.errs = append(d.errs, &ReadError{d.root.PathString(d.path), fmt.Sprintf(message, args...), cause})
}

// err is what is wrong, as one error.
func (d *decoder) err() error {
	if len(d.errs) == 1 {
		return d.errs[0]
	}
	return errors.Join(d.errs...)
}

func (d *decoder) redacted() { d.fail(ErrRedacted, "%v", ErrRedacted) }

// missing tells that nothing stands at the path, and what stands beside it that may be meant.
func (d *decoder) missing() {
	name, known := d.beside()
	d.fail(ErrMissing, "%v%s", ErrMissing, meant(name, known))
}

// meant is the end of a message about a name that is not known.
func meant(name string, known []string) string {
	if len(name) > maxMeant {
		return ""
	}
	near := Nearest(name, known)
	if near == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", near)
}

// beside is the first key on the path that is not there, and the keys that are.
func (d *decoder) beside() (name string, known []string) {
	v := d.root
	for _, segment := range d.path {
		if v == nil {
			break
		}
		next, ok := v.Step(segment)
		if !ok && v.Kind() == Map {
			return segment, keys(v)
		}
		v = next
	}
	return "", nil
}

func keys(m *Value) []string {
	var all []string
	for _, e := range m.Entries() {
		all = append(all, e.Key)
	}
	return all
}

func (d *decoder) expected(v *Value, what string) {
	if d.secret(v) {
		d.fail(nil, "expected %s, found a string that is not shown, because it looks like a secret", what)
		return
	}
	d.fail(nil, "expected %s, found %s", what, described(v))
}

func (d *decoder) notAllowed(v *Value, allowed []string) {
	what := "one of " + strings.Join(allowed, ", ")
	if d.secret(v) {
		d.expected(v, what)
		return
	}
	d.fail(nil, "expected %s, found %s%s", what, described(v), meant(v.Str(), allowed))
}

// secret tells whether a text must not be shown: by its own shape, or by any key on the way to it.
func (d *decoder) secret(v *Value) bool {
	keys := harmless
	for _, key := range d.path {
		keys = max(keys, tells(key))
	}
	return v.Kind() == String && secretText(keys, v.str)
}
