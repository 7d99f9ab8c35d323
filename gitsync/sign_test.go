package gitsync_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgped25519 "github.com/ProtonMail/go-crypto/openpgp/ed25519"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"github.com/trunkline/trunkline/gitsync"
)

// committedAt is the committer's date of what text makes.
var committedAt = time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)

// text is a commit as Git writes it, unsigned.
func text(message string) string {
	return fmt.Sprintf("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nparent %s\nauthor Ada <ada@example.com> 1700000000 +0100\n"+
		"committer Grace <grace@example.com> %d +0000\n\n%s", strings.Repeat("ab", 20), committedAt.Unix(), message)
}

// withHeader puts a header behind the others, in as many lines as its value has.
func withHeader(commit, name, value string) string {
	head, message, _ := strings.Cut(commit, "\n\n")
	return head + "\n" + headerOf(name, value) + "\n" + message
}

func headerOf(name, value string) string {
	return name + " " + strings.ReplaceAll(strings.TrimSuffix(value, "\n"), "\n", "\n ") + "\n"
}

// sshKeyOf makes the same key from the same seed in every process.
func sshKeyOf(tb testing.TB, seed byte) ssh.Signer {
	tb.Helper()
	key, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)))
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// allowed is a line of an allowed_signers file.
func allowed(principal, options string, key ssh.PublicKey) string {
	return strings.TrimSpace(principal+" "+options) + " " + string(ssh.MarshalAuthorizedKey(key))
}

func sshSignature(tb testing.TB, key ssh.Signer, payload, namespace string) string {
	tb.Helper()
	sig, err := sshsig.Sign(strings.NewReader(payload), key, sshsig.HashSHA512, namespace)
	if err != nil {
		tb.Fatal(err)
	}
	return string(sshsig.Armor(sig))
}

func sshSigned(tb testing.TB, key ssh.Signer, commit string) string {
	tb.Helper()
	return withHeader(commit, "gpgsig", sshSignature(tb, key, commit, "git"))
}

// securityKey signs as a FIDO key does (PROTOCOL.u2f of OpenSSH).
type securityKey struct {
	ssh.PublicKey
	private ed25519.PrivateKey
	flags   byte
}

func newSecurityKey(t *testing.T, flags byte) securityKey {
	t.Helper()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, ed25519.SeedSize))
	public, err := ssh.ParsePublicKey(ssh.Marshal(struct {
		Name        string
		Key         []byte
		Application string
	}{ssh.KeyAlgoSKED25519, private.Public().(ed25519.PublicKey), "ssh:"}))
	must(t, err)
	return securityKey{public, private, flags}
}

func (k securityKey) Sign(_ io.Reader, data []byte) (*ssh.Signature, error) {
	application, message := sha256.Sum256([]byte("ssh:")), sha256.Sum256(data)
	tail := binary.BigEndian.AppendUint32([]byte{k.flags}, 7)
	signed := append(append(application[:], tail...), message[:]...)
	return &ssh.Signature{Format: ssh.KeyAlgoSKED25519, Blob: ed25519.Sign(k.private, signed), Rest: tail}, nil
}

func (k securityKey) signer() ssh.Signer { return skSigner{k} }

type skSigner struct{ securityKey }

func (s skSigner) PublicKey() ssh.PublicKey { return s.securityKey.PublicKey }

// pgpMade is when the PGP keys are made.
var pgpMade = committedAt.Add(-48 * time.Hour)

func pgpConfig(at time.Time) *packet.Config {
	return &packet.Config{Time: func() time.Time { return at }, DefaultHash: crypto.SHA512}
}

// pgpKeyOf makes the same key from the same seed in every process. It lasts for so long, or for ever.
func pgpKeyOf(tb testing.TB, seed byte, lasts time.Duration) *openpgp.Entity {
	tb.Helper()
	raw := &pgped25519.PrivateKey{}
	if err := raw.UnmarshalByteSecret(bytes.Repeat([]byte{seed}, 32)); err != nil {
		tb.Fatal(err)
	}
	raw.Point = ed25519.PrivateKey(raw.Key).Public().(ed25519.PublicKey)
	private := packet.NewEd25519PrivateKey(pgpMade, raw)
	e := &openpgp.Entity{PrimaryKey: &private.PublicKey, PrivateKey: private, Identities: map[string]*openpgp.Identity{}}
	addUser(tb, e, "Ada", pgpMade, lasts)
	return e
}

// addUser gives a key a user ID, and with it what holds of the key since then.
func addUser(tb testing.TB, e *openpgp.Entity, name string, at time.Time, lasts time.Duration) {
	tb.Helper()
	config := pgpConfig(at)
	config.KeyLifetimeSecs = uint32(lasts / time.Second)
	if err := e.AddUserId(name, "", strings.ToLower(name)+"@example.com", config); err != nil {
		tb.Fatal(err)
	}
}

// pgpPublic is what gpg --armor --export prints.
func pgpPublic(tb testing.TB, keys ...*openpgp.Entity) []byte {
	tb.Helper()
	return pgpArmor(tb, "PGP PUBLIC KEY BLOCK", func(w io.Writer) error {
		for _, e := range keys {
			if err := e.Serialize(w); err != nil {
				return err
			}
		}
		return nil
	})
}

func pgpArmor(tb testing.TB, kind string, write func(io.Writer) error) []byte {
	tb.Helper()
	var b bytes.Buffer
	w, err := armor.Encode(&b, kind, nil)
	if err == nil {
		err = write(w)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return append(b.Bytes(), '\n')
}

// pgpPacket signs, after change had its way with the signature.
func pgpPacket(tb testing.TB, key *packet.PrivateKey, payload string, at time.Time, change func(*packet.Signature)) *packet.Signature {
	tb.Helper()
	sig := &packet.Signature{
		Version: 4, SigType: packet.SigTypeBinary, PubKeyAlgo: key.PubKeyAlgo, Hash: crypto.SHA512, CreationTime: at,
		IssuerKeyId: &key.KeyId, IssuerFingerprint: key.Fingerprint, IssuerKeyVersion: 4,
	}
	if change != nil {
		change(sig)
	}
	h, err := sig.PrepareSign(nil)
	if err != nil {
		tb.Fatal(err)
	}
	_, _ = io.WriteString(h, payload)
	if err := sig.Sign(h, key, nil); err != nil {
		tb.Fatal(err)
	}
	return sig
}

func pgpSignature(tb testing.TB, sigs ...*packet.Signature) string {
	tb.Helper()
	return string(pgpArmor(tb, "PGP SIGNATURE", func(w io.Writer) error {
		for _, s := range sigs {
			if err := s.Serialize(w); err != nil {
				return err
			}
		}
		return nil
	}))
}

func pgpSigned(tb testing.TB, e *openpgp.Entity, commit string) string {
	tb.Helper()
	return withHeader(commit, "gpgsig", pgpSignature(tb, pgpPacket(tb, e.PrivateKey, commit, committedAt, nil)))
}

func keyring(tb testing.TB, data ...[]byte) *gitsync.Keyring {
	tb.Helper()
	k, err := gitsync.ParseKeyring(data...)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}
