package value_test

import (
	"strings"
	"testing"

	"github.com/trunkline/trunkline/value"
)

func TestLooksSecretByKey(t *testing.T) {
	secret := []string{
		"password", "PASSWORD", "dbPassword", "db_password", "db-password", "DB_PASSWORD", "passwordHash", "passwd", "pwd", "rootPwd", "passphrase",
		"secret", "clientSecret", "SECRET_KEY_BASE", "secrets", "token", "accessToken", "authToken", "TOKEN", "credential", "credentials", "awsCreds", "dsn", "DSN", "sentryDsn", "sentry.dsn",
		"connectionString", "connection_string", "connectionstring", "ConnectionString",
		"apiKey", "api_key", "API_KEY", "apikey", "APIKey", "stripeApiKey", "authKey", "accessKey", "privateKey", "clientKey", "serviceKey", "accountKey", "dbKey", "encryptionKey", "signingKey", "apiKeys",
		"key", "auth", "Key", "AUTH",
	}
	harmless := []string{
		"", "name", "owner", "endpoint", "keyboard", "monkey", "keys", "author", "authority", "authMethod", "primaryKey", "sortKey", "cacheKey", "publicKey", "keyPrefix", "pass", "passed", "compass",
		"tokenizer", "secretary", "passwordless", "discountKey", "rapid", "connection", "string",
		"passwordEnabled", "password_enabled", "tokenName", "secretName", "SECRET_NAME", "tokenTtl", "token_ttl", "apiKeyName", "credentialsEnabled", "tokenTTL",
	}
	content := value.NewString("plainwords", nowhere)
	for _, key := range secret {
		if !value.LooksSecret(key, content) {
			t.Errorf("%q does not look secret", key)
		}
	}
	for _, key := range harmless {
		if value.LooksSecret(key, content) {
			t.Errorf("%q looks secret", key)
		}
	}
}

func TestLooksSecretBareKeys(t *testing.T) {
	for content, want := range map[string]bool{"": false, "primary": false, "id": false, "12345678": true, "abcdefghij": true} {
		for _, key := range []string{"key", "auth"} {
			if got := value.LooksSecret(key, value.NewString(content, nowhere)); got != want {
				t.Errorf("%s: %q: %t", key, content, got)
			}
		}
	}
}

func TestLooksSecretOtherKinds(t *testing.T) {
	for _, c := range []struct {
		key, text string
		want      bool
	}{
		{"password", `5`, false},
		{"password", `5.5`, false},
		{"password", `true`, false},
		{"password", `null`, false},
		{"password", `""`, true},
		{"tokens", `[1,true,null]`, false},
		{"token", `["a"]`, true},
		{"token", `[[1,["a"]]]`, true},
		{"name", `["a"]`, false},
		{"any", `{"password":"x"}`, true},
		{"any", `{"a":[{"b":{"password":"x"}}]}`, true},
		{"any", `{"password":5}`, false},
		{"secret", `{"name":"x"}`, false},
		{"any", `{}`, false},
		{"name", `{"$redacted":true,"fp":"x"}`, true},
		{"any", `{"a":{"$redacted":true,"fp":"x"}}`, true},
	} {
		if got := value.LooksSecret(c.key, parse(t, c.text)); got != c.want {
			t.Errorf("%s: %s: %t", c.key, c.text, got)
		}
	}
	if value.LooksSecret("password", nil) {
		t.Error("nothing looks secret")
	}
}

// The samples are put together here, so that no scanner takes this file for a leak.
func TestLooksSecretByShape(t *testing.T) {
	x := strings.Repeat("A1b2C3d4", 8)
	upper := strings.ToUpper(x)
	for name, sample := range map[string]string{
		"private key":         "-----BEGIN " + "PRIVATE KEY-----\nabc",
		"private key of RSA":  "-----BEGIN RSA " + "PRIVATE KEY-----",
		"private key of SSH":  "-----BEGIN OPENSSH " + "PRIVATE KEY-----",
		"private key of PGP":  "-----BEGIN PGP " + "PRIVATE KEY BLOCK-----",
		"JWT":                 "ey" + "J" + x[:20] + ".ey" + "J" + x[:20] + "." + x[:20],
		"JWT in a header":     "Bearer ey" + "J" + x[:20] + ".ey" + "J" + x[:20] + ".",
		"AWS":                 "AK" + "IA" + upper[:16],
		"AWS, temporary":      "AS" + "IA" + upper[:16],
		"GitHub":              "gh" + "p_" + x[:36],
		"GitHub server":       "gh" + "s_" + x[:36],
		"GitHub fine-grained": "github" + "_pat_" + x[:30],
		"Slack bot":           "xo" + "xb-" + x[:20],
		"Slack user":          "xo" + "xp-" + x[:20],
		"Stripe":              "sk" + "_live_" + x[:24],
		"Stripe restricted":   "rk" + "_test_" + x[:24],
		"Google":              "AI" + "za" + x[:35],
		"age":                 "AGE-SECRET" + "-KEY-1" + upper[:40],
		"URL":                 "postgres://user:" + "pass@host/db",
		"URL without a user":  "redis://:" + "pass@host:6379",
		"URL in a text":       "see https://u:" + "p@host for more",
		"SOPS":                "EN" + "C[AES256_GCM,data:abc]",
	} {
		if !value.LooksSecret("note", value.NewString(sample, nowhere)) {
			t.Errorf("%s does not look secret", name)
		}
		if !value.LooksSecret("names", value.NewList([]*value.Value{value.NewString(sample, nowhere)}, nowhere)) {
			t.Errorf("%s in a list does not look secret", name)
		}
	}
	for name, sample := range map[string]string{
		"words":               "the secret is out",
		"URL":                 "https://host:8443/path",
		"URL with a user":     "https://user@host/path",
		"URL with an address": "https://host:80/a@b",
		"mail":                "mail: someone@example.com",
		"ISO time":            "2024-01-02T03:04:05Z",
		"digest":              strings.ToLower(x),
		"UUID":                "123e4567-e89b-12d3-a456-426614174000",
		"AWS-like word":       "AKIAXYZ",
		"key of Stripe":       "pk" + "_live_" + x[:24],
		"public key":          "-----BEGIN PUBLIC KEY-----",
		"template":            "ghp_short",
		"image":               "registry.example.com/app:1.2@sha256:" + strings.ToLower(x),
	} {
		if value.LooksSecret("note", value.NewString(sample, nowhere)) {
			t.Errorf("%s looks secret", name)
		}
	}
}
