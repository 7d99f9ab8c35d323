package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

const paceConnections = 32

// asker asks on one connection.
type asker struct {
	net.Conn
	answers *bufio.Reader
}

func newAsker(addr string) (*asker, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &asker{conn, bufio.NewReader(conn)}, nil
}

// ask returns the status of the answer.
func (a *asker) ask(request []byte) (status int, err error) {
	if _, err := a.Write(request); err != nil {
		return 0, err
	}
	res, err := http.ReadResponse(a.answers, nil)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// sample is one request of a steady rate.
type sample struct {
	due    time.Time
	took   time.Duration // from when it was due
	status int
}

// pace sends n requests at a steady rate, each on whichever of the connections is free, and returns them in the order of their dues.
func pace(addr string, n int, every time.Duration, request func() []byte) ([]sample, error) {
	samples := make([]sample, n)
	next := make(chan int, n) // who paces never waits
	errs := make([]error, paceConnections)
	var asking sync.WaitGroup
	for i := range paceConnections {
		asking.Go(func() {
			a, err := newAsker(addr)
			if err != nil {
				errs[i] = err
				return
			}
			defer a.Close()
			for n := range next {
				s := &samples[n]
				if s.status, errs[i] = a.ask(request()); errs[i] != nil {
					return
				}
				s.took = time.Since(s.due)
			}
		})
	}
	began := time.Now()
	for i := range samples {
		samples[i].due = began.Add(time.Duration(i) * every)
		time.Sleep(time.Until(samples[i].due))
		next <- i
	}
	close(next)
	asking.Wait()
	return samples, errors.Join(errs...)
}

// p99 is the time, in milliseconds, that 99 of 100 requests do not exceed.
func p99(samples []sample) float64 {
	var times []float64
	for _, s := range samples {
		times = append(times, float64(s.took)/1e6)
	}
	slices.Sort(times)
	return quantile(times, 0.99)
}

// refusedOf counts those that were not answered 200.
func refusedOf(samples []sample) int {
	n := 0
	for _, s := range samples {
		if s.status != http.StatusOK {
			n++
		}
	}
	return n
}
