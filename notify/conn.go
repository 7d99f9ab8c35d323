package notify

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// Listen wraps a listener of plain TCP, so that sessions on its connections are written to without ever waiting for one of them.
// On other connections, as those of TLS, every write gets a goroutine of its own.
func Listen(l net.Listener) net.Listener { return listener{l} }

type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return c, nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return c, nil //nolint:nilerr // the connection works all the same, in the ordinary way
	}
	return &conn{Conn: tcp, tcp: tcp, raw: raw}, nil
}

// conn is a TCP connection whose writes, once it streams, never wait: what the socket does not take at once is written by a
// goroutine that lives just as long. The TCP connection itself is not embedded: its unexported methods would come along, and
// [net.Buffers] would write past Write.
type conn struct {
	net.Conn
	tcp *net.TCPConn
	raw syscall.RawConn

	mu        sync.Mutex
	streaming bool
	patience  time.Duration // how long the socket may stay full
	draining  bool
	tail      []byte // what follows what the goroutine is writing
	pieces    int    // frames in the tail: one may be large, all others are control frames
	failed    error
	after     func(error) // called once everything is written, or cannot be
}

// stream begins the mode in which writes do not wait, and in which the socket may stay full for so long.
func (c *conn) stream(patience time.Duration) {
	_ = c.tcp.SetWriteDeadline(time.Time{})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.streaming, c.patience = true, patience
}

// bound keeps the kernel from taking in megabytes for a client that reads nothing. A connection of TLS is bounded beneath.
func bound(c net.Conn) {
	switch c := c.(type) {
	case *conn:
		_ = c.tcp.SetWriteBuffer(sendBuffer)
	case *net.TCPConn:
		_ = c.SetWriteBuffer(sendBuffer)
	case interface{ NetConn() net.Conn }:
		bound(c.NetConn())
	}
}

// cut closes a connection beneath TLS, whose own farewell would wait seconds for a client that reads nothing.
func cut(c net.Conn) {
	if above, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = above.NetConn()
	}
	_ = c.Close()
}

// CloseWrite lets the HTTP server end a response as it does on a bare TCP connection.
func (c *conn) CloseWrite() error { return c.tcp.CloseWrite() }

// whenIdle reports true when nothing is left to write. Otherwise it calls after as soon as that is so, or cannot be.
func (c *conn) whenIdle(after func(error)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining {
		c.after = after
	}
	return !c.draining
}

// SetWriteDeadline leaves a streaming connection alone: its tails have a deadline of their own.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	streaming := c.streaming
	c.mu.Unlock()
	if streaming {
		return nil
	}
	return c.tcp.SetWriteDeadline(t)
}

var errTail = errors.New("the client sends control frames and reads nothing")

// Write writes all of p, or takes a copy of what the socket has no room for.
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if !c.streaming {
		c.mu.Unlock()
		return c.tcp.Write(p)
	}
	defer c.mu.Unlock()
	if c.failed != nil {
		return 0, c.failed
	}
	n := 0
	if !c.draining {
		n, c.failed = c.writeOnce(p)
	}
	switch rest := p[n:]; {
	case c.failed != nil:
		return n, c.failed
	case len(rest) == 0:
	case c.draining && c.pieces == maxTail:
		c.failed = errTail
		return 0, c.failed
	case c.draining:
		c.tail, c.pieces = append(c.tail, rest...), c.pieces+1
	default:
		c.draining = true
		go c.drain(append([]byte(nil), rest...))
	}
	return len(p), nil
}

// writeOnce hands the socket what it has room for now.
func (c *conn) writeOnce(p []byte) (written int, err error) {
	outer := c.raw.Write(func(fd uintptr) bool {
		for written < len(p) {
			var n int
			if n, err = syscall.Write(int(fd), p[written:]); n > 0 {
				written += n
			}
			if errors.Is(err, syscall.EINTR) {
				continue
			}
			if n <= 0 || err != nil {
				break
			}
		}
		return true // never wait for the socket
	})
	if outer != nil {
		return written, outer
	}
	if errors.Is(err, syscall.EAGAIN) {
		err = nil
	}
	return written, err
}

// drain writes a tail, and what was added to it meanwhile.
func (c *conn) drain(tail []byte) {
	for {
		_ = c.tcp.SetWriteDeadline(time.Now().Add(c.patience))
		_, err := c.tcp.Write(tail)
		c.mu.Lock()
		if err == nil && len(c.tail) > 0 {
			tail, c.tail, c.pieces = c.tail, nil, 0
			c.mu.Unlock()
			continue
		}
		_ = c.tcp.SetWriteDeadline(time.Time{})
		if c.failed == nil {
			c.failed = err
		}
		after, failed := c.after, c.failed
		c.draining, c.tail, c.pieces, c.after = false, nil, 0, nil
		c.mu.Unlock()
		if after != nil {
			after(failed)
		}
		return
	}
}
