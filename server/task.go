package server

import (
	"context"
	"sync/atomic"

	"github.com/trunkline/trunkline/notify"
)

// task is a goroutine that is stopped and waited for.
type task struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func begin(ctx context.Context, run func(context.Context) error) *task {
	ctx, cancel := context.WithCancel(ctx)
	t := &task{cancel, make(chan struct{})}
	go func() {
		defer close(t.done)
		_ = run(ctx) // what is worth telling is told where it stops
	}()
	return t
}

func (t *task) stop() {
	t.cancel()
	<-t.done
}

// sessions counts the connected clients.
type sessions struct{ open atomic.Int64 }

func (s *sessions) count() int { return int(s.open.Load()) }

// counting counts beside what another observer and others do.
func (s *sessions) counting(o notify.Observer, others ...func(change int)) notify.Observer {
	others = append(others, o.Sessions)
	o.Sessions = func(change int) {
		s.open.Add(int64(change))
		for _, count := range others {
			count(change)
		}
	}
	return o
}
