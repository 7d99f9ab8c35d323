package access_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/access"
)

func jwtGuard(t testing.TB, extra string, names ...string) *access.Guard {
	t.Helper()
	return access.NewGuard(access.GuardOptions{JWTs: openJWTs(t, settings(t, extra, names...), access.KeyTimes{})})
}

func TestJWT(t *testing.T) {
	g := jwtGuard(t, "algorithms: [RS256, ES256, ES384, EdDSA]", "rsa", "p256", "p384", "ed")
	for name, k := range keys() {
		text := sign(t, k, claims(map[string]any{"team": "x"}))
		who, w := ask(g, bearer(stranger, text))
		if name == "other" {
			if code(t, w) != access.ReasonJWTKey || w.Code != 401 {
				t.Errorf("a key that is not published: %d %s", w.Code, w.Body)
			}
			continue
		}
		if who == nil {
			t.Errorf("%s: %s", name, w.Body)
			continue
		}
		if who.String() != "jwt:checkout" || who.Grant.Key() != checkout(t).Key() || len(who.ID) != 12 || who.Expires.Before(time.Now()) {
			t.Errorf("%s: %+v", name, who)
		}
		if team, ok := who.Claims.Get("team"); !ok || team.Str() != "x" {
			t.Errorf("claims %v", who.Claims)
		}
		if again, _ := ask(g, bearer(stranger, text)); again != who {
			t.Errorf("%s: checked again", name)
		}
	}
	who, w := ask(g, bearer(stranger, sign(t, keys()["ed"], claims(map[string]any{"sub": "ada", "groups": []string{"dev", "admins"}, "aud": []string{"x", "other"}}))))
	if who == nil || who.Name != "admin:ada" || !who.Grant.May(access.Operate) {
		t.Errorf("by a list: %+v %s", who, w.Body)
	}
}

// Issuers know nothing of each other's names: where there are several, nobody takes the name of another's.
func TestNamesOfSeveralIssuers(t *testing.T) {
	const second = "https://second.example"
	file := settings(t, "", "p256")
	one := provider("file: jwks.json", "")
	write(t, file, one+strings.TrimPrefix(strings.ReplaceAll(one, issuer, second), "providers:\n"))
	g := access.NewGuard(access.GuardOptions{JWTs: openJWTs(t, file, access.KeyTimes{})})
	for _, iss := range []string{issuer, second} {
		for sub, want := range map[string]string{"checkout": "jwt:" + iss + "#checkout", "ada": "jwt:" + iss + "#admin:ada"} {
			text := sign(t, keys()["p256"], claims(map[string]any{"iss": iss, "sub": sub, "groups": "admins"}))
			if who, w := ask(g, bearer(stranger, text)); who == nil || who.String() != want {
				t.Errorf("%s of %s is %v: %s", sub, iss, who, w.Body)
			}
		}
	}
}

func TestBadJWTs(t *testing.T) {
	g := jwtGuard(t, `require: {/tenant/id: 7}`, "rsa", "p256", "ed")
	rsa, p256 := keys()["rsa"], keys()["p256"]
	now := time.Now().Unix()
	with := func(changes map[string]any) string {
		changed := map[string]any{"tenant": map[string]any{"id": "7"}}
		for name, v := range changes {
			changed[name] = v
		}
		return sign(t, p256, claims(changed))
	}
	parts := strings.Split(sign(t, rsa, claims(nil)), ".")
	for name, tt := range map[string]struct{ text, want string }{
		"expired":               {with(map[string]any{"exp": now - 31}), access.ReasonJWTExpired},
		"no exp":                {with(map[string]any{"exp": nil}), access.ReasonJWTExpired},
		"exp 0":                 {with(map[string]any{"exp": 0}), access.ReasonJWTExpired},
		"exp as text":           {with(map[string]any{"exp": fmt.Sprint(now + 600)}), access.ReasonJWTExpired},
		"exp beyond all":        {with(map[string]any{"exp": 1e300}), access.ReasonJWTExpired},
		"exp that overflows":    {with(map[string]any{"exp": int64(1) << 62}), access.ReasonJWTExpired},
		"negative exp":          {with(map[string]any{"exp": -1}), access.ReasonJWTExpired},
		"nbf in the future":     {with(map[string]any{"nbf": now + 60}), access.ReasonJWTEarly},
		"nbf as text":           {with(map[string]any{"nbf": "0"}), access.ReasonJWTEarly},
		"nbf that overflows":    {with(map[string]any{"nbf": int64(math.MaxInt64)}), access.ReasonJWTEarly},
		"iat in the future":     {with(map[string]any{"iat": now + 60}), access.ReasonJWTEarly},
		"other audience":        {with(map[string]any{"aud": "https://config.example/"}), access.ReasonJWTAudience},
		"other audiences":       {with(map[string]any{"aud": []string{"a", "b"}}), access.ReasonJWTAudience},
		"no audience":           {with(map[string]any{"aud": nil}), access.ReasonJWTAudience},
		"audience as a map":     {with(map[string]any{"aud": map[string]any{"x": audience}}), access.ReasonJWTAudience},
		"other issuer":          {with(map[string]any{"iss": issuer + "/"}), access.ReasonJWTIssuer},
		"no issuer":             {with(map[string]any{"iss": nil}), access.ReasonJWTIssuer},
		"issuer as a list":      {with(map[string]any{"iss": []string{issuer}}), access.ReasonJWTIssuer},
		"no rule":               {with(map[string]any{"sub": "nobody"}), access.ReasonJWTClaims},
		"a rule by half":        {with(map[string]any{"sub": "checkout2"}), access.ReasonJWTClaims},
		"not of the tenant":     {with(map[string]any{"tenant": map[string]any{"id": "8"}}), access.ReasonJWTClaims},
		"no tenant":             {with(map[string]any{"tenant": "7"}), access.ReasonJWTClaims},
		"name that is no print": {with(map[string]any{"sub": "a\nb", "groups": "admins"}), access.ReasonJWTClaims},
		"name that is too long": {with(map[string]any{"sub": strings.Repeat("a", 300), "groups": "admins"}), access.ReasonJWTClaims},
		"name of nothing":       {with(map[string]any{"sub": nil, "groups": "admins"}), access.ReasonJWTClaims},

		"a stranger's key of our kid": {sign(t, key{"rsa", jose.RS256, keys()["other"].private}, claims(nil)), access.ReasonJWTSignature},
		"no such kid":                 {sign(t, key{"../../etc/passwd", jose.RS256, rsa.private}, claims(nil)), access.ReasonJWTKey},
		"a huge kid":                  {sign(t, key{strings.Repeat("k", 8000), jose.RS256, rsa.private}, claims(nil)), access.ReasonJWTKey},
		"an empty kid":                {sign(t, key{"", jose.RS256, rsa.private}, claims(nil), "kid", ""), access.ReasonJWTClaims}, // the only RSA key; the tenant is missing
		"the kid of another type":     {sign(t, key{"p256", jose.RS256, rsa.private}, claims(nil)), access.ReasonJWTKey},
		"RS512":                       {sign(t, key{"rsa", jose.RS512, rsa.private}, claims(nil)), access.ReasonJWTAlgorithm},
		"PS256":                       {sign(t, key{"rsa", jose.PS256, rsa.private}, claims(nil)), access.ReasonJWTAlgorithm},
		"crit":                        {sign(t, rsa, claims(nil), "crit", []string{"b64"}, "b64", true), access.ReasonMalformed},
		"other payload":               {parts[0] + "." + base64.RawURLEncoding.EncodeToString(mustJSON(t, claims(map[string]any{"sub": "admin"}))) + "." + parts[2], access.ReasonJWTSignature},
		"no signature":                {parts[0] + "." + parts[1] + ".", access.ReasonJWTSignature},
		"a cut signature":             {strings.Join(parts, ".")[:len(strings.Join(parts, "."))-8], access.ReasonJWTSignature},
		"two parts":                   {parts[0] + "." + parts[1], access.ReasonMalformed},
		"four parts":                  {strings.Join(parts, ".") + ".x", access.ReasonMalformed},
		"five parts, as encrypted":    {strings.Join(parts, ".") + ".x.y", access.ReasonMalformed},
		"no payload":                  {parts[0] + ".." + parts[2], access.ReasonMalformed},
		"padding":                     {strings.Join(parts, ".") + "=", access.ReasonMalformed},
		"a header that is no object":  {"ey." + parts[1] + "." + parts[2], access.ReasonMalformed},
		"JSON serialization":          {`{"payload":"x"}`, access.ReasonMalformed},
		"too long":                    {strings.Repeat("e", access.MaxCredential), access.ReasonMalformed},
	} {
		who, w := ask(g, bearer(peer, tt.text))
		if who != nil || code(t, w) != tt.want {
			t.Errorf("%s: %v %d %s, want %s", name, who, w.Code, w.Body, tt.want)
		}
		status := 401
		if tt.want == access.ReasonJWTClaims {
			status = 403
		}
		if w.Code != status || w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %q", name, w.Code, w.Header())
		}
	}
	for name, payload := range map[string]string{
		"no JSON": "{", "a list": "[]", "a name twice": `{"iss":"` + issuer + `","iss":"x"}`, "bad UTF-8": "{\"iss\":\"\xff\"}", "nothing": "",
		"too deep": strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100),
	} {
		signer, _ := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: rsa.private}, nil)
		if who, w := ask(g, bearer(peer, signWith(t, signer, []byte(payload)))); who != nil || code(t, w) != access.ReasonMalformed {
			t.Errorf("payload %s: %v %s", name, who, w.Body)
		}
	}
}

// compact makes a JWT with a header and a signature of any kind.
func compact(t testing.TB, header map[string]any, payload any, sign func(input []byte) []byte) string {
	t.Helper()
	input := base64.RawURLEncoding.EncodeToString(mustJSON(t, header)) + "." + base64.RawURLEncoding.EncodeToString(mustJSON(t, payload))
	return input + "." + base64.RawURLEncoding.EncodeToString(sign([]byte(input)))
}

// Whoever knows the public keys, as everybody does, can make nothing of them.
func TestAlgorithmConfusion(t *testing.T) {
	g := jwtGuard(t, "", "rsa", "p256", "ed")
	der, _ := x509.MarshalPKIXPublicKey(keys()["rsa"].private.Public())
	secrets := map[string][]byte{
		"PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "DER": der, "JWKS": jwks(t, "rsa", "p256", "ed"), "JWK": jwks(t, "rsa")[9:], "nothing": {},
	}
	for name, secret := range secrets {
		for _, alg := range []string{"HS256", "hs256", "RS256"} {
			text := compact(t, map[string]any{"alg": alg, "kid": "rsa"}, claims(nil), func(input []byte) []byte {
				mac := hmac.New(sha256.New, secret)
				mac.Write(input)
				return mac.Sum(nil)
			})
			if who, w := ask(g, bearer(peer, text)); who != nil || w.Code != 401 {
				t.Errorf("%s with %s: %v %d", alg, name, who, w.Code)
			}
		}
	}
	for _, alg := range []any{"none", "None", "NONE", "nOnE", "", nil, 1, []string{"RS256"}, "RS256 "} {
		for _, signature := range []string{"", "x"} {
			text := compact(t, map[string]any{"alg": alg, "kid": "rsa"}, claims(nil), func([]byte) []byte { return []byte(signature) })
			if who, w := ask(g, bearer(peer, text)); who != nil || w.Code != 401 {
				t.Errorf("alg %v: %v %d", alg, who, w.Code)
			}
		}
	}
	zero := compact(t, map[string]any{"alg": "ES256", "kid": "p256"}, claims(nil), func([]byte) []byte { return make([]byte, 64) })
	if who, _ := ask(g, bearer(peer, zero)); who != nil {
		t.Error("a signature of zeros")
	}
}

// Keys that a JWT brings along are not looked at.
func TestEmbeddedKeys(t *testing.T) {
	g := jwtGuard(t, "", "rsa", "p256", "ed")
	evil, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	jwk := jose.JSONWebKey{Key: evil.Public(), KeyID: "p256", Algorithm: "ES256"}
	for name, headers := range map[string][]any{
		"jwk": {"jwk", jwk}, "jku": {"jku", "https://evil.example/jwks"}, "x5u": {"x5u", "https://evil.example/cert"},
		"x5c": {"x5c", []string{}}, "all": {"jwk", jwk, "jku", "http://169.254.169.254/", "x5u", "x", "x5t", "y"},
	} {
		for _, kid := range []string{"p256", "", "evil"} {
			text := sign(t, key{kid, jose.ES256, evil}, claims(nil), headers...)
			if who, w := ask(g, bearer(peer, text)); who != nil || w.Code != 401 {
				t.Errorf("%s, kid %q: %v %d", name, kid, who, w.Code)
			}
		}
	}
	// They do no harm to a JWT that is good.
	if who, w := ask(g, bearer(peer, sign(t, keys()["rsa"], claims(nil), "jku", "https://evil.example", "jwk", jwk))); who == nil {
		t.Errorf("a good one: %s", w.Body)
	}
}

// Sessions with a JWT end when it expires, when its rule goes or changes, and not when other rules do.
func TestJWTEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := settings(t, "leeway: 0s", "ed")
		j, err := access.OpenJWTs(file, access.JWTOptions{Log: silent})
		if err != nil {
			t.Fatal(err)
		}
		g := access.NewGuard(access.GuardOptions{JWTs: j})
		stop := running(t, g.Run)
		synctest.Wait()
		texts, ends := map[string]string{}, map[string]*ended{}
		for name, sub := range map[string]string{"rule": "checkout", "glob": "team-a", "admin": "ada"} {
			texts[name] = sign(t, keys()["ed"], claims(map[string]any{"sub": sub, "groups": map[bool]string{true: "admins"}[name == "admin"]}))
			who, w := ask(g, bearer(stranger, texts[name]))
			if who == nil {
				t.Fatalf("%s: %s", name, w.Body)
			}
			ends[name] = &ended{}
			who.OnEnd(ends[name].add)
		}
		data, _ := os.ReadFile(file)
		text := strings.Replace(string(data), `[checkout, "team-*"]`, `team-a`, 1)
		write(t, file, strings.Replace(text, `"**"`, `"a.**"`, 1))
		time.Sleep(time.Second)
		ends["rule"].is(t, access.Revoked)
		ends["admin"].is(t, access.Changed)
		ends["glob"].is(t)
		if who, w := ask(g, bearer(stranger, texts["rule"])); who != nil || code(t, w) != access.ReasonJWTClaims {
			t.Errorf("without a rule: %v", who)
		}
		if who, _ := ask(g, bearer(stranger, texts["admin"])); who == nil || who.Grant.Scope(nil, nil).All() {
			t.Errorf("another grant: %+v", who)
		}
		write(t, file, "providers: [")
		time.Sleep(time.Second)
		ends["glob"].is(t)
		if j.Err() == nil || !strings.Contains(j.Err().Error(), file) {
			t.Errorf("broken settings: %v", j.Err())
		}
		if who, _ := ask(g, bearer(stranger, texts["glob"])); who == nil {
			t.Error("broken settings took the good ones away")
		}
		time.Sleep(10*time.Minute - 2*time.Second - time.Nanosecond)
		ends["glob"].is(t)
		if who, _ := ask(g, bearer(stranger, texts["glob"])); who == nil {
			t.Error("before it expires")
		}
		time.Sleep(time.Nanosecond)
		if _, w := ask(g, bearer(stranger, texts["glob"])); code(t, w) != access.ReasonJWTExpired {
			t.Errorf("expired: %s", w.Body)
		}
		time.Sleep(time.Second)
		ends["glob"].is(t, access.Expired)
		stop()
	})
}

// A session that is opened while the settings change is judged by the new ones.
func TestJWTChangesBeforeOnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := settings(t, "", "ed")
		j, err := access.OpenJWTs(file, access.JWTOptions{Log: silent})
		if err != nil {
			t.Fatal(err)
		}
		g := access.NewGuard(access.GuardOptions{JWTs: j})
		stop := running(t, g.Run)
		synctest.Wait()
		who, w := ask(g, bearer(stranger, sign(t, keys()["ed"], claims(nil))))
		if who == nil {
			t.Fatal(w.Body)
		}
		data, _ := os.ReadFile(file)
		write(t, file, strings.Replace(string(data), `[checkout, "team-*"]`, `team-a`, 1))
		time.Sleep(time.Second)
		var e ended
		who.OnEnd(e.add)
		e.is(t, access.Revoked)
		stop()
	})
}

// No error, answer or log line holds a JWT or a part of it.
func TestNothingIsToldOfJWTs(t *testing.T) {
	var log bytes.Buffer
	j, err := access.OpenJWTs(settings(t, "", "ed"), access.JWTOptions{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	stop := running(t, j.Run)
	g := access.NewGuard(access.GuardOptions{JWTs: j})
	for _, text := range []string{
		sign(t, key{"secretkid", jose.RS256, keys()["rsa"].private}, claims(map[string]any{"sub": "secretsub"})),
		compact(t, map[string]any{"alg": "secretalg", "kid": "ed"}, claims(nil), func([]byte) []byte { return nil }),
		compact(t, map[string]any{"alg": "EdDSA", "kid": 7, "x5c": []string{"secretx5c"}}, claims(nil), func([]byte) []byte { return nil }),
	} {
		_, w := ask(g, bearer(peer, text))
		if strings.Contains(w.Body.String(), "secret") || strings.Contains(w.Body.String(), text[:20]) || strings.Contains(g.Check(bearer(peer, text)).Error(), "secret") {
			t.Errorf("answer %s", w.Body)
		}
	}
	stop()
	if strings.Contains(log.String(), "secret") {
		t.Errorf("log %s", log.String())
	}
}

func TestJWTSettings(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "jwt.yaml")
	good := provider("url: https://issuer.example/jwks", "leeway: 5s")
	open := func(text string) error {
		write(t, file, text)
		_, err := access.OpenJWTs(file, access.JWTOptions{Log: silent})
		return err
	}
	if err := open(good); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ text, want string }{
		"empty":               {"", "/providers"},
		"no YAML":             {"providers: [", ":1:"},
		"unknown":             {good + "more: 1\n", ":9:7: at /more: \"more\" is not known"},
		"unknown deep":        {strings.Replace(good, "leeway", "lee", 1), ":5:10: at /providers/0/lee"},
		"a field twice":       {strings.Replace(good, "leeway: 5s", "issuer: x", 1), ":5:5"},
		"no issuer":           {strings.Replace(good, "issuer: "+issuer, "issuer: ''", 1), "no issuer"},
		"no audience":         {strings.Replace(good, "["+audience+", other]", "[]", 1), "at /providers/0/audiences"},
		"an empty audience":   {strings.Replace(good, "other]", "'']", 1), "audiences"},
		"none":                {strings.Replace(good, "leeway: 5s", "algorithms: [none]", 1), ":5:18: at /providers/0/algorithms/0"},
		"HMAC":                {strings.Replace(good, "leeway: 5s", "algorithms: [RS256, HS256]", 1), "algorithms/1"},
		"leeway":              {strings.Replace(good, "5s", "61s", 1), "/leeway"},
		"negative leeway":     {strings.Replace(good, "5s", "-1s", 1), "/leeway"},
		"no rules":            {regexp.MustCompile(`(?s)rules:.*`).ReplaceAllString(good, "rules: []"), "/rules"},
		"no when":             {strings.Replace(good, `{groups: admins}`, "{}", 1), ":8:9: at /providers/0/rules/1: it has no when"},
		"an empty value":      {strings.Replace(good, `groups: admins`, "groups: ''", 1), "/when/groups"},
		"no value":            {strings.Replace(good, `groups: admins`, "groups: []", 1), "/when/groups"},
		"a map":               {strings.Replace(good, `groups: admins`, "groups: {a: b}", 1), "/when/groups"},
		"a bad claim":         {strings.Replace(good, `groups: admins`, "groups..x: a", 1), "/when/groups..x"},
		"a bad name":          {strings.Replace(good, `admin:{sub}`, "{sub", 1), "/rules/1/name"},
		"a name that closes":  {strings.Replace(good, `admin:{sub}`, "sub}", 1), "/rules/1/name"},
		"no grant":            {regexp.MustCompile(`, grant: \{environments: \["\*"\].*?\}`).ReplaceAllString(good, ""), "no grant"},
		"a bad grant":         {strings.Replace(good, `"**"`, `"a..b"`, 1), "/rules/1/grant"},
		"a bad right":         {strings.Replace(good, `[operate]`, `[own]`, 1), "own"},
		"an unknown in grant": {strings.Replace(good, `rights: [operate]`, `right: [operate]`, 1), "/rules/1/grant/right"},
		"http":                {strings.Replace(good, "https://issuer.example/jwks", "http://issuer.example/jwks", 1), "/jwks/url"},
		"a user":              {strings.Replace(good, "https://issuer.example/jwks", "https://a:b@issuer.example/jwks", 1), "/jwks/url"},
		"no host":             {strings.Replace(good, "https://issuer.example/jwks", "https:///jwks", 1), "/jwks/url"},
		"another scheme":      {strings.Replace(good, "https://issuer.example/jwks", "file:///etc/jwks", 1), "/jwks/url"},
		"localhost.evil":      {strings.Replace(good, "https://issuer.example/jwks", "http://localhost.evil.example/jwks", 1), "/jwks/url"},
		"no keys":             {strings.Replace(good, "url: https://issuer.example/jwks", "", 1), "/jwks"},
		"url and file":        {strings.Replace(good, "url: https://issuer.example/jwks", "url: https://issuer.example/jwks, file: x", 1), "/jwks"},
		"caFile of a file":    {strings.Replace(good, "url: https://issuer.example/jwks", "file: x, caFile: y", 1), "caFile"},
		"an issuer twice":     {good + strings.TrimPrefix(good, "providers:\n"), "/providers/1/issuer"},
	} {
		if tt.text == good {
			t.Fatalf("%s: unchanged", name)
		}
		if err := open(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "jwt.yaml") {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	for _, url := range []string{"http://localhost:8080/jwks", "http://127.0.0.1/x", "\"http://[::1]:1/x\"", "https://kubernetes.default.svc/openid/v1/jwks, caFile: ca.crt, tokenFile: /token"} {
		if err := open(strings.Replace(good, "https://issuer.example/jwks", url, 1)); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	write(t, file, good)
	if err := os.Chmod(file, 0o646); err != nil {
		t.Fatal(err)
	}
	if _, err := access.OpenJWTs(file, access.JWTOptions{Log: silent}); err == nil || !strings.Contains(err.Error(), "chmod") {
		t.Errorf("everybody may write it: %v", err)
	}
	if _, err := access.OpenJWTs(filepath.Join(dir, "none.yaml"), access.JWTOptions{Log: silent}); err == nil {
		t.Error("no file")
	}
	write(t, filepath.Join(dir, "jwt.txt"), good)
	if _, err := access.OpenJWTs(filepath.Join(dir, "jwt.txt"), access.JWTOptions{Log: silent}); err == nil {
		t.Error("no extension")
	}
}

// What a glob matches is what the regular expression of its meaning matches.
func TestGlob(t *testing.T) {
	meaning := func(pattern string) *regexp.Regexp {
		text := regexp.QuoteMeta(pattern)
		text = strings.ReplaceAll(text, `\*\*`, `(?s:.*)`)
		return regexp.MustCompile("^" + strings.ReplaceAll(text, `\*`, `[^/:]*`) + "$")
	}
	parts := rapid.SampledFrom([]string{"a", "b", "/", ":", "*", "**", "ab"})
	texts := rapid.SampledFrom([]string{"a", "b", "/", ":", "ab", "ba"})
	rapid.Check(t, func(t *rapid.T) {
		pattern := strings.Join(rapid.SliceOfN(parts, 0, 7).Draw(t, "pattern"), "")
		text := strings.Join(rapid.SliceOfN(texts, 0, 8).Draw(t, "text"), "")
		if got, want := access.Glob(pattern, text), meaning(pattern).MatchString(text); got != want {
			t.Fatalf("%q matches %q: %v", pattern, text, got)
		}
	})
	begin := time.Now()
	access.Glob(strings.Repeat("**a*", 50)+"b", strings.Repeat("a", 10_000))
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("a hostile claim takes %v", took)
	}
}

func FuzzJWT(f *testing.F) {
	g := jwtGuard(f, "", "rsa", "p256", "ed")
	good := map[string]bool{}
	for _, name := range []string{"rsa", "p256", "ed"} {
		text := sign(f, keys()[name], claims(nil))
		good[text] = true
		f.Add(text)
		f.Add(strings.Replace(text, ".", "..", 1))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if g.Check(bearer(peer, text)) == nil && !good[text] {
			// The unused bits of the last character may differ: the same signature in other words.
			for known := range good {
				if len(known) == len(text) && known[:len(known)-1] == text[:len(text)-1] {
					return
				}
			}
			t.Errorf("let %q through", text)
		}
	})
}

func FuzzJWTSettings(f *testing.F) {
	f.Add([]byte(provider("file: x", "leeway: 5s")))
	f.Add([]byte(provider("url: https://x", `require: {/a~1b: [1, true, "x*"]}`)))
	f.Fuzz(func(_ *testing.T, data []byte) { _ = access.ParseProviders("jwt.yaml", data) })
}

func FuzzJWKS(f *testing.F) {
	f.Add(jwks(f, "rsa", "p256", "p384", "ed"))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AAAA"},{"kty":"RSA","n":"AQ","e":"AQAB"}]}`))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = access.ParseKeys(data) })
}

func BenchmarkJWT(b *testing.B) {
	for _, name := range []string{"rsa", "p256", "ed"} {
		b.Run(name, func(b *testing.B) {
			g := jwtGuard(b, "", name)
			r := bearer(stranger, sign(b, keys()[name], claims(nil)))
			b.ReportAllocs()
			for b.Loop() {
				if err := g.Check(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// More JWTs than are remembered are good all the same.
func TestManyJWTs(t *testing.T) {
	j := openJWTs(t, settings(t, "", "ed"), access.KeyTimes{})
	j.SetMaxVerified(20)
	g := access.NewGuard(access.GuardOptions{JWTs: j})
	for n := range 100 {
		if err := g.Check(bearer(stranger, sign(t, keys()["ed"], claims(map[string]any{"jti": n})))); err != nil {
			t.Fatal(err)
		}
	}
}
