package notify

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/trunkline/trunkline/client/wire"
)

// Convergence tells how far the clients of one environment have followed. Names and reasons are clients' own words, without control
// characters; a list that would be longer leaves out the least of them, and tells of how many sessions that is.
type Convergence struct {
	Environment string
	Live        string // the commit
	Sessions    int    // which have had their first values

	// Of the sessions, by what they say of the live version: a session whose values a version did not change has it when it has what
	// was before. Those that are left have not been sent it yet.
	Current, Pending, Rejected int

	Versions      []VersionSessions // the newest first
	OtherVersions int
	Clients       []ClientSessions // the most sessions first
	OtherClients  int
	Rejections    []Rejection // the newest first
}

// VersionSessions are the sessions of one version.
type VersionSessions struct {
	Commit   string
	Sessions int // use it
	Pending  int // were sent it and have not answered
	Rejected int // were sent it and could not use it; they count where they were, too
}

// ClientSessions are the sessions of clients that call themselves the same.
type ClientSessions struct {
	Name, Version     string
	Sessions          int
	Current, Rejected int // of the live version
}

// Rejection is what a client said of a version that it could not use.
type Rejection struct {
	Client, Version string // as it calls itself
	Commit          string
	Reason          string
	At              time.Time // the last time
}

// client is what some clients call themselves.
type client struct {
	name     wire.Name
	sessions int
}

// know notes what a client calls itself.
func (h *Hub) know(s *session, name wire.Name) {
	name = wire.Name{Name: printable(name.Name), Version: printable(name.Version)}
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.clients[name]
	if c == nil {
		c = &client{name: name}
		h.clients[name] = c
	}
	c.sessions++
	s.mu.Lock()
	s.client = c
	s.mu.Unlock()
}

// forget takes back a know. The lock must be held.
func (h *Hub) forget(c *client) {
	if c.sessions--; c.sessions == 0 {
		delete(h.clients, c.name)
	}
}

// printable is a client's text without what could deceive who reads it on a screen.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return -1
		}
		return r
	}, text)
}

// answered takes in an ack or a nack.
func (h *Hub) answered(s *session, m *wire.Client) {
	of := s.shown(m.Cursor)
	if of == nil {
		return // a state that the view never had, or that was long ago
	}
	if m.Type == wire.TypeNack {
		h.told.reject(s.view.env, Rejection{s.client.name.Name, s.client.name.Version, of.commit, printable(m.Reason), time.Now()})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch this := s.has != nil && s.has.cursor == m.Cursor; {
	case this && m.Type == wire.TypeAck:
		s.answer = acked
	case this:
		s.answer = rejected
	case m.Type == wire.TypeAck: // it answers late
		s.acked = of
	}
}

// shown is the version until which what a cursor names was shown; nil when that is not known.
func (s *session) shown(cursor string) *mark {
	s.mu.Lock()
	has := s.has
	s.mu.Unlock()
	if has != nil && has.cursor == cursor {
		return has.until.Load()
	}
	return s.view.shown(cursor)
}

// told is what was found out about all sessions.
type told struct {
	mu         sync.Mutex
	rejections map[string][]Rejection // by environment, newest first
	at         time.Time
	last       []Convergence
}

// reject notes a rejection. One that says what another said takes its place, so that a client cannot drive out what others say.
func (t *told) reject(env string, r Rejection) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rejections == nil {
		t.rejections = map[string][]Rejection{}
	}
	others := slices.DeleteFunc(slices.Clone(t.rejections[env]), func(o Rejection) bool {
		return o.Client == r.Client && o.Version == r.Version && o.Commit == r.Commit
	})
	t.rejections[env] = append([]Rejection{r}, others[:min(len(others), MaxRejectionsTold-1)]...)
}

// Convergence tells of each environment that is served how far its clients have followed, sorted by its name. It looks at every
// session, at most once a second.
func (h *Hub) Convergence() []Convergence {
	h.told.mu.Lock()
	defer h.told.mu.Unlock()
	if h.told.last == nil || time.Since(h.told.at) >= h.limits.tellAgain {
		h.told.last, h.told.at = h.converge(), time.Now()
	}
	return slices.Clone(h.told.last)
}

// converge looks at every session.
func (h *Hub) converge() []Convergence {
	found, shown := map[string]*tally{}, h.views.shown()
	for _, env := range h.o.Live.Environments() {
		found[env] = newTally(h.o.Live, env)
	}
	for step := range pingSteps {
		for _, s := range h.all(step) {
			s.count(found, shown)
		}
	}
	told := make([]Convergence, 0, len(found))
	for env, t := range found {
		told = append(told, t.told(env, h.views.order(env), h.told.rejections[env]))
	}
	slices.SortFunc(told, func(a, b Convergence) int { return cmp.Compare(a.Environment, b.Environment) })
	return told
}

// order is how new the versions of an environment are: 0 for the newest.
func (vs *views) order(env string) map[string]int {
	order := map[string]int{}
	for i, v := range vs.remembered(env) {
		if _, ok := order[v.ID]; !ok {
			order[v.ID] = i
		}
	}
	return order
}

// tally counts the sessions of an environment.
type tally struct {
	live     string
	sessions int
	versions map[string]*VersionSessions
	clients  map[*client]*ClientSessions
}

func newTally(live Live, env string) *tally {
	t := &tally{versions: map[string]*VersionSessions{}, clients: map[*client]*ClientSessions{}}
	if v := live.Get(env); v != nil {
		t.live = v.ID
	}
	return t
}

func (t *tally) version(commit string) *VersionSessions {
	v := t.versions[commit]
	if v == nil {
		v = &VersionSessions{Commit: commit}
		t.versions[commit] = v
	}
	return v
}

// count counts the session, if it has had its first values.
func (s *session) count(found map[string]*tally, shown map[groupKey]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.has == nil || s.closed {
		return
	}
	t := found[s.view.env]
	if t == nil {
		return
	}
	t.sessions++
	c := t.clients[s.client]
	if c == nil {
		c = &ClientSessions{Name: s.client.name.Name, Version: s.client.name.Version}
		t.clients[s.client] = c
	}
	c.Sessions++
	of := s.version(t.live, shown)
	isLive, before := of == t.live, s.acked
	switch v := t.version(of); s.answer {
	case acked:
		v.Sessions++
		before = nil
		c.Current += one(isLive)
	case rejected:
		v.Rejected++
		c.Rejected += one(isLive)
	default:
		v.Pending++
	}
	if before != nil {
		t.version(before.commit).Sessions++
	}
}

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}

// version is the newest version known to show what the session has. The lock must be held.
func (s *session) version(live string, shown map[groupKey]string) string {
	if v := s.view.version.Load(); s.shows() == s.has && v.ID != live {
		if all := shown[s.view.group()]; all != "" {
			return all
		}
	}
	return s.has.until.Load().commit
}

// told sorts what was counted and cuts it off.
func (t *tally) told(env string, order map[string]int, rejections []Rejection) Convergence {
	live := t.version(t.live)
	c := Convergence{
		Environment: env, Live: t.live, Sessions: t.sessions, Current: live.Sessions, Pending: live.Pending, Rejected: live.Rejected,
		Rejections: rejections,
	}
	age := func(commit string) int {
		if at, ok := order[commit]; ok {
			return at
		}
		return kept
	}
	for _, v := range t.versions {
		c.Versions = append(c.Versions, *v)
	}
	slices.SortFunc(c.Versions, func(a, b VersionSessions) int {
		return cmp.Or(cmp.Compare(age(a.Commit), age(b.Commit)), cmp.Compare(a.Commit, b.Commit))
	})
	for len(c.Versions) > MaxVersionsTold {
		last := c.Versions[len(c.Versions)-1]
		c.OtherVersions += last.Sessions + last.Pending + last.Rejected
		c.Versions = c.Versions[:len(c.Versions)-1]
	}
	for _, one := range t.clients {
		c.Clients = append(c.Clients, *one)
	}
	slices.SortFunc(c.Clients, func(a, b ClientSessions) int {
		return cmp.Or(cmp.Compare(b.Sessions, a.Sessions), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
	for len(c.Clients) > MaxClientsTold {
		c.OtherClients += c.Clients[len(c.Clients)-1].Sessions
		c.Clients = c.Clients[:len(c.Clients)-1]
	}
	return c
}
