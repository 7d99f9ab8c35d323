package notify_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/experiment"
)

// halted puts what is served live again with these experiments stopped, and no others.
func (s *server) halted(cause apply.Cause, keys ...string) {
	s.live.Again("prod", func(v *apply.Version) {
		v.Snapshot = v.Snapshot.With(experiment.Options{Stopped: func(_ experiment.Kind, key string) bool { return slices.Contains(keys, key) }})
		v.Cause, v.Stops = cause, nil
		for _, key := range keys {
			v.Stops = append(v.Stops, apply.Stop{Environment: "prod", Kind: experiment.KindExperiment, Key: key})
		}
	})
}

// What is told of why the values of a view changed is about that view, however the client came to miss the change.
func TestCausesAreOfWhatIsSeen(t *testing.T) {
	const first, second = `{"a":false,"b":1,"z":false}`, `{"a":false,"b":2,"z":false}`
	seen, hidden := trial("l", "a", "50%"), trial("m", "z", "50%")
	files := map[string]string{"experiments/seen": seen, "experiments/hidden": hidden, "layers/l": layer, "layers/m": strings.Replace(layer, "cc33", "dd44", 1)}
	for name, test := range map[string]struct {
		stays bool // somebody, so that the view does
		then  func(s *server)
		want  apply.Cause
	}{
		"a hidden stop":                     {true, func(s *server) { s.halted(apply.CauseStop, "hidden") }, apply.CauseCommit},
		"a hidden stop, and nobody there":   {false, func(s *server) { s.halted(apply.CauseStop, "hidden") }, apply.CauseCommit},
		"a stop":                            {true, func(s *server) { s.halted(apply.CauseStop, "seen") }, apply.CauseStop},
		"a stop, and nobody there":          {false, func(s *server) { s.halted(apply.CauseStop, "seen") }, apply.CauseStop},
		"a hidden resumption":               {true, func(s *server) { s.halted(apply.CauseResume) }, apply.CauseCommit},
		"a hidden resumption, nobody there": {false, func(s *server) { s.halted(apply.CauseResume) }, apply.CauseCommit},
		"a stop, and then one that is hidden": {true, func(s *server) {
			s.halted(apply.CauseStop, "seen")
			s.follow(t, "prod", "a", "b") // who has the view look
			s.halted(apply.CauseStop, "hidden", "seen")
		}, apply.CauseStop},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := choosing(t, first, files)
			if test.want == apply.CauseCommit {
				s.halted(apply.CauseStop, "hidden")
			}
			before := s.follow(t, "prod", "a", "b").cursor
			s.live.PutJSON("prod", second)
			if test.stays {
				s.follow(t, "prod", "a", "b")
			}
			test.then(s)
			p := s.hello(t, wire.Client{Env: "prod", Patterns: []string{"a", "b"}, Cursor: before})
			t.Cleanup(func() { _ = p.Close() })
			if m := p.message(); m.Type != wire.TypeDelta || m.Cause != string(test.want) {
				t.Errorf("%+v", m)
			}
		})
	}
}

// What a version takes back is told to those who see some of it.
func TestLineageIsOfWhatIsSeen(t *testing.T) {
	s := serve(t, nil)
	s.live.PutJSON("prod", `{"a":1,"z":1}`)
	s.live.Again("prod", func(v *apply.Version) {
		v.Lineage = &apply.Lineage{Kind: apply.LineagePartial, Paths: []string{"z"}}
	})
	for pattern, told := range map[string]bool{"a": false, "z": true, "**": true} {
		p := s.hello(t, wire.Client{Env: "prod", Patterns: []string{pattern}})
		t.Cleanup(func() { _ = p.Close() })
		if m := p.expect(wire.TypeSnapshot); (m.Lineage != nil) != told {
			t.Errorf("who sees %s is told %+v", pattern, m.Lineage)
		}
	}
}
