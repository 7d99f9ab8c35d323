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
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trunkline/trunkline"
)

const (
	connections  = 8
	roundLasts   = 300 * time.Millisecond
	rounds       = 21
	readPath     = "/v1/config/database.primary.pool.max?env=prod"
	readExpected = "80"
)

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
	bare, err := s.startBare(ctx, nil)
	if err != nil {
		return err
	}
	defer bare.stop()
	read := readsOf(p, bare, nil)
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
	server, bare asked

	shares, ours, theirs []float64 // of each round
}

// asked is who is asked what, one request after the other, and how each answer ends; "" for as the first does.
type asked struct {
	addr     string
	requests [][]byte
	end      string
}

// readsOf are reads of one value, with one credential after the other.
func readsOf(p *process, bare *bareServer, credentials []string) reads {
	const end = "\n" + readExpected
	return reads{
		server: asked{p.addr(), requestsFor(p.addr(), readPath, credentials), end},
		bare:   asked{bare.addr, requestsFor(bare.addr, "/", credentials), end},
	}
}

func (r *reads) round() error {
	theirs, err := r.bare.load()
	if err != nil {
		return err
	}
	ours, err := r.server.load()
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

// load asks over a few connections for a while, and returns requests a second.
func (a asked) load() (float64, error) {
	var count atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, connections)
	began := time.Now()
	for i := range connections {
		wg.Go(func() { errs[i] = a.ask(i, began.Add(roundLasts), &count) })
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

func (a asked) ask(n int, until time.Time, count *atomic.Int64) error {
	conn, err := net.Dial("tcp", a.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	first, err := firstAnswer(conn, answers, a.requests[0])
	if err != nil {
		return err
	}
	answer, end := make([]byte, len(first)), []byte(a.end)
	if a.end == "" {
		end = first[len(first)-3:]
	}
	for ; time.Now().Before(until); n++ {
		if _, err := conn.Write(a.requests[n%len(a.requests)]); err != nil {
			return err
		}
		if _, err := io.ReadFull(answers, answer); err != nil {
			return err
		}
		if !bytes.HasPrefix(answer, []byte("HTTP/1.1 200 ")) || !bytes.HasSuffix(answer, end) {
			return fmt.Errorf("%.80q is answered %.500q", a.requests[0], answer)
		}
		count.Add(1)
	}
	return nil
}

// firstAnswer asks once and returns the answer, whose size is the same every time: later ones need no parsing, so that asking costs as
// little as can be.
func firstAnswer(conn net.Conn, answers *bufio.Reader, request []byte) ([]byte, error) {
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	var raw bytes.Buffer
	res, err := http.ReadResponse(bufio.NewReaderSize(io.TeeReader(answers, &raw), 1), nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	_, err = io.ReadAll(res.Body)
	return raw.Bytes(), err
}
