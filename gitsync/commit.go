package gitsync

import (
	"strings"
	"time"
	"unicode"

	"github.com/go-git/go-git/v5/plumbing/object"
)

// Person is who wrote or committed something, as the commit says.
type Person struct {
	Name, Email string
	When        time.Time // zero for co-authors
}

// Commit is one commit of the branch. Its texts are valid UTF-8 and bounded.
type Commit struct {
	Hash, Tree        Hash
	Parents           []Hash
	Author, Committer Person
	// CoAuthors are named by Co-authored-by trailers: each once, the author not among them.
	CoAuthors []Person
	// Merged are the authors of what a merge brought in: of the commits reachable from its other parents and not from its
	// first, each once, newest first. When there are very many commits, the newest count.
	Merged []Person
	// Subject is the first paragraph in one line, without control characters.
	Subject string
	Message string
}

// CommitOf is a commit of any repository as a mirror would tell of it, but for Merged.
func CommitOf(c *object.Commit) Commit {
	message := clean(c.Message, maxMessage)
	out := Commit{
		Hash:      Hash(c.Hash),
		Tree:      Hash(c.TreeHash),
		Author:    person(c.Author),
		Committer: person(c.Committer),
		Subject:   subject(message),
		Message:   message,
	}
	for _, p := range c.ParentHashes {
		out.Parents = append(out.Parents, Hash(p))
	}
	out.CoAuthors = coAuthors(message, out.Author)
	return out
}

func person(s object.Signature) Person {
	return Person{Name: oneLine(strings.Map(visible, s.Name), maxName), Email: oneLine(strings.Map(visible, s.Email), maxName), When: s.When}
}

func clean(text string, limit int) string {
	return strings.ToValidUTF8(truncate(text, limit), "\uFFFD")
}

// visible drops characters that turn the direction of text: they could make a line say something else than it holds.
func visible(r rune) rune {
	if unicode.Is(unicode.Bidi_Control, r) {
		return -1
	}
	return r
}

// subject is what git log --format=%s shows: the lines up to the first empty one, joined.
func subject(message string) string {
	first, _, _ := strings.Cut(strings.TrimLeftFunc(message, unicode.IsSpace), "\n\n")
	return oneLine(strings.Map(visible, first), maxSubject)
}

const coAuthorKey = "co-authored-by:"

func coAuthors(message string, author Person) []Person {
	seen := map[string]bool{identity(author): true}
	var people []Person
	for line := range strings.Lines(message) {
		if len(line) < len(coAuthorKey) || !strings.EqualFold(line[:len(coAuthorKey)], coAuthorKey) {
			continue
		}
		p, ok := parsePerson(line[len(coAuthorKey):])
		if !ok || seen[identity(p)] {
			continue
		}
		seen[identity(p)] = true
		if people = append(people, p); len(people) == maxCoAuthors {
			break
		}
	}
	return people
}

func parsePerson(text string) (Person, bool) {
	name, rest, found := strings.Cut(text, "<")
	email, _, closed := strings.Cut(rest, ">")
	p := Person{Name: oneLine(name, maxName), Email: oneLine(email, maxName)}
	return p, found && closed && p.Email != ""
}

// identity is what makes two mentions the same person.
func identity(p Person) string {
	if p.Email != "" {
		return strings.ToLower(p.Email)
	}
	return p.Name
}
