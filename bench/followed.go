package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/trunkline/trunkline/internal/gittest"
)

const (
	clockTicks    = 100                   // a second, in which Linux tells programs of processor time
	announceEvery = 52 * time.Millisecond // a server takes 20 webhooks a second of one address
)

// followed is a server and the repository it follows, whose next commits are made before anything is measured.
type followed struct {
	*process
	remote *remote
	next   []string  // commits that are still to come, the next first
	url    string    // of the remote, as the server knows it
	told   time.Time // when the last was announced
}

// story is what becomes of a repository: one of its files has one text after the other, and the others stay as they are.
type story struct {
	file   string
	texts  []string // the first is there from the start
	others map[string]string
}

func (t story) begin(work string) error {
	for file, text := range t.others {
		if err := write(work, file, text); err != nil {
			return err
		}
	}
	return write(work, t.file, t.texts[0])
}

// follow serves a repository at the beginning of its story.
func (s *suite) follow(ctx context.Context, name string, of story, args ...string) (*followed, error) {
	dir := filepath.Join(s.dir, name)
	r, err := newRemote(ctx, dir, of.begin)
	if err != nil {
		return nil, err
	}
	f := &followed{remote: r, url: r.url()}
	if f.next, err = r.prepare(ctx, of.file, of.texts[1:]); err == nil {
		f.process, err = s.start(ctx, filepath.Join(dir, "data"), append([]string{"--repo", f.url, "--poll", "10m"}, args...)...)
	}
	if err != nil {
		r.server.Close()
		return nil, err
	}
	return f, nil
}

func (f *followed) stop() error {
	defer f.remote.server.Close()
	return f.process.stop()
}

// prepare puts a commit with each text of a file on top of the branch, beside the branch, and names them.
func (r *remote) prepare(ctx context.Context, file string, texts []string) ([]string, error) {
	marks := filepath.Join(r.bare, "bench.marks")
	cmd := gittest.Command(ctx, r.bare, "fast-import", "--quiet", "--export-marks="+marks)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	w := bufio.NewWriter(in)
	for i, text := range texts {
		from := ""
		if i == 0 {
			from = "from refs/heads/main^0\n"
		}
		subject := fmt.Sprintf("Change %d", i+1)
		fmt.Fprintf(w, "commit refs/heads/next\nmark :%d\ncommitter Ada <ada@example.com> %d +0000\ndata %d\n%s\n%sM 100644 inline %s\ndata %d\n%s\n",
			i+1, time.Now().Unix()+int64(i), len(subject), subject, from, file, len(text), text)
	}
	if err := errors.Join(w.Flush(), in.Close(), cmd.Wait()); err != nil {
		return nil, fmt.Errorf("fast-import: %w", err)
	}
	data, err := os.ReadFile(marks)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(texts))
	for line := range strings.Lines(string(data)) {
		var n int
		var name string
		if _, err := fmt.Sscanf(line, ":%d %s", &n, &name); err != nil {
			return nil, fmt.Errorf("marks of fast-import: %w", err)
		}
		names[n-1] = name
	}
	return names, nil
}

// change moves the branch to the next commit and announces it.
func (f *followed) change(ctx context.Context) error {
	if err := git(ctx, f.remote.bare, "update-ref", "refs/heads/main", f.next[0]); err != nil {
		return err
	}
	time.Sleep(time.Until(f.told.Add(announceEvery)))
	f.told = time.Now()
	return announce(ctx, f.process.url, f.url)
}

// changed takes note that the next commit is live, and tells since when, in ns of the system's clock, which all processes share.
func (f *followed) changed(ctx context.Context) (int64, error) {
	var status struct {
		Environments map[string]struct {
			Live struct {
				Commit string
				Since  time.Time
			}
		}
	}
	if err := f.get(ctx, "/v1/status", &status); err != nil {
		return 0, err
	}
	live := status.Environments["default"].Live
	if live.Commit != f.next[0] {
		return 0, fmt.Errorf("%s is live, and not %s", live.Commit, f.next[0])
	}
	f.next = f.next[1:]
	return live.Since.UnixNano(), nil
}

// addr is the address that is served on.
func (p *process) addr() string {
	_, addr, _ := strings.Cut(p.url, "://")
	return addr
}

// get reads an answer of the server.
func (p *process) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, nil)
	if err != nil {
		return err
	}
	res, err := p.web.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is answered %s", path, res.Status)
	}
	return json.NewDecoder(res.Body).Decode(into)
}

// used is the processor time of the process, in seconds.
func (p *process) used() (float64, error) {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "stat"))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:])) // from the third on
	user, err1 := strconv.ParseFloat(fields[11], 64)
	system, err2 := strconv.ParseFloat(fields[12], 64)
	return (user + system) / clockTicks, errors.Join(err1, err2)
}

// quiet waits until the process has nothing to do.
func (p *process) quiet(ctx context.Context) error {
	const look, rest = 100 * time.Millisecond, 0.02
	before, err := p.used()
	for range 300 {
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(look):
		}
		var now float64
		if now, err = p.used(); err == nil && now-before < rest {
			return nil
		}
		before = now
	}
	return errors.New("the server does not come to rest")
}
