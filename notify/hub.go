// Package notify brings every connected client from what it has to what is live.
//
// A [Hub] is an http.Handler for the stream, behind a guard of package access; [Hub.Run] delivers until its context ends. Sessions
// that may see the same, and ask for the same, share one view, whose frames are encoded once. A session has no queue: it is brought
// from the state it has to the newest one in a single step, however many versions lie between. Writes never wait for a client, so a
// slow one delays nobody but itself; one that reads nothing for 30 s is closed. A version costs what it touches: views whose patterns
// select nothing of a change are not looked at.
//
// Where rollouts and experiments set something that a view sees, it is chosen for each of its sessions by their contexts, at each change of
// the definitions and at each step of a ramp; of those that did not change it stays as it was. Those for whom the same is set share states and frames, whoever they are, and a session is sent
// something only when it sees something else than before.
//
// [Hub.Convergence] tells how far the clients have followed.
package notify

import (
	"cmp"
	"context"
	"log/slog"
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
	// Log is told of faults of the server itself, a few a minute at most; nil for slog's default.
	Log *slog.Logger
}

// Hub holds the sessions.
type Hub struct {
	o         Options
	limits    limits
	born      time.Time
	upgraders [2]websocket.Upgrader // without compression, and with it
	views     *views
	queue     queue
	turns     chan struct{} // of answers to hellos and updates, which may be large: the writers must not wait for a processor
	readers   sync.WaitGroup
	writes    sync.WaitGroup
	told      told
	faults    faults

	mu       sync.Mutex
	sessions [pingSteps][]*session // by their turn to be pinged
	open     int
	clients  map[wire.Name]*client
	closing  bool
}

// New makes a Hub without sessions.
func New(o Options) *Hub {
	o.Log = cmp.Or(o.Log, slog.Default())
	h := &Hub{
		o: o, limits: usual, born: time.Now(), views: newViews(o.Live), clients: map[wire.Name]*client{},
		turns: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)),
	}
	h.queue.grown.L = &h.queue.mu
	if o.MaxSessions > 0 {
		h.limits.sessions = o.MaxSessions
	}
	for i := range h.upgraders {
		h.upgraders[i] = websocket.Upgrader{
			ReadBufferSize: 256, WriteBufferPool: &sync.Pool{}, // of the handshake alone
			EnableCompression: i == 1, Subprotocols: []string{wire.Subprotocol},
			CheckOrigin: func(*http.Request) bool { return true }, // access has judged the Origin before
			Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
				http.Error(w, reason.Error(), status)
			},
		}
	}
	return h
}

// now is the time since the Hub was made.
func (h *Hub) now() time.Duration { return time.Since(h.born) }

// Run delivers until ctx ends; then it asks every client to come back later, and returns when all sessions have ended.
func (h *Hub) Run(ctx context.Context) error {
	var writers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		writers.Go(h.queue.work)
	}
	writers.Go(func() { h.pingAll(ctx) })
	for ctx.Err() == nil {
		changed := h.o.Live.Changed()
		next := h.views.advance(h.bring)
		step, stop := h.alarm(next)
		select {
		case <-changed:
		case <-h.views.strayed:
		case <-step:
		case <-ctx.Done():
		}
		stop()
	}
	h.goaway()
	h.queue.close()
	writers.Wait()
	h.readers.Wait()
	h.writes.Wait()
	return ctx.Err()
}

// alarm tells when it is a time, or earlier. Zero never comes.
func (h *Hub) alarm(at time.Time) (<-chan time.Time, func() bool) {
	if at.IsZero() {
		return nil, func() bool { return true }
	}
	timer := time.NewTimer(min(at.Sub(h.views.clock()), longestSleep))
	return timer.C, timer.Stop
}

// bring hands the sessions of a view that has changed to the writers, or ends them where its environment is no longer served.
func (h *Hub) bring(v *view, served bool) {
	if served {
		h.queue.addAll(v.members())
		return
	}
	for _, s := range v.members() {
		s.end(&refusal{
			wire.CloseUnknownEnvironment, "unknownEnvironment", "the environment " + v.env + " is no longer served", "ask for another environment",
		})
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
	s := &session{hub: h, who: access.FromContext(r.Context()), slot: uint8(rand.UintN(256)), place: nowhere}
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
	deflate := offersDeflate(r.Header)
	with := 0
	if deflate {
		with = 1
	}
	ws, err := h.upgraders[with].Upgrade(w, r, nil)
	if err != nil {
		h.leave(s)
		return // the upgrader has answered
	}
	s.begun(ws.NetConn(), deflate)
	go s.wait() // and let go of the handler's goroutine with its large stack
}

// offersDeflate tells whether a client offers permessage-deflate (RFC 7692) in a way that can be taken without saying more of it.
func offersDeflate(h http.Header) bool {
	for _, line := range h["Sec-Websocket-Extensions"] {
		if strings.Contains(line, `"`) {
			return false // quoted parameters: none of those that there are needs quotes
		}
		for offer := range strings.SplitSeq(line, ",") {
			name, parameters, _ := strings.Cut(offer, ";")
			if strings.TrimSpace(name) == "permessage-deflate" && !strings.Contains(parameters, "server_max_window_bits") {
				return true
			}
		}
	}
	return false
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
	case h.open >= h.limits.sessions:
		return refusedFull
	}
	turn := &h.sessions[s.turn(pingSteps)]
	s.seat = int32(len(*turn))
	*turn = append(*turn, s)
	h.open++
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
	h.views.unseat(s)
	h.mu.Lock()
	defer h.mu.Unlock()
	turn := &h.sessions[s.turn(pingSteps)]
	*turn = without(*turn, s.seat, func(moved *session) { moved.seat = s.seat })
	h.open--
	if s.client != nil {
		h.forget(s.client)
	}
	h.o.Observe.sessions(-1)
}

// without is a list without the session at a place, where the last one stands instead, which is told so. A list that has become much
// smaller is copied, so that a crowd that has left leaves no memory behind.
func without(list []*session, at int32, moves func(*session)) []*session {
	last := len(list) - 1
	if moved := list[last]; int(at) != last {
		list[at] = moved
		moves(moved)
	}
	list[last] = nil
	list = list[:last]
	if cap(list) > 64 && len(list) < cap(list)/4 {
		list = slices.Clone(list)
	}
	return list
}

// all are the sessions whose turn it is, or all of them for a negative step.
func (h *Hub) all(step int) []*session {
	h.mu.Lock()
	defer h.mu.Unlock()
	if step >= 0 {
		return slices.Clone(h.sessions[step])
	}
	return slices.Concat(h.sessions[:]...)
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
		due := h.all(step)
		for _, s := range due {
			s.ping.Store(true)
		}
		h.queue.addAll(due)
	}
}

// goaway ends all sessions, asking the clients to come back at times that do not coincide.
func (h *Hub) goaway() {
	h.mu.Lock()
	h.closing = true
	h.mu.Unlock()
	for _, s := range h.all(-1) {
		s.goaway(h.limits.goawayLeast + rand.N(h.limits.goawaySpread))
	}
}
