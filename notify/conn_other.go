//go:build !unix

package notify

import "errors"

// pollable tells that a socket can be asked for what it takes or has at once. Where it is false all connections are used as Go's own.
const pollable = false

func readNow(uintptr, []byte) (int, bool, error) { return 0, false, errors.ErrUnsupported }

func writeNow(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }
