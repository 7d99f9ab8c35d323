package notify

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// Listen wraps a listener of plain TCP, so that sessions on its connections are written to without ever waiting for one of them, and
// wait for their clients at the least cost. TLS may be laid over it; then every write gets a goroutine of its own, as it does where the
// system is no Unix.
func Listen(l net.Listener) net.Listener {
	if !pollable {
		return l
	}
	return listener{l}
}

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
	return &conn{tcp: tcp, raw: raw, reads: deadline{never, never}, writes: deadline{never, never}}, nil
}

// conn is a TCP connection with two modes. Once it streams, writes never wait: what the socket does not take at once is written by a
// goroutine that lives just as long. Once it attends, reads never wait: [conn.await] does.
type conn struct {
	tcp *net.TCPConn
	raw syscall.RawConn

	// Of the goroutine that reads.
	peeked bool // await took the byte below
	ahead  [1]byte

	attends bool // set under mu, by the goroutine that reads or before it begins

	mu        sync.Mutex
	reads     deadline // until it attends
	writes    deadline // until it streams
	streaming bool
	patience  time.Duration // how long the socket may stay full
	tail      *tail         // what the socket had no room for; nil when it takes all
	failed    error
}

// tail is what a goroutine writes to a socket that is full.
type tail struct {
	more   []byte      // what follows what the goroutine is writing
	pieces int         // frames in more: one may be large, all others are control frames
	after  func(error) // called once everything is written, or cannot be
}

// attend begins the mode in which reads do not wait. Nothing may be reading.
func (c *conn) attend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attends = true
	_ = c.tcp.SetReadDeadline(time.Time{}) // the session sets its own
}

// stream begins the mode in which writes do not wait, and in which the socket may stay full for so long.
func (c *conn) stream(patience time.Duration) {
	_ = c.tcp.SetWriteDeadline(time.Time{})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.streaming, c.patience = true, patience
}

// beneath is the connection of ours that another one, as that of TLS, is laid over; nil when there is none.
func beneath(c net.Conn) *conn {
	switch c := c.(type) {
	case *conn:
		return c
	case interface{ NetConn() net.Conn }:
		return beneath(c.NetConn())
	}
	return nil
}

// bound keeps the kernel from taking in megabytes for a client that reads nothing.
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

// Close, CloseWrite, LocalAddr and RemoteAddr are those of the TCP connection. It is not embedded: what else it can do would come along,
// and [net.Buffers] would write past Write.
func (c *conn) Close() error         { return c.tcp.Close() }
func (c *conn) CloseWrite() error    { return c.tcp.CloseWrite() } // lets the HTTP server end a response as it does on a bare connection
func (c *conn) LocalAddr() net.Addr  { return c.tcp.LocalAddr() }
func (c *conn) RemoteAddr() net.Addr { return c.tcp.RemoteAddr() }

// errNothing is the error of a read from a connection that attends, when nothing has come. TLS takes it for one that will pass.
var errNothing error = nothing{}

type nothing struct{}

func (nothing) Error() string   { return "nothing has come" }
func (nothing) Timeout() bool   { return true }
func (nothing) Temporary() bool { return true }

// Read reads what has come. It waits for something until the connection attends.
func (c *conn) Read(p []byte) (n int, err error) {
	if !c.attends || len(p) == 0 {
		return c.readPatiently(p)
	}
	if c.peeked {
		n, c.peeked = copy(p, c.ahead[:]), false
	}
	more, err := c.readOnce(p[n:])
	if n += more; n > 0 && (err == errNothing || err == io.EOF) { //nolint:errorlint // our own, and that of the interface
		err = nil // the next read meets it again
	}
	return n, err
}

// readOnce reads what the socket has now.
func (c *conn) readOnce(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	waits := false
	outer := c.raw.Read(func(fd uintptr) bool {
		n, waits, err = readNow(fd, p)
		return true // never wait for the socket
	})
	switch {
	case outer != nil:
		return 0, outer
	case waits:
		return 0, errNothing
	case err == nil && n == 0:
		return 0, io.EOF
	}
	return max(n, 0), err
}

// await waits until something has come, the connection ends, or its time to read is up. It needs so little that a goroutine which
// does nothing else keeps the smallest stack there is.
func (c *conn) await() error {
	if c.peeked {
		return nil
	}
	return c.raw.Read(c.peek)
}

// peek reports whether a read would not wait. There is nothing to ask the system for that without a read.
func (c *conn) peek(fd uintptr) bool {
	n, waits, _ := readNow(fd, c.ahead[:])
	c.peeked = n == 1
	return !waits
}

// whenIdle reports true when nothing is left to write. Otherwise it calls after as soon as that is so, or cannot be.
func (c *conn) whenIdle(after func(error)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tail != nil {
		c.tail.after = after
	}
	return c.tail == nil
}

var errTail = errors.New("the client sends control frames and reads nothing")

// Write writes all of p, or takes a copy of what the socket has no room for.
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if !c.streaming {
		c.mu.Unlock()
		return c.writePatiently(p)
	}
	defer c.mu.Unlock()
	return c.put(p, false)
}

// lend writes all of p as Write does, and takes no copy: p must never change.
func (c *conn) lend(p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.put(p, true)
	return err
}

// put hands the socket what it has room for, and keeps the rest. The lock must be held.
func (c *conn) put(p []byte, lent bool) (int, error) {
	if c.failed != nil {
		return 0, c.failed
	}
	n := 0
	if c.tail == nil {
		n, c.failed = c.writeOnce(p)
	}
	switch rest := p[n:]; {
	case c.failed != nil:
		return n, c.failed
	case len(rest) == 0:
	case c.tail != nil && c.tail.pieces == maxTail:
		c.failed = errTail
		return 0, c.failed
	case c.tail != nil:
		c.tail.more, c.tail.pieces = append(c.tail.more, rest...), c.tail.pieces+1
	default:
		if !lent {
			rest = append([]byte(nil), rest...)
		}
		c.tail = &tail{}
		go c.drain(rest)
	}
	return len(p), nil
}

// writeOnce hands the socket what it has room for now.
func (c *conn) writeOnce(p []byte) (written int, err error) {
	outer := c.raw.Write(func(fd uintptr) bool {
		written, err = writeNow(fd, p)
		return true // never wait for the socket
	})
	if outer != nil {
		return written, outer
	}
	return written, err
}

// drain writes what the socket had no room for, and what was added to it meanwhile.
func (c *conn) drain(rest []byte) {
	for {
		_ = c.tcp.SetWriteDeadline(time.Now().Add(c.patience))
		_, err := c.tcp.Write(rest)
		c.mu.Lock()
		if t := c.tail; err == nil && len(t.more) > 0 {
			rest, t.more, t.pieces = t.more, nil, 0
			c.mu.Unlock()
			continue
		}
		_ = c.tcp.SetWriteDeadline(time.Time{})
		if c.failed == nil {
			c.failed = err
		}
		after, failed := c.tail.after, c.failed
		c.tail = nil
		c.mu.Unlock()
		if after != nil {
			after(failed)
		}
		return
	}
}
