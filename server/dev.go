package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/api"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/notify"
)

// Dev serves a working tree while it is edited, to the same clients as a server does. It keeps no log and writes nothing.
type Dev struct {
	dir      string
	log      *slog.Logger
	listener net.Listener
	judged   func(*compile.Result, error)
	started  time.Time
}

// NewDev opens the socket. judged is called after each look at a changed directory, from Run's goroutine.
func NewDev(dir, listen string, log *slog.Logger, judged func(*compile.Result, error)) (*Dev, error) {
	if err := access.ListenAllowed(listen, false); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; choose another address with --listen", listen, err)
	}
	return &Dev{dir: dir, log: log, listener: notify.Listen(l), judged: judged, started: time.Now()}, nil
}

// Addr is the address that is served on.
func (d *Dev) Addr() string { return d.listener.Addr().String() }

// Run serves until ctx ends.
func (d *Dev) Run(ctx context.Context) error {
	defer d.listener.Close()
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // it never fails
	live := apply.NewLive()
	bench := apply.NewWorkbench(live, key)
	var open sessions
	hub := notify.New(notify.Options{Live: live, Observe: open.counting(notify.Observer{Sessions: func(int) {}})})
	guard := access.NewGuard(access.GuardOptions{})
	mux := http.NewServeMux()
	mux.Handle("/v1/", guard.Wrap(api.New(api.Options{
		Live: live, Status: bench.Status, Versions: noRecord{}, Look: func() api.Look { return api.Look{} }, Sessions: open.count,
		Server: api.About{Version: Version, Repo: d.dir, Branch: "(working tree)", Started: d.started},
	})))
	mux.Handle("/v1/stream", guard.Wrap(hub))

	failed := make(chan error, 1)
	web := serveHTTP(d.listener, mux, d.log, failed)
	defer web.stop()
	delivery := begin(ctx, hub.Run)
	defer delivery.stop()
	watching := begin(ctx, func(ctx context.Context) error {
		return watchDirectory(ctx, d.dir, d.log, func() {
			if result, err := bench.Judge(ctx, d.dir); result != nil || err != nil {
				d.judged(result, err)
			}
		})
	})
	defer watching.stop()
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

// noRecord stands where a server has its log: a working tree has no versions.
type noRecord struct{}

func (noRecord) Versions(context.Context, gitsync.Hash, int) ([]audit.Version, bool, error) {
	return nil, false, nil
}

func (noRecord) Pending() (int, time.Time) { return 0, time.Time{} }
