// Package api answers reads over HTTP: values, versions and status. [New] makes the handler; docs/openapi.yaml describes it.
package api

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/history"
	"github.com/trunkline/trunkline/value"
)

// Options say what the handler reads from.
type Options struct {
	Live     *apply.Live
	Status   func() *apply.Status
	Versions Versions
	// Log is the audit log; nil where there is none.
	Log Log
	// Note puts on record what operators do, and who is shown sensitive values; nil where there is no record.
	Note func(context.Context, audit.Event) error
	// Revealed is told of reads of sensitive values by those who may, with the commit where it is not what is live that is read; it must not
	// block.
	Revealed func(who *access.Identity, env, path, commit string)
	// Refused is told of each request that its caller has not the right to make, or that is beyond a limit, by the code of the answer; nil
	// where nobody counts.
	Refused func(who *access.Identity, remoteAddr, code string)
	// History answers about the past; nil where there is none.
	History *history.History
	// Look tells how following goes.
	Look   func() Look
	Tokens Tokens
	Pins   Pins
	Stops  Stops
	// Sessions counts the connected clients.
	Sessions func() int
	// Convergence tells how far those of an environment have followed, or false where nothing is known; it may be nil.
	Convergence func(env string) (SessionsStatus, bool)
	// Server describes the running program.
	Server About
	// Accept takes an operator's word for a commit, which is named by the beginning of its name.
	Accept func(ctx context.Context, commit string, a apply.Acceptance) (gitsync.Hash, error)
	// Slog is told what callers are not; nil where nobody reads it.
	Slog *slog.Logger
}

// Versions lists what was judged.
type Versions interface {
	VersionsWhere(ctx context.Context, q audit.VersionQuery) (list []audit.Version, next gitsync.Hash, err error)
	Pending() (records int, since time.Time)
}

// Handler answers what is under /v1. It stands behind a guard of package access, and sets deadlines for what it writes.
type Handler struct {
	api *api
	mux *http.ServeMux
}

// New makes a Handler.
func New(o Options) *Handler {
	if o.Slog == nil {
		o.Slog = slog.New(slog.DiscardHandler)
	}
	a := &api{o: o, followers: newFollowers()}
	mux := http.NewServeMux()
	config := func(w http.ResponseWriter, r *http.Request) { a.config(w, r, access.FromContext(r.Context())) }
	mux.HandleFunc("GET "+configPrefix, config)
	mux.HandleFunc("GET "+configPrefix+"/", config)
	mux.HandleFunc("GET /v1/versions", needs(access.History, a.versions))
	mux.HandleFunc("POST /v1/accept", needsAll(access.Operate, a.accept))
	mux.HandleFunc("GET /v1/pins", a.pins)
	mux.HandleFunc("POST /v1/pins", needs(access.Operate, a.pin))
	mux.HandleFunc("DELETE /v1/pins/{environment}", needs(access.Operate, a.unpin))
	mux.HandleFunc("GET /v1/overrides", needs(access.Define, a.overrides))
	mux.HandleFunc("GET /v1/stops", needs(access.Operate, a.stops))
	mux.HandleFunc("POST /v1/stops", needs(access.Operate, a.stop))
	mux.HandleFunc("DELETE /v1/stops/{environment}/{key}", needs(access.Operate, a.resume))
	mux.HandleFunc("GET /v1/tokens", needs(access.Operate, a.tokens))
	mux.HandleFunc("POST /v1/tokens", needs(access.Operate, a.newToken))
	mux.HandleFunc("DELETE /v1/tokens/{name}", needs(access.Operate, a.revokeToken))
	if o.Log != nil {
		mux.HandleFunc("GET /v1/audit", needs(access.History, a.records))
		mux.HandleFunc("GET /v1/audit/report", needsAll(access.History, a.report))
		mux.HandleFunc("GET /v1/audit/verify", needsAll(access.History, a.verify))
	}
	if o.History != nil {
		mux.HandleFunc("GET /v1/diff", needs(access.History, a.diff))
		mux.HandleFunc("GET /v1/matrix", needs(access.History, a.matrix))
		mux.HandleFunc("GET /v1/blame/{path...}", needs(access.History, a.blame))
		mux.HandleFunc("GET /v1/explain/{path...}", needs(access.History, a.explain))
	}
	mux.HandleFunc("GET /v1/status", a.status)
	mux.HandleFunc("POST /v1/query", a.query)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		(&problem{http.StatusNotFound, "notFound", "there is nothing here", "reads are under /v1/config, /v1/query, /v1/versions, /v1/diff, /v1/blame, /v1/status and /v1/stream"}).write(w)
	})
	return &Handler{a, mux}
}

// ServeHTTP answers who asks by the request's context.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.Serve(w, r, access.FromContext(r.Context()))
}

// Serve is an [access.HandlerFunc].
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request, who *access.Identity) {
	if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, configPrefix+"/") {
		h.api.config(w, r, who) // reads of values are many: they go past the router
		return
	}
	deadline(w)
	h.mux.ServeHTTP(h.api.counting(w, r, who), r.WithContext(access.NewContext(r.Context(), who)))
}

// counting is where an answer is written that may be a refusal.
func (a *api) counting(w http.ResponseWriter, r *http.Request, who *access.Identity) http.ResponseWriter {
	if a.o.Refused == nil {
		return w
	}
	return &counted{w, func(code string) { a.o.Refused(who, r.RemoteAddr, code) }}
}

// deadline gives the client a bounded time to take the answer.
func deadline(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writePatience))
}

const configPrefix = "/v1/config"

type api struct {
	o       Options
	sights  sights
	withins withins
	// settables are the paths that depend on who asks.
	settables settables
	followers *followers
}

// Keys of headers, in the form in which they can be set directly.
const (
	headerETag   = "Etag"
	headerCommit = "Trunkline-Commit"
	headerAPIKey = "X-Api-Key"
)

var (
	contentJSON = []string{"application/json"}
	varyContext = []string{headerContext}
	private     = []string{"private, no-cache"}
)

// vary tells caches that the answer depends on who asks.
func vary(h http.Header) {
	if h["Vary"] != nil {
		h.Add("Vary", headerContext)
		return
	}
	h["Vary"] = varyContext[:1:1]
}

// config answers GET /v1/config/{path}: the value there, as JSON, redacted where it is marked sensitive.
func (a *api) config(w http.ResponseWriter, r *http.Request, who *access.Identity) {
	rd, refused := a.asked(w, r, who)
	if refused != nil {
		refused.write(a.counting(w, r, who))
		return
	}
	path := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, configPrefix), "/")
	v, found := rd.lookup(path)
	if !found {
		missing(rd.all(), path).write(w)
		return
	}
	if a.o.Revealed != nil && who.Grant.May(access.Reveal) {
		if shown, _ := rd.plain(path); shown == nil || shown.Sum() != v.Sum() {
			a.o.Revealed(who, rd.version.Snapshot.Environment, path, rd.past)
		}
	}
	tag := etag(v)
	headers := [2]string{tag, rd.version.ID}
	h := w.Header()
	h[headerETag], h[headerCommit] = headers[:1:1], headers[1:]
	if r.Header[headerAPIKey] != nil { // caches know of Authorization that an answer to it is nobody else's, and not of this
		h["Cache-Control"] = private
	}
	if !who.Grant.Everything() || rd.overridden(path) { // perhaps by what the reader does not see
		vary(h)
	}
	if matches(r.Header["If-None-Match"], tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h["Content-Type"] = contentJSON
	buf := buffers.Get().(*[]byte)
	body := v.AppendJSON((*buf)[:0])
	if len(body) > largeAnswer {
		deadline(w)
	}
	_, _ = w.Write(body)
	if cap(body) <= 1<<20 {
		*buf = body
		buffers.Put(buf)
	}
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

// etag names a value's content.
func etag(v *value.Value) string {
	sum := v.Sum()
	var b [2 + 2*12]byte
	b[0], b[len(b)-1] = '"', '"'
	hex.Encode(b[1:], sum[:12])
	return string(b[:])
}

func matches(headers []string, tag string) bool {
	for _, h := range headers {
		for candidate := range strings.SplitSeq(h, ",") {
			candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
			if candidate == tag || candidate == "*" {
				return true
			}
		}
	}
	return false
}

// queryValue reads one parameter; the plain case does not take the whole query apart.
func queryValue(r *http.Request, name string) string {
	raw := r.URL.RawQuery
	if raw == "" {
		return ""
	}
	if rest, ok := strings.CutPrefix(raw, name); ok && strings.HasPrefix(rest, "=") && !strings.ContainsAny(rest, "&%+;") {
		return rest[1:]
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return ""
	}
	return query.Get(name)
}

// version is what the environment serves that a request names; without a name, the only one there is. One that is not granted is
// not there.
func (a *api) version(env string, who *access.Identity) (*apply.Version, *problem) {
	if env != "" && who.Grant.Allows(env) {
		if v := a.o.Live.Get(env); v != nil {
			return v, nil
		}
	}
	served := a.served(who)
	switch {
	case len(a.o.Live.Environments()) == 0:
		return nil, &problem{http.StatusServiceUnavailable, "notReady", "nothing is served yet", "see /v1/status for what the server waits for"}
	case env == "" && len(served) == 1:
		return a.o.Live.Get(served[0]), nil
	case env == "" && len(served) > 0:
		return nil, &problem{http.StatusBadRequest, "noEnvironment", "the request names no environment", "name one, with ?env= in a request or --env for the command: " + strings.Join(served, ", ")}
	}
	p := &problem{http.StatusNotFound, "unknownEnvironment", fmt.Sprintf("no environment %q is served", clip(env)), "the credential is for environments that are not served now"}
	if len(served) > 0 {
		p.Hint = "use one of " + strings.Join(served, ", ")
	}
	return nil, p
}

func clip(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}

// missing tells how far a path leads, and what is there.
func missing(root *value.Value, text string) *problem {
	path, err := value.ParsePath(text)
	if err != nil {
		return &problem{http.StatusBadRequest, "badPath", err.Error(), `write segments with dots, list items as [0], other keys as ["a.b"]`}
	}
	n := 0
	for ; n < len(path); n++ {
		next, ok := root.Step(path[n])
		if !ok {
			break
		}
		root = next
	}
	above := "at the top"
	if n > 0 {
		above = "under " + clip(path[:n].String())
	}
	p := &problem{http.StatusNotFound, "pathNotFound", fmt.Sprintf("%s holds no value", clip(text)), above + " there is no map"}
	if keys := keysOf(root); len(keys) > 0 {
		p.Hint = above + " there are " + strings.Join(keys, ", ")
	}
	if near := nearest(root, path[n:]); near != "" {
		p.Hint = fmt.Sprintf("did you mean %s? %s", append(path[:n:n], near), p.Hint)
	}
	return p
}

// nearest is the key of a map that the first segment of a path most likely means; empty when none is near.
func nearest(v *value.Value, path value.Path) string {
	if v.Kind() != value.Map || len(path) == 0 || len(path[0]) > maxMistyped {
		return ""
	}
	var keys []string
	for _, e := range v.Entries()[:min(v.Len(), maxNearest)] {
		if len(e.Key) <= maxMistyped {
			keys = append(keys, e.Key)
		}
	}
	return value.Nearest(path[0], keys)
}

// keysOf names a few members of a map.
func keysOf(v *value.Value) []string {
	const few = 20
	if v.Kind() != value.Map {
		return nil
	}
	var keys []string
	for _, e := range v.Entries()[:min(v.Len(), few)] {
		keys = append(keys, value.Path{e.Key}.String())
	}
	if v.Len() > few {
		keys = append(keys, "…")
	}
	return slices.Clip(keys)
}
