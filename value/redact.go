package value

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// Key keys the digests that stand in for values: without it a short secret could be guessed from its digest.
type Key []byte

// Digest is the keyed digest of a value's content (HMAC-SHA256 over the value's [Sum]), in hexadecimal. A nil value has none.
func (k Key) Digest(v *Value) string {
	if v == nil {
		return ""
	}
	mac := hmac.New(sha256.New, k)
	sum := v.Sum()
	mac.Write(sum[:])
	return hex.EncodeToString(mac.Sum(nil))
}

// Fingerprint is the beginning of the digest: enough to see that a value changed.
func (k Key) Fingerprint(v *Value) string {
	digest := k.Digest(v)
	return digest[:min(len(digest), 2*FingerprintBytes)]
}

// Redactor replaces what is explicitly marked as sensitive. The result of one call is a starting point for the next: parts whose
// pointers did not change keep those of their redacted form. It is not safe for use by several goroutines.
type Redactor struct {
	key    Key
	marks  string
	before *Value
	result *Value
}

// NewRedactor makes a Redactor whose fingerprints are keyed.
func NewRedactor(key Key) *Redactor { return &Redactor{key: key} }

// Redact returns the tree with everything redacted that a mark selects: each scalar below it, and each list as a whole, unless
// the mark reaches into the list by an index or a wildcard.
func (r *Redactor) Redact(root *Value, marks []Pattern) *Value {
	texts := make([]string, len(marks))
	for i, m := range marks {
		texts[i] = m.String()
	}
	if joined := strings.Join(texts, "\n"); joined != r.marks {
		r.marks, r.before, r.result = joined, nil, nil
	}
	if len(marks) == 0 {
		return root
	}
	r.result = r.below(root, newFront(marks), r.before, r.result)
	r.before = root
	return r.result
}

// below redacts v. was is what stood in its place the last time, and had what became of that.
func (r *Redactor) below(v *Value, f front, was, had *Value) *Value {
	switch {
	case len(f) == 0:
		return v
	case v == was && had != nil:
		return had
	case f.matched():
		return r.all(v, was, had)
	case v.Kind() != Map && v.Kind() != List:
		return v
	}
	var changed []Entry
	for i, e := range v.Entries() {
		key := e.Key
		if v.Kind() == List {
			key = strconv.Itoa(i)
		}
		next := r.below(e.Value, f.step(key), below(was, e.Key), below(had, e.Key))
		if next != e.Value && changed == nil {
			changed = append(changed, v.Entries()...)
		}
		if changed != nil {
			changed[i].Value = next
		}
	}
	return rebuilt(v, changed)
}

// all redacts every scalar and list of what a mark selects.
func (r *Redactor) all(v, was, had *Value) *Value {
	if v == was && had != nil {
		return had
	}
	if v.Kind() != Map {
		return NewRedacted(r.key.Fingerprint(v), v.Place())
	}
	entries := make([]Entry, v.Len())
	for i, e := range v.Entries() {
		entries[i] = Entry{e.Key, r.all(e.Value, below(was, e.Key), below(had, e.Key))}
	}
	return NewMap(entries, v.Place())
}

// rebuilt is v with other members, or v itself when there are none.
func rebuilt(v *Value, entries []Entry) *Value {
	if entries == nil {
		return v
	}
	return v.Place().collection(v.Kind(), entries)
}

// LooksSecret tells whether people should not be shown a value: by the name of its key, or by its own shape. It errs on the side
// of hiding, so it decides what is printed, never what clients are delivered.
func LooksSecret(key string, v *Value) bool {
	if v == nil {
		return false
	}
	switch v.Kind() {
	case Redacted:
		return true
	case String:
		return secretShape(v.str) || secretKey(key, v.str)
	case List:
		for _, e := range v.Entries() {
			if LooksSecret(key, e.Value) {
				return true
			}
		}
	case Map:
		for _, e := range v.Entries() {
			if LooksSecret(e.Key, e.Value) {
				return true
			}
		}
	}
	return false
}

var secretWords = map[string]bool{
	"password": true, "passwd": true, "pwd": true, "passphrase": true, "secret": true, "secrets": true, "token": true,
	"credential": true, "credentials": true, "creds": true, "dsn": true,
}

var (
	harmlessEnd = map[string]bool{"enabled": true, "name": true, "ttl": true}
	keyCompound = regexp.MustCompile(`(api|auth|access|private|client|service|account|db|encryption|signing) ?key|connection ?string`)
)

// bareSecretLength is how long a string under a key that is only called key or auth must be to count as a secret.
const bareSecretLength = 8

func secretKey(key, content string) bool {
	words := splitWords(key)
	if len(words) == 0 || harmlessEnd[words[len(words)-1]] {
		return false
	}
	for _, w := range words {
		if secretWords[w] {
			return true
		}
	}
	if len(words) == 1 && (words[0] == "key" || words[0] == "auth") {
		return len(content) >= bareSecretLength
	}
	return keyCompound.MatchString(strings.Join(words, " "))
}

// splitWords takes a key apart at underscores, hyphens, dots and changes of case.
func splitWords(key string) []string {
	var words []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			words = append(words, strings.ToLower(string(word)))
		}
		word = word[:0]
	}
	runes := []rune(key)
	for i, r := range runes {
		upper := unicode.IsUpper(r)
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
			continue
		case upper && i > 0 && !unicode.IsUpper(runes[i-1]), upper && i+1 < len(runes) && unicode.IsLower(runes[i+1]):
			flush()
		}
		word = append(word, r)
	}
	flush()
	return words
}

var passwordInURL = regexp.MustCompile(`://[^/\s:@]*:[^/\s@]+@`)

// secretShape tells whether a string is, or holds, what nobody should be shown whatever its key.
func secretShape(s string) bool {
	return plainToken(s) != "" || passwordInURL.MatchString(s) || strings.Contains(s, "ENC[")
}

// PlainSecret tells what a string is that should not stand in a repository in plain text. A certain finding has the shape of a
// token or a private key; the others are strings that look random under a key that tells of a secret. It is "" for all others.
func PlainSecret(key, text string) (what string, certain bool) {
	if what := plainToken(text); what != "" {
		return what, true
	}
	if len(text) >= randomLength && !strings.ContainsAny(text, " ${}") && !strings.Contains(text, "://") && secretKey(key, text) && entropy(text) >= randomEntropy {
		return "random string under the key " + key, false
	}
	return "", false
}

// plainToken tells what kind of token or key a string holds; "" for none.
func plainToken(text string) string {
	if len(text) < shortestToken {
		return ""
	}
	for _, s := range tokenShapes {
		if strings.Contains(text, s.hint) && s.shape.MatchString(text) {
			return s.what
		}
	}
	return ""
}

// shortestToken is how long the shortest of the shapes below is; most strings are shorter.
const shortestToken = 15

// From how many characters and bits a character on a string under a telling key counts as random.
const (
	randomLength  = 20
	randomEntropy = 3.5
)

var tokenShapes = []struct {
	what, hint string // the hint is a part of every match, quick to look for
	shape      *regexp.Regexp
}{
	{"a private key", "PRIVATE KEY", regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY`)},
	{"a JSON Web Token", "eyJ", regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.`)},
	{"an AWS access key", "AKIA", regexp.MustCompile(`\bAKIA[0-9A-Z]{16}\b`)},
	{"a temporary AWS access key", "ASIA", regexp.MustCompile(`\bASIA[0-9A-Z]{16}\b`)},
	{"a GitHub token", "gh", regexp.MustCompile(`\bgh[pousr]_[A-Za-z0-9]{36}`)},
	{"a GitHub token", "github_pat_", regexp.MustCompile(`\bgithub_pat_[A-Za-z0-9_]{22,}`)},
	{"a Slack token", "xox", regexp.MustCompile(`\bxox[abeoprs]-[A-Za-z0-9-]{10,}`)},
	{"a Stripe key", "k_", regexp.MustCompile(`\b[rs]k_(live|test)_[A-Za-z0-9]{16,}`)},
	{"a Google API key", "AIza", regexp.MustCompile(`\bAIza[0-9A-Za-z_-]{35}`)},
	{"an age key", "AGE-SECRET-KEY-1", regexp.MustCompile(`\bAGE-SECRET-KEY-1[0-9A-Z]{20,}`)},
	{"a Trunkline token", "tlk_", regexp.MustCompile(`\btlk_[A-Za-z0-9_-]{20,}`)},
}

// entropy is how many bits a character of s tells, by how often each occurs in it (Shannon).
func entropy(s string) float64 {
	counts := map[rune]int{}
	n := 0
	for _, r := range s {
		counts[r]++
		n++
	}
	bits := 0.0
	for _, c := range counts {
		p := float64(c) / float64(n)
		bits -= p * math.Log2(p)
	}
	return bits
}
