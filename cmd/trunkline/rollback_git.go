package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

// userGit runs the git of whoever runs the command: their identity, credentials, hooks and signing.
type userGit struct {
	dir string
	env []string // on top of the process's own
}

// gitError is what git said when it failed, without credentials.
type gitError struct {
	verb, said string
}

func (e *gitError) Error() string { return "git " + e.verb + ": " + e.said }

var errNoGit = errors.New("git is not installed, or not in PATH: the rollback is made with it")

const (
	maxGitTalk   = 64 << 10 // of what git says in an error
	maxGitOutput = 64 << 20
	gitGrace     = 5 * time.Second // for what git started, once git itself has ended
)

// run runs git, and returns what it wrote.
func (g userGit) run(ctx context.Context, args ...string) (string, error) {
	out, _, err := g.call(ctx, "", args...)
	return strings.TrimSpace(out), err
}

// call runs git with an input, and returns its output and what it said beside.
func (g userGit) call(ctx context.Context, in string, args ...string) (out, said string, err error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.WaitDelay = g.dir, gitGrace
	cmd.Env = append(append(os.Environ(), "LANGUAGE=en"), g.env...) // its words are read
	cmd.Stdin = strings.NewReader(in)
	stdout, stderr := &bounded{most: maxGitOutput}, &bounded{most: maxGitTalk}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	err = cmd.Run()
	said = withoutCredentials(strings.TrimSpace(stderr.kept.String()))
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", "", errNoGit
	case ctx.Err() != nil:
		return "", said, ctx.Err()
	case err != nil:
		return stdout.kept.String(), said, &gitError{args[0], cmp.Or(said, strings.TrimSpace(stdout.kept.String()), err.Error())}
	case stdout.over:
		return "", said, fmt.Errorf("git %s: more than %d bytes", args[0], maxGitOutput)
	}
	return stdout.kept.String(), said, nil
}

// ok tells whether git ends well.
func (g userGit) ok(ctx context.Context, args ...string) bool {
	_, err := g.run(ctx, args...)
	return err == nil
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	kept bytes.Buffer
	most int
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	room := b.most - b.kept.Len()
	b.over = b.over || len(p) > room
	b.kept.Write(p[:min(room, len(p))])
	return len(p), nil
}

var credentials = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^/\s@]*@`)

// withoutCredentials leaves out names and passwords of URLs.
func withoutCredentials(text string) string { return credentials.ReplaceAllString(text, "$1") }

// remoteWords are what a remote said, as git passes it on.
func remoteWords(said string) []string {
	var words []string
	for line := range strings.Lines(said) {
		if text, ok := strings.CutPrefix(line, "remote:"); ok {
			if text = strings.TrimSpace(strings.Map(printableRune, text)); text != "" {
				words = append(words, text)
			}
		}
	}
	return words
}

// printableRune drops control characters, with which a remote could move the cursor.
func printableRune(r rune) rune {
	if r < ' ' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
		return -1
	}
	return r
}
