package audit

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrTrimmed is reported when records that a reader has not read yet are gone.
var ErrTrimmed = errors.New("records after this place were trimmed")

// ErrAhead is reported for a place that the log has not reached: it is of another log.
var ErrAhead = errors.New("the log does not reach this place")

// Follow gives every record after a place to visit, in order, and waits for new ones until ctx ends or visit returns an error, which
// Follow then returns. The place is the reader's to keep: the sequence of the last entry it is done with, or 0 to begin with the oldest
// record there is. A reader that comes back with the place it has kept misses nothing, and sees again what it had not kept.
//
// A reader may take its time: what it has not read stays in the log and nowhere else. If the log is trimmed beyond it, it is told by
// ErrTrimmed.
func (l *Log) Follow(ctx context.Context, after uint64, visit func(Entry) error) error {
	r, err := l.reader()
	if err != nil {
		return err
	}
	defer r.close()
	if after, err = l.resume(ctx, after); err != nil {
		return err
	}
	for {
		more := l.more()
		batch, err := r.batch(ctx, "", after+1, maxBatch)
		if err != nil {
			return err
		}
		for _, m := range batch {
			if m.sequence != after+1 {
				if err := l.there(ctx, after); err != nil {
					return err
				}
			}
			if err := visit(m.entry()); err != nil {
				return err
			}
			after = m.sequence
		}
		if len(batch) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-more:
		case <-time.After(followPoll):
		}
	}
}

// more is closed when another record is stored.
func (l *Log) more() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.grown
}

// resume is the place that reading goes on after.
func (l *Log) resume(ctx context.Context, after uint64) (uint64, error) {
	info, err := l.stream.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("read the audit log: %w", err)
	}
	if after > info.State.LastSeq {
		return 0, fmt.Errorf("%w: it ends with %d, and %d is asked for", ErrAhead, info.State.LastSeq, after)
	}
	if after == 0 {
		return max(info.State.FirstSeq, 1) - 1, nil
	}
	return after, l.there(ctx, after)
}

// there reports ErrTrimmed when records after a place were trimmed.
func (l *Log) there(ctx context.Context, after uint64) error {
	info, err := l.stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("read the audit log: %w", err)
	}
	if first := info.State.FirstSeq; first > after+1 {
		return fmt.Errorf("%w: %d to %d", ErrTrimmed, after+1, first-1)
	}
	return nil
}
