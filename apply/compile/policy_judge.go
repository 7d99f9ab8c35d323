package compile

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/expr"
)

// policyInput is what one evaluation of a policy sees.
type policyInput struct {
	self, old, root *value.Value
	env, path       string
	captures        []string
	rollback        bool
	commit          map[string]any
}

func (in policyInput) variables() map[string]any {
	v := map[string]any{
		"self": expr.Of(in.self), "root": expr.Of(in.root), "env": in.env, "path": in.path, "captures": in.captures,
		"rollback": in.rollback, "commit": in.commit,
	}
	if in.captures == nil {
		v["captures"] = []string{}
	}
	if in.commit == nil {
		v["commit"] = map[string]any{}
	}
	if in.old != nil {
		v["oldSelf"] = expr.Of(in.old)
	}
	return v
}

// policyMemoKey names an evaluation by what it depends on. Evaluations that look at the commit are not remembered.
type policyMemoKey struct {
	policy          [sha256.Size]byte
	env, path       string
	self, old, root value.Sum // old and root only where the policy names them
}

// policyAnswer is what an evaluation gave. Its cost counts again each time it is remembered, so that a verdict does not depend on
// what is kept.
type policyAnswer struct {
	holds   bool
	cost    uint64
	failure string // why it could not be evaluated
}

// applyPolicies is stage 5 for one environment: the tree's own policies and its baseline's.
func (r *run) applyPolicies(own *policySet, env string) {
	j := &policyJudge{run: r, env: env}
	if base := r.baselines[env]; base != nil {
		j.base = base.Values
		j.all(base.policies, own)
	}
	j.all(own, nil)
}

// policyJudge judges one environment.
type policyJudge struct {
	*run
	env  string
	base *value.Value
	cost uint64
	over bool
}

// all applies the policies of a set that another set does not hold as they are.
func (j *policyJudge) all(set, but *policySet) {
	if set == nil {
		return
	}
	for _, p := range set.policies {
		if j.over {
			return
		}
		if !p.judges(j.env) || but != nil && slices.ContainsFunc(but.policies, func(q *policy) bool { return q.key == p.key }) {
			continue
		}
		p.match.Each(j.values[j.env], func(path value.Path, v *value.Value, captures []string) bool {
			j.one(p, path, v, captures, but != nil)
			return !j.over
		})
	}
}

// one applies a policy to one value.
func (j *policyJudge) one(p *policy, path value.Path, self *value.Value, captures []string, baselines bool) {
	in := policyInput{
		self: self, root: j.values[j.env], env: j.env, path: path.String(), captures: captures, rollback: j.against.Rollback[j.env], commit: j.against.Commit,
	}
	if j.base != nil {
		in.old, _ = j.base.At(path)
	}
	if p.rule.Mentions("oldSelf") && in.old == nil || p.transition() && in.old != nil && value.Equal(in.old, self) {
		return // nothing was there before, or nothing changed
	}
	answer := j.answer(p, in)
	if j.cost += answer.cost; j.cost > policiesCost {
		j.over = true
		j.found.add(Problem{
			Stage: StagePolicies, Environments: []string{j.env}, Rule: "policyCost", Path: in.path,
			Message: fmt.Sprintf("the policies of one commit cost more than %d units together, at the policy %s", policiesCost, p.id),
			Hint:    "let patterns select less, and expressions walk less",
		}.at(p.at))
		return
	}
	if answer.holds {
		return
	}
	j.violation(p, path, in, answer, baselines)
}

func (j *policyJudge) answer(p *policy, in policyInput) policyAnswer {
	key := policyMemoKey{policy: p.key, env: in.env, path: in.path, self: in.self.Sum()}
	if p.rule.Mentions("root") {
		key.root = in.root.Sum()
	}
	if in.old != nil && p.rule.Mentions("oldSelf") {
		key.old = in.old.Sum()
	}
	lasting := !p.rule.Mentions("commit") && !p.rule.Mentions("rollback")
	if known, ok := j.answers.get(key); ok && lasting {
		return known
	}
	var a policyAnswer
	var err error
	a.holds, a.cost, err = p.rule.Bool(in.variables())
	if err != nil {
		a.failure = err.Error()
		if errors.Is(err, expr.ErrCost) {
			a.failure = fmt.Sprintf("it costs more than %d units", expr.RuleCost)
		}
	}
	if lasting {
		j.answers.put(key, a)
	}
	return a
}

func (j *policyJudge) violation(p *policy, path value.Path, in policyInput, a policyAnswer, baselines bool) {
	problem := Problem{
		Stage: StagePolicies, Severity: p.severity, Environments: []string{j.env}, Path: in.path, Pointer: path.Pointer(),
		Rule: "policy." + p.id, Message: p.message, Hint: "see the policy at " + p.at.Pos().String(),
	}.at(in.self)
	if baselines {
		problem.Hint = "the policy stands in the version before (" + p.at.Pos().String() + "): what a commit takes away counts until the next"
	}
	if a.failure != "" {
		problem.Severity = Error
		problem.Message = fmt.Sprintf("the policy %s cannot be evaluated: %s", p.id, j.hide(a.failure, in))
	} else if p.explain != nil {
		if text, cost, err := p.explain.Text(in.variables()); err == nil && text != "" {
			j.cost += cost
			problem.Message = j.hide(oneLine(text), in)
		}
	}
	if p.waived && in.rollback && p.transition() {
		problem.Severity = Warning
		problem.Message = "waived on a rollback: " + problem.Message
	}
	j.found.add(problem)
}

// hide takes values that people should not be shown out of a text that an expression made.
func (j *policyJudge) hide(text string, in policyInput) string {
	path, err := value.ParsePath(in.path)
	if err != nil {
		return "(not shown)"
	}
	for _, v := range []*value.Value{in.self, in.old} {
		if v != nil {
			text = j.hideBelow(text, path, v)
		}
	}
	if j.mentionsSecret(text) {
		return "(not shown: it repeats what looks like a secret)"
	}
	return text
}

func (j *policyJudge) mentionsSecret(text string) bool {
	return value.LooksSecret("", value.NewString(text, value.Place{}))
}

func (j *policyJudge) hideBelow(text string, path value.Path, v *value.Value) string {
	key := ""
	if len(path) > 0 {
		key = path[len(path)-1]
	}
	if v.Kind() != value.Map && (j.sensitive(path, j.env) || value.LooksSecret(key, v)) {
		for _, shown := range scalars(v) {
			text = strings.ReplaceAll(text, shown, "(redacted)")
		}
		return text
	}
	for i, e := range v.Entries() {
		below := e.Key
		if v.Kind() == value.List {
			below = fmt.Sprint(i)
		}
		text = j.hideBelow(text, append(path[:len(path):len(path)], below), e.Value)
	}
	return text
}

// scalars are the texts of the scalars of a value.
func scalars(v *value.Value) []string {
	switch v.Kind() {
	case value.List, value.Map:
		var all []string
		for _, e := range v.Entries() {
			all = append(all, scalars(e.Value)...)
		}
		return all
	case value.String:
		if v.Str() == "" {
			return nil
		}
		return []string{v.Str()}
	default:
		return []string{v.String()}
	}
}
