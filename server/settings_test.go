package server_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/server"
)

// recordedSettings are the settings as each start has put them on record, the newest first. Names are in small letters.
func (s *running) recordedSettings() []map[string]string {
	s.tb.Helper()
	_, body := s.get("/v1/audit?kind=settings")
	var answer struct {
		Entries []struct {
			Record struct{ Settings map[string]string }
		}
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		s.tb.Fatalf("%v: %s", err, body)
	}
	var all []map[string]string
	for _, e := range answer.Entries {
		named := map[string]string{}
		for name, text := range e.Record.Settings {
			named[strings.ToLower(name)] = text
		}
		all = append(all, named)
	}
	return all
}

// TestSettingsAreOnRecord holds that a setting which is added goes on record, too, and of files that decide who may do what, what they say.
func TestSettingsAreOnRecord(t *testing.T) {
	remote, data := shop(t), t.TempDir()
	set := settings(remote, data)
	set.JWTFile = filepath.Join(t.TempDir(), "issuers.yaml")
	trust := func(subject string) {
		t.Helper()
		text := "providers: [{issuer: https://issuer.example, audiences: [a], jwks: {file: keys.json}, " +
			"rules: [{when: {sub: " + subject + "}, grant: {environments: [prod], patterns: [a]}}]}]\n"
		if err := os.WriteFile(set.JWTFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trust("one")
	if err := os.WriteFile(filepath.Join(filepath.Dir(set.JWTFile), "keys.json"), []byte(`{"keys": []}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, remote, set)
	eventually(t, "the settings are on record", func() bool { return len(s.recordedSettings()) == 1 })
	first := s.recordedSettings()[0]
	for _, field := range reflect.VisibleFields(reflect.TypeFor[server.Settings]()) {
		if _, there := first[strings.ToLower(field.Name)]; !there {
			t.Errorf("%s is not on record", field.Name)
		}
	}
	s.stop()

	s = start(t, remote, set)
	s.becomes("prod", "checkout.timeout", `"30s"`)
	s.stop()
	trust("another")
	s = start(t, remote, set)
	eventually(t, "that others are trusted is on record", func() bool { return len(s.recordedSettings()) == 2 })
	if got := s.recordedSettings()[0]["jwt"]; !strings.HasPrefix(got, "sha256:") || got == first["jwt"] {
		t.Errorf("what the file says is recorded as %s, after %s", got, first["jwt"])
	}

	trust("a third")
	eventually(t, "what is changed while the server runs is on record", func() bool {
		_, body := s.get("/v1/audit?kind=credential")
		return strings.Contains(body, `"reason":"issuer changed in the server's files","details":{"changed":"rules","issuer":"https://issuer.example"}`)
	})
	tokens, err := access.OpenTokens(filepath.Join(data, "tokens.json"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := tokens.New(access.TokenOptions{Name: "smuggled", Grant: access.Whole(access.Reveal)}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a token that another process wrote is on record", func() bool {
		_, body := s.get("/v1/audit?kind=credential")
		return strings.Contains(body, `"reason":"made in the server's files"`) && strings.Contains(body, `"name":"smuggled","patterns":"**","public":"false","rights":"reveal"`)
	})
}
