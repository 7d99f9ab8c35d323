package api

import (
	"net/http"
	"slices"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/value"
)

// About describes the running program. What it follows is told to those alone who may see history.
type About struct {
	Version string    `json:"version"`
	Repo    string    `json:"repo,omitempty"`
	Branch  string    `json:"branch,omitempty"`
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

// Status is the answer of GET /v1/status. Without the right to see history it tells what is live in the environments of the grant.
type Status struct {
	Server       About                        `json:"server"`
	Look         *Look                        `json:"look,omitempty"`
	Judged       string                       `json:"judged,omitempty"` // the commit judged last
	Refused      *RefusedStatus               `json:"refused,omitempty"`
	Environments map[string]EnvironmentStatus `json:"environments"`
	Log          *LogStatus                   `json:"log,omitempty"`
	Sessions     *int                         `json:"sessions,omitempty"`
}

// RefusedStatus tells of a rewritten history that is not followed.
type RefusedStatus struct {
	Old    string    `json:"old,omitempty"` // the head that stays; empty where nothing tells where the branch stood
	New    string    `json:"new"`
	Lost   int       `json:"lost"` // commits of the old head that the new one has not
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"` // what happened, and what to do
}

// EnvironmentStatus is what one environment serves.
type EnvironmentStatus struct {
	Live    *LiveStatus    `json:"live"`
	Blocked *BlockedStatus `json:"blocked,omitempty"`
	Pending *PendingStatus `json:"pending,omitempty"`
	Pin     *PinStatus     `json:"pin,omitempty"`
	Stops   []StopStatus   `json:"stops,omitempty"`

	Sessions *SessionsStatus `json:"sessions,omitempty"`
}

// PendingStatus is the oldest commit that has no verdict yet. What follows it waits.
type PendingStatus struct {
	Commit  string       `json:"commit"`
	Author  audit.Person `json:"author"`
	Subject string       `json:"subject"`
	Since   time.Time    `json:"since"`
	For     string       `json:"for,omitempty"` // what could not tell yet
}

// LiveStatus is the version that is live.
type LiveStatus struct {
	Commit     string        `json:"commit"`
	Author     *audit.Person `json:"author,omitempty"`
	Subject    string        `json:"subject,omitempty"`
	Since      time.Time     `json:"since"`
	Cause      apply.Cause   `json:"cause,omitempty"` // of its going live; absent once something was stopped or resumed in it
	RollbackOf string        `json:"rollbackOf,omitempty"`
	Checksum   string        `json:"checksum,omitempty"` // of all that is delivered; for those who may see all
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

func (a *api) status(w http.ResponseWriter, r *http.Request) {
	who := access.FromContext(r.Context())
	s := a.o.Status()
	answer := Status{
		Server: About{Version: a.o.Server.Version, Started: a.o.Server.Started}, Environments: map[string]EnvironmentStatus{},
	}
	for _, e := range s.Environments {
		if who.Grant.Allows(e.Name) {
			one := a.environmentStatus(e, who)
			if who.Grant.May(access.History) {
				one.Sessions = a.sessionsStatus(e.Name, who)
			}
			answer.Environments[e.Name] = one
		}
	}
	if who.Grant.May(access.History) {
		look := a.o.Look()
		answer.Server, answer.Look, answer.Log = a.o.Server, &look, a.logStatus()
		if who.Grant.Covers(access.Whole(0)) { // they are of all environments
			sessions := a.o.Sessions()
			answer.Sessions = &sessions
		}
		if !s.Judged.IsZero() {
			answer.Judged = s.Judged.String()
		}
		answer.Refused = refusedStatus(s.Refused)
	}
	writeJSON(w, http.StatusOK, answer)
}

func (a *api) logStatus() *LogStatus {
	pending, since := a.o.Versions.Pending()
	s := &LogStatus{Pending: pending}
	if !since.IsZero() {
		s.BehindSince = &since
	}
	return s
}

func refusedStatus(r *apply.Refusal) *RefusedStatus {
	if r == nil {
		return nil
	}
	s := &RefusedStatus{New: r.New.String(), Lost: r.Lost, Since: r.Since, Reason: r.String()}
	if !r.Old.IsZero() {
		s.Old = r.Old.String()
	}
	return s
}

func (a *api) environmentStatus(e apply.EnvironmentStatus, who *access.Identity) EnvironmentStatus {
	answer := EnvironmentStatus{Live: liveStatus(e.Live, who), Pin: pinStatus(e.Pin, e.Newest, who)}
	if !who.Grant.May(access.History) {
		return answer
	}
	answer.Blocked, answer.Pending, answer.Stops = blockedStatus(e.Blocked), pendingStatus(e.Pending), stopsSeen(e, who)
	if answer.Blocked != nil {
		answer.Blocked.Problems = a.beyond(who).problems(visible(answer.Blocked.Problems, who, e.Live))
	}
	if answer.Pending != nil {
		answer.Pending.For = a.beyond(who).text(answer.Pending.For) // it may name one that goes live together with it
	}
	if who.Grant.Everything() {
		return answer
	}
	if answer.Pending != nil {
		answer.Pending.For = "" // in a validator's words, of whatever it looked at
	}
	return answer
}

// visible are the problems that a reader may know of: those of the environments of the grant, and where it is for some paths, those
// at paths that the reader sees. What the manifest calls flags or environments is no value at a path of that name.
func visible(problems []compile.Problem, who *access.Identity, live *apply.Version) []compile.Problem {
	may := restricted(who, live)
	seen := []compile.Problem{}
	for _, p := range problems {
		path, err := value.ParsePath(p.Path)
		if !who.Grant.Everything() && (err != nil || p.Path == "" || p.File == compile.ManifestFile || !may.Sees(path)) {
			continue
		}
		envs := slices.DeleteFunc(slices.Clone(p.Environments), func(env string) bool { return !who.Grant.Allows(env) })
		if len(envs) < len(p.Environments) {
			p.Environments = envs
			if p.Rule == "applyTogether" {
				p.Hint = "" // it names others
			}
		}
		seen = append(seen, p)
	}
	return seen
}

// restricted is what a reader may see, by what the version that is live calls public.
func restricted(who *access.Identity, live *apply.Version) access.Scope {
	if live == nil {
		return who.Grant.Scope(nil, nil)
	}
	return scope(live, who)
}

func liveStatus(v *apply.Version, who *access.Identity) *LiveStatus {
	if v == nil {
		return nil
	}
	s := &LiveStatus{Commit: v.Commit.Hash.String(), Since: v.Since}
	if v.Cause != apply.CauseStop && v.Cause != apply.CauseResume { // it may be of what the reader does not see
		s.Cause = v.Cause
	}
	if who.Grant.May(access.History) {
		s.Author, s.Subject = &audit.Person{Name: v.Commit.Author.Name, Email: v.Commit.Author.Email}, v.Commit.Subject
	}
	if who.Grant.Everything() {
		s.Checksum = v.Snapshot.Sum().String()
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

func pendingStatus(w *apply.Waiting) *PendingStatus {
	if w == nil {
		return nil
	}
	return &PendingStatus{
		Commit: w.Commit.Hash.String(), Author: audit.Person{Name: w.Commit.Author.Name, Email: w.Commit.Author.Email},
		Subject: w.Commit.Subject, Since: w.Since, For: w.For,
	}
}
