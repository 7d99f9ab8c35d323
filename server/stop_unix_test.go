//go:build unix

package server_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trunkline/trunkline/server"
)

// A disk that does not answer holds whoever reads or writes, and nothing can break that off. A pipe that nobody writes to is one.
func TestEndsThoughSomethingHangs(t *testing.T) {
	remote := shop(t)
	set := settings(remote, t.TempDir())
	set.SignersFile = filepath.Join(t.TempDir(), "signers")
	if err := syscall.Mkfifo(set.SignersFile, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := server.New(set, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.EndWithin(50*time.Millisecond, nil)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.RunWithin(ctx) }()
	pipe, err := os.OpenFile(set.SignersFile, os.O_WRONLY, 0) // which waits until it is opened to be read
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := receive(t, "the end", ended); err == nil || !strings.Contains(err.Error(), "something hangs") {
		t.Errorf("the server ended with %v", err)
	}
	_ = pipe.Close() // what hung goes on
	eventually(t, "the server has let go of its address", func() bool {
		conn, err := net.Dial("tcp", s.Addr())
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
}
