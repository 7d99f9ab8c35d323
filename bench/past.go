package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/internal/gittest"
)

// pastCommits is how long the history is that questions about the past are asked of.
const pastCommits = 5000

// past measures on 5,000 commits of 10 MB: where a value comes from, what it was, and what a commit takes back.
func (s *suite) past(ctx context.Context) error {
	dir := filepath.Join(s.dir, "past")
	r, err := newRemote(ctx, dir, writeCorpus)
	if err != nil {
		return err
	}
	defer r.server.Close()
	if err := r.grow(ctx, pastCommits); err != nil {
		return err
	}
	p, err := s.start(ctx, filepath.Join(dir, "data"), "--repo", r.url(), "--poll", "10m")
	if err != nil {
		return err
	}
	err = s.questions(ctx, p, r)
	if err = errors.Join(err, p.stop()); err != nil {
		return err
	}
	return s.lineage(ctx, r, filepath.Join(dir, "lineage"))
}

// grow adds commits that change one line of one file each, file after file.
func (r *remote) grow(ctx context.Context, n int) error {
	texts := make([]string, corpusFiles)
	for i := range texts {
		data, err := os.ReadFile(filepath.Join(r.work, corpusFile(i)))
		if err != nil {
			return err
		}
		texts[i] = string(data)
	}
	cmd := gittest.Command(ctx, r.bare, "fast-import", "--quiet", "--force")
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	w := bufio.NewWriterSize(in, 1<<20)
	for i := range n {
		file := i % corpusFiles
		texts[file] = nextRevision(texts[file], i+1)
		from := ""
		if i == 0 {
			from = "from refs/heads/main^0\n"
		}
		subject := fmt.Sprintf("Revision %d", i+1)
		fmt.Fprintf(w, "commit refs/heads/main\ncommitter Ada <ada@example.com> %d +0000\ndata %d\n%s\n%sM 100644 inline %s\ndata %d\n%s\n",
			1_700_000_000+60*i, len(subject), subject, from, corpusFile(file), len(texts[file]), texts[file])
	}
	if err := errors.Join(w.Flush(), in.Close(), cmd.Wait()); err != nil {
		return fmt.Errorf("fast-import: %w", err)
	}
	if err := git(ctx, r.bare, "repack", "-adq", "--window=5"); err != nil {
		return err
	}
	return git(ctx, r.work, "pull", "--quiet", "origin", "main")
}

// questions asks the server of the past, each twice: what it knows once it answers again.
func (s *suite) questions(ctx context.Context, p *process, r *remote) error {
	old, err := gittest.Command(ctx, r.work, "rev-parse", fmt.Sprintf("HEAD~%d", pastCommits/2)).Output()
	if err != nil {
		return err
	}
	at := url.QueryEscape(strings.TrimSpace(string(old)))
	for _, q := range []struct {
		what, path string
		limit      float64 // ms
	}{
		{"blame, 5,000 commits × 10 MB", "/v1/blame/services.svc007.limits.cpu?env=prod", 1000},
		{"explain, 5,000 commits × 10 MB", "/v1/explain/services.svc010.endpoints.svc0100.timeout?env=prod", 1000},
		{"a value as it was 2,500 commits ago", "/v1/config/services.svc007.revision?env=prod&at=" + at, 2000},
	} {
		first, err := p.timed(ctx, q.path)
		if err != nil {
			return err
		}
		s.add(row{what: q.what + ", first", measured: first, limit: q.limit, unit: "ms"})
		again, err := p.timed(ctx, q.path)
		if err != nil {
			return err
		}
		s.add(row{what: q.what + ", again", measured: again, limit: first, unit: "ms", compared: true, note: "beside the first time"})
	}
	return nil
}

// timed is how long one answer takes, in milliseconds.
func (p *process) timed(ctx context.Context, path string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, nil)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s is answered %s: %s", path, res.Status, body)
	}
	return time.Since(began).Seconds() * 1000, nil
}

// lineage measures how long it takes to find that a commit takes nothing back: by a follower that sees the history for the first time,
// and then for each commit that follows. That a revert is found at all it checks on the way.
func (s *suite) lineage(ctx context.Context, r *remote, dir string) error {
	if err := git(ctx, r.work, "revert", "--no-edit", fmt.Sprintf("HEAD~%d", pastCommits/100)); err != nil {
		return err
	}
	if err := write(r.work, "config/new.yaml", "x: 1\n"); err != nil {
		return err
	}
	if err := r.push(ctx, "Something new"); err != nil {
		return err
	}
	f, err := gitsync.Open(ctx, gitsync.Options{URL: r.url(), Dir: dir})
	if err != nil {
		return err
	}
	defer f.Close()
	following, cancel := context.WithCancel(ctx)
	defer cancel()
	_ = f.Run(following, gitsync.Hash{}, func(context.Context, gitsync.Update) error {
		cancel()
		return nil
	})
	head, err := f.Commit(f.Head())
	if err != nil {
		return err
	}
	var took [2]float64
	for i := range took {
		began := time.Now()
		_, found, err := f.Chain("").Inverse(ctx, head.Hash)
		if took[i] = time.Since(began).Seconds() * 1000; err != nil || found {
			return errors.Join(errors.New("a commit that takes nothing back is found to"), err)
		}
	}
	if span, _, err := f.Chain("").Inverse(ctx, head.Parents[0]); err != nil || span.Commits != 1 {
		return errors.Join(fmt.Errorf("the revert is found to take back %d commits", span.Commits), err)
	}
	s.add(row{what: "lineage over 5,000 commits, first", measured: took[0], limit: 1000, unit: "ms", note: "once after a start"})
	s.add(row{what: "lineage over 5,000 commits, each", measured: took[1], limit: 5, unit: "ms"})
	return nil
}
