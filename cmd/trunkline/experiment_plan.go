package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// measureFlags say what a metric is now, and which effect is looked for.
type measureFlags struct {
	Metric   string  `help:"proportion, mean or ratio; what the file of the primary metric says, or else proportion." placeholder:"KIND" default:"" enum:"proportion,mean,ratio,"`
	Baseline string  `help:"What the metric is now: 4% of a proportion, a number of a mean or a ratio." placeholder:"AMOUNT"`
	Effect   string  `help:"Smallest effect that is worth finding: 10% of the baseline, 0.4pp, or a number that is added. Below 0 is written --effect=-10%." placeholder:"AMOUNT"`
	SD       float64 `name:"sd" help:"Standard deviation of one unit, of a mean; of a ratio that of m − R·d over the mean of d." placeholder:"NUMBER"`
	Alpha    float64 `help:"How probable it may be that any comparison finds what is not there; 0.05 without it." placeholder:"NUMBER"`
	Power    float64 `help:"How probable it shall be that the effect is found; 0.8 without it." placeholder:"NUMBER"`
}

type experimentPlanCmd struct {
	Key string `arg:"" optional:"" help:"Experiment whose own plan is checked, or filled in." placeholder:"KEY"`
	measureFlags
	Units      int    `help:"Units in all: how small an effect do they find?" placeholder:"NUMBER"`
	Variants   int    `help:"Variants, the control among them." default:"2" placeholder:"NUMBER"`
	Weights    string `help:"Their shares, the control's first, as 80%,20%; equal ones without it." placeholder:"WEIGHTS"`
	DailyUnits int    `help:"New units a day, of all traffic: how many days does it take?" placeholder:"NUMBER"`
	Traffic    string `help:"Share of them that is in the experiment; all, or what the file says, without it." placeholder:"SHARE"`
	Dir        string `help:"Directory of the config repo." default:"." placeholder:"DIR"`
	output
}

func (experimentPlanCmd) Help() string {
	return `Computes how many units are needed to find an effect, or with --units the smallest effect that they find, or with both the power. Tests
are two-sided; several comparisons share alpha (Bonferroni): each variant with the control, in each primary metric. It is the size
for one look at the end.

With KEY, variants, metric, traffic and plan are those of the file, as far as no flag says otherwise. The exit code is 1 when the
plan's units do not find its effect with its power.

Examples:
  trunkline experiment plan --baseline 4% --effect 10% --daily-units 5000 --traffic 20%
  trunkline experiment plan --baseline 4% --units 120000
  trunkline experiment plan --metric mean --baseline 31.5 --sd 40 --effect 0.5 --variants 3
  trunkline experiment plan checkout-button --baseline 4%`
}

func (c experimentPlanCmd) Run(ctx context.Context, s *streams) error {
	z := sizing{UnitsTotal: c.Units, DailyUnits: c.DailyUnits, Traffic: 1, Primaries: 1}
	var err error
	if c.Key != "" {
		err = c.fromFile(ctx, s, &z)
	} else {
		z.Arms, err = c.arms()
	}
	if err != nil {
		return err
	}
	if err := c.traffic(&z); err != nil {
		return err
	}
	if err := c.fill(&z); err != nil {
		return err
	}
	if z.UnitsTotal == 0 && z.amount.Size == 0 {
		return errors.New("name the effect to be found with --effect 10%, or how many units there are with --units 120000")
	}
	if z.UnitsTotal < 0 || z.UnitsTotal > maxUnits || z.DailyUnits < 0 {
		return misused("--units and --daily-units are counts, of %d at most", maxUnits)
	}
	if err := z.solve(); err != nil {
		return err
	}
	if c.json() {
		err = indented(s.out, z)
	} else {
		z.write(s.out)
	}
	if err == nil && z.short {
		return errNo
	}
	return err
}

// maxUnits is as many as a plan may have.
const maxUnits = 1_000_000_000_000

// arms are those that the flags describe.
func (c experimentPlanCmd) arms() ([]arm, error) {
	if c.Weights == "" {
		if c.Variants < 2 || c.Variants > experiment.MaxVariants {
			return nil, misused("--variants: an experiment has 2 to %d", experiment.MaxVariants)
		}
		arms := make([]arm, c.Variants)
		for i := range arms {
			arms[i] = arm{Variant: armName(i), Share: 1 / float64(c.Variants)}
		}
		return arms, nil
	}
	var arms []arm
	sum := 0
	for text := range strings.SplitSeq(c.Weights, ",") {
		slots, err := slotsOf(text)
		if err != nil {
			return nil, misused("--weights: %w", err)
		}
		if slots == 0 {
			return nil, misused("--weights: a variant without units is compared with nothing")
		}
		sum += slots
		arms = append(arms, arm{Variant: armName(len(arms)), Share: float64(slots) / experiment.Slots})
	}
	if sum != experiment.Slots || len(arms) < 2 || len(arms) > experiment.MaxVariants {
		return nil, misused("--weights: 2 to %d of them sum to 100%%, as 80%%,20%%", experiment.MaxVariants)
	}
	return arms, nil
}

func armName(i int) string {
	if i == 0 {
		return "control"
	}
	return fmt.Sprintf("variant %d", i)
}

func (c experimentPlanCmd) traffic(z *sizing) error {
	if c.Traffic == "" {
		return nil
	}
	slots, err := slotsOf(c.Traffic)
	if err != nil || slots == 0 {
		return misused("--traffic: %w", cmp.Or(err, errors.New("without traffic nothing is found")))
	}
	z.Traffic = float64(slots) / experiment.Slots
	return nil
}

// fromFile takes from an experiment's file what no flag says.
func (c *experimentPlanCmd) fromFile(ctx context.Context, s *streams, z *sizing) error {
	tree, err := openTree(ctx, c.Dir)
	if err != nil {
		return err
	}
	tree.tellUnread(s)
	definitions, problems := experiment.Parse(tree.files)
	x, err := tree.experiment(definitions, problems, c.Key)
	if err != nil {
		return err
	}
	z.Arms, z.Traffic, z.Primaries, z.Experiment = armsOf(x), float64(x.Slots.Count())/experiment.Slots, max(1, len(x.Metrics.Primary)), c.Key
	if c.Metric == "" && len(x.Metrics.Primary) > 0 {
		c.Metric = kindOfMetric(definitions, x.Metrics.Primary[0])
	}
	if c.Baseline == "" {
		return fmt.Errorf("say what %s is now with --baseline 4%%: the file does not know", strings.Join(append(x.Metrics.Primary, "the metric")[:1], ""))
	}
	if p := x.Plan; p != nil {
		z.planned = c.Effect == "" && c.Units == 0
		z.UnitsTotal = cmp.Or(z.UnitsTotal, p.UnitsTotal)
		z.amount = p.MinimumEffect
		c.Alpha, c.Power = cmp.Or(c.Alpha, p.Alpha), cmp.Or(c.Power, p.Power)
	}
	return nil
}

// armsOf are the variants of an experiment that have units, the control first.
func armsOf(x *experiment.Experiment) []arm {
	var arms []arm
	for _, v := range x.Variants {
		one := arm{Variant: v.Name, Share: float64(v.Weight()) / experiment.Slots}
		switch {
		case v.Name == x.Control:
			arms = slices.Insert(arms, 0, one)
		case v.Weight() > 0:
			arms = append(arms, one)
		}
	}
	return arms
}

// kindOfMetric is what a metric's file says; a proportion where there is none.
func kindOfMetric(definitions *experiment.Definitions, key string) string {
	for _, m := range definitions.Metrics() {
		if m.Key == key {
			return m.Kind
		}
	}
	return "proportion"
}

// experiment finds an experiment; what is wrong with its file is told.
func (t *repoTree) experiment(definitions *experiment.Definitions, problems []experiment.Problem, key string) (*experiment.Experiment, error) {
	if x, ok := definitions.Experiment(key); ok {
		return x, nil
	}
	file, there := t.found[definition{experiment.KindExperiment, key}]
	if !there {
		known := t.keys(experiment.KindExperiment)
		if len(known) == 0 {
			return nil, fmt.Errorf("there is no experiment %q; `trunkline experiment new` writes one", key)
		}
		return nil, fmt.Errorf("there is no experiment %q; %s", key, value.Suggestion(key, known, "there are "))
	}
	for _, p := range problems {
		if p.Place.File == file.name && !p.Warning {
			return nil, errors.New(p.String())
		}
	}
	return nil, fmt.Errorf("%s cannot be read; see trunkline validate", file.name)
}

// fill reads the flags into what is to be computed.
func (f measureFlags) fill(z *sizing) error {
	z.Metric = cmp.Or(f.Metric, "proportion")
	z.Alpha, z.Power = cmp.Or(f.Alpha, 0.05), cmp.Or(f.Power, 0.8)
	switch {
	case z.Alpha <= 0 || z.Alpha >= 0.5:
		return misused("--alpha is between 0 and 0.5, as 0.05")
	case z.Power < 0.5 || z.Power >= 1:
		return misused("--power is from 0.5 and below 1, as 0.8")
	case f.Baseline == "":
		return errors.New("say what the metric is now with --baseline 4%")
	}
	baseline, err := parseAmount(f.Baseline)
	if err != nil {
		return misused("--baseline: %w", err)
	}
	z.Baseline, z.SD = baseline.Size, f.SD
	switch {
	case z.Metric == "proportion" && (z.Baseline <= 0 || z.Baseline >= 1):
		return misused("--baseline: a proportion is between 0%% and 100%%")
	case z.Metric == "proportion" && f.SD != 0:
		return misused("--sd: that of a proportion follows from the baseline; leave it out, or say --metric mean")
	case z.Metric != "proportion" && !(f.SD > 0 && f.SD < math.MaxFloat32):
		return fmt.Errorf("a %s takes the standard deviation of one unit, as --sd 40", z.Metric)
	}
	if f.Effect == "" {
		return nil
	}
	if z.amount, err = parseAmount(f.Effect); err != nil {
		return misused("--effect: %w", err)
	}
	if z.amount.Size == 0 {
		return misused("--effect: nothing takes ever so many units to be found")
	}
	return nil
}

// parseAmount reads 10%, which is relative, 0.4pp, or a number.
func parseAmount(text string) (experiment.Amount, error) {
	a, scale, number := experiment.Amount{}, 1.0, text
	if n, ok := strings.CutSuffix(text, "%"); ok {
		number, scale, a.Relative = n, 100, true
	} else if n, ok := strings.CutSuffix(text, "pp"); ok {
		number, scale = n, 100
	}
	size, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(size) || math.Abs(size) > math.MaxFloat32 {
		return a, fmt.Errorf("%q is no amount, as 10%%, 0.4pp or 0.5", text)
	}
	a.Size = size / scale
	return a, nil
}
