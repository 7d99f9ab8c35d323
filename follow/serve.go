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
	"github.com/trunkline/trunkline/client/local"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
)

// served is what the program was given last.
type served struct {
	version  *apply.Version
	full     *value.Value // all values of the version
	values   *value.Value // what the patterns select of them
	decides  *decided     // what is laid over them; nil for nothing
	resolver *local.Resolver
	resolved *client.State // for whom the Repo is read
	refused  bool          // the program does not accept them
}

// decided are overrides, as far as the patterns select them.
type decided struct {
	of   *experiment.Set
	text *value.Value
	set  *experiment.Set
}

// serve hands what goes live to the program, and what time brings, until ctx ends.
func (r *Repo) serve(ctx context.Context) {
	env, last := "", served{}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		changed := r.live.Changed()
		if last.full == nil { // it may yet turn out not to be there
			var err error
			if env, err = r.environment(); err != nil {
				r.open(err)
			}
		}
		now := time.Now()
		switch v := r.live.Get(env); {
		case v != last.version:
			last = r.hand(last, v, now)
		case v != nil && last.resolver != nil:
			last = r.offer(last, last, now)
		}
		timer.Stop()
		if last.version != nil && last.resolver != nil {
			if at, ok := last.resolver.Next(now); ok {
				timer.Reset(time.Until(at))
			}
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timer.C:
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
func (r *Repo) hand(last served, v *apply.Version, now time.Time) served {
	if v == nil { // it was retired
		r.doubts.behind(true)
		last.version = nil
		return last
	}
	full, overrides := v.Snapshot.Of(r.o.Reveal)
	next := served{version: v, full: full, values: value.SelectAgain(full, r.patterns, last.full, last.values)}
	s := &client.State{Values: next.values, Commit: v.ID, Author: v.Commit.Author.Name, Subject: v.Commit.Subject}
	if !v.RollbackOf.IsZero() {
		s.RollbackOf = v.RollbackOf.String()
	}
	var err error
	if next.decides, err = r.decide(last.decides, overrides); err != nil {
		r.refuse(v, err)
		next.refused = true
		return next
	}
	var set *experiment.Set
	if next.decides != nil {
		set = next.decides.set
	}
	next.resolver = local.NewResolver(s, set, v.Held)
	return r.offer(last, next, now)
}

// decide narrows overrides to what the patterns select, as they come to a client.
func (r *Repo) decide(last *decided, overrides *experiment.Set) (*decided, error) {
	switch {
	case overrides == nil:
		return nil, nil
	case last != nil && last.of == overrides:
		return last, nil
	}
	text := overrides.Export(func(v *value.Value) *value.Value { return value.Select(v, r.patterns) })
	if last != nil && value.Equal(last.text, text) {
		return &decided{overrides, last.text, last.set}, nil
	}
	set, _, err := experiment.Import(text)
	if err != nil {
		return nil, err
	}
	return &decided{overrides, text, set}, nil
}

// offer gives the program what a version is at a time, if it accepts it.
func (r *Repo) offer(last, next served, now time.Time) served {
	next.resolved = next.resolver.State(&r.who, now)
	same := last.resolved != nil && value.Equal(last.resolved.Values, next.resolved.Values)
	if same && last.version == next.version && slices.Equal(last.resolved.Assignments, next.resolved.Assignments) {
		return last
	}
	if r.o.Accept != nil && (!same || last.refused) {
		if err := r.o.Accept(next.resolved); err != nil {
			r.refuse(next.version, err)
			next.refused = true
			return next
		}
	}
	next.refused = false
	r.doubts.behind(false)
	r.source.Put(next.resolver)
	r.feeder.Put(next.resolved)
	r.open(nil)
	return next
}

func (r *Repo) refuse(v *apply.Version, err error) {
	r.o.Log.Error("not accepted: the values stay as they were", "component", "follow", "commit", v.Commit.Hash.Short(), "err", err)
	r.doubts.behind(true)
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
