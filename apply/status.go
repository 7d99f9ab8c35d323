package apply

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
)

// Status tells where judging stands.
type Status struct {
	// Judged is the commit that was judged last.
	Judged gitsync.Hash
	// Refused tells where the branch went that is not followed; nil while it is.
	Refused      *Refusal
	Environments []EnvironmentStatus // by name
}

// EnvironmentStatus is what one environment serves and what keeps it from serving more.
type EnvironmentStatus struct {
	Name    string
	Live    *Version // nil when nothing is
	Blocked *Blocked // nil unless the newest commit is rejected
	Pending *Waiting // nil unless the newest commit is pending
	Pin     *Pin     // nil unless it is pinned
	// Newest is the newest valid version, which a pin may keep out.
	Newest *Version
	Stops  []Stop // in order; those of a pinned environment may be of what the pin keeps out
}

// Waiting tells of the oldest commit that is pending. What follows it waits for its verdict.
type Waiting struct {
	Commit gitsync.Commit
	Since  time.Time
	For    string // what could not tell yet; empty right after a start
}

// Blocked tells of the newest commit, which is rejected.
type Blocked struct {
	Commit   gitsync.Commit
	Since    time.Time // when the first commit after the live one was rejected
	Problems []compile.Problem
}

// Status tells where judging stands. It may be called from any goroutine.
func (r *Reconciler) Status() *Status { return r.status.Load() }

func (r *Reconciler) updateStatus(p position) {
	s := &Status{Judged: p.at, Refused: r.refused}
	names := map[string]bool{}
	for env := range p.valid {
		names[env] = true
	}
	for env := range r.pins {
		names[env] = true
	}
	live := r.served(p)
	head := r.memory.get(p.at)
	if head != nil {
		for env, j := range head.environments {
			names[env] = names[env] || !j.retired
		}
	}
	for _, env := range slices.Sorted(maps.Keys(names)) {
		if !names[env] {
			continue
		}
		e := EnvironmentStatus{Name: env, Live: live[env], Newest: p.valid[env], Stops: r.stopsIn(env)}
		if pin := r.pins[env]; pin != nil {
			e.Pin = &pin.Pin
		}
		if head != nil && head.environments[env].verdict == Rejected {
			e.Blocked = r.blocked(p, env)
		}
		if head != nil && head.environments[env].verdict == Pending {
			e.Pending = r.pending(p, env)
		}
		s.Environments = append(s.Environments, e)
	}
	r.status.Store(s)
}

// blocked describes the rejected head of the chain.
func (r *Reconciler) blocked(p position, env string) *Blocked {
	b := &Blocked{Problems: r.problems[env]}
	if c, err := r.o.Mirror.Commit(p.at); err == nil {
		b.Commit = c
	}
	for c := r.memory.get(p.at); c != nil; c = r.memory.get(c.parent) {
		j, judged := c.environments[env]
		if !judged || j.verdict != Rejected {
			break
		}
		b.Since = j.at
	}
	return b
}

// pending describes the oldest commit of the chain that waits.
func (r *Reconciler) pending(p position, env string) *Waiting {
	w := &Waiting{For: r.waits[env]}
	oldest := p.at
	for at, c := p.at, r.memory.get(p.at); c != nil && c.environments[env].verdict == Pending; at, c = c.parent, r.memory.get(c.parent) {
		oldest, w.Since = at, c.environments[env].at
	}
	if c, err := r.o.Mirror.Commit(oldest); err == nil {
		w.Commit = c
	}
	return w
}

// refusals are the problems of a judged commit by the environment it is rejected in, found by judging it once more.
func (r *Reconciler) refusals(ctx context.Context, p position) (map[string][]compile.Problem, error) {
	head := r.memory.get(p.at)
	found := map[string][]compile.Problem{}
	if head == nil {
		return found, nil
	}
	var rejected []string
	for env, j := range head.environments {
		if j.verdict == Rejected {
			rejected = append(rejected, env)
		}
	}
	if len(rejected) == 0 {
		return found, nil
	}
	result, _, err := r.compile(ctx, p.at, r.after(r.memory, head.parent, p.valid))
	if err != nil {
		return nil, err
	}
	for _, env := range rejected {
		if found[env] = touching(result.Problems, env); result.Valid(env) {
			found[env] = []compile.Problem{rejectedBefore(env, p.at)}
		}
	}
	return found, nil
}

// rejectedBefore stands for problems that are not found again: validators are asked once, and settings may have changed.
func rejectedBefore(env string, commit gitsync.Hash) compile.Problem {
	return compile.Problem{
		Stage: compile.StageValidators, Severity: compile.Error, Environments: []string{env}, Rule: "rejectedBefore",
		Message: "the commit was rejected before this start, by a validator or under other settings",
		Hint:    fmt.Sprintf("the record of %s tells why (GET /v1/versions); a new commit is judged anew", commit.Short()),
	}
}

// refusals are the problems of the commit judged last.
func (b *batch) refusals(ctx context.Context) (map[string][]compile.Problem, error) {
	if len(b.decisions) == 0 {
		return b.Reconciler.refusals(ctx, b.position)
	}
	found := map[string][]compile.Problem{}
	for _, d := range b.decisions {
		if d.Commit.Hash == b.position.at && d.Verdict == Rejected {
			found[d.Environment] = d.Problems
		}
	}
	return found, nil
}

func touching(problems []compile.Problem, env string) []compile.Problem {
	var own []compile.Problem
	for _, p := range problems {
		if p.Touches(env) {
			own = append(own, p)
		}
	}
	return own
}
