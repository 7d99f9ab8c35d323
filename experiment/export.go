package experiment

import (
	"slices"

	"github.com/trunkline/trunkline/value"
)

// Export is what others need to decide as the set does about what they see: one object, in the form of the files.
//
//	{"environment": "prod", "rollouts": {KEY: DOCUMENT}, "experiments": {…}, "layers": {…}, "segments": {…},
//	 "context": SCHEMA, "stopped": [{"kind": "rollout", "key": KEY}]}
//
// It holds the rollouts and experiments of which something is seen, with their settings narrowed to that; those that they require, which set
// nothing where nothing of them is seen; and the layers and segments of all these. What is only for people is left out: descriptions, owners,
// metrics, plans, and other environments. Where nothing is seen it is an empty map. A nil see sees everything. The same set and sight give
// the same text on every machine.
func (s *Set) Export(see func(*value.Value) *value.Value) *value.Value {
	if see == nil {
		see = func(v *value.Value) *value.Value { return v }
	}
	x := &exporter{s, see, map[string]map[string]*value.Value{}}
	entries := x.entries()
	if len(entries) == 0 {
		return value.Empty
	}
	for _, n := range entries {
		x.add(&s.entries[n])
	}
	all := []value.Entry{text("environment", s.environment)}
	for group, documents := range x.documents {
		all = append(all, value.Entry{Key: group, Value: object(documents)})
	}
	if context := s.definitions.context; context != nil && context.Len() > 0 {
		all = append(all, value.Entry{Key: "context", Value: schema(context)})
	}
	if stopped := x.stopped(entries); len(stopped) > 0 {
		all = append(all, value.Entry{Key: "stopped", Value: value.NewList(stopped, value.Place{})})
	}
	return value.NewMap(all, value.Place{})
}

func text(key, text string) value.Entry {
	return value.Entry{Key: key, Value: value.NewString(text, value.Place{})}
}

func object(members map[string]*value.Value) *value.Value {
	list := make([]value.Entry, 0, len(members))
	for key, v := range members {
		list = append(list, value.Entry{Key: key, Value: v})
	}
	return value.NewMap(list, value.Place{})
}

// part are some members of a map.
func part(v *value.Value, keys ...string) map[string]*value.Value {
	members := map[string]*value.Value{}
	for _, key := range keys {
		if below, ok := v.Get(key); ok {
			members[key] = below
		}
	}
	return members
}

// exporter makes one export.
type exporter struct {
	set       *Set
	see       func(*value.Value) *value.Value
	documents map[string]map[string]*value.Value // by the names of the groups, and by keys
}

func (x *exporter) put(group, key string, members map[string]*value.Value) {
	if x.documents[group] == nil {
		x.documents[group] = map[string]*value.Value{}
	}
	x.documents[group][key] = object(members)
}

// add puts a definition into the export, with what it needs to be decided.
func (x *exporter) add(e *entry) {
	if e.rollout != nil {
		x.put("rollouts", e.name.key, x.rollout(e))
		for i := range e.rollout.Rules {
			x.segments(&e.rollout.Rules[i].condition)
		}
		return
	}
	layer := x.set.layers[e.layer]
	x.put("experiments", e.name.key, x.experiment(e))
	x.put("layers", layer.Key, part(layer.at, "unit", "fallback", "salt", "holdout"))
	x.segments(&e.experiment.targeting)
}

// entries are the numbers of what is exported, in order, be it stopped or not.
func (x *exporter) entries() []uint16 {
	var all []uint16
	for n := range x.set.entries {
		if slices.ContainsFunc(x.set.entries[n].arms, func(a arm) bool { return a.visible(x.see) }) {
			all = append(all, uint16(n))
		}
	}
	all = x.set.closure(all)
	slices.Sort(all)
	return all
}

func (x *exporter) rollout(e *entry) map[string]*value.Value {
	doc := part(e.rollout.at, "unit", "fallback", "salt", "prerequisites", "force")
	doc["environments"] = x.environments()
	if _, own := e.rollout.at.Get("set"); own {
		doc["set"] = x.settings(&e.arms[0])
	}
	rules := make([]*value.Value, len(e.rollout.Rules))
	for i, r := range e.rollout.Rules {
		rule := part(r.at, "name", "when", "percentage", "ramp", "schedule")
		if _, own := r.at.Get("set"); own {
			rule["set"] = x.settings(&e.arms[r.arm])
		}
		rules[i] = object(rule)
	}
	doc["rules"] = value.NewList(rules, value.Place{})
	return doc
}

func (x *exporter) experiment(e *entry) map[string]*value.Value {
	doc := part(e.experiment.at, "status", "layer", "salt", "phase", "traffic", "slots", "targeting", "weights", "control", "force", "prerequisites")
	doc["environments"] = x.environments()
	variants := make(map[string]*value.Value, len(e.arms))
	for i := range e.arms {
		variant := part(e.arms[i].at, "weight", "slots")
		if set := x.settings(&e.arms[i]); set.Len() > 0 {
			variant["set"] = set
		}
		variants[e.arms[i].name] = object(variant)
	}
	doc["variants"] = object(variants)
	return doc
}

// environments are the one that the set is of: which others there are is nobody's business.
func (x *exporter) environments() *value.Value {
	return value.NewList([]*value.Value{value.NewString(x.set.environment, value.Place{})}, value.Place{})
}

// settings are what is seen of what an arm sets. Where that is nothing they are an empty map, so that the arm is told from others.
func (x *exporter) settings(a *arm) *value.Value {
	set := map[string]*value.Value{}
	if a.tree.Len() > 0 {
		seen := x.see(a.tree)
		for _, s := range a.settings {
			if v, ok := seen.At(s.Path); ok {
				set[written(s.Path)] = v
			}
		}
	}
	return object(set)
}

// written is a path as it can be parsed again: quoting may have made it too long.
func written(path value.Path) string {
	if dotted := path.String(); len(dotted) <= value.MaxPathBytes {
		return dotted
	}
	return path.Pointer()
}

// segments adds those that a condition asks, and those that they ask.
func (x *exporter) segments(c *condition) {
	if c.program == nil {
		return
	}
	for _, key := range c.program.Segments() {
		s := x.set.definitions.segment(key)
		if _, there := x.documents["segments"][key]; there || s == nil {
			continue
		}
		x.put("segments", key, part(s.at, "when"))
		x.segments(&s.condition)
	}
}

func (d *Definitions) segment(key string) *Segment {
	i, ok := slices.BinarySearchFunc(d.segments, key, func(s *Segment, key string) int { return compareKeys(s.Key, key) })
	if !ok {
		return nil
	}
	return d.segments[i]
}

// stopped are those that an operator has stopped. One that rests is in effect for nobody anyway.
func (x *exporter) stopped(entries []uint16) []*value.Value {
	var list []*value.Value
	for _, n := range entries {
		if e := &x.set.entries[n]; e.off && !e.rests() {
			list = append(list, value.NewMap([]value.Entry{text("kind", string(e.name.kind)), text("key", e.name.key)}, value.Place{}))
		}
	}
	return list
}

// schema is what is declared of attributes, without what is only for people.
func schema(v *value.Value) *value.Value {
	kept := part(v, "type", "additionalProperties")
	if items, ok := v.Get("items"); ok {
		kept["items"] = schema(items)
	}
	if properties, ok := v.Get("properties"); ok {
		members := map[string]*value.Value{}
		for _, e := range properties.Entries() {
			members[e.Key] = schema(e.Value)
		}
		kept["properties"] = object(members)
	}
	return object(kept)
}
