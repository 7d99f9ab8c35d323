package audit

import (
	"context"
	"log/slog"

	"github.com/nats-io/nats.go/jetstream"
)

// OpenWith opens a log that reads so many records at its start, and keeps an index of so many.
func OpenWith(ctx context.Context, js jetstream.JetStream, log *slog.Logger, replayed uint64) (*Log, error) {
	return open(ctx, js, log, replayed)
}

// ForgetIndex makes the index know only what comes after a record, as that of a log does that is larger than it.
func (l *Log) ForgetIndex(upTo uint64) {
	l.index.mu.Lock()
	defer l.index.mu.Unlock()
	l.index.dropTo(upTo)
}

// SearchBlocks makes the blocks smaller that queries of those who may not see all go through.
func (l *Log) SearchBlocks(size uint64) { l.index.block = size }
