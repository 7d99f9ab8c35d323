package gitsync_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/trunkline/trunkline/gitsync"
)

// No bit of what was signed can be another, and any goroutine may look.
func TestEveryBitCounts(t *testing.T) {
	commit := text("Signed\n\nAnd why.\n")
	key, pgp := sshKeyOf(t, 1), pgpKeyOf(t, 2, 0)
	keys := keyring(t, []byte(allowed("ada", "", key.PublicKey())), pgpPublic(t, pgp))
	var work sync.WaitGroup
	for _, raw := range []string{sshSigned(t, key, commit), pgpSigned(t, pgp, commit)} {
		for bit := range 8 {
			work.Go(func() {
				for i := range raw {
					flipped := []byte(raw)
					flipped[i] ^= 1 << bit
					if _, err := gitsync.Verify(flipped, keys); err == nil && withoutSignatures(string(flipped)) != commit {
						t.Errorf("%q is taken for signed", flipped)
					}
				}
			})
		}
	}
	work.Wait()
}

// Whatever stands in a commit, only what one of the trusted keys signed is taken for signed, and nothing makes it panic.
func FuzzSignature(f *testing.F) {
	key, pgp := sshKeyOf(f, 1), pgpKeyOf(f, 2, 0)
	keys := keyring(f, []byte(allowed("ada", "", key.PublicKey())), pgpPublic(f, pgp))
	signed := map[string]bool{}
	for _, message := range []string{"Signed\n", "", "gpgsig in a message\n\ngpgsig no\n more\n"} {
		commit := text(message)
		tagged := withHeader(withHeader(commit, "encoding", "ISO-8859-1"), "mergetag", "object x\ntype commit\n\ngpgsig y")
		signed[commit], signed[tagged] = true, true
		for _, c := range []string{commit, tagged} {
			f.Add([]byte(sshSigned(f, key, c)))
			f.Add([]byte(pgpSigned(f, pgp, c)))
			f.Add([]byte(withHeader(sshSigned(f, key, c), "gpgsig-sha256", "x\ny")))
			f.Add([]byte(c))
		}
	}
	f.Add([]byte(sshSigned(f, sshKeyOf(f, 3), text("By a stranger"))))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := gitsync.Verify(raw, keys)
		if err == nil {
			payload := withoutSignatures(string(raw))
			if !signed[payload] {
				t.Errorf("%q is taken for signed by %+v", payload, s)
			}
			if !strings.HasPrefix(string(raw), payload[:strings.Index(payload, "\ncommitter ")]) {
				t.Errorf("%q is read as another commit than %q", raw, payload)
			}
			return
		}
		if !errors.Is(err, gitsync.ErrUnsigned) && !errors.Is(err, gitsync.ErrUntrusted) && !errors.Is(err, gitsync.ErrBadSignature) {
			t.Errorf("error %v is of no kind", err)
		}
		if len(err.Error()) > 300 || strings.ContainsAny(err.Error(), "\x00\n\x1b") {
			t.Errorf("error %q is not fit to be shown", err)
		}
	})
}

// withoutSignatures is another way to find what was signed.
func withoutSignatures(raw string) string {
	head, message, found := strings.Cut("\n"+raw, "\n\n")
	var kept strings.Builder
	skip := false
	for line := range strings.Lines(head[1:] + "\n") {
		skip = strings.HasPrefix(line, "gpgsig") || skip && line[0] == ' '
		if !skip {
			kept.WriteString(line)
		}
	}
	if !found {
		return strings.TrimSuffix(kept.String(), "\n")
	}
	return kept.String() + "\n" + message
}

// BenchmarkSigner measures judging one signature.
func BenchmarkSigner(b *testing.B) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		b.Fatal(err)
	}
	keys := keyring(b, []byte(allowed("ada", "", key.PublicKey())))
	raw := []byte(sshSigned(b, key, text("Signed")))
	for b.Loop() {
		if _, err := gitsync.Verify(raw, keys); err != nil {
			b.Fatal(err)
		}
	}
}
