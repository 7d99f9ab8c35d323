package api

import (
	"errors"
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
)

// Acceptance is the body of POST /v1/accept.
type Acceptance struct {
	Commit string `json:"commit"` // its name, or the first seven digits of it or more
	Reason string `json:"reason"`
}

// Accepted is the answer of POST /v1/accept.
type Accepted struct {
	Commit string `json:"commit"`
}

// accept takes an operator's word for a commit that breaks the rules on commits.
func (a *api) accept(w http.ResponseWriter, r *http.Request) {
	var asked Acceptance
	if refused := body(w, r, &asked); refused != nil {
		refused.write(w)
		return
	}
	if asked.Reason == "" || len(asked.Reason) > maxReason {
		(&problem{http.StatusBadRequest, "noReason", "an acceptance needs a reason of at most 1000 bytes", "say why the commit may stand as it is"}).write(w)
		return
	}
	by := access.FromContext(r.Context()).String()
	commit, err := a.o.Accept(r.Context(), asked.Commit, apply.Acceptance{By: by, Reason: asked.Reason})
	switch {
	case errors.Is(err, apply.ErrUnreachable):
		(&problem{http.StatusNotFound, "unknownCommit", err.Error(), "name one of those that /v1/status tells of, by seven digits or more"}).write(w)
	case err != nil:
		(&problem{http.StatusServiceUnavailable, "notAccepted", "the acceptance could not be recorded", "try again in a moment; the server's log says why"}).write(w)
	default:
		writeJSON(w, http.StatusOK, Accepted{commit.String()})
	}
}

// body reads the JSON of a request, strictly.
func body(w http.ResponseWriter, r *http.Request, into any) *problem {
	err := json.UnmarshalRead(http.MaxBytesReader(w, r.Body, maxBody), into, json.RejectUnknownMembers(true))
	if refused := unread(err); refused != nil {
		return refused
	}
	if err != nil {
		return &problem{http.StatusBadRequest, "badBody", "the body is not the JSON that is expected: " + clip(err.Error()), "see the OpenAPI document"}
	}
	return nil
}
