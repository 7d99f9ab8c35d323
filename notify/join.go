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
	h.know(s, m.Client)
	return h.join(s, env, m.Patterns, func(v *view) *reply { return v.first(m.Cursor, h.views.remembered(env)) })
}

// update gives a session another view, or tells it what is new of the one it has.
func (h *Hub) update(s *session, m *wire.Client) *refusal {
	if !h.limits.updates.take(&s.updated, h.now(), 1) {
		return &refusal{wire.CloseFlood, "tooManyUpdates", "the client asks for something else too often", "wait between updates"}
	}
	if m.Patterns == nil { // the context alone: no value depends on it yet
		s.answerWith(s.view, &reply{})
		return nil
	}
	return h.join(s, s.view.env, m.Patterns, func(v *view) *reply {
		if v == s.view {
			return &reply{}
		}
		return v.snapshot(wire.ReasonUpdate)
	})
}

// join gives a session its view, in place of the one it may have, and sends it what answers it.
func (h *Hub) join(s *session, env string, texts []string, answer func(*view) *reply) *refusal {
	if len(texts) == 0 {
		texts = []string{"**"}
	}
	patterns, err := value.ParsePatterns(texts)
	if err != nil {
		return &refusal{wire.CloseBadMessage, "badPattern", brief(err.Error()), "* is one segment, ** any number of them"}
	}
	if refused := s.makeRoom(len(patterns)); refused != nil {
		return refused
	}
	v, ok := h.views.seat(s, sight{env, s.who.Grant, patterns}, h.limits.views)
	if !ok {
		return &refusal{wire.CloseTooMany, "tooManyViews", "too many different sets of patterns are in use", "use the patterns of others"}
	}
	r, shown, ok := h.prepare(v, s.deflate, answer)
	if !ok {
		return &refusal{wire.CloseUnknownEnvironment, "unknownEnvironment", "the environment is no longer served", "ask for another environment"}
	}
	if shown && h.o.Observe.Revealed != nil {
		h.o.Observe.Revealed(s.who, env, strings.Join(texts, " "))
	}
	s.answerWith(v, r)
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

// prepare makes the answer for a session, encoded, and tells whether it shows sensitive values. It may take long, of a large
// configuration or an expensive pattern, so that few do so at a time. It reports false where the environment is not served.
func (h *Hub) prepare(v *view, deflate bool, answer func(*view) *reply) (r *reply, shown, ok bool) {
	h.turns <- struct{}{}
	defer func() { <-h.turns }()
	changed, served := h.views.refresh(v)
	if !served {
		return nil, false, false
	}
	if changed {
		h.queue.addAll(v.members())
	}
	if r = answer(v); r.frame != nil {
		r.frame.parts(deflate)
	}
	return r, v.reveals(), true
}

// answerWith has a session sent an answer before anything else, and by then look at a view. An answer that waits is not replaced by
// one that only tells what is new.
func (s *session) answerWith(v *view, r *reply) {
	s.mu.Lock()
	if s.reply == nil || r.frame != nil {
		s.reply = r
	}
	s.view = v
	s.mu.Unlock()
	s.deliver()
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
