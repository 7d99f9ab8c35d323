package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Run stores records until ctx ends.
func (l *Log) Run(ctx context.Context) error {
	wait := retryFirst
	for {
		e := l.first()
		if e == nil {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-l.arrived:
			}
			continue
		}
		place, err := l.publish(ctx, e)
		if err == nil {
			l.stored(e, place)
			wait = retryFirst
			continue
		}
		if err := l.refused(ctx, e, err, wait); err != nil {
			return err
		}
		wait = min(2*wait, retryMost)
	}
}

func (l *Log) first() *queued {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) == 0 {
		return nil
	}
	return l.pending[0]
}

// refused says that a record was not taken, and waits for the next try.
func (l *Log) refused(ctx context.Context, e *queued, err error, wait time.Duration) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	l.fellBehind(errors.Is(err, errNoRoom))
	l.slog.Error("a record was not taken and is tried again", "subject", e.subject, "err", err, "wait", wait)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-l.urgent:
	case <-time.After(wait):
	}
	return nil
}

func (l *Log) stored(e *queued, place uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pending[0] == e {
		l.pending = l.pending[1:]
	} else { // another one was put before it meanwhile
		i := slices.Index(l.pending, e)
		l.pending = slices.Delete(l.pending, i, i+1)
	}
	if l.full = false; len(l.pending) == 0 {
		l.pending, l.behindSince = nil, time.Time{}
	}
	if e.record.given() {
		l.last = max(l.last, place)
	}
	l.index.follow(place, e.record)
	close(e.stored)
	close(l.grown)
	l.grown = make(chan struct{})
}

// given tells whether the record is of what apply gives, in an order of its own. Others are written at any time: a rewrite that is
// given again after a restart must not bear another name because of them.
func (r *Record) given() bool {
	return r.Kind == KindCommit || r.Kind == KindRewrite || r.Kind == KindAcceptance
}

// taken is what the bus answers when the subject has a message already, or another record is the last, alone and as one of several.
var taken = []jetstream.ErrorCode{jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant}

// publish stores a record behind the newest one. The bus takes it only while that one is the newest, so the chain never forks,
// whoever else writes; and only when it has no record of the name, so that one whose acknowledgement was lost is stored once. That
// the bus has the record already is success.
func (l *Log) publish(ctx context.Context, e *queued) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, publishPatience)
	defer cancel()
	for {
		head, err := l.newest(ctx)
		if err != nil {
			return 0, err
		}
		data := chained(e.data, head.SHA256)
		ack, err := l.js.PublishMsg(ctx, &nats.Msg{Subject: e.subject, Data: data},
			jetstream.WithExpectLastSequence(head.Sequence), jetstream.WithExpectLastSequencePerSubject(0))
		if err == nil {
			l.head = &Head{Sequence: ack.Sequence, SHA256: digest(data)}
			return ack.Sequence, nil
		}
		var refused *jetstream.APIError
		if !errors.As(err, &refused) || !slices.Contains(taken, refused.ErrorCode) {
			return 0, full(err)
		}
		if place, err := l.find(ctx, e.subject); place > 0 || err != nil {
			return place, err
		}
	}
}

// newest is what the next record follows. What Run knew of it counts for one try: whatever comes of that, it is read anew unless the
// record was taken.
func (l *Log) newest(ctx context.Context) (Head, error) {
	if known := l.head; known != nil {
		l.head = nil
		return *known, nil
	}
	return l.readHead(ctx)
}

// find is the place of the record with a name; 0 when there is none.
func (l *Log) find(ctx context.Context, subject string) (uint64, error) {
	m, err := l.stream.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return m.Sequence, nil
}

var errNoRoom = errors.New("the audit log is full; trim it")

// Codes of the bus (errors.json of nats-server) for a stream, and for a server, that holds as much as it may.
const (
	codeStoreFailed  jetstream.ErrorCode = 10077
	codeStorageLimit jetstream.ErrorCode = 10047
	codeAccountLimit jetstream.ErrorCode = 10002
)

func full(err error) error {
	var refused *jetstream.APIError
	if errors.As(err, &refused) && slices.Contains([]jetstream.ErrorCode{codeStoreFailed, codeStorageLimit, codeAccountLimit}, refused.ErrorCode) {
		return fmt.Errorf("%w: %w", errNoRoom, err)
	}
	return err
}
