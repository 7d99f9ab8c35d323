// Package audit is the log of what was decided and done: one record for each commit and environment, one for a rewritten history,
// for what an operator accepted or did, for changed settings, for trimming.
//
// [Open] reads what the log holds; [Log.Run] then stores what [Log.Record], [Log.Note] and [Log.Settings] are given. Records are
// stored in the order they were given, each once, however often the program restarts or the bus does not answer: a record's name is
// derived from what it tells, and the bus refuses a name it has. A record that is acknowledged is on disk.
//
// Records form a chain: each begins with the SHA-256 of the bytes of the one stored before it. [Log.Verify] checks the chain and names
// the first break. What the chain cannot show by itself is that its end was cut off or that all of it was written anew: for that,
// publish [Log.Head] where nobody who has the log's disk can write, and give it to Verify later. Nothing is dropped for its age; only
// [Log.Trim] removes records, and leaves one that says what it removed.
//
// [Log.Query], [Log.Follow], [Log.Report], [Log.VersionsWhere], [Log.Baseline] and [Log.LiveAt] read. They read in batches, hold at most
// one batch and their answer in memory, and keep nothing on the bus: a slow reader delays nobody.
package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/trunkline/trunkline/apply"
)

const (
	streamName = "TRUNKLINE_AUDIT"
	subjects   = "trunkline.audit"
)

// Log is the log of one server.
type Log struct {
	js     jetstream.JetStream
	stream jetstream.Stream
	slog   *slog.Logger

	replayed   uint64 // newest records that a start reads
	remembered []apply.Remembered
	settings   map[string]string
	index      *index
	trimming   chan struct{} // holds a token while nobody trims
	head       *Head         // what the next record is chained to, as far as Run knows; nil when it has to look

	lost atomic.Uint64 // records that were not taken to be stored

	mu          sync.Mutex
	pending     []*queued
	arrived     chan struct{} // holds one token when pending has grown
	urgent      chan struct{} // holds one token when what was put first must not wait for the next try
	grown       chan struct{} // closed when another record is stored
	behindSince time.Time     // when the log last began to fall behind; zero while it does not
	full        bool          // the bus has no room
	last        uint64        // the place of the last record that apply gave
	after       uint64        // of the last rewrite
}

// queued is a record on its way to the log.
type queued struct {
	subject string
	data    []byte // but for the hash it begins with, which is known when it is stored
	record  *Record
	stored  chan struct{}
}

// Open makes or opens the log on the bus, and reads its newest records.
func Open(ctx context.Context, js jetstream.JetStream, log *slog.Logger) (*Log, error) {
	return open(ctx, js, log, maxReplayed)
}

func open(ctx context.Context, js jetstream.JetStream, log *slog.Logger, replayed uint64) (*Log, error) {
	stream, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: streamName, Subjects: []string{subjects + ".>"}, Storage: jetstream.FileStorage, MaxMsgSize: MaxRecordBytes + 4096,
		MaxBytes: maxStoreBytes, Discard: jetstream.DiscardNew, DenyDelete: true, AllowDirect: true,
	})
	if err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	l := &Log{
		js: js, stream: stream, slog: log.With("component", "audit"), replayed: replayed, index: newIndex(int(replayed)), trimming: make(chan struct{}, 1),
		arrived: make(chan struct{}, 1), urgent: make(chan struct{}, 1), grown: make(chan struct{}),
	}
	l.trimming <- struct{}{}
	if err := l.replay(ctx); err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	return l, nil
}

// Record stores events, in the order of their fields. It returns when all of it is on disk; when ctx ends before, Run goes on to
// store it. After an [ErrLost] nothing of it will be stored.
func (l *Log) Record(ctx context.Context, e apply.Events) error {
	var records []*Record
	if e.Rewrite != nil {
		records = append(records, rewriteRecord(e.Rewrite, l.next()))
	}
	if e.Acceptance != nil {
		records = append(records, acceptanceRecord(e.Acceptance))
	}
	if e.Pin != nil {
		r, err := pinRecord(e.Pin)
		if err != nil {
			return err
		}
		records = append(records, r)
	}
	if e.Unpin != nil {
		r, err := unpinRecord(e.Unpin)
		if err != nil {
			return err
		}
		records = append(records, r)
	}
	if e.Stop != nil {
		r, err := stopRecord(e.Stop)
		if err != nil {
			return err
		}
		records = append(records, r)
	}
	for _, d := range e.Decisions {
		records = append(records, commitRecord(d))
	}
	for _, one := range e.Resumes {
		r, err := resumeRecord(&one)
		if err != nil {
			return err
		}
		records = append(records, r)
	}
	return l.add(ctx, records)
}

// Lost counts the records that were given and will not be stored, since the log was opened. A start makes those of verdicts anew from the
// commits; events are gone.
func (l *Log) Lost() uint64 { return l.lost.Load() }

// next is what tells a rewrite from all others: a branch may be moved back and forth between the same heads, even while the log
// takes nothing.
func (l *Log) next() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.after = max(l.last, l.after+1)
	return l.after
}

// LastSettings are the settings recorded last; nil when none were.
func (l *Log) LastSettings() map[string]string { return l.settings }

// Settings records the settings the server runs with, when they differ from the last ones recorded.
func (l *Log) Settings(ctx context.Context, settings map[string]string, at time.Time) error {
	if maps.Equal(settings, l.settings) {
		return nil
	}
	l.settings = settings
	return l.add(ctx, []*Record{{Version: 1, Kind: KindSettings, At: at, Settings: settings}})
}

var (
	// ErrLost is reported for records that will not be stored: nothing of what was given together is. The error tells why, by [ErrFull] or
	// [ErrTooLarge].
	ErrLost = errors.New("not on record, and nothing will put it there")
	// ErrFull is reported when more records wait than are kept.
	ErrFull = fmt.Errorf("%d records wait for the audit log, and no more are kept", MaxPending)
)

func (l *Log) add(ctx context.Context, records []*Record) error {
	if len(records) == 0 {
		return nil
	}
	entries, err := queueAll(records)
	if err == nil {
		err = l.enqueue(entries)
	}
	if err != nil {
		l.lost.Add(uint64(len(records)))
		return fmt.Errorf("%d records: %w: %w", len(records), ErrLost, err)
	}
	return l.await(ctx, entries)
}

func queueAll(records []*Record) ([]*queued, error) {
	entries := make([]*queued, len(records))
	for i, r := range records {
		var err error
		if entries[i], err = queue(r); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

func queue(r *Record) (*queued, error) {
	data, err := r.encode()
	if err != nil {
		return nil, err
	}
	return &queued{subject: r.subject(), data: data, record: r, stored: make(chan struct{})}, nil
}

func (l *Log) enqueue(entries []*queued) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending)+len(entries) > MaxPending && len(l.pending) > 0 {
		return ErrFull
	}
	l.pending = append(l.pending, entries...)
	wake(l.arrived)
	return nil
}

// enqueueFirst puts a record before all that wait.
func (l *Log) enqueueFirst(e *queued) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending = slices.Insert(l.pending, 0, e)
	wake(l.arrived)
	wake(l.urgent)
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// await waits until the last of the records is stored, and so all of them.
func (l *Log) await(ctx context.Context, entries []*queued) error {
	select {
	case <-entries[len(entries)-1].stored:
		return nil
	case <-ctx.Done():
		l.fellBehind(false)
		return fmt.Errorf("the audit log has not taken %d records yet: %w", len(entries), ctx.Err())
	}
}

func (l *Log) fellBehind(full bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.full = l.full || full
	if l.behindSince.IsZero() && len(l.pending) > 0 {
		l.behindSince = time.Now()
	}
}

// Pending counts the records that wait for the log, and tells since when it is behind: zero when it is not.
func (l *Log) Pending() (records int, since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.pending), l.behindSince
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

// Flush waits until what was given so far is stored, or ctx ends.
func (l *Log) Flush(ctx context.Context) error {
	l.mu.Lock()
	if len(l.pending) == 0 {
		l.mu.Unlock()
		return nil
	}
	last := l.pending[len(l.pending)-1]
	l.mu.Unlock()
	select {
	case <-last.stored:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Size is how much the log holds and may hold.
type Size struct {
	Records uint64 `json:"records"`
	First   uint64 `json:"first"` // sequence of the oldest record; those before it were trimmed
	Last    uint64 `json:"last"`
	// Oldest and Newest are when the first and the last of them were stored; zero when there are none.
	Oldest   time.Time `json:"oldest,omitzero"`
	Newest   time.Time `json:"newest,omitzero"`
	Bytes    uint64    `json:"bytes"`
	MaxBytes int64     `json:"maxBytes"` // when it is reached, records wait until the log is trimmed
	Full     bool      `json:"full"`     // the bus has refused a record for want of room, and has taken none since
}

// Size tells how much the log holds.
func (l *Log) Size(ctx context.Context) (Size, error) {
	info, err := l.stream.Info(ctx)
	if err != nil {
		return Size{}, fmt.Errorf("read the size of the audit log: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := info.State
	size := Size{Records: s.Msgs, First: s.FirstSeq, Last: s.LastSeq, Bytes: s.Bytes, MaxBytes: info.Config.MaxBytes, Full: l.full}
	if s.Msgs > 0 {
		size.Oldest, size.Newest = s.FirstTime, s.LastTime
	}
	return size, nil
}
