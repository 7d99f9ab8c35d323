package apply

import (
	"context"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/gitsync"
)

// Lineage tells what a commit takes back. The content decides; what the message says is kept beside it.
type Lineage struct {
	Kind LineageKind `json:"kind"`
	// Version is the one whose content a rollback restores.
	Version gitsync.Hash `json:"version,omitzero"`
	// First and Last are the oldest and the newest commit that is taken back, equal when it is one; zero when it is not known.
	First gitsync.Hash `json:"first,omitzero"`
	Last  gitsync.Hash `json:"last,omitzero"`
	// Paths are the values that a partial revert takes back.
	Paths []string `json:"paths,omitempty"`
	// Claim is what the message says that the commit takes back; nil when it says nothing of the kind.
	Claim *gitsync.Claim `json:"claim,omitempty"`
	// Confirmed: the content bears out the claim.
	Confirmed bool `json:"confirmed,omitempty"`
}

// LineageKind is how a commit relates to what it takes back.
type LineageKind string

// The kinds.
const (
	// LineageRollback restores exactly the files of an earlier version that was valid.
	LineageRollback LineageKind = "rollback"
	// LineageRevert is the inverse of an earlier commit, or of several in a row: of their files, or of all the values they changed.
	LineageRevert LineageKind = "revert"
	// LineagePartial takes back some of the values that an earlier commit changed.
	LineagePartial LineageKind = "partialRevert"
	// LineageClaimed says that it takes something back, and its content does not.
	LineageClaimed LineageKind = "claimedRevert"
)

// takesBack tells whether all that a version changes is a return.
func (l *Lineage) takesBack() bool {
	return l != nil && (l.Kind == LineageRollback || l.Kind == LineageRevert)
}

// Inverter finds which earlier commits one takes back, file by file; [gitsync.Chain] is one.
type Inverter interface {
	Inverse(ctx context.Context, commit gitsync.Hash) (span gitsync.Span, found bool, err error)
}

// undoing is what a commit takes back by its files, and by its message, whatever the environment.
type undoing struct {
	span    gitsync.Span
	spans   bool
	claim   *gitsync.Claim
	claimed []gitsync.Hash // the commits that the claim names, as far as they were judged
}

// undoing finds it out. That it cannot be told holds nothing up.
func (b *batch) undoing(ctx context.Context, c gitsync.Commit, parent gitsync.Hash) undoing {
	var u undoing
	if claim, claims := gitsync.ClaimOf(c); claims {
		u.claim, u.claimed = &claim, b.claimed(claim, parent)
	}
	if b.o.Inverter == nil || parent.IsZero() || len(c.Parents) == 0 || c.Parents[0] != parent {
		return u
	}
	var err error
	if u.span, u.spans, err = b.o.Inverter.Inverse(ctx, c.Hash); err != nil && ctx.Err() == nil {
		b.o.Slog.Warn("what a commit takes back cannot be told", "component", "apply", "commit", c.Hash.Short(), "err", err)
	}
	return u
}

// claimed finds the commits that a claim names among those judged before: by the beginning of a name, or, where it names none, by the
// subject it quotes.
func (b *batch) claimed(claim gitsync.Claim, from gitsync.Hash) []gitsync.Hash {
	var found []gitsync.Hash
	for at, n := from, 0; !at.IsZero() && n < tracedVersions; n++ {
		judged := b.memory.get(at)
		if judged == nil {
			break
		}
		if b.names(claim, at) {
			if found = append(found, at); len(found) >= max(1, len(claim.Commits)) {
				break
			}
		}
		at = judged.parent
	}
	return found
}

func (b *batch) names(claim gitsync.Claim, h gitsync.Hash) bool {
	if len(claim.Commits) > 0 {
		return slices.ContainsFunc(claim.Commits, func(name string) bool { return strings.HasPrefix(h.String(), strings.ToLower(name)) })
	}
	c, err := b.o.Mirror.Commit(h)
	return err == nil && claim.Subject != "" && c.Subject == claim.Subject
}

// lineage tells what a decided commit takes back in its environment.
func (b *batch) lineage(d *Decision, u undoing) *Lineage {
	l := &Lineage{Version: d.RollbackOf, Claim: u.claim}
	touched := d.Verdict != Valid || len(d.Changes) > 0 || !d.RollbackOf.IsZero()
	switch {
	case !touched:
		return nil
	case !d.RollbackOf.IsZero():
		l.Kind = LineageRollback
	case u.spans:
		l.Kind = LineageRevert
	default:
		b.returned(l, d, u.claimed)
	}
	if u.spans {
		l.First, l.Last = u.span.First, u.span.Last
	}
	if l.Kind == "" && u.claim == nil {
		return nil
	}
	if l.Kind == "" {
		l.Kind = LineageClaimed
	}
	l.Confirmed = l.Kind != LineageClaimed && len(u.claimed) > 0 && b.spanned(l, u.claimed)
	return l
}

// spanned tells whether all the commits named lie in what is taken back.
func (b *batch) spanned(l *Lineage, named []gitsync.Hash) bool {
	found := 0
	for at, n := l.Last, 0; !at.IsZero() && n < MaxRemembered; n++ {
		if slices.Contains(named, at) {
			found++
		}
		judged := b.memory.get(at)
		if at == l.First || judged == nil {
			break
		}
		at = judged.parent
	}
	return found == len(named)
}

// returned recognises values that return to what they were before an earlier version. Where there are several such versions it is
// the one that the message claims, or the one of which the most values return, or the newest.
func (b *batch) returned(l *Lineage, d *Decision, claimed []gitsync.Hash) {
	if d.ChangesOmitted > 0 || len(d.Changes) == 0 {
		return
	}
	now := map[string]Change{}
	for _, c := range d.Changes {
		now[c.Path] = c
	}
	best := 0
	for at, n := d.Parent, 0; !at.IsZero() && n < tracedVersions; n++ {
		judged := b.memory.get(at)
		if judged == nil {
			break
		}
		before := judged.environments[d.Environment]
		paths := takenBack(before.changes, now)
		rank := len(paths)
		if rank > 0 && slices.Contains(claimed, at) {
			rank += MaxTraced
		}
		if rank > best {
			best = rank
			l.First, l.Last, l.Kind, l.Paths = at, at, LineagePartial, paths
			if len(paths) == len(now) && len(paths) == len(before.changes) {
				l.Kind, l.Paths = LineageRevert, nil
			}
		}
		at = judged.parent
	}
}

// takenBack are the paths of changes that others undo.
func takenBack(changes []Change, by map[string]Change) []string {
	var paths []string
	for _, c := range changes {
		if undo, is := by[c.Path]; is && undo.Old == c.New && undo.New == c.Old {
			paths = append(paths, c.Path)
		}
	}
	return paths
}

// traced are the changes of a decision that are remembered, so that a later one which takes them back is recognised.
func traced(d Decision) []Change {
	if d.Verdict != Valid || d.ChangesOmitted > 0 || len(d.Changes) > MaxTraced {
		return nil
	}
	return d.Changes
}
