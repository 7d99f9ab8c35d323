package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/value"
)

type rollbackCmd struct {
	Version string   `arg:"" help:"What to go back to: a commit, the beginning of its name, a tag, or whatever git rev-parse knows." placeholder:"VERSION"`
	Path    []string `help:"Restore only what a pattern selects; may be given again." placeholder:"PATTERN" sep:"none"`
	Reason  string   `help:"Why; it goes into the commit, and on record with --now." placeholder:"TEXT"`
	DryRun  bool     `help:"Show what would be done, and do nothing."`

	Now bool   `help:"First hold the environments at the version through the server: the commit follows. Needs the right to operate."`
	Env string `help:"Hold, judge and show one environment alone." short:"e" placeholder:"NAME"`

	Dir    string `help:"Directory of the config repo, in a clone." default:"." placeholder:"DIR"`
	Remote string `help:"Remote of the clone; that of the current branch, or origin." placeholder:"NAME"`
	Onto   string `help:"Branch of the remote that goes back; the upstream of the current branch, or main." placeholder:"BRANCH"`
	Branch string `help:"Push to this branch instead, for a pull request." placeholder:"NAME"`
	service
}

func (rollbackCmd) Help() string {
	return `Makes a commit that restores the files of an earlier version on top of the remote branch as it is now, shows what that changes by
value, judges it as validate --commit does, and pushes it. It is your commit: made, signed and pushed by your git, from a clone whose
files, index and branches stay as they are. Nothing is ever forced: if the branch moves meanwhile, the commit is made anew on top of it.
A rejected rollback is not pushed; the exit code is 1 then.

In a folder of a larger repository only that folder goes back. With --path only the values that a pattern selects do, in every file of
the base and the overlays: their text as it was, with its comments, and all around it as it is now.

With --now the server holds the environments at the version at once, before anything is fetched or pushed. The pin stays until it is
taken off with unpin, also if what follows fails.

Examples:
  trunkline rollback v1.4 --dry-run                   # what would change, and the verdict
  trunkline rollback HEAD~1 --reason 'checkouts fail'
  trunkline rollback 4be2f1c --path 'checkout.**' --path database.primary.pool
  trunkline rollback 4be2f1c --now --env prod
  trunkline rollback 4be2f1c --branch rollback-4be2   # where the branch takes pull requests only`
}

// rollback is one rollback on its way.
type rollback struct {
	rollbackCmd
	io       *streams
	git      userGit
	patterns []value.Pattern
	remote   string
	branch   string // of the remote
	version  string // the commit to restore
	shown    string // what was shown last, so that it is not shown twice
	pins     []string
}

// rollbackAnswer is the answer in JSON.
type rollbackAnswer struct {
	Commit       string            `json:"commit,omitempty"` // the one that was made; none where nothing was to be done
	Restored     string            `json:"restored"`
	Remote       string            `json:"remote"`
	Branch       string            `json:"branch"`
	Head         string            `json:"head"` // of the branch, before
	Message      string            `json:"message,omitempty"`
	Paths        []string          `json:"paths,omitempty"` // what was restored, where it was not all
	Changes      []envDiff         `json:"changes"`
	Environments map[string]string `json:"environments,omitempty"` // valid or rejected
	Problems     []compile.Problem `json:"problems,omitempty"`
	Pushed       bool              `json:"pushed"`
	PushedTo     string            `json:"pushedTo,omitempty"`
	Pinned       []string          `json:"pinned,omitempty"`
}

func (c rollbackCmd) Run(ctx context.Context, io *streams) error {
	r, err := c.begin(ctx, io)
	if err != nil {
		return err
	}
	if c.Now {
		err = r.hold(ctx)
	}
	if err == nil {
		err = r.roll(ctx)
	}
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		err = fmt.Errorf("this clone does not hold all files (%w): use one that was made without --filter", err)
	}
	r.tellPins(err)
	return err
}

// begin finds the clone, the remote and its branch, and asks what can be asked before anything is done.
func (c rollbackCmd) begin(ctx context.Context, io *streams) (*rollback, error) {
	patterns, err := value.ParsePatterns(c.Path)
	switch {
	case err != nil:
		return nil, misused("--path: %w", err)
	case strings.HasPrefix(c.Version, "-"):
		return nil, fmt.Errorf("%s is no version: name a commit or a tag", c.Version)
	}
	r := &rollback{rollbackCmd: c, io: io, patterns: patterns, git: userGit{dir: c.Dir}}
	if _, err := r.git.run(ctx, "rev-parse", "--git-dir"); err != nil {
		if errors.Is(err, errNoGit) {
			return nil, err
		}
		return nil, fmt.Errorf("%s is in no clone of the config repo (%w): name one with --dir, or make one with git clone", c.Dir, err)
	}
	if top, err := r.git.run(ctx, "rev-parse", "--show-toplevel"); err == nil {
		r.git.dir = top
	}
	if err := r.target(ctx); err != nil {
		return nil, err
	}
	if _, err := r.git.run(ctx, "var", "GIT_COMMITTER_IDENT"); err != nil && !c.DryRun {
		return nil, errors.New("git does not know who you are: git config --global user.name NAME, and user.email ADDRESS")
	}
	return r, nil
}

// target finds the remote and the branch that goes back.
func (r *rollback) target(ctx context.Context) error {
	current, _ := r.git.run(ctx, "symbolic-ref", "--quiet", "--short", "HEAD")
	remote, _ := r.git.run(ctx, "config", "--get", "branch."+current+".remote")
	merge, _ := r.git.run(ctx, "config", "--get", "branch."+current+".merge")
	if remote == "." {
		remote = "" // the upstream is a branch of the clone itself
	}
	known, err := r.git.run(ctx, "remote")
	if err != nil {
		return err
	}
	names := strings.Fields(known)
	r.remote = cmp.Or(r.Remote, remote, "origin")
	switch {
	case len(names) == 0:
		return errors.New("the clone has no remote to push to: git remote add origin URL")
	case !slices.Contains(names, r.remote):
		return fmt.Errorf("the clone has no remote %s, but %s: name one with --remote", r.remote, strings.Join(names, ", "))
	}
	upstream := ""
	if r.remote == remote {
		upstream = strings.TrimPrefix(merge, "refs/heads/")
	}
	r.branch = cmp.Or(r.Onto, upstream, "main")
	return nil
}

// where is the branch in words.
func (r *rollback) where() string { return r.branch + " of " + r.remote }

// maxMoves is how often the branch may move while the rollback is made.
const maxMoves = 5

// roll makes and pushes the commit, again while the branch moves.
func (r *rollback) roll(ctx context.Context) error {
	for range maxMoves {
		answer, moved, err := r.attempt(ctx)
		if answer != nil && !moved {
			err = errors.Join(r.write(answer), err)
		}
		if err != nil || !moved {
			return err
		}
		fmt.Fprintf(r.io.err, "trunkline: %s moved meanwhile: once more, on top of it\n", r.where())
	}
	return fmt.Errorf("%s moved %d times while the rollback was made, and nothing was pushed: run it again", r.where(), maxMoves)
}

// attempt does all of it once. The answer is nil where there is none yet.
func (r *rollback) attempt(ctx context.Context) (answer *rollbackAnswer, moved bool, err error) {
	d, err := r.draft(ctx)
	if err != nil {
		return nil, false, err
	}
	answer = &rollbackAnswer{
		Restored: r.version, Remote: r.remote, Branch: r.branch, Head: d.head.Hash.String(), Paths: d.pathNames(), Changes: []envDiff{}, Pinned: r.pins,
	}
	if d.tree == d.head.TreeHash.String() {
		r.say("%s holds exactly that already: there is nothing to do", r.where())
		return answer, false, nil
	}
	if !r.DryRun {
		if err := d.hooked(ctx); err != nil {
			return nil, false, err
		}
	}
	verdict, err := d.judge(ctx)
	if err != nil {
		return nil, false, err
	}
	answer.Message, answer.Environments, answer.Changes = d.message, verdict.verdict().Environments, append(answer.Changes, d.changes...)
	if err := r.show(d, verdict); err != nil {
		return nil, false, err
	}
	if verdict.rejected() {
		answer.Problems = verdict.problems
		r.say("rejected: nothing was pushed")
		return answer, false, errNo
	}
	if r.DryRun {
		r.say("nothing was pushed: this was --dry-run")
		return answer, false, nil
	}
	commit, err := d.commit(ctx)
	if err != nil {
		return nil, false, err
	}
	answer.Commit = commit
	if moved, err = r.push(ctx, d, commit); err != nil || moved {
		return answer, moved, err
	}
	answer.Pushed, answer.PushedTo = true, cmp.Or(r.Branch, r.branch)
	r.say("pushed %s to %s of %s", short(commit), answer.PushedTo, r.remote)
	return answer, false, nil
}

// say tells people what happens; with -o json that is talk.
func (r *rollback) say(format string, args ...any) {
	out := r.io.out
	if r.json() {
		out = r.io.err
	}
	fmt.Fprintf(out, format+"\n", args...)
}

func (r *rollback) write(answer *rollbackAnswer) error {
	if !r.json() {
		return nil
	}
	enc := json.NewEncoder(r.io.out)
	enc.SetIndent("", "  ")
	return enc.Encode(answer)
}

// show tells what the rollback would be, unless that is what was told before.
func (r *rollback) show(d *draft, verdict judged) error {
	if r.json() {
		return nil
	}
	var text strings.Builder
	to := &streams{out: &text, color: r.io.color}
	c := newPalette(r.io.color)
	subject, body, _ := strings.Cut(d.message, "\n")
	fmt.Fprintf(&text, "%s\n", c.bold(subject))
	if r.DryRun {
		for line := range strings.Lines(strings.TrimSpace(body)) {
			fmt.Fprintf(&text, "  %s\n", c.dim(strings.TrimRight(line, "\n")))
		}
	}
	if err := writeDiffs(to, d.changes); err != nil {
		return err
	}
	if len(d.changes) == 0 {
		fmt.Fprintf(&text, "%s\n", c.dim("no value changes"))
	}
	if verdict.rejected() {
		fmt.Fprintln(&text)
		verdict.write(to)
	} else {
		verdict.writeVerdicts(to, "")
	}
	if told := text.String(); told != r.shown {
		fmt.Fprint(r.io.out, told)
		r.shown = told
	}
	return nil
}

// shortCommit is a commit as it is told: by its first digits and its subject.
func shortCommit(c *object.Commit) string {
	subject, _, _ := strings.Cut(strings.TrimSpace(c.Message), "\n")
	return short(c.Hash.String()) + " " + clippedSubject(subject)
}

const maxToldSubject = 72

// clippedSubject is a subject that fits on a line.
func clippedSubject(subject string) string {
	subject = strings.Map(printableRune, subject)
	if runes := []rune(subject); len(runes) > maxToldSubject {
		return string(runes[:maxToldSubject-1]) + "…"
	}
	return subject
}
