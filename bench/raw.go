package main

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// rawSockets are the counterpart of a broadcast: bare sockets that bytes are written to by write(2), from as many threads as there are
// processors.
type rawSockets struct {
	conns []net.Conn
	fds   []int
}

// openRaw has as many clients of the swarm connect.
func openRaw(w *swarmProcess, n int) (*rawSockets, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	r := &rawSockets{}
	accepted := make(chan error, 1)
	go func() { accepted <- r.accept(l, n) }()
	_, err = w.tell(order{Do: "raw", Addr: l.Addr().String(), Sessions: n})
	if err != nil {
		_ = l.Close()
	}
	if err := errors.Join(err, <-accepted); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *rawSockets) accept(l net.Listener, n int) error {
	for range n {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		r.conns = append(r.conns, c)
		raw, err := c.(*net.TCPConn).SyscallConn()
		if err == nil {
			err = raw.Control(func(fd uintptr) { r.fds = append(r.fds, int(fd)) }) // it stays open as long as conns are kept
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// write writes the same bytes to every socket.
func (r *rawSockets) write(data []byte) error {
	threads := runtime.GOMAXPROCS(0)
	errs := make([]error, threads)
	var writing sync.WaitGroup
	for t := range threads {
		writing.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for i := t; i < len(r.fds) && errs[t] == nil; i += threads {
				if n, err := syscall.Write(r.fds[i], data); err != nil || n < len(data) {
					errs[t] = errors.Join(fmt.Errorf("write(2) took %d of %d bytes", n, len(data)), err)
				}
			}
		})
	}
	writing.Wait()
	return errors.Join(errs...)
}

func (r *rawSockets) close() {
	for _, c := range r.conns {
		_ = c.Close()
	}
}

// broadcast writes bytes to all sockets so many times, and returns the medians of how long it took until the last client had them, in
// ms, and of the processor time for each, in µs.
func (r *rawSockets) broadcast(w *swarmProcess, data []byte, times int) (last, each float64, err error) {
	var lasts, costs []float64
	for range times {
		if err := w.expect(len(r.fds), false); err != nil {
			return 0, 0, err
		}
		before, began := cpu(), time.Now().UnixNano()
		err := r.write(data)
		costs = append(costs, float64(cpu()-before)/1e3/float64(len(r.fds)))
		got, waited := w.wait()
		if err := errors.Join(err, waited); err != nil {
			return 0, 0, err
		}
		lasts = append(lasts, float64(got.Last-began)/1e6)
	}
	return median(lasts), median(costs), nil
}
