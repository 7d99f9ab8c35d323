package value

import "fmt"

// PatchKey is the member that turns a map of an overlay into a merge control: {$patch: delete} removes what the layers beneath
// hold in its place, {$patch: replace, …} puts the other members there instead of merging them.
const PatchKey = "$patch"

// Conflict is a reason why layers cannot be combined.
type Conflict struct {
	Path    Path
	Rule    string // kindClash, pathTwice, patchConflict, patchNothing, patchUnknown
	At      *Value // the value at fault
	Other   *Value // the one it collides with; may be nil
	Message string
	Hint    string
}

// Mount is a document's value at the place of its file in a layer.
type Mount struct {
	Path  Path
	Value *Value
}

// Merger combines documents to layers and layers to an environment's values. It remembers the results of one generation, so
// that parts whose inputs kept their pointers keep theirs; [Merger.Next] begins a new generation. It is not safe for use by
// several goroutines.
type Merger struct {
	conflicts []Conflict
	before    map[merged]*Value
	now       map[merged]*Value
}

type merged struct{ base, overlay *Value }

// NewMerger makes a Merger that remembers nothing yet.
func NewMerger() *Merger { return &Merger{now: map[merged]*Value{}} }

// Next begins a new generation: results of the last one can be taken over, older ones are forgotten.
func (m *Merger) Next() { m.before, m.now = m.now, map[merged]*Value{} }

// Conflicts returns what was found since the last call.
func (m *Merger) Conflicts() []Conflict {
	found := m.conflicts
	m.conflicts = nil
	return found
}

func (m *Merger) conflict(c Conflict) {
	c.Path = append(Path(nil), c.Path...)
	c.At, c.Other = written(c.At), written(c.Other)
	m.conflicts = append(m.conflicts, c)
}

// written is the value, or, for the map of a directory, which stands in no file, the first value below it that does.
func written(v *Value) *Value {
	for below := v; below != nil; below = below.coll.entries[0].Value {
		if below.file != nil {
			return below
		}
		if below.Len() == 0 {
			break
		}
	}
	return v
}

// Union combines the documents of one layer. Maps join; the same path written twice is a conflict, and so is a path beside a
// merge control above it.
func (m *Merger) Union(mounts []Mount) *Value {
	var root branch
	for _, mount := range mounts {
		b := &root
		for _, key := range mount.Path {
			b = b.child(key)
		}
		b.values = append(b.values, mount.Value)
	}
	if v := m.freeze(&root, nil); v != nil {
		return v
	}
	return Empty
}

// branch is a directory of a layer while it is put together.
type branch struct {
	values   []*Value
	children map[string]*branch
	keys     []string // in the order they came, so that results do not depend on the order of a map
}

func (b *branch) child(key string) *branch {
	if c, ok := b.children[key]; ok {
		return c
	}
	if b.children == nil {
		b.children = map[string]*branch{}
	}
	c := &branch{}
	b.children[key] = c
	b.keys = append(b.keys, key)
	return c
}

func (m *Merger) freeze(b *branch, path Path) *Value {
	var joined *Value
	for _, v := range b.values {
		joined = m.join(joined, v, path)
	}
	if len(b.children) == 0 {
		return joined
	}
	entries := make([]Entry, 0, len(b.keys))
	for _, key := range b.keys {
		if v := m.freeze(b.children[key], append(path, key)); v != nil {
			entries = append(entries, Entry{key, v})
		}
	}
	return m.join(joined, NewMap(entries, Place{}), path)
}

// join combines two documents' values at one path.
func (m *Merger) join(a, b *Value, path Path) *Value {
	if a == nil {
		return b
	}
	if hasPatch(a) || hasPatch(b) {
		m.conflict(Conflict{
			Path: path, Rule: "patchConflict", At: b, Other: a,
			Message: "a $patch and values beside or below it are written by two files of one layer",
			Hint:    "move both into one file",
		})
		return a
	}
	if a.Kind() != Map || b.Kind() != Map {
		m.conflict(Conflict{
			Path: path, Rule: "pathTwice", At: b, Other: a,
			Message: "the path is written by two files of one layer",
			Hint:    "keep it in one of them",
		})
		return a
	}
	place := a.Place()
	if place.File == nil {
		place = b.Place()
	}
	return NewMap(zip(a, b, func(key string, a, b *Value) *Value {
		if a == nil {
			return b
		} else if b == nil {
			return a
		}
		return m.join(a, b, append(path, key))
	}), place)
}

// zip goes through the members of two maps and asks what becomes of each key; either side may be missing, and so may the answer.
func zip(a, b *Value, member func(key string, a, b *Value) *Value) []Entry {
	left, right := a.Entries(), b.Entries()
	entries := make([]Entry, 0, len(left)+len(right))
	add := func(key string, v *Value) {
		if v != nil {
			entries = append(entries, Entry{key, v})
		}
	}
	for len(left) > 0 || len(right) > 0 {
		switch {
		case len(right) == 0 || len(left) > 0 && left[0].Key < right[0].Key:
			add(left[0].Key, member(left[0].Key, left[0].Value, nil))
			left = left[1:]
		case len(left) == 0 || right[0].Key < left[0].Key:
			add(right[0].Key, member(right[0].Key, nil, right[0].Value))
			right = right[1:]
		default:
			add(left[0].Key, member(left[0].Key, left[0].Value, right[0].Value))
			left, right = left[1:], right[1:]
		}
	}
	return entries
}

// Base checks the lowest layer, in which a merge control has nothing to act on.
func (m *Merger) Base(layer *Value) *Value { return m.Merge(nil, layer) }

// Merge lays an overlay over what is beneath it: maps merge, lists and scalars replace, a map against anything else is a
// conflict (but a map may take the place of a null), merge controls are obeyed. A nil base is nothing beneath.
func (m *Merger) Merge(base, overlay *Value) *Value {
	if v := m.merge(base, overlay, nil); v != nil {
		return v
	}
	return Empty
}

// merge returns what stands at the path, or nil when nothing does. A nil base is nothing beneath.
func (m *Merger) merge(base, overlay *Value, path Path) *Value {
	if overlay.Kind() != Map && overlay.Kind() != List {
		return m.scalar(base, overlay, path)
	}
	id := merged{base, overlay}
	if v, ok := m.now[id]; ok {
		return v
	}
	if v, ok := m.before[id]; ok {
		m.now[id] = v
		return v
	}
	conflicts := len(m.conflicts)
	v := m.collection(base, overlay, path)
	if len(m.conflicts) == conflicts {
		m.now[id] = v
	}
	return v
}

func (m *Merger) scalar(base, overlay *Value, path Path) *Value {
	if base != nil && base.Kind() == Map {
		return m.clash(base, overlay, path)
	}
	return overlay
}

func (m *Merger) clash(base, overlay *Value, path Path) *Value {
	c := Conflict{
		Path: path, Rule: "kindClash", At: overlay, Other: base,
		Message: fmt.Sprintf("%s is laid over %s", overlay.Kind().Article(), base.Kind().Article()),
		Hint:    "give both layers the same kind; {$patch: replace, …} puts a map in the place of anything",
	}
	if overlay.Kind() == Null {
		c.Hint = "remove the line, or remove the map beneath with {$patch: delete}"
	}
	m.conflict(c)
	return base
}

func (m *Merger) collection(base, overlay *Value, path Path) *Value {
	if overlay.Kind() == List {
		if base != nil && base.Kind() == Map {
			return m.clash(base, overlay, path)
		}
		m.listItems(overlay, path)
		return overlay
	}
	if control, ok := overlay.Get(PatchKey); ok {
		return m.patch(base, overlay, control, path)
	}
	if base == nil || base.Kind() == Null {
		return m.over(Empty, overlay, path)
	}
	if base.Kind() != Map {
		return m.clash(base, overlay, path)
	}
	return m.over(base, overlay, path)
}

// over merges two maps. A map that changes nothing beneath is not built anew, and one with nothing beneath is taken as it is.
func (m *Merger) over(base, overlay *Value, path Path) *Value {
	same, plain := true, true
	entries := zip(base, overlay, func(key string, below, above *Value) *Value {
		if above == nil {
			plain = false
			return below
		}
		member := m.merge(below, above, append(path, key))
		same = same && member == below
		plain = plain && member == above
		return member
	})
	switch {
	case same && base != Empty:
		return base
	case plain:
		return overlay
	default:
		place := base.Place() // a merged map stands where it began: the overlay gives it only some members
		if place.File == nil {
			place = overlay.Place()
		}
		return NewMap(entries, place)
	}
}

func (m *Merger) patch(base, overlay, control *Value, path Path) *Value {
	bad := func(rule, message, hint string) {
		m.conflict(Conflict{Path: path, Rule: rule, At: control, Other: base, Message: message, Hint: hint})
	}
	switch {
	case control.Str() == "delete" && overlay.Len() > 1:
		bad("patchConflict", "{$patch: delete} stands beside other members", "a deletion holds nothing else; use {$patch: replace, …} to put other members there")
	case control.Str() == "delete" && base == nil:
		bad("patchNothing", "{$patch: delete} finds nothing to delete", "remove it, or mend the path: no layer beneath holds a value here")
	case control.Str() == "delete":
		return nil
	case control.Str() == "replace":
		return m.over(Empty, overlay.with(PatchKey, nil), path)
	default:
		bad("patchUnknown", "$patch knows delete and replace", "write {$patch: delete} or {$patch: replace, …}")
	}
	return base
}

// listItems finds merge controls inside a list, where they could do nothing.
func (m *Merger) listItems(v *Value, path Path) {
	for i, e := range v.Entries() {
		here := append(path, fmt.Sprint(i))
		if v.Kind() == Map {
			here = append(path, e.Key)
		}
		if e.Value.Kind() == Map && hasPatch(e.Value) {
			m.conflict(Conflict{
				Path: here, Rule: "patchConflict", At: e.Value,
				Message: "a $patch stands inside a list", Hint: "a list is one value: write the whole list",
			})
		}
		if e.Value.Len() > 0 {
			m.listItems(e.Value, here)
		}
	}
}

func hasPatch(v *Value) bool {
	_, ok := v.Get(PatchKey)
	return ok
}
