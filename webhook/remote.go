package webhook

import (
	"net/netip"
	"net/url"
	"path"
	"strings"
)

// Normalise returns one comparable form for all the spellings of a remote, or
// "" for what names no repository. The form is for comparing and showing, not
// for fetching.
//
//	https://user@GitHub.com/Octo/Hello.git/   github.com/octo/hello
//	git@github.com:octo/hello.git             github.com/octo/hello
//	ssh://git@git.example:2222/octo/hello     git.example:2222/octo/hello
//	/srv/git/hello.git                        file:///srv/git/hello
//
// Scheme, user, default port, trailing slashes and a trailing .git do not
// count. Hosts are compared without case, paths with it, except on GitHub,
// which knows none. As for git, a colon before the first slash makes
// host:path, and what has neither that nor a scheme is a local path; a
// relative one is left relative, symbolic links are not followed.
func Normalise(remote string) string {
	remote = strings.TrimSpace(remote)
	if remote == "" {
		return ""
	}
	if strings.Contains(remote, "://") {
		return normaliseURL(remote)
	}
	if isPath(remote) {
		return normaliseFile(remote)
	}
	host, repo := splitSCP(remote)
	return join(host, "22", "22", repo)
}

// isPath reports whether git would take the remote for a local path.
func isPath(remote string) bool {
	if strings.Contains(remote, "://") {
		return false
	}
	host, _ := splitSCP(remote)
	return host == ""
}

// splitSCP splits [user@]host:path. The host is empty if it is not of that
// form. An IPv6 host stands in brackets, which are kept.
func splitSCP(remote string) (host, repo string) {
	start := 0
	if open := strings.IndexByte(remote, '['); open == 0 || open > 0 && remote[open-1] == '@' {
		start = open + strings.IndexByte(remote[open:], ']') + 1
	}
	before, after, found := strings.Cut(remote[start:], ":")
	if !found || strings.Contains(remote[:start]+before, "/") {
		return "", ""
	}
	host = remote[:start] + before
	return host[strings.LastIndexByte(host, '@')+1:], after
}

var defaultPorts = map[string]string{
	"http": "80", "https": "443", "git": "9418",
	"ssh": "22", "git+ssh": "22", "ssh+git": "22",
}

func normaliseURL(remote string) string {
	u, err := url.Parse(remote)
	if err != nil {
		return ""
	}
	if u.Scheme != "file" {
		return join(u.Hostname(), u.Port(), defaultPorts[u.Scheme], u.Path)
	}
	if u.Host != "" && !strings.EqualFold(u.Host, "localhost") {
		return ""
	}
	return normaliseFile(u.Path)
}

func normaliseFile(name string) string {
	if name = trimRepo(name); name == "" {
		return ""
	}
	return "file://" + name
}

func join(host, port, defaultPort, repo string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if port == defaultPort {
		port = ""
	}
	if host == "www.github.com" || host == "ssh.github.com" && (port == "" || port == "443") {
		// ssh.github.com:443 is how GitHub is reached over SSH where port 22
		// is closed.
		host, port = "github.com", ""
	}
	if ignoresCase(host) {
		repo = strings.ToLower(repo)
	}
	repo = strings.TrimPrefix(trimRepo("/"+repo), "/")
	if host == "" || repo == "" {
		return ""
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is6() {
		host = "[" + addr.String() + "]"
	}
	if port != "" {
		host += ":" + port
	}
	return host + "/" + repo
}

// ignoresCase reports whether the host is known to serve repositories without
// regard to case. A GitHub on premises cannot be told from another host; its
// payloads use the case the repository was created with.
func ignoresCase(host string) bool {
	return host == "github.com" || strings.HasSuffix(host, ".ghe.com")
}

// trimRepo cleans a path and takes .git off its end. What remains of the root
// is empty.
func trimRepo(name string) string {
	for {
		trimmed := strings.TrimSuffix(path.Clean(name), ".git")
		if trimmed == "" || trimmed == "/" || trimmed == "." {
			return ""
		}
		if trimmed = path.Clean(trimmed); trimmed == name {
			return name
		}
		name = trimmed
	}
}
