package compile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/apply/compile"
)

// benchRepo is a config repo of 200 files of 50 kB, each with a schema, 50 policies and three environments, and so many definitions.
func benchRepo(rollouts, experiments int) map[string]string {
	files := map[string]string{
		"trunkline.yaml":       "version: 1\nenvironments: {staging: {}, prod: {}, prodEu: {extends: prod}}\nsensitive: [services.*.limits.secret]\n",
		"layers/services.yaml": "salt: services\nunit: account\n",
	}
	for i := range 200 {
		files[benchFile(i)] = benchService(i, 0)
		files[fmt.Sprintf("schemas/services/svc%03d.schema.json", i)] = `{"required": ["name", "revision", "limits"], "properties": {
			"limits": {"properties": {"cpu": {"type": "integer", "maximum": 100}}},
			"endpoints": {"additionalProperties": {"properties": {"timeout": {"type": "string"}, "retries": {"maximum": 10}}}}}}`
	}
	var policies strings.Builder
	policies.WriteString("policies:\n")
	for i := range 25 {
		fmt.Fprintf(&policies, "  - {id: cpu%d, match: services.*.limits, expression: self.cpu < %d}\n", i, 100+i)
		fmt.Fprintf(&policies, "  - {id: revision%d, match: services.*.revision, expression: self <= oldSelf + %d}\n", i, 1000+i)
	}
	files["policies/all.yaml"] = policies.String()
	for i := range rollouts {
		files[fmt.Sprintf("rollouts/r%03d.yaml", i)] = fmt.Sprintf(
			"environments: [staging, prod, prodEu]\nunit: account\nsalt: r%d\nset: {services.svc%03d.limits.cpu: 3}\nrules:\n  - {name: staff, when: context.staff == true}\n"+
				"  - {name: most, when: 'context.country in [\"DE\", \"FR\"]', percentage: 50%%, set: {services.svc%03d.endpoints.e1.retries: 2, services.svc%03d.revision: 1}}\n", i, i, i, i)
	}
	for i := range experiments {
		files[fmt.Sprintf("experiments/e%02d.yaml", i)] = fmt.Sprintf(
			"environments: [staging, prod]\nstatus: running\nlayer: services\nsalt: e%d\nslots: [%d-%d]\nweights: equal\nvariants: {control: , a: {set: {services.svc1%02d.limits.cpu: 5}}, b: {set: {services.svc1%02d.limits.cpu: 6}}}\n"+
				"plan: {unitsTotal: 100, minimumEffect: {relative: 10%%}}\n", i, i*100, i*100+99, i, i)
	}
	return files
}

func benchFile(i int) string { return fmt.Sprintf("config/services/svc%03d.yaml", i) }

func benchService(i, revision int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "name: svc%03d\nrevision: %d\nlimits: {cpu: 2, memory: 512Mi, secret: x}\nendpoints:\n", i, revision)
	for e := 0; b.Len() < 50_000; e++ {
		fmt.Fprintf(&b, "  e%d: {url: 'https://svc%d.internal/v1/resource%d', timeout: %dms, retries: %d, weight: 0.5, enabled: true, tags: [tier, 'release %d']}\n", e, i, e, e*7%5000, e%5, e%99)
	}
	return b.String()
}

// BenchmarkOneLine compiles and judges a change of one line, without rollouts and experiments and with many.
func BenchmarkOneLine(b *testing.B) {
	for _, c := range []struct {
		name                  string
		rollouts, experiments int
	}{{"values", 0, 0}, {"overrides", 100, 20}} {
		b.Run(c.name, func(b *testing.B) {
			files, s, compiler := benchRepo(c.rollouts, c.experiments), newStore(), compile.New(key)
			valid := compileTree(b, compiler, s, s.put(files), nil)
			n := 0
			for b.Loop() {
				b.StopTimer()
				n++
				files[benchFile(n*37%200)] = benchService(n*37%200, n%1000)
				tree := s.put(files)
				b.StartTimer()
				valid = compileTree(b, compiler, s, tree, valid.Snapshots)
				if len(valid.Problems) > 0 {
					b.Fatal(describe(valid))
				}
			}
		})
	}
}
