package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/trunkline/trunkline"
)

const (
	saves       = 20
	devDebounce = 30 // ms that `trunkline dev` waits for more to be saved
)

var devAddr = regexp.MustCompile(` is live on (http://\S+) `)

// startDev runs `trunkline dev` on a directory.
func (s *suite) startDev(ctx context.Context, dir string) (*process, error) {
	cmd := exec.CommandContext(ctx, s.program, "dev", "--listen", "127.0.0.1:0", dir)
	cmd.Stderr = os.Stderr
	talk, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, began: time.Now()}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(talk)
	for p.url == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil, errors.Join(errors.New("dev did not begin to serve"), err, cmd.Wait())
		}
		if m := devAddr.FindStringSubmatch(line); m != nil {
			p.url = m[1]
		}
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	return p, nil
}

// savesInDev measures from the save of a file in a working tree until a client has it: in the demo's repo, and in 10 MB.
func (s *suite) savesInDev(ctx context.Context) error {
	small, large := filepath.Join(s.dir, "dev-small"), filepath.Join(s.dir, "dev-large")
	if err := errors.Join(os.CopyFS(small, trunkline.Shop()), writeCorpus(large)); err != nil {
		return err
	}
	if err := s.timeSaves(ctx, "the demo's repo", small, "search.pageSize", func(i int) (string, string, error) {
		return "environments/prod/search.toml", fmt.Sprintf("pageSize = %d\n", 60+i), nil
	}); err != nil {
		return err
	}
	return s.timeSaves(ctx, "10 MB", large, "services.*.revision", func(i int) (string, string, error) {
		file := corpusFile(i * 37 % corpusFiles)
		text, err := os.ReadFile(filepath.Join(large, filepath.FromSlash(file)))
		return file, nextRevision(string(text), i), err
	})
}

func (s *suite) timeSaves(ctx context.Context, what, dir, pattern string, change func(i int) (file, text string, err error)) error {
	p, err := s.startDev(ctx, dir)
	if err != nil {
		return err
	}
	times, err := s.arrivals(ctx, p, pattern, saves, func(i int) (time.Time, error) {
		file, text, err := change(i)
		if err != nil {
			return time.Time{}, err
		}
		began := time.Now()
		return began, write(dir, file, text)
	})
	if err := errors.Join(err, p.stop()); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "saves in order, ms: %.0f\n", times)
	slices.Sort(times)
	for _, q := range []struct {
		name string
		took float64
	}{{"p50", quantile(times, 0.5)}, {"most", times[len(times)-1]}} {
		s.add(row{
			what: fmt.Sprintf("save → client of dev, %s, %s", what, q.name), measured: q.took, limit: 50 + devDebounce, unit: "ms",
			note: fmt.Sprintf("%d saves; %d ms of each are the wait for more", saves, devDebounce),
		})
	}
	return nil
}
