package apply

import (
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
)

// Version is a commit as one environment serves it. It is immutable.
type Version struct {
	ID         string // the commit's hash as text
	Commit     gitsync.Commit
	Snapshot   *compile.Snapshot
	Cause      Cause
	RollbackOf gitsync.Hash
	Lineage    *Lineage  // as of the decision that made it live; nil after a start
	Since      time.Time // when it went live
	Stops      []Stop    // what an operator keeps out of effect, in order
	Held       time.Time // where it is pinned: the time at which its schedules and ramps stand still
}

// Clock is the time that the version's schedules and ramps go by.
func (v *Version) Clock(now time.Time) time.Time {
	if !v.Held.IsZero() {
		return v.Held
	}
	return now
}

// Cause tells why a version went live.
type Cause string

// The causes.
const (
	CauseCommit   Cause = "commit"
	CauseRollback Cause = "rollback"
	CauseRewrite  Cause = "rewrite" // the branch was moved to an older version
	CauseStart    Cause = "start"
	CausePin      Cause = "pin"
	CauseUnpin    Cause = "unpin"
	CauseStop     Cause = "stop"   // an operator took a rollout or an experiment out of effect
	CauseResume   Cause = "resume" // it is in effect again
)

// Live is what every environment serves. Reading takes no lock and allocates nothing. [NewLive] makes one.
type Live struct {
	versions atomic.Pointer[map[string]*Version]
	changed  atomic.Pointer[chan struct{}]
}

// NewLive makes a Live that serves nothing yet.
func NewLive() *Live {
	l := &Live{}
	l.versions.Store(&map[string]*Version{})
	c := make(chan struct{})
	l.changed.Store(&c)
	return l
}

// Get returns what an environment serves, or nil when it serves nothing.
func (l *Live) Get(env string) *Version { return (*l.versions.Load())[env] }

// Environments are the names of those that serve something, sorted.
func (l *Live) Environments() []string { return slices.Sorted(maps.Keys(*l.versions.Load())) }

// Changed returns a channel that is closed at the next swap. Take it before reading, so that no swap is missed.
func (l *Live) Changed() <-chan struct{} { return *l.changed.Load() }

// swap puts versions live and takes environments out, all at once, and wakes whoever waits. One goroutine at a time may call it.
func (l *Live) swap(put map[string]*Version, remove []string) {
	next := maps.Clone(*l.versions.Load())
	maps.Copy(next, put)
	for _, env := range remove {
		delete(next, env)
	}
	l.versions.Store(&next)
	c := make(chan struct{})
	close(*l.changed.Swap(&c))
}
