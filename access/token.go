package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"hash/crc32"
	"strings"
)

// A token is tlk_, an ID of 12 characters, a secret of 32, and the CRC-32 (IEEE) of all before in 6, most significant first. All are of
// the alphabet below, so that a double click selects the whole, a scanner finds it by tlk_[0-9A-Za-z]{50}, and one that was cut or
// mistyped is told without a look-up. The secret alone holds 190 bits.
const (
	tokenPrefix  = "tlk_"
	alphabet     = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	idLength     = 12
	secretLength = 32
	sumLength    = 6
	tokenLength  = len(tokenPrefix) + idLength + secretLength + sumLength
)

// digest is what is kept of a credential. A fast hash is enough: with 190 random bits there is nothing to guess, and a slow one would
// only make requests dear, those of strangers first of all.
type digest [sha256.Size]byte

func (d *digest) is(other *digest) bool { return subtle.ConstantTimeCompare(d[:], other[:]) == 1 }

// newToken makes a token.
func newToken() (text, id string, d digest) {
	body := tokenPrefix + random(idLength+secretLength)
	sum := checksum(body)
	text = body + string(sum[:])
	return text, idOf(text), tokenDigest(text)
}

// random is n random characters of the alphabet, each as likely as the others.
func random(n int) string {
	const fair = 256 / len(alphabet) * len(alphabet) // bytes from here on would make the first characters likelier
	out := make([]byte, 0, n)
	var b [64]byte
	for len(out) < n {
		_, _ = rand.Read(b[:]) // it never fails
		for _, c := range b[:] {
			if int(c) < fair && len(out) < n {
				out = append(out, alphabet[int(c)%len(alphabet)])
			}
		}
	}
	return string(out)
}

// checksum is that of what stands before it. The table is walked here because package crc32 would have body copied to the heap.
func checksum(body string) (out [sumLength]byte) {
	n := ^uint32(0)
	for i := range len(body) {
		n = crc32.IEEETable[byte(n)^body[i]] ^ n>>8
	}
	n = ^n
	for i := sumLength - 1; i >= 0; i-- {
		out[i] = alphabet[n%uint32(len(alphabet))]
		n /= uint32(len(alphabet))
	}
	return out
}

// wellFormed tells whether text can be a token at all. It does not allocate.
func wellFormed(text string) bool { return tokenShaped(text) && checked(text) }

// tokenShaped tells whether text has the form of a token; its checksum is not asked, which nobody needs of a token that is known.
func tokenShaped(text string) bool {
	if len(text) != tokenLength || !strings.HasPrefix(text, tokenPrefix) {
		return false
	}
	for i := len(tokenPrefix); i < len(text); i++ {
		if !alphanumeric(text[i]) {
			return false
		}
	}
	return true
}

// checked tells whether the checksum is right of what has the form of a token: else it was copied badly.
func checked(text string) bool {
	sum := checksum(text[:tokenLength-sumLength])
	return string(sum[:]) == text[tokenLength-sumLength:]
}

func alphanumeric(c byte) bool { return alphanumerics[c] }

var alphanumerics = func() (all [256]bool) {
	for _, c := range []byte(alphabet) {
		all[c] = true
	}
	return all
}()

// idOf is the ID of a token that is well formed. It is no secret.
func idOf(text string) string { return text[len(tokenPrefix) : len(tokenPrefix)+idLength] }

// tokenDigest digests a token that is well formed. It does not allocate.
func tokenDigest(text string) digest {
	var buf [tokenLength]byte
	copy(buf[:], text)
	return sha256.Sum256(buf[:])
}
