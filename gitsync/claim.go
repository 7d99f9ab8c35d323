package gitsync

import (
	"slices"
	"strings"
)

// Claim is what a commit's message says that it takes back. It is a hint: messages are written by people, and quote each other.
type Claim struct {
	// Reapply is true when what is taken back was itself a taking back, so that an earlier change is in force again.
	Reapply bool `json:"reapply,omitempty"`
	// Commits are named as they were written, by 7 to 40 hexadecimal digits; empty when the message names none.
	Commits []string `json:"commits,omitempty"`
	// Subject is that of the commit taken back, when the message quotes it.
	Subject string `json:"subject,omitempty"`
}

// ClaimOf reads what git revert writes, with and without --reference, and what the revert buttons of hosting services do. Most
// messages that hold such words only quote those of another commit: so they count under a subject alone that begins with Revert or
// Reapply.
func ClaimOf(c Commit) (Claim, bool) {
	kind := takingBack(c.Subject)
	if kind == nothing {
		return Claim{}, false
	}
	quoted, again := undone(c.Subject)
	claim := Claim{Reapply: again, Subject: quoted, Commits: trailers(c.Message)}
	return claim, claim.Subject != "" || len(claim.Commits) > 0
}

// undoing is what a subject begins with.
type undoing uint8

const (
	nothing undoing = iota
	revert
	reapply
)

const (
	revertWord  = "Revert"
	reapplyWord = "Reapply"
)

func takingBack(subject string) undoing {
	switch {
	case hasPrefixFold(subject, revertWord):
		return revert
	case hasPrefixFold(subject, reapplyWord):
		return reapply
	}
	return nothing
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// undone is the subject of the commit that a subject takes back, if it quotes one, and whether a change is in force again. Git
// makes `Revert "x"` of x, of that `Reapply "x"`, or before 2.43 `Revert "Revert "x""`, and of Reapply again a Revert.
func undone(subject string) (quoted string, again bool) {
	quoted = between(subject)
	if takingBack(subject) == reapply {
		if quoted != "" {
			quoted = revertWord + ` "` + quoted + `"`
		}
		return quoted, true
	}
	if takingBack(quoted) != nothing {
		_, before := undone(quoted)
		again = !before
	}
	return quoted, again
}

// between is what stands between the first quotation mark, right behind the first word, and the last. A number behind it is of the
// pull request that takes back.
func between(subject string) string {
	_, rest, _ := strings.Cut(subject, " ")
	rest, opened := strings.CutPrefix(rest, `"`)
	end := strings.LastIndexByte(rest, '"')
	if !opened || end < 0 {
		return ""
	}
	return rest[:end]
}

const trailerWords = "This reverts commit "

// trailers are the commits that a message says it reverts: each once, at most 100.
func trailers(message string) []string {
	var list []string
	for line := range strings.Lines(message) {
		// Squashing makes a list of messages, or indents them.
		rest, found := strings.CutPrefix(strings.TrimLeft(line, " \t*-"), trailerWords)
		if !found {
			continue
		}
		if name := abbreviation(rest); name != "" && !slices.Contains(list, name) {
			list = append(list, name)
		}
		if len(list) == maxClaimed {
			break
		}
	}
	return list
}

// abbreviation is the commit that a text begins with, if any.
func abbreviation(text string) string {
	n := 0
	for n < len(text) && isHex(text[n]) {
		n++
	}
	if n < minAbbreviation || n > 2*len(Hash{}) || n < len(text) && isWord(text[n]) {
		return ""
	}
	return text[:n]
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }

func isWord(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' }
