package experiment_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/document"
)

// tree reads files by their paths, as rollouts/new-ranking.yaml; context.yaml declares attributes.
func tree(t testing.TB, texts map[string]string) experiment.Files {
	t.Helper()
	files := experiment.Files{
		Rollouts: map[string]*value.Value{}, Experiments: map[string]*value.Value{}, Layers: map[string]*value.Value{},
		Segments: map[string]*value.Value{}, Metrics: map[string]*value.Value{}, Environments: []string{"prod", "prodEu", "staging"},
	}
	kinds := map[string]map[string]*value.Value{
		"rollouts": files.Rollouts, "experiments": files.Experiments, "layers": files.Layers, "segments": files.Segments, "metrics": files.Metrics,
	}
	for path, text := range texts {
		v, problems := document.Decode(&value.File{Path: path}, document.FormatOf(path), []byte(text), document.Limits{})
		if v == nil {
			t.Fatalf("%s: %v", path, problems)
		}
		folder, name, ok := strings.Cut(path, "/")
		key, _, _ := strings.Cut(name, ".")
		if !ok {
			files.Context = v
			continue
		}
		kinds[folder][key] = v
	}
	return files
}

// good reads files that have nothing wrong with them.
func good(t testing.TB, texts map[string]string) *experiment.Definitions {
	t.Helper()
	d, problems := experiment.Parse(tree(t, texts))
	for _, p := range problems {
		t.Errorf("%s", p)
	}
	return d
}

// with is files with others in their place or beside them; "" takes a file away.
func with(texts map[string]string, others ...string) map[string]string {
	all := map[string]string{}
	for path, text := range texts {
		all[path] = text
	}
	for i := 0; i < len(others); i += 2 {
		if all[others[i]] = others[i+1]; others[i+1] == "" {
			delete(all, others[i])
		}
	}
	return all
}

// story is the example of the design, as it is written there, and the files that it names.
var story = map[string]string{
	"rollouts/new-ranking.yaml": `owner: team-search
expires: 2027-03-01                   # warns only
environments: [prod]
unit: accountId
salt: 41be77c20a9d
set: {search.newRanking: true}
rules:                                # first match wins; none: the configured value
  - {name: staff, when: segment("staff"), percentage: 100%}
  - name: eu
    when: context.country in ["DE", "FR"]
    ramp: {start: 2026-12-01T09:00:00Z, steps: [{after: 0h, percentage: 5%}, {after: 24h, percentage: 50%}]}
`,
	"experiments/checkout-button.yaml": `description: A green button lifts purchases
owner: team-checkout
environments: [prod]
status: running                       # draft, running, paused: base for all; decided
layer: checkout
salt: 8f3a1c90d2b7                    # written by ` + "`experiment new`" + `
phase: 1
traffic: 20%
targeting: context.country in ["DE", "FR"]
variants:
  control: {weight: 50%}
  green: {weight: 50%, set: {checkout.ui.button.color: green}}
force: {qa-1: green}                  # never analysed
metrics: {primary: [purchase-rate], guardrails: [{metric: error-rate, margin: {absolute: 0.2%}}]}
plan: {unitsTotal: 120000, minimumEffect: {relative: 10%}, alpha: 0.05, power: 0.8, minRuntime: 7d, onInconclusive: rollback}
`,
	"layers/checkout.yaml":       "unit: accountId\nfallback: targetingKey\nsalt: 5d1f7a26c3e8\nholdout: 5%\n",
	"segments/staff.yaml":        "when: context.email.endsWith(\"@example.com\")\n",
	"metrics/purchase-rate.yaml": "name: Purchase rate\nkind: proportion\nevent: purchase\n",
	"metrics/error-rate.yaml":    "name: Errors a request\nkind: ratio\nevent: error\ndenominator: {event: request}\nbetter: lower\n",
}

func TestTheDesignsExamplesAreRead(t *testing.T) {
	d := good(t, story)
	x, _ := d.Experiment("checkout-button")
	if x == nil || x.Phase != 1 || x.Slots.String() != "0-1999" || x.Variants[1].Slots.String() != "5000-9999" || x.Plan.MinRuntime != 7*24*3600 ||
		x.Metrics.Guardrails[0].Margin != (experiment.Amount{Size: 0.002}) || x.Plan.MinimumEffect != (experiment.Amount{Size: 0.1, Relative: true}) {
		t.Errorf("%+v", x)
	}
	r, _ := d.Rollout("new-ranking")
	if r == nil || r.Expires != "2027-03-01" || len(r.Rules) != 2 || r.Rules[1].Share() != 5000 || r.Unit.Attribute.Name != "accountId" {
		t.Errorf("%+v", r)
	}
	l, _ := d.Layer("checkout")
	if l == nil || l.Holdout.String() != "9500-9999" || l.Unit.Fallback.Name != "targetingKey" {
		t.Errorf("%+v", l)
	}
	if m := d.Metrics(); len(m) != 2 || m[0].Numerator.Aggregation != "count" || m[1].Numerator.Aggregation != "any" {
		t.Errorf("%+v", m)
	}
}

// TestTheManualsExamplesAreRead holds that the files shown in docs/experiments.md are files.
func TestTheManualsExamplesAreRead(t *testing.T) {
	manual, err := os.ReadFile("../docs/experiments.md")
	if err != nil {
		t.Fatal(err)
	}
	files, path := with(story), ""
	shown := 0
	for line := range strings.Lines(string(manual)) {
		text, indented := strings.CutPrefix(line, "    ")
		if name, ok := strings.CutPrefix(text, "# "); ok && indented && strings.HasSuffix(name, ".yaml\n") {
			path = strings.TrimSpace(name)
			files[path] = ""
			shown++
		}
		if !indented && strings.TrimSpace(line) != "" {
			path = ""
		}
		if path != "" {
			files[path] += text
		}
	}
	if good(t, files); shown != 4 {
		t.Errorf("%d files are shown", shown)
	}
}

// TestParsingAgain holds that files that did not change are not read again, that what is wrong with them is still told, and that what they
// lean on is what it is now.
func TestParsingAgain(t *testing.T) {
	files := tree(t, with(story, "rollouts/broken.yaml", "environments: [prod]\nset: {a: 1}\nrules: [{name: x, percentage: 200%}]\n",
		declared, "properties: {country: {type: string}, email: {type: string}, accountId: {type: text}}\n"))
	first, problems := experiment.Parse(files)
	if len(problems) != 2 {
		t.Fatal(problems)
	}
	again, same := experiment.ParseAgain(files, first)
	rollout := func(d *experiment.Definitions) *experiment.Rollout {
		x, _ := d.Rollout("new-ranking")
		return x
	}
	if rollout(first) != rollout(again) || fmt.Sprint(problems) != fmt.Sprint(same) {
		t.Errorf("%p %p %v", rollout(first), rollout(again), same)
	}
	staff := whoIs(t, `{"email": "ada@example.com"}`)
	in := func(d *experiment.Definitions) int {
		return len(chosen(d.In("prod", experiment.Options{}), staff, noon))
	}
	files.Segments = tree(t, with(story, segment, "when: context.email == 'x'\n")).Segments
	other, _ := experiment.ParseAgain(files, again)
	if rollout(other) != rollout(again) || in(again) != 1 || in(other) != 0 {
		t.Errorf("with another segment %d, before %d", in(other), in(again))
	}
	files.Segments = tree(t, with(story, "segments/more.yaml", "when: 'true'\n")).Segments
	if more, _ := experiment.ParseAgain(files, other); rollout(more) == rollout(other) || in(more) != 1 {
		t.Errorf("with one more segment %d", in(more))
	}
	files.Environments = []string{"staging"}
	if _, problems := experiment.ParseAgain(files, other); len(problems) < 4 {
		t.Errorf("environments that are no more: %v", problems)
	}
}
