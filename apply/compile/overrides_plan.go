package compile

import (
	"slices"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// armPlan is what an arm is asked by schemas and policies: what they select of its own paths, above them and below. It does not
// depend on the values that the arm is laid over, nor on the environment.
type armPlan struct {
	schemas        []schemaCheck
	schemaSteps    int
	dropped, own   policyPlan
	anchors        []value.Path // what the answer depends on lies at these paths and below
	mentionsCommit bool
}

type schemaCheck struct {
	schema *boundSchema
	path   value.Path
}

// policyPlan is what policies of one set are asked of an arm.
type policyPlan struct {
	checks []policyCheck
	whole  []*policy // those that see what the arm sets from elsewhere: they may judge other values by it
	looked uint64    // what it cost to find the checks
}

type policyCheck struct {
	policy   *policy
	path     value.Path
	captures []string
}

// planKey names a plan by all that it depends on. What an arm sets is known by its first setting.
type planKey struct {
	arm          *experiment.Setting
	schemas      *schemaSet
	dropped, own *policySet // nil where none are asked
}

// planOf makes the plan of an arm, or takes it from the commit before.
func (r *run) planOf(a experiment.Arm, key planKey) *armPlan {
	plan, known := r.plans.get(key)
	if !known {
		plan = newArmPlan(a, key)
		r.plans.put(key, plan)
	}
	return plan
}

func newArmPlan(a experiment.Arm, key planKey) *armPlan {
	p, tree := &armPlan{}, a.Tree
	for _, s := range a.Settings {
		p.anchors = append(p.anchors, s.Path)
	}
	for _, b := range key.schemas.bound {
		p.schemaSteps += b.match.Each(tree, maxSchemaTotal*walkShare, func(path value.Path, _ *value.Value, _ []string) bool {
			p.schemas = append(p.schemas, schemaCheck{b, path})
			p.anchors = append(p.anchors, path)
			return true
		})
	}
	p.schemaSteps /= walkShare
	if key.dropped != nil {
		p.ask(&p.dropped, a, tree, key.dropped.policies, func(q *policy) bool { return !key.own.holds(q) })
	}
	if key.own != nil {
		p.ask(&p.own, a, tree, key.own.policies, func(*policy) bool { return true })
	}
	p.anchors = topmost(p.anchors)
	return p
}

// ask plans what policies are asked of the values that an arm touches.
func (p *armPlan) ask(to *policyPlan, a experiment.Arm, tree *value.Value, policies []*policy, wanted func(*policy) bool) {
	for _, q := range policies {
		if !wanted(q) {
			continue
		}
		p.mentionsCommit = p.mentionsCommit || q.rule.Mentions("commit")
		reads := q.rule.Reads("root")
		if slices.ContainsFunc(reads, func(path value.Path) bool { return meets(a.Settings, path) }) {
			to.whole = append(to.whole, q)
			p.anchors = append(p.anchors, nil)
			continue
		}
		p.anchors = append(p.anchors, reads...)
		looked := q.match.Each(tree, policiesCost*walkShare, func(path value.Path, _ *value.Value, captures []string) bool {
			to.checks = append(to.checks, policyCheck{q, path, captures})
			p.anchors = append(p.anchors, path)
			return len(to.checks) < policiesCost
		})
		to.looked += uint64(looked) / walkShare
	}
}

// topmost leaves out paths that lie below others.
func topmost(paths []value.Path) []value.Path {
	slices.SortFunc(paths, func(a, b value.Path) int { return slices.Compare(a, b) })
	kept := paths[:0]
	for _, p := range paths {
		if len(kept) == 0 || !liesIn(p, kept[len(kept)-1]) {
			kept = append(kept, p)
		}
	}
	return slices.Clip(kept)
}

// liesIn tells whether a path is another one, or lies below it.
func liesIn(path, above value.Path) bool {
	return len(above) <= len(path) && slices.Equal(above, path[:len(above)])
}

// meets tells whether something is set at a path, above it or below it.
func meets(settings []experiment.Setting, path value.Path) bool {
	return slices.ContainsFunc(settings, func(s experiment.Setting) bool { return liesIn(s.Path, path) || liesIn(path, s.Path) })
}
