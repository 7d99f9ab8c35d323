package api

import (
	"net/http"
	"time"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/audit"
)

// About describes the running program.
type About struct {
	Version string    `json:"version"`
	Repo    string    `json:"repo"`
	Branch  string    `json:"branch"`
	Path    string    `json:"path,omitempty"`
	Started time.Time `json:"started"`
}

// Look is how following the remote goes.
type Look struct {
	// Head is the commit the remote last listed, empty before the first good look.
	Head     string     `json:"head,omitempty"`
	Last     *time.Time `json:"last,omitempty"`
	LastGood *time.Time `json:"lastGood,omitempty"`
	Error    string     `json:"error,omitempty"` // of the last look; empty when it was good
	Failures int        `json:"failures"`        // in a row
}

// Status is the answer of GET /v1/status.
type Status struct {
	Server       About                        `json:"server"`
	Look         Look                         `json:"look"`
	Judged       string                       `json:"judged,omitempty"` // the commit judged last
	Environments map[string]EnvironmentStatus `json:"environments"`
	Log          LogStatus                    `json:"log"`
	Sessions     int                          `json:"sessions"`
}

// EnvironmentStatus is what one environment serves.
type EnvironmentStatus struct {
	Live    *LiveStatus    `json:"live"`
	Blocked *BlockedStatus `json:"blocked,omitempty"`
}

// LiveStatus is the version that is live.
type LiveStatus struct {
	Commit     string       `json:"commit"`
	Author     audit.Person `json:"author"`
	Subject    string       `json:"subject"`
	Since      time.Time    `json:"since"`
	Cause      apply.Cause  `json:"cause"`
	RollbackOf string       `json:"rollbackOf,omitempty"`
	Checksum   string       `json:"checksum"`
}

// BlockedStatus is the newest commit, which is rejected, and whose it is.
type BlockedStatus struct {
	Commit   string            `json:"commit"`
	Author   audit.Person      `json:"author"`
	Subject  string            `json:"subject"`
	Since    time.Time         `json:"since"` // of the first commit after the live one that was rejected
	Problems []compile.Problem `json:"problems"`
}

// LogStatus is how far the audit log is behind.
type LogStatus struct {
	Pending     int        `json:"pending"`
	BehindSince *time.Time `json:"behindSince,omitempty"`
}

func (a *api) status(w http.ResponseWriter, _ *http.Request) {
	s := a.o.Status()
	answer := Status{
		Server: a.o.Server, Look: a.o.Look(), Environments: map[string]EnvironmentStatus{}, Sessions: a.o.Sessions(),
	}
	if !s.Judged.IsZero() {
		answer.Judged = s.Judged.String()
	}
	for _, e := range s.Environments {
		answer.Environments[e.Name] = EnvironmentStatus{Live: liveStatus(e.Live), Blocked: blockedStatus(e.Blocked)}
	}
	pending, since := a.o.Versions.Pending()
	answer.Log.Pending = pending
	if !since.IsZero() {
		answer.Log.BehindSince = &since
	}
	writeJSON(w, http.StatusOK, answer)
}

func liveStatus(v *apply.Version) *LiveStatus {
	if v == nil {
		return nil
	}
	s := &LiveStatus{
		Commit: v.Commit.Hash.String(), Author: audit.Person{Name: v.Commit.Author.Name, Email: v.Commit.Author.Email},
		Subject: v.Commit.Subject, Since: v.Since, Cause: v.Cause, Checksum: v.Snapshot.Sum().String(),
	}
	if !v.RollbackOf.IsZero() {
		s.RollbackOf = v.RollbackOf.String()
	}
	return s
}

func blockedStatus(b *apply.Blocked) *BlockedStatus {
	if b == nil {
		return nil
	}
	return &BlockedStatus{
		Commit: b.Commit.Hash.String(), Author: audit.Person{Name: b.Commit.Author.Name, Email: b.Commit.Author.Email},
		Subject: b.Commit.Subject, Since: b.Since, Problems: b.Problems,
	}
}
