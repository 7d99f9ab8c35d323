package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

const (
	assigned         = 100 // definitions that are decided at once
	resolvedPaths    = 100
	resolvingOver    = 20 // experiments
	overrideRounds   = 9
	overrideLasts    = 100 * time.Millisecond // each round of one thing
	visitor          = `{"targetingKey": "user-1234567", "country": "DE"}`
	targetedVisitors = `context.country in ["DE", "FR"]`
)

// overrides measures who gets which variant: the decision beside its hashing, and the resolution of many paths.
func (s *suite) overrides(context.Context) error {
	who, err := visitorOf(visitor)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		what, kind, condition string
		hashes                int
	}{
		{"a rollout", "rollouts", "", 1},
		{"a rollout with targeting", "rollouts", targetedVisitors, 1},
		{"an experiment", "experiments", "", 2},
		{"an experiment with targeting", "experiments", targetedVisitors, 2},
	} {
		set, err := definitionsOf(assigned, c.kind, c.condition)
		if err != nil {
			return err
		}
		if err := s.assignment(set, who, c.what, c.hashes); err != nil {
			return err
		}
	}
	return s.resolution(who)
}

// assignment adds the rows of one kind of definition: what deciding takes beyond hashing the same bytes as often.
func (s *suite) assignment(set *experiment.Set, who *experiment.Context, what string, hashes int) error {
	now, choices := time.Now(), make([]experiment.Choice, 0, assigned)
	if len(set.Choose(choices, who, now)) == 0 {
		return fmt.Errorf("%s: none is in effect for the visitor", what)
	}
	text := []byte("v1\x00salt12\x00user-1234567") // what is hashed
	hash := func() {
		for range assigned * hashes {
			sha256.Sum256(text)
		}
	}
	decide := func() { choices = set.Choose(choices[:0], who, now) }
	var beyond, in, hashing []float64
	for range overrideRounds {
		one, bare := perRun(decide)/assigned, perRun(hash)/assigned
		beyond, in, hashing = append(beyond, one-bare), append(in, one), append(hashing, bare)
	}
	s.add(row{
		what: "assignment to " + what + ", beyond its hashing", measured: median(beyond), limit: 100, unit: "ns",
		note: fmt.Sprintf("%.0f ns, of which %d SHA-256 of the same bytes take %.0f ns; %d decided at once, median of %d", median(in), hashes, median(hashing), assigned, overrideRounds),
	})
	s.add(row{what: "assignment to " + what + ": allocations", measured: testing.AllocsPerRun(100, decide), limit: 0.5, note: fmt.Sprintf("of %d; none are allowed", assigned)})
	return nil
}

// perRun is what one run takes of the processor, in ns, whatever else the machine does.
func perRun(run func()) float64 {
	const batch = 16 // between looks at the time
	n, began, used := 0, time.Now(), cpu()
	for time.Since(began) < overrideLasts {
		for range batch {
			run()
		}
		n += batch
	}
	return float64(cpu()-used) / float64(n)
}

// resolution adds the rows of many paths read by somebody who takes part in many experiments.
func (s *suite) resolution(who *experiment.Context) error {
	set, err := definitionsOf(resolvingOver, "experiments", "")
	if err != nil {
		return err
	}
	base, paths, err := flagsOf(resolvedPaths)
	if err != nil {
		return err
	}
	now, choices, missing := time.Now(), make([]experiment.Choice, 0, resolvingOver), 0
	note := func(ok bool) {
		if !ok {
			missing++
		}
	}
	resolve := func() {
		choices = set.Choose(choices[:0], who, now)
		for _, path := range paths {
			_, ok := set.Value(base, choices, path)
			note(ok)
		}
	}
	read := func() {
		for _, path := range paths {
			_, ok := base.At(path)
			note(ok)
		}
	}
	var under, plain []float64
	for range overrideRounds {
		under, plain = append(under, perRun(resolve)), append(plain, perRun(read))
	}
	if missing > 0 {
		return errors.New("a path is not there")
	}
	what := fmt.Sprintf("resolving %d paths under %d experiments", resolvedPaths, resolvingOver)
	s.add(row{
		what: what, measured: median(under), limit: median(plain), compared: true, unit: "ns",
		note: fmt.Sprintf("the assignments included; beside reading as many where nothing is laid over; median of %d", overrideRounds),
	})
	s.add(row{what: what + ": allocations", measured: testing.AllocsPerRun(100, resolve), limit: 0.5, note: "none are allowed"})
	return nil
}

func visitorOf(attributes string) (*experiment.Context, error) {
	v, err := value.ParseJSON([]byte(attributes))
	if err != nil {
		return nil, err
	}
	who, err := experiment.ParseContext(v)
	return &who, err
}

// flagsOf is a configuration of so many flags, and their paths.
func flagsOf(n int) (*value.Value, []value.Path, error) {
	text := []byte(`{"flags":{`)
	paths := make([]value.Path, n)
	for i := range n {
		if i > 0 {
			text = append(text, ',')
		}
		text = fmt.Appendf(text, `"f%d":0`, i)
		paths[i] = value.Path{"flags", fmt.Sprintf("f%d", i)}
	}
	v, err := value.ParseJSON(append(text, "}}"...))
	return v, paths, err
}

// definitionsOf is so many rollouts to half of the units, or so many experiments that take in all of them, each in a layer of its own. Each sets
// a flag of its own.
func definitionsOf(n int, kind, condition string) (*experiment.Set, error) {
	files := experiment.Files{
		Rollouts: map[string]*value.Value{}, Experiments: map[string]*value.Value{}, Layers: map[string]*value.Value{},
	}
	for i := range n {
		key := fmt.Sprintf("d%03d", i)
		texts := map[string]string{"rollout": rolloutText(i, condition)}
		into := map[string]map[string]*value.Value{"rollout": files.Rollouts, "layer": files.Layers, "experiment": files.Experiments}
		if kind == "experiments" {
			texts = map[string]string{"layer": layerText(i), "experiment": experimentText(i, 1, condition)}
		}
		for file, text := range texts {
			v, err := value.ParseJSON([]byte(text))
			if err != nil {
				return nil, err
			}
			into[file][key] = v
		}
	}
	d, problems := experiment.Parse(files)
	for _, p := range problems {
		if !p.Warning {
			return nil, fmt.Errorf("the definitions: %s", p)
		}
	}
	return d.In("default", experiment.Options{}), nil
}

func rolloutText(i int, condition string) string {
	return fmt.Sprintf(`{"environments": ["default"], "unit": "targetingKey", "salt": "salt%02d", "set": {"flags.f%d": 1}, "rules": [{"name": "half", "percentage": "50%%"%s}]}`,
		i, i, conditionText("when", condition))
}

func layerText(i int) string { return fmt.Sprintf(`{"unit": "targetingKey", "salt": "lane%02d"}`, i) }

// experimentText is an experiment on all units. Its variants set a flag to n and to what follows.
func experimentText(i, n int, condition string) string {
	return fmt.Sprintf(`{"environments": ["default"], "status": "running", "layer": "d%03d", "salt": "salt%02d", "slots": ["0-9999"], "weights": "equal",
  "variants": {"control": {"set": {"flags.f%d": %d}}, "variant": {"set": {"flags.f%d": %d}}},
  "plan": {"unitsTotal": 1000, "minimumEffect": {"absolute": 0.5}}%s}`, i, i, i, n, i, n+1, conditionText("targeting", condition))
}

func conditionText(name, condition string) string {
	if condition == "" {
		return ""
	}
	return fmt.Sprintf(`, %q: %q`, name, condition)
}
