package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

type diffCmd struct {
	From   string   `arg:"" help:"Commit, branch or tag to compare from." placeholder:"FROM"`
	To     string   `arg:"" optional:"" help:"What to compare with; the files as they are now without it." placeholder:"TO"`
	Dir    string   `help:"Directory of the config repo." default:"." placeholder:"DIR"`
	Env    string   `help:"Compare one environment alone." short:"e" placeholder:"NAME"`
	ToEnv  string   `help:"Compare --env with another environment: of TO, or of FROM itself without it." placeholder:"NAME"`
	Path   []string `help:"Compare what a pattern selects; may be given again." placeholder:"PATTERN" sep:"none"`
	Output string   `help:"text, json, or patch: a JSON Patch (RFC 6902) of --env." short:"o" default:"text" enum:"text,json,patch"`
}

func (diffCmd) Help() string {
	return `Tells by value, not by line, what differs in each environment, and in words what becomes of those who are in a rollout or an
experiment. Values that are sensitive or look secret are not shown.

Examples:
  trunkline diff HEAD                 # what the next commit would change
  trunkline diff v1.4 main --env prod -o json
  trunkline diff HEAD --env staging --to-env prod`
}

// envDiff is what differs in environments that differ alike.
type envDiff struct {
	Environments []string            `json:"environments"`
	Changes      []eventChange       `json:"changes"`
	Effects      []experiment.Effect `json:"effects,omitempty"`
}

func (c diffCmd) Run(ctx context.Context, io *streams) error {
	if c.Env == "" && (c.ToEnv != "" || c.Output == "patch") {
		return misused("--to-env and -o patch compare one environment: name it with --env")
	}
	patterns, err := value.ParsePatterns(c.Path)
	if err != nil {
		return misused("--path: %w", err)
	}
	from, to, err := c.sides(ctx)
	if err != nil {
		return err
	}
	var diffs []envDiff
	for _, pair := range c.pairs(from, to) {
		old, now, err := c.snapshots(from, to, pair)
		if err != nil {
			return err
		}
		changes := changes(old, now, patterns)
		if c.Output == "patch" {
			_, err = fmt.Fprintf(io.out, "%s\n", value.AppendPatch(nil, changes))
			return err
		}
		diffs = gather(diffs, pair, changes, effects(old, now, patterns)...)
	}
	if c.Output == "json" {
		enc := json.NewEncoder(io.out)
		enc.SetIndent("", "  ")
		return enc.Encode(diffs)
	}
	return writeDiffs(io, diffs)
}

func writeDiffs(io *streams, diffs []envDiff) error {
	p := newPalette(io.color)
	for _, d := range diffs {
		fmt.Fprintln(io.out, p.bold(strings.Join(d.Environments, ", ")))
		for _, change := range d.Changes {
			path, err := value.ParsePath(change.Path)
			if err != nil {
				return err
			}
			writeChange(io.out, value.Change{Path: path, Old: change.Old, New: change.New}, p)
		}
		for _, e := range d.Effects {
			fmt.Fprintf(io.out, "  %s\n", compile.Effect{Effect: e})
		}
	}
	return nil
}

// pair are the environments of both sides that are compared.
type pair struct{ from, to string }

func (p pair) String() string {
	if p.from == p.to {
		return p.from
	}
	return p.from + " → " + p.to
}

func (c diffCmd) pairs(from, to *compile.Result) []pair {
	if c.ToEnv != "" {
		return []pair{{c.Env, c.ToEnv}}
	}
	var all []pair
	for _, env := range union(from.Environments, to.Environments) {
		if c.Env == "" || env == c.Env {
			all = append(all, pair{env, env})
		}
	}
	return all
}

// sides compiles both sides.
func (c diffCmd) sides(ctx context.Context) (from, to *compile.Result, err error) {
	repo, err := openClone(c.Dir)
	if err != nil {
		return nil, nil, err
	}
	compiler := compile.New(nil)
	settled := compile.Against{Settled: compile.AllSettled}
	if from, err = repo.at(ctx, compiler, c.From, settled); err != nil {
		return nil, nil, err
	}
	if c.To == "" && c.ToEnv != "" {
		return from, from, nil
	}
	if c.To != "" {
		to, err = repo.at(ctx, compiler, c.To, settled)
		return from, to, err
	}
	to, err = compileFiles(ctx, compiler, c.Dir, settled)
	return from, to, err
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// snapshots are both sides of a pair of environments. One may be nil.
func (c diffCmd) snapshots(from, to *compile.Result, envs pair) (old, now *compile.Snapshot, err error) {
	if old, err = snapshot(from, envs.from); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", c.From, err)
	}
	if now, err = snapshot(to, envs.to); err != nil {
		side := cmp.Or(c.To, "the files as they are now")
		if from == to {
			side = c.From
		}
		return nil, nil, fmt.Errorf("%s: %w", side, err)
	}
	if old == nil && now == nil {
		return nil, nil, fmt.Errorf("neither side has the environment %s", envs)
	}
	return old, now, nil
}

// changes are the differences between two environments, without what people should not be shown.
func changes(old, now *compile.Snapshot, patterns []value.Pattern) []value.Change {
	changes := value.Diff(selected(old, patterns), selected(now, patterns))
	for i, d := range changes {
		for _, s := range []*compile.Snapshot{old, now} {
			changes[i].Old, changes[i].New = shown(s, d.Path, changes[i].Old), shown(s, d.Path, changes[i].New)
		}
	}
	return changes
}

// effects are what becomes of those who are in a rollout or an experiment, where both sides are the same environment: of those that set
// something which the patterns select.
func effects(old, now *compile.Snapshot, patterns []value.Pattern) []experiment.Effect {
	if old == nil || now == nil || old.Environment != now.Environment {
		return nil
	}
	was, is := old.Definitions, now.Definitions
	if is == nil {
		is = &experiment.Definitions{}
	}
	return slices.DeleteFunc(experiment.Compare(was, is, now.Environment), func(e experiment.Effect) bool {
		return e.Text == "" || len(patterns) > 0 && !sets(old, e, patterns) && !sets(now, e, patterns)
	})
}

// sets tells whether what has the effect sets something that the patterns select.
func sets(s *compile.Snapshot, e experiment.Effect, patterns []value.Pattern) bool {
	if s.Overrides == nil {
		return false
	}
	see := func(v *value.Value) *value.Value { return value.Select(v, patterns) }
	for arm := range s.Overrides.Arms() {
		if arm.Kind == e.Kind && arm.Key == e.Key && s.Overrides.Touches(arm.Choice, see) {
			return true
		}
	}
	return false
}

// snapshot is an environment of one side; nil when that has it not.
func snapshot(r *compile.Result, env string) (*compile.Snapshot, error) {
	if s := r.Snapshots[env]; s != nil {
		return s, nil
	}
	for _, p := range r.Problems {
		if p.Severity == compile.Error && p.Touches(env) {
			return nil, fmt.Errorf("the environment %s cannot be compiled: %s", env, p)
		}
	}
	return nil, nil
}

func selected(s *compile.Snapshot, patterns []value.Pattern) *value.Value {
	switch {
	case s == nil:
		return nil
	case len(patterns) == 0:
		return s.Values
	default:
		return value.Select(s.Values, patterns)
	}
}

// shown is a value as people may see it by what one side knows to be sensitive.
func shown(s *compile.Snapshot, path value.Path, v *value.Value) *value.Value {
	if s == nil || v == nil {
		return v
	}
	return s.ShownAt(path, v)
}

// gather adds environments to those that differ alike.
func gather(diffs []envDiff, envs pair, changes []value.Change, effects ...experiment.Effect) []envDiff {
	if len(changes)+len(effects) == 0 {
		return diffs
	}
	told := make([]eventChange, len(changes))
	for i, c := range changes {
		told[i] = eventChange{c.Path.String(), c.Old, c.New}
	}
	same := func(a, b eventChange) bool {
		return a.Path == b.Path && value.Equal(a.Old, b.Old) && value.Equal(a.New, b.New)
	}
	for i, d := range diffs {
		if slices.EqualFunc(d.Changes, told, same) && slices.EqualFunc(d.Effects, effects, sameEffect) {
			diffs[i].Environments = append(diffs[i].Environments, envs.String())
			return diffs
		}
	}
	return append(diffs, envDiff{[]string{envs.String()}, told, effects})
}
