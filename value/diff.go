package value

// Change is one difference between two trees. Old is nil where something was added, New where something was removed. A map or
// a list that came or went as a whole is one change; a list that differs is replaced as a whole.
type Change struct {
	Path Path
	Old  *Value
	New  *Value
}

// Diff lists what leads from one tree to the other, in the order of paths. Shared parts are not walked. Either side may be nil.
func Diff(old, new *Value) []Change {
	var d differ
	d.walk(old, new)
	return d.changes
}

type differ struct {
	path    Path
	changes []Change
}

func (d *differ) walk(old, new *Value) {
	switch {
	case old == new || old != nil && new != nil && Equal(old, new):
	case old == nil || new == nil || old.Kind() != Map || new.Kind() != Map:
		d.changes = append(d.changes, Change{append(Path(nil), d.path...), old, new})
	default:
		d.maps(old.Entries(), new.Entries())
	}
}

func (d *differ) maps(old, new []Entry) {
	for len(old) > 0 || len(new) > 0 {
		switch {
		case len(new) == 0 || len(old) > 0 && old[0].Key < new[0].Key:
			d.below(old[0].Key, old[0].Value, nil)
			old = old[1:]
		case len(old) == 0 || new[0].Key < old[0].Key:
			d.below(new[0].Key, nil, new[0].Value)
			new = new[1:]
		default:
			if old[0].Value != new[0].Value {
				d.below(old[0].Key, old[0].Value, new[0].Value)
			}
			old, new = old[1:], new[1:]
		}
	}
}

func (d *differ) below(key string, old, new *Value) {
	d.path = append(d.path, key)
	d.walk(old, new)
	d.path = d.path[:len(d.path)-1]
}

// AppendPatch writes changes as a JSON Patch (RFC 6902) of add, replace and remove alone. Applied to the old tree it gives the
// new one.
func AppendPatch(b []byte, changes []Change) []byte {
	b = append(b, '[')
	for i, c := range changes {
		if i > 0 {
			b = append(b, ',')
		}
		switch {
		case c.New == nil:
			b = append(b, `{"op":"remove","path":`...)
		case c.Old == nil:
			b = append(b, `{"op":"add","path":`...)
		default:
			b = append(b, `{"op":"replace","path":`...)
		}
		b = appendQuoted(b, c.Path.Pointer())
		if c.New != nil {
			b = append(b, `,"value":`...)
			b = c.New.AppendJSON(b)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

// Set is the tree with the value at the path replaced or added; the maps above it must be there. A nil value removes the
// member. It reports false, and changes nothing, where the path leads nowhere.
func (v *Value) Set(p Path, member *Value) (*Value, bool) {
	if len(p) == 0 {
		return member, member != nil
	}
	if v.Kind() != Map {
		return nil, false
	}
	old, found := v.Get(p[0])
	if len(p) > 1 || member == nil {
		if !found {
			return nil, false
		}
	}
	if len(p) > 1 {
		deeper, ok := old.Set(p[1:], member)
		if !ok {
			return nil, false
		}
		member = deeper
	}
	return v.with(p[0], member), true
}

// with is the map with one member replaced, added, or, where it is nil, left out.
func (v *Value) with(key string, member *Value) *Value {
	entries := make([]Entry, 0, v.Len()+1)
	for _, e := range v.Entries() {
		if e.Key != key {
			entries = append(entries, e)
		}
	}
	if member != nil {
		entries = append(entries, Entry{key, member})
	}
	return NewMap(entries, v.Place())
}
