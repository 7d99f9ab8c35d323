package apply

import (
	"context"
	"time"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/gitsync"
)

// Verdict is what was decided of a commit in an environment.
type Verdict string

// The verdicts.
const (
	Valid    Verdict = "valid"
	Rejected Verdict = "rejected"
	// Pending is no decision: something outside could not tell yet, and is asked again.
	Pending Verdict = "pending"
)

// Outcome is what became of a valid commit.
type Outcome string

// The outcomes. A superseded version is valid, but a newer one went live at the same look; a withheld one is valid, but a pin stands.
const (
	Applied    Outcome = "applied"
	Superseded Outcome = "superseded"
	Withheld   Outcome = "withheld"
)

// Decision is a verdict with all that is to be remembered of it. There is one for each commit and environment.
type Decision struct {
	Commit      gitsync.Commit
	Parent      gitsync.Hash // what it was judged after: its first parent, but where histories do not join
	Tree        gitsync.Hash // of the config repo's folder
	Environment string
	Due         int // how many environments a verdict of the commit is due for: so many decisions there are of it
	Verdict     Verdict
	Outcome     Outcome // empty unless valid
	Retired     bool    // valid, and the environment is no longer served
	// Baseline is the version it was judged against; zero when there was none.
	Baseline gitsync.Hash
	// Waiting tells what a pending verdict waits for.
	Waiting string
	// Signer is whose key signed the commit; nil when none that is trusted did, or no keys are known.
	Signer *gitsync.Signer
	// Accepted is the commit that an operator accepted, whereupon this one was judged once more; zero when it was not.
	Accepted gitsync.Hash
	Problems []compile.Problem
	Omitted  int // problems beyond those listed
	Changes  []Change
	// ChangesOmitted counts changes beyond those listed.
	ChangesOmitted int
	// Effects are what it does to those who are in a rollout or an experiment, and whom it adds.
	Effects  []experiment.Effect
	Checksum string // of what is delivered; empty when nothing is
	// RollbackOf is the earlier version whose content this commit restores; zero when it does not.
	RollbackOf gitsync.Hash
	// Lineage tells what the commit takes back, or says that it does; nil when nothing.
	Lineage *Lineage
	// Reconstructed: the commit had been fetched before this start, and no record of it was found.
	Reconstructed bool
	At            time.Time
}

// Change is one value that differs from the baseline, with keyed digests in the place of the values.
type Change struct {
	Path string `json:"path"`
	Old  string `json:"old,omitempty"` // empty when the value was added
	New  string `json:"new,omitempty"` // empty when it was removed
}

// Rewrite tells that the branch left its old head, or, with the old head as the fork, that it grew again by commits judged before.
type Rewrite struct {
	gitsync.Rewrite
	At      time.Time
	Refused bool // what was live stays
}

// Acceptance is an operator's word that a commit, with all that it was made from, need not satisfy what is asked of commits; or that
// the branch may go to it.
type Acceptance struct {
	Commit gitsync.Hash
	From   gitsync.Hash // the head that the branch left for it, where that was refused; nothing else is accepted then
	By     string       // the name of the operator's credential
	Reason string
	At     time.Time
}

// Events are what goes on record together, in the order of the fields.
type Events struct {
	Rewrite    *Rewrite
	Acceptance *Acceptance
	Pin        *Pin
	Unpin      *Unpin
	Stop       *Stop
	Decisions  []Decision
	Resumes    []Resume // after the decisions that end stops
}

func (e Events) empty() bool {
	return e.Rewrite == nil && e.Acceptance == nil && e.Pin == nil && e.Unpin == nil &&
		e.Stop == nil && len(e.Resumes) == 0 && len(e.Decisions) == 0
}

// Log takes what was decided. Record returns when all of it is on disk. When ctx ends before that it returns an error, and goes
// on to store it by itself: what it was given once is never given again.
type Log interface {
	Record(ctx context.Context, e Events) error
}

// Remembered is what the log knows of an earlier decision: what a restart begins from. Without an environment it tells that the
// branch was moved to the commit, from the one named as its parent, or that the commit was accepted, or such a move to it.
type Remembered struct {
	Commit, Parent, Tree gitsync.Hash
	Environment          string
	Accepted             bool
	Pin                  *Pin  // nothing else is told then but
	Unpinned             bool  // that it was taken off
	Stop                 *Stop // nothing else is told then but
	Resumed              bool  // that it was ended
	Due                  int   // as of [Decision]; 0 when unknown
	Verdict              Verdict
	Retired              bool
	Baseline             gitsync.Hash
	At                   time.Time
	Changes              []Change // all that the verdict lists, if they are at most [MaxTraced]; nil otherwise
	Refused              bool     // the branch was moved like this, and not followed
}
