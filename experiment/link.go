package experiment

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/value"
)

func compareKeys(a, b string) int { return strings.Compare(a, b) }

// linker checks what the files say of each other.
type linker struct {
	*report
	d     *Definitions
	files Files
	hints int // that took long to find, and were given
}

func (d *Definitions) link(files Files, all *report) {
	l := &linker{report: all, d: d, files: files}
	l.salts()
	l.segments()
	l.references()
	l.prerequisites()
	l.traffic()
	l.owners()
}

// in reports a problem that counts in some environments; nil is all.
func (l *linker) in(environments []string, at *value.Value, rule, hint, message string, args ...any) {
	l.report.environments = environments
	l.fail(at, rule, hint, message, args...)
	l.report.environments = nil
}

// salts finds those that stand twice: then who is in the one would tell who is in the other.
func (l *linker) salts() {
	type owner struct {
		what         string
		at           *value.Value
		environments []string
	}
	owners := map[string]owner{}
	add := func(s salt, what string, environments []string) {
		if s.text == "" {
			return
		}
		first, twice := owners[s.text]
		if !twice {
			owners[s.text] = owner{what, s.at, environments}
			return
		}
		l.in(union(environments, first.environments), s.at, "saltTwice", "give it random letters and digits of its own",
			"the salt of %s is that of %s at %s: who is in the one would tell who is in the other", what, first.what, first.at.Pos())
	}
	for _, x := range l.d.layers {
		add(x.salt, "the layer "+x.Key, nil)
	}
	for _, x := range l.d.experiments {
		add(x.salt, "the experiment "+x.Key, x.Environments)
	}
	for _, x := range l.d.rollouts {
		add(x.salt, "the rollout "+x.Key, x.Environments)
	}
}

// segments finds those that lead back to themselves.
func (l *linker) segments() {
	g := graph{}
	for _, s := range l.d.segments {
		name := file{KindSegment, s.Key}
		g[name] = nil
		for _, next := range s.condition.program.Segments() {
			g[name] = append(g[name], file{KindSegment, next})
		}
	}
	depths, circles := g.depths(), g.onCircles()
	for _, s := range l.d.segments {
		name := file{KindSegment, s.Key}
		switch {
		case circles[name]:
			l.in(nil, s.condition.at, "segmentCycle", "take one of the segments out of the circle", "the segment %s asks for itself, by way of others or not", s.Key)
		case depths[name] > MaxSegmentDepth:
			l.in(nil, s.condition.at, "segmentDepth", "ask fewer", "more than %d segments lead on to each other", MaxSegmentDepth)
		}
	}
}

// references finds layers and metrics that are not there. Of one whose file is wrong enough is told.
func (l *linker) references() {
	for _, x := range l.d.experiments {
		if _, ok := l.files.Layers[x.Layer]; !ok {
			l.in(x.Environments, x.layer, "unknownLayer", l.suggestion(x.Layer, l.files.Layers, "known layers: "), "there is no layer %q", x.Layer)
		}
		for _, at := range x.metricsAt {
			if _, ok := l.files.Metrics[at.Str()]; !ok {
				l.in(x.Environments, at, "unknownMetric", l.suggestion(at.Str(), l.files.Metrics, "known metrics: "), "there is no metric %q", at.Str())
			}
		}
	}
}

// suggestion is which key may be meant, of the first that are not there.
func (l *linker) suggestion(key string, files map[string]*value.Value, intro string) string {
	if !l.helps() {
		return ""
	}
	return value.Suggestion(key, slices.Sorted(maps.Keys(files)), intro)
}

// helps tells whether a hint is still worth its time: nobody reads hundreds of them.
func (l *linker) helps() bool {
	l.hints++
	return l.hints <= maxHints
}

// dependent is a definition that others may require.
type dependent struct {
	name          file
	environments  []string
	prerequisites []Prerequisite
}

func (l *linker) dependents() []dependent {
	var all []dependent
	for _, x := range l.d.rollouts {
		all = append(all, dependent{file{KindRollout, x.Key}, x.Environments, x.Prerequisites})
	}
	for _, x := range l.d.experiments {
		all = append(all, dependent{file{KindExperiment, x.Key}, x.Environments, x.Prerequisites})
	}
	return all
}

func (l *linker) prerequisites() {
	all := l.dependents()
	byName, g := map[file]dependent{}, graph{}
	for _, d := range all {
		byName[d.name], g[d.name] = d, nil
		for _, p := range d.prerequisites {
			g[d.name] = append(g[d.name], file{p.Kind, p.Key})
		}
	}
	depths, circles := g.depths(), g.onCircles()
	for _, d := range all {
		for _, p := range d.prerequisites {
			if !l.d.known.exported { // one that nobody can meet is not exported
				l.prerequisite(d, p, byName)
			}
		}
		switch {
		case circles[d.name]:
			l.in(d.environments, d.prerequisites[0].at, "prerequisiteCycle", "remove one prerequisite of the circle", "the %s is a prerequisite of itself, by way of others or not", d.name)
		case depths[d.name] > MaxPrerequisiteDepth:
			l.in(d.environments, d.prerequisites[0].at, "prerequisiteDepth", "require less", "more than %d prerequisites lead on to each other", MaxPrerequisiteDepth)
		}
	}
}

func (l *linker) prerequisite(d dependent, p Prerequisite, byName map[file]dependent) {
	of, there := byName[file{p.Kind, p.Key}]
	known := l.files.Rollouts
	if p.Kind == KindExperiment {
		known = l.files.Experiments
	}
	if _, found := known[p.Key]; !found {
		l.in(d.environments, p.at, "unknownPrerequisite", l.suggestion(p.Key, known, "known are "), "there is no %s %q", p.Kind, p.Key)
		return
	}
	if !there {
		return // its file is wrong, which is told
	}
	if missing := slices.DeleteFunc(slices.Clone(d.environments), func(env string) bool { return slices.Contains(of.environments, env) }); len(missing) > 0 {
		names := strings.Join(missing, ", ")
		l.in(missing, p.at, "unknownPrerequisite", "add "+names+" to its environments, or remove the prerequisite", "the %s %s is not in %s, so nobody there could meet it", p.Kind, p.Key, names)
	}
	if p.Kind == KindExperiment {
		l.variant(d, p)
	}
}

// variant checks a prerequisite against the experiment that it names.
func (l *linker) variant(d dependent, p Prerequisite) {
	x, _ := l.d.Experiment(p.Key)
	if p.Variant != "" && !slices.ContainsFunc(x.Variants, func(v Variant) bool { return v.Name == p.Variant }) {
		l.in(d.environments, p.at, "unknownPrerequisite", "name one of its variants", "the experiment %s has no variant %q", p.Key, p.Variant)
	}
	if !x.Status.holds() {
		l.report.environments = d.environments
		l.warn(p.at, "prerequisiteIdle", "remove the prerequisite", "the experiment %s is %s, so nobody meets the prerequisite", p.Key, x.Status)
		l.report.environments = nil
	}
}

// traffic finds slots of a layer that two experiments of one environment own, or an experiment and the holdout.
func (l *linker) traffic() {
	before := map[string][]*Experiment{}
	for _, x := range l.d.experiments {
		layer, ok := l.d.Layer(x.Layer)
		if !ok || !x.Status.holds() {
			continue
		}
		if held := x.Slots.And(layer.Holdout); held != nil {
			l.in(x.Environments, x.trafficAt(), "slotsOverlap", l.free(layer, x), "the slots %s of the layer %s are held out", held, layer.Key)
		}
		l.overlaps(x, layer, before[x.Layer])
		before[x.Layer] = append(before[x.Layer], x)
	}
}

// overlaps tells with whom an experiment shares slots, once for each environment.
func (l *linker) overlaps(x *Experiment, layer *Layer, others []*Experiment) {
	left := slices.Clone(x.Environments)
	for _, other := range others {
		if len(left) == 0 {
			return
		}
		both := x.Slots.And(other.Slots)
		if both == nil {
			continue
		}
		environments := common(left, other.Environments)
		if environments == nil {
			continue
		}
		l.in(environments, x.trafficAt(), "slotsOverlap", l.free(layer, x), "%s owns the slots %s of the layer %s, and so does %s", x.Key, both, layer.Key, other.Key)
		left = slices.DeleteFunc(left, func(env string) bool { return slices.Contains(environments, env) })
	}
}

// trafficAt is where the experiment says which slots it has.
func (x *Experiment) trafficAt() *value.Value {
	for _, key := range []string{"slots", "traffic"} {
		if v, ok := x.at.Get(key); ok {
			return v
		}
	}
	return x.at
}

// free says which slots an experiment could have instead.
func (l *linker) free(layer *Layer, x *Experiment) string {
	if !l.helps() {
		return "take slots that nobody owns"
	}
	var owned [Slots]bool
	own := func(slots Ranges) {
		for _, one := range slots {
			for slot := one.First; slot <= one.Last; slot++ {
				owned[slot] = true
			}
		}
	}
	own(layer.Holdout)
	for _, other := range l.d.experiments {
		if other != x && other.Layer == x.Layer && other.Status.holds() && common(x.Environments, other.Environments) != nil {
			own(other.Slots)
		}
	}
	var list []Range
	for slot, taken := range owned {
		if !taken {
			list = append(list, Range{slot, slot})
		}
	}
	free, _ := newRanges(list)
	switch n := x.Slots.Count(); {
	case free.Count() == 0:
		return "the layer has no slots left"
	case free.Count() < n:
		return fmt.Sprintf("%s are left: %s", slotsInWords(free.Count()), free)
	default:
		return "write slots: [" + free.take(n).String() + "]"
	}
}

// take are the first n of the slots.
func (r Ranges) take(n int) Ranges {
	var taken Ranges
	for _, one := range r {
		if n <= 0 {
			break
		}
		one.Last = min(one.Last, one.First+n-1)
		taken, n = append(taken, one), n-(one.Last-one.First+1)
	}
	return taken
}
