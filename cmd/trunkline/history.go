package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trunkline/trunkline/api"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/experiment"
)

type historyCmd struct {
	Path    string `arg:"" optional:"" help:"Pattern of a changed path, as checkout.**." placeholder:"PATTERN"`
	Author  string `help:"Part of the name or address of an author or signer." placeholder:"TEXT"`
	Verdict string `help:"valid, rejected or pending." placeholder:"VERDICT"`
	Since   string `help:"Judged at a time or later, or as long ago as 7d." placeholder:"TIME"`
	Until   string `help:"Judged before a time, or longer ago than 1d." placeholder:"TIME"`
	Before  string `help:"Version after which to go on, as an answer before it told." placeholder:"COMMIT"`
	Limit   int    `help:"Most versions of an answer." default:"20"`
	remote
}

func (historyCmd) Help() string {
	return `Judged versions, newest first: what became of each in every environment, what it changed, and what it takes back. It needs the
right to history.

Examples:
  trunkline history --env prod
  trunkline history 'checkout.**' --since 7d
  trunkline history --verdict rejected --author ada`
}

func (c historyCmd) Run(ctx context.Context, io *streams) error {
	query := url.Values{
		"path": {c.Path}, "author": {c.Author}, "verdict": {c.Verdict}, "env": {c.Env}, "before": {c.Before}, "limit": {strconv.Itoa(c.Limit)},
	}
	for name, text := range map[string]string{"since": c.Since, "until": c.Until} {
		at, err := past(text, time.Now())
		if err != nil {
			return misused("--%s: %w", name, err)
		}
		query.Set(name, at)
	}
	body, err := c.ask(ctx, "/v1/versions", query)
	if err != nil {
		return err
	}
	if c.json() {
		_, err := io.out.Write(body)
		return err
	}
	var list api.VersionList
	if err := json.Unmarshal(body, &list); err != nil {
		return fmt.Errorf("the server's answer: %w", err)
	}
	for _, v := range list.Versions {
		writeVersion(io, v)
	}
	if list.Next != "" {
		fmt.Fprintf(io.err, "there may be more: go on with --before %s\n", list.Next)
	}
	if len(list.Versions) == 0 && list.Next == "" {
		return errNo
	}
	return nil
}

// writeVersion tells of a version in one line, and in one more of each way in which environments took it.
func writeVersion(io *streams, v api.Version) {
	c := newPalette(io.color)
	line := c.cyan(short(v.Commit)) + " " + v.Subject
	if len(v.Tags) > 0 {
		line += " " + c.green("["+strings.Join(v.Tags, ", ")+"]")
	}
	by := "by " + v.Author.Name
	if v.Signer != nil {
		by += ", signed by " + v.Signer.Principal
	}
	fmt.Fprintf(io.out, "%s %s\n", line, c.dim(by+", "+v.Judged.Local().Format(time.DateTime)))
	for _, fate := range fates(v) {
		fmt.Fprintf(io.out, "  %s\n", fate.words(c))
	}
	for _, p := range v.Problems {
		if p.Severity == compile.Error {
			fmt.Fprintf(io.out, "    %s\n", p)
		}
	}
}

// fate is what became of a version in environments that took it alike.
type fate struct {
	environments []string
	about        api.VersionEnvironment
}

func fates(v api.Version) []fate {
	var all []fate
	for _, env := range slices.Sorted(maps.Keys(v.Environments)) {
		one := fate{[]string{env}, v.Environments[env]}
		i := slices.IndexFunc(all, func(f fate) bool { return f.alike(one) })
		if i < 0 {
			all = append(all, one)
			continue
		}
		all[i].environments = append(all[i].environments, env)
	}
	return all
}

func (f fate) alike(g fate) bool {
	a, b := f.about, g.about
	return a.Verdict == b.Verdict && a.State == b.State && a.ChangesTotal == b.ChangesTotal && lineageWords(a.Lineage) == lineageWords(b.Lineage) &&
		slices.EqualFunc(a.Effects, b.Effects, func(x, y experiment.Effect) bool { return x.Key == y.Key && x.Text == y.Text }) &&
		slices.EqualFunc(a.Changes, b.Changes, func(x, y apply.Change) bool { return x.Path == y.Path })
}

func (f fate) words(c palette) string {
	verdict := f.about.State
	if verdict == "" {
		verdict = string(f.about.Verdict)
	}
	switch f.about.Verdict {
	case apply.Rejected:
		verdict = c.red(verdict)
	case apply.Pending:
		verdict = c.yellow(verdict)
	case apply.Valid:
		verdict = c.green(verdict)
	}
	words := fmt.Sprintf("%s %s", verdict, strings.Join(f.environments, ", "))
	if lineage := lineageWords(f.about.Lineage); lineage != "" {
		words += "; " + lineage
	}
	for _, e := range f.about.Effects {
		words += "; " + compile.Effect{Effect: e}.String()
	}
	if paths := changedPaths(f.about); paths != "" {
		words += c.dim("; changes " + paths)
	}
	return words
}

// changedPaths names the first few paths.
func changedPaths(e api.VersionEnvironment) string {
	const few = 4
	var paths []string
	for _, change := range e.Changes[:min(len(e.Changes), few)] {
		paths = append(paths, change.Path)
	}
	if more := max(e.ChangesTotal, len(e.Changes)) - len(paths); more > 0 && len(paths) > 0 {
		paths = append(paths, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(paths, ", ")
}

// lineageWords say what a version takes back.
func lineageWords(l *api.Lineage) string {
	if l == nil {
		return ""
	}
	back := short(l.First)
	if l.Last != l.First {
		back += ".." + short(l.Last)
	}
	words := ""
	switch l.Kind {
	case apply.LineageRollback:
		words = "rollback to " + short(l.Version)
	case apply.LineageRevert:
		words = "takes back " + back
	case apply.LineagePartial:
		words = "takes back " + strings.Join(l.Paths, ", ") + " of " + back
	case apply.LineageClaimed:
		return "says that it takes something back, and does not"
	}
	if l.Claim != nil && !l.Confirmed {
		words += " (its message names another)"
	}
	return words
}
