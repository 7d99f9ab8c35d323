package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
)

// problem is what every error of the HTTP surface looks like: {"error": {"code", "message", "hint"}}.
type problem struct {
	status  int
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func (p *problem) write(w http.ResponseWriter) {
	if p.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	if told, ok := w.(*counted); ok && p.refusal() {
		told.tell(p.Code)
	}
	writeJSON(w, p.status, map[string]*problem{"error": p})
}

// counted is where an answer is written of which somebody is told if it is a refusal.
type counted struct {
	http.ResponseWriter
	tell func(code string)
}

// Unwrap is for [http.ResponseController].
func (w *counted) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// refusal tells whether a problem is that the caller has not the right, or keeps to no limit.
func (p *problem) refusal() bool {
	switch p.status {
	case http.StatusForbidden, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests:
		return true
	}
	return false
}

// unread tells which limit kept a body from being read; nil where none did.
func unread(err error) *problem {
	large := (*http.MaxBytesError)(nil)
	switch {
	case errors.As(err, &large):
		return &problem{http.StatusRequestEntityTooLarge, "tooLarge", fmt.Sprintf("the body is larger than %d KiB", large.Limit>>10), "ask for less at a time"}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &problem{http.StatusRequestTimeout, "tooSlow", "the body did not come in time", "send it at once"}
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		panic(err) // the types of this package can always be written
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n'))
}

// notRecorded is told of what an operator asked for.
var notRecorded = &problem{
	http.StatusServiceUnavailable, "notRecorded", "it could not be recorded, so nothing was done", "try again in a moment; the server's log says why",
}
