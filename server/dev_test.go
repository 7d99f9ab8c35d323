package server_test

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/server"
)

// dev serves a copy of the example while a test edits it.
func dev(t *testing.T) (*running, string, <-chan *compile.Result) {
	t.Helper()
	dir := t.TempDir()
	copyShop(t, dir)
	results := make(chan *compile.Result, 100)
	s := devIn(t, dir, nil, func(r *compile.Result, err error) {
		if err != nil {
			t.Errorf("look: %v", err)
		}
		results <- r
	})
	return s, dir, results
}

// devIn serves a directory. prepare may change how it is watched.
func devIn(t *testing.T, dir string, prepare func(*server.Dev), judged func(*compile.Result, error)) *running {
	t.Helper()
	log := &lockedBuffer{}
	d, err := server.NewDev(dir, "127.0.0.1:0", slog.New(slog.NewTextHandler(log, nil)), judged)
	if err != nil {
		t.Fatal(err)
	}
	if prepare != nil {
		prepare(d)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("dev ended: %v", err)
		}
	})
	return &running{tb: t, url: "http://" + d.Addr(), log: log}
}

func copyShop(t *testing.T, dir string) {
	t.Helper()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "testdata", "shop"))); err != nil {
		t.Fatal(err)
	}
}

func save(t *testing.T, dir, file, text string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestDevServesWhatIsSaved(t *testing.T) {
	s, dir, results := dev(t)
	s.becomes("prod", "search.pageSize", "48")
	save(t, dir, "environments/prod/search.toml", "pageSize = 50\n")
	s.becomes("prod", "search.pageSize", "50")
	save(t, dir, "config/new/folder/deep.yaml", "x: 1\n") // folders that are new are watched too
	s.becomes("prod", "new.folder.deep.x", "1")
	save(t, dir, "config/new/folder/deep.yaml", "x: 2\n")
	s.becomes("prod", "new.folder.deep.x", "2")

	save(t, dir, "environments/prod/search.toml", "pageSize = \n")
	eventually(t, "the fault shows", func() bool { return s.status().Environments["prod"].Blocked != nil })
	if got := s.value("prod", "search.pageSize"); got != "50" {
		t.Errorf("with a fault in the file: %s", got)
	}
	save(t, dir, "environments/prod/search.toml", "pageSize = 60\n")
	s.becomes("prod", "search.pageSize", "60")
	if s.status().Environments["prod"].Blocked != nil {
		t.Error("the fault is mended and still shows")
	}
	var rejected bool
	for len(results) > 0 {
		rejected = !(<-results).Valid("prod") || rejected
	}
	if !rejected {
		t.Error("the fault was not told")
	}
	res, body := s.request(http.MethodGet, s.url+"/v1/versions", nil, nil)
	if res.StatusCode != http.StatusOK || !strings.Contains(string(body), `"versions":[]`) {
		t.Errorf("versions: %s %s", res.Status, body)
	}
}

func TestDevIsGuarded(t *testing.T) {
	s, _, _ := dev(t)
	s.becomes("prod", "search.pageSize", "48")
	for _, path := range []string{"/v1/config/search?env=prod", "/v1/status", "/v1/stream"} {
		if res, _ := s.request(http.MethodGet, s.url+path, nil, http.Header{"Origin": {"https://evil.example"}}); res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
	if _, err := server.NewDev(t.TempDir(), "0.0.0.0:0", slog.New(slog.DiscardHandler), nil); err == nil {
		t.Error("dev listens on a foreign address")
	}
}
