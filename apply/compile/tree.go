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
	path string
	hash Hash
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
	manifest *Entry
	config   *folder
	overlays map[string]*folder // by name of the folder under environments/
	schemas  *folder
	schemasH Hash
	policies *folder
	policyH  Hash
	problems []Problem
}

func (c *Compiler) layout(source Source, root Hash) (*layout, error) {
	entries, err := source.List(root)
	if err != nil {
		return nil, fmt.Errorf("list the root of the config repo: %w", err)
	}
	l := &layout{config: &folder{}, schemas: &folder{}, policies: &folder{}, overlays: map[string]*folder{}}
	for _, e := range entries {
		switch {
		case e.Name == ManifestFile && e.Kind == RegularFile:
			l.manifest = &e
		case e.Name == "config" && e.Kind == Folder:
			l.config, err = c.folder(source, "config", nil, e.Hash)
		case e.Name == "schemas" && e.Kind == Folder:
			l.schemasH = e.Hash
			l.schemas, err = c.folder(source, "schemas", nil, e.Hash)
		case e.Name == "policies" && e.Kind == Folder:
			l.policyH = e.Hash
			l.policies, err = c.folder(source, "policies", nil, e.Hash)
		case e.Name == "environments" && e.Kind == Folder:
			err = c.overlays(source, e.Hash, l)
		case recognised(e.Name):
			l.problems = append(l.problems, badMode(e.Name, e.Kind))
		}
		if err != nil {
			return nil, err
		}
	}
	return l, nil
}

func recognised(name string) bool {
	switch name {
	case ManifestFile, "config", "environments", "schemas", "policies":
		return true
	}
	return false
}

// overlays reads the folders under environments/.
func (c *Compiler) overlays(source Source, tree Hash, l *layout) error {
	entries, err := source.List(tree)
	if err != nil {
		return fmt.Errorf("list environments/: %w", err)
	}
	folded := map[string]string{}
	for _, e := range entries {
		path := "environments/" + e.Name
		if strings.HasPrefix(e.Name, ".") && e.Name != ".." {
			continue
		}
		if p, bad := badOverlay(path, e, folded); bad {
			l.problems = append(l.problems, p)
			continue
		}
		if l.overlays[e.Name], err = c.folder(source, path, nil, e.Hash); err != nil {
			return err
		}
	}
	if len(l.overlays) > MaxEnvironments {
		l.problems = append(l.problems, Problem{
			Stage: StageTree, File: "environments", Rule: "tooManyEnvironments", Hint: "split the repo",
			Message: fmt.Sprintf("there are %d folders of environments, more than %d", len(l.overlays), MaxEnvironments),
		})
	}
	return nil
}

// badOverlay judges an entry of environments/ itself. The folder's name may become that of an environment.
func badOverlay(path string, e Entry, folded map[string]string) (Problem, bool) {
	if p, bad := badEntry(path, e, 0); bad {
		return p, true
	}
	if e.Kind != Folder {
		return Problem{
			Stage: StageTree, File: path, Rule: "strayFile",
			Message: "a file lies where only folders of environments may", Hint: "move it into environments/<name>/",
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
func (c *Compiler) folder(source Source, path string, mount value.Path, hash Hash) (*folder, error) {
	key := folderKey{path, hash}
	if f, ok := c.folders.get(key); ok {
		c.keep(f)
		return f, nil
	}
	entries, err := source.List(hash)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", path, err)
	}
	entries = slices.SortedFunc(slices.Values(entries), byName) // Git and a directory order folders differently
	f := &folder{key: key, mount: mount}
	folded := map[string]string{}
	for _, e := range entries {
		full := path + "/" + e.Name
		if strings.HasPrefix(e.Name, ".") && e.Name != ".." {
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
		if e.Kind == Folder {
			below, err := c.folder(source, full, append(mount[:len(mount):len(mount)], e.Name), e.Hash)
			if err != nil {
				return nil, err
			}
			f.folders = append(f.folders, below)
			continue
		}
		f.files = append(f.files, file{path: full, hash: e.Hash, size: e.Size, mount: mountOf(mount, e.Name)})
	}
	c.folders.put(key, f)
	return f, nil
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
		p.Rule, p.Hint = "fileTooLarge", "split it into several files"
		p.Message = fmt.Sprintf("the file has %d bytes, more than %d", e.Size, MaxFileBytes)
	default:
		return Problem{}, false
	}
	return p, true
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
