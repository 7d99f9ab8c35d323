package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/trunkline/trunkline/client"
)

// killAfter is how long a command has to end after it was asked to.
const killAfter = 5 * time.Second

// lookUp makes sure that there is a program of the name: at the first change it would be late to learn that.
func lookUp(argv []string) error {
	if len(argv) == 0 {
		return nil
	}
	if _, err := exec.LookPath(argv[0]); err != nil {
		return fmt.Errorf("--exec: %w", err)
	}
	return nil
}

// run runs the command. Its error names it and how it ended; what it says goes where our own words go, and not to the server.
func (k *fileKeeper) run(ctx context.Context, s *client.State) error {
	ctx, cancel := context.WithTimeout(ctx, k.flags.ExecTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, k.argv[0], k.argv[1:]...)
	cmd.Stdout, cmd.Stderr = k.io.out, k.io.err
	cmd.Env = append(inherited(), "TRUNKLINE_FILE="+k.file, "TRUNKLINE_COMMIT="+s.Commit)
	if k.env != "" {
		cmd.Env = append(cmd.Env, "TRUNKLINE_ENV="+k.env)
	}
	cmd.WaitDelay = killAfter
	finish := grouped(cmd)
	err := cmd.Run()
	if ctx.Err() != nil {
		finish()
	}
	name := filepath.Base(k.argv[0])
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%s took longer than %s", name, k.flags.ExecTimeout)
	case ctx.Err() != nil:
		return fmt.Errorf("%s was interrupted", name)
	case errors.Is(err, exec.ErrWaitDelay):
		return nil // it ended well, and what it started holds our output
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// inherited is our environment without the credential.
func inherited() []string {
	env := os.Environ()
	kept := env[:0]
	for _, one := range env {
		if !strings.HasPrefix(one, "TRUNKLINE_TOKEN=") {
			kept = append(kept, one)
		}
	}
	return kept
}

// signal tells the process of the file with its number. One that is not there reads the file when it starts.
func (k *fileKeeper) signal() error {
	text, err := os.ReadFile(k.flags.PidFile)
	if errors.Is(err, fs.ErrNotExist) {
		k.log.Info("nobody to signal", "pidFile", k.flags.PidFile)
		return nil
	}
	if err != nil {
		return fmt.Errorf("--pid-file: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 1 {
		return fmt.Errorf("--pid-file %s does not hold the number of a process", k.flags.PidFile)
	}
	sig, err := signalNamed(k.flags.Signal)
	if err != nil {
		return err
	}
	process, err := os.FindProcess(pid)
	if err == nil {
		err = process.Signal(sig)
	}
	if errors.Is(err, os.ErrProcessDone) {
		k.log.Warn("the process to signal has ended", "pidFile", k.flags.PidFile, "pid", pid)
		return nil
	}
	if err != nil {
		return fmt.Errorf("signal %s to process %d: %w", k.flags.Signal, pid, err)
	}
	return nil
}

// splitWords parts a command into words as a shell does: at white space, but for what stands in single or double quotes or after a
// backslash. What only a shell can do is refused, because without one it would be taken for a word.
func splitWords(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	within, quote, escaped := false, rune(0), false
	for _, c := range text {
		switch {
		case escaped:
			if quote == '"' && c != '"' && c != '\\' {
				word.WriteRune('\\')
			}
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			within, escaped = true, true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			within, quote = true, c
		case quote == 0 && strings.ContainsRune(" \t\n", c):
			if within {
				words = append(words, word.String())
				word.Reset()
			}
			within = false
		case quote != '\'' && strings.ContainsRune("$`", c), quote == 0 && strings.ContainsRune("|&;<>()*?", c):
			return nil, fmt.Errorf("%q means something to a shell alone: add --shell, or put it in single quotes", c)
		default:
			within = true
			word.WriteRune(c)
		}
	}
	if quote != 0 || escaped {
		return nil, errors.New("a quote is not closed")
	}
	if within {
		words = append(words, word.String())
	}
	if len(words) == 0 || words[0] == "" {
		return nil, errors.New("it names no program")
	}
	return words, nil
}
