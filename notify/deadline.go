package notify

import (
	"errors"
	"math"
	"os"
	"time"
)

// deadline is one of the two of a socket. HTTP puts them off several times a request, and to move a timer each time would cost as much as to
// tell who asks. So one that is put off stays as it was set; who meets it sets the one that holds by then, and goes on.
type deadline struct {
	want, has time.Duration // since epoch, or never
}

const (
	never = time.Duration(math.MaxInt64)

	// lapse is how far ahead a deadline is set at most: a new one that is nearer than this need not be set.
	lapse = 10 * time.Second
)

var epoch = time.Now()

// put makes t what holds, and reports whether the socket must hear of it now: it has one that is later, or one that was set to wake who
// waits.
func (d *deadline) put(t time.Time) bool {
	d.want = never
	if !t.IsZero() {
		d.want = t.Sub(epoch)
	}
	return d.want < d.has || d.has < 0 && d.want != never
}

// next is the time to set.
func (d *deadline) next() time.Time {
	if d.has = d.want; d.has == never {
		return time.Time{}
	}
	d.has = min(d.has, time.Since(epoch)+lapse)
	return epoch.Add(d.has)
}

// over tells whether what holds has passed.
func (d *deadline) over() bool { return d.want <= time.Since(epoch) }

// SetReadDeadline bounds how long reads wait.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.attends {
		return c.tcp.SetReadDeadline(t)
	}
	if !c.reads.put(t) {
		return nil
	}
	return c.tcp.SetReadDeadline(c.reads.next())
}

// SetWriteDeadline leaves a streaming connection alone: its tails have a deadline of their own.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streaming || !c.writes.put(t) {
		return nil
	}
	return c.tcp.SetWriteDeadline(c.writes.next())
}

// SetDeadline sets both.
func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// readsOn reports that a read which failed is to go on, because it met a deadline that was put off.
func (c *conn) readsOn(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.reads.over() && errors.Is(err, os.ErrDeadlineExceeded) && c.tcp.SetReadDeadline(c.reads.next()) == nil
}

// writesOn reports the same of a write.
func (c *conn) writesOn(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.writes.over() && errors.Is(err, os.ErrDeadlineExceeded) && c.tcp.SetWriteDeadline(c.writes.next()) == nil
}

// readPatiently reads once something has come.
func (c *conn) readPatiently(p []byte) (int, error) {
	for {
		n, err := c.tcp.Read(p)
		if err == nil || n > 0 || !c.readsOn(err) {
			return n, err
		}
	}
}

// writePatiently writes all of p.
func (c *conn) writePatiently(p []byte) (written int, err error) {
	for {
		n, err := c.tcp.Write(p[written:])
		if written += n; err == nil || !c.writesOn(err) {
			return written, err
		}
	}
}
