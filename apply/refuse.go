package apply

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trunkline/trunkline/gitsync"
)

// Refusal tells of a branch that left its old head and is not followed.
type Refusal struct {
	// Old is the head that stays; zero where nothing tells where the branch stood.
	Old gitsync.Hash
	// New is where the branch is now. An operator may accept it.
	New   gitsync.Hash
	Lost  int // first-parent commits of the old head that the new one has not
	Since time.Time
}

// refuse keeps what is live, where that is wanted, when the branch left its old head: until an operator accepts the new one, or the
// branch holds the old one again. Without a log and without an origin there is nothing that the branch could have left.
func (r *Reconciler) refuse(ctx context.Context, u gitsync.Update) error {
	begun := !r.memory.last.IsZero() || !r.memory.origin.IsZero() || !r.o.Origin.IsZero()
	if !r.o.RefuseRewrites || begun && u.Rewrite == nil || r.accepted(u) {
		if r.refused != nil {
			r.refused, r.memory.turnedAway = nil, move{}
		}
		return nil
	}
	refused := Refusal{New: u.Head, Since: r.o.Now()}
	if u.Rewrite != nil {
		refused.Old, refused.Lost = u.Rewrite.Old, u.Rewrite.LostTotal
	}
	if r.refused == nil || r.refused.Old != refused.Old || r.refused.New != refused.New {
		if err := r.recordRefusal(ctx, u, refused); err != nil {
			return err
		}
		r.refused = &refused
		r.updateStatus(r.tip)
	}
	return fmt.Errorf("%s: %w", r.refused, gitsync.ErrNotTaken)
}

// recordRefusal puts it on record, once, however often the server is started meanwhile.
func (r *Reconciler) recordRefusal(ctx context.Context, u gitsync.Update, refused Refusal) error {
	r.o.Slog.Error(refused.String(), "component", "apply")
	if u.Rewrite == nil || r.memory.turnedAway == (move{refused.Old, refused.New}) {
		return nil
	}
	if err := r.record(ctx, Events{Rewrite: &Rewrite{Rewrite: *u.Rewrite, At: refused.Since, Refused: true}}); err != nil {
		return err
	}
	r.memory.turnedAway = move{refused.Old, refused.New}
	return nil
}

// String says what happened and what to do.
func (f Refusal) String() string {
	if f.Old.IsZero() {
		return "rewritten history is refused, and neither the log nor --origin tells where the branch stood: name a commit that it must hold with --origin"
	}
	return fmt.Sprintf("the branch was rewritten from %s to %s, which is refused: restore the branch, or let it stand with trunkline accept %s --reason TEXT",
		f.Old.Short(), f.New.Short(), f.New.Short())
}

// accepted tells whether an operator accepted where the branch went: from this head, and to this one or to what it grew from. It is
// good for one time.
func (r *Reconciler) accepted(u gitsync.Update) bool {
	if u.Rewrite == nil || u.Rewrite.Old != r.memory.allowed.old {
		return false
	}
	return r.memory.allowed.new == u.Head || slices.ContainsFunc(u.Commits, func(c gitsync.Commit) bool {
		return c.Hash == r.memory.allowed.new
	})
}

// acceptRewrite takes an operator's word for where the branch went. It is followed when it is handed on again.
func (r *Reconciler) acceptRewrite(ctx context.Context, accepted Acceptance) error {
	if r.refused.Old.IsZero() {
		return fmt.Errorf("accept %s: %s", r.refused.New.Short(), r.refused)
	}
	accepted.Commit, accepted.From, accepted.At = r.refused.New, r.refused.Old, r.o.Now()
	ctx, cancel := context.WithTimeout(ctx, logPatience)
	defer cancel()
	if err := r.o.Log.Record(ctx, Events{Acceptance: &accepted}); err != nil {
		return err
	}
	r.memory.allowed = move{accepted.From, accepted.Commit}
	return nil
}

// refuses tells whether a name is that of the head that is refused.
func (r *Reconciler) refuses(name string) bool {
	return r.refused != nil && len(name) >= minAbbreviation && strings.HasPrefix(r.refused.New.String(), name)
}
