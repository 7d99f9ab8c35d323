package client_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/notify/notifytest"
	"github.com/trunkline/trunkline/value"
)

// content draws the values of a version: few paths, so that versions differ here and there, and return.
func content(rt *rapid.T) string {
	var members []string
	for _, key := range []string{"a", "b", "c"} {
		switch n := rapid.IntRange(0, 4).Draw(rt, key); n {
		case 0:
		case 1:
			members = append(members, fmt.Sprintf(`%q:[%d]`, key, n))
		case 2:
			members = append(members, fmt.Sprintf(`%q:{"x":{"y":%d}}`, key, rapid.IntRange(0, 2).Draw(rt, "y")))
		default:
			members = append(members, fmt.Sprintf(`%q:{"x":%d,"z":%q}`, key, n, strings.Repeat("z", n)))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// Whatever happens to connections and servers, and in whatever order, the client comes to have what the server has. On the way there
// it never shows what no version held, and what it kept on disk is of a version, too.
func TestConverges(t *testing.T) {
	leakless(t)
	rapid.Check(t, func(rt *rapid.T) {
		live := notifytest.NewLive()
		versions := map[string]bool{}
		put := func() {
			v := live.PutJSON("prod", content(rt))
			for _, patterns := range asked {
				versions[narrowed(rt, v.Snapshot.Values, patterns).String()] = true
			}
		}
		patterns := rapid.SampledFrom(asked).Draw(rt, "patterns")
		put()
		h := serve(t, live, "127.0.0.1:0")
		relay := newRelay(t, h.addr)
		o := client.Options{URL: "http://" + relay.addr, Patterns: patterns, Keep: t.TempDir() + "/kept"}
		if rapid.Bool().Draw(rt, "judges") {
			o.Accept = func(*client.State) error { return nil }
		}
		changed := false
		f := follow(t, o)
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"put", "put", "put", "cut", "restart", "program", "ask", "look"}).Draw(rt, "step") {
			case "put":
				put()
			case "cut":
				relay.cut()
			case "restart": // of the server, which knows nothing of its sessions afterwards
				next := serve(t, live, "127.0.0.1:0")
				relay.lead(next.addr)
				relay.cut()
				h.stop()
				h = next
			case "program": // which begins with what was kept
				f.cancel()
				f.ended(t)
				f = follow(t, o)
			case "ask":
				changed = true
				o.Patterns = rapid.SampledFrom(asked).Draw(rt, "patterns")
				if err := f.SetPatterns(o.Patterns...); err != nil {
					rt.Fatal(err)
				}
			case "look":
				f.wait(t)
			}
			check(rt, f.State(), versions)
		}
		want := narrowed(rt, live.Get("prod").Snapshot.Values, o.Patterns)
		arrives(rt, f, want)
		f.cancel()
		f.ended(t)
		for len(f.events) > 0 {
			check(rt, (<-f.events).State, versions)
		}
		relay.close()
		h.stop()
		again := follow(t, o)
		switch kept := next(t, again.events); {
		case kept.Kind == client.Kept && !value.Equal(kept.State.Values, want):
			rt.Fatalf("kept %s, want %s", kept.State.Values, want)
		case kept.Kind != client.Kept && !changed: // what was kept for other patterns is not used
			rt.Fatal("nothing was kept")
		}
		again.cancel()
		again.ended(t)
	})
}

// asked are the patterns that are asked for.
var asked = [][]string{{}, {"a.**"}, {"a.x", "b"}, {"*.x.**", "c"}}

func narrowed(rt *rapid.T, v *value.Value, patterns []string) *value.Value {
	if len(patterns) == 0 {
		return v
	}
	selected, err := value.ParsePatterns(patterns)
	if err != nil {
		rt.Fatal(err)
	}
	return value.Select(v, selected)
}

func check(rt *rapid.T, s *client.State, versions map[string]bool) {
	if s != nil && !versions[s.Values.String()] {
		rt.Fatalf("no version holds %s", s.Values)
	}
}

func arrives(rt *rapid.T, f *following, want *value.Value) {
	deadline := time.After(generous)
	for {
		if s := f.State(); s != nil && value.Equal(s.Values, want) && upToDate(f) {
			return
		}
		select {
		case <-time.After(time.Millisecond):
		case <-deadline:
			rt.Fatalf("it has %v, and not %s", f.State(), want)
		}
	}
}

// A patch of what differs leads from one content to the other, and keeps the pointers of what it does not change.
func TestPatchOfADiff(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		old, err := value.ParseJSON([]byte(content(rt)))
		if err != nil {
			rt.Fatal(err)
		}
		next, err := value.ParseJSON([]byte(content(rt)))
		if err != nil {
			rt.Fatal(err)
		}
		got, err := client.ApplyPatch(old, value.AppendPatch(nil, value.Diff(old, next)))
		if err != nil || !value.Equal(got, next) {
			rt.Fatalf("%s to %s: %v, %v", old, next, got, err)
		}
		for _, e := range got.Entries() {
			if before, _ := old.Get(e.Key); before != nil && value.Equal(before, e.Value) && before != e.Value {
				rt.Fatalf("%s was made anew", e.Key)
			}
		}
	})
}
