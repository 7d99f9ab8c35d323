package client_test

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/notify/notifytest"
	"github.com/trunkline/trunkline/value"
)

func state(t *testing.T, text string) *client.State {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return &client.State{Values: v}
}

// paths are what an update tells of, in order.
func paths(u client.Update) (list []string) {
	for _, c := range u.Changes {
		list = append(list, c.Path.String())
	}
	return list
}

func TestWatch(t *testing.T) {
	feed, feeder := client.NewFeed()
	updates, ended := make(chan client.Update), make(chan error, 1)
	go func() {
		for u, err := range feed.Watch(t.Context(), "a.*", "b") {
			if err != nil {
				ended <- err
				return
			}
			updates <- u
		}
	}()
	for _, c := range []struct {
		put, values string
		changes     []string
	}{
		{`{"a":{"x":1,"y":{"z":1}},"b":1,"c":1}`, `{"a":{"x":1,"y":{"z":1}},"b":1}`, []string{"a", "b"}},
		{`{"a":{"x":1,"y":{"z":2}},"b":1,"c":1}`, `{"a":{"x":1,"y":{"z":2}},"b":1}`, []string{"a.y.z"}},
		{`{"a":{"x":1,"y":{"z":2}},"b":1,"c":2}`, "", nil},
		{`{"c":2}`, `{}`, []string{"a", "b"}},
		{`{"b":[1]}`, `{"b":[1]}`, []string{"b"}},
	} {
		s := state(t, c.put)
		feeder.Put(s)
		if c.values == "" {
			continue
		}
		u := next(t, updates)
		if u.Values.String() != c.values || u.State != s || len(paths(u)) != len(c.changes) {
			t.Errorf("%s: %s, %v", c.put, u.Values, paths(u))
		}
		for i, path := range paths(u) {
			if path != c.changes[i] {
				t.Errorf("%s: %v", c.put, paths(u))
			}
		}
	}
	feeder.Put(state(t, `{"b":2}`))
	feeder.End(client.ErrClosed)
	if u := next(t, updates); u.Values.String() != `{"b":2}` {
		t.Errorf("the last one is %s", u.Values)
	}
	if err := next(t, ended); !errors.Is(err, client.ErrClosed) {
		t.Error(err)
	}
}

// The first update comes even where nothing is selected, so that a loop begins with what there is.
func TestWatchBegins(t *testing.T) {
	feed, feeder := client.NewFeed()
	feeder.Put(state(t, `{"a":1}`))
	for u, err := range feed.Watch(t.Context(), "nothing") {
		if err != nil || u.Values.String() != `{}` || u.Changes != nil || u.State == nil {
			t.Errorf("%+v, %v", u, err)
		}
		break
	}
	for u, err := range feed.Watch(t.Context()) {
		if err != nil || u.Values.String() != `{"a":1}` {
			t.Errorf("%+v, %v", u, err)
		}
		break
	}
}

func TestWatchErrors(t *testing.T) {
	feed, feeder := client.NewFeed()
	for _, err := range feed.Watch(t.Context(), "a..b") {
		if !errors.Is(err, value.ErrPath) {
			t.Error(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	feeder.Put(state(t, `{"a":1}`))
	n := 0
	for u, err := range feed.Watch(ctx) {
		if n++; !errors.Is(err, context.Canceled) || u.State != nil {
			t.Error(err)
		}
	}
	if n != 1 {
		t.Errorf("an error came %d times", n)
	}
}

// A watcher that never comes back holds up nobody, and gets the newest when it does.
func TestSlowWatcher(t *testing.T) {
	leakless(t)
	live := notifytest.NewLive()
	live.PutJSON("prod", `{"n":0}`)
	f := follow(t, client.Options{URL: "http://" + serve(t, live, "127.0.0.1:0").addr})
	f.next(t, client.Snapshot)
	first := true
	for u, err := range f.Watch(t.Context(), "n") {
		if err != nil {
			t.Fatal(err)
		}
		if !first {
			if u.State.Int("n", 0) != 100 || u.Changes[0].Old.Int() != 0 {
				t.Errorf("%s after %v", u.Values, u.Changes)
			}
			break
		}
		first = false
		for n := 1; n <= 100; n++ {
			live.PutJSON("prod", `{"n":`+strconv.Itoa(n)+`}`)
		}
		for f.next(t, client.Delta).State.Int("n", 0) != 100 {
		}
	}
}

func TestStale(t *testing.T) {
	feed, feeder := client.NewFeed()
	since, stale := feed.Stale()
	if !stale || since.IsZero() {
		t.Error("an empty feed is up to date")
	}
	feeder.Stale(since.Add(1))
	if again, _ := feed.Stale(); again != since {
		t.Error("it is stale since it was, and not since it was said again")
	}
	feeder.Fresh()
	if since, stale := feed.Stale(); stale || !since.IsZero() {
		t.Error("it stays stale")
	}
}

func TestReadsOfNothing(t *testing.T) {
	var s *client.State
	if _, ok := s.Get("a"); ok || s.Int("a", 1) != 1 || s.String("a", "d") != "d" || s.Float("a", 1) != 1 || !s.Bool("a", true) || s.Duration("a", 1) != 1 {
		t.Error("something is found in no state")
	}
	if err := s.Decode("a", new(int)); !errors.Is(err, value.ErrMissing) {
		t.Error(err)
	}
	feed, _ := client.NewFeed()
	if got, err := client.Read(reader{feed}, "a", 7); got != 7 || err != nil {
		t.Error(got, err)
	}
}

// reader is what programs make of a feed.
type reader struct{ *client.Feed }

var _ client.Reader = reader{}
