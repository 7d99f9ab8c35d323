// Package access decides who may use the server, what each caller is granted, and how much of it one may take.
//
// Wrap the server's handlers with [Guard.Wrap] and start [Guard.Run], which takes up changed credentials, ends what has expired
// and tells of refusals. Ask [ListenAllowed] before listening. What the guard refuses never reaches a handler; the answer says what
// to do about it. A handler finds who asks with [FromContext] and keeps to its [Grant]; one that holds a connection open asks
// [Identity.OnEnd] to be told when the credential ends, at most a second after it did.
//
// A credential is a token ([Tokens]), a JSON Web Token ([JWTs]), the operator's token ([Operator]), or a ticket, which stands in for
// one of them where headers cannot be sent. A request that brings a credential stands or falls with it: a bad one is never taken for none.
//
// Callers without a credential are judged by where they come from: a program or a browser page of this very machine may read.
// Three kinds of strangers look like one. A peer on the network is told by its address. A web page elsewhere, whose browser
// runs here, is told by its Origin; if it has its own name resolve to our address (DNS rebinding), by the Host. Whoever comes
// through a proxy on this machine is told by the headers the proxy adds.
package access

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
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
