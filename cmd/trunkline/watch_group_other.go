//go:build !unix

package main

import (
	"os"
	"os/exec"
)

// grouped leaves the command alone where there are no process groups: it is killed, and what it started outlives it.
func grouped(*exec.Cmd) (finish func()) { return func() {} }

func signalNamed(string) (os.Signal, error) {
	return nil, misused("--signal works on Unix alone: use --exec")
}
