// Package server wires the parts to a running program: settings, the embedded bus, the mirror, the log, the reconciler, the hub
// and the HTTP surface.
//
// [New] checks the settings and opens the sockets, so that the address is known; [Server.Run] does everything else, and returns
// when all of it has stopped.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/api"
	"github.com/trunkline/trunkline/api/ofrep"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/history"
	"github.com/trunkline/trunkline/notify"
	"github.com/trunkline/trunkline/web"
	"github.com/trunkline/trunkline/webhook"
)

// Version is what the program calls itself; the build sets it.
var Version = "dev"

// Server is one running program.
type Server struct {
	settings Settings
	log      *slog.Logger
	bounds   bounds
	gate     *gate
	guard    *access.Guard // of Run, before anything is accepted
	listener net.Listener  // on the gate
	ops      net.Listener
	timeouts timeouts
	ending   *ending
	opened   func(*bus) // nil but in tests
	live     *apply.Live
	metrics  *metrics
	started  time.Time
	sessions sessions
}

// New checks the settings and opens the sockets.
func New(settings Settings, log *slog.Logger) (*Server, error) {
	if err := settings.Validate(); err != nil {
		return nil, err
	}
	s := &Server{
		settings: settings, log: log, bounds: within(descriptors()), timeouts: usualTimeouts, ending: newEnding(),
		live: apply.NewLive(), metrics: newMetrics(Version), started: time.Now(),
	}
	listener, err := net.Listen("tcp", settings.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; choose another address with --listen", settings.Listen, err)
	}
	s.gate = newGate(listener, s.bounds.connections, func(remoteAddr, reason string) { s.guard.Count(nil, remoteAddr, reason) })
	s.metrics.connections(s.gate)
	if s.listener, err = settings.secure(notify.Listen(s.gate), log); err != nil {
		_ = listener.Close()
		return nil, err
	}
	if settings.OpsListen != "" {
		if s.ops, err = net.Listen("tcp", settings.OpsListen); err != nil {
			_ = s.listener.Close()
			return nil, fmt.Errorf("listen on %s: %w; choose another address with --ops-listen", settings.OpsListen, err)
		}
	}
	return s, nil
}

// Addr is the address that is served on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// OpsAddr is the address of health and metrics alone; empty when there is none.
func (s *Server) OpsAddr() string {
	if s.ops == nil {
		return ""
	}
	return s.ops.Addr().String()
}

// Run serves until ctx ends. What is started last stops first: no request or session outlives what it reads from, and no record
// is given up while the bus is there.
func (s *Server) Run(ctx context.Context) error {
	defer s.listener.Close()
	if s.ops != nil {
		defer s.ops.Close()
	}
	if err := os.MkdirAll(s.settings.Data, 0o700); err != nil {
		return fmt.Errorf("data directory: %w; name another with --data", err)
	}
	key, err := s.settings.digestKey(s.log)
	if err != nil {
		return err
	}
	following, err := s.settings.following()
	if err != nil {
		return err
	}
	judging, err := s.settings.judging()
	if err != nil {
		return err
	}
	following.Log, following.Observe = s.log, s.metrics.following()
	follower, err := gitsync.Open(ctx, following)
	if err != nil {
		return err
	}
	defer follower.Close()

	bus, err := openBus(s.settings.Data, s.log)
	if err != nil {
		return err
	}
	defer bus.close()
	if s.opened != nil {
		s.opened(bus)
	}
	log, err := audit.Open(ctx, bus.js, s.log)
	if err != nil {
		return err
	}
	if err := s.settings.belongs(log.LastSettings()); err != nil {
		return err
	}
	s.compareKey(key, log.LastSettings())
	records := begin(context.WithoutCancel(ctx), log.Run)
	defer func() {
		patient, cancel := s.ending.by(stopRecords)
		defer cancel()
		if err := log.Flush(patient); err != nil {
			waiting, _ := log.Pending()
			s.log.Error("records are given up; the next start makes those of verdicts again", "component", "server", "records", waiting, "err", err)
		}
		records.stop()
	}()

	chain := follower.Chain(s.settings.Path)
	reconciler := apply.New(apply.Options{
		Mirror: follower, Log: log, Live: s.live, Remembered: log.Remembered(), Key: key, Path: s.settings.Path,
		Inverter: chain, RefuseRewrites: s.settings.Rewrites == "refuse", Origin: following.Origin,
		Keys: judging.keys, Validators: judging.validators, LogRequired: s.settings.Audit == "required", Observe: s.metrics.judging(), Slog: s.log,
	})
	past := history.New(history.Options{Mirror: follower, Log: log, Live: s.live, Status: reconciler.Status, Path: s.settings.Path, Key: key})
	credentials, err := s.credentials(log)
	if err != nil {
		return err
	}
	s.guard = credentials.guard
	observe := s.metrics.delivering()
	observe.Revealed = credentials.reveals.add
	hub := notify.New(notify.Options{
		Live: s.live, Guard: credentials.guard, MaxSessions: s.bounds.sessions, Observe: s.sessions.counting(observe, s.gate.add), Log: s.log,
	})
	s.metrics.registry.MustRegister(state{reconciler.Status, follower.State, &logState{log: log}, s.started}, convergence{hub})
	flags := ofrep.New(ofrep.Options{
		Live: s.live, Guard: credentials.guard, Ticket: credentials.guard.Ticket, Revealed: credentials.reveals.add,
		MaxStreams: max(1, min(ofrep.MaxStreams, s.bounds.sessions/streamsShare)), Observe: s.metrics.evaluating(),
	})
	reads := s.reads(credentials, follower, reconciler, log, past, hub)
	handler, err := s.handler(credentials, follower, reconciler, log, reads, hub, flags)
	if err != nil {
		return err
	}
	if err := reconciler.Start(ctx); err != nil {
		s.log.Error("not all that was live can be served from the mirror", "component", "server", "err", err)
	}

	forgetting := begin(ctx, past.Run)
	defer forgetting.stop()
	collecting := begin(ctx, collect)
	defer collecting.stop()
	// These end when no request is under way any more: what the last ones were shown or refused goes on record, too.
	watch := begin(context.WithoutCancel(ctx), credentials.guard.Run)
	defer watch.stop()
	noting := begin(context.WithoutCancel(ctx), credentials.reveals.run)
	defer noting.stop()
	failed := make(chan error, 3)
	surface := newHTTP(handler, s.timeouts, s.log)
	surface.ConnState, surface.ConnContext = s.gate.changed, s.gate.entered
	surface.RegisterOnShutdown(flags.Stop)
	surface.RegisterOnShutdown(reads.Stop)
	defer serveHTTP(ctx, s.listener, surface, s.ending, failed).stop()
	if s.ops != nil {
		defer serveHTTP(ctx, s.ops, newHTTP(s.operations(reconciler), s.timeouts, s.log), s.ending, failed).stop()
	}
	delivery := begin(ctx, hub.Run)
	defer delivery.stop()
	taken := reconciler.Last()
	if follower.Head().IsZero() {
		taken = gitsync.Hash{} // the mirror was lost: the head is handed on even when it was judged before
	}
	follow := begin(ctx, func(ctx context.Context) error { return follower.Run(ctx, taken, reconciler.Take) })
	defer follow.stop()
	ask := begin(ctx, reconciler.Run)
	defer ask.stop()
	warm := begin(ctx, func(ctx context.Context) error { return warmUp(ctx, chain, follower.Head()) })
	defer warm.stop()
	// Settings are recorded beside everything else: a log that is behind must not keep the server from serving.
	changed := begin(ctx, func(ctx context.Context) error {
		return log.Settings(ctx, s.settings.recorded(judging, key), s.started)
	})
	defer changed.stop()

	if s.settings.TLSCertFile == "" && access.ListenAllowed(s.settings.Listen, false) != nil {
		s.log.Warn("configuration and credentials travel in the clear: name a certificate with --tls-cert-file, unless a proxy before this server ends TLS",
			"component", "server", "addr", s.Addr())
	}
	s.log.Info("serving", "component", "server", "addr", s.Addr(), "repo", s.settings.Repo, "branch", s.settings.Branch, "maxSessions", s.bounds.sessions)
	select {
	case <-ctx.Done():
		s.log.Info("stopping", "component", "server")
		return nil
	case err := <-failed:
		return err
	}
}

// reads answers about values, versions and what operators do.
func (s *Server) reads(by *credentials, follower *gitsync.Follower, reconciler *apply.Reconciler, log *audit.Log, past *history.History, hub *notify.Hub) *api.Handler {
	return api.New(api.Options{
		Live: s.live, Status: reconciler.Status, Versions: log, Log: log, History: past, Note: log.Note, Revealed: by.reveals.at, Refused: by.guard.Count, Slog: s.log,
		Look: func() api.Look { return look(follower.State()) },
		Accept: func(ctx context.Context, commit string, a apply.Acceptance) (gitsync.Hash, error) {
			defer follower.Hint() // a rewritten history that was refused may be what is accepted
			return reconciler.Accept(ctx, commit, a)
		},
		Pins: reconciler, Stops: reconciler, Tokens: by.tokens, Sessions: s.sessions.count, Convergence: convergence{hub}.status, Server: api.About{
			Version: Version, Repo: s.settings.Repo, Branch: s.settings.Branch, Path: s.settings.Path, Started: s.started,
		},
	})
}

// handler is the HTTP surface.
func (s *Server) handler(by *credentials, follower *gitsync.Follower, reconciler *apply.Reconciler, log *audit.Log, reads *api.Handler, hub *notify.Hub, flags *ofrep.Handler) (http.Handler, error) {
	mux := http.NewServeMux()
	guard := by.guard
	answers := guard.WrapFunc(reads.Serve)
	mux.Handle("/v1/stream", guard.Wrap(hub, access.AcceptTickets()))
	evaluations := ofrep.Entry(guard.WrapFunc(flags.Serve, access.AcceptTickets()))
	mux.Handle("POST /v1/tickets", guard.Wrap(http.HandlerFunc(guard.ServeTicket)))
	mux.Handle("POST /v1/audit/trim", guard.Wrap(trimming(guard, log)))
	operations := s.operations(reconciler)
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		mux.Handle(path, guard.Wrap(privileged(guard, operations)))
	}
	mux.Handle("/", s.page(answers))
	surface := secured(func(w http.ResponseWriter, r *http.Request) {
		heard(r)
		if r.TransferEncoding != nil || !r.ProtoAtLeast(1, 1) {
			// A proxy may have taken the body to end elsewhere, by a Content-Length that net/http has passed over in silence, and may
			// send us a part of it as the next caller's request. RFC 9112, section 6.1, asks that the connection ends here.
			w.Header().Set("Connection", "close")
		}
		if strings.HasPrefix(r.URL.Path, "/v1/config") {
			answers.ServeHTTP(w, r) // reads are many: they go past the router
			return
		}
		if strings.HasPrefix(r.URL.Path, "/ofrep/") || strings.HasPrefix(r.URL.Path, "/env/") {
			evaluations.ServeHTTP(w, r) // so are evaluations, and the router would take a // in a key for a mistake
			return
		}
		mux.ServeHTTP(w, r)
	})
	if !s.settings.Webhooks {
		return surface, nil
	}
	receiver, err := webhook.NewGitHub(webhook.Options{
		Secret: func() ([]byte, error) { return secret(s.settings.WebhookSecret, s.settings.WebhookSecretFile) },
		Remote: s.settings.Repo, Branch: s.settings.Branch, Hint: follower.Hint, Log: s.log,
		Observe: func(event, outcome string) { s.metrics.webhooks.WithLabelValues(event, outcome).Inc() },
		Refused: func(r *http.Request, outcome string) {
			guard.Count(nil, r.RemoteAddr, map[string]string{
				webhook.OutcomeUnauthorized: "webhookUnauthorized", webhook.OutcomeTooLarge: "webhookTooLarge",
			}[outcome])
		},
	})
	if err != nil {
		return nil, err
	}
	mux.Handle("/webhook/github", guard.Webhooks(receiver)) // its signature is its credential
	return surface, nil
}

// warmUp looks through the history before the first commit is judged, which would wait for it otherwise.
func warmUp(ctx context.Context, chain *gitsync.Chain, head gitsync.Hash) error {
	if head.IsZero() {
		return nil
	}
	looked := 0
	return chain.Walk(ctx, head, func(gitsync.Step) bool {
		looked++
		return looked < 10_000
	})
}

// page is the page for people, unless there is to be none. It stands before the guard, because a browser has no credential before it has
// the page. Of all else the reads say that there is nothing.
func (s *Server) page(reads http.Handler) http.Handler {
	if s.settings.NoPage {
		return reads
	}
	return web.Handler(reads)
}

// privileged lets those see the state of all environments who may: callers of this machine, and operators of everything.
func privileged(guard *access.Guard, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := access.FromContext(r.Context())
		if who.Kind != access.KindLocal && who.Kind != access.KindInsecure && !who.Grant.Covers(access.Whole(access.Operate)) {
			guard.Refuse(w, r, access.NotGranted(access.Operate))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Of every answer, for browsers that are brought to show it. The page says what it needs beyond that.
var (
	nothingLoads = []string{"default-src 'none'; frame-ancestors 'none'"}
	noReferrer   = []string{"no-referrer"}
	nosniff      = []string{"nosniff"}
	onlyTLS      = []string{"max-age=31536000"}
)

// secured answers with the headers that keep browsers from making more of an answer than it is.
func secured(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Content-Security-Policy"], h["Referrer-Policy"], h["X-Content-Type-Options"] = nothingLoads, noReferrer, nosniff
		if r.TLS != nil {
			h["Strict-Transport-Security"] = onlyTLS
		}
		next(w, r)
	})
}

func look(s gitsync.State) api.Look {
	l := api.Look{Error: s.LastError, Failures: s.Failures}
	if !s.RemoteHead.IsZero() {
		l.Head = s.RemoteHead.String()
	}
	if !s.LastLook.IsZero() {
		l.Last = &s.LastLook
	}
	if !s.LastGood.IsZero() {
		l.LastGood = &s.LastGood
	}
	return l
}

// operations are health and metrics.
func (s *Server) operations(reconciler *apply.Reconciler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := unready(reconciler.Status()); why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ready\n"))
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	return secured(mux.ServeHTTP)
}

// unready tells what keeps the server from being ready: every environment that a live version's manifest names must have a valid
// version live. One that only a rejected commit names does not count.
func unready(s *apply.Status) string {
	live, named := map[string]bool{}, map[string]bool{}
	for _, e := range s.Environments {
		if e.Live == nil {
			continue
		}
		live[e.Name] = true
		for _, name := range e.Live.Snapshot.Manifest.Names() {
			named[name] = true
		}
	}
	switch {
	case s.Judged.IsZero() && s.Refused != nil:
		return s.Refused.String()
	case s.Judged.IsZero():
		return "no commit has been judged yet"
	case len(live) == 0:
		return "no environment has a valid version yet"
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if !live[name] {
			return fmt.Sprintf("the environment %s has no valid version yet", name)
		}
	}
	return ""
}

// newHTTP bounds the time that a request and its answer may take. A stream sets times of its own.
func newHTTP(h http.Handler, t timeouts, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: t.header, ReadTimeout: t.request, WriteTimeout: t.answer, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(log.With("component", "http").Handler(), slog.LevelDebug),
	}
}

// serveHTTP answers requests on a listener until ctx ends or it is stopped. Then it accepts nothing more, and gives the requests
// under way a moment.
func serveHTTP(ctx context.Context, l net.Listener, srv *http.Server, end *ending, failed chan<- error) *task {
	return begin(ctx, func(ctx context.Context) error {
		stopped := begin(ctx, func(ctx context.Context) error {
			<-ctx.Done()
			patient, cancel := end.by(stopRequests)
			defer cancel()
			return errors.Join(srv.Shutdown(patient), srv.Close())
		})
		err := srv.Serve(l)
		if !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serve on %s: %w", l.Addr(), err)
		}
		stopped.stop()
		return err
	})
}
