package server_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trunkline/trunkline/api"
	"github.com/trunkline/trunkline/internal/gittest"
	"github.com/trunkline/trunkline/server"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		os.Exit(code)
	}))
}

const (
	secret   = "a secret of the tests"
	patience = 20 * time.Second
)

// running is a server on a remote.
type running struct {
	tb     testing.TB
	remote *gittest.Remote
	url    string
	ops    string
	log    *lockedBuffer
	stop   func()
}

// lockedBuffer takes the program's log.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// shop makes a remote that holds the example config repo.
func shop(tb testing.TB) *gittest.Remote {
	tb.Helper()
	r := gittest.NewRemote(tb)
	if err := os.CopyFS(r.Work(), os.DirFS(filepath.Join("..", "testdata", "shop"))); err != nil {
		tb.Fatal(err)
	}
	r.Commit("Begin")
	r.Push()
	return r
}

func settings(r *gittest.Remote, data string) server.Settings {
	return server.Settings{
		Repo: r.URL(), Branch: "main", Poll: 10 * time.Minute, Listen: "127.0.0.1:0", OpsListen: "127.0.0.1:0", Data: data,
		Audit: "wait", WebhookSecret: secret,
	}
}

// start runs a server, which may be changed before, until the test ends or stop is called.
func start(tb testing.TB, r *gittest.Remote, set server.Settings, changes ...func(*server.Server)) *running {
	tb.Helper()
	log := &lockedBuffer{}
	s, err := server.New(set, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		tb.Fatal(err)
	}
	for _, change := range changes {
		change(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	var once sync.Once
	run := &running{tb: tb, remote: r, url: "http://" + s.Addr(), ops: "http://" + s.OpsAddr(), log: log}
	run.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				tb.Errorf("the server ended: %v", err)
			}
		})
	}
	tb.Cleanup(run.stop)
	return run
}

// eventually waits for a condition.
func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			tb.Fatalf("%s: not within %s", what, patience)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// request asks and returns the answer with its body.
func (s *running) request(method, url string, body []byte, header http.Header) (*http.Response, []byte) {
	s.tb.Helper()
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		s.tb.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if host := header.Get("Host"); host != "" {
		req.Host = host
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		s.tb.Fatal(err)
	}
	isSecured(s.tb, res)
	return res, answer
}

// isSecured holds that an answer has what keeps browsers from making more of it than it is.
func isSecured(tb testing.TB, res *http.Response) {
	tb.Helper()
	wanted := []string{"Content-Security-Policy", "Referrer-Policy", "X-Content-Type-Options"}
	if res.TLS != nil {
		wanted = append(wanted, "Strict-Transport-Security")
	}
	for _, name := range wanted {
		if len(res.Header[name]) != 1 {
			tb.Errorf("%s %s is answered %s with the header %s: %q", res.Request.Method, res.Request.URL.Path, res.Status, name, res.Header[name])
		}
	}
}

func (s *running) get(path string) (*http.Response, string) {
	s.tb.Helper()
	res, body := s.request(http.MethodGet, s.url+path, nil, nil)
	return res, string(body)
}

// value reads one value; empty when there is none.
func (s *running) value(env, path string) string {
	s.tb.Helper()
	res, body := s.get("/v1/config/" + path + "?env=" + env)
	if res.StatusCode != http.StatusOK {
		return ""
	}
	return body
}

func (s *running) becomes(env, path, want string) {
	s.tb.Helper()
	eventually(s.tb, env+" "+path+" becomes "+want, func() bool { return s.value(env, path) == want })
}

func (s *running) status() api.Status {
	s.tb.Helper()
	_, body := s.get("/v1/status")
	var status api.Status
	if err := json.Unmarshal([]byte(body), &status); err != nil {
		s.tb.Fatalf("status: %v: %s", err, body)
	}
	return status
}

// announce sends the webhook of a push.
func (s *running) announce() {
	s.tb.Helper()
	body, err := json.Marshal(map[string]any{"ref": "refs/heads/main", "repository": map[string]string{"clone_url": s.remote.URL()}})
	if err != nil {
		s.tb.Fatal(err)
	}
	if res, answer := s.deliver(body); res.StatusCode != http.StatusAccepted {
		s.tb.Fatalf("the webhook was answered %s: %s", res.Status, answer)
	}
}

func (s *running) deliver(body []byte) (*http.Response, []byte) {
	s.tb.Helper()
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return s.request(http.MethodPost, s.url+"/webhook/github", body, http.Header{
		"Content-Type": {"application/json"}, "X-Github-Event": {"push"},
		"X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac.Sum(nil))},
	})
}

// push commits files, pushes them and announces it.
func (s *running) push(subject string, files map[string]string) string {
	s.tb.Helper()
	s.remote.Write(files)
	commit := s.remote.Commit(subject)
	s.remote.Push()
	s.announce()
	return commit
}

// edited is a file of the work tree with one text replaced.
func (s *running) edited(file, old, new string) map[string]string {
	s.tb.Helper()
	data, err := os.ReadFile(filepath.Join(s.remote.Work(), file))
	if err != nil {
		s.tb.Fatal(err)
	}
	if !strings.Contains(string(data), old) {
		s.tb.Fatalf("%s holds no %q", file, old)
	}
	return map[string]string{file: strings.Replace(string(data), old, new, 1)}
}

func TestRefusesToStart(t *testing.T) {
	for name, change := range map[string]func(*server.Settings){
		"no repository":            func(s *server.Settings) { s.Repo = "" },
		"half a certificate":       func(s *server.Settings) { s.TLSCertFile = "cert.pem" },
		"no certificate":           func(s *server.Settings) { s.TLSCertFile, s.TLSKeyFile = "none.pem", "none.pem" },
		"no origin":                func(s *server.Settings) { s.CORSOrigins = []string{"app.example.com"} },
		"no signers":               func(s *server.Settings) { s.SignersFile = "none" },
		"no validators":            func(s *server.Settings) { s.ValidatorsFile = "none" },
		"no issuers":               func(s *server.Settings) { s.JWTFile = "none" },
		"webhooks without secret":  func(s *server.Settings) { s.WebhookSecret, s.Webhooks = "", true },
		"short secret":             func(s *server.Settings) { s.WebhookSecret = "short" },
		"two secrets":              func(s *server.Settings) { s.WebhookSecretFile = "file" },
		"poll too short":           func(s *server.Settings) { s.Poll = time.Millisecond },
		"origin that is no commit": func(s *server.Settings) { s.Origin = "main" },
		"path out of the repo":     func(s *server.Settings) { s.Path = "../x" },
	} {
		t.Run(name, func(t *testing.T) {
			set := server.Settings{
				Repo: t.TempDir(), Branch: "main", Poll: time.Minute, Listen: "127.0.0.1:0", Data: t.TempDir(), Audit: "wait", WebhookSecret: secret,
			}
			change(&set)
			s, err := server.New(set, slog.New(slog.DiscardHandler))
			if err == nil {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				if err = s.Run(ctx); errors.Is(ctx.Err(), context.DeadlineExceeded) {
					t.Fatal("the server runs")
				}
			}
			if err == nil {
				t.Fatal("no error")
			}
			t.Log(err)
		})
	}
}

func TestServesWhatItFollows(t *testing.T) {
	s := start(t, nil, settings(shop(t), t.TempDir()))
	s.becomes("prod", "checkout.timeout", `"30s"`)

	res, body := s.get("/v1/config/checkout.timeout?env=prod")
	tag := res.Header.Get("ETag")
	if body != `"30s"` || tag == "" || res.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %s with the headers %v", body, res.Header)
	}
	if res, body := s.request(http.MethodGet, s.url+"/v1/config/checkout.timeout?env=prod", nil, http.Header{"If-None-Match": {tag}}); res.StatusCode != http.StatusNotModified || len(body) > 0 {
		t.Errorf("with the ETag: %s %s", res.Status, body)
	}
	if got := s.value("prodEu", "database.primary.dsn"); !strings.HasPrefix(got, `{"$redacted":true,"fp":"`) || strings.Contains(got, "postgres") {
		t.Errorf("a sensitive value is delivered as %s", got)
	}
	if got := s.value("prodEu", `checkout.payment["providers"][1]`); got != `"invoice"` {
		t.Errorf("an item of a list: %s", got)
	}
	for path, want := range map[string]string{
		"/v1/config/checkout.timeuot?env=prod":            "under checkout there are currency",
		"/v1/config/a..b?env=prod":                        "a segment is empty",
		"/v1/config/checkout?env=nowhere":                 "use one of prod, prodEu, staging",
		"/v1/config/checkout":                             "with ?env= in a request or --env",
		"/v1/nothing":                                     "/v1/config",
		"/nothing":                                        "/v1/config",
		"/v1/versions?before=" + strings.Repeat("01", 20): "take it from next",
		"/v1/versions?limit=0":                            "from 1 to 200",
		"/v1/versions?before=x":                           "take it from next",
	} {
		res, body := s.get(path)
		if res.StatusCode < 400 || res.StatusCode > 499 || !strings.Contains(body, want) {
			t.Errorf("%s: %s %s, want %q", path, res.Status, body, want)
		}
	}
	if res, body := s.get("/readyz"); res.StatusCode != http.StatusOK {
		t.Errorf("readyz: %s %s", res.Status, body)
	}
}

func TestRemoteThatFailsAndComesBack(t *testing.T) {
	remote := shop(t)
	s := start(t, remote, settings(remote, t.TempDir()))
	s.becomes("prod", "checkout.timeout", `"30s"`)
	for _, fault := range []gittest.Fault{gittest.Status(500), gittest.Garbage, gittest.HTML, gittest.StallPack, gittest.GarbagePack} {
		t.Run(fault.String(), func(t *testing.T) {
			before := s.value("prod", "checkout.retries")
			after := map[string]string{"3": "4", "4": "5", "5": "6", "6": "7", "7": "8"}[before]
			remote.Fault(fault)
			s.push("Try more often", s.edited("config/checkout.yaml", "retries: "+before, "retries: "+after))
			if fault.String() != gittest.StallPack.String() {
				eventually(t, "the failure shows", func() bool { return s.status().Look.Error != "" })
			}
			if got := s.value("prod", "checkout.retries"); got != before {
				t.Errorf("while the remote fails: retries %s", got)
			}
			if res, _ := s.get("/readyz"); res.StatusCode != http.StatusOK {
				t.Errorf("readyz: %s", res.Status)
			}
			remote.Fault(gittest.None)
			s.announce()
			s.becomes("prod", "checkout.retries", after)
			eventually(t, "the failure is over", func() bool { return s.status().Look.Error == "" })
		})
	}
}

func TestNothingIsServedBeforeAValidCommit(t *testing.T) {
	remote := gittest.NewRemote(t)
	remote.Write(map[string]string{"config/web.yaml": "timeout: 1\ntimeout: 2\n"})
	remote.Commit("Begin badly")
	remote.Push()
	s := start(t, remote, settings(remote, t.TempDir()))
	eventually(t, "the commit is judged", func() bool { return s.status().Judged != "" })
	if res, body := s.get("/readyz"); res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "no environment has a valid version yet") {
		t.Errorf("readyz: %s %s", res.Status, body)
	}
	if res, body := s.get("/v1/config/web"); res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "notReady") {
		t.Errorf("a read: %s %s", res.Status, body)
	}
	s.push("Mend", map[string]string{"config/web.yaml": "timeout: 2\n"})
	s.becomes("default", "web.timeout", "2")
}

func TestSecretsAreNowhere(t *testing.T) {
	const password = "hunter2-correct-horse"
	remote := shop(t)
	set := settings(remote, t.TempDir())
	s := start(t, remote, set)
	s.becomes("prod", "checkout.timeout", `"30s"`)
	s.push("Leak into a schema error", map[string]string{
		"config/database/primary.yaml":       "host: " + password + "_x!\nport: " + password + "\ndsn: " + password + "\npassword: " + password + "\npool: {min: 1, max: 2}\n",
		"schemas/database/extra.schema.yaml": "properties: {password: {pattern: '^x', enum: [y]}}\n",
		"config/database/extra.yaml":         "password: " + password + "\n",
	})
	eventually(t, "the commit is rejected", func() bool { return s.status().Environments["prod"].Blocked != nil })
	_, status := s.get("/v1/status")
	_, versions := s.get("/v1/versions")
	_, metrics := s.get("/metrics")
	for name, text := range map[string]string{"log": s.log.String(), "status": status, "versions": versions, "metrics": metrics} {
		for _, hidden := range []string{password + `"`, secret} {
			if strings.Contains(text, hidden) {
				t.Errorf("the %s shows %q: %s", name, hidden, text)
			}
		}
	}
}

func TestRestartsKeepTheRecord(t *testing.T) {
	remote, data := shop(t), t.TempDir()
	set := settings(remote, data)
	s := start(t, remote, set)
	s.becomes("prod", "checkout.timeout", `"30s"`)
	first := s.push("Shorter", s.edited("config/checkout.yaml", "30s", "20s"))
	s.becomes("prod", "checkout.timeout", `"20s"`)
	eventually(t, "it is on record", func() bool { _, body := s.get("/v1/versions"); return strings.Contains(body, first) })
	_, before := s.get("/v1/versions")
	s.stop()

	remote.Fault(gittest.Stall)
	s = start(t, remote, set)
	s.becomes("prod", "checkout.timeout", `"20s"`)
	if res, _ := s.get("/readyz"); res.StatusCode != http.StatusOK {
		t.Errorf("readyz while the remote stalls: %s", res.Status)
	}
	if _, after := s.get("/v1/versions"); after != before {
		t.Errorf("versions differ after the restart:\n%s\n%s", before, after)
	}
	remote.Fault(gittest.None)
}

// TestDataBelongsToOneRemote holds that nothing of one repository is served under the name of another.
func TestDataBelongsToOneRemote(t *testing.T) {
	first, second, data := shop(t), gittest.NewRemote(t), t.TempDir()
	s := start(t, first, settings(first, data))
	s.becomes("prod", "checkout.timeout", `"30s"`)
	s.stop()
	second.Write(map[string]string{"config/web.yaml": "timeout: 1\n", "environments/prod/web.yaml": "timeout: 2\n"})
	second.Commit("Begin")
	second.Push()
	folder := settings(first, data)
	folder.Path = "deploy"
	for _, set := range []server.Settings{settings(second, data), folder} {
		other, err := server.New(set, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "--adopt") {
			t.Errorf("with another remote or folder: %v", err)
		}
	}
	adopting := settings(second, data)
	adopting.Adopt = true
	s = start(t, second, adopting)
	eventually(t, "the new remote is followed", func() bool { return s.status().Look.LastGood != nil })
}
