package expr_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/expr"
)

func environment(t testing.TB) *expr.Env {
	t.Helper()
	env, err := expr.NewEnv(map[string]expr.Type{
		"self": expr.Any, "oldSelf": expr.Any, "env": expr.Text, "rollback": expr.Flag, "captures": expr.Texts, "commit": expr.Any,
	})
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func tree(t testing.TB, text string) *value.Value {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// eval evaluates with self and a few variables of each type.
func eval(t testing.TB, text string, self *value.Value) (bool, uint64, error) {
	t.Helper()
	p, err := environment(t).Compile(text, expr.Bool)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p.Bool(map[string]any{
		"self": expr.Of(self), "oldSelf": expr.Of(self), "env": "prod", "rollback": false,
		"captures": []string{"primary"}, "commit": expr.Of(tree(t, `{"author": "ada@example.com", "files": ["a"]}`)),
	})
}

const shop = `{"pool": {"min": 2, "max": 20}, "hosts": ["a", "b"], "ratio": 0.5, "whole": 2.0, "on": true, "none": null, "name": "Grüße",
	"huge": 9007199254740993, "items": [{"id": 1}, {"id": 2}], "a.b": 1}`

func TestResults(t *testing.T) {
	self := tree(t, shop)
	for text, want := range map[string]bool{
		`self.pool.max <= oldSelf.pool.max * 2`:                            true,
		`self.pool.max > 20`:                                               false,
		`self.huge == 9007199254740993`:                                    true, // beyond what a double holds
		`self.huge % 2 == 1`:                                               true,
		`self.huge == 9007199254740992`:                                    false,
		`self.whole == 2`:                                                  true,
		`self.ratio < 1`:                                                   true,
		`self.pool.min < 2.5`:                                              true,
		`self.name.startsWith("Gr") && size(self.name) == 5`:               true,
		`"a" in self.hosts && !("c" in self.hosts)`:                        true,
		`"pool" in self && has(self.pool.max) && !has(self.absent)`:        true,
		`self["a.b"] == 1`:                                                 true,
		`self.none == null`:                                                true,
		`self.hosts == ["a", "b"]`:                                         true,
		`["a", "b"] == self.hosts`:                                         true,
		`self.pool == {"max": 20, "min": 2}`:                               true,
		`{"max": 20.0, "min": 2} == self.pool`:                             true,
		`self.pool == oldSelf.pool`:                                        true,
		`self.pool == self.hosts`:                                          false,
		`self.hosts + ["c"] == ["a", "b", "c"]`:                            true,
		`self.items.all(i, i.id > 0) && self.items.exists(i, i.id == 2)`:   true,
		`self.items.map(i, i.id) == [1, 2] && self.hosts[1] == "b"`:        true,
		`self.pool.all(key, self.pool[key] > 0)`:                           true,
		`type(self.pool) == map && type(self.hosts) == list`:               true,
		`env == "prod" && !rollback && captures[0] == "primary"`:           true,
		`commit.author.endsWith("@example.com") && commit.files[0] == "a"`: true,
		`duration("90s") > duration("1m") && self.name.matches("^Gr.+e$")`: true,
	} {
		got, _, err := eval(t, text, self)
		if err != nil || got != want {
			t.Errorf("%s: %t, %v", text, got, err)
		}
	}
}

func TestErrors(t *testing.T) {
	self := tree(t, shop)
	for text, want := range map[string]string{
		`self.absent > 1`:                    "no such key: absent",
		`self.hosts[7] == "x"`:               "index out of bounds: 7",
		`self.name > 1`:                      "no such overload",
		`self.ratio % 2 == 0`:                "no such overload",
		`self.huge * self.huge > 0`:          "integer overflow",
		`self.pool[1] == 1`:                  "no such overload",
		`self.pool`:                          "no boolean",
		`int(self.name) == 1`:                "type conversion error",
		`self.name.matches(self.name + "(")`: "missing closing )",
	} {
		_, _, err := eval(t, text, self)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestCompileErrorsNameThePlace(t *testing.T) {
	env := environment(t)
	for text, want := range map[string]string{
		`self.max <`:                             "at line 1, column 11",
		"true &&\n  nothing > 1":                 "at line 2, column 3 of the expression: undeclared reference to 'nothing'",
		`env + 1 == "x"`:                         "found no matching overload",
		`self.x.matches("(")`:                    "invalid matches argument",
		`1`:                                      "its result is of the type int; it must be bool",
		strings.Repeat("true && ", 600) + `true`: "longer than",
		`self.all(a, self.all(b, self.all(c, self.all(d, self.all(e, true)))))`: "exceeds",
	} {
		_, err := env.Compile(text, expr.Bool)
		var syntax *expr.SyntaxError
		if !errors.As(err, &syntax) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, want %q", text, err, want)
		}
	}
}

func TestTexts(t *testing.T) {
	p, err := environment(t).Compile(`"the pool is " + string(self.pool.max)`, expr.String)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := p.Text(map[string]any{"self": expr.Of(tree(t, shop))})
	if err != nil || got != "the pool is 20" {
		t.Errorf("%q, %v", got, err)
	}
	if !p.Mentions("self") || p.Mentions("oldSelf") {
		t.Error("the names an expression mentions are wrong")
	}
}

// TestCostIsLimited holds that no expression over a large tree goes on for long, or builds much.
func TestCostIsLimited(t *testing.T) {
	var members []string
	for i := range 3000 {
		members = append(members, fmt.Sprintf(`"k%04d": %d`, i, i))
	}
	self := tree(t, "{"+strings.Join(members, ",")+"}")
	if ok, cost, err := eval(t, `self.all(k, self[k] >= 0)`, self); !ok || err != nil || cost == 0 || cost > expr.RuleCost {
		t.Errorf("a modest rule: %t, cost %d, %v", ok, cost, err)
	}
	for _, text := range []string{
		`self.all(a, self.all(b, self[a] + self[b] >= 0))`,
		`self.map(a, self.map(b, b)).size() > 0`,
		`self.all(a, self.all(b, a.matches("^(a|b|k)+" + b + "$") || true))`,
		`[0,1,2,3,4,5,6,7,8,9].map(a, [0,1,2,3,4,5,6,7,8,9].map(b, self.map(c, c + c + c + c))).size() > 0`,
	} {
		if _, _, err := eval(t, text, self); !errors.Is(err, expr.ErrCost) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestRedactedValuesCannotBeProbed(t *testing.T) {
	self := tree(t, `{"dsn": {"$redacted": true, "fp": "00"}}`)
	for _, text := range []string{`self.dsn == "x"`, `self.dsn.startsWith("p")`, `size(self.dsn) > 1`} {
		if _, _, err := eval(t, text, self); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}

// TestHostileExpressions holds that none of these goes on for long, whatever it is priced at.
func TestHostileExpressions(t *testing.T) {
	var items, keys []string
	for i := range 20_000 {
		items = append(items, fmt.Sprint(i))
	}
	for i := range 2000 {
		keys = append(keys, fmt.Sprintf(`"k%d": 1`, i))
	}
	big := "[" + strings.Join(items, ",") + "]"
	self := tree(t, `{"a": [`+big+`], "b": [`+strings.Replace(big, "19999", "20000", 1)+`], "k": {`+strings.Join(keys, ",")+`}}`)
	for _, text := range []string{
		`self.k.all(k, self.a != self.b)`, `self.k.all(k, !(self.b in [self.a]))`, `self.k.all(k, !(k in self.a[0]))`,
	} {
		if _, _, err := eval(t, text, self); !errors.Is(err, expr.ErrCost) {
			t.Errorf("%s: %v", text, err)
		}
	}
	long := tree(t, `{"s": "`+strings.Repeat("a", 900_000)+`"}`)
	for text, want := range map[string]string{
		`self.s.matches("^(a{1,60}|b)*c$")`: "costs too much", `self.s.matches("^((a{0,30}){0,30}){0,30}c$")`: "",
	} {
		p, err := environment(t).Compile(text, expr.Bool)
		if err == nil {
			_, _, err = p.Bool(map[string]any{"self": expr.Of(long)})
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{
		`{"c": 1, "a": 2}.map(k, k)[0] == "a"`, `self.s.replace("a", self.t) == ""`, `timestamp("2026-01-01T00:00:00Z").getHours("Local") == 0`,
	} {
		if _, err := environment(t).Compile(text, expr.Bool); err == nil {
			t.Errorf("%s is compiled", text)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{`self.max <= oldSelf.max * 2`, `self.all(k, self[k] > 0)`, `"a".matches("b")`, `{"a": [1]} == self`, `1u + 2u == 3u`} {
		f.Add(seed)
	}
	env := environment(f)
	self := expr.Of(tree(f, shop))
	f.Fuzz(func(t *testing.T, text string) {
		p, err := env.Compile(text, expr.Bool)
		if err != nil {
			var syntax *expr.SyntaxError
			if !errors.As(err, &syntax) || syntax.Line < 1 || syntax.Column < 1 {
				t.Fatalf("no place in %v", err)
			}
			return
		}
		_, cost, err := p.Bool(map[string]any{"self": self, "oldSelf": self, "env": "prod", "rollback": true, "captures": []string{}, "commit": self})
		if cost > 2*expr.RuleCost && err == nil {
			t.Fatalf("%q costs %d", text, cost)
		}
	})
}

func BenchmarkScalarRule(b *testing.B) {
	p, err := environment(b).Compile(`self.pool.max <= oldSelf.pool.max * 2`, expr.Bool)
	if err != nil {
		b.Fatal(err)
	}
	self := expr.Of(tree(b, shop))
	variables := map[string]any{"self": self, "oldSelf": self}
	for b.Loop() {
		if ok, _, err := p.Bool(variables); !ok || err != nil {
			b.Fatal(err)
		}
	}
}
