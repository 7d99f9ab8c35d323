package experiment_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/experiment"
)

// TestExplanations holds the words that people are told.
func TestExplanations(t *testing.T) {
	files := with(story,
		"rollouts/gate.yaml", "environments: [prod, staging]\nsalt: gate\nset: {gate: true}\nprerequisites: [{experiment: checkout-button, variant: green}]\n"+
			"rules: [{name: late, schedule: {start: 2027-01-01T00:00:00Z}}, {name: odd, when: context.age > 3, percentage: 50%}, {name: none, percentage: 0%}]\nforce: {qa-2: false, qa-3: true}\n",
		"experiments/checkout-button.yaml", strings.Replace(story[trial], "[prod]", "[prod, staging]", 1),
		"experiments/next.yaml", strings.Replace(another, "running", "draft", 1),
		"experiments/rests.yaml", strings.NewReplacer("running", "paused", "c0ffee000001", "c0ffee000002", "[prod, staging]", "[prod]").Replace(another),
	)
	s := good(t, files).In("prod", experiment.Options{Stopped: func(_ experiment.Kind, key string) bool { return key == "stopped" }})
	green, control := unitOf(t, slots{layerSalt: below(2000), trialSalt: from(5000), "gate": from(5000)}), unitOf(t, slots{layerSalt: below(2000), trialSalt: below(5000)})
	held, out := unitOf(t, slots{layerSalt: from(9500)}), unitOf(t, slots{layerSalt: between(2000, 9500)})
	var got strings.Builder
	for _, c := range []struct{ kind, key, attributes string }{
		{"experiment", "checkout-button", fmt.Sprintf(`{"accountId": %q, "country": "DE"}`, green)},
		{"experiment", "checkout-button", fmt.Sprintf(`{"accountId": %q, "country": "DE"}`, out)},
		{"experiment", "checkout-button", fmt.Sprintf(`{"accountId": %q, "country": "DE"}`, held)},
		{"experiment", "checkout-button", fmt.Sprintf(`{"accountId": %q, "country": "US"}`, green)},
		{"experiment", "checkout-button", `{"country": "DE"}`},
		{"experiment", "checkout-button", `{"accountId": "qa-1"}`},
		{"experiment", "next", `{}`},
		{"experiment", "rests", `{}`},
		{"experiment", "nowhere", `{}`},
		{"rollout", "new-ranking", `{"email": "ada@example.com"}`},
		{"rollout", "new-ranking", fmt.Sprintf(`{"accountId": %q, "country": "DE"}`, unitOf(t, slots{rolloutSalt: below(500)}))},
		{"rollout", "new-ranking", fmt.Sprintf(`{"accountId": %q, "country": "DE"}`, unitOf(t, slots{rolloutSalt: from(500)}))},
		{"rollout", "new-ranking", `{"country": "DE"}`},
		{"rollout", "new-ranking", `{}`},
		{"rollout", "new-ranking", `{"email": 3}`},
		{"rollout", "gate", fmt.Sprintf(`{"accountId": %q, "country": "DE"}`, control)},
		{"rollout", "gate", fmt.Sprintf(`{"accountId": %q, "country": "DE"}`, green)},
		{"rollout", "gate", fmt.Sprintf(`{"accountId": %q, "country": "DE", "age": 5, "targetingKey": "u1"}`, green)},
		{"rollout", "gate", `{"targetingKey": "qa-2"}`},
		{"rollout", "gate", `{"targetingKey": "qa-3"}`},
	} {
		x, ok := s.Explain(whoIs(t, c.attributes), noon, experiment.Kind(c.kind), c.key)
		fmt.Fprintf(&got, "# %s %s for %s\nfound %t, in %t, arm %q, forced %t\n", c.kind, c.key, c.attributes, ok, x.In, x.Arm, x.Forced)
		for _, f := range x.Checks {
			mark := ""
			if f.Decided {
				mark = " <"
			}
			fmt.Fprintf(&got, "  %s: %s%s\n", f.Check, f.Text, mark)
		}
	}
	golden(t, "testdata/explanations.txt", got.String())
}

// TestExplanationsAgree holds that what is explained is what is chosen.
func TestExplanationsAgree(t *testing.T) {
	s := good(t, with(many(8, "experiments", `context.country in ["DE"]`), rollout, story[rollout], trial, story[trial], layer, story[layer],
		"metrics/purchase-rate.yaml", story[metric], "metrics/error-rate.yaml", story["metrics/error-rate.yaml"])).In("prod", experiment.Options{})
	rapid.Check(t, func(r *rapid.T) {
		who := whoIs(t, anyone(r))
		now := noon.Add(time.Duration(rapid.IntRange(-100, 100).Draw(r, "hours")) * time.Hour)
		arms := map[string]string{}
		for _, c := range s.Choose(nil, who, now) {
			a := s.Arm(c)
			arms[string(a.Kind)+a.Key] = fmt.Sprint(a.Name, c.Forced)
		}
		for a := range s.Arms() {
			x, ok := s.Explain(who, now, a.Kind, a.Key)
			arm, in := arms[string(a.Kind)+a.Key]
			if !ok || x.In != in || in && fmt.Sprint(x.Arm, x.Forced) != arm || !x.Checks[len(x.Checks)-1].Decided {
				r.Fatalf("%s is %q: %+v", a.Key, arm, x)
			}
		}
	})
}

// anyone draws the attributes of somebody.
func anyone(r *rapid.T) string {
	attributes := []string{fmt.Sprintf(`"targetingKey": "u%d"`, rapid.IntRange(0, 5000).Draw(r, "key"))}
	for name, values := range map[string][]string{
		"accountId": {`"qa-1"`, `"a1"`, `"a2"`, `7`, `""`, `null`}, "country": {`"DE"`, `"US"`, `3`}, "email": {`"x@example.com"`, `"x@y"`, `[]`}, "version": {`"1.0"`, `"3"`},
	} {
		if v := rapid.SampledFrom(append(values, "")).Draw(r, name); v != "" {
			attributes = append(attributes, fmt.Sprintf("%q: %s", name, v))
		}
	}
	return "{" + strings.Join(attributes, ", ") + "}"
}
