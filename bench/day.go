package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/notify"
	"github.com/trunkline/trunkline/notify/notifytest"
	"github.com/trunkline/trunkline/value"
)

const (
	dayArg    = "-day" // makes this program live a day
	dayValues = 200    // of the configuration
	answered  = 16     // of so many changes one is acknowledged: who answers each of thousands a second floods the server
)

// dayMemory is what a process had in use, in MB, after its garbage was collected.
type dayMemory struct{ Heap, Resident float64 }

// dayReport is how a day went.
type dayReport struct {
	Quarter, End dayMemory
	Seconds      float64 // that it took
}

// day measures that memory does not grow with changes: as many as a day of one a second has, each of which reaches every session, one
// right after the other. The Hub and its sessions are real, and so are their sockets; there is no repository behind them, no log and
// no metrics.
func (s *suite) day(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, dayArg, strconv.Itoa(s.scale.dayChanges), strconv.Itoa(s.scale.daySessions))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	var r dayReport
	if err := json.Unmarshal(out, &r); err != nil {
		return err
	}
	for _, m := range []struct {
		what         string
		quarter, end float64
	}{{"heap", r.Quarter.Heap, r.End.Heap}, {"resident", r.Quarter.Resident, r.End.Resident}} {
		s.add(row{
			what: fmt.Sprintf("%d changes: memory at the end, %s, against a quarter of them", s.scale.dayChanges, m.what), measured: m.end / m.quarter, limit: 1.1,
			note: fmt.Sprintf("%.4g MB and %.4g MB, garbage collected; %d sessions had each change, in %.0f s: the hub and its clients alone, in one process",
				m.end, m.quarter, s.scale.daySessions, r.Seconds),
		})
	}
	return nil
}

// runDay lives the day and writes how it went.
func runDay(changesText, sessionsText string) (err error) {
	changes, err1 := strconv.Atoi(changesText)
	sessions, err2 := strconv.Atoi(sessionsText)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	live := notifytest.NewLive()
	live.Put("prod", dayConfig(0))
	hub := notify.New(notify.Options{Live: live})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	web := &http.Server{Handler: access.NewGuard(access.GuardOptions{}).Wrap(hub), ReadHeaderTimeout: swarmPatience}
	ctx, stop := context.WithCancel(context.Background())
	served, ran := make(chan error, 1), make(chan error, 1)
	go func() { served <- web.Serve(notify.Listen(l)) }()
	go func() { ran <- hub.Run(ctx) }()
	w := &swarm{failed: make(chan error, 1)}
	defer func() {
		w.cut()
		stop()
		<-ran
		_ = web.Close()
		<-served
	}()
	r, err := liveThrough(live, w, order{Addr: l.Addr().String(), Sessions: sessions}, changes)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// liveThrough makes the changes, each when all have the one before.
func liveThrough(live *notifytest.Live, w *swarm, open order, changes int) (r dayReport, err error) {
	if _, err := w.open(open); err != nil {
		return r, err
	}
	began := time.Now()
	for i := range changes {
		w.expect(open.Sessions, i%answered == 0)
		live.Put("prod", dayConfig(i+1))
		if _, err := w.wait(); err != nil {
			return r, fmt.Errorf("change %d: %w", i, err)
		}
		if i+1 == changes/4 {
			if r.Quarter, err = inUse(); err != nil {
				return r, err
			}
		}
	}
	r.Seconds = time.Since(began).Seconds()
	r.End, err = inUse()
	return r, err
}

// dayConfig is a configuration of which every change changes one value, each time another.
func dayConfig(n int) *value.Value {
	text := append([]byte(nil), '{')
	for i := range dayValues {
		if i > 0 {
			text = append(text, ',')
		}
		text = fmt.Appendf(text, `"service%d":{"timeout":%d}`, i, (n+dayValues-1-i)/dayValues)
	}
	v, err := value.ParseJSON(append(text, '}'))
	if err != nil {
		panic(err) // it is written right above
	}
	return v
}

func inUse() (dayMemory, error) {
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	resident, err := memoryOf(os.Getpid(), "VmRSS:")
	return dayMemory{float64(m.HeapAlloc+m.StackInuse) / 1e6, resident}, err
}
