// Package examples holds programs that show how to read configuration. Its tests run them.
package examples_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trunkline/trunkline/internal/gittest"
	"github.com/trunkline/trunkline/server"
)

const patience = 30 * time.Second

// shop is the example config repo, and a server that follows it.
func shop(t *testing.T) (remote *gittest.Remote, url string) {
	t.Helper()
	remote = gittest.NewRemote(t)
	if err := os.CopyFS(remote.Work(), os.DirFS(filepath.Join("..", "testdata", "shop"))); err != nil {
		t.Fatal(err)
	}
	remote.Commit("Begin")
	remote.Push()
	s, err := server.New(server.Settings{
		Repo: remote.URL(), Branch: "main", Poll: time.Second, Listen: "127.0.0.1:0", Data: t.TempDir(), Audit: "wait",
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return remote, "http://" + s.Addr()
}

// slower changes what the examples print.
func slower(t *testing.T, remote *gittest.Remote) {
	t.Helper()
	const file = "config/checkout.yaml"
	text, err := os.ReadFile(filepath.Join(remote.Work(), file))
	if err != nil {
		t.Fatal(err)
	}
	remote.Write(map[string]string{file: strings.NewReplacer("timeout: 30s", "timeout: 45s", "retries: 3", "retries: 5").Replace(string(text))})
	remote.Commit("Wait longer")
	remote.Push()
}

// built builds the programs of some packages, and returns where they are.
func built(t *testing.T, packages ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, p := range packages {
		out, err := exec.CommandContext(t.Context(), "go", "build", "-o", dir+"/", p).CombinedOutput()
		if err != nil {
			t.Fatalf("go build %s: %v\n%s", p, err, out)
		}
	}
	return dir
}

// example is a program that runs.
type example struct {
	cmd   *exec.Cmd
	lines chan string
}

func run(t *testing.T, cmd *exec.Cmd) *example {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = in, in
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	e := &example{cmd, make(chan string, 1000)}
	go func() {
		defer close(e.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			e.lines <- s.Text()
		}
		_, _ = io.Copy(io.Discard, out)
	}()
	return e
}

// says waits for a line.
func (e *example) says(t *testing.T, text string) {
	t.Helper()
	var said []string
	for deadline := time.After(patience); ; {
		select {
		case line, more := <-e.lines:
			if said = append(said, line); strings.Contains(line, text) {
				return
			}
			if !more {
				t.Fatalf("it ended without saying %q:\n%s", text, strings.Join(said, "\n"))
			}
		case <-deadline:
			t.Fatalf("it does not say %q:\n%s", text, strings.Join(said, "\n"))
		}
	}
}

// ends expects that SIGTERM to all of it ends it well.
func (e *example) ends(t *testing.T) {
	t.Helper()
	_ = syscall.Kill(-e.cmd.Process.Pid, syscall.SIGTERM)
	for range e.lines {
	}
	if err := e.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

const (
	before = "a checkout takes 30s at most, with 3 retries"
	after  = "a checkout takes 45s at most, with 5 retries"
)

func TestClient(t *testing.T) {
	remote, url := shop(t)
	e := run(t, exec.Command(filepath.Join(built(t, "./client"), "client"), "--server", url, "--keep", filepath.Join(t.TempDir(), "kept")))
	e.says(t, before)
	slower(t, remote)
	e.says(t, after)
	e.ends(t)
}

func TestInProcess(t *testing.T) {
	remote, _ := shop(t)
	e := run(t, exec.Command(filepath.Join(built(t, "./inprocess"), "inprocess"), "--repo", remote.URL(), "--dir", t.TempDir(), "--poll", "1s"))
	e.says(t, before)
	slower(t, remote)
	e.says(t, after)
	e.ends(t)
}

func TestSidecar(t *testing.T) {
	remote, url := shop(t)
	cmd := exec.Command("sidecar/run.sh", t.TempDir())
	cmd.Env = append(os.Environ(), "TRUNKLINE_SERVER="+url, "PATH="+built(t, "../cmd/trunkline")+":"+os.Getenv("PATH"))
	e := run(t, cmd)
	e.says(t, before)
	slower(t, remote)
	e.says(t, after)
	e.ends(t)
}
