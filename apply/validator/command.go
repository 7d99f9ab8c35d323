package validator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// environment is all that a command inherits, beside what the settings name.
var environment = []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/"}

// command is a program that reads the question from stdin and writes the answer to stdout. It runs alone in a process group,
// which is killed when it ends and when its time is over.
type command struct {
	argv []string
	env  []string
}

func (c *command) String() string { return "command " + c.argv[0] }

var errFlood = fmt.Errorf("the answer is larger than %d bytes", maxAnswer)

func (c *command) ask(ctx context.Context, question []byte) ([]byte, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stdout := &head{limit: maxAnswer, full: func() { cancel(errFlood) }}
	stderr := &head{limit: maxStderr, full: func() {}}
	cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	cmd.Env, cmd.Dir = c.env, "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(question), stdout, stderr
	cmd.WaitDelay = lingering
	if err := run(cmd); err != nil || ctx.Err() != nil {
		return nil, explained(ctx, err, stderr.kept)
	}
	return stdout.kept, nil
}

// run runs a command and leaves nothing of it behind.
func run(cmd *exec.Cmd) error {
	grouped(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the command: %w", err)
	}
	err := cmd.Wait()
	_ = cmd.Cancel() // what it started and did not wait for
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil // the command itself ended well, and all it wrote was read
	}
	return err
}

// explained says why there is no answer, and adds what the command says of it.
func explained(ctx context.Context, err error, stderr []byte) error {
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.As(err, &exit):
		err = fmt.Errorf("the command ends with %w", err)
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(stderr)), "\n")
	if line = oneLine(line, maxReason); line != "" {
		return fmt.Errorf("%w: it says %q", err, line)
	}
	return err
}

// head keeps the beginning of what is written to it, and calls full when there is more.
type head struct {
	kept  []byte
	limit int
	full  func()
}

func (h *head) Write(p []byte) (int, error) {
	room := h.limit - len(h.kept)
	h.kept = append(h.kept, p[:min(room, len(p))]...)
	if len(p) > room {
		h.full()
	}
	return len(p), nil
}
