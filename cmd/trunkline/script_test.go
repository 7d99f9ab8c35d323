package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/trunkline/trunkline/internal/gittest"
)

// hurried keeps a command that looks for races from sleeping a second before it ends, as it would hundreds of times.
const hurried = "atexit_sleep_ms=20"

func TestMain(m *testing.M) {
	_ = os.Setenv("GORACE", hurried) // of the commands that are started
	testscript.Main(m, map[string]func(){"trunkline": main})
}

// TestScripts runs testdata/script. Beside what testscript brings, a script can use:
//
//	remote DIR             a bare repository remote.git from DIR, with a clone in work, which becomes the current directory; its
//	                       hook announces every push to the server
//	serve ARGS             a server on the remote, whose URL becomes $TRUNKLINE_SERVER; it replaces the one that ran before
//	kill                   ends the server as kill -9 does
//	git ARGS
//	push SUBJECT           commits everything and pushes it; the commit becomes $commit, the one before $before
//	fetch PATH             prints what the server answers
//	until REGEXP COMMAND   runs a command until its output, or its error output, matches
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("NO_COLOR", "1")
			env.Setenv("GORACE", hurried)
			shop, err := filepath.Abs("../../testdata/shop")
			env.Setenv("SHOP", shop)
			env.Values[serverKey] = &background{}
			env.Defer(func() { env.Values[serverKey].(*background).stop(syscall.SIGKILL) })
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"remote": remoteCommand, "serve": serveCommand, "kill": killCommand, "git": gitCommand, "push": pushCommand, "until": untilCommand,
			"fetch": fetchCommand,
		},
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

type key int

const serverKey key = 0

const scriptSecret = "a secret of the scripts"

// background is the server of a script.
type background struct{ cmd *exec.Cmd }

func (b *background) stop(signal syscall.Signal) {
	if b.cmd == nil {
		return
	}
	_ = b.cmd.Process.Signal(signal)
	_ = b.cmd.Wait()
	b.cmd = nil
}

func runGit(ts *testscript.TestScript, dir string, args ...string) string {
	out, err := gittest.Command(context.Background(), dir, args...).CombinedOutput()
	if err != nil {
		ts.Fatalf("git %s: %v: %s", args[0], err, out)
	}
	return strings.TrimSpace(string(out))
}

func remoteCommand(ts *testscript.TestScript, _ bool, args []string) {
	bare, work := ts.MkAbs("remote.git"), ts.MkAbs("work")
	runGit(ts, ts.MkAbs("."), "init", "--quiet", "--bare", "--initial-branch=main", bare)
	runGit(ts, ts.MkAbs("."), "clone", "--quiet", bare, work)
	ts.Check(os.CopyFS(work, os.DirFS(ts.MkAbs(args[0]))))
	ts.Check(os.WriteFile(ts.MkAbs("secret"), []byte(scriptSecret), 0o600))
	ts.Setenv("REMOTE", bare)
	ts.Check(ts.Chdir(work))
	pushCommand(ts, false, []string{"Begin"})
}

func serveCommand(ts *testscript.TestScript, _ bool, args []string) {
	b := ts.Value(serverKey).(*background)
	b.stop(syscall.SIGTERM)
	top := filepath.Dir(ts.Getenv("REMOTE"))
	program, err := os.Executable()
	ts.Check(err)
	talk, err := os.Create(filepath.Join(top, "serve.log"))
	ts.Check(err)
	defer talk.Close()
	cmd := exec.Command(program, append([]string{
		"serve", "--repo", ts.Getenv("REMOTE"), "--data", filepath.Join(top, "data"), "--listen", "127.0.0.1:0", "--poll", "10m",
		"--webhook-secret-file", filepath.Join(top, "secret"),
	}, args...)...)
	cmd.Args[0] = "trunkline"
	cmd.Path = filepath.Join(strings.Split(ts.Getenv("PATH"), string(filepath.ListSeparator))[0], "trunkline")
	cmd.Stderr = talk
	ts.Check(cmd.Start())
	b.cmd = cmd
	url := servingURL(ts, talk.Name())
	ts.Setenv("TRUNKLINE_SERVER", url)
	if _, err := os.Stat(ts.Getenv("REMOTE")); err != nil {
		return // a script took the remote away
	}
	hook := fmt.Sprintf("#!/bin/sh\nexec %s announce --server %s --secret-file %s/secret --repo %s\n", cmd.Path, url, top, ts.Getenv("REMOTE"))
	ts.Check(os.WriteFile(filepath.Join(ts.Getenv("REMOTE"), "hooks", "post-receive"), []byte(hook), 0o755))
}

var servingAt = regexp.MustCompile(`msg=serving .*addr=(\S+)`)

func servingURL(ts *testscript.TestScript, log string) string {
	var url string
	eventually(ts, "the server serves", func() error {
		text, err := os.ReadFile(log)
		m := servingAt.FindSubmatch(text)
		if m == nil {
			return errors.Join(err, errors.New(string(text)))
		}
		url = "http://" + string(m[1])
		return nil
	})
	return url
}

const scriptPatience = 20 * time.Second

// eventually tries until it works.
func eventually(ts *testscript.TestScript, what string, try func() error) {
	deadline := time.Now().Add(scriptPatience)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s: not within %s: %v", what, scriptPatience, err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func killCommand(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Value(serverKey).(*background).stop(syscall.SIGKILL)
}

func gitCommand(ts *testscript.TestScript, _ bool, args []string) {
	runGit(ts, ts.MkAbs("."), args...)
	remember(ts)
}

func pushCommand(ts *testscript.TestScript, _ bool, args []string) {
	runGit(ts, ts.MkAbs("."), "add", "--all")
	runGit(ts, ts.MkAbs("."), "commit", "--quiet", "-m", args[0])
	remember(ts)
	runGit(ts, ts.MkAbs("."), "push", "--quiet", "origin", "HEAD:main")
}

// remember sets $commit and $before, shortened as the command prints them, and their full names.
func remember(ts *testscript.TestScript) {
	head := runGit(ts, ts.MkAbs("."), "rev-parse", "HEAD")
	if head == ts.Getenv("COMMIT") {
		return
	}
	ts.Setenv("BEFORE", ts.Getenv("COMMIT"))
	ts.Setenv("before", ts.Getenv("commit"))
	ts.Setenv("COMMIT", head)
	ts.Setenv("commit", short(head))
}

func fetchCommand(ts *testscript.TestScript, _ bool, args []string) {
	answer, err := http.Get(ts.Getenv("TRUNKLINE_SERVER") + args[0])
	ts.Check(err)
	defer answer.Body.Close()
	_, err = io.Copy(ts.Stdout(), answer.Body)
	ts.Check(err)
}

func untilCommand(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile("(?ms)" + args[0])
	eventually(ts, strings.Join(args, " "), func() error {
		cmd := exec.Command(args[1], args[2:]...)
		cmd.Dir = ts.MkAbs(".")
		for _, name := range []string{"PATH", "HOME", "TRUNKLINE_SERVER", "NO_COLOR", "GORACE"} {
			cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
		}
		if !strings.Contains(args[1], "/") {
			cmd.Path = filepath.Join(strings.Split(ts.Getenv("PATH"), string(filepath.ListSeparator))[0], args[1])
			cmd.Err = nil
		}
		out, _ := cmd.CombinedOutput() // what it says counts, whatever it thinks of it
		if !want.Match(out) {
			return fmt.Errorf("it says: %s", out)
		}
		return nil
	})
}
