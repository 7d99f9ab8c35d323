package compile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/value"
)

// Stage is a step of validation. An environment that fails one is not judged by the next.
type Stage string

// The stages, in order.
const (
	StageTree       Stage = "tree"
	StageDecode     Stage = "decode"
	StageMerge      Stage = "merge"
	StageSchemas    Stage = "schemas"
	StagePolicies   Stage = "policies"
	StageOverrides  Stage = "overrides"
	StageCommit     Stage = "commit"
	StageValidators Stage = "validators"
)

var stageOrder = map[Stage]int{
	StageTree: 1, StageDecode: 2, StageMerge: 3, StageSchemas: 4, StagePolicies: 5, StageOverrides: 6, StageCommit: 7, StageValidators: 8,
}

// Severity tells whether a problem rejects the commit.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Problem is one finding. File is relative to the root of the config repo; Line and Column count from 1, columns in characters,
// and are 0 where the problem has no place in a file. No field ever holds a value that is sensitive or looks secret.
type Problem struct {
	Stage        Stage    `json:"stage"`
	Severity     Severity `json:"severity"`
	Environments []string `json:"environments"`
	File         string   `json:"file,omitempty"`
	Line         int      `json:"line,omitempty"`
	Column       int      `json:"column,omitempty"`
	Pointer      string   `json:"pointer,omitempty"`
	Path         string   `json:"path,omitempty"`
	Rule         string   `json:"rule"`
	Message      string   `json:"message"`
	Hint         string   `json:"hint,omitempty"`
	// Hidden: on the line stands what must not be shown, so neither must the line.
	Hidden bool `json:"-"`
}

// String writes the problem on one line: place, severity, message, rule, hint.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
		}
		b.WriteString(": ")
	}
	fmt.Fprintf(&b, "%s: ", p.Severity)
	if p.Path != "" {
		fmt.Fprintf(&b, "%s: ", p.Path)
	}
	fmt.Fprintf(&b, "%s (%s)", p.Message, p.Rule)
	if p.Hint != "" {
		fmt.Fprintf(&b, "; %s", p.Hint)
	}
	return b.String()
}

// Touches tells whether the problem is one of the environment.
func (p Problem) Touches(env string) bool { return slices.Contains(p.Environments, env) }

// at sets the place to that of a value, or where it has none, as a folder has, of the first value below it.
func (p Problem) at(v *value.Value) Problem {
	for v != nil {
		pos := v.Pos()
		if pos.File != "" {
			p.File, p.Line, p.Column = pos.File, pos.Line, pos.Column
			return p
		}
		if v.Len() == 0 {
			return p
		}
		v = v.Entries()[0].Value
	}
	return p
}
