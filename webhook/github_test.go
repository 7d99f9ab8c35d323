package webhook_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/trunkline/trunkline/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	secret = "9f1c6a0e5d5b4f7d8e0c"
	remote = "https://github.com/Codertocat/Hello-World.git"
)

func static(s string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(s), nil }
}

// receiver is a GitHub handler that counts.
type receiver struct {
	*webhook.GitHub
	hints    int
	observed []string // "event outcome"
	log      bytes.Buffer
}

func newReceiver(t testing.TB, change func(*webhook.Options)) *receiver {
	t.Helper()
	r := &receiver{}
	o := webhook.Options{
		Secret:  static(secret),
		Remote:  remote,
		Branch:  "master",
		Hint:    func() { r.hints++ },
		Log:     slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Observe: func(event, outcome string) { r.observed = append(r.observed, event+" "+outcome) },
	}
	if change != nil {
		change(&o)
	}
	g, err := webhook.NewGitHub(o)
	if err != nil {
		t.Fatal(err)
	}
	r.GitHub = g
	return r
}

func (r *receiver) deliver(req *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	return w
}

func sign(newHash func() hash.Hash, key string, body []byte) string {
	mac := hmac.New(newHash, []byte(key))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// delivery is what GitHub would send.
func delivery(event string, body []byte) *http.Request {
	req := httptest.NewRequest(http.MethodPost, "/webhook/github", bytes.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-GitHub-Event", event)
	req.Header.Set("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
	req.Header.Set("X-Hub-Signature", "sha1="+sign(sha1.New, secret, body))
	req.Header.Set("X-Hub-Signature-256", "sha256="+sign(sha256.New, secret, body))
	return req
}

func example(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", "octokit", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// push is a push of the example repository to a ref.
func push(ref string) []byte {
	return []byte(`{"ref": "` + ref + `", "repository": {"clone_url": "` + remote + `"}}`)
}

func TestExamples(t *testing.T) {
	outcomes := map[string]string{
		"push.4": "push accepted", "push.5": "push accepted",
		"ping.0": "ping pong", "ping.1": "ping pong", "ping.2": "ping pong", "ping.3": "ping pong",
		// Tags, made and deleted.
		"push.0": "push ignoredRef", "push.1": "push ignoredRef", "push.2": "push ignoredRef",
		"push.3": "push ignoredRef", "push.6": "push ignoredRef",
	}
	files, err := filepath.Glob("testdata/octokit/*.json")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		event, _, _ := strings.Cut(name, ".")
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t, nil)
			w := r.deliver(delivery(event, example(t, name)))
			want := outcomes[name]
			if want == "" {
				want = "other ignoredEvent"
			}
			wantHints, wantStatus := 0, http.StatusAccepted
			switch want {
			case "push accepted":
				wantHints = 1
			case "ping pong":
				wantStatus = http.StatusOK
			}
			if w.Code != wantStatus || r.hints != wantHints || len(r.observed) != 1 || r.observed[0] != want {
				t.Errorf("%d, %d hints, observed %q; want %d, %d, %q", w.Code, r.hints, r.observed, wantStatus, wantHints, want)
			}
		})
	}
}

func TestPush(t *testing.T) {
	deleted := bytes.Replace(push("refs/heads/master"), []byte(`{`), []byte(`{"deleted": true, `), 1)
	tests := []struct {
		name, remote, branch string
		body                 []byte
		want                 string
	}{
		{name: "ours", body: push("refs/heads/master"), want: "accepted"},
		{name: "full name of the branch", branch: "refs/heads/master", body: push("refs/heads/master"), want: "accepted"},
		{name: "branch with slashes", branch: "release/1", body: push("refs/heads/release/1"), want: "accepted"},
		{name: "remote over SSH", remote: "git@github.com:codertocat/hello-world.git", body: example(t, "push.4"), want: "accepted"},
		{name: "other branch", body: push("refs/heads/topic"), want: "ignoredRef"},
		{name: "branch that ends like ours", body: push("refs/heads/x/master"), want: "ignoredRef"},
		{name: "tag named like ours", body: push("refs/tags/master"), want: "ignoredRef"},
		{name: "bare name", body: push("master"), want: "ignoredRef"},
		{name: "deleted", body: deleted, want: "ignoredRef"},
		{name: "other repository", remote: "https://github.com/Codertocat/Other", body: push("refs/heads/master"), want: "ignoredRepository"},
		{name: "fork", remote: "https://github.com/Octocoders/Hello-World", body: example(t, "push.4"), want: "ignoredRepository"},
		{name: "same path on another host", remote: "https://git.example/Codertocat/Hello-World", body: push("refs/heads/master"), want: "ignoredRepository"},
		{name: "no repository", body: []byte(`{"ref": "refs/heads/master"}`), want: "ignoredRepository"},
		{name: "null", body: []byte(`null`), want: "ignoredRepository"},
		{name: "not JSON", body: []byte(`ref=refs/heads/master`), want: "invalid"},
		{name: "empty", body: nil, want: "invalid"},
		{name: "two documents", body: []byte(`{}{}`), want: "invalid"},
		{name: "a list", body: []byte(`[]`), want: "invalid"},
		{name: "other types", body: []byte(`{"ref": 1}`), want: "invalid"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newReceiver(t, func(o *webhook.Options) {
				if tt.remote != "" {
					o.Remote = tt.remote
				}
				if tt.branch != "" {
					o.Branch = tt.branch
				}
			})
			w := r.deliver(delivery("push", tt.body))
			wantStatus := http.StatusAccepted
			if tt.want == "invalid" {
				wantStatus = http.StatusBadRequest
			}
			if w.Code != wantStatus || r.observed[0] != "push "+tt.want {
				t.Errorf("%d, observed %q; want %d, %q", w.Code, r.observed, wantStatus, tt.want)
			}
			if hinted := r.hints == 1; hinted != (tt.want == "accepted") {
				t.Errorf("%d hints", r.hints)
			}
			if !json.Valid(w.Body.Bytes()) || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("answer is not JSON: %s", w.Body)
			}
		})
	}
}

// Any one of the repository's addresses makes a push ours.
func TestPushByAnyAddress(t *testing.T) {
	for _, field := range []string{"clone_url", "ssh_url", "git_url", "html_url", "url"} {
		r := newReceiver(t, nil)
		body := `{"ref": "refs/heads/master", "repository": {"` + field + `": "git@GitHub.com:codertocat/hello-world"}}`
		if w := r.deliver(delivery("push", []byte(body))); w.Code != http.StatusAccepted || r.hints != 1 {
			t.Errorf("%s: %d, %d hints", field, w.Code, r.hints)
		}
	}
}

// A local path can be followed too. Whoever announces a push to it, such as a
// post-receive hook, names the path.
func TestPushToPath(t *testing.T) {
	t.Chdir(t.TempDir())
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]int{
		filepath.Join(dir, "config.git"):               1,
		"file://" + filepath.Join(dir, "config"):       1,
		"config.git":                                   0,
		"https://github.com/Codertocat/config.git":     0,
		"ssh://localhost" + filepath.Join(dir, "conf"): 0,
	} {
		for _, followed := range []string{"./config.git", filepath.Join(dir, "config.git"), "file://" + dir + "/config.git"} {
			r := newReceiver(t, func(o *webhook.Options) { o.Remote = followed })
			body := `{"ref": "refs/heads/master", "repository": {"clone_url": "` + address + `"}}`
			r.deliver(delivery("push", []byte(body)))
			if r.hints != want {
				t.Errorf("following %s, told of %s: %d hints, want %d", followed, address, r.hints, want)
			}
		}
	}
}

// GitHub lets an organization define repository properties whose value is a
// list, and fields will be added.
func TestPushWithFieldsOfNoConcern(t *testing.T) {
	body := `{"ref": "refs/heads/master", "commits": [{"timestamp": ""}], "new": {}, "repository": {
		"clone_url": "` + remote + `", "custom_properties": {"teams": ["a", "b"], "tier": null}}}`
	r := newReceiver(t, nil)
	if w := r.deliver(delivery("push", []byte(body))); w.Code != http.StatusAccepted || r.hints != 1 {
		t.Errorf("%d, %d hints: %s", w.Code, r.hints, w.Body)
	}
}

func TestHintBeforeAnswer(t *testing.T) {
	w := httptest.NewRecorder()
	answered := false
	r := newReceiver(t, func(o *webhook.Options) {
		o.Hint = func() { answered = w.Body.Len() > 0 }
	})
	r.ServeHTTP(w, delivery("push", example(t, "push.4")))
	if answered {
		t.Error("answered first")
	}
	if got, want := w.Body.String(), `{"status":"accepted"}`+"\n"; got != want {
		t.Errorf("answer %q, want %q", got, want)
	}
}

func TestPing(t *testing.T) {
	for name, want := range map[string]string{
		"ping.0": `{"status":"pong"}`,
		"ping.3": `{"status":"pong"}`, // an organization's: names no repository
	} {
		r := newReceiver(t, func(o *webhook.Options) { o.Remote = "https://github.com/Octocoders/Hello-World" })
		if w := r.deliver(delivery("ping", example(t, name))); strings.TrimSpace(w.Body.String()) != want {
			t.Errorf("%s: %s, want %s", name, w.Body, want)
		}
	}
	r := newReceiver(t, nil)
	w := r.deliver(delivery("ping", example(t, "ping.0")))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "another repository") || r.hints != 0 {
		t.Errorf("ping for another repository: %d %s", w.Code, w.Body)
	}
}

func TestSignature(t *testing.T) {
	body := push("refs/heads/master")
	good := sign(sha256.New, secret, body)
	tests := []struct {
		name   string
		change func(http.Header)
		want   int
	}{
		{"good", func(http.Header) {}, http.StatusAccepted},
		{"SHA-256 alone", func(h http.Header) { h.Del("X-Hub-Signature") }, http.StatusAccepted},
		{"missing", func(h http.Header) { h.Del("X-Hub-Signature"); h.Del("X-Hub-Signature-256") }, http.StatusUnauthorized},
		{"SHA-1 alone", func(h http.Header) { h.Del("X-Hub-Signature-256") }, http.StatusUnauthorized},
		{"SHA-1 in the header for SHA-256", func(h http.Header) {
			h.Set("X-Hub-Signature-256", "sha1="+sign(sha1.New, secret, body))
		}, http.StatusUnauthorized},
		{"SHA-512", func(h http.Header) {
			h.Set("X-Hub-Signature-256", "sha512="+sign(sha512.New, secret, body))
		}, http.StatusUnauthorized},
		{"other secret", func(h http.Header) {
			h.Set("X-Hub-Signature-256", "sha256="+sign(sha256.New, secret+"x", body))
		}, http.StatusUnauthorized},
		{"empty secret", func(h http.Header) {
			h.Set("X-Hub-Signature-256", "sha256="+sign(sha256.New, "", body))
		}, http.StatusUnauthorized},
		{"other body", func(h http.Header) {
			h.Set("X-Hub-Signature-256", "sha256="+sign(sha256.New, secret, append(body, ' ')))
		}, http.StatusUnauthorized},
		{"no prefix", func(h http.Header) { h.Set("X-Hub-Signature-256", good) }, http.StatusUnauthorized},
		{"prefix alone", func(h http.Header) { h.Set("X-Hub-Signature-256", "sha256=") }, http.StatusUnauthorized},
		{"half", func(h http.Header) { h.Set("X-Hub-Signature-256", "sha256="+good[:32]) }, http.StatusUnauthorized},
		{"not hexadecimal", func(h http.Header) { h.Set("X-Hub-Signature-256", "sha256=zz") }, http.StatusUnauthorized},
	}
	detail := ""
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newReceiver(t, nil)
			req := delivery("push", body)
			tt.change(req.Header)
			w := r.deliver(req)
			if w.Code != tt.want || (r.hints == 1) != (tt.want == http.StatusAccepted) {
				t.Fatalf("%d, %d hints; want %d", w.Code, r.hints, tt.want)
			}
			if w.Code != http.StatusUnauthorized {
				return
			}
			if detail == "" {
				detail = w.Body.String()
			}
			if w.Body.String() != detail {
				t.Errorf("answer %s tells it apart from %s", w.Body, detail)
			}
		})
	}
}

// What is not signed is not told whether it would have been understood.
func TestSignatureBeforeAnythingElse(t *testing.T) {
	for _, event := range []string{"push", "ping", "issues", ""} {
		for _, contentType := range []string{"application/json", "text/plain", ""} {
			for _, body := range []string{"{}", "not JSON", ""} {
				r := newReceiver(t, nil)
				req := delivery(event, []byte(body))
				req.Header.Set("Content-Type", contentType)
				req.Header.Set("X-Hub-Signature-256", "sha256="+strings.Repeat("0", 64))
				if w := r.deliver(req); w.Code != http.StatusUnauthorized {
					t.Errorf("%q, %q, %q: %d", event, contentType, body, w.Code)
				}
			}
		}
	}
}

func TestMethods(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "post"} {
		r := newReceiver(t, nil)
		req := delivery("push", push("refs/heads/master"))
		req.Method = method
		w := r.deliver(req)
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" || r.hints != 0 {
			t.Errorf("%s: %d, Allow %q, %d hints", method, w.Code, w.Header().Get("Allow"), r.hints)
		}
	}
}

func TestContentTypes(t *testing.T) {
	payload := push("refs/heads/master")
	form := []byte(url.Values{"payload": {string(payload)}}.Encode())
	tests := []struct {
		contentType string
		body        []byte
		want        int
	}{
		{"application/json", payload, http.StatusAccepted},
		{"application/json; charset=utf-8", payload, http.StatusAccepted},
		{"Application/JSON", payload, http.StatusAccepted},
		{"application/x-www-form-urlencoded", form, http.StatusAccepted},
		{"application/x-www-form-urlencoded", payload, http.StatusBadRequest},
		{"application/x-www-form-urlencoded", []byte("payload=%zz"), http.StatusBadRequest},
		{"application/x-www-form-urlencoded", nil, http.StatusBadRequest},
		{"application/json", form, http.StatusBadRequest},
		{"text/plain", payload, http.StatusUnsupportedMediaType},
		{"multipart/form-data; boundary=x", payload, http.StatusUnsupportedMediaType},
		{"", payload, http.StatusUnsupportedMediaType},
	}
	for _, tt := range tests {
		r := newReceiver(t, nil)
		req := delivery("push", tt.body)
		req.Header.Set("Content-Type", tt.contentType)
		if w := r.deliver(req); w.Code != tt.want || (r.hints == 1) != (tt.want == http.StatusAccepted) {
			t.Errorf("%q %.20s: %d, %d hints; want %d", tt.contentType, tt.body, w.Code, r.hints, tt.want)
		}
	}
}

func TestSize(t *testing.T) {
	const limit = 1 << 20
	for size, want := range map[int]int{limit: http.StatusAccepted, limit + 1: http.StatusRequestEntityTooLarge} {
		body := push("refs/heads/master")
		body = append(body, bytes.Repeat([]byte(" "), size-len(body))...)
		r := newReceiver(t, nil)
		if w := r.deliver(delivery("push", body)); w.Code != want {
			t.Errorf("%d bytes: %d, want %d", size, w.Code, want)
		}
	}
}

// breaking is a body whose sender goes away.
type breaking struct{}

func (breaking) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestBodyBreaksOff(t *testing.T) {
	r := newReceiver(t, nil)
	req := delivery("push", nil)
	req.Body = io.NopCloser(breaking{})
	if w := r.deliver(req); w.Code != http.StatusBadRequest || r.observed[0] != "push incomplete" {
		t.Errorf("%d, observed %q", w.Code, r.observed)
	}
}

func TestOverHTTP(t *testing.T) {
	r := newReceiver(t, nil)
	server := httptest.NewServer(r)
	defer server.Close()
	post := func(body []byte) int {
		req := delivery("push", body)
		out, err := http.NewRequest(http.MethodPost, server.URL, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		out.Header = req.Header
		resp, err := server.Client().Do(out)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	if got := post(example(t, "push.4")); got != http.StatusAccepted || r.hints != 1 {
		t.Errorf("push: %d, %d hints", got, r.hints)
	}
	if got := post(make([]byte, 1<<20+1)); got != http.StatusRequestEntityTooLarge {
		t.Errorf("large push: %d", got)
	}
}

func TestOptions(t *testing.T) {
	tests := []struct {
		name   string
		change func(*webhook.Options)
		want   string
	}{
		{"no secret", func(o *webhook.Options) { o.Secret = nil }, "TRUNKLINE_WEBHOOK_SECRET"},
		{"empty secret", func(o *webhook.Options) { o.Secret = static("") }, "TRUNKLINE_WEBHOOK_SECRET"},
		{"blank secret", func(o *webhook.Options) { o.Secret = static(strings.Repeat(" \t\n", 20)) }, "--webhook-secret-file"},
		{"short secret", func(o *webhook.Options) { o.Secret = static("0123456789abcde\n") }, "15 bytes"},
		{"unreadable secret", func(o *webhook.Options) {
			o.Secret = func() ([]byte, error) { return nil, os.ErrNotExist }
		}, os.ErrNotExist.Error()},
		{"no hint", func(o *webhook.Options) { o.Hint = nil }, "Hint"},
		{"no branch", func(o *webhook.Options) { o.Branch = "" }, "--branch"},
		{"no remote", func(o *webhook.Options) { o.Remote = " " }, "--repo"},
		{"remote without a repository", func(o *webhook.Options) { o.Remote = "https://github.com/" }, "--repo"},
	}
	for _, tt := range tests {
		o := webhook.Options{Secret: static(secret), Remote: remote, Branch: "main", Hint: func() {}}
		tt.change(&o)
		if _, err := webhook.NewGitHub(o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", tt.name, err, tt.want)
		}
	}
	if _, err := webhook.NewGitHub(webhook.Options{Secret: static(secret), Remote: remote, Branch: "main", Hint: func() {}}); err != nil {
		t.Errorf("Log and Observe may be left out: %v", err)
	}
}

// A secret may be replaced while the server runs. Until it can be read again,
// nothing is taken, least of all what is signed with an empty one.
func TestSecretRotates(t *testing.T) {
	current, err := secret+"\r\n", error(nil)
	r := newReceiver(t, func(o *webhook.Options) {
		o.Secret = func() ([]byte, error) { return []byte(current), err }
	})
	body := push("refs/heads/master")
	status := func(key string) int {
		req := delivery("push", body)
		req.Header.Set("X-Hub-Signature-256", "sha256="+sign(sha256.New, key, body))
		return r.deliver(req).Code
	}
	if got := status(secret); got != http.StatusAccepted {
		t.Fatalf("before: %d", got)
	}
	current = "another secret, long enough"
	if got := status(secret); got != http.StatusUnauthorized {
		t.Errorf("old secret: %d", got)
	}
	if got := status(current); got != http.StatusAccepted {
		t.Errorf("new secret: %d", got)
	}
	current = "\n"
	if got := status(""); got != http.StatusServiceUnavailable {
		t.Errorf("emptied secret: %d", got)
	}
	current, err = secret, errors.New("disk is gone")
	if got := status(secret); got != http.StatusServiceUnavailable {
		t.Errorf("unreadable secret: %d", got)
	}
	if r.hints != 2 {
		t.Errorf("%d hints, want 2", r.hints)
	}
	if strings.Contains(r.log.String(), secret) {
		t.Error("the secret is in the log")
	}
}

// No label comes from a stranger.
func TestObserveIsBounded(t *testing.T) {
	r := newReceiver(t, nil)
	for _, event := range []string{"", "PUSH", "push ", "workflow_run", strings.Repeat("x", 5000)} {
		r.deliver(delivery(event, []byte("{}")))
	}
	for _, got := range r.observed {
		if got != "other ignoredEvent" {
			t.Errorf("observed %q", got)
		}
	}
}

func TestLog(t *testing.T) {
	r := newReceiver(t, nil)
	req := delivery("push", example(t, "push.4"))
	req.Header.Set("X-GitHub-Delivery", strings.Repeat("x", 5000))
	r.deliver(req)
	if got := r.log.String(); !strings.Contains(got, "level=INFO") || !strings.Contains(got, "component=webhook") || len(got) > 500 {
		t.Errorf("log of a push: %s", got)
	}
	r.log.Reset()
	req = delivery("push", example(t, "push.4"))
	req.Header.Del("X-Hub-Signature-256")
	r.deliver(req)
	if got := r.log.String(); !strings.Contains(got, "level=DEBUG") {
		t.Errorf("a stranger's delivery is logged as %s", got)
	}
}
