package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/trunkline/trunkline/gitsync"
)

// Version is a commit with the records of all its environments.
type Version struct {
	Commit  gitsync.Hash
	Records []*Record // by environment
}

// ErrUnknown is reported for a commit that the log does not hold.
var ErrUnknown = errors.New("no such commit in the audit log")

// Versions lists judged commits by their newest verdicts, newest first: at most limit of them, and only those that come after one in
// this order when it is not zero. more tells that there are older ones. ErrUnknown when the log does not hold the commit.
func (l *Log) Versions(ctx context.Context, before gitsync.Hash, limit int) (versions []Version, more bool, err error) {
	r, err := l.reader()
	if err != nil {
		return nil, false, err
	}
	defer r.close()
	first, last, err := l.catchUp(ctx, r)
	if err != nil {
		return nil, false, err
	}
	list := &listing{log: l, before: before, passed: before.IsZero(), limit: min(max(limit, 1), MaxVersions), waiting: l.waiting()}
	from, err := list.place(ctx, last)
	if err != nil {
		return nil, false, err
	}
	for m, err := range r.down(ctx, from, max(first, 1)) {
		if err != nil {
			return nil, false, err
		}
		if !list.take(ctx, m.decode(), m.sequence) {
			break
		}
	}
	if list.err != nil {
		return nil, false, list.err
	}
	for i := range list.versions {
		if err := l.complete(ctx, &list.versions[i]); err != nil {
			return nil, false, err
		}
	}
	return list.versions, list.more, nil
}

// listing are versions that are put together from records, newest first.
type listing struct {
	log      *Log
	before   gitsync.Hash
	passed   bool // the commit it begins after
	limit    int
	waiting  []*Record // not stored yet, oldest first
	versions []Version
	more     bool
	err      error
}

// place is where the records to be listed begin, once those that wait are listed; these are newer than all that are stored.
func (s *listing) place(ctx context.Context, last uint64) (uint64, error) {
	if !s.before.IsZero() && !s.waits(s.before) {
		return s.log.judged(ctx, s.before)
	}
	for _, r := range slices.Backward(s.waiting) {
		if !s.take(ctx, r, 0) {
			return 0, nil
		}
	}
	return last, nil
}

func (s *listing) waits(commit gitsync.Hash) bool {
	return slices.ContainsFunc(s.waiting, func(r *Record) bool { return r.Kind == KindCommit && r.Commit == commit })
}

// take adds a record, whose sequence is 0 while it waits, and tells whether more are wanted.
func (s *listing) take(ctx context.Context, r *Record, sequence uint64) bool {
	if r.Kind != KindCommit {
		return true
	}
	if r.Commit == s.before || !s.passed {
		s.passed = s.passed || r.Commit == s.before
		return true
	}
	i := slices.IndexFunc(s.versions, func(v Version) bool { return v.Commit == r.Commit })
	if i < 0 {
		if s.listedBefore(ctx, r.Commit, sequence) {
			return s.err == nil
		}
		if len(s.versions) == s.limit {
			s.more = true
			return false
		}
		s.versions, i = append(s.versions, Version{Commit: r.Commit}), len(s.versions)
	}
	s.versions[i].add(r)
	return true
}

// listedBefore tells whether a newer verdict on the commit has its place before this listing begins.
func (s *listing) listedBefore(ctx context.Context, commit gitsync.Hash, sequence uint64) bool {
	if s.before.IsZero() || sequence == 0 {
		return false
	}
	if s.waits(commit) {
		return true
	}
	newest, err := s.log.judged(ctx, commit)
	s.err = err
	return newest > sequence || err != nil
}

// add puts an older record among those of the version. What counts of an environment is its newest one. One that waits may be stored
// meanwhile, or stored long since and about to be refused: what is stored counts, and comes last.
func (v *Version) add(r *Record) {
	i := slices.IndexFunc(v.Records, func(have *Record) bool { return have.Environment == r.Environment })
	switch {
	case i < 0:
		v.Records = append(v.Records, r)
	case v.Records[i].subject() == r.subject():
		v.Records[i] = r
	}
}

// complete adds the records of a version that was decided in some environments later than in the others, and puts all in order.
func (l *Log) complete(ctx context.Context, v *Version) error {
	if slices.ContainsFunc(v.Records, func(r *Record) bool { return len(v.Records) < r.Due }) {
		all, err := l.ofCommit(ctx, v.Commit)
		if err != nil {
			return err
		}
		for _, m := range slices.Backward(all) {
			if r := m.decode(); r.Kind == KindCommit {
				v.add(r)
			}
		}
	}
	slices.SortFunc(v.Records, func(a, b *Record) int { return strings.Compare(a.Environment, b.Environment) })
	return nil
}

// ofCommit are all verdicts on a commit that are stored, oldest first.
func (l *Log) ofCommit(ctx context.Context, commit gitsync.Hash) ([]message, error) {
	info, err := l.stream.Info(ctx, jetstream.WithSubjectFilter(fmt.Sprintf("%s.*.*.%s", subjects, commit)))
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	var all []message
	for subject := range info.State.Subjects {
		m, err := l.stream.GetLastMsgForSubject(ctx, subject)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue // trimmed meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("read the audit log: %w", err)
		}
		all = append(all, message{m.Sequence, m.Subject, m.Time, m.Data})
	}
	slices.SortFunc(all, func(a, b message) int { return cmp.Compare(a.sequence, b.sequence) })
	return all, nil
}

// judged is the sequence of the newest verdict on a commit.
func (l *Log) judged(ctx context.Context, commit gitsync.Hash) (uint64, error) {
	if sequence := l.index.judged(commit); sequence > 0 {
		return sequence, nil
	}
	all, err := l.ofCommit(ctx, commit)
	if err != nil {
		return 0, err
	}
	if len(all) == 0 {
		return 0, ErrUnknown
	}
	return all[len(all)-1].sequence, nil
}

// waiting are the records that are not stored yet, oldest first.
func (l *Log) waiting() []*Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	records := make([]*Record, len(l.pending))
	for i, e := range l.pending {
		records[i] = e.record
	}
	return records
}
