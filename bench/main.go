// Command bench measures what the program promises, each number beside its limit or its bare counterpart in the same run, and
// prints a table. It needs git, and a built trunkline whose path is its argument.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"text/tabwriter"
)

// row is one measured number. Reached is measured ≤ limit, or for shares measured ≥ limit.
type row struct {
	what     string
	measured float64
	limit    float64
	unit     string
	share    bool // more is better
	compared bool // limit is no limit but what the number stands beside
	note     string
}

func (r row) reached() bool {
	if r.share {
		return r.measured >= r.limit
	}
	return r.measured <= r.limit
}

// ratio is how the number stands to its limit: at most 1 where less is better, at least 1 where more is.
func (r row) ratio() float64 { return r.measured / r.limit }

// suite is what the measurements share.
type suite struct {
	program string // the built trunkline
	dir     string // for everything that is written
	rows    []row
}

func (s *suite) add(r row) {
	s.rows = append(s.rows, r)
	fmt.Fprintf(os.Stderr, "%s: %.4g %s (limit %.4g)\n", r.what, r.measured, r.unit, r.limit)
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == bareArg {
		serveBare(os.Args[2])
		return
	}
	only := flag.String("only", "", "measure only what contains this text: push, change, start, read, http, memory, credentials, sessions, hostile, dev, past, records")
	pushes := flag.Int("pushes", 50, "how many pushes are timed")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: bench [-only TEXT] [-pushes N] PROGRAM")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, flag.Arg(0), *only, *pushes); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, program, only string, pushes int) error {
	program, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "trunkline-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := &suite{program: program, dir: dir}
	var errs []error
	for _, m := range []struct {
		name    string
		measure func(context.Context) error
	}{
		{"read", s.readInProcess},
		{"change", s.oneLineChange},
		{"hostile", s.hostileCommits},
		{"push start memory", func(ctx context.Context) error { return s.largeRepo(ctx, pushes) }},
		{"http memory", s.smallRepo},
		{"credentials", s.credentials},
		{"sessions", s.sessions},
		{"dev", s.savesInDev},
		{"past", s.past},
		{"records", s.records},
	} {
		if strings.Contains(m.name, only) {
			errs = append(errs, m.measure(ctx))
		}
	}
	s.print()
	return errors.Join(errs...)
}

func (s *suite) print() {
	w := tabwriter.NewWriter(os.Stdout, 2, 8, 2, ' ', 0)
	fmt.Fprintln(w, "what\tmeasured\tlimit\tratio\t\tnote")
	for _, r := range s.rows {
		verdict := "reached"
		switch {
		case r.compared:
			verdict = "compared"
		case !r.reached():
			verdict = "NOT reached"
		}
		fmt.Fprintf(w, "%s\t%.4g %s\t%.4g %s\t%.2f\t%s\t%s\n", r.what, r.measured, r.unit, r.limit, r.unit, r.ratio(), verdict, r.note)
	}
	_ = w.Flush()
}
