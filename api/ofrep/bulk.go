package ofrep

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/experiment"
)

// bulk answers POST /ofrep/v1/evaluate/flags. Its ETag is a hash of the answer but for the stream that it offers, whose address is never
// the same twice. The hints of freshness in the query, flagConfigEtag and flagConfigLastModified, need no heed: what is live is at hand.
func (h *Handler) bulk(w http.ResponseWriter, r *http.Request, at place, who *access.Identity) {
	v, failed := h.asked(at, who)
	if failed != nil {
		failed.write(w, "")
		return
	}
	l := v.listed()
	context, failed := h.contextOf(r, who, len(v.paths.all) > 0)
	if failed == nil {
		failed = l.failed
	}
	if failed != nil {
		h.refused(r, who, failed.refusal())
		failed.write(w, "")
		return
	}
	now := h.now()
	buf := buffers.Get().(*[]byte)
	body := v.appendFlags((*buf)[:0], l, context, now)
	defer func() { giveBack(buf, body) }()
	hash := sha256.Sum256(body)
	tag := hex.EncodeToString(hash[:12])
	had, id := h.streams.understand(r.Header["If-None-Match"], now)
	if had == tag {
		w.Header()["Etag"] = []string{entityTag(tag, id)}
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.evaluated(l.flags, l.sensitive, v, who, v.what)
	body, id = h.appendStream(body, r, at, who, id, l.state.at(v.version, now))
	body = append(body, '}')
	w.Header()["Etag"] = []string{entityTag(tag, id)}
	w.Header()["Cache-Control"] = noStore
	answer(w, body)
}

// what tells of what is listed, for a record of who was shown what is sensitive.
func (v *view) what() string {
	var texts []string
	for _, p := range v.version.Snapshot.Manifest.Flags {
		texts = append(texts, p.String())
	}
	if len(texts) == 0 {
		return "**"
	}
	return strings.Join(texts, " ")
}

// appendFlags writes an answer, but for its end.
func (v *view) appendFlags(b []byte, l *listing, context *experiment.Context, now time.Time) []byte {
	m := memos.Get().(*memo)
	m.reset(v, context, v.version.Clock(now))
	b = append(b, `{"flags":[`...)
	for i := range l.pieces {
		before := len(b)
		if b[before-1] != '[' {
			b = append(b, ',')
		}
		start := len(b)
		if b = v.appendPiece(b, &l.pieces[i], m.ask); len(b) == start {
			b = b[:before] // it is not there for who asks
		}
	}
	m.release()
	b = append(b, `],"metadata":{`...)
	return append(append(b, v.about...), '}')
}

func (v *view) appendPiece(b []byte, p *piece, ask outcomes) []byte {
	if p.target == nil {
		return append(b, p.written...)
	}
	var d decision
	p.target.decide(&d, ask)
	s := v.value(p.target, &d)
	switch failed := p.target.failed(&d, s); {
	case failed == nil:
		return v.appendAnswer(b, p.target, &d, false)
	case failed.code == codeKey:
		return failed.append(b, p.target.key, true)
	}
	return b
}

// memo asks each definition once, however many flags it sets.
type memo struct {
	view    *view
	context *experiment.Context
	now     time.Time
	known   []bool
	list    []experiment.Outcome
	ask     outcomes
}

var memos = sync.Pool{New: func() any {
	m := new(memo)
	m.ask = m.outcome
	return m
}}

func (m *memo) reset(v *view, context *experiment.Context, now time.Time) {
	m.view, m.context, m.now = v, context, now
	n := 0
	if all := v.paths.all; len(all) > 0 {
		n = all[len(all)-1].number + 1
	}
	if cap(m.known) < n {
		m.known, m.list = make([]bool, n), make([]experiment.Outcome, n)
	}
	m.known, m.list = m.known[:n], m.list[:n]
	clear(m.known)
}

func (m *memo) release() {
	m.view, m.context = nil, nil
	clear(m.list)
	memos.Put(m)
}

func (m *memo) outcome(n int) experiment.Outcome {
	if !m.known[n] {
		m.known[n], m.list[n] = true, m.view.full.set.Decide(m.context, m.now, n)
	}
	return m.list[n]
}

// appendStream offers a stream that tells when to ask again, where the caller can open one.
func (h *Handler) appendStream(b []byte, r *http.Request, at place, who *access.Identity, id, state string) ([]byte, string) {
	ticket, ok := h.ticket(r, who)
	if !ok {
		return b, ""
	}
	address := at.prefix + "/ofrep/v1/" + eventsPath + "?since=" + state
	if ticket == "" {
		id = "" // the address stays good
	} else {
		if id == "" {
			id = newStreamID(h.now())
		}
		address += "&stream=" + id + "&ticket=" + url.QueryEscape(ticket)
	}
	b = appendText(append(b, `,"eventStreams":[{"type":"sse","endpoint":{"requestUri":`...), address)
	return append(b, `}}]`...), id
}

func (h *Handler) ticket(r *http.Request, who *access.Identity) (ticket string, ok bool) {
	if who.Kind == access.KindLocal || who.Kind == access.KindInsecure {
		return "", true
	}
	if h.o.Ticket == nil {
		return "", false
	}
	return h.o.Ticket(r.WithContext(access.NewContext(r.Context(), who)))
}
