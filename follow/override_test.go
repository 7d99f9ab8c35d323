package follow_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/follow"
	"github.com/trunkline/trunkline/internal/gittest"
)

// overriding is a remote with a rollout to one country and an experiment.
func overriding(t *testing.T) *gittest.Remote {
	t.Helper()
	r := repo(t)
	r.Write(map[string]string{
		"config/search.yaml":      "ranking: old\nlimit: 10\n",
		"rollouts/ranking.yaml":   "environments: [prod]\nset: {search.ranking: new}\nrules: [{name: eu, when: 'context.country == \"DE\"'}]\n",
		"rollouts/dsn.yaml":       "environments: [prod]\nset: {pool.dsn: postgres://other@h/d}\nrules: [{name: all}]\n",
		"layers/search.yaml":      "salt: lay\n",
		"experiments/limits.yaml": "environments: [prod]\nstatus: running\nlayer: search\nsalt: limits\ntraffic: 100%\nvariants: {control: {weight: 50%}, more: {weight: 50%, set: {search.limit: 20}}}\nforce: {ada: more, bo: control}\nplan: {unitsTotal: 10, minimumEffect: {relative: 1%}}\n",
	})
	r.Commit("Override")
	r.Push()
	return r
}

// A program that follows by itself decides who gets what, for itself and for whom it serves.
func TestOverrides(t *testing.T) {
	remote := overriding(t)
	o := options(remote, t.TempDir())
	o.Patterns, o.Context = []string{"search.**", "pool.dsn"}, map[string]any{"targetingKey": "ada"}
	config := open(t, o)
	more := []client.Assignment{{Experiment: "limits", Variant: "more", Phase: 1, Layer: "search", Forced: true}}
	if config.Int("search.limit", 0) != 20 || config.String("search.ranking", "") != "old" || !slices.Equal(config.Assignments(), more) {
		t.Errorf("%+v", config.State())
	}
	german, err := config.ForMap(map[string]any{"targetingKey": "bo", "country": "DE"})
	if err != nil {
		t.Fatal(err)
	}
	if german.Int("search.limit", 0) != 10 || german.String("search.ranking", "") != "new" || german.Assignments()[0].Variant != "control" {
		t.Errorf("%+v", german.State())
	}
	if _, seen := german.Get("pool.dsn"); seen || strings.Contains(german.State().Values.String(), "postgres") {
		t.Error("what is sensitive is shown")
	}
	if _, ok := german.Explain(experiment.KindRollout, "ranking"); !ok {
		t.Error("it is not explained")
	}
	remote.Write(map[string]string{"rollouts/ranking.yaml": "environments: [prod]\nset: {search.ranking: newer}\nrules: [{name: all}]\n"})
	remote.Commit("To all")
	remote.Push()
	config.Look()
	until(t, config, "the rollout to all", func(s *client.State) bool { return s.String("search.ranking", "") == "newer" })
	if config.For(experiment.Context{}).String("search.ranking", "") != "newer" || german.String("search.ranking", "") != "new" {
		t.Error("a view is not of one version")
	}
}

// What the patterns do not select is neither set nor told, and the program is asked about what it will read.
func TestOverridesOfPatterns(t *testing.T) {
	remote := overriding(t)
	o := options(remote, t.TempDir())
	o.Patterns, o.Context = []string{"search.ranking"}, map[string]any{"targetingKey": "ada", "country": "DE"}
	var asked []string
	o.Accept = func(s *client.State) error { asked = append(asked, s.Values.String()); return nil }
	config := open(t, o)
	v := config.For(experiment.Context{})
	if _, known := v.Explain(experiment.KindExperiment, "limits"); known || len(config.Assignments()) != 0 || config.State().Values.String() != `{"search":{"ranking":"new"}}` {
		t.Errorf("%+v", config.State())
	}
	config.Close()
	if !slices.Equal(asked, []string{`{"search":{"ranking":"new"}}`}) {
		t.Errorf("asked about %s", asked)
	}
	o.Context = map[string]any{"country": func() {}}
	if _, err := follow.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "country") {
		t.Error(err)
	}
}

// A version whose values for the Repo's own context are refused is not decided by for anybody.
func TestOverridesThatAreRefused(t *testing.T) {
	remote := overriding(t)
	o := options(remote, t.TempDir())
	o.Accept = func(s *client.State) error {
		if s.String("search.ranking", "") != "old" {
			return errors.New("not yet")
		}
		return nil
	}
	log := &logged{}
	o.Log = log.log()
	config := open(t, o)
	remote.Write(map[string]string{"rollouts/ranking.yaml": "environments: [prod]\nset: {search.ranking: new}\nrules: [{name: all}]\n"})
	remote.Commit("To all")
	remote.Push()
	config.Look()
	log.says(t, "not accepted")
	if got := config.For(experiment.Context{}).String("search.ranking", ""); got != "old" || config.String("search.ranking", "") != "old" {
		t.Error(got)
	}
	if _, stale := config.Stale(); !stale {
		t.Error("it is not stale")
	}
}
