package gitsync_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"golang.org/x/crypto/ssh"

	"github.com/trunkline/trunkline/gitsync"
)

// A keyring takes all it is given, of both kinds.
func TestKeyringOfBothKinds(t *testing.T) {
	a, b, pgp := sshKeyOf(t, 1), sshKeyOf(t, 2), pgpKeyOf(t, 1, 0)
	mixed := "# the team\r\n\n" + strings.ReplaceAll(allowed("a", "", a.PublicKey()), "\n", "\r\n") + string(pgpPublic(t, pgp, pgpKeyOf(t, 3, 0)))
	keys := keyring(t, nil, []byte("\ufeff"+mixed), []byte("\n"), []byte(allowed("b", "", b.PublicKey())+"# end"))
	commit := text("Signed")
	for name, raw := range map[string]string{
		"a": sshSigned(t, a, commit), "b": sshSigned(t, b, commit), "Ada <ada@example.com>": pgpSigned(t, pgp, commit),
	} {
		if got, err := gitsync.Verify([]byte(raw), keys); err != nil || got.Principal != name {
			t.Errorf("signed by %+v, %v, want %s", got, err, name)
		}
	}
}

// A keyring that would not do what it seems to is refused, with its line and what to do.
func TestKeyringsThatAreRefused(t *testing.T) {
	key := sshKeyOf(t, 1).PublicKey()
	good := allowed("ada", "", key)
	public := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	weak, err := ssh.NewPublicKey(&small.PublicKey)
	must(t, err)
	_, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	must(t, err)
	cert := &ssh.Certificate{Key: key, CertType: ssh.UserCert}
	must(t, cert.SignCert(rand.Reader, sshKeyOf(t, 2)))
	armoredKey := string(pgpPublic(t, pgpKeyOf(t, 1, 0)))
	unsigned := pgpKeyOf(t, 1, 0)
	for _, id := range unsigned.Identities {
		id.SelfCertifications[0].Packet.EdSig[3] ^= 1
	}
	unable := pgpKeyOf(t, 1, 0)
	for _, id := range unable.Identities {
		sig := id.SelfCertifications[0].Packet
		sig.FlagSign = false
		must(t, sig.SignUserId(id.Name, unable.PrimaryKey, unable.PrivateKey, nil))
	}
	for name, tt := range map[string]struct{ data, says string }{
		"empty":              {"", "holds no key"},
		"comments":           {"# a\n\n  # b\n", "holds no key"},
		"no principal":       {good + public + "\n", "line 2: there is no name"},
		"no key":             {"# a\nada\n", "line 2: there is no key"},
		"options and no key": {`ada namespaces="git"` + "\n", "line 1: there is no key"},
		"half a key":         {"ada ssh-ed25519\n", "line 1: the key ends"},
		"half the base64":    {"ada " + public[:len(public)-9] + "\n", "line 1: the key"},
		"no base64":          {"ada ssh-ed25519 !!!\n", "line 1: the key is not in base64"},
		"another type":       {"ada " + strings.Replace(public, "ssh-ed25519", "ssh-rsa", 1), "line 1: the key cannot be read"},
		"nobody":             {"!ada " + public, "line 1: it must begin with the name"},
		"quote of the name":  {`"ada ` + public, "line 1: the quote"},
		"authority":          {allowed("ada", "cert-authority", key), "line 1: cert-authority is not supported"},
		"authority, quoted":  {allowed("ada", `namespaces="git",cert-authority`, key), "line 1: cert-authority is not supported"},
		"certificate":        {allowed("ada", "", cert), "line 1: this is a certificate"},
		"unknown option":     {allowed("ada", `no-pty`, key), "line 1: an option before its key is not known"},
		"unknown and valued": {allowed("ada", `from="x"`, key), "line 1: an option before its key is not known"},
		"option twice":       {allowed("ada", `namespaces="a",namespaces="git"`, key), "line 1: the option namespaces stands on it twice"},
		"open quote":         {allowed("ada", `namespaces="git`, key), "line 1: a quote in its options"},
		"no comma":           {allowed("ada", `namespaces="git"valid-after="20250101Z"`, key), "line 1: the option namespaces"},
		"a comma at the end": {allowed("ada", `namespaces="git",`, key), "line 1: the option namespaces"},
		"no namespace":       {allowed("ada", `namespaces=""`, key), "line 1: the option namespaces"},
		"no time":            {allowed("ada", `valid-after="tomorrow"`, key), "line 1: valid-after is no time"},
		"no such day":        {allowed("ada", `valid-before="20260231Z"`, key), "line 1: valid-before is no time"},
		"never":              {allowed("ada", `valid-after="20260102",valid-before="20260101"`, key), "line 1: valid-after is not before"},
		"weak RSA":           {allowed("ada", "", weak), "line 1: the RSA key has 1024 bits"},
		"private":            {good + string(pem.EncodeToMemory(block)), "line 2: this is a private key"},
		"private PGP":        {"-----BEGIN PGP PRIVATE KEY BLOCK-----\n", "line 1: this is a private key"},
		"a certificate":      {"-----BEGIN CERTIFICATE-----\n", "line 1: this is no public key"},
		"binary":             {"\x98\x33\x04\xff", "gpg --armor --export"},
		"huge":               {strings.Repeat("#", 4<<20+1), "more than the limit"},
		"PGP without end":    {good + armoredKey[:len(armoredKey)-9], "begin on line 2 have no end"},
		"damaged PGP":        {armoredKey[:100] + "!" + armoredKey[101:], "begin on line 1"},
		"PGP of nothing":     {"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n-----END PGP PUBLIC KEY BLOCK-----\n", "begin on line 1"},
		"unsigned PGP":       {string(pgpPublic(t, unsigned)), "has no valid signature of its own"},
		"PGP for else":       {string(pgpPublic(t, unable)), "cannot sign"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := gitsync.ParseKeyring([]byte(tt.data))
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("error %v, want it to say %q", err, tt.says)
			}
			if len(err.Error()) > 300 || strings.Contains(err.Error(), public[20:]) {
				t.Errorf("error %q quotes the keyring", err)
			}
		})
	}
	if _, err := gitsync.ParseKeyring(); err == nil {
		t.Error("a keyring of nothing is taken")
	}
	if _, err := gitsync.ParseKeyring([]byte(good), []byte("\nada")); err == nil || !strings.Contains(err.Error(), "keyring 2: line 2") {
		t.Errorf("in the second of two: %v, want it to say which", err)
	}
	if _, err := gitsync.ParseKeyring([]byte(strings.Repeat(good, 10_001))); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("too many keys: %v", err)
	}
}

// A PGP key of an algorithm that is no longer safe vouches for nobody.
func TestWeakPGPKeys(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	e := pgpKeyOf(t, 1, 0)
	e.PrivateKey = packet.NewRSAPrivateKey(pgpMade, small)
	e.PrimaryKey = &e.PrivateKey.PublicKey
	clear(e.Identities)
	addUser(t, e, "Ada", pgpMade, 0)
	if _, err := gitsync.ParseKeyring(pgpPublic(t, e)); err == nil || !strings.Contains(err.Error(), "too weak") {
		t.Errorf("RSA of 1024 bits: %v, want it refused", err)
	}
}
