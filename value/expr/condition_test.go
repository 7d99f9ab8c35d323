package expr_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/expr"
)

var staff = map[string]string{"staff": `context.email.endsWith("@example.com")`, "adults": `context.age >= 18`, "both": `segment("staff") && segment("adults")`}

func ask(t testing.TB, c *expr.Conditions, text, attributes string) (bool, error) {
	t.Helper()
	condition, err := c.Compile(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	e := c.Ask(expr.NewSubject(tree(t, attributes)))
	defer e.Done()
	return e.Holds(condition)
}

func TestConditions(t *testing.T) {
	c := conditions(t, nil, staff)
	for text, want := range map[string]bool{
		`context.country in ["DE", "FR"]`:                                        true,
		`context.country == "FR" || context.age > 40`:                            true,
		`context["a.b"] == 1 && context["country"] == "DE"`:                      true,
		`context.device.os == "ios" && context["device"]["os"] != "android"`:     true,
		`context.beta && !context.device.os.startsWith("and")`:                   true,
		`context.tags[1] == "b" && context.tags[size(context.tags) - 2] == "a"`:  true,
		`context.tags.exists(t, t == "b") && !context.tags.all(t, t == "b")`:     true,
		`context.visits.filter(v, v.seconds > 5).size() == 1`:                    true,
		`context.visits.exists_one(v, v.page == "home")`:                         true,
		`context.email.matches("^[a-z]+@example[.]com$")`:                        true,
		`context.score >= 3 && context.score == 3.0 && context.score * 2 == 6`:   true,
		`has(context.country) && !has(context.region) && !has(context.region.x)`: true,
		`"country" in context && !("region" in context) && size(context) == 12`:  true,
		`context.country == "DE" ? context.age == 41 : context.age == 0`:         true,
		`segment("staff") && segment("adults") && segment("both")`:               true,
		`semver(context.version) >= semver("2.9.0")`:                             true,
		`semver(context.version) < semver("v2.10.1-rc.1")`:                       false,
		`semver(context.version) == semver("2.10.1+build.5")`:                    true,
		`semver(context.version) in [semver("2.10.1"), semver("3")]`:             true,
		`timestamp("2026-01-02T00:00:00Z") > timestamp("2026-01-01T00:00:00Z")`:  true,
		`context.exists(k, k == "age")`:                                          true,
	} {
		if got, err := ask(t, c, text, visitor); err != nil || got != want {
			t.Errorf("%s: %t, %v", text, got, err)
		}
	}
}

// TestWhatIsAbsentMakesItsComparisonFalse holds the rule: the comparison that looks at it is false, and what is made of it goes on from
// there.
func TestWhatIsAbsentMakesItsComparisonFalse(t *testing.T) {
	c := conditions(t, nil, staff)
	for text, want := range map[string]bool{
		`context.region == "x"`:                                            false,
		`context.region != "x"`:                                            false,
		`!(context.region == "x")`:                                         true,
		`context.region in ["x"]`:                                          false,
		`context.region.startsWith("x")`:                                   false,
		`context.region`:                                                   false,
		`!context.region`:                                                  true,
		`context.region > 3 || context.country == "DE"`:                    true,
		`context.region.name.size() > 3`:                                   false,
		`context.country.code == "x"`:                                      false,
		`context.tags[7] == "x"`:                                           false,
		`context.tags[-1] == "x"`:                                          false,
		`context.region.exists(r, r == 1)`:                                 false,
		`context.region.all(r, r == 1)`:                                    false,
		`context.visits.exists(v, v.page == "home")`:                       true,
		`context.visits.all(v, v.page == "home")`:                          false,
		`context.visits.exists_one(v, v.page != "x")`:                      true,
		`context.visits.filter(v, v.page == "home").size() == 1`:           true,
		`(context.region == "x" ? context.age : context.age + 1) == 42`:    true,
		`context.region == "x" ? true : context.area == "y"`:               false,
		`semver(context.app) >= semver("1.0.0")`:                           false,
		`semver(context.region.version) < semver("1.0.0")`:                 false,
		`context.region == context.area`:                                   false,
		`[context.region] == ["x"]`:                                        false,
		`{"a": context.region}.a == "x"`:                                   false,
		`context.region + "x" == "x"`:                                      false,
		`(context.region == "x") == false`:                                 false,
		`context.email.matches("zzz") || context.region.matches("^[a-z]")`: false,
	} {
		if got, err := ask(t, c, text, visitor); err != nil || got != want {
			t.Errorf("%s: %t, %v", text, got, err)
		}
	}
	if got, err := ask(t, c, `segment("both")`, `{}`); got || err != nil {
		t.Errorf("a segment of nobody: %t, %v", got, err)
	}
}

func TestConditionsThatCannotBeEvaluated(t *testing.T) {
	c := conditions(t, nil, map[string]string{"broken": `context.country > 3`})
	for text, want := range map[string]string{
		`context.country > 3`:                               "no such overload",
		`context.age.startsWith("4")`:                       "no such overload",
		`context.country`:                                   "no boolean",
		`context.age / 0 == 1`:                              "division by zero",
		`semver(context.country) > semver("1")`:             `"DE" is no semantic version`,
		`semver(context.age) > semver("1")`:                 "no such overload",
		`segment("broken")`:                                 "no such overload",
		`segment("broken") && segment("broken")`:            "no such overload",
		`context.beta && context.country`:                   "no such overload",
		`timestamp(context.country) > timestamp(context.x)`: "invalid RFC 3339 timestamp",
		`context.age.matches("4")`:                          "no such overload",
	} {
		if _, err := ask(t, c, text, visitor); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	for _, text := range []string{`context.country > 3 || context.beta`, `context.country > 3 && !context.beta`} {
		if _, err := ask(t, c, text, visitor); err != nil {
			t.Errorf("%s: an error that decides nothing is told: %v", text, err)
		}
	}
}

func TestConditionsThatAreWrong(t *testing.T) {
	c := conditions(t, nil, staff)
	for text, want := range map[string]string{
		`context.country =`:                                 "at line 1, column 17",
		`country == "DE"`:                                   "undeclared reference to 'country'",
		`"DE"`:                                              "its result is of the type string; it must be bool",
		`segment("stff")`:                                   "did you mean staff?",
		`segment(context.name)`:                             "written out",
		`semver("one") < semver(context.v)`:                 `"one" is no semantic version`,
		`semver("1.0.0") < "1.2.0"`:                         "no matching overload",
		`context.email.matches(context.pattern)`:            "must be written out",
		`context.email.matches("(")`:                        "missing closing )",
		`context.email.matches("(a{1,50}){1,20}")`:          "more than 200",
		`context.all(context, true)`:                        "give the variable another name",
		`context.a.all(a, context.b.all(b, a == b))`:        "exceeds",
		`timestamp(context.t).getHours("Europe/Rome") == 1`: "in UTC alone",
		`@member(context, "a")`:                             "at line 1, column 1",
		strings.Repeat("context.a == 1 && ", 120) + `true`:  "parts, more than",
	} {
		_, err := c.Compile(text)
		var syntax *expr.SyntaxError
		if !errors.As(err, &syntax) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
	}
	condition, err := c.Compile(`segment("staff") && !segment("both") && segment("staff")`)
	if err != nil || !slices.Equal(condition.Segments(), []string{"both", "staff"}) {
		t.Errorf("%v, %v", condition.Segments(), err)
	}
}

func TestSegmentsThatLeadBack(t *testing.T) {
	c, err := expr.NewConditions(nil, []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]string{"a": "b", "b": "a"} {
		condition, err := c.Compile(fmt.Sprintf("segment(%q)", other))
		if err != nil {
			t.Fatal(err)
		}
		c.Define(name, condition)
	}
	if _, err := ask(t, c, `segment("a")`, `{}`); err == nil {
		t.Error("no error")
	}
}

func text() *expr.Shape { return &expr.Shape{Kind: expr.TextShape} }

func TestDeclaredAttributes(t *testing.T) {
	device := &expr.Shape{Kind: expr.MapShape, Members: map[string]*expr.Shape{"os": text()}}
	shape := &expr.Shape{Kind: expr.MapShape, Members: map[string]*expr.Shape{
		"country": text(), "version": text(), "email": text(), "age": {Kind: expr.WholeShape}, "score": {Kind: expr.NumberShape}, "beta": {Kind: expr.FlagShape},
		"tags": {Kind: expr.ListShape, Items: text()}, "visits": {Kind: expr.ListShape, Items: device}, "device": device, "free": {Kind: expr.MapShape}, "any": {},
	}}
	c := conditions(t, shape, map[string]string{"staff": staff["staff"]})
	for _, text := range []string{
		`context.country in ["DE"]`, `context.age == 41 && context.score / 2.0 > 1.0 && context.score > 1 && context.beta`,
		`context.tags.exists(t, t.startsWith("a"))`, `context.device.os == "ios"`, `!has(context.free.x) && !context.free.x.y`, `has(context.device)`,
		`semver(context.version) > semver("1")`, `segment("staff")`, `!(context.any.thing == 1)`, `context.score * 2.0 + 1.0 == 7.0`, `-context.score < 0.0`,
		`!context.visits.exists(v, v.os == "x")`,
	} {
		if got, err := ask(t, c, text, visitor); err != nil || !got {
			t.Errorf("%s: %t, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		`context.contry == "DE"`:             `there is no attribute "contry"; did you mean country?`,
		`has(context.contry)`:                `did you mean country?`,
		`context.device.name == "x"`:         `there is no attribute "name"; declared are os`,
		`context.country == 3`:               "no matching overload for '_==_' applied to '(string, int)'",
		`context.age.startsWith("4")`:        "no matching overload",
		`context.beta == "true"`:             "no matching overload",
		`context.tags.exists(t, t > 3)`:      "no matching overload",
		`context.age in ["a"]`:               "no matching overload",
		`context.country`:                    "of the type string",
		`context["country"] == "DE"`:         "no matching overload",
		`context.visits.exists(v, v.so > 3)`: "undefined field 'so'",
	} {
		if _, err := c.Compile(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	shape.Open = true
	if got, err := ask(t, conditions(t, shape, nil), `context.nobody == 1 || context.country == "DE"`, visitor); err != nil || !got {
		t.Errorf("an attribute that is not declared where others are allowed: %t, %v", got, err)
	}
}

// TestVersions are the examples of semver.org, and what is allowed beyond them.
func TestVersions(t *testing.T) {
	ascending := []string{
		"0", "0.0.1", "v0.1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0",
		"1.2", "1.2.1", "1.10.0", "2", "12345678901234567890123456789.0.0",
	}
	c := conditions(t, nil, nil)
	holds := func(a, operator, b string) bool {
		got, err := ask(t, c, "semver(context.a) "+operator+" semver(context.b)", fmt.Sprintf(`{"a": %q, "b": %q}`, a, b))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for i, a := range ascending {
		for j, b := range ascending {
			got := [...]bool{holds(a, "<", b), holds(a, "<=", b), holds(a, ">", b), holds(a, ">=", b), holds(a, "==", b), holds(a, "!=", b)}
			if got != [...]bool{i < j, i <= j, i > j, i >= j, i == j, i != j} {
				t.Errorf("%s and %s: %v", a, b, got)
			}
		}
	}
	for _, equal := range [][2]string{{"1.2", "1.2.0"}, {"1", "v1.0.0"}, {"1.0.0+a", "1.0.0+b.c-d"}, {"1.0-rc.1", "1.0.0-rc.1"}} {
		if !holds(equal[0], "==", equal[1]) {
			t.Errorf("%v differ", equal)
		}
	}
	for _, wrong := range []string{"", "v", "1.", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3-a..b", "1.2.3+", "1.2.3-ü", "a", "1.2.x", "-1.2.3", "1 ", strings.Repeat("1", 300)} {
		if _, err := ask(t, c, `semver(context.a) == semver("1")`, fmt.Sprintf(`{"a": %q}`, wrong)); err == nil {
			t.Errorf("%q is a version", wrong)
		}
	}
}

func TestConditionsTakeNoMemory(t *testing.T) {
	c := conditions(t, nil, staff)
	who := expr.NewSubject(tree(t, visitor))
	for _, text := range []string{
		`context.country in ["DE", "FR"] && context.age >= 18 && context.region == "x"`, `semver(context.version) >= semver("1.2.0")`,
		`segment("both") && context.tags.exists(t, t == "b")`, `context.email.matches("@example")`, `has(context.device.os) && context.device.os.contains("o")`,
	} {
		condition, err := c.Compile(text)
		if err != nil {
			t.Fatal(err)
		}
		least := math.Inf(1)
		for range 200 { // a sync.Pool forgets at random under the race detector
			least = min(least, testing.AllocsPerRun(1, func() {
				e := c.Ask(who)
				_, err = e.Holds(condition)
				e.Done()
			}))
		}
		if least != 0 || err != nil {
			t.Errorf("%s: %v allocations, %v", text, least, err)
		}
	}
}

// TestConditionsAgreeWithCEL holds that where CEL itself has an answer, it is ours: only what CEL calls an error may differ.
func TestConditionsAgreeWithCEL(t *testing.T) {
	plain, err := expr.NewEnv(map[string]expr.Type{"context": expr.Any})
	if err != nil {
		t.Fatal(err)
	}
	c := conditions(t, nil, nil)
	self := tree(t, visitor)
	rapid.Check(t, func(t *rapid.T) {
		agree(t, plain, c, self, boolean(4).Draw(t, "condition"))
	})
}

// boolean draws conditions over attributes that are there, absent, or of another kind.
func boolean(depth int) *rapid.Generator[string] {
	scalar := rapid.SampledFrom([]string{
		`context.country`, `context.age`, `context.region`, `context.device.os`, `context.device.x`, `context.beta`, `context["a.b"]`, `context.tags[0]`,
		`context.tags[9]`, `context.tags`, `context.device`, `context.score`, `"DE"`, `41`, `3.0`, `true`, `size(context.tags)`, `context`, `[1, "DE"]`, `{"os": "ios"}`,
	})
	return rapid.Custom(func(t *rapid.T) string {
		a, b := scalar.Draw(t, "a"), scalar.Draw(t, "b")
		below := func() string { return boolean(depth-1).Draw(t, "below") }
		kind := rapid.IntRange(0, 10).Draw(t, "kind")
		if depth == 0 {
			kind %= 5
		}
		switch kind {
		case 0:
			return a + rapid.SampledFrom([]string{" == ", " != ", " < ", " >= ", " in "}).Draw(t, "operator") + b
		case 1:
			return a + `.startsWith("D")`
		case 2:
			return a + " in [" + b + `, "DE"]`
		case 3:
			return "has(context." + rapid.SampledFrom([]string{"country", "region", "device.os", "region.x"}).Draw(t, "has") + ")"
		case 4:
			return a
		case 5, 6:
			return "(" + below() + ") && (" + below() + ")"
		case 7, 8:
			return "(" + below() + ") || (" + below() + ")"
		case 9:
			return "!(" + below() + ")"
		default:
			return "(" + below() + ") ? (" + below() + ") : (" + below() + ")"
		}
	})
}

func agree(t rapid.TB, plain *expr.Env, c *expr.Conditions, self *value.Value, text string) {
	t.Helper()
	program, err := plain.Compile(text, expr.Bool)
	condition, ourErr := c.Compile(text)
	if err != nil || ourErr != nil {
		return
	}
	want, _, err := program.Bool(map[string]any{"context": expr.Of(self)})
	if err != nil {
		return
	}
	e := c.Ask(expr.NewSubject(self))
	defer e.Done()
	if got, err := e.Holds(condition); err != nil || got != want {
		t.Fatalf("%s: %t, %v; CEL says %t", text, got, err, want)
	}
}

func FuzzConditions(f *testing.F) {
	for _, seed := range []string{
		`context.country in ["DE"] && context.age > 3`, `context.tags.all(t, t != "x")`, `semver(context.version) < semver("2")`, `segment("staff")`,
		`context.visits.map(v, v.seconds)[0] == 3`, `has(context.a) ? context.a.b : context["a.b"] == 1`,
	} {
		f.Add(seed)
	}
	plain, err := expr.NewEnv(map[string]expr.Type{"context": expr.Any})
	if err != nil {
		f.Fatal(err)
	}
	c := conditions(f, nil, staff)
	self := tree(f, visitor)
	f.Fuzz(func(t *testing.T, text string) {
		if condition, err := c.Compile(text); err == nil {
			e := c.Ask(expr.NewSubject(self))
			defer e.Done()
			if _, err := e.Holds(condition); err != nil && strings.Contains(err.Error(), "cannot be evaluated") {
				t.Fatal(err)
			}
			agree(t, plain, c, self, text)
			return
		}
		_, err := c.Compile(text)
		var syntax *expr.SyntaxError
		if !errors.As(err, &syntax) || syntax.Line < 1 || syntax.Column < 1 {
			t.Fatalf("no place in %v", err)
		}
	})
}
