package experiment

import (
	"fmt"
	"slices"

	"github.com/trunkline/trunkline/value"
)

// Values are the values with what the choices set in the place of what is configured. Parts that nothing is set in are shared; where the
// configuration has no place for a setting it is left out, which [Set.Check] makes a problem of.
func (s *Set) Values(base *value.Value, choices []Choice) *value.Value {
	var settings []Setting
	for _, c := range choices {
		settings = append(settings, s.entries[c.Definition].arms[c.Arm].settings...)
	}
	if len(settings) == 0 {
		return base
	}
	slices.SortStableFunc(settings, func(a, b Setting) int { return slices.Compare(a.Path, b.Path) })
	return s.laid(base, settings, 0)
}

// Value is what [Set.Values] has at a path, and makes nothing else. It takes no memory unless a choice sets something below the path.
func (s *Set) Value(base *value.Value, choices []Choice, path value.Path) (*value.Value, bool) {
	var below []Setting
	for _, c := range choices {
		for _, setting := range s.entries[c.Definition].arms[c.Arm].settings {
			switch {
			case within(setting.Path, path):
				if s.place(base, setting.Path) {
					return setting.Value.At(path[len(setting.Path):])
				}
			case within(path, setting.Path):
				below = append(below, setting)
			}
		}
	}
	v, ok := base.At(path)
	if len(below) == 0 || !ok && !s.place(base, below[0].Path) {
		return v, ok
	}
	if !ok {
		v = value.Empty
	}
	slices.SortStableFunc(below, func(a, b Setting) int { return slices.Compare(a.Path, b.Path) })
	return s.laid(v, below, len(path)), true
}

// place tells whether there is a map to put a setting into, or one can be made.
func (s *Set) place(base *value.Value, path value.Path) bool {
	for _, key := range path[:len(path)-1] {
		if base.Kind() != value.Map {
			return false
		}
		next, ok := base.Get(key)
		if !ok {
			return s.narrowed
		}
		base = next
	}
	return base.Kind() == value.Map
}

// laid is a value with settings below it, which are in the order of paths, laid over it. Each map on the way is made once.
func (s *Set) laid(v *value.Value, settings []Setting, depth int) *value.Value {
	if len(settings[0].Path) == depth {
		return settings[0].Value
	}
	if v.Kind() != value.Map {
		return v
	}
	entries := slices.Clone(v.Entries())
	for len(settings) > 0 {
		key := settings[0].Path[depth]
		n := slices.IndexFunc(settings, func(s Setting) bool { return s.Path[depth] != key })
		if n < 0 {
			n = len(settings)
		}
		i, found := slices.BinarySearchFunc(entries, key, func(e value.Entry, key string) int { return compareKeys(e.Key, key) })
		switch {
		case found:
			entries[i].Value = s.laid(entries[i].Value, settings[:n], depth+1)
		case len(settings[0].Path) == depth+1 || s.narrowed:
			entries = slices.Insert(entries, i, value.Entry{Key: key, Value: s.laid(value.Empty, settings[:n], depth+1)})
		}
		settings = settings[n:]
	}
	return value.NewMap(entries, v.Place())
}

// overlay is settings, which are in the order of paths, as a tree of maps.
func overlay(settings []Setting) *value.Value {
	if len(settings) == 0 {
		return value.Empty
	}
	return (&Set{narrowed: true}).laid(value.Empty, settings, 0)
}

// Check finds settings that do not fit the values they are laid over: every arm must leave a value of the same kind where one is configured,
// because clients read by type, and whoever is in no arm gets what is configured.
func (s *Set) Check(base *value.Value) []Problem {
	var all []Problem
	for arm := range s.Arms() {
		all = append(all, s.CheckArm(arm, base)...)
	}
	return all
}

// CheckArm does what [Set.Check] does, of one arm.
func (s *Set) CheckArm(arm Arm, base *value.Value) []Problem {
	r := &report{environments: []string{s.environment}}
	for _, setting := range arm.Settings {
		r.setting(arm, setting, base)
	}
	return r.problems
}

func (r *report) setting(arm Arm, s Setting, base *value.Value) {
	configured := base
	for i, key := range s.Path {
		if configured.Kind() == value.List {
			r.at(s, "settable", "set "+base.PathString(s.Path[:i])+" as a whole", "%s lies in a list, which is one value", base.PathString(s.Path))
			return
		}
		next, ok := configured.Step(key)
		if !ok {
			r.at(s, "settable", "add it to the configuration: it is what everybody gets who is in no arm", "%s has no configured value in %s", s.Path, r.environments[0])
			return
		}
		configured = next
	}
	r.kinds(arm, s, configured, s.Value, s.Path)
}

func (r *report) at(s Setting, rule, hint, message string, args ...any) {
	r.add(Problem{
		Place: s.Value.Pos(), Path: s.Path.String(), Rule: rule, Message: fmt.Sprintf(message, args...), Hint: hint, Environments: r.environments,
	})
}

// kinds compares what is set with what is configured, and all below. Null stands for any value but a map.
func (r *report) kinds(arm Arm, s Setting, configured, set *value.Value, path value.Path) {
	was, is := kindOf(configured), kindOf(set)
	switch {
	case was == value.Map && is == value.Map:
		for _, e := range configured.Entries() {
			below := append(path[:len(path):len(path)], e.Key)
			member, ok := set.Get(e.Key)
			if !ok {
				r.at(s, "membersLost", "write all members of the map, or set single paths below it", "%s of the %s %s leaves out %s: a map is set as a whole", arm.Name, arm.Kind, arm.Key, below)
				return
			}
			r.kinds(arm, s, e.Value, member, below)
		}
	case was == is || was != value.Map && is == value.Null || was == value.Null:
	default:
		r.at(s, "kindClash", "let every arm have the kind that is configured", "%s of the %s %s makes %s %s; %s is configured", arm.Name, arm.Kind, arm.Key, path, is.Article(), was.Article())
	}
}

// kindOf is the kind of a value as clients tell kinds apart: an integer is a number.
func kindOf(v *value.Value) value.Kind {
	if v.Kind() == value.Int {
		return value.Float
	}
	return v.Kind()
}
