package validator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"
)

// service is an HTTP service that the question is posted to.
type service struct {
	url       *url.URL
	tokenFile string // empty: no token
	transport *http.Transport
}

// newService makes a service. Connections are not kept: questions are rare, and the name is looked up anew for each.
func newService(u *url.URL, tokenFile string) *service {
	s := &service{url: u, tokenFile: tokenFile}
	s.transport = &http.Transport{
		DialContext:            (&net.Dialer{Control: s.control}).DialContext,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeaders,
	}
	return s
}

func (s *service) String() string { return s.url.Scheme + "://" + s.url.Host }

func (s *service) ask(ctx context.Context, question []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url.String(), bytes.NewReader(question))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "trunkline")
	if err := s.authorize(req); err != nil {
		return nil, err
	}
	// A client would follow redirects, and name the URL in its errors.
	res, err := s.transport.RoundTrip(req)
	if err != nil {
		return nil, because(ctx, err)
	}
	defer res.Body.Close()
	if err := refusal(res.StatusCode); err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, because(ctx, fmt.Errorf("the answer breaks off: %w", err))
	case len(answer) > maxAnswer:
		return nil, errFlood
	}
	return answer, nil
}

// because is the error, or why it was given up.
func because(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errors.New(oneLine(err.Error(), maxReason))
}

func refusal(status int) error {
	text := strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
	switch {
	case status == http.StatusOK:
		return nil
	case status >= 300 && status < 400:
		return fmt.Errorf("the service answers %s, and redirects are not followed: name the address itself as url", text)
	default:
		return fmt.Errorf("the service answers %s and not 200", text)
	}
}

// authorize reads the token at each use, so that a rotated one is taken up.
func (s *service) authorize(req *http.Request) error {
	if s.tokenFile == "" {
		return nil
	}
	f, err := os.Open(s.tokenFile)
	if err != nil {
		return fmt.Errorf("read the token: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return fmt.Errorf("read the token: %w", err)
	}
	token := strings.TrimSpace(string(data))
	unfit := func(r rune) bool { return r <= ' ' || r > '~' }
	if token == "" || len(data) > maxToken || strings.ContainsFunc(token, unfit) {
		return fmt.Errorf("the file %s must hold one token and nothing else", s.tokenFile)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return nil
}

// control refuses link-local addresses, whatever resolves to them: there clouds hand out credentials. One that the settings name
// themselves is meant.
func (s *service) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := plain(at.Addr())
	if named, err := netip.ParseAddr(s.url.Hostname()); err == nil && plain(named) == ip {
		return nil
	}
	if ip.IsLinkLocalUnicast() {
		return errors.New("the name resolves to a link-local address, which is refused")
	}
	return nil
}

func plain(ip netip.Addr) netip.Addr { return ip.Unmap().WithZone("") }
