package ofrep

import (
	"net/http"

	"github.com/trunkline/trunkline/access"
)

// single answers POST /ofrep/v1/evaluate/flags/{key}.
func (h *Handler) single(w http.ResponseWriter, r *http.Request, at place, who *access.Identity) {
	v, failed := h.asked(at, who)
	if failed != nil {
		failed.writeOf(w, at.key)
		return
	}
	t, missing := v.target(at.key)
	context, failed := h.contextOf(r, who, t != nil && t.whole == nil)
	if failed == nil {
		failed = missing
	}
	if failed != nil {
		h.refused(r, who, failed.refusal())
		failed.writeOf(w, at.key)
		return
	}
	if t.whole != nil {
		h.evaluated(1, t.sensitive, v, who, t.path.String)
		answer(w, t.whole)
		return
	}
	var d decision
	t.decide(&d, v.outcomes(context, v.version.Clock(h.now())))
	if failed := t.failed(&d, v.value(t, &d)); failed != nil {
		h.refused(r, who, failed.refusal())
		failed.writeOf(w, at.key)
		return
	}
	h.evaluated(1, t.sensitive, v, who, t.path.String)
	buf := buffers.Get().(*[]byte)
	body := v.appendAnswer((*buf)[:0], t, &d, true)
	answer(w, body)
	giveBack(buf, body)
}

// evaluated tells of an answer, and whether it showed what is sensitive.
func (h *Handler) evaluated(flags int, sensitive bool, v *view, who *access.Identity, what func() string) {
	if h.o.Observe.Evaluated != nil {
		h.o.Observe.Evaluated(flags)
	}
	if sensitive && h.o.Revealed != nil {
		h.o.Revealed(who, v.version.Snapshot.Environment, what())
	}
}

func answer(w http.ResponseWriter, body []byte) {
	h := w.Header()
	h["Content-Type"] = contentJSON
	_, _ = w.Write(body)
}
