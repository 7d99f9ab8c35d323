package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const memberBuffer = 128 << 10 // for what has come of a message

var memberBuffers = sync.Pool{New: func() any { return new([memberBuffer]byte) }}

// member is one client of a swarm. It takes as little of the processor as can be, and takes the bytes of a session and bare ones in the
// same way: what is measured is who sends them.
type member struct {
	swarm    *swarm
	number   int
	deaf     bool
	shown    bool // what it is sent is kept
	patterns []string
	tcp      *net.TCPConn
	conn     net.Conn        // tcp, or TLS over it
	raw      syscall.RawConn // nil over TLS
	buf      *[memberBuffer]byte
	n        int // bytes in buf
	cursor   cursor
	frame    atomic.Pointer[[]byte] // the last with values, if it is kept
}

// cursor is one without an allocation.
type cursor struct {
	mu   sync.Mutex
	text [64]byte
	n    int
}

// listen begins to take what is sent.
func (m *member) listen(conn net.Conn) error {
	m.conn = conn
	if conn == net.Conn(m.tcp) {
		var err error
		if m.raw, err = m.tcp.SyscallConn(); err != nil {
			return err
		}
	}
	m.swarm.running.Go(func() {
		if err := m.run(); !m.swarm.cutting.Load() {
			select {
			case m.swarm.failed <- fmt.Errorf("session %d has ended: %w", m.number, err):
			default:
			}
		}
	})
	return nil
}

func (m *member) run() error {
	for {
		if err := m.fill(); err != nil {
			return err
		}
		at := time.Now().UnixNano()
		rest := m.buf[:m.n]
		for {
			frame, payload, err := cutFrame(rest)
			if err != nil {
				return err
			}
			if frame == nil {
				break
			}
			rest = rest[len(frame):]
			if err := m.take(frame, payload, at); err != nil {
				return err
			}
		}
		if m.n = copy(m.buf[:], rest); m.n == 0 {
			memberBuffers.Put(m.buf)
			m.buf = nil
		}
	}
}

// fill waits until more has come. Who waits for a message to begin has no buffer.
func (m *member) fill() (err error) {
	if m.raw == nil {
		if m.buf == nil {
			m.buf, m.n = memberBuffers.Get().(*[memberBuffer]byte), 0
		}
		n, err := m.conn.Read(m.buf[m.n:])
		m.n += n
		return err
	}
	outer := m.raw.Read(func(fd uintptr) bool {
		if m.buf == nil {
			m.buf, m.n = memberBuffers.Get().(*[memberBuffer]byte), 0
		}
		var n int
		for {
			if n, err = syscall.Read(int(fd), m.buf[m.n:]); !errors.Is(err, syscall.EINTR) {
				break
			}
		}
		if errors.Is(err, syscall.EAGAIN) {
			if err = nil; m.n == 0 {
				memberBuffers.Put(m.buf)
				m.buf = nil
			}
			return false
		}
		if m.n += max(n, 0); n == 0 && err == nil {
			err = io.EOF
		}
		return true
	})
	return errors.Join(outer, err)
}

// cutFrame is the first whole frame of the bytes, and what it holds; nil when it has not come as a whole.
func cutFrame(b []byte) (frame, payload []byte, err error) {
	if len(b) < 2 {
		return nil, nil, nil
	}
	size, at := int(b[1]&0x7f), 2
	switch {
	case size == 126 && len(b) >= 4:
		size, at = int(binary.BigEndian.Uint16(b[2:])), 4
	case size == 127 && len(b) >= 10:
		size, at = int(binary.BigEndian.Uint64(b[2:])), 10
	case size >= 126:
		return nil, nil, nil
	}
	if at+size > memberBuffer {
		return nil, nil, fmt.Errorf("a frame of %d bytes is more than is expected here", size)
	}
	if len(b) < at+size {
		return nil, nil, nil
	}
	return b[:at+size], b[at : at+size], nil
}

// take takes one frame.
func (m *member) take(frame, payload []byte, at int64) error {
	if frame[0] != 0x81 {
		return fmt.Errorf("it was sent %.200q", payload)
	}
	m.cursor.read(payload)
	switch kind := kindOf(payload); kind {
	case "ping":
		return m.ack()
	case "delta", "snapshot", "current":
		r := m.swarm.round.Load()
		if m.shown {
			kept := bytes.Clone(frame)
			m.frame.Store(&kept)
		}
		r.arrived(at)
		if r.prompt {
			return m.ack()
		}
	case "assignments":
	default:
		return fmt.Errorf("it was sent %.200s", payload)
	}
	return nil
}

// kindOf is the type of a message, which the server writes first.
func kindOf(payload []byte) string {
	rest, _ := bytes.CutPrefix(payload, []byte(`{"type":"`))
	kind, _, _ := bytes.Cut(rest, []byte(`"`))
	for _, known := range []string{"delta", "snapshot", "current", "ping", "assignments"} {
		if string(kind) == known {
			return known
		}
	}
	return ""
}

// read notes the cursor that a message leads to.
func (c *cursor) read(payload []byte) {
	head := payload[:min(len(payload), 200)]
	for _, name := range []string{`"to":"`, `"cursor":"`} {
		if at := bytes.Index(head, []byte(name)); at >= 0 {
			text, _, _ := bytes.Cut(head[at+len(name):], []byte(`"`))
			c.mu.Lock()
			c.n = copy(c.text[:], text)
			c.mu.Unlock()
			return
		}
	}
}

// ack acknowledges what the client has.
func (m *member) ack() error {
	var space [128]byte
	m.cursor.mu.Lock()
	b := append(space[:0], `{"type":"ack","cursor":"`...)
	b = append(append(b, m.cursor.text[:m.cursor.n]...), `"}`...)
	m.cursor.mu.Unlock()
	return m.say(b)
}
