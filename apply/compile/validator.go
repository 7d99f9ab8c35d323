package compile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/trunkline/trunkline/value"
)

// Validator is a check of the operator's own, asked last, about what has passed all others. It may be called from several
// goroutines.
type Validator interface {
	// Name tells it from other validators, in problems and in metrics.
	Name() string
	// Validate returns what it finds; an error among the problems rejects the environment. Of a Problem it sets Severity (an error
	// by default), Path, Rule, Message and Hint. That it returns an error says that there is no answer: the verdict is pending.
	Validate(ctx context.Context, c Candidate) ([]Problem, error)
}

// Candidate is what a Validator is asked about: one environment of one commit.
type Candidate struct {
	Environment string
	// ID is the commit's hash; empty where files are judged that are no commit yet.
	ID string
	// Commit is what policies see of the commit; nil where there is none.
	Commit *value.Value
	New    *Snapshot
	// Old is the baseline; nil when there is none.
	Old *Snapshot
	// Rollback: the commit restores exactly the content of an earlier valid version.
	Rollback bool
}

// askValidators is stage 8. All are asked at once about all environments that stand; where there is an answer missing and no
// error, the verdict is pending.
func (r *run) askValidators() error {
	open := r.open()
	if r.joint() && len(r.found.failed) > 0 {
		return nil
	}
	r.pending = map[string]string{}
	if r.joint() && len(r.against.Waiting) > 0 {
		r.waitFor(slices.Sorted(maps.Keys(r.against.Waiting))[0])
		return nil
	}
	if len(r.against.Validators) == 0 {
		return nil
	}
	type answer struct {
		problems []Problem
		err      error
	}
	validators := r.against.Validators
	answers := make([]answer, len(open)*len(validators))
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			v := validators[i%len(validators)]
			a := &answers[i]
			a.err = guarded(func(i int) (err error) {
				a.problems, err = v.Validate(r.ctx, r.candidate(open[i/len(validators)]))
				return err
			}, i)
		})
	}
	wg.Wait()
	if err := r.ctx.Err(); err != nil {
		return err
	}
	for i, a := range answers {
		env, v := open[i/len(validators)], validators[i%len(validators)]
		if a.err != nil {
			r.pending[env] = fmt.Sprintf("the validator %s gave no answer: %s", v.Name(), oneLine(a.err.Error()))
			continue
		}
		for _, p := range a.problems {
			r.found.add(r.validatorProblem(p, v, env))
		}
	}
	r.settle()
	return nil
}

func (r *run) candidate(env string) Candidate {
	return Candidate{
		Environment: env, ID: r.against.ID, Commit: r.against.Commit, New: r.results[env], Old: r.baselines[env], Rollback: r.against.Rollback[env],
	}
}

// validatorProblem puts what a validator found where its value was written.
func (r *run) validatorProblem(p Problem, v Validator, env string) Problem {
	found := Problem{
		Stage: StageValidators, Severity: p.Severity, Environments: []string{env}, Path: p.Path, Rule: p.Rule, Message: p.Message, Hint: p.Hint,
	}
	if found.Rule == "" {
		found.Rule = v.Name()
	}
	found.Rule = "validator." + found.Rule
	path, err := value.ParsePath(p.Path)
	if p.Path == "" || err != nil {
		return found
	}
	found.Pointer = path.Pointer()
	return found.at(reach(r.values[env], path))
}

// settle takes back the snapshots of what the validators rejected, or have no answer for. Environments that go live together wait
// together.
func (r *run) settle() {
	r.together()
	maps.DeleteFunc(r.pending, func(env string, _ string) bool { return r.failed(env) })
	if r.joint() && len(r.pending) > 0 {
		r.waitFor(slices.Sorted(maps.Keys(r.pending))[0])
	}
	maps.DeleteFunc(r.results, func(env string, _ *Snapshot) bool { return r.failed(env) || r.pending[env] != "" })
}

// waitFor makes all open environments wait for one that is pending.
func (r *run) waitFor(env string) {
	for _, other := range r.open() {
		if r.pending[other] == "" {
			r.pending[other] = fmt.Sprintf("it goes live together with %s, which is pending", env)
		}
		delete(r.results, other)
	}
}
