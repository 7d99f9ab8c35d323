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
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
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
}

// VersionEnvironment is what became of a commit in one environment.
type VersionEnvironment struct {
	Verdict apply.Verdict `json:"verdict"`
	// State is live, applied (it was live), superseded (it never was: a newer one went live at the same look), or empty when the
	// commit was rejected.
	State        string         `json:"state,omitempty"`
	Waiting      string         `json:"waiting,omitempty"`  // what a pending verdict waits for
	Accepted     string         `json:"accepted,omitempty"` // the commit that an operator accepted, whereupon this one was judged once more
	Changes      []apply.Change `json:"changes,omitempty"`  // paths, with keyed digests of old and new
	ChangesTotal int            `json:"changesTotal"`
}

const defaultVersions = 20

// versions answers GET /v1/versions?limit=&before=.
func (a *api) versions(w http.ResponseWriter, r *http.Request) {
	before, limit, refused := versionQuery(r.URL.Query())
	if refused != nil {
		refused.write(w)
		return
	}
	list, more, err := a.o.Versions.Versions(r.Context(), before, limit)
	if errors.Is(err, audit.ErrUnknown) {
		(&problem{http.StatusNotFound, "unknownCommit", "no commit that was judged has the name given as before", "take it from next in the answer before"}).write(w)
		return
	}
	if err != nil {
		(&problem{http.StatusServiceUnavailable, "logUnavailable", "the audit log does not answer", "try again in a moment"}).write(w)
		return
	}
	answer := VersionList{Versions: make([]Version, 0, len(list))}
	who := access.FromContext(r.Context())
	for _, v := range list {
		if described, seen := a.describe(v, who); seen {
			answer.Versions = append(answer.Versions, described)
		}
	}
	if more {
		answer.Next = list[len(list)-1].Commit.String()
	}
	writeJSON(w, http.StatusOK, answer)
}

func versionQuery(q url.Values) (before gitsync.Hash, limit int, refused *problem) {
	limit = defaultVersions
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > audit.MaxVersions {
			return before, 0, &problem{http.StatusBadRequest, "badLimit", "limit is not a number from 1 to " + strconv.Itoa(audit.MaxVersions), "page on with before="}
		}
		limit = n
	}
	if text := q.Get("before"); text != "" {
		var err error
		if before, err = gitsync.ParseHash(text); err != nil {
			return before, 0, &problem{http.StatusBadRequest, "badCommit", fmt.Sprintf("before=%s is not the full name of a commit", clip(text)), "take it from next in the answer before"}
		}
	}
	return before, limit, nil
}

// describe tells of a version what a reader may know of it. seen is false when that is nothing: when none of its environments is
// granted, or it changes nothing that the reader sees.
func (a *api) describe(v audit.Version, who *access.Identity) (out Version, seen bool) {
	first := v.Records[0]
	out = Version{
		Commit: v.Commit.String(), Author: first.Author, Signer: first.Signer, CoAuthors: first.CoAuthors, Merged: first.Merged,
		Subject: first.Subject, Committed: first.Committed, Judged: first.At, Environments: map[string]VersionEnvironment{},
	}
	for _, r := range v.Records {
		if !who.Grant.Allows(r.Environment) {
			continue
		}
		live := a.o.Live.Get(r.Environment)
		env, problems := environmentOf(r), visible(r.Problems, who, live)
		if !who.Grant.Everything() {
			env.Waiting = "" // in a validator's words, of whatever it looked at
			env.Changes = changesSeen(env.Changes, restricted(who, live))
			env.ChangesTotal = len(env.Changes)
		}
		seen = seen || who.Grant.Everything() || r.Baseline == nil || len(problems)+len(env.Changes) > 0
		if live != nil && live.Commit.Hash == v.Commit {
			env.State = "live"
		}
		out.Environments[r.Environment] = env
		if r.RollbackOf != nil {
			out.RollbackOf = r.RollbackOf.String()
		}
		for _, p := range problems {
			if !slices.ContainsFunc(out.Problems, func(q compile.Problem) bool { return p.String() == q.String() }) {
				out.Problems = append(out.Problems, p)
			}
		}
	}
	return out, seen
}

func environmentOf(r *audit.Record) VersionEnvironment {
	env := VersionEnvironment{
		Verdict: r.Verdict, State: string(r.Outcome), Waiting: r.Waiting, Changes: r.Changes, ChangesTotal: r.ChangesTotal,
	}
	if r.Accepted != nil {
		env.Accepted = r.Accepted.String()
	}
	return env
}

func changesSeen(changes []apply.Change, may access.Scope) []apply.Change {
	var seen []apply.Change
	for _, c := range changes {
		if path, err := value.ParsePath(c.Path); err == nil && may.Sees(path) {
			seen = append(seen, c)
		}
	}
	return seen
}
