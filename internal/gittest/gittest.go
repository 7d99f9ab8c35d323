// Package gittest gives tests a Git remote that behaves, and that misbehaves when told to.
//
// NewRemote makes a bare repository and a work clone of it with the git command, and serves the bare one over smart HTTP on
// 127.0.0.1, as a hosting service would:
//
//	remote := gittest.NewRemote(t)
//	remote.Write(map[string]string{"config/app.yaml": "timeout: 20\n"})
//	first := remote.Commit("Set the timeout")
//	remote.Push()
//	follow(remote.URL())
//
// Write, Remove, Commit, Push and Git work in the clone and fail the test when git does. Fault makes the served side stall,
// lie or break off. Everything ends with the test, stalled requests included. Git never reads the user's configuration, and
// names are fixed. A commit's date is the one before it plus a second, so a script of commits has the same hashes on every run.
package gittest

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Branch is the branch that is checked out and pushed, unless Git did otherwise.
const Branch = "main"

// epoch is the date of the first commit.
var epoch = time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)

// Remote is a bare repository with a work clone, served over smart HTTP. Its methods that call git belong to the test's own
// goroutine; Fault, Requests and URL may be called from any.
type Remote struct {
	tb       testing.TB
	bare     string
	work     string
	clock    time.Time
	server   *httptest.Server
	faults   *faulty
	requests atomic.Int64

	connections atomic.Int64
}

// NewRemote makes an empty remote whose default branch is Branch.
func NewRemote(tb testing.TB) *Remote {
	tb.Helper()
	dir := tb.TempDir()
	r := &Remote{tb: tb, bare: filepath.Join(dir, "remote.git"), work: filepath.Join(dir, "work"), clock: epoch}
	r.run(dir, nil, "init", "--quiet", "--bare", "--initial-branch="+Branch, r.bare)
	r.run(dir, nil, "init", "--quiet", "--initial-branch="+Branch, r.work)
	r.Git("remote", "add", "origin", r.bare)
	r.serve()
	return r
}

func (r *Remote) serve() {
	r.faults = newFaulty(Serve(r.bare), &r.requests)
	r.server = httptest.NewUnstartedServer(r.faults)
	r.server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			r.connections.Add(1)
		}
	}
	r.server.Start()
	r.tb.Cleanup(func() {
		r.faults.close()
		r.server.CloseClientConnections()
		r.server.Close()
	})
}

// URL is the address of the remote over HTTP.
func (r *Remote) URL() string { return r.server.URL + "/remote.git" }

// Path is the bare repository's directory.
func (r *Remote) Path() string { return r.bare }

// Work is the work clone's directory.
func (r *Remote) Work() string { return r.work }

// Requests tells how many HTTP requests were received so far.
func (r *Remote) Requests() int { return int(r.requests.Load()) }

// Connections tells how many connections were accepted so far.
func (r *Remote) Connections() int { return int(r.connections.Load()) }

// Fault makes every request from now on misbehave, until the next call. None ends it, and lets go of what stalled.
func (r *Remote) Fault(f Fault) { r.faults.set(f) }

// Write writes files, named by their slash-separated path, into the work clone.
func (r *Remote) Write(files map[string]string) {
	r.tb.Helper()
	for name, content := range files {
		path := filepath.Join(r.work, filepath.FromSlash(name))
		r.must(os.MkdirAll(filepath.Dir(path), 0o755))
		r.must(os.WriteFile(path, []byte(content), 0o644))
	}
}

// Remove removes files or directories from the work clone.
func (r *Remote) Remove(paths ...string) {
	r.tb.Helper()
	for _, name := range paths {
		r.must(os.RemoveAll(filepath.Join(r.work, filepath.FromSlash(name))))
	}
}

// CommitOption changes how one commit is made.
type CommitOption func(*commit)

type commit struct {
	env  []string
	args []string
}

// Author sets the author; the committer stays.
func Author(name, email string) CommitOption {
	return func(c *commit) {
		c.env = append(c.env, "GIT_AUTHOR_NAME="+name, "GIT_AUTHOR_EMAIL="+email)
	}
}

// Body adds a paragraph to the message, below the subject.
func Body(text string) CommitOption {
	return func(c *commit) { c.args = append(c.args, "--message", text) }
}

// Amend replaces the last commit.
func Amend() CommitOption {
	return func(c *commit) { c.args = append(c.args, "--amend") }
}

// Commit commits everything in the work clone, even when nothing changed, and returns the commit's hash. It does not push.
func (r *Remote) Commit(subject string, opts ...CommitOption) string {
	r.tb.Helper()
	c := commit{args: []string{"commit", "--quiet", "--allow-empty", "--message", subject}}
	for _, opt := range opts {
		opt(&c)
	}
	r.Git("add", "--all")
	r.run(r.work, c.env, c.args...)
	return r.Head()
}

// Head is the commit that is checked out in the work clone.
func (r *Remote) Head() string {
	r.tb.Helper()
	return r.Git("rev-parse", "HEAD")
}

// Push pushes the checked-out branch.
func (r *Remote) Push() {
	r.tb.Helper()
	r.Git("push", "--quiet", "origin", "HEAD")
}

// ForcePush pushes the checked-out branch, whatever the remote has.
func (r *Remote) ForcePush() {
	r.tb.Helper()
	r.Git("push", "--quiet", "--force", "origin", "HEAD")
}

// Git runs git in the work clone and returns what it printed, without the last newline.
func (r *Remote) Git(args ...string) string {
	r.tb.Helper()
	return r.run(r.work, nil, args...)
}

func (r *Remote) run(dir string, env []string, args ...string) string {
	r.tb.Helper()
	r.clock = r.clock.Add(time.Second)
	date := fmt.Sprintf("%d +0000", r.clock.Unix())
	cmd := Command(r.tb.Context(), dir, args...)
	cmd.Env = append(cmd.Env, "GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date)
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.Output()
	if err != nil {
		r.tb.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, stderr(err))
	}
	return strings.TrimRight(string(out), "\n")
}

func stderr(err error) []byte {
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.Stderr
	}
	return nil
}

func (r *Remote) must(err error) {
	r.tb.Helper()
	if err != nil {
		r.tb.Fatal(err)
	}
}
