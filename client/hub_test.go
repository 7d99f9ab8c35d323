package client_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/notify/notifytest"
)

// large are values that do not fit one message.
func large(n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"n":%d`, n)
	for i := range 4000 {
		fmt.Fprintf(&b, `,"key%d":{"text":%q,"n":%d}`, i, strings.Repeat("ü", 50+n), i+n)
	}
	return b.String() + "}"
}

// Values too large for one message come in chunks, and so does a change of all of them.
func TestLargeValues(t *testing.T) {
	leakless(t)
	live := notifytest.NewLive()
	v := live.PutJSON("prod", large(1))
	if len(v.Snapshot.Values.String()) <= wire.MaxWhole {
		t.Fatal("they fit one message")
	}
	f := follow(t, client.Options{URL: "http://" + serve(t, live, "127.0.0.1:0").addr})
	if e := f.next(t, client.Snapshot); e.State.Values.Sum() != v.Snapshot.Values.Sum() {
		t.Error("the first values are others")
	}
	for n := 2; n < 5; n++ {
		v = live.PutJSON("prod", large(n))
		if e := f.next(t, client.Snapshot); e.State.Values.Sum() != v.Snapshot.Values.Sum() || len(e.Changes) == 0 {
			t.Errorf("%d: other values, %d changes", n, len(e.Changes))
		}
	}
}

// What is asked for changes on the connection that there is.
func TestOtherPatterns(t *testing.T) {
	leakless(t)
	live := notifytest.NewLive()
	live.PutJSON("prod", `{"a":1,"b":{"x":1},"c":1}`)
	f := follow(t, client.Options{URL: "http://" + serve(t, live, "127.0.0.1:0").addr, Patterns: []string{"a"}})
	f.next(t, client.Snapshot)
	for _, c := range []struct {
		patterns []string
		kind     client.EventKind
		values   string
	}{
		{[]string{"b.*", "c"}, client.Snapshot, `{"b":{"x":1},"c":1}`},
		{[]string{"c", "b.*"}, client.Current, `{"b":{"x":1},"c":1}`},
		{nil, client.Snapshot, `{"a":1,"b":{"x":1},"c":1}`},
	} {
		if err := f.SetPatterns(c.patterns...); err != nil {
			t.Fatal(err)
		}
		if e := f.next(t, c.kind); e.State.Values.String() != c.values {
			t.Errorf("%v: %s", c.patterns, e.State.Values)
		}
	}
	live.PutJSON("prod", `{"a":2,"b":{"x":1},"c":1}`)
	if e := f.next(t, client.Delta); len(e.Changes) != 1 {
		t.Errorf("%+v", e)
	}
	if err := f.SetContext(map[string]any{"targetingKey": "u1"}); err != nil {
		t.Fatal(err)
	}
	f.next(t, client.Current)
}

// The operator sees who could not use a version, and why.
func TestRejectionsAreSeen(t *testing.T) {
	leakless(t)
	live := notifytest.NewLive()
	live.PutJSON("prod", `{"a":1}`)
	h := serve(t, live, "127.0.0.1:0")
	f := follow(t, client.Options{URL: "http://" + h.addr, Name: "shop", Accept: func(s *client.State) error {
		if s.Int("a", 0) == 2 {
			return errors.New("two is one too many")
		}
		return nil
	}})
	f.next(t, client.Snapshot)
	bad := live.PutJSON("prod", `{"a":2}`)
	f.next(t, client.Rejected)
	deadline := time.Now().Add(generous)
	for {
		all := h.Convergence()
		if len(all) == 1 && len(all[0].Rejections) == 1 {
			if r := all[0].Rejections[0]; r.Client != "shop" || r.Commit != bad.ID || r.Reason != "two is one too many" || all[0].Rejected != 1 {
				t.Errorf("%+v", all[0])
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v", all)
		}
		<-time.After(5 * time.Millisecond)
	}
	live.PutJSON("prod", `{"a":3}`)
	f.next(t, client.Delta)
}
