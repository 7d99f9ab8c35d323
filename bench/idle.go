package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

const (
	collections = 2 // of garbage, after which what is left is in use
	scrapes     = 20_000
	rssLooks    = 30 // the server gives memory back some seconds after its load
	rssEvery    = 300 * time.Millisecond
)

// idle measures what a session takes that is told nothing: by how much the resident memory grows with many.
func (s *suite) idle(ctx context.Context) error {
	plain, err := s.idleSession(ctx, "idle", s.scale.idle)
	if err != nil {
		return err
	}
	const how = "resident memory of the server, by which it grows with %d, both times after %d collections of garbage and some rest"
	s.add(row{what: "idle session, one pattern: memory", measured: plain, limit: 6, unit: "kB", note: fmt.Sprintf(how, s.scale.idle, collections)})
	cert, key, err := writeCertificate(filepath.Join(s.dir, "certificate"))
	if err != nil {
		return err
	}
	secure, err := s.idleSession(ctx, "idle-tls", s.scale.idleTLS, "--tls-cert-file", cert, "--tls-key-file", key)
	if err != nil {
		return err
	}
	s.add(row{
		what: "the same over TLS", measured: secure, limit: plain, compared: true, unit: "kB",
		note: fmt.Sprintf("beside plain TCP; "+how, s.scale.idleTLS, collections),
	})
	return nil
}

func (s *suite) idleSession(ctx context.Context, name string, n int, args ...string) (each float64, err error) {
	err = s.stage(ctx, name, story{file: messageFile, texts: messages(0, 2, smallChange)}, func(f *followed, w *swarmProcess) error {
		if err := s.fits(f.process, n); err != nil {
			return err
		}
		before, err := f.settled(ctx)
		if err != nil {
			return err
		}
		if _, err := w.tell(order{Do: "open", Addr: f.addr(), Secure: len(args) > 0, Sessions: n, Patterns: [][]string{{"message.**"}}}); err != nil {
			return err
		}
		after, err := f.settled(ctx)
		each = (after - before) * 1000 / float64(n)
		return err
	}, args...)
	return each, err
}

// settled is the resident memory of the process, in MB, once it has collected its garbage and has come to rest. Metrics are asked for
// until it has: that makes the garbage that it waits for.
func (p *process) settled(ctx context.Context) (float64, error) {
	until := 0
	for range scrapes {
		n, err := p.collections(ctx)
		if err != nil {
			return 0, err
		}
		if until == 0 {
			until = n + collections
		}
		if n >= until {
			return p.leastRSS(ctx)
		}
	}
	return 0, fmt.Errorf("after %d questions the server has not collected its garbage", scrapes)
}

var collectionsTold = regexp.MustCompile(`(?m)^go_gc_duration_seconds_count (\d+)$`)

// collections is how often the process has collected its garbage.
func (p *process) collections(ctx context.Context) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	res, err := p.web.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	m := collectionsTold.FindSubmatch(body)
	if m == nil {
		return 0, errors.New("the server's metrics do not tell how often it has collected its garbage")
	}
	return strconv.Atoi(string(m[1]))
}

// leastRSS is the least resident memory of a while, in which memory is given back.
func (p *process) leastRSS(ctx context.Context) (float64, error) {
	least, err := p.rss()
	for range rssLooks {
		if err != nil {
			return 0, err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(rssEvery):
		}
		var now float64
		now, err = p.rss()
		least = min(least, now)
	}
	return least, err
}

// writeCertificate writes a certificate for this machine, and its key.
func writeCertificate(dir string) (cert, key string, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	signed, err := x509.CreateCertificate(rand.Reader, about, about, private.Public(), private)
	if err != nil {
		return "", "", err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", "", err
	}
	err = errors.Join(
		write(dir, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}))),
		write(dir, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))),
	)
	return filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), err
}
