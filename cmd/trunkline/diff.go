package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/value"
)

type diffCmd struct {
	From string `arg:"" help:"Commit, branch or tag to compare from." placeholder:"FROM"`
	To   string `arg:"" optional:"" help:"What to compare with; the files as they are now without it." placeholder:"TO"`
	Dir  string `help:"Directory of the config repo." default:"." placeholder:"DIR"`
	Env  string `help:"Compare one environment alone." short:"e" placeholder:"NAME"`
	output
}

func (diffCmd) Help() string {
	return `Tells by value, not by line, what differs in each environment. Values that are sensitive or look secret are not shown.

Examples:
  trunkline diff HEAD                 # what the next commit would change
  trunkline diff v1.4 main --env prod -o json`
}

// envDiff is what differs in environments that differ alike.
type envDiff struct {
	Environments []string      `json:"environments"`
	Changes      []eventChange `json:"changes"`
}

func (c diffCmd) Run(ctx context.Context, io *streams) error {
	from, to, err := c.sides(ctx)
	if err != nil {
		return err
	}
	var diffs []envDiff
	for _, env := range union(from.Environments, to.Environments) {
		if c.Env != "" && env != c.Env {
			continue
		}
		changes, err := c.changes(from, to, env)
		if err != nil {
			return err
		}
		diffs = gather(diffs, env, changes)
	}
	if c.json() {
		enc := json.NewEncoder(io.out)
		enc.SetIndent("", "  ")
		return enc.Encode(diffs)
	}
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
	}
	return nil
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

// changes are the differences of one environment, without what people should not be shown.
func (c diffCmd) changes(from, to *compile.Result, env string) ([]eventChange, error) {
	old, err := delivered(from, env)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.From, err)
	}
	now, err := delivered(to, env)
	if err != nil {
		side := c.To
		if side == "" {
			side = "the files as they are now"
		}
		return nil, fmt.Errorf("%s: %w", side, err)
	}
	var changes []eventChange
	for _, d := range value.Diff(old, now) {
		key := ""
		if len(d.Path) > 0 {
			key = d.Path[len(d.Path)-1]
		}
		changes = append(changes, eventChange{d.Path.String(), shown(key, d.Old), shown(key, d.New)})
	}
	return changes, nil
}

// delivered are the values of an environment; none when it is not there.
func delivered(r *compile.Result, env string) (*value.Value, error) {
	if s := r.Snapshots[env]; s != nil {
		return s.Delivered, nil
	}
	for _, p := range r.Problems {
		if p.Severity == compile.Error && p.Touches(env) {
			return nil, fmt.Errorf("the environment %s cannot be compiled: %s", env, p)
		}
	}
	return nil, nil
}

// shown is a value as people may see it.
func shown(key string, v *value.Value) *value.Value {
	if v != nil && value.LooksSecret(key, v) {
		return value.NewRedacted("not shown", value.Place{})
	}
	return v
}

// gather adds an environment to those that differ alike.
func gather(diffs []envDiff, env string, changes []eventChange) []envDiff {
	if len(changes) == 0 {
		return diffs
	}
	same := func(a, b eventChange) bool {
		return a.Path == b.Path && value.Equal(a.Old, b.Old) && value.Equal(a.New, b.New)
	}
	for i, d := range diffs {
		if slices.EqualFunc(d.Changes, changes, same) {
			diffs[i].Environments = append(diffs[i].Environments, env)
			return diffs
		}
	}
	return append(diffs, envDiff{[]string{env}, changes})
}
