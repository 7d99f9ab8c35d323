//go:build !unix

package server

import "math"

// descriptors is how many the process may have open: no limit can be asked for.
func descriptors() uint64 { return math.MaxUint64 }
