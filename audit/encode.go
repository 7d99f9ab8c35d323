package audit

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/gitsync"
)

// subject names a record for the bus. The bus keeps one message a subject, so a record cannot be written twice however often it
// is sent.
func (r *Record) subject() string {
	switch r.Kind {
	case KindRewrite:
		return fmt.Sprintf("%s.rewrite.%d.%s.%s", subjects, r.Rewrite.After, r.Rewrite.Old, r.Rewrite.New)
	case KindSettings:
		return fmt.Sprintf("%s.settings.%d", subjects, r.At.UnixNano())
	case KindAcceptance:
		return fmt.Sprintf("%s.acceptance.%s.%d", subjects, r.Acceptance.Commit, r.At.UnixNano())
	case KindCheckpoint:
		return fmt.Sprintf("%s.checkpoint.%d", subjects, r.Checkpoint.UpTo)
	}
	switch {
	case r.Event != nil:
		return r.eventSubject()
	case r.Verdict == apply.Pending:
		return fmt.Sprintf("%s.pending.%s.%s", subjects, r.Environment, r.Commit)
	case r.Accepted != nil:
		return fmt.Sprintf("%s.accepted.%s.%s", subjects, r.Environment, r.Commit)
	default:
		return fmt.Sprintf("%s.commit.%s.%s", subjects, r.Environment, r.Commit)
	}
}

// eventSubject names an event by its time and all that it tells. A pin may be put on again as it was, when taking it off has failed.
func (r *Record) eventSubject() string {
	told, _ := json.Marshal(r.Event)
	sum := sha256.Sum256(told)
	name := fmt.Sprintf("%s.event.%s.%d.%x", subjects, r.Kind, r.At.UnixNano(), sum[:8])
	if !r.asked.IsZero() {
		name = fmt.Sprintf("%s.%d", name, r.asked.UnixNano())
	}
	return name
}

// ErrTooLarge is reported for a record that is too large, shortened as far as it can be.
var ErrTooLarge = errors.New("too large for a record of the audit log")

// encode writes the record, shortened until it fits together with the hash that it will begin with.
func (r *Record) encode() ([]byte, error) {
	data, err := json.Marshal(r)
	for keep := maxProblems; err == nil && len(data)+maxPrev > MaxRecordBytes; keep /= 2 {
		r.shorten(keep)
		if data, err = json.Marshal(r); keep == 0 {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("encode a record: %w", err)
	}
	if len(data)+maxPrev > MaxRecordBytes {
		return nil, fmt.Errorf("%s of %d bytes: %w", r.Kind, len(data), ErrTooLarge)
	}
	return data, nil
}

func (r *Record) shorten(keep int) {
	r.Truncated = true
	if c := r.CommitRecord; c != nil {
		short := *c
		short.Problems = c.Problems[:min(len(c.Problems), keep)]
		short.Changes = c.Changes[:min(len(c.Changes), keep)]
		short.Effects = c.Effects[:min(len(c.Effects), keep)]
		short.CoAuthors = c.CoAuthors[:min(len(c.CoAuthors), keep)]
		short.Merged = c.Merged[:min(len(c.Merged), keep)]
		short.Parents = c.Parents[:min(len(c.Parents), max(keep, 1))]
		short.Subject, short.Message, short.Waiting = clip(c.Subject), clip(c.Message), clip(c.Waiting)
		short.Lineage = c.Lineage.shortened(keep)
		r.CommitRecord = &short
	}
	if w := r.Rewrite; w != nil {
		short := *w
		short.Lost = w.Lost[:min(len(w.Lost), keep)]
		r.Rewrite = &short
	}
}

func (l *LineageRecord) shortened(keep int) *LineageRecord {
	if l == nil {
		return nil
	}
	short := *l
	short.Paths = l.Paths[:min(len(l.Paths), keep)]
	if c := l.Claim; c != nil {
		short.Claim = &gitsync.Claim{Reapply: c.Reapply, Commits: c.Commits[:min(len(c.Commits), keep)], Subject: clip(c.Subject)}
	}
	return &short
}

func clip(s string) string { return cut(s, maxText) }

// cut is the beginning of a text, of so many bytes at most, and never ends inside a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}
