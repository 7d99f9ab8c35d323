package validator_test

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"testing"
)

// resolves has every name resolve to one address until the test ends.
func resolves(t *testing.T, address string) {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
	done := make(chan struct{})
	go func() { answerNames(server, netip.MustParseAddr(address)); close(done) }()
	t.Cleanup(func() {
		net.DefaultResolver = before
		_ = server.Close()
		<-done
	})
}

// answerNames answers questions of DNS (RFC 1035, section 4.1) until the connection is closed.
func answerNames(server net.PacketConn, address netip.Addr) {
	data, kind := address.AsSlice(), byte(1) // A
	if address.Is6() {
		kind = 28 // AAAA
	}
	message := make([]byte, 512)
	for {
		n, peer, err := server.ReadFrom(message)
		if err != nil {
			return
		}
		end := 12 + bytes.IndexByte(message[12:n], 0) + 5 // header, name, type and class
		answer := append([]byte{}, message[:end]...)
		copy(answer[2:], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}) // a response to one question, with nothing else
		if answer[end-3] == kind {
			answer[7] = 1
			answer = append(answer, 0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, byte(len(data))) // the name again, for 60 s
			answer = append(answer, data...)
		}
		_, _ = server.WriteTo(answer, peer)
	}
}
