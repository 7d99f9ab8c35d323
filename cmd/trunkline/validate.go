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

	Commit   string `help:"Judge the files of a commit, and what policies say of the commit itself." placeholder:"REV"`
	Baseline string `help:"Judge changes too, against the files of this commit; with --commit its first parent by default." placeholder:"REV"`

	Sarif  bool `help:"Write a SARIF 2.1.0 log, for code scanning." xor:"form"`
	Github bool `name:"github" help:"Write annotations of a GitHub workflow." xor:"form"`
	output
}

func (validateCmd) Help() string {
	return `Judges the files as they are now, without a server. The exit code is 1 when a problem would reject the commit. What depends on the
version before is judged with --baseline, what depends on the commit itself with --commit: policies that name oldSelf or commit,
environments that are removed, and whether an allowed secret was allowed before.

Examples:
  trunkline validate
  trunkline validate ./config --env prod -o json
  trunkline validate --baseline origin/main        # as the next commit on top of it
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
	result, err := c.judge(ctx)
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

// judge compiles the files or the commit, against a version before if one is named.
func (c validateCmd) judge(ctx context.Context) (*compile.Result, error) {
	compiler := compile.New(nil)
	if c.Commit == "" && c.Baseline == "" {
		return compileFiles(ctx, compiler, c.Dir, compile.Against{})
	}
	repo, err := openClone(c.Dir)
	if err != nil {
		return nil, err
	}
	var against compile.Against
	baseline := c.Baseline
	if c.Commit != "" && baseline == "" {
		commit, err := repo.commit(c.Commit)
		if err != nil {
			return nil, err
		}
		if commit.NumParents() > 0 {
			baseline = commit.ParentHashes[0].String()
		}
	}
	if baseline != "" {
		before, err := repo.at(ctx, compiler, baseline, compile.Against{Settled: true})
		if err != nil {
			return nil, err
		}
		against.Baselines = before.Snapshots
	}
	if c.Commit != "" {
		return repo.at(ctx, compiler, c.Commit, against)
	}
	return compileFiles(ctx, compiler, c.Dir, against)
}

// compileFiles compiles the files of a directory as they are now.
func compileFiles(ctx context.Context, compiler *compile.Compiler, dir string, against compile.Against) (*compile.Result, error) {
	source, root, err := compile.ReadDirectory(dir)
	if err != nil {
		return nil, err
	}
	return compiler.Compile(ctx, source, root, against)
}

func (c validateCmd) write(s *streams, result *compile.Result, v verdict) error {
	switch {
	case c.Sarif:
		return writeSARIF(s.out, c.inRepository(result.Problems))
	case c.Github:
		writeGitHub(s.out, c.inRepository(result.Problems))
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

// inRepository names files as they are called in the Git repository, where forges look for them.
func (c validateCmd) inRepository(problems []compile.Problem) []compile.Problem {
	repo, err := openClone(c.Dir)
	if err != nil || repo.path == "" {
		return problems // no repository, or the config repo is all of it
	}
	named := slices.Clone(problems)
	for i := range named {
		if named[i].File != "" {
			named[i].File = repo.path + "/" + named[i].File
		}
	}
	return named
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
