package experiment

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Explanation tells why somebody is in a definition or not, check by check, up to the one that decided.
type Explanation struct {
	Kind        Kind      `json:"kind"`
	Key         string    `json:"key"`
	Environment string    `json:"environment"`
	Unit        string    `json:"unit,omitempty"`
	In          bool      `json:"in"`
	Arm         string    `json:"arm,omitempty"` // as in [Arm]
	Forced      bool      `json:"forced,omitempty"`
	Checks      []Finding `json:"checks"`
}

// Finding is what one check came to. Unless it decided, the next one was asked.
type Finding struct {
	Check   Check  `json:"check"`
	Decided bool   `json:"decided,omitempty"`
	Text    string `json:"text"`
}

// Explain tells why somebody is in a rollout or an experiment or not, at a time. It is not ok where no file defines it.
func (s *Set) Explain(who *Context, now time.Time, kind Kind, key string) (x Explanation, ok bool) {
	x = Explanation{Kind: kind, Key: key, Environment: s.environment}
	name := file{kind, key}
	n := slices.IndexFunc(s.entries, func(e entry) bool { return e.name == name })
	if n < 0 {
		why, ok := s.definitions.absent(name, s.environment)
		x.add(CheckStatus, "%s", why)
		x.decided()
		return x, ok
	}
	d := s.decider(who, now)
	defer d.done()
	o := d.decide(n)
	x.In, x.Forced = o.In, o.Choice.Forced
	if o.In {
		x.Arm = s.entries[n].arms[o.Choice.Arm].name
	}
	d.explain(n, o, &x)
	x.decided()
	return x, true
}

func (x *Explanation) add(check Check, text string, args ...any) {
	x.Checks = append(x.Checks, Finding{Check: check, Text: fmt.Sprintf(text, args...)})
}

func (x *Explanation) decided() { x.Checks[len(x.Checks)-1].Decided = true }

// absent tells why a definition is not in effect in an environment for anybody.
func (d *Definitions) absent(name file, environment string) (why string, ok bool) {
	var environments []string
	if x, found := d.Rollout(name.key); found && name.kind == KindRollout {
		ok, environments = true, x.Environments
	} else if x, found := d.Experiment(name.key); found && name.kind == KindExperiment {
		if slices.Contains(x.Environments, environment) {
			return fmt.Sprintf("its status is %s: nobody is in it", x.Status), true
		}
		ok, environments = true, x.Environments
	}
	if !ok {
		return "there is none of this name", false
	}
	return fmt.Sprintf("it is not in %s, only in %s", environment, strings.Join(environments, ", ")), true
}

// explain adds what the checks came to, up to the one that the outcome names.
func (d *decider) explain(n int, o Outcome, x *Explanation) {
	e := &d.set.entries[n]
	checks := []Check{CheckStatus, CheckForced, CheckPrerequisite, CheckRule, CheckUnit, CheckPercentage}
	if e.experiment != nil {
		checks = []Check{CheckStatus, CheckForced, CheckHoldout, CheckPrerequisite, CheckTargeting, CheckUnit, CheckTraffic, CheckVariant}
		x.Unit = d.who.unit(&d.set.layers[e.layer].Unit)
	} else {
		x.Unit = d.who.unit(&e.rollout.Unit)
	}
	for _, check := range checks {
		switch {
		case check == CheckRule:
			d.explainRules(e.rollout, o, x)
		case e.rollout != nil && check == CheckUnit && o.Check != CheckUnit:
			// the percentage tells of the unit
		default:
			x.add(check, "%s", d.found(e, check, o, x.Unit))
		}
		if check == o.Check {
			return
		}
	}
}

// found is what one check came to, in words.
func (d *decider) found(e *entry, check Check, o Outcome, unit string) string {
	decides := check == o.Check
	switch check {
	case CheckStatus:
		return e.status(decides)
	case CheckForced:
		return e.forcing(decides, o, unit)
	case CheckHoldout:
		return d.heldOut(e, unit)
	case CheckPrerequisite:
		if decides {
			p := e.prerequisites()[o.need]
			return fmt.Sprintf("the prerequisite %s is not met", strings.TrimSpace(string(p.Kind)+" "+p.Key+" "+p.Variant))
		}
		if len(e.needs) == 0 {
			return "it requires nothing else"
		}
		return "what it requires is in effect"
	case CheckTargeting:
		return targeted(e.experiment.Targeting, decides, o)
	case CheckUnit:
		return unitFound(d.unitOf(e), decides, unit)
	case CheckTraffic:
		layer := d.set.layers[e.layer]
		return fmt.Sprintf("slot %d of the layer %s %s %s, %s of it", d.layerSlot(e.layer, unit), layer.Key, isAmong(!decides), e.experiment.Slots, share(e.experiment.Slots.Count()))
	case CheckVariant:
		variant := e.experiment.Variants[o.Choice.Arm]
		return fmt.Sprintf("slot %d of the experiment is of %s, which has %s", Slot(e.experiment.salt.text, unit), variant.Name, variant.Slots)
	default:
		rule := e.rollout.Rules[o.rule]
		now := rule.share.at(d.now)
		if !o.Split {
			return fmt.Sprintf("the rule %s includes %s now", rule.Name, share(now))
		}
		return fmt.Sprintf("slot %d of the rollout %s %s, the %s that the rule %s includes now", Slot(e.rollout.salt.text, unit), isAmong(o.In), first(now), share(now), rule.Name)
	}
}

func isAmong(in bool) string {
	if in {
		return "is among"
	}
	return "is not among"
}

func (d *decider) unitOf(e *entry) Unit {
	if e.rollout != nil {
		return e.rollout.Unit
	}
	return d.set.layers[e.layer].Unit
}

func (e *entry) status(out bool) string {
	switch {
	case !out:
		return "it is in effect"
	case e.experiment != nil && e.experiment.Status != Running:
		return fmt.Sprintf("its status is %s: nobody is in it", e.experiment.Status)
	default:
		return "an operator has stopped it"
	}
}

func (e *entry) forcing(decides bool, o Outcome, unit string) string {
	switch {
	case !decides:
		return "the file does not force the unit"
	case o.In:
		return fmt.Sprintf("the file forces %q to %s", unit, e.arms[o.Choice.Arm].name)
	default:
		return fmt.Sprintf("the file forces %q to what is configured", unit)
	}
}

func (d *decider) heldOut(e *entry, unit string) string {
	layer := d.set.layers[e.layer]
	if layer.Holdout == nil || unit == "" {
		return "nothing is held out for the unit"
	}
	slot := d.layerSlot(e.layer, unit)
	return fmt.Sprintf("slot %d of the layer %s %s %s, which no experiment gets", slot, layer.Key, isAmong(layer.Holdout.Contains(slot)), layer.Holdout)
}

func targeted(text string, decides bool, o Outcome) string {
	switch {
	case text == "":
		return "it is for everybody"
	case o.Err != nil && decides:
		return fmt.Sprintf("the condition cannot be evaluated: %v", o.Err)
	case decides:
		return "the condition does not hold"
	default:
		return "the condition holds"
	}
}

func unitFound(u Unit, missing bool, unit string) string {
	names := u.Attribute.Name
	if u.Fallback.path != nil {
		names += ", or " + u.Fallback.Name
	}
	if missing {
		return "the context has no unit: send " + names
	}
	return fmt.Sprintf("the unit is %q, from %s", unit, names)
}

// explainRules tells of the rules up to the one that matched.
func (d *decider) explainRules(r *Rollout, o Outcome, x *Explanation) {
	for i := range r.Rules {
		rule := &r.Rules[i]
		switch {
		case i == o.rule && o.Err != nil:
			x.add(CheckRule, "the rule %s cannot be evaluated: %v", rule.Name, o.Err)
		case i == o.rule && o.Check == CheckRule:
			x.add(CheckRule, "the rule %s matches, and includes everybody", rule.Name)
		case i == o.rule:
			x.add(CheckRule, "the rule %s matches", rule.Name)
		case !rule.window.open(d.now):
			x.add(CheckRule, "the rule %s does not count at this time", rule.Name)
		default:
			x.add(CheckRule, "the rule %s does not match", rule.Name)
		}
		if i == o.rule {
			return
		}
	}
	x.add(CheckRule, "no rule matches: what is configured stays")
}
