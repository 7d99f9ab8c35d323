package gittest

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// Command is git with args in dir, shut off from the user's configuration and with fixed names.
func Command(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "gc.auto=0", "-c", "protocol.file.allow=always"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(environ(), "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com",
		"GIT_COMMITTER_NAME=Grace", "GIT_COMMITTER_EMAIL=grace@example.com")
	return cmd
}

// environ is the process's environment without what steers git.
func environ() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "GIT_") {
			env = append(env, kv)
		}
	}
	return append(env, isolation...)
}

var isolation = []string{"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1"}

// Serve serves the bare repository at dir over smart HTTP, read-only, whatever the first part of the request's path is. It
// needs no test. It panics when git is not installed.
func Serve(dir string) http.Handler {
	root, err := filepath.Abs(dir)
	if err != nil {
		panic("gittest: " + err.Error())
	}
	handler := &cgi.Handler{
		Path: filepath.Join(execPath(), "git-http-backend"),
		Root: "/",
		Env: append([]string{
			"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "HOME=" + root,
		}, isolation...),
		InheritEnv: []string{"PATH"},
		// Clients that break off, and asking for what is not there, are what tests do.
		Logger: log.New(io.Discard, "", 0),
		Stderr: io.Discard,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		inner := req.Clone(req.Context())
		inner.URL.Path = withoutFirst(req.URL.Path)
		handler.ServeHTTP(w, inner)
	})
}

func withoutFirst(path string) string {
	_, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return "/" + rest
}

// execPath is where git keeps its programs.
var execPath = sync.OnceValue(func() string {
	out, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		panic("gittest: git --exec-path: " + err.Error())
	}
	return strings.TrimSpace(string(out))
})
