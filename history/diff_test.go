package history_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/history"
	"github.com/trunkline/trunkline/value"
)

// told is a difference in lines: path, old with its place, new with its place.
func told(d *history.Diff) string {
	var b strings.Builder
	side := func(v *value.Value, at value.Pos) string {
		if v == nil {
			return "none"
		}
		text := v.String()
		if v.Kind() == value.Redacted {
			text = "redacted"
		}
		return text + "@" + at.String()
	}
	for _, c := range d.Changes {
		fmt.Fprintf(&b, "%s %s %s\n", c.Path, side(c.Old, c.OldPlace), side(c.New, c.NewPlace))
	}
	return b.String()
}

func (w *world) diff(from, to history.Side, what history.Selection) *history.Diff {
	w.tb.Helper()
	d, err := w.Diff(w.tb.Context(), from, to, what)
	if err != nil {
		w.tb.Fatal(err)
	}
	return d
}

const threeEnvironments = "version: 1\nenvironments: {staging: {}, prod: {}, prodEu: {extends: prod}}\n"

func TestDifferences(t *testing.T) {
	w, first := repoOf(t, map[string]string{
		"trunkline.yaml":           threeEnvironments,
		"config/a.yaml":            "x: 1\nlist: [1, 2]\npassword: hunter2-first\ngone: {y: 1}\nsame: 1\n",
		"config/b.yaml":            "moved: 1\n",
		"environments/prod/a.yaml": "x: 5\n",
	})
	w.push("Second", map[string]string{
		"config/a.yaml": "same: 1\nx: 2\nlist: [1, 3]\npassword: hunter2-second\nnew: {y: {z: 1}}\n",
		"config/b.yaml": "-", "config/b/_index.yaml": "moved: 1\n",
	})
	from := history.Side{At: w.at(first.String(), "staging"), Environment: "staging"}
	to := history.Side{At: w.at("", "staging"), Environment: "staging"}
	for _, test := range []struct {
		name, env, toEnv string
		what             history.Selection
		want             string
	}{
		{"all", "staging", "staging", history.Selection{}, `
a.gone {"y":1}@config/a.yaml:4:1 none
a.list [1,2]@config/a.yaml:2:1 [1,3]@config/a.yaml:3:1
a.new none {"y":{"z":1}}@config/a.yaml:5:1
a.password redacted@config/a.yaml:3:11 redacted@config/a.yaml:4:11
a.x 1@config/a.yaml:1:4 2@config/a.yaml:2:4
`},
		{"what the overlay hides", "prod", "prod", selected(t, "", "a.x"), "\n"},
		{"another environment", "prod", "prodEu", selected(t, "", "*.x"), "\n"},
		{"a part", "staging", "staging", selected(t, "", "a.new.**", "a.x"), `
a.new none {"y":{"z":1}}@config/a.yaml:5:1
a.x 1@config/a.yaml:1:4 2@config/a.yaml:2:4
`},
		{"what is seen of a map that came as a whole", "staging", "staging", selected(t, "a.new.y.none a.gone.y", "**"), `
a {"gone":{"y":1}}@config/a.yaml:4:11 none
`},
		{"between environments", "staging", "prod", selected(t, "", "a.x"), `
a.x 1@config/a.yaml:1:4 5@environments/prod/a.yaml:1:4
`},
	} {
		from.Environment, to.Environment = test.env, test.toEnv
		d := w.diff(from, to, test.what)
		if got := "\n" + told(d); got != test.want || d.Total != len(d.Changes) || d.Truncated {
			t.Errorf("%s: %d, truncated %t: %s", test.name, d.Total, d.Truncated, got)
		}
	}
	for _, nowhere := range []history.Side{{At: from.At, Environment: "nowhere"}} {
		if _, err := w.Diff(t.Context(), nowhere, nowhere, history.Selection{}); err == nil {
			t.Error("an environment that no side has is compared")
		}
		to.Environment = "staging"
		if d := w.diff(nowhere, to, selected(t, "", "a.x")); told(d) != "a none {\"x\":2}@config/a.yaml:1:1\n" {
			t.Errorf("from nothing: %s", told(d))
		}
	}
}

func TestDifferencesAreBounded(t *testing.T) {
	keyed := func(value string) string {
		var b strings.Builder
		for i := range history.MaxChanges + 1 {
			fmt.Fprintf(&b, "k%d: %s\n", i, value)
		}
		return b.String()
	}
	w, first := repoOf(t, map[string]string{"config/a.yaml": keyed("1")})
	w.push("Second", map[string]string{"config/a.yaml": keyed("2")})
	from, to := history.Side{At: w.at(first.String(), "default"), Environment: "default"}, history.Side{At: w.at("", "default"), Environment: "default"}
	d := w.diff(from, to, history.Selection{})
	if len(d.Changes) != history.MaxChanges || d.Total != history.MaxChanges+1 || !d.Truncated {
		t.Errorf("%d of %d changes, truncated %t", len(d.Changes), d.Total, d.Truncated)
	}
	if d := w.diff(from, to, selected(t, "a.k1 a.k2", "**")); d.Total != 2 || d.Truncated {
		t.Errorf("who sees two of them is told of %d, truncated %t", d.Total, d.Truncated)
	}
}

func TestMatrix(t *testing.T) {
	w, first := repoOf(t, map[string]string{
		"trunkline.yaml":              threeEnvironments,
		"config/a.yaml":               "x: 1\nsame: 1\npassword: hunter2-base\n",
		"environments/prod/a.yaml":    "x: 2\nlist: [1]\nempty: {}\npassword: hunter2-prod\n",
		"environments/staging/a.yaml": "deep: {er: 1}\n",
	})
	sides := func(name string, envs ...string) (list []history.Side) {
		for _, env := range envs {
			list = append(list, history.Side{At: w.at(name, env), Environment: env})
		}
		return list
	}
	rows := func(m *history.Matrix) string {
		var b strings.Builder
		for _, r := range m.Rows {
			fmt.Fprint(&b, r.Path)
			for _, v := range r.Values {
				text := "none"
				if v != nil {
					text = v.String()
				}
				if strings.HasPrefix(text, `{"$redacted"`) {
					text = "redacted"
				}
				fmt.Fprint(&b, " ", text)
			}
			fmt.Fprintln(&b)
		}
		return b.String()
	}
	for _, test := range []struct {
		name string
		envs []string
		what history.Selection
		want string
	}{
		{"all", []string{"prod", "prodEu", "staging"}, history.Selection{}, `
a.deep.er none none 1
a.empty {} {} none
a.list [1] [1] none
a.password redacted redacted redacted
a.x 2 2 1
`},
		{"alike", []string{"prod", "prodEu"}, history.Selection{}, "\n"},
		{"seen", []string{"prod", "staging"}, selected(t, "a.x", "**"), "\na.x 2 1\n"},
		{"nothing of one", []string{"prod", "staging"}, selected(t, "", "a.deep.**"), "\na.deep.er none 1\n"},
		{"one alone", []string{"prod"}, history.Selection{}, "\n"},
	} {
		m, err := w.Matrix(t.Context(), sides("", test.envs...), false, test.what)
		if err != nil {
			t.Fatal(err)
		}
		if got := "\n" + rows(m); got != test.want || m.Total != len(m.Rows) {
			t.Errorf("%s: %d: %s", test.name, m.Total, got)
		}
	}
	bad := w.push("Bad for staging", map[string]string{"environments/staging/a.yaml": "x: {}\n"})
	m, err := w.Matrix(t.Context(), sides(bad.String(), "prod", "prodEu", "staging", "nowhere"), true, selected(t, "", "a.x"))
	if err != nil || len(m.Sides) != 2 || len(m.Unfit) != 1 || m.Unfit[0] != "staging" {
		t.Errorf("leniently: %+v, %v", m, err)
	}
	if _, err := w.Matrix(t.Context(), sides(bad.String(), "prod", "staging"), false, history.Selection{}); err == nil {
		t.Error("what does not compile is compared")
	}
	_ = first
}
