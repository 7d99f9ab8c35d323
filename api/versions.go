package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/gitsync"
)

// VersionList is the answer of GET /v1/versions: judged commits, newest first.
type VersionList struct {
	Versions []Version `json:"versions"`
	// Next is the commit to name as before= for the versions that follow; empty when there are none.
	Next string `json:"next,omitempty"`
}

// Version is one judged commit.
type Version struct {
	Commit       string                        `json:"commit"`
	Tags         []string                      `json:"tags,omitempty"`   // that name the commit
	Author       audit.Person                  `json:"author"`           // as the commit claims
	Signer       *audit.Signer                 `json:"signer,omitempty"` // whose key signed it, verified
	CoAuthors    []audit.Person                `json:"coAuthors,omitempty"`
	Merged       []audit.Person                `json:"merged,omitempty"`
	Subject      string                        `json:"subject"`
	Committed    time.Time                     `json:"committed"`
	Judged       time.Time                     `json:"judged"`
	RollbackOf   string                        `json:"rollbackOf,omitempty"` // the version whose content it restores
	Environments map[string]VersionEnvironment `json:"environments"`
	Problems     []compile.Problem             `json:"problems,omitempty"`
	// Uncertain: a path was asked for, and the records that may touch it do not name all of theirs.
	Uncertain bool `json:"uncertain,omitempty"`
}

// VersionEnvironment is what became of a commit in one environment.
type VersionEnvironment struct {
	Verdict apply.Verdict `json:"verdict"`
	// State is live, applied (it was live), superseded (it never was: a newer one went live at the same look), or empty when the
	// commit was rejected.
	State        string         `json:"state,omitempty"`
	Lineage      *Lineage       `json:"lineage,omitempty"`  // what it takes back
	Waiting      string         `json:"waiting,omitempty"`  // what a pending verdict waits for
	Accepted     string         `json:"accepted,omitempty"` // the commit that an operator accepted, whereupon this one was judged once more
	Changes      []apply.Change `json:"changes,omitempty"`  // paths, with keyed digests of old and new
	ChangesTotal int            `json:"changesTotal"`
	// Effects are what it does to those who are in a rollout or an experiment, and whom it adds.
	Effects []experiment.Effect `json:"effects,omitempty"`
}

// versions answers GET /v1/versions?env=&path=&author=&verdict=&since=&until=&limit=&before=.
func (a *api) versions(w http.ResponseWriter, r *http.Request) {
	who := access.FromContext(r.Context())
	q, refused := versionQuery(r.URL.Query())
	if refused != nil {
		refused.write(w)
		return
	}
	if q.Environment != "" && !who.Grant.Allows(q.Environment) {
		writeJSON(w, http.StatusOK, VersionList{Versions: []Version{}})
		return
	}
	if !who.Grant.Covers(access.Whole(0)) {
		q.See = a.reader(r.Context(), who).record
	}
	list, next, err := a.o.Versions.VersionsWhere(r.Context(), q)
	switch {
	case errors.Is(err, audit.ErrUnknown):
		(&problem{http.StatusNotFound, "unknownCommit", "no commit that was judged has the name given as before", "take it from next in the answer before"}).write(w)
	case errors.Is(err, audit.ErrQuery):
		(&problem{http.StatusBadRequest, "badQuery", err.Error(), "see the OpenAPI document"}).write(w)
	case err != nil:
		logUnavailable.write(w)
	default:
		answer := VersionList{Versions: make([]Version, len(list)), Next: nameOf(next)}
		tags, beyond := a.tags(), a.beyond(who)
		for i, v := range list {
			answer.Versions[i] = a.describe(v, tags[v.Commit], beyond)
		}
		writeJSON(w, http.StatusOK, answer)
	}
}

// tags are the names of tags by the commit that they name.
func (a *api) tags() map[gitsync.Hash][]string {
	if a.o.History == nil {
		return nil
	}
	return a.o.History.Tags()
}

func versionQuery(values url.Values) (audit.VersionQuery, *problem) {
	q := audit.VersionQuery{Environment: values.Get("env"), Author: values.Get("author"), Verdict: apply.Verdict(values.Get("verdict"))}
	var refused *problem
	if q.Path, q.Since, q.Until, refused = selecting(values); refused != nil {
		return q, refused
	}
	if text := values.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > audit.MaxVersions {
			return q, &problem{http.StatusBadRequest, "badLimit", "limit is not a number from 1 to " + strconv.Itoa(audit.MaxVersions), "page on with before="}
		}
		q.Limit = n
	}
	if text := values.Get("before"); text != "" {
		var err error
		if q.Before, err = gitsync.ParseHash(text); err != nil {
			return q, &problem{http.StatusBadRequest, "badCommit", fmt.Sprintf("before=%s is not the full name of a commit", clip(text)), "take it from next in the answer before"}
		}
	}
	return q, nil
}

// describe tells of a version what its records do.
func (a *api) describe(v audit.Version, tags []string, beyond *beyond) Version {
	first := v.Records[0]
	out := Version{
		Commit: v.Commit.String(), Tags: tags, Author: first.Author, Signer: first.Signer, CoAuthors: first.CoAuthors, Merged: first.Merged,
		Subject: first.Subject, Committed: first.Committed, Judged: first.At, Environments: map[string]VersionEnvironment{}, Uncertain: v.Uncertain,
	}
	for _, r := range v.Records {
		env := environmentOf(r)
		if live := a.o.Live.Get(r.Environment); live != nil && live.Commit.Hash == v.Commit {
			env.State = "live"
		}
		env.Waiting = beyond.text(env.Waiting) // it may name one that goes live together with it
		out.Environments[r.Environment] = env
		if r.RollbackOf != nil {
			out.RollbackOf = r.RollbackOf.String()
		}
		for _, p := range beyond.problems(r.Problems) {
			if !slices.ContainsFunc(out.Problems, func(q compile.Problem) bool { return p.String() == q.String() }) {
				out.Problems = append(out.Problems, p)
			}
		}
	}
	return out
}

func environmentOf(r *audit.Record) VersionEnvironment {
	env := VersionEnvironment{
		Verdict: r.Verdict, State: string(r.Outcome), Lineage: lineageOf(r.Lineage.Lineage()), Waiting: r.Waiting, Changes: r.Changes, ChangesTotal: r.ChangesTotal, Effects: r.Effects,
	}
	if r.Accepted != nil {
		env.Accepted = r.Accepted.String()
	}
	return env
}
