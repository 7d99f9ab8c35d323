package gitsync

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// Signer is whose key signed a commit.
type Signer struct {
	// Kind is "ssh" or "pgp".
	Kind string
	// Principal is who that is, in the keyring's words: the first name on the line of an allowed_signers file, or the primary
	// user ID of a PGP key. What the commit claims has no part in it.
	Principal string
	// Fingerprint is SHA256:… of an SSH key, and the 40 or 64 digits of a PGP key: of the primary key, when a subkey signed.
	Fingerprint string
}

// Signer tells whose key signed a commit. It is a function of the commit and the keyring alone, so that it answers the same on
// every machine and on every day. The errors are ErrUnsigned, ErrUntrusted and ErrBadSignature, each with what to do; any other
// says that the commit cannot be read.
//
// A key is judged at the time of signing and not at the present. A PGP signature holds that time; for an SSH signature it is the
// committer's date, as for Git. Both are claims of the signer: whoever holds an expired key can date back. So a key that was
// lost has to leave the keyring, or be revoked.
func (f *Follower) Signer(commit Hash, keys *Keyring) (Signer, error) {
	raw, err := f.store.rawCommit(commit)
	if err != nil {
		if !errors.Is(err, ErrNotFound) {
			f.suspect(commit)
		}
		return Signer{}, err
	}
	s, err := signerOf(raw, keys)
	if err != nil {
		return Signer{}, fmt.Errorf("commit %s: %w", commit.Short(), err)
	}
	return s, nil
}

// signerOf survives a parser that does not: signatures are strangers' bytes.
func signerOf(raw []byte, keys *Keyring) (s Signer, err error) {
	defer func() {
		if r := recover(); r != nil {
			s, err = Signer{}, bad("its signature cannot be read")
		}
	}()
	return verify(raw, keys)
}

func verify(raw []byte, keys *Keyring) (Signer, error) {
	c, err := parseSigned(raw)
	if err != nil {
		return Signer{}, err
	}
	if keys == nil {
		keys = &Keyring{}
	}
	switch {
	case armored(c.signature, "SSH SIGNATURE"):
		return keys.sshSigner(c)
	case armored(c.signature, "PGP SIGNATURE"), armored(c.signature, "PGP MESSAGE"):
		return keys.pgpSigner(c)
	case bytes.HasPrefix(c.signature, []byte("-----BEGIN SIGNED MESSAGE-----")):
		return Signer{}, hint(ErrUntrusted, "it is signed by an X.509 certificate, and a keyring holds none: sign by an SSH or a PGP key")
	}
	return Signer{}, bad("its signature is neither one SSH nor one PGP signature")
}

func bad(format string, args ...any) error { return hint(ErrBadSignature, format, args...) }

// reason is what a parser says of strangers' bytes, fit to be shown.
func reason(err error) string { return oneLine(err.Error(), 120) }

// armored tells whether text is one armored block of a kind and nothing else. A second one would be a second signature.
func armored(text []byte, kind string) bool {
	return bytes.HasPrefix(text, []byte("-----BEGIN "+kind+"-----\n")) &&
		bytes.HasSuffix(bytes.TrimSpace(text), []byte("\n-----END "+kind+"-----")) &&
		bytes.Count(text, []byte("-----BEGIN ")) == 1 && bytes.Count(text, []byte("-----END ")) == 1
}

// signedCommit is a commit taken apart.
type signedCommit struct {
	payload   []byte // what was signed
	signature []byte
	when      int64 // committed, in Unix seconds
}

func parseSigned(raw []byte) (signedCommit, error) {
	payload, signature, n := unsign(raw)
	switch {
	case n == 0:
		return signedCommit{}, hint(ErrUnsigned, "it is not signed: sign it with git commit -S")
	case n > 1:
		return signedCommit{}, bad("it has %d signatures, and Git allows one", n)
	case len(signature) > maxSignature:
		return signedCommit{}, bad("its signature has %d bytes, more than the limit of %d", len(signature), maxSignature)
	}
	// The signature does not cover its own header. Where that stands before others, readers that stop at it see a commit without
	// parents or author, and the signature holds all the same.
	when, ok := committed(raw)
	if !ok {
		return signedCommit{}, bad("its headers are not what Git writes, so that the signature may cover another commit than the one read")
	}
	return signedCommit{payload: payload, signature: signature, when: when}, nil
}

// unsign parts a commit from its signature, to the byte as Git does (parse_buffer_signed_by_header): what was signed is the
// commit without the header gpgsig and without any other whose name begins like that, of which gpgsig-sha256 is one. n is how
// many gpgsig there are.
func unsign(raw []byte) (payload, signature []byte, n int) {
	payload = make([]byte, 0, len(raw))
	var ours, other bool // the header whose lines go on is the signature, or another that is left out
	for len(raw) > 0 {
		line := raw
		if i := bytes.IndexByte(raw, '\n'); i >= 0 {
			line = raw[:i+1]
		}
		value, isSignature := bytes.CutPrefix(line, []byte("gpgsig "))
		switch {
		case ours && line[0] == ' ':
			signature = append(signature, line[1:]...)
		case isSignature:
			signature = append(signature, value...)
			ours, other = true, false
			n++
		case line[0] == '\n':
			return append(payload, raw...), signature, n
		case bytes.HasPrefix(line, []byte("gpgsig")):
			ours, other = false, true
		case other && line[0] == ' ':
			ours = false
		default:
			ours, other = false, false
			payload = append(payload, line...)
		}
		raw = raw[len(line):]
	}
	return payload, signature, n
}

// committed reads the committer's date, of a commit that begins with tree, parents, author and committer and nothing between.
func committed(raw []byte) (int64, bool) {
	key, value, rest := header(raw)
	if key != "tree" || !isHash(value) {
		return 0, false
	}
	for key, value, rest = header(rest); key == "parent"; key, value, rest = header(rest) {
		if !isHash(value) {
			return 0, false
		}
	}
	if key != "author" {
		return 0, false
	}
	if key, value, _ = header(rest); key != "committer" {
		return 0, false
	}
	date := bytes.Fields(value[bytes.LastIndexByte(value, '>')+1:])
	if len(date) != 2 {
		return 0, false
	}
	when, err := strconv.ParseInt(string(date[0]), 10, 64)
	return when, err == nil && when >= 0
}

func header(raw []byte) (key string, value, rest []byte) {
	line, rest, _ := bytes.Cut(raw, []byte("\n"))
	name, value, _ := bytes.Cut(line, []byte(" "))
	return string(name), value, rest
}

func isHash(value []byte) bool {
	_, err := ParseHash(string(value))
	return err == nil
}
