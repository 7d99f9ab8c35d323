package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/value"
)

type validateCmd struct {
	Dir string `arg:"" optional:"" default:"." help:"Directory of the config repo." placeholder:"DIR"`
	Env string `help:"Judge one environment alone." short:"e" placeholder:"NAME"`

	Sarif  bool `help:"Write a SARIF 2.1.0 log, for code scanning." xor:"form"`
	Github bool `name:"github" help:"Write annotations of a GitHub workflow." xor:"form"`
	output
}

func (validateCmd) Help() string {
	return `Judges the files as they are now, without Git and without a server. The exit code is 1 when a problem would reject the commit. What
depends on the version before or on the commit is left to the server: policies that name oldSelf or commit, environments that are
removed, and whether an allowed secret was allowed before.

Examples:
  trunkline validate
  trunkline validate ./config --env prod -o json
  trunkline validate --github                      # in a workflow: the problems appear on the lines of the pull request`
}

// verdict is the answer in JSON.
type verdict struct {
	Valid        bool              `json:"valid"`
	Environments map[string]string `json:"environments"` // valid or rejected
	Problems     []compile.Problem `json:"problems"`
	Omitted      int               `json:"omitted,omitempty"`
}

func (c validateCmd) Run(ctx context.Context, io *streams) error {
	source, root, err := compile.ReadDirectory(c.Dir)
	if err != nil {
		return err
	}
	result, err := compile.New(nil).Compile(ctx, source, root, compile.Against{})
	if err != nil {
		return err
	}
	if c.Env != "" {
		if !slices.Contains(result.Environments, c.Env) {
			return fmt.Errorf("there is no environment %q here, but %s", c.Env, strings.Join(result.Environments, ", "))
		}
		result.Environments = []string{c.Env}
		result.Problems = slices.DeleteFunc(result.Problems, func(p compile.Problem) bool { return !p.Touches(c.Env) })
	}
	v := verdict{Valid: true, Environments: map[string]string{}, Problems: result.Problems, Omitted: result.Omitted}
	for _, env := range result.Environments {
		v.Environments[env] = "valid"
		if !result.Valid(env) {
			v.Environments[env], v.Valid = "rejected", false
		}
	}
	if err := c.write(io, result, v); err != nil {
		return err
	}
	if !v.Valid {
		return errNo
	}
	return nil
}

func (c validateCmd) write(s *streams, result *compile.Result, v verdict) error {
	switch {
	case c.Sarif:
		return writeSARIF(s.out, result.Problems)
	case c.Github:
		writeGitHub(s.out, result.Problems)
		return nil
	case c.json():
		enc := json.NewEncoder(s.out)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
	for _, p := range result.Problems {
		writeProblem(s.out, p, c.Dir, newPalette(s.color))
	}
	if v.Omitted > 0 {
		fmt.Fprintf(s.out, "… and %d more\n\n", v.Omitted)
	}
	for _, env := range result.Environments {
		fmt.Fprintf(s.out, "%-12s %s\n", env, v.Environments[env])
	}
	return nil
}

// writeProblem writes a problem for people, with the line it speaks of when the file is at hand.
func writeProblem(w io.Writer, p compile.Problem, dir string, c palette) {
	head := c.red(string(p.Severity))
	if p.Severity == compile.Warning {
		head = c.yellow(string(p.Severity))
	}
	subject := p.Message
	if p.Path != "" {
		subject = p.Path + ": " + p.Message
	}
	fmt.Fprintf(w, "%s %s %s\n", head, c.bold(subject), c.dim("["+p.Rule+"]"))
	if p.File != "" {
		place := p.File
		if p.Line > 0 {
			place = fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
		}
		fmt.Fprintf(w, "  %s %s\n", c.dim("at"), place)
		writeSource(w, p, dir, c)
	}
	if p.Hint != "" {
		fmt.Fprintf(w, "  %s %s\n", c.dim("hint"), p.Hint)
	}
	fmt.Fprintf(w, "  %s %s\n\n", c.dim("in"), strings.Join(p.Environments, ", "))
}

const maxSourceLine = 160

// secretLine tells whether a line of a document holds what should not be printed, whatever is said of it.
func secretLine(line string) bool {
	text := value.NewString(strings.Trim(line, " \t\r\"',"), value.Place{})
	if i := strings.IndexAny(line, ":="); i > 0 {
		key := strings.Trim(line[:i], " \t-\"'{")
		text = value.NewString(strings.Trim(line[i+1:], " \t\r\"',}"), value.Place{})
		if value.LooksSecret(key, text) {
			return true
		}
	}
	return value.LooksSecret("", text)
}

// writeSource shows the line with a caret. A line longer than a terminal's is cut around the column.
func writeSource(w io.Writer, p compile.Problem, dir string, c palette) {
	if dir == "" || p.Line == 0 || p.Hidden {
		return
	}
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(p.File)))
	if err != nil {
		return
	}
	lines := strings.Split(string(data), "\n")
	if p.Line > len(lines) {
		return
	}
	if secretLine(lines[p.Line-1]) {
		return
	}
	line := []rune(strings.ReplaceAll(strings.TrimRight(lines[p.Line-1], "\r"), "\t", " "))
	column := min(max(p.Column, 1), len(line)+1)
	if len(line) > maxSourceLine {
		from := max(0, min(column-maxSourceLine/2, len(line)-maxSourceLine))
		line, column = line[from:from+maxSourceLine], column-from
	}
	number := fmt.Sprint(p.Line)
	fmt.Fprintf(w, "  %s %s\n", c.dim(number+" |"), string(line))
	fmt.Fprintf(w, "  %s %s%s\n", c.dim(strings.Repeat(" ", len(number))+" |"), strings.Repeat(" ", column-1), c.red("^"))
}
