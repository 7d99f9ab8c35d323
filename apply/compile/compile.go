// Package compile turns the tree of a commit into a snapshot for each environment, and into the problems that stand against it.
//
// A [Compiler] is made with [New] and used from one goroutine. [Compiler.Compile] reads again only what differs from the commit it
// compiled before: folders and documents are kept by hash, merged values and schema results by what went into them. The result
// depends on the tree and its baselines alone, never on what is kept.
//
// What a human must mend is a [Problem] of the result. An error means that the source could not be read, and nothing else.
package compile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/value"
)

// Baselines are, by environment, the snapshots against which a tree is judged. An environment without one is judged by itself.
type Baselines map[string]*Snapshot

// Against is what a tree is judged by beside itself.
type Against struct {
	Baselines Baselines
	// Rollback tells, by environment, that the commit restores exactly the content of an earlier valid version.
	Rollback map[string]bool
	// Commit is what policies may know of the commit, by name.
	// Nil where files are judged that are no commit yet: rules that name it are passed over.
	Commit *value.Value
	// ID is the commit's hash, for validators; empty where files are judged that are no commit yet.
	ID string
	// Settled tells of which environments the verdict is known: there the tree is compiled again, and what it must satisfy beyond
	// its schemas is not asked. Nil: of none.
	Settled func(env string) bool
	// Comply tells what stands against the commit itself in an environment, by the rules of its baseline. Nil where there is no
	// commit, or nothing is asked of it.
	Comply func(env string, rules []CommitRules) ([]Problem, error)
	// Validators are asked last.
	Validators []Validator
	// Waiting are the environments in which an earlier commit is pending. Those that go live together with them wait, too.
	Waiting map[string]bool
}

// AllSettled is for a tree that was judged before, in all environments.
func AllSettled(string) bool { return true }

func (a *Against) settled(env string) bool { return a.Settled != nil && a.Settled(env) }

// Result is what became of a tree.
type Result struct {
	Manifest *Manifest
	// Environments are those a verdict is due for: those of the tree and those of the baselines.
	Environments []string
	// Snapshots of the environments that are valid.
	Snapshots map[string]*Snapshot
	// Pending are the environments that have no error and no verdict yet, with why.
	Pending  map[string]string
	Problems []Problem
	// Retired are environments of the baselines that the tree no longer serves, as its manifest says.
	Retired []string
	// Effects are what the commit does to those who are in a rollout or an experiment of the baselines, and whom it adds.
	// They are told in the order of environments, at most [MaxEffects], and the others counted.
	Effects        []Effect
	OmittedEffects int
	// Policies are the tree's own, as far as they could be read.
	Policies []PolicySummary
	// Omitted counts problems beyond [MaxProblems] a stage.
	Omitted int

	omitted map[string]int // the same by environment
}

// OmittedOf counts the problems of an environment that are not listed.
func (r *Result) OmittedOf(env string) int { return r.omitted[env] }

// Valid tells whether nothing stands against an environment: it may go live, or is retired.
func (r *Result) Valid(env string) bool {
	return r.Snapshots[env] != nil || slices.Contains(r.Retired, env)
}

// Errors counts the problems that reject an environment.
func (r *Result) Errors(env string) int {
	n := 0
	for _, p := range r.Problems {
		if p.Severity == Error && p.Touches(env) {
			n++
		}
	}
	return n
}

// Compiler compiles one tree after the other.
type Compiler struct {
	key       value.Key
	folders   generations[folderKey, *folder]
	documents generations[documentKey, *parsed]
	merger    *value.Merger
	layers    generations[folderKey, *value.Value]
	redactors map[string]redactors // by environment
	schemas   *schemaSet
	findings  generations[schemaMemoKey, schemaAnswer]
	policies  *policySet
	answers   generations[policyMemoKey, policyAnswer]
	overrides *overrideSet
	sets      map[string]overlaid // by environment
	plans     generations[planKey, *armPlan]
	arms      generations[armKey, armAnswer]
}

// New makes a Compiler. The key keys the fingerprints of redacted values; see [value.Key] for an empty one.
func New(key value.Key) *Compiler {
	return &Compiler{key: key, merger: value.NewMerger(), redactors: map[string]redactors{}, sets: map[string]overlaid{}}
}

// Compile compiles a tree and judges it.
func (c *Compiler) Compile(ctx context.Context, source Source, tree Hash, against Against) (*Result, error) {
	run := c.begin(ctx, source, against)
	if err := run.manifest(tree); err != nil {
		return nil, err
	}
	run.tree()
	if err := run.decode(ctx); err != nil {
		return nil, err
	}
	run.merge()
	if err := run.judge(); err != nil {
		return nil, err
	}
	return run.result(), nil
}

func (c *Compiler) begin(ctx context.Context, source Source, against Against) *run {
	c.folders.next()
	return &run{
		Compiler: c, ctx: ctx, source: source, against: against, baselines: against.Baselines, found: newFindings(),
		marked: map[string][]value.Pattern{},
	}
}

// run is one compilation.
type run struct {
	*Compiler
	ctx       context.Context
	source    Source
	part      *part // nil: all of the tree is read
	layout    *layout
	against   Against
	baselines Baselines // of against
	found     *findings

	own     *Manifest
	misread bool      // the manifest does not say what it was meant to
	about   []Problem // of the manifest; they are of stage 2
	all     []string  // environments a verdict is due for
	served  []string  // those of them that the tree has
	parsed  map[string]*parsed
	values  map[string]*value.Value
	results map[string]*Snapshot
	pending map[string]string
	judged  *policySet // the tree's own, when judging came that far
	defined *overrideSet
	effects effects

	marks       []value.Pattern            // what the tree itself calls sensitive; known when the schemas are
	marked      map[string][]value.Pattern // what it or the baseline does, by environment
	markedApart []string                   // environments of which no two do the same
}

// everywhere reports a problem of all environments.
func (r *run) everywhere(p Problem) {
	p.Environments = r.all
	r.found.add(p)
}

// manifest reads trunkline.yaml, finds the folders it speaks of, and settles which environments there are.
func (r *run) manifest(tree Hash) error {
	report := func(p Problem) {
		r.about = append(r.about, p)
		r.misread = r.misread || p.Severity != Warning
	}
	root, err := r.source.List(tree)
	if err != nil {
		return fmt.Errorf("list the root of the config repo: %w", err)
	}
	doc, err := r.manifestDocument(root, report)
	if err != nil {
		return err
	}
	r.own = readManifest(doc, report)
	if r.layout, err = r.Compiler.layout(r.source, root, r.own, r.part); err != nil {
		return err
	}
	r.misread = r.misread || len(r.layout.problems) > 0
	r.own.complete(slices.Sorted(maps.Keys(r.layout.overlays)))
	if r.misread && r.own.guessed && len(r.baselines) > 0 {
		r.own.Environments = nil // which ones were meant is unknown: the verdict is due for those that are served
	}
	r.served = r.own.Names()
	r.all = slices.Clone(r.served)
	for env := range r.baselines {
		r.all = append(r.all, env)
	}
	slices.Sort(r.all)
	r.all = slices.Compact(r.all)
	return nil
}

func (r *run) manifestDocument(root []Entry, report func(Problem)) (*value.Value, error) {
	i := slices.IndexFunc(root, func(e Entry) bool { return e.Name == ManifestFile })
	if i < 0 {
		return nil, nil
	}
	e := root[i]
	f := file{path: ManifestFile, hash: e.Hash, size: e.Size}
	if e.Kind != RegularFile {
		report(badMode(f.path, e.Kind))
		return nil, nil
	}
	if p, bad := badEntry(f.path, e, 0); bad {
		report(p)
		return nil, nil
	}
	doc, err := r.document(f)
	if err != nil {
		return nil, err
	}
	for _, p := range doc.problems {
		report(p)
	}
	return doc.value, nil
}

// tree is stage 1: modes, names, sizes, counts, and folders of environments that nobody declared.
func (r *run) tree() {
	for _, p := range r.layout.problems {
		r.everywhere(p)
	}
	r.layout.config.eachProblem(r.everywhere)
	r.layout.schemas.eachProblem(r.everywhere)
	r.layout.policies.eachProblem(r.everywhere)
	for _, f := range r.layout.defined {
		f.eachProblem(r.everywhere)
	}
	for _, name := range slices.Sorted(maps.Keys(r.layout.overlays)) {
		r.overlayTree(name, r.layout.overlays[name])
	}
	if r.part == nil && len(r.layout.config.files)+len(r.layout.config.folders)+len(r.layout.overlays) == 0 {
		r.everywhere(Problem{
			Stage: StageTree, Rule: "nothingFound",
			Message: fmt.Sprintf("there is neither %s/ nor %s/ here", r.own.Directories.Config, r.own.Directories.Environments),
			Hint:    fmt.Sprintf("put values in %s/, or name the folder that holds it: --path of the server, the argument of validate", r.own.Directories.Config),
		})
	}
	r.bounds()
}

func (r *run) overlayTree(name string, f *folder) {
	_, declared := r.own.Environments[name]
	touched := r.own.above(name)
	f.eachProblem(func(p Problem) {
		p.Environments = touched
		r.found.add(p)
	})
	if declared || r.misread {
		return
	}
	hint := "declare it in " + ManifestFile + ", or remove the folder"
	if near := value.Nearest(name, r.own.Names()); near != "" {
		hint = fmt.Sprintf("did you mean %s/%s?", r.own.Directories.Environments, near)
	}
	r.everywhere(Problem{
		Stage: StageTree, File: r.own.Directories.Environments + "/" + name, Rule: "unknownEnvironment",
		Message: fmt.Sprintf("%q is no environment of the manifest", name), Hint: hint,
	})
}

// failed tells whether an environment stands no longer, so that later stages leave it out.
func (r *run) failed(env string) bool { return r.found.failed[env] != "" }

// standing are the environments of the tree that have no error yet.
func (r *run) standing() []string {
	return slices.DeleteFunc(slices.Clone(r.served), r.failed)
}

// open are the standing environments whose verdict is to be found.
func (r *run) open() []string {
	return slices.DeleteFunc(r.standing(), r.against.settled)
}

// judge is what follows the merge: removal, schemas, policies, overrides, the commit itself, validators, and the snapshots of what stands.
func (r *run) judge() error {
	r.removal()
	standing := r.standing() // and not after: a bad schema must not hide what the others find
	schemas := r.compileSchemas()
	r.marks = slices.Concat(r.own.Sensitive, schemas.marks, r.encryptedMarks())
	if len(standing) > 0 {
		r.findings.next()
	}
	for _, env := range standing {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		r.applySchemas(schemas, env)
	}
	open := r.open()
	policies := r.compilePolicies()
	r.judged = policies
	if len(open) > 0 {
		r.answers.next()
	}
	for _, env := range open {
		r.applyPolicies(policies, env)
	}
	if err := r.ctx.Err(); err != nil {
		return err
	}
	r.applyOverrides(schemas, policies)
	r.applySecrets()
	if err := r.applyCommitRules(); err != nil {
		return err
	}
	if len(r.open()) > 0 {
		r.unmatched(schemas, policies)
	}
	if err := r.ctx.Err(); err != nil {
		return err
	}
	r.together()
	r.results = map[string]*Snapshot{}
	maps.DeleteFunc(r.redactors, func(env string, _ redactors) bool { return !slices.Contains(r.all, env) })
	maps.DeleteFunc(r.sets, func(env string, _ overlaid) bool { return !slices.Contains(r.all, env) })
	for _, env := range r.standing() {
		r.results[env] = r.snapshot(env)
	}
	return r.askValidators()
}

// applyCommitRules is the part of stage 7 that asks whether the commit itself may go live. An environment without a baseline,
// which the commit may have made to have none, must satisfy all the others'.
func (r *run) applyCommitRules() error {
	if r.against.Comply == nil {
		return nil
	}
	for _, env := range r.open() {
		var rules []CommitRules
		for _, name := range slices.Sorted(maps.Keys(r.baselines)) {
			if base := r.baselines[name]; (name == env || r.baselines[env] == nil) && base.Manifest.Commits.Any() {
				rules = append(rules, base.Manifest.Commits)
			}
		}
		if len(rules) == 0 {
			continue
		}
		problems, err := r.against.Comply(env, rules)
		if err != nil {
			return err
		}
		for _, p := range problems {
			p.Stage, p.Environments = StageCommit, []string{env}
			r.found.add(p)
		}
	}
	return nil
}

// removal refuses to lose an environment, or all of its values, unless the manifest retires it.
func (r *run) removal() {
	for _, env := range slices.Sorted(maps.Keys(r.baselines)) {
		base := r.baselines[env]
		if r.found.failedBefore(env, StageMerge) || r.against.settled(env) {
			continue
		}
		if _, exists := r.own.Environments[env]; !exists {
			r.found.add(Problem{
				Stage: StageMerge, Environments: []string{env}, File: ManifestFile, Rule: "environmentRemoved",
				Message: fmt.Sprintf("the commit removes the environment %s, which is served", env),
				Hint:    fmt.Sprintf("list it in %s as %s: {retired: true} first", ManifestFile, env),
			})
			continue
		}
		if v := r.values[env]; v != nil && v.Len() == 0 && base.Values.Len() > 0 {
			r.found.add(Problem{
				Stage: StageMerge, Environments: []string{env}, Rule: "environmentEmptied",
				Message: fmt.Sprintf("the commit leaves the environment %s without any value", env),
				Hint:    "is the folder right (--path)? To end the environment, list it as retired",
			})
		}
	}
}

// joint tells whether the environments go live together.
func (r *run) joint() bool {
	together := r.own.Together
	for _, base := range r.baselines {
		together = together || base.Manifest.Together
	}
	return together
}

// together carries an error of one environment to all, where the tree or a baseline wants them to go live together.
func (r *run) together() {
	if !r.joint() || len(r.found.failed) == 0 {
		return
	}
	broken := slices.Sorted(maps.Keys(r.found.failed))
	free := func(env string) bool { return r.failed(env) || r.against.settled(env) }
	for _, env := range slices.DeleteFunc(slices.Clone(r.all), free) {
		r.found.add(Problem{
			Stage: StageCommit, Environments: []string{env}, File: ManifestFile, Rule: "applyTogether",
			Message: "another environment is rejected, and the manifest says apply: together",
			Hint:    "mend " + strings.Join(broken, ", "),
		})
	}
}

func (r *run) result() *Result {
	result := &Result{
		Manifest: r.own, Environments: r.all, Snapshots: r.results, Pending: r.pending, Effects: r.effects.list, OmittedEffects: r.effects.omitted,
	}
	result.Problems, result.omitted = r.found.list()
	r.hideLines(result.Problems)
	result.Omitted = result.omitted[""]
	if r.judged != nil {
		result.Policies = r.judged.summaries()
	}
	for _, env := range slices.Sorted(maps.Keys(r.baselines)) {
		if r.own.Environments[env].Retired && !r.failed(env) {
			result.Retired = append(result.Retired, env)
		}
	}
	return result
}
