package history

import (
	"errors"
	"fmt"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
)

// Errors, beside those of [gitsync.Follower.Named].
var (
	// ErrBeforeHistory is reported for a time before the first version.
	ErrBeforeHistory = errors.New("before the history of the branch")
	// ErrNoEnvironment is reported for an environment that a version does not have, or that nothing is live in.
	ErrNoEnvironment = errors.New("no such environment")
	// ErrBusy is reported to who would have to wait for too many others.
	ErrBusy = errors.New("too many ask about the past at a time")
	// ErrNothing is reported for a path at which no layer says anything.
	ErrNothing = errors.New("nothing stands here")
)

// UnfitError tells why a version has no values: it does not compile, or does not fit its schemas.
type UnfitError struct {
	Commit      gitsync.Hash
	Environment string
	Problem     compile.Problem
}

func (e *UnfitError) Error() string { return fmt.Sprintf("%s: %s", e.Summary(), e.Problem) }

// Summary is the error without the problem, which not everybody may see.
func (e *UnfitError) Summary() string {
	what := "does not compile for"
	if e.Problem.Stage == compile.StageSchemas {
		what = "does not fit the schemas in"
	}
	return fmt.Sprintf("version %s %s %s", e.Commit.Short(), what, e.Environment)
}
