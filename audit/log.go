// Package audit is the log of what was decided: one record for each commit and environment, one for a rewritten history, one for
// what an operator accepted, one for changed settings.
//
// [Open] reads what the log holds; [Log.Run] then stores what [Log.Record] is given. Records are stored in the order they were
// given, each once, however often the program restarts or the bus does not answer: a record's name is derived from what it tells,
// and the bus refuses a name it has. A record that is acknowledged is on disk.
package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
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

	remembered []apply.Remembered
	settings   map[string]string

	mu          sync.Mutex
	pending     []*entry
	arrived     chan struct{} // holds one token when pending has grown
	behindSince time.Time     // when the log last began to fall behind; zero while it does not
	last        uint64        // the place of the last record that is not about settings
	after       uint64        // of the last rewrite
}

// entry is a record on its way to the log.
type entry struct {
	subject string
	data    []byte
	record  *Record
	stored  chan struct{}
}

// Open makes or opens the log on the bus, and reads its newest records.
func Open(ctx context.Context, js jetstream.JetStream, log *slog.Logger) (*Log, error) {
	stream, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: streamName, Subjects: []string{subjects + ".>"}, Storage: jetstream.FileStorage, MaxMsgSize: MaxRecordBytes + 4096,
		MaxBytes: maxStoreBytes, Discard: jetstream.DiscardNew, DenyDelete: true, AllowDirect: true,
	})
	if err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	l := &Log{js: js, stream: stream, slog: log.With("component", "audit"), arrived: make(chan struct{}, 1)}
	if err := l.replay(ctx); err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	return l, nil
}

// replay reads the newest records, oldest first.
func (l *Log) replay(ctx context.Context) error {
	info, err := l.stream.Info(ctx)
	if err != nil {
		return err
	}
	if info.State.Msgs == 0 {
		return nil
	}
	first := info.State.FirstSeq
	if info.State.LastSeq-first >= maxReplayed {
		first = info.State.LastSeq - maxReplayed + 1
		if err := l.replaySettings(ctx); err != nil {
			return err
		}
	}
	consumer, err := l.stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: first,
	})
	if err != nil {
		return err
	}
	messages, err := consumer.Messages()
	if err != nil {
		return err
	}
	defer messages.Stop()
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		var r Record
		if err := json.Unmarshal(m.Data(), &r); err != nil {
			return fmt.Errorf("record %d: %w", meta.Sequence.Stream, err)
		}
		l.remember(&r, meta.Sequence.Stream)
		if meta.Sequence.Stream >= info.State.LastSeq {
			return nil
		}
	}
}

// replaySettings reads the newest settings, which may be older than all that is replayed.
func (l *Log) replaySettings(ctx context.Context) error {
	m, err := l.stream.GetLastMsgForSubject(ctx, subjects+".settings.>")
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var r Record
	if err := json.Unmarshal(m.Data, &r); err != nil {
		return fmt.Errorf("record %d: %w", m.Sequence, err)
	}
	l.settings = r.Settings
	return nil
}

func (l *Log) remember(r *Record, place uint64) {
	switch r.Kind {
	case KindSettings:
		l.settings = r.Settings
		return
	case KindRewrite:
		l.remembered = append(l.remembered, apply.Remembered{Commit: r.Rewrite.New, Parent: r.Rewrite.Old})
		l.after = r.Rewrite.After
	case KindAcceptance:
		l.remembered = append(l.remembered, apply.Remembered{Commit: r.Acceptance.Commit, Accepted: true})
	case KindCommit:
		l.remembered = append(l.remembered, apply.Remembered{
			Commit: r.Commit, Parent: required(r.Parent), Tree: r.Tree, Environment: r.Environment,
			Due: r.Due, Verdict: r.Verdict, Retired: r.Retired, Baseline: required(r.Baseline), At: r.At,
		})
	}
	l.last = place
}

// Remembered is what the log held when it was opened, oldest first. It is handed out once.
func (l *Log) Remembered() []apply.Remembered {
	r := l.remembered
	l.remembered = nil
	return r
}

// Record stores events, in the order of their fields. It returns when all of it is on disk; when ctx ends before, Run goes on to
// store it.
func (l *Log) Record(ctx context.Context, e apply.Events) error {
	var records []*Record
	if e.Rewrite != nil {
		records = append(records, rewriteRecord(e.Rewrite, l.next()))
	}
	if e.Acceptance != nil {
		records = append(records, acceptanceRecord(e.Acceptance))
	}
	for _, d := range e.Decisions {
		records = append(records, commitRecord(d))
	}
	return l.add(ctx, records)
}

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

// ErrFull is reported when more records wait than are kept.
var ErrFull = errors.New("too many records wait for the audit log")

func (l *Log) add(ctx context.Context, records []*Record) error {
	var last *entry
	entries := make([]*entry, len(records))
	for i, r := range records {
		data, err := r.encode()
		if err != nil {
			return err
		}
		last = &entry{subject: r.subject(), data: data, record: r, stored: make(chan struct{})}
		entries[i] = last
	}
	if last == nil {
		return nil
	}
	if err := l.enqueue(entries); err != nil {
		return err
	}
	select {
	case <-last.stored:
		return nil
	case <-ctx.Done():
		l.fellBehind()
		return fmt.Errorf("the audit log has not taken %d records yet: %w", len(records), ctx.Err())
	}
}

func (l *Log) enqueue(entries []*entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending)+len(entries) > MaxPending && len(l.pending) > 0 {
		return ErrFull
	}
	l.pending = append(l.pending, entries...)
	select {
	case l.arrived <- struct{}{}:
	default:
	}
	return nil
}

func (l *Log) fellBehind() {
	l.mu.Lock()
	defer l.mu.Unlock()
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

// Run stores records until ctx ends.
func (l *Log) Run(ctx context.Context) error {
	for {
		for e := l.first(); e != nil; e = l.first() {
			if err := l.store(ctx, e); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.arrived:
		}
	}
}

func (l *Log) first() *entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) == 0 {
		return nil
	}
	return l.pending[0]
}

// store publishes one record until the bus has it on disk.
func (l *Log) store(ctx context.Context, e *entry) error {
	wait := retryFirst
	for {
		place, err := l.publish(ctx, e)
		if err == nil {
			l.stored(e, place)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.fellBehind()
		l.slog.Error("a record was not taken and is tried again", "subject", e.subject, "err", err, "wait", wait)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, retryMost)
	}
}

// taken is what the bus answers when the subject has a message already, alone and as one of several.
var taken = []jetstream.ErrorCode{jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant}

// publish sends a record. That the bus has it already is success: the answer to an earlier try was lost.
func (l *Log) publish(ctx context.Context, e *entry) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, publishPatience)
	defer cancel()
	ack, err := l.js.PublishMsg(ctx, &nats.Msg{Subject: e.subject, Data: e.data}, jetstream.WithExpectLastSequencePerSubject(0))
	var refused *jetstream.APIError
	if errors.As(err, &refused) && slices.Contains(taken, refused.ErrorCode) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

func (l *Log) stored(e *entry, place uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending = l.pending[1:]
	if len(l.pending) == 0 {
		l.pending, l.behindSince = nil, time.Time{}
	}
	if e.record.Kind != KindSettings {
		l.last = max(l.last, place)
	}
	close(e.stored)
}
