package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/audit"
)

// Trim is the body of POST /v1/audit/trim: what an operator wants to go from the audit log.
type Trim struct {
	Before time.Time `json:"before,omitzero"` // records that were stored before this time
	Keep   uint64    `json:"keep,omitempty"`  // and not so many of the newest
	Reason string    `json:"reason"`
	DryRun bool      `json:"dryRun,omitempty"` // only tell what would go
}

// Trimmed is its answer. Without a checkpoint there was nothing to remove.
type Trimmed struct {
	DryRun     bool              `json:"dryRun,omitempty"`
	Checkpoint *audit.Checkpoint `json:"checkpoint,omitempty"`
	Size       audit.Size        `json:"size"` // of the log, afterwards
}

// trimming lets operators of everything trim the audit log.
func trimming(guard *access.Guard, log *audit.Log) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := access.FromContext(r.Context())
		if !who.Grant.Covers(access.Whole(access.Operate | access.History)) {
			guard.Refuse(w, r, access.NotGranted(access.Operate))
			return
		}
		asked, refused := trimAsked(w, r)
		switch {
		case refused == nil:
		case refused.Status == http.StatusBadRequest:
			refused.Write(w)
			return
		default: // beyond a limit
			guard.Refuse(w, r, refused)
			return
		}
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(trimPatience))
		c, err := log.Trim(r.Context(), audit.Trimming{Since: asked.Before, Records: asked.Keep, By: who.String(), Reason: asked.Reason, DryRun: asked.DryRun})
		if refused := untrimmed(err); refused != nil {
			refused.Write(w)
			return
		}
		answer := Trimmed{DryRun: asked.DryRun, Checkpoint: c}
		answer.Size, _ = log.Size(r.Context()) // what was asked for is done
		data, _ := json.Marshal(answer)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(append(data, '\n'))
	})
}

func trimAsked(w http.ResponseWriter, r *http.Request) (asked Trim, refused *access.Refused) {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxTrimBytes))
	dec.DisallowUnknownFields()
	bad := func(message, hint string) *access.Refused {
		return &access.Refused{Status: http.StatusBadRequest, Reason: "badTrim", Message: message, Hint: hint}
	}
	switch err := dec.Decode(&asked); {
	case errors.As(err, new(*http.MaxBytesError)):
		return asked, &access.Refused{Status: http.StatusRequestEntityTooLarge, Reason: "tooLarge", Message: "the body is larger than 64 KiB", Hint: "send less"}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return asked, &access.Refused{Status: http.StatusRequestTimeout, Reason: "tooSlow", Message: "the body did not come in time", Hint: "send it at once"}
	case err != nil:
		return asked, bad("the body cannot be read: "+err.Error(), `send {"before": "2026-01-31T00:00:00Z", "reason": "…"}`)
	case asked.Before.IsZero() && asked.Keep == 0:
		return asked, bad("it is not said what to keep", "name a time as before, a number of records as keep, or both")
	case strings.TrimSpace(asked.Reason) == "" || len(asked.Reason) > maxTrimReason:
		return asked, bad("a reason of at most 1000 bytes is missing", "say why these records may go: it stays on record")
	}
	return asked, nil
}

// untrimmed tells why nothing was removed.
func untrimmed(err error) *access.Refused {
	var broken *audit.Break
	switch {
	case err == nil:
		return nil
	case errors.Is(err, audit.ErrNeeded):
		return &access.Refused{Status: http.StatusConflict, Reason: "needed", Message: err.Error(), Hint: "name an earlier time, or keep more records"}
	case errors.As(err, &broken):
		return &access.Refused{Status: http.StatusConflict, Reason: "broken", Message: err.Error(), Hint: "find out who changed the log: see trunkline audit verify"}
	default:
		return &access.Refused{
			Status: http.StatusServiceUnavailable, Reason: "logUnavailable", Message: "the audit log does not answer", Hint: "try again in a moment", RetryAfter: time.Second,
		}
	}
}
