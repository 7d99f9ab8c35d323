package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
)

// judged is what became of the files as they are, or of a commit. It does not hold the values: a range may be long.
type judged struct {
	commit       *object.Commit // nil for files
	environments []string
	valid        map[string]bool
	problems     []compile.Problem
	effects      []compile.Effect
	moreEffects  int            // that are not told
	omitted      map[string]int // by environment; "" is all together
	read         reader
}

func newJudged(commit *object.Commit, result *compile.Result, read reader) judged {
	j := judged{
		commit: commit, environments: result.Environments, problems: result.Problems, effects: result.Effects, moreEffects: result.OmittedEffects, read: read,
		valid: map[string]bool{}, omitted: map[string]int{"": result.Omitted},
	}
	for _, env := range result.Environments {
		j.valid[env], j.omitted[env] = result.Valid(env), result.OmittedOf(env)
	}
	return j
}

// of leaves out what is not of an environment.
func (j judged) of(env string) judged {
	j.environments = slices.DeleteFunc(slices.Clone(j.environments), func(other string) bool { return other != env })
	j.problems = slices.DeleteFunc(j.problems, func(p compile.Problem) bool { return !p.Touches(env) })
	j.omitted = map[string]int{"": j.omitted[env]}
	j.effects = slices.DeleteFunc(j.effects, func(e compile.Effect) bool { return !slices.Contains(e.Environments, env) })
	return j
}

func (j judged) rejected() bool {
	return slices.ContainsFunc(j.environments, func(env string) bool { return !j.valid[env] })
}

// name is the commit's, as people write it.
func (j judged) name() string { return short(j.commit.Hash.String()) }

func (j judged) word(env string) string {
	if j.valid[env] {
		return "valid"
	}
	return "rejected"
}

// verdict is the answer in JSON; for a range a list of them.
type verdict struct {
	Commit       string            `json:"commit,omitempty"`
	Author       string            `json:"author,omitempty"`
	Subject      string            `json:"subject,omitempty"`
	Valid        bool              `json:"valid"`
	Environments map[string]string `json:"environments"` // valid or rejected
	Problems     []compile.Problem `json:"problems"`
	Omitted      int               `json:"omitted,omitempty"`
	Effects      []compile.Effect  `json:"effects,omitempty"` // on those who are in a rollout or an experiment
	MoreEffects  int               `json:"omittedEffects,omitempty"`
}

func (j judged) verdict() verdict {
	v := verdict{
		Valid: !j.rejected(), Environments: map[string]string{}, Problems: append([]compile.Problem{}, j.problems...), Omitted: j.omitted[""], Effects: j.effects, MoreEffects: j.moreEffects,
	}
	if j.commit != nil {
		c := gitsync.CommitOf(j.commit)
		v.Commit, v.Author, v.Subject = c.Hash.String(), c.Author.Name, c.Subject
	}
	for _, env := range j.environments {
		v.Environments[env] = j.word(env)
	}
	return v
}

func verdicts(all []judged) []verdict {
	list := make([]verdict, len(all))
	for i, j := range all {
		list[i] = j.verdict()
	}
	return list
}

// write writes for people what became of the files, or of one commit.
func (j judged) write(s *streams) {
	for _, p := range j.problems {
		showProblem(s.out, p, j.read, newPalette(s.color))
	}
	if j.omitted[""] > 0 {
		fmt.Fprintf(s.out, "… and %d more\n\n", j.omitted[""])
	}
	if len(j.effects) > 0 {
		writeEffects(s.out, j.effects, "", newPalette(s.color))
		if j.moreEffects > 0 {
			fmt.Fprintf(s.out, "… and %d more\n", j.moreEffects)
		}
		fmt.Fprintln(s.out)
	}
	j.writeVerdicts(s, "")
}

// writeEffects writes for people what a change does to those who are in a rollout or an experiment, one a line.
func writeEffects(w io.Writer, effects []compile.Effect, indent string, c palette) {
	for _, e := range effects {
		fmt.Fprintf(w, "%s%s %s\n", indent, e, c.dim("in "+strings.Join(e.Environments, ", ")))
	}
}

func (j judged) writeVerdicts(s *streams, indent string) {
	for _, env := range j.environments {
		fmt.Fprintf(s.out, "%s%-12s %s\n", indent, env, j.word(env))
	}
}

// writeRange writes for people what became of each commit, and why those that are rejected are. A problem that stays from one commit to
// the next is told once.
func writeRange(s *streams, all []judged) {
	c := newPalette(s.color)
	rejected, since := 0, map[string]string{}
	for _, j := range all {
		commit := gitsync.CommitOf(j.commit)
		fmt.Fprintf(s.out, "%s %s %s\n", c.cyan(j.name()), c.bold(commit.Subject), c.dim("by "+commit.Author.Name))
		j.writeVerdicts(s, "  ")
		writeEffects(s.out, j.effects, "  ", c)
		fmt.Fprintln(s.out)
		if j.rejected() {
			rejected++
		}
		since = j.writeErrors(s, since)
	}
	if len(all) > 0 {
		fmt.Fprintf(s.out, "%d of %d commits rejected\n", rejected, len(all))
	}
}

// writeErrors writes what rejects a commit. since tells, by problem, in which commit those of the commit before began.
func (j judged) writeErrors(s *streams, since map[string]string) map[string]string {
	c, now := newPalette(s.color), map[string]string{}
	for _, p := range j.problems {
		if p.Severity == compile.Warning {
			continue
		}
		first, stays := since[identity(p)]
		if !stays {
			now[identity(p)] = j.name()
			showProblem(s.out, p, j.read, c)
			continue
		}
		now[identity(p)] = first
		writeHeadline(s.out, p, c)
		fmt.Fprintf(s.out, "  %s %s\n\n", c.dim("as in"), first)
	}
	if j.omitted[""] > 0 {
		fmt.Fprintf(s.out, "… and %d more\n\n", j.omitted[""])
	}
	return now
}
