package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const startPatience = 60 * time.Second

// trusting takes any certificate: servers that are measured here have made theirs themselves.
var trusting = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // of this machine's own

// process is a running server of ours.
type process struct {
	cmd   *exec.Cmd
	url   string
	data  string // its directory
	room  int    // how many sessions it takes
	web   *http.Client
	began time.Time
	ready time.Duration // from the start of the process until it was ready
}

var serving = regexp.MustCompile(`msg=serving .*addr=(\S+).* maxSessions=(\d+)`)

// start runs the program and waits until it is ready.
func (s *suite) start(ctx context.Context, data string, args ...string) (*process, error) {
	cmd := exec.CommandContext(ctx, s.program, append([]string{"serve", "--listen", "127.0.0.1:0", "--data", data}, args...)...)
	cmd.Env = append(os.Environ(), "TRUNKLINE_WEBHOOK_SECRET="+secret)
	talk, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	p, scheme := &process{cmd: cmd, data: data, began: time.Now(), web: http.DefaultClient}, "http://"
	if slices.Contains(args, "--tls-cert-file") {
		scheme, p.web = "https://", &http.Client{Transport: &http.Transport{TLSClientConfig: trusting}}
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(talk)
	for p.url == "" && lines.Scan() {
		if m := serving.FindStringSubmatch(lines.Text()); m != nil {
			p.url = scheme + m[1]
			p.room, _ = strconv.Atoi(m[2]) // the expression lets digits alone through
		}
	}
	if p.url == "" {
		return nil, errors.Join(errors.New("the server did not begin to serve"), cmd.Wait())
	}
	go func() {
		for lines.Scan() {
			if strings.Contains(lines.Text(), "level=ERROR") {
				fmt.Fprintln(os.Stderr, lines.Text())
			}
		}
	}()
	if err := p.waitReady(ctx); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	p.ready = time.Since(p.began)
	return p, nil
}

func (p *process) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/readyz", nil)
		if err != nil {
			return err
		}
		if res, err := p.web.Do(req); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return errors.New("the server did not become ready")
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	return p.cmd.Wait()
}

// rss is the resident memory of the process in MB.
func (p *process) rss() (float64, error) { return memoryOf(p.cmd.Process.Pid, "VmRSS:") }

// memoryOf is what the system tells of a process's memory, in MB.
func memoryOf(pid int, kind string) (float64, error) {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, kind); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1000, err
		}
	}
	return 0, fmt.Errorf("the system does not tell %s of a process", kind)
}
