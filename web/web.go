// Package web is the page of the server: what is live, since when and why, for people who would rather look than type. It is a
// program of the browser, which is served from the binary, reads the HTTP API with the credential that its reader has, and writes
// nothing.
//
// The files under assets are served as they are: modules of JavaScript, a sheet of CSS, no build step. Nobody is asked for a
// credential for them, because a browser cannot send one before it has the page, and they hold nothing of the server.
package web

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// Policy is the page's Content-Security-Policy: its own scripts, styles and images, requests to where it came from, and nothing else.
// No script may turn a text into HTML.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

//go:embed assets
var assets embed.FS

const index = "/assets/index.html"

var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
}

// file is one file of the page.
type file struct {
	data []byte
	kind string
	tag  string // its ETag
}

// Handler serves the page at / to those who accept HTML, and its files under /assets. Everything else is next's to answer.
func Handler(next http.Handler) http.Handler {
	files := load()
	page := files[index]
	delete(files, index)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, known := files[r.URL.Path]
		if r.URL.Path == "/" {
			w.Header().Add("Vary", "Accept")
			f, known = page, strings.Contains(r.Header.Get("Accept"), "text/html")
		}
		if !known || r.Method != http.MethodGet && r.Method != http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		f.serve(w, r)
	})
}

// load reads the files, by the path each is served under.
func load() map[string]file {
	files := map[string]file{}
	err := fs.WalkDir(assets, "assets", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := assets.ReadFile(name)
		sum := sha256.Sum256(data)
		files["/"+name] = file{data, types[path.Ext(name)], `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
		return err
	})
	if err != nil {
		panic(err) // the files are in the binary
	}
	return files
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", Policy)
	h.Set("Content-Type", f.kind)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache") // asked for anew, and answered in few bytes: the page and the server are of one version
	h.Set("ETag", f.tag)
	if strings.Contains(r.Header.Get("If-None-Match"), f.tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(f.data) // an error means that the reader has gone
}
