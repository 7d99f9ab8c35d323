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
	if old == nothing && new == nothing {
		return
	}
	for _, name := range names(func(r Rule) string { return r.Name }, old.Rules, new.Rules) {
		c.rule(key, name, old, new)
	}
	c.placed(key, old, new)
}

func ruleNames(x *Rollout) []string {
	names := make([]string, len(x.Rules))
	for i, r := range x.Rules {
		names[i] = r.Name
	}
	return names
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
func (c *comparison) rule(key, name string, old, new *Rollout) {
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
	}
	if len(words) > 0 {
		e.Text = strings.Join(words, ", ")
		c.effects = append(c.effects, e)
	}
}

// changed tells in which other ways a rule is another one.
func (c *comparison) changed(was, is *Rule, old, new *Rollout) (words []string) {
	if c.old.meaning(&was.condition) != c.new.meaning(&is.condition) {
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
	if overtaken(is.Name, old, new) {
		words = append(words, "is asked after other rules than before")
	}
	return words
}

// overtaken tells that a rule that came after it comes before it now, or one that is new does.
func overtaken(name string, old, new *Rollout) bool {
	before := ruleNames(old)[:slices.Index(ruleNames(old), name)]
	for _, other := range ruleNames(new)[:slices.Index(ruleNames(new), name)] {
		if !slices.Contains(before, other) {
			return true
		}
	}
	return false
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
	before := map[string][]file{}
	for _, o := range c.old.ownerships(c.environment) {
		before[o.path.String()] = append(before[o.path.String()], o.of)
	}
	for _, o := range c.new.ownerships(c.environment) {
		path := o.path.String()
		if owners := before[path]; len(owners) > 0 && !slices.Contains(owners, o.of) {
			c.takes(o, path, owners[0])
		}
	}
}

func (c *comparison) takes(o ownership, path string, from file) {
	i := slices.IndexFunc(c.effects, func(e Effect) bool { return e.Kind == o.of.kind && e.Key == o.of.key })
	if i < 0 {
		i = len(c.effects)
		c.effects = append(c.effects, Effect{Kind: o.of.kind, Key: o.of.key, Place: o.at.Pos()})
	}
	e := &c.effects[i]
	if slices.Contains(e.Takes, path) {
		return
	}
	e.Takes = append(e.Takes, path)
	if e.Text != "" {
		e.Text += ", "
	}
	e.Text += "takes " + path + " over from the " + from.String()
}
