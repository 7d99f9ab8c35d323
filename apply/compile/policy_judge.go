package compile

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/expr"
)

// policyInput is what one evaluation of a policy sees.
type policyInput struct {
	self, old, root, commit *value.Value // old is nil where nothing was
	env                     string
	path                    value.Path
	captures                []string
	rollback                bool
}

func (in policyInput) variables() map[string]any {
	v := map[string]any{
		"self": expr.Of(in.self), "root": expr.Of(in.root), "env": in.env, "path": in.path.String(), "captures": in.captures,
		"rollback": in.rollback,
	}
	if in.captures == nil {
		v["captures"] = []string{}
	}
	if in.commit != nil {
		v["commit"] = expr.Of(in.commit)
	}
	if in.old != nil {
		v["oldSelf"] = expr.Of(in.old)
	}
	return v
}

// policyMemoKey names an evaluation by what it depends on. Only those of maps and lists are remembered, and only when nothing but
// values counts: a rule over a scalar costs less than remembering it.
type policyMemoKey struct {
	policy          [sha256.Size]byte
	env             string
	self, old, root value.Sum // old and root only where the policy names them
}

// policyAnswer is what an evaluation gave. Its cost counts again each time it is remembered, so that a verdict does not depend on
// what is kept.
type policyAnswer struct {
	holds   bool
	cost    uint64
	failure error // why it could not be evaluated
}

// applyPolicies is stage 5 for one environment: its baseline's policies and the tree's own, each within a budget of its own.
func (r *run) applyPolicies(own *policySet, env string) {
	if b := r.baselines[env]; b != nil {
		before := r.policyJudge(env)
		before.dropped = true
		before.all(b.policies, func(p *policy) bool { return !own.holds(p) })
	}
	r.policyJudge(env).all(own, func(*policy) bool { return true })
}

// policyJudge is a judge of the values of an environment.
func (r *run) policyJudge(env string) *policyJudge {
	j := &policyJudge{run: r, env: env, root: func() *value.Value { return r.values[env] }, old: r.configuredBefore(env)}
	j.report = func(_ value.Path, p Problem) { r.found.add(p) }
	j.exceeded = func(p *policy) {
		r.found.add(Problem{
			Stage: StagePolicies, Environments: []string{env}, Rule: "policyCost",
			Message: fmt.Sprintf("the policies of one commit cost more than %d units together, at the policy %s", policiesCost, p.id),
			Hint:    "let patterns select less, and expressions walk less",
		}.at(p.at))
	}
	return j
}

// configuredBefore tells what the baseline has at a path; nil where that is nothing.
func (r *run) configuredBefore(env string) func(value.Path) *value.Value {
	base := r.baselines[env]
	return func(path value.Path) *value.Value {
		if base == nil {
			return nil
		}
		v, ok := base.Values.At(path)
		if !ok {
			return nil
		}
		return v
	}
}

// holds tells whether a set has a policy exactly as it is.
func (s *policySet) holds(p *policy) bool {
	return slices.ContainsFunc(s.policies, func(q *policy) bool { return q.key == p.key })
}

// policyJudge judges one environment by one set of policies.
type policyJudge struct {
	*run
	env      string
	root     func() *value.Value             // all values that are judged
	old      func(value.Path) *value.Value   // what was there before; nil where that is nothing
	dropped  bool                            // the policies are the baseline's, and the tree has them no longer
	report   func(value.Path, Problem)       // takes what is found at a path
	exceeded func(*policy)                   // is told when the budget is used up
	repeats  func(*policy, policyInput) bool // tells of a warning that it is told already; nil: never
	cost     uint64
	over     bool
	told     int // violations so far; the first are explained
}

const (
	walkShare      = 4 // values that a walk may look at for one unit
	evaluationCost = 4 // units that an evaluation costs beside what its expression does
)

func (j *policyJudge) all(set *policySet, wanted func(*policy) bool) {
	if set == nil {
		return
	}
	for _, p := range set.policies {
		if wanted(p) {
			j.each(p)
		}
	}
}

// each applies a policy to all that it selects.
func (j *policyJudge) each(p *policy) {
	if j.over || !p.judges(j.env) {
		return
	}
	left := int(policiesCost-j.cost) * walkShare
	looked := p.match.Each(j.root(), left, func(path value.Path, v *value.Value, captures []string) bool {
		j.one(p, path, v, captures)
		return !j.over
	})
	j.spend(uint64(looked)/walkShare+1, p)
}

// spend takes from the budget, and tells when it is used up.
func (j *policyJudge) spend(cost uint64, p *policy) {
	if j.cost += cost; j.cost > policiesCost && !j.over {
		j.over = true
		j.exceeded(p)
	}
}

// one applies a policy to one value.
func (j *policyJudge) one(p *policy, path value.Path, self *value.Value, captures []string) {
	if j.ctx.Err() != nil {
		j.over = true // the compilation ends with this error
		return
	}
	in := policyInput{
		self: self, old: j.old(path), root: value.Empty, commit: j.against.Commit, env: j.env, path: path, captures: captures,
		rollback: j.against.Rollback[j.env],
	}
	if p.rule.Mentions("root") {
		in.root = j.root()
	}
	if !p.asks(in) {
		return
	}
	answer := j.answer(p, in)
	j.spend(answer.cost+evaluationCost, p)
	if !answer.holds {
		j.violation(p, in, answer)
	}
}

// asks tells whether a policy has something to say of an input.
func (p *policy) asks(in policyInput) bool {
	switch {
	case p.rule.Mentions("oldSelf") && in.old == nil: // nothing was there before
		return false
	case p.rule.Mentions("commit") && in.commit == nil: // no commit is judged, but files
		return false
	case p.transition() && in.old != nil && value.Equal(in.old, in.self): // nothing changed
		return false
	default:
		return true
	}
}

func (j *policyJudge) answer(p *policy, in policyInput) policyAnswer {
	lasting := in.self.Len() > 0
	for _, other := range []string{"commit", "rollback", "path", "captures"} {
		lasting = lasting && !p.rule.Mentions(other)
	}
	if !lasting {
		return evaluate(p, in)
	}
	key := policyMemoKey{policy: p.key, self: in.self.Sum()}
	if p.rule.Mentions("env") {
		key.env = in.env
	}
	if p.rule.Mentions("root") {
		key.root = in.root.Sum()
	}
	if in.old != nil && p.rule.Mentions("oldSelf") {
		key.old = in.old.Sum()
	}
	answer, known := j.answers.get(key)
	if !known {
		answer = evaluate(p, in)
		j.answers.put(key, answer)
	}
	return answer
}

func evaluate(p *policy, in policyInput) (a policyAnswer) {
	a.holds, a.cost, a.failure = p.rule.Bool(in.variables())
	return a
}

func (j *policyJudge) violation(p *policy, in policyInput, a policyAnswer) {
	severity, waived := p.severity, p.waived && in.rollback
	switch {
	case waived:
		severity = Warning
	case a.failure != nil:
		severity = Error
	}
	if severity == Warning && j.repeats != nil && j.repeats(p, in) {
		return
	}
	problem := Problem{
		Stage: StagePolicies, Severity: severity, Environments: []string{j.env}, Path: in.path.String(), Pointer: in.path.Pointer(),
		Rule: "policy." + p.id, Message: p.message, Hint: "see the policy at " + p.at.Pos().String(),
	}.at(in.self)
	if j.dropped {
		problem.Hint = "the policy stands in the version before (" + p.at.Pos().String() + "): what a commit takes away counts until the next"
	}
	if a.failure != nil {
		problem.Message = fmt.Sprintf("the policy %s cannot be evaluated: %s", p.id, j.failure(p, in, a.failure))
	} else if text := j.explanation(p, in); text != "" {
		problem.Message = text
	}
	j.told++
	if waived {
		problem.Message = "waived on a rollback: " + problem.Message
	}
	j.report(in.path, problem)
}

// failure is why an evaluation failed, as people may read it: the words may repeat values, so they are shown only if the evaluation
// fails alike where nobody sees what is hidden.
func (j *policyJudge) failure(p *policy, in policyInput, err error) string {
	if errors.Is(err, expr.ErrCost) {
		return fmt.Sprintf("it costs more than %d units", expr.RuleCost)
	}
	if j.told < MaxProblems {
		_, cost, again := p.rule.Bool(j.seen(p.rule, in).variables())
		j.spend(cost, p)
		if again != nil && again.Error() == err.Error() {
			return err.Error()
		}
	}
	return "why is not shown, because it repeats what is or looks secret"
}

// explanation is what the policy's own expression says of a violation, made from what people may see. "" when it has none, or
// needs what they may not see.
func (j *policyJudge) explanation(p *policy, in policyInput) string {
	if p.explain == nil || j.told >= MaxProblems {
		return ""
	}
	text, cost, err := p.explain.Text(j.seen(p.explain, in).variables())
	j.spend(cost+1, p)
	if err != nil {
		return ""
	}
	return oneLine(text)
}

// seen is the input of a program with all redacted that people may not be shown.
func (j *policyJudge) seen(p *expr.Program, in policyInput) policyInput {
	if p.Mentions("root") {
		in.root = j.redactorsOf(j.env).shown.Redact(j.root(), j.sensitive(j.env))
	}
	in.self = j.shownAt(in.path, in.self, in.env)
	if in.old != nil {
		in.old = j.shownAt(in.path, in.old, in.env)
	}
	return in
}
