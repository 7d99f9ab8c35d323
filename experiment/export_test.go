package experiment_test

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// carried is an export read again, by way of its text.
func carried(t interface {
	Helper()
	Fatalf(string, ...any)
}, exported *value.Value,
) *experiment.Set {
	t.Helper()
	v, err := value.ParseJSON(exported.AppendJSON(nil))
	if err != nil {
		t.Fatalf("%v", err)
	}
	s, _, err := experiment.Import(v)
	if err != nil {
		t.Fatalf("%v\n%s", err, exported)
	}
	return s
}

// configured is what each definition d0, d1, … may set, and drawn sets of it.
const configured = `{"a": 1, "m": {"x": 1, "y": {"z": 2}}, "n": null, "l": [1, 2], "a.b": true}`

var settable = []string{`a: %d`, `m.x: %d`, `m.y: {z: %d}`, `m: {x: %d, y: {z: 5}}`, `n: {x: %d}`, `n: %d`, `l: [%d]`, `'["a.b"]': null`, `m.y: {z: 4, new: %d}`, `n: {}`}

// drawnSet draws what an arm of a definition sets.
func drawnSet(r *rapid.T, of string) string {
	setting := rapid.SampledFrom(settable).Draw(r, "set")
	if strings.Contains(setting, "%d") {
		setting = fmt.Sprintf(setting, rapid.IntRange(0, 9).Draw(r, "value"))
	}
	if quoted, ok := strings.CutPrefix(setting, "'"); ok {
		return "{'" + of + quoted + "}"
	}
	return "{" + of + "." + setting + "}"
}

var drawnConditions = []string{
	"", `context.country in ["DE", "FR"]`, `segment("staff")`, `!segment("odd")`, `semver(context.version) >= semver("2")`, `context.country != "US"`,
}

// drawnFiles draws definitions that fit together: d0 to d2 are rollouts, d3 to d5 experiments of two layers.
func drawnFiles(r *rapid.T) map[string]string {
	files := map[string]string{
		"segments/staff.yaml": "when: context.email.endsWith(\"@example.com\")\n",
		"segments/odd.yaml":   "when: segment(\"staff\") || context.email.contains(\"x\")\nowner: me\n",
		"layers/l0.yaml":      "salt: l0\nunit: accountId\nfallback: targetingKey\n",
		"layers/l1.yaml":      "salt: l1\nholdout: 10%\ndescription: y\n",
	}
	if rapid.Bool().Draw(r, "declared") {
		files["context.yaml"] = "description: who asks\nproperties: {accountId: {}, country: {type: string}, email: {title: mail}, version: {type: string}, title: {type: array, items: {type: integer}}}\n"
	}
	for i := range 3 {
		files[fmt.Sprintf("rollouts/d%d.yaml", i)] = drawnRollout(r, fmt.Sprintf("d%d", i), i)
	}
	for i := 3; i < 6; i++ {
		files[fmt.Sprintf("experiments/d%d.yaml", i)] = drawnExperiment(r, fmt.Sprintf("d%d", i), i)
	}
	return files
}

func drawnWhere(r *rapid.T, i int) string {
	text := "environments: " + rapid.SampledFrom([]string{"[prod]", "[prod, staging]"}).Draw(r, "environments") + "\n"
	if rapid.Bool().Draw(r, "requires") {
		wanted := []string{"{rollout: d0}", "{rollout: d1}", "{experiment: d3}", "{experiment: d3, variant: b}", "{experiment: d4, variant: a}"}
		fits := slices.IndexFunc(wanted, func(s string) bool { return s >= fmt.Sprintf("{rollout: d%d", i) && strings.Contains(s, "rollout") })
		if i >= 3 {
			fits = map[int]int{3: 2, 4: 4, 5: 5}[i]
		}
		if fits < 0 {
			fits = 2
		}
		if fits > 0 {
			text = "environments: [prod]\nprerequisites: [" + rapid.SampledFrom(wanted[:fits]).Draw(r, "prerequisite") + "]\n"
		}
	}
	return text
}

func drawnRollout(r *rapid.T, key string, i int) string {
	text := drawnWhere(r, i) + "salt: " + key + "\nowner: somebody\n"
	shared := rapid.Bool().Draw(r, "shared")
	if shared {
		text += "set: " + drawnSet(r, key) + "\nforce: {u1: true, u2: false, u3: r0}\n"
	}
	if rapid.Bool().Draw(r, "unit") {
		text += "unit: accountId\nfallback: targetingKey\n"
	}
	text += "rules:\n"
	for n := range rapid.IntRange(1, 3).Draw(r, "rules") {
		text += fmt.Sprintf("  - {name: r%d", n)
		if !shared || rapid.Bool().Draw(r, "own") {
			text += ", set: " + drawnSet(r, key)
		}
		if when := rapid.SampledFrom(drawnConditions).Draw(r, "when"); when != "" {
			text += ", when: '" + when + "'"
		}
		text += rapid.SampledFrom([]string{
			"", ", percentage: 30%", ", percentage: 0%", ", percentage: 99.99%", ", ramp: {start: 2026-12-01T09:00:00Z, over: 3h, from: 5%}",
			", ramp: {start: 2026-12-01T10:00:00Z, steps: [{after: 0h, percentage: 10%}, {after: 2h, percentage: 60%}]}",
		}).Draw(r, "share") + rapid.SampledFrom([]string{"", "", ", schedule: {start: 2026-12-01T11:00:00Z, end: 2026-12-01T13:00:00Z}"}).Draw(r, "schedule") + "}\n"
	}
	return text
}

func drawnExperiment(r *rapid.T, key string, i int) string {
	text := drawnWhere(r, i) + fmt.Sprintf("status: %s\nlayer: l%d\nsalt: %s\nphase: %d\ndescription: x\nplan: {unitsTotal: 10, minimumEffect: {relative: 1%%}}\n",
		rapid.SampledFrom([]string{"running", "running", "paused", "draft"}).Draw(r, "status"), i%2, key, rapid.IntRange(1, 3).Draw(r, "phase"))
	text += map[int]string{3: "slots: [0-3999]\n", 4: "traffic: 80%\n", 5: "slots: [4000-4999, 6000-8999]\n"}[i]
	if when := rapid.SampledFrom(drawnConditions).Draw(r, "targeting"); when != "" {
		text += "targeting: '" + when + "'\n"
	}
	text += "control: a\nforce: {u1: b, u4: a}\n" + rapid.SampledFrom([]string{
		"variants: {a: {weight: 50%}, b: {weight: 50%, set: SET}}\n", "weights: equal\nvariants: {a: , b: {set: SET}, c: {set: SET}}\n",
		"variants: {a: {slots: [0-99, 200-299], set: SET}, b: {slots: [100-199, 300-9999], weight: 98%}}\n",
	}).Draw(r, "variants")
	for strings.Contains(text, "SET") {
		text = strings.Replace(text, "SET", drawnSet(r, key), 1)
	}
	return text
}

// drawnSight draws what somebody sees of d0 to d5.
func drawnSight(t testing.TB, r *rapid.T) func(*value.Value) *value.Value {
	texts := rapid.SliceOfN(rapid.SampledFrom([]string{
		"**", "d0", "d1.*", "d2.a", "d3", "d4.m", "d5.m.x", "*.m.y.z", "*.n", "*.n.x", "**.x", "d3.l", `*["a.b"]`, "*.m.y.new", "nothing",
	}), 1, 3).Draw(r, "patterns")
	return seen(t, texts...)
}

func base(t testing.TB) *value.Value {
	t.Helper()
	var members []string
	for i := range 6 {
		members = append(members, fmt.Sprintf(`"d%d": %s`, i, configured))
	}
	return parsed(t, "{"+strings.Join(members, ", ")+"}")
}

// TestExportsDecideAsTheirSets holds that whoever has an export chooses, sets, assigns and explains as the set does that was narrowed to what
// is seen: for every context and time, with whatever is stopped or redacted.
func TestExportsDecideAsTheirSets(t *testing.T) {
	configured := base(t)
	rapid.Check(t, func(r *rapid.T) {
		d, problems := experiment.Parse(tree(t, drawnFiles(r)))
		if i := slices.IndexFunc(problems, func(p experiment.Problem) bool { return !p.Warning }); i >= 0 {
			r.Fatalf("%s", problems[i])
		}
		stopped := rapid.SliceOfN(rapid.SampledFrom([]string{"d0", "d2", "d3", "d4", "none"}), 0, 2).Draw(r, "stopped")
		s := d.In("prod", experiment.Options{Stopped: func(_ experiment.Kind, key string) bool { return slices.Contains(stopped, key) }})
		if problems := s.Check(configured); len(problems) > 0 {
			r.Fatalf("%v", problems)
		}
		values := configured
		if rapid.Bool().Draw(r, "redacts") {
			redactor, marks := value.NewRedactor(value.Key("k"), value.Delivered), patterns(t, "*.a", "*.m.y.**")
			values = redactor.Redact(configured, marks)
			s = s.Redacted(func(path value.Path, v *value.Value) *value.Value { return redactor.RedactAt(path, v, marks) })
		}
		see := drawnSight(t, r)
		exported := s.Export(see)
		again := carried(r, exported)
		agree(t, r, s, again, values, see)
		if text := again.Export(nil).String(); text != exported.String() {
			r.Fatalf("exported again:\n%s\n%s", text, exported)
		}
	})
}

// agree compares a set with what its export became, for a few people and times.
func agree(t *testing.T, r *rapid.T, s, again *experiment.Set, values *value.Value, see func(*value.Value) *value.Value) {
	narrow, seen := s.Within(see), see(values)
	for range 5 {
		who := whoIs(t, strings.Replace(anyone(r), "qa-1", rapid.SampledFrom([]string{"u1", "u2", "u3", "u4"}).Draw(r, "forced"), 1))
		now := noon.Add(time.Duration(rapid.IntRange(-250, 250).Draw(r, "minutes")) * time.Minute)
		choices, own := narrow.Choose(nil, who, now), again.Choose(nil, who, now)
		want, got := see(s.Values(values, choices)), again.Values(seen, own)
		if !value.Equal(got, want) {
			r.Fatalf("values are %s, want %s\n%s", got, want, s.Export(see))
		}
		for _, at := range []string{"", "d0", "d1.m", "d2.m.y", "d3.m.x", "d4.a", "d5.n.x", `d1["a.b"]`, "gone.far"} {
			path, _ := value.ParsePath(at)
			wanted, there := want.At(path)
			if v, ok := again.Value(seen, own, path); ok != there || ok && !value.Equal(v, wanted) {
				r.Fatalf("at %q %s, %t; want %s, %t", at, v, ok, wanted, there)
			}
		}
		if got, want := again.Assignments(own), s.Assignments(choices); !slices.Equal(got, want) {
			r.Fatalf("assigned %v, want %v", got, want)
		}
		for arm := range again.Arms() {
			got, _ := again.Explain(who, now, arm.Kind, arm.Key)
			if want, ok := s.Explain(who, now, arm.Kind, arm.Key); !ok || !reflect.DeepEqual(got, want) {
				r.Fatalf("explained %+v, want %+v", got, want)
			}
		}
		next, ok := again.Next(now)
		if want, there := narrow.Next(now); next != want || ok != there {
			r.Fatalf("next is %s, want %s", next, want)
		}
	}
}

// TestExport holds the form of an export, and that it tells nothing of what is not seen, nor what is only for people.
func TestExport(t *testing.T) {
	files := with(story, "context.yaml", "title: t\nproperties: {accountId: {}, country: {type: string, description: where}, email: {type: string}}\n",
		"rollouts/gate.yaml", "environments: [prod, staging]\nsalt: gate\nset: {gate: true}\nprerequisites: [{experiment: checkout-button, variant: green}]\nrules: [{name: all}]\n",
		trial, strings.Replace(story[trial], "[prod]", "[prod, staging]", 1),
		"rollouts/secret.yaml", "environments: [prod]\nset: {other.secret: hunter2}\nrules: [{name: all, when: segment(\"staff\")}]\n")
	s := good(t, files).In("prod", experiment.Options{Stopped: func(_ experiment.Kind, key string) bool { return key == "gate" }})
	golden(t, "testdata/export.json", s.Export(seen(t, "gate", "search.**")).String()+"\n")
	if got := s.Export(seen(t, "nothing")); got.String() != "{}" {
		t.Errorf("of nothing that is seen: %s", got)
	}
	if all := s.Export(nil).String(); !strings.Contains(all, "hunter2") || strings.Contains(all, "staging") {
		t.Errorf("all: %s", all)
	}
	hidden := s.Redacted(func(_ value.Path, v *value.Value) *value.Value { return value.NewRedacted("fp", value.Place{}) }).Export(nil)
	if text := hidden.String(); strings.Contains(text, "hunter2") || strings.Contains(text, `"green":"green"`) {
		t.Errorf("redacted: %s", text)
	}
	x, ok := carried(t, s.Export(nil)).Explain(nil, noon, experiment.KindRollout, "gate")
	if !ok || x.Checks[0].Text != "an operator has stopped it" {
		t.Errorf("%+v", x)
	}
}

// TestExportsAreOfTheFilesForm holds that the documents of an export fit the schemas of the files, but for what is left out of them.
func TestExportsAreOfTheFilesForm(t *testing.T) {
	exported := good(t, story).In("prod", experiment.Options{}).Export(nil)
	for _, kind := range []string{"rollout", "layer", "segment"} {
		schema, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "docs", "schemas", kind+".schema.json"))
		if err != nil {
			t.Fatal(err)
		}
		group, ok := exported.Get(kind + "s")
		if !ok {
			t.Fatalf("no %ss", kind)
		}
		for _, e := range group.Entries() {
			plain, err := jsonschema.UnmarshalJSON(strings.NewReader(e.Value.String()))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(plain); err != nil {
				t.Errorf("%s %s: %v", kind, e.Key, err)
			}
		}
	}
}

func TestHeld(t *testing.T) {
	if s, held, err := experiment.Import(parsed(t, `{"environment": "prod", "held": "2026-12-01T12:00:00Z"}`)); err != nil || !held.Equal(noon) || !s.Empty() {
		t.Error(held, err)
	}
	s, held, err := experiment.Import(value.Empty)
	if err != nil || !held.IsZero() || s.Choose(nil, nil, noon) != nil {
		t.Error(held, err)
	}
	if _, ok := s.Explain(nil, noon, experiment.KindRollout, "r"); ok {
		t.Error("what is not there is explained")
	}
}

// TestImportOfWhatIsWrong holds that an export counts as a whole or not at all, and that the error names the place.
func TestImportOfWhatIsWrong(t *testing.T) {
	const rollout = `{"environments": ["prod"], "set": {"a": 1}, "rules": [{"name": "all"%s}]%s}`
	of := func(rule, rest string) string {
		return `{"environment": "prod", "rollouts": {"r": ` + fmt.Sprintf(rollout, rule, rest) + `}}`
	}
	many := map[string]string{}
	for i := range experiment.MaxExported + 1 {
		many[fmt.Sprintf("r%d", i)] = "{}"
	}
	for text, want := range map[string]string{
		`[]`:                                     "they are a list; they must be a map",
		`{"held": 3}`:                            "held is no time",
		`{"rollouts": []}`:                       "rollouts is a list",
		`{"rollouts": {"r": {}}}`:                "they name no environment",
		`{"environment": "prod", "stopped": {}}`: "stopped must be a list",
		`{"environment": "prod", "stopped": [3]}`:                                                                                      "stopped must be a list",
		`{"environment": "prod", "context": 3}`:                                                                                        "the context: ",
		of("", `, "mode": 1`):                                                                                                          "the rollout r: a rollout knows no key \"mode\" (unknownKey)",
		of(`, "when": "segment(\"x\")"`, ""):                                                                                           "there is no segment \"x\"",
		of(`, "percentage": "20%"`, ""):                                                                                                "the rollout r: the rollout has percentages, and no salt (salt); ",
		of("", `, "prerequisites": [{"rollout": "r"}]`):                                                                                "the rollout r is a prerequisite of itself",
		strings.Replace(of("", ""), `["prod"]`, `["staging"]`, 1):                                                                      `"staging" is no environment`,
		`{"environment": "prod", "segments": {"s": {"when": "segment(\"s\")"}}}`:                                                       "the segment s asks for itself",
		`{"environment": "prod", "experiments": {"x": ` + strings.Replace(plainTrial, "LAYER", "l", 1) + `}}`:                          "there is no layer \"l\"",
		`{"environment": "prod", "rollouts": {` + strings.Join(quoted(slices.Sorted(maps.Keys(many))), ",") + `}}`:                     "10001 documents",
		`{"environment": "prod", "rollouts": {"no key": ` + fmt.Sprintf(rollout, "", "") + `}}`:                                        "cannot name a rollout",
		strings.Replace(of("", ""), `{"a": 1}`, `{"a": 1, "a.b": 2}`, 1):                                                               "a.b is set, and so is a",
		`{"environment": "prod", "layers": {"l": {"salt": "x"}}, "experiments": {"x": {"environments": ["prod"], "status": "begun"}}}`: "the experiment x: ",
	} {
		s, _, err := experiment.Import(parsed(t, text))
		if s != nil || !errors.Is(err, experiment.ErrExport) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v", text, err)
		}
	}
}

const plainTrial = `{"environments": ["prod"], "status": "running", "layer": "LAYER", "salt": "s", "traffic": "10%", "weights": "equal", "variants": {"control": {}, "b": {}}}`

func quoted(keys []string) (members []string) {
	for _, key := range keys {
		members = append(members, fmt.Sprintf("%q: {}", key))
	}
	return members
}

// FuzzImport holds that no export, whatever it holds, ends in more than an error, and that what is read of it can be decided and explained, and
// exported to the same.
func FuzzImport(f *testing.F) {
	f.Add(good(f, story).In("prod", experiment.Options{}).Export(nil).String())
	f.Add(good(f, many(2, "experiments", `context.country in ["DE", "FR"]`)).In("prod", experiment.Options{}).Export(nil).String())
	f.Add(`{"environment": "prod", "held": "2026-12-01T12:00:00Z", "layers": {"l": {"salt": "x"}}, "experiments": {"x": ` + strings.Replace(plainTrial, "LAYER", "l", 1) + `}}`)
	f.Add(`{"environment": "prod", "context": {"properties": {"a": {"type": "array"}}}, "rollouts": {"r": {"environments": ["prod"], "set": {}, ` +
		`"rules": [{"name": "a", "when": "context.a[0] == 1"}], "force": {"u": true}, "prerequisites": [{"experiment": "x"}]}}, "stopped": [{"kind": "rollout", "key": "r"}]}`)
	values, who := parsed(f, `{"search": {"newRanking": false}, "flags": 3}`), whoIs(f, visitor)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := value.ParseJSON([]byte(text))
		if err != nil {
			return
		}
		s, _, err := experiment.Import(v)
		if err != nil {
			return
		}
		choices := s.Choose(nil, who, noon)
		s.Values(values, choices)
		s.Value(values, choices, value.Path{"flags"})
		s.Assignments(choices)
		s.Next(noon)
		for arm := range s.Arms() {
			s.Explain(who, noon, arm.Kind, arm.Key)
		}
		exported := s.Export(nil)
		if again := carried(t, exported).Export(nil); !value.Equal(exported, again) {
			t.Fatalf("%s\n%s", exported, again)
		}
	})
}
