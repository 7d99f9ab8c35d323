package notify_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/notify"
)

// put writes a frame of a client.
func put(to *bytes.Buffer, first byte, payload []byte, mask [4]byte) {
	switch n := len(payload); {
	case n > 0xffff:
		to.Write(binary.BigEndian.AppendUint64([]byte{first, 0x80 | 127}, uint64(n)))
	case n > 125:
		to.Write(binary.BigEndian.AppendUint16([]byte{first, 0x80 | 126}, uint16(n)))
	default:
		to.Write([]byte{first, 0x80 | byte(n)})
	}
	to.Write(mask[:])
	for i, b := range payload {
		to.WriteByte(b ^ mask[i%4])
	}
}

// Whatever a client sends, and however the network cuts it: what comes out is what went in, and nothing is kept between messages.
func TestInboxPutsMessagesTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sent bytes.Buffer
		var want []string
		for range rapid.IntRange(1, 6).Draw(t, "messages") {
			message := strings.Repeat(rapid.String().Draw(t, "text"), rapid.SampledFrom([]int{1, 1, 10, 300}).Draw(t, "times"))
			message = message[:min(len(message), wire.MaxClientMessage)]
			payload, first := []byte(message), byte(0x01)
			if rapid.Bool().Draw(t, "compressed") {
				payload, first = compressed(t, message), first|0x40
			}
			mask := [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "mask"))
			for parts := rapid.IntRange(0, 3).Draw(t, "parts"); parts > 0; parts-- {
				cut := rapid.IntRange(0, len(payload)).Draw(t, "cut")
				put(&sent, first, payload[:cut], mask)
				payload, first = payload[cut:], 0
				if rapid.Bool().Draw(t, "ping") {
					put(&sent, 0x89, []byte("between"), mask)
					want = append(want, "9 between")
				}
			}
			put(&sent, first|0x80, payload, mask)
			want = append(want, message)
		}
		in := &notify.Inbox{Deflate: true}
		for rest := sent.Bytes(); len(rest) > 0; {
			n := rapid.IntRange(1, min(len(rest), 5000)).Draw(t, "read")
			if err := in.Take(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if !slices.Equal(in.Heard, want) || in.Kept() > 0 {
			t.Fatalf("%q came as %q, and %d bytes are kept", want, in.Heard, in.Kept())
		}
	})
}

// recorded is a connection over which bytes came.
type recorded struct {
	net.Conn
	*bytes.Reader
}

func (c recorded) Read(p []byte) (int, error)       { return c.Reader.Read(p) }
func (c recorded) Write(p []byte) (int, error)      { return len(p), nil }
func (c recorded) Close() error                     { return nil }
func (c recorded) SetDeadline(time.Time) error      { return nil }
func (c recorded) SetWriteDeadline(time.Time) error { return nil }

// hijacked hands a connection to an upgrader.
type hijacked struct {
	http.ResponseWriter
	conn net.Conn
}

func (h hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}

// library is what a WebSocket library hears, told as an Inbox tells it, until it meets an error.
func library(t testing.TB, data []byte, deflate bool) (heard []string) {
	t.Helper()
	r := &http.Request{Method: http.MethodGet, Header: http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
		"Sec-Websocket-Extensions": {"permessage-deflate"},
	}}
	up := websocket.Upgrader{EnableCompression: deflate, ReadBufferSize: 256}
	ws, err := up.Upgrade(hijacked{conn: recorded{Reader: bytes.NewReader(data)}}, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	note := func(kind int) func(string) error {
		return func(payload string) error {
			heard = append(heard, fmt.Sprint(kind, " ", payload))
			return nil
		}
	}
	ws.SetPingHandler(note(websocket.PingMessage))
	ws.SetPongHandler(note(websocket.PongMessage))
	for {
		_, text, err := ws.ReadMessage()
		if err != nil {
			return heard
		}
		heard = append(heard, string(text))
	}
}

// texts are what was heard without control frames.
func texts(heard []string) []string {
	return slices.DeleteFunc(slices.Clone(heard), func(one string) bool { return strings.HasPrefix(one, "9 ") || strings.HasPrefix(one, "10 ") })
}

// Of any bytes, in any pieces, nothing is heard that a library would not hear, and no more is kept than one message and a frame.
func FuzzInbox(f *testing.F) {
	var b bytes.Buffer
	put(&b, 0x81, []byte(greeting), [4]byte{1, 2, 3, 4})
	put(&b, 0x89, []byte("ping"), [4]byte{})
	put(&b, 0x01, []byte("in "), [4]byte{9})
	put(&b, 0x8a, nil, [4]byte{})
	put(&b, 0x80, []byte("parts"), [4]byte{5})
	put(&b, 0xc1, compressed(f, greeting), [4]byte{7})
	put(&b, 0x88, []byte{0x03, 0xe8}, [4]byte{})
	f.Add(b.Bytes(), uint8(3), true)
	f.Add(b.Bytes(), uint8(200), false)
	f.Add([]byte{0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, uint8(1), false)
	f.Fuzz(func(t *testing.T, data []byte, piece uint8, deflate bool) {
		in := &notify.Inbox{Deflate: deflate}
		var err error
		for rest := data; len(rest) > 0 && err == nil; {
			n := min(len(rest), int(piece)+1)
			err = in.Take(rest[:n])
			rest = rest[n:]
			if in.Kept() > 2*wire.MaxClientMessage {
				t.Fatalf("%d bytes are kept", in.Kept())
			}
		}
		want := library(t, data, deflate)
		if deflate { // the library gives up in the middle of what cannot be decompressed, with what comes there
			in.Heard, want = texts(in.Heard), texts(want)
		}
		if i := slices.IndexFunc(in.Heard, func(one string) bool { return strings.HasPrefix(one, "8 ") }); i >= 0 {
			in.Heard = in.Heard[:i] // what follows a farewell nobody hears
		}
		if len(in.Heard) > len(want) || !slices.Equal(in.Heard, want[:len(in.Heard)]) {
			t.Fatalf("heard %q, a library %q (%v)", in.Heard, want, err)
		}
	})
}
