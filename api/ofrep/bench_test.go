package ofrep_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/api/ofrep"
)

const (
	connections = 8
	roundLasts  = 200 * time.Millisecond
)

// pace is how fast a server was asked.
type pace struct {
	rate float64 // requests a second
	cpu  float64 // of this process, in seconds a request, both ends: what other programs on the machine do does not count
}

// post asks a server over a few connections for a while. All answers must be alike in size.
func post(tb testing.TB, server *httptest.Server, path string, bodies []string) pace {
	tb.Helper()
	addr := strings.TrimPrefix(server.URL, "http://")
	var requests [][]byte
	for _, body := range bodies {
		requests = append(requests, []byte("POST "+path+" HTTP/1.1\r\nHost: "+addr+"\r\nContent-Type: application/json\r\nContent-Length: "+fmt.Sprint(len(body))+"\r\n\r\n"+body))
	}
	var count atomic.Int64
	var wg sync.WaitGroup
	began, used := time.Now(), processorTime(tb)
	for range connections {
		wg.Go(func() {
			if err := ask(addr, requests, rand.IntN(len(requests)), began.Add(roundLasts), &count); err != nil {
				tb.Error(err)
			}
		})
	}
	wg.Wait()
	n := float64(count.Load())
	return pace{n / time.Since(began).Seconds(), (processorTime(tb) - used).Seconds() / n}
}

func processorTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rounds are two servers, asked in turns.
type rounds struct{ rates, shares, cpuShares []float64 }

func (r *rounds) run(b *testing.B, path string, handler http.Handler, bodies []string) {
	ours := httptest.NewServer(handler)
	defer ours.Close()
	theirs := httptest.NewServer(bare(as(handler, everybody, "POST", "http://localhost"+path, bodies[0]).Body.Bytes()))
	defer theirs.Close()
	for b.Loop() {
		was, is := post(b, theirs, path, bodies), post(b, ours, path, bodies)
		r.rates, r.shares, r.cpuShares = append(r.rates, is.rate), append(r.shares, is.rate/was.rate), append(r.cpuShares, was.cpu/is.cpu)
	}
	b.ReportMetric(median(r.rates), "req/s")
	b.ReportMetric(median(r.shares), "share")
	b.ReportMetric(median(r.cpuShares), "cpuShare")
}

func ask(addr string, requests [][]byte, n int, until time.Time, count *atomic.Int64) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	answers := bufio.NewReaderSize(conn, 64<<10)
	if _, err := conn.Write(requests[n]); err != nil {
		return err
	}
	var raw bytes.Buffer
	res, err := http.ReadResponse(bufio.NewReaderSize(io.TeeReader(answers, &raw), 1), nil)
	if err != nil {
		return err
	}
	if _, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %w", res.Status, err)
	}
	answer := make([]byte, raw.Len())
	for ; time.Now().Before(until); n++ {
		if _, err := conn.Write(requests[n%len(requests)]); err != nil {
			return err
		}
		if _, err := io.ReadFull(answers, answer); err != nil {
			return err
		}
		if !bytes.HasPrefix(answer, []byte("HTTP/1.1 200 ")) {
			return fmt.Errorf("answered %.100q", answer)
		}
		count.Add(1)
	}
	return nil
}

// bare reads the body and answers as much as it is told, the least that a net/http handler can do.
func bare(answer []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	})
}

const visitor = `{"context":{"targetingKey":"user-4711","accountId":"acme","country":"DE","plan":"pro"}}`

// served is a handler as a server mounts it, behind a guard.
func served(tb testing.TB, c content) http.Handler {
	h, _ := serving(tb, c)
	return ofrep.Entry(access.NewGuard(access.GuardOptions{}).WrapFunc(h.Serve))
}

// hundred is flags of which some are set by rollouts, and some by an experiment.
func hundred() content {
	c := content{files: map[string]string{}, flags: []string{"flags.**"}}
	var values strings.Builder
	for i := range 100 {
		fmt.Fprintf(&values, ",\"flag%02d\": %t", i, i%3 == 0)
		if i%5 == 0 {
			c.files[fmt.Sprintf("rollouts/r%02d.yaml", i)] = fmt.Sprintf("environments: [prod]\nunit: targetingKey\nsalt: salt%02d\nset: {flags.flag%02d: true}\n"+
				"rules: [{name: some, when: 'context.country in [\"DE\", \"FR\"]', percentage: 50%%}]\n", i, i)
		}
	}
	c.values = `{"flags":{` + values.String()[1:] + `}}`
	return c
}

// BenchmarkShareOfBare is how many requests are answered beside a handler that only reads and writes as much, on the same machine in turns.
func BenchmarkShareOfBare(b *testing.B) {
	var strangers []string // nobody asks twice within the time that is remembered
	for n := range 20_000 {
		strangers = append(strangers, fmt.Sprintf(`{"context":{"targetingKey":"user-%05d","accountId":"acme","country":"DE","plan":"pro"}}`, n))
	}
	for _, test := range []struct {
		name, path string
		content    content
		bodies     []string
	}{
		{"static", single + "checkout.timeout", shop, []string{visitor}},
		{"split", single + "checkout.ui.button.color", shop, []string{visitor}},
		{"strangers", single + "search.newRanking", shop, strangers},
		{"bulkOf100", bulk, hundred(), []string{visitor}},
	} {
		b.Run(test.name, func(b *testing.B) { new(rounds).run(b, test.path, served(b, test.content), test.bodies) })
	}
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

// BenchmarkInProcess is what an evaluation takes beside net/http.
func BenchmarkInProcess(b *testing.B) {
	h, _ := serving(b, shop)
	many, _ := serving(b, hundred())
	for _, test := range []struct {
		name, path string
		h          http.Handler
	}{{"static", single + "checkout.timeout", h}, {"split", single + "checkout.ui.button.color", h}, {"bulk", bulk, many}} {
		b.Run(test.name, func(b *testing.B) {
			r := httptest.NewRequest("POST", test.path, nil)
			r = r.WithContext(access.NewContext(r.Context(), everybody))
			r.ContentLength = int64(len(visitor))
			body, w := strings.NewReader(""), &discard{http.Header{}}
			r.Body = io.NopCloser(body)
			b.ReportAllocs()
			for b.Loop() {
				body.Reset(visitor)
				test.h.ServeHTTP(w, r)
			}
		})
	}
}

// discard takes answers.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}
