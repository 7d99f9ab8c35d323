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
	skipped  bool // it could not be measured here; note says why
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
	scale   scale
	rows    []row
}

func (s *suite) add(r row) {
	s.rows = append(s.rows, r)
	fmt.Fprintf(os.Stderr, "%s: %.4g %s (limit %.4g)\n", r.what, r.measured, r.unit, r.limit)
}

// skip notes what cannot be measured here.
func (s *suite) skip(what, why string) {
	s.rows = append(s.rows, row{what: what, skipped: true, note: why})
	fmt.Fprintf(os.Stderr, "%s: skipped: %s\n", what, why)
}

func main() {
	if len(os.Args) > 1 && hidden(os.Args[1], os.Args[2:]) {
		return
	}
	only := flag.String("only", "", "measure only what contains this text: push, change, start, read, http, memory, credentials, sessions, broadcast, idle, slow, patterns, storm, day, page, assignment, local, ofrep, served, hostile, dev, past, records")
	pushes := flag.Int("pushes", 50, "how many pushes are timed")
	small := flag.Bool("quick", false, "show that the rows from broadcast to served work, with counts too small to mean much")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: bench [-only TEXT] [-pushes N] [-quick] PROGRAM")
		os.Exit(2)
	}
	s := &suite{scale: whole}
	if *small {
		s.scale = quick
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := s.run(ctx, flag.Arg(0), *only, *pushes); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// hidden does what other processes of the benchmark are started for, and reports whether that is what was asked for.
func hidden(what string, args []string) bool {
	var err error
	switch what {
	case bareArg:
		err = serveBare(args[0], args[1])
	case swarmArg:
		err = runSwarm()
	case dayArg:
		err = runDay(args[0], args[1])
	default:
		return false
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench %s: %v\n", what, err)
		os.Exit(1)
	}
	return true
}

func (s *suite) run(ctx context.Context, program, only string, pushes int) (err error) {
	if s.program, err = filepath.Abs(program); err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "trunkline-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(s.dir)
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
		{"broadcast", s.broadcasts},
		{"idle", s.idle},
		{"slow", s.neverReading},
		{"patterns", s.patterns},
		{"storm", s.storms},
		{"day", s.day},
		{"page", s.page},
		{"assignment", s.overrides},
		{"local", s.localEvaluation},
		{"ofrep", s.ofrep},
		{"served", s.servedOverrides},
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
		case r.skipped:
			fmt.Fprintf(w, "%s\t–\t–\t–\tskipped\t%s\n", r.what, r.note)
			continue
		case r.compared:
			verdict = "compared"
		case !r.reached():
			verdict = "NOT reached"
		}
		fmt.Fprintf(w, "%s\t%.4g %s\t%.4g %s\t%.2f\t%s\t%s\n", r.what, r.measured, r.unit, r.limit, r.unit, r.ratio(), verdict, r.note)
	}
	_ = w.Flush()
}
