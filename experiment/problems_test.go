package experiment_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/experiment"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const (
	rollout  = "rollouts/new-ranking.yaml"
	trial    = "experiments/checkout-button.yaml"
	layer    = "layers/checkout.yaml"
	segment  = "segments/staff.yaml"
	metric   = "metrics/purchase-rate.yaml"
	declared = "context.yaml"
)

// another is an experiment of its own in the layer of the example's.
const another = `environments: [prod, staging]
status: running
layer: checkout
salt: c0ffee000001
slots: [2000-2999]
variants: {control: , big: {set: {checkout.ui.button.size: 2}}}
weights: equal
plan: {unitsTotal: 1000, minimumEffect: {absolute: 0.5}}
`

// wrong are files with something wrong: each is the example with one text replaced in one file, or, where the first text is empty, with that
// file in its place.
var wrong = []struct{ what, file, old, new string }{
	{"no environments", rollout, "environments: [prod]\n", ""},
	{"environments are no list", rollout, "[prod]", "prod"},
	{"environments are empty", rollout, "[prod]", "[]"},
	{"environment that is not there", rollout, "[prod]", "[prod, stagign]"},
	{"environment twice", rollout, "[prod]", "[prod, prod]"},
	{"a file that is a problem in one environment alone", rollout, "owner: team-search", "owner: 3"},
	{"unknown key of a rollout", rollout, "unit:", "unti:"},
	{"unknown key of a rule", rollout, "name: eu", "nmae: eu"},
	{"key of the file", "rollouts/Ä.yaml", "", "environments: [prod]\nset: {a: 1}\nrules: [{name: x}]\n"},
	{"expires", rollout, "2027-03-01 ", "next year "},
	{"unit", rollout, "unit: accountId", "unit: 'account id'"},
	{"salt missing", rollout, "salt: 41be77c20a9d\n", ""},
	{"salt not needed", rollout, "salt: 41be77c20a9d\nset: {search.newRanking: true}\n", "set: {search.newRanking: true}\n"},
	{"salt a number", rollout, "41be77c20a9d", "123e45"},
	{"salt empty", rollout, "41be77c20a9d", "''"},
	{"salt with a NUL", rollout, "41be77c20a9d", `"a\0b"`},
	{"salt too long", rollout, "41be77c20a9d", strings.Repeat("x", 65)},
	{"salt twice", rollout, "41be77c20a9d", "8f3a1c90d2b7"},
	{"set missing", rollout, "set: {search.newRanking: true}\n", ""},
	{"set empty", rollout, "{search.newRanking: true}", "{}"},
	{"set no map", rollout, "{search.newRanking: true}", "[a]"},
	{"set of no path", rollout, "{search.newRanking: true}", "{'search ranking': true}"},
	{"set of the root", rollout, "{search.newRanking: true}", "{'': true}"},
	{"set with a patch", rollout, "{search.newRanking: true}", "{search: {deep: {$patch: delete}}}"},
	{"set of a path and one below", rollout, "{search.newRanking: true}", "{search.newRanking: true, search: {}}"},
	{"set of a path twice", rollout, "{search.newRanking: true}", "{search.newRanking: true, /search/newRanking: false}"},
	{"rules missing", rollout, "rules:  ", "rule:  "},
	{"rules empty", "rollouts/empty.yaml", "", "environments: [prod]\nset: {a: 1}\nrules: []\n"},
	{"rule without a name", rollout, "name: staff, ", ""},
	{"rule named like another", rollout, "name: eu", "name: staff"},
	{"rule of no name", rollout, "name: staff", "name: 'the staff'"},
	{"when of no text", rollout, `when: segment("staff")`, "when: true"},
	{"when of bad syntax", rollout, `context.country in ["DE", "FR"]`, `context.country in ["DE", "FR"`},
	{"when of a name", rollout, `context.country in`, `country in`},
	{"when of a segment that is not there", rollout, `segment("staff")`, `segment("stuff")`},
	{"percentage above 100", rollout, "percentage: 100%", "percentage: 101%"},
	{"percentage too fine", rollout, "percentage: 100%", "percentage: 0.125%"},
	{"percentage a number", rollout, "percentage: 100%", "percentage: 20"},
	{"percentage of no number", rollout, "percentage: 100%", "percentage: half"},
	{"percentage and ramp", rollout, "    ramp:", "    percentage: 5%\n    ramp:"},
	{"ramp without a start", rollout, "start: 2026-12-01T09:00:00Z, ", ""},
	{"ramp from a date", rollout, "2026-12-01T09:00:00Z", "2026-12-01"},
	{"ramp from a second", rollout, "09:00:00Z", "09:00:30Z"},
	{"ramp steps out of order", rollout, "after: 24h", "after: 0h"},
	{"ramp steps that fall", rollout, "percentage: 50%", "percentage: 4%"},
	{"ramp step too fine", rollout, "after: 24h", "after: 90s"},
	{"ramp step of no duration", rollout, "after: 24h", "after: 24"},
	{"ramp without steps", rollout, "steps: [{after: 0h, percentage: 5%}, {after: 24h, percentage: 50%}]", "steps: []"},
	{"ramp of nothing", rollout, ", steps: [{after: 0h, percentage: 5%}, {after: 24h, percentage: 50%}]", ""},
	{"ramp that does not grow", rollout, "steps: [{after: 0h, percentage: 5%}, {after: 24h, percentage: 50%}]", "over: 7d, from: 50%, to: 50%"},
	{"ramp both ways", rollout, "percentage: 50%}]", "percentage: 50%}], over: 7d"},
	{"ramp too long", rollout, "steps: [{after: 0h, percentage: 5%}, {after: 24h, percentage: 50%}]", "over: 1000d"},
	{"schedule that ends before it starts", rollout, "percentage: 100%}", "schedule: {start: 2026-12-02T00:00:00Z, end: 2026-12-01T00:00:00Z}}"},
	{"schedule of nothing", rollout, "percentage: 100%}", "schedule: {}}"},
	{"force of no arm", rollout, "rules:  ", "force: {qa: 'on'}\nrules:  "},
	{"force of a prerequisite", rollout, "rules:  ", "prerequisites: [{rollout: new-ranking}]\nrules:  "},
	{"prerequisite that is not there", rollout, "rules:  ", "prerequisites: [{experiment: checkout-buton}]\nrules:  "},
	{"prerequisite of no variant", rollout, "rules:  ", "prerequisites: [{experiment: checkout-button, variant: red}]\nrules:  "},
	{"prerequisite of both", rollout, "rules:  ", "prerequisites: [{experiment: checkout-button, rollout: x}]\nrules:  "},
	{"prerequisite elsewhere", rollout, "[prod]\n", "[prod, staging]\nprerequisites: [{experiment: checkout-button}]\n"},
	{"no status", trial, "status: running", "state: running"},
	{"status of no word", trial, "status: running", "status: runing"},
	{"no layer", trial, "layer: checkout\n", ""},
	{"layer that is not there", trial, "layer: checkout", "layer: chekout"},
	{"no salt", trial, "salt: 8f3a1c90d2b7 ", "sald: 8f3a1c90d2b7 "},
	{"phase", trial, "phase: 1", "phase: 0"},
	{"no traffic", trial, "traffic: 20%\n", ""},
	{"traffic of no slots", trial, "traffic: 20%", "slots: []"},
	{"traffic and slots that differ", trial, "traffic: 20%", "traffic: 20%\nslots: [0-999]"},
	{"slots of no range", trial, "traffic: 20%", "slots: [0-10000]"},
	{"slots backwards", trial, "traffic: 20%", "slots: [20-10]"},
	{"slots of words", trial, "traffic: 20%", "slots: [first]"},
	{"slots twice", trial, "traffic: 20%", "slots: [0-100, 100-200]"},
	{"slots that are held out", trial, "traffic: 20%", "traffic: 100%"},
	{"slots of another", "experiments/other.yaml", "", strings.Replace(another, "2000-2999", "1500-2499", 1)},
	{"slots of another, that has them", trial, "traffic: 20%", "traffic: 95%\nprerequisites: []"},
	{"weights below 100", trial, "green: {weight: 50%", "green: {weight: 40%"},
	{"weights missing", trial, "green: {weight: 50%, set", "green: {set"},
	{"weights equal and written", trial, "variants:", "weights: equal\nvariants:"},
	{"slots of variants that overlap", trial, "control: {weight: 50%}\n  green: {weight: 50%,", "control: {slots: [0-5000]}\n  green: {slots: [5000-9999],"},
	{"slots of variants that leave some", trial, "control: {weight: 50%}\n  green: {weight: 50%,", "control: {slots: [0-4000]}\n  green: {slots: [5000-9999],"},
	{"slots of one variant", trial, "control: {weight: 50%}", "control: {weight: 50%, slots: [0-4999]}"},
	{"slots and weight that differ", trial, "control: {weight: 50%}\n  green: {weight: 50%,", "control: {weight: 40%, slots: [0-4999]}\n  green: {slots: [5000-9999],"},
	{"one variant", trial, "  control: {weight: 50%}\n  green: {weight: 50%", "  green: {weight: 100%"},
	{"no control", trial, "control: {weight", "blue: {weight"},
	{"variant of no name", trial, "control: {weight", "'the control': {weight"},
	{"variants that set nothing", trial, ", set: {checkout.ui.button.color: green}", ""},
	{"force to no variant", trial, "{qa-1: green}", "{qa-1: gren}"},
	{"metric that is not there", trial, "[purchase-rate]", "[purchase]"},
	{"metrics without a primary", trial, "primary:", "secondary:"},
	{"margin of nothing", trial, "{absolute: 0.2%}", "{}"},
	{"margin of no number", trial, "0.2%", "much"},
	{"running without a plan", trial, "plan: {unitsTotal: 120000, minimumEffect: {relative: 10%}, alpha: 0.05, power: 0.8, minRuntime: 7d, onInconclusive: rollback}", ""},
	{"plan without units", trial, "unitsTotal: 120000, ", ""},
	{"plan of no alpha", trial, "alpha: 0.05", "alpha: 5"},
	{"plan of no word", trial, "onInconclusive: rollback", "onInconclusive: rolback"},
	{"layer without a salt", layer, "salt: 5d1f7a26c3e8\n", ""},
	{"layer with an unknown key", layer, "holdout", "holdouts"},
	{"segment without a condition", segment, "when:", "wen:"},
	{"segment of itself", segment, `context.email.endsWith("@example.com")`, `segment("staff") || context.staff`},
	{"metric of no kind", metric, "proportion", "share"},
	{"metric that counts wrongly", metric, "kind: proportion", "kind: proportion\naggregation: sum"},
	{"metric without a value", metric, "kind: proportion", "kind: mean\naggregation: sum"},
	{"metric with a value too many", metric, "kind: proportion", "kind: mean\naggregation: count\nvalue: amount"},
	{"metric without a denominator", metric, "kind: proportion", "kind: ratio"},
	{"context of no map", declared, "", "type: string\n"},
	{"context with an unknown keyword", declared, "", "properties: {country: {type: string, pattern: x}}\n"},
	{"context that does not fit its type", declared, "", "properties: {country: {type: string, items: {type: string}}}\n"},
	{"context without what a rule looks at", declared, "", "properties: {email: {type: string}, contry: {type: string}, accountId: {type: string}}\n"},
	{"context of another type", declared, "", "properties: {email: {type: string}, country: {type: integer}}\n"},
	{"path of two rollouts", "rollouts/other.yaml", "", "environments: [staging, prod]\nset: {search.newRanking: false}\nrules: [{name: all}]\n"},
	{"path above another's", "rollouts/other.yaml", "", "environments: [prod]\nset: {search: {}}\nrules: [{name: all}]\n"},
	{"path of an experiment", "rollouts/other.yaml", "", "environments: [prod]\nset: {checkout.ui.button.color.hue: 3}\nrules: [{name: all}]\n"},
	{"path of another layer", "experiments/other.yaml", "", strings.NewReplacer("layer: checkout", "layer: other", "button.size: 2", "button.color: red").Replace(another)},
	{"path in another environment", "rollouts/other.yaml", "", "environments: [staging]\nset: {search.newRanking: false}\nrules: [{name: all}]\n"},
	{"path of the same layer", "experiments/other.yaml", "", strings.Replace(another, "button.size: 2", "button.color: red", 1)},
}

// TestProblems holds the words of everything that is wrong with a file, and its place.
func TestProblems(t *testing.T) {
	var got strings.Builder
	for _, w := range wrong {
		fmt.Fprintf(&got, "# %s\n", w.what)
		_, problems := experiment.Parse(tree(t, broken(t, w.file, w.old, w.new)))
		for _, p := range problems {
			fmt.Fprintf(&got, "%s %v\n", p, p.Environments)
		}
		got.WriteString("\n")
	}
	golden(t, "testdata/problems.txt", got.String())
}

// broken is the example with one text replaced in a file, or, where the old text is empty, with that file in its place.
func broken(t *testing.T, file, old, new string) map[string]string {
	t.Helper()
	if old == "" {
		return with(story, file, new)
	}
	if !strings.Contains(story[file], old) {
		t.Fatalf("%s does not hold %q", file, old)
	}
	return with(story, file, strings.Replace(story[file], old, new, 1))
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run with -update and read it:\n%s", file, got)
	}
}
