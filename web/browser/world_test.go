//go:build browser

package browser_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/api"
	"github.com/trunkline/trunkline/internal/gittest"
	"github.com/trunkline/trunkline/server"
)

const secret = "a secret of the tests"

// world is a server on a remote.
type world struct {
	testing.TB
	remote *gittest.Remote
	url    string
	data   string
}

// begin makes a remote with the example config repo and serves it until the test ends.
func begin(tb testing.TB, changes ...func(*server.Settings)) *world {
	tb.Helper()
	w := &world{TB: tb, remote: gittest.NewRemote(tb), data: tb.TempDir()}
	must(tb, os.CopyFS(w.remote.Work(), os.DirFS(filepath.Join("..", "..", "testdata", "shop"))))
	w.remote.Commit("Begin with the shop's configuration", gittest.Author("Ada Lovelace", "ada@shop.example"))
	w.remote.Push()
	settings := server.Settings{
		Repo: w.remote.URL(), Branch: "main", Origin: w.remote.Head(), Poll: 10 * time.Minute, Listen: "127.0.0.1:0", Data: w.data, Audit: "wait", WebhookSecret: secret,
	}
	for _, change := range changes {
		change(&settings)
	}
	s, err := server.New(settings, slog.New(slog.NewTextHandler(io.Discard, nil)))
	must(tb, err)
	w.url = "http://" + s.Addr()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("the server ended: %v", err)
		}
	})
	w.judged(w.remote.Head())
	return w
}

// push commits what was written, pushes it, announces it, and waits until it is judged.
func (w *world) push(subject, author string) string {
	w.Helper()
	commit := w.remote.Commit(subject, gittest.Author(author, strings.ToLower(strings.Fields(author)[0])+"@shop.example"))
	w.announce()
	w.judged(commit)
	return commit
}

// announce pushes, and sends the webhook of a push.
func (w *world) announce() {
	w.Helper()
	w.remote.Git("push", "--quiet", "--tags", "origin", "HEAD")
	body, err := json.Marshal(map[string]any{"ref": "refs/heads/main", "repository": map[string]string{"clone_url": w.remote.URL()}})
	must(w, err)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	w.ask(http.MethodPost, "/webhook/github", body, http.Header{
		"Content-Type": {"application/json"}, "X-Github-Event": {"push"},
		"X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac.Sum(nil))},
	}, nil)
}

func (w *world) judged(commit string) {
	w.Helper()
	eventually(w, "judging "+commit, func() error {
		var s api.Status
		w.ask(http.MethodGet, "/v1/status", nil, w.operator(), &s)
		if s.Judged != commit {
			return fmt.Errorf("judged up to %q", s.Judged)
		}
		return nil
	})
}

// edit replaces one text in a file.
func (w *world) edit(file, old, new string) {
	w.Helper()
	data, err := os.ReadFile(filepath.Join(w.remote.Work(), file))
	must(w, err)
	if !strings.Contains(string(data), old) {
		w.Fatalf("%s holds no %q", file, old)
	}
	w.remote.Write(map[string]string{file: strings.Replace(string(data), old, new, 1)})
}

// operator is the credential that the server leaves on its machine.
func (w *world) operator() http.Header {
	token, _ := os.ReadFile(filepath.Join(w.data, "operator.token")) // it is not there at once
	if len(token) == 0 {
		return nil
	}
	return http.Header{"Authorization": {"Bearer " + strings.TrimSpace(string(token))}}
}

// token makes a token.
func (w *world) token(name string, envs, patterns []string, rights access.Right) string {
	w.Helper()
	grant, err := access.NewGrant(envs, patterns, rights)
	must(w, err)
	body, err := json.Marshal(api.NewToken{Name: name, Grant: grant})
	must(w, err)
	var made api.MadeToken
	w.ask(http.MethodPost, "/v1/tokens", body, w.operator(), &made)
	return made.Text
}

func (w *world) pin(env, commit, reason string) {
	w.Helper()
	body, err := json.Marshal(api.NewPin{Environment: env, Commit: commit, Reason: reason, Expires: time.Now().Add(4 * time.Hour)})
	must(w, err)
	w.ask(http.MethodPost, "/v1/pins", body, w.operator(), nil)
}

// ask sends a request, which must go well once the server is up.
func (w *world) ask(method, path string, body []byte, header http.Header, into any) {
	w.Helper()
	req, err := http.NewRequest(method, w.url+path, bytes.NewReader(body))
	must(w, err)
	if header != nil {
		req.Header = header.Clone()
	}
	res, err := http.DefaultClient.Do(req)
	must(w, err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	must(w, err)
	if res.StatusCode == http.StatusUnauthorized && method == http.MethodGet {
		return // the credential has not been written yet
	}
	if res.StatusCode >= 300 {
		w.Fatalf("%s %s: %s: %s", method, path, res.Status, data)
	}
	if into != nil {
		must(w, json.Unmarshal(data, into))
	}
}
