package notify

import (
	"errors"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/value"
)

// greet answers a hello.
func (h *Hub) greet(s *session, m *wire.Client) *refusal {
	env, refused := h.environment(s.who.Grant, m.Env)
	if refused != nil {
		return refused
	}
	if refused = mayDecide(s.who.Grant, m); refused != nil {
		s.forbidden(refused)
		return refused
	}
	h.know(s, m.Client)
	at := sight{env: env, grant: s.who.Grant, local: m.Evaluate == wire.EvaluateLocal}
	return h.join(s, at, m, func(v *view, p *person) *reply {
		return v.first(p, m.Cursor, past{h.views.remembered(env), h.views.clock()})
	})
}

// update gives a session another view, or another context, or tells it what is new.
func (h *Hub) update(s *session, m *wire.Client) *refusal {
	if !h.limits.updates.take(&s.updated, h.now(), 1) {
		return &refusal{wire.CloseFlood, "tooManyUpdates", "the client asks for something else too often", "wait between updates"}
	}
	at := s.view.sight
	if m.Patterns != nil {
		at.grant = s.who.Grant // the view is others', too: they see the same of it, and may see something else beyond it
	}
	return h.join(s, at, m, func(v *view, p *person) *reply {
		if v == s.view {
			return &reply{}
		}
		return v.snapshot(p, wire.ReasonUpdate)
	})
}

// join gives a session what it asks for, in place of what it may have, and sends it what answers it.
func (h *Hub) join(s *session, at sight, m *wire.Client, answer func(*view, *person) *reply) *refusal {
	if refused := at.narrow(m); refused != nil {
		return refused
	}
	p, err := s.speaksOf(m.Context)
	if err != nil {
		return badContext(err)
	}
	if at.local {
		p.context = nil // which decides nothing here
	}
	if refused := s.makeRoom(len(at.patterns)); refused != nil {
		return refused
	}
	v, ok := h.views.seat(s, at, h.limits.views)
	if !ok {
		return &refusal{wire.CloseTooMany, "tooManyViews", "too many different sets of patterns are in use", "use the patterns of others"}
	}
	r, ok := h.prepare(v, p, s.deflate, answer)
	if !ok {
		return &refusal{wire.CloseUnknownEnvironment, "unknownEnvironment", "the environment is no longer served", "ask for another environment"}
	}
	s.answerWith(v, p, r)
	return nil
}

// narrow takes over the patterns that a message asks for. A hello without any asks for everything.
func (s *sight) narrow(m *wire.Client) *refusal {
	texts := m.Patterns
	switch {
	case texts == nil && s.patterns != nil:
		return nil
	case len(texts) == 0:
		texts = []string{"**"}
	}
	patterns, err := value.ParsePatterns(texts)
	if err != nil {
		return &refusal{wire.CloseBadMessage, "badPattern", brief(err.Error()), "* is one segment, ** any number of them"}
	}
	s.patterns = patterns
	return nil
}

// makeRoom counts the session's patterns against the caller's limits.
func (s *session) makeRoom(patterns int) *refusal {
	if s.room == nil {
		return nil
	}
	err := s.room.Patterns(patterns)
	if err == nil {
		return nil
	}
	code := access.ReasonPatterns
	if refused := new(access.Refused); errors.As(err, &refused) {
		code = refused.Reason
	}
	return &refusal{wire.CloseTooMany, code, err.Error(), "ask with fewer, wider patterns"}
}

// prepare makes the answer for a session, encoded. It may take long, of a large configuration or an expensive pattern, so that few do so
// at a time. It reports false where the environment is not served.
func (h *Hub) prepare(v *view, p *person, deflate bool, answer func(*view, *person) *reply) (r *reply, ok bool) {
	h.turns <- struct{}{}
	defer func() { <-h.turns }()
	changed, served := h.views.refresh(v)
	if !served {
		return nil, false
	}
	if changed {
		h.queue.addAll(v.members())
	}
	if r = answer(v, p); r.frame != nil {
		r.frame.parts(deflate)
	}
	return r, true
}

// answerWith has a session sent an answer before anything else, and by then look at a view for a person. An answer that waits is not
// replaced by one that only tells what is new.
func (s *session) answerWith(v *view, p *person, r *reply) {
	s.mu.Lock()
	if s.reply == nil || r.frame != nil {
		s.reply = r
	}
	if s.asks != nil {
		p.told = s.asks.told
	}
	s.view, s.asks, s.asked = v, p, s.view == v
	if !p.matters() {
		s.asks = nil
	}
	s.mu.Unlock()
	s.deliver()
}

// forbidden puts it on record that the session is ended for a right that it has not.
func (s *session) forbidden(why *refusal) {
	if guard := s.hub.o.Guard; guard != nil {
		guard.Count(s.who, s.net.RemoteAddr().String(), why.code)
	}
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
