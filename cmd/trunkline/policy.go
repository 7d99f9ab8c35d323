package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/trunkline/trunkline/apply/compile"
)

type policyCmd struct {
	Test policyTestCmd `cmd:"" help:"Run the tests that policies carry."`
}

type policyTestCmd struct {
	Dir string `arg:"" optional:"" default:"." help:"Directory of the config repo." placeholder:"DIR"`
	output
}

func (policyTestCmd) Help() string {
	return `Runs the tests of every policy, and tells of policies that cannot be read. It does not judge the values: validate does both. The exit
code is 1 when a test fails.

Example:
  trunkline policy test config`
}

// policyReport is the answer in JSON.
type policyReport struct {
	Policies []compile.PolicySummary `json:"policies"`
	Problems []compile.Problem       `json:"problems"`
}

func (c policyTestCmd) Run(ctx context.Context, io *streams) error {
	result, err := compileFiles(ctx, compile.New(nil), c.Dir, compile.Against{})
	if err != nil {
		return err
	}
	report := policyReport{Policies: result.Policies, Problems: slices.DeleteFunc(slices.Clone(result.Problems), ofValues)}
	if c.json() {
		enc := json.NewEncoder(io.out)
		enc.SetIndent("", "  ")
		err = enc.Encode(report)
	} else {
		report.write(io, c.Dir)
	}
	if err == nil && slices.ContainsFunc(report.Problems, func(p compile.Problem) bool { return p.Severity == compile.Error }) {
		return errNo
	}
	return err
}

// ofValues tells whether a problem is one of values rather than of the policies themselves. What comes before the policies is kept:
// it is why they were not read.
func ofValues(p compile.Problem) bool {
	switch p.Stage {
	case compile.StagePolicies:
		return p.Pointer != ""
	case compile.StageOverrides, compile.StageCommit:
		return true
	default:
		return p.Severity == compile.Warning
	}
}

func (r policyReport) write(io *streams, dir string) {
	c := newPalette(io.color)
	for _, p := range r.Problems {
		writeProblem(io.out, p, dir, c)
	}
	for _, p := range r.Policies {
		fmt.Fprintf(io.out, "%-24s %d tests %s\n", p.ID, p.Tests, c.dim(p.Place.String()))
	}
}
