package ofrep

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/value"
)

// listing is what a view lists: the flags of the manifest, as far as they are seen. What nobody owns is written beforehand.
type listing struct {
	failed    *failure // there are too many
	pieces    []piece
	flags     int // at most
	size      int // about, in bytes
	sensitive bool
	state     state
}

// piece is flags that are the same for everybody, one after the other, or one that is not.
type piece struct {
	written []byte
	target  *target
}

const nameFlags = "name those that are flags in trunkline.yaml, as flags: [flags.**]"

func (v *view) listed() *listing {
	v.listing.Do(v.makeListing)
	return &v.list
}

func (v *view) makeListing() {
	l := &v.list
	l.state = v.newState()
	paths := v.flags()
	if len(paths) > maxFlags {
		l.failed = general(fmt.Sprintf("more than %d values would be listed: %s", maxFlags, nameFlags))
		return
	}
	for _, path := range paths {
		if t := v.newTarget(path.String(), path); t != nil {
			l.add(v, t)
		}
		if l.size > maxBulkBytes {
			l.failed = general(fmt.Sprintf("the values that would be listed have more than %d MiB: %s", maxBulkBytes>>20, nameFlags))
			l.pieces = nil
			return
		}
	}
}

func (l *listing) add(v *view, t *target) {
	if len(t.owners) == 0 && t.base.hidden {
		return // nobody could use it
	}
	l.flags++
	l.sensitive = l.sensitive || t.sensitive
	l.size += len(t.head) + len(t.base.json) + 100
	if len(t.owners) > 0 {
		l.pieces = append(l.pieces, piece{target: t})
		return
	}
	t.whole = nil // it is for one flag alone
	if n := len(l.pieces); n > 0 && l.pieces[n-1].written != nil {
		l.pieces[n-1].written = v.appendAnswer(append(l.pieces[n-1].written, ','), t, &decision{}, false)
		return
	}
	l.pieces = append(l.pieces, piece{written: v.appendAnswer(nil, t, &decision{}, false)})
}

// flags are the paths of what is listed, in order: what a pattern of the manifest names, and below one that ends in ** whatever is no map.
// Without patterns that is everything. What only some arm has is among them.
func (v *view) flags() []value.Path {
	c := &collection{patterns: v.version.Snapshot.Manifest.Flags, found: map[string]value.Path{}}
	c.collect(v.seen)
	for _, o := range v.paths.all {
		for _, a := range o.arms {
			for _, s := range a.Settings {
				if s.Value.Kind() == value.Map {
					c.collect(v.scope.Select(s.Tree()))
				}
			}
		}
	}
	paths := make([]value.Path, 0, len(c.found))
	for _, path := range c.found {
		paths = append(paths, path)
	}
	slices.SortFunc(paths, func(a, b value.Path) int { return slices.Compare(a, b) })
	return paths
}

// collection is paths of flags.
type collection struct {
	patterns []value.Pattern
	found    map[string]value.Path
}

func (c *collection) collect(root *value.Value) {
	var deep []value.Pattern
	for _, p := range c.patterns {
		if strings.HasSuffix(p.String(), "**") {
			deep = append(deep, p)
			continue
		}
		p.Each(root, root.Weight(), func(path value.Path, _ *value.Value, _ []string) bool { return c.add(path) })
	}
	switch {
	case len(c.patterns) == 0:
		c.leaves(root, nil)
	case len(deep) > 0:
		c.leaves(value.Select(root, deep), nil)
	}
}

// add reports whether there is room for more.
func (c *collection) add(path value.Path) bool {
	if len(path) > 0 {
		c.found[strings.Join(path, "\x00")] = slices.Clone(path)
	}
	return len(c.found) <= maxFlags
}

func (c *collection) leaves(v *value.Value, path value.Path) bool {
	if v.Kind() != value.Map || v.Len() == 0 {
		return c.add(path)
	}
	for _, e := range v.Entries() {
		if !c.leaves(e.Value, append(path, e.Key)) {
			return false
		}
	}
	return true
}

// selected is what of any values is listed by somebody.
func (v *view) selected(root *value.Value) *value.Value {
	root = v.scope.Select(root)
	if patterns := v.version.Snapshot.Manifest.Flags; len(patterns) > 0 {
		return value.Select(root, patterns)
	}
	return root
}
