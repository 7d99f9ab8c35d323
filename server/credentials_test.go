package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/gorilla/websocket"

	"github.com/trunkline/trunkline/client/wire"
)

// signer makes JWTs of an issuer whose keys are in a file.
type signer struct {
	key      *ecdsa.PrivateKey
	settings string
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: string(jose.ES256)}}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &signer{key, filepath.Join(dir, "jwt.yaml")}
	for file, text := range map[string]string{
		"keys.json": string(keys),
		"jwt.yaml": `providers:
  - issuer: https://issuer.example
    audiences: [trunkline]
    jwks: {file: keys.json}
    rules: [{when: {sub: checkout}, grant: {environments: [prod], patterns: [checkout.**]}}]
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// sign makes a JWT that expires at a time.
func (s *signer) sign(t *testing.T, algorithm jose.SignatureAlgorithm, key any, expires time.Time) string {
	t.Helper()
	by, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "k"))
	if err != nil {
		t.Fatal(err)
	}
	claims := fmt.Sprintf(`{"iss": "https://issuer.example", "aud": "trunkline", "sub": "checkout", "exp": %d}`, expires.Unix())
	signed, err := by.Sign([]byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Bad credentials are refused by reads and by the stream alike, are counted, and are never taken for none, though the caller would
// be let in without one.
func TestBadCredentials(t *testing.T) {
	remote, data, issuer := shop(t), t.TempDir(), newSigner(t)
	set := settings(remote, data)
	set.JWTFile = issuer.settings
	s := start(t, remote, set)
	s.becomes("prod", "checkout.timeout", `"30s"`)
	token := strings.TrimPrefix(s.token(data, fmt.Sprintf(limited, "")).Get("Authorization"), "Bearer ")
	good := issuer.sign(t, jose.ES256, issuer.key, time.Now().Add(time.Hour))
	eventually(t, "the keys of the issuer are read", func() bool {
		return strings.HasPrefix(s.as(bearer(good), http.MethodGet, "/v1/config/checkout"), "200")
	})
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	header, rest, _ := strings.Cut(good, ".")
	_, signature, _ := strings.Cut(rest, ".")
	encode := base64.RawURLEncoding.EncodeToString
	more := encode([]byte(`{"iss": "https://issuer.example", "aud": "trunkline", "sub": "admin", "exp": 9999999999}`))
	published, err := os.ReadFile(filepath.Join(filepath.Dir(issuer.settings), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ credential, reason string }{
		"a forged token":            {"tlk_" + strings.Repeat("A", 50), "credentialMalformed"},
		"one cut short":             {token[:len(token)-1], "credentialMalformed"},
		"one cut to its prefix":     {"tlk_", "credentialMalformed"},
		"one mistyped":              {token[:10] + flipped(token[10]) + token[11:], "credentialMalformed"},
		"an operator's of before":   {strings.TrimSpace(earlierToken(t)), "tokenUnknown"},
		"an expired JWT":            {issuer.sign(t, jose.ES256, issuer.key, time.Now().Add(-time.Hour)), "jwtExpired"},
		"one of another key":        {issuer.sign(t, jose.ES256, other, time.Now().Add(time.Hour)), "jwtSignature"},
		"one with other claims":     {header + "." + more + "." + signature, "jwtSignature"},
		"one cut in its signature":  {good[:len(good)-4], "jwtSignature"},
		"one without its signature": {strings.TrimSuffix(good, signature), "jwtSignature"},
		"one without its end":       {strings.TrimSuffix(good, "."+signature), "credentialMalformed"},
		"one signed by nothing":     {encode([]byte(`{"alg": "none"}`)) + "." + more + ".", "jwtAlgorithm"},
		"one by what is public":     {issuer.sign(t, jose.HS256, published, time.Now().Add(time.Hour)), "jwtAlgorithm"},
	} {
		res, body := s.request(http.MethodGet, s.url+"/v1/config/checkout?env=prod", nil, bearer(c.credential))
		if res.StatusCode != http.StatusUnauthorized || !strings.Contains(string(body), c.reason) || res.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s, in a read: %s %s, want %s", name, res.Status, body, c.reason)
		}
		if status, body := s.upgrade(bearer(c.credential)); status != http.StatusUnauthorized || !strings.Contains(body, c.reason) {
			t.Errorf("%s, in a stream: %d %s, want %s", name, status, body, c.reason)
		}
		s.keeps(c.credential)
	}
	if got := s.refused("jwtSignature"); got != "8" {
		t.Errorf("%s refused for their signature", got)
	}
	s.keeps(token, good, signature)
}

// flipped is another letter.
func flipped(b byte) string {
	if b == 'a' {
		return "b"
	}
	return "a"
}

// earlierToken is a whole token that no server knows.
func earlierToken(t *testing.T) string {
	t.Helper()
	remote, data := shop(t), t.TempDir()
	s := start(t, remote, settings(remote, data))
	s.becomes("prod", "checkout.timeout", `"30s"`)
	text, err := os.ReadFile(filepath.Join(data, "operator.token"))
	if err != nil {
		t.Fatal(err)
	}
	s.stop()
	return string(text)
}

// upgrade asks for a stream that is to be refused.
func (s *running) upgrade(header http.Header) (status int, body string) {
	s.tb.Helper()
	d := websocket.Dialer{Subprotocols: []string{wire.Subprotocol}}
	ws, res, err := d.Dial("ws"+strings.TrimPrefix(s.url, "http")+"/v1/stream", header)
	if err == nil {
		_ = ws.Close()
		return http.StatusSwitchingProtocols, ""
	}
	if res == nil {
		s.tb.Fatal(err)
	}
	text, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(text)
}

// A token that expires is refused from then on, and takes its streams with it.
func TestExpiredTokens(t *testing.T) {
	remote, data := shop(t), t.TempDir()
	s := start(t, remote, settings(remote, data))
	s.becomes("prod", "checkout.timeout", `"30s"`)
	operator, err := os.ReadFile(filepath.Join(data, "operator.token"))
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"name": "brief", "grant": {"environments": ["prod"], "patterns": ["checkout.**"]}, "expires": %q}`, time.Now().Add(2*time.Second).Format(time.RFC3339))
	_, answer := s.request(http.MethodPost, s.url+"/v1/tokens", []byte(body), bearer(strings.TrimSpace(string(operator))))
	var made struct{ Token string }
	if err := json.Unmarshal(answer, &made); err != nil || made.Token == "" {
		t.Fatalf("%s", answer)
	}
	ws := s.stream(bearer(made.Token), `{"type":"hello"}`)
	for _, want := range []string{`{"type":"snapshot"`, `{"type":"goaway"`, "websocket: close 4001"} {
		if m := next(t, ws); !strings.HasPrefix(m, want) {
			t.Errorf("the stream says %s, want %s", m, want)
		}
	}
	if res, body := s.request(http.MethodGet, s.url+"/v1/config/checkout", nil, bearer(made.Token)); res.StatusCode != http.StatusUnauthorized || !strings.Contains(string(body), "tokenExpired") {
		t.Errorf("a read: %s %s", res.Status, body)
	}
	if status, body := s.upgrade(bearer(made.Token)); status != http.StatusUnauthorized || !strings.Contains(body, "tokenExpired") {
		t.Errorf("a stream: %d %s", status, body)
	}
	s.keeps(made.Token, string(operator))
}
