package validator

import (
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/value"
)

// allowed are the hosts that a url may name.
func (r *reader) allowed(doc *value.Value) []string {
	v, ok := doc.Get("allowHosts")
	if !ok {
		return nil
	}
	var hosts []string
	for _, host := range r.texts(v, "allowHosts", "[checks.example.com]") {
		_, err := netip.ParseAddr(host)
		if host == "" || err != nil && strings.ContainsAny(host, `/:*@[] `) {
			r.wrong(v, "write names or addresses alone, as checks.example.com: no scheme, port or pattern", "%q is no host", host)
		}
		hosts = append(hosts, canonical(host))
	}
	return hosts
}

// canonical is one form for all spellings of a host.
func canonical(host string) string {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.String()
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// url checks an address. What is wrong is told without it, because it may hold a secret.
func (r *reader) url(in *value.Value) *url.URL {
	insecure := r.flag(in, "insecure")
	v, _ := in.Get("url")
	u, err := url.Parse(v.Str())
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
		r.wrong(v, "write one as https://checks.example.com/v1/config", "url is no address of http or https")
		return &url.URL{}
	}
	host := canonical(u.Hostname())
	switch {
	case u.User != nil:
		r.wrong(v, "put the token into a file and name it with tokenFile", "url holds a credential")
	case !slices.Contains(r.hosts, host):
		r.wrong(v, "write allowHosts: ["+host+"] at the top", "the host %s is not allowed", host)
	case u.Scheme == "http" && !insecure && !isLoopback(host):
		r.wrong(v, "write https, or insecure: true", "the configuration would travel readable to %s", host)
	}
	return u
}

// isLoopback tells whether a host is this machine by its name.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && plain(ip).IsLoopback() || host == "localhost"
}

// tokenFile checks a path. It is not told what is none: that may be the token itself.
func (r *reader) tokenFile(in *value.Value) string {
	v, ok := in.Get("tokenFile")
	if ok && !filepath.IsAbs(v.Str()) {
		r.wrong(v, "write its absolute path, as tokenFile: /etc/trunkline/quota.token", "tokenFile is no absolute path")
	}
	if !ok {
		return ""
	}
	return v.Str()
}
