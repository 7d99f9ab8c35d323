package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/experiment"
)

// newFile is a file that is about to be written.
type newFile struct {
	definition
	name   string // below the root of the config repo
	text   string
	judged string // the text as it is judged: an experiment as if it ran, so that what would keep it from running is told now
}

// newFiles are written together or not at all.
type newFiles struct {
	dir          string
	tree         *repoTree
	environments []string // in which they count
	files        []newFile
	force        bool
}

// path is where a new file of a kind goes.
func (n *newFiles) path(d definition) string {
	for _, f := range n.tree.folders(&experiment.Files{}) {
		if f.kind == d.kind {
			return path.Join(f.path, d.key+".yaml")
		}
	}
	return ""
}

var keyText = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)

// begin refuses a key that names no file, or is taken.
func (n *newFiles) begin(d definition) error {
	if !keyText.MatchString(d.key) || len(d.key) > experiment.MaxKey {
		return fmt.Errorf("%q cannot name a %s; use letters, digits, _ and -, beginning with a letter or a digit, at most %d", d.key, d.kind, experiment.MaxKey)
	}
	if there, taken := n.tree.found[d]; taken {
		return fmt.Errorf("%s is there already, and nothing was written; edit it, or choose another name", filepath.Join(n.dir, there.name))
	}
	return nil
}

func (n *newFiles) add(d definition, text string) { n.addJudged(d, text, text) }

func (n *newFiles) addJudged(d definition, text, judged string) {
	n.files = append(n.files, newFile{d, n.path(d), text, judged})
}

// write judges the files and writes them. What is wrong is told, and keeps them from being written unless that is forced.
func (n *newFiles) write(ctx context.Context, s *streams) error {
	problems, err := n.problems(ctx)
	if err != nil {
		return err
	}
	if len(problems) == 0 {
		if problems, err = n.compiled(ctx, s); err != nil {
			return err
		}
	}
	wrong := false
	for _, p := range problems {
		showProblem(s.err, p, n.read, newPalette(s.color))
		wrong = wrong || p.Severity == compile.Error
	}
	if wrong && !n.force {
		return errors.New("nothing was written; mend the command, or write the files as they are with --force and mend them")
	}
	return n.save()
}

// read reads a file as it would be.
func (n *newFiles) read(file string) ([]byte, error) {
	for _, f := range n.files {
		if f.name == file {
			return []byte(f.text), nil
		}
	}
	return onDisk(n.dir)(file)
}

// problems are what the files say of themselves and of what is there.
func (n *newFiles) problems(ctx context.Context) ([]compile.Problem, error) {
	files, err := n.parsed()
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	_, before := experiment.Parse(n.tree.files)
	for _, p := range before {
		known[p.String()] = true
	}
	definitions, found := experiment.Parse(files)
	found = slices.DeleteFunc(found, func(p experiment.Problem) bool { return known[p.String()] })
	for _, env := range n.environments {
		base, err := n.tree.configured(ctx, env)
		if err != nil {
			return nil, err
		}
		for _, p := range definitions.In(env, experiment.Options{}).Check(base) {
			if n.has(p.Place.File) {
				found = append(found, p)
			}
		}
	}
	all := make([]compile.Problem, len(found))
	for i, p := range found {
		all[i] = problemOf(p, n.tree.manifest.Names())
	}
	return all, nil
}

func (n *newFiles) has(name string) bool {
	return slices.ContainsFunc(n.files, func(f newFile) bool { return f.name == name })
}

// problemOf is a problem of definitions as people are told of it.
func problemOf(p experiment.Problem, everywhere []string) compile.Problem {
	told := compile.Problem{
		Stage: compile.StageOverrides, Severity: compile.Error, Environments: p.Environments,
		File: p.Place.File, Line: p.Place.Line, Column: p.Place.Column, Path: p.Path, Rule: p.Rule, Message: p.Message, Hint: p.Hint,
	}
	if p.Warning {
		told.Severity = compile.Warning
	}
	if told.Environments == nil {
		told.Environments = everywhere
	}
	return told
}

// parsed are the files of the tree and the new ones.
func (n *newFiles) parsed() (experiment.Files, error) {
	files := n.tree.files
	folders := n.tree.folders(&files)
	for _, f := range folders {
		*f.docs = maps.Clone(*f.docs)
	}
	for _, f := range n.files {
		doc, err := decode(f.name, []byte(f.judged))
		if err != nil {
			return files, err
		}
		i := slices.IndexFunc(folders, func(other folder) bool { return other.kind == f.kind })
		(*folders[i].docs)[f.key] = doc
	}
	return files, nil
}

// compiled are the problems that a whole judgement finds with the files and not without them: schemas and policies judge what is set, too.
func (n *newFiles) compiled(ctx context.Context, s *streams) ([]compile.Problem, error) {
	compiler := compile.New(nil)
	before, err := compiler.Compile(ctx, n.tree.source, n.tree.root, compile.Against{})
	if err != nil {
		return nil, err
	}
	source, root, err := n.source()
	if err != nil {
		return nil, err
	}
	after, err := compiler.Compile(ctx, source, root, compile.Against{})
	if err != nil {
		return nil, err
	}
	for _, env := range n.environments {
		if !before.Valid(env) {
			fmt.Fprintf(s.err, "trunkline: %s has problems of its own, and may not be judged to the end: see trunkline validate\n", env)
		}
	}
	return slices.DeleteFunc(after.Problems, func(p compile.Problem) bool {
		return slices.ContainsFunc(before.Problems, func(old compile.Problem) bool { return old.String() == p.String() })
	}), nil
}

// save writes the files, none over another. Where one cannot be written none stays.
func (n *newFiles) save() (err error) {
	var written []string
	defer func() {
		if err != nil {
			for _, name := range written {
				err = errors.Join(err, os.Remove(name))
			}
		}
	}()
	for _, f := range n.files {
		name := filepath.Join(n.dir, filepath.FromSlash(f.name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		written = append(written, name)
		_, err = file.WriteString(f.text)
		if err = errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	return nil
}
