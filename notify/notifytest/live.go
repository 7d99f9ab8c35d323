// Package notifytest holds what is live for tests of the stream and of OpenFeature's protocol, without a repository behind it.
package notifytest

import (
	"crypto/sha1" //nolint:gosec // names a commit as Git does
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
)

// Live serves what a test puts live. It may be used from several goroutines.
type Live struct {
	// Manifest is that of the versions that are put from now on, and Definitions are their rollouts and experiments; nil for none.
	Manifest    *compile.Manifest
	Definitions *experiment.Definitions

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
		Snapshot: l.snapshot(env, values, delivered), Cause: apply.CauseCommit, Since: time.Now(),
	}
	l.swap(env, v)
	return v
}

// snapshot lays the overrides of the definitions over values. They are those of the version before where the definitions are.
func (l *Live) snapshot(env string, values, delivered *value.Value) *compile.Snapshot {
	s := &compile.Snapshot{Environment: env, Manifest: l.Manifest, Values: values, Delivered: delivered, Definitions: l.Definitions}
	if l.Definitions == nil {
		return s
	}
	if before := l.versions[env]; before != nil && before.Snapshot.Definitions == l.Definitions {
		s.Overrides = before.Snapshot.Overrides
	} else {
		s.Overrides = l.Definitions.In(env, experiment.Options{})
	}
	if s.DeliveredOverrides = s.Overrides; values != delivered {
		s.DeliveredOverrides = s.Overrides.Redacted(func(path value.Path, v *value.Value) *value.Value { return redacted(delivered, path, v) })
	}
	return s
}

// redacted is what is delivered of a value that is laid over a path: what stands there is redacted, or not.
func redacted(delivered *value.Value, path value.Path, v *value.Value) *value.Value {
	at := delivered
	for _, key := range path {
		if at.Kind() == value.Redacted {
			break
		}
		next, ok := at.Get(key)
		if !ok {
			return v
		}
		at = next
	}
	switch {
	case at.Kind() == value.Redacted:
		return value.NewRedacted(fmt.Sprintf("%.16x", v.Sum()), v.Place())
	case at.Kind() == value.Map && v.Kind() == value.Map:
		entries := slices.Clone(v.Entries())
		for i, e := range entries {
			entries[i].Value = redacted(at, value.Path{e.Key}, e.Value)
		}
		return value.NewMap(entries, v.Place())
	}
	return v
}

// Again puts what an environment serves live again, changed: as a pin or a stop does, which make no commit.
func (l *Live) Again(env string, change func(*apply.Version)) *apply.Version {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := *l.versions[env]
	v.Since = time.Now()
	change(&v)
	l.swap(env, &v)
	return &v
}

// PutVersion puts a version live that a test has made.
func (l *Live) PutVersion(env string, v *apply.Version) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.swap(env, v)
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
