package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/gitsync"
)

// Pins hold environments at versions; [apply.Reconciler] does.
type Pins interface {
	Pin(ctx context.Context, commit string, p apply.Pin) (apply.Pin, error)
	Unpin(ctx context.Context, u apply.Unpin) (apply.Unpin, error)
}

// NewPin is the body of POST /v1/pins.
type NewPin struct {
	Environment string    `json:"environment"`
	Commit      string    `json:"commit"` // its name, or the first seven digits of it or more
	Reason      string    `json:"reason"`
	Expires     time.Time `json:"expires,omitzero"` // never without it
}

// PinStatus is a pin that stands.
type PinStatus struct {
	Environment string     `json:"environment"`
	Commit      string     `json:"commit"`
	From        string     `json:"from,omitempty"` // the version that was fled from
	By          string     `json:"by,omitempty"`
	Reason      string     `json:"reason,omitempty"`
	Since       time.Time  `json:"since"`
	Expires     *time.Time `json:"expires,omitempty"`
	Newest      string     `json:"newest,omitempty"` // the newest valid version, which the pin keeps out
}

// PinList is the answer of GET /v1/pins.
type PinList struct {
	Pins []PinStatus `json:"pins"`
}

// PinEnd is the body of DELETE /v1/pins/{environment}.
type PinEnd struct {
	Reason string `json:"reason"`
	Force  bool   `json:"force,omitempty"` // also back to the version that was fled from
}

func pinStatus(p *apply.Pin, newest *apply.Version, who *access.Identity) *PinStatus {
	if p == nil {
		return nil
	}
	s := &PinStatus{Environment: p.Environment, Commit: p.Commit.String(), Since: p.At}
	if !p.Expires.IsZero() {
		s.Expires = &p.Expires
	}
	if !who.Grant.May(access.History) {
		return s
	}
	s.By, s.Reason = p.By, p.Reason
	if !p.From.IsZero() {
		s.From = p.From.String()
	}
	if newest != nil && newest.Commit.Hash != p.Commit {
		s.Newest = newest.Commit.Hash.String()
	}
	return s
}

func (a *api) pins(w http.ResponseWriter, r *http.Request) {
	who := access.FromContext(r.Context())
	answer := PinList{Pins: []PinStatus{}}
	for _, e := range a.o.Status().Environments {
		if e.Pin != nil && who.Grant.Allows(e.Name) {
			answer.Pins = append(answer.Pins, *pinStatus(e.Pin, e.Newest, who))
		}
	}
	writeJSON(w, http.StatusOK, answer)
}

func (a *api) pin(w http.ResponseWriter, r *http.Request) {
	var asked NewPin
	if refused := body(w, r, &asked); refused != nil {
		refused.write(w)
		return
	}
	who := access.FromContext(r.Context())
	if refused := mayHold(who, asked.Environment, asked.Reason); refused != nil {
		refused.write(w)
		return
	}
	if !asked.Expires.IsZero() && !asked.Expires.After(time.Now()) {
		(&problem{http.StatusBadRequest, "badTime", "the pin would have expired already", "name a time to come, or none"}).write(w)
		return
	}
	p, err := a.o.Pins.Pin(r.Context(), asked.Commit, apply.Pin{
		Environment: asked.Environment, By: who.String(), Reason: asked.Reason, Expires: asked.Expires,
	})
	if err != nil {
		a.unheld(err, who).write(w)
		return
	}
	writeJSON(w, http.StatusCreated, pinStatus(&p, nil, who))
}

func (a *api) unpin(w http.ResponseWriter, r *http.Request) {
	var asked PinEnd
	if refused := body(w, r, &asked); refused != nil {
		refused.write(w)
		return
	}
	who, env := access.FromContext(r.Context()), r.PathValue("environment")
	if refused := mayHold(who, env, asked.Reason); refused != nil {
		refused.write(w)
		return
	}
	u, err := a.o.Pins.Unpin(r.Context(), apply.Unpin{
		Pin: apply.Pin{Environment: env}, By: who.String(), Reason: asked.Reason, Forced: asked.Force,
	})
	if err != nil {
		a.unheld(err, who).write(w)
		return
	}
	writeJSON(w, http.StatusOK, pinStatus(&u.Pin, nil, who))
}

// mayHold refuses who may not operate all of an environment, and who gives no reason.
func mayHold(who *access.Identity, env, reason string) *problem {
	switch {
	case !who.Grant.Allows(env):
		return &problem{http.StatusNotFound, "unknownEnvironment", "there is no environment of this name", "see /v1/status"}
	case !who.Grant.Everything():
		return &problem{http.StatusForbidden, "forbidden", "this touches the whole environment, and the credential is for some of its values", "ask an operator whose credential is for all"}
	case reason == "" || len(reason) > maxReason:
		return &problem{http.StatusBadRequest, "noReason", "this is done for a reason, of at most 1000 bytes", "say why; it goes on record"}
	}
	return nil
}

// unheld tells why a pin was not put on or taken off.
func (a *api) unheld(err error, who *access.Identity) *problem {
	switch {
	case errors.Is(err, apply.ErrUnknownVersion), errors.Is(err, gitsync.ErrNotFound):
		return &problem{http.StatusNotFound, "unknownVersion", err.Error(), "see /v1/versions"}
	case errors.Is(err, apply.ErrUnfit):
		return &problem{http.StatusConflict, "unfit", a.beyond(who).text(err.Error()), "pin another version"}
	case errors.Is(err, apply.ErrNotPinned):
		return &problem{http.StatusNotFound, "notPinned", err.Error(), "see GET /v1/pins"}
	case errors.Is(err, apply.ErrFledFrom):
		return &problem{http.StatusConflict, "fledFrom", err.Error(), "push a commit that mends it, or force it: unpin --force"}
	}
	return notRecorded
}
