package gitsync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// tokenUser is the user a token is sent under. GitHub, GitLab, Gitea and Azure DevOps all take it.
const tokenUser = "x-access-token"

// web reaches a remote over HTTP. Connections are kept between looks.
type web struct {
	address
	token  func() (string, error)
	pool   *http.Transport
	client transport.Transport
}

func newHTTP(a address, token func() (string, error)) (*web, error) {
	if token != nil && !a.private() {
		return nil, fmt.Errorf("a token would travel readable to %s: use https", a.shown)
	}
	pool := http.DefaultTransport.(*http.Transport).Clone()
	pool.MaxIdleConnsPerHost = 2
	client := githttp.NewClient(&http.Client{Transport: gate{pool}})
	return &web{address: a, token: token, pool: pool, client: client}, nil
}

func (w *web) dial(context.Context) (session, error) {
	var auth transport.AuthMethod
	if w.token != nil {
		token, err := w.token()
		if err != nil {
			return nil, fmt.Errorf("read the token: %w", err)
		}
		if token = strings.TrimSpace(token); token == "" {
			return nil, hint(ErrCredential, "the token is empty: check --git-token-file")
		}
		auth = &githttp.BasicAuth{Username: tokenUser, Password: token}
	}
	// A session follows a redirect by changing its endpoint: each gets its own.
	endpoint := w.Endpoint
	return w.client.NewUploadPackSession(&endpoint, auth)
}

func (w *web) close() { w.pool.CloseIdleConnections() }

var errNoGit = errors.New("no Git repository answers there")

// gate stands before go-git's client. It turns away answers that are not Git, and bounds those that could fill the memory.
type gate struct{ next http.RoundTripper }

func (g gate) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := g.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if err := refusal(res); err != nil {
		_ = res.Body.Close()
		return nil, err
	}
	listing := strings.HasSuffix(req.URL.Path, "/info/refs")
	switch {
	case res.StatusCode >= 300:
		res.Body = capped(res.Body, maxErrorBody)
	case !isGit(res, listing):
		_ = res.Body.Close()
		return nil, hint(errNoGit, "the remote answers with %s and not with Git: check the URL, and whether it asks for a sign-in",
			contentType(res))
	case listing:
		res.Body = capped(res.Body, maxListing)
	}
	return res, nil
}

func isGit(res *http.Response, listing bool) bool {
	want := "application/x-git-upload-pack-result"
	if listing {
		want = "application/x-git-upload-pack-advertisement"
	}
	return strings.HasPrefix(res.Header.Get("Content-Type"), want)
}

func contentType(res *http.Response) string {
	name, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	switch name = oneLine(name, 60); name {
	case "":
		return "something without a type"
	case "text/html":
		return "a web page"
	}
	return name
}

type cappedBody struct {
	io.Reader
	io.Closer
}

func capped(body io.ReadCloser, limit int64) io.ReadCloser {
	return cappedBody{io.LimitReader(body, limit), body}
}

var errStatus = errors.New("the remote answers with an error")

// refusal is the error for a status that go-git has no word for, or nil.
func refusal(res *http.Response) error {
	code := res.StatusCode
	switch {
	case code < 400, code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusNotFound:
		return nil
	}
	text := strings.TrimSpace(fmt.Sprintf("the remote answers %d %s", code, http.StatusText(code)))
	if after := res.Header.Get("Retry-After"); after != "" {
		text += fmt.Sprintf(" (Retry-After: %s)", oneLine(after, 40))
	}
	return hint(errStatus, "%s", text)
}

// unwrapped takes off what go-git and net/http put around an error: words that mean nothing to people, and the URL once more.
func unwrapped(err error) error {
	for {
		var inURL *url.Error
		var unexpected *plumbing.UnexpectedError
		var permanent *plumbing.PermanentError
		switch {
		case errors.As(err, &unexpected):
			err = unexpected.Err
		case errors.As(err, &permanent):
			err = permanent.Err
		case errors.As(err, &inURL):
			err = inURL.Err
		default:
			return err
		}
	}
}
