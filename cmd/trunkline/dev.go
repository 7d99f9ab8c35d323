package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/server"
)

type devCmd struct {
	Dir    string `arg:"" optional:"" default:"." help:"Directory of the config repo." placeholder:"DIR"`
	Listen string `help:"Address to serve on; a loopback one." default:"127.0.0.1:7420" env:"TRUNKLINE_LISTEN"`
}

func (devCmd) Help() string {
	return `A working tree is live while it is edited: every save is judged as a commit would be, on top of what was there at first, and served to
the same clients as by a server. Problems are told as they appear, and when they are mended. Nothing is written.

Example:
  trunkline dev config
  trunkline watch --env prod           # in another terminal`
}

func (c devCmd) Run(ctx context.Context, io *streams) error {
	teller := &devTeller{io: io, dir: c.Dir, c: newPalette(io.color)}
	dev, err := server.NewDev(c.Dir, c.Listen, logger(io.err, "warn"), teller.judged)
	if err != nil {
		return err
	}
	if _, _, err := compile.ReadDirectory(c.Dir); err != nil {
		return err
	}
	fmt.Fprintf(io.out, "%s is live on http://%s while you edit it\n\n", c.Dir, dev.Addr())
	return dev.Run(ctx)
}

// devTeller tells what changed between two looks.
type devTeller struct {
	io       *streams
	dir      string
	c        palette
	problems []compile.Problem
	effects  []compile.Effect
}

func (t *devTeller) judged(result *compile.Result, err error) {
	if err != nil {
		fmt.Fprintf(t.io.err, "%s %v\n", t.c.red("cannot look:"), err)
		return
	}
	has := func(list []compile.Problem, p compile.Problem) bool {
		return slices.ContainsFunc(list, func(q compile.Problem) bool {
			return p.String() == q.String() && slices.Equal(p.Environments, q.Environments)
		})
	}
	for _, p := range t.problems {
		if !has(result.Problems, p) && !slices.ContainsFunc(result.Problems, func(q compile.Problem) bool { return q.Rule == p.Rule && q.File == p.File }) {
			fmt.Fprintf(t.io.out, "%s %s\n", t.c.green("mended"), p.String())
		}
	}
	for _, p := range result.Problems {
		if !has(t.problems, p) {
			writeProblem(t.io.out, p, t.dir, t.c)
		}
	}
	if !slices.EqualFunc(t.effects, result.Effects, sameEffects) {
		writeEffects(t.io.out, result.Effects, "", t.c)
	}
	t.problems, t.effects = result.Problems, result.Effects
	var live, kept []string
	for _, env := range result.Environments {
		if result.Valid(env) {
			live = append(live, env)
		} else {
			kept = append(kept, env)
		}
	}
	line := t.c.dim(time.Now().Format("15:04:05")) + " "
	if len(live) > 0 {
		line += t.c.green("live: ") + strings.Join(live, ", ") + " "
	}
	if len(kept) > 0 {
		line += t.c.red("kept as it was: ") + strings.Join(kept, ", ")
	}
	fmt.Fprintln(t.io.out, strings.TrimSpace(line))
}

func sameEffects(a, b compile.Effect) bool {
	return sameEffect(a.Effect, b.Effect) && slices.Equal(a.Environments, b.Environments)
}

// sameEffect tells whether people would be told of two in the same words.
func sameEffect(a, b experiment.Effect) bool {
	return compile.Effect{Effect: a}.String() == compile.Effect{Effect: b}.String()
}
