package apply

import (
	"context"
	"time"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
)

// Verdict is what was decided of a commit in an environment.
type Verdict string

// The verdicts.
const (
	Valid    Verdict = "valid"
	Rejected Verdict = "rejected"
)

// Outcome is what became of a valid commit.
type Outcome string

// The outcomes. A superseded version is valid, but a newer one went live at the same look.
const (
	Applied    Outcome = "applied"
	Superseded Outcome = "superseded"
)

// Decision is a verdict with all that is to be remembered of it. There is one for each commit and environment.
type Decision struct {
	Commit      gitsync.Commit
	Parent      gitsync.Hash // what it was judged after: its first parent, but where histories do not join
	Tree        gitsync.Hash // of the config repo's folder
	Environment string
	Due         int // how many environments a verdict of the commit is due for: so many decisions there are of it
	Verdict     Verdict
	Outcome     Outcome // empty when rejected
	Retired     bool    // valid, and the environment is no longer served
	// Baseline is the version it was judged against; zero when there was none.
	Baseline gitsync.Hash
	Problems []compile.Problem
	Omitted  int // problems beyond those listed
	Changes  []Change
	// ChangesOmitted counts changes beyond those listed.
	ChangesOmitted int
	Checksum       string // of what is delivered; empty when nothing is
	// RollbackOf is the earlier version whose content this commit restores; zero when it does not.
	RollbackOf gitsync.Hash
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
	At time.Time
}

// Log takes what was decided. Record returns when all of it is on disk. When ctx ends before that it returns an error, and goes
// on to store it by itself: what it was given once is never given again.
type Log interface {
	Record(ctx context.Context, decisions []Decision, rewrite *Rewrite) error
}

// Remembered is what the log knows of an earlier decision: what a restart begins from. Without an environment it tells that the
// branch was moved to the commit, from the one named as its parent.
type Remembered struct {
	Commit, Parent, Tree gitsync.Hash
	Environment          string
	Due                  int // as of [Decision]; 0 when unknown
	Verdict              Verdict
	Retired              bool
	Baseline             gitsync.Hash
	At                   time.Time
}
