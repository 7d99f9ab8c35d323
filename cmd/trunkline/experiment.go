package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

type experimentCmd struct {
	New      experimentNewCmd      `cmd:"" help:"Write an experiment, and the layer and metrics that it needs."`
	Plan     experimentPlanCmd     `cmd:"" help:"How many units find an effect, or how small an effect they find."`
	Simulate experimentSimulateCmd `cmd:"" help:"Try out the split before anything is merged."`
}

type experimentNewCmd struct {
	Key         string   `arg:"" help:"Name of the experiment: letters, digits, _ and -." placeholder:"KEY"`
	Layer       string   `help:"Whose traffic it shares; written if it is not there." required:"" placeholder:"NAME"`
	Variant     []string `help:"NAME, which gets what is configured, or NAME:PATH=VALUE; one variant may be given again with another path." required:"" placeholder:"VARIANT" sep:"none"`
	Weights     string   `help:"equal, or the share of each, as control=80%,green=20%." default:"equal" placeholder:"WEIGHTS"`
	Traffic     string   `help:"Its share of the layer, as 20%; all that is free without it." placeholder:"SHARE"`
	Targeting   string   `help:"Whom it concerns, in CEL, as 'context.country == \"DE\"'." placeholder:"CEL"`
	Primary     []string `help:"Metric that decides; written if it is not there. May be given again." required:"" placeholder:"METRIC"`
	Guardrail   []string `help:"Metric that must not get worse by more than a margin, as error-rate=0.2pp or latency=5%. May be given again." placeholder:"METRIC=MARGIN"`
	Env         []string `help:"Environments it counts in; may be left out where there is only one." short:"e" placeholder:"NAME" sep:","`
	Unit        string   `help:"Of a new layer: the attribute of the context that names who is split." default:"targetingKey" placeholder:"NAME"`
	Owner       string   `help:"Who answers for it." placeholder:"NAME"`
	Description string   `help:"What is expected of it." placeholder:"TEXT"`
	Dir         string   `help:"Directory of the config repo." default:"." placeholder:"DIR"`
	Force       bool     `help:"Write the files though they have problems, and layers and metrics though their names are close to others. A file that is there is never overwritten."`
	measureFlags
}

func (experimentNewCmd) Help() string {
	return `Writes experiments/KEY.yaml as a draft, with a random salt and with comments that say what is what, and the layer and the metrics that
are not there yet. A VALUE is of the kind that is configured: a text as it is written, anything else as JSON. With --baseline and
--effect the plan is filled in. All is judged before it is written, as if the experiment ran.

Examples:
  trunkline experiment new checkout-button --env prod --layer checkout --traffic 20% \
    --variant control --variant green:checkout.ui.button.color=green \
    --primary purchase-rate --guardrail error-rate=0.2pp --baseline 4% --effect 10%`
}

// newVariant is a variant that is about to be written.
type newVariant struct {
	name   string
	set    []experiment.Setting
	weight int
}

// newExperiment is what the flags came to.
type newExperiment struct {
	experimentNewCmd
	environments []string
	variants     []newVariant
	control      string
	slots        experiment.Ranges
	guardrails   []experiment.Guardrail
	plan         *sizing // nil where it cannot be computed
}

func (c experimentNewCmd) Run(ctx context.Context, s *streams) error {
	tree, err := openTree(ctx, c.Dir)
	if err != nil {
		return err
	}
	n := &newFiles{dir: c.Dir, tree: tree, force: c.Force}
	name := definition{experiment.KindExperiment, c.Key}
	if err := n.begin(name); err != nil {
		return err
	}
	x, err := c.settle(ctx, tree)
	if err != nil {
		return err
	}
	n.environments = x.environments
	text := x.text()
	n.addJudged(name, text, runningText(text))
	if err := x.leanOn(n); err != nil {
		return err
	}
	if err := n.write(ctx, s); err != nil {
		return err
	}
	x.next(s, n)
	return nil
}

// settle reads the flags.
func (c experimentNewCmd) settle(ctx context.Context, tree *repoTree) (*newExperiment, error) {
	x := &newExperiment{experimentNewCmd: c}
	var err error
	if x.environments, err = tree.environments(c.Env); err != nil {
		return nil, err
	}
	if err := x.readVariants(ctx, tree); err != nil {
		return nil, err
	}
	if err := x.readGuardrails(); err != nil {
		return nil, err
	}
	if x.slots, err = x.traffic(tree); err != nil {
		return nil, err
	}
	x.plan, err = x.sizing(tree)
	return x, err
}

func (x *newExperiment) readVariants(ctx context.Context, tree *repoTree) error {
	for _, text := range x.Variant {
		name, set, sets := strings.Cut(text, ":")
		i := slices.IndexFunc(x.variants, func(v newVariant) bool { return v.name == name })
		if i < 0 {
			i = len(x.variants)
			x.variants = append(x.variants, newVariant{name: name})
		}
		if !keyText.MatchString(name) {
			return misused("--variant: %q names no variant; write NAME or NAME:PATH=VALUE", name)
		}
		if !sets {
			continue
		}
		one, err := tree.settings(ctx, x.environments, []string{set})
		if err != nil {
			return misused("--variant %s: %w", name, err)
		}
		x.variants[i].set = append(x.variants[i].set, one...)
	}
	if n := len(x.variants); n < 2 || n > experiment.MaxVariants {
		return fmt.Errorf("there are %d variants; give 2 to %d, as --variant control --variant green:checkout.ui.button.color=green", n, experiment.MaxVariants)
	}
	x.control = x.variants[0].name
	if slices.ContainsFunc(x.variants, func(v newVariant) bool { return v.name == "control" }) {
		x.control = "control"
	}
	return x.weigh()
}

// weigh reads the weights; equal ones are 0.
func (x *newExperiment) weigh() error {
	if x.Weights == "equal" {
		return nil
	}
	sum := 0
	for text := range strings.SplitSeq(x.Weights, ",") {
		name, share, _ := strings.Cut(text, "=")
		slots, err := slotsOf(share)
		i := slices.IndexFunc(x.variants, func(v newVariant) bool { return v.name == name })
		if err != nil || i < 0 {
			return misused("--weights: %q is no share of a variant; write equal, or as control=80%%,green=20%%", text)
		}
		x.variants[i].weight = slots
		sum += slots
	}
	if sum != experiment.Slots {
		return misused("--weights sum to %s, and must to 100%%", percent(sum))
	}
	return nil
}

// shares are those of the variants, the control's first.
func (x *newExperiment) shares() []arm {
	var arms []arm
	for _, v := range x.variants {
		share := float64(v.weight) / experiment.Slots
		if x.Weights == "equal" {
			share = 1 / float64(len(x.variants))
		}
		one := arm{Variant: v.name, Share: share}
		if v.name == x.control {
			arms = slices.Insert(arms, 0, one)
		} else {
			arms = append(arms, one)
		}
	}
	return arms
}

func (x *newExperiment) readGuardrails() error {
	for _, text := range x.Guardrail {
		metric, margin, _ := strings.Cut(text, "=")
		amount, err := parseAmount(margin)
		if err != nil || amount.Size <= 0 {
			return misused("--guardrail: %q has no margin; write METRIC=MARGIN, as error-rate=0.2pp or latency=5%%", text)
		}
		x.guardrails = append(x.guardrails, experiment.Guardrail{Metric: metric, Margin: amount})
	}
	return nil
}

// traffic finds slots of the layer that no other experiment has, nor a draft that may want them.
func (x *newExperiment) traffic(tree *repoTree) (experiment.Ranges, error) {
	definitions, _ := experiment.Parse(tree.files)
	free := experiment.Ranges{{First: 0, Last: experiment.Slots - 1}}
	if layer, ok := definitions.Layer(x.Layer); ok {
		free = free.Without(layer.Holdout)
	}
	for _, other := range definitions.Experiments() {
		shared := slices.ContainsFunc(other.Environments, func(env string) bool { return slices.Contains(x.environments, env) })
		if other.Layer == x.Layer && shared && other.Status != experiment.Decided {
			free = free.Without(other.Slots)
		}
	}
	want := free.Count()
	if x.Traffic != "" {
		var err error
		if want, err = slotsOf(x.Traffic); err != nil {
			return nil, misused("--traffic: %w", err)
		}
	}
	if want > free.Count() || want == 0 {
		const hint = "take less, end another experiment of it, or choose another layer"
		return nil, fmt.Errorf("the layer %s has %s left for --traffic; %s", x.Layer, percent(free.Count()), hint)
	}
	return firstOf(free, want), nil
}

// firstOf are the first n of some slots.
func firstOf(slots experiment.Ranges, n int) experiment.Ranges {
	var taken experiment.Ranges
	for _, r := range slots {
		if n <= 0 {
			break
		}
		r.Last = min(r.Last, r.First+n-1)
		n -= r.Last - r.First + 1
		taken = append(taken, r)
	}
	return taken
}

// sizing is the plan, where the flags tell what is needed for one.
func (x *newExperiment) sizing(tree *repoTree) (*sizing, error) {
	if x.Baseline == "" && x.Effect == "" {
		return nil, nil
	}
	if x.Baseline == "" || x.Effect == "" {
		return nil, errors.New("a plan takes both --baseline and --effect")
	}
	if x.Metric == "" {
		definitions, _ := experiment.Parse(tree.files)
		x.Metric = kindOfMetric(definitions, x.Primary[0])
	}
	z := sizing{Arms: x.shares(), Primaries: len(x.Primary)}
	if err := x.fill(&z); err != nil {
		return nil, err
	}
	return &z, z.solve()
}

// leanOn adds the layer and the metrics that are not there.
func (x *newExperiment) leanOn(n *newFiles) error {
	if err := x.needed(n, definition{experiment.KindLayer, x.Layer}, x.layerText()); err != nil {
		return err
	}
	for _, metric := range x.Primary {
		if err := x.needed(n, definition{experiment.KindMetric, metric}, metricText(metric, cmp.Or(x.Metric, "proportion"))); err != nil {
			return err
		}
	}
	for _, g := range x.guardrails {
		if err := x.needed(n, definition{experiment.KindMetric, g.Metric}, metricText(g.Metric, "proportion")); err != nil {
			return err
		}
	}
	return nil
}

// needed adds a file, unless it is there. A name that is nearly another's was most likely meant to be that one.
func (x *newExperiment) needed(n *newFiles, d definition, text string) error {
	_, there := n.tree.found[d]
	if there || n.has(n.path(d)) {
		return nil
	}
	if near := value.Nearest(d.key, n.tree.keys(d.kind)); near != "" && !x.Force {
		return fmt.Errorf("there is no %s %q; did you mean %s? A new one is made with --force", d.kind, d.key, near)
	}
	if err := n.begin(d); err != nil {
		return err
	}
	n.add(d, text)
	return nil
}

// next says what is there now, and what comes next.
func (x *newExperiment) next(s *streams, n *newFiles) {
	var names []string
	for _, f := range n.files {
		names = append(names, filepath.Join(x.Dir, f.name))
		fmt.Fprintln(s.out, names[len(names)-1])
	}
	fmt.Fprintf(s.err, "%s is a draft: nobody is in it. Look the new files through. Next:\n\n", x.Key)
	if x.plan == nil {
		fmt.Fprintf(s.err, "  trunkline experiment plan %s --baseline 4%% --effect 10%%    # then write the plan\n", x.Key)
	}
	fmt.Fprintf(s.err, "  trunkline experiment simulate %s\n", x.Key)
	fmt.Fprintf(s.err, "  git add %s && git commit -m 'Draft the experiment %s'\n\nstatus: running starts it.\n", strings.Join(names, " "), x.Key)
}
