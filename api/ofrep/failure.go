package ofrep

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/trunkline/trunkline/access"
)

// Error codes of OpenFeature.
const (
	codeParse    = "PARSE_ERROR"
	codeKey      = "TARGETING_KEY_MISSING"
	codeContext  = "INVALID_CONTEXT"
	codeGeneral  = "GENERAL"
	codeNotFound = "FLAG_NOT_FOUND"
)

const headerRetry = "Retry-After"

// failure is an answer that is no evaluation:
//
//	{"key": "…", "errorCode": "GENERAL", "errorDetails": "…"}
//
// Clients tell failures apart by the code; only that of one flag has a key.
type failure struct {
	status  int
	code    string
	details string
}

var (
	notHere  = &failure{http.StatusNotFound, codeGeneral, "there is nothing here: evaluations are under /ofrep/v1/evaluate/flags, or /env/NAME/ofrep/v1/evaluate/flags"}
	notReady = &failure{http.StatusServiceUnavailable, codeGeneral, "nothing is served yet: see /v1/status for what the server waits for"}
)

func general(details string) *failure { return &failure{http.StatusBadRequest, codeGeneral, details} }

// refusal is the code by which a failure is counted that is for want of a right, or for a limit; "" for others.
func (f *failure) refusal() string {
	switch f {
	case redactedValue:
		return access.ReasonRight
	case tooLarge:
		return "tooLarge"
	case tooSlow:
		return "tooSlow"
	}
	return ""
}

// write answers with the failure; key is that of the flag, "" where none was asked for.
func (f *failure) write(w http.ResponseWriter, key string) {
	f.send(w, f.append(nil, key, key != ""))
}

// writeOf answers with the failure of one flag, whatever its key.
func (f *failure) writeOf(w http.ResponseWriter, key string) { f.send(w, f.append(nil, key, true)) }

func (f *failure) send(w http.ResponseWriter, body []byte) {
	h := w.Header()
	h["Content-Type"] = contentJSON
	h["Cache-Control"] = noStore
	if f.status == http.StatusServiceUnavailable && h[headerRetry] == nil {
		h[headerRetry] = retrySecond
	}
	if s, ok := w.(*shaper); ok {
		s.own = true
	}
	w.WriteHeader(f.status)
	_, _ = w.Write(body)
}

// append writes the failure as JSON.
func (f *failure) append(b []byte, key string, keyed bool) []byte {
	b = append(b, '{')
	if keyed {
		b = append(appendText(append(b, `"key":`...), key), ',')
	}
	b = appendText(append(b, `"errorCode":`...), f.code)
	b = appendText(append(b, `,"errorDetails":`...), f.details)
	return append(b, '}')
}

// appendText writes a string, of whatever bytes.
func appendText(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, strings.ToValidUTF8(s, "\uFFFD")) // which is all that it could mind
	return b
}

func quoted(s string) string { return strconv.Quote(s) }

func clip(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}

func refuseMethod(w http.ResponseWriter, at place, method string) {
	w.Header().Set("Allow", method)
	f := failure{http.StatusMethodNotAllowed, codeGeneral, "this is asked by " + method}
	if at.single {
		f.writeOf(w, at.key)
		return
	}
	f.write(w, "")
}

var (
	contentJSON = []string{"application/json"}
	noStore     = []string{"no-store"}
	retrySecond = []string{"1"}
)
