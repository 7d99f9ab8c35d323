package compile_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/apply/compile"
)

// definedFiles are the files of a config repo with overrides, and what each of them may hold; "" is no file.
var definedFiles = map[string][]string{
	"trunkline.yaml": {
		"version: 1\nenvironments: {prod: {}, staging: {}}\n", "version: 1\nenvironments: {prod: {}, staging: {}}\nsensitive: [a.x, b.m.y]\n",
		"version: 1\nenvironments: {prod: {}, staging: {}, eu: {extends: prod}}\ncontext: {properties: {country: {type: string}}}\n",
		"version: 1\nenvironments: {prod: {}, staging: {retired: true}}\n", "version: 1\nenvironments: {prod: {}, staging: {}}\nsecrets: {allow: ['**']}\n",
	},
	"config/a.yaml":            {"x: 1\ny: 1\n", "x: 2\ny: 1\n", "x: 1\ny: 1\nz: 1\n", "x: one\ny: 1\n"},
	"config/b.yaml":            {"m: {x: 1, y: 1}\nl: [1]\n", "m: {x: 2, y: 1}\nl: [1, 2]\n", "m: {x: 1, y: 3}\nl: []\n"},
	"environments/prod/a.yaml": {"x: 1\n", "x: 3\n", ""},
	"schemas/a.schema.json":    {`{"properties": {"x": {"maximum": 5}}}`, `{"properties": {"x": {"maximum": 9, "x-sensitive": true}}}`, ""},
	"schemas/b/m.schema.json":  {`{"properties": {"x": {"maximum": 7}}}`, `{"required": ["x", "y"], "maxProperties": 2}`, ""},
	"schemas/_index.schema.json": {
		"", "", `{"properties": {"a": {"properties": {"y": {"maximum": 6}}}}}`,
	},
	"policies/a.yaml": {
		"", "policies: [{id: grows, match: a.x, expression: self <= oldSelf + 3}, {id: order, match: b.m, expression: self.x <= self.y + 3}]\n",
		"policies: [{id: root, match: a.y, expression: root.a.x < root.b.m.x + 6}, {id: warned, match: b.m, severity: warning, expression: self.x == 1}]\n",
		"policies: [{id: back, match: '**.x', environments: [prod], allowOnRollback: true, expression: self >= oldSelf}, {id: no, match: c, expression: 'false'}]\n",
	},
	"layers/l.yaml": {"salt: layer\n", "salt: layer\nholdout: 10%\n", "salt: other\nunit: account\n"},
	"segments/s.yaml": {
		"when: context.country == 'DE'\n", "when: context.country == 'FR'\n", "when: segment('s')\n", "",
	},
	"rollouts/a.yaml": {
		"environments: [prod, staging]\nset: {a.x: 4}\nrules: [{name: all}]\n", "environments: [staging]\nset: {a.x: 4}\nrules: [{name: all, when: segment(\"s\")}]\n",
		"environments: [prod, staging]\nsalt: ra\nset: {a.x: 8}\nrules: [{name: all, percentage: 5%}, {name: more, set: {a.x: 2}, percentage: 10%}]\n",
		"environments: [prod]\nset: {a: {x: 4, y: 2}}\nrules: [{name: all}]\n", "environments: [prod]\nset: {a.none: 4}\nrules: [{name: all}]\n",
		"environments: [prod]\nset: {a.x: ghp_1234567890abcdefghijklmnopqrstuvwxyz}\nrules: [{name: all}]\n", "environments: [nowhere]\n", "",
	},
	"rollouts/b.json": {
		`{"environments": ["prod", "staging"], "salt": "rb", "set": {"b.m.x": 5}, "rules": [{"name": "all", "percentage": "5%"}]}`,
		`{"environments": ["prod", "staging"], "salt": "rb2", "set": {"b.m.x": 5}, "rules": [{"name": "all", "percentage": "5%"}]}`,
		`{"environments": ["prod"], "set": {"b.m": {"x": 3, "y": 2}, "b.l": [3]}, "rules": [{"name": "all"}]}`, "{", "",
	},
	"rollouts/b.toml":       {"", "", "environments = ['prod']\nset = {'b.l' = [3]}\nrules = [{name = 'all'}]\n"},
	"experiments/x.yaml":    {anExperiment(1, "50%", "50%"), anExperiment(1, "40%", "60%"), anExperiment(2, "40%", "60%"), anExperiment(1, "50%", "40%"), ""},
	"experiments/README":    {"", "", "not read"},
	"metrics/purchase.yaml": {"kind: proportion\nevent: purchase\n", ""},
}

func anExperiment(phase int, control, green string) string {
	return fmt.Sprintf("environments: [prod, staging]\nstatus: running\nlayer: l\nsalt: x\nphase: %d\ntraffic: 20%%\nvariants: {control: {weight: %s}, green: {weight: %s, set: {b.m.y: 2, b.l: [5]}}}\n"+
		"plan: {unitsTotal: 100, minimumEffect: {relative: 10%%}}\n", phase, control, green)
}

// define changes one file.
func define(t *rapid.T, files map[string]string) map[string]string {
	files = maps.Clone(files)
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(definedFiles))).Draw(t, "file")
	texts := definedFiles[name]
	files[name] = texts[max(0, rapid.IntRange(-len(texts)/2, len(texts)-1).Draw(t, "text"))] // the first is often drawn, so that much is valid
	if files[name] == "" {
		delete(files, name)
	}
	return files
}

// With overrides, too, nothing depends on what was compiled before: not which arms were judged, nor what is laid over the values.
func TestIncrementalOverridesAreFresh(t *testing.T) {
	start := map[string]string{}
	for name, texts := range definedFiles {
		if start[name] = texts[0]; texts[0] == "" {
			delete(start, name)
		}
	}
	served, effects, rules := 0, 0, map[string]bool{}
	incrementalIsFresh(t, start, define, func(r *compile.Result) {
		effects += len(r.Effects)
		for _, s := range r.Snapshots {
			if s.Overrides != nil {
				served++
			}
		}
		for _, p := range r.Problems {
			if p.Stage == compile.StageOverrides {
				rules[p.Rule] = true
			}
		}
	})
	if served < 100 || effects < 20 {
		t.Errorf("overrides were served %d times, with %d effects", served, effects)
	}
	if len(rules) < 5 {
		t.Errorf("only %v were found", slices.Collect(maps.Keys(rules)))
	}
}
