package experiment_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// beyond is what only the parser can say: what needs another file, arithmetic, CEL, or the order of something.
var beyond = map[string]bool{
	"environment that is not there": true, "salt twice": true, "set of no path": true, "set with a patch": true, "set of a path and one below": true,
	"set of a path twice": true, "rule named like another": true, "when of bad syntax": true, "when of a name": true, "when of a segment that is not there": true,
	"ramp steps out of order": true, "ramp steps that fall": true, "ramp step too fine": true, "ramp that does not grow": true, "ramp too long": true,
	"schedule that ends before it starts": true, "force of no arm": true, "force of a prerequisite": true, "prerequisite that is not there": true,
	"prerequisite of no variant": true, "prerequisite elsewhere": true, "layer that is not there": true, "traffic and slots that differ": true,
	"slots backwards": true, "slots twice": true, "slots that are held out": true, "slots of another": true, "weights below 100": true,
	"slots of variants that overlap": true, "slots of variants that leave some": true, "slots and weight that differ": true, "variants that set nothing": true,
	"force to no variant": true, "metric that is not there": true, "segment of itself": true, "path of two rollouts": true, "path above another's": true,
	"path of an experiment": true, "path of another layer": true, "key of the file": true, "unit": true,
}

// right are files with nothing wrong with them, beyond the example's.
var right = map[string][]string{
	"rollout": {
		"environments: [prod, staging]\nfallback: device.id\nset: {a: {b: [1]}}\nrules: [{name: all}]\n",
		"environments: [prod]\nrules: [{name: a, set: {a: 1}, percentage: 100.00%}, {name: b, set: {a: 2}, percentage: 0%}]\nforce: {x: a, y: false, 7: b}\n",
		"environments: [prod]\nset: {a: null}\nsalt: '123'\nrules: [{name: a, ramp: {start: '2026-12-01T09:00:00+01:00', over: 90m, from: 0.5%, to: 99.99%}, schedule: {end: 2027-01-01T00:00:00Z}}]\n",
		"environments: [prod]\nset: {a: 1}\nrules: [{name: a}]\nprerequisites: [{rollout: new-ranking}, {experiment: checkout-button, variant: green}]\n",
	},
	"experiment": {
		another,
		strings.Replace(another, "status: running", "status: draft\ncontrol: big\nphase: 3\ntargeting: context.a == 1", 1),
		strings.NewReplacer("weights: equal\n", "", "control: ,", "control: {slots: [0-99, 200-299]},", "{set:", "{slots: [100-199, 300-9999], weight: 98%, set:").Replace(another),
		strings.NewReplacer("absolute: 0.5", "relative: 0.1%", "unitsTotal: 1000,", "unitsTotal: 1000, end: 2027-01-01T00:00:00Z, minRuntime: 36h,").Replace(another),
	},
	"layer":   {"salt: x\n", "salt: x\nunit: a.b\nfallback: c\nholdout: 0.01%\nowner: me\ndescription: y\n"},
	"segment": {"when: 'true'\nowner: a\ndescription: b\n"},
	"metric": {
		"kind: mean\nevent: purchase\nvalue: amount\nbetter: lower\n", "kind: mean\nevent: visit\n", "kind: mean\nevent: e\naggregation: last\nvalue: v\n",
		"kind: ratio\nevent: e\naggregation: sum\nvalue: v\ndenominator: {event: f, aggregation: sum, value: w}\nname: n\ndescription: d\nowner: o\n",
	},
}

// TestPublishedSchemas holds that the schemas editors check the files by say what the parser says, as far as a schema can.
func TestPublishedSchemas(t *testing.T) {
	schemas := map[string]*jsonschema.Schema{}
	for kind := range right {
		schema, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "docs", "schemas", kind+".schema.json"))
		if err != nil {
			t.Fatal(err)
		}
		schemas[kind] = schema
	}
	valid := func(files experiment.Files, path string) error {
		folder, name, _ := strings.Cut(path, "/")
		key, _, _ := strings.Cut(name, ".")
		doc := map[string]map[string]*value.Value{
			"rollouts": files.Rollouts, "experiments": files.Experiments, "layers": files.Layers, "segments": files.Segments, "metrics": files.Metrics,
		}[folder][key]
		plain, err := jsonschema.UnmarshalJSON(strings.NewReader(doc.String()))
		if err != nil {
			t.Fatal(err)
		}
		return schemas[strings.TrimSuffix(folder, "s")].Validate(plain)
	}
	files := tree(t, story)
	for path := range story {
		if err := valid(files, path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	for kind, texts := range right {
		for _, text := range texts {
			path := kind + "s/extra.yaml"
			files := tree(t, with(story, path, text))
			if _, problems := experiment.Parse(files); len(problems) > 0 {
				t.Errorf("%s: %v", text, problems)
			}
			if err := valid(files, path); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
	told := map[string]bool{}
	for _, w := range wrong {
		if w.file == declared {
			continue
		}
		files := tree(t, broken(t, w.file, w.old, w.new))
		_, problems := experiment.Parse(files)
		err := valid(files, w.file)
		told[w.what] = len(problems) > 0
		if (err == nil) != (len(problems) == 0) != beyond[w.what] {
			t.Errorf("%s: the schema says %v, the parser %v", w.what, err, problems)
		}
	}
	for what := range beyond {
		if !told[what] {
			t.Errorf("there is no such wrong file: %s", what)
		}
	}
}
