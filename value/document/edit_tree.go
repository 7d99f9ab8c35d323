package document

import (
	"errors"
	"strconv"

	"github.com/trunkline/trunkline/value"
)

// changed is a tree after changes.
func (e *edition) changed(root *value.Value, changes []Change) (*value.Value, error) {
	var all changeTree
	for _, c := range changes {
		all.add(c.Path, c.Value)
	}
	v, at, err := all.apply(root)
	if err != nil {
		return nil, e.refuse(root, at, err.Error(), "change the whole list, or an item that it has")
	}
	if v == nil || v.Kind() != value.Map {
		return nil, e.refuse(root, nil, "the root of a document is a map", "change what it holds")
	}
	return v, nil
}

// restored is a tree with what another one has at paths. A map that is empty then goes, too, if the other one has none there.
func (e *edition) restored(root, was *value.Value, paths []value.Path) (*value.Value, error) {
	changes := make([]Change, len(paths))
	for i, path := range paths {
		original, _ := was.At(path)
		changes[i] = Change{path, original}
	}
	v, err := e.changed(root, changes)
	for _, c := range changes {
		for n := len(c.Path) - 1; n > 0 && err == nil && c.Value == nil; n-- {
			above, there := v.At(c.Path[:n])
			if _, stays := was.At(c.Path[:n]); stays || there && (above.Kind() != value.Map || above.Len() > 0) {
				break
			}
			v, err = e.changed(v, []Change{{Path: c.Path[:n]}})
		}
	}
	return v, err
}

// changeTree is changes by path, so that each map is built once, whatever the number of changes in it.
type changeTree struct {
	set   bool
	value *value.Value // what stands here instead; nil: nothing
	below map[string]*changeTree
	keys  []string // of below, in the order they came
}

func (t *changeTree) add(path value.Path, v *value.Value) {
	for _, key := range path {
		next := t.below[key]
		if next == nil {
			if t.below == nil {
				t.below = map[string]*changeTree{}
			}
			next = &changeTree{}
			t.below[key] = next
			t.keys = append(t.keys, key)
		}
		t = next
	}
	*t = changeTree{set: true, value: v}
}

var errItem = errors.New("an item of a list cannot come or go alone")

// apply is a value after the changes; nil is none, before and after. The path is where an error lies.
func (t *changeTree) apply(v *value.Value) (*value.Value, value.Path, error) {
	if t.set {
		v = t.value
	}
	switch {
	case len(t.below) == 0:
		return v, nil, nil
	case v != nil && v.Kind() == value.List:
		return t.items(v)
	}
	var entries []value.Entry
	if v != nil && v.Kind() == value.Map {
		for _, e := range v.Entries() {
			if t.below[e.Key] == nil {
				entries = append(entries, e)
			}
		}
	}
	for _, key := range t.keys {
		var now *value.Value
		if v != nil {
			now, _ = v.Get(key)
		}
		next, at, err := t.below[key].apply(now)
		if err != nil {
			return nil, append(value.Path{key}, at...), err
		}
		if next != nil {
			entries = append(entries, value.Entry{Key: key, Value: next})
		}
	}
	if len(entries) == 0 && (v == nil || v.Kind() != value.Map) {
		return v, nil, nil // nothing was removed from nothing
	}
	var at value.Place
	if v != nil {
		at = v.Place()
	}
	return value.NewMap(entries, at), nil, nil
}

func (t *changeTree) items(v *value.Value) (*value.Value, value.Path, error) {
	items := make([]*value.Value, v.Len())
	for i, e := range v.Entries() {
		items[i] = e.Value
	}
	for _, key := range t.keys {
		now, ok := v.Step(key)
		if !ok {
			return nil, value.Path{key}, errItem
		}
		next, at, err := t.below[key].apply(now)
		if err == nil && next == nil {
			err = errItem
		}
		if err != nil {
			return nil, append(value.Path{key}, at...), err
		}
		i, _ := strconv.Atoi(key)
		items[i] = next
	}
	return value.NewList(items, v.Place()), nil, nil
}
