package value

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// LooksSecret tells whether people should not be shown a value: by the name of its key, or by its own shape. It errs on the side
// of hiding, so it decides what is printed, never what clients are delivered.
func LooksSecret(key string, v *Value) bool {
	switch {
	case v == nil:
		return false
	case v.Kind() == Redacted:
		return true
	case v.Kind() == String:
		return secretText(tells(key), v.str)
	}
	return slices.ContainsFunc(v.Entries(), func(e Entry) bool {
		if v.Kind() == Map {
			key = e.Key
		}
		return LooksSecret(key, e.Value)
	})
}

// telling is what a key tells of the strings below it.
type telling uint8

const (
	harmless telling = iota
	vague            // it is only called key or auth: a long string is a secret
	secret
)

// secretText tells whether a string is a secret, by what the keys above it tell and by its shape.
func secretText(keys telling, text string) bool {
	return keys == secret || keys == vague && len(text) >= bareSecretLength || secretShape(text)
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

func tells(key string) telling {
	words := splitWords(key)
	if len(words) == 0 || harmlessEnd[words[len(words)-1]] {
		return harmless
	}
	if slices.ContainsFunc(words, func(w string) bool { return secretWords[w] }) || keyCompound.MatchString(strings.Join(words, " ")) {
		return secret
	}
	if len(words) == 1 && (words[0] == "key" || words[0] == "auth") {
		return vague
	}
	return harmless
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
	return plainToken(s) != "" || strings.Contains(s, "://") && passwordInURL.MatchString(s) || strings.Contains(s, "ENC[")
}

// PlainSecret tells what a string is that should not stand in a repository in plain text. A certain finding has the shape of a
// token or a private key; the others are strings that look random under a key that tells of a secret. It is "" for all others.
func PlainSecret(key, text string) (what string, certain bool) {
	if what := plainToken(text); what != "" {
		return what, true
	}
	if len(text) >= randomLength && !strings.ContainsAny(text, " ${}") && !strings.Contains(text, "://") && tells(key) != harmless && entropy(text) >= randomEntropy {
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
