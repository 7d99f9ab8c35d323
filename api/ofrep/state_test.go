package ofrep_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestStatesTellAnswers holds that as long as the name of a state is the same, so is every answer: nobody who listens misses a change.
func TestStatesTellAnswers(t *testing.T) {
	began := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	c := content{
		values: "a: {ramped: 0, scheduled: 0, both: 0, plain: 0}\nhidden: {ramped: 0}", flags: []string{"a.**"},
		files: map[string]string{
			"rollouts/ramped.yaml":    "environments: [prod]\nunit: targetingKey\nsalt: r1\nset: {a.ramped: 1}\nrules: [{name: all, ramp: {start: 2026-12-01T09:00:00Z, over: 2h, from: 10%, to: 100%}}]\n",
			"rollouts/scheduled.yaml": "environments: [prod]\nset: {a.scheduled: 1}\nrules: [{name: some, when: 'context.country == \"DE\"', schedule: {start: 2026-12-01T09:30:00Z, end: 2026-12-01T10:30:00Z}}, {name: all, schedule: {start: 2026-12-01T10:00:00Z}}]\n",
			"rollouts/both.yaml":      "environments: [prod]\nset: {a.both: 1}\nprerequisites: [{rollout: gate}]\nrules: [{name: all}]\n",
			"rollouts/gate.yaml":      "environments: [prod]\nunit: targetingKey\nsalt: r2\nset: {hidden.ramped: 1}\nrules: [{name: all, ramp: {start: 2026-12-01T09:15:00Z, steps: [{after: 0h, percentage: 20%}, {after: 1h, percentage: 80%}]}}]\n",
		},
	}
	h, l := serving(t, c)
	var now time.Time
	h.Clock(func() time.Time { return now })
	rapid.Check(t, func(rt *rapid.T) {
		contexts := []string{`{}`, `{"targetingKey": "u1"}`, `{"targetingKey": "u2", "country": "DE"}`, `{"targetingKey": "u3", "country": "DE"}`, `{"country": "DE"}`}
		at := func(label string) (state string, answers []string) {
			now = began.Add(time.Duration(rapid.IntRange(-30, 180).Draw(rt, label)) * time.Minute)
			v := c
			if stopped := rapid.SampledFrom([]string{"", "gate", "ramped"}).Draw(rt, label+" stopped"); stopped != "" {
				v.stopped = []string{stopped}
			}
			if rapid.IntRange(0, 4).Draw(rt, label+" held") == 0 {
				v.held = began.Add(time.Hour)
			}
			l.PutVersion("prod", compiled(t, "prod", "commit1", v))
			for _, context := range contexts {
				list := read[flags](rt, as(h, everybody, "POST", bulk, about(context)).Body)
				answers = append(answers, fmt.Sprint(list.Flags))
				address, err := url.Parse(list.EventStreams[0].Endpoint.RequestURI)
				if err != nil {
					rt.Fatal(err)
				}
				state = address.Query().Get("since")
			}
			return state, answers
		}
		oneState, one := at("one")
		otherState, other := at("other")
		if oneState == otherState && !slices.Equal(one, other) {
			rt.Fatalf("the state %s has answers %s and %s", oneState, one, other)
		}
	})
}
