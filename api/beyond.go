package api

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply/compile"
)

// beyond is what lies outside the environments of a reader: nil where nothing does. It may lie beneath what the reader has, because
// environments extend each other.
type beyond struct {
	allows  func(env string) bool
	folders []string       // in which overlays lie, with a slash at the end
	names   *regexp.Regexp // of environments that are not granted; nil where none is known
}

// beyond goes by what the versions that are live say of folders and environments: a record does not tell what its own did.
func (a *api) beyond(who *access.Identity) *beyond {
	if who.Grant.Allows("*") {
		return nil
	}
	b, names := &beyond{allows: who.Grant.Allows, folders: []string{"environments/"}}, a.o.Live.Environments()
	for _, env := range a.o.Live.Environments() {
		live := a.o.Live.Get(env)
		if live == nil || live.Snapshot.Manifest == nil {
			continue
		}
		b.folders = append(b.folders, live.Snapshot.Manifest.Directories.Environments+"/")
		names = slices.AppendSeq(slices.Clip(names), maps.Keys(live.Snapshot.Manifest.Environments))
	}
	names = slices.DeleteFunc(slices.Sorted(slices.Values(names)), b.allows)
	if names = slices.Compact(names); len(names) > 0 {
		b.names = regexp.MustCompile(`(^|[^A-Za-z0-9_-])(?:` + strings.Join(names, "|") + `)($|[^A-Za-z0-9_-])`)
	}
	return b
}

// problems are problems without the places in the folders of environments that are not granted, and without their names.
func (b *beyond) problems(list []compile.Problem) []compile.Problem {
	if b == nil {
		return list
	}
	told := slices.Clone(list)
	for i := range told {
		p := &told[i]
		if env, hidden := b.hides(p.File); hidden {
			p.File, p.Line, p.Column = "", 0, 0
			p.Message = strings.ReplaceAll(p.Message, strconv.Quote(env), "…") // which may be of a folder that nobody declared
		}
		if p.File == compile.ManifestFile { // elsewhere a path is one of values
			p.Path, p.Pointer = b.text(p.Path), b.text(p.Pointer)
		}
		p.Message, p.Hint = b.text(p.Message), b.text(p.Hint)
	}
	return told
}

// hides tells whether a file lies in the folder of an environment that is not granted, or may do so in a version with other folders.
func (b *beyond) hides(file string) (env string, hidden bool) {
	for _, folder := range b.folders {
		if below, ok := strings.CutPrefix(file, folder); ok {
			env, _, _ := strings.Cut(below, "/")
			return env, !b.allows(env)
		}
	}
	return "", b.names != nil && b.names.MatchString(file[:strings.LastIndexByte(file, '/')+1])
}

// text is a text without the other place of a conflict, if that is hidden, and without the names of environments that are.
func (b *beyond) text(text string) string {
	if b == nil || text == "" {
		return text
	}
	if before, other, named := strings.Cut(text, otherPlace); named {
		if _, hidden := b.hides(other); hidden {
			text = before
		}
	}
	if b.names == nil {
		return text
	}
	for range 2 { // one space may stand between two names
		text = b.names.ReplaceAllString(text, "${1}…${2}")
	}
	return text
}

// otherPlace leads to the second place in the message of a conflict.
const otherPlace = "; the other place is "
