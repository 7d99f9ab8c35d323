// Package apply decides what is live. It judges the commits of the branch in order, each against its baseline, takes the verdicts
// to the log, and swaps what every environment serves.
//
// Make a [Reconciler] with [New], call [Reconciler.Start] to serve what the log remembers, and hand it the updates of the branch
// with [Reconciler.Take], while [Reconciler.Run] asks again about what is pending. Whoever reads configuration does so through
// [Live], from any goroutine.
//
// A verdict depends on the chain of commits and the settings alone: not on how commits were batched, on restarts, or on what happens
// to be live. Where it depends on the outside, the first definite answer is recorded and binds.
// All that can fail happens before anything live is touched; the record is written before the swap.
package apply

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
)

// Options say what a Reconciler works with.
type Options struct {
	Mirror Mirror
	Log    Log
	Live   *Live
	// Remembered is what the log knows of earlier decisions, oldest first.
	Remembered []Remembered
	// Key keys the digests of values.
	Key value.Key
	// Path is the folder of the config repo in the repository; "" is its root.
	Path string
	// Keys are those that may sign commits; nil for none.
	Keys *gitsync.Keyring
	// Validators are the operator's own checks.
	Validators []compile.Validator
	// Inverter finds what commits take back; nil where nobody can.
	Inverter Inverter
	// RefuseRewrites: when the branch leaves its old head, what is live stays until an operator accepts the new one.
	RefuseRewrites bool
	// Origin is where the chain of commits begins, by the settings; zero when they do not say.
	Origin gitsync.Hash
	// LogRequired: nothing goes live before the log has taken its record.
	LogRequired bool
	// Observe is called on what is worth counting.
	Observe Observer
	Slog    *slog.Logger
	// Now tells the time; time.Now when nil.
	Now func() time.Time
}

// Observer holds hooks for metrics. Any may be nil. They must not block.
type Observer struct {
	// Judged is called for each verdict.
	Judged func(env string, verdict Verdict)
	// Took is called after each commit with what compiling and judging it took.
	Took func(time.Duration)
	// Swapped is called when an environment serves another version.
	Swapped func(env string, v *Version)
	// Undecided is called when a condition cannot be evaluated for somebody, from any goroutine.
	Undecided func(env string, kind experiment.Kind)
}

// Reconciler judges commits and puts versions live. Its methods may be called from any goroutine; one is at work at a time.
type Reconciler struct {
	o      Options
	source compile.Source
	asks   chan struct{} // holds one token when something has become pending
	status atomic.Pointer[Status]

	mu         sync.Mutex // stands above all that follows
	compiler   *compile.Compiler
	memory     *memory
	tip        position
	problems   map[string][]compile.Problem // of the commit judged last, by the environment it is rejected in
	waits      map[string]string            // by environment, what is pending waits for
	pins       map[string]*pinned           // by environment
	stops      map[stopKey]Stop
	overlays   map[string]overlay // by environment
	refused    *Refusal           // nil while the branch is followed
	incomplete bool               // the start could not serve all that is remembered
}

// position is where judging stands after a commit.
type position struct {
	at      gitsync.Hash
	valid   map[string]*Version // by environment, the newest valid version: the baseline of the next commit, and what is live
	waiting map[string]bool     // environments in which the commit is pending: what follows waits, too
}

// New makes a Reconciler that has judged nothing beyond what is remembered.
func New(o Options) *Reconciler {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Slog == nil {
		o.Slog = slog.New(slog.DiscardHandler)
	}
	r := &Reconciler{
		o: o, source: Source(o.Mirror), compiler: compile.New(o.Key), memory: recall(o.Remembered), asks: make(chan struct{}, 1),
		tip: position{valid: map[string]*Version{}}, pins: pinsOf(o.Remembered), stops: stopsRemembered(o.Remembered), overlays: map[string]overlay{},
	}
	r.status.Store(&Status{})
	return r
}

// Last is the commit judged last, from which following goes on; zero when there is none.
func (r *Reconciler) Last() gitsync.Hash {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.memory.last
}

// Start serves, from the mirror alone, the newest valid version of each environment that the log remembers. What cannot be
// served is told by the error; the rest is live all the same.
func (r *Reconciler) Start(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.start(ctx)
}

func (r *Reconciler) start(ctx context.Context) error {
	if r.memory.last.IsZero() {
		return nil
	}
	p, err := r.restore(ctx, r.memory.last)
	r.tip = p // beside which pins are compiled
	r.incomplete = err != nil
	r.restorePins(ctx)
	if problems, refused := r.refusals(ctx, p); refused == nil {
		r.problems = problems
	}
	r.settle(p, CauseStart)
	r.askAgain()
	return err
}

// Take judges what is new on the branch and puts it live. An error means that nothing was changed, and that the same update is to
// be handed over again; but not after a [gitsync.ErrNotTaken], when the branch has to move, or an operator to speak.
func (r *Reconciler) Take(ctx context.Context, u gitsync.Update) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.recover(ctx); err != nil {
		return err
	}
	u, err := r.noticed(u)
	if err != nil {
		return err
	}
	if err := r.refuse(ctx, u); err != nil {
		return err
	}
	b, err := r.begin(ctx, u)
	if err != nil {
		return err
	}
	for _, c := range b.commits {
		began := time.Now()
		if err := b.judge(ctx, c, b.position.at, b.memory.bound(c.Hash, b.position.at)); err != nil {
			return fmt.Errorf("judge %s: %w", c.Hash.Short(), err)
		}
		if r.o.Observe.Took != nil {
			r.o.Observe.Took(time.Since(began))
		}
	}
	b.outcomes()
	problems, err := b.refusals(ctx)
	if err != nil {
		return err
	}
	ended := r.outdated(b.position, b.memory)
	if err := r.record(ctx, Events{Rewrite: b.record, Decisions: b.decisions, Resumes: ended}); err != nil {
		return err
	}
	for _, e := range ended {
		delete(r.stops, e.Stop.key())
	}
	b.memory.settle()
	if b.rewrite != nil {
		r.memory.allowed = move{}
	}
	r.problems, r.waits = problems, b.waits
	r.announce(b.decisions, b.rewrite)
	cause := CauseCommit
	if b.rewrite != nil {
		cause = CauseRewrite
	}
	r.settle(b.position, cause)
	r.askAgain()
	return nil
}

// noticed is an update with the rewrite that a new mirror cannot tell of: one that does not hold what the log remembers as judged last.
func (r *Reconciler) noticed(u gitsync.Update) (gitsync.Update, error) {
	last := r.memory.last
	if !u.From.IsZero() || u.Rewrite != nil || last.IsZero() {
		return u, nil
	}
	beyond, _, err := r.o.Mirror.Beyond(last, []gitsync.Hash{u.Head}, 1)
	unknown := errors.Is(err, gitsync.ErrNotFound)
	if err != nil && !unknown {
		return u, fmt.Errorf("what the branch left: %w", err)
	}
	if unknown || len(beyond) > 0 {
		u.Rewrite = &gitsync.Rewrite{Old: last, New: u.Head, Unknown: unknown}
	}
	return u, nil
}

// recover serves what the log remembers when the start could not, because the mirror was lost and is only now there again.
func (r *Reconciler) recover(ctx context.Context) error {
	if !r.incomplete {
		return nil
	}
	_, err := r.o.Mirror.Commit(r.memory.last)
	if err == nil {
		err = r.start(ctx)
	}
	if errors.Is(err, gitsync.ErrNotFound) {
		// The branch was rewritten while the mirror was lost, and what it held is gone: what is new is judged without it.
		r.o.Slog.Error("not all that was live is in the new mirror", "component", "apply", "err", err)
		r.incomplete, err = false, nil
	}
	return err
}

// record takes events to the log. When it is not there in time the change goes live all the same, unless the log is required.
func (r *Reconciler) record(ctx context.Context, e Events) error {
	if e.empty() {
		return nil
	}
	patient := ctx
	if !r.o.LogRequired {
		var cancel context.CancelFunc
		patient, cancel = context.WithTimeout(ctx, logPatience)
		defer cancel()
	}
	err := r.o.Log.Record(patient, e)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && r.o.LogRequired:
		return fmt.Errorf("record: %w", err)
	case err != nil && patient.Err() == nil:
		r.o.Slog.Error("the log does not take the record: the change goes live without it, and the next start writes it anew", "component", "apply", "err", err)
	case err != nil:
		r.o.Slog.Error("the log is behind: the change goes live, its record follows", "component", "apply", "err", err)
	}
	return nil
}

// settle makes a position the tip and what is live.
func (r *Reconciler) settle(p position, cause Cause) {
	put, now := map[string]*Version{}, r.o.Now()
	live := r.served(p)
	for env, v := range live {
		was, held, stops := r.o.Live.Get(env), r.pinnedSince(env), r.stopping(env, v)
		same := was != nil && was.Commit.Hash == v.Commit.Hash
		if same && was.Held.Equal(held) && slices.Equal(was.Stops, stops) {
			live[env] = was
			continue
		}
		next := *v
		next.Held, next.Since, next.Cause = held, now, r.causeIn(env, v, same, cause)
		if same {
			next.Since = was.Since
		}
		r.decide(&next, env, stops)
		live[env], put[env] = &next, &next
	}
	for env, v := range live {
		if pin := r.pins[env]; pin != nil {
			pin.version = v
		} else {
			p.valid[env] = v
		}
	}
	remove := slices.DeleteFunc(r.o.Live.Environments(), func(env string) bool { return live[env] != nil })
	r.tip = p
	r.updateStatus(p)
	if len(put) == 0 && len(remove) == 0 {
		return
	}
	r.o.Live.swap(put, remove)
	for _, env := range slices.Sorted(maps.Keys(put)) {
		v := put[env]
		if r.o.Observe.Swapped != nil {
			r.o.Observe.Swapped(env, v)
		}
		r.o.Slog.Info("live", "component", "apply", "env", env, "commit", v.Commit.Hash.Short(), "author", v.Commit.Author.Name, "cause", string(v.Cause))
	}
}

// causeIn tells why a version goes live in an environment, where the same commit may be live already.
func (r *Reconciler) causeIn(env string, v *Version, same bool, cause Cause) Cause {
	switch {
	case same && (cause == CauseStop || cause == CauseResume):
		return cause
	case r.pins[env] != nil:
		return CausePin
	case cause == CauseCommit && (!v.RollbackOf.IsZero() || v.Lineage.takesBack()):
		return CauseRollback
	}
	return cause
}

// announce tells metrics and the program's log what was decided.
func (r *Reconciler) announce(decisions []Decision, rewrite *Rewrite) {
	if rewrite != nil {
		r.o.Slog.Warn("the branch was rewritten", "component", "apply", "old", rewrite.Old.Short(), "new", rewrite.New.Short(),
			"lost", rewrite.LostTotal, "foxtrot", rewrite.Foxtrot)
	}
	for _, d := range decisions {
		if r.o.Observe.Judged != nil {
			r.o.Observe.Judged(d.Environment, d.Verdict)
		}
		if d.Verdict == Pending && d.Waiting != "" {
			r.o.Slog.Warn("pending", "component", "apply", "env", d.Environment, "commit", d.Commit.Hash.Short(), "err", d.Waiting)
		}
		if d.Verdict == Rejected {
			r.o.Slog.Warn("rejected", "component", "apply", "env", d.Environment, "commit", d.Commit.Hash.Short(),
				"author", d.Commit.Author.Name, "problem", firstError(d.Problems))
		}
	}
}

func firstError(problems []compile.Problem) string {
	i := slices.IndexFunc(problems, func(p compile.Problem) bool { return p.Severity == compile.Error })
	if i < 0 {
		return ""
	}
	return problems[i].String()
}

// restore compiles the newest valid versions at a commit that was judged before.
func (r *Reconciler) restore(ctx context.Context, at gitsync.Hash) (position, error) {
	p := position{at: at, valid: map[string]*Version{}}
	if known := r.memory.get(at); known != nil {
		p.waiting = known.waiting()
	}
	byCommit := map[gitsync.Hash][]string{}
	for env, h := range r.memory.newestValid(at) {
		byCommit[h] = append(byCommit[h], env)
	}
	var missing, failed []error
	for h, envs := range byCommit {
		err := r.restoreCommit(ctx, h, envs, p)
		switch {
		case errors.Is(err, gitsync.ErrNotFound):
			missing = append(missing, fmt.Errorf("restore %s for %v: %w", h.Short(), envs, err))
		case err != nil:
			failed = append(failed, fmt.Errorf("restore %s for %v: %w", h.Short(), envs, err))
		}
	}
	if len(failed) > 0 {
		return p, errors.Join(failed...) // to be tried again, before what is missing is given up
	}
	return p, errors.Join(missing...)
}

// restoreCommit compiles one commit as it was judged: against the baseline of that time, which decides what is delivered redacted.
func (r *Reconciler) restoreCommit(ctx context.Context, h gitsync.Hash, envs []string, p position) error {
	c, err := r.o.Mirror.Commit(h)
	if err != nil {
		return err
	}
	known := r.memory.get(h)
	if known == nil {
		known = &judged{} // so long ago that no more is remembered of it
	}
	baselines := compile.Baselines{}
	for _, env := range envs {
		base := known.environments[env].baseline
		if base.IsZero() {
			continue
		}
		result, _, err := r.compile(ctx, base, settled(nil))
		if errors.Is(err, gitsync.ErrNotFound) {
			r.o.Slog.Warn("a baseline is no longer in the mirror: what it alone marks as sensitive is not redacted", "component", "apply",
				"env", env, "commit", h.Short(), "baseline", base.Short())
			continue
		}
		if err != nil {
			return fmt.Errorf("baseline: %w", err)
		}
		if s := result.Snapshots[env]; s != nil {
			baselines[env] = s
		}
	}
	result, tree, err := r.compile(ctx, h, settled(baselines))
	if err != nil {
		return err
	}
	for _, env := range envs {
		switch {
		case result.Snapshots[env] != nil:
			p.valid[env] = &Version{
				ID: c.Hash.String(), Commit: c, Snapshot: result.Snapshots[env],
				RollbackOf: r.memory.rollback(known.parent, tree, env),
			}
		case !result.Valid(env):
			r.o.Slog.Error("a version that was valid no longer compiles: the environment waits for a new one", "component", "apply",
				"env", env, "commit", h.Short(), "problem", firstError(result.Problems))
		}
	}
	return nil
}

// against tells what a commit is judged by, beside its own tree.
type against func(c gitsync.Commit, tree gitsync.Hash) compile.Against

// settled is for commits that were judged before: what was valid stays so.
func settled(baselines compile.Baselines) against {
	return func(gitsync.Commit, gitsync.Hash) compile.Against {
		return compile.Against{Baselines: baselines, Settled: compile.AllSettled}
	}
}

// after is for judging a commit that follows another, whose newest valid versions are its baselines.
func (r *Reconciler) after(m *memory, parent gitsync.Hash, valid map[string]*Version) against {
	return func(c gitsync.Commit, tree gitsync.Hash) compile.Against {
		rules := &compliance{Reconciler: r, memory: m, head: c, parent: parent, tree: tree, valid: valid}
		a := compile.Against{
			Baselines: compile.Baselines{}, Rollback: map[string]bool{}, Commit: Describe(c), ID: c.Hash.String(), Comply: rules.comply,
		}
		for env, v := range valid {
			a.Baselines[env] = v.Snapshot
			a.Rollback[env] = !m.rollback(parent, tree, env).IsZero()
		}
		return a
	}
}

// Describe is a commit as policies see it. Authors are what the commit claims.
func Describe(c gitsync.Commit) *value.Value {
	coAuthors := make([]string, len(c.CoAuthors))
	for i, p := range c.CoAuthors {
		coAuthors[i] = p.Email
	}
	return compile.DescribeCommit(c.Author.Name, c.Author.Email, c.Subject, c.Message, coAuthors)
}

// compile compiles the config repo's folder at a commit. A fault of ours that a repository brings out ends in an error, which is
// retried, and never ends the server.
func (r *Reconciler) compile(ctx context.Context, h gitsync.Hash, by against) (result *compile.Result, tree gitsync.Hash, err error) {
	defer func() {
		if p := recover(); p != nil {
			r.compiler = compile.New(r.o.Key) // what it kept may be half done
			err = fmt.Errorf("compile %s: this is a fault of the server, please report it: %v\n%s", h.Short(), p, debug.Stack())
		}
	}()
	c, err := r.o.Mirror.Commit(h)
	if err != nil {
		return nil, gitsync.Hash{}, err
	}
	if tree, err = folder(r.o.Mirror, c, r.o.Path); err != nil {
		return nil, gitsync.Hash{}, err
	}
	result, err = r.compiler.Compile(ctx, r.source, compile.Hash(tree), by(c, tree))
	return result, tree, err
}
