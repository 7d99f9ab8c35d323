package compile

import (
	"fmt"
	"slices"
	"sync"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// armKey names an arm in an environment; see [planKey].
type armKey struct {
	env string
	arm *experiment.Setting
}

// armAnswer is that nothing stands against an arm, what that depends on, and what it took to find out, which counts again each time it
// is remembered, so that a verdict does not depend on what is kept.
type armAnswer struct {
	world        armWorld
	values       []*value.Value // at the plan's anchors, in the tree and in the baseline
	steps        int
	dropped, own uint64
}

// armWorld is what an answer depends on beside values.
type armWorld struct {
	plan     planKey
	before   *experiment.Setting // what the arm was in the baseline
	rollback bool
	commit   *value.Value // where a policy asks for it
}

// armsJudge judges the arms of one environment, each alone: the values with what it sets must pass schemas and policies as any values
// must. What they cost is bounded for all arms together, by as much as for the values themselves.
type armsJudge struct {
	*run
	env          string
	set          *experiment.Set
	before       formerArms
	schemaSet    *schemaSet
	ownSet       *policySet
	droppedSet   *policySet
	schemas      *schemaJudge
	dropped, own *policyJudge

	arm  experiment.Arm // that is judged
	root func() *value.Value
	told bool // something was found of it
}

// applyArms judges the arms of an environment.
func (r *run) applyArms(schemas *schemaSet, policies *policySet, env string) {
	set := r.overlaidOn(env).own
	if set == nil {
		return
	}
	j := &armsJudge{run: r, env: env, set: set, schemaSet: schemas, schemas: &schemaJudge{run: r}}
	if !r.against.settled(env) {
		j.ownSet = policies
		j.own, j.dropped = j.policies(), j.policies()
		if base := r.baselines[env]; base != nil {
			j.before = armsOf(base)
			if base.policies != policies {
				j.droppedSet, j.dropped.dropped = base.policies, true
			}
		}
	}
	for a := range set.Arms() {
		if r.ctx.Err() != nil || !j.judge(a) {
			return
		}
	}
}

// formerArms are those of a version, by whose they are.
type formerArms struct {
	set    *experiment.Set
	values *value.Value
	byName map[armName]experiment.Arm
}

type armName struct {
	kind      experiment.Kind
	key, name string
}

func armsOf(base *Snapshot) formerArms {
	a := formerArms{base.Overrides, base.Values, map[armName]experiment.Arm{}}
	if base.Overrides != nil {
		for arm := range base.Overrides.Arms() {
			a.byName[armName{arm.Kind, arm.Key, arm.Name}] = arm
		}
	}
	return a
}

// same is the arm of that name; false where there was none, or one that set nothing.
func (a formerArms) same(arm experiment.Arm) (experiment.Arm, bool) {
	same, ok := a.byName[armName{arm.Kind, arm.Key, arm.Name}]
	return same, ok
}

// at is what an arm's units had at a path: by the same arm, or else what was configured. It is nil where that is nothing.
func (a formerArms) at(arm experiment.Arm, path value.Path) *value.Value {
	if a.values == nil {
		return nil
	}
	v, ok := a.values.At(path)
	if same, had := a.same(arm); had {
		v, ok = a.set.Value(a.values, []experiment.Choice{same.Choice}, path)
	}
	if !ok {
		return nil
	}
	return v
}

// policies is a judge of arms.
func (j *armsJudge) policies() *policyJudge {
	p := j.policyJudge(j.env)
	p.root = func() *value.Value { return j.root() }
	p.old = func(path value.Path) *value.Value { return j.before.at(j.arm, path) }
	p.report = func(path value.Path, problem Problem) { j.report(problem, path, path) }
	p.exceeded = func(*policy) {
		j.report(Problem{
			Severity: Error, Rule: "policyCost", Message: fmt.Sprintf("the policies cost more than %d units for all arms together", policiesCost),
			Hint: "let policies that are asked of what arms set walk less",
		}, nil, nil)
	}
	p.repeats = j.repeated(p)
	return p
}

// repeated tells of a warning whether the values without the arm are warned of, too.
func (j *armsJudge) repeated(judge *policyJudge) func(*policy, policyInput) bool {
	before := j.configuredBefore(j.env)
	return func(p *policy, in policyInput) bool {
		self, ok := j.values[j.env].At(in.path)
		if !ok {
			return false
		}
		in.self, in.old, in.root = self, before(in.path), j.values[j.env]
		if !p.asks(in) {
			return false
		}
		answer := judge.answer(p, in)
		judge.spend(answer.cost+evaluationCost, p)
		return !answer.holds
	}
}

// fits tells whether what an arm sets fits the values, and reports what does not.
func (j *armsJudge) fits(a experiment.Arm) bool {
	problems := j.set.CheckArm(a, j.values[j.env])
	for _, p := range problems {
		j.found.add(overrideProblem(p))
	}
	return len(problems) == 0
}

// judge judges one arm, and tells whether there is budget for others.
func (j *armsJudge) judge(a experiment.Arm) bool {
	key := planKey{&a.Settings[0], j.schemaSet, j.droppedSet, j.ownSet}
	plan := j.planOf(a, key)
	j.arm, j.told = a, false
	j.root = sync.OnceValue(func() *value.Value { return j.set.Values(j.values[j.env], []experiment.Choice{a.Choice}) })
	now := armAnswer{world: j.world(a, plan, key), values: j.valuesAt(plan)}
	if known, ok := j.arms.get(armKey{j.env, key.arm}); ok && known.world == now.world && slices.Equal(known.values, now.values) {
		return j.again(known)
	}
	if !j.fits(a) {
		return true // what it makes of the values is told
	}
	steps, dropped, own := j.schemas.steps, j.dropped.spent(), j.own.spent()
	if !j.bySchemas(plan) {
		return false
	}
	j.byPolicies(j.dropped, &plan.dropped)
	j.byPolicies(j.own, &plan.own)
	if !j.told && j.ctx.Err() == nil && !j.dropped.exhausted() && !j.own.exhausted() {
		now.steps, now.dropped, now.own = j.schemas.steps-steps, j.dropped.spent()-dropped, j.own.spent()-own
		j.arms.put(armKey{j.env, key.arm}, now)
	}
	return true
}

func (j *policyJudge) spent() uint64 {
	if j == nil {
		return 0
	}
	return j.cost
}

func (j *policyJudge) exhausted() bool { return j != nil && j.over }

func (j *armsJudge) world(a experiment.Arm, plan *armPlan, key planKey) armWorld {
	w := armWorld{plan: key, rollback: j.against.Rollback[j.env]}
	if before, had := j.before.same(a); had {
		w.before = &before.Settings[0]
	}
	if plan.mentionsCommit {
		w.commit = j.against.Commit
	}
	return w
}

// valuesAt are the values that the answer depends on. What is missing is nil.
func (j *armsJudge) valuesAt(plan *armPlan) []*value.Value {
	values := make([]*value.Value, 0, 2*len(plan.anchors))
	for _, path := range plan.anchors {
		for _, root := range []*value.Value{j.values[j.env], j.before.values} {
			var v *value.Value
			if root != nil {
				v, _ = root.At(path)
			}
			values = append(values, v)
		}
	}
	return values
}

// again takes an answer that is remembered.
func (j *armsJudge) again(known armAnswer) bool {
	if j.schemas.steps += known.steps; !j.withinSteps() {
		return false
	}
	if j.own != nil && !j.dropped.over {
		j.dropped.spend(known.dropped, nil)
	}
	if j.own != nil && !j.own.over {
		j.own.spend(known.own, nil)
	}
	return true
}

func (j *armsJudge) bySchemas(plan *armPlan) bool {
	if j.schemas.steps += plan.schemaSteps; !j.withinSteps() {
		return false
	}
	for _, c := range plan.schemas {
		v, ok := j.at(c.path)
		if !ok {
			continue
		}
		j.schemas.steps += v.Weight() / walkShare // it is made into what the schema judges
		for _, f := range j.schemas.ask(c.schema, v) {
			p := j.schemaFinding(f, c.path, v, j.env)
			p.Path = j.root().PathString(append(slices.Clone(c.path), f.path...))
			j.report(p, c.path, append(slices.Clone(c.path), f.path...))
		}
		if !j.withinSteps() {
			return false
		}
	}
	return true
}

func (j *armsJudge) withinSteps() bool {
	if j.schemas.steps <= maxSchemaTotal {
		return true
	}
	j.report(Problem{
		Severity: Error, Rule: "schemaTooCostly", Message: "the schemas take too long to judge all arms",
		Hint: "bind them to smaller parts of the values: each arm is judged by what stands around its paths",
	}, nil, nil)
	return false
}

// at is what the arm makes of the values at a path.
func (j *armsJudge) at(path value.Path) (*value.Value, bool) {
	return j.set.Value(j.values[j.env], []experiment.Choice{j.arm.Choice}, path)
}

func (j *armsJudge) byPolicies(judge *policyJudge, plan *policyPlan) {
	if judge == nil {
		return
	}
	for _, c := range plan.checks {
		if v, ok := j.at(c.path); ok && !judge.over && c.policy.judges(j.env) {
			judge.one(c.policy, c.path, v, c.captures)
		}
	}
	for _, p := range plan.whole {
		judge.each(p)
	}
	if !judge.over {
		judge.spend(plan.looked, nil)
	}
}

// report tells what was found of the arm at a path, where a schema or a policy looked at what stands at another, at or above it.
func (j *armsJudge) report(p Problem, mount, path value.Path) {
	j.told = true
	place := j.placeOf(mount, path).Pos()
	p.Stage, p.Environments = StageOverrides, []string{j.env}
	p.File, p.Line, p.Column = place.File, place.Line, place.Column
	p.Message = fmt.Sprintf("with %s of the %s %s: %s", j.arm.Name, j.arm.Kind, j.arm.Key, p.Message)
	j.found.add(p)
}

// placeOf is the setting that a finding is about: the one at the path, above it or below it, or else the first that the schema or
// the policy could see.
func (j *armsJudge) placeOf(mount, path value.Path) *value.Value {
	for _, s := range j.arm.Settings {
		switch {
		case liesIn(path, s.Path):
			return reach(s.Value, path[len(s.Path):])
		case liesIn(s.Path, path):
			return s.Value
		}
	}
	for _, s := range j.arm.Settings {
		if liesIn(s.Path, mount) {
			return s.Value
		}
	}
	return j.arm.Settings[0].Value
}
