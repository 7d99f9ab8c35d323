package expr_test

import (
	"slices"
	"testing"

	"github.com/trunkline/trunkline/value/expr"
)

// TestReads holds that an expression looks at no more of a variable than it tells.
func TestReads(t *testing.T) {
	env, err := expr.NewEnv(map[string]expr.Type{"root": expr.Any, "self": expr.Any, "path": expr.Text})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]string{
		`self > 1`:                                        nil,
		`self < root.web.timeout`:                         {"web.timeout"},
		`root.a.b > 1 && root["c"]["d.e"] == 2`:           {"a.b", `c["d.e"]`},
		`has(root.a.b) ? root.a.b.c == 1 : root.x in [1]`: {"a.b", "a.b.c", "x"},
		`root.a.all(k, root.a[k] < 9)`:                    {"a", "a"},
		`root.list[0].x == 1`:                             {"list"},
		`root[path] == self`:                              {""},
		`size(root) > 1`:                                  {""},
		`root == self`:                                    {""},
		`[root.a].exists(r, r.b == 1)`:                    {"a"},
		`{"a": root}.a.b == 1`:                            {""},
		`"x" in root`:                                     {""},
		`root["a"] == root[self.b]`:                       {"a", ""},
		`self[root.key] == 1`:                             {"key"},
	} {
		p, err := env.Compile(text, expr.Bool)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		var got []string
		for _, path := range p.Reads("root") {
			got = append(got, path.String())
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s reads %q", text, got)
		}
	}
}
