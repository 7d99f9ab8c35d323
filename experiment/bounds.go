package experiment

import (
	"maps"
	"slices"

	"github.com/trunkline/trunkline/value"
)

// bound refuses files that are too much together, before anything of them is read.
func (f Files) bound(to *report) {
	w := &weighing{report: to}
	for _, group := range []map[string]*value.Value{f.Rollouts, f.Experiments, f.Segments} {
		for _, key := range slices.Sorted(maps.Keys(group)) {
			if w.add(group[key]); to.errors > 0 {
				return
			}
		}
	}
}

// weighing counts what files cost most by.
type weighing struct {
	*report
	settings, rules, conditions int
}

func (w *weighing) add(doc *value.Value) {
	rules, variants := below(doc, "rules"), below(doc, "variants")
	w.rules += len(rules)
	w.one(doc)
	for _, arm := range slices.Concat(rules, variants) {
		w.one(arm.Value)
	}
	const hint = "end rollouts and experiments that are decided"
	switch {
	case w.settings > MaxAllSettings:
		w.fail(doc, "tooManySettings", hint, "all arms together set more than %d paths", MaxAllSettings)
	case w.rules > MaxAllRules:
		w.fail(doc, "tooManyRules", hint, "all rollouts together have more than %d rules", MaxAllRules)
	case w.conditions > MaxAllConditions:
		w.fail(doc, "conditionsTooLong", hint, "all conditions together have more than %d bytes", MaxAllConditions)
	}
}

// one counts what a definition or one of its parts says itself.
func (w *weighing) one(v *value.Value) {
	w.settings += len(below(v, "set"))
	for _, name := range []string{"when", "targeting"} {
		if condition, ok := v.Get(name); ok {
			w.conditions += len(condition.Str())
		}
	}
}

// below are what a member holds; none where it is not there.
func below(v *value.Value, key string) []value.Entry {
	if list, ok := v.Get(key); ok {
		return list.Entries()
	}
	return nil
}
