//go:build unix

package server

import (
	"math"
	"syscall"
)

// descriptors is how many the process may have open. The runtime has raised the limit as far as it may.
func descriptors() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return math.MaxUint64
	}
	return uint64(limit.Cur) // which is signed on some systems
}
