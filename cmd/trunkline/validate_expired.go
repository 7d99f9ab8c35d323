package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/experiment"
)

// expired warns of rollouts whose date is past. The server's judging knows no clock, so that the same commit has the same verdict every day.
func expired(result *compile.Result, now time.Time) []compile.Problem {
	var found []compile.Problem
	told := map[string]bool{}
	for _, env := range result.Environments {
		s := result.Snapshots[env]
		if s == nil || s.Definitions == nil {
			continue
		}
		for _, r := range s.Definitions.Rollouts() {
			day, err := time.Parse(time.DateOnly, r.Expires)
			if err != nil || now.Before(day.AddDate(0, 0, 1)) || told[r.Key] {
				continue
			}
			told[r.Key] = true
			found = append(found, expiredProblem(s.Definitions, r, result.Environments))
		}
	}
	return found
}

func expiredProblem(d *experiment.Definitions, r *experiment.Rollout, served []string) compile.Problem {
	p := compile.Problem{
		Stage: compile.StageOverrides, Severity: compile.Warning, Rule: "expired",
		Environments: slices.DeleteFunc(slices.Clone(r.Environments), func(env string) bool { return !slices.Contains(served, env) }),
		Message:      fmt.Sprintf("the rollout %s was to be gone by %s", r.Key, r.Expires),
		Hint:         "make what it sets the configured value and remove the file, or give it another date; see trunkline flag stale",
	}
	if doc, ok := d.Document(experiment.KindRollout, r.Key); ok {
		if at, ok := doc.Get("expires"); ok {
			p.File, p.Line, p.Column = at.Pos().File, at.Pos().Line, at.Pos().Column
		}
	}
	return p
}
