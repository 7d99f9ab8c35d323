// Package notify brings every connected client from what it has to what is live.
//
// A [Hub] is an http.Handler for the stream, behind a guard of package access; [Hub.Run] delivers until its context ends. Sessions
// that may see the same, and ask for the same, share one view, whose frames are encoded once. A session has no queue: it is brought from the state it has to the
// newest one in a single step, however many versions lie between. Writes never wait for a client, so a slow one delays nobody but
// itself; one that reads nothing for 30 s is closed.
package notify

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/value"
)

// Live is what every environment serves, as [apply.Live] holds it.
type Live interface {
	// Get returns what an environment serves, or nil when it serves nothing.
	Get(env string) *apply.Version
	// Environments are the names of those that serve something, sorted.
	Environments() []string
	// Changed returns a channel that is closed at the next change.
	Changed() <-chan struct{}
}

// Options say what a Hub works with.
type Options struct {
	Live    Live
	Observe Observer
	// Guard bounds the sessions and patterns of a caller, and counts what is refused; nil for no bounds but the Hub's own.
	Guard *access.Guard
	// MaxSessions is how many sessions the Hub holds; 0 for the package's [MaxSessions].
	MaxSessions int
}

// Observer holds hooks for metrics. Any may be nil. They are called from many goroutines and must not block.
type Observer struct {
	// Sessions is called with 1 for a session that opened and -1 for one that ended.
	Sessions func(change int)
	// Delivered is called for each frame handed to a socket, but for the last of a session that ends; delay is the time since
	// its version went live, negative when it tells of none or answers a hello.
	Delivered func(kind string, bytes int, delay time.Duration)
	// Answered is called for each message of a client after its hello.
	Answered func(kind string)
	// Ended is called once for each session the server ended, with the reason.
	Ended func(code string)
	// Revealed is called for each session that is shown sensitive values, with its patterns.
	Revealed func(who *access.Identity, env, patterns string)
}

func (o Observer) sessions(change int) {
	if o.Sessions != nil {
		o.Sessions(change)
	}
}

func (o Observer) delivered(f *frame) {
	if o.Delivered == nil {
		return
	}
	delay := time.Duration(-1)
	if !f.since.IsZero() {
		delay = time.Since(f.since)
	}
	o.Delivered(f.kind, f.bytes, delay)
}

func (o Observer) answered(kind string) {
	if o.Answered != nil {
		o.Answered(kind)
	}
}

func (o Observer) ended(code string) {
	if o.Ended != nil {
		o.Ended(code)
	}
}

// Hub holds the sessions.
type Hub struct {
	o        Options
	limits   limits
	upgrader websocket.Upgrader
	queue    queue
	readers  sync.WaitGroup
	writes   sync.WaitGroup

	mu       sync.Mutex
	sessions map[*session]struct{}
	views    map[string]*view
	recent   map[string][]*apply.Version // by environment, newest first
	closing  bool
}

// New makes a Hub without sessions.
func New(o Options) *Hub {
	h := &Hub{o: o, limits: usual, sessions: map[*session]struct{}{}, views: map[string]*view{}, recent: map[string][]*apply.Version{}}
	h.queue.grown.L = &h.queue.mu
	if o.MaxSessions > 0 {
		h.limits.sessions = o.MaxSessions
	}
	h.upgrader = websocket.Upgrader{
		ReadBufferSize: readBuffer, WriteBufferPool: &sync.Pool{}, Subprotocols: []string{wire.Subprotocol},
		CheckOrigin: func(*http.Request) bool { return true }, // access has judged the Origin before
		Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
			http.Error(w, reason.Error(), status)
		},
	}
	return h
}

// Run delivers until ctx ends; then it asks every client to come back later, and returns when all sessions have ended.
func (h *Hub) Run(ctx context.Context) error {
	var writers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		writers.Go(h.queue.work)
	}
	writers.Go(func() { h.pingAll(ctx) })
	for {
		changed := h.o.Live.Changed()
		h.refresh()
		select {
		case <-changed:
			continue
		case <-ctx.Done():
		}
		break
	}
	h.goaway()
	h.queue.close()
	writers.Wait()
	h.readers.Wait()
	h.writes.Wait()
	return ctx.Err()
}

// refresh brings all views to what is live and hands the sessions that lack something to the writers.
func (h *Hub) refresh() {
	h.mu.Lock()
	h.rememberAll()
	views := make([]*view, 0, len(h.views))
	for _, v := range h.views {
		views = append(views, v)
	}
	h.mu.Unlock()
	for _, v := range views {
		changed, served := v.refresh(h.o.Live)
		switch {
		case !served:
			h.retire(v)
		case changed:
			h.queue.addAll(v.members())
		}
	}
}

// rememberAll keeps the newest versions of each environment, so that cursors of a while ago are understood.
func (h *Hub) rememberAll() {
	remembered := make(map[string][]*apply.Version, len(h.recent))
	for _, env := range h.o.Live.Environments() {
		recent, v := h.recent[env], h.o.Live.Get(env)
		if v != nil && (len(recent) == 0 || recent[0] != v) {
			recent = append([]*apply.Version{v}, recent[:min(len(recent), kept-1)]...)
		}
		remembered[env] = recent
	}
	h.recent = remembered
}

// retire ends the sessions of an environment that is no longer served.
func (h *Hub) retire(v *view) {
	for _, s := range v.members() {
		s.end(&refusal{wire.CloseUnknownEnvironment, "unknownEnvironment", fmt.Sprintf("the environment %s is no longer served", v.env), "ask for another environment"})
	}
}

// ServeHTTP opens a session. Access is judged before.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !websocket.IsWebSocketUpgrade(r) {
		w.Header().Set("Upgrade", "websocket")
		http.Error(w, "this is a WebSocket endpoint of the subprotocol "+wire.Subprotocol, http.StatusUpgradeRequired)
		return
	}
	if !slices.Contains(websocket.Subprotocols(r), wire.Subprotocol) {
		http.Error(w, "the client must name the subprotocol "+wire.Subprotocol, http.StatusBadRequest)
		return
	}
	s := &session{hub: h, who: access.FromContext(r.Context()), slot: uint8(rand.UintN(256))}
	if refused := s.admit(r); refused != nil {
		refused.Write(w)
		return
	}
	if refused := h.enter(s); refused != nil {
		if s.room != nil {
			s.room.Leave()
		}
		h.refuse(w, r, refused)
		return
	}
	ws, err := h.upgrader.Upgrade(w, r, nil)
	if err != nil {
		h.leave(s)
		return // the upgrader has answered
	}
	s.begun(ws)
	go s.read() // and let go of the handler's goroutine with its large stack
}

// What is refused whoever asks.
var (
	refusedFull = &access.Refused{
		Status: http.StatusServiceUnavailable, Reason: "tooManySessionsServer", Message: "the server holds as many sessions as it can",
		Hint: "connect again in a while", RetryAfter: comeBack,
	}
	refusedStopping = &access.Refused{
		Status: http.StatusServiceUnavailable, Reason: "serverStops", Message: "the server stops", Hint: "connect again in a while", RetryAfter: comeBack,
	}
)

func (h *Hub) refuse(w http.ResponseWriter, r *http.Request, refused *access.Refused) {
	if h.o.Guard == nil {
		refused.Write(w)
		return
	}
	h.o.Guard.Refuse(w, r, refused)
}

func (h *Hub) enter(s *session) *access.Refused {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closing:
		return refusedStopping
	case len(h.sessions) >= h.limits.sessions:
		return refusedFull
	}
	h.sessions[s] = struct{}{}
	h.readers.Add(1)
	h.o.Observe.sessions(1)
	return nil
}

// leave forgets a session that ended, and its view when it was the last to look.
func (h *Hub) leave(s *session) {
	defer h.readers.Done()
	s.broken(nil)
	if s.room != nil {
		s.room.Leave()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.sessions, s)
	h.o.Observe.sessions(-1)
	if v := s.view; v != nil && v.remove(s) {
		delete(h.views, v.key())
	}
}

// refusal is why a hello cannot be answered.
type refusal struct {
	close               int
	code, message, hint string
}

// join gives a session its view, and sends what brings it up to date.
func (h *Hub) join(s *session, m *wire.Client) *refusal {
	texts := m.Patterns
	if len(texts) == 0 {
		texts = []string{"**"}
	}
	patterns, err := value.ParsePatterns(texts)
	if err != nil {
		return &refusal{wire.CloseBadMessage, "badPattern", brief(err.Error()), "* is one segment, ** any number of them"}
	}
	if s.room != nil {
		if err := s.room.Patterns(len(patterns)); err != nil {
			return &refusal{wire.CloseTooMany, access.ReasonPatterns, err.Error(), "ask with fewer, wider patterns"}
		}
	}
	env, refused := h.environment(s.who.Grant, m.Env)
	if refused != nil {
		return refused
	}
	v, recent, refused := h.viewOf(sight{env, s.who.Grant, patterns}, s)
	if refused != nil {
		return refused
	}
	if v.reveals() && h.o.Observe.Revealed != nil {
		h.o.Observe.Revealed(s.who, env, strings.Join(texts, " "))
	}
	s.answer(v.first(m.Cursor, recent))
	return nil
}

// brief bounds what is echoed of a client's own text.
func brief(text string) string {
	if len(text) <= maxEcho {
		return text
	}
	return strings.ToValidUTF8(text[:maxEcho], "") + "…"
}

// environment settles which environment a hello means: the one it names, or the only one there is. One that is not granted is not
// there.
func (h *Hub) environment(grant access.Grant, name string) (string, *refusal) {
	all := h.o.Live.Environments()
	served := slices.DeleteFunc(slices.Clone(all), func(env string) bool { return !grant.Allows(env) })
	switch {
	case len(all) == 0:
		return "", &refusal{wire.CloseNotReady, "notReady", "nothing is served yet", "connect again in a while"}
	case name == "" && len(served) == 1:
		return served[0], nil
	case name == "" && len(served) > 0:
		return "", &refusal{wire.CloseUnknownEnvironment, "noEnvironment", "the hello names no environment", "name one in the hello, or with --env for the command: " + strings.Join(served, ", ")}
	case !slices.Contains(served, name):
		return "", &refusal{wire.CloseUnknownEnvironment, "unknownEnvironment", "no such environment is served", oneOf(served)}
	}
	return name, nil
}

func oneOf(served []string) string {
	if len(served) == 0 {
		return "the credential is for environments that are not served now"
	}
	return "name one of " + strings.Join(served, ", ")
}

// viewOf finds or makes the view and adds the session to it.
func (h *Hub) viewOf(at sight, s *session) (*view, []*apply.Version, *refusal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := at.key()
	v := h.views[key]
	if v == nil {
		if len(h.views) >= h.limits.views {
			return nil, nil, &refusal{wire.CloseTooMany, "tooManyViews", "too many different sets of patterns are in use", "use the patterns of others"}
		}
		v = newView(at)
	}
	changed, served := v.refresh(h.o.Live)
	if !served {
		return nil, nil, &refusal{wire.CloseUnknownEnvironment, "unknownEnvironment", "the environment is no longer served", "ask for another environment"}
	}
	if changed {
		h.queue.addAll(v.members())
	}
	h.views[key], s.view = v, v
	v.add(s)
	return v, h.recent[at.env], nil
}

// pingAll gives every session a ping in each interval, at a time of its own.
func (h *Hub) pingAll(ctx context.Context) {
	tick := time.NewTicker(h.limits.ping / pingSteps)
	defer tick.Stop()
	for step := 0; ; step = (step + 1) % pingSteps {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var due []*session
		h.mu.Lock()
		for s := range h.sessions {
			if s.turn(pingSteps) == step {
				due = append(due, s)
			}
		}
		h.mu.Unlock()
		for _, s := range due {
			s.mu.Lock()
			s.ping = true
			s.mu.Unlock()
		}
		h.queue.addAll(due)
	}
}

// goaway ends all sessions, asking the clients to come back at times that do not coincide.
func (h *Hub) goaway() {
	h.mu.Lock()
	h.closing = true
	all := make([]*session, 0, len(h.sessions))
	for s := range h.sessions {
		all = append(all, s)
	}
	h.mu.Unlock()
	for _, s := range all {
		s.goaway(h.limits.goawayLeast + rand.N(h.limits.goawaySpread))
	}
}
