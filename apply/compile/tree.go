package compile

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/document"
)

// file is one file of a recognised directory.
type file struct {
	path  string
	hash  Hash
	size  int64
	mount value.Path // where it stands in its layer
}

// folder is a directory that was read. It is kept by hash, so that an unchanged one is not walked again.
type folder struct {
	key      folderKey
	mount    value.Path // where its files stand
	files    []file
	folders  []*folder
	problems []Problem
}

type folderKey struct {
	path  string
	hash  Hash
	globs string // of the files in it that are not read
	mount string // where its files stand: the same folder may become another part
	only  string // the path on the way to which the files are that were read; "" is all of them
	flat  bool   // no folder may lie in it
}

// each goes through the files of a folder and of those below it.
func (f *folder) each(visit func(file)) {
	for _, own := range f.files {
		visit(own)
	}
	for _, below := range f.folders {
		below.each(visit)
	}
}

func (f *folder) eachProblem(visit func(Problem)) {
	for _, p := range f.problems {
		visit(p)
	}
	for _, below := range f.folders {
		below.eachProblem(visit)
	}
}

// layout is where the parts of a config repo are.
type layout struct {
	config   *folder
	overlays map[string]*folder // by name of the folder of environments
	schemas  *folder
	policies *folder
	defined  [definedKinds]*folder // rollouts and experiments, and what they lean on
	problems []Problem
}

// reader reads the folders of one tree as its manifest says.
type reader struct {
	*Compiler
	source   Source
	manifest *Manifest
	part     *part  // nil: all
	globs    string // of the files that are not read
	layout   *layout
}

// layout finds the parts below the entries of the root.
func (c *Compiler) layout(source Source, root []Entry, m *Manifest, only *part) (*layout, error) {
	r := &reader{
		Compiler: c, source: source, manifest: m, part: only, globs: strings.Join(m.ignore, "\n"),
		layout: &layout{overlays: map[string]*folder{}, schemas: &folder{}, policies: &folder{}},
	}
	dirs := m.Directories
	var err error
	if r.layout.config, err = r.top(root, dirs.Config, false); err != nil {
		return nil, err
	}
	if err := r.others(root); err != nil {
		return nil, err
	}
	e, err := r.find(root, dirs.Environments)
	if err != nil || e == nil {
		return r.layout, err
	}
	return r.layout, r.overlays(dirs.Environments, e.Hash)
}

// others reads the parts that hold no values; where only a part of the values is wanted there are none.
func (r *reader) others(root []Entry) (err error) {
	dirs := r.manifest.Directories
	for i := range r.layout.defined {
		r.layout.defined[i] = &folder{}
	}
	if r.part != nil {
		return nil
	}
	if r.layout.schemas, err = r.top(root, dirs.Schemas, false); err != nil {
		return err
	}
	if r.layout.policies, err = r.top(root, dirs.Policies, false); err != nil {
		return err
	}
	for i, dir := range dirs.defined() {
		if r.layout.defined[i], err = r.top(root, dir, true); err != nil {
			return err
		}
	}
	return nil
}

// top reads the folder of a part of the config repo; an empty one stands for one that is not there.
func (r *reader) top(root []Entry, dir string, flat bool) (*folder, error) {
	e, err := r.find(root, dir)
	if err != nil || e == nil {
		return &folder{}, err
	}
	return r.folder(dir, nil, e.Hash, flat)
}

// find looks for a folder by its path. One that the manifest names and that is not there is a problem: a mistyped name would
// switch off what lies in it.
func (r *reader) find(root []Entry, dir string) (*Entry, error) {
	entries := root
	for walked, rest := "", dir; ; {
		name, below, more := strings.Cut(rest, "/")
		walked = strings.TrimPrefix(walked+"/"+name, "/")
		i := slices.IndexFunc(entries, func(e Entry) bool { return e.Name == name })
		if i < 0 {
			if at := r.manifest.named[dir]; at != nil {
				r.layout.problems = append(r.layout.problems, Problem{
					Stage: StageTree, Rule: "directoryMissing", Message: fmt.Sprintf("there is no folder %s here", dir),
					Hint: "name one that is there, below the root of the config repo",
				}.at(at))
			}
			return nil, nil
		}
		e := entries[i]
		switch {
		case e.Kind != Folder:
			r.layout.problems = append(r.layout.problems, badMode(walked, e.Kind))
			return nil, nil
		case !more:
			return &e, nil
		}
		var err error
		if entries, err = r.source.List(e.Hash); err != nil {
			return nil, fmt.Errorf("list %s: %w", walked, err)
		}
		rest = below
	}
}

// overlays reads the folders of environments.
func (r *reader) overlays(dir string, tree Hash) error {
	l := r.layout
	entries, err := r.source.List(tree)
	if err != nil {
		return fmt.Errorf("list %s: %w", dir, err)
	}
	folded := map[string]string{}
	for _, e := range entries {
		path := dir + "/" + e.Name
		if r.manifest.passes(path, e.Name) {
			continue
		}
		if p, bad := badOverlay(path, e, folded); bad {
			l.problems = append(l.problems, p)
			continue
		}
		if l.overlays[e.Name] = new(folder); !r.part.of(e.Name, r.manifest) {
			continue
		}
		if l.overlays[e.Name], err = r.folder(path, nil, e.Hash, false); err != nil {
			return err
		}
	}
	if len(l.overlays) > MaxEnvironments {
		l.problems = append(l.problems, Problem{
			Stage: StageTree, File: dir, Rule: "tooManyEnvironments", Hint: "split the repo",
			Message: fmt.Sprintf("there are %d folders of environments, more than %d", len(l.overlays), MaxEnvironments),
		})
	}
	return nil
}

// badOverlay judges an entry of the folder of environments itself. The folder's name may become that of an environment.
func badOverlay(path string, e Entry, folded map[string]string) (Problem, bool) {
	if p, bad := badEntry(path, e, 0); bad {
		return p, true
	}
	if e.Kind != Folder {
		return Problem{
			Stage: StageTree, File: path, Rule: "strayFile",
			Message: "a file lies where only folders of environments may", Hint: "move it into the folder of an environment",
		}, true
	}
	if !environmentName.MatchString(e.Name) {
		return Problem{
			Stage: StageTree, File: path, Rule: "environmentName",
			Message: fmt.Sprintf("%q cannot name an environment", e.Name), Hint: environmentNameHint,
		}, true
	}
	return collision(path, e.Name, folded)
}

// collision finds a name that differs from an earlier one only in case.
func collision(path, name string, folded map[string]string) (Problem, bool) {
	fold := foldCase(name)
	if other, twice := folded[fold]; twice {
		return Problem{
			Stage: StageTree, File: path, Rule: "caseCollision",
			Message: fmt.Sprintf("%s and %s differ only in case", other, name), Hint: "rename one: some systems cannot hold both",
		}, true
	}
	folded[fold] = name
	return Problem{}, false
}

// folder reads a directory, or takes it from an earlier commit.
func (r *reader) folder(path string, mount value.Path, hash Hash, flat bool) (*folder, error) {
	key := folderKey{path, hash, r.globs, mount.String(), r.part.within(mount), flat}
	if f, ok := r.folders.get(key); ok {
		r.keep(f)
		return f, nil
	}
	entries, err := r.source.List(hash)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", path, err)
	}
	entries = slices.SortedFunc(slices.Values(entries), byName) // Git and a directory order folders differently
	f := &folder{key: key, mount: mount}
	folded := map[string]string{}
	for _, e := range entries {
		full := path + "/" + e.Name
		if r.manifest.passes(full, e.Name) || !r.part.needs(mount, e) {
			continue
		}
		if p, bad := badEntry(full, e, len(mount)); bad {
			f.problems = append(f.problems, p)
			continue
		}
		if p, twice := collision(full, e.Name, folded); twice {
			f.problems = append(f.problems, p)
			continue
		}
		if e.Kind == Folder && flat {
			f.problems = append(f.problems, strayFolder(full))
			continue
		}
		if e.Kind == Folder {
			below, err := r.folder(full, append(mount[:len(mount):len(mount)], e.Name), e.Hash, false)
			if err != nil {
				return nil, err
			}
			f.folders = append(f.folders, below)
			continue
		}
		f.files = append(f.files, file{path: full, hash: e.Hash, size: e.Size, mount: mountOf(mount, e.Name)})
	}
	r.folders.put(key, f)
	return f, nil
}

func strayFolder(path string) Problem {
	return Problem{
		Stage: StageTree, File: path, Rule: "strayFolder", Message: "a folder lies where only files may",
		Hint: "move its files up: here a file is known by its name alone",
	}
}

// keep takes a folder and those below it over into the present generation.
func (c *Compiler) keep(f *folder) {
	c.folders.put(f.key, f)
	for _, below := range f.folders {
		c.keep(below)
	}
}

// mountOf is where a file stands: under its name without the extension, or, called _index, at its directory.
func mountOf(dir value.Path, name string) value.Path {
	stem := name
	for _, ext := range []string{".yaml", ".yml", ".json", ".toml"} {
		if len(name) > len(ext) && strings.EqualFold(name[len(name)-len(ext):], ext) {
			stem = name[:len(name)-len(ext)]
		}
	}
	if stem == "_index" {
		return dir
	}
	return append(dir[:len(dir):len(dir)], stem)
}

func byName(a, b Entry) int { return strings.Compare(a.Name, b.Name) }

func badMode(path string, kind EntryKind) Problem {
	p := Problem{Stage: StageTree, File: path, Rule: "fileMode", Hint: "commit the file itself"}
	switch kind {
	case Symlink:
		p.Message = "a symbolic link is not followed"
	case Submodule:
		p.Message = "a submodule is not followed"
	case Folder:
		p.Message, p.Hint = "a folder stands where a file is expected", "rename it"
	default:
		p.Message, p.Hint = "a file stands where a folder is expected", "make it a folder"
	}
	return p
}

func badEntry(path string, e Entry, depth int) (Problem, bool) {
	p := Problem{Stage: StageTree, File: printable(path), Rule: "fileName", Hint: "rename it"}
	switch {
	case e.Kind == Symlink || e.Kind == Submodule:
		return badMode(printable(path), e.Kind), true
	case !utf8.ValidString(e.Name):
		p.Message = "a name is not UTF-8"
	case strings.IndexFunc(e.Name, unicode.IsControl) >= 0:
		p.Message = "a name holds a control character"
	case e.Name == "" || e.Name == ".." || strings.ContainsAny(e.Name, `/\`):
		p.Message = "a name leads out of its folder"
	case len(path) > maxPathBytes:
		p.Message = fmt.Sprintf("a path is longer than %d bytes", maxPathBytes)
	case e.Kind == Folder && depth >= maxFolderDepth:
		p.Message = fmt.Sprintf("folders are nested deeper than %d", maxFolderDepth)
	case e.Kind == RegularFile && e.Size > MaxFileBytes:
		return fileTooLarge(p.File, e.Size, MaxFileBytes), true
	default:
		return Problem{}, false
	}
	return p, true
}

func fileTooLarge(path string, size, most int64) Problem {
	return Problem{
		Stage: StageTree, File: path, Rule: "fileTooLarge", Message: fmt.Sprintf("the file has %d bytes, more than %d", size, most),
		Hint: "split it into several files",
	}
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
}

// foldCase maps names that differ only in case to one.
func foldCase(s string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, s)
}

// readable tells whether a file is a document; others beside them are pointed out and left alone.
func readable(f file) bool { return document.FormatOf(f.path) != document.Unknown }
