// Package clienttest gives the tests of programs configuration of their own making, without a server.
//
// A program takes its configuration as a [client.Reader]; its tests hand it a [Fake], whose values they set and change:
//
//	config := clienttest.New(t, map[string]any{"checkout.retries": 3, "checkout.timeout": "20s"})
//	service := NewCheckout(config)
//	config.Set("checkout.retries", 5)
//
// A Fake judges by the program's own Accept, if it is given one, as a [client.Client] would: what is not accepted is not read, and
// [Fake.Nacks] tells what the server would have been told.
package clienttest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/value"
)

// Fake is read as a [client.Client] is. Its methods may be called from any goroutine; what they cannot do fails the test.
type Fake struct {
	*client.Feed
	tb     testing.TB
	feeder client.Feeder

	mu          sync.Mutex
	received    *value.Value // the newest values, accepted or not
	accept      func(*client.State) error
	nacks       []Nack
	assignments []client.Assignment
	versions    int
}

var _ client.Reader = (*Fake)(nil)

// Nack is what a server would be told of values that the program does not accept.
type Nack struct {
	State  *client.State
	Reason string
}

// New makes values by their paths. They are whatever JSON can say, a duration, or a [value.Value]; a map or a list may be given as a
// whole, and a number in it is an integer unless it has a fraction. What was set before the first Accept is accepted.
func New(tb testing.TB, values map[string]any) *Fake {
	tb.Helper()
	f := &Fake{tb: tb, received: value.Empty}
	f.Feed, f.feeder = client.NewFeed()
	f.SetAll(values)
	tb.Cleanup(f.Close)
	return f
}

// Accept has the program judge what is set from now on, as [client.Options] says. It must not call the Fake's own methods.
func (f *Fake) Accept(accept func(*client.State) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.accept = accept
}

// Set puts a value at a path, as a new version. What lies above it is made.
func (f *Fake) Set(path string, v any) {
	f.tb.Helper()
	f.SetAll(map[string]any{path: v})
}

// SetAll puts several values, as one new version, in the order of their paths.
func (f *Fake) SetAll(values map[string]any) {
	f.tb.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	next := f.received
	for _, path := range slices.Sorted(maps.Keys(values)) {
		v, err := convert(values[path])
		if err == nil {
			next, err = put(next, path, v)
		}
		if err != nil {
			f.tb.Errorf("clienttest: %s: %v", path, err)
			return
		}
	}
	f.offer(next)
}

// Remove takes away what stands at a path, as a new version.
func (f *Fake) Remove(path string) {
	f.tb.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	at, err := value.ParsePath(path)
	if err != nil {
		f.tb.Errorf("clienttest: %v", err)
		return
	}
	next, ok := f.received.Set(at, nil)
	if _, there := f.received.At(at); !there || !ok {
		f.tb.Errorf("clienttest: %s: nothing stands there", path)
		return
	}
	f.offer(next)
}

// Redact puts what readers are shown who may not see the value at a path.
func (f *Fake) Redact(path string) {
	f.tb.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	next, err := put(f.received, path, value.NewRedacted("0000000000000000", value.Place{}))
	if err != nil {
		f.tb.Errorf("clienttest: %s: %v", path, err)
		return
	}
	f.offer(next)
}

// Assign puts whoever asks into variants of experiments, in the place of those before, beside the values that there are.
func (f *Fake) Assign(assignments ...client.Assignment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.assignments = slices.Clone(assignments)
	if s := f.State(); s != nil {
		next := *s
		next.Assignments = f.assignments
		f.feeder.Put(&next)
	}
}

// Disconnect makes the values stale from now on, until the next are accepted or Connect is called.
func (f *Fake) Disconnect() { f.feeder.Stale(time.Now()) }

// Connect ends what Disconnect began.
func (f *Fake) Connect() { f.feeder.Fresh() }

// Close ends all watches, as the end of the test does.
func (f *Fake) Close() { f.feeder.End(client.ErrClosed) }

// Nacks are what the program did not accept so far.
func (f *Fake) Nacks() []Nack {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.nacks)
}

// offer makes values the newest ones, if the program accepts them. The lock must be held.
func (f *Fake) offer(values *value.Value) {
	f.received = values
	f.versions++
	s := &client.State{Values: values, Commit: fmt.Sprintf("%040x", f.versions), Cursor: values.Sum().String()[:20], Author: "clienttest", Assignments: f.assignments}
	if f.accept != nil {
		if err := f.accept(s); err != nil {
			f.nacks = append(f.nacks, Nack{s, err.Error()})
			f.feeder.Stale(time.Now())
			return
		}
	}
	f.feeder.Fresh()
	f.feeder.Put(s)
}

// put sets a value and makes what lies above it.
func put(root *value.Value, path string, v *value.Value) (*value.Value, error) {
	at, err := value.ParsePath(path)
	if err != nil {
		return nil, err
	}
	if len(at) == 0 {
		return nil, errors.New("the whole is set by the paths in it")
	}
	for depth := 1; depth <= len(at); depth++ {
		next := v
		if depth < len(at) {
			if _, there := root.At(at[:depth]); there {
				continue
			}
			next = value.Empty
		}
		var ok bool
		if root, ok = root.Set(at[:depth], next); !ok {
			return nil, errors.New("what stands above it is no map")
		}
	}
	return root, nil
}

// convert makes a value of what JSON can say.
func convert(v any) (*value.Value, error) {
	if v, ok := v.(*value.Value); ok {
		return v, nil
	}
	if d, ok := v.(time.Duration); ok {
		v = d.String()
	}
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if f, ok := v.(float64); ok {
		return value.NewFloat(f, value.Place{}), nil // 1.0 would be an integer in JSON
	}
	return value.ParseJSON(data)
}
