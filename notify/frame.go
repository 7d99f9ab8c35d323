package notify

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/gorilla/websocket"

	"github.com/trunkline/trunkline/client/wire"
)

// frame is a message as it is handed to sockets, encoded once for all sessions, and once more for those that take it compressed. A
// large one is several WebSocket messages.
type frame struct {
	kind     string
	since    time.Time // when what it tells went live; zero when it tells nothing new
	plain    func() [][]byte
	deflated func() [][]byte
	reveals  func() *sight // nil where it cannot show what is sensitive
}

// headroom is the space that is left before a text for the longest header of a server's frame.
const headroom = 10

// newFrame makes a frame of texts that were made with headroom. They are asked for when the frame is first sent.
func newFrame(kind string, texts func() [][]byte) *frame {
	f := &frame{kind: kind}
	f.plain = sync.OnceValue(func() [][]byte {
		all := texts()
		for i, text := range all {
			all[i] = seal(text, finalBit|websocket.TextMessage)
		}
		return all
	})
	f.deflated = sync.OnceValue(func() [][]byte { return deflate(f.plain()) })
	return f
}

// textFrame makes a frame of one text with headroom.
func textFrame(kind string, text []byte) *frame {
	return newFrame(kind, func() [][]byte { return [][]byte{text} })
}

// parts are the WebSocket messages of the frame.
func (f *frame) parts(deflate bool) [][]byte {
	if deflate {
		return f.deflated()
	}
	return f.plain()
}

// seal writes the header of a server's frame (RFC 6455, section 5.2) before a text with headroom.
func seal(b []byte, first byte) []byte {
	n := len(b) - headroom
	at := headroom
	switch {
	case n > 0xffff:
		at -= 10
		b[at+1] = 127
		binary.BigEndian.PutUint64(b[at+2:], uint64(n))
	case n > maxControl:
		at -= 4
		b[at+1] = 126
		binary.BigEndian.PutUint16(b[at+2:], uint16(n))
	default:
		at -= 2
		b[at+1] = byte(n)
	}
	b[at] = first
	return b[at:]
}

// payload is what a frame of a server holds.
func payload(frame []byte) []byte {
	switch frame[1] {
	case 127:
		return frame[10:]
	case 126:
		return frame[4:]
	}
	return frame[2:]
}

// deflaters are writers, of more than a megabyte each.
var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is a good one
	}
	return w
}}

// deflate compresses frames (RFC 7692, section 7.2.1), but for those that are short.
func deflate(plain [][]byte) [][]byte {
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	all := make([][]byte, len(plain))
	for i, frame := range plain {
		if all[i] = frame; len(frame) < minDeflate {
			continue
		}
		var b bytes.Buffer
		b.Write(make([]byte, headroom))
		w.Reset(&b)
		_, _ = w.Write(payload(frame)) // to memory: it never fails
		_ = w.Flush()
		text := b.Bytes()[:b.Len()-4] // without the end that the receiver knows
		all[i] = seal(bytes.Clone(text), finalBit|deflateBit|websocket.TextMessage)
	}
	return all
}

// controlFrame makes a control frame.
func controlFrame(kind int, payload []byte) []byte {
	return seal(append(make([]byte, headroom, headroom+maxControl), payload...), finalBit|byte(kind))
}

// begin is the beginning of a message, with headroom.
func begin(kind string) []byte {
	b := make([]byte, headroom, headroom+256)
	b = append(b, `{"type":"`...)
	return append(append(b, kind...), '"')
}

func appendField(b []byte, name, text string) []byte {
	b = append(append(append(b, ",\""...), name...), "\":"...)
	return append(b, wire.Encode(text)...)
}

// appendCursor appends a cursor of ours, in which nothing needs quoting.
func appendCursor(b []byte, name, cursor string) []byte {
	b = append(append(append(b, ",\""...), name...), "\":\""...)
	return append(append(b, cursor...), '"')
}

// chunks are the messages that carry a JSON text in parts.
func chunks(cursor string, parts [][]byte) [][]byte {
	all := make([][]byte, 0, len(parts))
	for i, part := range parts {
		b := appendCursor(begin(wire.TypeChunk), "cursor", cursor)
		b = appendNumber(b, "index", i)
		b = append(b, `,"data":`...)
		b, err := jsontext.AppendQuote(b, part)
		if err != nil {
			panic(err) // values are valid UTF-8, and are not cut within a character
		}
		all = append(all, append(b, '}'))
	}
	return all
}

// split cuts a text into parts that are not much longer than a chunk, and not more than there may be, between characters.
func split(text []byte) [][]byte {
	size := max(chunkBytes, len(text)/(wire.MaxChunks-1)+utf8.UTFMax)
	var parts [][]byte
	for len(text) > size {
		n := size
		for !utf8.RuneStart(text[n]) {
			n--
		}
		parts, text = append(parts, text[:n]), text[n:]
	}
	return append(parts, text)
}

func appendNumber(b []byte, name string, n int) []byte {
	b = append(append(append(b, ",\""...), name...), "\":"...)
	return strconv.AppendInt(b, int64(n), 10)
}
