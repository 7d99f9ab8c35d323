package history_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/history"
	"github.com/trunkline/trunkline/value"
)

// explained is an explanation in lines: folder, operation, value, place, whether it counts, subject of the commit.
func explained(e *history.Explanation) string {
	var b strings.Builder
	text := func(v *value.Value) string {
		switch {
		case v == nil:
			return "nothing"
		case v.Kind() == value.Redacted:
			return "redacted"
		}
		return v.String()
	}
	for _, s := range e.Steps {
		effective := "shadowed"
		if s.Effective {
			effective = "effective"
		}
		fmt.Fprintf(&b, "%s %s %s %s %s %s\n", s.Folder, s.Op, text(s.Value), s.Place, effective, s.Commit.Subject)
	}
	return b.String() + "= " + text(e.Value) + "\n"
}

func TestExplanations(t *testing.T) {
	w, _ := repoOf(t, map[string]string{
		"trunkline.yaml":           threeEnvironments,
		"config/a.yaml":            "x: 1\nlist: [1]\npassword: hunter2-base\nmap: {one: 1, two: 2}\ngone: {y: 1}\nkept: 1\nhidden: {z: 1}\nonly: {hidden: 1}\n",
		"environments/prod/a.yaml": "x: 2\npassword: hunter2-prod\nmap: {two: 3}\ngone: {$patch: delete}\n",
	})
	w.push("Third level", map[string]string{"environments/prodEu/a.yaml": "x: 3\nmap: {$patch: replace, two: 4}\n"})
	w.push("Base says otherwise", map[string]string{
		"config/a.yaml": "x: 7\nlist: [1]\npassword: hunter2-base2\nmap: {one: 1, two: 2}\ngone: {y: 2}\nkept: 1\nhidden: {z: 1}\nonly: {hidden: 1}\n",
	})
	w.push("Hide", map[string]string{"environments/prodEu/a.yaml": "x: 3\nmap: {$patch: replace, two: 4}\nhidden: {$patch: replace, other: 1}\nonly: {hidden: 2}\n"})
	w.push("Hide otherwise", map[string]string{"environments/prodEu/a.yaml": "x: 3\nmap: {$patch: replace, two: 4}\nhidden: {$patch: replace, other: 2}\nonly: {hidden: 3}\n"})
	for _, test := range []struct{ path, seen, want string }{
		{"a.x", "", `
config set 7 config/a.yaml:1:4 shadowed Base says otherwise
environments/prod replace 2 environments/prod/a.yaml:1:4 shadowed Begin
environments/prodEu replace 3 environments/prodEu/a.yaml:1:4 effective Third level
= 3
`},
		{"a.password", "", `
config set redacted config/a.yaml:3:11 shadowed Base says otherwise
environments/prod replace redacted environments/prod/a.yaml:2:11 effective Begin
= redacted
`},
		{"a.gone.y", "", `
config set 2 config/a.yaml:5:11 shadowed Base says otherwise
environments/prod delete nothing environments/prod/a.yaml:4:16 effective Begin
= nothing
`},
		{"a.map", "", `
config set {"one":1,"two":2} config/a.yaml:4:1 shadowed Begin
environments/prod merge {"two":3} environments/prod/a.yaml:3:1 shadowed Begin
environments/prodEu replace {"$patch":"replace","two":4} environments/prodEu/a.yaml:2:1 effective Third level
= {"two":4}
`},
		{"a.map.one", "", `
config set 1 config/a.yaml:4:12 shadowed Begin
environments/prodEu delete nothing environments/prodEu/a.yaml:2:15 effective Third level
= nothing
`},
		{"a.kept", "", "\nconfig set 1 config/a.yaml:6:7 effective Begin\n= 1\n"},
		{"a.list[0]", "", "\nconfig set 1 config/a.yaml:2:8 effective Begin\n= 1\n"},
		// To who sees a.map.one alone, what the overlays say of its sister is nothing.
		{"a.map", "a.map.one", `
config set {"one":1} config/a.yaml:4:12 shadowed Begin
environments/prodEu replace nothing environments/prodEu/a.yaml:2:1 effective Third level
= nothing
`},
		{"a.hidden", "a.hidden.z", `
config set {"z":1} config/a.yaml:7:1 shadowed Begin
environments/prodEu replace nothing environments/prodEu/a.yaml:3:1 effective Hide
= nothing
`},
		{"a", "a.kept a.x", `
config set {"kept":1,"x":7} config/a.yaml:6:7 effective Base says otherwise
environments/prod merge {"x":2} environments/prod/a.yaml:1:4 shadowed Begin
environments/prodEu merge {"x":3} environments/prodEu/a.yaml:1:4 effective Third level
= {"kept":1,"x":3}
`},
	} {
		e, err := w.Explain(t.Context(), w.at("", "prodEu"), "prodEu", path(t, test.path), selected(t, test.seen))
		if err != nil {
			t.Errorf("%s: %v", test.path, err)
			continue
		}
		if got := "\n" + explained(e); got != test.want {
			t.Errorf("%s: %s", test.path, got)
		}
	}
	for _, test := range []struct{ path, seen string }{{"a.none", ""}, {"none", ""}, {"a.kept", "a.x"}, {"a.only", "a.x"}, {"a.kept.below", ""}} {
		if e, err := w.Explain(t.Context(), w.at("", "prodEu"), "prodEu", path(t, test.path), selected(t, test.seen)); !errors.Is(err, history.ErrNothing) {
			t.Errorf("%s, of which %q is seen: %v, %v", test.path, test.seen, e, err)
		}
	}
}

// Where overlays that the reader may not know of do everything, that it is done is told, and not by whom.
func TestExplanationsBeyondTheGrant(t *testing.T) {
	w, _ := repoOf(t, map[string]string{
		"trunkline.yaml": "version: 1\nenvironments: {low: {}, mid: {extends: low}, top: {extends: mid}}\n", "config/a.yaml": "x: 1\n",
		"environments/low/b.yaml": "map: {one: 1}\nkept: {one: 1}\n", "environments/mid/b.yaml": "map: {one: {$patch: delete}}\n",
	})
	what := history.Selection{Knows: func(env string) bool { return env == "top" }}
	for text, want := range map[string]string{
		"b.kept.one": " set 1  effective Begin\n= 1\n",
		"b.map":      ` merge {"one":{"$patch":"delete"}}  effective Begin` + "\n= {}\n",
		"b.map.one":  " delete nothing  effective Begin\n= nothing\n",
	} {
		e, err := w.Explain(t.Context(), w.at("", "top"), "top", path(t, text), what)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := explained(e); got != want || e.Steps[0].Environment != "top" {
			t.Errorf("%s: %s%+v", text, got, e.Steps)
		}
	}
}

func TestLargeExplanationsAreShortened(t *testing.T) {
	var b strings.Builder
	for i := range history.MaxShownWeight {
		fmt.Fprintf(&b, "k%d: 1\n", i)
	}
	w, _ := repoOf(t, map[string]string{"config/a.yaml": b.String()})
	e, err := w.Explain(t.Context(), w.at("", "default"), "default", path(t, "a"), history.Selection{})
	if err != nil || !e.Truncated || e.Value != nil || len(e.Steps) != 1 || e.Steps[0].Value != nil {
		t.Errorf("%+v, %v", e, err)
	}
}
