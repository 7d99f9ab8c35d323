package api

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/value"
)

// query answers POST /v1/query: the values that a pattern selects and a condition holds for.
func (a *api) query(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, value.MaxQueryBytes))
	if err != nil {
		cmp.Or(unread(err), &problem{http.StatusBadRequest, "badBody", "the body was cut", "send it again"}).write(w)
		return
	}
	attributes, data := ownContext(data)
	q, err := value.ParseQuery(data)
	if err != nil {
		badQuery(err).write(w)
		return
	}
	who := access.FromContext(r.Context())
	rd, refused := a.asked(w, r, who)
	if refused == nil {
		refused = rd.concerns(r, attributes)
	}
	if refused != nil {
		refused.write(w)
		return
	}
	all, reveals := rd.all(), a.o.Revealed != nil && who.Grant.May(access.Reveal)
	asks := reveals && q.Conditional() && differs(all, rd.shown(false), q.Pattern(), nil)
	if asks { // whatever the answer is, and if there is none
		a.o.Revealed(who, rd.version.Snapshot.Environment, q.Pattern().String(), rd.past)
	}
	answer, err := q.Run(all, value.QueryBudget{})
	if err != nil {
		(&problem{http.StatusBadRequest, "queryTooMuch", err.Error(), "narrow the pattern or the condition"}).write(w)
		return
	}
	if reveals && !asks && rd.told(answer) {
		a.o.Revealed(who, rd.version.Snapshot.Environment, q.Pattern().String(), rd.past)
	}
	w.Header()[headerCommit] = []string{rd.version.ID}
	writeJSON(w, http.StatusOK, answer)
}

// told tells whether an answer holds what is not seen without the right to reveal.
func (rd *reading) told(answer value.QueryAnswer) bool {
	return slices.ContainsFunc(answer.Matches, func(m value.QueryMatch) bool {
		shown, _ := rd.plain(m.Path)
		return shown == nil || shown.Sum() != m.Value.Sum()
	})
}

// differs tells whether a pattern selects something, at a path or below it, that is not the same in two trees.
func differs(a, b *value.Value, pattern value.Pattern, at value.Path) bool {
	if b != nil && a.Sum() == b.Sum() {
		return false
	}
	if pattern.Match(at) {
		return true
	}
	for i, e := range a.Entries() {
		if a.Kind() == value.List {
			e.Key = strconv.Itoa(i)
		}
		var other *value.Value
		if b != nil {
			other, _ = b.Step(e.Key)
		}
		if differs(e.Value, other, pattern, append(at[:len(at):len(at)], e.Key)) {
			return true
		}
	}
	return false
}

// ownContext takes the context out of a query, of which it is no part: who it is about, as far as that depends on who asks. What cannot be
// read is left to the reader of queries.
func ownContext(data []byte) (attributes *value.Value, rest []byte) {
	if !bytes.Contains(data, []byte(`"context"`)) {
		return nil, data
	}
	body, err := value.ParseJSON(data)
	if err != nil {
		return nil, data
	}
	attributes, ok := body.Get("context")
	if !ok {
		return nil, data
	}
	without, _ := body.Set(value.Path{"context"}, nil)
	return attributes, without.AppendJSON(nil)
}

// concerns makes a reading one about whoever the body of a request says, if it does.
func (rd *reading) concerns(r *http.Request, attributes *value.Value) (refused *problem) {
	switch {
	case attributes == nil:
		return nil
	case saysContext(r):
		return badContext("the context is given more than once")
	case asksOf(r) != "":
		return contextOfThePast
	}
	rd.context, refused = about(attributes, rd.who)
	return refused
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
