package client_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/notify/notifytest"
)

// logged takes a log.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logged) log() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// remember makes a file of kept values.
func remember(t *testing.T, o client.Options, text string) client.Options {
	t.Helper()
	live := notifytest.NewLive()
	live.PutJSON("prod", text)
	relay := newRelay(t, serve(t, live, "127.0.0.1:0").addr)
	o.URL, o.Keep = "http://"+relay.addr, filepath.Join(t.TempDir(), "kept")
	f := follow(t, o)
	f.wait(t)
	f.cancel()
	f.ended(t)
	relay.close()
	return o
}

// Without any server a program begins with the values of its last run; what was redacted is still so.
func TestKept(t *testing.T) {
	leakless(t)
	o := remember(t, client.Options{Patterns: []string{"checkout.**"}, Env: "prod"}, shop)
	info, err := os.Stat(o.Keep)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	f := follow(t, o)
	if e := f.next(t, client.Kept); e.State.Cursor == "" || e.State.Commit == "" || e.State.Author != "Ada" {
		t.Errorf("%+v", e.State)
	}
	f.wait(t)
	if _, stale := f.Stale(); !stale || f.Int("checkout.limit", 0) != 20 || f.Float("checkout.ratio", 0) != 1.5 || f.String("checkout.dsn", "d") != "d" {
		t.Errorf("%s", f.State().Values)
	}
	if dsn, _ := f.State().Values.Lookup("checkout.dsn"); dsn.Fingerprint() != "ab" {
		t.Error("what was redacted is not so any more")
	}
}

// The server is shown the cursor, and sends only what has changed since.
func TestKeptIsResumed(t *testing.T) {
	leakless(t)
	live := notifytest.NewLive()
	live.PutJSON("prod", `{"a":1,"b":1}`)
	h := serve(t, live, "127.0.0.1:0")
	o := client.Options{URL: "http://" + h.addr, Keep: filepath.Join(t.TempDir(), "kept")}
	first := follow(t, o)
	first.wait(t)
	first.cancel()
	first.ended(t)
	live.PutJSON("prod", `{"a":2,"b":1}`)
	second := follow(t, o)
	second.next(t, client.Kept)
	if e := second.next(t, client.Delta); len(e.Changes) != 1 || !upToDate(second) || second.Int("a", 0) != 2 {
		t.Errorf("%+v", e)
	}
	second.cancel()
	second.ended(t)
	third := follow(t, o)
	if e := third.next(t, client.Kept); e.State.Values.String() != `{"a":2,"b":1}` {
		t.Errorf("%+v", e)
	}
	third.next(t, client.Current)
}

// Dial gives the server a chance before it does with what was kept.
func TestDialWithKept(t *testing.T) {
	leakless(t)
	live := notifytest.NewLive()
	live.PutJSON("prod", `{"a":1}`)
	h := serve(t, live, "127.0.0.1:0")
	o := client.Options{URL: "http://" + h.addr, Keep: filepath.Join(t.TempDir(), "kept")}
	for want := int64(1); want <= 2; want++ {
		c, err := client.Dial(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Int("a", 0); got != want {
			t.Errorf("a is %d, want %d", got, want)
		}
		c.Close()
		live.PutJSON("prod", `{"a":2}`)
	}
	h.stop()
	c, err := client.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, stale := c.Stale(); !stale || c.Int("a", 0) != 2 {
		t.Errorf("a is %d", c.Int("a", 0))
	}
}

// What cannot be trusted is passed over, with a word in the log.
func TestKeptIsNotUsed(t *testing.T) {
	whole := func(o *client.Options) {}
	for name, c := range map[string]struct {
		spoil  func(data []byte) []byte
		change func(*client.Options)
		says   string
	}{
		"cut short":         {func(d []byte) []byte { return d[:len(d)-1] }, whole, "damaged"},
		"a flipped bit":     {func(d []byte) []byte { d[len(d)-3] ^= 1; return d }, whole, "damaged"},
		"empty":             {func([]byte) []byte { return nil }, whole, "no kept values"},
		"something else":    {func([]byte) []byte { return []byte("root:x:0:0") }, whole, "no kept values"},
		"other patterns":    {nil, func(o *client.Options) { o.Patterns = []string{"a"} }, "of another"},
		"other environment": {nil, func(o *client.Options) { o.Env = "staging" }, "of another"},
		"another context":   {nil, func(o *client.Options) { o.Context = map[string]any{"targetingKey": "u2"} }, "of another"},
		"another server":    {nil, func(o *client.Options) { o.URL = "http://127.0.0.1:1" }, "of another"},
		"not accepted": {nil, func(o *client.Options) {
			o.Accept = func(*client.State) error { return errors.New("too old for us") }
		}, "too old for us"},
	} {
		t.Run(name, func(t *testing.T) {
			leakless(t)
			o := remember(t, client.Options{Env: "prod"}, `{"a":1}`)
			data, err := os.ReadFile(o.Keep)
			if err != nil {
				t.Fatal(err)
			}
			if c.spoil != nil {
				if err := os.WriteFile(o.Keep, c.spoil(data), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			log := &logged{}
			o.Log = log.log()
			c.change(&o)
			f := follow(t, o)
			f.next(t, client.Disconnected)
			if f.State() != nil || !strings.Contains(log.String(), "the kept values are not used") || !strings.Contains(log.String(), c.says) {
				t.Errorf("%+v\n%s", f.State(), log)
			}
		})
	}
}

// The order of patterns does not matter.
func TestKeptOfTheSamePatterns(t *testing.T) {
	leakless(t)
	o := remember(t, client.Options{Patterns: []string{"a", "b"}}, `{"a":1}`)
	o.Patterns = []string{"b", "a", "a"}
	follow(t, o).next(t, client.Kept)
}

// What cannot be kept is told once, and served all the same.
func TestCannotKeep(t *testing.T) {
	leakless(t)
	live := notifytest.NewLive()
	live.PutJSON("prod", `{"a":1}`)
	log := &logged{}
	f := follow(t, client.Options{
		URL: "http://" + serve(t, live, "127.0.0.1:0").addr, Keep: filepath.Join(t.TempDir(), "nowhere", "kept"), Log: log.log(),
	})
	f.wait(t)
	for n := range 3 {
		live.PutJSON("prod", `{"a":"`+strings.Repeat("x", n)+`"}`)
		f.until(t, client.EventKind([]string{"snapshot", "delta", "delta"}[n]))
	}
	f.cancel()
	f.ended(t)
	if n := strings.Count(log.String(), "the values are not kept"); n != 1 {
		t.Errorf("%d times:\n%s", n, log)
	}
}

// What is no file is not read: it might never end.
func TestKeptInAPipe(t *testing.T) {
	leakless(t)
	f := follow(t, client.Options{URL: "http://127.0.0.1:1", Keep: t.TempDir()})
	f.next(t, client.Disconnected)
}
