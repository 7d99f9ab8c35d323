package gitsync

import (
	"bytes"
	"fmt"
	"strings"
)

const mailmapFile = ".mailmap"

// Mailmap says which names and addresses are the same person's, as Git's .mailmap files do (gitmailmap(5)). The zero Mailmap
// changes nobody. It does not change, and any goroutine may use it.
//
// A commit may bring its own map: what it maps to is a claim like the author's name itself.
type Mailmap struct {
	byEmail map[string]*mapped // in lower case
}

// mapped is what an address becomes. byName holds the lines that ask for a name as well, in lower case.
type mapped struct {
	person Person
	byName map[string]Person
}

// ParseMailmap reads a mailmap. Lines that say nothing are passed over, as Git does, and those of more than 4096 bytes; nothing
// is read beyond a NUL, 1 MiB or 100,000 entries.
func ParseMailmap(data []byte) Mailmap {
	data = data[:min(len(data), maxMailmap)]
	if i := bytes.IndexByte(data, 0); i >= 0 {
		data = data[:i]
	}
	m := Mailmap{byEmail: map[string]*mapped{}}
	n := 0
	for line := range strings.Lines(string(data)) {
		if line[0] == '#' || len(line) > maxMapLine {
			continue
		}
		if m.add(strings.TrimSuffix(line, "\n")) {
			n++
		}
		if n == maxMapEntries {
			break
		}
	}
	return m
}

// add takes in one line, of one of four forms. The last names what is replaced:
//
//	Proper Name <commit@email>
//	<proper@email> <commit@email>
//	Proper Name <proper@email> <commit@email>
//	Proper Name <proper@email> Commit Name <commit@email>
func (m Mailmap) add(line string) bool {
	proper, rest, ok := cutPerson(line)
	if !ok || proper.Email == "" {
		return false
	}
	old, _, ok := cutPerson(rest)
	if !ok {
		old, proper = Person{Email: proper.Email}, Person{Name: proper.Name}
	}
	key := lower(old.Email)
	entry := m.byEmail[key]
	if entry == nil {
		entry = &mapped{}
		m.byEmail[key] = entry
	}
	if old.Name != "" {
		if entry.byName == nil {
			entry.byName = map[string]Person{}
		}
		entry.byName[lower(old.Name)] = proper
		return true
	}
	// A later line replaces what it names and leaves the rest.
	entry.person = replaced(entry.person, proper)
	return true
}

// cutPerson reads `name <email>`, the name without Git's white space around it.
func cutPerson(text string) (p Person, rest string, ok bool) {
	name, rest, opened := strings.Cut(text, "<")
	email, rest, closed := strings.Cut(rest, ">")
	return Person{Name: strings.Trim(name, " \t\n\r"), Email: email}, rest, opened && closed
}

// replaced puts what is known of by in the place of what p says.
func replaced(p, by Person) Person {
	if by.Name != "" {
		p.Name = by.Name
	}
	if by.Email != "" {
		p.Email = by.Email
	}
	return p
}

// Person is who p is by this map: p, with the name and the address that the map has for it. Names and addresses are compared
// as Git does, without regard to the case of A to Z. What the map says is made fit to be shown, as in a Commit.
func (m Mailmap) Person(p Person) Person {
	entry, ok := m.byEmail[lower(p.Email)]
	if !ok {
		return p
	}
	proper, ok := entry.byName[lower(p.Name)]
	if !ok {
		proper = entry.person
	}
	return replaced(p, Person{Name: oneLine(proper.Name, maxName), Email: oneLine(proper.Email, maxName)})
}

// lower is for keys: bytes that are no UTF-8 stay as they are.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// Mailmap reads the .mailmap at the root of a commit. Without one it is empty, and also when that is a link: Git does not follow
// it. One of more than 1 MiB is a *TooLargeError.
func (f *Follower) Mailmap(commit Hash) (Mailmap, error) {
	c, err := f.store.commit(commit)
	if err != nil {
		return Mailmap{}, err
	}
	list, err := f.Tree(Hash(c.TreeHash))
	if err != nil {
		return Mailmap{}, err
	}
	for _, e := range list {
		if e.Name != mailmapFile || e.Mode != File && e.Mode != Executable {
			continue
		}
		data, err := f.Blob(e.Hash, maxMailmap)
		if err != nil {
			return Mailmap{}, fmt.Errorf("%s of %s: %w", mailmapFile, commit.Short(), err)
		}
		return ParseMailmap(data), nil
	}
	return Mailmap{}, nil
}
