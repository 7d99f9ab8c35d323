package experiment

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/trunkline/trunkline/value"
)

// ownership is a path that an arm sets in an environment, and whose it is: a rollout's, or all experiments' of a layer, of which a unit is
// in one at most.
type ownership struct {
	path  value.Path
	owner file
	of    file // the rollout or the experiment
	at    *value.Value
}

// owners finds paths that two owners set in one environment, and paths that lie above or below one that another sets. Of two definitions one
// such path is told.
func (l *linker) owners() {
	type pair struct{ first, second file }
	var order []pair
	found := map[pair]Problem{}
	for _, environments := range l.d.alike() {
		eachClash(l.d.ownerships(environments[0]), func(a, b ownership) {
			of := pair{a.of, b.of}
			p, told := found[of]
			if !told {
				order = append(order, of)
				p = clashes(a, b)
			}
			if p.Environments = slices.Concat(p.Environments, environments); told {
				slices.Sort(p.Environments)
				p.Environments = slices.Compact(p.Environments)
			}
			found[of] = p
		})
	}
	for _, of := range order {
		l.add(found[of])
	}
}

func clashes(a, b ownership) Problem {
	p := Problem{
		Place: b.at.Pos(), Path: b.path.String(), Rule: "pathOwned",
		Hint:    "let one of them set it; experiments of one layer may set the same",
		Message: b.path.String() + " is set by the " + a.of.String() + ", too, at " + a.at.Pos().String(),
	}
	if !slices.Equal(a.path, b.path) {
		p.Message = b.path.String() + " is set, and so is " + a.path.String() + " by the " + a.of.String() + " at " + a.at.Pos().String()
	}
	return p
}

func (f file) String() string { return string(f.kind) + " " + f.key }

// alike are all environments that definitions name, those together that have the same definitions.
func (d *Definitions) alike() [][]string {
	named := map[string][]byte{} // by environment, the numbers of its definitions
	for i, x := range d.rollouts {
		for _, env := range x.Environments {
			named[env] = binary.BigEndian.AppendUint32(named[env], uint32(i))
		}
	}
	for i, x := range d.experiments {
		for _, env := range x.Environments {
			named[env] = binary.BigEndian.AppendUint32(named[env], uint32(len(d.rollouts)+i))
		}
	}
	var groups [][]string
	numbers := map[string]int{}
	for _, env := range slices.Sorted(maps.Keys(named)) {
		i, known := numbers[string(named[env])]
		if !known {
			i = len(groups)
			numbers[string(named[env])], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], env)
	}
	return groups
}

// ownerships are all paths that are set in an environment, by rollouts and by experiments that run or rest.
func (d *Definitions) ownerships(env string) []ownership {
	all := make([]ownership, 0, d.settings)
	add := func(arms []arm, owner, of file) {
		for _, a := range arms {
			for _, s := range a.settings {
				all = append(all, ownership{s.Path, owner, of, s.Value})
			}
		}
	}
	for _, x := range d.experiments {
		if x.Status.holds() && slices.Contains(x.Environments, env) {
			add(x.arms, file{KindLayer, x.Layer}, file{KindExperiment, x.Key})
		}
	}
	for _, x := range d.rollouts {
		if slices.Contains(x.Environments, env) {
			add(x.arms, file{KindRollout, x.Key}, file{KindRollout, x.Key})
		}
	}
	return all
}

// eachClash visits whatever has a path that is another owner's or lies above or below it, with the first such owner. In the order of paths
// all that lies below a path follows it at once.
func eachClash(all []ownership, visit func(first, second ownership)) {
	order := map[file]int{}
	for i, o := range all {
		if _, ok := order[o.of]; !ok {
			order[o.of] = i
		}
	}
	slices.SortStableFunc(all, func(a, b ownership) int { return slices.Compare(a.path, b.path) })
	var above []ownership // each path is or lies below the one before it
	for _, o := range all {
		for len(above) > 0 && !within(above[len(above)-1].path, o.path) {
			above = above[:len(above)-1]
		}
		i := slices.IndexFunc(above, func(a ownership) bool { return a.owner != o.owner })
		switch {
		case i >= 0 && order[above[i].of] > order[o.of]:
			visit(o, above[i])
		case i >= 0:
			visit(above[i], o)
		}
		if i < 0 || len(above) == 0 || len(above[len(above)-1].path) < len(o.path) {
			above = append(above, o)
		}
	}
}

// within tells whether a path is another or lies below it.
func within(above, path value.Path) bool {
	return len(above) <= len(path) && slices.Equal(above, path[:len(above)])
}
