package experiment_test

import (
	"strings"
	"testing"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// TestCircles holds that deciding ends even where files that are refused require each other, or ask each other.
func TestCircles(t *testing.T) {
	const rollout = "environments: [prod]\nset: {KEY: true}\nrules: [{name: all, when: 'segment(\"s\")'}]\nprerequisites: [{rollout: NEED}]\n"
	one := func(key, need string) string { return strings.NewReplacer("KEY", key, "NEED", need).Replace(rollout) }
	d, problems := experiment.Parse(tree(t, map[string]string{
		"rollouts/a.yaml": one("a", "b"), "rollouts/b.yaml": one("b", "c"), "rollouts/c.yaml": one("c", "a"), "rollouts/self.yaml": one("self", "self"),
		"rollouts/forced.yaml": one("forced", "forced") + "force: {u: true}\n",
		"segments/s.yaml":      "when: segment(\"t\")\n", "segments/t.yaml": "when: segment(\"s\")\n",
	}))
	if len(problems) == 0 {
		t.Fatal("circles are no problem")
	}
	s := d.In("prod", experiment.Options{})
	if got := chosen(s, whoIs(t, `{"targetingKey": "u"}`), noon); len(got) != 1 || got[0] != "rollout forced=on!" {
		t.Errorf("chosen %v", got)
	}
	for _, key := range []string{"a", "self"} {
		if x, _ := s.Explain(nil, noon, experiment.KindRollout, key); x.In || x.Checks[len(x.Checks)-1].Check != experiment.CheckPrerequisite {
			t.Errorf("%+v", x)
		}
	}
	if got := experiment.Compare(d, d, "prod"); len(got) != 0 {
		t.Errorf("effects %v", got)
	}
	other, _ := experiment.Parse(tree(t, map[string]string{"rollouts/a.yaml": one("a", "b"), "segments/s.yaml": "when: context.x == 1\n"}))
	experiment.Compare(d, other, "prod")
	if _, _, err := experiment.Import(s.Export(func(v *value.Value) *value.Value { return v })); err == nil || !strings.Contains(err.Error(), "Cycle") {
		t.Errorf("the import: %v", err)
	}
}

// TestBounds holds that a tree is refused as a whole where its files are too much together, and so is an export.
func TestBounds(t *testing.T) {
	rules := strings.Repeat("- {name: r}\n", experiment.MaxRules)
	many := map[string]string{}
	for _, i := range strings.Split(strings.Repeat("a", experiment.MaxAllRules/experiment.MaxRules+1), "") {
		many["rollouts/r"+strings.Repeat(i, len(many)+1)+".yaml"] = "rules:\n" + rules
	}
	long := map[string]string{}
	for len(long) <= experiment.MaxAllConditions/4000 {
		long["segments/s"+strings.Repeat("x", len(long)%100)+strings.Repeat("y", len(long)/100)+".yaml"] = "when: '" + strings.Repeat(" ", 4090) + "true'\n"
	}
	for want, texts := range map[string]map[string]string{"tooManyRules": many, "conditionsTooLong": long} {
		files := tree(t, texts)
		d, problems := experiment.Parse(files)
		if len(problems) != 1 || problems[0].Rule != want || len(d.Rollouts())+len(d.Segments()) > 0 {
			t.Errorf("%s: %d problems, first %v", want, len(problems), problems[0])
		}
		group := func(docs map[string]*value.Value) *value.Value {
			var all []value.Entry
			for key, doc := range docs {
				all = append(all, value.Entry{Key: key, Value: doc})
			}
			return value.NewMap(all, value.Place{})
		}
		_, _, err := experiment.Import(value.NewMap([]value.Entry{
			{Key: "environment", Value: value.NewString("prod", value.Place{})}, {Key: "rollouts", Value: group(files.Rollouts)}, {Key: "segments", Value: group(files.Segments)},
		}, value.Place{}))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the import: %v", err)
		}
	}
}
