// Package ofrep serves configuration as flags, over the OpenFeature Remote Evaluation Protocol (OFREP 0.3.0): any value is a flag, and
// its key is its path.
//
// [New] makes the handler, which stands behind a guard of package access; [Entry] stands before that guard, so that what the guard
// refuses has the form that OpenFeature's clients read:
//
//	POST [/env/{env}]/ofrep/v1/evaluate/flags/{key}    one flag
//	POST [/env/{env}]/ofrep/v1/evaluate/flags          those that the manifest lists under flags
//	GET  [/env/{env}]/ofrep/v1/events                  tells when to ask again (server-sent events)
//
// What does not depend on who asks is written once for each version and grant. An event stream is woken when something that it could
// evaluate may have changed, and by nothing else; a reader that does not take an event within ten seconds is cut.
package ofrep

import (
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
)

// Live is what every environment serves; [apply.Live] is one.
type Live interface {
	// Get returns what an environment serves, or nil when it serves nothing.
	Get(env string) *apply.Version
	// Environments are the names of those that serve something, sorted.
	Environments() []string
	// Changed returns a channel that is closed at the next change.
	Changed() <-chan struct{}
}

// Options say what a Handler works with. All but Live may be left out.
type Options struct {
	Live Live
	// Guard bounds the event streams of a caller, and counts what is refused here.
	Guard *access.Guard
	// Ticket makes what a browser may show in the place of its credential when it opens an event stream, once; it is empty for who
	// needs none. It is not ok where none can be had: then no stream is offered.
	Ticket func(*http.Request) (ticket string, ok bool)
	// Revealed is told of evaluations that show sensitive values to those who may see them; it must not block.
	Revealed func(who *access.Identity, env, path string)
	// MaxStreams is how many event streams there may be, half of them from one address; 0 for [MaxStreams].
	MaxStreams int
	Observe    Observer
}

// Observer is told what happens. A field may be nil; none may block.
type Observer struct {
	Evaluated func(flags int)  // of an answer
	Streams   func(change int) // an event stream has begun, or ended
	Notified  func()           // an event stream was told to ask again
}

// Handler answers evaluations. It is safe for concurrent use.
type Handler struct {
	o       Options
	views   views
	streams *streams
	recent  *recent
	now     func() time.Time

	environments atomic.Pointer[environments]
}

// New makes a Handler.
func New(o Options) *Handler {
	if o.MaxStreams == 0 {
		o.MaxStreams = MaxStreams
	}
	return &Handler{o: o, streams: newStreams(time.Now(), o.MaxStreams), recent: newRecent(), now: time.Now}
}

// Stop ends all event streams, and refuses others. It is to be called when the server shuts down, which would wait for them.
func (h *Handler) Stop() { h.streams.stop() }

const eventsPath = "events"

// ServeHTTP answers a request that a guard let on, of who asks by its context.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.Serve(w, r, access.FromContext(r.Context()))
}

// Serve is an [access.HandlerFunc].
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request, who *access.Identity) {
	at, ok := placeOf(r.URL.Path)
	switch {
	case !ok:
		notHere.write(w, "")
	case at.events && r.Method != http.MethodGet:
		refuseMethod(w, at, http.MethodGet)
	case at.events:
		h.events(w, r.WithContext(access.NewContext(r.Context(), who)), at, who)
	case r.Method != http.MethodPost:
		refuseMethod(w, at, http.MethodPost)
	case at.single:
		h.single(w, r, at, who)
	default:
		h.bulk(w, r, at, who)
	}
}

// refused counts an answer that the caller has not the right to what it asks, or is beyond a limit; "" is no such answer.
func (h *Handler) refused(r *http.Request, who *access.Identity, reason string) {
	if reason != "" && h.o.Guard != nil {
		h.o.Guard.Count(who, r.RemoteAddr, reason)
	}
}

// place is what a path means.
type place struct {
	prefix string // before /ofrep
	env    string // "" is the only one there is
	key    string
	single bool
	events bool
}

// placeOf reads a path, whose escapes are resolved: %2F in a key is a slash like any other.
func placeOf(path string) (place, bool) {
	var p place
	rest := path
	if named, ok := strings.CutPrefix(path, "/env/"); ok {
		if p.env, rest, ok = strings.Cut(named, "/"); !ok || p.env == "" {
			return p, false
		}
		p.prefix, rest = path[:len("/env/")+len(p.env)], "/"+rest
	}
	rest, ok := strings.CutPrefix(rest, "/ofrep/v1/")
	if !ok {
		return p, false
	}
	switch {
	case rest == "evaluate/flags":
	case rest == eventsPath:
		p.events = true
	case strings.HasPrefix(rest, "evaluate/flags/"):
		p.single, p.key = true, rest[len("evaluate/flags/"):]
	default:
		return p, false
	}
	return p, true
}

// asked finds what the caller sees of the environment that is asked for. One that is not granted is not there.
func (h *Handler) asked(at place, who *access.Identity) (*view, *failure) {
	env, failed := h.environment(at, who)
	if failed != nil {
		return nil, failed
	}
	v := h.o.Live.Get(env)
	if v == nil {
		return nil, notReady // it has gone just now
	}
	return h.views.of(v, who), nil
}

func (h *Handler) environment(at place, who *access.Identity) (string, *failure) {
	if at.env != "" && who.Grant.Allows(at.env) && h.o.Live.Get(at.env) != nil {
		return at.env, nil
	}
	all := h.served()
	if at.env == "" && len(all) == 1 && who.Grant.Allows(all[0]) {
		return all[0], nil
	}
	var granted []string
	for _, env := range all {
		if who.Grant.Allows(env) {
			granted = append(granted, env)
		}
	}
	switch {
	case len(all) == 0:
		return "", notReady
	case at.env == "" && len(granted) == 1:
		return granted[0], nil
	case at.env == "" && len(granted) > 1:
		return "", general("several environments are served (" + strings.Join(granted, ", ") + "): put /env/ and the name of one before /ofrep in the client's base URL")
	case len(granted) == 0:
		return "", general("the credential is for no environment that is served")
	}
	return "", general("no environment " + quoted(clip(at.env)) + " is served: use one of " + strings.Join(granted, ", "))
}

// environments are those that are served until something changes.
type environments struct {
	until <-chan struct{}
	names []string
}

// served are the environments, listed once for each change.
func (h *Handler) served() []string {
	until := h.o.Live.Changed()
	known := h.environments.Load()
	if known == nil || known.until != until {
		known = &environments{until, h.o.Live.Environments()}
		h.environments.Store(known)
	}
	return known.names
}
