package apply

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
)

// batch is the judging of one update. It touches nothing of the Reconciler but its caches until all of it has succeeded.
type batch struct {
	*Reconciler
	memory        *memory
	position      position
	commits       []gitsync.Commit
	decisions     []Decision
	rewrite       *Rewrite
	record        *Rewrite // what goes on record of it
	waits         map[string]string
	accepted      gitsync.Hash // by an operator just now
	reconstructed bool
}

// begin finds out which commits are to be judged, and from where.
func (r *Reconciler) begin(ctx context.Context, u gitsync.Update) (*batch, error) {
	b := &batch{
		Reconciler: r, memory: newMemory(r.memory), waits: map[string]string{}, reconstructed: u.Restored && !r.memory.last.IsZero(),
	}
	if u.Rewrite != nil {
		b.rewrite = &Rewrite{Rewrite: *u.Rewrite, At: r.o.Now()}
		if r.memory.moved != (move{u.Rewrite.Old, u.Rewrite.New}) {
			b.record = b.rewrite // otherwise it is there since before a restart
		}
	}
	commits, from, err := r.unseen(u)
	if err != nil {
		return nil, err
	}
	b.commits = commits
	if len(commits) == 0 && b.rewrite == nil && from != r.memory.last {
		// The branch grew by what was judged before. No verdict will tell of it, and a restart has to begin here.
		b.record = &Rewrite{Rewrite: gitsync.Rewrite{Old: r.memory.last, New: from, Fork: r.memory.last}, At: r.o.Now()}
	}
	if from == r.tip.at {
		b.position = position{from, maps.Clone(r.tip.valid), maps.Clone(r.tip.waiting)}
		maps.Copy(b.waits, r.waits)
		return b, nil
	}
	b.position, err = r.restore(ctx, from)
	b.memory.last = from
	return b, err
}

// unseen are the commits that are to be judged, oldest first, and the judged one they follow. There are none when the branch went
// back to a commit that was judged before.
func (r *Reconciler) unseen(u gitsync.Update) ([]gitsync.Commit, gitsync.Hash, error) {
	commits := u.Commits
	for i, c := range slices.Backward(commits) {
		if r.memory.get(c.Hash) != nil {
			commits = commits[i+1:]
			break
		}
	}
	if len(commits) == 0 {
		if r.memory.get(u.Head) != nil {
			return nil, u.Head, nil
		}
		head, err := r.o.Mirror.Commit(u.Head) // older than all that is remembered
		if err != nil {
			return nil, gitsync.Hash{}, fmt.Errorf("head %s: %w", u.Head.Short(), err)
		}
		commits = []gitsync.Commit{head}
	}
	between, from, joins, err := r.down(commits[0])
	if err != nil || !joins {
		return commits, r.memory.last, err // an unrelated history must satisfy what was live before it
	}
	return append(between, commits...), from, nil
}

// down walks from a commit to the nearest ancestor that was judged, and returns those between, oldest first: what the mirror was
// handed before it was lost, or what came in by the other side of a merge that is now the trunk. It also stops at the origin,
// above which nothing was judged to its end.
func (r *Reconciler) down(c gitsync.Commit) (between []gitsync.Commit, judged gitsync.Hash, joins bool, err error) {
	if r.memory.last.IsZero() && r.memory.origin.IsZero() {
		return nil, gitsync.Hash{}, true, nil
	}
	for range MaxRemembered {
		if c.Hash == r.memory.origin {
			slices.Reverse(between)
			return between, gitsync.Hash{}, true, nil
		}
		if len(c.Parents) == 0 {
			break
		}
		parent := c.Parents[0]
		if r.memory.get(parent) != nil {
			slices.Reverse(between)
			return between, parent, true, nil
		}
		if c, err = r.o.Mirror.Commit(parent); err != nil {
			return nil, gitsync.Hash{}, false, fmt.Errorf("ancestor %s: %w", parent.Short(), err)
		}
		between = append(between, c)
	}
	return nil, gitsync.Hash{}, false, nil
}

// judge decides one commit, which follows another, in all its environments but those in which its verdict is known, and in those
// in which an earlier one is pending, where it waits.
func (b *batch) judge(ctx context.Context, c gitsync.Commit, parent gitsync.Hash, known map[string]judgement) error {
	stands := func(env string) bool {
		_, is := known[env]
		return is || b.position.waiting[env]
	}
	result, tree, err := b.compile(ctx, c.Hash, func(c gitsync.Commit, tree gitsync.Hash) compile.Against {
		a := b.after(b.memory, parent, b.position.valid)(c, tree)
		a.Settled, a.Validators, a.Waiting = stands, b.o.Validators, b.position.waiting
		return a
	})
	if err != nil {
		return err
	}
	signer, err := b.signed(c.Hash)
	if err != nil {
		return err
	}
	undoes := b.undoing(ctx, c, parent)
	before := b.memory.get(c.Hash)
	entry := b.memory.add(c.Hash, parent, tree)
	next := position{c.Hash, maps.Clone(b.position.valid), map[string]bool{}}
	lineages := map[string]*Lineage{}
	due := b.due(result)
	for _, env := range due {
		j, is := known[env]
		if !is {
			d := b.decide(c, tree, parent, env, result)
			d.Signer, d.Due = signer, len(due)
			d.Lineage = b.lineage(&d, undoes)
			lineages[env] = d.Lineage
			b.decisions = append(b.decisions, d)
			j = judgement{d.Verdict, d.Retired, d.Baseline, d.At, traced(d)}
			if before != nil && j.verdict == Pending && before.environments[env].verdict == Pending {
				j = before.environments[env] // it waits since then
			}
		}
		entry.environments[env] = j
		switch s := result.Snapshots[env]; {
		case j.verdict == Pending:
			next.waiting[env] = true
		case j.verdict == Rejected:
		case j.retired:
			delete(next.valid, env)
		case s != nil:
			next.valid[env] = &Version{ID: c.Hash.String(), Commit: c, Snapshot: s, RollbackOf: b.memory.rollback(parent, tree, env), Lineage: lineages[env]}
		}
	}
	b.position = next
	return nil
}

// due are the environments that a verdict is due for: also those in which an earlier commit is pending and that this one has no
// longer, for whether it may drop them depends on that one.
func (b *batch) due(result *compile.Result) []string {
	due := slices.Clone(result.Environments)
	for env := range b.position.waiting {
		if !slices.Contains(due, env) {
			due = append(due, env)
		}
	}
	slices.Sort(due)
	return due
}

// signed tells whose key signed a commit; nil when no key that is known did.
func (b *batch) signed(h gitsync.Hash) (*gitsync.Signer, error) {
	if b.o.Keys == nil {
		return nil, nil
	}
	signer, _, err := b.signer(h)
	return signer, err
}

func (b *batch) decide(c gitsync.Commit, tree, parent gitsync.Hash, env string, result *compile.Result) Decision {
	d := Decision{
		Commit: c, Parent: parent, Tree: tree, Environment: env, Verdict: Rejected,
		Problems: touching(result.Problems, env), Omitted: result.OmittedOf(env), Accepted: b.accepted,
		RollbackOf: b.memory.rollback(parent, tree, env), Reconstructed: b.reconstructed, At: b.o.Now(),
	}
	var old, new *value.Value
	if base := b.position.valid[env]; base != nil {
		d.Baseline, old = base.Commit.Hash, base.Snapshot.Values
	}
	if why, pending := result.Pending[env]; pending || b.position.waiting[env] {
		d.Verdict, d.Waiting = Pending, why
		if !b.position.waiting[env] {
			b.waits[env] = why
		} else {
			d.Problems, d.Omitted = nil, 0 // its baseline is not known yet
		}
		return d
	}
	delete(b.waits, env)
	if !result.Valid(env) {
		return d
	}
	d.Verdict, d.Retired = Valid, result.Snapshots[env] == nil
	if s := result.Snapshots[env]; s != nil {
		d.Checksum, new = s.Sum().String(), s.Values
	}
	d.Changes, d.ChangesOmitted = b.changes(old, new)
	d.Effects = effectsIn(result, env)
	return d
}

// effectsIn are the effects of a commit in an environment.
func effectsIn(result *compile.Result, env string) []experiment.Effect {
	var effects []experiment.Effect
	for _, e := range result.Effects {
		if slices.Contains(e.Environments, env) {
			effects = append(effects, e.Effect)
		}
	}
	return effects[:min(len(effects), maxEffects)]
}

func (b *batch) changes(old, new *value.Value) (changes []Change, omitted int) {
	if old == nil {
		return nil, 0 // the first version: everything is new
	}
	differences := value.Diff(old, new)
	for _, d := range differences[:min(len(differences), maxChanges)] {
		changes = append(changes, Change{Path: d.Path.String(), Old: b.o.Key.Digest(d.Old), New: b.o.Key.Digest(d.New)})
	}
	return changes, len(differences) - len(changes)
}

// outcomes tells which of the valid versions go live: the newest of each environment.
func (b *batch) outcomes() {
	seen := map[string]bool{}
	for i := range slices.Backward(b.decisions) {
		d := &b.decisions[i]
		if d.Verdict != Valid {
			continue
		}
		d.Outcome = Superseded
		if !seen[d.Environment] && b.newest(d) {
			d.Outcome, seen[d.Environment] = Applied, true
			if b.pins[d.Environment] != nil {
				d.Outcome = Withheld
			}
		}
	}
}

// newest tells whether a valid decision is what its environment came to: a verdict that is on record already may be of a newer commit.
func (b *batch) newest(d *Decision) bool {
	v := b.position.valid[d.Environment]
	return v == nil && d.Retired || v != nil && v.Commit.Hash == d.Commit.Hash
}
