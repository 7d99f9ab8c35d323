package server_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trunkline/trunkline/server"
)

// TestEndsInOneStretchOfTime holds that a request which never ends and a log that takes nothing do not add up: whoever needs time at the
// end has to be done by the same moment, or before it, in the order in which one needs the other.
func TestEndsInOneStretchOfTime(t *testing.T) {
	const within = 900 * time.Millisecond
	type step struct {
		which int
		by    time.Time
	}
	var mu sync.Mutex
	var steps []step
	var endLog func()
	remote := shop(t)
	set := settings(remote, t.TempDir())
	s := start(t, remote, set, func(s *server.Server) {
		s.EndWithin(within, func(which int, by time.Time) {
			mu.Lock()
			defer mu.Unlock()
			steps = append(steps, step{which, by})
		})
		s.OnBus(func(end func()) { endLog = end })
	})
	s.becomes("prod", "checkout.timeout", `"30s"`)
	eventually(t, "all is on record", func() bool { return s.status().Log.Pending == 0 })
	endLog()
	commit := s.push("Shorter", s.edited("config/checkout.yaml", "30s", "20s"))
	s.becomes("prod", "checkout.timeout", `"20s"`)
	hangs := hang(t, s.url)

	s.stop()
	if rest, err := io.ReadAll(hangs); len(rest) > 0 {
		t.Errorf("the request that hangs is answered %q, %v", rest, err)
	}
	var order []int
	for i, one := range steps {
		order = append(order, one.which)
		begun := one.by.Add(-within * time.Duration(one.which) / server.StopRecords)
		if first := steps[0].by.Add(-within * time.Duration(steps[0].which) / server.StopRecords); i > 0 && !begun.Equal(first) {
			t.Errorf("step %d counts from %s, and the first one from %s", one.which, begun, first)
		}
	}
	if !slices.IsSorted(order) || !slices.Equal(slices.Compact(order), []int{server.StopRequests, server.StopNotes, server.StopRecords}) {
		t.Errorf("the steps are %v", order)
	}
	if !strings.Contains(s.log.String(), "records are given up; the next start makes those of verdicts again") {
		t.Error("nothing is said of the records that wait")
	}

	s = start(t, remote, set)
	eventually(t, "the next start writes what was given up", func() bool {
		_, body := s.get("/v1/versions")
		return s.status().Log.Pending == 0 && strings.Contains(body, commit)
	})
}

// hang begins a request of which the server waits for the end.
func hang(t *testing.T, url string) io.Reader {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, "POST /v1/query?env=prod HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	answer := bufio.NewReader(conn)
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	for _, want := range []string{"HTTP/1.1 100 Continue\r\n", "\r\n"} { // it has begun to read the body
		if line, err := answer.ReadString('\n'); line != want {
			t.Fatalf("the server answers %q, %v", line, err)
		}
	}
	return answer
}

// Who follows the audit log is told that it ends, and holds nothing up.
func TestFollowersOfTheLogEndWithTheServer(t *testing.T) {
	remote := shop(t)
	s := start(t, remote, settings(remote, t.TempDir()))
	s.becomes("prod", "checkout.timeout", `"30s"`)
	res, err := http.Get(s.url + "/v1/audit?follow")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	if first, err := lines.ReadString('\n'); err != nil || !strings.HasPrefix(first, "{") {
		t.Fatalf("the first record is %q, %v", first, err)
	}
	s.stop()
	if _, err := io.ReadAll(lines); err != nil {
		t.Errorf("the answer is cut: %v", err)
	}
}
