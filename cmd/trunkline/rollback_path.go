package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/document"
)

// layers are what the base and each overlay say by themselves, by the folder they are written in.
type layers map[string]*value.Value

// scattered are the values to restore, by the file that holds them: their paths in it, and in the configuration.
type scattered struct {
	folder string // of the layer that is walked
	files  map[string][]value.Path
	all    map[string]value.Path
	seen   bool // whether a pattern selects anything at all
	// patched are maps that a $patch makes in one of the versions alone: what lies in them is not all there is to restore.
	patched []value.Path
}

// pathFiles are the files in which values are restored. Each file is edited as text, and nothing of it is touched beside.
func (d *draft) pathFiles(ctx context.Context) ([]entry, error) {
	found := scattered{files: map[string][]value.Path{}, all: map[string]value.Path{}}
	for _, pattern := range d.patterns {
		was, err := d.layers(ctx, d.old, pattern)
		if err != nil {
			return nil, err
		}
		now, err := d.layers(ctx, d.head, pattern)
		if err != nil {
			return nil, err
		}
		if !found.look(pattern, was, now) {
			return nil, fmt.Errorf("--path %s selects nothing, neither in %s nor in what is on %s now", pattern, short(d.version), d.where())
		}
	}
	if len(found.patched) > 0 {
		return nil, fmt.Errorf("a $patch came to or went from %s, so that no part of it can be restored: name it as a whole with --path", found.patched[0])
	}
	for _, name := range slices.Sorted(maps.Keys(found.all)) {
		d.paths = append(d.paths, found.all[name])
	}
	return d.edit(ctx, found.files)
}

// layers reads every layer at a commit, and no more files than those that matter to a pattern without wildcards: a fault in another one
// is in nobody's way.
func (d *draft) layers(ctx context.Context, commit *object.Commit, pattern value.Pattern) (layers, error) {
	var at value.Path
	if !strings.Contains(pattern.String(), "*") {
		at, _ = value.ParsePath(pattern.String())
	}
	known := commit.Hash.String() + at.String()
	if all := d.read[known]; all != nil {
		return all, nil
	}
	tree, err := d.repo.folder(commit)
	if err != nil {
		return nil, err
	}
	compiler := compile.New(nil)
	result, err := d.repo.compile(ctx, compiler, commit, tree, compile.Against{Settled: compile.AllSettled})
	if err != nil {
		return nil, err
	}
	all := layers{}
	for _, env := range result.Environments {
		list, err := compiler.LayersAt(ctx, d.repo, tree, env, at)
		if err != nil {
			return nil, fmt.Errorf("%s: %w; mend the files by hand, or roll back all of them", shortCommit(commit), err)
		}
		for _, layer := range list {
			all[layer.Folder] = layer.Own
		}
	}
	d.read[known] = all
	return all, nil
}

// look finds what a pattern selects and what differs, and tells whether it selects anything.
func (s *scattered) look(pattern value.Pattern, was, now layers) bool {
	s.seen = false
	folders := maps.Clone(was)
	maps.Copy(folders, now)
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		s.folder = folder
		s.walk(pattern, nil, was[folder], now[folder])
	}
	return s.seen
}

// walk finds what differs below a path that a pattern selects, value by value. Either side may be nil.
func (s *scattered) walk(pattern value.Pattern, at value.Path, was, now *value.Value) {
	covered := pattern.Covers(at)
	s.seen = s.seen || covered && (was != nil || now != nil)
	if s.seen && value.Equal(was, now) {
		return
	}
	before := len(s.all)
	for _, key := range keys(was, now) {
		s.walk(pattern, append(at[:len(at):len(at)], key), member(was, key), member(now, key))
	}
	switch {
	case covered && !value.Equal(was, now):
		s.put(at, was)
		s.put(at, now)
	case len(s.all) > before && !value.Equal(member(was, value.PatchKey), member(now, value.PatchKey)):
		s.patched = append(s.patched, at)
	}
}

// put notes a value by its file. A map is what lies in it.
func (s *scattered) put(at value.Path, v *value.Value) {
	if v == nil || isMap(v) && v.Len() > 0 {
		return
	}
	s.all[at.String()] = at
	file := v.Pos().File
	below, ok := inFile(s.folder, file, at)
	if ok && !slices.ContainsFunc(s.files[file], func(p value.Path) bool { return slices.Equal(p, below) }) {
		s.files[file] = append(s.files[file], below)
	}
}

func isMap(v *value.Value) bool { return v != nil && v.Kind() == value.Map }

func member(v *value.Value, key string) *value.Value {
	if v == nil {
		return nil
	}
	below, _ := v.Get(key)
	return below
}

// keys are those of two maps, either of which may be none.
func keys(a, b *value.Value) []string {
	var all []string
	for _, v := range []*value.Value{a, b} {
		if isMap(v) {
			for _, e := range v.Entries() {
				all = append(all, e.Key)
			}
		}
	}
	return union(all, nil)
}

// inFile is a path of a layer as it is in one of the layer's files, which stands under its own name, or as _index under its folder's.
func inFile(folder, file string, at value.Path) (value.Path, bool) {
	below, ok := strings.CutPrefix(file, folder+"/")
	mount := strings.Split(strings.TrimSuffix(below, path.Ext(below)), "/")
	if mount[len(mount)-1] == "_index" {
		mount = mount[:len(mount)-1]
	}
	if !ok || len(at) < len(mount) || !slices.Equal(at[:len(mount)], mount) {
		return nil, false
	}
	return at[len(mount):], true
}

// edit restores values in files. If one of them cannot be edited, none is.
func (d *draft) edit(ctx context.Context, files map[string][]value.Path) ([]entry, error) {
	var all []entry
	var refused []error
	for _, name := range slices.Sorted(maps.Keys(files)) {
		e, err := d.editFile(ctx, name, files[name])
		if err != nil {
			refused = append(refused, err)
			continue
		}
		all = append(all, e)
	}
	if len(refused) > 0 {
		return nil, fmt.Errorf("not everything can be restored, so nothing is:\n%w", errors.Join(refused...))
	}
	return all, nil
}

func (d *draft) editFile(ctx context.Context, name string, paths []value.Path) (entry, error) {
	was, wasMode, err := d.content(d.old, name)
	if err != nil {
		return entry{}, err
	}
	now, mode, err := d.content(d.head, name)
	if err != nil {
		return entry{}, err
	}
	e := entry{mode: mode, path: path.Join(d.repo.path, name)}
	var text []byte
	switch {
	case mode == "":
		e.mode = wasMode
		text, err = kept(name, was, paths)
	case wasMode == "":
		if text, err = document.Restore(name, now, nothing(name), paths); err == nil && holdsNothing(name, text) {
			return entry{path: e.path}, nil
		}
	default:
		text, err = document.Restore(name, now, was, paths)
	}
	if err != nil {
		return entry{}, err
	}
	out, _, err := d.git.call(ctx, string(text), "hash-object", "-w", "--stdin")
	e.hash = strings.TrimSpace(out)
	return e, err
}

// content is a file at a commit, and its mode; none where it is not there.
func (d *draft) content(commit *object.Commit, name string) (data []byte, mode string, err error) {
	f, err := commit.File(path.Join(d.repo.path, name))
	if errors.Is(err, object.ErrFileNotFound) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	data, err = d.repo.Read(compile.Hash(f.Hash), compile.MaxFileBytes)
	return data, f.Mode.String()[1:], err
}

// kept is a file that is gone with no more than some of its values.
func kept(name string, data []byte, paths []value.Path) ([]byte, error) {
	root, problems := document.Decode(&value.File{Path: name}, document.FormatOf(name), data, document.Limits{})
	if root == nil {
		return nil, fmt.Errorf("%s cannot be read: %s", name, problems[0].Message)
	}
	var changes []document.Change
	for _, path := range others(root, nil, paths) {
		changes = append(changes, document.Change{Path: path})
	}
	return document.Edit(name, data, changes)
}

// others are the values of a tree that lie neither at, nor above, nor below any of some paths.
func others(v *value.Value, at value.Path, paths []value.Path) []value.Path {
	within := func(path, above value.Path) bool {
		return len(path) >= len(above) && slices.Equal(path[:len(above)], above)
	}
	switch {
	case slices.ContainsFunc(paths, func(p value.Path) bool { return within(at, p) }):
		return nil
	case !slices.ContainsFunc(paths, func(p value.Path) bool { return within(p, at) }):
		return []value.Path{at}
	}
	var all []value.Path
	for _, e := range v.Entries() {
		all = append(all, others(e.Value, append(at[:len(at):len(at)], e.Key), paths)...)
	}
	return all
}

// nothing is a document without values.
func nothing(name string) []byte {
	if document.FormatOf(name) == document.JSON {
		return []byte("{}")
	}
	return nil
}

func holdsNothing(name string, data []byte) bool {
	root, _ := document.Decode(&value.File{Path: name}, document.FormatOf(name), data, document.Limits{})
	return root != nil && root.Len() == 0
}
