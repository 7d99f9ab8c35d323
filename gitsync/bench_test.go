package gitsync_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/internal/gittest"
)

// BenchmarkHintToTake measures the way of one commit from the hint to the call of take, over loopback HTTP, beside a
// git ls-remote of the same remote, which is what git alone takes to notice.
func BenchmarkHintToTake(b *testing.B) {
	for _, size := range []struct{ history, files, bytes int }{
		{history: 500, files: 20, bytes: 2_000},
		{history: 500, files: 200, bytes: 50_000},
		{history: 20_000, files: 20, bytes: 2_000},
		{history: 20_000, files: 200, bytes: 50_000},
	} {
		b.Run(fmt.Sprintf("history=%d/files=%d/kB=%d", size.history, size.files, size.bytes/1000), func(b *testing.B) {
			remote := gittest.NewRemote(b)
			grow(b, remote, size.history, size.files, size.bytes)
			hintToTake(b, remote)
		})
	}
}

func hintToTake(b *testing.B, remote *gittest.Remote) {
	f, err := gitsync.Open(b.Context(), gitsync.Options{URL: remote.URL(), Branch: gittest.Branch, Dir: b.TempDir(), Poll: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	arrived := make(chan time.Time, 1)
	done := make(chan error, 1)
	go func() {
		done <- f.Run(ctx, gitsync.Hash{}, func(context.Context, gitsync.Update) error { arrived <- time.Now(); return nil })
	}()
	defer func() { cancel(); <-done; _ = f.Close() }()
	<-arrived
	var total time.Duration
	n := 0
	for b.Loop() {
		b.StopTimer()
		n++
		remote.Write(map[string]string{fmt.Sprintf("config/f%d.yaml", n%20): fmt.Sprintf("n: %d\n", n) + filler(n, 50_000)})
		remote.Commit(fmt.Sprintf("Change %d", n))
		remote.Push()
		b.StartTimer()
		began := time.Now()
		f.Hint()
		took := (<-arrived).Sub(began)
		total += took
	}
	b.ReportMetric(float64(total.Microseconds())/1000/float64(n), "ms/commit")
	began := time.Now()
	for range 5 {
		if err := gittest.Command(ctx, remote.Work(), "ls-remote", remote.URL(), "refs/heads/main").Run(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(time.Since(began).Microseconds())/1000/5, "ms/ls-remote")
}

// filler is text that compresses as configuration does.
func filler(seed, n int) string {
	var s strings.Builder
	for i := 0; s.Len() < n; i++ {
		fmt.Fprintf(&s, "key%d_%d: value-%x # tuned for region %d\n", seed%7, i, i*2654435761+seed, i%13)
	}
	return s.String()
}

// grow gives a remote a history, by git fast-import.
func grow(tb testing.TB, remote *gittest.Remote, history, files, bytes int) {
	var s strings.Builder
	for i := range history {
		fmt.Fprintf(&s, "commit refs/heads/main\ncommitter Grace <grace@example.com> %d +0000\ndata 8\nchange\n\n", 1_700_000_000+i)
		if i == 0 {
			for f := range files {
				text := filler(f, bytes)
				fmt.Fprintf(&s, "M 100644 inline config/f%d.yaml\ndata %d\n%s\n", f, len(text), text)
			}
		}
		text := fmt.Sprintf("n: %d\n", i)
		fmt.Fprintf(&s, "M 100644 inline config/counter.yaml\ndata %d\n%s\n", len(text), text)
	}
	cmd := gittest.Command(tb.Context(), remote.Path(), "fast-import", "--quiet")
	cmd.Stdin = strings.NewReader(s.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("fast-import: %v\n%s", err, out)
	}
	remote.Git("pull", "--quiet", "origin", "main")
}

// BenchmarkStart measures opening a mirror of 10 MB with a long history, and reading its whole tree once.
func BenchmarkStart(b *testing.B) {
	remote := gittest.NewRemote(b)
	grow(b, remote, 20_000, 200, 50_000)
	o := gitsync.Options{URL: remote.URL(), Branch: gittest.Branch, Dir: b.TempDir(), Poll: time.Hour}
	once(b, o)
	for b.Loop() {
		f, err := gitsync.Open(b.Context(), o)
		if err != nil {
			b.Fatal(err)
		}
		readAll(b, f)
		_ = f.Close()
	}
}

// once follows until the first update.
func once(b *testing.B, o gitsync.Options) {
	f, err := gitsync.Open(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	_ = f.Run(ctx, gitsync.Hash{}, func(context.Context, gitsync.Update) error { cancel(); return nil })
	_ = f.Close()
}

// BenchmarkReadTree measures reading 200 blobs of 50 kB that are in the cache.
func BenchmarkReadTree(b *testing.B) {
	remote := gittest.NewRemote(b)
	grow(b, remote, 500, 200, 50_000)
	o := gitsync.Options{URL: remote.URL(), Branch: gittest.Branch, Dir: b.TempDir(), Poll: time.Hour}
	once(b, o)
	f, err := gitsync.Open(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	readAll(b, f)
	for b.Loop() {
		readAll(b, f)
	}
}

func readAll(b *testing.B, f *gitsync.Follower) {
	tree, err := f.Subtree(f.Head(), "config")
	if err != nil {
		b.Fatal(err)
	}
	list, err := f.Tree(tree)
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range list {
		if _, err := f.Blob(e.Hash, 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkChain measures an index of 5,000 commits of a folder of 200 files: building it, walking through it, looking through all of
// it for what a commit takes back, and finding a commit by 7 digits.
func BenchmarkChain(b *testing.B) {
	const history = 5000
	remote := gittest.NewRemote(b)
	grow(b, remote, history, 200, 2_000)
	o := gitsync.Options{URL: remote.URL(), Branch: gittest.Branch, Dir: b.TempDir(), Poll: time.Hour}
	once(b, o)
	f, err := gitsync.Open(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	walk := func(c *gitsync.Chain) {
		n := 0
		if err := c.Walk(b.Context(), f.Head(), func(gitsync.Step) bool { n++; return true }); err != nil || n != history {
			b.Fatalf("%d steps, %v", n, err)
		}
	}
	b.Run("build", func(b *testing.B) {
		for b.Loop() {
			gitsync.DropCaches(f)
			walk(gitsync.NewChain(f, "config"))
		}
	})
	chain := f.Chain("config")
	walk(chain)
	b.Run("walk", func(b *testing.B) {
		for b.Loop() {
			walk(chain)
		}
	})
	b.Run("nothing taken back", func(b *testing.B) {
		for b.Loop() {
			if _, found, err := chain.Inverse(b.Context(), f.Head()); err != nil || found {
				b.Fatal(found, err)
			}
		}
	})
	short := f.Head().String()[:7]
	b.Run("named first", func(b *testing.B) {
		for b.Loop() {
			gitsync.DropCaches(f)
			gitsync.ForgetNames(f)
			if h, err := f.Named(b.Context(), short); err != nil || h != f.Head() {
				b.Fatal(h, err)
			}
		}
	})
	b.Run("named again", func(b *testing.B) {
		for b.Loop() {
			if h, err := f.Named(b.Context(), short); err != nil || h != f.Head() {
				b.Fatal(h, err)
			}
		}
	})
}
