package access_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/trunkline/trunkline/access"
)

var silent = slog.New(slog.DiscardHandler)

func grant(t testing.TB, environments, patterns []string, rights access.Right) access.Grant {
	t.Helper()
	g, err := access.NewGrant(environments, patterns, rights)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// checkout is a grant like many.
func checkout(t testing.TB) access.Grant {
	t.Helper()
	return grant(t, []string{"prod"}, []string{"checkout.**"}, access.History)
}

func openTokens(t testing.TB, file string) *access.Tokens {
	t.Helper()
	tokens, err := access.OpenTokens(file, silent)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func newTokens(t testing.TB) *access.Tokens {
	t.Helper()
	return openTokens(t, filepath.Join(t.TempDir(), "tokens.json"))
}

func makeToken(t testing.TB, tokens *access.Tokens, o access.TokenOptions) (string, access.Token) {
	t.Helper()
	text, made, err := tokens.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return text, made
}

// running runs a component until the test, or the function returned, ends it.
func running(t testing.TB, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { _ = run(ctx) })
	stop = func() { cancel(); done.Wait() }
	t.Cleanup(stop)
	return stop
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ask sends a request through a guard, and returns who was let on, or nil, and the answer.
func ask(g *access.Guard, r *http.Request, options ...access.WrapOption) (*access.Identity, *httptest.ResponseRecorder) {
	var who *access.Identity
	w := httptest.NewRecorder()
	g.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { who = access.FromContext(r.Context()) }), options...).ServeHTTP(w, r)
	return who, w
}

// code is the code of an answer that refuses, or "".
func code(t testing.TB, w *httptest.ResponseRecorder) string {
	t.Helper()
	if w.Body.Len() == 0 {
		return ""
	}
	var body struct {
		Error struct{ Code, Message, Hint string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Error.Message == "" || body.Error.Hint == "" {
		t.Fatalf("answer %d %s", w.Code, w.Body)
	}
	return body.Error.Code
}

const stranger = "192.0.2.7:50000"

func bearer(peer, credential string) *http.Request {
	return request(peer, "config.example", "Authorization", "Bearer "+credential)
}

// key is a key pair as an issuer has it.
type key struct {
	kid     string
	alg     jose.SignatureAlgorithm
	private crypto.Signer
}

// keys are made once: RSA takes its time.
var keys = sync.OnceValue(func() map[string]key {
	rsaKey, _ := rsa.GenerateKey(rand.Reader, 2048)
	other, _ := rsa.GenerateKey(rand.Reader, 2048)
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	return map[string]key{
		"rsa": {"rsa", jose.RS256, rsaKey}, "other": {"other", jose.RS256, other}, "p256": {"p256", jose.ES256, p256},
		"p384": {"p384", jose.ES384, p384}, "ed": {"ed", jose.EdDSA, ed},
	}
})

func jwks(t testing.TB, names ...string) []byte {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, name := range names {
		k := keys()[name]
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.private.Public(), KeyID: k.kid, Algorithm: string(k.alg), Use: "sig"})
	}
	return mustJSON(t, set)
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sign makes a JWT. Extra headers are pairs.
func sign(t testing.TB, k key, claims map[string]any, headers ...any) string {
	t.Helper()
	o := &jose.SignerOptions{}
	if k.kid != "" {
		o.WithHeader("kid", k.kid)
	}
	for i := 0; i < len(headers); i += 2 {
		o.WithHeader(jose.HeaderKey(headers[i].(string)), headers[i+1])
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: k.alg, Key: k.private}, o)
	if err != nil {
		t.Fatal(err)
	}
	return signWith(t, signer, mustJSON(t, claims))
}

func signWith(t testing.TB, signer jose.Signer, payload []byte) string {
	t.Helper()
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

const (
	issuer   = "https://issuer.example"
	audience = "https://config.example"
)

// claims are good ones, with changes; a nil takes a claim away.
func claims(changes map[string]any) map[string]any {
	now := time.Now().Unix()
	c := map[string]any{"iss": issuer, "aud": audience, "sub": "checkout", "iat": now, "nbf": now, "exp": now + 600}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// settings writes JWT settings for one issuer whose keys are in a file. extra are lines of the provider.
func settings(t testing.TB, extra string, names ...string) (file string) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "jwks.json"), string(jwks(t, names...)))
	file = filepath.Join(dir, "jwt.yaml")
	write(t, file, provider("file: jwks.json", extra))
	return file
}

// provider is the text of settings for one issuer.
func provider(jwks, extra string) string {
	return `providers:
  - issuer: ` + issuer + `
    audiences: [` + audience + `, other]
    jwks: {` + jwks + `}
    ` + extra + `
    rules:
      - {when: {sub: [checkout, "team-*"]}, grant: {environments: [prod], patterns: [checkout.**], rights: [history]}}
      - {when: {groups: admins}, name: "admin:{sub}", grant: {environments: ["*"], patterns: ["**"], rights: [operate]}}
`
}

// openJWTs opens settings and runs them until their keys are there.
func openJWTs(t testing.TB, file string, times access.KeyTimes) *access.JWTs {
	t.Helper()
	fetched := make(chan string, 100)
	j, err := access.OpenJWTs(file, access.JWTOptions{Log: silent, Fetched: func(_, outcome string) {
		select {
		case fetched <- outcome:
		default:
		}
	}}.With(times))
	if err != nil {
		t.Fatal(err)
	}
	running(t, j.Run)
	if outcome := <-fetched; outcome != "fetched" {
		t.Fatalf("the keys: %s", outcome)
	}
	return j
}
