package gitsync

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"math"
	"sort"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// pgpKey is a key that may sign: a primary key, or a subkey of one. It does not change, while go-crypto's entities remember what
// they have verified, and so are not for several goroutines.
type pgpKey struct {
	public      *packet.PublicKey
	principal   string
	fingerprint string // of the primary key
	from, until int64  // Unix seconds, both inclusive
	revoked     int64  // from when on
}

// pgpSigner judges a PGP signature (RFC 9580): one detached signature of bytes, in a hash that nobody finds collisions of.
func (k *Keyring) pgpSigner(c signedCommit) (Signer, error) {
	sig, err := readSignature(c.signature)
	if err != nil {
		return Signer{}, bad("its PGP signature cannot be read: %s", reason(err))
	}
	if sig.IssuerKeyId == nil {
		return Signer{}, bad("its PGP signature does not say which key it is of")
	}
	keys := k.pgp[*sig.IssuerKeyId]
	if len(keys) == 0 {
		return Signer{}, hint(ErrUntrusted, "it is signed by the PGP key %s, which is not in the keyring", issuer(sig))
	}
	if err := refuseSignature(sig); err != nil {
		return Signer{}, err
	}
	for _, key := range keys { // several, if their short names are alike
		h, err := sig.PrepareVerify()
		if err != nil {
			return Signer{}, bad("its PGP signature cannot be verified: %s", reason(err))
		}
		_, _ = h.Write(c.payload)
		if key.public.VerifySignature(h, sig) == nil {
			return key.signer(sig.CreationTime.Unix())
		}
	}
	return Signer{}, bad("its PGP signature, said to be by %s, is not of this commit: the commit or the signature was altered", issuer(sig))
}

// issuer names the key that a signature claims.
func issuer(sig *packet.Signature) string {
	if len(sig.IssuerFingerprint) > 0 {
		return fmt.Sprintf("%X", sig.IssuerFingerprint)
	}
	return fmt.Sprintf("%016X", *sig.IssuerKeyId)
}

func readSignature(text []byte) (*packet.Signature, error) {
	block, err := armor.Decode(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	p, err := packet.Read(block.Body)
	if err != nil {
		return nil, err
	}
	sig, ok := p.(*packet.Signature)
	if !ok {
		return nil, errors.New("it holds something else")
	}
	if _, err := packet.Read(block.Body); err != io.EOF {
		return nil, errors.New("something follows the signature")
	}
	return sig, nil
}

// refuseSignature does not look at how long the signature itself is said to last: a commit that was good stays good.
func refuseSignature(sig *packet.Signature) error {
	switch {
	case sig.Version != 4 && sig.Version != 6:
		return bad("its PGP signature is of version %d, and only 4 and 6 are supported", sig.Version)
	case sig.SigType != packet.SigTypeBinary: // in a text, line ends may be changed
		return bad("its PGP signature is not one of bytes: sign without --textmode")
	case !strong(sig.Hash):
		return bad("its PGP signature uses a weak hash: sign with SHA-256 or better (gpg --digest-algo SHA512)")
	}
	for _, n := range sig.Notations {
		if n.IsCritical {
			return bad("its PGP signature has a critical notation that is not known")
		}
	}
	return nil
}

func strong(h crypto.Hash) bool {
	switch h {
	case crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA3_256, crypto.SHA3_512:
		return true
	}
	return false
}

func (k pgpKey) signer(when int64) (Signer, error) {
	switch {
	case when >= k.revoked:
		return Signer{}, bad("it is signed by the PGP key %s, which was revoked", k.fingerprint)
	case when < k.from:
		return Signer{}, bad("it is signed by the PGP key %s on %s, before the key was made", k.fingerprint, day(when))
	case when > k.until:
		return Signer{}, bad("it is signed by the PGP key %s on %s, after the key expired", k.fingerprint, day(when))
	}
	return Signer{Kind: "pgp", Principal: k.principal, Fingerprint: k.fingerprint}, nil
}

// readPGP reads the keys of an armored block.
func readPGP(block string) ([]pgpKey, error) {
	b, err := armor.Decode(strings.NewReader(block))
	if err != nil {
		return nil, errors.New("the armor is damaged: export them again with gpg --armor --export")
	}
	var keys []pgpKey
	for packets := packet.NewReader(b.Body); ; {
		e, err := openpgp.ReadEntity(packets)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("a key cannot be read (%s): export them again with gpg --armor --export", reason(err))
		}
		usable, err := signingKeys(e)
		if err != nil {
			return nil, fmt.Errorf("the key %X %w: leave it out, or export its newest state", e.PrimaryKey.Fingerprint, err)
		}
		keys = append(keys, usable...)
	}
	if len(keys) == 0 {
		return nil, errors.New("there are none")
	}
	return keys, nil
}

// signingKeys takes apart a key whose own signatures hold. Without a date go-crypto takes the newest of them.
func signingKeys(e *openpgp.Entity) ([]pgpKey, error) {
	if e.PrivateKey != nil {
		return nil, errors.New("is a private one")
	}
	if why := weak(e.PrimaryKey); why != "" {
		return nil, errors.New("is too weak: " + why)
	}
	self, principal := certified(e)
	if self == nil {
		return nil, errors.New("has no valid signature of its own")
	}
	primary := pgpKey{
		public: e.PrimaryKey, principal: principal, fingerprint: fmt.Sprintf("%X", e.PrimaryKey.Fingerprint),
		from: math.MinInt64, until: math.MaxInt64, revoked: revokedFrom(e.Revocations, e.PrimaryKey.VerifyRevocationSignature),
	}
	primary.bound(e.PrimaryKey, self)
	if direct, err := e.LatestValidDirectSignature(time.Time{}, nil); err == nil {
		primary.bound(e.PrimaryKey, direct)
	}
	var keys []pgpKey
	if signs(e.PrimaryKey, self) {
		keys = append(keys, primary)
	}
	for i := range e.Subkeys {
		if sub, ok := primary.subkey(&e.Subkeys[i]); ok {
			keys = append(keys, sub)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("cannot sign, nor can any subkey of it")
	}
	return keys, nil
}

// subkey is what a primary key vouches for, if that may sign. go-crypto demands that such a subkey vouches for the primary, too.
func (k pgpKey) subkey(s *openpgp.Subkey) (pgpKey, bool) {
	binding, err := s.LatestValidBindingSignature(time.Time{}, nil)
	if err != nil || !signs(s.PublicKey, binding) || weak(s.PublicKey) != "" {
		return pgpKey{}, false
	}
	k.public = s.PublicKey
	k.bound(s.PublicKey, binding)
	k.bound(s.PublicKey, binding.EmbeddedSignature)
	k.revoked = min(k.revoked, revokedFrom(s.Revocations, func(r *packet.Signature) error {
		return s.Primary.PrimaryKey.VerifySubkeyRevocationSignature(r, s.PublicKey)
	}))
	return k, true
}

// bound narrows the time in which a key is valid to what a signature on it says.
func (k *pgpKey) bound(public *packet.PublicKey, sig *packet.Signature) {
	made := public.CreationTime.Unix()
	k.from = max(k.from, made)
	if secs := sig.KeyLifetimeSecs; secs != nil && *secs > 0 {
		k.until = min(k.until, made+int64(*secs))
	}
	if secs := sig.SigLifetimeSecs; secs != nil && *secs > 0 {
		k.until = min(k.until, sig.CreationTime.Unix()+int64(*secs))
	}
}

// certified is the newest signature of a key on itself, and its primary user ID. Among equals the name decides, so that every
// machine finds the same.
func certified(e *openpgp.Entity) (*packet.Signature, string) {
	names := make([]string, 0, len(e.Identities))
	for name := range e.Identities {
		names = append(names, name)
	}
	sort.Strings(names)
	var best *packet.Signature
	principal := fmt.Sprintf("%X", e.PrimaryKey.Fingerprint)
	for _, name := range names {
		sig, err := e.Identities[name].Verify(time.Time{}, nil)
		if err == nil && (best == nil || preferred(sig, best)) {
			best, principal = sig, oneLine(name, maxName)
		}
	}
	if e.PrimaryKey.Version == 6 { // its properties stand in a signature on the key itself
		best, _ = e.LatestValidDirectSignature(time.Time{}, nil)
	}
	return best, principal
}

func preferred(a, b *packet.Signature) bool {
	primary := func(s *packet.Signature) bool { return s.IsPrimaryId != nil && *s.IsPrimaryId }
	if primary(a) != primary(b) {
		return primary(a)
	}
	return a.CreationTime.After(b.CreationTime)
}

// signs tells whether a key may sign, by its kind and by what the signature on it says it is for.
func signs(k *packet.PublicKey, sig *packet.Signature) bool {
	return k.PubKeyAlgo.CanSign() && sig.FlagsValid && sig.FlagSign
}

// revokedFrom is since when a key is revoked: always, if it may be in the wrong hands, and else since the revocation.
func revokedFrom(list []*packet.VerifiableSignature, verify func(*packet.Signature) error) int64 {
	from := int64(math.MaxInt64)
	for _, r := range list {
		if verify(r.Packet) != nil {
			continue
		}
		since := int64(math.MinInt64)
		if why := r.Packet.RevocationReason; why != nil && (*why == packet.KeySuperseded || *why == packet.KeyRetired) {
			since = r.Packet.CreationTime.Unix()
		}
		from = min(from, since)
	}
	return from
}

// weak says what is wrong with a kind of key, if anything.
func weak(k *packet.PublicKey) string {
	switch k.PubKeyAlgo {
	case packet.PubKeyAlgoDSA, packet.PubKeyAlgoElGamal:
		return "DSA and ElGamal are no longer safe"
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly, packet.PubKeyAlgoRSAEncryptOnly:
		if bits, err := k.BitLength(); err != nil || bits < minRSA-1 { // some generators lose a bit
			return fmt.Sprintf("RSA needs %d bits", minRSA)
		}
	case packet.PubKeyAlgoECDSA:
		if curve, err := k.Curve(); err != nil || curve == packet.CurveSecP256k1 {
			return "its curve is not meant for this"
		}
	}
	return ""
}
