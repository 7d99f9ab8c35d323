package experiment

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trunkline/trunkline/value"
)

// ErrExport is wrapped by the errors of [Import].
var ErrExport = errors.New("the definitions cannot be read")

func unreadable(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrExport}, args...)...)
}

// Import reads what [Set.Export] wrote, and the time at which schedules and ramps stand still, under held; zero where they do not. For every
// context and time the set chooses, sets and assigns what the exporting one did [Set.Within] what was seen; numbers may be others. It is to be
// laid over values that were narrowed in the same way. Members that are not known are passed over, but not those of documents, because these may
// count for who gets what.
func Import(v *value.Value) (s *Set, held time.Time, err error) {
	if v.Kind() != value.Map {
		return nil, held, unreadable("they are %s; they must be a map", v.Kind().Article())
	}
	if at, ok := v.Get("held"); ok {
		if held, err = time.Parse(time.RFC3339, at.Str()); err != nil {
			return nil, held, unreadable("held is no time of RFC 3339")
		}
	}
	files, err := exportedFiles(v)
	if err != nil {
		return nil, held, err
	}
	stopped, err := stoppedIn(v)
	if err != nil {
		return nil, held, err
	}
	d, err := parseExport(files)
	if err != nil {
		return nil, held, err
	}
	s = d.In(files.Environments[0], Options{Stopped: func(kind Kind, key string) bool { return stopped[file{kind, key}] }})
	s.narrowed = true
	return s, held, nil
}

// exportedFiles are the documents of an export.
func exportedFiles(v *value.Value) (Files, error) {
	environment, _ := v.Get("environment")
	files := Files{Environments: []string{""}}
	if environment != nil {
		files.Environments[0] = environment.Str()
	}
	total := 0
	for name, to := range map[string]*map[string]*value.Value{
		"rollouts": &files.Rollouts, "experiments": &files.Experiments, "layers": &files.Layers, "segments": &files.Segments,
	} {
		group, ok := v.Get(name)
		if !ok {
			continue
		}
		if group.Kind() != value.Map {
			return files, unreadable("%s is %s; it must be a map of documents", name, group.Kind().Article())
		}
		total += group.Len()
		*to = make(map[string]*value.Value, group.Len())
		for _, e := range group.Entries() {
			(*to)[e.Key] = e.Value
		}
	}
	if total > MaxExported {
		return files, unreadable("they are %d documents, more than %d", total, MaxExported)
	}
	if total > 0 && files.Environments[0] == "" {
		return files, unreadable("they name no environment")
	}
	files.Context, _ = v.Get("context")
	return files, nil
}

// stoppedIn are the definitions that an operator has stopped.
func stoppedIn(v *value.Value) (map[file]bool, error) {
	list, ok := v.Get("stopped")
	if !ok {
		return nil, nil
	}
	if list.Kind() != value.List || list.Len() > MaxExported {
		return nil, unreadable("stopped must be a list of {kind, key}, at most %d", MaxExported)
	}
	stopped := make(map[file]bool, list.Len())
	for _, e := range list.Entries() {
		kind, _ := e.Value.Get("kind")
		key, _ := e.Value.Get("key")
		if kind == nil || key == nil || kind.Kind() != value.String || key.Kind() != value.String {
			return nil, unreadable("stopped must be a list of {kind, key}")
		}
		stopped[file{Kind(kind.Str()), key.Str()}] = true
	}
	return stopped, nil
}

// parseExport reads the documents. Other than a commit's they count all or not at all.
func parseExport(files Files) (*Definitions, error) {
	d := &Definitions{context: files.Context, read: map[file]*reading{}, known: known{exported: true}}
	all := &report{}
	if files.bound(all); all.errors > 0 {
		return nil, unreadable("%s", told(all.problems))
	}
	if err := d.learn(files); err != nil {
		return nil, unreadable("%w", err)
	}
	d.readFiles(files, nil, all)
	if err := d.unread(); err != nil {
		return nil, err
	}
	l := &linker{report: all, d: d, files: files}
	l.segments()
	l.references()
	l.prerequisites()
	if all.errors > 0 {
		return nil, unreadable("%s", told(all.problems))
	}
	return d, nil
}

// unread names the first document that is wrong; nil where none is.
func (d *Definitions) unread() error {
	if len(d.contextProblems) > 0 {
		return unreadable("the context: %s", told(d.contextProblems))
	}
	for _, name := range slices.SortedFunc(maps.Keys(d.read), func(a, b file) int { return compareKeys(a.String(), b.String()) }) {
		if was := d.read[name]; was.result == nil {
			return unreadable("the %s: %s", name, told(was.problems))
		}
	}
	return nil
}

// told is the first problem, without a place: an export has no lines.
func told(problems []Problem) string {
	return strings.TrimSuffix(fmt.Sprintf("%s (%s); %s", problems[0].Message, problems[0].Rule, problems[0].Hint), "; ")
}
