package server

import (
	"context"
	"crypto/rand"
	"errors"
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
	notices  notices
	started  time.Time
	told     string // the error that the last look ended with
}

// NewDev opens the socket. judged is called for each look that found a change, and for an error unless it is that of the look before;
// one call ends before the next begins.
func NewDev(dir, listen string, log *slog.Logger, judged func(*compile.Result, error)) (*Dev, error) {
	if err := access.ListenAllowed(listen, false); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; choose another address with --listen", listen, err)
	}
	return &Dev{dir: dir, log: log, listener: notify.Listen(l), judged: judged, notices: systemNotices, started: time.Now()}, nil
}

// Addr is the address that is served on.
func (d *Dev) Addr() string { return d.listener.Addr().String() }

// Run serves until ctx ends.
func (d *Dev) Run(ctx context.Context) error {
	defer d.listener.Close()
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // it never fails
	live := apply.NewLive()
	bench := apply.NewWorkbench(d.dir, live, key)
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
	web := serveHTTP(ctx, d.listener, newHTTP(secured(mux.ServeHTTP), usualTimeouts, d.log), newEnding(), failed)
	defer web.stop()
	delivery := begin(ctx, hub.Run)
	defer delivery.stop()
	watching := begin(ctx, func(ctx context.Context) error {
		return watchDirectory(ctx, d.dir, d.notices, d.log, func() ([]string, error) { return d.look(ctx, bench) })
	})
	defer watching.stop()
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

// look judges what is in the directory now and tells of what is new. It returns the folders that were looked at.
func (d *Dev) look(ctx context.Context, bench *apply.Workbench) ([]string, error) {
	result, err := bench.Judge(ctx)
	switch {
	case ctx.Err() != nil || errors.Is(err, compile.ErrGone): // a save came between: the next look tells
	case err != nil:
		if told := err.Error(); told != d.told {
			d.told = told
			d.judged(nil, err)
		}
	case result != nil:
		d.told = ""
		d.judged(result, nil)
	}
	return bench.Folders(), err
}

// noRecord stands where a server has its log: a working tree has no versions.
type noRecord struct{}

func (noRecord) VersionsWhere(context.Context, audit.VersionQuery) ([]audit.Version, gitsync.Hash, error) {
	return nil, gitsync.Hash{}, nil
}

func (noRecord) Pending() (int, time.Time) { return 0, time.Time{} }
