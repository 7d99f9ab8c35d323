package notify_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/notify"
	"github.com/trunkline/trunkline/notify/notifytest"
)

// written is what several goroutines write.
type written struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *written) count(text string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Count(w.text.String(), text)
}

// A fault that a message brings out ends its session and no other, and is logged with its place, but not as often as clients please.
func TestFaultsAreLogged(t *testing.T) {
	defer goleak.VerifyNone(t)
	log, live := &written{}, notifytest.NewLive()
	live.PutJSON("prod", shop)
	faulty := func(kind string) {
		if kind == wire.TypeNack {
			panic("out of order")
		}
	}
	hub := notify.New(notify.Options{Live: live, Observe: notify.Observer{Answered: faulty}, Log: slog.New(slog.NewTextHandler(log, nil))})
	srv := httptest.NewUnstartedServer(guarded(hub))
	srv.Listener = notify.Listen(srv.Listener)
	srv.Start()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- hub.Run(ctx) }()
	defer srv.Close()
	defer func() { cancel(); <-done }()

	s := &server{Server: srv, counts: newCounts(), hub: hub, live: live}
	healthy := s.follow(t, "prod")
	for range 12 {
		p := s.follow(t, "prod")
		p.send(wire.Client{Type: wire.TypeNack, Cursor: p.cursor, Reason: "no"})
		if m := p.expect(wire.TypeError); m.Code != "fault" {
			t.Errorf("%+v", m)
		}
		_ = p.Close()
	}
	if n := log.count("out of order"); n != 5 {
		t.Errorf("%d faults are logged", n)
	}
	if log.count("fault_test.go") == 0 || log.count("env=prod") == 0 {
		t.Error("it is not told where")
	}
	live.PutJSON("prod", large(1))
	healthy.expect(wire.TypeDelta)
	_ = healthy.Close()
}
