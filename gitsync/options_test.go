package gitsync_test

import (
	"strings"
	"testing"
	"time"

	"github.com/trunkline/trunkline/gitsync"
)

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	some := func() (string, error) { return "s3cret", nil }
	for name, tt := range map[string]struct {
		change func(*gitsync.Options)
		says   string
	}{
		"no URL":                  {func(o *gitsync.Options) { o.URL = "" }, "URL"},
		"a password":              {func(o *gitsync.Options) { o.URL = "https://me:s3cret@example.com/a.git" }, "--git-token-file"},
		"a token as user":         {func(o *gitsync.Options) { o.URL = "https://s3cret@example.com/a.git" }, "--git-token-file"},
		"a token in the query":    {func(o *gitsync.Options) { o.URL = "https://example.com/a.git?private_token=s3cret" }, "--git-token-file"},
		"a password for ssh":      {func(o *gitsync.Options) { o.URL = "ssh://git:s3cret@example.com/a.git" }, "leave it out"},
		"a broken URL":            {func(o *gitsync.Options) { o.URL = "https://u:s3cret@exa mple.com:port/%zz" }, "cannot be read"},
		"another scheme":          {func(o *gitsync.Options) { o.URL = "ftp://example.com/a.git" }, "not supported"},
		"git without a secret":    {func(o *gitsync.Options) { o.URL = "git://example.com/a.git" }, "not supported"},
		"a helper":                {func(o *gitsync.Options) { o.URL = "ext::sh -c evil" }, "not supported"},
		"no host":                 {func(o *gitsync.Options) { o.URL = "https:///a.git" }, "host"},
		"a token in the clear":    {func(o *gitsync.Options) { o.URL, o.Token = "http://example.com/a.git", some }, "https"},
		"no directory":            {func(o *gitsync.Options) { o.Dir = "" }, "directory"},
		"polling too often":       {func(o *gitsync.Options) { o.Poll = time.Millisecond }, "1s"},
		"a branch above":          {func(o *gitsync.Options) { o.Branch = "../../etc" }, "branch"},
		"an absolute branch":      {func(o *gitsync.Options) { o.Branch = "/etc/passwd" }, "branch"},
		"a branch with a space":   {func(o *gitsync.Options) { o.Branch = "my branch" }, "branch"},
		"a branch for a lock":     {func(o *gitsync.Options) { o.Branch = "a.lock" }, "branch"},
		"a branch like an option": {func(o *gitsync.Options) { o.Branch = "-x" }, "branch"},
		"HEAD":                    {func(o *gitsync.Options) { o.Branch = "HEAD" }, "branch"},
		"a very long branch":      {func(o *gitsync.Options) { o.Branch = strings.Repeat("a", 300) }, "branch"},
	} {
		t.Run(name, func(t *testing.T) {
			o := gitsync.Options{URL: "https://example.com/a.git", Branch: "main", Dir: t.TempDir()}
			tt.change(&o)
			f, err := gitsync.Open(t.Context(), o)
			if err == nil {
				f.Close()
				t.Fatal("it is taken")
			}
			if !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("error %q, want it to say %q and no secret", err, tt.says)
			}
		})
	}
}

func TestOpenTakes(t *testing.T) {
	t.Parallel()
	some := func() (string, error) { return "s3cret", nil }
	for _, o := range []gitsync.Options{
		{URL: "https://example.com/a.git", Token: some},
		{URL: "http://127.0.0.1:3000/a.git", Token: some},
		{URL: "http://[::1]:3000/a.git", Token: some},
		{URL: "http://localhost/a.git", Token: some},
		{URL: "http://example.com/a.git"},
		{URL: "HTTPS://example.com/a.git"},
		{URL: "git@example.com:team/a.git", Branch: "release/1.x"},
		{URL: "ssh://git@example.com:2222/a.git", Branch: "refs/heads/main"},
		{URL: "./config"},
		{URL: "../config"},
		{URL: "file:///srv/config.git"},
	} {
		o.Dir = t.TempDir()
		f, err := gitsync.Open(t.Context(), o)
		if err != nil {
			t.Errorf("%s: %v", o.URL, err)
			continue
		}
		if !f.Head().IsZero() {
			t.Errorf("%s: a new mirror has the head %s", o.URL, f.Head())
		}
		if err := f.Close(); err != nil {
			t.Errorf("%s: close: %v", o.URL, err)
		}
	}
}
