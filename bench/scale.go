package main

import (
	"errors"
	"syscall"
	"time"
)

// scale is how much the rows about sessions, days and pages measure.
type scale struct {
	crowds        []int // sessions that a change is broadcast to
	most          bool  // and as many as descriptors allow
	changes       int   // of each size, of which the median counts
	idle          int   // sessions whose memory is measured
	idleTLS       int
	healthy       int // sessions beside those that never read
	slowChanges   int
	patterned     int // sessions with differing patterns
	storm         int // sessions that come back at once
	storms        int
	dayChanges    int
	daySessions   int
	pageVersions  int
	pageLoads     int
	overrideCrowd int // sessions under experiments
}

var whole = scale{
	crowds: []int{1000, 10_000}, most: true, changes: 11, idle: 10_000, idleTLS: 2000, healthy: 500, slowChanges: 300,
	patterned: 10_000, storm: 10_000, storms: 3, dayChanges: 86_400, daySessions: 5, pageVersions: 5000, pageLoads: 5, overrideCrowd: 10_000,
}

// quick shows that the rows work. Its numbers mean little.
var quick = scale{
	crowds: []int{100}, changes: 3, idle: 500, idleTLS: 100, healthy: 50, slowChanges: 20,
	patterned: 200, storm: 200, storms: 1, dayChanges: 4000, daySessions: 3, pageVersions: 200, pageLoads: 1, overrideCrowd: 200,
}

const (
	neverRead   = 8
	patternSets = 100
	touchedSets = 3

	smallChange = 500    // bytes of its message, about
	largeChange = 20_000 // and of the larger one

	swarmPatience  = 2 * time.Minute
	swarmDialers   = 64
	swarmAddresses = 8   // of loopback that sessions come from: each has its own ports
	ownFiles       = 128 // descriptors that a process of the benchmark keeps for other things
)

// openFiles is how many descriptors this process, and any that it starts, may have. The runtime has raised the limit as far as it may.
func openFiles() (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	return int(min(limit.Cur, 1<<20)), nil
}

// fits refuses more sessions than descriptors allow.
func (s *suite) fits(p *process, sessions int) error {
	most, err := s.most(p)
	if err == nil && sessions > most {
		err = errors.New("the limit of descriptors is too low for so many sessions: raise the hard one, as by ulimit -Hn")
	}
	return err
}

// most is how many sessions the server, their clients, and the counterpart in this process can hold.
func (s *suite) most(p *process) (int, error) {
	files, err := openFiles()
	return min(p.room, files-ownFiles), err
}
