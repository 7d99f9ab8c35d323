package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/value"
)

// Log is the audit log; [audit.Log] is one.
type Log interface {
	Query(ctx context.Context, q audit.Query) (*audit.Answer, error)
	Follow(ctx context.Context, after uint64, visit func(audit.Entry) error) error
	Report(ctx context.Context, from, to time.Time) (*audit.Report, error)
	Verify(ctx context.Context, published ...audit.Head) (*audit.Verification, error)
}

// records answers GET /v1/audit.
func (a *api) records(w http.ResponseWriter, r *http.Request) {
	q, refused := auditQuery(r.URL.Query())
	if refused != nil {
		refused.write(w)
		return
	}
	who := access.FromContext(r.Context())
	if r.URL.Query().Has("follow") {
		q.See = func(record *audit.Record) *audit.Record { return a.reader(r.Context(), who).record(record) }
		a.followRecords(w, r, q)
		return
	}
	if !who.Grant.Covers(access.Whole(0)) {
		q.See = a.reader(r.Context(), who).record
	}
	if q.Environment != "" && !who.Grant.Allows(q.Environment) {
		writeJSON(w, http.StatusOK, &audit.Answer{Entries: []audit.Entry{}, First: 1})
		return
	}
	answer, err := a.o.Log.Query(r.Context(), q)
	switch {
	case errors.Is(err, audit.ErrQuery):
		(&problem{http.StatusBadRequest, "badQuery", err.Error(), "see the OpenAPI document"}).write(w)
	case err != nil:
		logUnavailable.write(w)
	case r.URL.Query().Get("format") == "csv":
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		w.Header().Set("Trunkline-Next", strconv.FormatUint(answer.Next, 10))
		table := audit.NewCSV(w)
		for _, e := range answer.Entries {
			_ = table.Write(e) // an error means that the reader has gone
		}
		_ = table.Flush()
	default:
		writeJSON(w, http.StatusOK, answer)
	}
}

var logUnavailable = &problem{http.StatusServiceUnavailable, "logUnavailable", "the audit log does not answer", "try again in a moment"}

// followRecords answers with a line of JSON for each record, as they come, until the reader, its credential or the server is
// gone. The reader keeps the sequence it has come to.
func (a *api) followRecords(w http.ResponseWriter, r *http.Request, q audit.Query) {
	who := access.FromContext(r.Context())
	leave, refused := a.followers.enter(r, who)
	if refused != nil {
		w.Header().Set("Retry-After", "10")
		refused.write(w)
		return
	}
	defer leave()
	ctx, cancel := a.followers.during(r, who)
	defer cancel()
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	_ = control.Flush()
	_ = control.SetWriteDeadline(time.Time{}) // while nothing is written: HTTP/2 ends a stream by it all the same
	err := a.o.Log.Follow(ctx, q.After, func(e audit.Entry) error {
		if err := ctx.Err(); err != nil { // of a batch that was read while the credential was good
			return err
		}
		seen, selected := q.Select(e)
		if !selected {
			return nil
		}
		line, err := seen.MarshalJSON()
		if err != nil {
			return err
		}
		_ = control.SetWriteDeadline(time.Now().Add(writePatience))
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
		err = control.Flush()
		_ = control.SetWriteDeadline(time.Time{})
		return err
	})
	if errors.Is(err, audit.ErrTrimmed) || errors.Is(err, audit.ErrAhead) {
		_, _ = fmt.Fprintf(w, `{"error":{"code":"badPlace","message":%q}}`+"\n", err.Error())
	}
}

func auditQuery(values url.Values) (audit.Query, *problem) {
	q := audit.Query{
		Author: values.Get("author"), Environment: values.Get("env"), Commit: values.Get("commit"), Verdict: apply.Verdict(values.Get("verdict")),
		Oldest: values.Get("order") == "oldest",
	}
	for _, kind := range values["kind"] {
		q.Kinds = append(q.Kinds, audit.Kind(kind))
	}
	var refused *problem
	if q.Path, q.Since, q.Until, refused = selecting(values); refused != nil {
		return q, refused
	}
	if text := values.Get("after"); text != "" {
		var err error
		if q.After, err = strconv.ParseUint(text, 10, 64); err != nil {
			refused = unreadable(values, "after", "take it from next in the answer before")
		}
	}
	if text := values.Get("limit"); text != "" {
		var err error
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 {
			refused = unreadable(values, "limit", "write a number from 1 to "+strconv.Itoa(audit.MaxEntries))
		}
	}
	return q, refused
}

// selecting reads what records and versions are selected by alike.
func selecting(values url.Values) (path value.Pattern, since, until time.Time, refused *problem) {
	var err error
	if text := values.Get("path"); text != "" {
		if path, err = patternOf(text); err != nil {
			refused = unreadable(values, "path", "* is one segment, ** any number of them")
		}
	}
	for name, at := range map[string]*time.Time{"since": &since, "until": &until} {
		if text := versionName(values.Get(name)); text != "" {
			if *at, err = time.Parse(time.RFC3339, text); err != nil {
				refused = unreadable(values, name, "write a time as 2027-01-31T09:00:00Z")
			}
		}
	}
	return path, since, until, refused
}

func unreadable(values url.Values, name, hint string) *problem {
	return &problem{http.StatusBadRequest, "badQuery", fmt.Sprintf("%s=%s cannot be read", name, clip(values.Get(name))), hint}
}

// record is what the reader may know of a record: all of it, what is of its environments and paths, or nil for nothing.
func (d *reader) record(r *audit.Record) *audit.Record {
	if d.who.Grant.Covers(access.Whole(0)) {
		return r
	}
	seen := *r
	seen.Prev = nil // it is of the record before, which may be hidden
	if r.Event != nil && r.Event.Environment != "" && d.who.Grant.Allows(r.Event.Environment) && d.who.Grant.Everything() {
		return &seen
	}
	if r.CommitRecord == nil || !d.who.Grant.Allows(r.Environment) {
		return nil
	}
	live := d.o.Live.Get(r.Environment)
	commit := *r.CommitRecord
	seen.CommitRecord = &commit
	commit.Due = 0 // it counts other environments
	commit.Problems, commit.Waiting = d.beyond.problems(visible(r.Problems, d.who, live)), d.beyond.text(r.Waiting)
	if d.who.Grant.Everything() {
		return &seen
	}
	may := restricted(d.who, live)
	commit.Effects = nil // whose they are may not be the reader's to know
	commit.Changes, commit.Lineage = d.changesSeen(r.CommitRecord, may), lineageSeen(r.Lineage, may)
	if len(commit.Problems)+len(commit.Changes) == 0 && r.Baseline != nil {
		return nil
	}
	commit.ProblemsTotal, commit.ChangesTotal, commit.Checksum, commit.Waiting = len(commit.Problems), len(commit.Changes), "", ""
	return &seen
}

// report answers GET /v1/audit/report.
func (a *api) report(w http.ResponseWriter, r *http.Request) {
	q, refused := auditQuery(r.URL.Query())
	if refused != nil {
		refused.write(w)
		return
	}
	to := q.Until
	if to.IsZero() {
		to = time.Now().UTC()
	}
	from := q.Since
	if from.IsZero() {
		from = to.Add(-usualPeriod)
	}
	report, err := a.o.Log.Report(r.Context(), from, to)
	switch {
	case errors.Is(err, audit.ErrPeriod):
		(&problem{http.StatusBadRequest, "badPeriod", err.Error(), "name a time since= before until="}).write(w)
	case err != nil:
		logUnavailable.write(w)
	case slices.Contains([]string{"md", "markdown"}, r.URL.Query().Get("format")):
		w.Header().Set("Content-Type", "text/markdown; charset=utf-8")
		_ = report.WriteMarkdown(w) // an error means that the reader has gone
	default:
		writeJSON(w, http.StatusOK, report)
	}
}

// verify answers GET /v1/audit/verify. A head that was published is named as sequence= and sha256=.
func (a *api) verify(w http.ResponseWriter, r *http.Request) {
	var published []audit.Head
	if text := r.URL.Query().Get("sequence"); text != "" {
		sequence, err := strconv.ParseUint(text, 10, 64)
		if err != nil || len(r.URL.Query().Get("sha256")) != 64 {
			(&problem{http.StatusBadRequest, "badHead", "a head is sequence= and sha256=, 64 hexadecimal digits", "take both from the head that was published"}).write(w)
			return
		}
		published = append(published, audit.Head{Sequence: sequence, SHA256: r.URL.Query().Get("sha256")})
	}
	verification, err := a.o.Log.Verify(r.Context(), published...)
	if err != nil {
		logUnavailable.write(w)
		return
	}
	writeJSON(w, http.StatusOK, verification)
}

// note puts on record what an operator did. The deed is done: what the log does not take in time follows.
func (a *api) note(r *http.Request, e audit.Event) {
	if a.o.Note == nil {
		return
	}
	e.By = access.FromContext(r.Context()).String()
	ctx, cancel := context.WithTimeout(r.Context(), notePatience)
	defer cancel()
	_ = a.o.Note(ctx, e) // the log itself tells that it is behind
}
