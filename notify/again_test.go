package notify_test

import (
	"maps"
	"testing"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/experiment"
)

// What requires something that changed is decided again, though its own file did not change: the experiment's file, its layer's, or a stop.
func TestWhatChangedIsDecidedAgain(t *testing.T) {
	files := map[string]string{
		"layers/l": layer, "experiments/e": trial("l", "a", "100%"),
		"rollouts/r": `{"environments":["prod"],"salt":"b","set":{"b":true},"prerequisites":[{"experiment":"e"}],"rules":[{"name":"all"}]}`,
		"rollouts/s": rollout("c", `"when":"context.plan == \"staff\""`),
	}
	s, _ := choosing(t, `{"a":false,"b":false,"c":false}`, nil)
	all := &repository{}
	put := func(name, text string) {
		changed := maps.Clone(files)
		if name != "" {
			changed[name] = text
		}
		s.live.Definitions = all.read(t, changed)
		s.live.PutJSON("prod", `{"a":false,"b":false,"c":false}`)
	}
	put("", "")
	p := s.as(t, `{"targetingKey":"u1","plan":"staff"}`, "b", "c")
	p.has(`{"b":true,"c":true}`)
	for name, change := range map[string]func(){
		"the file":  func() { put("experiments/e", trial("l", "a", "0%")) },
		"the layer": func() { put("layers/l", `{"unit":"account","salt":"cc33"}`) },
		"a stop": func() {
			s.live.Again("prod", func(v *apply.Version) {
				v.Snapshot = v.Snapshot.With(experiment.Options{Stopped: func(_ experiment.Kind, key string) bool { return key == "e" }})
				v.Stops = []apply.Stop{{Environment: "prod", Kind: experiment.KindExperiment, Key: "e"}}
			})
		},
	} {
		change()
		t.Log(name)
		p.expect(wire.TypeDelta)
		p.has(`{"b":false,"c":true}`)
		put("", "")
		p.expect(wire.TypeDelta)
		p.has(`{"b":true,"c":true}`)
	}
}
