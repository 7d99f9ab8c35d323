package access

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Headers that pages of other origins may send and read.
const (
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	corsSent    = "Authorization, X-API-Key, Content-Type, If-None-Match, Last-Event-ID, Trunkline-Context"
	corsRead    = "ETag, Retry-After, WWW-Authenticate, Trunkline-Commit, Trunkline-Basis, Trunkline-Next"
	corsMaxAge  = "600" // seconds for which a browser need not ask again
)

// CheckOrigin returns an error for what cannot be the origin of a web page: scheme://host[:port], of http or https, in lower case as
// browsers send it.
func CheckOrigin(origin string) error {
	_, rest, ok := cutScheme(origin)
	if _, good := parseAuthority(rest); !ok || !good || origin != strings.ToLower(origin) {
		return fmt.Errorf("%q is not an origin: write it as https://app.example.com, in lower case and without a path", origin)
	}
	return nil
}

// origins are those of other sites whose pages may call with a credential.
type origins []string

// listed returns the origin of a request if it is one of them. There is one header of the name or the guard refuses.
func (o origins) listed(values []string) string {
	if len(values) == 1 && slices.Contains(o, values[0]) {
		return values[0]
	}
	return ""
}

// announce says to a listed page's browser that it may read the answer, whatever it will be. It reports whether the request is that
// browser's question beforehand (preflight), which carries no credential.
func (o origins) announce(w http.ResponseWriter, r *http.Request) (preflight bool) {
	if len(o) == 0 {
		return false
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	origin := o.listed(r.Header["Origin"])
	if origin == "" {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		h.Set("Access-Control-Expose-Headers", corsRead)
		return false
	}
	h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	h.Set("Access-Control-Allow-Methods", corsMethods)
	h.Set("Access-Control-Allow-Headers", corsSent)
	h.Set("Access-Control-Max-Age", corsMaxAge)
	return true
}
