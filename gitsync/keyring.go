package gitsync

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Keyring holds the keys an operator trusts. It does not change, and any goroutine may use it.
type Keyring struct {
	ssh map[string][]sshKey // by the key's wire form
	pgp map[uint64][]pgpKey // by key ID
	n   int
}

const (
	pgpBegin = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
	pgpEnd   = "-----END PGP PUBLIC KEY BLOCK-----"
)

// ParseKeyring reads the keys to trust, of at most 4 MiB a source. A source holds lines of an OpenSSH allowed_signers file,
// armored PGP public keys, or both.
//
// A line is `principals [options] key-type base64-key [comment]`, see ssh-keygen(1). Of the options, namespaces, valid-after and
// valid-before are heeded; a time without Z is UTC here, and not the machine's own zone, for machines must agree. cert-authority
// is refused: list the keys themselves. So are DSA keys, and RSA keys under 2048 bits.
//
// Of a PGP key the newest self-signatures count, so that an extended key still vouches for what it signed before. One that can
// sign nothing is refused.
//
// A keyring without any key is an error. Errors name the line, and never quote it: it may be a private key.
func ParseKeyring(data ...[]byte) (*Keyring, error) {
	k := &Keyring{ssh: map[string][]sshKey{}, pgp: map[uint64][]pgpKey{}}
	for i, d := range data {
		if err := k.add(d); err != nil {
			if len(data) > 1 {
				return nil, fmt.Errorf("keyring %d: %w", i+1, err)
			}
			return nil, fmt.Errorf("keyring: %w", err)
		}
	}
	if k.n == 0 {
		return nil, errors.New("the keyring holds no key: give lines of an allowed_signers file (name, key type, key), " +
			"or what gpg --armor --export prints")
	}
	return k, nil
}

func (k *Keyring) add(data []byte) error {
	if len(data) > maxKeyring {
		return fmt.Errorf("it has %d bytes, more than the limit of %d: leave in it nothing but keys", len(data), maxKeyring)
	}
	if !utf8.Valid(data) {
		return errors.New("it is no text: if these are PGP keys, export them with gpg --armor --export")
	}
	var block strings.Builder // the PGP keys that are being read
	begin, number := 0, 0
	for line := range strings.Lines(strings.TrimPrefix(string(data), "\ufeff")) {
		number++
		text := strings.TrimSpace(line)
		switch {
		case begin == 0 && text == pgpBegin:
			begin = number
			block.Reset()
			block.WriteString(line)
		case begin > 0:
			block.WriteString(line)
			if text != pgpEnd {
				continue
			}
			if err := k.addPGP(block.String()); err != nil {
				return fmt.Errorf("the PGP keys that begin on line %d: %w", begin, err)
			}
			begin = 0
		default:
			if err := k.addSSH(text); err != nil {
				return fmt.Errorf("line %d: %w", number, err)
			}
		}
	}
	if begin > 0 {
		return fmt.Errorf("the PGP keys that begin on line %d have no end: the line %s is missing", begin, pgpEnd)
	}
	return nil
}

func (k *Keyring) addSSH(line string) error {
	switch {
	case line == "", line[0] == '#':
		return nil
	case strings.HasPrefix(line, "-----BEGIN ") && strings.Contains(line, "PRIVATE KEY"):
		return errors.New("this is a private key: keep it to its owner, and put the public one here")
	case strings.HasPrefix(line, "-----"):
		return errors.New("this is no public key: put in lines of an allowed_signers file, or what gpg --armor --export prints")
	}
	key, err := parseAllowed(line)
	if err != nil {
		return err
	}
	wire := string(key.public.Marshal())
	k.ssh[wire] = append(k.ssh[wire], key)
	return k.count()
}

func (k *Keyring) addPGP(block string) error {
	keys, err := readPGP(block)
	if err != nil {
		return err
	}
	for _, key := range keys {
		id := key.public.KeyId
		k.pgp[id] = append(k.pgp[id], key)
		if err := k.count(); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keyring) count() error {
	if k.n++; k.n > maxKeys {
		return fmt.Errorf("a keyring holds at most %d keys", maxKeys)
	}
	return nil
}
