package gitsync

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
)

// address is where a remote is, without any secret.
type address struct {
	transport.Endpoint
	shown string // for people, the mirror's identity and errors
}

// parseAddress refuses an address that holds a secret, without echoing it: a URL ends up in logs, in the mirror's configuration
// and on status pages.
func parseAddress(raw string) (address, error) {
	if raw == "" {
		return address{}, errors.New("the remote needs a URL or a path")
	}
	if helper, _, found := strings.Cut(raw, "::"); found && !strings.ContainsAny(helper, "/:[") {
		return address{}, errors.New("remote helpers (helper::address) are not supported: use https, http, ssh or file")
	}
	ep, err := transport.NewEndpoint(withPath(raw))
	if err != nil {
		return address{}, errors.New("the remote's URL cannot be read: use https://host/path, ssh://user@host/path, user@host:path or a path")
	}
	ep.Protocol = strings.ToLower(ep.Protocol)
	if err := refuseSecret(ep); err != nil {
		return address{}, err
	}
	switch ep.Protocol {
	case "http", "https", "ssh":
		if ep.Host == "" {
			return address{}, errors.New("the remote's URL names no host")
		}
	case "file":
		return address{Endpoint: *ep, shown: ep.Path}, nil
	default:
		return address{}, fmt.Errorf("the scheme %q is not supported: use https, http, ssh or file", oneLine(ep.Protocol, 20))
	}
	return address{Endpoint: *ep, shown: ep.String()}, nil
}

// withPath makes a relative path absolute, for the working directory may differ at the next start.
func withPath(raw string) string {
	if strings.HasPrefix(raw, "./") || strings.HasPrefix(raw, "../") || raw == "." || raw == ".." {
		if abs, err := filepath.Abs(raw); err == nil {
			return abs
		}
	}
	return raw
}

func refuseSecret(ep *transport.Endpoint) error {
	web := ep.Protocol == "http" || ep.Protocol == "https"
	if ep.Password != "" || web && ep.User != "" {
		return errors.New("the remote's URL holds a user name or a password: leave it out, and give the token by --git-token-file")
	}
	if !web {
		return nil
	}
	_, query, _ := strings.Cut(ep.Path, "?")
	values, _ := url.ParseQuery(query)
	for name := range values {
		if strings.Contains(strings.ToLower(name), "token") {
			return errors.New("the remote's URL holds a token: leave it out, and give the token by --git-token-file")
		}
	}
	return nil
}

// private tells whether what is sent there cannot be read on the way.
func (a address) private() bool {
	if a.Protocol == "https" {
		return true
	}
	host := strings.Trim(a.Host, "[]")
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// azure tells whether Azure DevOps serves there: it demands a capability that go-git holds back.
func (a address) azure() bool {
	host := strings.ToLower(a.Host)
	return host == "dev.azure.com" || strings.HasSuffix(host, ".dev.azure.com") || strings.HasSuffix(host, ".visualstudio.com") ||
		strings.Contains(a.Path, "/_git/")
}
