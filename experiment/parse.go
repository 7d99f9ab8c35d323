package experiment

import (
	"maps"
	"slices"

	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/expr"
)

// Files are the documents of one tree, by key: the file's name without its extension.
type Files struct {
	Rollouts, Experiments, Layers, Segments, Metrics map[string]*value.Value
	// Context declares the attributes that conditions may look at, as a part of JSON Schema 2020-12. Nil declares nothing.
	Context *value.Value
	// Environments are the names of those there are. Nil: not known, so every name is taken.
	Environments []string
}

// Definitions are the files of one tree, read. A file that is wrong in itself is not among them.
type Definitions struct {
	rollouts    []*Rollout // each kind in the order of keys
	experiments []*Experiment
	layers      []*Layer
	segments    []*Segment
	metrics     []*Metric

	known           known
	context         *value.Value
	contextProblems []Problem
	read            map[file]*reading
	settings        int // of all arms
}

// file is the name of one file; reading what came of it.
type file struct {
	kind Kind
	key  string
}

type reading struct {
	doc      *value.Value
	result   any // nil where the file is wrong
	problems []Problem
}

// Parse reads the files of one tree.
func Parse(files Files) (*Definitions, []Problem) { return ParseAgain(files, nil) }

// ParseAgain does what [Parse] does, and takes over from an earlier result what has not changed since: documents that are the same
// pointers, as long as the names of segments, the declared context and the environments are the same, too.
func ParseAgain(files Files, before *Definitions) (*Definitions, []Problem) {
	d := &Definitions{context: files.Context, read: map[file]*reading{}}
	all := &report{}
	if files.bound(all); all.errors > 0 {
		return d, all.problems
	}
	if before == nil || !d.knows(files, before) {
		before = nil
		if err := d.learn(files); err != nil {
			all.add(Problem{Rule: string(KindContext), Message: err.Error()})
			return d, all.problems
		}
	}
	d.readFiles(files, before, all)
	d.link(files, all)
	return d, all.problems
}

// readFiles reads the files of all kinds; segments first, because conditions name them.
func (d *Definitions) readFiles(files Files, before *Definitions, all *report) {
	all.problems = append(all.problems, d.contextProblems...)
	d.segments = readAll(d, before, all, KindSegment, files.Segments, (*reader).segment)
	for _, s := range d.segments {
		d.known.conditions.Define(s.Key, s.condition.program)
	}
	d.layers = readAll(d, before, all, KindLayer, files.Layers, (*reader).layer)
	d.metrics = readAll(d, before, all, KindMetric, files.Metrics, (*reader).metric)
	d.rollouts = readAll(d, before, all, KindRollout, files.Rollouts, (*reader).rollout)
	d.experiments = readAll(d, before, all, KindExperiment, files.Experiments, (*reader).experiment)
	for _, x := range d.rollouts {
		d.settings += settingsOf(x.arms)
	}
	for _, x := range d.experiments {
		d.settings += settingsOf(x.arms)
	}
}

func settingsOf(arms []arm) (n int) {
	for _, a := range arms {
		n += len(a.settings)
	}
	return n
}

// knows tells whether what files may name is as it was before, and takes it over then.
func (d *Definitions) knows(files Files, before *Definitions) bool {
	segments := 0
	for f := range before.read {
		if _, still := files.Segments[f.key]; f.kind == KindSegment && still {
			segments++
		} else if f.kind == KindSegment {
			return false
		}
	}
	same := before.context == files.Context && slices.Equal(before.known.environments, files.Environments) &&
		(before.known.environments == nil) == (files.Environments == nil)
	if !same || segments != len(files.Segments) || before.known.conditions == nil {
		return false
	}
	d.known, d.contextProblems = known{environments: before.known.environments, conditions: before.known.conditions.Anew()}, before.contextProblems
	return true
}

// learn reads what files may name.
func (d *Definitions) learn(files Files) error {
	r := &reader{kind: KindContext, rule: string(KindContext)}
	conditions, err := expr.NewConditions(r.context(files.Context), slices.Sorted(maps.Keys(files.Segments)))
	d.known.environments, d.known.conditions = slices.Clone(files.Environments), conditions
	d.contextProblems = r.problems
	return err
}

// readAll reads the files of one kind, in the order of their keys.
func readAll[T any](d, before *Definitions, all *report, kind Kind, files map[string]*value.Value, read func(*reader, string, *value.Value) *T) []*T {
	var results []*T
	for _, key := range slices.Sorted(maps.Keys(files)) {
		name := file{kind, key}
		var was *reading
		if before != nil {
			was = before.read[name]
		}
		if was == nil || was.doc != files[key] {
			was = readOne(d, name, files[key], read)
		}
		d.read[name] = was
		if was.result != nil {
			results = append(results, was.result.(*T))
		}
		for _, p := range was.problems {
			all.add(p)
		}
	}
	return results
}

func readOne[T any](d *Definitions, name file, doc *value.Value, read func(*reader, string, *value.Value) *T) *reading {
	r := &reader{kind: name.kind, rule: string(name.kind), known: &d.known}
	if !isKey(name.key) {
		r.fail(doc, "key", keyHint, "%q cannot name a %s", name.key, name.kind)
	}
	got := read(r, name.key, doc)
	if r.errors > 0 {
		return &reading{doc, nil, r.problems[:min(len(r.problems), MaxProblems)]}
	}
	return &reading{doc, got, r.problems}
}

// Rollouts are all rollouts, in the order of their keys.
func (d *Definitions) Rollouts() []*Rollout { return d.rollouts }

// Experiments are all experiments, in the order of their keys.
func (d *Definitions) Experiments() []*Experiment { return d.experiments }

// Layers are all layers, in the order of their keys.
func (d *Definitions) Layers() []*Layer { return d.layers }

// Segments are all segments, in the order of their keys.
func (d *Definitions) Segments() []*Segment { return d.segments }

// Metrics are all metrics, in the order of their keys.
func (d *Definitions) Metrics() []*Metric { return d.metrics }

// Layer finds a layer by its key.
func (d *Definitions) Layer(key string) (*Layer, bool) {
	i, ok := slices.BinarySearchFunc(d.layers, key, func(l *Layer, key string) int { return compareKeys(l.Key, key) })
	if !ok {
		return nil, false
	}
	return d.layers[i], true
}

// Rollout finds a rollout by its key.
func (d *Definitions) Rollout(key string) (*Rollout, bool) {
	i, ok := slices.BinarySearchFunc(d.rollouts, key, func(r *Rollout, key string) int { return compareKeys(r.Key, key) })
	if !ok {
		return nil, false
	}
	return d.rollouts[i], true
}

// Experiment finds an experiment by its key.
func (d *Definitions) Experiment(key string) (*Experiment, bool) {
	i, ok := slices.BinarySearchFunc(d.experiments, key, func(e *Experiment, key string) int { return compareKeys(e.Key, key) })
	if !ok {
		return nil, false
	}
	return d.experiments[i], true
}

// Document is the file of a rollout or an experiment, as it was read.
func (d *Definitions) Document(kind Kind, key string) (*value.Value, bool) {
	if x, ok := d.Rollout(key); ok && kind == KindRollout {
		return x.at, true
	}
	if x, ok := d.Experiment(key); ok && kind == KindExperiment {
		return x.at, true
	}
	return nil, false
}
