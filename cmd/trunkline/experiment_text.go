package main

import (
	"math"
	"strconv"
	"strings"

	"github.com/trunkline/trunkline/experiment"
)

// text is the experiment's file.
func (x *newExperiment) text() string {
	b := &sheet{}
	b.line("# An experiment: units of the layer are split over the variants by chance, and the metrics tell which one is better.")
	b.line("# As a draft it assigns nobody. `trunkline experiment simulate %s` shows the split; status: running starts it.", x.Key)
	b.text("description", x.Description)
	b.text("owner", x.Owner)
	b.line("environments: [%s]", strings.Join(x.environments, ", "))
	b.line("status: draft # or running, paused, decided; once it ran it is never a draft again")
	b.line("layer: %s # whose units it shares with other experiments", x.Layer)
	b.line("salt: '%s' # random: it places units among the variants, so it stays as long as the file", newSalt())
	b.line("phase: 1 # one more whenever variants get other slots")
	x.trafficText(b)
	if x.Targeting != "" {
		b.line("targeting: %s # what the context does not say makes its comparison false", yamlText(x.Targeting))
	}
	x.variantsText(b)
	x.metricsText(b)
	x.planText(b)
	return b.String()
}

// runningText is the text as if the experiment ran, with a plan if it has none. Every other line stays where it is.
func runningText(text string) string {
	text = strings.Replace(text, "\nstatus: draft ", "\nstatus: running ", 1)
	if !strings.Contains(text, "\nplan:") {
		text += "plan: {unitsTotal: 1, minimumEffect: {relative: 1%}}\n"
	}
	return text
}

func (x *newExperiment) trafficText(b *sheet) {
	if len(x.slots) == 1 && x.slots[0].First == 0 {
		b.line("traffic: %s # of the layer; growing or shrinking it moves nobody to another variant", percent(x.slots.Count()))
		return
	}
	b.line("slots: [%s] # %s of the layer, which no other experiment has", x.slots, percent(x.slots.Count()))
}

func (x *newExperiment) variantsText(b *sheet) {
	if x.control != "control" {
		b.line("control: %s # others are compared with it", x.control)
	}
	if x.Weights == "equal" {
		b.line("weights: equal")
	}
	b.line("variants:")
	for _, v := range x.variants {
		if len(v.set) == 0 && x.Weights == "equal" {
			b.line("  %s: {} # gets what is configured", v.name)
			continue
		}
		b.line("  %s:", v.name)
		if x.Weights != "equal" {
			b.line("    weight: %s", percent(v.weight))
		}
		if len(v.set) > 0 {
			b.line("    set:")
			b.settings("      ", v.set)
		}
	}
}

func (x *newExperiment) metricsText(b *sheet) {
	b.line("metrics:")
	b.line("  primary: [%s] # what decides", strings.Join(x.Primary, ", "))
	if len(x.guardrails) == 0 {
		b.line("  # guardrails: [{metric: error-rate, margin: {absolute: 0.2%%}}] # what must not get worse by more than the margin")
		return
	}
	b.line("  guardrails: # what must not get worse by more than the margin")
	for _, g := range x.guardrails {
		b.line("    - {metric: %s, margin: %s}", g.Metric, amountText(g.Margin, g.Margin.Size < 1))
	}
}

func (x *newExperiment) planText(b *sheet) {
	mark := ""
	if x.plan == nil {
		mark = "# "
		b.line("# The plan is settled before it starts, so that nobody stops at a lucky moment. It cannot run without one:")
	}
	b.line(mark + "plan:")
	if x.plan == nil {
		b.line("#   unitsTotal: 120000 # `trunkline experiment plan %s --baseline 4%% --effect 10%%` computes it", x.Key)
		b.line("#   minimumEffect: {relative: 10%%}")
	} else {
		b.line("  unitsTotal: %d # they find the effect below on a baseline of %s", x.plan.UnitsTotal, x.Baseline)
		b.line("  minimumEffect: %s # the smallest that is worth finding", x.plan.amountText())
		b.line("  alpha: %g # how often nothing is taken for something", x.plan.Alpha)
		b.line("  power: %g # how often the effect is found", x.plan.Power)
	}
	b.line(mark + "  minRuntime: 7d # whole weeks: people differ by the day")
	b.line(mark + "  onInconclusive: rollback # or ship")
}

func (x *newExperiment) layerText() string {
	b := &sheet{}
	b.line("# A layer: experiments that share its units. A unit is in one of them at most.")
	b.line("unit: %s # the attribute of the context that names who is split", yamlText(x.Unit))
	b.line("salt: '%s' # random: it places the units, so it stays as long as the file", newSalt())
	b.line("# holdout: 5%% # slots that no experiment gets")
	return b.String()
}

func metricText(key, kind string) string {
	b := &sheet{}
	b.line("# What an outcome means. Look it through: only its name is known so far.")
	b.line("kind: %s # proportion of units to which the event happened, mean of a number of each unit, ratio of two numbers of each unit", kind)
	b.line("event: %s # the outcome, by the name it is published with", key)
	switch kind {
	case "mean":
		b.line("aggregation: sum")
		b.line("value: amount # the property of the event that is summed")
	case "ratio":
		b.line("denominator: {event: visit, aggregation: count} # what it is divided by")
	}
	b.line("better: higher # or lower")
	return b.String()
}

// amountText is a difference as files write it; one that is no share is written as a number.
func amountText(a experiment.Amount, share bool) string {
	kind, size := "absolute", strconv.FormatFloat(a.Size, 'g', -1, 64)
	if a.Relative {
		kind = "relative"
	}
	slots := math.Round(a.Size * experiment.Slots)
	if (share || a.Relative) && slots >= 1 && slots <= experiment.Slots && math.Abs(a.Size*experiment.Slots-slots) < 1e-9 {
		size = percent(int(slots))
	}
	return "{" + kind + ": " + size + "}"
}
