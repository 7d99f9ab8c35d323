package experiment

import (
	"iter"
	"slices"
	"time"

	"github.com/trunkline/trunkline/value"
)

// Options of a [Set].
type Options struct {
	// Stopped tells what an operator has stopped; nil is nothing. What is stopped is in effect for nobody, and keeps its number.
	Stopped func(kind Kind, key string) bool
	// Failed is told of a condition that cannot be evaluated for somebody, who is left out then; nil tells nobody. It may be called from
	// several goroutines.
	Failed func(kind Kind, key string, err error)
}

// Set is what can be in effect in one environment: its rollouts, and its experiments that run or rest, each under a number, with rollouts
// before experiments and both in the order of keys. It is immutable. A set that another was narrowed from has the same numbers.
type Set struct {
	environment string
	definitions *Definitions
	entries     []entry
	layers      []*Layer
	run         []uint16 // which are decided
	changes     []int64  // when shares and schedules change, sorted
	failed      func(kind Kind, key string, err error)
	seen        [][]bool // by entry and arm, whether it can be seen; nil: all
	narrowed    bool     // it came from an export: values it is laid over may lack maps that are there, and are not seen
}

// entry is one rollout or experiment of a set.
type entry struct {
	name       file
	rollout    *Rollout
	experiment *Experiment
	layer      int // of the experiment
	arms       []arm
	needs      []need
	off        bool // stopped, or resting
}

// rests tells whether it is in effect for nobody by its own file.
func (e *entry) rests() bool { return e.experiment != nil && e.experiment.Status != Running }

// sets tells whether any arm sets something. Of an export some do not: they are there for those that require them.
func (e *entry) sets() bool {
	return slices.ContainsFunc(e.arms, func(a arm) bool { return len(a.settings) > 0 })
}

// need is a prerequisite: an entry, and its arm or -1 for any.
type need struct{ entry, arm int }

// In is what can be in effect in an environment.
func (d *Definitions) In(environment string, o Options) *Set {
	s := &Set{environment: environment, definitions: d}
	numbers := map[file]int{}
	add := func(e entry) {
		numbers[e.name] = len(s.entries)
		s.entries = append(s.entries, e)
	}
	for _, x := range d.rollouts {
		if slices.Contains(x.Environments, environment) {
			add(entry{name: file{KindRollout, x.Key}, rollout: x, arms: x.arms})
		}
	}
	for _, x := range d.experiments {
		layer, ok := d.Layer(x.Layer)
		if ok && x.Status.holds() && slices.Contains(x.Environments, environment) {
			add(entry{name: file{KindExperiment, x.Key}, experiment: x, arms: x.arms, layer: s.layer(layer)})
		}
	}
	for i := range s.entries {
		s.entries[i].needs = needs(&s.entries[i], numbers, s.entries)
	}
	return s.With(o)
}

// With is the whole set with other options, which take the place of those that it had.
func (s *Set) With(o Options) *Set {
	other := *s
	other.entries, other.run, other.seen, other.failed = slices.Clone(s.entries), nil, nil, o.Failed
	for i := range other.entries {
		e := &other.entries[i]
		if e.off = e.rests() || o.Stopped != nil && o.Stopped(e.name.kind, e.name.key); !e.off && e.sets() {
			other.run = append(other.run, uint16(i))
		}
	}
	other.schedule()
	return &other
}

// Redacted is the set with what redact makes of each value in the place of it. It decides the same.
func (s *Set) Redacted(redact func(path value.Path, v *value.Value) *value.Value) *Set {
	other := *s
	other.entries = slices.Clone(s.entries)
	for i := range other.entries {
		other.entries[i].arms = slices.Clone(other.entries[i].arms)
		for n := range other.entries[i].arms {
			a := &other.entries[i].arms[n]
			a.settings = slices.Clone(a.settings)
			for k, setting := range a.settings {
				a.settings[k].Value = redact(setting.Path, setting.Value)
			}
			a.tree = overlay(a.settings)
		}
	}
	return &other
}

// Empty tells whether no rollout and no experiment of the environment is there.
func (s *Set) Empty() bool { return len(s.entries) == 0 }

// layer is the number of a layer, which it has once.
func (s *Set) layer(layer *Layer) int {
	i := slices.Index(s.layers, layer)
	if i < 0 {
		i = len(s.layers)
		s.layers = append(s.layers, layer)
	}
	return i
}

// needs are the prerequisites of an entry. One that is not there is met by nobody: entry -1.
func needs(e *entry, numbers map[file]int, entries []entry) []need {
	prerequisites := e.prerequisites()
	list := make([]need, len(prerequisites))
	for i, p := range prerequisites {
		list[i] = need{-1, -1}
		n, there := numbers[file{p.Kind, p.Key}]
		if !there {
			continue
		}
		arm := slices.IndexFunc(entries[n].arms, func(a arm) bool { return a.name == p.Variant })
		if p.Variant == "" || arm >= 0 {
			list[i] = need{n, arm}
		}
	}
	return list
}

func (e *entry) prerequisites() []Prerequisite {
	if e.rollout != nil {
		return e.rollout.Prerequisites
	}
	return e.experiment.Prerequisites
}

// Within is the set narrowed to what somebody sees of any values: definitions of which no arm sets anything there are not decided, and
// arms that set nothing there do not count in [Set.AppendKey]. Numbers stay the same.
func (s *Set) Within(see func(*value.Value) *value.Value) *Set {
	narrow := *s
	narrow.run, narrow.seen = nil, make([][]bool, len(s.entries))
	for _, n := range s.run {
		arms := s.entries[n].arms
		seen := make([]bool, len(arms))
		for i := range arms {
			seen[i] = arms[i].visible(see)
		}
		if narrow.seen[n] = seen; slices.Contains(seen, true) {
			narrow.run = append(narrow.run, n)
		}
	}
	narrow.schedule()
	return &narrow
}

// visible tells whether the arm sets something of which something is seen.
func (a *arm) visible(see func(*value.Value) *value.Value) bool {
	return a.tree.Len() > 0 && see(a.tree).Len() > 0
}

// Touches tells whether a choice sets something that somebody sees.
func (s *Set) Touches(c Choice, see func(*value.Value) *value.Value) bool {
	return s.entries[c.Definition].arms[c.Arm].visible(see)
}

// Owners are the numbers of the definitions that set a path, or one above or below it: a rollout, or the experiments of one layer.
func (s *Set) Owners(path value.Path) []int {
	var owners []int
	for _, n := range s.run {
		if slices.ContainsFunc(s.entries[n].arms, func(a arm) bool { return a.meets(path) }) {
			owners = append(owners, int(n))
		}
	}
	return owners
}

func (a *arm) meets(path value.Path) bool {
	return slices.ContainsFunc(a.settings, func(s Setting) bool { return within(s.Path, path) || within(path, s.Path) })
}

// schedule finds out when shares and schedules change.
func (s *Set) schedule() {
	s.changes = nil
	for _, n := range s.closure(slices.Clone(s.run)) {
		if x := s.entries[n].rollout; x != nil {
			for _, rule := range x.Rules {
				s.changes = append(s.changes, rule.changes()...)
			}
		}
	}
	slices.Sort(s.changes)
	s.changes = slices.Compact(s.changes)
}

// closure are definitions and those that they require.
func (s *Set) closure(all []uint16) []uint16 {
	among := make([]bool, len(s.entries))
	for _, n := range all {
		among[n] = true
	}
	for i := 0; i < len(all); i++ {
		for _, need := range s.entries[all[i]].needs {
			if need.entry >= 0 && !among[need.entry] {
				among[need.entry] = true
				all = append(all, uint16(need.entry))
			}
		}
	}
	return all
}

// changes are when the rule begins to include others.
func (r *Rule) changes() []int64 {
	var times []int64
	for _, s := range r.share {
		if s.at != forever.start {
			times = append(times, s.at)
		}
	}
	for _, at := range []int64{r.window.start, r.window.end} {
		if at != forever.start && at != forever.end {
			times = append(times, at)
		}
	}
	return times
}

// Next tells when the choices of the same context may change next, after a time, though no file does: a step of a ramp, the start or the
// end of a schedule. There are at most a hundred of them in a ramp, and one a minute.
func (s *Set) Next(after time.Time) (time.Time, bool) {
	i, _ := slices.BinarySearch(s.changes, after.Unix()+1)
	if i == len(s.changes) {
		return time.Time{}, false
	}
	return time.Unix(s.changes[i], 0).UTC(), true
}

// Environment is the environment that the set is of.
func (s *Set) Environment() string { return s.environment }

// Arm is one of the ways in which a definition can be in effect.
type Arm struct {
	Kind     Kind
	Key      string
	Name     string // of the variant; of a rollout on, or the rule with a set of its own
	Place    value.Pos
	Settings []Setting
	Tree     *value.Value // the settings, as what would be laid over the values
	Choice   Choice
}

// Arms are all arms that set something, whether stopped or not: each is a value that somebody may get.
func (s *Set) Arms() iter.Seq[Arm] {
	return func(yield func(Arm) bool) {
		for n := range s.entries {
			for i := range s.entries[n].arms {
				c := Choice{Definition: uint16(n), Arm: uint16(i)}
				if len(s.entries[n].arms[i].settings) > 0 && !yield(s.Arm(c)) {
					return
				}
			}
		}
	}
}

// Arm describes a choice.
func (s *Set) Arm(c Choice) Arm {
	e := &s.entries[c.Definition]
	a := &e.arms[c.Arm]
	return Arm{e.name.kind, e.name.key, a.name, a.at.Pos(), a.settings, a.tree, Choice{Definition: c.Definition, Arm: c.Arm}}
}

// Assignment is a variant of an experiment that somebody has.
type Assignment struct {
	Experiment string `json:"experiment"`
	Variant    string `json:"variant"`
	Phase      int    `json:"phase"`
	Layer      string `json:"layer"`
	Forced     bool   `json:"forced,omitempty"` // left out of the analysis
}

// Assignments are the choices of experiments, in the order of their keys. A rollout is no assignment.
func (s *Set) Assignments(choices []Choice) []Assignment {
	var list []Assignment
	for _, c := range choices {
		if x := s.entries[c.Definition].experiment; x != nil {
			list = append(list, Assignment{x.Key, x.Variants[c.Arm].Name, x.Phase, x.Layer, c.Forced})
		}
	}
	return list
}

// Named are the kinds of what is in the set under a key: none, one or both. Where there is none, near is the key most like it, or "".
func (s *Set) Named(key string) (kinds []Kind, near string) {
	var keys []string
	for _, e := range s.entries {
		if e.name.key == key {
			kinds = append(kinds, e.name.kind)
		}
		keys = append(keys, e.name.key)
	}
	return kinds, value.Nearest(key, keys)
}
