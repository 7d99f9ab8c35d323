//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestStopsThoughSomethingHangs holds that the process ends by itself where nothing breaks off what it waits for, as a disk that does not
// answer: here a pipe that nobody writes to.
func TestStopsThoughSomethingHangs(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "signers")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.Command("trunkline", "serve", "--repo", larger(t).URL(), "--data", filepath.Join(t.TempDir(), "data"), "--listen", "127.0.0.1:0", "--signers-file", pipe)
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	writer, err := os.OpenFile(pipe, os.O_WRONLY, 0) // which waits until it is opened to be read
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 1 || !strings.Contains(said.String(), "the server did not end in time") {
		t.Errorf("the server ended with %v: %s", err, said.String())
	}
}
