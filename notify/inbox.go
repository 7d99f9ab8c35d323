package notify

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/trunkline/trunkline/client/wire"
)

// This file takes a client's bytes apart into messages, by RFC 6455 and RFC 7692. The WebSocket library does so from a buffer and a
// stack for each connection; here what is idle has neither, and compressed messages are bounded before memory is spent on them.

const (
	finalBit   = 0x80
	deflateBit = 0x40 // RSV1
	otherRSV   = 0x30
	maskBit    = 0x80

	continuation = 0 // the opcode of a message's further fragments
	maxControl   = 125
)

// inbox is what has come of a message that is not whole yet.
type inbox struct {
	begun    time.Duration // when its first byte came
	bytes    []byte        // of a frame that is not whole
	kind     byte          // of the message whose fragments came; 0 when there is none
	deflated bool
	message  []byte
}

// protocolError is the error of a frame that breaks WebSocket itself.
type protocolError string

func (e protocolError) Error() string { return string(e) }

// header begins each frame of a client.
type header struct {
	final, deflated bool
	kind            byte
	mask            [4]byte
	length          uint64
	size            int // of the header itself
}

// parseHeader reads a header; whole is false where its end has not come.
func parseHeader(b []byte) (h header, whole bool, err error) {
	if len(b) < 2 {
		return h, false, nil
	}
	h = header{final: b[0]&finalBit != 0, deflated: b[0]&deflateBit != 0, kind: b[0] & 0x0f, length: uint64(b[1] &^ maskBit), size: 2}
	switch {
	case b[0]&otherRSV != 0:
		return h, false, protocolError("a reserved bit is set")
	case b[1]&maskBit == 0:
		return h, false, protocolError("a frame is not masked")
	case h.control() && (!h.final || h.deflated || h.length > maxControl):
		return h, false, protocolError("a control frame is long, compressed or in parts")
	case !h.control() && h.kind > websocket.BinaryMessage || h.kind > websocket.PongMessage:
		return h, false, protocolError(fmt.Sprintf("the opcode %d is not known", h.kind))
	}
	switch h.length {
	case 126:
		h.size += 2
	case 127:
		h.size += 8
	}
	if len(b) < h.size+len(h.mask) {
		return h, false, nil
	}
	switch h.length {
	case 126:
		h.length = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		h.length = binary.BigEndian.Uint64(b[2:])
	}
	h.size += copy(h.mask[:], b[h.size:])
	return h, true, nil
}

func (h header) control() bool { return h.kind >= websocket.CloseMessage }

func (h header) unmask(b []byte) {
	for i := range b {
		b[i] ^= h.mask[i&3]
	}
}

// follows tells whether a frame may come after what has come of a message.
func (h header) follows(i *inbox, deflate bool) error {
	under := i != nil && i.kind != 0
	switch {
	case h.control():
		return nil
	case h.deflated && (!deflate || h.kind == continuation):
		return protocolError("a reserved bit is set")
	case under && h.kind != continuation:
		return protocolError("a message begins before the last has ended")
	case !under && h.kind == continuation:
		return protocolError("a fragment follows no message")
	}
	had := 0
	if i != nil {
		had = len(i.message)
	}
	if h.length > uint64(wire.MaxClientMessage-had) {
		return fmt.Errorf("%w: it is larger than %d bytes", wire.ErrMessage, wire.MaxClientMessage)
	}
	return nil
}

// sink takes what a client's bytes are found to hold. What it is given is overwritten afterwards.
type sink interface {
	message(text []byte) error
	control(kind int, payload []byte) error
}

// take takes in bytes, which it changes, and hands on what is whole. It returns what is not, nil when that is nothing.
func (i *inbox) take(b []byte, deflate bool, now time.Duration, to sink) (*inbox, error) {
	if i != nil && len(i.bytes) > 0 {
		i.bytes = append(i.bytes, b...)
		b = i.bytes
	}
	for len(b) > 0 {
		h, whole, err := parseHeader(b)
		if err == nil && whole {
			err = h.follows(i, deflate)
		}
		if err != nil {
			return i, err
		}
		if !whole || uint64(len(b)-h.size) < h.length {
			break
		}
		payload := b[h.size : h.size+int(h.length)]
		h.unmask(payload)
		if i, err = i.frame(h, payload, now, to); err != nil {
			return i, err
		}
		b = b[h.size+int(h.length):]
	}
	return i.keep(b, now), nil
}

// keep keeps what is not whole.
func (i *inbox) keep(b []byte, now time.Duration) *inbox {
	if len(b) == 0 && (i == nil || i.kind == 0) {
		return nil
	}
	if i == nil {
		i = &inbox{begun: now}
	}
	i.bytes = append(i.bytes[:0], b...)
	return i
}

// frame takes in one frame.
func (i *inbox) frame(h header, payload []byte, now time.Duration, to sink) (*inbox, error) {
	if h.control() {
		return i, to.control(int(h.kind), payload)
	}
	if h.kind != continuation && h.final {
		return i, whole(h.kind, h.deflated, payload, to)
	}
	if i == nil {
		i = &inbox{begun: now}
	}
	if h.kind != continuation {
		i.kind, i.deflated = h.kind, h.deflated
	}
	i.message = append(i.message, payload...)
	if !h.final {
		return i, nil
	}
	kind, message := i.kind, i.message
	i.kind, i.message = 0, nil
	return i, whole(kind, i.deflated, message, to)
}

// whole hands on a whole message.
func whole(kind byte, deflated bool, message []byte, to sink) error {
	if kind != websocket.TextMessage {
		return fmt.Errorf("%w: a binary frame", wire.ErrMessage)
	}
	if deflated {
		var err error
		if message, err = inflate(message); err != nil {
			return err
		}
	}
	return to.message(message)
}

// inflaters are readers, of 40 kB each.
var inflaters = sync.Pool{New: func() any { return flate.NewReader(nil) }}

// inflate undoes the compression of a message (RFC 7692, section 7.2.2).
func inflate(data []byte) ([]byte, error) {
	const end = "\x00\x00\xff\xff" + // which the sender leaves away
		"\x01\x00\x00\xff\xff" // and an empty last block, so that the reader finds an end
	r := inflaters.Get().(io.ReadCloser)
	defer inflaters.Put(r)
	if err := r.(flate.Resetter).Reset(io.MultiReader(bytes.NewReader(data), strings.NewReader(end)), nil); err != nil {
		return nil, fmt.Errorf("%w: %w", wire.ErrMessage, err)
	}
	message, err := io.ReadAll(io.LimitReader(r, wire.MaxClientMessage+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: it cannot be decompressed", wire.ErrMessage)
	case len(message) > wire.MaxClientMessage:
		return nil, fmt.Errorf("%w: it is larger than %d bytes", wire.ErrMessage, wire.MaxClientMessage)
	}
	return message, nil
}

// mayClose tells whether a close frame may hold a code (RFC 6455, section 7.4).
func mayClose(code int) bool {
	return code >= 1000 && code <= 1014 && code != 1004 && code != websocket.CloseNoStatusReceived && code != websocket.CloseAbnormalClosure ||
		code >= 3000 && code <= 4999
}
