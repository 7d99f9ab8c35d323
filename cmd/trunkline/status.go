package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/trunkline/trunkline/api"
)

type statusCmd struct {
	remote
}

func (statusCmd) Help() string {
	return `The exit code is 1 when newer commits are rejected, the last look at the remote failed, or the log is behind.

Examples:
  trunkline status
  trunkline status --env prod -o json`
}

func (c statusCmd) Run(ctx context.Context, io *streams) error {
	body, err := ask(ctx, c.Server, "/v1/status", nil)
	if err != nil {
		return err
	}
	var s api.Status
	if err := json.Unmarshal(body, &s); err != nil {
		return fmt.Errorf("the server's answer: %w", err)
	}
	if c.Env != "" {
		e, ok := s.Environments[c.Env]
		if !ok {
			return fmt.Errorf("the server has no environment %q", c.Env)
		}
		s.Environments = map[string]api.EnvironmentStatus{c.Env: e}
	}
	if c.json() {
		enc := json.NewEncoder(io.out)
		enc.SetIndent("", "  ")
		err = enc.Encode(s)
	} else {
		writeStatus(io, s)
	}
	if err == nil && !healthy(s) {
		return errNo
	}
	return err
}

func healthy(s api.Status) bool {
	for _, e := range s.Environments {
		if e.Live == nil || e.Blocked != nil {
			return false
		}
	}
	return s.Look.Error == "" && s.Log.BehindSince == nil && len(s.Environments) > 0
}

func writeStatus(io *streams, s api.Status) {
	c := newPalette(io.color)
	fmt.Fprintf(io.out, "%s %s, branch %s\n", c.bold("following"), s.Server.Repo, s.Server.Branch)
	switch {
	case s.Look.Error != "":
		fmt.Fprintf(io.out, "  %s %s\n", c.red("the last look failed:"), s.Look.Error)
	case s.Look.LastGood != nil:
		fmt.Fprintf(io.out, "  looked %s ago, head %s\n", ago(*s.Look.LastGood), c.cyan(short(s.Look.Head)))
	default:
		fmt.Fprintln(io.out, "  has not looked yet")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Environments)) {
		e := s.Environments[name]
		fmt.Fprintf(io.out, "%s\n", c.bold(name))
		if e.Live == nil {
			fmt.Fprintf(io.out, "  %s\n", c.red("no valid version yet"))
		} else {
			fmt.Fprintf(io.out, "  live     %s %s %s\n", c.cyan(short(e.Live.Commit)), e.Live.Subject,
				c.dim(fmt.Sprintf("by %s, for %s (%s)", e.Live.Author.Name, ago(e.Live.Since), e.Live.Cause)))
		}
		if b := e.Blocked; b != nil {
			fmt.Fprintf(io.out, "  %s %s %s %s\n", c.red("rejected"), c.cyan(short(b.Commit)), b.Subject,
				c.dim(fmt.Sprintf("by %s; newer commits are kept out since %s ago", b.Author.Name, ago(b.Since))))
			for _, p := range b.Problems {
				fmt.Fprintf(io.out, "           %s\n", p)
			}
		}
	}
	if s.Log.Pending > 0 {
		fmt.Fprintf(io.out, "%s %d records wait for the log\n", c.yellow("log"), s.Log.Pending)
	}
	fmt.Fprintf(io.out, "%d sessions\n", s.Sessions)
}

// ago is how long a time is past, as exactly as people ask.
func ago(t time.Time) string {
	switch d := time.Since(t); {
	case d < time.Second:
		return "less than a second"
	case d < time.Hour:
		return d.Round(time.Second).String()
	default:
		return d.Round(time.Minute).String()
	}
}
