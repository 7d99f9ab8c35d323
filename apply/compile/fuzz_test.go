package compile_test

import (
	"strings"
	"testing"

	"github.com/trunkline/trunkline/apply/compile"
)

// FuzzCompile takes archives of files. Nothing may panic, and a verdict always has its reason.
func FuzzCompile(f *testing.F) {
	f.Add("-- trunkline.yaml --\nversion: 1\nenvironments: {prod: {}}\n-- config/a.yaml --\nx: 1\n-- schemas/a.schema.json --\n{\"type\": \"object\"}\n")
	f.Add("-- config/a.toml --\nx = 1\n-- environments/prod/a.json --\n{\"x\": {\"$patch\": \"delete\"}}\n")
	f.Add("-- config/a.yaml --\nx: &a {y: 1}\nz: {<<: *a}\n-- schemas/a.schema.yaml --\n$ref: '#/$defs/a'\n$defs: {a: {$ref: '#'}}\n")
	f.Add("-- config/a.yaml --\nx: 1\ny: {z: [1]}\n-- rollouts/r.yaml --\nenvironments: [default]\nsalt: r\nset: {a.x: 2, a.y: {z: []}}\nrules: [{name: all, percentage: 5%, when: segment(\"s\")}]\n" +
		"-- segments/s.json --\n{\"when\": \"context.a == 1\"}\n-- policies/p.yaml --\npolicies: [{id: p, match: a.x, expression: self < root.a.x + 1}]\n")
	f.Add("-- config/a.toml --\nx = 1\n-- layers/l.toml --\nsalt = 'l'\n-- experiments/e.yaml --\nenvironments: [default]\nstatus: running\nlayer: l\nsalt: e\ntraffic: 5%\nweights: equal\n" +
		"variants: {control: , a: {set: {a.x: 2}}}\nplan: {unitsTotal: 9, minimumEffect: {relative: 1%}}\nforce: {u: a}\n-- schemas/a.schema.json --\n{\"properties\": {\"x\": {\"maximum\": 5}}}\n")
	f.Fuzz(func(t *testing.T, archive string) {
		if len(archive) > 4096 || strings.Count(archive, "\n-- ") > 20 {
			t.Skip()
		}
		files := map[string]string{}
		for name, text := range unpack(archive) {
			if !strings.Contains(name, "//") && !strings.HasPrefix(name, "/") && !strings.HasSuffix(name, "/") {
				files[name] = text
			}
		}
		s := newStore()
		tree := s.put(files)
		c := compile.New(key)
		first := compileTree(t, c, s, tree, nil)
		second := compileTree(t, c, s, tree, first.Snapshots)
		for _, r := range []*compile.Result{first, second} {
			for _, env := range r.Environments {
				if r.Valid(env) == (r.Errors(env) > 0) {
					t.Errorf("%s is valid: %t, with %d errors", env, r.Valid(env), r.Errors(env))
				}
			}
		}
		again := compileTree(t, compile.New(key), s, tree, nil)
		if told(t, first) != told(t, again) {
			t.Errorf("twice:\n%s\n%s", told(t, first), told(t, again))
		}
	})
}
