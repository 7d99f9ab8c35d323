package ofrep

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/trunkline/trunkline/access"
)

// events answers GET /ofrep/v1/events: a message whenever what the flags can come to has changed, and nothing else. The query, which holds a
// credential, is not to be logged.
func (h *Handler) events(w http.ResponseWriter, r *http.Request, at place, who *access.Identity) {
	v, failed := h.asked(at, who)
	if failed != nil {
		failed.write(w, "")
		return
	}
	query := r.URL.Query()
	s := &stream{h: h, w: w, control: http.NewResponseController(w), who: who, env: v.version.Snapshot.Environment, told: query.Get("since")}
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		s.told = last
	}
	id := query.Get("stream")
	if offered(id).IsZero() {
		id = "" // it is no name of ours, and is not remembered
	}
	leave, refused := h.admit(r, id, who)
	if refused != nil {
		refused.Write(w)
		return
	}
	defer leave()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer who.OnEnd(func(access.End) { cancel() })()
	_ = s.follow(ctx) // an error means that the reader has gone
}

// admit makes room for a stream within the caller's limits and the server's.
func (h *Handler) admit(r *http.Request, id string, who *access.Identity) (leave func(), refused *access.Refused) {
	var room *access.Session
	if h.o.Guard != nil {
		var err error
		if room, err = h.o.Guard.Session(r); errors.As(err, &refused) {
			return nil, refused
		}
	}
	addr := access.AddressOf(r.RemoteAddr)
	if refused = h.streams.enter(id, addr); refused != nil {
		h.refused(r, who, refused.Reason)
		if room != nil {
			room.Leave()
		}
		return nil, refused
	}
	h.count(1)
	return func() {
		h.streams.leave(id, addr, h.now())
		if room != nil {
			room.Leave()
		}
		h.count(-1)
	}, nil
}

func (h *Handler) count(change int) {
	if h.o.Observe.Streams != nil {
		h.o.Observe.Streams(change)
	}
}

// stream is one reader of events.
type stream struct {
	h       *Handler
	w       http.ResponseWriter
	control *http.ResponseController
	who     *access.Identity
	env     string
	told    string // the state that the reader has, as far as is known
}

// follow tells of changes until ctx ends, or the environment is no longer served.
func (s *stream) follow(ctx context.Context) error {
	header := s.w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx would keep events back
	_ = s.control.SetReadDeadline(time.Time{})
	if err := s.send(fmt.Sprintf("retry: %d\n\n", retryLeast+rand.IntN(retrySpread))); err != nil {
		return err
	}
	beat := s.h.now().Add(heartbeat)
	for first := true; ; first = false {
		changed := s.h.o.Live.Changed()
		version := s.h.o.Live.Get(s.env)
		if version == nil {
			return nil
		}
		v, now := s.h.views.of(version, s.who), s.h.now()
		states := &v.listed().state
		if err := s.tell(states.at(version, now), version.ID, first); err != nil {
			return err
		}
		if !now.Before(beat) {
			if err := s.send(":\n\n"); err != nil {
				return err
			}
			beat = now.Add(heartbeat)
		}
		until := beat
		if next, ok := states.next(version, now); ok && next.Before(until) {
			until = next
		}
		timer := time.NewTimer(until.Sub(now))
		select {
		case <-changed:
		case <-timer.C:
		case <-s.h.streams.stopping:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
		timer.Stop()
	}
}

// tell sends a message where the state is not the one that the reader has. A reader that has named none has asked just before.
func (s *stream) tell(state, commit string, first bool) error {
	had := s.told
	s.told = state
	switch {
	case first && (had == "" || had == state):
		return s.send("id: " + state + "\n\n") // for when it comes again
	case had == state:
		return nil
	}
	if s.h.o.Observe.Notified != nil {
		s.h.o.Observe.Notified()
	}
	return s.send("id: " + state + "\nevent: message\ndata: {\"type\":\"refetchEvaluation\",\"etag\":\"" + commit + "\"}\n\n")
}

// send writes to the reader, who has a bounded time to take it.
func (s *stream) send(text string) error {
	_ = s.control.SetWriteDeadline(s.h.now().Add(writePatience))
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	err := s.control.Flush()
	_ = s.control.SetWriteDeadline(time.Time{}) // while nothing is written: HTTP/2 ends a stream by it all the same
	return err
}
