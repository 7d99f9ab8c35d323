//go:build unix

package notify

import (
	"errors"
	"syscall"
)

// pollable tells that a socket can be asked for what it takes or has at once.
const pollable = true

// readNow reads what a socket has; waits is true where that is nothing yet.
func readNow(fd uintptr, p []byte) (n int, waits bool, err error) {
	for {
		if n, err = syscall.Read(int(fd), p); !errors.Is(err, syscall.EINTR) {
			return n, errors.Is(err, syscall.EAGAIN), err
		}
	}
}

// writeNow hands a socket what it has room for.
func writeNow(fd uintptr, p []byte) (written int, err error) {
	for written < len(p) {
		n, err := syscall.Write(int(fd), p[written:])
		written += max(n, 0)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return written, nil
		case err != nil || n <= 0:
			return written, err
		}
	}
	return written, nil
}
