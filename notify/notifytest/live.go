// Package notifytest holds what is live for tests of the stream, without a repository behind it.
package notifytest

import (
	"crypto/sha1" //nolint:gosec // names a commit as Git does
	"encoding/binary"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
)

// Live serves what a test puts live. It may be used from several goroutines.
type Live struct {
	// Manifest is that of the versions that are put from now on.
	Manifest *compile.Manifest

	mu       sync.Mutex
	versions map[string]*apply.Version
	commits  uint64
	changed  chan struct{}
}

// NewLive makes a Live that serves nothing yet.
func NewLive() *Live {
	return &Live{Manifest: &compile.Manifest{}, versions: map[string]*apply.Version{}, changed: make(chan struct{})}
}

// Put makes values the content of an environment, with a commit of their own.
func (l *Live) Put(env string, values *value.Value) *apply.Version {
	return l.PutRedacted(env, values, values)
}

// PutRedacted is Put with values of which some are delivered redacted.
func (l *Live) PutRedacted(env string, values, delivered *value.Value) *apply.Version {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.commits++
	hash := gitsync.Hash(sha1.Sum(binary.BigEndian.AppendUint64(nil, l.commits))) //nolint:gosec // as Git does
	v := &apply.Version{
		ID: hash.String(), Commit: gitsync.Commit{Hash: hash, Subject: "change", Author: gitsync.Person{Name: "Ada"}},
		Snapshot: &compile.Snapshot{Environment: env, Manifest: l.Manifest, Values: values, Delivered: delivered},
		Cause:    apply.CauseCommit, Since: time.Now(),
	}
	l.swap(env, v)
	return v
}

// PutJSON is Put with values written as JSON.
func (l *Live) PutJSON(env, text string) *apply.Version {
	v, err := value.ParseJSON([]byte(text))
	if err != nil {
		panic(err)
	}
	return l.Put(env, v)
}

// Remove takes an environment out.
func (l *Live) Remove(env string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.swap(env, nil)
}

func (l *Live) swap(env string, v *apply.Version) {
	l.versions = maps.Clone(l.versions)
	delete(l.versions, env)
	if v != nil {
		l.versions[env] = v
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// Get returns what an environment serves, or nil.
func (l *Live) Get(env string) *apply.Version {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.versions[env]
}

// Environments are the names of those that serve something, sorted.
func (l *Live) Environments() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.versions))
}

// Changed returns a channel that is closed at the next change.
func (l *Live) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}
