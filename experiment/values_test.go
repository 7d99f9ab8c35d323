package experiment_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

func parsed(t testing.TB, text string) *value.Value {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// arms are rollouts that everybody is in, each with what it sets.
func arms(sets ...string) map[string]string {
	files := map[string]string{}
	for i, set := range sets {
		files[fmt.Sprintf("rollouts/r%02d.yaml", i)] = "environments: [prod]\nset: " + set + "\nrules: [{name: all}]\n"
	}
	return files
}

func TestValues(t *testing.T) {
	base := parsed(t, `{"a": {"b": 1, "c": {"d": 2, "e": [1, 2]}}, "f": "x", "g": {"h": {"i": 1}}}`)
	s := good(t, arms("{a.c.d: 5, f: y}", `{'["a"].b': {x: 1}, a.c.e: []}`, "{a.c.n: 7, gone.far: 1, g.h.i.deep: 1}")).In("prod", experiment.Options{})
	choices := s.Choose(nil, nil, noon)
	got := s.Values(base, choices[:2])
	if want := `{"a":{"b":{"x":1},"c":{"d":5,"e":[]}},"f":"y","g":{"h":{"i":1}}}`; got.String() != want {
		t.Errorf("%s", got)
	}
	if was, _ := base.Get("g"); func() *value.Value { v, _ := got.Get("g"); return v }() != was {
		t.Error("what nothing is set in is not shared")
	}
	if pos := func() value.Pos { v, _ := got.Lookup("a.c.d"); return v.Pos() }(); pos.File != "rollouts/r00.yaml" || pos.Line != 2 {
		t.Errorf("a value that is set stands at %s", pos)
	}
	if got := s.Values(base, choices[2:]); got.String() != `{"a":{"b":1,"c":{"d":2,"e":[1,2],"n":7}},"f":"x","g":{"h":{"i":1}}}` {
		t.Errorf("settings without a place: %s", got)
	}
	if s.Values(base, nil) != base {
		t.Error("no choices make another tree")
	}
}

// TestValuesAreThoseSetOneByOne holds that laying all choices over the configuration at once is setting each path.
func TestValuesAreThoseSetOneByOne(t *testing.T) {
	var members []string
	for _, a := range "abc" {
		members = append(members, fmt.Sprintf(`"%c": {"x": {"p": 1, "q": 2}, "y": {"p": 1, "q": 2}, "z": 3}`, a))
	}
	base := parsed(t, "{"+strings.Join(members, ",")+"}")
	rapid.Check(t, func(r *rapid.T) {
		var sets []string
		for _, a := range "abc" {
			path := rapid.SampledFrom([]string{"%c", "%c.x", "%c.y.p", "%c.z", "%c.x.q", "%c.x.new"}).Draw(r, "path")
			sets = append(sets, fmt.Sprintf("{"+path+": %d}", a, rapid.IntRange(0, 9).Draw(r, "value")))
		}
		s := good(t, arms(sets...)).In("prod", experiment.Options{})
		choices := s.Choose(nil, nil, noon)
		choices = choices[:rapid.IntRange(0, len(choices)).Draw(r, "choices")]
		want := base
		for _, c := range choices {
			for _, setting := range s.Arm(c).Settings {
				var ok bool
				if want, ok = want.Set(setting.Path, setting.Value); !ok {
					r.Fatalf("%s cannot be set", setting.Path)
				}
			}
		}
		if got := s.Values(base, choices); !value.Equal(got, want) {
			r.Fatalf("%s, want %s", got, want)
		}
		for _, text := range []string{"", "a", "b.x", "b.x.p", "c.x.new", "c.z.deep", "a.y.q", "gone"} {
			path, _ := value.ParsePath(text)
			one, there := s.Value(base, choices, path)
			wanted, ok := want.At(path)
			if there != ok || ok && !value.Equal(one, wanted) {
				r.Fatalf("at %q: %s, want %s", text, one, wanted)
			}
		}
	})
}

func TestSettingsThatDoNotFit(t *testing.T) {
	base := parsed(t, `{"flag": true, "n": 1, "ratio": 0.5, "name": "x", "none": null, "list": [{"a": 1}], "map": {"a": 1, "deep": {"b": "x"}}}`)
	for set, want := range map[string]string{
		"{flag: false, n: 2.5, ratio: 3, name: y, none: {any: thing}, list: []}": "",
		"{map: {a: 2, deep: {b: y, more: 1}, extra: 1}, name: null}":             "",
		"{flga: true}":            "flga: flga has no configured value in prod (settable)",
		"{map.deep.c: 1}":         "map.deep.c: map.deep.c has no configured value in prod (settable)",
		"{name.first: x}":         "name.first: name.first has no configured value in prod (settable)",
		"{'list[0].a': 2}":        "list.0.a: list[0].a lies in a list, which is one value (settable)",
		"{flag: 'on!'}":           "flag: on of the rollout r00 makes flag a string; a boolean is configured (kindClash)",
		"{n: '5'}":                "n: on of the rollout r00 makes n a string; a number is configured (kindClash)",
		"{map: null}":             "map: on of the rollout r00 makes map a null; a map is configured (kindClash)",
		"{map: {deep: {b: x}}}":   "map: on of the rollout r00 leaves out map.a: a map is set as a whole (membersLost)",
		"{map: {a: 1, deep: {}}}": "map: on of the rollout r00 leaves out map.deep.b: a map is set as a whole (membersLost)",
		"{map: {a: x, deep: {b: 1}}}": "map: on of the rollout r00 makes map.a a string; a number is configured (kindClash)\n" +
			"map: on of the rollout r00 makes map.deep.b a number; a string is configured (kindClash)",
	} {
		var got []string
		for _, p := range good(t, arms(set)).In("prod", experiment.Options{}).Check(base) {
			if p.Place.Line != 2 || p.Hint == "" || !slices.Equal(p.Environments, []string{"prod"}) {
				t.Errorf("%s: %+v", set, p)
			}
			got = append(got, fmt.Sprintf("%s: %s (%s)", p.Path, p.Message, p.Rule))
		}
		if strings.Join(got, "\n") != want {
			t.Errorf("%s:\n%s", set, strings.Join(got, "\n"))
		}
	}
}

func TestWhatPatternsSee(t *testing.T) {
	files := arms("{a.b: 1, c: {d: 1}}", "{e.f: 1}")
	files["layers/l.yaml"] = "salt: l\n"
	files["experiments/x.yaml"] = strings.NewReplacer("layer: checkout", "layer: l", "[2000-2999]", "[0-9999]", "checkout.ui.button.size", "x.y").Replace(another)
	s := good(t, files).In("prod", experiment.Options{})
	all := s.Choose(nil, whoIs(t, `{"targetingKey": "u1"}`), noon)
	for pattern, want := range map[string]string{
		"**": "r00 r01 x", "a.*": "r00", "a": "r00", "c": "r00", "c.d": "r00", "c.**": "r00", "c.x": "", "*.f": "r01", "e.f.g": "", "x": "x", "x.y": "x", "*": "r00 r01 x", "z": "",
	} {
		narrow := s.Within(seen(t, pattern))
		var got []string
		for _, c := range narrow.Choose(nil, whoIs(t, `{"targetingKey": "u1"}`), noon) {
			got = append(got, s.Arm(c).Key)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s sees %v", pattern, got)
		}
		for _, c := range all {
			if a := s.Arm(c); len(a.Settings) > 0 && s.Touches(c, seen(t, pattern)) != slices.Contains(got, a.Key) {
				t.Errorf("%s touches %s: %t", pattern, a.Key, s.Touches(c, seen(t, pattern)))
			}
		}
	}
	owners := func(path string) (keys []string) {
		p, _ := value.ParsePath(path)
		for _, n := range s.Owners(p) {
			keys = append(keys, s.Arm(experiment.Choice{Definition: uint16(n)}).Key)
		}
		return keys
	}
	if got := fmt.Sprint(owners("a.b"), owners("a"), owners("c.d.e"), owners("x.y"), owners("z")); got != "[r00] [r00] [r00] [x] []" {
		t.Error(got)
	}
}

// TestKeys holds that lists of choices of the same key set the same, and that what a set cannot see does not count.
func TestKeys(t *testing.T) {
	files := with(many(6, "experiments", ""), "rollouts/r.yaml", "environments: [prod]\nsalt: rr\nset: {other: 1}\nrules: [{name: half, percentage: 50%}, {name: x, when: context.x}]\nforce: {u1: true}\n")
	s := good(t, files).In("prod", experiment.Options{})
	narrow := s.Within(seen(t, "flags.e1", "flags.e2"))
	base := parsed(t, `{"flags": {"e0": 0, "e1": 0, "e2": 0, "e3": 0, "e4": 0, "e5": 0}, "other": 0}`)
	seen, seenAll := map[string]string{}, map[string]string{}
	for i := range 3000 {
		who := whoIs(t, fmt.Sprintf(`{"accountId": "u%d", "targetingKey": "u%d"}`, i, i))
		choices := s.Choose(nil, who, noon)
		for _, c := range []struct {
			key    string
			values *value.Value
			seen   map[string]string
		}{
			{string(s.AppendKey(nil, choices)), s.Values(base, choices), seenAll},
			{string(narrow.AppendKey(nil, choices)), value.Select(s.Values(base, choices), patterns(t, "flags.e1", "flags.e2")), seen},
		} {
			if was, known := c.seen[c.key]; known && was != c.values.String() {
				t.Fatalf("the key %x stands for %s and for %s", c.key, was, c.values)
			}
			c.seen[c.key] = c.values.String()
		}
		if own := narrow.Choose(nil, who, noon); string(narrow.AppendKey(nil, own)) != string(narrow.AppendKey(nil, choices)) {
			t.Fatal("what is seen of all choices is not what is chosen of what is seen")
		}
	}
	if len(seen) != 4 || len(seenAll) != 128 {
		t.Errorf("%d and %d keys", len(seen), len(seenAll))
	}
}
