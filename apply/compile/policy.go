package compile

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/expr"
)

// policy is one rule over the values that a pattern selects.
type policy struct {
	id           string
	at           *value.Value
	match        value.Pattern
	environments []*value.Value // names; all when empty
	rule         *expr.Program
	message      string
	explain      *expr.Program // makes the message; may be nil
	severity     Severity
	waived       bool              // on an exact rollback
	key          [sha256.Size]byte // of all that it says
	tests        []policyTest
}

// policyTest is what a policy promises of itself.
type policyTest struct {
	at       *value.Value
	old, new *value.Value // old is nil where there was none
	env      string
	rollback bool
	reject   bool
}

// transition tells whether the policy is about a change rather than about a value.
func (p *policy) transition() bool {
	return p.rule.Mentions("oldSelf") || p.rule.Mentions("rollback") || p.rule.Mentions("commit")
}

func (p *policy) judges(env string) bool {
	return len(p.environments) == 0 || slices.ContainsFunc(p.environments, func(v *value.Value) bool { return v.Str() == env })
}

// policySet are the policies of one state of policies/.
type policySet struct {
	folder   folderKey
	policies []*policy
	problems []Problem
}

// policyEnvironment are the variables of a policy. It is made once: nothing in it depends on a repo.
var policyEnvironment = must(expr.NewEnv(map[string]expr.Type{
	"self": expr.Any, "oldSelf": expr.Any, "root": expr.Any, "env": expr.Text, "path": expr.Text, "captures": expr.Texts,
	"rollback": expr.Flag, "commit": expr.Any,
}))

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // callers give what is known to be right
	}
	return v
}

// compilePolicies compiles policies/, or takes it from the commit before.
func (r *run) compilePolicies() *policySet {
	if len(r.standing()) == 0 {
		return nil
	}
	if r.policies == nil || r.policies.folder != r.layout.policies.key {
		r.policies = newPolicySet(r)
	}
	if len(r.open()) == 0 {
		return r.policies
	}
	for _, p := range r.policies.problems {
		r.everywhere(p)
	}
	for _, p := range r.policies.policies {
		r.policyNames(p)
	}
	return r.policies
}

// policyNames reports environments of a policy that there are not.
func (r *run) policyNames(p *policy) {
	for _, name := range p.environments {
		if _, ok := r.own.Environments[name.Str()]; ok {
			continue
		}
		r.everywhere(Problem{
			Stage: StagePolicies, Rule: "policyInvalid", Message: fmt.Sprintf("the policy %s names %q, which is no environment", p.id, name.Str()),
			Hint: value.Suggestion(name.Str(), r.own.Names(), "known environments: "),
		}.at(name))
	}
}

func newPolicySet(r *run) *policySet {
	set := &policySet{folder: r.layout.policies.key}
	reader := &policyReader{set: set, ids: map[string]*value.Value{}}
	r.layout.policies.each(func(f file) {
		if doc := r.parsed[f.path]; doc != nil && doc.value != nil {
			reader.document(doc.value)
		}
	})
	set.tests()
	return set
}

// policyReader turns documents into policies and says what is wrong with them.
type policyReader struct {
	set *policySet
	ids map[string]*value.Value
}

func (r *policyReader) problem(at *value.Value, rule, hint, message string, args ...any) {
	r.set.problems = append(r.set.problems, Problem{
		Stage: StagePolicies, Severity: Error, Rule: rule, Message: fmt.Sprintf(message, args...), Hint: hint,
	}.at(at))
}

func (r *policyReader) unknown(e value.Entry, known []string) {
	r.problem(e.Value, "unknownKey", value.Suggestion(e.Key, known, "known keys: "), "a policy knows no key %q", e.Key)
}

func (r *policyReader) document(doc *value.Value) {
	for _, e := range doc.Entries() {
		if e.Key != "policies" {
			r.unknown(e, []string{"policies"})
			continue
		}
		if e.Value.Kind() != value.List {
			r.problem(e.Value, "policyInvalid", "write policies: [{id: …, match: …, expression: …}]", "policies is a %s; it must be a list", e.Value.Kind())
			continue
		}
		for _, item := range e.Value.Entries() {
			r.policy(item.Value)
		}
	}
}

var policyKeys = []string{
	"id", "match", "environments", "expression", "message", "messageExpression", "severity", "allowOnRollback", "tests",
}

func (r *policyReader) policy(v *value.Value) {
	if v.Kind() != value.Map {
		r.problem(v, "policyInvalid", "write - id: …", "a policy is a map")
		return
	}
	before := len(r.set.problems)
	p := &policy{at: v, severity: Error, key: v.Sum()}
	for _, e := range v.Entries() {
		r.member(p, e)
	}
	for _, required := range []string{"id", "match", "expression"} {
		if _, ok := v.Get(required); !ok {
			r.problem(v, "policyInvalid", "add "+required+": …", "the policy has no %s", required)
		}
	}
	if p.waived && p.rule != nil && !p.transition() {
		r.problem(v, "policyInvalid", "let the expression name oldSelf or rollback, or remove allowOnRollback", "allowOnRollback waives rules about a change; this one is about a value")
	}
	if len(r.set.problems) > before {
		return
	}
	if p.message == "" {
		p.message = "the policy " + p.id + " does not hold"
	}
	r.set.policies = append(r.set.policies, p)
}

func (r *policyReader) member(p *policy, e value.Entry) {
	text := e.Value.Str()
	switch e.Key {
	case "id":
		p.id = text
		r.id(p, e.Value)
	case "match":
		var err error
		if p.match, err = value.ParsePattern(text); err != nil {
			r.problem(e.Value, "pattern", "* is one segment, ** any number of them", "%v", err)
		}
	case "environments":
		p.environments = r.names(e.Value)
	case "expression":
		p.rule = r.program(e.Value, expr.Bool)
	case "message":
		p.message = text
		if text == "" {
			r.problem(e.Value, "policyInvalid", "say what must hold", "the message is empty")
		}
	case "messageExpression":
		p.explain = r.program(e.Value, expr.String)
	case "severity":
		p.severity = Severity(text)
		if p.severity != Error && p.severity != Warning {
			r.problem(e.Value, "policyInvalid", "write error or warning", "severity is error or warning")
		}
	case "allowOnRollback":
		p.waived = e.Value.Bool()
		if e.Value.Kind() != value.Bool {
			r.problem(e.Value, "policyInvalid", "write allowOnRollback: true", "allowOnRollback is true or false")
		}
	case "tests":
		r.tests(p, e.Value)
	default:
		r.unknown(e, policyKeys)
	}
}

func (r *policyReader) id(p *policy, at *value.Value) {
	if !value.Bare(p.id) || len(p.id) > 128 {
		r.problem(at, "policyInvalid", "letters, digits, _ and -, at most 128", "an id names the policy in one word")
		return
	}
	if first, twice := r.ids[p.id]; twice {
		r.problem(at, "policyTwice", "choose another id", "the id %s is taken by the policy at %s", p.id, first.Pos())
		return
	}
	r.ids[p.id] = at
}

func (r *policyReader) names(v *value.Value) []*value.Value {
	if v.Kind() != value.List || v.Len() == 0 {
		r.problem(v, "policyInvalid", "write environments: [prod]", "environments is a list of names")
	}
	var names []*value.Value
	for _, e := range v.Entries() {
		names = append(names, e.Value)
	}
	return names
}

func (r *policyReader) program(v *value.Value, kind expr.Kind) *expr.Program {
	if v.Kind() != value.String {
		r.problem(v, "policyExpression", "write it as a string", "an expression is a %s; it must be a string of CEL", v.Kind())
		return nil
	}
	program, err := policyEnvironment.Compile(v.Str(), kind)
	if err != nil {
		var syntax *expr.SyntaxError
		errors.As(err, &syntax)
		r.problem(v, "policyExpression", "variables are self, oldSelf, root, env, path, captures, rollback and commit", "%v", syntax)
	}
	return program
}

var policyTestKeys = []string{"old", "new", "env", "rollback", "expect"}

func (r *policyReader) tests(p *policy, v *value.Value) {
	if v.Kind() != value.List {
		r.problem(v, "policyInvalid", "write tests: [{new: …, expect: reject}]", "tests is a %s; it must be a list", v.Kind())
		return
	}
	for _, e := range v.Entries() {
		r.policyTest(p, e.Value)
	}
}

func (r *policyReader) policyTest(p *policy, v *value.Value) {
	test := policyTest{at: v}
	expect := ""
	for _, e := range v.Entries() {
		switch e.Key {
		case "old":
			test.old = e.Value
		case "new":
			test.new = e.Value
		case "env":
			test.env = e.Value.Str()
		case "rollback":
			test.rollback = e.Value.Bool()
		case "expect":
			expect = e.Value.Str()
		default:
			r.unknown(e, policyTestKeys)
		}
	}
	test.reject = expect == "reject"
	if test.new == nil || expect != "reject" && expect != "accept" {
		r.problem(v, "policyInvalid", "write {old: …, new: …, expect: reject} or expect: accept", "a test says what is new and what to expect")
		return
	}
	p.tests = append(p.tests, test)
}

// tests runs the policies' own tests, all within one budget.
func (s *policySet) tests() {
	var spent uint64
	for _, p := range s.policies {
		for _, t := range p.tests {
			why, cost := p.run(t)
			if why != "" {
				s.problems = append(s.problems, Problem{
					Stage: StagePolicies, Severity: Error, Rule: "policyTest", Hint: "mend the expression or the test",
					Message: fmt.Sprintf("a test of the policy %s expects it to %s, %s", p.id, t.expectation(), why),
				}.at(t.at))
			}
			if spent += cost + 1; spent > policiesCost {
				s.problems = append(s.problems, Problem{
					Stage: StagePolicies, Severity: Error, Rule: "policyCost", Hint: "test with smaller values",
					Message: fmt.Sprintf("the tests of all policies cost more than %d units together", policiesCost),
				}.at(t.at))
				return
			}
		}
	}
}

func (t policyTest) expectation() string {
	if t.reject {
		return "reject"
	}
	return "accept"
}

// run tells why a test fails; "" when it does not. A rule that cannot be evaluated fails its test, whatever is expected.
func (p *policy) run(t policyTest) (why string, cost uint64) {
	rejected := false
	if t.old != nil || !p.rule.Mentions("oldSelf") {
		holds, spent, err := p.rule.Bool(policyInput{
			self: t.new, old: t.old, root: t.new, commit: value.Empty, env: t.env, rollback: t.rollback,
		}.variables())
		if err != nil {
			return fmt.Sprintf("and it cannot be evaluated: %v", err), spent
		}
		rejected, cost = !holds && !(p.waived && t.rollback), spent
	}
	if rejected != t.reject {
		why = "and it does not"
	}
	return why, cost
}

// PolicySummary is what people ask of a policy: where it stands and what it promises of itself.
type PolicySummary struct {
	ID    string    `json:"id"`
	Place value.Pos `json:"place"`
	Tests int       `json:"tests"`
}

func (s *policySet) summaries() []PolicySummary {
	list := make([]PolicySummary, len(s.policies))
	for i, p := range s.policies {
		list[i] = PolicySummary{p.id, p.at.Pos(), len(p.tests)}
	}
	return list
}

// DescribeCommit is a commit as policies see it.
func DescribeCommit(author, email, subject, message string, coAuthors []string) *value.Value {
	text := func(s string) *value.Value { return value.NewString(s, value.Place{}) }
	var emails []*value.Value
	for _, e := range coAuthors {
		emails = append(emails, text(e))
	}
	return value.NewMap([]value.Entry{
		{Key: "author", Value: text(author)},
		{Key: "email", Value: text(email)},
		{Key: "subject", Value: text(subject)},
		{Key: "message", Value: text(message)},
		{Key: "coAuthors", Value: value.NewList(emails, value.Place{})},
	}, value.Place{})
}
