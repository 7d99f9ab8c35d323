package gitsync

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
)

// The mirror fetches no tags. What they name stands in the listing that every look begins with, annotated ones peeled.

const (
	tagPrefix = "refs/tags/"
	tagsFile  = "tags"
)

// tags are what is known of the remote's tags.
type tags struct {
	held atomic.Pointer[map[string]Hash] // those whose commits the mirror holds; never changed

	// Run's goroutine alone uses these.
	listed     map[string]Hash // by the last listing
	generation int             // of the mirror that was asked for the commits
	many       bool            // it was said that there are too many
}

// Tags name commits of the mirror, by the names without refs/tags/. They are the remote's as of the last look, those alone whose
// commits the mirror holds, at most 10,000; before the first look they are those of the last one before the restart. The map is
// shared: it must not be changed.
func (f *Follower) Tags() map[string]Hash { return *f.tags.held.Load() }

// learn takes the tags from a listing. A commit is looked for when its tag is new or moved, or the mirror is.
func (f *Follower) learn(refs *packp.AdvRefs) {
	listed := tagsOf(refs)
	if len(listed) > maxTags {
		listed = f.lastTags(listed)
	}
	known, held := f.tags.listed, f.Tags()
	if f.tags.generation != f.generation {
		known, held = nil, nil
	}
	f.tags.listed, f.tags.generation = listed, f.generation
	f.settleTags(held, func(name string, h Hash) bool { return known[name] != h })
}

// settleTags finds out which of the listed tags can be used: those that could before, and those that seek wants to be looked for
// and that are there.
func (f *Follower) settleTags(before map[string]Hash, seek func(name string, h Hash) bool) {
	held := map[string]Hash{}
	for name, h := range f.tags.listed {
		if before[name] == h || seek(name, h) && f.store.holdsCommit(h) {
			held[name] = h
		}
	}
	if maps.Equal(f.Tags(), held) {
		return
	}
	f.tags.held.Store(&held)
	if err := writeFile(f.tagsPath(), tagLines(f.remote.shown, held)); err != nil {
		f.log.Warn("the tags are not kept on disk", "err", err)
	}
}

// tagsOf are the tags of a listing and the objects they name in the end.
func tagsOf(refs *packp.AdvRefs) map[string]Hash {
	list := map[string]Hash{}
	for ref, h := range refs.References {
		name, is := strings.CutPrefix(ref, tagPrefix)
		if !is || !validTag(name) {
			continue
		}
		if peeled, annotated := refs.Peeled[ref]; annotated {
			h = peeled
		}
		list[name] = Hash(h)
	}
	return list
}

// validTag tells whether a name can be shown and asked for. Git lets a remote have others.
func validTag(name string) bool {
	odd := func(r rune) bool { return !unicode.IsPrint(r) || visible(r) < 0 }
	return checkBranch(name) == nil && utf8.ValidString(name) && !strings.ContainsFunc(name, odd)
}

// lastTags are those that come last by name: of releases mostly the newest.
func (f *Follower) lastTags(listed map[string]Hash) map[string]Hash {
	if !f.tags.many {
		f.log.Warn("the remote has too many tags: those are known that come last by name", "tags", len(listed), "limit", maxTags)
		f.tags.many = true
	}
	names := slices.Sorted(maps.Keys(listed))
	kept := make(map[string]Hash, maxTags)
	for _, name := range names[len(names)-maxTags:] {
		kept[name] = listed[name]
	}
	return kept
}

// holdsCommit tells whether an object is there and is a commit.
func (s *store) holdsCommit(h Hash) bool {
	if !s.has(h) {
		return false
	}
	_, err := s.rawCommit(h)
	return err == nil
}

// The file begins with the remote that the tags are of, and has a line for each: the commit and the name.
func tagLines(remote string, list map[string]Hash) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%q\n", remote)
	for _, name := range slices.Sorted(maps.Keys(list)) {
		fmt.Fprintf(&text, "%s %s\n", list[name], name)
	}
	return text.String()
}

func (f *Follower) tagsPath() string { return filepath.Join(f.options.Dir, tagsFile) }

// recallTags reads the tags of the last look before a restart. A file that cannot be used costs no more than that.
func (f *Follower) recallTags() {
	held := map[string]Hash{}
	f.tags.held.Store(&held)
	f.tags.generation = f.generation
	data, err := os.ReadFile(f.tagsPath())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.log.Warn("the tags on disk cannot be read: they are known from the next look on", "err", err)
	}
	remote, rest, _ := strings.Cut(string(data), "\n")
	if remote != strconv.Quote(f.remote.shown) {
		return
	}
	for line := range strings.Lines(rest) {
		digits, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if h, err := ParseHash(digits); err == nil && validTag(name) && f.store.has(h) {
			held[name] = h
		}
	}
}
