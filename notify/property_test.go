package notify_test

import (
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/notify/notifytest"
	"github.com/trunkline/trunkline/value"
)

var keys = []string{"a", "b", "c", "x/y", "~", "m~1n", "é", "-", "0"}

// tree draws a map of some depth.
func tree(t *rapid.T, depth int) *value.Value {
	var entries []value.Entry
	for _, key := range keys {
		if rapid.IntRange(0, 2).Draw(t, "member") > 0 {
			entries = append(entries, value.Entry{Key: key, Value: member(t, depth)})
		}
	}
	return value.NewMap(entries, value.Place{})
}

func member(t *rapid.T, depth int) *value.Value {
	at := value.Place{}
	kinds := 6
	if depth > 0 {
		kinds = 8
	}
	small := rapid.IntRange(0, 2)
	switch rapid.IntRange(0, kinds).Draw(t, "kind") {
	case 0:
		return value.NewNull(at)
	case 1:
		return value.NewBool(rapid.Bool().Draw(t, "bool"), at)
	case 2:
		return value.NewFloat(float64(small.Draw(t, "float")), at)
	case 3:
		return value.NewString(rapid.SampledFrom([]string{"", "text", "\u2028<&>\"\\", "$redacted"}).Draw(t, "string"), at)
	case 4:
		return value.NewRedacted(rapid.SampledFrom([]string{"0a", "1b"}).Draw(t, "fingerprint"), at)
	case 5:
		return value.NewList([]*value.Value{value.NewInt(int64(small.Draw(t, "item")), at), value.NewMap(nil, at)}, at)
	case 6:
		return value.NewInt(int64(small.Draw(t, "int")), at)
	default:
		return tree(t, depth-1)
	}
}

var patternSets = [][]string{nil, {"a"}, {"a.**", "b.*"}, {"*.b", "c"}, {"**.c"}, {`["x/y"].**`, `["~"]`}, {`["m~1n"].*`, `["é"]`, "0"}, {"a.*.b", "**.a"}, {"nothing"}}

// follower is a peer that can lose its connection and come back.
type follower struct {
	*peer
	env      string
	texts    []string
	patterns []value.Pattern
}

func (f *follower) connect(t *rapid.T, s *server, cursor string) {
	tree := any(nil)
	if f.peer != nil {
		tree = f.tree
		_ = f.Close()
	}
	f.peer = s.hello(t, wire.Client{Env: f.env, Patterns: f.texts, Cursor: cursor})
	f.tree, f.cursor = tree, cursor
}

// catchUp reads until the client has what is live. Each frame on the way must lead from what it has and change something, which the
// peer itself sees to.
func (f *follower) catchUp(t *rapid.T, s *server) {
	want := text(t, decode(t, value.Select(s.live.Get(f.env).Snapshot.Delivered, f.patterns).AppendJSON(nil)))
	for f.tree == nil || f.frames == 0 || text(t, f.tree) != want {
		f.next()
	}
}

// Whatever versions come, and whenever a client comes and goes: in the end it has what its patterns select of what is live.
func TestClientsHaveWhatIsLive(t *testing.T) {
	defer goleak.VerifyNone(t)
	rapid.Check(t, func(t *rapid.T) {
		live := notifytest.NewLive()
		envs := []string{"prod", "staging"}
		history := []*value.Value{tree(t, 2), tree(t, 2)}
		for i, env := range envs {
			live.Put(env, history[i])
		}
		s := open(live, false, nil)
		defer s.stop(t)
		followers := make([]*follower, rapid.IntRange(1, 4).Draw(t, "followers"))
		for i := range followers {
			texts := rapid.SampledFrom(patternSets).Draw(t, "patterns")
			all := texts
			if all == nil {
				all = []string{"**"}
			}
			patterns, err := value.ParsePatterns(all)
			if err != nil {
				t.Fatal(err)
			}
			followers[i] = &follower{env: rapid.SampledFrom(envs).Draw(t, "env"), texts: texts, patterns: patterns}
			followers[i].connect(t, s, "")
			defer func() { _ = followers[i].Close() }()
		}
		put := func(t *rapid.T) {
			v := tree(t, 2)
			if rapid.IntRange(0, 3).Draw(t, "revert") == 0 {
				v = rapid.SampledFrom(history).Draw(t, "old")
			}
			history = append(history, v)
			live.Put(rapid.SampledFrom(envs).Draw(t, "env"), v)
		}
		reconnect := func(t *rapid.T) {
			f := rapid.SampledFrom(followers).Draw(t, "who")
			cursor := f.cursor
			if rapid.IntRange(0, 4).Draw(t, "forgets") == 0 {
				cursor = rapid.SampledFrom([]string{"", "unknown"}).Draw(t, "cursor")
			}
			f.connect(t, s, cursor)
		}
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0, 1:
				put(t)
			case 2:
				reconnect(t)
			case 3:
				rapid.SampledFrom(followers).Draw(t, "who").catchUp(t, s)
			}
		}
		for _, f := range followers {
			f.catchUp(t, s)
			f.connect(t, s, f.cursor)
			f.expect(wire.TypeCurrent)
			f.catchUp(t, s)
			f.connect(t, s, f.cursor)
		}
		other := open(live, false, nil)
		defer other.stop(t)
		for _, f := range followers {
			f.connect(t, other, f.cursor)
			f.expect(wire.TypeCurrent)
			_ = f.Close()
		}
	})
}
