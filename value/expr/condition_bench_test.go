package expr_test

import (
	"testing"

	"github.com/trunkline/trunkline/value/expr"
)

const visitor = `{"targetingKey": "u1", "country": "DE", "version": "2.10.1", "plan": "pro", "age": 41, "score": 3, "email": "ada@example.com", "beta": true,
	"tags": ["a", "b"], "device": {"os": "ios", "model": "x"}, "visits": [{"page": "home", "seconds": 3}, {"seconds": 40}], "a.b": 1}`

// BenchmarkCondition is what one condition costs of an evaluation that asks several, as one does for all definitions.
func BenchmarkCondition(b *testing.B) {
	for name, text := range map[string]string{
		"in":      `context.country in ["DE", "FR"]`,
		"equal":   `context.country == "DE" && context.age >= 18`,
		"absent":  `context.region == "x" || context.region != "y"`,
		"semver":  `semver(context.version) >= semver("2.9.0")`,
		"suffix":  `context.email.endsWith("@example.com")`,
		"matches": `context.email.matches("^[a-z]+@example")`,
		"segment": `segment("staff")`,
		"nested":  `context.device.os == "ios"`,
		"exists":  `context.tags.exists(t, t == "b")`,
	} {
		b.Run(name, func(b *testing.B) {
			c := conditions(b, nil, map[string]string{"staff": `context.email.endsWith("@example.com")`})
			condition, err := c.Compile(text)
			if err != nil {
				b.Fatal(err)
			}
			e := c.Ask(expr.NewSubject(tree(b, visitor)))
			defer e.Done()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Holds(condition); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("ask", func(b *testing.B) {
		c := conditions(b, nil, nil)
		who := expr.NewSubject(tree(b, visitor))
		b.ReportAllocs()
		for b.Loop() {
			c.Ask(who).Done()
		}
	})
}

func conditions(t testing.TB, shape *expr.Shape, segments map[string]string) *expr.Conditions {
	t.Helper()
	var names []string
	for name := range segments {
		names = append(names, name)
	}
	c, err := expr.NewConditions(shape, names)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range segments {
		condition, err := c.Compile(text)
		if err != nil {
			t.Fatal(err)
		}
		c.Define(name, condition)
	}
	return c
}
