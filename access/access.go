// Package access decides who may use the server.
//
// Wrap the server's handler with [Guard.Wrap], and ask [ListenAllowed] before
// listening. What the guard refuses never reaches the handler; the answer says
// what to do about it. A guard holds no locks and does not block.
//
// Callers have no credentials yet, so all are judged by the rule for callers
// without one: a program or a browser page of this very machine may read.
// Three kinds of strangers look like one. A peer on the network is told by its
// address. A web page elsewhere, whose browser runs here, is told by its
// Origin; if it has its own name resolve to our address (DNS rebinding), by
// the Host. Whoever comes through a proxy on this machine is told by the
// headers the proxy adds.
package access

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Refused is the error for a request that may not go on. The values are
// shared: do not change them.
type Refused struct {
	Status  int    // of the HTTP answer
	Reason  string // one of the Reason constants
	Message string // what is wrong, for people; holds nothing of the request
	Hint    string // what to do about it
}

// Why a request was refused. The set is small and fixed, for metrics, and the
// codes in answers are the same.
const (
	ReasonPeer      = "peerNotLocal"
	ReasonHost      = "hostNotLocal"
	ReasonOrigin    = "originForeign"
	ReasonForwarded = "forwarded"
)

func (r *Refused) Error() string { return r.Message }

// write answers a request:
//
//	{"error": {"code": "hostNotLocal", "message": "…", "hint": "…"}}
func (r *Refused) write(w http.ResponseWriter) {
	type body struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Hint    string `json:"hint"`
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(r.Status)
	// An error here means that the caller has gone; nothing is left to do.
	_ = json.NewEncoder(w).Encode(map[string]body{"error": {r.Reason, r.Message, r.Hint}})
}

// The refusals are made once, so that refusing costs strangers more than us.
var (
	refusedPeer = &Refused{
		Status:  http.StatusForbidden,
		Reason:  ReasonPeer,
		Message: "only callers on the same machine may read without a credential",
		Hint:    "call from the machine the server runs on, or start the server with --insecure to let any address read",
	}
	// 421 rather than 403: the connection is good, the name is not one we
	// answer for, and a client may try another connection.
	refusedHost = &Refused{
		Status:  http.StatusMisdirectedRequest,
		Reason:  ReasonHost,
		Message: "the Host header is not a local name",
		Hint:    "use localhost, 127.0.0.1 or [::1] in the URL, or start the server with --insecure to answer to any name",
	}
	refusedOrigin = &Refused{
		Status:  http.StatusForbidden,
		Reason:  ReasonOrigin,
		Message: "a web page of another origin may not read this",
		Hint:    "open the page from this server or from localhost, under the name the server is called by",
	}
	refusedForwarded = &Refused{
		Status:  http.StatusForbidden,
		Reason:  ReasonForwarded,
		Message: "the request came through a proxy, so who sent it cannot be told",
		Hint:    "call the server directly, or start it with --insecure to let whoever reaches the proxy read",
	}
)

// ListenAllowed returns an error for a TCP address that others than this
// machine can reach, unless the server is insecure. A name other than
// localhost is not looked up but refused: what it resolves to may change.
func ListenAllowed(listenAddr string, insecure bool) error {
	if insecure {
		return nil
	}
	host, _, err := net.SplitHostPort(listenAddr)
	if err != nil {
		return fmt.Errorf("listen address: %w: give host:port, such as 127.0.0.1:7420", err)
	}
	if strings.EqualFold(host, "localhost") {
		return nil
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.IsLoopback() {
		return nil
	}
	return fmt.Errorf("listen on %s: other machines could read the configuration: "+
		"listen on 127.0.0.1 or [::1], or pass --insecure to let any address read", listenAddr)
}
