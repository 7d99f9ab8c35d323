package notify_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

const (
	near = 20 * time.Millisecond
	far  = time.Minute
)

// afterNear is when a deadline that was set before, so near, has passed.
func afterNear() <-chan time.Time { return time.After(2 * near) }

func TestReadWaitsOnWhenItsDeadlineIsPutOff(t *testing.T) {
	for name, later := range map[string]time.Time{"later": time.Now().Add(far), "none": {}} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := accepted(t)
			began := time.Now()
			for _, until := range []time.Time{began.Add(near), later} {
				if err := ours.SetReadDeadline(until); err != nil {
					t.Fatal(err)
				}
			}
			go func() {
				<-afterNear()
				_, _ = theirs.Write([]byte("late"))
			}()
			got := make([]byte, 4)
			if _, err := io.ReadFull(ours, got); err != nil || string(got) != "late" {
				t.Error(string(got), err)
			}
			if waited := time.Since(began); waited < near {
				t.Errorf("the answer came after %s: no deadline has passed", waited)
			}
		})
	}
}

// HTTP ends a read under way so, and reads on afterwards.
func TestDeadlineOfThePastEndsAReadUnderWay(t *testing.T) {
	ours, theirs := accepted(t)
	for range 3 {
		if err := ours.SetReadDeadline(time.Now().Add(far)); err != nil {
			t.Fatal(err)
		}
		read := make(chan error, 1)
		go func() {
			_, err := ours.Read(make([]byte, 1))
			read <- err
		}()
		if err := ours.SetReadDeadline(time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		if err := <-read; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("a deadline that has passed holds until another is set, not", err)
		}
		if err := ours.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = theirs.Write([]byte("x")) }()
		if _, err := ours.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReadEndsAtTheDeadlineThatHoldsByThen(t *testing.T) {
	ours, _ := accepted(t)
	for _, ahead := range []time.Duration{near, far, 2 * near} {
		if err := ours.SetReadDeadline(time.Now().Add(ahead)); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	if waited := time.Since(began); waited < near {
		t.Errorf("it ended after %s, by a deadline that holds no longer", waited)
	}
}

func TestWriteGoesOnWhenItsDeadlineIsPutOff(t *testing.T) {
	ours, theirs := accepted(t)
	for _, ahead := range []time.Duration{near, far} {
		if err := ours.SetWriteDeadline(time.Now().Add(ahead)); err != nil {
			t.Fatal(err)
		}
	}
	got := make(chan []byte, 1)
	go func() {
		<-afterNear()
		all, _ := io.ReadAll(theirs)
		got <- all
	}()
	if n, err := ours.Write(block); n != len(block) || err != nil {
		t.Error(n, err)
	}
	_ = ours.Close()
	if all := <-got; !bytes.Equal(all, block) {
		t.Errorf("%d other bytes arrive", len(all))
	}
}

func TestWriteEndsAtItsDeadline(t *testing.T) {
	ours, _ := accepted(t)
	if err := ours.SetDeadline(time.Now().Add(near)); err != nil {
		t.Fatal(err)
	}
	if n, err := ours.Write(block); n == len(block) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(n, err)
	}
	var timeout net.Error
	if _, err := ours.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Error(err)
	}
}
