package audit

import (
	"context"
	"encoding/json"
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

// Versions lists judged commits, newest first: at most limit of them, and only those judged before one when it is not zero. more
// tells that there are older ones. ErrUnknown when the log does not hold the commit.
func (l *Log) Versions(ctx context.Context, before gitsync.Hash, limit int) (versions []Version, more bool, err error) {
	limit = min(max(limit, 1), MaxVersions)
	from, err := l.place(ctx, before)
	if err != nil {
		return nil, false, err
	}
	passed := before.IsZero()
	err = l.backwards(ctx, from, func(r *Record) bool {
		if r.Kind != KindCommit {
			return true
		}
		if r.Commit == before {
			passed = true
			return true
		}
		if !passed {
			return true
		}
		i := slices.IndexFunc(versions, func(v Version) bool { return v.Commit == r.Commit })
		if i < 0 {
			if len(versions) == limit {
				more = true
				return false
			}
			versions, i = append(versions, Version{Commit: r.Commit}), len(versions)
		}
		versions[i].add(r)
		return true
	})
	for i := range versions {
		if err == nil {
			err = l.complete(ctx, &versions[i])
		}
		v := versions[i]
		slices.SortFunc(v.Records, func(a, b *Record) int { return strings.Compare(a.Environment, b.Environment) })
	}
	return versions, more, err
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

// complete adds the records of a version that was pending in some environments and decided there later than in the others.
func (l *Log) complete(ctx context.Context, v *Version) error {
	late := slices.ContainsFunc(v.Records, func(r *Record) bool { return len(v.Records) < r.Due })
	if !late {
		return nil
	}
	info, err := l.stream.Info(ctx, jetstream.WithSubjectFilter(fmt.Sprintf("%s.*.*.%s", subjects, v.Commit)))
	if err != nil {
		return fmt.Errorf("read the audit log: %w", err)
	}
	var places []uint64
	found := map[uint64]*Record{}
	for subject := range info.State.Subjects {
		m, err := l.stream.GetLastMsgForSubject(ctx, subject)
		if err != nil {
			return fmt.Errorf("read the audit log: %w", err)
		}
		var r Record
		if err := json.Unmarshal(m.Data, &r); err != nil {
			return fmt.Errorf("read record %d: %w", m.Sequence, err)
		}
		places, found[m.Sequence] = append(places, m.Sequence), &r
	}
	slices.Sort(places)
	for _, place := range slices.Backward(places) {
		v.add(found[place])
	}
	return nil
}

// ErrUnknown is reported for a commit that the log does not hold.
var ErrUnknown = errors.New("no such commit in the audit log")

// place is where the records of a commit end; 0 to begin with the newest of all, which waiting ones are.
func (l *Log) place(ctx context.Context, commit gitsync.Hash) (uint64, error) {
	waits := slices.ContainsFunc(l.waiting(), func(e *entry) bool {
		return e.record.Kind == KindCommit && e.record.Commit == commit
	})
	if commit.IsZero() || waits {
		return 0, nil
	}
	m, err := l.stream.GetLastMsgForSubject(ctx, fmt.Sprintf("%s.commit.*.%s", subjects, commit))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		m, err = l.stream.GetLastMsgForSubject(ctx, fmt.Sprintf("%s.pending.*.%s", subjects, commit))
	}
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return 0, ErrUnknown
	case err != nil:
		return 0, fmt.Errorf("read the audit log: %w", err)
	}
	return m.Sequence, nil
}

func (l *Log) waiting() []*entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.pending)
}

// backwards goes through the records down from a place until visit reports false; from 0, those that still wait first.
func (l *Log) backwards(ctx context.Context, from uint64, visit func(*Record) bool) error {
	if from == 0 {
		for _, e := range slices.Backward(l.waiting()) {
			if !visit(e.record) {
				return nil
			}
		}
	}
	info, err := l.stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("read the audit log: %w", err)
	}
	if from == 0 {
		from = info.State.LastSeq
	}
	for place := from; place >= max(info.State.FirstSeq, 1); place-- {
		m, err := l.stream.GetMsg(ctx, place)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read record %d: %w", place, err)
		}
		var r Record
		if err := json.Unmarshal(m.Data, &r); err != nil {
			return fmt.Errorf("read record %d: %w", place, err)
		}
		if !visit(&r) {
			return nil
		}
	}
	return nil
}
