package apply

import (
	"context"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
)

// Workbench judges a directory while it is edited and puts what is valid live: what a Reconciler is to a branch, without history and
// without a log. All edits together are judged like one commit on top of what was there at first. Its methods are for one
// goroutine, but for [Workbench.Status].
type Workbench struct {
	dir       string
	files     *compile.WorkingTree
	live      *Live
	compiler  *compile.Compiler
	baselines compile.Baselines
	valid     map[string]*Version
	tree      compile.Hash
	status    atomic.Pointer[Status]
}

// NewWorkbench makes a Workbench for a directory that has judged nothing yet.
func NewWorkbench(dir string, live *Live, key value.Key) *Workbench {
	w := &Workbench{
		dir: dir, files: compile.NewWorkingTree(dir), live: live, compiler: compile.New(key),
		baselines: compile.Baselines{}, valid: map[string]*Version{},
	}
	w.status.Store(&Status{})
	return w
}

// Status tells where judging stands. It may be called from any goroutine.
func (w *Workbench) Status() *Status { return w.status.Load() }

// Folders are those that the last look went through; none after an error.
func (w *Workbench) Folders() []string { return w.files.Folders() }

// Judge looks at the directory and puts what is valid live. The result is nil when nothing has changed since the last look; after an
// error everything is read again. [compile.ErrGone] is the error of a look during which something was saved.
func (w *Workbench) Judge(ctx context.Context) (*compile.Result, error) {
	source, tree, err := w.files.Read()
	if err == nil && tree == w.tree {
		return nil, nil
	}
	var result *compile.Result
	if err == nil {
		result, err = w.compiler.Compile(ctx, source, tree, compile.Against{Baselines: w.baselines})
	}
	if err != nil {
		w.tree, w.files = compile.Hash{}, compile.NewWorkingTree(w.dir)
		return nil, err
	}
	w.tree = tree
	now := time.Now()
	commit := gitsync.Commit{Hash: gitsync.Hash(tree), Subject: "working tree"}
	put := map[string]*Version{}
	for env, s := range result.Snapshots {
		if w.baselines[env] == nil {
			w.baselines[env] = s
		}
		put[env] = &Version{ID: commit.Hash.String(), Commit: commit, Snapshot: s, Cause: CauseCommit, Since: now}
	}
	maps.Copy(w.valid, put)
	for _, env := range result.Retired {
		delete(w.valid, env)
	}
	w.tell(result, commit, now)
	w.live.swap(put, result.Retired)
	return result, nil
}

func (w *Workbench) tell(result *compile.Result, commit gitsync.Commit, now time.Time) {
	s := &Status{Judged: commit.Hash}
	for _, env := range slices.Sorted(slices.Values(result.Environments)) {
		e := EnvironmentStatus{Name: env, Live: w.valid[env]}
		if !result.Valid(env) {
			e.Blocked = &Blocked{Commit: commit, Since: now, Problems: touching(result.Problems, env)}
		}
		if e.Live != nil || e.Blocked != nil {
			s.Environments = append(s.Environments, e)
		}
	}
	w.status.Store(s)
}
