package access_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/value"
)

func TestGrantAllows(t *testing.T) {
	g := grant(t, []string{"prod", "staging*", "qa"}, []string{"**"}, 0)
	for env, want := range map[string]bool{
		"prod": true, "prodEu": false, "staging": true, "staging-2": true, "stagin": false, "qa": true, "": false, "*": false, "staging*": true,
	} {
		if g.Allows(env) != want {
			t.Errorf("%q: %v", env, !want)
		}
	}
	if all := grant(t, []string{"*"}, []string{"**"}, 0); !all.Allows("anything") {
		t.Error("* does not allow all")
	}
	var none access.Grant
	if none.Allows("prod") || none.May(access.History) || none.Key() != "" {
		t.Error("the zero grant allows something")
	}
}

func TestGrantIsChecked(t *testing.T) {
	many := make([]string, 300)
	for i := range many {
		many[i] = "e" + strings.Repeat("x", i%50)
	}
	for _, tt := range []struct {
		environments, patterns []string
		rights                 access.Right
		want                   string
	}{
		{nil, []string{"**"}, 0, "no environment"},
		{[]string{""}, []string{"**"}, 0, "environment"},
		{[]string{"pr od"}, []string{"**"}, 0, "environment"},
		{[]string{"*x"}, []string{"**"}, 0, "environment"},
		{[]string{"a*b"}, []string{"**"}, 0, "environment"},
		{[]string{"prod\n"}, []string{"**"}, 0, "environment"},
		{many, []string{"**"}, 0, "64"},
		{[]string{"prod"}, nil, 0, "allows nothing"},
		{[]string{"prod"}, []string{"a..b"}, 0, "patterns"},
		{[]string{"prod"}, many, 0, "256"},
	} {
		if _, err := access.NewGrant(tt.environments, tt.patterns, tt.rights); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q %q: %v, want %q", tt.environments, tt.patterns, err, tt.want)
		}
	}
	if _, err := access.NewGrant([]string{"prod"}, nil, access.Publish); err != nil {
		t.Errorf("a right without patterns: %v", err)
	}
}

func TestGrantAsJSON(t *testing.T) {
	for text, want := range map[string]string{
		`{"environments":["staging","prod","prod"],"patterns":["b.**","a"],"rights":["publish","reveal"]}`: `{"environments":["prod","staging"],"patterns":["a","b.**"],"rights":["reveal","publish"]}`,
		`{"environments":["x","*"],"patterns":["a","**"]}`:                                                 `{"environments":["*"],"patterns":["**"]}`,
		`{"environments":["prod"],"public":true}`:                                                          `{"environments":["prod"],"public":true,"rights":["publish"]}`,
	} {
		var g access.Grant
		if err := json.Unmarshal([]byte(text), &g); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, _ := json.Marshal(g); string(got) != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	for text, want := range map[string]string{
		`{"environments":["prod"],"patterns":["a"],"right":["reveal"]}`:          "right",
		`{"environments":["prod"],"environments":["*"],"patterns":["a"]}`:        "twice",
		`{"environments":["prod"],"patterns":["a"],"rights":["own"]}`:            "own",
		`{"environments":["prod"],"public":true,"patterns":["a"]}`:               "manifest",
		`{"environments":["prod"],"public":true,"rights":["operate","publish"]}`: "operate",
		`{"environments":"prod","patterns":["a"]}`:                               "/environments",
		`{"patterns":["a"]}`: "no environment",
		`[]`:                 "a list",
	} {
		var g access.Grant
		if err := json.Unmarshal([]byte(text), &g); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

var (
	someKeys     = rapid.SampledFrom([]string{"a", "b", "c"})
	somePatterns = rapid.Custom(func(t *rapid.T) string {
		deeps := 0
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "*", "**"}), 1, 4).Draw(t, "parts")
		parts = slices.DeleteFunc(parts, func(p string) bool {
			if p == "**" {
				deeps++
			}
			return p == "**" && deeps > value.MaxDeepWildcards
		})
		return strings.Join(parts, ".")
	})
)

func someTree(t *rapid.T, depth int) *value.Value {
	if depth == 0 || rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
		if rapid.Bool().Draw(t, "list") {
			return value.NewList([]*value.Value{value.NewInt(1, value.Place{})}, value.Place{})
		}
		return value.NewInt(1, value.Place{})
	}
	var entries []value.Entry
	for _, key := range rapid.SliceOfNDistinct(someKeys, 1, 3, rapid.ID[string]).Draw(t, "keys") {
		entries = append(entries, value.Entry{Key: key, Value: someTree(t, depth-1)})
	}
	return value.NewMap(entries, value.Place{})
}

// leaves calls visit for each value below v that is no map.
func leaves(v *value.Value, path value.Path, visit func(value.Path)) {
	if v.Kind() != value.Map {
		visit(slices.Clone(path))
		return
	}
	for _, e := range v.Entries() {
		leaves(e.Value, append(path, e.Key), visit)
	}
}

func covered(patterns []string, path value.Path) bool {
	return slices.ContainsFunc(patterns, func(text string) bool {
		p, err := value.ParsePattern(text)
		return err == nil && p.Covers(path)
	})
}

// A scope has exactly what both the grant and the client's own patterns select, by every way to ask.
func TestScopeIsBoth(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		granted := rapid.SliceOfN(somePatterns, 1, 3).Draw(rt, "granted")
		asked := rapid.SliceOfN(somePatterns, 0, 3).Draw(rt, "asked")
		public := rapid.Bool().Draw(rt, "public")
		root := value.NewMap([]value.Entry{{Key: "a", Value: someTree(rt, 3)}, {Key: "b", Value: someTree(rt, 3)}}, value.Place{})

		g := grant(t, []string{"prod"}, granted, 0)
		parsed, _ := value.ParsePatterns(granted)
		if public {
			g, _ = access.PublicGrant([]string{"prod"})
		}
		own, _ := value.ParsePatterns(asked)
		s := g.Scope(parsed, own)
		selected, step := s.Select(root), root
		for _, patterns := range s.Levels() {
			step = value.Select(step, patterns)
		}
		if !value.Equal(selected, step) {
			rt.Fatalf("Select %s, Levels %s", selected, step)
		}
		leaves(root, nil, func(path value.Path) {
			want := covered(granted, path) && (len(asked) == 0 || covered(asked, path))
			if s.Sees(path) != want {
				rt.Fatalf("Sees(%s) = %v", path, !want)
			}
			if _, found := selected.At(path); found != want {
				rt.Fatalf("%s selected: %v, in %s", path, found, selected)
			}
		})
		leaves(selected, nil, func(path value.Path) {
			if !s.Sees(path) && len(path) > 0 {
				rt.Fatalf("%s was made up", path)
			}
		})
	})
}

func TestScope(t *testing.T) {
	parse := func(texts ...string) []value.Pattern {
		patterns, err := value.ParsePatterns(texts)
		if err != nil {
			t.Fatal(err)
		}
		return patterns
	}
	all, some := grant(t, []string{"prod"}, []string{"**"}, 0), grant(t, []string{"prod"}, []string{"a.**", "b"}, 0)
	public, err := access.PublicGrant([]string{"prod"})
	if err != nil {
		t.Fatal(err)
	}
	if s := all.Scope(nil, nil); !s.All() || len(s.Levels()) != 0 || !s.Sees(nil) {
		t.Errorf("everything: %+v", s)
	}
	if s := some.Scope(nil, parse("b", "a.**")); len(s.Levels()) != 1 {
		t.Errorf("what is asked for is what is granted: %d levels", len(s.Levels()))
	}
	if all.Scope(nil, parse("a")).Key() != grant(t, []string{"qa"}, []string{"a"}, 0).Scope(nil, parse("**")).Key() {
		t.Error("the same view has two keys")
	}
	keys := map[string]bool{}
	for _, s := range []access.Scope{
		all.Scope(nil, nil), all.Scope(nil, parse("a")), some.Scope(nil, nil), some.Scope(nil, parse("a")), some.Scope(nil, parse("a", "b")),
		public.Scope(nil, nil), public.Scope(parse("none"), nil), public.Scope(parse("p"), nil), public.Scope(parse("p"), parse("a")),
	} {
		if keys[s.Key()] {
			t.Errorf("key %q twice", s.Key())
		}
		keys[s.Key()] = true
	}
	none := public.Scope(nil, nil)
	tree := value.NewMap([]value.Entry{{Key: "a", Value: value.NewInt(1, value.Place{})}}, value.Place{})
	if none.All() || none.Sees(value.Path{"a"}) || none.Sees(nil) || none.Select(tree).Len() != 0 || value.Select(tree, none.Levels()[0]).Len() != 0 {
		t.Error("a manifest without public paths shows some")
	}
	if some.Scope(nil, nil).Sees(nil) || !some.Scope(nil, nil).Sees(value.Path{"a", "x"}) || some.Scope(nil, nil).Sees(value.Path{"c"}) {
		t.Error("what is seen")
	}
}

// A grant covers another only if nothing that the other allows is refused by it.
func TestGrantCovers(t *testing.T) {
	public, err := access.PublicGrant([]string{"prod"})
	if err != nil {
		t.Fatal(err)
	}
	envs := rapid.SampledFrom([]string{"prod", "prod*", "prodEu", "p*", "*", "qa"})
	someGrants := rapid.Custom(func(t *rapid.T) access.Grant {
		if rapid.IntRange(0, 4).Draw(t, "public") == 0 {
			return public
		}
		g, err := access.NewGrant(rapid.SliceOfN(envs, 1, 2).Draw(t, "environments"), rapid.SliceOfN(somePatterns, 1, 2).Draw(t, "patterns"), access.Right(rapid.IntRange(0, 15).Draw(t, "rights")))
		if err != nil {
			t.Fatal(err)
		}
		return g
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := someGrants.Draw(t, "a"), someGrants.Draw(t, "b")
		if !a.Covers(a) || !access.Whole(access.AllRights).Covers(a) {
			t.Fatalf("%s is not covered by itself or by all", a.Key())
		}
		if !a.Covers(b) {
			return
		}
		for _, env := range []string{"prod", "prodEu", "prodUs", "p", "qa", "x"} {
			if b.Allows(env) && !a.Allows(env) {
				t.Fatalf("%s", env)
			}
		}
		published := []value.Pattern{value.Literal(value.Path{"b"}), value.Literal(value.Path{"c", "a"})}
		path := value.Path(rapid.SliceOfN(someKeys, 0, 4).Draw(t, "path"))
		if b.Scope(published, nil).Sees(path) && !a.Scope(published, nil).Sees(path) || b.Rights()&^a.Rights() != 0 {
			t.Fatalf("%s, %s", path, b.Rights()&^a.Rights())
		}
	})
}
