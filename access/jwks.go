package access

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// keySource is where one issuer's keys come from. One goroutine fetches them, at times of its own and when a request meets a key that
// is not known; requests wait for it, a bounded number for a bounded time, and never fetch themselves. A source that does not answer,
// or answers with what holds no key, leaves the keys that were there.
type keySource struct {
	issuer  string
	at      keyLocation
	times   keyTimes
	log     *slog.Logger
	fetched func(issuer, outcome string)

	current atomic.Pointer[keySet]
	wanted  chan struct{} // a request asks for a look
	waiters chan struct{} // one for each request that waits

	mu      sync.Mutex
	looking bool
	tried   time.Time     // when the last look ended
	good    time.Time     // when the keys were last found there
	failure string        // of the last look; empty when it was good
	looked  chan struct{} // closed at the end of the next look

	read os.FileInfo // of a file, by the one goroutine
}

// keySet is the keys of one moment.
type keySet struct {
	keys   []publicKey
	digest digest // of what they were read from
}

func newKeySource(issuer string, at keyLocation, times keyTimes, log *slog.Logger, fetched func(issuer, outcome string)) *keySource {
	return &keySource{
		issuer: issuer, at: at, times: times, log: log, fetched: fetched,
		wanted: make(chan struct{}, 1), waiters: make(chan struct{}, maxKeyWaiters), looked: make(chan struct{}),
	}
}

// run looks for keys until ctx ends.
func (s *keySource) run(ctx context.Context) {
	for s.look(ctx); s.rest(ctx); s.look(ctx) {
	}
}

// rest waits until the next look is due, and reports false when there is none.
func (s *keySource) rest(ctx context.Context) bool {
	timer := time.NewTimer(s.pause())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-s.wanted:
			if !s.recent() {
				return true
			}
		}
	}
}

func (s *keySource) pause() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.at.file != "":
		return s.times.file
	case s.failure != "":
		return s.times.retry
	default:
		return s.times.refresh - rand.N(s.times.refresh/10+1) // so that a fleet does not ask at the same moment
	}
}

// recent tells whether the last look is too near for another one.
func (s *keySource) recent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.looking && !s.tried.IsZero() && time.Since(s.tried) < s.times.retry
}

// find returns the keys of a kid and an algorithm. It waits for keys that may come.
func (s *keySource) find(ctx context.Context, kid string, alg jose.SignatureAlgorithm) ([]publicKey, *keySet, *Refused) {
	set := s.present()
	if keys := set.matching(kid, alg); len(keys) > 0 {
		return keys, set, nil
	}
	looked := s.await(ctx)
	set = s.present()
	switch keys := set.matching(kid, alg); {
	case len(keys) > 0:
		return keys, set, nil
	case set == nil || !looked || s.failing():
		return nil, nil, refusedKeys // a key that is not there now may be there then
	default:
		return nil, nil, refusedKey
	}
}

// present are the keys as they are known, or nil when they are too old.
func (s *keySource) present() *keySet {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.good) >= s.times.keep {
		return nil
	}
	return s.current.Load()
}

func (s *keySource) failing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure != ""
}

// await asks for a look and waits until it has ended. It reports whether the last one is recent enough to tell what keys there are.
func (s *keySource) await(ctx context.Context) bool {
	s.mu.Lock()
	looked := s.looked
	s.mu.Unlock()
	if s.recent() {
		return true
	}
	select {
	case s.waiters <- struct{}{}:
		defer func() { <-s.waiters }()
	default:
		return false
	}
	select {
	case s.wanted <- struct{}{}:
	default:
	}
	timer := time.NewTimer(s.times.wait)
	defer timer.Stop()
	select {
	case <-looked:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// look takes up the keys as they are now.
func (s *keySource) look(ctx context.Context) {
	s.mu.Lock()
	s.looking = true
	s.mu.Unlock()
	outcome, err := s.load(ctx)
	if ctx.Err() != nil {
		return
	}
	if err != nil && len(err.Error()) > maxKeyFailure {
		err = errors.New(strings.ToValidUTF8(err.Error()[:maxKeyFailure], "") + "…")
	}
	was := s.note(err)
	s.fetched(s.issuer, outcome)
	switch {
	case err != nil && err.Error() != was:
		s.log.Error("the keys of a JWT issuer cannot be had; those there were stay for a day", "component", "access", "issuer", s.issuer, "err", err)
	case err == nil && was != "":
		s.log.Info("the keys of a JWT issuer can be had again", "component", "access", "issuer", s.issuer)
	}
}

// note keeps how a look went, lets on who waited for it, and returns how the one before had failed.
func (s *keySource) note(err error) (was string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried, was, s.failure = time.Now(), s.failure, ""
	if err != nil {
		s.failure = err.Error()
	} else {
		s.good = s.tried
	}
	select {
	case <-s.wanted: // what was asked for meanwhile has been done
	default:
	}
	close(s.looked)
	s.looking, s.looked = false, make(chan struct{})
	return was
}

// load reads the keys, from wherever they are, and tells the outcome: fetched, unchanged or failed.
func (s *keySource) load(ctx context.Context) (outcome string, err error) {
	var data []byte
	var info os.FileInfo
	switch {
	case s.at.url != "":
		data, err = s.fetch(ctx)
	case s.read != nil && unchanged(s.at.file, s.read):
		return "unchanged", nil
	default:
		data, info, err = readFile(s.at.file, maxJWKS, func(os.FileInfo) error { return nil })
		if err == nil && info == nil {
			err = fmt.Errorf("%s: there is no such file", s.at.file)
		}
	}
	if err != nil {
		return "failed", err
	}
	set, err := parseKeys(data)
	if err != nil {
		return "failed", err
	}
	s.read = info
	if before := s.current.Load(); before != nil && before.digest == set.digest {
		return "unchanged", nil // the set stays, and with it what it has verified
	}
	s.current.Store(set)
	return "fetched", nil
}

// fetch asks a URL. It follows no redirect: the settings say whom to trust.
func (s *keySource) fetch(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.times.fetch)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.at.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	if s.at.tokenFile != "" {
		token, err := os.ReadFile(s.at.tokenFile) // each time, since it is replaced before it expires
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	transport, err := s.transport()
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %d, not 200", s.at.url, resp.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxJWKS+1))
	if err == nil && len(data) > maxJWKS {
		err = fmt.Errorf("%s answers with more than %d bytes", s.at.url, maxJWKS)
	}
	return data, err
}

// transport is made for one fetch: there are few, and the authorities may have changed.
func (s *keySource) transport() (*http.Transport, error) {
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if s.at.caFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(s.at.caFile)
	if err != nil {
		return nil, err
	}
	t.TLSClientConfig.RootCAs = x509.NewCertPool()
	if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New(s.at.caFile + " holds no certificate")
	}
	return t, nil
}
