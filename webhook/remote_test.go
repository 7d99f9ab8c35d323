package webhook_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/webhook"
)

func TestNormalise(t *testing.T) {
	tests := []struct{ remote, want string }{
		{"https://github.com/o/r.git", "github.com/o/r"},
		{"https://user@github.com/o/r/", "github.com/o/r"},
		{"https://user:token@github.com/o/r.git/", "github.com/o/r"},
		{"https://github.com:443/o/r", "github.com/o/r"},
		{"HTTP://GitHub.com/O/R", "github.com/o/r"},
		{"http://github.com.:80//o//r?x=1#y", "github.com/o/r"},
		{"https://www.github.com/o/r", "github.com/o/r"},
		{"git@github.com:o/r.git", "github.com/o/r"},
		{"git@github.com:/O/r.git", "github.com/o/r"},
		{"github.com:o/r", "github.com/o/r"},
		{"ssh://git@github.com:22/o/r.git", "github.com/o/r"},
		{"git+ssh://git@github.com/o/r", "github.com/o/r"},
		{"ssh://git@ssh.github.com:443/o/r.git", "github.com/o/r"},
		{"git@ssh.github.com:o/r.git", "github.com/o/r"},
		{"git://github.com/o/r.git", "github.com/o/r"},
		{"git://github.com:9418/o/r.git", "github.com/o/r"},
		{" https://github.com/o/r\n", "github.com/o/r"},
		{"https://octo.ghe.com/O/R", "octo.ghe.com/o/r"},

		{"https://Git.Example/O/R", "git.example/O/R"},
		{"https://git.example:8443/O/R", "git.example:8443/O/R"},
		{"ssh://git@git.example:443/O/R", "git.example:443/O/R"},
		{"https://git.example/a/b/c.git", "git.example/a/b/c"},
		{"https://git.example/o/r%20s", "git.example/o/r s"},
		{"ssh://git@[2001:DB8:0::1]:22/o/r", "[2001:db8::1]/o/r"},
		{"git@[2001:db8::1]:o/r", "[2001:db8::1]/o/r"},
		{"https://evil.example/github.com/o/r", "evil.example/github.com/o/r"},
		{"https://github.com@evil.example/o/r", "evil.example/o/r"},
		{"https://evil.example/../github.com/o/r", "evil.example/github.com/o/r"},
		{"https://github.com.evil.example/o/r", "github.com.evil.example/o/r"},

		{"/srv/git/Config.git", "file:///srv/git/Config"},
		{"/srv/git/config/", "file:///srv/git/config"},
		{"/srv/git/config/.git", "file:///srv/git/config"},
		{"/srv/./x/../git/config", "file:///srv/git/config"},
		{"/srv/with:colon", "file:///srv/with:colon"},
		{"file:///srv/git/config.git", "file:///srv/git/config"},
		{"file://localhost/srv/git/config", "file:///srv/git/config"},
		{"FILE:///srv/git/a%20b", "file:///srv/git/a b"},
		{"git/config", "file://git/config"},
		{"./git/config", "file://git/config"},
		{"./with:colon", "file://with:colon"},

		{"", ""},
		{" ", ""},
		{"/", ""},
		{".", ""},
		{"/.git", ""},
		{"https://", ""},
		{"https://github.com", ""},
		{"https://github.com/.git", ""},
		{"https:///o/r", ""},
		{"github.com:", ""},
		{"ssh://git@github.com:o/r", ""},
		{"https://github.com/%zz", ""},
		{"file://elsewhere/srv/git", ""},
	}
	for _, tt := range tests {
		if got := webhook.Normalise(tt.remote); got != tt.want {
			t.Errorf("Normalise(%q) = %q, want %q", tt.remote, got, tt.want)
		}
	}
}

// Every spelling of one repository has one form, and no other repository has
// it.
func TestNormaliseSpellings(t *testing.T) {
	name := rapid.StringMatching(`[a-z0-9]([a-z0-9_-]{0,8}[a-z0-9])?`)
	host := rapid.SampledFrom([]string{"github.com", "git.example", "gitea.internal.example"})
	rapid.Check(t, func(t *rapid.T) {
		h, o, r := host.Draw(t, "host"), name.Draw(t, "owner"), name.Draw(t, "repository")
		want := h + "/" + o + "/" + r
		if got := webhook.Normalise(spelling(t, h, o, r)); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		path := "/srv/" + o + "/" + r
		for _, s := range []string{path, path + "/", path + ".git", path + "/.git", "file://" + path} {
			if got := webhook.Normalise(s); got != "file://"+path {
				t.Fatalf("Normalise(%q) = %q", s, got)
			}
		}
	})
}

func spelling(t *rapid.T, host, owner, repo string) string {
	if host == "github.com" && rapid.Bool().Draw(t, "upper case path") {
		owner, repo = strings.ToUpper(owner), strings.ToUpper(repo)
	}
	if rapid.Bool().Draw(t, "upper case host") {
		host = strings.ToUpper(host)
	}
	user := rapid.SampledFrom([]string{"", "git@", "me:secret@"}).Draw(t, "user")
	end := rapid.SampledFrom([]string{"", "/", ".git", ".git/", "//"}).Draw(t, "end")
	path := owner + "/" + repo + end
	return rapid.SampledFrom([]string{
		fmt.Sprintf("https://%s%s/%s", user, host, path),
		fmt.Sprintf("https://%s%s:443/%s", user, host, path),
		fmt.Sprintf("http://%s%s:80/%s", user, host, path),
		fmt.Sprintf("ssh://%s%s/%s", user, host, path),
		fmt.Sprintf("ssh://%s%s:22//%s", user, host, path),
		fmt.Sprintf("git://%s/%s", host, path),
		fmt.Sprintf("git@%s:%s", host, path),
		fmt.Sprintf("%s:/%s", host, path),
	}).Draw(t, "spelling")
}

func FuzzNormalise(f *testing.F) {
	for _, s := range []string{"https://github.com/o/r.git", "git@[::1]:o/r", "[:", "a@[b", "/.git/.git", "..git", "x://[::1%25a]:1/..", "file://./..git", "A://githuB.Com/.gIt"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, remote string) {
		got := webhook.Normalise(remote)
		if strings.HasSuffix(got, "/") || strings.HasSuffix(got, ".git") {
			t.Errorf("Normalise(%q) = %q has an end that does not count", remote, got)
		}
		path, isFile := strings.CutPrefix(got, "file://")
		if !isFile || !strings.HasPrefix(path, "/") || strings.Contains(path, "://") || strings.TrimSpace(path) != path {
			return
		}
		if again := webhook.Normalise(path); again != got {
			t.Errorf("Normalise(%q) = %q, and of that path %q", remote, got, again)
		}
	})
}
