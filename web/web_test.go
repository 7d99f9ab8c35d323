package web_test

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/web"
)

// ask sends a request to the page, behind which everything is answered 404 and "elsewhere".
func ask(method, path string, header http.Header) *httptest.ResponseRecorder {
	h := web.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "elsewhere", http.StatusNotFound) }))
	r := httptest.NewRequest(method, path, nil)
	if header != nil {
		r.Header = header
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// browser is what a browser says of itself when somebody opens an address.
var browser = http.Header{"Accept": {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}}

func TestPageIsForBrowsers(t *testing.T) {
	for _, c := range []struct {
		method, path string
		header       http.Header
		status       int
	}{
		{http.MethodGet, "/", browser, http.StatusOK},
		{http.MethodHead, "/", browser, http.StatusOK},
		{http.MethodGet, "/", nil, http.StatusNotFound},
		{http.MethodGet, "/", http.Header{"Accept": {"*/*"}}, http.StatusNotFound},
		{http.MethodGet, "/", http.Header{"Accept": {"application/json"}}, http.StatusNotFound},
		{http.MethodPost, "/", browser, http.StatusNotFound},
		{http.MethodGet, "/assets/app.js", nil, http.StatusOK},
		{http.MethodGet, "/assets/views/overview.js", nil, http.StatusOK},
		{http.MethodPost, "/assets/app.js", nil, http.StatusNotFound},
		{http.MethodGet, "/assets/", browser, http.StatusNotFound},
		{http.MethodGet, "/assets/index.html", browser, http.StatusNotFound},
		{http.MethodGet, "/assets/../web.go", browser, http.StatusNotFound},
		{http.MethodGet, "/index.html", browser, http.StatusNotFound},
		{http.MethodGet, "/v1/none", browser, http.StatusNotFound},
	} {
		w := ask(c.method, c.path, c.header)
		if w.Code != c.status {
			t.Errorf("%s %s, Accept %q: %d", c.method, c.path, c.header.Get("Accept"), w.Code)
		}
		if c.path == "/" && w.Header().Get("Vary") != "Accept" {
			t.Errorf("%s / does not vary by Accept", c.method)
		}
	}
}

func TestFilesAreSafeToServe(t *testing.T) {
	for _, path := range append(files(t), "/") {
		w := ask(http.MethodGet, path, browser)
		for name, want := range map[string]string{
			"Content-Security-Policy": web.Policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache",
			"Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") == "" {
			t.Errorf("%s: %d, of type %q", path, w.Code, w.Header().Get("Content-Type"))
		}
		again := ask(http.MethodGet, path, http.Header{"Accept": {"text/html"}, "If-None-Match": {`"other", ` + w.Header().Get("ETag")}})
		if again.Code != http.StatusNotModified || again.Body.Len() > 0 {
			t.Errorf("%s: asked for again, the answer is %d with %d bytes", path, again.Code, again.Body.Len())
		}
	}
}

func TestPolicyAllowsNothingElse(t *testing.T) {
	directives := strings.Split(web.Policy, "; ")
	for _, d := range directives {
		if name, sources, _ := strings.Cut(d, " "); !slices.Contains([]string{"'none'", "'self'", "'script'"}, sources) {
			t.Errorf("%s allows %s", name, sources)
		}
	}
	if directives[0] != "default-src 'none'" {
		t.Errorf("what is not named is not refused: %s", directives[0])
	}
}

// files are all but the page itself, by the path each is served under.
func files(t *testing.T) []string {
	t.Helper()
	var all []string
	err := fs.WalkDir(os.DirFS("."), "assets", func(path string, entry fs.DirEntry, err error) error {
		if !entry.IsDir() && path != "assets/index.html" {
			all = append(all, "/"+path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func source(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(strings.TrimPrefix(path, "/"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestPageNamesItsFiles holds the list of modules that a browser is told to fetch at once: without it each import waits for the one
// before.
func TestPageNamesItsFiles(t *testing.T) {
	page := source(t, "/assets/index.html")
	named := map[string]int{}
	for _, m := range regexp.MustCompile(`(?:href|src)="(assets/[^"]+)"`).FindAllStringSubmatch(page, -1) {
		named["/"+m[1]]++
	}
	for _, path := range files(t) {
		if named[path] == 0 {
			t.Errorf("the page does not name %s", path)
		}
		delete(named, path)
	}
	for path := range named {
		t.Errorf("the page names %s, which is not there", path)
	}
}

// TestTextNeverBecomesHTML looks for what reads a string as HTML or as a program, and for what the policy would refuse.
func TestTextNeverBecomesHTML(t *testing.T) {
	unsafe := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|setHTML|\beval\(|new Function|srcdoc|\.style\b|javascript:`)
	for _, path := range files(t) {
		if found := unsafe.FindString(source(t, path)); found != "" {
			t.Errorf("%s uses %s", path, found)
		}
	}
	page := source(t, "/assets/index.html")
	if found := regexp.MustCompile(`<style|\sstyle=|\son[a-z]+=`).FindString(page); found != "" {
		t.Errorf("the page holds %s", found)
	}
	for _, script := range regexp.MustCompile(`<script.*`).FindAllString(page, -1) {
		if !regexp.MustCompile(`^<script( type="module")? src="assets/[a-z]+\.js"></script>$`).MatchString(script) {
			t.Errorf("the page holds %s", script)
		}
	}
	for _, path := range files(t) {
		if found := regexp.MustCompile(`https?://[^"'\s)$]+`).FindString(source(t, path)); found != "" && found != "http://www.w3.org/2000/svg" {
			t.Errorf("%s names %s", path, found)
		}
	}
}
