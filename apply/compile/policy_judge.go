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
	var base *value.Value
	if b := r.baselines[env]; b != nil {
		base = b.Values
		before := &policyJudge{run: r, env: env, base: base, dropped: true}
		before.all(b.policies, func(p *policy) bool { return !own.holds(p) })
	}
	now := &policyJudge{run: r, env: env, base: base}
	now.all(own, func(*policy) bool { return true })
}

// holds tells whether a set has a policy exactly as it is.
func (s *policySet) holds(p *policy) bool {
	return slices.ContainsFunc(s.policies, func(q *policy) bool { return q.key == p.key })
}

// policyJudge judges one environment by one set of policies.
type policyJudge struct {
	*run
	env     string
	base    *value.Value
	dropped bool // the policies are the baseline's, and the tree has them no longer
	cost    uint64
	over    bool
	told    int // violations so far; the first are explained
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
		if j.over || !p.judges(j.env) || !wanted(p) {
			continue
		}
		left := int(policiesCost-j.cost) * walkShare
		looked := p.match.Each(j.values[j.env], left, func(path value.Path, v *value.Value, captures []string) bool {
			j.one(p, path, v, captures)
			return !j.over
		})
		j.spend(uint64(looked)/walkShare+1, p)
	}
}

// spend takes from the budget, and reports when it is used up.
func (j *policyJudge) spend(cost uint64, p *policy) {
	if j.cost += cost; j.cost <= policiesCost || j.over {
		return
	}
	j.over = true
	j.found.add(Problem{
		Stage: StagePolicies, Environments: []string{j.env}, Rule: "policyCost",
		Message: fmt.Sprintf("the policies of one commit cost more than %d units together, at the policy %s", policiesCost, p.id),
		Hint:    "let patterns select less, and expressions walk less",
	}.at(p.at))
}

// one applies a policy to one value.
func (j *policyJudge) one(p *policy, path value.Path, self *value.Value, captures []string) {
	if j.ctx.Err() != nil {
		j.over = true // the compilation ends with this error
		return
	}
	in := policyInput{
		self: self, root: j.values[j.env], commit: j.against.Commit, env: j.env, path: path, captures: captures, rollback: j.against.Rollback[j.env],
	}
	if j.base != nil {
		in.old, _ = j.base.At(path)
	}
	switch {
	case p.rule.Mentions("oldSelf") && in.old == nil: // nothing was there before
	case p.rule.Mentions("commit") && in.commit == nil: // no commit is judged, but files
	case p.transition() && in.old != nil && value.Equal(in.old, self): // nothing changed
	default:
		answer := j.answer(p, in)
		j.spend(answer.cost+evaluationCost, p)
		if !answer.holds {
			j.violation(p, in, answer)
		}
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
	problem := Problem{
		Stage: StagePolicies, Severity: p.severity, Environments: []string{j.env}, Path: in.path.String(), Pointer: in.path.Pointer(),
		Rule: "policy." + p.id, Message: p.message, Hint: "see the policy at " + p.at.Pos().String(),
	}.at(in.self)
	if j.dropped {
		problem.Hint = "the policy stands in the version before (" + p.at.Pos().String() + "): what a commit takes away counts until the next"
	}
	if a.failure != nil {
		problem.Severity = Error
		problem.Message = fmt.Sprintf("the policy %s cannot be evaluated: %s", p.id, j.failure(p, in, a.failure))
	} else if text := j.explanation(p, in); text != "" {
		problem.Message = text
	}
	j.told++
	if p.waived && in.rollback {
		problem.Severity = Warning
		problem.Message = "waived on a rollback: " + problem.Message
	}
	j.found.add(problem)
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
		in.root = j.shown(in.env)
	}
	in.self = j.shownAt(in.path, in.self, in.env)
	if in.old != nil {
		in.old = j.shownAt(in.path, in.old, in.env)
	}
	return in
}
