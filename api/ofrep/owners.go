package ofrep

import (
	"slices"
	"strconv"
	"strings"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// owner is a rollout or an experiment that sets something.
type owner struct {
	number int // of the set
	arms   []experiment.Arm
	about  []byte // of metadata: its key, and phase and layer of an experiment
}

// owners finds who sets a path, or one above or below it.
type owners struct {
	all   []*owner
	at    map[string][]*owner // by a path that is set
	above map[string][]*owner // by each path above one
}

// ownersOf looks through a set, which may be nil, for what is seen of it.
func ownersOf(set *experiment.Set, may access.Scope) owners {
	o := owners{at: map[string][]*owner{}, above: map[string][]*owner{}}
	if set == nil {
		return o
	}
	for arm := range set.Arms() {
		arm.Settings = slices.DeleteFunc(slices.Clone(arm.Settings), func(s experiment.Setting) bool {
			return !may.Sees(s.Path) && may.Select(s.Tree()).Len() == 0
		})
		if len(arm.Settings) == 0 {
			continue
		}
		if len(o.all) == 0 || o.all[len(o.all)-1].number != int(arm.Choice.Definition) {
			o.all = append(o.all, newOwner(set, arm))
		}
		one := o.all[len(o.all)-1]
		one.arms = append(one.arms, arm)
		for _, s := range arm.Settings {
			add(o.at, s.Path, one)
			for n := range s.Path {
				add(o.above, s.Path[:n], one)
			}
		}
	}
	return o
}

func newOwner(set *experiment.Set, arm experiment.Arm) *owner {
	o := &owner{number: int(arm.Choice.Definition)}
	o.about = appendText(append(append(append(o.about, '"'), arm.Kind...), `":`...), arm.Key)
	for _, a := range set.Assignments([]experiment.Choice{arm.Choice}) {
		o.about = strconv.AppendInt(append(o.about, `,"phase":`...), int64(a.Phase), 10)
		o.about = appendText(append(o.about, `,"layer":`...), a.Layer)
	}
	return o
}

func add(index map[string][]*owner, path value.Path, o *owner) {
	key := strings.Join(path, "\x00")
	if list := index[key]; !slices.Contains(list, o) {
		index[key] = append(list, o)
	}
}

// of are those that set a path, or one above or below it.
func (o *owners) of(path value.Path) []*owner {
	if len(o.all) == 0 {
		return nil
	}
	list := slices.Clone(o.above[strings.Join(path, "\x00")])
	for n := range len(path) + 1 {
		for _, one := range o.at[strings.Join(path[:n], "\x00")] {
			if !slices.Contains(list, one) {
				list = append(list, one)
			}
		}
	}
	slices.SortFunc(list, func(a, b *owner) int { return a.number - b.number })
	return list
}
