package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
)

// Report tells of a period what was changed, by whom, and how it went. Its numbers come from records alone, so the same log gives the
// same report: it is of the log up to AsOf.
//
// The four measures of delivery are those of DORA (https://dora.dev/guides/dora-metrics-four-keys/), an environment at a time:
//
//   - Deployment frequency: a version that went live is a deployment. One that was superseded at the same look never was live, and its
//     changes were, with the one that superseded it. One that a pin withheld goes live when the pin is taken off.
//   - Change lead time, "the time it takes for a code commit or change to be successfully deployed to production": from the
//     committer's time of a valid commit to when it went live.
//   - Change fail rate, the share of deployments that need a rollback or a fix at once: versions that went live in the period and were
//     rolled back since, of all that went live in it. A commit that restores exactly the content of an earlier version, or a pin that
//     is set to one, undoes every version that went live after that one; a revert, the inverse of earlier commits, undoes the versions
//     that these went live with. Nothing else is seen here: neither a fix forward, nor a commit that takes back a part of another, or
//     only says that it takes something back.
//   - Failed deployment recovery time: from when the oldest version that a rollback undoes went live to when the rollback did.
//
// DORA means production; which environment that is, the reader knows.
type Report struct {
	From    time.Time `json:"from"` // by the records' own times; From is in the period, To is not
	To      time.Time `json:"to"`
	AsOf    Head      `json:"asOf"`    // the newest record that was read
	Records int       `json:"records"` // of the period
	// Truncated: there were more records than one report reads, and the numbers miss the newest.
	Truncated bool `json:"truncated"`
	// Notes say what the numbers do not cover.
	Notes        []string            `json:"notes,omitempty"`
	Environments []EnvironmentReport `json:"environments"` // by name
	Authors      []AuthorReport      `json:"authors"`      // the most commits first
	Areas        []AreaReport        `json:"areas"`        // the most commits first
	Rejections   []RejectionReport   `json:"rejections"`   // the most commits first
	Rollbacks    []RollbackReport    `json:"rollbacks"`    // oldest first
	Acceptances  []AcceptanceReport  `json:"acceptances"`  // oldest first
	Rewrites     int                 `json:"rewrites"`     // times that the branch left its old head, and was followed
	Refused      int                 `json:"refused"`      // times that it was not
	Events       []EventReport       `json:"events"`       // by kind
}

// EnvironmentReport is what happened in one environment.
type EnvironmentReport struct {
	Name              string   `json:"name"`
	Deployments       int      `json:"deployments"` // versions that went live
	Superseded        int      `json:"superseded"`  // valid versions that a newer one overtook
	Withheld          int      `json:"withheld"`    // valid versions that a pin held back, for a while at least
	Rejected          int      `json:"rejected"`
	Rollbacks         int      `json:"rollbacks"`
	TimeToRestore     Spread   `json:"timeToRestore"` // of rollbacks that undid a version of which it is known when it went live
	Failed            int      `json:"failed"`        // of the deployments, those that were rolled back since
	ChangeFailureRate *float64 `json:"changeFailureRate,omitempty"`
	LeadTime          Spread   `json:"leadTime"`
	Pending           Spread   `json:"pending"`      // how long verdicts were waited for that came in the period
	StillPending      int      `json:"stillPending"` // at the end of the period
}

// Spread describes several durations by values that occurred among them (nearest rank).
type Spread struct {
	Count  int     `json:"count"`
	Median float64 `json:"medianSeconds"`
	P90    float64 `json:"p90Seconds"`
	Max    float64 `json:"maxSeconds"`
}

// AuthorReport is what one author's commits did. A commit counts once, in however many environments; its changes count in each.
type AuthorReport struct {
	Person
	Commits    int `json:"commits"`
	Valid      int `json:"valid"`      // in some environment
	Rejected   int `json:"rejected"`   // in some environment
	Unverified int `json:"unverified"` // valid ones that no key the server knows has signed: who made them is only claimed
	Changes    int `json:"changes"`    // changed values of valid commits
}

// AreaReport is what changed below the first segment of paths.
type AreaReport struct {
	Area    string `json:"area"`
	Commits int    `json:"commits"` // valid ones
	Changes int    `json:"changes"`
}

// RejectionReport is how often a rule rejected a commit.
type RejectionReport struct {
	Rule     string        `json:"rule"`
	Stage    compile.Stage `json:"stage,omitempty"`
	Commits  int           `json:"commits"`
	Examples []Example     `json:"examples"` // the first few
}

// Example is one of several commits.
type Example struct {
	Commit  gitsync.Hash `json:"commit"`
	Subject string       `json:"subject"`
	Author  Person       `json:"author"`
}

// RollbackReport is a commit that restored an earlier version, one that reverted others, or a pin that an operator set to an earlier
// version: then the subject is the reason, and the author who did it.
type RollbackReport struct {
	Example
	Pin         bool          `json:"pin,omitempty"`
	Environment string        `json:"environment"`
	At          time.Time     `json:"at"`
	Restored    *gitsync.Hash `json:"restored,omitempty"`
	First       *gitsync.Hash `json:"first,omitempty"` // of a revert: the oldest and the newest commit that it takes back
	Last        *gitsync.Hash `json:"last,omitempty"`
	Undone      int           `json:"undone"` // versions that had gone live
	// Seconds is the time to restore; nil when it is not known.
	Seconds *float64 `json:"seconds,omitempty"`
}

// AcceptanceReport is a commit that an operator accepted.
type AcceptanceReport struct {
	Commit gitsync.Hash `json:"commit"`
	At     time.Time    `json:"at"`
	By     string       `json:"by"`
	Reason string       `json:"reason"`
}

// EventReport counts the events of one kind, whatever kinds there are.
type EventReport struct {
	Kind   Kind           `json:"kind"`
	Count  int            `json:"count"`
	By     map[string]int `json:"by"`     // by the name of the credential; "" for those without one
	Newest []EventExample `json:"newest"` // the newest few, oldest first
}

// EventExample is one of several events.
type EventExample struct {
	At          time.Time     `json:"at"`
	By          string        `json:"by,omitempty"`
	Environment string        `json:"environment,omitempty"`
	Commit      *gitsync.Hash `json:"commit,omitempty"`
	Reason      string        `json:"reason,omitempty"`
}

// ErrPeriod is reported for a period that does not end after it begins.
var ErrPeriod = errors.New("not a period")

// Report reads what there is of a period, and as much before it as tells what its rollbacks undid.
func (l *Log) Report(ctx context.Context, from, to time.Time) (*Report, error) {
	if !from.Before(to) {
		return nil, fmt.Errorf("%w: it ends (%s) before it begins (%s)", ErrPeriod, clock(to), clock(from))
	}
	r, err := l.reader()
	if err != nil {
		return nil, err
	}
	defer r.close()
	first, last, err := l.catchUp(ctx, r)
	if err != nil {
		return nil, err
	}
	s := newSurvey(from, to)
	read := 0
	var newest message
	for m, err := range l.walk(ctx, l.index.before(from, first), last) {
		if err != nil {
			return nil, err
		}
		if read++; read > maxReported {
			s.report.Truncated = true
			break
		}
		s.take(m.decode())
		newest = m
	}
	if read > 0 {
		s.report.AsOf = Head{newest.sequence, digest(newest.data), newest.stored}
	}
	oldest, err := l.oldest(ctx, r, first)
	if err != nil {
		return nil, err
	}
	waiting, _ := l.Pending()
	s.finish()
	s.notes(oldest, first > 1, waiting)
	return s.report, nil
}

// before is a record to begin reading with to know what the rollbacks from a time on undid: so many commits before it as a rollback
// is recognised over.
func (x *index) before(from time.Time, first uint64) uint64 {
	sequence, known := x.since(from)
	if !known {
		return first
	}
	return x.back(sequence, apply.MaxRemembered)
}

// oldest is the time of the oldest record; zero when there is none.
func (l *Log) oldest(ctx context.Context, r *reader, first uint64) (time.Time, error) {
	found, err := r.batch(ctx, "", max(first, 1), 1)
	if err != nil || len(found) == 0 {
		return time.Time{}, err
	}
	return found[0].decode().At, nil
}
