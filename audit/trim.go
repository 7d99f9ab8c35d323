package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/gitsync"
)

// Trimming says what is to be kept, and who wants the rest to go. With both Since and Records, what either keeps is kept.
type Trimming struct {
	Since   time.Time // records from this time on are kept, by when they were stored
	Records uint64    // so many of the newest records are kept
	By      string    // the name of the operator's credential
	Reason  string
	DryRun  bool // only tell what would be removed
}

// Checkpoint is what a record of [KindCheckpoint] holds: what was trimmed, so that the chain goes on over the gap.
type Checkpoint struct {
	From    uint64 `json:"from"`    // sequence of the first record that was removed
	UpTo    uint64 `json:"upTo"`    // and of the last
	Records uint64 `json:"records"` // how many they were
	SHA256  string `json:"sha256"`  // of the bytes of the last
	// Digest is the SHA-256 of the SHA-256s, 32 bytes each, of the records' bytes in their order: what a copy of them can be held against.
	Digest  string    `json:"digest"`
	Chained bool      `json:"chained"` // the last of them was chained
	Newest  time.Time `json:"newest"`  // when it was stored
	By      string    `json:"by"`
	Reason  string    `json:"reason,omitempty"`
	// The others are what a start needs of all records that were ever removed: the newest settings, the accepted commits, and the pins
	// and stops that stood.
	Settings map[string]string `json:"settings,omitempty"`
	Accepted []gitsync.Hash    `json:"accepted,omitempty"`
	Pins     []Standing        `json:"pins,omitempty"`
	Stops    []Standing        `json:"stops,omitempty"`
}

// ErrNeeded is reported when what is to be trimmed is needed at the next start.
var ErrNeeded = errors.New("a start needs these records")

// Trim removes the oldest records. Before that it verifies the chain, and writes a checkpoint, which names them and is chained like any
// record; Run must be running. It returns nil when nothing is older than what is to be kept. With DryRun it returns the checkpoint that it
// would write.
//
// The newest settings, acceptances of operators, and pins and stops that stand go on in the checkpoint. The verdicts on the newest commits, as
// many as are remembered ([apply.MaxRemembered]), cannot be trimmed: ErrNeeded. A log whose chain is broken cannot be trimmed either,
// so that no trimming hides a break: the error is a *[Break]. After another error the checkpoint may be there with nothing removed.
func (l *Log) Trim(ctx context.Context, t Trimming) (*Checkpoint, error) {
	select {
	case <-l.trimming:
		defer func() { l.trimming <- struct{}{} }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	v, err := l.Verify(ctx)
	if err != nil {
		return nil, err
	}
	if v.Break != nil {
		return nil, fmt.Errorf("trim the audit log: %w", v.Break)
	}
	c, err := l.checkpoint(ctx, t)
	if c == nil || err != nil || t.DryRun {
		return c, err
	}
	if err := l.write(ctx, c); err != nil {
		return nil, fmt.Errorf("write the checkpoint: %w", err)
	}
	if err := l.stream.Purge(ctx, jetstream.WithPurgeSequence(c.UpTo+1)); err != nil {
		return nil, fmt.Errorf("trim the audit log: %w", err)
	}
	l.index.forget(c.UpTo)
	return c, nil
}

// checkpoint reads what is to be trimmed; nil when that is nothing.
func (l *Log) checkpoint(ctx context.Context, t Trimming) (*Checkpoint, error) {
	if t.Since.IsZero() && t.Records == 0 {
		return nil, errors.New("trim the audit log: it is not said what to keep")
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
	upTo := last
	if t.Records > 0 {
		upTo = last - min(t.Records, last)
	}
	needed := l.index.back(last+1, apply.MaxRemembered)
	kept, err := l.kept(ctx)
	if err != nil {
		return nil, err
	}
	s := &trimmed{walker: walker{last: first - 1}, carried: kept, digest: sha256.New()}
	for m, err := range l.walk(ctx, first, upTo) {
		if err != nil {
			return nil, err
		}
		if !t.Since.IsZero() && !m.stored.Before(t.Since) {
			break
		}
		if m.sequence >= needed {
			return nil, fmt.Errorf("%w: from record %d on there are verdicts on the newest %d commits; keep %d records or more", ErrNeeded, needed, apply.MaxRemembered, last-needed+1)
		}
		if b := s.take(m); b != nil {
			return nil, fmt.Errorf("trim the audit log: %w", b)
		}
	}
	return s.checkpoint(t), nil
}

// trimmed are the records that are to be removed.
type trimmed struct {
	walker  walker
	carried *carried
	digest  hash.Hash
	first   uint64
	newest  time.Time
	records uint64
}

func (s *trimmed) take(m message) *Break {
	if b := s.walker.step(m); b != nil {
		return b
	}
	if s.records == 0 {
		s.first = m.sequence
	}
	s.records++
	s.newest = m.stored
	sum, _ := hex.DecodeString(s.walker.hash)
	s.digest.Write(sum)
	s.carried.see(m.decode())
	return nil
}

func (s *trimmed) checkpoint(t Trimming) *Checkpoint {
	if s.records == 0 {
		return nil
	}
	return &Checkpoint{
		From: s.first, UpTo: s.walker.last, Records: s.records, SHA256: s.walker.hash, Digest: hex.EncodeToString(s.digest.Sum(nil)),
		Chained: s.walker.chained, Newest: s.newest, By: cut(t.By, maxByBytes), Reason: clip(t.Reason),
		Settings: s.carried.settings, Accepted: s.carried.accepted, Pins: s.carried.pinned(), Stops: s.carried.stopped(),
	}
}

// write stores a checkpoint before all records that wait, and makes room for it when the log is full: only trimming helps then.
func (l *Log) write(ctx context.Context, c *Checkpoint) error {
	e, err := queue(&Record{Version: 1, Kind: KindCheckpoint, At: time.Now().UTC(), Checkpoint: c})
	if err != nil {
		return err
	}
	info, err := l.stream.Info(ctx)
	if err != nil {
		return err
	}
	if limit := info.Config.MaxBytes; limit > 0 && info.State.Bytes+trimRoom > uint64(limit) {
		if err := l.limit(ctx, info.Config, limit+trimRoom); err != nil {
			return err
		}
		defer func() {
			if err := l.limit(context.WithoutCancel(ctx), info.Config, limit); err != nil {
				l.slog.Error("the audit log keeps a little more room until the next start", "err", err)
			}
		}()
	}
	l.enqueueFirst(e)
	return l.await(ctx, []*queued{e})
}

func (l *Log) limit(ctx context.Context, config jetstream.StreamConfig, bytes int64) error {
	config.MaxBytes = bytes
	_, err := l.js.UpdateStream(ctx, config)
	return err
}
