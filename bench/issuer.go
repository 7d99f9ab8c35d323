package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	workloads   = 50
	rotateEvery = 12 * time.Second // the server looks at the keys at most once in ten
	rotations   = 3
	rotateLasts = 3 * time.Second // after each, in which requests count as those of a rotation
	jwtEvery    = 2 * time.Millisecond
	issuerDelay = 20 * time.Millisecond // of an issuer that is some way off
)

// issuer publishes keys and signs JWTs with the newest.
type issuer struct {
	server *httptest.Server
	keys   []*ecdsa.PrivateKey // oldest first
	set    atomic.Pointer[jose.JSONWebKeySet]
}

func newIssuer() (*issuer, error) {
	i := &issuer{}
	if err := i.rotate(); err != nil {
		return nil, err
	}
	i.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(issuerDelay)
		_ = json.NewEncoder(w).Encode(i.set.Load())
	}))
	return i, nil
}

// rotate publishes a new key beside the one before.
func (i *issuer) rotate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	i.keys = append(i.keys, key)
	set := &jose.JSONWebKeySet{}
	for n := max(0, len(i.keys)-2); n < len(i.keys); n++ {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: i.keys[n].Public(), KeyID: keyID(n), Algorithm: string(jose.ES256), Use: "sig"})
	}
	i.set.Store(set)
	return nil
}

func keyID(n int) string { return fmt.Sprintf("key%d", n) }

// settings writes the server's settings for this issuer.
func (i *issuer) settings(dir string) (file string, err error) {
	text := fmt.Sprintf(`providers:
  - issuer: https://issuer.bench
    audiences: [bench]
    jwks: {url: %s}
    rules: [{when: {role: reader}, grant: {environments: [prod], patterns: ["**"]}}]
`, i.server.URL)
	return filepath.Join(dir, "jwt.yaml"), write(dir, "jwt.yaml", text)
}

// sign makes a JWT for each of so many workloads.
func (i *issuer) sign(n int) ([]string, error) {
	newest := len(i.keys) - 1
	options := (&jose.SignerOptions{}).WithHeader("kid", keyID(newest)).WithType("JWT")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: i.keys[newest]}, options)
	if err != nil {
		return nil, err
	}
	var all []string
	for workload := range n {
		claims, err := json.Marshal(map[string]any{
			"iss": "https://issuer.bench", "aud": "bench", "sub": fmt.Sprintf("workload-%d", workload), "role": "reader",
			"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		})
		if err != nil {
			return nil, err
		}
		signed, err := signer.Sign(claims)
		if err != nil {
			return nil, err
		}
		text, err := signed.CompactSerialize()
		if err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, nil
}

// rotation measures reads with JWTs at a steady rate: just after the issuer has rotated its keys, when all JWTs are new and signed by
// a key that the server has not seen, and at other times.
func (s *suite) rotation(ctx context.Context, p *process, i *issuer) error {
	addr := strings.TrimPrefix(p.url, "http://")
	requests := &renewed{addr: addr}
	if err := requests.renew(i); err != nil {
		return err
	}
	began := time.Now()
	var failed error
	var rotating sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	rotating.Go(func() { failed = i.rotateRegularly(ctx, requests) })
	samples, err := pace(addr, int((rotations*rotateEvery+rotateLasts)/jwtEvery), jwtEvery, requests.next)
	cancel()
	rotating.Wait()
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	var after, otherwise []sample
	for _, one := range samples {
		switch since := one.due.Sub(began); {
		case since >= rotateEvery && since%rotateEvery < rotateLasts:
			after = append(after, one)
		case since >= time.Second: // the first of all make the connections
			otherwise = append(otherwise, one)
		}
	}
	s.add(row{
		what: "p99 of reads with JWTs as the issuer rotates its keys", measured: p99(after), limit: p99(otherwise), compared: true, unit: "ms",
		note: fmt.Sprintf("%.0f/s of %d workloads, %d rotations, the %s after each beside other times; the issuer takes %s to answer",
			float64(time.Second/jwtEvery), workloads, rotations, rotateLasts, issuerDelay),
	})
	s.add(row{what: "reads refused meanwhile, all with good JWTs", measured: float64(refusedOf(samples)), limit: 0.5, note: "none is allowed"})
	return nil
}

// rotateRegularly rotates the keys, and renews the requests at once, until it has done so often enough or ctx ends.
func (i *issuer) rotateRegularly(ctx context.Context, requests *renewed) error {
	ticks := time.NewTicker(rotateEvery)
	defer ticks.Stop()
	for range rotations {
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
		if err := errors.Join(i.rotate(), requests.renew(i)); err != nil {
			return err
		}
	}
	return nil
}

// renewed are requests whose JWTs are replaced, each workload's in turn.
type renewed struct {
	addr    string
	asked   atomic.Int64
	present atomic.Pointer[[][]byte]
}

func (r *renewed) renew(i *issuer) error {
	jwts, err := i.sign(workloads)
	if err != nil {
		return err
	}
	all := requestsFor(r.addr, readPath, jwts)
	r.present.Store(&all)
	return nil
}

func (r *renewed) next() []byte {
	all := *r.present.Load()
	return all[int(r.asked.Add(1))%len(all)]
}
