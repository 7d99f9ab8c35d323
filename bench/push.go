package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/internal/gittest"
)

const (
	secret          = "a secret of the benchmark"
	arrivalPatience = 30 * time.Second
)

// remote is a bare repository served over smart HTTP, and a work tree that pushes to it.
type remote struct {
	bare, work string
	server     *httptest.Server
}

func newRemote(ctx context.Context, dir string, fill func(work string) error) (*remote, error) {
	r := &remote{bare: filepath.Join(dir, "remote.git"), work: filepath.Join(dir, "work")}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := git(ctx, dir, "init", "--quiet", "--bare", "--initial-branch=main", r.bare); err != nil {
		return nil, err
	}
	if err := git(ctx, dir, "clone", "--quiet", r.bare, r.work); err != nil {
		return nil, err
	}
	if err := fill(r.work); err != nil {
		return nil, err
	}
	if err := r.push(ctx, "Begin"); err != nil {
		return nil, err
	}
	r.server = httptest.NewServer(gittest.Serve(r.bare))
	return r, nil
}

func (r *remote) url() string { return r.server.URL + "/remote.git" }

func (r *remote) push(ctx context.Context, subject string) error {
	if err := git(ctx, r.work, "add", "--all"); err != nil {
		return err
	}
	if err := git(ctx, r.work, "commit", "--quiet", "-m", subject); err != nil {
		return err
	}
	return git(ctx, r.work, "push", "--quiet", "origin", "HEAD:main")
}

func git(ctx context.Context, dir string, args ...string) error {
	if out, err := gittest.Command(ctx, dir, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w: %s", args[0], err, out)
	}
	return nil
}

// announce sends the webhook of a push.
func announce(ctx context.Context, server, repo string) error {
	body, err := json.Marshal(map[string]any{"ref": "refs/heads/main", "repository": map[string]string{"clone_url": repo}})
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server+"/webhook/github", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header = http.Header{
		"Content-Type": {"application/json"}, "X-Github-Event": {"push"},
		"X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac.Sum(nil))},
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusAccepted {
		return fmt.Errorf("the webhook was answered %s", res.Status)
	}
	return nil
}

// largeRepo measures on 10 MB: pushes to a client, the start from the mirror, memory.
func (s *suite) largeRepo(ctx context.Context, pushes int) error {
	r, err := newRemote(ctx, filepath.Join(s.dir, "large"), writeCorpus)
	if err != nil {
		return err
	}
	defer r.server.Close()
	data, args := filepath.Join(s.dir, "large", "data"), []string{"--repo", r.url(), "--poll", "10m"}
	p, err := s.start(ctx, data, args...)
	if err != nil {
		return err
	}
	times, err := s.pushes(ctx, p, r, pushes)
	if err != nil {
		return errors.Join(err, p.stop())
	}
	fmt.Fprintf(os.Stderr, "pushes in order, ms: %.0f\n", times)
	slices.Sort(times)
	note := fmt.Sprintf("%d pushes; least %.0f ms, most %.0f ms", len(times), times[0], times[len(times)-1])
	s.add(row{what: "push → client, 10 MB, p50", measured: quantile(times, 0.5), limit: 60, unit: "ms", note: note})
	s.add(row{what: "push → client, 10 MB, p99", measured: quantile(times, 0.99), limit: 150, unit: "ms"})
	rss, err := p.rss()
	if err != nil {
		return errors.Join(err, p.stop())
	}
	s.add(row{what: "memory with 10 MB live", measured: rss, limit: 250, unit: "MB", note: fmt.Sprintf("resident, after %d pushes", pushes)})
	if err := p.stop(); err != nil {
		return err
	}
	again, err := s.start(ctx, data, args...)
	if err != nil {
		return err
	}
	s.add(row{what: "start from the mirror, 10 MB", measured: again.ready.Seconds(), limit: 1.5, unit: "s", note: "process start to ready"})
	if rss, err = again.rss(); err == nil {
		s.add(row{what: "memory with 10 MB live, after a start", measured: rss, limit: 250, unit: "MB"})
	}
	return errors.Join(err, again.stop())
}

// pushes times, for each push, from its announcement until a client has it.
func (s *suite) pushes(ctx context.Context, p *process, r *remote, n int) ([]float64, error) {
	return s.arrivals(ctx, p, "services.*.revision", n, func(i int) (time.Time, error) {
		file := filepath.Join(r.work, filepath.FromSlash(corpusFile(i*37%corpusFiles)))
		text, err := os.ReadFile(file)
		if err != nil {
			return time.Time{}, err
		}
		if err := os.WriteFile(file, []byte(nextRevision(string(text), i)), 0o644); err != nil {
			return time.Time{}, err
		}
		if err := r.push(ctx, fmt.Sprintf("Change %d", i)); err != nil {
			return time.Time{}, err
		}
		began := time.Now()
		return began, announce(ctx, p.url, r.url())
	})
}

// arrivals makes changes one after the other and times each, in milliseconds, from when it says that it began until a client has it.
func (s *suite) arrivals(ctx context.Context, p *process, pattern string, n int, change func(i int) (began time.Time, err error)) ([]float64, error) {
	ctx, cancel := context.WithCancel(ctx)
	arrived := make(chan time.Time, 1)
	c, err := client.New(client.Options{
		URL: p.url, Env: "prod", Patterns: []string{pattern}, Name: "bench",
		OnEvent: func(e client.Event) {
			if e.Kind == client.Delta {
				arrived <- time.Now()
			}
		},
	})
	if err != nil {
		cancel()
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Run(ctx)
	}()
	defer func() { cancel(); <-ended }()
	if err := c.Wait(ctx); err != nil {
		return nil, err
	}
	var times []float64
	for i := range n {
		began, err := change(i)
		if err != nil {
			return nil, err
		}
		select {
		case at := <-arrived:
			times = append(times, float64(at.Sub(began))/1e6)
		case <-time.After(arrivalPatience):
			return nil, fmt.Errorf("change %d did not arrive within %s", i, arrivalPatience)
		}
	}
	return times, nil
}

// nextRevision changes the one line of a file that counts its changes.
func nextRevision(text string, i int) string {
	from := strings.Index(text, "revision: ")
	to := from + strings.IndexByte(text[from:], '\n')
	return text[:from] + fmt.Sprintf("revision: %d", i+1) + text[to:]
}

// quantile is the least of the sorted numbers that a share of them does not exceed.
func quantile(sorted []float64, q float64) float64 {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
