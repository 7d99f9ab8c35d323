package compile

import (
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// Effect is what a commit does to those whom a rollout or an experiment concerns, in the environments where it does just that.
type Effect struct {
	Environments []string `json:"environments"`
	experiment.Effect
}

// String says whose effect it is, and what it is.
func (e Effect) String() string {
	text := string(e.Kind) + " " + e.Key
	if e.Rule != "" {
		text += " (" + e.Rule + ")"
	}
	return text + ": " + e.Text
}

// compareDefinitions finds what the commit does to those who are in something already. Where a definition is wrong it would only tell
// that it is no more, so it is not asked there.
func (r *run) compareDefinitions(env string) {
	base := r.baselines[env]
	if base == nil || base.Definitions == r.defined.definitions || r.failed(env) {
		return
	}
	now := r.defined.definitions
	if now == nil {
		now = &experiment.Definitions{}
	}
	for _, e := range experiment.Compare(base.Definitions, now, env) {
		r.effects.add(env, e)
		for _, p := range e.Problems() {
			found := overrideProblem(p)
			if r.against.Rollback[env] && found.Severity == Error {
				found.Severity = Warning
				found.Message = "waived on a rollback: " + found.Message
			}
			r.found.add(found)
		}
	}
}

// effectKey is what makes two effects the same.
type effectKey struct {
	kind                experiment.Kind
	key, rule, text     string
	place               value.Pos
	moved, gained, lost int
}

// effects collects what a commit does; the same in several environments is one.
type effects struct {
	list    []Effect
	numbers map[effectKey]int
	omitted int
}

func (f *effects) add(env string, e experiment.Effect) {
	key := effectKey{e.Kind, e.Key, e.Rule, e.Text, e.Place, e.Moved, e.Gained, e.Lost}
	i, known := f.numbers[key]
	switch {
	case e.Text == "": // there is nothing to tell but its problems
	case known:
		f.list[i].Environments = append(f.list[i].Environments, env)
	case len(f.list) >= MaxEffects:
		f.omitted++
	default:
		if f.numbers == nil {
			f.numbers = map[effectKey]int{}
		}
		f.numbers[key] = len(f.list)
		f.list = append(f.list, Effect{[]string{env}, e})
	}
}
