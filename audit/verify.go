package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Verification is what a walk along the whole log found.
type Verification struct {
	Checked uint64 `json:"checked"` // records
	First   uint64 `json:"first"`   // sequence of the oldest record there is
	// Trimmed: the records before First were trimmed, and a checkpoint in the chain says so.
	Trimmed bool `json:"trimmed,omitempty"`
	// ChainedFrom is the sequence of the first chained record; 0 when there is none. Unchained counts those before it, which an earlier
	// version of the program wrote: of them only the last is held by the chain.
	ChainedFrom uint64 `json:"chainedFrom"`
	Unchained   uint64 `json:"unchained,omitempty"`
	Head        Head   `json:"head"` // the newest record that is whole: at a break, the one before it
	// Unproven are published heads of records that were trimmed by a checkpoint that does not name them.
	Unproven []Head `json:"unproven,omitempty"`
	Break    *Break `json:"break,omitempty"` // nil when the chain is whole
}

// The kinds of breaks.
const (
	BreakChanged    = "changed"    // a record does not hold the hash of the one before it: one of the two is not what was stored
	BreakMissing    = "missing"    // records are missing, and no checkpoint says that they were trimmed
	BreakUnchained  = "unchained"  // a record without a hash follows one that is chained
	BreakCheckpoint = "checkpoint" // a checkpoint does not fit what is there
	BreakPublished  = "published"  // a record is not the one whose head was published
)

// Break is a place where the chain does not hold.
type Break struct {
	Break    string    `json:"break"`
	Sequence uint64    `json:"sequence"` // the first record that does not fit, or the first that is missing
	Subject  string    `json:"subject,omitempty"`
	Kind     Kind      `json:"kind,omitempty"`
	Stored   time.Time `json:"stored,omitzero"`
	Expected string    `json:"expected"`
	Found    string    `json:"found"`
}

func (b *Break) Error() string {
	which := fmt.Sprintf("record %d", b.Sequence)
	if b.Kind != "" {
		which = fmt.Sprintf("record %d (%s, stored %s)", b.Sequence, b.Kind, clock(b.Stored))
	}
	return fmt.Sprintf("the chain breaks at %s: %s: expected %s, found %s", which, b.Break, b.Expected, b.Found)
}

func (m message) breaks(which, expected, found string) *Break {
	return &Break{which, m.sequence, m.subject, m.decode().Kind, m.stored, expected, found}
}

// Verify walks along the whole log, from the oldest record to the newest at the time it begins, and tells the first break of the
// chain. Heads that were published earlier must be of records that are there as they were.
//
// The chain covers the bytes of records and their order; not when the bus stored them. A break means that somebody wrote to the log's
// store beside the program, or that the disk lost something: what comes before the break is proven, what comes after it is not.
func (l *Log) Verify(ctx context.Context, published ...Head) (*Verification, error) {
	var err error
	for range maxRestarts {
		var v *Verification
		if v, err = l.verify(ctx, published); !errors.Is(err, ErrTrimmed) {
			return v, err
		}
	}
	return nil, err
}

func (l *Log) verify(ctx context.Context, published []Head) (*Verification, error) {
	info, err := l.stream.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("verify the audit log: %w", err)
	}
	r, err := l.reader()
	if err != nil {
		return nil, err
	}
	defer r.close()
	v := newVerifier(max(info.State.FirstSeq, 1), info.State.LastSeq, published)
	if err := v.readCheckpoints(ctx, r); err != nil {
		return nil, err
	}
	if v.begins(); v.Break == nil {
		if err := v.walk(ctx, l); err != nil {
			return nil, err
		}
	}
	if v.Break == nil {
		v.ends()
	}
	return &v.Verification, nil
}

// verifier is a walk along the log.
type verifier struct {
	Verification
	last        uint64 // where the walk ends
	published   []Head // by sequence, those not met yet
	checkpoints []Checkpoint
	walker      walker
}

func newVerifier(first, last uint64, published []Head) *verifier {
	v := &verifier{Verification: Verification{First: first}, last: last, walker: walker{last: first - 1}, published: slices.Clone(published)}
	v.published = slices.DeleteFunc(v.published, func(h Head) bool { return h.Sequence == 0 })
	slices.SortFunc(v.published, func(a, b Head) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return v
}

func (v *verifier) readCheckpoints(ctx context.Context, r *reader) error {
	for m, err := range r.all(ctx, subjects+".checkpoint.>", v.First, v.last) {
		if err != nil {
			return err
		}
		if record := m.decode(); record.Kind == KindCheckpoint {
			v.checkpoints = append(v.checkpoints, *record.Checkpoint)
		}
	}
	return nil
}

// begins checks what is missing before the first record.
func (v *verifier) begins() {
	if v.First <= 1 {
		return
	}
	i := slices.IndexFunc(v.checkpoints, func(c Checkpoint) bool { return c.UpTo >= v.First-1 })
	if v.Trimmed = i >= 0; !v.Trimmed {
		v.Break = &Break{
			Break: BreakMissing, Sequence: 1, Expected: fmt.Sprintf("a checkpoint that says that the records up to %d were trimmed", v.First-1), Found: "none",
		}
		return
	}
	if c := v.checkpoints[i]; c.UpTo == v.First-1 {
		v.walker = walker{begun: true, chained: c.Chained, last: c.UpTo, hash: c.SHA256}
	}
}

// walk checks each record against the one before it.
func (v *verifier) walk(ctx context.Context, l *Log) error {
	for m, err := range l.walk(ctx, v.First, v.last) {
		if err != nil {
			return err
		}
		if next := v.walker.last + 1; m.sequence != next {
			if err := l.there(ctx, next-1); err != nil {
				return err // trimmed while it was walked along
			}
		}
		if v.Break = v.check(m); v.Break != nil {
			return nil
		}
		if v.Break, err = v.fits(ctx, l, m); v.Break != nil || err != nil {
			return err
		}
		v.Checked++
		v.Head = Head{m.sequence, v.walker.hash, m.stored}
	}
	return nil
}

func (v *verifier) check(m message) *Break {
	if b := v.walker.step(m); b != nil {
		return b
	}
	switch {
	case !v.walker.chained:
		v.Unchained++
	case v.ChainedFrom == 0:
		v.ChainedFrom = m.sequence
	}
	for len(v.published) > 0 && v.published[0].Sequence <= m.sequence {
		head := v.published[0]
		if head.Sequence == m.sequence && !strings.EqualFold(head.SHA256, v.walker.hash) {
			return m.breaks(BreakPublished, "sha256 "+head.SHA256, "sha256 "+v.walker.hash)
		}
		if head.Sequence < m.sequence {
			if b := v.beforeFirst(head); b != nil {
				return b
			}
		}
		v.published = v.published[1:]
	}
	return nil
}

// beforeFirst checks a published head of a record that was trimmed: the checkpoint that names that very record proves it.
func (v *verifier) beforeFirst(head Head) *Break {
	for _, c := range v.checkpoints {
		if c.UpTo != head.Sequence {
			continue
		}
		if !strings.EqualFold(c.SHA256, head.SHA256) {
			return &Break{Break: BreakPublished, Sequence: head.Sequence, Expected: "sha256 " + head.SHA256, Found: "sha256 " + c.SHA256 + " in the checkpoint"}
		}
		return nil
	}
	v.Unproven = append(v.Unproven, head)
	return nil
}

// fits checks a checkpoint whose last record is still there: the program ended before all was trimmed.
func (v *verifier) fits(ctx context.Context, l *Log, m message) (*Break, error) {
	if !strings.HasPrefix(m.subject, subjects+".checkpoint.") {
		return nil, nil
	}
	c := m.decode().Checkpoint
	if c == nil || c.UpTo >= m.sequence {
		return m.breaks(BreakCheckpoint, "a checkpoint of earlier records", "none"), nil
	}
	if c.UpTo < v.First {
		return nil, nil
	}
	last, err := l.stream.GetMsg(ctx, c.UpTo)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, fmt.Errorf("%w: %d", ErrTrimmed, c.UpTo)
	}
	if err != nil {
		return nil, fmt.Errorf("verify the audit log: %w", err)
	}
	if hash := digest(last.Data); hash != c.SHA256 {
		return m.breaks(BreakCheckpoint, fmt.Sprintf("sha256 %s of record %d", hash, c.UpTo), "sha256 "+c.SHA256), nil
	}
	return nil, nil
}

// ends checks that nothing is missing at the end.
func (v *verifier) ends() {
	switch {
	case v.Head.Sequence != v.last:
		v.Break = &Break{Break: BreakMissing, Sequence: v.Head.Sequence + 1, Expected: fmt.Sprintf("records up to %d", v.last), Found: "none"}
	case len(v.published) > 0:
		head := v.published[0]
		v.Break = &Break{Break: BreakPublished, Sequence: head.Sequence, Expected: "sha256 " + head.SHA256, Found: fmt.Sprintf("a log that ends with %d", v.last)}
	}
}

// walker checks one record after the other.
type walker struct {
	last    uint64 // the record before; the walk begins after it
	begun   bool   // it is known
	chained bool   // and was chained
	hash    string
}

func (w *walker) step(m message) *Break {
	if m.sequence != w.last+1 {
		return &Break{Break: BreakMissing, Sequence: w.last + 1, Expected: "a record", Found: fmt.Sprintf("none before %d", m.sequence)}
	}
	prev, chained := previous(m.data)
	switch {
	case !chained && w.chained:
		return m.breaks(BreakUnchained, "prev "+w.hash, "no prev")
	case chained && w.begun && prev != w.hash:
		return m.breaks(BreakChanged, "prev "+w.hash, "prev "+prev)
	case chained && m.sequence == 1 && prev != "":
		return m.breaks(BreakChanged, "an empty prev in the first record", "prev "+prev)
	}
	*w = walker{m.sequence, true, chained, digest(m.data)}
	return nil
}
