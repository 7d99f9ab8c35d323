package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

type experimentSimulateCmd struct {
	Key      []string `arg:"" optional:"" help:"Experiments to try out; all that are not decided without them." placeholder:"KEY"`
	Contexts string   `help:"File with a context a line, as JSON: each is one unit. - is standard input." placeholder:"FILE" xor:"units"`
	Units    int      `help:"How many units to make up; 100000 without it." placeholder:"NUMBER" xor:"units"`
	IDs      string   `name:"ids" help:"How made-up units are named: uuid, sequence or email." default:"uuid" enum:"uuid,sequence,email"`
	Context  string   `help:"What all made-up units say of themselves, as '{\"country\": \"DE\"}'." placeholder:"JSON"`
	Seed     uint64   `help:"Another number makes up other units." default:"1" placeholder:"NUMBER"`
	Env      string   `help:"Environment; may be left out where the experiments have only one." short:"e" placeholder:"NAME"`
	At       string   `help:"Time at which ramps and schedules of others are looked at; now without it." placeholder:"TIME"`
	Dir      string   `help:"Directory of the config repo." default:"." placeholder:"DIR"`
	output
}

func (experimentSimulateCmd) Help() string {
	return `Decides for many units as a server would, as if the experiments ran, and counts: how many each variant gets, why others are left out, and
whom else they meet. The sample ratio is tested (chi-square), and so is whether variants split alike among those who are in another
experiment or rollout, too. The exit code is 1 when a split is not as the weights say (p < 0.001), or an experiment could not run.

The same files, units and time give the same answer. At most 10,000,000 units.

Examples:
  trunkline experiment simulate checkout-button
  trunkline experiment simulate checkout-button --units 1000000 --context '{"country": "DE"}'
  trunkline experiment simulate --env prod --contexts accounts.ndjson -o json`
}

// Bounds of a simulation.
const (
	maxSimulated   = 10_000_000 // units
	maxSubjects    = 100        // experiments
	maxContextLine = 1 << 20    // bytes
	defaultUnits   = 100_000
)

func (c experimentSimulateCmd) Run(ctx context.Context, s *streams) error {
	at, err := c.at()
	if err != nil {
		return err
	}
	tree, err := openTree(ctx, c.Dir)
	if err != nil {
		return err
	}
	tree.tellUnread(s)
	m, err := c.simulation(tree, at)
	if err != nil {
		return err
	}
	for _, p := range m.problems {
		fmt.Fprintf(s.err, "trunkline: it could not run: %s\n", p)
	}
	if err := c.feed(ctx, s, m); err != nil {
		return err
	}
	result := m.result()
	result.At = at.UTC()
	if c.json() {
		err = indented(s.out, result)
	} else {
		err = result.write(s)
	}
	if err == nil && (len(m.problems) > 0 || slices.ContainsFunc(result.Experiments, split.off)) {
		return errNo
	}
	return err
}

func (c experimentSimulateCmd) at() (time.Time, error) {
	if c.At == "" {
		return time.Now(), nil
	}
	at, err := time.Parse(time.RFC3339, c.At)
	if err != nil {
		return at, misused("--at: %q is no time, as 2027-01-31T09:00:00Z", c.At)
	}
	return at, nil
}

// simulation decides for one unit after the other, and counts.
type simulation struct {
	environment string
	now         time.Time
	set         *experiment.Set
	telling     *experiment.Set // the same, and tells what cannot be evaluated
	subjects    []*subject
	others      []other // all definitions of the environment, by their numbers
	problems    []string
	units       []value.Path // attributes that name units
	total       int
	repeated    int
	failed      map[definition]*failure

	choices []experiment.Choice
}

// subject is an experiment that is tried out.
type subject struct {
	*experiment.Experiment
	number int
	status experiment.Status // as the file says
	counts []int             // by variant
	forced int
	out    map[experiment.Check]int
	broken int           // of those who are out: its condition cannot be evaluated
	meets  map[int][]row // by the number of another definition, the variants' units by its arms
}

// row is how many of a variant's units are in each arm of something else.
type row []int

// other is what a unit may be in beside the subject.
type other struct {
	definition
	layer string
	in    int
}

// failure is a condition that cannot be evaluated.
type failure struct {
	count   int
	example string
}

// simulation prepares the files as if the experiments ran.
func (c experimentSimulateCmd) simulation(tree *repoTree, at time.Time) (*simulation, error) {
	written, problems := experiment.Parse(tree.files)
	subjects, err := c.subjects(tree, written, problems)
	if err != nil {
		return nil, err
	}
	env, err := c.environment(tree, subjects)
	if err != nil {
		return nil, err
	}
	files := tree.files
	files.Experiments = maps.Clone(files.Experiments)
	for _, x := range subjects {
		files.Experiments[x.Key] = asRunning(files.Experiments[x.Key])
	}
	definitions, problems := experiment.Parse(files)
	m := &simulation{environment: env, now: at, set: definitions.In(env, experiment.Options{}), failed: map[definition]*failure{}}
	m.telling = m.set.With(experiment.Options{Failed: m.fails})
	m.know(definitions)
	for _, x := range subjects {
		if !slices.Contains(x.Environments, env) {
			return nil, fmt.Errorf("the experiment %s is not in %s, only in %s", x.Key, env, strings.Join(x.Environments, ", "))
		}
		name := definition{experiment.KindExperiment, x.Key}
		for _, p := range problems {
			if p.Place.File == tree.found[name].name && !p.Warning {
				m.problems = append(m.problems, p.String())
			}
		}
		if err := m.add(definitions, x, name); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// subjects are the experiments that are named, or all that are not decided.
func (c experimentSimulateCmd) subjects(tree *repoTree, d *experiment.Definitions, problems []experiment.Problem) ([]*experiment.Experiment, error) {
	var list []*experiment.Experiment
	for _, key := range union(c.Key, nil) {
		x, err := tree.experiment(d, problems, key)
		if err != nil {
			return nil, err
		}
		list = append(list, x)
	}
	for _, x := range d.Experiments() {
		if len(c.Key) == 0 && x.Status != experiment.Decided && (c.Env == "" || slices.Contains(x.Environments, c.Env)) {
			list = append(list, x)
		}
	}
	switch {
	case len(list) == 0:
		return nil, errors.New("there is no experiment to try out; `trunkline experiment new` writes one")
	case len(list) > maxSubjects:
		return nil, fmt.Errorf("these are %d experiments, more than %d at once; name those to try out", len(list), maxSubjects)
	}
	return list, nil
}

// environment is the one that is named, or the only one that the experiments have.
func (c experimentSimulateCmd) environment(tree *repoTree, subjects []*experiment.Experiment) (string, error) {
	if c.Env != "" {
		names, err := tree.environments([]string{c.Env})
		if err != nil {
			return "", err
		}
		return names[0], nil
	}
	var names []string
	for _, x := range subjects {
		names = union(names, x.Environments)
	}
	if len(names) != 1 {
		return "", fmt.Errorf("name the environment with --env: there are %s", strings.Join(names, ", "))
	}
	return names[0], nil
}

// know lists what there is in the environment, and which attributes name units.
func (m *simulation) know(d *experiment.Definitions) {
	var names []string
	for arm := range m.set.Arms() {
		n := int(arm.Choice.Definition)
		if n < len(m.others) {
			continue
		}
		one := other{definition: definition{arm.Kind, arm.Key}}
		if x, ok := d.Experiment(arm.Key); ok && arm.Kind == experiment.KindExperiment {
			one.layer = x.Layer
			layer, _ := d.Layer(x.Layer)
			names = append(names, layer.Unit.Attribute.Name)
		} else if r, ok := d.Rollout(arm.Key); ok {
			names = append(names, r.Unit.Attribute.Name)
		}
		m.others = append(append(m.others, make([]other, n-len(m.others))...), one)
	}
	for _, name := range union(names, nil) {
		if p, err := value.ParsePath(name); err == nil {
			m.units = append(m.units, p)
		}
	}
}

func (m *simulation) add(d *experiment.Definitions, written *experiment.Experiment, name definition) error {
	n := slices.IndexFunc(m.others, func(o other) bool { return o.definition == name })
	x, ok := d.Experiment(written.Key)
	if !ok || n < 0 {
		return fmt.Errorf("the experiment %s could not run: %s", written.Key, strings.Join(append(m.problems, "see trunkline validate"), "; "))
	}
	m.subjects = append(m.subjects, &subject{
		Experiment: x, number: n, status: written.Status, counts: make([]int, len(x.Variants)), out: map[experiment.Check]int{}, meets: map[int][]row{},
	})
	return nil
}

func (m *simulation) fails(kind experiment.Kind, key string, err error) {
	name := definition{kind, key}
	if m.failed[name] == nil {
		m.failed[name] = &failure{example: err.Error()}
	}
	m.failed[name].count++
}

// unit decides for one.
func (m *simulation) unit(who *experiment.Context) {
	m.total++
	m.choices = m.telling.Choose(m.choices[:0], who, m.now)
	for _, c := range m.choices {
		m.others[c.Definition].in++
	}
	for _, x := range m.subjects {
		i := slices.IndexFunc(m.choices, func(c experiment.Choice) bool { return int(c.Definition) == x.number })
		switch {
		case i < 0:
			x.leaves(m.set.Decide(who, m.now, x.number))
		case m.choices[i].Forced:
			x.forced++
		default:
			x.gets(int(m.choices[i].Arm), m.choices)
		}
	}
}

func (x *subject) leaves(o experiment.Outcome) {
	if o.Err != nil {
		x.broken++
		return
	}
	x.out[o.Check]++
}

func (x *subject) gets(variant int, choices []experiment.Choice) {
	x.counts[variant]++
	for _, c := range choices {
		n := int(c.Definition)
		if n == x.number {
			continue
		}
		if x.meets[n] == nil {
			x.meets[n] = make([]row, len(x.counts))
		}
		r := &x.meets[n][variant]
		for len(*r) <= int(c.Arm) {
			*r = append(*r, 0)
		}
		(*r)[c.Arm]++
	}
}

// asRunning is the document of an experiment as if it ran, with a plan if it has none.
func asRunning(doc *value.Value) *value.Value {
	entries := slices.DeleteFunc(slices.Clone(doc.Entries()), func(e value.Entry) bool { return e.Key == "status" })
	entries = append(entries, value.Entry{Key: "status", Value: value.NewString(string(experiment.Running), doc.Place())})
	if _, planned := doc.Get("plan"); !planned {
		entries = append(entries, value.Entry{Key: "plan", Value: somePlan})
	}
	return value.NewMap(entries, doc.Place())
}

// somePlan stands for the plan that an experiment needs to run.
var somePlan = value.NewMap([]value.Entry{
	{Key: "unitsTotal", Value: value.NewInt(1, value.Place{})},
	{Key: "minimumEffect", Value: value.NewMap([]value.Entry{{Key: "relative", Value: value.NewFloat(1, value.Place{})}}, value.Place{})},
}, value.Place{})
