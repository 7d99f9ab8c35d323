package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

type flagStaleCmd struct {
	Dir      string `help:"Directory of the config repo." default:"." placeholder:"DIR"`
	For      string `help:"How long a rollout may stay at 100% or 0%." default:"30d" placeholder:"TIME"`
	ExitCode bool   `help:"End with 1 when there is one, for a pipeline."`
	output
}

func (flagStaleCmd) Help() string {
	return `Finds rollouts that have been in effect for everyone, or for nobody, for longer than --for, and those past their date, and says what to do
with each. How long is counted from the commit that last changed the file, on the first-parent history of HEAD, or from the last step
of its ramp. One that has not been committed, or that will still change by itself, has not been there for long.

Examples:
  trunkline flag stale
  trunkline flag stale --for 90d --exit-code     # in a scheduled pipeline`
}

// staleFlag is a rollout that has done its work.
type staleFlag struct {
	Key     string         `json:"key"`
	File    string         `json:"file"`
	Owner   string         `json:"owner,omitempty"`
	State   string         `json:"state"`
	Since   *time.Time     `json:"since,omitempty"` // it is in this state; not told where there is no history
	Expired string         `json:"expired,omitempty"`
	Values  []staleSetting `json:"values"`
	Do      []string       `json:"do"`

	now time.Time
}

// staleSetting is a path that it sets, and where that is configured.
type staleSetting struct {
	Path   string   `json:"path"`
	Places []string `json:"places"`
}

func (c flagStaleCmd) Run(ctx context.Context, s *streams) error {
	long, err := value.ParseDuration(c.For)
	if err != nil || long < 0 {
		return misused("--for: %q is no duration, as 30d", c.For)
	}
	tree, err := openTree(ctx, c.Dir)
	if err != nil {
		return err
	}
	changed, err := c.changes(s, tree)
	if err != nil {
		return err
	}
	found, now := []staleFlag{}, time.Now()
	states := tree.flagStates(now)
	tree.tellUnread(s)
	for _, state := range states {
		stale, is := staleOf(state, changed, long, now)
		if !is {
			continue
		}
		if err := tree.explain(ctx, &stale, state, c.Dir); err != nil {
			return err
		}
		found = append(found, stale)
	}
	if c.json() {
		err = indented(s.out, found)
	} else {
		writeStale(s, found)
	}
	if err == nil && c.ExitCode && len(found) > 0 {
		return errNo
	}
	return err
}

// changes are when each rollout's file was last changed. Nil where there is no history to ask.
func (c flagStaleCmd) changes(s *streams, tree *repoTree) (map[string]time.Time, error) {
	repo, err := openClone(c.Dir)
	if err != nil {
		fmt.Fprintf(s.err, "trunkline: %v: only what is past its date is told\n", err)
		return nil, nil
	}
	files := map[string]defined{}
	for d, f := range tree.found {
		if d.kind == experiment.KindRollout {
			files[d.key] = f
		}
	}
	changed, err := repo.lastChanges(tree.manifest.Directories.Rollouts, files)
	if errors.Is(err, errNoCommit) {
		return nil, nil
	}
	return changed, err
}

// staleOf tells whether a rollout is stale, and since when it is as it is.
func staleOf(state flagState, changed map[string]time.Time, long time.Duration, now time.Time) (staleFlag, bool) {
	stale := staleFlag{Key: state.Key, File: state.File, Owner: state.Owner, State: state.State, now: now}
	if state.Expired {
		stale.Expired = state.Expires
	}
	settled := state.State == stateEveryone || state.State == stateNobody
	if at, committed := changed[state.Key]; committed {
		since := latest(at, state.last).UTC()
		stale.Since = &since
	}
	return stale, state.Expired || settled && stale.Since != nil && now.Sub(*stale.Since) >= long
}

// explain says what to do with a rollout, and where what it sets is configured. It shows no value: one may be a secret.
func (t *repoTree) explain(ctx context.Context, stale *staleFlag, state flagState, dir string) error {
	for _, text := range state.Sets {
		p, err := value.ParsePath(text)
		if err != nil {
			return err
		}
		one := staleSetting{Path: text}
		for _, env := range state.Environments {
			if !slices.Contains(t.manifest.Names(), env) {
				continue
			}
			root, err := t.configured(ctx, env)
			if err != nil {
				return err
			}
			if at, ok := root.At(p); ok && at.Pos().File != "" {
				one.Places = append(one.Places, fmt.Sprintf("%s:%d", at.Pos().File, at.Pos().Line))
			}
		}
		one.Places = union(one.Places, nil)
		stale.Values = append(stale.Values, one)
	}
	stale.Do = t.steps(stale, state, dir)
	return nil
}

// steps are what to do, in order.
func (t *repoTree) steps(stale *staleFlag, state flagState, dir string) []string {
	remove := fmt.Sprintf("git rm %s && git commit -m 'Retire the flag %s'", filepath.Join(dir, filepath.FromSlash(stale.File)), stale.Key)
	switch state.State {
	case stateNobody:
		return []string{remove}
	case stateEveryone:
		var steps []string
		for _, v := range stale.Values {
			step := "make what it sets the configured value of " + v.Path
			if !t.everyEnvironment(state) {
				step += " in " + strings.Join(state.Environments, ", ")
			}
			if len(v.Places) > 0 {
				step += ", now at " + strings.Join(v.Places, ", ")
			}
			steps = append(steps, step)
		}
		return append(steps, "in the same commit: "+remove)
	default:
		return []string{"decide: raise it to 100%, or take it back to 0%; or give it more time with a later expires"}
	}
}

func writeStale(s *streams, found []staleFlag) {
	c := newPalette(s.color)
	for _, f := range found {
		words := []string{"for " + f.State}
		if f.State != stateEveryone && f.State != stateNobody {
			words[0] = f.State
		}
		if f.Since != nil {
			words[0] += fmt.Sprintf(" since %s (%d days)", f.Since.Format(time.DateOnly), int(f.now.Sub(*f.Since).Hours()/24))
		}
		if f.Expired != "" {
			words = append(words, "past its date "+f.Expired)
		}
		if f.Owner != "" {
			words = append(words, "of "+f.Owner)
		}
		fmt.Fprintf(s.out, "%s %s\n", c.bold(f.Key), strings.Join(words, ", "))
		for _, step := range f.Do {
			fmt.Fprintf(s.out, "  %s\n", step)
		}
	}
}
