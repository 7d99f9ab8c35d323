package notify_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trunkline/trunkline/notify"
)

// pipe is a connection of Listen that streams, and its other end.
func pipe(t *testing.T, patience time.Duration) (ours, theirs net.Conn) {
	t.Helper()
	ours, theirs = accepted(t)
	notify.Stream(ours, patience)
	return ours, theirs
}

// accepted is a connection of Listen, and its other end.
func accepted(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := notify.Listen(plain)
	defer l.Close()
	if theirs, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if ours, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = ours.Close()
		_ = theirs.Close()
	})
	return ours, theirs
}

// block is more than the sockets of both sides hold.
var block = bytes.Repeat([]byte("0123456789abcdef"), 1<<20)

// What does not fit follows in order, however it was handed over.
func TestTailKeepsTheOrder(t *testing.T) {
	ours, theirs := pipe(t, time.Minute)
	writes := [][]byte{[]byte("first"), block, []byte("second"), []byte("third")}
	for _, p := range writes {
		if n, err := ours.Write(p); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	buffers := net.Buffers{[]byte("fourth"), []byte("fifth")}
	if _, err := buffers.WriteTo(ours); err != nil {
		t.Fatal(err)
	}
	idle := make(chan error, 1)
	if notify.WhenIdle(ours, func(err error) { idle <- err }) {
		t.Fatal("idle, though the socket is full")
	}
	want := bytes.Join(append(writes, []byte("fourthfifth")), nil)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(theirs, got); err != nil || !bytes.Equal(got, want) {
		t.Fatal("other bytes", err)
	}
	if err := <-idle; err != nil {
		t.Error(err)
	}
	if !notify.WhenIdle(ours, nil) {
		t.Error("not idle, though all is written")
	}
	if _, err := ours.Write([]byte("more")); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadFull(theirs, got[:4]); err != nil || string(got[:4]) != "more" {
		t.Error("other bytes after the tail", err)
	}
}

func TestFullSocketLosesPatience(t *testing.T) {
	ours, _ := pipe(t, 20*time.Millisecond)
	if _, err := ours.Write(block); err != nil {
		t.Fatal(err)
	}
	idle := make(chan error, 1)
	if notify.WhenIdle(ours, func(err error) { idle <- err }) {
		t.Fatal("idle, though the socket is full")
	}
	if err := <-idle; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	if _, err := ours.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("a write after what was lost:", err)
	}
}

func TestClosingEndsTheTail(t *testing.T) {
	ours, _ := pipe(t, time.Minute)
	_, _ = ours.Write(block)
	idle := make(chan error, 1)
	notify.WhenIdle(ours, func(err error) { idle <- err })
	_ = ours.Close()
	if err := <-idle; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// A tail takes one large frame and many small ones, and no end of them.
func TestTailHasAnEnd(t *testing.T) {
	ours, theirs := pipe(t, time.Minute)
	_, _ = ours.Write(block)
	idle := make(chan error, 1)
	notify.WhenIdle(ours, func(err error) { idle <- err })
	if _, err := ours.Write(block); err != nil {
		t.Fatal(err)
	}
	n := 0
	var err error
	for err == nil && n < 10_000 {
		_, err = ours.Write([]byte("pong"))
		n++
	}
	if !errors.Is(err, notify.ErrTail) || n < 400 || n > 600 {
		t.Errorf("%d small frames: %v", n, err)
	}
	go func() { _, _ = io.Copy(io.Discard, theirs) }()
	if err := <-idle; !errors.Is(err, notify.ErrTail) {
		t.Error("what is missing must stay known:", err)
	}
	if _, err := ours.Write([]byte("x")); !errors.Is(err, notify.ErrTail) {
		t.Error(err)
	}
}
