package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
)

// noLog takes records and keeps none: what is measured here is judging.
type noLog struct{}

func (noLog) Record(context.Context, apply.Events) error { return nil }

// inside is a reconciler on a repository, without the rest of the server.
type inside struct {
	remote     *remote
	follower   *gitsync.Follower
	reconciler *apply.Reconciler
	live       *apply.Live
	taken      chan time.Duration // CPU time of each update
	stop       func()
}

func newInside(ctx context.Context, dir string, fill func(string) error) (*inside, error) {
	r, err := newRemote(ctx, dir, fill)
	if err != nil {
		return nil, err
	}
	f, err := gitsync.Open(ctx, gitsync.Options{URL: r.bare, Dir: filepath.Join(dir, "mirror"), Poll: 10 * time.Minute})
	if err != nil {
		return nil, err
	}
	i := &inside{remote: r, follower: f, live: apply.NewLive(), taken: make(chan time.Duration, 1)}
	i.reconciler = apply.New(apply.Options{
		Mirror: f, Log: noLog{}, Live: i.live, Key: value.Key("bench"), Slog: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = f.Run(ctx, gitsync.Hash{}, func(ctx context.Context, u gitsync.Update) error {
			began := cpu()
			err := i.reconciler.Take(ctx, u)
			i.taken <- cpu() - began
			return err
		})
	}()
	i.stop = func() {
		cancel()
		<-ended
		_ = f.Close()
		r.server.Close()
	}
	<-i.taken
	return i, nil
}

// cpu is the processor time this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// oneLineChange measures the processor time from a fetched commit to the swap, garbage collection included: without schemas and
// policies, and with many; and beside it that of a change after which every value has to be judged again.
func (s *suite) oneLineChange(ctx context.Context) error {
	const changes, revalidations = 30, 5
	note := fmt.Sprintf("mean of %d: compile, judge, swap", changes)
	plain, err := newInside(ctx, filepath.Join(s.dir, "change"), writeCorpus)
	if err != nil {
		return err
	}
	took, err := plain.changes(ctx, changes, plain.changeLine)
	plain.stop()
	if err != nil {
		return err
	}
	s.add(row{what: "one-line change, 10 MB: CPU", measured: took, limit: 40, unit: "ms", note: note})

	guarded, err := newInside(ctx, filepath.Join(s.dir, "guarded"), writeGuardedCorpus)
	if err != nil {
		return err
	}
	defer guarded.stop()
	if took, err = guarded.changes(ctx, changes, guarded.changeLine); err != nil {
		return err
	}
	what := fmt.Sprintf("the same with %d schemas and %d policies: CPU", corpusFiles, corpusPolicies)
	s.add(row{what: what, measured: took, limit: 40, unit: "ms", note: note})
	all, err := guarded.changes(ctx, revalidations, func(n int) error {
		return write(guarded.remote.work, sharedSchemaFile, sharedSchema(n+1))
	})
	if err != nil {
		return err
	}
	s.add(row{
		what: "the same, a schema all others refer to: CPU", measured: all, limit: took, compared: true, unit: "ms",
		note: fmt.Sprintf("mean of %d: everything is judged again; beside the one line", revalidations),
	})
	return s.validateCold(ctx, guarded.remote.work)
}

// validateCold times the command on a working tree, from the start of its process.
func (s *suite) validateCold(ctx context.Context, dir string) error {
	began := time.Now()
	if out, err := exec.CommandContext(ctx, s.program, "validate", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("validate: %w: %.300s", err, out)
	}
	s.add(row{what: "validate of that tree from cold", measured: time.Since(began).Seconds(), limit: 1.5, unit: "s"})
	return nil
}

// changes pushes n changes and returns the mean of what they took, in milliseconds of processor time.
func (i *inside) changes(ctx context.Context, n int, change func(n int) error) (float64, error) {
	var total time.Duration
	for c := range n {
		before := i.live.Get("prod")
		if err := change(c); err != nil {
			return 0, err
		}
		if err := i.remote.push(ctx, fmt.Sprintf("Change %d", c)); err != nil {
			return 0, err
		}
		i.follower.Hint()
		total += <-i.taken
		if i.live.Get("prod") == before {
			return 0, fmt.Errorf("change %d did not go live", c)
		}
	}
	return float64(total) / float64(n) / 1e6, nil
}

// changeLine changes one line of one of the files, each time of another.
func (i *inside) changeLine(n int) error {
	file := filepath.Join(i.remote.work, filepath.FromSlash(corpusFile(n*37%corpusFiles)))
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(nextRevision(string(text), n)), 0o644)
}

// readInProcess measures a read of a value four levels down.
func (s *suite) readInProcess(ctx context.Context) error {
	i, err := newInside(ctx, filepath.Join(s.dir, "read"), func(work string) error {
		return write(work, "config/database/primary.yaml", "host: db\nport: 5432\npool: {min: 2, max: 20}\nuser: shop\n")
	})
	if err != nil {
		return err
	}
	defer i.stop()
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			v, ok := i.live.Get("default").Snapshot.Values.Lookup("database.primary.pool.max")
			if !ok || v.Int() != 20 {
				b.Fatal("the value is not there")
			}
		}
	})
	s.add(row{what: "read in process", measured: float64(result.NsPerOp()), limit: 100, unit: "ns", note: "four levels down"})
	s.add(row{what: "read in process: allocations", measured: float64(result.AllocsPerOp()), limit: 0.5, unit: "", note: "none are allowed"})
	return nil
}
