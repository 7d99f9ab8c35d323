package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/trunkline/trunkline/api"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// earlier are the flags of verbs that may ask of an earlier version.
type earlier struct {
	At string `help:"Version: a commit, a tag, or a time; what is live without it." placeholder:"VERSION"`
}

type blameCmd struct {
	Path string `arg:"" help:"Path of a value, or a pattern of several." placeholder:"PATH"`
	earlier
	remote
}

func (blameCmd) Help() string {
	return `Tells, for each value, the commit that last changed it in the environment, whose it is, and the line it stands in. It needs the right to
history.

Examples:
  trunkline blame checkout.timeout --env prod
  trunkline blame 'checkout.**' -e prod --at v1.4`
}

// origin tells of the commit that last changed something.
func origin(o api.Origin, c palette) string {
	by := o.Author.Name
	for _, p := range o.CoAuthors {
		by += ", " + p.Name
	}
	if len(o.Merged) > 0 {
		by += ", merging " + strings.Join(names(o.Merged), ", ")
	}
	if o.Signer != nil {
		by += ", signed by " + o.Signer.Principal
	}
	commit := c.cyan(short(o.Commit))
	if o.Older {
		commit += " or before"
	}
	return fmt.Sprintf("%s %s %s", commit, o.Subject, c.dim(fmt.Sprintf("by %s, %s", by, o.Committed.Local().Format(time.DateTime))))
}

func names(people []audit.Person) []string {
	var all []string
	for _, p := range people {
		all = append(all, p.Name)
	}
	return all
}

func (c blameCmd) Run(ctx context.Context, io *streams) error {
	body, err := c.ask(ctx, "/v1/blame/"+url.PathEscape(c.Path), url.Values{"env": {c.Env}, "at": {c.At}})
	if err != nil {
		return err
	}
	if c.json() {
		_, err := io.out.Write(body)
		return err
	}
	var answer struct {
		Entries []struct {
			Path  string
			Value json.RawMessage
			value.Pos
			api.Origin
		}
		Total     int
		Truncated bool
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("the server's answer: %w", err)
	}
	p := newPalette(io.color)
	for _, e := range answer.Entries {
		place := e.Pos.String()
		if e.File == "" {
			place = "in an environment beneath, which the credential is not for"
		}
		fmt.Fprintf(io.out, "%s = %s\n  %s\n  %s\n", p.bold(e.Path), e.Value, origin(e.Origin, p), place)
	}
	if answer.Truncated {
		fmt.Fprintf(io.err, "these are %d of %d: narrow the pattern\n", len(answer.Entries), answer.Total)
	}
	return nil
}

type explainCmd struct {
	Path string `arg:"" help:"Path of a value." placeholder:"PATH"`
	earlier
	attributed
	remote
}

func (explainCmd) Help() string {
	return `Tells how a value came about: what the base says, what each overlay does about it, where, and whose change each of them was. It needs the
right to history.

With a context it tells, check by check, what the rollouts and experiments that set the path make of it for that somebody, and the value that
they get. That needs the right to define, too: on the server's machine its own token is found by TRUNKLINE_DATA. With that right, but without
a context, it names them.

Examples:
  trunkline explain checkout.timeout --env prod
  trunkline explain checkout.ui.button.color -e prod -c targetingKey=u1 -c country=DE`
}

func (c explainCmd) Run(ctx context.Context, io *streams) error {
	who, err := c.query()
	if err != nil {
		return err
	}
	token, err := c.token()
	if who != "" && token == "" && err == nil {
		if own, missing := c.operatorToken(); missing == nil {
			token = own
		}
	}
	if err != nil {
		return fmt.Errorf("--token-file: %w", err)
	}
	body, err := c.askAs(ctx, token, "/v1/explain/"+url.PathEscape(c.Path), url.Values{"env": {c.Env}, "at": {c.At}, "context": {who}})
	if err != nil {
		return err
	}
	if c.json() {
		_, err := io.out.Write(body)
		return err
	}
	var answer struct {
		Path, Environment string
		Value             json.RawMessage
		Steps             []struct {
			Kind, Environment, Folder, Op string
			Value                         json.RawMessage
			Effective                     bool
			Change                        api.Origin
			value.Pos
		}
		unitsExplained
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("the server's answer: %w", err)
	}
	p := newPalette(io.color)
	fmt.Fprintf(io.out, "%s = %s in %s\n", p.bold(answer.Path), answer.Value, answer.Environment)
	for _, s := range answer.Steps {
		what := s.Op
		if len(s.Value) > 0 {
			what += " " + string(s.Value)
		}
		if s.Effective {
			what = p.green(what)
		} else {
			what += p.dim(" (shadowed)")
		}
		fmt.Fprintf(io.out, "  %-22s %s\n  %-22s %s\n  %-22s %s\n", s.Folder, what, "", s.Pos, "", origin(s.Change, p))
	}
	answer.print(io, p)
	return nil
}

// unitsExplained is what an explanation tells of rollouts and experiments.
type unitsExplained struct {
	Owners    []api.Owner
	Decisions []experiment.Explanation
	Resolved  json.RawMessage
}

func (u unitsExplained) print(io *streams, p palette) {
	if len(u.Decisions) == 0 {
		for _, o := range u.Owners {
			fmt.Fprintf(io.out, "  the %s %s may set another value: see what it does for somebody with --context\n", o.Kind, p.bold(o.Key))
		}
		return
	}
	for _, x := range u.Decisions {
		outcome := p.dim("is not in effect")
		if x.In {
			outcome = p.green("is in effect: " + x.Arm)
		}
		fmt.Fprintf(io.out, "the %s %s %s\n", x.Kind, p.bold(x.Key), outcome)
		for _, check := range x.Checks {
			mark := " "
			if check.Decided {
				mark = ">"
			}
			fmt.Fprintf(io.out, "  %s %-12s %s\n", mark, check.Check, check.Text)
		}
	}
	if len(u.Resolved) > 0 {
		fmt.Fprintf(io.out, "so they get %s\n", p.bold(string(u.Resolved)))
	}
}
