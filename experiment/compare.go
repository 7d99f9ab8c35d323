package experiment

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/value"
)

// Effect is what a change does to those whom a rollout or an experiment concerns, in one environment. Slots are counted of [Slots]: one is
// 0.01 % of the units.
type Effect struct {
	Kind  Kind      `json:"kind"`
	Key   string    `json:"key"`
	Rule  string    `json:"rule,omitempty"` // of a rollout
	Place value.Pos `json:"place"`          // in the new files, or in the old where it is no more
	// Moved is how many of an experiment's slots have another variant; [Slots] where everybody is assigned anew.
	Moved int `json:"moved"`
	// Gained and Lost are how many slots of traffic come in and drop out; of a ramp at its end.
	Gained   int      `json:"gained"`
	Lost     int      `json:"lost"`
	Takes    []string `json:"takes,omitempty"` // paths that another definition set before
	Text     string   `json:"text"`
	problems []Problem
}

// Problems are why the change is refused, and what it should be warned of.
func (e Effect) Problems() []Problem { return e.problems }

// Compare tells what a change of files does in an environment to those who are in something already, computed over all slots. It refuses what
// moves units by accident:
//
//   - another variant for a unit of an experiment that has begun, unless its phase is raised. Raising it allows to carve new weights from
//     the ends of the variants that shrink, or to assign everybody anew by another salt, and nothing between;
//   - another choice of who is in an experiment that has begun, by another salt, unit or layer, unless its phase is raised;
//   - another salt or unit for a rollout that includes a part of the units;
//   - a phase that goes back, and a return to draft, after which nobody could tell.
//
// Old is what the environment was judged by before; a nil one is nothing.
func Compare(old, new *Definitions, environment string) []Effect {
	if old == nil {
		old = &Definitions{}
	}
	c := &comparison{old: old, new: new, environment: environment, sameSegments: slices.Equal(old.segments, new.segments)}
	c.before, c.after = meanings{old, map[string]string{}}, meanings{new, map[string]string{}}
	for _, key := range names(func(x *Rollout) string { return x.Key }, old.rollouts, new.rollouts) {
		c.rollout(key)
	}
	for _, key := range names(func(x *Experiment) string { return x.Key }, old.experiments, new.experiments) {
		c.experiment(key)
	}
	c.takeovers()
	return c.effects
}

// names are what two lists name, sorted, each once.
func names[T any](of func(T) string, old, new []T) []string {
	var all []string
	for _, x := range slices.Concat(old, new) {
		all = append(all, of(x))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

type comparison struct {
	old, new      *Definitions
	environment   string
	sameSegments  bool
	before, after meanings
	effects       []Effect
}

// otherwise tells whether a condition is for others than before.
func (c *comparison) otherwise(was, is *condition) bool {
	return was.text != is.text || !c.sameSegments && c.before.of(was) != c.after.of(is)
}

func (c *comparison) problem(at *value.Value, rule, hint, message string, args ...any) Problem {
	return Problem{Place: at.Pos(), Rule: rule, Hint: hint, Message: fmt.Sprintf(message, args...), Environments: []string{c.environment}}
}

// change is an experiment before and after. One that is not in the environment is nil.
type change struct {
	*comparison
	old, new           *Experiment
	oldLayer, newLayer *Layer
	effect             Effect
	words              []string
}

func (c *comparison) experiment(key string) {
	was, _ := c.old.Experiment(key)
	is, _ := c.new.Experiment(key)
	ch := &change{comparison: c, old: was.in(c.environment), new: is.in(c.environment), effect: Effect{Kind: KindExperiment, Key: key}}
	if ch.old == nil && ch.new == nil {
		return
	}
	ch.effect.Place = either(ch.new, ch.old).at.Pos()
	if ch.old != nil {
		ch.oldLayer, _ = c.old.Layer(ch.old.Layer)
	}
	if ch.new != nil {
		ch.newLayer, _ = c.new.Layer(ch.new.Layer)
	}
	ch.status()
	if ch.begun() {
		ch.units()
	}
	ch.traffic()
	if ch.begun() {
		ch.treatments()
	}
	if len(ch.words) > 0 || len(ch.effect.problems) > 0 {
		ch.effect.Text = strings.Join(ch.words, ", ")
		c.effects = append(c.effects, ch.effect)
	}
}

// either is the first of two that is there.
func either[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

// in is the experiment if it is in the environment.
func (x *Experiment) in(environment string) *Experiment {
	if x == nil || !slices.Contains(x.Environments, environment) {
		return nil
	}
	return x
}

func (c *change) say(text string, args ...any) { c.words = append(c.words, fmt.Sprintf(text, args...)) }

func (c *change) refuse(at *value.Value, rule, hint, message string, args ...any) {
	c.effect.problems = append(c.effect.problems, c.problem(at, rule, hint, message, args...))
}

func (c *change) warn(at *value.Value, rule, hint, message string, args ...any) {
	p := c.problem(at, rule, hint, message, args...)
	p.Warning = true
	c.effect.problems = append(c.effect.problems, p)
}

// begun tells that the experiment has assigned units, or may have, before and after.
func (c *change) begun() bool {
	return c.old != nil && c.new != nil && c.old.Status != Draft && c.new.Status != Draft
}

func (x *Experiment) running() bool { return x != nil && x.Status == Running }

func (c *change) status() {
	switch {
	case c.old != nil && c.new != nil && c.old.Status != Draft && c.new.Status == Draft:
		c.refuse(c.new.at, "backToDraft", "write status: paused, or decided, or copy it to another file with a salt of its own", "the experiment %s has begun and cannot be a draft again", c.new.Key)
	case !c.old.running() && c.new.running():
		c.say("starts")
	case c.old.running() && c.new == nil:
		c.say("ends")
	case c.old.running() && !c.new.running():
		c.say("is %s", c.new.Status)
	}
}

// traffic tells which slots of the layer come in and drop out.
func (c *change) traffic() {
	var had, has Ranges
	if c.old.running() {
		had = c.old.Slots
	}
	if c.new.running() {
		has = c.new.Slots
	}
	c.effect.Gained, c.effect.Lost = has.Without(had).Count(), had.Without(has).Count()
	if c.rechosen() {
		c.effect.Gained, c.effect.Lost = has.Count(), had.Count()
	}
	c.words = append(c.words, comesAndGoes(c.effect.Gained, c.effect.Lost)...)
}

// comesAndGoes says which slots do.
func comesAndGoes(gained, lost int) (words []string) {
	if gained > 0 {
		words = append(words, "adds "+slotsInWords(gained))
	}
	if lost > 0 {
		words = append(words, "removes "+slotsInWords(lost))
	}
	return words
}

// rechosen tells that other units are in the slots of the layer than before, where that makes a difference.
func (c *change) rechosen() bool {
	if !c.begun() || c.oldLayer == nil || c.newLayer == nil {
		return false
	}
	same := c.oldLayer.salt.text == c.newLayer.salt.text && !c.oldLayer.Unit.moves(c.newLayer.Unit)
	return !same && (c.old.Slots.Count() < Slots || c.new.Slots.Count() < Slots)
}

// moves tells that somebody may have another name than before. A fallback that is new, or is no more, renames nobody: it lets units in and out.
func (u Unit) moves(to Unit) bool {
	fallbacks := u.Fallback.path != nil && to.Fallback.path != nil && !slices.Equal(u.Fallback.path, to.Fallback.path)
	return fallbacks || !slices.Equal(u.Attribute.path, to.Attribute.path)
}

// reassigned tells that the places of all units among the variants are others than before.
func (c *change) reassigned() bool {
	return c.old.salt.text != c.new.salt.text || c.oldLayer != nil && c.newLayer != nil && c.oldLayer.Unit.moves(c.newLayer.Unit)
}

// cause is what stands behind another choice of units: the salt, or the layer, or what is another in it.
func (c *change) cause() *value.Value {
	switch {
	case c.old.salt.text != c.new.salt.text:
		return c.new.salt.at
	case c.old.Layer != c.new.Layer:
		return c.new.layer
	default:
		return c.newLayer.at
	}
}

// units tells who gets another variant, and refuses what nobody meant.
func (c *change) units() {
	least := 0
	if c.effect.Moved, least = moved(c.old.Shares(), c.new.Shares()); c.reassigned() {
		c.effect.Moved = Slots
	}
	c.sayUnits()
	next := c.old.Phase + 1
	switch {
	case c.new.Phase < c.old.Phase:
		c.refuse(c.new.phaseAt, "phaseBack", fmt.Sprintf("write phase: %d or more", c.old.Phase), "the phase of %s goes back from %d to %d: results of both would mix", c.new.Key, c.old.Phase, c.new.Phase)
	case c.new.Phase > c.old.Phase && !c.reassigned() && c.effect.Moved > least:
		c.refuse(c.new.phaseAt, "movesUnits", "write "+c.carved(), "the variants of %s move %s of 10,000, and %s are enough", c.new.Key, slotsInWords(c.effect.Moved), thousands(least))
	case c.new.Phase > c.old.Phase:
	case c.reassigned():
		c.refuse(c.cause(), "movesUnits", fmt.Sprintf("take the change back, or write phase: %d", next), "another salt or unit assigns all units of %s anew", c.new.Key)
	case c.rechosen():
		c.refuse(c.cause(), "movesUnits", fmt.Sprintf("take the change back, or write phase: %d", next), "another layer, or another salt or unit of it, chooses anew who is in %s", c.new.Key)
	case c.effect.Moved > 0:
		c.refuse(c.new.phaseAt, "movesUnits", fmt.Sprintf("write phase: %d and %s", next, c.carved()), "the variants of %s change: %s of 10,000 move to another variant", c.new.Key, slotsInWords(c.effect.Moved))
	}
}

func (c *change) sayUnits() {
	switch {
	case c.reassigned():
		c.say("assigns all units anew")
	case c.rechosen():
		c.say("chooses anew who is in it")
	case c.effect.Moved > 0:
		c.say("moves %s of its units to another variant", share(c.effect.Moved))
	case c.old.running() && c.new.running() && c.old.Slots.String() != c.new.Slots.String():
		c.say("moves 0 units")
	}
	if a, b := c.oldLayer, c.newLayer; a != nil && b != nil && !a.Unit.moves(b.Unit) && !slices.Equal(a.Unit.Fallback.path, b.Unit.Fallback.path) {
		c.say("names units without %s otherwise", b.Unit.Attribute.Name)
	}
	if c.new.Phase != c.old.Phase {
		c.say("begins phase %d", c.new.Phase)
	}
}

// carved is how to write the new weights so that they move as few as can be.
func (c *change) carved() string {
	weights := map[string]int{}
	for _, v := range c.new.Variants {
		weights[v.Name] = v.Weight()
	}
	shares, _ := Carve(c.old.Shares(), weights) // the weights sum up, or the file would not be here
	return asWritten(shares)
}

// treatments warns of what makes an experiment another one though nobody moves.
func (c *change) treatments() {
	if c.new.Phase != c.old.Phase || !c.old.running() || !c.new.running() {
		return
	}
	hint := fmt.Sprintf("write phase: %d if what was learned so far does not count", c.old.Phase+1)
	if c.otherwise(&c.old.targeting, &c.new.targeting) || !alike(c.old.Prerequisites, c.new.Prerequisites) {
		c.warn(either(c.new.targeting.at, c.new.at), "targetingChanged", hint, "%s is for others than before: its targeting changes while it runs", c.new.Key)
		c.say("is for others: its targeting changes")
	}
	for i, v := range c.new.Variants {
		j := slices.IndexFunc(c.old.Variants, func(o Variant) bool { return o.Name == v.Name })
		if j >= 0 && !value.Equal(c.old.arms[j].tree, c.new.arms[i].tree) {
			c.warn(c.new.arms[i].at, "variantChanged", hint, "%s of %s sets something else while it runs", v.Name, c.new.Key)
			c.say("%s sets something else", v.Name)
		}
	}
}

// meanings are what the segments of some definitions say, with what those say that they ask.
type meanings struct {
	definitions *Definitions
	known       map[string]string // by segment
}

// of is what a condition says, with what its segments say.
func (m meanings) of(c *condition) string {
	texts := []string{c.text}
	if c.program != nil {
		for _, name := range c.program.Segments() {
			texts = append(texts, name, m.segment(name))
		}
	}
	return strings.Join(texts, "\x00")
}

func (m meanings) segment(name string) string {
	if said, ok := m.known[name]; ok {
		return said
	}
	m.known[name] = "" // while it is found out
	if s := m.definitions.segment(name); s != nil {
		sum := sha256.Sum256([]byte(m.of(&s.condition)))
		m.known[name] = hex.EncodeToString(sum[:])
	}
	return m.known[name]
}

// alike tells whether two lists require the same.
func alike(a, b []Prerequisite) bool {
	return slices.EqualFunc(a, b, func(a, b Prerequisite) bool { return a.Kind == b.Kind && a.Key == b.Key && a.Variant == b.Variant })
}
