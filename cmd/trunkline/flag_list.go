package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

type flagListCmd struct {
	Dir    string `help:"Directory of the config repo." default:"." placeholder:"DIR"`
	Env    string `help:"Those of one environment alone." short:"e" placeholder:"NAME"`
	Commit string `help:"As they were at a commit; the files as they are now without it." placeholder:"REV"`
	output
}

func (flagListCmd) Help() string {
	return `Prints each rollout with its owner, where it counts, what it sets, its share now by rule, and what that comes to:

  everyone   all units have what it sets
  nobody     none has
  ramping    it will change by itself: a ramp or a schedule goes on
  targeted   those whom conditions select
  partial    a share of all

What an operator has stopped on a server is not known here.

Examples:
  trunkline flag list
  trunkline flag list --env prod -o json
  trunkline flag list --commit origin/main`
}

func (c flagListCmd) Run(ctx context.Context, s *streams) error {
	tree, err := c.tree(ctx)
	if err != nil {
		return err
	}
	states := tree.flagStates(time.Now())
	if c.Env != "" {
		if _, err := tree.environments([]string{c.Env}); err != nil {
			return err
		}
		states = inEnvironment(states, c.Env)
	}
	tree.tellUnread(s)
	if c.json() {
		return indented(s.out, states)
	}
	return writeStates(s.out, states)
}

func (c flagListCmd) tree(ctx context.Context) (*repoTree, error) {
	if c.Commit == "" {
		return openTree(ctx, c.Dir)
	}
	repo, err := openClone(c.Dir)
	if err != nil {
		return nil, err
	}
	commit, err := repo.commit(c.Commit)
	if err != nil {
		return nil, err
	}
	root, err := repo.folder(commit)
	if err != nil {
		return nil, err
	}
	return readTree(ctx, repo, root)
}

// inEnvironment are the rollouts of an environment.
func inEnvironment(states []flagState, env string) []flagState {
	in := []flagState{}
	for _, s := range states {
		if strings.Contains(" "+strings.Join(s.Environments, " ")+" ", " "+env+" ") {
			in = append(in, s)
		}
	}
	return in
}

func indented(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func writeStates(out io.Writer, states []flagState) error {
	if len(states) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tOWNER\tENVIRONMENTS\tSETS\tNOW\tSTATE\tEXPIRES")
	for _, s := range states {
		expires := cmp.Or(s.Expires, "-")
		if s.Expired {
			expires += " (past)"
		}
		cells := []string{
			s.Key, cmp.Or(s.Owner, "-"), strings.Join(s.Environments, " "), strings.Join(s.Sets, " "), s.shares(), s.State, expires,
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return w.Flush()
}
