package api

import (
	"net/http"
	"slices"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/experiment"
)

// OverrideList is the answer of GET /v1/overrides.
type OverrideList struct {
	Overrides []Override `json:"overrides"`
}

// Override is a rollout or an experiment of an environment, as it is live.
type Override struct {
	Environment string          `json:"environment"`
	Kind        experiment.Kind `json:"kind"`
	Key         string          `json:"key"`
	// Status is running or paused, as the file says, or stopped by an operator.
	Status      string      `json:"status"`
	Description string      `json:"description,omitempty"`
	Owner       string      `json:"owner,omitempty"`
	Expires     string      `json:"expires,omitempty"` // a date
	Phase       int         `json:"phase,omitempty"`   // of an experiment
	Layer       string      `json:"layer,omitempty"`
	Paths       []string    `json:"paths"` // that it sets, of those that the reader sees
	Stop        *StopStatus `json:"stop,omitempty"`
	Next        *time.Time  `json:"next,omitempty"` // when a ramp or a schedule goes on
}

// overrides answers GET /v1/overrides?env=.
func (a *api) overrides(w http.ResponseWriter, r *http.Request) {
	who := access.FromContext(r.Context())
	envs := a.served(who)
	if env := r.URL.Query().Get("env"); env != "" {
		if _, refused := a.version(env, who); refused != nil {
			refused.write(w)
			return
		}
		envs = []string{env}
	}
	answer := OverrideList{Overrides: []Override{}}
	for _, env := range envs {
		if v := a.o.Live.Get(env); v != nil && v.Snapshot.Overrides != nil {
			answer.Overrides = append(answer.Overrides, overridesOf(v, who, time.Now())...)
		}
	}
	writeJSON(w, http.StatusOK, answer)
}

// overridesOf are those of a version that set something which the reader sees.
func overridesOf(v *apply.Version, who *access.Identity, now time.Time) []Override {
	may, set := scope(v, who), v.Snapshot.Overrides
	var list []Override
	for arm := range set.Arms() {
		paths := seenPaths(arm.Settings, may)
		if len(paths) == 0 {
			continue
		}
		if n := len(list) - 1; n < 0 || list[n].Kind != arm.Kind || list[n].Key != arm.Key {
			list = append(list, Override{Environment: v.Snapshot.Environment, Kind: arm.Kind, Key: arm.Key})
		}
		one := &list[len(list)-1]
		one.Paths = append(one.Paths, paths...)
	}
	for i := range list {
		list[i].describe(v, who, now)
	}
	return list
}

// seenPaths are the paths of settings, all of which or a part the reader sees.
func seenPaths(settings []experiment.Setting, may access.Scope) []string {
	var paths []string
	for _, s := range settings {
		if may.Sees(s.Path) || may.Select(s.Tree()).Len() > 0 {
			paths = append(paths, s.Path.String())
		}
	}
	return paths
}

// describe tells of an override what its file says, and what operators did.
func (o *Override) describe(v *apply.Version, who *access.Identity, now time.Time) {
	slices.Sort(o.Paths)
	o.Paths = slices.Compact(o.Paths)
	o.Status = string(experiment.Running)
	if x, ok := v.Snapshot.Definitions.Rollout(o.Key); ok && o.Kind == experiment.KindRollout {
		o.Description, o.Owner, o.Expires = x.Description, x.Owner, x.Expires
		o.Next = nextOf(x, v, now)
	}
	if x, ok := v.Snapshot.Definitions.Experiment(o.Key); ok && o.Kind == experiment.KindExperiment {
		o.Description, o.Owner, o.Status, o.Phase, o.Layer = x.Description, x.Owner, string(x.Status), x.Phase, x.Layer
	}
	for _, s := range v.Stops {
		if s.Kind == o.Kind && s.Key == o.Key {
			status := stopStatus(s, who)
			o.Status, o.Stop, o.Next = "stopped", &status, nil
			return
		}
	}
}

// nextOf is when a ramp or a schedule of a rollout goes on; nil where none does.
func nextOf(x *experiment.Rollout, v *apply.Version, now time.Time) *time.Time {
	var next *time.Time
	if !v.Held.IsZero() {
		return nil
	}
	for _, rule := range x.Rules {
		for _, at := range rule.Changes() {
			if at.After(now) && (next == nil || at.Before(*next)) {
				next = &at
			}
		}
	}
	return next
}
