package gitsync

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"
	"unicode"
)

// Options say what to follow and where to keep it.
type Options struct {
	// URL is the remote: https://…, http://…, ssh://…, git@host:path, file:///…, or a path. It must hold no secret.
	URL string
	// Branch is followed; "main" when empty.
	Branch string
	// Dir is where the mirror lives. It is made, it is ours alone, and one Follower at a time may have it.
	Dir string
	// Origin is where the chain of commits begins; zero for the head at the first start.
	Origin Hash
	// Token, when not nil, is asked at every look, so that a rotated one is taken up. It is sent over https, and over plain
	// http to loopback addresses alone.
	Token func() (string, error)
	// SSHKeyFile is a private key without a passphrase. When empty the agent at SSH_AUTH_SOCK is asked.
	SSHKeyFile string
	// KnownHostsFile lists the host keys to trust; when empty ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts.
	KnownHostsFile string
	// Poll is the time between looks that nobody asked for: 30 s when zero, at least 1 s, within 10 % either way.
	Poll time.Duration
	// Log takes what happens; nil discards it.
	Log *slog.Logger
	// Observe is called on what is worth counting.
	Observe Observer
}

// Observer holds hooks for metrics. Any may be nil. They are called from Run's goroutine and must not block.
type Observer struct {
	// Looked is called after each look.
	Looked func(outcome Outcome, took time.Duration)
	// Fetched is called after each pack that arrived whole; bytes is its size.
	Fetched func(took time.Duration, bytes int64)
	// Repacked is called after packs were joined into one.
	Repacked func(took time.Duration, joined int)
	// Renewed is called after a damaged mirror was replaced.
	Renewed func()
}

// Outcome is how a look ended.
type Outcome string

// The outcomes of a look.
const (
	Unchanged Outcome = "unchanged"
	Moved     Outcome = "moved"
	Failed    Outcome = "failed"
)

func (o Observer) looked(outcome Outcome, took time.Duration) {
	if o.Looked != nil {
		o.Looked(outcome, took)
	}
}

func (o Observer) fetched(took time.Duration, bytes int64) {
	if o.Fetched != nil {
		o.Fetched(took, bytes)
	}
}

func (o Observer) repacked(took time.Duration, joined int) {
	if o.Repacked != nil {
		o.Repacked(took, joined)
	}
}

func (o Observer) renewed() {
	if o.Renewed != nil {
		o.Renewed()
	}
}

// complete fills in the defaults and refuses what cannot work.
func (o *Options) complete() error {
	if o.Branch == "" {
		o.Branch = "main"
	}
	o.Branch = strings.TrimPrefix(o.Branch, "refs/heads/")
	if err := checkBranch(o.Branch); err != nil {
		return err
	}
	if o.Dir == "" {
		return errors.New("the mirror needs a directory")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return fmt.Errorf("directory of the mirror: %w", err)
	}
	o.Dir = dir
	if o.Poll == 0 {
		o.Poll = defaultPoll
	}
	if o.Poll < minPoll {
		return fmt.Errorf("poll interval %s is too short: at least %s", o.Poll, minPoll)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// checkBranch applies the rules of git check-ref-format, for a branch becomes a path below the mirror.
func checkBranch(name string) error {
	bad := func(why string) error { return fmt.Errorf("branch name %q %s", oneLine(name, 80), why) }
	switch {
	case name == "":
		return bad("is empty")
	case len(name) > maxBranchName:
		return bad("is too long")
	case name == "@" || name == "HEAD" || strings.HasPrefix(name, "-"):
		return bad("is not allowed by Git")
	case strings.Contains(name, "..") || strings.Contains(name, "@{") || strings.Contains(name, "//"):
		return bad(`must not contain "..", "@{" or "//"`)
	case strings.ContainsAny(name, " ~^:?*[\\") || strings.ContainsFunc(name, unicode.IsControl):
		return bad(`must not contain spaces, control characters or any of ~^:?*[\`)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".") || strings.HasSuffix(part, ".lock") {
			return bad(`has a part that is empty, begins or ends with a dot, or ends in ".lock"`)
		}
	}
	return nil
}
