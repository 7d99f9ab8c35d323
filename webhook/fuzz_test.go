package webhook_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/webhook"
)

// Strangers' bytes, signed and not: never a panic, never our fault, and no
// hint but for a signed push to the followed branch of the followed
// repository.
func FuzzGitHub(f *testing.F) {
	files, _ := filepath.Glob("testdata/octokit/p*.json")
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		event, _, _ := strings.Cut(filepath.Base(file), ".")
		f.Add(body, "POST", event, "application/json", "", true)
		form := []byte(url.Values{"payload": {string(body)}}.Encode())
		f.Add(form, "POST", event, "application/x-www-form-urlencoded", "", true)
		f.Add(body, "POST", event, "application/json", "sha256="+sign(sha256.New, "", body), false)
	}
	f.Add([]byte("payload=%zz;"), "POST", "push", "application/x-www-form-urlencoded; x", "sha256=", true)
	f.Add([]byte(`[{"ref":`), "GET", "", "", "sha1=00", false)
	f.Fuzz(func(t *testing.T, body []byte, method, event, contentType, signature string, signed bool) {
		r := newReceiver(t, nil)
		req := httptest.NewRequest(http.MethodPost, "/webhook/github", bytes.NewReader(body))
		req.Method = method
		req.Header.Set("X-GitHub-Event", event)
		req.Header.Set("Content-Type", contentType)
		good := "sha256=" + sign(sha256.New, secret, body)
		if signed {
			signature = good
		}
		req.Header.Set("X-Hub-Signature-256", signature)
		w := r.deliver(req)
		switch {
		case w.Code >= 500:
			t.Fatalf("%d", w.Code)
		case !json.Valid(w.Body.Bytes()):
			t.Fatalf("answer %q", w.Body)
		case r.hints > 1 || (r.hints == 1) != (w.Body.String() == `{"status":"accepted"}`+"\n"):
			t.Fatalf("%d hints, answer %s", r.hints, w.Body)
		case len(r.observed) != 1:
			t.Fatalf("observed %q", r.observed)
		case r.hints == 0:
			return
		}
		if method != http.MethodPost || event != "push" || !strings.EqualFold(signature, good) {
			t.Fatalf("hinted by %s %q, signed %q", method, event, signature)
		}
		if !concernsUs(body) {
			t.Fatalf("hinted by %q", body)
		}
	})
}

// concernsUs judges a body by means of its own, and loosely.
func concernsUs(body []byte) bool {
	if form, err := url.ParseQuery(string(body)); err == nil && form.Has("payload") {
		body = []byte(form.Get("payload"))
	}
	var p struct {
		Ref        string         `json:"ref"`
		Repository map[string]any `json:"repository"`
	}
	if json.Unmarshal(body, &p) != nil || p.Ref != "refs/heads/master" {
		return false
	}
	for _, address := range p.Repository {
		if s, ok := address.(string); ok && webhook.Normalise(s) == "github.com/codertocat/hello-world" {
			return true
		}
	}
	return false
}
