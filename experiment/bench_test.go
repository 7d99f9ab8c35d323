package experiment_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

func whoIs(t testing.TB, attributes string) *experiment.Context {
	t.Helper()
	v, err := value.ParseJSON([]byte(attributes))
	if err != nil {
		t.Fatal(err)
	}
	who, err := experiment.ParseContext(v)
	if err != nil {
		t.Fatal(err)
	}
	return &who
}

const visitor = `{"targetingKey": "user-1234567", "accountId": "user-1234567", "country": "DE", "version": "2.10.1", "email": "ada@example.net", "age": 41}`

// many is n rollouts, or n experiments in layers of their own, all with the same condition; "" is none.
func many(n int, kind, condition string) map[string]string {
	files := map[string]string{"segments/staff.yaml": "when: context.email.endsWith(\"@example.com\")\n"}
	for i := range n {
		if kind == "rollouts" {
			when := ""
			if condition != "" {
				when = ", when: '" + condition + "'"
			}
			files[fmt.Sprintf("rollouts/r%d.yaml", i)] = fmt.Sprintf("environments: [prod]\nunit: accountId\nsalt: 'r%d'\nset: {flags.r%d: true}\nrules: [{name: some, percentage: 50%%%s}]\n", i, i, when)
			continue
		}
		files[fmt.Sprintf("layers/l%d.yaml", i)] = fmt.Sprintf("unit: accountId\nsalt: 'l%d'\n", i)
		text := strings.NewReplacer("c0ffee000001", fmt.Sprintf("e%d", i), "layer: checkout", fmt.Sprintf("layer: l%d", i), "[2000-2999]", "[0-9999]",
			"checkout.ui.button.size", fmt.Sprintf("flags.e%d", i)).Replace(another)
		if condition != "" {
			text += "targeting: '" + condition + "'\n"
		}
		files[fmt.Sprintf("experiments/e%d.yaml", i)] = text
	}
	return files
}

// BenchmarkAssignment decides about a hundred definitions at once; the metrics are of one. Beside each stands what its hashing alone takes.
func BenchmarkAssignment(b *testing.B) {
	const n = 100
	b.Run("hash", func(b *testing.B) {
		for b.Loop() {
			experiment.Slot("r12", "user-1234567")
		}
	})
	for _, c := range []struct {
		name, kind, condition string
		hashes                int
	}{
		{"rollout", "rollouts", "", 1},
		{"rolloutIn", "rollouts", `context.country in ["DE", "FR"]`, 1},
		{"rolloutSemver", "rollouts", `semver(context.version) >= semver("2.9.0")`, 1},
		{"rolloutTwo", "rollouts", `context.country == "DE" && context.age >= 18`, 1},
		{"rolloutOut", "rollouts", `context.country == "FR"`, 0},
		{"experiment", "experiments", "", 2},
		{"experimentIn", "experiments", `context.country in ["DE", "FR"]`, 2},
	} {
		b.Run(c.name, func(b *testing.B) {
			set := good(b, many(n, c.kind, c.condition)).In("prod", experiment.Options{})
			who, now := whoIs(b, visitor), time.Unix(1.8e9, 0)
			choices := make([]experiment.Choice, 0, n)
			b.ReportAllocs()
			for b.Loop() {
				choices = set.Choose(choices[:0], who, now)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/definition")
			b.ReportMetric(float64(c.hashes), "hashes/definition")
		})
	}
}

// BenchmarkContext is what it takes to read who asks.
func BenchmarkContext(b *testing.B) {
	v, err := value.ParseJSON([]byte(visitor))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := experiment.ParseContext(v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	files := tree(b, many(200, "rollouts", `context.country in ["DE", "FR"]`))
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			experiment.Parse(files)
		}
	})
	b.Run("again", func(b *testing.B) {
		before, _ := experiment.Parse(files)
		for b.Loop() {
			experiment.ParseAgain(files, before)
		}
	})
	b.Run("in", func(b *testing.B) {
		d, _ := experiment.Parse(files)
		for b.Loop() {
			d.In("prod", experiment.Options{})
		}
	})
}

func BenchmarkConditionsMade(b *testing.B) {
	for b.Loop() {
		experiment.Parse(experiment.Files{})
	}
}

// BenchmarkExport is what two hundred rollouts take to be handed on, and to be read again.
func BenchmarkExport(b *testing.B) {
	s := good(b, many(200, "rollouts", `context.country in ["DE", "FR"]`)).In("prod", experiment.Options{})
	exported := s.Export(nil)
	b.Run("export", func(b *testing.B) {
		for b.Loop() {
			s.Export(nil)
		}
		b.ReportMetric(float64(len(exported.AppendJSON(nil))), "bytes")
	})
	b.Run("import", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := experiment.Import(exported); err != nil {
				b.Fatal(err)
			}
		}
	})
}
