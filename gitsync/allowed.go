package gitsync

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// sshNamespace is what Git signs for: a signature made for files, say, is worth nothing on a commit.
const sshNamespace = "git"

// sshKey is one line of an allowed_signers file.
type sshKey struct {
	public        ssh.PublicKey
	principal     string
	namespaces    string // patterns; "" for all
	after, before int64  // Unix seconds, both inclusive
}

func (k sshKey) forGit() bool { return k.namespaces == "" || matchList(sshNamespace, k.namespaces) }

func (k sshKey) validAt(when int64) bool { return k.after <= when && when <= k.before }

// sshSigner judges an SSH signature (PROTOCOL.sshsig of OpenSSH). sshsig refuses SHA-1 as the hash of the commit and in RSA.
func (k *Keyring) sshSigner(c signedCommit) (Signer, error) {
	sig, err := sshsig.Unarmor(c.signature)
	if err != nil {
		return Signer{}, bad("its SSH signature cannot be read: %s", reason(err))
	}
	fingerprint := ssh.FingerprintSHA256(sig.PublicKey)
	lines := k.ssh[string(sig.PublicKey.Marshal())]
	if len(lines) == 0 {
		return Signer{}, hint(ErrUntrusted, "it is signed by the SSH key %s, which is not in the keyring", fingerprint)
	}
	if sig.Namespace != sshNamespace {
		return Signer{}, bad("its SSH signature was made for the namespace %q and not for %q", oneLine(sig.Namespace, 40), sshNamespace)
	}
	if err := sshsig.Verify(bytes.NewReader(c.payload), sig, lines[0].public, sig.HashAlgorithm, sshNamespace); err != nil {
		return Signer{}, bad("its SSH signature, said to be by %s, is not of this commit: the commit or the signature was altered", fingerprint)
	}
	return choose(lines, fingerprint, c.when)
}

// choose finds the first line of a key that trusts it for Git at a time. Git looks no further than the first line of a key.
func choose(lines []sshKey, fingerprint string, when int64) (Signer, error) {
	trusted := false
	for _, l := range lines {
		if !l.forGit() {
			continue
		}
		if l.validAt(when) {
			return Signer{Kind: "ssh", Principal: l.principal, Fingerprint: fingerprint}, nil
		}
		trusted = true
	}
	if !trusted {
		return Signer{}, hint(ErrUntrusted, "it is signed by the SSH key %s, which the keyring trusts for other namespaces than %q",
			fingerprint, sshNamespace)
	}
	return Signer{}, bad("it is signed by the SSH key %s, which was not valid on %s: see valid-after and valid-before in the keyring",
		fingerprint, day(when))
}

func day(when int64) string { return time.Unix(when, 0).UTC().Format(time.RFC3339) }

// parseAllowed reads a line that is neither empty nor a comment.
func parseAllowed(line string) (sshKey, error) {
	k := sshKey{before: math.MaxInt64}
	if _, err := parseKey(line); err == nil {
		return k, errors.New("there is no name before the key: write `ada@example.com ssh-ed25519 AAAA…`")
	}
	principals, rest, err := cutPrincipals(line)
	if err != nil {
		return k, err
	}
	first, _, _ := strings.Cut(principals, ",")
	if k.principal = oneLine(first, maxName); k.principal == "" || k.principal[0] == '!' {
		return k, errors.New("it must begin with the name of whose key it is, such as ada@example.com")
	}
	if k.public, err = parseKey(rest); errors.Is(err, errNoKey) {
		var options string
		if options, rest, err = cutOptions(rest); err != nil {
			return k, err
		}
		if err := k.parseOptions(options); err != nil {
			return k, err
		}
		k.public, err = parseKey(rest)
	}
	return k, err
}

var errNoKey = errors.New("there is no key on it: write `ada@example.com ssh-ed25519 AAAA…`, with options before the key's type")

// parseKey reads `key-type base64-key [comment]`. errNoKey when that does not begin with a type of key.
func parseKey(text string) (ssh.PublicKey, error) {
	fields := strings.Fields(text)
	if len(fields) == 0 || !isKeyType(fields[0]) {
		return nil, errNoKey
	}
	if len(fields) == 1 {
		return nil, errors.New("the key ends after its type")
	}
	wire, err := base64.StdEncoding.DecodeString(fields[1])
	if err != nil {
		return nil, errors.New("the key is not in base64: copy the whole line of the .pub file")
	}
	key, err := ssh.ParsePublicKey(wire)
	if err != nil || key.Type() != fields[0] {
		return nil, errors.New("the key cannot be read: copy the whole line of the .pub file")
	}
	return key, refuseWeak(key)
}

func isKeyType(s string) bool {
	for _, prefix := range []string{"ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"} {
		if strings.HasPrefix(s, prefix) {
			return true
		}
	}
	return false
}

func refuseWeak(key ssh.PublicKey) error {
	if _, ok := key.(*ssh.Certificate); ok {
		return errors.New("this is a certificate, and those are not supported: list the key itself")
	}
	if key.Type() == "ssh-dss" {
		return errors.New("DSA keys are too weak: use an ed25519 key")
	}
	c, ok := key.(ssh.CryptoPublicKey)
	if !ok {
		return nil
	}
	if r, ok := c.CryptoPublicKey().(*rsa.PublicKey); ok && r.N.BitLen() < minRSA {
		return fmt.Errorf("the RSA key has %d bits and needs %d: use an ed25519 key", r.N.BitLen(), minRSA)
	}
	return nil
}

// cutPrincipals takes the first field of a line. It may be quoted, for names with spaces.
func cutPrincipals(line string) (principals, rest string, err error) {
	if quoted, ok := strings.CutPrefix(line, `"`); ok {
		if principals, rest, ok = strings.Cut(quoted, `"`); !ok {
			return "", "", errors.New("the quote that its name begins with does not end")
		}
		return principals, rest, nil
	}
	i := strings.IndexAny(line, " \t")
	if i < 0 {
		return "", "", errNoKey
	}
	return line[:i], line[i:], nil
}

// cutOptions takes the options, up to the first space outside quotes.
func cutOptions(text string) (options, rest string, err error) {
	text = strings.TrimLeft(text, " \t")
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && strings.HasPrefix(text[i+1:], `"`):
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\t'):
			return text[:i], text[i:], nil
		}
	}
	if quoted {
		return "", "", errors.New("a quote in its options does not end")
	}
	return "", "", errNoKey
}

func (k *sshKey) parseOptions(text string) error {
	seen := map[string]bool{}
	for text != "" {
		name, value, rest, err := cutOption(text)
		if err != nil {
			return err
		}
		if seen[name] {
			return fmt.Errorf("the option %s stands on it twice", name)
		}
		seen[name] = true
		switch name {
		case "cert-authority":
			return errors.New("cert-authority is not supported: list the keys themselves")
		case "namespaces":
			k.namespaces = value
		case "valid-after":
			k.after, err = parseTime(name, value)
		case "valid-before":
			k.before, err = parseTime(name, value)
		}
		if err != nil {
			return err
		}
		text = rest
	}
	if k.after >= k.before {
		return errors.New("valid-after is not before valid-before")
	}
	return nil
}

// cutOption takes one of the options: `name="value"`, or cert-authority.
func cutOption(text string) (name, value, rest string, err error) {
	const flag = "cert-authority"
	name, quoted, valued := strings.Cut(text, `="`)
	name = strings.ToLower(name)
	switch {
	case strings.HasPrefix(name, flag):
		return flag, "", "", nil
	case !valued || name != "namespaces" && name != "valid-after" && name != "valid-before":
		return "", "", "", errors.New(`an option before its key is not known: there are namespaces="…", valid-after="…" and valid-before="…"`)
	}
	var b strings.Builder
	for i := 0; i < len(quoted); i++ {
		switch c := quoted[i]; {
		case c == '\\' && strings.HasPrefix(quoted[i+1:], `"`):
			i++
			b.WriteByte('"')
		case c == '"':
			rest, more := strings.CutPrefix(quoted[i+1:], ",")
			if more == (rest == "") || b.Len() == 0 {
				return "", "", "", fmt.Errorf("the option %s is empty, or what follows it is not separated by a comma", name)
			}
			return name, b.String(), rest, nil
		default:
			b.WriteByte(c)
		}
	}
	return "", "", "", fmt.Errorf("the quote of the option %s does not end", name)
}

// parseTime reads YYYYMMDD[HHMM[SS]][Z].
func parseTime(option, value string) (int64, error) {
	digits := strings.TrimSuffix(strings.ToUpper(value), "Z")
	layout, ok := map[int]string{8: "20060102", 12: "200601021504", 14: "20060102150405"}[len(digits)]
	t, err := time.Parse(layout, digits)
	if !ok || err != nil || t.Unix() <= 0 {
		return 0, fmt.Errorf("%s is no time: write it as 20261231Z or 20261231235959Z", option)
	}
	return t.Unix(), nil
}

// matchList is OpenSSH's match_pattern_list: patterns separated by commas, of which one must match and none that begins with !.
func matchList(s, patterns string) bool {
	matched := false
	for p := range strings.SplitSeq(patterns, ",") {
		p, negated := strings.CutPrefix(p, "!")
		if !match(s, p) {
			continue
		}
		if negated {
			return false
		}
		matched = true
	}
	return matched
}

// match knows * and ?, as in OpenSSH. It goes back to the last * alone: so it takes no more than len(s)*len(pattern) steps.
func match(s, pattern string) bool {
	star, from := -1, 0
	i, j := 0, 0
	for i < len(s) {
		switch {
		case j < len(pattern) && pattern[j] == '*':
			star, from = j, i
			j++
		case j < len(pattern) && (pattern[j] == '?' || pattern[j] == s[i]):
			i, j = i+1, j+1
		case star >= 0:
			from++
			i, j = from, star+1
		default:
			return false
		}
	}
	return strings.Trim(pattern[j:], "*") == ""
}
