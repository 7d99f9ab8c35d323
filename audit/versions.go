package audit

import (
	"context"
	"errors"
	"time"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
)

// Version is a commit with what counts of it in each environment: the newest of its verdicts there.
type Version struct {
	Commit  gitsync.Hash
	Records []*Record // by environment
	// Uncertain: a query named a path, and the records that may touch it do not name all of theirs.
	Uncertain bool
}

// VersionQuery selects versions. Its zero value selects the newest ones. What is set must all be so of one record of a version; it then
// comes with those of its other environments, unless one was named.
type VersionQuery struct {
	// Before is a version that the answer goes on after: what the answer before told as next.
	Before gitsync.Hash
	Limit  int // 1 to MaxVersions; 20 when it is 0

	Environment  string
	Author       string        // as in [Query]
	Path         value.Pattern // as in [Query]
	Verdict      apply.Verdict
	Since, Until time.Time // when it was judged: at or after the one, before the other

	// See is what whoever asks may know of a record, as in [Query]. A version of which nothing may be known does not exist.
	See func(*Record) *Record
}

// ErrUnknown is reported for a commit that the log does not hold.
var ErrUnknown = errors.New("no such commit in the audit log")

const defaultVersions = 20

// VersionsWhere lists judged commits by their newest verdicts, newest first; in the environment asked about, where there is one. next is
// what to name as Before for those that follow, zero when there are none: a commit of the answer, or, where much of the log was gone
// through in vain, a place in it that looks like one. ErrUnknown when the log does not hold the commit named as Before; ErrQuery for a
// query that cannot be asked.
func (l *Log) VersionsWhere(ctx context.Context, q VersionQuery) (versions []Version, next gitsync.Hash, err error) {
	s, err := l.listing(q)
	if err != nil {
		return nil, next, err
	}
	defer s.reader.close()
	for _, step := range []func(context.Context) error{s.begin, s.fromIndex, s.fromLog} {
		if err := step(ctx); err != nil {
			return nil, next, err
		}
	}
	return s.versions, s.next, nil
}
