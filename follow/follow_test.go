package follow_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/follow"
	"github.com/trunkline/trunkline/internal/gittest"
	"github.com/trunkline/trunkline/value"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// generous is a deadline that only a fault exceeds.
const generous = 20 * time.Second

const policy = `policies:
  - id: growth
    match: pool
    expression: self.max <= oldSelf.max * 2
    message: the pool may at most double in one change
    tests: [{old: {max: 1}, new: {max: 3}, expect: reject}]
`

// repo makes a remote with a pool of 10, which may at most double.
func repo(t *testing.T) *gittest.Remote {
	t.Helper()
	r := gittest.NewRemote(t)
	r.Write(map[string]string{
		"trunkline.yaml":       "version: 1\nenvironments: {staging: {}, prod: {}}\nsensitive: [pool.dsn]\n",
		"policies/growth.yaml": policy,
		"config/pool.yaml":     "max: 10\ndsn: postgres://u@h/d\n",
		"config/other.yaml":    "a: 1\n",
	})
	r.Commit("Begin")
	r.Push()
	return r
}

func resize(r *gittest.Remote, max int) string {
	r.Write(map[string]string{"config/pool.yaml": fmt.Sprintf("max: %d\ndsn: postgres://u@h/d\n", max)})
	c := r.Commit(fmt.Sprintf("A pool of %d", max))
	r.Push()
	return c
}

// options poll so rarely that only what a test asks for happens.
func options(r *gittest.Remote, dir string) follow.Options {
	return follow.Options{Repo: r.URL(), Env: "prod", Dir: dir, Poll: time.Hour}
}

func open(t *testing.T, o follow.Options) *follow.Repo {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), generous)
	defer cancel()
	config, err := follow.Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(config.Close)
	return config
}

// until waits for what a watch tells.
func until(t *testing.T, config client.Reader, what string, holds func(*client.State) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), generous)
	defer cancel()
	for u, err := range config.Watch(ctx) {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if holds(u.State) {
			return
		}
	}
}

func poolOf(n int64) func(*client.State) bool {
	return func(s *client.State) bool { return s.Int("pool.max", 0) == n }
}

// logged takes a log, and can wait for what it is told.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) says(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(generous); ; <-time.After(5 * time.Millisecond) {
		l.mu.Lock()
		said := l.buf.String()
		l.mu.Unlock()
		if strings.Contains(said, text) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the log does not say %q:\n%s", text, said)
		}
	}
}

func (l *logged) log() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func TestFollows(t *testing.T) {
	remote := repo(t)
	log := &logged{}
	o := options(remote, t.TempDir())
	o.Patterns, o.Log = []string{"pool"}, log.log()
	config := open(t, o)
	s := config.State()
	if config.Int("pool.max", 0) != 10 || s.Commit != remote.Head() || s.Subject != "Begin" || s.Author == "" {
		t.Errorf("%+v", s)
	}
	if _, stale := config.Stale(); stale {
		t.Error("it is stale")
	}
	if _, there := config.Get("other"); there {
		t.Error("what the patterns do not select is there")
	}
	resize(remote, 20)
	config.Look()
	until(t, config, "the change", poolOf(20))

	bad := resize(remote, 100)
	config.Look()
	log.says(t, "msg=rejected")
	if config.Int("pool.max", 0) != 20 || config.State().Commit == bad {
		t.Error("a bad commit changed something")
	}
	resize(remote, 30)
	config.Look()
	until(t, config, "the commit that mends it", poolOf(30))
	remote.Git("revert", "--no-edit", "HEAD", "HEAD~1")
	remote.Push()
	config.Look()
	until(t, config, "the rollback", func(s *client.State) bool { return s.Int("pool.max", 0) == 20 && s.RollbackOf != "" })
}

// A restart serves the last good version from the disk, before the remote is asked, and judges as the process before it would have.
func TestRestart(t *testing.T) {
	remote := repo(t)
	dir := t.TempDir()
	first := open(t, options(remote, dir))
	good := resize(remote, 20)
	first.Look()
	until(t, first, "the change", poolOf(20))
	bad := resize(remote, 1000)
	first.Close()
	remote.Fault(gittest.Status(401))
	second := open(t, options(remote, dir))
	if since, stale := second.Stale(); !stale || since.IsZero() || second.Int("pool.max", 0) != 20 || second.State().Commit != good {
		t.Errorf("%+v", second.State())
	}
	second.Close()
	remote.Fault(gittest.None)
	log := &logged{}
	o := options(remote, dir)
	o.Log = log.log()
	third := open(t, o)
	log.says(t, "msg=rejected")
	if third.State().Commit == bad || third.Int("pool.max", 0) != 20 {
		t.Errorf("%+v", third.State())
	}
	resize(remote, 40)
	third.Look()
	until(t, third, "a change after restarts", poolOf(40))
}

// Without verdicts the newest commit is judged by itself; that is told.
func TestDamagedVerdicts(t *testing.T) {
	remote := repo(t)
	dir := t.TempDir()
	open(t, options(remote, dir)).Close()
	if err := os.WriteFile(filepath.Join(dir, "verdicts"), []byte("\x00\x01"), 0o600); err != nil {
		t.Fatal(err)
	}
	log := &logged{}
	o := options(remote, dir)
	o.Log = log.log()
	resize(remote, 1000)
	config := open(t, o)
	log.says(t, "the verdicts cannot be read")
	config.Look()
	until(t, config, "the newest commit", func(s *client.State) bool { return s.Int("pool.max", 0) >= 10 })
}

func TestWithoutDir(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	config := open(t, options(repo(t), ""))
	if config.Int("pool.max", 0) != 10 {
		t.Errorf("%+v", config.State())
	}
	config.Close()
	if left, err := os.ReadDir(temporary); err != nil || len(left) != 0 {
		t.Errorf("%v is left behind, %v", left, err)
	}
	if config.Int("pool.max", 0) != 10 {
		t.Error("after Close the values are gone")
	}
}

func TestSensitiveValues(t *testing.T) {
	remote := repo(t)
	config := open(t, options(remote, ""))
	if dsn, _ := config.State().Values.Lookup("pool.dsn"); dsn.Kind() != value.Redacted || config.String("pool.dsn", "d") != "d" {
		t.Errorf("%s", dsn)
	}
	o := options(remote, "")
	o.Reveal = true
	if got := open(t, o).String("pool.dsn", "d"); got != "postgres://u@h/d" {
		t.Error(got)
	}
}

// What the program does not accept it does not read; what follows is asked about again.
func TestAccept(t *testing.T) {
	remote := repo(t)
	log := &logged{}
	o := options(remote, "")
	o.Log = log.log()
	o.Accept = func(s *client.State) error {
		if s.Int("pool.max", 0) == 15 {
			return errors.New("fifteen is unlucky")
		}
		return nil
	}
	config := open(t, o)
	resize(remote, 15)
	config.Look()
	log.says(t, "fifteen is unlucky")
	if _, stale := config.Stale(); !stale || config.Int("pool.max", 0) != 10 {
		t.Errorf("%+v", config.State())
	}
	resize(remote, 20)
	config.Look()
	until(t, config, "what is accepted", poolOf(20))
	if _, stale := config.Stale(); stale {
		t.Error("it stays stale")
	}
}

func TestStale(t *testing.T) {
	remote := repo(t)
	log := &logged{}
	o := options(remote, t.TempDir())
	o.Log = log.log()
	config := open(t, o)
	remote.Fault(gittest.Status(401))
	config.Look()
	log.says(t, "the last good version stays")
	for _, stale := config.Stale(); !stale; _, stale = config.Stale() {
		<-time.After(time.Millisecond)
	}
	remote.Fault(gittest.None)
	config.Look()
	for _, stale := config.Stale(); stale; _, stale = config.Stale() {
		<-time.After(time.Millisecond)
	}
}

// An environment that was retired leaves its last values.
func TestRetired(t *testing.T) {
	remote := repo(t)
	config := open(t, options(remote, t.TempDir()))
	remote.Write(map[string]string{"trunkline.yaml": "version: 1\nenvironments: {staging: {}, prod: {retired: true}}\nsensitive: [pool.dsn]\n"})
	remote.Commit("Retire prod")
	remote.Push()
	config.Look()
	for _, stale := config.Stale(); !stale; _, stale = config.Stale() {
		<-time.After(time.Millisecond)
	}
	if config.Int("pool.max", 0) != 10 {
		t.Errorf("%+v", config.State())
	}
}

// Each error names what to do, or what is in the way.
func TestOpenErrors(t *testing.T) {
	remote := repo(t)
	broken := gittest.NewRemote(t)
	broken.Write(map[string]string{"config/a.yaml": "a: 1\na: 2\n"})
	broken.Commit("Twice")
	broken.Push()
	gone := gittest.NewRemote(t)
	gone.Fault(gittest.Status(401))
	used := t.TempDir()
	open(t, options(remote, used))
	other := t.TempDir()
	open(t, options(repo(t), other)).Close()
	for name, c := range map[string]struct {
		change func(*follow.Options)
		waits  bool // until the program gives up
		says   string
	}{
		"no such environment":  {func(o *follow.Options) { o.Env = "prd" }, false, "name one of prod, staging"},
		"no environment named": {func(o *follow.Options) { o.Env = "" }, false, "name one of prod, staging"},
		"no pattern":           {func(o *follow.Options) { o.Patterns = []string{"a..b"} }, false, "not a path"},
		"no origin":            {func(o *follow.Options) { o.Origin = "HEAD" }, false, "the origin"},
		"a directory in use":   {func(o *follow.Options) { o.Dir = used }, false, "in use"},
		"another's directory":  {func(o *follow.Options) { o.Dir = other }, false, "name another"},
		"no repository":        {func(o *follow.Options) { o.Repo = "" }, false, "follow "},
		"nothing valid":        {func(o *follow.Options) { o.Repo, o.Env = broken.URL(), "default" }, true, "config/a.yaml:2:1"},
		"no remote":            {func(o *follow.Options) { o.Repo = gone.URL() }, true, "deadline exceeded: "},
		"nothing accepted": {func(o *follow.Options) {
			o.Accept = func(*client.State) error { return errors.New("no") }
		}, true, "accepts no version"},
	} {
		t.Run(name, func(t *testing.T) {
			patience := generous
			if c.waits {
				patience = generous / 64
			}
			for {
				o := options(remote, "")
				c.change(&o)
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				config, err := follow.Open(ctx, o)
				cancel()
				if err == nil {
					config.Close()
				}
				if err != nil && strings.Contains(err.Error(), c.says) {
					return
				}
				if patience >= generous {
					t.Fatal(err)
				}
				patience *= 2
			}
		})
	}
}

func TestOneEnvironment(t *testing.T) {
	remote := gittest.NewRemote(t)
	remote.Write(map[string]string{"deploy/config/a.yaml": "a: 1\n"})
	remote.Commit("Begin")
	remote.Push()
	config := open(t, follow.Options{Repo: remote.Path(), Path: "/deploy/"})
	if config.Int("a.a", 0) != 1 {
		t.Errorf("%s", config.State().Values)
	}
}
