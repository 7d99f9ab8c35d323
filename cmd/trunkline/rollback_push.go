package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// push pushes the commit, and never forces it. It reports moved where the branch is no longer what the commit was made on.
func (r *rollback) push(ctx context.Context, d *draft, commit string) (moved bool, err error) {
	to := cmp.Or(r.Branch, r.branch)
	out, said, err := r.git.call(ctx, "", "push", "--porcelain", "--no-follow-tags", r.remote, commit+":refs/heads/"+to)
	for _, line := range remoteWords(said) {
		fmt.Fprintln(r.io.err, "remote:", line)
	}
	switch {
	case err == nil:
		return false, nil
	case ctx.Err() != nil:
		return false, fmt.Errorf("interrupted while pushing %s: see git ls-remote %s %s whether it arrived", short(commit), r.remote, to)
	case r.Branch == "" && r.moved(ctx, d):
		return true, nil
	}
	return false, r.refused(out+"\n"+said, to, commit, err)
}

// moved asks the remote whether the branch still is where it was.
func (r *rollback) moved(ctx context.Context, d *draft) bool {
	out, err := r.git.run(ctx, "ls-remote", r.remote, "refs/heads/"+r.branch)
	hash, _, _ := strings.Cut(out, "\t")
	return err == nil && hash != "" && hash != d.head.Hash.String()
}

// The ways in which forges say that a branch takes pull requests only, or that a branch holds other commits.
var (
	protected = regexp.MustCompile(`(?i)protected branch|branch is protected|GH006|GH013|repository rule violations|` +
		`only be modified through pull requests|TF402455|pushes to this branch are not permitted`)
	otherCommits = regexp.MustCompile(`\[rejected\]|fetch first|non-fast-forward`)
)

func (r *rollback) refused(words, to, commit string, err error) error {
	switch {
	case protected.MatchString(words):
		return fmt.Errorf("%s of %s is protected and takes no pushes, so nothing has changed: "+
			"run it again with --branch NAME, and open a pull request from that branch", to, r.remote)
	case r.Branch != "" && otherCommits.MatchString(words):
		return fmt.Errorf("%s has a branch %s already, with other commits: name another one with --branch", r.remote, to)
	}
	return fmt.Errorf("%s did not take the push: %w\nthe commit is in this clone: git push %s %s:refs/heads/%s",
		r.remote, errors.New(reason(words, err)), r.remote, short(commit), to)
}

// reason is why a push failed: what git tells of the branch, or else all it said.
func reason(words string, err error) string {
	for line := range strings.Lines(words) {
		if fields := strings.SplitN(strings.TrimSpace(line), "\t", 3); len(fields) == 3 && fields[0] == "!" {
			return strings.Map(printableRune, fields[2])
		}
	}
	var failed *gitError
	if errors.As(err, &failed) {
		return lastLines(failed.said)
	}
	return err.Error()
}

const maxGitLines = 8

// lastLines are the end of what git said, without what the remote said, which was told before.
func lastLines(said string) string {
	var lines []string
	for line := range strings.Lines(said) {
		if line = strings.TrimRight(line, "\r\n"); line != "" && !strings.HasPrefix(line, "remote:") {
			lines = append(lines, strings.Map(printableRune, line))
		}
	}
	return strings.Join(lines[max(0, len(lines)-maxGitLines):], "\n")
}
