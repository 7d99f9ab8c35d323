package server_test

import (
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/server"
)

const (
	rawKey   = "correct horse battery staple, 32+"
	redacted = "database.primary.dsn"
)

func keyFile(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestDigestKeyIsShared holds that servers with the same key give the same fingerprints, however the key is written, and others do not.
func TestDigestKeyIsShared(t *testing.T) {
	remote := shop(t)
	fingerprint := func(file, data string) (value string, s *running) {
		set := settings(remote, data)
		set.DigestKeyFile = file
		s = start(t, remote, set)
		s.becomes("prod", "checkout.timeout", `"30s"`)
		return s.value("prodEu", redacted), s
	}
	forms := map[string]string{
		"text": rawKey + "\n", "hexadecimal": hex.EncodeToString([]byte(rawKey)), "base64": base64.StdEncoding.EncodeToString([]byte(rawKey)),
		"base64 of URLs": base64.RawURLEncoding.EncodeToString([]byte(rawKey)),
	}
	want, _ := fingerprint(keyFile(t, rawKey, 0o600), t.TempDir())
	for name, text := range forms {
		got, s := fingerprint(keyFile(t, text, 0o600), t.TempDir())
		if got != want || !strings.Contains(got, `"fp":"`) {
			t.Errorf("%s: the fingerprint is %s, want %s", name, got, want)
		}
		if strings.Contains(s.log.String(), "digest key") {
			t.Errorf("%s: the server says %s", name, s.log)
		}
	}

	// One that was made by the first start can be handed on as it is.
	data := t.TempDir()
	own, s := fingerprint("", data)
	s.stop()
	if again, _ := fingerprint(filepath.Join(data, "digest.key"), t.TempDir()); own == want || again != own {
		t.Errorf("the fingerprints are %s and %s", own, again)
	}
}

// TestDigestKeyIsOnRecord holds that another key is told and on record, and that nothing but its name is.
func TestDigestKeyIsOnRecord(t *testing.T) {
	remote, data := shop(t), t.TempDir()
	set := settings(remote, data)
	s := start(t, remote, set)
	s.becomes("prod", "checkout.timeout", `"30s"`)
	recorded := func() string {
		_, body := s.get("/v1/audit?kind=settings")
		return body
	}
	eventually(t, "the settings are on record", func() bool { return strings.Contains(recorded(), `"digestKey":"sha256:`) })
	s.stop()

	set.DigestKeyFile = keyFile(t, rawKey, 0o644)
	s = start(t, remote, set)
	s.becomes("prod", "checkout.timeout", `"30s"`)
	eventually(t, "the other key is on record", func() bool { return strings.Count(recorded(), `"digestKey":"sha256:`) == 2 })
	own, err := os.ReadFile(filepath.Join(data, "digest.key"))
	if err != nil {
		t.Fatal(err)
	}
	said := s.log.String()
	for name, text := range map[string]string{"the log": said, "the record": recorded()} {
		for _, key := range []string{rawKey, hex.EncodeToString([]byte(rawKey)), strings.TrimSpace(string(own))} {
			if strings.Contains(text, key) {
				t.Errorf("%s holds the key: %s", name, text)
			}
		}
	}
	for _, want := range []string{"the digest key is another one than before", "chmod 600"} {
		if !strings.Contains(said, want) {
			t.Errorf("the server does not say %q", want)
		}
	}
}

func TestDigestKeysThatAreNone(t *testing.T) {
	remote := shop(t)
	for name, test := range map[string]struct{ file, want string }{
		"missing":   {filepath.Join(t.TempDir(), "none"), "no such file"},
		"too short": {keyFile(t, "hunter2", 0o600), "openssl rand -hex 32"},
		"half":      {keyFile(t, strings.Repeat("ab", 15), 0o600), "openssl rand -hex 32"},
		"too large": {keyFile(t, strings.Repeat("k", 5000), 0o600), "more than 4096 bytes"},
	} {
		set := settings(remote, t.TempDir())
		set.DigestKeyFile = test.file
		s, err := server.New(set, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		err = s.Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "--digest-key-file") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
