package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/trunkline/trunkline/apply/compile"
)

type validateCmd struct {
	Dir string `arg:"" optional:"" default:"." help:"Directory of the config repo." placeholder:"DIR"`
	Env string `help:"Judge one environment alone." short:"e" placeholder:"NAME"`

	Commit   string `help:"Judge a commit, or each commit of a range A..B, and what policies say of the commits themselves." placeholder:"REV"`
	Baseline string `help:"Judge changes too, against the files of this commit; with --commit the one before by default." placeholder:"REV"`

	Sarif  bool `help:"Write a SARIF 2.1.0 log, for code scanning." xor:"form"`
	Github bool `name:"github" help:"Write annotations of a GitHub workflow." xor:"form"`
	output
}

func (validateCmd) Help() string {
	return `Judges the files as they are now, without a server. The exit code is 1 when a problem would reject the commit. What depends on the
version before is judged with --baseline, what depends on the commit itself with --commit: policies that name oldSelf or commit,
environments that are removed, whether an allowed secret was allowed before, and what becomes of those who are in a rollout or an
experiment, which is told in words too. What the manifest demands of commits themselves
and what the operator's validators say only the server judges.

A range A..B is judged as by a server that has A and is given B: each commit of B's first-parent chain that A does not reach, oldest
first, against the newest valid version before it in each environment. The first follows A, which is taken as valid, or where the two
parted. The exit code is 1 when any of the commits is rejected, even if the last is valid: each is a version of its own, and a
rejected one is passed over. A commit that restores exactly what was valid earlier in the range is a rollback. With -o json the
answer is a list. At most 1,000 commits are judged.

Examples:
  trunkline validate
  trunkline validate ./config --env prod -o json
  trunkline validate --baseline origin/main        # as the next commit on top of it
  trunkline validate --commit origin/main..HEAD    # what a push would bring
  trunkline validate --github                      # in a workflow: the problems appear on the lines of the pull request`
}

func (c validateCmd) Run(ctx context.Context, s *streams) error {
	all, err := c.judge(ctx, s)
	if err == nil {
		err = c.only(all)
	}
	if err == nil {
		err = c.write(s, all)
	}
	if err == nil && slices.ContainsFunc(all, judged.rejected) {
		return errNo
	}
	return err
}

// judge compiles the files or the commits, against a version before if one is known.
func (c validateCmd) judge(ctx context.Context, s *streams) ([]judged, error) {
	compiler := compile.New(nil)
	if c.Commit == "" && c.Baseline == "" {
		return c.judgeFiles(ctx, compiler, nil)
	}
	repo, err := openClone(c.Dir)
	if err != nil {
		return nil, err
	}
	work, err := repo.span(c.Commit, c.Baseline)
	if err != nil {
		return nil, err
	}
	line := &chain{repo: repo, compiler: compiler}
	if work.before != nil {
		broken, err := line.begin(ctx, work.before)
		if err != nil {
			return nil, err
		}
		if len(broken) > 0 {
			fmt.Fprintf(s.err, "trunkline: %s does not compile in %s: what follows is judged there as a first version\n",
				short(work.before.Hash.String()), strings.Join(broken, ", "))
		}
	}
	if c.Commit == "" {
		return c.judgeFiles(ctx, compiler, line.valid)
	}
	if len(work.commits) == 0 {
		fmt.Fprintf(s.err, "trunkline: %s holds no commit: there is nothing to judge\n", c.Commit)
	}
	all := []judged{}
	for _, commit := range work.commits {
		one, err := line.next(ctx, commit)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

func (c validateCmd) judgeFiles(ctx context.Context, compiler *compile.Compiler, baselines compile.Baselines) ([]judged, error) {
	result, err := compileFiles(ctx, compiler, c.Dir, compile.Against{Baselines: baselines})
	if err != nil {
		return nil, err
	}
	result.Problems = append(result.Problems, expired(result, time.Now())...)
	return []judged{newJudged(nil, result, onDisk(c.Dir))}, nil
}

// compileFiles compiles the files of a directory as they are now.
func compileFiles(ctx context.Context, compiler *compile.Compiler, dir string, against compile.Against) (*compile.Result, error) {
	source, root, err := compile.ReadDirectory(dir)
	if err != nil {
		return nil, err
	}
	return compiler.Compile(ctx, source, root, against)
}

// only leaves out what is not of the environment that was asked for.
func (c validateCmd) only(all []judged) error {
	if c.Env == "" || len(all) == 0 {
		return nil
	}
	var known []string
	for i, j := range all {
		known = union(known, j.environments)
		all[i] = j.of(c.Env)
	}
	if !slices.Contains(known, c.Env) {
		return fmt.Errorf("there is no environment %q here, but %s", c.Env, strings.Join(known, ", "))
	}
	return nil
}

func (c validateCmd) write(s *streams, all []judged) error {
	ranged := isRange(c.Commit)
	switch {
	case c.Sarif, c.Github:
		return c.report(s, all)
	case c.json():
		enc := json.NewEncoder(s.out)
		enc.SetIndent("", "  ")
		if ranged {
			return enc.Encode(verdicts(all))
		}
		return enc.Encode(all[0].verdict())
	case ranged:
		writeRange(s, all)
		return nil
	}
	all[0].write(s)
	return nil
}

// report writes what forges read.
func (c validateCmd) report(s *streams, all []judged) error {
	folder := ""
	if repo, err := openClone(c.Dir); err == nil {
		folder = repo.path // where forges look for the files
	}
	for _, j := range all {
		if j.omitted[""] > 0 {
			fmt.Fprintf(s.err, "trunkline: %d problems more are not told\n", j.omitted[""])
		}
	}
	if c.Sarif {
		return writeSARIF(s.out, findings(all, folder), folder)
	}
	writeGitHub(s.out, findings(all, folder))
	writeNotices(s.out, all, folder)
	return nil
}

// writeNotices writes effects as annotations of a GitHub workflow.
func writeNotices(w io.Writer, all []judged, folder string) {
	for _, j := range all {
		for _, e := range j.effects {
			file := path.Join(folder, e.Place.File)
			text := fmt.Sprintf("%s (%s)", e, strings.Join(e.Environments, ", "))
			fmt.Fprintf(w, "::notice title=effect,file=%s,line=%d,col=%d::%s\n", annotationField(file), e.Place.Line, e.Place.Column, annotationText(text))
		}
	}
}
