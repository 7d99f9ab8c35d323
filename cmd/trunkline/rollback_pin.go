package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/api"
	"github.com/trunkline/trunkline/apply/compile"
)

// hold pins the environments at the version, before the commit is made: that takes no remote, and no verdict.
func (r *rollback) hold(ctx context.Context) error {
	if err := r.resolve(ctx); err != nil {
		if err := r.fetch(ctx); err != nil {
			return err
		}
		if err := r.resolve(ctx); err != nil {
			return err
		}
	}
	repo, err := openClone(r.Dir)
	if err != nil {
		return err
	}
	version, err := repo.commit(r.version)
	if err != nil {
		return err
	}
	held, err := repo.at(ctx, compile.New(nil), r.version, compile.Against{Settled: compile.AllSettled})
	if err != nil {
		return err
	}
	envs, err := r.served(ctx, held.Environments)
	if err != nil {
		return err
	}
	if r.DryRun {
		r.say("would hold %s at %s", strings.Join(envs, ", "), short(r.version))
		return nil
	}
	reason := "rollback to " + shortCommit(version)
	if r.Reason != "" {
		reason += ": " + r.Reason
	}
	for _, env := range envs {
		asked := api.NewPin{Environment: env, Commit: r.version, Reason: reason}
		if err := r.act(ctx, http.MethodPost, "/v1/pins", asked, nil); err != nil {
			return fmt.Errorf("%s is not held, and no commit was made: %w", env, err)
		}
		r.pins = append(r.pins, env)
		r.say("%s is held at %s", env, short(r.version))
	}
	return nil
}

// served are the environments to hold: the one that was named, or those of the server that the version has.
func (r *rollback) served(ctx context.Context, held []string) ([]string, error) {
	if r.Env != "" {
		if !slices.Contains(held, r.Env) {
			return nil, fmt.Errorf("%s has no environment %q, but %s", short(r.version), r.Env, strings.Join(held, ", "))
		}
		return []string{r.Env}, nil
	}
	var status api.Status
	if err := r.act(ctx, http.MethodGet, "/v1/status", nil, &status); err != nil {
		return nil, fmt.Errorf("nothing is held, and no commit was made: %w", err)
	}
	held = slices.DeleteFunc(slices.Clone(held), func(env string) bool {
		_, ok := status.Environments[env]
		return !ok
	})
	if len(held) == 0 {
		return nil, errors.New("the server serves no environment that the version has: is --server right?")
	}
	return held, nil
}

// tellPins tells how the pins are taken off: they stay, whatever became of the commit.
func (r *rollback) tellPins(err error) {
	what, unpin := "; when the commit has gone through, let it go on", "unpin"
	if err != nil {
		what, unpin = ", and no commit was pushed; take the pin off", "unpin --force"
	}
	for _, env := range r.pins {
		fmt.Fprintf(r.io.err, "trunkline: %s stays pinned at %s%s: trunkline %s %s --reason TEXT\n", env, short(r.version), what, unpin, env)
	}
}
