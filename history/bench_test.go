package history_test

import (
	"bufio"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/trunkline/trunkline/history"
	"github.com/trunkline/trunkline/internal/gittest"
)

const (
	largeFiles   = 200
	largeBytes   = 50_000
	largeCommits = 5_000
)

// large is a remote with 200 files of 50 kB, each with an overlay, and 5,000 commits that change one line of one of them.
func large(b *testing.B) *gittest.Remote {
	b.Helper()
	remote := gittest.NewRemote(b)
	cmd := gittest.Command(b.Context(), remote.Path(), "fast-import", "--quiet")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriterSize(in, 1<<20)
	file := func(name, text string) { fmt.Fprintf(w, "M 100644 inline %s\ndata %d\n%s\n", name, len(text), text) }
	for i := range largeCommits {
		fmt.Fprintf(w, "commit refs/heads/main\ncommitter Grace <grace@example.com> %d +0000\ndata 8\nRevision\n", 1_700_000_000+60*i)
		if i == 0 {
			file("trunkline.yaml", "version: 1\nenvironments: {staging: {}, prod: {}, prodEu: {extends: prod}}\n")
			for f := range largeFiles {
				file(fmt.Sprintf("environments/prod/services/svc%03d.yaml", f), "limits: {cpu: 4}\n")
				file(fmt.Sprintf("config/services/svc%03d.yaml", f), document(f, 0))
			}
			continue
		}
		file(fmt.Sprintf("config/services/svc%03d.yaml", i%largeFiles), document(i%largeFiles, i))
	}
	_ = w.Flush()
	_ = in.Close()
	if err := cmd.Wait(); err != nil {
		b.Fatal(err)
	}
	if out, err := gittest.Command(b.Context(), remote.Path(), "repack", "-adq", "--window=5").CombinedOutput(); err != nil {
		b.Fatalf("repack: %v\n%s", err, out)
	}
	return remote
}

// document is 50 kB of YAML that differs from revision to revision in one line.
func document(file, revision int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "name: svc%03d\nrevision: %d\nlimits: {cpu: 2, memory: 512Mi}\nendpoints:\n", file, revision)
	for i := 0; b.Len() < largeBytes; i++ {
		fmt.Fprintf(&b, "  e%d:\n    url: https://svc%d.internal/v1/resource%d\n    timeout: %dms\n    retries: %d\n    tags: [a, \"b %d\"]\n", i, file, i, i*7%5000, i%5, i)
	}
	return b.String()
}

// BenchmarkPast asks a long history of a large config repo, the first time and again. Numbers are of single questions.
func BenchmarkPast(b *testing.B) {
	w := begin(b, large(b))
	ask := func(name string, something func()) {
		b.Helper()
		for _, when := range []string{"first", "again"} {
			began := time.Now()
			something()
			b.Logf("%s, %s: %s", name, when, time.Since(began).Round(10*time.Microsecond))
		}
	}
	head := w.at("", "prod")
	old := w.at(w.remoteCommit(2_500), "prod")
	before := w.at(w.remoteCommit(2_499), "prod")
	ask("index of the chain", func() { w.at(head.Commit.Committer.When.Add(-time.Hour).Format(time.RFC3339), "prod") })
	began := time.Now()
	if _, err := w.Index(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Logf("the whole chain, as after a start: %s", time.Since(began).Round(10*time.Microsecond))
	ask("blame of a value that never changed", func() { w.blame(head, "prod", selected(b, "", "services.svc100.name")) })
	ask("blame of one of an overlay", func() { w.blame(head, "prod", selected(b, "", "services.svc101.limits.cpu")) })
	ask("blame of 1,000 values", func() { w.blame(head, "prod", selected(b, "", "services.svc102.**")) })
	ask("blame of everything", func() { w.blame(head, "prod", history.Selection{}) })
	ask("what was never there", func() {
		if _, err := w.Removed(b.Context(), head, "prod", path(b, "services.svc104.none"), history.Selection{}); err != nil {
			b.Fatal(err)
		}
	})
	ask("explanation", func() {
		if _, err := w.Explain(b.Context(), head, "prod", path(b, "services.svc103.limits.cpu"), history.Selection{}); err != nil {
			b.Fatal(err)
		}
	})
	ask("old version", func() { w.delivered(old.Commit.Hash, "prod", "services.svc000.name") })
	ask("the one before it", func() { w.delivered(before.Commit.Hash, "prod", "services.svc000.name") })
	ask("difference of half the history", func() {
		w.diff(history.Side{At: old, Environment: "prod"}, history.Side{At: head, Environment: "prod"}, history.Selection{})
	})
	ask("matrix", func() {
		if _, err := w.Matrix(b.Context(), []history.Side{{At: old, Environment: "prod"}, {At: old, Environment: "staging"}}, false, history.Selection{}); err != nil {
			b.Fatal(err)
		}
	})
	for b.Loop() {
		w.blame(head, "prod", selected(b, "", "services.svc100.name"))
	}
}

// remoteCommit is the n-th commit of the branch before its head.
func (w *world) remoteCommit(n int) string {
	w.tb.Helper()
	cmd := gittest.Command(w.tb.Context(), w.remote.Path(), "rev-parse", fmt.Sprintf("main~%d", n))
	out, err := cmd.Output()
	if err != nil {
		w.tb.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
