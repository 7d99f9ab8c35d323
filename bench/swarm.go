package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// swarmArg makes this program a process of nothing but clients, which is told what to do through its input and answers on its output.
const swarmArg = "-swarm"

// order is what a swarm is told.
type order struct {
	Do       string     `json:"do"`                 // open, raw, expect, wait, answer, cut
	Addr     string     `json:"addr,omitempty"`     // of open and raw
	Secure   bool       `json:"secure,omitempty"`   // over TLS
	Sessions int        `json:"sessions,omitempty"` // of open and raw; of expect: how many are to be sent something
	Deaf     int        `json:"deaf,omitempty"`     // of the sessions: they say hello and never read
	Patterns [][]string `json:"patterns,omitempty"` // of one session after the other
	Resume   bool       `json:"resume,omitempty"`   // the sessions that were cut, from where they were
	Prompt   bool       `json:"prompt,omitempty"`   // of expect: each answers at once
	Context  bool       `json:"context,omitempty"`  // each says who it is
}

// report is the answer.
type report struct {
	Error string `json:"error,omitempty"`
	Began int64  `json:"began,omitempty"` // of open, as all times in ns of the system's clock
	First int64  `json:"first,omitempty"` // when the first had what was expected
	Last  int64  `json:"last,omitempty"`
	Frame []byte `json:"frame,omitempty"` // what one of them was sent
}

// swarm is the clients of this process.
type swarm struct {
	members []*member
	round   atomic.Pointer[round]
	running sync.WaitGroup
	cutting atomic.Bool
	failed  chan error
}

// round is one change on its way to clients.
type round struct {
	prompt            bool
	times             []int64 // ns, of each that has it
	started, finished atomic.Int64
	done              chan struct{}
}

func (r *round) arrived(at int64) {
	i := int(r.started.Add(1)) - 1
	if i >= len(r.times) {
		return
	}
	r.times[i] = at
	if int(r.finished.Add(1)) == len(r.times) {
		close(r.done)
	}
}

// runSwarm obeys until its input ends.
func runSwarm() error {
	s := &swarm{failed: make(chan error, 1)}
	orders, reports := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var o order
		if err := orders.Decode(&o); err != nil {
			s.cut()
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		r, err := s.obey(o)
		if err != nil {
			r.Error = err.Error()
		}
		if err := reports.Encode(r); err != nil {
			return err
		}
	}
}

func (s *swarm) obey(o order) (report, error) {
	switch o.Do {
	case "open":
		defer tidy()
		return s.open(o)
	case "raw":
		return report{}, s.each(o.Sessions, func(i int) (*member, error) { return s.dialRaw(i, o) })
	case "expect":
		s.expect(o.Sessions, o.Prompt)
		return report{}, nil
	case "wait":
		return s.wait()
	case "answer":
		return report{}, s.answer()
	case "cut":
		s.cut()
		return report{}, nil
	}
	return report{}, fmt.Errorf("no order: %s", o.Do)
}

func (s *swarm) expect(n int, prompt bool) {
	s.round.Store(&round{prompt: prompt, times: make([]int64, n), done: make(chan struct{})})
}

// open opens sessions and waits until each has its first values.
func (s *swarm) open(o order) (report, error) {
	s.expect(o.Sessions-o.Deaf, true)
	began := time.Now().UnixNano()
	before := s.members
	s.members = nil
	err := s.each(o.Sessions, func(i int) (*member, error) {
		m := &member{swarm: s, number: i, deaf: i < o.Deaf, shown: i == o.Sessions-1}
		if o.Resume {
			m.cursor.text, m.cursor.n = before[i].cursor.text, before[i].cursor.n
		}
		if len(o.Patterns) > 0 {
			m.patterns = o.Patterns[i%len(o.Patterns)]
		}
		return m, m.open(o)
	})
	if err != nil {
		return report{}, err
	}
	r, err := s.wait()
	r.Began = began
	return r, err
}

// tidy has this process collect its garbage now and none later: what is measured is not to wait for that.
func tidy() {
	runtime.GC()
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(4 << 30)
}

// each makes members, a number at a time, and has them listen.
func (s *swarm) each(n int, dial func(i int) (*member, error)) error {
	all := make([]*member, n)
	var failed atomic.Pointer[error]
	var next atomic.Int64
	var dialing sync.WaitGroup
	for range swarmDialers {
		dialing.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && failed.Load() == nil; i = int(next.Add(1)) - 1 {
				var err error
				if all[i], err = dial(i); err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	dialing.Wait()
	s.members = slices.DeleteFunc(all, func(m *member) bool { return m == nil })
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// wait waits until all have what is expected.
func (s *swarm) wait() (report, error) {
	r := s.round.Load()
	select {
	case <-r.done:
	case err := <-s.failed:
		return report{}, err
	case <-time.After(swarmPatience):
		return report{}, fmt.Errorf("%d of %d have it after %s", r.finished.Load(), len(r.times), swarmPatience)
	}
	first, last := r.times[0], r.times[0]
	for _, at := range r.times {
		first, last = min(first, at), max(last, at)
	}
	shown := report{First: first, Last: last}
	if frame := s.members[len(s.members)-1].frame.Load(); frame != nil {
		shown.Frame = *frame
	}
	return shown, nil
}

// answer acknowledges what each has.
func (s *swarm) answer() error {
	for _, m := range s.members {
		if err := m.ack(); err != nil && !m.deaf {
			return err
		}
	}
	return nil
}

// cut ends all connections at once, without a word.
func (s *swarm) cut() {
	s.cutting.Store(true)
	for _, m := range s.members {
		if m.tcp != nil {
			_ = m.tcp.SetLinger(0)
			_ = m.tcp.Close()
		}
	}
	s.running.Wait()
	s.cutting.Store(false)
}
