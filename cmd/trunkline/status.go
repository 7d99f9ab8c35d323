package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trunkline/trunkline/api"
	"github.com/trunkline/trunkline/apply/compile"
)

type statusCmd struct {
	remote
}

func (statusCmd) Help() string {
	return `The exit code is 1 when newer commits are rejected or the branch is not followed, the last look at the remote failed, or the log is behind.

Examples:
  trunkline status
  trunkline status --env prod -o json`
}

func (c statusCmd) Run(ctx context.Context, io *streams) error {
	body, err := c.ask(ctx, "/v1/status", nil)
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
		if e.Live == nil || e.Blocked != nil || e.Pending != nil {
			return false
		}
	}
	return s.Refused == nil && (s.Look == nil || s.Look.Error == "") && (s.Log == nil || s.Log.BehindSince == nil) && len(s.Environments) > 0
}

func writeStatus(io *streams, s api.Status) {
	c := newPalette(io.color)
	if s.Server.Repo != "" {
		fmt.Fprintf(io.out, "%s %s, branch %s\n", c.bold("following"), s.Server.Repo, s.Server.Branch)
	}
	switch {
	case s.Look == nil: // the token may not know
	case s.Look.Error != "":
		fmt.Fprintf(io.out, "  %s %s\n", c.red("the last look failed:"), s.Look.Error)
	case s.Look.LastGood != nil:
		fmt.Fprintf(io.out, "  looked %s ago, head %s\n", ago(*s.Look.LastGood), c.cyan(short(s.Look.Head)))
	default:
		fmt.Fprintln(io.out, "  has not looked yet")
	}
	if s.Refused != nil {
		fmt.Fprintf(io.out, "%s %s %s\n", c.red("refused"), s.Refused.Reason, c.dim("for "+ago(s.Refused.Since)))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Environments)) {
		e := s.Environments[name]
		fmt.Fprintf(io.out, "%s\n", c.bold(name))
		if e.Live == nil {
			fmt.Fprintf(io.out, "  %s\n", c.red("no valid version yet"))
		} else {
			by := ""
			if e.Live.Author != nil {
				by = "by " + e.Live.Author.Name + ", "
			}
			how := "for " + ago(e.Live.Since)
			if e.Live.Cause != "" {
				how += " (" + string(e.Live.Cause) + ")"
			}
			fmt.Fprintf(io.out, "  live     %s %s %s\n", c.cyan(short(e.Live.Commit)), e.Live.Subject, c.dim(by+how))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Environments)) {
		if p := s.Environments[name].Pin; p != nil {
			fmt.Fprintf(io.out, "%s   %s at %s %s\n", c.yellow("pinned"), name, c.cyan(short(p.Commit)), c.dim(pinWords(p)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Environments)) {
		for _, stop := range s.Environments[name].Stops {
			fmt.Fprintf(io.out, "%s  %s %s in %s %s\n", c.yellow("stopped"), stop.Kind, stop.Key, name, c.dim(stopWords(stop)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Environments)) {
		if p := s.Environments[name].Pending; p != nil {
			fmt.Fprintf(io.out, "%s  %s %s %s\n", c.yellow("pending"), c.cyan(short(p.Commit)), p.Subject,
				c.dim(fmt.Sprintf("by %s, in %s, for %s: %s", p.Author.Name, name, ago(p.Since), cmp.Or(p.For, "asking"))))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Environments)) {
		if followed := s.Environments[name].Sessions; followed != nil && followed.Total > 0 {
			fmt.Fprintf(io.out, "%s  %s: %d of %d use what is live, %d have not answered, %d could not use it\n", c.bold("clients"), name,
				followed.Current, followed.Total, followed.Pending, followed.Rejected)
		}
	}
	writeBlocked(io, s)
	if s.Log != nil && s.Log.Pending > 0 {
		fmt.Fprintf(io.out, "%s %d records wait for the log\n", c.yellow("log"), s.Log.Pending)
	}
	if s.Sessions != nil {
		fmt.Fprintf(io.out, "%d sessions\n", *s.Sessions)
	}
}

func pinWords(p *api.PinStatus) string {
	words := "for " + ago(p.Since)
	if p.By != "" {
		words += " by " + p.By + ": " + p.Reason
	}
	if p.Expires != nil {
		words += "; until " + p.Expires.Local().Format(time.DateTime)
	}
	if p.Newest != "" {
		words += "; " + short(p.Newest) + " waits"
	}
	return words
}

func stopWords(s api.StopStatus) string {
	words := "for " + ago(s.Since)
	if s.By != "" {
		words += " by " + s.By + ": " + s.Reason
	}
	return words
}

// writeBlocked tells of each commit that is rejected once, whatever the number of its environments.
func writeBlocked(io *streams, s api.Status) {
	c := newPalette(io.color)
	where := map[string][]string{}
	blocked := map[string]*api.BlockedStatus{}
	for _, name := range slices.Sorted(maps.Keys(s.Environments)) {
		if b := s.Environments[name].Blocked; b != nil {
			where[b.Commit] = append(where[b.Commit], name)
			if blocked[b.Commit] == nil {
				blocked[b.Commit] = &api.BlockedStatus{Commit: b.Commit, Author: b.Author, Subject: b.Subject, Since: b.Since}
			}
			for _, p := range b.Problems {
				if all := blocked[b.Commit]; p.Severity == compile.Error && !slices.ContainsFunc(all.Problems, func(q compile.Problem) bool { return q.String() == p.String() }) {
					all.Problems = append(all.Problems, p)
				}
			}
		}
	}
	for _, commit := range slices.Sorted(maps.Keys(blocked)) {
		b := blocked[commit]
		fmt.Fprintf(io.out, "%s %s %s %s\n", c.red("rejected"), c.cyan(short(commit)), b.Subject,
			c.dim(fmt.Sprintf("by %s, in %s; newer commits are kept out for %s", b.Author.Name, strings.Join(where[commit], ", "), ago(b.Since))))
		for _, p := range b.Problems {
			fmt.Fprintf(io.out, "  %s\n", p)
		}
	}
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
