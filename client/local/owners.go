package local

import (
	"slices"
	"strings"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// owners finds who sets a path, or one above or below it. It is a tree of the paths that are set. Nil owners own nothing.
type owners struct {
	path    value.Path
	members map[string]*owners
	own     []int // who set this very path
	above   []int // … or one above it
	all     []int // … or one below it
}

// found is who sets a path, and the path where it is one that somebody sets.
type found struct {
	numbers []int
	path    value.Path
}

func ownersOf(set *experiment.Set) *owners {
	root := &owners{path: value.Path{}}
	for arm := range set.Arms() {
		for _, s := range arm.Settings {
			root.add(s.Path, int(arm.Choice.Definition))
		}
	}
	root.settle(nil)
	return root
}

func (o *owners) add(path value.Path, number int) {
	for i, key := range path {
		next := o.members[key]
		if next == nil {
			next = &owners{path: path[: i+1 : i+1]}
			if o.members == nil {
				o.members = map[string]*owners{}
			}
			o.members[key] = next
		}
		o = next
	}
	o.own = append(o.own, number)
}

// settle finds out once who has to be asked for each path.
func (o *owners) settle(above []int) {
	o.above = sorted(above, o.own)
	o.all = o.above
	for _, m := range o.members {
		m.settle(o.above)
		o.all = sorted(o.all, m.all)
	}
}

// paths appends what somebody sets, in no order.
func (o *owners) paths(to []string) []string {
	if len(o.own) > 0 {
		to = append(to, o.path.String())
	}
	for _, m := range o.members {
		to = m.paths(to)
	}
	return to
}

func sorted(a, b []int) []int {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// of finds the owners of a path as programs write it.
func (o *owners) of(path string) found {
	if o == nil || len(o.all) == 0 {
		return found{}
	}
	if path == "" {
		return found{o.all, nil}
	}
	if !plain(path) {
		return o.ofPath(path)
	}
	for rest := path; ; {
		key, after, more := strings.Cut(rest, ".")
		next := o.members[key]
		switch {
		case next == nil:
			return found{o.above, nil}
		case !more:
			return found{next.all, next.path}
		}
		o, rest = next, after
	}
}

// plain tells whether a path is keys and dots alone, so that it can be followed as it is.
func plain(path string) bool {
	for i := range len(path) {
		switch c := path[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-', c == '.':
		default:
			return false
		}
	}
	return true
}

func (o *owners) ofPath(text string) found {
	path, err := value.ParsePath(text)
	if err != nil {
		return found{}
	}
	for _, key := range path {
		next := o.members[key]
		if next == nil {
			return found{o.above, path}
		}
		o = next
	}
	return found{o.all, path}
}
