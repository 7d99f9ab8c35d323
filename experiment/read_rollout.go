package experiment

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/trunkline/trunkline/value"
)

// rollout reads the document of rollouts/key.yaml.
func (r *reader) rollout(key string, doc *value.Value) *Rollout {
	x := &Rollout{Key: key, Unit: Unit{Attribute: TargetingKey}, at: doc}
	r.members(doc, "a rollout", []member{
		{"environments", "environments: [prod]", r.environments(&x.Environments)},
		{"description", "", r.text("description", &x.Description)},
		{"owner", "", r.text("owner", &x.Owner)},
		{"expires", "", r.date("expires", &x.Expires)},
		{"unit", "", r.attribute("unit", &x.Unit.Attribute)},
		{"fallback", "", r.attribute("fallback", &x.Unit.Fallback)},
		{"salt", "", r.salt(&x.salt)},
		{"set", "", r.settings(&x.Set)},
		{"rules", "rules: [{name: everyone, percentage: 5%}]", func(v *value.Value) { r.rules(x, v) }},
		{"prerequisites", "", r.prerequisites(&x.Prerequisites)},
		{"force", "", r.force(&x.Force, x.forced(r))},
	})
	if i := slices.IndexFunc(x.Rules, func(rule Rule) bool { return rule.share.partial() }); i >= 0 && x.salt.at == nil {
		r.fail(x.Rules[i].at, "salt", "add some random letters and digits, as salt: '41be77c20a9d'", "the rollout has percentages, and no salt")
	}
	return x
}

// date reads a day. It is not compared with a clock here: what a commit is judged by must not depend on when.
func (r *reader) date(name string, to *string) func(*value.Value) {
	return func(v *value.Value) {
		*to = v.Str()
		if _, err := time.Parse(time.DateOnly, *to); v.Kind() != value.String || err != nil {
			r.wrong(v, "write "+name+": 2027-03-01", "%s is no date", name)
		}
	}
}

func (r *reader) rules(x *Rollout, v *value.Value) {
	const example = "rules: [{name: everyone, percentage: 5%}]"
	_, set := x.at.Get("set")
	if set {
		x.arms = append(x.arms, newArm("on", x.Set, x.at))
	}
	if v.Kind() == value.List && v.Len() == 0 {
		r.wrong(v, "write "+example, "a rollout without a rule is for nobody")
	}
	r.each(v, "rules", example, MaxRules, func(_ int, item *value.Value) {
		rule := r.oneRule(x, item)
		if slices.ContainsFunc(x.Rules, func(other Rule) bool { return other.Name == rule.Name && rule.Name != "" }) {
			r.wrong(item, "give each a name of its own", "two rules are named %s", rule.Name)
		}
		if _, own := item.Get("set"); !own && !set && item.Kind() == value.Map {
			r.wrong(item, "add a set to the rule or to the rollout", "the rule %s sets nothing", rule.Name)
		}
		x.Rules = append(x.Rules, rule)
	})
}

func (r *reader) oneRule(x *Rollout, v *value.Value) Rule {
	rule := Rule{at: v, share: always, window: forever}
	r.members(v, "a rule", []member{
		{"name", "name: everyone", r.key("name", &rule.Name)},
		{"when", "", r.condition("when", &rule.condition)},
		{"percentage", "", func(v *value.Value) { r.percentage(v, &rule.share) }},
		{"ramp", "", func(v *value.Value) { r.ramp(v, &rule.share) }},
		{"schedule", "", func(v *value.Value) { r.schedule(v, &rule.window) }},
		{"set", "", r.settings(&rule.Set)},
	})
	rule.When = rule.condition.text
	if _, ok := v.Get("ramp"); ok {
		if p, both := v.Get("percentage"); both {
			r.wrong(p, "keep one of them", "a rule has a percentage or a ramp, not both")
		}
	}
	if _, own := v.Get("set"); own {
		rule.arm = len(x.arms)
		x.arms = append(x.arms, newArm(rule.Name, rule.Set, v))
	}
	return rule
}

func (r *reader) key(name string, to *string) func(*value.Value) {
	return func(v *value.Value) {
		if *to = v.Str(); !isKey(*to) {
			r.wrong(v, keyHint, "%q is no %s", *to, name)
		}
	}
}

func (r *reader) percentage(v *value.Value, to *curve) {
	slots := 0
	r.share("percentage", &slots)(v)
	*to = curve{{math.MinInt64, slots}}
}

// schedule reads when a rule counts.
func (r *reader) schedule(v *value.Value, to *window) {
	w := forever
	r.members(v, "a schedule", []member{
		{"start", "", r.instant("start", &w.start)},
		{"end", "", r.instant("end", &w.end)},
	})
	switch {
	case v.Kind() == value.Map && v.Len() == 0:
		r.wrong(v, "write schedule: {start: 2026-12-01T09:00:00Z, end: 2026-12-08T09:00:00Z}, or one of them", "a schedule has no start and no end")
	case w.end <= w.start:
		r.fail(v, "schedule", "let the end come after the start", "the schedule ends before it starts")
	}
	*to = w
}

// forced reads the arm of a forced unit: true is the rollout's set, false the configured value, a name the set of that rule.
func (x *Rollout) forced(r *reader) func(*value.Value) (int, bool) {
	return func(v *value.Value) (int, bool) {
		if v.Kind() == value.Bool && !v.Bool() {
			return -1, true
		}
		if _, own := x.at.Get("set"); own && v.Kind() == value.Bool {
			return 0, true
		}
		var names []string
		for _, rule := range x.Rules {
			if rule.Name == v.Str() {
				return rule.arm, true
			}
			names = append(names, rule.Name)
		}
		if v.Kind() == value.Bool {
			r.wrong(v, "name the rule whose set is meant: "+strings.Join(names, ", "), "the rollout itself sets nothing")
		} else {
			r.wrong(v, "write true, false or the name of a rule", "a unit is forced to true, to false or to a rule")
		}
		return 0, false
	}
}

// prerequisites read what else must be in effect.
func (r *reader) prerequisites(to *[]Prerequisite) func(*value.Value) {
	return func(v *value.Value) {
		const example = "prerequisites: [{rollout: new-checkout}, {experiment: checkout-button, variant: green}]"
		r.each(v, "prerequisites", example, MaxPrerequisites, func(_ int, item *value.Value) {
			var p Prerequisite
			var rollout, experiment string
			r.members(item, "a prerequisite", []member{
				{"rollout", "", r.text("rollout", &rollout)},
				{"experiment", "", r.text("experiment", &experiment)},
				{"variant", "", r.text("variant", &p.Variant)},
			})
			p.Kind, p.Key, p.at = KindRollout, rollout, item
			if experiment != "" {
				p.Kind, p.Key = KindExperiment, experiment
			}
			if (rollout == "") == (experiment == "") || rollout != "" && p.Variant != "" {
				r.wrong(item, "write "+example, "a prerequisite names a rollout, or an experiment and perhaps its variant")
				return
			}
			*to = append(*to, p)
		})
	}
}
