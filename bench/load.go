package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trunkline/trunkline"
)

const (
	bareArg      = "-serve-bare"
	connections  = 8
	roundLasts   = 300 * time.Millisecond
	rounds       = 21
	readPath     = "/v1/config/database.primary.pool.max?env=prod"
	readExpected = "80"
)

// serveBare is the counterpart: the least that answers a request of the same size over net/http.
func serveBare(addrFile string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		err = os.WriteFile(addrFile, []byte(l.Addr().String()), 0o600)
	}
	if err == nil {
		err = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(readExpected))
		}))
	}
	fmt.Fprintln(os.Stderr, "bare:", err)
	os.Exit(1)
}

func (s *suite) startBare(ctx context.Context) (addr string, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	file := filepath.Join(s.dir, "bare.addr")
	cmd := exec.CommandContext(ctx, self, bareArg, file)
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	for range 500 {
		if text, err := os.ReadFile(file); err == nil && len(text) > 0 {
			return string(text), stop, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	return "", nil, errors.New("the bare server did not start")
}

// smallRepo measures on the demo's repository: memory when idle, and an HTTP read against a bare handler.
func (s *suite) smallRepo(ctx context.Context) error {
	r, err := newRemote(ctx, filepath.Join(s.dir, "small"), func(work string) error {
		return os.CopyFS(work, trunkline.Shop())
	})
	if err != nil {
		return err
	}
	defer r.server.Close()
	p, err := s.start(ctx, filepath.Join(s.dir, "small", "data"), "--repo", r.url(), "--poll", "10m")
	if err != nil {
		return err
	}
	defer p.stop() //nolint:errcheck // what it answered is measured
	select {       // an idle process has returned what it no longer needs
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(5 * time.Second):
	}
	rss, err := p.rss()
	if err != nil {
		return err
	}
	s.add(row{what: "idle process, the demo's repo", measured: rss, limit: 50, unit: "MB", note: "resident, embedded bus included"})
	bare, stop, err := s.startBare(ctx)
	if err != nil {
		return err
	}
	defer stop()
	read := reads{server: strings.TrimPrefix(p.url, "http://"), bare: bare}
	for range rounds {
		if err := read.round(); err != nil {
			return err
		}
	}
	s.add(row{what: "HTTP read, share of a bare handler", measured: median(read.shares), limit: 0.8, share: true, note: read.note()})
	return nil
}

// reads are measured in rounds: by the bare handler, which is sent the same, and by ours.
type reads struct {
	server, bare string // addresses
	credentials  []string

	shares, ours, theirs []float64 // of each round
}

func (r *reads) round() error {
	theirs, err := load(r.bare, "/", r.credentials)
	if err != nil {
		return err
	}
	ours, err := load(r.server, readPath, r.credentials)
	r.shares, r.ours, r.theirs = append(r.shares, ours/theirs), append(r.ours, ours), append(r.theirs, theirs)
	return err
}

func (r *reads) note() string {
	return fmt.Sprintf("%.0f/s against %.0f/s on %d connections, median of %d rounds", median(r.ours), median(r.theirs), connections, len(r.shares))
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

// load asks over a few connections for a while, with one credential after the other, and returns requests a second.
func load(addr, path string, credentials []string) (float64, error) {
	var count atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, connections)
	requests := requestsFor(addr, path, credentials)
	began := time.Now()
	for i := range connections {
		wg.Go(func() { errs[i] = ask(addr, requests, i, began.Add(roundLasts), &count) })
	}
	wg.Wait()
	return float64(count.Load()) / time.Since(began).Seconds(), errors.Join(errs...)
}

// requestsFor are the same request with each of the credentials, or without any.
func requestsFor(addr, path string, credentials []string) [][]byte {
	head := "GET " + path + " HTTP/1.1\r\nHost: " + addr + "\r\n"
	if len(credentials) == 0 {
		return [][]byte{[]byte(head + "\r\n")}
	}
	var all [][]byte
	for _, c := range credentials {
		all = append(all, []byte(head+"Authorization: Bearer "+c+"\r\n\r\n"))
	}
	return all
}

func ask(addr string, requests [][]byte, n int, until time.Time, count *atomic.Int64) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	size, err := firstAnswer(conn, answers, requests[0])
	if err != nil {
		return err
	}
	answer := make([]byte, size)
	for ; time.Now().Before(until); n++ {
		if _, err := conn.Write(requests[n%len(requests)]); err != nil {
			return err
		}
		if _, err := io.ReadFull(answers, answer); err != nil {
			return err
		}
		if !bytes.HasPrefix(answer, []byte("HTTP/1.1 200 ")) || !bytes.HasSuffix(answer, []byte("\n"+readExpected)) {
			return fmt.Errorf("%.80q is answered %q", requests[0], answer)
		}
		count.Add(1)
	}
	return nil
}

// firstAnswer asks once and returns the size of the answer, which is the same every time: later ones need no parsing, so that
// asking costs as little as can be.
func firstAnswer(conn net.Conn, answers *bufio.Reader, request []byte) (int, error) {
	if _, err := conn.Write(request); err != nil {
		return 0, err
	}
	var raw bytes.Buffer
	res, err := http.ReadResponse(bufio.NewReaderSize(io.TeeReader(answers, &raw), 1), nil)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if _, err := io.ReadAll(res.Body); err != nil {
		return 0, err
	}
	return raw.Len(), nil
}
