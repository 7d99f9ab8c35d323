package main

import (
	"errors"
	"fmt"
	"math"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/experiment/stats"
)

// sizing is a plan with what follows from it.
type sizing struct {
	Experiment  string  `json:"experiment,omitempty"`
	Metric      string  `json:"metric"`
	Baseline    float64 `json:"baseline"`
	SD          float64 `json:"sd,omitempty"`
	Alpha       float64 `json:"alpha"`
	Power       float64 `json:"power"` // that is reached
	Comparisons int     `json:"comparisons"`
	Effect      effect  `json:"effect"`
	UnitsTotal  int     `json:"unitsTotal"`
	Arms        []arm   `json:"arms"`
	Traffic     float64 `json:"traffic"`
	DailyUnits  int     `json:"dailyUnits,omitempty"`
	Days        int     `json:"days,omitempty"`
	Primaries   int     `json:"-"`
	Enough      *bool   `json:"enough,omitempty"` // of a plan that names both units and effect
	Needed      int     `json:"needed,omitempty"` // units, where they are not enough
	Smallest    *effect `json:"smallest,omitempty"`

	amount  experiment.Amount // the effect as it was written
	planned bool              // both came from a file
	short   bool
}

// arm is one variant of a plan, and what it has of the units.
type arm struct {
	Variant string  `json:"variant"`
	Share   float64 `json:"share"`
	Units   int     `json:"units"`
}

// effect is a difference of the metric. Relative is to the baseline, and not told where that is 0.
type effect struct {
	Absolute float64  `json:"absolute"`
	Relative *float64 `json:"relative,omitempty"`
}

func (z *sizing) effect(absolute float64) effect {
	e := effect{Absolute: absolute}
	if z.Baseline != 0 {
		relative := absolute / math.Abs(z.Baseline)
		e.Relative = &relative
	}
	return e
}

// solve computes what is not given: units, effect or power.
func (z *sizing) solve() error {
	m := stats.Mean(z.Baseline, z.SD*z.SD)
	if z.Metric == "proportion" {
		m = stats.Proportion(z.Baseline)
	}
	z.Comparisons = (len(z.Arms) - 1) * z.Primaries
	d := stats.Design{Alpha: z.Alpha, Power: z.Power, Comparisons: z.Comparisons}
	for _, a := range z.Arms {
		if a.Share == 0 {
			return errors.New("the control has no units to compare others with")
		}
		d.Shares = append(d.Shares, a.Share)
	}
	absolute := z.amount.Size
	if z.amount.Relative {
		absolute *= math.Abs(z.Baseline)
	}
	switch {
	case z.amount.Relative && z.Baseline == 0:
		return errors.New("nothing is relative to a baseline of 0; write the effect as a number that is added")
	case !m.Reachable(absolute):
		return fmt.Errorf("an effect of %s leads out of what a proportion can be", z.effectText(z.effect(absolute)))
	case z.UnitsTotal == 0:
		return z.units(d.Units(m, absolute), absolute)
	case z.amount.Size == 0:
		return z.smallest(d, m)
	}
	return z.reached(d, m, absolute)
}

// units settles how many there are, so that no arm has less than its share of them.
func (z *sizing) units(total, absolute float64) error {
	if !(total <= maxUnits) {
		return fmt.Errorf("%s takes more than %s units to be found", z.effectText(z.effect(absolute)), commas(maxUnits))
	}
	z.Effect, z.UnitsTotal = z.effect(absolute), 0
	for i, a := range z.Arms {
		z.Arms[i].Units = int(math.Ceil(total*a.Share - 1e-9))
		z.UnitsTotal += z.Arms[i].Units
	}
	z.days()
	return nil
}

// split gives each arm its share of the units that there are.
func (z *sizing) split() {
	for i, a := range z.Arms {
		z.Arms[i].Units = int(math.Round(float64(z.UnitsTotal) * a.Share))
	}
	z.days()
}

func (z *sizing) days() {
	if z.DailyUnits > 0 {
		z.Days = int(math.Ceil(float64(z.UnitsTotal) / (float64(z.DailyUnits) * z.Traffic)))
	}
}

func (z *sizing) smallest(d stats.Design, m stats.Measure) error {
	found := d.Effect(m, float64(z.UnitsTotal), false)
	if !m.Reachable(found) {
		return fmt.Errorf("%s units find no effect that a baseline of %s leaves room for", commas(z.UnitsTotal), z.amountOf(z.Baseline))
	}
	z.Effect = z.effect(found)
	z.amount = experiment.Amount{Size: found}
	if z.Effect.Relative != nil {
		z.amount = experiment.Amount{Size: math.Ceil(*z.Effect.Relative*experiment.Slots) / experiment.Slots, Relative: true}
	}
	z.split()
	return nil
}

// reached judges a plan that names both.
func (z *sizing) reached(d stats.Design, m stats.Measure, absolute float64) error {
	needed := d.Units(m, absolute)
	if !(needed <= maxUnits) {
		return fmt.Errorf("%s takes more than %s units to be found", z.effectText(z.effect(absolute)), commas(maxUnits))
	}
	z.Effect, z.Power = z.effect(absolute), d.Reached(m, absolute, float64(z.UnitsTotal))
	enough := float64(z.UnitsTotal) >= math.Floor(needed)
	z.Enough, z.short = &enough, !enough
	if z.short {
		z.Needed = int(math.Ceil(needed))
	}
	if smallest := d.Effect(m, float64(z.UnitsTotal), absolute < 0); z.short && m.Reachable(smallest) {
		e := z.effect(smallest)
		z.Smallest = &e
	}
	z.split()
	return nil
}
