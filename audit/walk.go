package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/nats-io/nats.go/jetstream"
)

// walk are the records from one sequence to another, oldest first. An error is the last that is yielded.
//
// It is for going along much of the log: the bus sends ahead, to a consumer that is there as long as the walk. A batch that a [reader]
// asks for costs less than a consumer, and a record in it more.
func (l *Log) walk(ctx context.Context, from, to uint64) iter.Seq2[message, error] {
	return func(yield func(message, error) bool) {
		if from > to {
			return
		}
		consumer, err := l.stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
			DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(from, 1), AckPolicy: jetstream.AckNonePolicy,
			MemoryStorage: true, Replicas: 1,
		})
		if err != nil {
			yield(message{}, fmt.Errorf("read the audit log: %w", err))
			return
		}
		info := consumer.CachedInfo()
		defer l.stop(ctx, info.Name)
		if info.NumPending == 0 {
			return
		}
		if err := along(ctx, consumer, to, yield); err != nil {
			yield(message{}, fmt.Errorf("read the audit log: %w", err))
		}
	}
}

func along(ctx context.Context, consumer jetstream.Consumer, to uint64, yield func(message, error) bool) error {
	messages, err := consumer.Messages(jetstream.PullMaxMessages(maxBatch))
	if err != nil {
		return err
	}
	defer messages.Stop()
	defer context.AfterFunc(ctx, messages.Stop)()
	for expected := uint64(1); ; expected++ {
		m, err := messages.Next(jetstream.NextMaxWait(readPatience))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if meta.Sequence.Consumer != expected {
			return errors.New("the bus has left out records")
		}
		at := meta.Sequence.Stream
		if at > to || !yield(message{at, m.Subject(), meta.Timestamp.UTC(), m.Data()}, nil) || at == to || meta.NumPending == 0 {
			return nil
		}
	}
}

func (l *Log) stop(ctx context.Context, consumer string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readPatience)
	defer cancel()
	_ = l.stream.DeleteConsumer(ctx, consumer) // the bus deletes it a little later when this fails
}
