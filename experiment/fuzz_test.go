package experiment_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/document"
)

// FuzzParse holds that no file, whatever kind it is taken for, ends in more than problems, and that what is read of it can be decided,
// explained, laid over values and compared.
func FuzzParse(f *testing.F) {
	folders := []string{"experiments/", "layers/", "metrics/", "rollouts/", "segments/"}
	for _, path := range slices.Sorted(maps.Keys(story)) {
		folder, _, _ := strings.Cut(path, "/")
		f.Add(uint8(slices.Index(folders, folder+"/")), story[path])
	}
	f.Add(uint8(0), another)
	f.Add(uint8(3), "environments: [prod]\nset: {a.b: 1}\nrules: [{name: a, ramp: {start: 2026-12-01T09:00:00Z, over: 3m}}]\nforce: {u: true}\n")
	f.Add(uint8(5), "properties: {a: {type: array}}\n")
	files := tree(f, story)
	before, _ := experiment.Parse(files)
	base := parsed(f, `{"search": {"newRanking": false}, "checkout": {"ui": {"button": {"color": "blue", "size": 1}}}, "flag": 0, "a": {"b": []}}`)
	who := whoIs(f, visitor)
	f.Fuzz(func(t *testing.T, kind uint8, text string) {
		v, _ := document.Decode(&value.File{Path: "x.yaml"}, document.YAML, []byte(text), document.Limits{})
		if v == nil {
			return
		}
		d, problems := experiment.ParseAgain(taken(files, kind, v), before)
		for _, p := range problems {
			if p.Rule == "" || p.Message == "" {
				t.Fatalf("%+v", p)
			}
		}
		experiment.Compare(before, d, "prod")
		experiment.Compare(d, before, "prod")
		s := d.In("prod", experiment.Options{})
		s.Check(base)
		for _, now := range []time.Time{noon, {}} {
			choices := s.Choose(nil, who, now)
			s.Values(base, choices)
			s.Assignments(choices)
			s.AppendKey(nil, choices)
			s.Next(now)
			for arm := range s.Arms() {
				s.Explain(who, now, arm.Kind, arm.Key)
				s.Values(base, []experiment.Choice{arm.Choice})
			}
		}
	})
}

// taken are files with another one that is of a kind, or that declares the context.
func taken(files experiment.Files, kind uint8, v *value.Value) experiment.Files {
	kinds := []*map[string]*value.Value{&files.Experiments, &files.Layers, &files.Metrics, &files.Rollouts, &files.Segments}
	if int(kind) >= len(kinds) {
		files.Context = v
		return files
	}
	of := maps.Clone(*kinds[kind])
	of["x"] = v
	*kinds[kind] = of
	return files
}
