package follow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
)

// served is what the program was given last.
type served struct {
	version *apply.Version
	full    *value.Value // all values of the version
	values  *value.Value // what the patterns select of them
	refused bool         // the program does not accept them
}

// serve hands what goes live to the program, until ctx ends.
func (r *Repo) serve(ctx context.Context) {
	env, last := "", served{}
	for ctx.Err() == nil {
		changed := r.live.Changed()
		if last.full == nil { // it may yet turn out not to be there
			var err error
			if env, err = r.environment(); err != nil {
				r.open(err)
			}
		}
		if v := r.live.Get(env); v != last.version {
			last = r.hand(last, v)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
}

// open lets Open return.
func (r *Repo) open(err error) {
	select {
	case r.opened <- err:
	default: // it has
	}
}

// environment is the one that is named, or the only one. It is an error when the repository has none of that name.
func (r *Repo) environment() (string, error) {
	status := r.reconciler.Status()
	var names []string
	for _, e := range status.Environments {
		names = append(names, e.Name)
	}
	switch {
	case r.o.Env != "" && (status.Judged.IsZero() || slices.Contains(names, r.o.Env)):
		return r.o.Env, nil
	case r.o.Env != "":
		return "", fmt.Errorf("there is no environment %s: name one of %s", r.o.Env, strings.Join(names, ", "))
	case len(names) == 1:
		return names[0], nil
	case len(names) > 1:
		return "", fmt.Errorf("there are several environments: name one of %s", strings.Join(names, ", "))
	}
	return "", nil
}

// hand gives the program a version, if it accepts it. Without one the values stay.
func (r *Repo) hand(last served, v *apply.Version) served {
	if v == nil { // it was retired
		r.doubts.behind(true)
		last.version = nil
		return last
	}
	next := served{version: v, full: v.Snapshot.Delivered}
	if r.o.Reveal {
		next.full = v.Snapshot.Values
	}
	next.values = value.SelectAgain(next.full, r.patterns, last.full, last.values)
	s := &client.State{Values: next.values, Commit: v.ID, Author: v.Commit.Author.Name, Subject: v.Commit.Subject}
	if !v.RollbackOf.IsZero() {
		s.RollbackOf = v.RollbackOf.String()
	}
	known := last.values != nil && !last.refused && value.Equal(last.values, next.values)
	if r.o.Accept != nil && !known {
		if err := r.o.Accept(s); err != nil {
			r.o.Log.Error("not accepted: the values stay as they were", "component", "follow", "commit", v.Commit.Hash.Short(), "err", err)
			r.doubts.behind(true)
			next.refused = true
			return next
		}
	}
	r.doubts.behind(false)
	r.feeder.Put(s)
	r.open(nil)
	return next
}

// looked takes note of how a look at the remote ended.
func (r *Repo) looked(outcome gitsync.Outcome, _ time.Duration) {
	r.doubts.blind(outcome == gitsync.Failed)
}

// doubts are the reasons why the values may be older than what is live.
type doubts struct {
	feeder client.Feeder

	mu     sync.Mutex
	unseen time.Time // since when the remote cannot be looked at; zero when it can
	unused time.Time // since when what is live is not what the program has; zero when it is
}

func (d *doubts) begin(feeder client.Feeder) {
	d.feeder, d.unseen = feeder, time.Now()
	d.unused = d.unseen
}

func (d *doubts) blind(is bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unseen = since(d.unseen, is)
	d.tell()
}

func (d *doubts) behind(is bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unused = since(d.unused, is)
	d.tell()
}

func since(before time.Time, is bool) time.Time {
	switch {
	case !is:
		return time.Time{}
	case before.IsZero():
		return time.Now()
	}
	return before
}

// tell passes the doubts on. The lock must be held.
func (d *doubts) tell() {
	switch {
	case d.unseen.IsZero() && d.unused.IsZero():
		d.feeder.Fresh()
	case d.unseen.IsZero():
		d.feeder.Stale(d.unused)
	default:
		d.feeder.Stale(d.unseen)
	}
}

// unopened adds to an error why there are no values yet.
func (r *Repo) unopened(err error) error {
	status := r.reconciler.Status()
	for _, e := range status.Environments {
		if r.o.Env != "" && e.Name != r.o.Env {
			continue
		}
		if e.Pending != nil {
			return fmt.Errorf("%w: commit %s waits for a verdict: %s", err, e.Pending.Commit.Hash.Short(), e.Pending.For)
		}
		if e.Blocked != nil {
			return fmt.Errorf("%w: commit %s is rejected, and no earlier one is known: %s", err, e.Blocked.Commit.Hash.Short(), first(e.Blocked.Problems))
		}
	}
	if why := r.follower.State().LastError; why != "" {
		return fmt.Errorf("%w: %s", err, why)
	}
	if s := r.State(); s == nil && !status.Judged.IsZero() {
		return errors.Join(err, errors.New("the program accepts no version"))
	}
	return err
}

// first is the first problem that rejects.
func first(problems []compile.Problem) string {
	for _, p := range problems {
		if p.Severity == compile.Error {
			return p.String()
		}
	}
	return "no problem is told"
}
