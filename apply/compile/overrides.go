package compile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// definedKinds is how many folders hold definitions.
const definedKinds = 5

// defined are the folders of definitions: rollouts, experiments, and what they lean on.
func (d Directories) defined() [definedKinds]string {
	return [definedKinds]string{d.Rollouts, d.Experiments, d.Layers, d.Segments, d.Metrics}
}

// overrideSet is what came of the definitions of one tree.
type overrideSet struct {
	from        overrideInputs
	definitions *experiment.Definitions // nil where no file defines anything
	read        *experiment.Definitions // what the next tree takes over from
	problems    []Problem               // those of all environments name none
	secrets     []settingSecret
}

// overrideInputs are all that an overrideSet depends on.
type overrideInputs struct {
	folders      [definedKinds]folderKey
	context      *value.Value
	environments string
}

// applyOverrides is stage 6: what the definitions say of themselves and of each other, what they change for those who are in something
// already, and the values of every arm.
func (r *run) applyOverrides(schemas *schemaSet, policies *policySet) {
	standing := r.standing()
	if len(standing) == 0 {
		return
	}
	r.defined = r.readOverrides()
	for _, p := range r.defined.problems {
		r.ofDefinitions(p)
	}
	for _, env := range r.open() {
		r.compareDefinitions(env)
	}
	if r.defined.definitions == nil {
		return
	}
	r.arms.next()
	r.plans.next()
	for _, env := range standing {
		r.applyArms(schemas, policies, env)
	}
}

// readOverrides reads the definitions, or takes them from the commit before.
func (r *run) readOverrides() *overrideSet {
	names := slices.Sorted(maps.Keys(r.own.Environments)) // one that is retired may still be named
	from := overrideInputs{context: r.own.Context, environments: strings.Join(names, "\n")}
	for i, f := range r.layout.defined {
		from.folders[i] = f.key
	}
	if r.overrides == nil || r.overrides.from != from {
		r.overrides = r.newOverrideSet(from, names)
	}
	return r.overrides
}

func (r *run) newOverrideSet(from overrideInputs, environments []string) *overrideSet {
	set, found := &overrideSet{from: from}, 0
	var docs [definedKinds]map[string]*value.Value
	for i, f := range r.layout.defined {
		docs[i] = set.documents(r, f)
		found += len(docs[i])
	}
	if found == 0 && from.context == nil {
		return set
	}
	var before *experiment.Definitions
	if r.overrides != nil {
		before = r.overrides.read
	}
	var problems []experiment.Problem
	set.read, problems = experiment.ParseAgain(experiment.Files{
		Rollouts: docs[0], Experiments: docs[1], Layers: docs[2], Segments: docs[3], Metrics: docs[4],
		Context: from.context, Environments: environments,
	}, before)
	for _, p := range problems {
		set.problems = append(set.problems, overrideProblem(p))
	}
	if found > 0 {
		set.definitions, set.secrets = set.read, settingSecrets(set.read)
	}
	return set
}

// documents are those of one folder, by key.
func (s *overrideSet) documents(r *run, f *folder) map[string]*value.Value {
	docs := map[string]*value.Value{}
	f.each(func(f file) {
		doc := r.parsed[f.path]
		if doc == nil || doc.value == nil {
			return
		}
		key := "_index"
		if len(f.mount) > 0 {
			key = f.mount[0]
		}
		p := Problem{Stage: StageOverrides, File: f.path, Line: 1, Column: 1}
		switch first, twice := docs[key]; {
		case twice:
			p.Rule, p.Message = "keyTwice", fmt.Sprintf("%s is defined here, and in %s, too", key, first.Pos().File)
			p.Hint = "keep one of the files: the file's name without its extension is the key"
		case encrypted(doc.value):
			p.Rule, p.Message = "definitionEncrypted", "the file is encrypted by SOPS, so nobody could be told by it what is theirs"
			p.Hint = "write it in plain text; a secret is no value to set for some"
		default:
			docs[key] = doc.value
			return
		}
		s.problems = append(s.problems, p)
	})
	return docs
}

// overrideProblem is a problem of the definitions as one of the commit.
func overrideProblem(p experiment.Problem) Problem {
	found := Problem{
		Stage: StageOverrides, Severity: Error, Environments: p.Environments, File: p.Place.File, Line: p.Place.Line, Column: p.Place.Column,
		Path: p.Path, Rule: p.Rule, Message: p.Message, Hint: p.Hint,
	}
	if p.Warning {
		found.Severity = Warning
	}
	if path, err := value.ParsePath(p.Path); err == nil && p.Path != "" {
		found.Pointer = path.Pointer()
	}
	return found
}

// ofDefinitions reports a problem where it counts. One of environments alone that are retired rejects nobody.
func (r *run) ofDefinitions(p Problem) {
	if p.Environments == nil {
		r.everywhere(p)
		return
	}
	p.Environments = r.servedOf(p.Environments)
	if len(p.Environments) == 0 {
		p.Severity = Warning
		r.everywhere(p)
		return
	}
	r.found.add(p)
}

func (r *run) servedOf(environments []string) []string {
	return slices.DeleteFunc(slices.Clone(environments), func(env string) bool { return !slices.Contains(r.served, env) })
}

// overlaid is what lies over the values of an environment, as long as neither the definitions nor what is sensitive changes.
type overlaid struct {
	definitions    *experiment.Definitions
	marks          []value.Pattern
	own, delivered *experiment.Set // nil where nothing is in the environment
}

// overlaidOn is what the definitions lay over the values of an environment.
func (r *run) overlaidOn(env string) overlaid {
	definitions, marks := r.defined.definitions, r.sensitive(env)
	if definitions == nil {
		return overlaid{}
	}
	same := func(a, b value.Pattern) bool { return a.String() == b.String() }
	if known, ok := r.sets[env]; ok && known.definitions == definitions && slices.EqualFunc(known.marks, marks, same) {
		return known
	}
	over := overlaid{definitions: definitions, marks: marks}
	if set := definitions.In(env, experiment.Options{}); !set.Empty() {
		redactor := r.redactorsOf(env).delivered
		over.own = set
		over.delivered = set.Redacted(func(path value.Path, v *value.Value) *value.Value { return redactor.RedactAt(path, v, marks) })
	}
	r.sets[env] = over
	return over
}
