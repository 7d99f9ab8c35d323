package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/experiment"
)

// Stops take rollouts and experiments out of effect; [apply.Reconciler] does.
type Stops interface {
	Stop(ctx context.Context, s apply.Stop) (apply.Stop, error)
	Resume(ctx context.Context, r apply.Resume) (apply.Resume, error)
}

// NewStop is the body of POST /v1/stops.
type NewStop struct {
	Environment string          `json:"environment,omitempty"` // may be left out where there is only one
	Kind        experiment.Kind `json:"kind,omitempty"`        // rollout or experiment, where both have the key
	Key         string          `json:"key"`
	Reason      string          `json:"reason"`
}

// StopEnd is the body of DELETE /v1/stops/{environment}/{key}.
type StopEnd struct {
	Kind   experiment.Kind `json:"kind,omitempty"`
	Reason string          `json:"reason"`
}

// StopStatus is a stop that stands.
type StopStatus struct {
	Environment string          `json:"environment"`
	Kind        experiment.Kind `json:"kind"`
	Key         string          `json:"key"`
	By          string          `json:"by,omitempty"`
	Reason      string          `json:"reason,omitempty"`
	Since       time.Time       `json:"since"`
}

// StopList is the answer of GET /v1/stops.
type StopList struct {
	Stops []StopStatus `json:"stops"`
}

func stopStatus(s apply.Stop, who *access.Identity) StopStatus {
	out := StopStatus{Environment: s.Environment, Kind: s.Kind, Key: s.Key, Since: s.At}
	if who.Grant.May(access.History) {
		out.By, out.Reason = s.By, s.Reason
	}
	return out
}

// stopsSeen are the stops of an environment that a reader may know of: those of definitions that set something which the reader sees.
func stopsSeen(e apply.EnvironmentStatus, who *access.Identity) []StopStatus {
	var seen []StopStatus
	for _, s := range e.Stops {
		if who.Grant.Everything() || concerns(e.Live, who, s.Kind, s.Key) {
			seen = append(seen, stopStatus(s, who))
		}
	}
	return seen
}

// concerns tells whether a definition sets something that a reader sees.
func concerns(v *apply.Version, who *access.Identity, kind experiment.Kind, key string) bool {
	if v == nil || v.Snapshot.Overrides == nil {
		return false
	}
	see := scope(v, who).Select
	for arm := range v.Snapshot.Overrides.Arms() {
		if arm.Kind == kind && arm.Key == key && v.Snapshot.Overrides.Touches(arm.Choice, see) {
			return true
		}
	}
	return false
}

func (a *api) stops(w http.ResponseWriter, r *http.Request) {
	who := access.FromContext(r.Context())
	answer := StopList{Stops: []StopStatus{}}
	for _, e := range a.o.Status().Environments {
		if who.Grant.Allows(e.Name) {
			answer.Stops = append(answer.Stops, stopsSeen(e, who)...)
		}
	}
	writeJSON(w, http.StatusOK, answer)
}

func (a *api) stop(w http.ResponseWriter, r *http.Request) {
	var asked NewStop
	if refused := body(w, r, &asked); refused != nil {
		refused.write(w)
		return
	}
	who := access.FromContext(r.Context())
	v, refused := a.version(asked.Environment, who)
	if refused == nil {
		asked.Environment = v.Snapshot.Environment
		refused = mayHold(who, asked.Environment, asked.Reason)
	}
	if refused != nil {
		refused.write(w)
		return
	}
	s, err := a.o.Stops.Stop(r.Context(), apply.Stop{
		Environment: asked.Environment, Kind: asked.Kind, Key: asked.Key, By: who.String(), Reason: asked.Reason,
	})
	if err != nil {
		unstopped(err).write(w)
		return
	}
	writeJSON(w, http.StatusCreated, stopStatus(s, who))
}

func (a *api) resume(w http.ResponseWriter, r *http.Request) {
	var asked StopEnd
	if refused := body(w, r, &asked); refused != nil {
		refused.write(w)
		return
	}
	who, env := access.FromContext(r.Context()), r.PathValue("environment")
	if refused := mayHold(who, env, asked.Reason); refused != nil {
		refused.write(w)
		return
	}
	ended, err := a.o.Stops.Resume(r.Context(), apply.Resume{
		Stop: apply.Stop{Environment: env, Kind: asked.Kind, Key: r.PathValue("key")}, By: who.String(), Reason: asked.Reason,
	})
	if err != nil {
		unstopped(err).write(w)
		return
	}
	writeJSON(w, http.StatusOK, stopStatus(ended.Stop, who))
}

// unstopped tells why something was not stopped or resumed.
func unstopped(err error) *problem {
	switch {
	case errors.Is(err, apply.ErrUnknownDefinition):
		return &problem{http.StatusNotFound, "unknownDefinition", err.Error(), "see GET /v1/overrides for what is in effect"}
	case errors.Is(err, apply.ErrAmbiguousDefinition):
		return &problem{http.StatusConflict, "ambiguousDefinition", err.Error(), "say which, by kind: rollout or experiment"}
	case errors.Is(err, apply.ErrNotStopped):
		return &problem{http.StatusNotFound, "notStopped", err.Error(), "see GET /v1/stops"}
	case errors.Is(err, apply.ErrManyStops):
		return &problem{http.StatusConflict, "manyStops", err.Error(), "remove what has been stopped from the repository, or resume it"}
	}
	return notRecorded
}
