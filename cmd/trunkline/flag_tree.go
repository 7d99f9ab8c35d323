package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/document"
)

// repoTree is a config repo at one moment, with its rollouts and experiments as they are written. Files that cannot be read are left out: what
// is wrong elsewhere does not keep anybody from looking at the rest.
type repoTree struct {
	source   compile.Source
	root     compile.Hash
	layers   *compile.Compiler // asked for values alone
	manifest *compile.Manifest
	files    experiment.Files
	found    map[definition]defined
	unread   []string // why files were left out
	values   map[string]*value.Value
}

// definition names a rollout, an experiment, or what they lean on.
type definition struct {
	kind experiment.Kind
	key  string
}

// defined is the file of a definition.
type defined struct {
	name string
	hash compile.Hash
}

// openTree reads the files of a directory as they are now.
func openTree(ctx context.Context, dir string) (*repoTree, error) {
	source, root, err := compile.ReadDirectory(dir)
	if err != nil {
		return nil, err
	}
	return readTree(ctx, source, root)
}

func readTree(ctx context.Context, source compile.Source, root compile.Hash) (*repoTree, error) {
	t := &repoTree{
		source: source, root: root, layers: compile.New(nil), found: map[definition]defined{}, values: map[string]*value.Value{},
	}
	var err error
	if t.manifest, err = t.layers.Manifest(ctx, source, root); err != nil {
		return nil, err
	}
	t.files = experiment.Files{Context: t.manifest.Context, Environments: t.manifest.Names()}
	for _, f := range t.folders(&t.files) {
		if *f.docs, err = t.read(f); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// folder is where the files of one kind lie.
type folder struct {
	kind experiment.Kind
	path string
	docs *map[string]*value.Value
}

func (t *repoTree) folders(files *experiment.Files) []folder {
	d := t.manifest.Directories
	return []folder{
		{experiment.KindRollout, d.Rollouts, &files.Rollouts},
		{experiment.KindExperiment, d.Experiments, &files.Experiments},
		{experiment.KindLayer, d.Layers, &files.Layers},
		{experiment.KindSegment, d.Segments, &files.Segments},
		{experiment.KindMetric, d.Metrics, &files.Metrics},
	}
}

// listFolder are the entries of a folder; none where it is not there.
func listFolder(source compile.Source, root compile.Hash, dir string) ([]compile.Entry, error) {
	entries, err := source.List(root)
	for part := range strings.SplitSeq(dir, "/") {
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(entries, func(e compile.Entry) bool { return e.Name == part && e.Kind == compile.Folder })
		if i < 0 {
			return nil, nil
		}
		entries, err = source.List(entries[i].Hash)
	}
	return entries, err
}

// read reads the documents of a folder.
func (t *repoTree) read(f folder) (map[string]*value.Value, error) {
	entries, err := listFolder(t.source, t.root, f.path)
	if err != nil {
		return nil, err
	}
	docs := map[string]*value.Value{}
	for _, e := range entries {
		name := path.Join(f.path, e.Name)
		if e.Kind != compile.RegularFile || strings.HasPrefix(e.Name, ".") || document.FormatOf(e.Name) == document.Unknown {
			continue
		}
		if len(t.found) == compile.MaxFiles {
			return nil, fmt.Errorf("%s: more than %d files", name, compile.MaxFiles)
		}
		key := strings.TrimSuffix(e.Name, path.Ext(e.Name))
		if first, twice := t.found[definition{f.kind, key}]; twice {
			t.unread = append(t.unread, fmt.Sprintf("%s: %s has this name already", name, first.name))
			continue
		}
		t.found[definition{f.kind, key}] = defined{name, e.Hash}
		if doc, err := t.document(name, e); err != nil {
			t.unread = append(t.unread, err.Error())
		} else {
			docs[key] = doc
		}
	}
	return docs, nil
}

func (t *repoTree) document(name string, e compile.Entry) (*value.Value, error) {
	data, err := t.source.Read(e.Hash, compile.MaxFileBytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return decode(name, data)
}

// decode reads a document; an error is the first thing that is wrong with it.
func decode(name string, data []byte) (*value.Value, error) {
	doc, problems := document.Decode(&value.File{Path: name}, document.FormatOf(name), data, document.Limits{MaxBytes: compile.MaxFileBytes})
	for _, p := range problems {
		if !p.Warning {
			return nil, fmt.Errorf("%s:%d:%d: %s", name, p.Line, p.Column, p.Message)
		}
	}
	return doc, nil
}

// leaveOut notes what is wrong with a file that was read and holds nothing good.
func (t *repoTree) leaveOut(file string, problems []experiment.Problem) {
	i := slices.IndexFunc(problems, func(p experiment.Problem) bool { return p.Place.File == file && !p.Warning })
	if i >= 0 {
		t.unread = append(t.unread, problems[i].String())
	}
}

// tellUnread says which files were left out.
func (t *repoTree) tellUnread(s *streams) {
	slices.Sort(t.unread)
	for _, why := range t.unread {
		fmt.Fprintf(s.err, "trunkline: left out: %s; see trunkline validate\n", why)
	}
}

// keys are those of one kind, in order.
func (t *repoTree) keys(kind experiment.Kind) []string {
	var keys []string
	for d := range t.found {
		if d.kind == kind {
			keys = append(keys, d.key)
		}
	}
	slices.Sort(keys)
	return keys
}

// environments checks names of environments, and takes the only one there is where none are named.
func (t *repoTree) environments(names []string) ([]string, error) {
	known := t.manifest.Names()
	if len(names) == 0 && len(known) == 1 {
		return known, nil
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("name where it counts with --env: there are %s", strings.Join(known, ", "))
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("there is no environment %q here; %s", name, value.Suggestion(name, known, "there are "))
		}
	}
	return union(names, nil), nil
}

// configured are the values of an environment before anything is laid over them.
func (t *repoTree) configured(ctx context.Context, env string) (*value.Value, error) {
	if v, ok := t.values[env]; ok {
		return v, nil
	}
	layers, err := t.layers.Layers(ctx, t.source, t.root, env)
	if errors.Is(err, compile.ErrNotMerged) {
		return nil, fmt.Errorf("the files of %s do not fit together: %w; see trunkline validate", env, err)
	}
	if err != nil {
		return nil, err
	}
	v := value.Empty
	if len(layers) > 0 {
		v = layers[len(layers)-1].Merged
	}
	t.values[env] = v
	return v, nil
}

// settable is what is configured at a path of an environment. Where nothing is, the error names what is near.
func (t *repoTree) settable(ctx context.Context, env string, p value.Path) (*value.Value, error) {
	root, err := t.configured(ctx, env)
	if err != nil {
		return nil, err
	}
	at := root
	for i, key := range p {
		next, ok := at.Step(key)
		if !ok {
			return nil, fmt.Errorf("nothing is configured at %s in %s; %s", p, env, nearPath(root, at, p, i))
		}
		at = next
	}
	return at, nil
}

// nearPath is the hint for a path of which the segment at i is not there.
func nearPath(root, at *value.Value, p value.Path, i int) string {
	var keys []string
	if at.Kind() == value.Map {
		for _, e := range at.Entries() {
			keys = append(keys, e.Key)
		}
	}
	if near := value.Nearest(p[i], keys); near != "" {
		meant := slices.Concat(p[:i], value.Path{near}, p[i+1:])
		if _, ok := root.At(meant); ok {
			return fmt.Sprintf("did you mean %s?", meant)
		}
		return fmt.Sprintf("did you mean %s?", meant[:i+1])
	}
	const few = 12
	switch {
	case len(keys) == 0:
		return "a flag sets what everybody else has a value for: add it to the configuration first"
	case len(keys) > few:
		keys = append(keys[:few], "…")
	}
	where := "there are "
	if i > 0 {
		where = "below " + p[:i].String() + " there are "
	}
	return where + strings.Join(keys, ", ")
}
