// Package follow lets a Go program follow a config repository by itself, without a server: it fetches, judges and serves in the program,
// and listens on nothing.
//
//	config, err := follow.Open(ctx, follow.Options{Repo: "https://github.com/acme/config", Env: "prod", Dir: "/var/lib/shop/config"})
//	defer config.Close()
//	retries := config.Int("checkout.retries", 3)
//
// A [Repo] is read as a client is: both are a [client.Reader]. Commits are judged as a server judges them, each against the newest valid
// one before it, so a bad commit changes nothing. The last good version is served again after a restart, from the mirror in Dir, before
// the remote is asked; Dir also keeps the verdicts on the newest commits, so that a restart judges as the process before it would have.
//
// A Repo is read for nobody in particular, or for [Options.Context]; [Repo.For] tells what rollouts and experiments set for anybody else.
//
// Whoever has the repository sees all of it: grants and tokens are a server's. What the repository calls sensitive is redacted all the
// same, unless the program asks for it. There is no log of what was decided, and no operator who pins: programs that need either, or are
// many, are clients of a server.
package follow

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"sync"
	"time"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/client/local"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
)

// Options say what to follow.
type Options struct {
	// Repo is the remote: an https or ssh URL, git@host:path, or a directory. It must hold no secret.
	Repo string
	// Branch is followed; "main" when empty.
	Branch string
	// Path is the folder of the repository that holds the config repo; its root when empty.
	Path string
	// Origin is the commit at which judging begins; the head at the first start when empty. Programs that name the same one judge alike.
	Origin string
	// Env is the environment; it may be empty where there is only one.
	Env string
	// Patterns select the values; none means all.
	Patterns []string
	// Context tells for whom the Repo itself is read, where rollouts and experiments set values; empty: for nobody in particular. See
	// [Repo.For] for others.
	Context map[string]any

	// Dir keeps the mirror and the verdicts. It is made, and one Repo at a time may have it. When empty a temporary one is used, which
	// Close removes: then nothing is there before the remote answers, and the first commit it has is judged by itself.
	Dir string
	// Poll is the time between looks at the remote: 30 s when zero, at least 1 s. See [Repo.Look].
	Poll time.Duration

	// Token is for an https remote. It is asked at every look, so that a rotated one is taken up. It may be nil.
	Token func() (string, error)
	// SSHKeyFile and KnownHostsFile are for an ssh remote; by default the agent's keys and the usual files of ssh.
	SSHKeyFile, KnownHostsFile string

	// Keys are those that may sign commits, where the repository asks for signatures; nil for none.
	Keys *gitsync.Keyring
	// Validators are checks of the program's own, of whole versions before they are valid.
	Validators []compile.Validator
	// Accept is asked whether the program can use a valid version, before anybody reads it. With an error the values stay as they were,
	// which is told in the log alone. It is called from one goroutine. Nil accepts everything.
	Accept func(*client.State) error
	// Reveal shows sensitive values in plain text.
	Reveal bool

	Log *slog.Logger
}

// Repo follows one environment of a repository. It is read as a [client.Feed].
type Repo struct {
	*client.Feed
	feeder   client.Feeder
	o        Options
	patterns []value.Pattern
	who      experiment.Context
	source   *local.Source

	temporary  string // the directory, where Close removes it
	follower   *gitsync.Follower
	verdicts   *verdicts
	reconciler *apply.Reconciler
	live       *apply.Live
	doubts     doubts

	opened  chan error // gets one: nil with the first values
	stop    context.CancelFunc
	running sync.WaitGroup
	closed  sync.Once
}

var _ client.Reader = (*Repo)(nil)

// Open follows in the background until Close, and returns when there is a valid version. It is an error if there is none before ctx
// ends, which bounds nothing else.
func Open(ctx context.Context, o Options) (*Repo, error) {
	r, err := open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("follow %s: %w", o.Repo, err)
	}
	select {
	case err = <-r.opened:
	case <-ctx.Done():
		err = r.unopened(ctx.Err())
	}
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("follow %s: %w", o.Repo, err)
	}
	return r, nil
}

// For is what somebody has, of the newest version and as of now, as [local.Source.For] says: make one for each request.
func (r *Repo) For(who experiment.Context) *local.View { return r.source.For(who) }

// ForMap is For somebody whose attributes [local.Context] reads.
func (r *Repo) ForMap(attributes map[string]any) (*local.View, error) {
	return r.source.ForMap(attributes)
}

// Look asks for a look at the remote now, as when a program learns of a push by itself. It never blocks.
func (r *Repo) Look() { r.follower.Hint() }

// Close ends following and waits until nothing is left of it. The values stay.
func (r *Repo) Close() {
	r.closed.Do(func() {
		r.stop()
		r.running.Wait()
		r.release()
		r.feeder.Stale(time.Now())
		r.feeder.End(client.ErrClosed)
		r.source.End(client.ErrClosed)
	})
}

// open begins to follow.
func open(ctx context.Context, o Options) (*Repo, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if len(o.Patterns) == 0 {
		o.Patterns = []string{"**"}
	}
	o.Path = path.Clean("/" + o.Path)[1:]
	r := &Repo{o: o, live: apply.NewLive(), opened: make(chan error, 1)}
	r.Feed, r.feeder = client.NewFeed()
	r.source = local.NewSource(r.Stale)
	r.doubts.begin(r.feeder)
	var err error
	if r.patterns, err = value.ParsePatterns(o.Patterns); err != nil {
		return nil, err
	}
	if r.who, err = local.Context(o.Context); err != nil {
		return nil, err
	}
	if err := r.prepare(ctx); err != nil {
		r.release()
		return nil, err
	}
	if err := r.reconciler.Start(ctx); err != nil {
		o.Log.Error("not all that was live can be served from the mirror", "component", "follow", "err", err)
	}
	r.begin(context.WithoutCancel(ctx))
	return r, nil
}

// prepare opens what is on disk.
func (r *Repo) prepare(ctx context.Context) (err error) {
	var origin gitsync.Hash
	if r.o.Origin != "" {
		if origin, err = gitsync.ParseHash(r.o.Origin); err != nil {
			return fmt.Errorf("the origin: %w", err)
		}
	}
	dir, file := r.o.Dir, filepath.Join(r.o.Dir, "verdicts")
	if dir == "" {
		if dir, err = os.MkdirTemp("", "trunkline-*"); err != nil {
			return err
		}
		r.temporary, file = dir, ""
	}
	if r.follower, err = gitsync.Open(ctx, gitsync.Options{
		URL: r.o.Repo, Branch: r.o.Branch, Dir: filepath.Join(dir, "mirror"), Token: r.o.Token, SSHKeyFile: r.o.SSHKeyFile,
		KnownHostsFile: r.o.KnownHostsFile, Poll: r.o.Poll, Origin: origin, Log: r.o.Log, Observe: gitsync.Observer{Looked: r.looked},
	}); err != nil {
		return err
	}
	// The mirror keeps everybody else out of the directory.
	of := identity{Repo: r.o.Repo, Branch: cmp.Or(r.o.Branch, "main"), Path: r.o.Path}
	if r.verdicts, err = openVerdicts(file, of, r.o.Log); err != nil {
		return err
	}
	r.reconciler = apply.New(apply.Options{
		Mirror: r.follower, Log: r.verdicts, Live: r.live, Remembered: r.verdicts.remembered(), Path: r.o.Path, Keys: r.o.Keys,
		Validators: r.o.Validators, Origin: origin, Slog: r.o.Log,
	})
	return nil
}

// release lets go of what is on disk.
func (r *Repo) release() {
	if r.follower != nil {
		_ = r.follower.Close()
	}
	if r.temporary != "" {
		_ = os.RemoveAll(r.temporary)
	}
}

// begin starts what Close waits for.
func (r *Repo) begin(ctx context.Context) {
	ctx, r.stop = context.WithCancel(ctx)
	taken := r.reconciler.Last()
	if r.follower.Head().IsZero() {
		taken = gitsync.Hash{} // the mirror was lost: the head is handed on even when it was judged before
	}
	r.running.Go(func() { _ = r.follower.Run(ctx, taken, r.reconciler.Take) })
	r.running.Go(func() { _ = r.reconciler.Run(ctx) })
	r.running.Go(func() { r.serve(ctx) })
}
