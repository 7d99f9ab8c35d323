package access_test

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/trunkline/trunkline/access"
)

// publisher is an issuer's JSON Web Key Set over HTTP.
type publisher struct {
	*httptest.Server
	looks  atomic.Int32
	answer atomic.Value // of type http.HandlerFunc
}

func publish(t testing.TB, answer http.HandlerFunc) *publisher {
	t.Helper()
	p := &publisher{}
	p.answer.Store(answer)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.looks.Add(1)
		p.answer.Load().(http.HandlerFunc)(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func body(data []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) }
}

// outcomes of looks at the keys, in their order.
type outcomes chan string

func (o outcomes) next(t testing.TB) string {
	t.Helper()
	select {
	case outcome := <-o:
		return outcome
	case <-time.After(10 * time.Second):
		t.Fatal("no look at the keys")
		return ""
	}
}

func openFrom(t testing.TB, jwks string, times access.KeyTimes) (*access.Guard, outcomes) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "jwt.yaml")
	write(t, file, provider(jwks, ""))
	seen := make(outcomes, 1000)
	j, err := access.OpenJWTs(file, access.JWTOptions{Log: silent, Fetched: func(_, outcome string) { seen <- outcome }}.With(times))
	if err != nil {
		t.Fatal(err)
	}
	g := access.NewGuard(access.GuardOptions{JWTs: j, Limits: access.Limits{Failures: access.Rate{PerSecond: -1}}})
	running(t, g.Run)
	return g, seen
}

// A key that is published later is found with one look, however many requests bring it at a time.
func TestKeyRotation(t *testing.T) {
	p := publish(t, body(jwks(t, "rsa")))
	g, seen := openFrom(t, "url: "+p.URL, access.KeyTimes{Retry: 50 * time.Millisecond})
	seen.next(t)
	if who, w := ask(g, bearer("127.0.0.1:1", sign(t, keys()["rsa"], claims(nil)))); who == nil {
		t.Fatal(w.Body)
	}
	p.answer.Store(body(jwks(t, "ed")))
	var asks sync.WaitGroup
	for range 50 {
		r := bearer("127.0.0.1:1", sign(t, keys()["ed"], claims(nil)))
		asks.Go(func() {
			for who, w := ask(g, r); who == nil; who, w = ask(g, r) {
				if code(t, w) != access.ReasonJWTKey { // as long as the last look is recent
					t.Errorf("the new key: %s", w.Body)
					return
				}
			}
		})
	}
	asks.Wait()
	if n := p.looks.Load(); n != 2 {
		t.Errorf("%d looks", n)
	}
	// What the old key has signed is good no longer, even if it was verified a moment ago.
	if who, _ := ask(g, bearer(stranger, sign(t, keys()["rsa"], claims(nil)))); who != nil {
		t.Error("the old key")
	}
}

// A flood of kids that nobody published costs one look in ten seconds, and those with good keys do not feel it.
func TestUnknownKids(t *testing.T) {
	p := publish(t, body(jwks(t, "rsa")))
	g, seen := openFrom(t, "url: "+p.URL, access.KeyTimes{})
	seen.next(t)
	good := bearer(stranger, sign(t, keys()["rsa"], claims(nil)))
	for n := range 200 {
		_, w := ask(g, bearer(stranger, sign(t, key{fmt.Sprint("k", n), jose.RS256, keys()["rsa"].private}, claims(nil))))
		if code(t, w) != access.ReasonJWTKey {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if who, _ := ask(g, good); who == nil {
			t.Fatal("a good one")
		}
	}
	if n := p.looks.Load(); n != 1 {
		t.Errorf("%d looks", n)
	}
}

// Whatever an issuer answers, its keys stay as they were, and it is asked again.
func TestHostileJWKS(t *testing.T) {
	elsewhere := publish(t, body(jwks(t, "other")))
	redirect := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) }
	many := []byte(`{"keys":[` + strings.TrimSuffix(strings.Repeat(`{"kty":"RSA"},`, 101), ",") + `]}`)
	key := string(jwks(t, "rsa"))
	for name, answer := range map[string]http.HandlerFunc{
		"redirects":     redirect,
		"500":           func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"404 with keys": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); _, _ = w.Write(jwks(t, "other")) },
		"closes":        func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"slow":          func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"slow body": func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(`{"keys":[`))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write([]byte(strings.Repeat(" ", 64<<10))); err != nil {
					return
				}
			}
		},
		"endless header": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) },
		"a bomb": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte("\x1f\x8b"))
		},
		"nothing":        body(nil),
		"no JSON":        body([]byte("<html>")),
		"a list":         body([]byte("[]")),
		"no keys":        body([]byte(`{"keys":[]}`)),
		"keys null":      body([]byte(`{"keys":null}`)),
		"too many":       body(many),
		"twice":          body([]byte(`{"keys":[],` + key[1:])),
		"twice in a key": body([]byte(strings.Replace(key, `"kty"`, `"kty":"RSA","kty"`, 1))),
		"deep":           body([]byte(`{"keys":` + strings.Repeat("[", 20_000))),
		"encryption":     body([]byte(strings.Replace(key, `"use":"sig"`, `"use":"enc"`, 1))),
		"symmetric":      body([]byte(`{"keys":[{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","kid":"rsa"}]}`)),
		"small RSA":      body([]byte(`{"keys":[{"kty":"RSA","n":"w7Zdfmece8iaB0kiTY8pCtiBtzbptJmP28nSWwtdjRu0f2GFpajvWE4VhfJAjEsOcwYzay7XGN0b-X84BfC8hmCTOj2b2eHT7NsZegFPKRUQzJ9wW8ipn_aDJWMGDuB1XyqT1E7DYqjUCEOD1b4FLpy_xPn6oV_TYOfQ9fZdbE5HGxJUzekuGcOKqOQ8M7wfYHhHHLxGpQVgL0apWuP2gDDOdTtpuld4D2LK1MZK99s9gaSjRHE8JDb1Z4IGhEcEyzkxswVdPndUWzfvWBBWXWxtSUvQGBRkuy1BHOa4sP6FKjWEeeF7gm7UMs2Nm2QUgNZw6xvEDGaLk4KASdIxRQ","e":"AA","kid":"rsa"}]}`)),
		"huge RSA":       body([]byte(`{"keys":[{"kty":"RSA","n":"` + strings.Repeat("_", 900_000) + `","e":"f____w","kid":"rsa"}]}`)),
		"off the curve":  body([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}`)),
		"weak Ed25519":   body([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}`)),
		"private":        body(mustJSON(t, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: keys()["p256"].private, KeyID: "p256"}}})),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := publish(t, body(jwks(t, "rsa")))
			g, seen := openFrom(t, "url: "+p.URL, access.KeyTimes{Refresh: 20 * time.Millisecond, Retry: 20 * time.Millisecond, Fetch: 100 * time.Millisecond})
			for seen.next(t) != "fetched" { // a busy machine may take longer the first time
			}
			p.answer.Store(answer)
			for seen.next(t) != "failed" {
			}
			if seen.next(t) != "failed" {
				t.Error("not asked again")
			}
			for range 3 {
				if who, w := ask(g, bearer(stranger, sign(t, keys()["rsa"], claims(map[string]any{"jti": fmt.Sprint(time.Now().UnixNano())})))); who == nil {
					t.Errorf("the keys were lost: %s", w.Body)
				}
			}
			for _, name := range []string{"other", "p256"} {
				if who, w := ask(g, bearer(stranger, sign(t, keys()[name], claims(nil)))); who != nil || w.Code != 503 || w.Header().Get("Retry-After") != "5" {
					t.Errorf("%s: %v %d %q", name, who, w.Code, w.Header())
				}
			}
			p.answer.Store(body(jwks(t, "rsa", "ed")))
			for seen.next(t) != "fetched" {
			}
			if who, w := ask(g, bearer(stranger, sign(t, keys()["ed"], claims(nil)))); who == nil {
				t.Errorf("mended: %s", w.Body)
			}
		})
	}
	t.Cleanup(func() {
		if n := elsewhere.looks.Load(); n != 0 {
			t.Errorf("%d redirects were followed", n)
		}
	})
}

// An issuer that is down from the start is no reason not to start, and answers for a bounded time only for its own JWTs.
func TestJWKSDownAtStart(t *testing.T) {
	p := publish(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	tokens := newTokens(t)
	file := filepath.Join(t.TempDir(), "jwt.yaml")
	write(t, file, provider("url: "+p.URL, ""))
	j, err := access.OpenJWTs(file, access.JWTOptions{Log: silent}.With(access.KeyTimes{Wait: 50 * time.Millisecond}))
	if err != nil {
		t.Fatal(err)
	}
	g := access.NewGuard(access.GuardOptions{JWTs: j, Tokens: tokens})
	running(t, g.Run)
	text, _ := makeToken(t, tokens, access.TokenOptions{Name: "ci", Grant: checkout(t)})
	var asks sync.WaitGroup
	for range 200 {
		asks.Go(func() {
			if _, w := ask(g, bearer("127.0.0.1:1", sign(t, keys()["ed"], claims(nil)))); code(t, w) != access.ReasonJWTKeys {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	if who, _ := ask(g, bearer(stranger, text)); who == nil {
		t.Error("a token waits for an issuer")
	}
	asks.Wait()
}

// Keys that cannot be had again serve for a while, and not longer.
func TestKeysAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := settings(t, "", "ed")
		j, err := access.OpenJWTs(file, access.JWTOptions{Log: silent}.With(access.KeyTimes{Keep: 20 * time.Minute}))
		if err != nil {
			t.Fatal(err)
		}
		g := access.NewGuard(access.GuardOptions{JWTs: j})
		stop := running(t, g.Run)
		synctest.Wait()
		write(t, filepath.Join(filepath.Dir(file), "jwks.json"), "{")
		time.Sleep(19 * time.Minute)
		if who, w := ask(g, bearer(stranger, sign(t, keys()["ed"], claims(nil)))); who == nil {
			t.Errorf("after 19 minutes: %s", w.Body)
		}
		time.Sleep(time.Minute)
		if who, w := ask(g, bearer(stranger, sign(t, keys()["ed"], claims(nil)))); who != nil || w.Code != 503 {
			t.Errorf("after 20 minutes: %v %d", who, w.Code)
		}
		write(t, filepath.Join(filepath.Dir(file), "jwks.json"), string(jwks(t, "ed")))
		time.Sleep(2 * time.Second)
		if who, w := ask(g, bearer(stranger, sign(t, keys()["ed"], claims(nil)))); who == nil {
			t.Errorf("mended: %s", w.Body)
		}
		stop()
	})
}

// Keys change while requests come.
func TestRotationUnderLoad(t *testing.T) {
	p := publish(t, body(jwks(t, "ed", "p256")))
	g, seen := openFrom(t, "url: "+p.URL, access.KeyTimes{Refresh: time.Millisecond, Retry: time.Millisecond})
	seen.next(t)
	stays := bearer("127.0.0.1:1", sign(t, keys()["ed"], claims(nil)))
	comes := bearer("127.0.0.1:1", sign(t, keys()["p256"], claims(nil)))
	done := make(chan struct{})
	var asks sync.WaitGroup
	for range 4 {
		asks.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := g.Check(stays); err != nil {
					t.Errorf("the key that stays: %v", err)
				}
				_ = g.Check(comes)
			}
		})
	}
	for n := range 30 {
		p.answer.Store(body(jwks(t, [][]string{{"ed"}, {"p256", "ed"}, {"ed", "rsa"}}[n%3]...)))
		for seen.next(t) != "fetched" {
		}
	}
	close(done)
	asks.Wait()
}

// As within a cluster: an authority of its own, and a token to ask with.
func TestJWKSOverTLS(t *testing.T) {
	var asked atomic.Value
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Header.Get("Authorization"))
		_, _ = w.Write(jwks(t, "ed"))
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	dir := t.TempDir()
	ca, token := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "token")
	write(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	write(t, token, "abc\n")
	if _, seen := openFrom(t, "url: "+server.URL, access.KeyTimes{}); seen.next(t) != "failed" {
		t.Error("an authority that nobody trusts")
	}
	g, seen := openFrom(t, fmt.Sprintf("url: %s, caFile: %s, tokenFile: %s", server.URL, ca, token), access.KeyTimes{})
	if seen.next(t) != "fetched" || asked.Load() != "Bearer abc" {
		t.Fatalf("asked with %q", asked.Load())
	}
	if who, w := ask(g, bearer(stranger, sign(t, keys()["ed"], claims(nil)))); who == nil {
		t.Error(w.Body)
	}
	write(t, ca, "no certificate")
	if _, seen := openFrom(t, fmt.Sprintf("url: %s, caFile: %s", server.URL, ca), access.KeyTimes{}); seen.next(t) != "failed" {
		t.Error("without a certificate")
	}
}

// Keys are only good for what they were made for.
func TestKeyAlgorithms(t *testing.T) {
	pinned := []byte(strings.Replace(string(jwks(t, "rsa")), `"alg":"RS256"`, `"alg":"PS512"`, 1))
	p := publish(t, body(pinned))
	file := filepath.Join(t.TempDir(), "jwt.yaml")
	write(t, file, provider("url: "+p.URL, "algorithms: [RS256, PS512]"))
	j := openJWTs(t, file, access.KeyTimes{})
	g := access.NewGuard(access.GuardOptions{JWTs: j})
	if who, w := ask(g, bearer(stranger, sign(t, keys()["rsa"], claims(nil)))); who != nil || code(t, w) != access.ReasonJWTKey {
		t.Errorf("RS256 by a key for PS512: %v %s", who, w.Body)
	}
	if who, w := ask(g, bearer(stranger, sign(t, key{"rsa", jose.PS512, keys()["rsa"].private}, claims(nil)))); who == nil {
		t.Errorf("PS512: %s", w.Body)
	}
}

// A forged JWT is checked with a few keys at most, however many an issuer publishes under its kid.
func TestKeysOfOneName(t *testing.T) {
	list := make([]jose.JSONWebKey, 0, 20)
	for range cap(list) - 1 {
		list = append(list, jose.JSONWebKey{Key: keys()["other"].private.Public(), KeyID: "rsa", Algorithm: "RS256"})
	}
	list = append(list, jose.JSONWebKey{Key: keys()["rsa"].private.Public(), KeyID: "rsa", Algorithm: "RS256"})
	for at, want := range map[int]bool{access.MaxSameKid: false, access.MaxSameKid - 1: true} {
		set := jose.JSONWebKeySet{Keys: list[len(list)-1-at:]} // the good one is the last, after so many others
		g, seen := openFrom(t, "url: "+publish(t, body(mustJSON(t, set))).URL, access.KeyTimes{})
		seen.next(t)
		if who, w := ask(g, bearer(stranger, sign(t, keys()["rsa"], claims(nil)))); (who != nil) != want {
			t.Errorf("after %d others: %v %s", at, who, w.Body)
		}
	}
}

// What an issuer answers fills no log.
func TestFailuresOfIssuersAreBrief(t *testing.T) {
	p := publish(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, strings.Repeat("é", 20_000)+"\n")
		_ = conn.Close()
	})
	file := filepath.Join(t.TempDir(), "jwt.yaml")
	write(t, file, provider("url: "+p.URL, ""))
	var told bytes.Buffer
	seen := make(outcomes, 1000)
	j, err := access.OpenJWTs(file, access.JWTOptions{Log: slog.New(slog.NewTextHandler(&told, nil)), Fetched: func(_, outcome string) { seen <- outcome }})
	if err != nil {
		t.Fatal(err)
	}
	stop := running(t, j.Run)
	seen.next(t)
	stop()
	if !strings.Contains(told.String(), "malformed HTTP response") || told.Len() > 1000 {
		t.Errorf("%d bytes: %.200s", told.Len(), told.String())
	}
}
