package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/trunkline/trunkline/api"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/client"
)

const (
	stepPatience = 15 * time.Second
	askAgain     = 10 * time.Millisecond
)

// demoClient is a client that keeps the changes it received until the story asks for them.
type demoClient struct {
	*client.Client
	name   string // as the story calls it
	events chan received
	stop   func()
}

type received struct {
	client.Event
	at time.Time
}

func newDemoClient(ctx context.Context, url, env, name string, who map[string]any) *demoClient {
	c := &demoClient{name: name, events: make(chan received, 100)}
	var err error
	c.Client, err = client.New(client.Options{URL: url, Env: env, Context: who, Name: "demo", OnEvent: func(e client.Event) {
		if e.Kind == client.Delta {
			c.events <- received{e, time.Now()}
		}
	}})
	if err != nil {
		panic(err) // the URL is our own server's
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Run(ctx)
	}()
	c.stop = func() {
		cancel()
		<-ended
	}
	return c
}

// ready waits for the first values.
func (c *demoClient) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stepPatience)
	defer cancel()
	if err := c.Wait(ctx); err != nil {
		return fmt.Errorf("no first values for %s: %w", c.name, err)
	}
	return nil
}

// delta waits for the change that a commit brings.
func (c *demoClient) delta(ctx context.Context, commit string) (received, error) {
	ctx, cancel := context.WithTimeout(ctx, stepPatience)
	defer cancel()
	select {
	case e := <-c.events:
		if e.State.Commit != commit {
			return e, fmt.Errorf("%s received commit %s in the place of %s", c.name, short(e.State.Commit), short(commit))
		}
		return e, nil
	case <-ctx.Done():
		return received{}, fmt.Errorf("%s received nothing within %s", c.name, stepPatience)
	}
}

// lacks makes sure that a commit was not received.
func (c *demoClient) lacks(commit string) error {
	if c.State().Commit == commit {
		return fmt.Errorf("%s received commit %s, which it should not have", c.name, short(commit))
	}
	return nil
}

// story plays all steps, each building on the one before.
func (d *demo) story(ctx context.Context) error {
	fmt.Fprintf(d.out, "%s follows %s\n%s\n\n", d.c.bold("trunkline"), d.remote(), d.c.dim("A WebSocket client is connected to prod and one to staging. Times count from the beginning of git push."))
	for _, step := range []func(context.Context) error{d.good, d.bad, d.mended, d.stagingAlone, d.revert, d.rollout} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) good(ctx context.Context) error {
	d.title(1, "A good change: shorten the checkout's timeout")
	if err := d.edit("config/checkout.yaml", "timeout: 30s", "timeout: 20s"); err != nil {
		return err
	}
	p, err := d.push(ctx, "Give up on checkouts after 20 s")
	if err != nil {
		return err
	}
	return d.arrives(ctx, p)
}

func (d *demo) bad(ctx context.Context) error {
	d.title(2, "A bad change: more retries than the schema allows")
	if err := d.edit("config/checkout.yaml", "retries: 3", "retries: 30"); err != nil {
		return err
	}
	p, err := d.push(ctx, "Try much harder")
	if err != nil {
		return err
	}
	v, err := d.judged(ctx, p.commit)
	if err != nil {
		return err
	}
	if v.Environments["prod"].Verdict != apply.Rejected || v.Environments["staging"].Verdict != apply.Rejected {
		return errors.New("the bad commit was not rejected")
	}
	if err := d.refusal(v, p); err != nil {
		return err
	}
	if err := errors.Join(d.prod.lacks(p.commit), d.staging.lacks(p.commit)); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "  prod and staging received nothing: checkout.retries is still %d\n\n", d.prod.Int("checkout.retries", 0))
	return nil
}

func (d *demo) mended(ctx context.Context) error {
	d.title(3, "The mended change, on top of the bad one")
	if err := d.edit("config/checkout.yaml", "retries: 30", "retries: 5"); err != nil {
		return err
	}
	p, err := d.push(ctx, "Try five times, as the schema allows")
	if err != nil {
		return err
	}
	return d.arrives(ctx, p)
}

func (d *demo) stagingAlone(ctx context.Context) error {
	d.title(4, "A fault that touches staging alone, while prod moves on")
	if err := d.edit("environments/staging/checkout.yaml", "timeout: 60s", "timeout: a minute"); err != nil {
		return err
	}
	if err := d.edit("config/search.toml", "newRanking = false", "newRanking = true"); err != nil {
		return err
	}
	p, err := d.push(ctx, "Rank search results anew")
	if err != nil {
		return err
	}
	if err := d.arrives(ctx, p); err != nil {
		return err
	}
	v, err := d.judged(ctx, p.commit)
	if err != nil {
		return err
	}
	if v.Environments["staging"].Verdict != apply.Rejected || v.Environments["prod"].Verdict != apply.Valid {
		return errors.New("the fault did not stay in staging")
	}
	if err := d.refusal(v, p); err != nil {
		return err
	}
	if err := d.staging.lacks(p.commit); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "  staging keeps its last good version\n\n")
	return nil
}

func (d *demo) revert(ctx context.Context) error {
	d.title(5, "git revert: a rollback, recognised by its content")
	if _, err := hostGit(ctx, d.work(), "revert", "--no-edit", "HEAD"); err != nil {
		return err
	}
	p, err := d.pushHead(ctx)
	if err != nil {
		return err
	}
	before, err := hostGit(ctx, d.work(), "rev-parse", "HEAD~2")
	if err != nil {
		return err
	}
	e, err := d.prod.delta(ctx, p.commit)
	if err != nil {
		return err
	}
	if e.Cause != string(apply.CauseRollback) || e.State.RollbackOf != before {
		return fmt.Errorf("the revert arrived as %s of %s, not as a rollback to %s", e.Cause, short(e.State.RollbackOf), short(before))
	}
	d.show(d.prod, p, e)
	fmt.Fprintf(d.out, "  %s the content is exactly that of %s\n", d.c.green("rollback:"), d.c.cyan(short(before)))
	v, err := d.judged(ctx, p.commit)
	if err != nil {
		return err
	}
	if v.Environments["staging"].Verdict != apply.Valid {
		return errors.New("staging is still blocked after the revert")
	}
	fmt.Fprintf(d.out, "  staging is good again\n\n")
	return nil
}

// ranking gives the new ranking to the staff alone.
const ranking = `owner: team-search
environments: [prod]
set: {search.newRanking: true}
rules: [{name: staff, when: context.role == "staff"}]
`

func (d *demo) rollout(ctx context.Context) error {
	d.title(6, "A rollout: the new ranking again, for the staff first")
	staff := newDemoClient(ctx, d.url, "prod", "a client of the staff", map[string]any{"role": "staff"})
	defer staff.stop()
	if err := staff.ready(ctx); err != nil {
		return err
	}
	if err := d.write("rollouts/new-ranking.yaml", ranking); err != nil {
		return err
	}
	p, err := d.push(ctx, "Show the staff the new ranking")
	if err != nil {
		return err
	}
	e, err := staff.delta(ctx, p.commit)
	if err != nil {
		return err
	}
	d.show(staff, p, e)
	if err := d.prod.lacks(p.commit); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "  %s received nothing: search.newRanking is still %t for everybody else\n\n", d.prod.name, d.prod.Bool("search.newRanking", true))
	return nil
}

func (d *demo) title(n int, text string) {
	fmt.Fprintf(d.out, "%s\n", d.c.bold(fmt.Sprintf("%d. %s", n, text)))
}

// arrives waits until prod has a change, and shows it.
func (d *demo) arrives(ctx context.Context, p pushed) error {
	return d.arrivesAt(ctx, d.prod, p)
}

func (d *demo) arrivesAt(ctx context.Context, at *demoClient, p pushed) error {
	e, err := at.delta(ctx, p.commit)
	if err != nil {
		return err
	}
	d.show(at, p, e)
	fmt.Fprintln(d.out)
	return nil
}

func (d *demo) show(at *demoClient, p pushed, e received) {
	fmt.Fprintf(d.out, "  %s received %s after %s\n", at.name, d.c.cyan(short(p.commit)), d.c.green(e.at.Sub(p.began).Round(time.Millisecond).String()))
	for _, change := range e.Changes {
		fmt.Fprint(d.out, "  ")
		writeChange(d.out, change, d.c)
	}
}

// refusal shows why a commit was rejected; every problem must name its place and the next step.
func (d *demo) refusal(v *api.Version, p pushed) error {
	fmt.Fprintf(d.out, "  %s %s after %s\n", d.c.red("rejected"), d.c.cyan(short(p.commit)), v.Judged.Sub(p.began).Round(time.Millisecond))
	shown := 0
	for _, problem := range v.Problems {
		if problem.Severity != compile.Error {
			continue
		}
		if problem.File == "" || problem.Line == 0 || problem.Hint == "" {
			return fmt.Errorf("a problem names no place or no next step: %s", problem)
		}
		var text strings.Builder
		writeProblem(&text, problem, d.work(), d.c)
		for line := range strings.Lines(text.String()) {
			fmt.Fprint(d.out, "  ", line)
		}
		shown++
	}
	if shown == 0 {
		return errors.New("a rejected commit has no problem")
	}
	return nil
}

// judged waits until the server tells of a commit.
func (d *demo) judged(ctx context.Context, commit string) (*api.Version, error) {
	ctx, cancel := context.WithTimeout(ctx, stepPatience)
	defer cancel()
	for {
		body, err := ask(ctx, d.url, "", "/v1/versions", url.Values{"limit": {"5"}})
		if err != nil {
			return nil, err
		}
		var list api.VersionList
		if err := json.Unmarshal(body, &list); err != nil {
			return nil, err
		}
		i := slices.IndexFunc(list.Versions, func(v api.Version) bool { return v.Commit == commit })
		if i >= 0 {
			return &list.Versions[i], nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the server did not judge %s within %s", short(commit), stepPatience)
		case <-time.After(askAgain):
		}
	}
}

// hostGit runs git without the settings of whoever runs the demo.
func hostGit(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Ada Lovelace", "GIT_AUTHOR_EMAIL=ada@example.com",
		"GIT_COMMITTER_NAME=Ada Lovelace", "GIT_COMMITTER_EMAIL=ada@example.com")
	out, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("git is not installed; the demo needs it")
	}
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(string(out)))
	}
	return strings.TrimSpace(string(out)), nil
}
