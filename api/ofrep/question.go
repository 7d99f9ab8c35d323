package ofrep

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// buffers are for what is written.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

func giveBack(buf *[]byte, used []byte) {
	if cap(used) <= 1<<20 {
		*buf = used
		buffers.Put(buf)
	}
}

// contextOf reads who is asked about: the context of the body, with what the credential says laid over it. It is nil where nothing is
// said of anybody. A body of which nothing counts is looked at all the same.
func (h *Handler) contextOf(r *http.Request, who *access.Identity, counts bool) (*experiment.Context, *failure) {
	in := readers.Get().(*reader)
	defer in.release()
	if failed := in.read(r); failed != nil {
		return nil, failed
	}
	if !counts {
		_, failed := in.attributes(false)
		return nil, failed
	}
	context, failed := h.said(in)
	if failed != nil || who.Claims == nil {
		return context, failed
	}
	if context == nil {
		context = new(experiment.Context)
	}
	claimed := context.With(who.Claims)
	return &claimed, nil
}

// said is the context of a body, as somebody says it; nil for nobody.
func (h *Handler) said(in *reader) (*experiment.Context, *failure) {
	if known := h.recent.get(in.body); known != nil {
		return known.context, nil
	}
	attributes, failed := in.attributes(true)
	if failed != nil {
		return nil, failed
	}
	var context *experiment.Context
	if attributes.Len() > 0 {
		parsed, err := experiment.ParseContext(attributes)
		if err != nil {
			return nil, &failure{http.StatusBadRequest, codeContext, err.Error()}
		}
		context = &parsed
	}
	h.recent.put(in.body, context)
	return context, nil
}

// read takes the body of a request.
func (in *reader) read(r *http.Request) *failure {
	if r.ContentLength > maxBody {
		return tooLarge
	}
	for {
		if len(in.body) == cap(in.body) {
			in.body = append(in.body, 0)[:len(in.body)]
		}
		n, err := r.Body.Read(in.body[len(in.body):min(cap(in.body), maxBody+1)])
		in.body = in.body[:len(in.body)+n]
		switch {
		case len(in.body) > maxBody:
			return tooLarge
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return tooSlow
		case err != nil:
			return &failure{http.StatusBadRequest, codeParse, "the body was cut"}
		}
	}
}

// attributes is the member context of the body, a map. Without a body it is empty, and so it is where the member is null or missing.
func (in *reader) attributes(counts bool) (*value.Value, *failure) {
	if len(in.body) == 0 {
		return value.Empty, nil
	}
	found, err := in.parse(counts)
	var wrong *failure
	switch {
	case errors.As(err, &wrong):
		return nil, wrong
	case err != nil:
		return nil, &failure{http.StatusBadRequest, codeParse, "the body is not JSON: " + clip(err.Error())}
	}
	return found, nil
}

var (
	tooLarge  = &failure{http.StatusRequestEntityTooLarge, codeContext, "the body has more than 64 KiB: send the attributes that rules look at"}
	tooSlow   = &failure{http.StatusRequestTimeout, codeGeneral, "the body did not come in time: send it at once"}
	noObject  = &failure{http.StatusBadRequest, codeParse, `the body is no object; send {"context": {"targetingKey": "u1"}}`}
	noContext = &failure{http.StatusBadRequest, codeContext, `the context is no map; send attributes, as {"targetingKey": "u1"}`}
)

func (f *failure) Error() string { return f.details }
