package experiment

import (
	"slices"
	"strings"

	"github.com/trunkline/trunkline/value"
)

// in is the rollout if it is in the environment.
func (x *Rollout) in(environment string) *Rollout {
	if x == nil || !slices.Contains(x.Environments, environment) {
		return nil
	}
	return x
}

// nothing is a rollout that is not there.
var nothing = &Rollout{}

func (c *comparison) rollout(key string) {
	was, _ := c.old.Rollout(key)
	is, _ := c.new.Rollout(key)
	old, new := either(was.in(c.environment), nothing), either(is.in(c.environment), nothing)
	if old == new && c.sameSegments {
		return // its file did not change, nor what its conditions ask; or it is in neither
	}
	overtaken := overtaken(old, new)
	for _, name := range names(func(r Rule) string { return r.Name }, old.Rules, new.Rules) {
		c.rule(key, name, old, new, overtaken[name])
	}
	c.placed(key, old, new)
}

// find is the rule of a name; one that is not there includes nobody.
func (x *Rollout) find(name string) *Rule {
	for i := range x.Rules {
		if x.Rules[i].Name == name {
			return &x.Rules[i]
		}
	}
	return nil
}

// rule tells what becomes of one rule.
func (c *comparison) rule(key, name string, old, new *Rollout, overtaken bool) {
	was, is := old.find(name), new.find(name)
	e := Effect{Kind: KindRollout, Key: key, Rule: name, Place: either(is, was).at.Pos()}
	before, after := 0, 0
	if was != nil {
		before = was.Share()
	}
	if is != nil {
		after = is.Share()
	}
	e.Gained, e.Lost = max(0, after-before), max(0, before-after)
	words := comesAndGoes(e.Gained, e.Lost)
	if was != nil && is != nil {
		words = append(words, c.changed(was, is, old, new)...)
		if overtaken {
			words = append(words, "is asked after other rules than before")
		}
	}
	if len(words) > 0 {
		e.Text = strings.Join(words, ", ")
		c.effects = append(c.effects, e)
	}
}

// changed tells in which other ways a rule is another one.
func (c *comparison) changed(was, is *Rule, old, new *Rollout) (words []string) {
	if c.otherwise(&was.condition, &is.condition) {
		words = append(words, "is for others: its condition changes")
	}
	if was.window != is.window {
		words = append(words, "counts at other times")
	}
	if !slices.EqualFunc(was.share, is.share, func(a, b step) bool { return a.at == b.at }) {
		words = append(words, "grows at other times")
	}
	if !value.Equal(old.arms[was.arm].tree, new.arms[is.arm].tree) {
		words = append(words, "sets something else")
	}
	if !alike(old.Prerequisites, new.Prerequisites) {
		words = append(words, "requires something else")
	}
	return words
}

// overtaken are the rules that one comes before now that came after them, or is new.
func overtaken(old, new *Rollout) map[string]bool {
	places := make(map[string]int, len(old.Rules))
	for i, r := range old.Rules {
		places[r.Name] = i
	}
	all, last := map[string]bool{}, -1
	for _, r := range new.Rules {
		place, had := places[r.Name]
		if !had {
			place = len(old.Rules)
		}
		all[r.Name] = last > place
		last = max(last, place)
	}
	return all
}

// placed refuses another salt or unit: who has the change would lose it, and others would get it.
func (c *comparison) placed(key string, old, new *Rollout) {
	partial := func(x *Rollout) bool {
		return slices.ContainsFunc(x.Rules, func(r Rule) bool { return r.share.partial() })
	}
	if !partial(old) || !partial(new) || old.salt.text == new.salt.text && !old.Unit.moves(new.Unit) {
		return
	}
	c.effects = append(c.effects, Effect{
		Kind: KindRollout, Key: key, Place: new.at.Pos(), Moved: Slots, Text: "chooses all units anew",
		problems: []Problem{c.problem(either(new.salt.at, new.at), "movesUnits", "take the change back; to choose others begin a rollout of another name",
			"another salt or unit of %s chooses anew who is within its percentages", key)},
	})
}

// takeovers tell which paths other definitions set before.
func (c *comparison) takeovers() {
	changed := slices.DeleteFunc(c.new.ownerships(c.environment), func(o ownership) bool { return c.kept(o.of) })
	if len(changed) == 0 {
		return
	}
	type taking struct {
		of   file
		path string
	}
	first, known, numbers := map[string]file{}, map[taking]bool{}, map[file]int{}
	for _, o := range c.old.ownerships(c.environment) {
		path := o.path.String()
		known[taking{o.of, path}] = true
		if _, owned := first[path]; !owned {
			first[path] = o.of
		}
	}
	for i, e := range slices.Backward(c.effects) {
		numbers[file{e.Kind, e.Key}] = i // the first of a definition
	}
	for _, o := range changed {
		path := o.path.String()
		if owner, owned := first[path]; owned && !known[taking{o.of, path}] {
			known[taking{o.of, path}] = true
			i, found := numbers[o.of]
			if !found {
				i, numbers[o.of] = len(c.effects), len(c.effects)
				c.effects = append(c.effects, Effect{Kind: o.of.kind, Key: o.of.key, Place: o.at.Pos()})
			}
			c.effects[i].takes(path, owner)
		}
	}
}

// kept tells whether a definition is what it was, so that it takes nothing over.
func (c *comparison) kept(of file) bool {
	was, had := c.old.Document(of.kind, of.key)
	is, has := c.new.Document(of.kind, of.key)
	return had && has && was == is
}

func (e *Effect) takes(path string, from file) {
	e.Takes = append(e.Takes, path)
	switch n := len(e.Takes); {
	case n > maxTaken+1:
	case n > maxTaken:
		e.Text += ", and others"
	default:
		if e.Text != "" {
			e.Text += ", "
		}
		e.Text += "takes " + path + " over from the " + from.String()
	}
}
