package gitsync_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	pgped25519 "github.com/ProtonMail/go-crypto/openpgp/ed25519"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/trunkline/trunkline/gitsync"
)

func TestPGP(t *testing.T) {
	commit := text("Signed\n")
	key := pgpKeyOf(t, 1, 0)
	signed := func(e *openpgp.Entity, at time.Time, change func(*packet.Signature)) string {
		return withHeader(commit, "gpgsig", pgpSignature(t, pgpPacket(t, e.PrivateKey, commit, at, change)))
	}
	plain := signed(key, committedAt, nil)
	_, signature := cutSignature(t, plain)
	one := pgpPacket(t, key.PrivateKey, commit, committedAt, nil)
	forAges := uint32(1)
	for name, tt := range map[string]struct {
		raw  string
		want error
	}{
		"good":                  {plain, nil},
		"by SHA-256":            {signed(key, committedAt, func(s *packet.Signature) { s.Hash = crypto.SHA256 }), nil},
		"that itself lapsed":    {signed(key, committedAt, func(s *packet.Signature) { s.SigLifetimeSecs = &forAges }), nil},
		"as a message":          {withHeader(commit, "gpgsig", strings.ReplaceAll(signature, "PGP SIGNATURE", "PGP MESSAGE")), nil},
		"message":               {strings.Replace(plain, "Signed", "Altered", 1), gitsync.ErrBadSignature},
		"tree":                  {strings.Replace(plain, "tree 4b", "tree 4c", 1), gitsync.ErrBadSignature},
		"line ends":             {strings.Replace(plain, "Signed\n", "Signed\r\n", 1), gitsync.ErrBadSignature},
		"of another":            {withHeader(text("Other"), "gpgsig", signature), gitsync.ErrBadSignature},
		"before the key":        {signed(key, pgpMade.Add(-time.Second), nil), gitsync.ErrBadSignature},
		"by SHA-1":              {withHeader(commit, "gpgsig", sha1Signature(t, key, commit)), gitsync.ErrBadSignature},
		"of a text":             {signed(key, committedAt, func(s *packet.Signature) { s.SigType = packet.SigTypeText }), gitsync.ErrBadSignature},
		"of nothing":            {signed(key, committedAt, func(s *packet.Signature) { s.SigType = packet.SigTypeDirectSignature }), gitsync.ErrBadSignature},
		"two of them":           {withHeader(commit, "gpgsig", pgpSignature(t, one, one)), gitsync.ErrBadSignature},
		"with a critical note":  {signed(key, committedAt, critical), gitsync.ErrBadSignature},
		"by a stranger":         {pgpSigned(t, pgpKeyOf(t, 2, 0), commit), gitsync.ErrUntrusted},
		"by a stranger as this": {pgpSigned(t, posing(pgpKeyOf(t, 2, 0), key), commit), gitsync.ErrBadSignature},
		"something else":        {withHeader(commit, "gpgsig", strings.ReplaceAll(string(pgpPublic(t, key)), "PGP PUBLIC KEY BLOCK", "PGP SIGNATURE")), gitsync.ErrBadSignature},
		"binary":                {withHeader(commit, "gpgsig", "\xc2\x75"), gitsync.ErrBadSignature},
		"armor without content": {withHeader(commit, "gpgsig", "-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----"), gitsync.ErrBadSignature},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := gitsync.Verify([]byte(tt.raw), keyring(t, pgpPublic(t, pgpKeyOf(t, 1, 0))))
			if !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			want := gitsync.Signer{Kind: "pgp", Principal: "Ada <ada@example.com>", Fingerprint: fingerprint(key)}
			if err == nil && got != want {
				t.Errorf("signed by %+v, want %+v", got, want)
			}
			if name == "by SHA-1" && !strings.Contains(fmt.Sprint(err), "weak hash") {
				t.Errorf("error %v, want it to say that the hash is weak", err)
			}
			if errors.Is(err, gitsync.ErrUntrusted) && !strings.Contains(err.Error(), fingerprint(pgpKeyOf(t, 2, 0))) {
				t.Errorf("error %q does not name the key", err)
			}
		})
	}
}

func fingerprint(e *openpgp.Entity) string { return fmt.Sprintf("%X", e.PrimaryKey.Fingerprint) }

func critical(s *packet.Signature) {
	s.Notations = []*packet.Notation{{Name: "x@example.com", Value: []byte("y"), IsCritical: true}}
}

// sha1Signature is a whole signature (RFC 9580, 5.2.3) of a kind that go-crypto no longer makes.
func sha1Signature(t *testing.T, e *openpgp.Entity, payload string) string {
	t.Helper()
	made := binary.BigEndian.AppendUint32([]byte{5, 2}, uint32(committedAt.Unix()))
	issuer := binary.BigEndian.AppendUint64([]byte{9, 16}, e.PrimaryKey.KeyId)
	hashed := append(made, issuer...)
	body := append([]byte{4, byte(packet.SigTypeBinary), byte(packet.PubKeyAlgoEd25519), 2, 0, byte(len(hashed))}, hashed...)
	trailer := binary.BigEndian.AppendUint32([]byte{4, 0xff}, uint32(len(body)))
	digest := sha1.Sum(slices.Concat([]byte(payload), body, trailer))
	private := ed25519.NewKeyFromSeed(e.PrivateKey.PrivateKey.(*pgped25519.PrivateKey).Seed())
	body = slices.Concat(body, []byte{0, 0}, digest[:2], ed25519.Sign(private, digest[:]))
	return string(pgpArmor(t, "PGP SIGNATURE", func(w io.Writer) error {
		_, err := w.Write(append([]byte{0xc2, byte(len(body))}, body...))
		return err
	}))
}

// posing is a key that says it is another.
func posing(e, as *openpgp.Entity) *openpgp.Entity {
	private := *e.PrivateKey
	private.KeyId, private.Fingerprint = as.PrimaryKey.KeyId, as.PrimaryKey.Fingerprint
	return &openpgp.Entity{PrivateKey: &private}
}

// What a key says of itself decides, in its newest words, at the time of signing.
func TestPGPKeysInTime(t *testing.T) {
	commit := text("Signed\n")
	hour := time.Hour
	for name, tt := range map[string]struct {
		change func(*openpgp.Entity)
		signed time.Duration // after the key was made
		want   error
	}{
		"in the first second":      {nil, 0, nil},
		"in the last second":       {nil, 24 * hour, nil},
		"expired":                  {nil, 24*hour + time.Second, gitsync.ErrBadSignature},
		"extended later":           {func(e *openpgp.Entity) { extend(t, e, 72*hour, 96*hour) }, 25 * hour, nil},
		"cut short later":          {func(e *openpgp.Entity) { extend(t, e, 10*hour, hour) }, 2 * hour, gitsync.ErrBadSignature},
		"retired later":            {revoke(t, packet.KeyRetired, 10*hour), 9 * hour, nil},
		"superseded before":        {revoke(t, packet.KeySuperseded, 10*hour), 11 * hour, gitsync.ErrBadSignature},
		"compromised later":        {revoke(t, packet.KeyCompromised, 10*hour), 9 * hour, gitsync.ErrBadSignature},
		"revoked later, no reason": {revoke(t, packet.NoReason, 10*hour), 9 * hour, gitsync.ErrBadSignature},
	} {
		t.Run(name, func(t *testing.T) {
			e := pgpKeyOf(t, 1, 24*hour)
			if tt.change != nil {
				tt.change(e)
			}
			keys := keyring(t, pgpPublic(t, e))
			sig := pgpPacket(t, e.PrivateKey, commit, pgpMade.Add(tt.signed), nil)
			_, err := gitsync.Verify([]byte(withHeader(commit, "gpgsig", pgpSignature(t, sig))), keys)
			if !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}

// extend does what gpg does: the old signature of the key on itself makes room for a new one.
func extend(t *testing.T, e *openpgp.Entity, at, lasts time.Duration) {
	t.Helper()
	clear(e.Identities)
	addUser(t, e, "Ada", pgpMade.Add(at), lasts)
}

func revoke(t *testing.T, why packet.ReasonForRevocation, at time.Duration) func(*openpgp.Entity) {
	return func(e *openpgp.Entity) { must(t, e.Revoke(why, "", pgpConfig(pgpMade.Add(at)))) }
}

// A subkey signs in the name of its primary key, until it is revoked.
func TestPGPSubkeys(t *testing.T) {
	commit := text("Signed\n")
	e := pgpKeyOf(t, 1, 0)
	must(t, e.AddSigningSubkey(pgpConfig(pgpMade)))
	must(t, e.AddEncryptionSubkey(pgpConfig(pgpMade)))
	addUser(t, e, "Also", pgpMade, 0)
	sub := e.Subkeys[0].PrivateKey
	raw := []byte(withHeader(commit, "gpgsig", pgpSignature(t, pgpPacket(t, sub, commit, committedAt, nil))))
	want := gitsync.Signer{Kind: "pgp", Principal: "Ada <ada@example.com>", Fingerprint: fingerprint(e)}
	if got, err := gitsync.Verify(raw, keyring(t, pgpPublic(t, e))); err != nil || got != want {
		t.Errorf("signed by %+v, %v, want %+v", got, err, want)
	}
	must(t, e.Subkeys[0].Revoke(packet.KeyCompromised, "", pgpConfig(committedAt)))
	keys := keyring(t, pgpPublic(t, e))
	if _, err := gitsync.Verify(raw, keys); !errors.Is(err, gitsync.ErrBadSignature) {
		t.Errorf("by a revoked subkey: %v, want ErrBadSignature", err)
	}
	if _, err := gitsync.Verify([]byte(pgpSigned(t, e, commit)), keys); err != nil {
		t.Errorf("by the primary key: %v", err)
	}
}

// A key of version 6 says of itself what holds in another place, and its fingerprint is longer.
func TestPGPVersion6(t *testing.T) {
	commit := text("Signed\n")
	config := pgpConfig(pgpMade)
	config.V6Keys, config.Algorithm, config.KeyLifetimeSecs = true, packet.PubKeyAlgoEd25519, 86_400
	e, err := openpgp.NewEntity("Ada", "", "ada@example.com", config)
	must(t, err)
	keys := keyring(t, pgpPublic(t, e))
	for at, want := range map[time.Duration]error{time.Hour: nil, 25 * time.Hour: gitsync.ErrBadSignature} {
		sig := pgpPacket(t, e.PrivateKey, commit, pgpMade.Add(at), func(s *packet.Signature) { s.Version, s.IssuerKeyVersion = 6, 6 })
		got, err := gitsync.Verify([]byte(withHeader(commit, "gpgsig", pgpSignature(t, sig))), keys)
		if !errors.Is(err, want) {
			t.Errorf("after %s: %v, want %v", at, err, want)
		}
		expected := gitsync.Signer{Kind: "pgp", Principal: "Ada <ada@example.com>", Fingerprint: fingerprint(e)}
		if err == nil && (got != expected || len(got.Fingerprint) != 64) {
			t.Errorf("signed by %+v, want %+v", got, expected)
		}
	}
}

// What gpg signs is known for what it is, as git knows it.
func TestGPG(t *testing.T) {
	t.Parallel()
	s := newSigning(t)
	needs(t, "gpg")
	home, err := os.MkdirTemp("", "gpg") // gpg's sockets bear no long names
	must(t, err)
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
		_ = os.RemoveAll(home)
	})
	gpg := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("gpg", append([]string{"--homedir", home, "--batch", "--quiet", "--passphrase", ""}, args...)...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("gpg %s: %v", strings.Join(args, " "), err)
		}
		return string(out)
	}
	program := filepath.Join(s.dir, "gpg.sh")
	must(t, os.WriteFile(program, []byte("#!/bin/sh\nexec gpg --homedir "+home+" \"$@\"\n"), 0o700))
	config := []string{"-c", "gpg.program=" + program}

	users := map[string]string{} // commits to user IDs
	for _, algorithm := range []string{"ed25519", "rsa3072", "nistp256"} {
		user := "Ada " + algorithm + " <ada@example.com>"
		gpg("--quick-gen-key", user, algorithm, "sign", "never")
		s.Write(map[string]string{"config/app.yaml": algorithm})
		s.Git("add", "--all")
		s.Git(append(config, "-c", "user.signingKey="+user, "commit", "--quiet", "--gpg-sign", "--message", algorithm)...)
		users[s.Head()] = user
	}
	s.Git("push", "--quiet", "origin", "HEAD")
	w := follow(t, s.URL())
	w.next()
	keys := keyring(t, []byte(gpg("--armor", "--export")))
	for commit, user := range users {
		got, err := w.Signer(hash(t, commit), keys)
		primary := s.Git(append(config, "show", "--no-patch", "--format=%GP", commit)...)
		if want := (gitsync.Signer{Kind: "pgp", Principal: user, Fingerprint: primary}); err != nil || got != want {
			t.Errorf("signed by %+v, %v, want %+v", got, err, want)
		}
		// gpg replaces the key's word on itself when the key is extended.
		gpg("--faked-system-time", "20300101T000000!", "--quick-set-expire", primary, "1y")
		if _, err := w.Signer(hash(t, commit), keyring(t, []byte(gpg("--armor", "--export", primary)))); err != nil {
			t.Errorf("extended later: %v", err)
		}
		altered := s.object(strings.Replace(s.raw(commit), "author Ada", "author Eve", 1))
		if _, err := gitsync.Verify([]byte(s.raw(altered)), keys); !errors.Is(err, gitsync.ErrBadSignature) {
			t.Errorf("altered: %v, want ErrBadSignature", err)
		}
	}
}
