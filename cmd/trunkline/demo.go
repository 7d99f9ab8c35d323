package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/trunkline/trunkline"
	"github.com/trunkline/trunkline/server"
)

type demoCmd struct {
	Once   bool   `help:"End after the story: exit 0, or 1 if a step did not happen."`
	Listen string `help:"Address to serve on; another port when it is taken." default:"127.0.0.1:7420"`
}

func (demoCmd) Help() string {
	return `Makes a Git remote from the example config repo, follows it, connects a WebSocket client to two environments, and pushes: a good
change, a bad one, the mended one, a fault that touches staging alone, a revert, and a rollout for some. Needs git.`
}

func (c demoCmd) Run(ctx context.Context, io *streams) (err error) {
	dir, err := os.MkdirTemp("", "trunkline-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	d := &demo{dir: dir, out: io.out, c: newPalette(io.color), secret: []byte(rand.Text())}
	if err := d.makeRemote(ctx); err != nil {
		return err
	}
	stop, err := d.serve(ctx, c.Listen, io.err)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := d.story(ctx); err != nil {
		return fmt.Errorf("the story did not go as it should: %w", err)
	}
	if c.Once {
		return nil
	}
	d.invite()
	<-ctx.Done()
	return nil
}

// demo is the remote, the server and the clients of the story.
type demo struct {
	dir, url string
	out      io.Writer
	c        palette
	secret   []byte
	prod     *demoClient
	staging  *demoClient
}

func (d *demo) remote() string { return filepath.Join(d.dir, "shop.git") }
func (d *demo) work() string   { return filepath.Join(d.dir, "work") }

// makeRemote makes the bare repository that is followed, with a first commit pushed to it.
func (d *demo) makeRemote(ctx context.Context) error {
	for _, args := range [][]string{
		{"init", "--quiet", "--bare", "--initial-branch=main", d.remote()},
		{"clone", "--quiet", d.remote(), d.work()},
	} {
		if _, err := hostGit(ctx, d.dir, args...); err != nil {
			return err
		}
	}
	if err := copyFiles(trunkline.Shop(), d.work()); err != nil {
		return err
	}
	_, err := d.push(ctx, "Begin with the shop's configuration")
	return err
}

// serve starts the server on the remote, whose pushes the remote announces by a signed webhook, as a forge would.
func (d *demo) serve(ctx context.Context, listen string, talk io.Writer) (stop func() error, err error) {
	s, err := server.New(d.settings(listen), logger(talk, "error"))
	if errors.Is(err, syscall.EADDRINUSE) {
		host, _, _ := net.SplitHostPort(listen)
		s, err = server.New(d.settings(net.JoinHostPort(host, "0")), logger(talk, "error"))
	}
	if err != nil {
		return nil, err
	}
	d.url = "http://" + s.Addr()
	if err := d.installHook(); err != nil {
		return nil, err
	}
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- s.Run(serving) }()
	stop = func() error {
		d.prod.stop()
		d.staging.stop()
		cancel()
		return <-ended
	}
	d.prod, d.staging = newDemoClient(ctx, d.url, "prod", "prod", nil), newDemoClient(ctx, d.url, "staging", "staging", nil)
	for _, client := range []*demoClient{d.prod, d.staging} {
		if err := client.ready(ctx); err != nil {
			return nil, errors.Join(err, stop())
		}
	}
	return stop, nil
}

func (d *demo) settings(listen string) server.Settings {
	return server.Settings{
		Repo: d.remote(), Branch: "main", Poll: 30 * time.Second, Listen: listen, Data: filepath.Join(d.dir, "data"), Audit: "wait",
		WebhookSecret: string(d.secret),
	}
}

// installHook lets the remote announce each push.
func (d *demo) installHook() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	secret := filepath.Join(d.dir, "webhook.secret")
	if err := os.WriteFile(secret, d.secret, 0o600); err != nil {
		return err
	}
	hook := fmt.Sprintf("#!/bin/sh\nexec %s announce --server %s --secret-file %s --repo %s\n", quote(self), d.url, quote(secret), quote(d.remote()))
	return os.WriteFile(filepath.Join(d.remote(), "hooks", "post-receive"), []byte(hook), 0o755)
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func copyFiles(from fs.FS, to string) error {
	return fs.WalkDir(from, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, filepath.FromSlash(path))
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		data, err := fs.ReadFile(from, path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o644)
	})
}

// edit replaces one text in a file of the work tree.
func (d *demo) edit(file, old, new string) error {
	path := filepath.Join(d.work(), filepath.FromSlash(file))
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !strings.Contains(string(data), old) {
		return fmt.Errorf("%s holds no %q", file, old)
	}
	return os.WriteFile(path, []byte(strings.Replace(string(data), old, new, 1)), 0o644)
}

// write writes a file of the work tree.
func (d *demo) write(file, text string) error {
	path := filepath.Join(d.work(), filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// push commits what was edited and pushes it.
func (d *demo) push(ctx context.Context, subject string) (pushed, error) {
	if _, err := hostGit(ctx, d.work(), "add", "--all"); err != nil {
		return pushed{}, err
	}
	if _, err := hostGit(ctx, d.work(), "commit", "--quiet", "-m", subject); err != nil {
		return pushed{}, err
	}
	return d.pushHead(ctx)
}

// pushed is a push that was made.
type pushed struct {
	commit string
	began  time.Time
}

func (d *demo) pushHead(ctx context.Context) (pushed, error) {
	commit, err := hostGit(ctx, d.work(), "rev-parse", "HEAD")
	if err != nil {
		return pushed{}, err
	}
	p := pushed{commit, time.Now()}
	_, err = hostGit(ctx, d.work(), "push", "--quiet", "origin", "HEAD:main")
	return p, err
}

// invite tells how to go on by hand.
func (d *demo) invite() {
	fmt.Fprintf(d.out, `
%s Still serving on %s. Push a change of your own:

  git clone %s shop && cd shop
  sed -i.bak 's/retries: .*/retries: 4/' config/checkout.yaml && rm config/checkout.yaml.bak
  git commit -am "Try four times" && git push

and watch it arrive in another terminal:

  trunkline watch --server %s --env prod
  curl '%s/v1/config/checkout?env=prod'

or look at it in a browser: %s/

Ctrl-C ends the demo and removes its files.
`, d.c.bold("Now you."), d.url, d.remote(), d.url, d.url, d.url)
}
