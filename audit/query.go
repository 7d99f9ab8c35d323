package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/value"
)

// Query selects records. Its zero value selects the newest ones; what is set must all be so.
type Query struct {
	// Author is a part of a name or an address, in any case: of an author, co-author or author of what was merged, of the signer, or
	// of the operator's credential.
	Author string
	// Path selects records that name a path it matches, among their changes, problems or details. A record that does not name all its
	// paths, because it had to be shortened, is uncertain: it is selected and says so.
	Path        value.Pattern
	Kinds       []Kind // any of them
	Environment string
	Commit      string // the beginning of its name: what was judged, accepted, done, or lost by a rewrite
	Verdict     apply.Verdict
	Since       time.Time // at or after it, by the record's own time
	Until       time.Time // before it

	// After is the sequence of a record that the answer goes on from, in its order: [Answer.Next] of the answer before.
	After  uint64
	Limit  int  // 1 to MaxEntries; 100 when it is 0
	Oldest bool // oldest first; newest first otherwise

	// See is what whoever asks may know of a record: the record itself, a poorer copy, or nil for nothing. What is asked is asked of
	// what it returns, and the answer does not depend on anything else. All is seen without it.
	See func(*Record) *Record
}

// Answer is what a query found.
type Answer struct {
	Entries []Entry `json:"entries"`
	// Truncated: there may be more. Next is what to go on from; it advances even where an answer holds nothing.
	Truncated bool   `json:"truncated"`
	Next      uint64 `json:"next,omitempty"`
	First     uint64 `json:"first"`             // sequence of the oldest record there is; what came before was trimmed
	Waiting   int    `json:"waiting,omitempty"` // records that are not stored yet, and so not looked at

	bytes int
	ended bool // there is one more than it may hold
}

// ErrQuery is reported for a query that cannot be asked.
var ErrQuery = errors.New("not a query")

const defaultLimit = 100

func (q *Query) check() error {
	switch {
	case len(q.Author) > maxPatternBytes || strings.ContainsFunc(q.Author, unicode.IsControl):
		return fmt.Errorf("%w: an author has at most %d bytes and no control characters", ErrQuery, maxPatternBytes)
	case len(q.Commit) > maxCommitDigits || strings.Trim(q.Commit, "0123456789abcdef") != "":
		return fmt.Errorf("%w: a commit is up to %d hexadecimal digits in small letters", ErrQuery, maxCommitDigits)
	case q.Verdict != "" && verdictID(q.Verdict) == unknown:
		return fmt.Errorf("%w: a verdict is %s, %s or %s", ErrQuery, apply.Valid, apply.Rejected, apply.Pending)
	case len(q.Kinds) > maxKindsAsked:
		return fmt.Errorf("%w: it names more than %d kinds", ErrQuery, maxKindsAsked)
	case q.Limit < 0 || q.Limit > MaxEntries:
		return fmt.Errorf("%w: the limit is 1 to %d", ErrQuery, MaxEntries)
	case !q.Since.IsZero() && !q.Until.IsZero() && !q.Since.Before(q.Until):
		return fmt.Errorf("%w: the time it ends is not after the time it begins", ErrQuery)
	}
	return nil
}

// Select tells whether an entry is among what is asked, and what may be seen of it.
func (q *Query) Select(e Entry) (Entry, bool) {
	if q.See != nil {
		if e = e.seen(q.See(e.Record)); e.Record == nil {
			return Entry{}, false
		}
	}
	if !q.matches(e.Record) {
		return Entry{}, false
	}
	if q.Path.String() != "" && !q.touches(e.Record) {
		e.Uncertain = e.Record.Truncated
		return e, e.Uncertain
	}
	return e, true
}

func (q *Query) matches(r *Record) bool {
	return (len(q.Kinds) == 0 || slices.Contains(q.Kinds, r.Kind)) &&
		(q.Environment == "" || q.Environment == r.environment()) &&
		(q.Verdict == "" || r.CommitRecord != nil && q.Verdict == r.Verdict) &&
		(q.Since.IsZero() || !r.At.Before(q.Since)) && (q.Until.IsZero() || r.At.Before(q.Until)) &&
		(q.Commit == "" || q.names(r)) &&
		(q.Author == "" || strings.Contains(crewText(r.people()), strings.ToLower(q.Author)))
}

func (q *Query) names(r *Record) bool {
	for _, h := range r.commits() {
		if strings.HasPrefix(h.String(), q.Commit) {
			return true
		}
	}
	return false
}

func (q *Query) touches(r *Record) bool {
	for text := range r.paths() {
		if path, err := value.ParsePath(text); err == nil && q.Path.Match(path) {
			return true
		}
	}
	return false
}

// Query answers from what is stored. It reads at most 10,000 records; an answer that had to stop says that it is truncated, and where
// to go on. With See it goes through up to 16,384 records instead, and ends at a multiple of 1,024, so that where an answer ends tells
// nothing of single records that are hidden.
func (l *Log) Query(ctx context.Context, q Query) (*Answer, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	if q.Limit == 0 {
		q.Limit = defaultLimit
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
	s := newSearch(&q, l.index, first, last)
	a := &Answer{Entries: []Entry{}, First: first}
	for looked := 0; !a.full(s, looked); {
		sequences := s.next(min(max(q.Limit-len(a.Entries), nearby), maxBackwards))
		if len(sequences) == 0 {
			break
		}
		looked += len(sequences)
		if err := a.take(ctx, r, s, sequences); err != nil {
			return nil, err
		}
	}
	switch {
	case !s.done:
		a.Truncated, a.Next = true, s.at
	case s.more > 0:
		a.Truncated, a.Next = true, s.more
	}
	if q.See == nil {
		a.Waiting, _ = l.Pending()
	}
	return a, nil
}

// full tells whether the answer ends here. For whoever may not see all it ends where another record is found: that there is none among
// those that are hidden has to look the same.
func (a *Answer) full(s *search, looked int) bool {
	if s.q.See != nil {
		return a.ended
	}
	return len(a.Entries) >= s.q.Limit || looked >= maxLooked || a.bytes >= maxAnswer
}

// take adds what is asked of the records of the given sequences, as far as the limit allows.
func (a *Answer) take(ctx context.Context, r *reader, s *search, sequences []uint64) error {
	ascending := slices.Clone(sequences)
	slices.Sort(ascending)
	messages, err := r.some(ctx, ascending)
	if err != nil {
		return err
	}
	if !s.q.Oldest {
		slices.Reverse(messages)
	}
	for _, m := range messages {
		whole := len(a.Entries) == s.q.Limit || a.bytes >= maxAnswer
		if whole && s.q.See == nil {
			s.done = false
			return nil
		}
		e, asked := s.q.Select(m.entry())
		if asked && whole {
			a.ended, s.done, s.at = true, false, a.Entries[len(a.Entries)-1].Sequence
			return nil
		}
		if asked {
			a.Entries = append(a.Entries, e)
			a.bytes += len(m.data)
		}
		s.at = m.sequence
	}
	s.at = sequences[len(sequences)-1]
	return nil
}

// catchUp brings into the index what others have stored, and tells the bounds of the log.
func (l *Log) catchUp(ctx context.Context, r *reader) (first, last uint64, err error) {
	info, err := l.stream.Info(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("read the audit log: %w", err)
	}
	first, last = info.State.FirstSeq, info.State.LastSeq
	for m, err := range r.all(ctx, "", max(l.index.seen()+1, first), last) {
		if err != nil {
			return 0, 0, err
		}
		l.index.add(m.sequence, m.decode())
	}
	return first, last, nil
}
