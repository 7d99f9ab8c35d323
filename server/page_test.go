package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/server"
	"github.com/trunkline/trunkline/web"
)

var browser = http.Header{"Accept": {"text/html,application/xhtml+xml,*/*;q=0.8"}}

// TestPage is served to browsers before they can show a credential, and to nobody else.
func TestPage(t *testing.T) {
	remote := shop(t)
	set := settings(remote, t.TempDir())
	set.CredentialsOnly = true
	s := start(t, remote, set)
	for _, path := range []string{"/", "/assets/app.js", "/assets/app.css"} {
		res, body := s.request(http.MethodGet, s.url+path, nil, browser)
		if res.StatusCode != http.StatusOK || len(body) == 0 || res.Header.Get("Content-Security-Policy") != web.Policy {
			t.Errorf("%s: %s, with the policy %q", path, res.Status, res.Header.Get("Content-Security-Policy"))
		}
	}
	for path, header := range map[string]http.Header{"/": nil, "/none": browser, "/assets/none.js": browser, "/v1/status": browser} {
		res, body := s.request(http.MethodGet, s.url+path, nil, header)
		if res.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(string(body), `{"error":`) {
			t.Errorf("%s: %s %s", path, res.Status, body)
		}
	}
}

func TestNoPage(t *testing.T) {
	remote := shop(t)
	for name, change := range map[string]func(*server.Settings){"with": func(*server.Settings) {}, "without": func(s *server.Settings) { s.NoPage = true }} {
		set := settings(remote, t.TempDir())
		change(&set)
		s := start(t, remote, set)
		res, body := s.request(http.MethodGet, s.url+"/", nil, browser)
		if got := strings.HasPrefix(string(body), "<!doctype html>"); got != (name == "with") {
			t.Errorf("%s the page: %s %s", name, res.Status, body)
		}
		if _, body := s.get("/"); !strings.Contains(body, `"notFound"`) {
			t.Errorf("%s the page, to a program: %s", name, body)
		}
	}
}
