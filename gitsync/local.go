package gitsync

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// local reaches a repository on this machine through the git command, as Git itself does.
type local struct{ path string }

func (l local) dial(ctx context.Context) (session, error) {
	ctx, cancel := context.WithCancel(ctx)
	stderr := &tail{}
	cmd := exec.CommandContext(ctx, "git", "upload-pack", "--", l.path)
	cmd.Env = outsideEnv()
	cmd.Stderr = stderr
	cmd.WaitDelay = time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		cancel()
		return nil, fmt.Errorf("git upload-pack: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		cancel()
		return nil, fmt.Errorf("git upload-pack: %w", err)
	}
	if err := cmd.Start(); err != nil {
		cancel()
		if errors.Is(err, exec.ErrNotFound) {
			return nil, hint(err, "a repository on this machine is read by the git command, which is not installed")
		}
		return nil, fmt.Errorf("git upload-pack: %w", err)
	}
	stop := func() error {
		_ = out.Close() // a process that still writes ends by it
		defer cancel()
		_ = cmd.Wait() // it may not like how we left; what counts was read
		return nil
	}
	return &stream{in: in, out: out, stderr: stderr, stop: stop}, nil
}

func (l local) close() {}

// outsideEnv leaves out what would point git elsewhere, as when we are started from a hook.
func outsideEnv() []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "GIT_") || strings.HasPrefix(name, "GIT_CONFIG") || name == "GIT_EXEC_PATH" {
			env = append(env, kv)
		}
	}
	return env
}
