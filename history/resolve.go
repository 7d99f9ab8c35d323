package history

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trunkline/trunkline/gitsync"
)

// Basis tells what a version was named by.
type Basis string

// The bases.
const (
	ByCommit Basis = "commit" // its name, or the beginning of it
	ByTag    Basis = "tag"
	ByLog    Basis = "log"    // a time: the log tells what was live then
	ByBranch Basis = "branch" // a time that the log does not reach: the newest commit of the branch by then, by the commits' own clocks
	ByLive   Basis = "live"   // nothing: it is live
)

// At is a version that was asked for.
type At struct {
	Commit gitsync.Commit
	Basis  Basis
	Tags   []string // that name the commit
}

// Resolve finds the version that a name means in an environment: a commit, seven digits or more of one, a tag, a time as RFC 3339
// writes it, or "" for what is live. Its errors are those of [gitsync.Follower.Named], [ErrBeforeHistory] and [ErrNoEnvironment].
func (h *History) Resolve(ctx context.Context, name, env string) (At, error) {
	hash, basis, err := h.find(ctx, name, env)
	if err != nil {
		return At{}, err
	}
	c, err := h.o.Mirror.Commit(hash)
	if err != nil {
		return At{}, fmt.Errorf("version %s: %w", hash.Short(), err)
	}
	return At{Commit: c, Basis: basis, Tags: h.Tags()[hash]}, nil
}

func (h *History) find(ctx context.Context, name, env string) (gitsync.Hash, Basis, error) {
	if name == "" {
		live := h.o.Live.Get(env)
		if live == nil {
			return gitsync.Hash{}, "", fmt.Errorf("%w: nothing is live in %s", ErrNoEnvironment, env)
		}
		return live.Commit.Hash, ByLive, nil
	}
	if at, err := time.Parse(time.RFC3339, name); err == nil {
		return h.then(ctx, at, env)
	}
	hash, err := h.o.Mirror.Named(ctx, name)
	if err != nil {
		return gitsync.Hash{}, "", err
	}
	if len(name) >= shortestName && strings.HasPrefix(hash.String(), strings.ToLower(name)) {
		return hash, ByCommit, nil // a tag of the name counts only where there is no such commit
	}
	return hash, ByTag, nil
}

// then finds what was live at a time: by the log, or, before it began, by the branch.
func (h *History) then(ctx context.Context, at time.Time, env string) (gitsync.Hash, Basis, error) {
	hash, known, err := h.o.Log.LiveAt(ctx, env, at)
	if err != nil {
		return gitsync.Hash{}, "", fmt.Errorf("what was live at %s: %w", at.Format(time.RFC3339), err)
	}
	if known && !hash.IsZero() {
		return hash, ByLog, nil
	}
	hash, err = h.newest(ctx, at)
	return hash, ByBranch, err
}

// newest is the newest commit of the branch that was committed by a time.
func (h *History) newest(ctx context.Context, by time.Time) (found gitsync.Hash, err error) {
	head := h.o.Mirror.Head()
	if judged := h.judged(); !judged.IsZero() {
		head = judged // the branch may be somewhere that is not followed
	}
	if head.IsZero() {
		return found, fmt.Errorf("%w: the branch is empty", ErrBeforeHistory)
	}
	looked, oldest := 0, time.Time{}
	err = h.chain.Walk(ctx, head, func(s gitsync.Step) bool {
		if looked, oldest = looked+1, s.When; !s.When.After(by) {
			found = s.Commit
		}
		return found.IsZero() && looked < maxSought
	})
	if err == nil && found.IsZero() {
		err = fmt.Errorf("%w: the oldest of the %d commits looked at is of %s", ErrBeforeHistory, looked, oldest.UTC().Format(time.RFC3339))
	}
	return found, err
}

// judged is the commit that was judged last.
func (h *History) judged() gitsync.Hash {
	if h.o.Status == nil {
		return gitsync.Hash{}
	}
	return h.o.Status().Judged
}

// Tags are the names of tags by the commit that they name.
func (h *History) Tags() map[gitsync.Hash][]string {
	byCommit := map[gitsync.Hash][]string{}
	for name, hash := range h.o.Mirror.Tags() {
		byCommit[hash] = append(byCommit[hash], name)
	}
	for _, names := range byCommit {
		slices.Sort(names)
	}
	return byCommit
}
