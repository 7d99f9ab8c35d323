package experiment_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/experiment"
)

// half is an experiment that runs on a fifth of the traffic, with two variants of one half each.
var half = with(trialOf(0, 1999, "control: {weight: 50%}, green: {weight: 50%, set: {flag: 1}}"), "layers/other.yaml", "salt: other\n", "layers/full.yaml", "salt: full\n")

const x = "experiments/x.yaml"

// TestEffects holds what changes are said to do, which are refused, and with which words.
func TestEffects(t *testing.T) {
	edit := func(files map[string]string, file string, pairs ...string) map[string]string {
		for i := 0; i < len(pairs); i += 2 {
			if !strings.Contains(files[file], pairs[i]) {
				t.Fatalf("%s does not hold %q", file, pairs[i])
			}
		}
		return with(files, file, strings.NewReplacer(pairs...).Replace(files[file]))
	}
	phase2 := edit(half, x, "salt: x\n", "salt: x\nphase: 2\n")
	three := "control: {weight: 40%}, green: {weight: 40%, set: {flag: 1}}, blue: {weight: 20%, set: {flag: 2}}"
	carved := "control: {slots: [0-3999]}, green: {slots: [5000-8999], set: {flag: 1}}, blue: {slots: [4000-4999, 9000-9999], set: {flag: 2}}"
	two := "control: {weight: 50%}, green: {weight: 50%, set: {flag: 1}}"
	full := edit(half, x, "[0-1999]", "[0-9999]")
	gone := with(half, x, "")
	taken := with(gone, "rollouts/r.yaml", "environments: [prod]\nset: {flag: 1}\nrules: [{name: all}]\n")
	const all = "environments: [prod]\nset: {other: 1}\nrules: [{name: all}]\n"
	const inner = "environments: [prod]\nset: {other: 1}\nrules: [{name: all, when: segment(\"inner\")}]\n"
	asks := func(condition string) map[string]string {
		files := edit(half, x, "salt: x", "targeting: segment('outer')\nsalt: x")
		return with(files, "segments/outer.yaml", "when: segment('inner')\n", "segments/inner.yaml", "when: '"+condition+"'\n", "rollouts/r.yaml", inner)
	}
	var got strings.Builder
	for _, c := range []struct {
		what     string
		old, new map[string]string
	}{
		{"nothing", half, half},
		{"description alone", half, edit(half, x, "salt: x", "description: y\nsalt: x")},
		{"traffic grows", half, edit(half, x, "[0-1999]", "[0-3999]")},
		{"traffic shrinks", half, edit(half, x, "[0-1999]", "[0-499]")},
		{"traffic moves", half, edit(half, x, "[0-1999]", "[5000-6999]")},
		{"weights change", half, edit(half, x, two, three)},
		{"weights change in another phase", half, edit(phase2, x, two, three)},
		{"weights are carved", half, edit(phase2, x, two, carved)},
		{"weights are carved without another phase", half, edit(half, x, two, carved)},
		{"a variant is emptied", half, edit(phase2, x, two, "control: {slots: [0-9999]}, green: {slots: [], set: {flag: 1}}")},
		{"a variant has another name", half, edit(half, x, "green: {weight", "lime: {weight")},
		{"phase goes on", half, phase2},
		{"phase goes back", phase2, half},
		{"another salt", half, edit(half, x, "salt: x", "salt: y")},
		{"another salt in another phase", half, edit(phase2, x, "salt: x", "salt: y")},
		{"another layer", half, edit(half, x, "layer: l", "layer: other")},
		{"another layer in another phase", half, edit(phase2, x, "layer: l", "layer: other")},
		{"another layer for everybody", full, edit(full, x, "layer: l", "layer: other")},
		{"another salt of the layer", half, with(half, "layers/l.yaml", "salt: m\n")},
		{"another unit of the layer", half, with(half, "layers/l.yaml", "salt: l\nunit: accountId\n")},
		{"a fallback for the layer", full, with(full, "layers/l.yaml", "salt: l\nfallback: accountId\n")},
		{"a holdout", half, with(half, "layers/l.yaml", "salt: l\nholdout: 5%\n")},
		{"starts", edit(half, x, "running", "draft"), half},
		{"pauses", half, edit(half, x, "running", "paused")},
		{"weights change while it rests", edit(half, x, "running", "paused"), edit(edit(half, x, "running", "paused"), x, two, three)},
		{"is decided", half, edit(half, x, "running", "decided")},
		{"back to draft", half, edit(half, x, "running", "draft")},
		{"weights change while it is a draft", edit(half, x, "running", "draft"), edit(edit(half, x, "running", "draft"), x, two, three)},
		{"ends", half, gone},
		{"begins", gone, half},
		{"from nothing", nil, half},
		{"leaves the environment", half, edit(half, x, "[prod]", "[staging]")},
		{"another targeting", half, edit(half, x, "salt: x", "targeting: context.a == 1\nsalt: x")},
		{"another prerequisite", with(half, "rollouts/r.yaml", all), edit(with(half, "rollouts/r.yaml", all), x, "salt: x", "prerequisites: [{rollout: r}]\nsalt: x")},
		{"another segment", asks("true"), asks("false")},
		{"another value", half, edit(half, x, "flag: 1", "flag: 2")},
		{"another targeting in another phase", half, edit(phase2, x, "salt: x", "targeting: context.a == 1\nsalt: x")},
		{"a rollout takes over", half, taken},
		{"rollout grows", story, edit(story, rollout, "percentage: 50%", "percentage: 60%")},
		{"rollout shrinks", story, edit(story, rollout, "percentage: 100%", "percentage: 99.9%")},
		{"rollout has another salt", story, edit(story, rollout, "41be77c20a9d", "41be77c20a9e")},
		{"rollout of everybody has another salt", taken, edit(taken, "rollouts/r.yaml", "set:", "salt: s\nset:")},
		{"rollout has another unit", story, edit(story, rollout, "unit: accountId", "unit: userId")},
		{"rollout has another condition", story, edit(story, rollout, `segment("staff")`, "context.staff")},
		{"rollout requires something", with(half, rollout, all), with(half, rollout, all+"prerequisites: [{experiment: x}]\n")},
		{"rollout has another value", story, edit(story, rollout, "newRanking: true", "newRanking: false")},
		{"rollout grows faster", story, edit(story, rollout, "24h", "12h")},
		{"rollout counts later", story, edit(story, rollout, "percentage: 100%", "percentage: 100%, schedule: {start: 2027-01-01T00:00:00Z}")},
		{"rollout has another rule first", story, edit(story, rollout, "rules:  ", "rules:\n  - {name: first, when: context.x}\n#")},
		{"rollout ends", story, with(story, rollout, "")},
	} {
		var old *experiment.Definitions
		if c.old != nil {
			old = good(t, c.old)
		}
		fmt.Fprintf(&got, "# %s\n", c.what)
		for _, e := range experiment.Compare(old, good(t, c.new), "prod") {
			fmt.Fprintf(&got, "%s %s %s: %s [moved %d, gained %d, lost %d]\n", e.Kind, e.Key, e.Rule, e.Text, e.Moved, e.Gained, e.Lost)
			for _, p := range e.Problems() {
				fmt.Fprintf(&got, "  warning %t: %s %v\n", p.Warning, p, p.Environments)
			}
		}
		got.WriteString("\n")
	}
	golden(t, "testdata/effects.txt", got.String())
}

// ExampleCarve adds a third variant to an experiment of two halves.
func ExampleCarve() {
	old := []experiment.Share{{Variant: "control", Slots: experiment.Ranges{{First: 0, Last: 4999}}}, {Variant: "green", Slots: experiment.Ranges{{First: 5000, Last: 9999}}}}
	shares, _ := experiment.Carve(old, map[string]int{"control": 4000, "green": 4000, "blue": 2000})
	for _, s := range shares {
		fmt.Printf("%s: {slots: [%s]}\n", s.Variant, s.Slots)
	}
	// Output:
	// blue: {slots: [4000-4999, 9000-9999]}
	// control: {slots: [0-3999]}
	// green: {slots: [5000-8999]}
}
