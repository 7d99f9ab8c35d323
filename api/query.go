package api

import (
	"errors"
	"io"
	"net/http"
	"slices"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/value"
)

// query answers POST /v1/query: the values that a pattern selects and a condition holds for.
func (a *api) query(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, value.MaxQueryBytes))
	if err != nil {
		(&problem{http.StatusRequestEntityTooLarge, "tooLarge", "the query is larger than 64 KiB, or was cut", "ask for less at a time"}).write(w)
		return
	}
	q, err := value.ParseQuery(data)
	if err != nil {
		badQuery(err).write(w)
		return
	}
	who := access.FromContext(r.Context())
	version, values, refused := a.asked(w, r, who)
	if refused != nil {
		refused.write(w)
		return
	}
	answer, err := q.Run(values, value.QueryBudget{})
	if err != nil {
		(&problem{http.StatusBadRequest, "queryTooMuch", err.Error(), "narrow the pattern or the condition"}).write(w)
		return
	}
	if a.o.Revealed != nil && who.Grant.May(access.Reveal) {
		redacted := version.Snapshot.Delivered
		if slices.ContainsFunc(answer.Matches, func(m value.QueryMatch) bool {
			shown, _ := redacted.Lookup(m.Path)
			return shown == nil || shown.Sum() != m.Value.Sum()
		}) {
			a.o.Revealed(who, version.Snapshot.Environment, q.Pattern().String())
		}
	}
	w.Header()[headerCommit] = []string{version.ID}
	writeJSON(w, http.StatusOK, answer)
}

func badQuery(err error) *problem {
	p := &problem{http.StatusBadRequest, "badQuery", err.Error(), "see the section Query of config.md"}
	var at *value.QueryError
	if errors.As(err, &at) {
		p.Message = "query at " + at.Pointer + ": " + at.Message
		p.Hint = at.Hint
	}
	return p
}
