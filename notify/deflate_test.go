package notify_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/trunkline/trunkline/client/wire"
)

// connectAs is connect for a client that takes compressed messages, or does not.
func (s *server) connectAs(t tb, deflate bool) *peer {
	t.Helper()
	d := dialer(0)
	d.EnableCompression = deflate
	ws, _, err := d.Dial(s.endpoint(), nil)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	return &peer{Conn: ws, t: t}
}

// Who offers permessage-deflate gets it, where no more is to be said of it; all get the same.
func TestDeflateIsNegotiated(t *testing.T) {
	s := serve(t, nil)
	s.live.PutJSON("prod", shop)
	for offer, want := range map[string]bool{
		"":                   false,
		"permessage-deflate": true,
		"permessage-deflate; client_max_window_bits":                        true,
		"x-other, permessage-deflate; server_no_context_takeover":           true,
		"permessage-deflate; server_max_window_bits=10":                     false,
		"permessage-deflate; server_max_window_bits=10, permessage-deflate": true,
		`x-other; a=", permessage-deflate"`:                                 false,
		"permessage-deflate-2":                                              false,
	} {
		h := http.Header{
			"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
			"Sec-Websocket-Protocol": {wire.Subprotocol},
		}
		if offer != "" {
			h.Set("Sec-Websocket-Extensions", offer)
		}
		answer := get(t, s.URL, h)
		got := answer.Header.Get("Sec-Websocket-Extensions")
		if answer.StatusCode != http.StatusSwitchingProtocols || (got != "") != want ||
			want && got != "permessage-deflate; server_no_context_takeover; client_no_context_takeover" {
			t.Errorf("%q is answered %s, %q", offer, answer.Status, got)
		}
		_ = answer.Body.Close()
	}
}

// counting counts the bytes of a connection that are read.
type counting struct {
	net.Conn
	mu   sync.Mutex
	read int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read += n
	return n, err
}

// Clients that take compressed messages and those that do not have the same, and the former are sent less.
func TestDeflate(t *testing.T) {
	s := serve(t, nil)
	s.live.PutJSON("prod", shop)
	plain := s.follow(t, "prod")
	var line *counting
	d := dialer(0)
	d.EnableCompression = true
	dial := d.NetDialContext
	d.NetDialContext = nil
	d.NetDial = func(network, addr string) (net.Conn, error) {
		c, err := dial(t.Context(), network, addr)
		line = &counting{Conn: c}
		return line, err
	}
	ws, _, err := d.Dial(s.endpoint(), nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{Conn: ws, t: t}
	defer p.Close()
	p.EnableWriteCompression(true)
	p.send(wire.Client{Type: wire.TypeHello, Env: "prod"}) // compressed, too
	p.expect(wire.TypeSnapshot)
	begun := line.read
	text := `{"common":"` + strings.Repeat("many words, ", 5000) + `"}`
	s.live.PutJSON("prod", text)
	for _, peer := range []*peer{plain, p} {
		peer.expect(wire.TypeDelta)
		peer.has(text)
	}
	if n := line.read - begun; n > len(text)/20 {
		t.Errorf("%d bytes were sent for %d", n, len(text))
	}
}

// masked is a frame of a client, masked with zeros.
func masked(first byte, payload []byte) []byte {
	b := []byte{first, 0x80 | 126, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(b[2:], uint16(len(payload)))
	return append(b, payload...)
}

// compressed is a text as a message holds it.
func compressed(t tb, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatalf("%v", err)
	}
	_, _ = w.Write([]byte(text))
	_ = w.Flush()
	return b.Bytes()[:b.Len()-4]
}

func TestCompressedMessagesThatAreRefused(t *testing.T) {
	s := serve(t, nil)
	s.live.PutJSON("prod", shop)
	const first, rsv1 = 0x81, 0x40
	long := strings.Repeat(" ", wire.MaxClientMessage)
	half := compressed(t, greeting)
	for _, c := range []struct {
		name    string
		deflate bool
		frames  []byte
		code    int
	}{
		{"a good one", true, masked(first|rsv1, compressed(t, greeting)), 0},
		{"a good one in parts", true, append(masked(0x01|rsv1, half[:5]), masked(0x80, half[5:])...), 0},
		{"the largest", true, masked(first|rsv1, compressed(t, long[:len(long)-len(greeting)]+greeting)), 0},
		{"a byte more", true, masked(first|rsv1, compressed(t, long[:len(long)-len(greeting)+1]+greeting)), wire.CloseBadMessage},
		{"a bomb", true, masked(first|rsv1, compressed(t, strings.Repeat(long, 500))), wire.CloseBadMessage},
		{"bombs that are no messages", true, masked(first|rsv1, bytes.Repeat([]byte{0xff}, 1000)), wire.CloseBadMessage},
		{"no offer", false, masked(first|rsv1, compressed(t, greeting)), websocket.CloseProtocolError},
		{"a later part says so", true, append(masked(0x01, []byte(greeting)[:5]), masked(0x80|rsv1, []byte(greeting)[5:])...), websocket.CloseProtocolError},
		{"a compressed ping", true, masked(0x89|rsv1, nil), websocket.CloseProtocolError},
	} {
		p := s.connectAs(t, c.deflate)
		_, _ = p.NetConn().Write(c.frames)
		if c.code == 0 {
			p.expect(wire.TypeSnapshot)
		} else {
			p.closed(c.code)
		}
		_ = p.Close()
	}
	s.wait(t, "their end", func() bool { return s.sessions == 0 && s.ended["protocol"] == 3 && s.ended["badMessage"] == 3 })
}
