package compile_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// overriddenRepo is a config repo with a rollout of everybody in prod, an experiment that rests, and an environment without either.
var overriddenRepo = map[string]string{
	"trunkline.yaml":      "version: 1\nenvironments: {prod: {}, staging: {}}\nsensitive: [web.dsn, web.db.*.key, above]\n",
	"config/web.yaml":     "color: blue\ndsn: one\ntext: plain\ndb: {main: {key: a, port: 1}}\n",
	"config/above.yaml":   "x: 1\ny: 2\n",
	"layers/web.yaml":     "salt: layer\n",
	"rollouts/all.yaml":   "environments: [prod]\nset: {web.color: red, web.dsn: two, web.db: {main: {key: b, port: 2}}, above.x: 3, web.text: 'redis://:canary77@host'}\nrules: [{name: all}]\n",
	"experiments/x.yaml":  "environments: [prod]\nstatus: paused\nlayer: web\nsalt: x\ntraffic: 10%\nweights: equal\nvariants: {control: , green: {set: {above.y: 9}}}\nplan: {unitsTotal: 10, minimumEffect: {relative: 10%}}\n",
	"rollouts/other.toml": "environments = ['staging']\nset = {'web.color' = 'green'}\nrules = [{name = 'all', when = 'context.staff'}]\n",
}

// values are what everybody gets.
func values(base *value.Value, set *experiment.Set) *value.Value {
	return set.Values(base, set.Choose(nil, nil, time.Time{}))
}

func TestOverridesAreServed(t *testing.T) {
	result := compiled(t, overriddenRepo, nil)
	if len(result.Problems) > 0 {
		t.Fatal(describe(result))
	}
	prod, staging := result.Snapshots["prod"], result.Snapshots["staging"]
	if got := values(prod.Of(true)).String(); !strings.Contains(got, `"color":"red"`) || !strings.Contains(got, `"y":2`) {
		t.Errorf("prod has %s", got)
	}
	if got := values(staging.Of(true)).String(); !strings.Contains(got, `"color":"blue"`) {
		t.Errorf("nobody in particular has %s", got)
	}
	if len(prod.Definitions.Rollouts()) != 2 || prod.Definitions != staging.Definitions {
		t.Errorf("definitions are %v", prod.Definitions.Rollouts())
	}
	stopped := prod.With(experiment.Options{Stopped: func(experiment.Kind, string) bool { return true }})
	for _, s := range []*experiment.Set{stopped.Overrides, stopped.DeliveredOverrides, stopped.ShownOverrides()} {
		if choices := s.Choose(nil, nil, time.Time{}); len(choices) > 0 {
			t.Errorf("stopped, and chosen are %v", choices)
		}
	}
}

// An override at a path that is sensitive, above one or below one is as sensitive; people are not shown what looks secret, either.
func TestOverridesAreRedacted(t *testing.T) {
	prod := compiled(t, overriddenRepo, nil).Snapshots["prod"]
	delivered := map[string]bool{
		"web.color": false, "web.dsn": true, "web.db.main.key": true, "web.db.main.port": false, "above.x": true, "above.y": true, "web.text": false,
	}
	expectRedacted(t, values(prod.Of(false)), delivered)
	delivered["web.text"] = true
	shown := prod.ShownOverrides()
	expectRedacted(t, values(prod.Shown(), shown), delivered)
	if prod.ShownOverrides() != shown {
		t.Error("they are made each time")
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { prod.With(experiment.Options{}).ShownOverrides() })
	}
	wg.Wait()
	if v, _ := values(prod.Of(false)).Lookup("web.dsn"); v.Fingerprint() != value.Key(key).Fingerprint(value.NewString("two", value.Place{})) {
		t.Errorf("the fingerprint is %s", v.Fingerprint())
	}
	for a := range prod.DeliveredOverrides.Arms() {
		if a.Name == "green" && a.Settings[0].Value.Kind() != value.Redacted {
			t.Errorf("an arm that nobody has sets %s", a.Settings[0].Value)
		}
	}
	bare := maps.Clone(overriddenRepo)
	bare["trunkline.yaml"] = "version: 1\nenvironments: {prod: {}, staging: {}}\n"
	second := compiled(t, bare, compile.Baselines{"prod": prod}).Snapshots["prod"]
	expectRedacted(t, values(second.Of(false)), map[string]bool{"web.dsn": true, "above.x": true, "web.color": false})
	third := compiled(t, bare, compile.Baselines{"prod": second}).Snapshots["prod"]
	expectRedacted(t, values(third.Of(false)), map[string]bool{"web.dsn": false, "above.x": false})
}

func TestSnapshotsWithoutOverrides(t *testing.T) {
	bare := compiled(t, map[string]string{"config/a.yaml": "x: 1\n"}, nil).Snapshots["default"]
	drafted := compiled(t, map[string]string{
		"config/a.yaml": "x: 1\n", "layers/l.yaml": "salt: l\n", "experiments/d.yaml": "environments: [default]\nstatus: draft\nlayer: l\nsalt: d\ntraffic: 1%\nweights: equal\nvariants: {control: , a: {set: {a.x: 2}}}\n",
	}, nil).Snapshots["default"]
	for _, s := range []*compile.Snapshot{bare, drafted, {Delivered: value.Empty}} {
		if s.Overrides != nil || s.DeliveredOverrides != nil || s.ShownOverrides() != nil || s.With(experiment.Options{}) != s {
			t.Errorf("overrides %v", s.Overrides)
		}
	}
	if bare.Definitions != nil || drafted.Definitions == nil {
		t.Errorf("definitions %v, %v", bare.Definitions, drafted.Definitions)
	}
}

// What a change does not touch keeps its pointers: definitions, and what they lay over each environment.
func TestUnchangedOverridesKeepTheirPointers(t *testing.T) {
	s, c, files := newStore(), compile.New(key), maps.Clone(overriddenRepo)
	first := compileTree(t, c, s, s.put(files), nil)
	files["config/web.yaml"] += "more: 1\n"
	second := compileTree(t, c, s, s.put(files), first.Snapshots)
	for env, now := range second.Snapshots {
		if was := first.Snapshots[env]; was.Definitions != now.Definitions || was.Overrides != now.Overrides || was.DeliveredOverrides != now.DeliveredOverrides {
			t.Errorf("what lies over %s was made anew", env)
		}
	}
	files["rollouts/other.toml"] += "# a comment\n"
	third := compileTree(t, c, s, s.put(files), second.Snapshots)
	was, _ := second.Snapshots["prod"].Definitions.Rollout("all")
	if is, _ := third.Snapshots["prod"].Definitions.Rollout("all"); was != is || len(third.Effects) > 0 {
		t.Errorf("a rollout was read anew; effects %v", third.Effects)
	}
}

// A version that was judged before is not asked again what it does to anybody, but must fit its schemas.
func TestSettledOverrides(t *testing.T) {
	s, files := newStore(), maps.Clone(overriddenRepo)
	first := compileTree(t, compile.New(key), s, s.put(files), nil)
	files["policies/a.yaml"] = "policies: [{id: never, match: web.color, expression: self != 'red'}]\n"
	files["experiments/x.yaml"] = strings.Replace(files["experiments/x.yaml"], "salt: x", "salt: y", 1)
	against := compile.Against{Baselines: first.Snapshots, Settled: compile.AllSettled}
	judge := func() *compile.Result {
		result, err := compile.New(key).Compile(t.Context(), s, s.put(files), against)
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	if r := judge(); !r.Valid("prod") || len(r.Problems)+len(r.Effects) > 0 {
		t.Errorf("settled:\n%s%v", describe(r), r.Effects)
	}
	against.Settled = nil
	if got := rules(judge().Problems); !slices.Equal(got, []string{"error movesUnits experiments/x.yaml prod", "error policy.never rollouts/all.yaml prod"}) {
		t.Errorf("to be judged: %v", got)
	}
	against.Settled = compile.AllSettled
	files["schemas/web.schema.json"] = `{"properties": {"color": {"const": "blue"}}}`
	if got := rules(judge().Problems); !slices.Equal(got, []string{"error const rollouts/all.yaml prod", "error const rollouts/other.toml staging"}) {
		t.Errorf("that does not fit its schemas: %v", got)
	}
}

// An exact return to an earlier version may move units, and says so.
func TestRollbackMayMoveUnits(t *testing.T) {
	s, files := newStore(), maps.Clone(overriddenRepo)
	tree := s.put(files)
	files["experiments/x.yaml"] = strings.Replace(files["experiments/x.yaml"], "salt: x", "salt: y\nphase: 2", 1)
	now := compileTree(t, compile.New(key), s, s.put(files), nil)
	result, err := compile.New(key).Compile(t.Context(), s, tree, compile.Against{Baselines: now.Snapshots, Rollback: map[string]bool{"prod": true}})
	if err != nil {
		t.Fatal(err)
	}
	if !result.Valid("prod") || len(result.Problems) != 1 || !strings.HasPrefix(result.Problems[0].Message, "waived on a rollback: the phase of x goes back") {
		t.Errorf("a rollback:\n%s", describe(result))
	}
	if forward := compileTree(t, compile.New(key), s, tree, now.Snapshots); forward.Valid("prod") || !forward.Valid("staging") {
		t.Errorf("no rollback:\n%s", describe(forward))
	}
}

// Effects are told of each environment that has a baseline, and of none where a definition is wrong.
func TestEffects(t *testing.T) {
	first, files := compiled(t, overriddenRepo, nil), maps.Clone(overriddenRepo)
	if len(first.Effects) > 0 {
		t.Errorf("without a baseline there are %v", first.Effects)
	}
	files["rollouts/other.toml"] = strings.Replace(files["rollouts/other.toml"], "['staging']", "['prod', 'staging']", 1)
	delete(files, "rollouts/all.yaml")
	told := func(r *compile.Result) (texts []string) {
		for _, e := range r.Effects {
			texts = append(texts, strings.Join(e.Environments, " ")+": "+e.String())
		}
		return texts
	}
	want := []string{"prod: rollout all (all): removes 10,000 slots", "prod: rollout other (all): adds 10,000 slots, takes web.color over from the rollout all"}
	if got := told(compiled(t, files, first.Snapshots)); !slices.Equal(got, want) {
		t.Errorf("effects %q", got)
	}
	files["rollouts/wrong.yaml"] = "environments: [prod]\n"
	if r := compiled(t, files, first.Snapshots); len(r.Effects) > 0 || r.Valid("prod") || !r.Valid("staging") {
		t.Errorf("with a wrong definition:\n%s%q", describe(r), told(r))
	}
	if r := compiled(t, map[string]string{
		"trunkline.yaml": overriddenRepo["trunkline.yaml"], "config/web.yaml": overriddenRepo["config/web.yaml"], "config/above.yaml": overriddenRepo["config/above.yaml"],
	}, first.Snapshots); len(r.Effects) != 2 || !r.Valid("prod") {
		t.Errorf("without definitions:\n%s%q", describe(r), told(r))
	}
}

// The folders are where the manifest says, and so are they on disk.
func TestFoldersOfDefinitions(t *testing.T) {
	files := map[string]string{
		"trunkline.yaml":      "version: 1\ndirectories: {rollouts: flags/all, segments: who}\nignore: ['**/draft-*']\n",
		"config/a.yaml":       "x: 1\n",
		"flags/all/r.yaml":    "environments: [default]\nset: {a.x: 2}\nrules: [{name: all, when: segment(\"s\")}]\n",
		"who/s.json":          `{"when": "true"}`,
		"flags/all/draft-r":   "passed over",
		"flags/all/.hidden":   "passed over",
		"rollouts/other.yaml": "not looked at",
	}
	dir := t.TempDir()
	writeFiles(t, dir, files)
	source, root, err := compile.ReadDirectory(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range []*compile.Result{compiled(t, files, nil), compileTree(t, compile.New(key), source, root, nil)} {
		s := result.Snapshots["default"]
		if len(result.Problems) > 0 || s.Overrides == nil || values(s.Of(true)).String() != `{"a":{"x":2}}` {
			t.Errorf("the values are %v:\n%s", s, describe(result))
		}
	}
	files["trunkline.yaml"] = "version: 1\ndirectories: {rollouts: config}\n"
	delete(files, "rollouts/other.yaml")
	if got := rules(compiled(t, files, nil).Problems); !slices.Equal(got, []string{"error manifestValue trunkline.yaml default"}) {
		t.Errorf("of two parts: %v", got)
	}
}

// What arms set is bounded, however many files set it.
func TestManySettings(t *testing.T) {
	files, base := map[string]string{}, strings.Builder{}
	for i := range experiment.MaxAllSettings/experiment.MaxSettings + 1 {
		fmt.Fprintf(&base, "r%d:\n", i)
		set := "environments: [default]\nset:\n"
		for n := range experiment.MaxSettings {
			fmt.Fprintf(&base, "  k%d: 1\n", n)
			set += fmt.Sprintf("  a.r%d.k%d: 2\n", i, n)
		}
		files[fmt.Sprintf("rollouts/r%d.yaml", i)] = set + "rules: [{name: all}]\n"
	}
	files["config/a.yaml"] = base.String()
	if got := rules(compiled(t, files, nil).Problems); len(got) != 1 || !strings.HasPrefix(got[0], "error tooManySettings rollouts/") {
		t.Errorf("problems %v", got)
	}
}

// Arms that are judged by much of the values are judged within a budget, and the one that exceeds it is named, whatever was judged before.
func TestArmsThatCostMuch(t *testing.T) {
	many := map[string]string{}
	var keys strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&keys, "k%d: 1\n", i)
	}
	allowed := "1, 2" // of a long list each value might be compared with all
	for i := range 10_000 {
		allowed += fmt.Sprintf(", %d", i+3)
	}
	for i := range 300 {
		many[fmt.Sprintf("rollouts/r%03d.yaml", i)] = fmt.Sprintf("environments: [default]\nset: {a.k%d: 2}\nrules: [{name: all}]\n", i)
	}
	many["config/a.yaml"] = keys.String()
	for rule, guard := range map[string][2]string{
		"schemaTooCostly": {"schemas/_index.schema.json", `{"additionalProperties": {"additionalProperties": {"enum": [` + allowed + `]}}}`},
		"policyCost":      {"policies/a.yaml", "policies: [{id: all, match: a.k1, expression: 'root.a.all(k, root.a[k] < 9)'}]\n"},
	} {
		files, s, c := maps.Clone(many), newStore(), compile.New(key)
		files[guard[0]] = guard[1]
		first := compileTree(t, c, s, s.put(files), nil)
		if len(first.Problems) != 1 || first.Problems[0].Rule != rule || !strings.HasPrefix(first.Problems[0].Message, "with on of the rollout r") {
			t.Fatalf("%s:\n%s", rule, describe(first))
		}
		files["README.md"] = "another tree"
		if again := compileTree(t, c, s, s.put(files), nil); describe(again) != describe(first) {
			t.Errorf("at first, then again:\n%s%s", describe(first), describe(again))
		}
	}
}

// A policy that walks far is asked of those arms alone that set something it can see.
func TestPoliciesSeeWhatTheyRead(t *testing.T) {
	files := map[string]string{"policies/a.yaml": "policies: [{id: all, match: a.k1, expression: 'root.b.all(k, root.b[k] < root.c.most)'}]\n"}
	keys := strings.Builder{}
	for i := range 5000 {
		fmt.Fprintf(&keys, "k%d: 1\n", i)
	}
	files["config/a.yaml"], files["config/b.yaml"], files["config/c.yaml"] = keys.String(), keys.String(), "most: 2\n"
	for i := range 300 {
		files[fmt.Sprintf("rollouts/r%03d.yaml", i)] = fmt.Sprintf("environments: [default]\nset: {a.k%d: 2}\nrules: [{name: all}]\n", i+2)
	}
	if r := compiled(t, files, nil); len(r.Problems) > 0 {
		t.Errorf("arms that the policy cannot see:\n%s", describe(r))
	}
	files["rollouts/c.yaml"] = "environments: [default]\nset: {c.most: 1}\nrules: [{name: all}]\n"
	files["rollouts/b.yaml"] = "environments: [default]\nset: {b.k7: 2}\nrules: [{name: all}]\n"
	if got := rules(compiled(t, files, nil).Problems); !slices.Equal(got, []string{"error policy.all rollouts/b.yaml default", "error policy.all rollouts/c.yaml default"}) {
		t.Errorf("arms that it can see: %v", got)
	}
}

// A line of a definition on which something stands that people may not see is not shown, whatever is wrong there.
func TestLinesOfDefinitionsThatAreHidden(t *testing.T) {
	rollout := "environments: [default]\nset:\n  a.marked: 5\n  a.plain: 6\n  a.map: {key: 7}\nrules:\n  - {name: one, when: 7, set: {a.marked: 1}}\n  - {name: two, when: 7}\n"
	lines := map[int]bool{}
	for _, text := range []string{rollout, strings.ReplaceAll(rollout, "when: 7", "when: 'true'")} {
		result := compiled(t, map[string]string{
			"trunkline.yaml": "version: 1\nsensitive: [a.marked, a.map.key]\n", "config/a.yaml": "marked: 1\nplain: 1\nmap: {key: 1}\n",
			"schemas/a.schema.json": `{"properties": {"marked": {"const": 1}, "plain": {"const": 1}, "map": {"properties": {"key": {"const": 1}}}}}`, "rollouts/r.yaml": text,
		}, nil)
		for _, p := range result.Problems {
			if lines[p.Line] = p.Hidden; p.File != "rollouts/r.yaml" {
				t.Errorf("a problem elsewhere: %s", p)
			}
		}
	}
	if want := map[int]bool{3: true, 4: false, 5: true, 7: true, 8: false}; !maps.Equal(lines, want) {
		t.Errorf("hidden are %v", lines)
	}
}
