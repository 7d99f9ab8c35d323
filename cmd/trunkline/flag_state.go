package main

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/trunkline/trunkline/experiment"
)

// flagState is how far a rollout has come at one time.
type flagState struct {
	Key          string     `json:"key"`
	File         string     `json:"file"`
	Owner        string     `json:"owner,omitempty"`
	Environments []string   `json:"environments"`
	Sets         []string   `json:"sets"` // paths
	State        string     `json:"state"`
	Rules        []ruleNow  `json:"rules"`
	Next         *time.Time `json:"next,omitempty"` // when it changes by itself
	Expires      string     `json:"expires,omitempty"`
	Expired      bool       `json:"expired"`

	last time.Time // when it last changed by itself; zero: never
}

// The states of a rollout, as far as its own rules tell.
const (
	stateEveryone = "everyone" // has what it sets
	stateNobody   = "nobody"
	stateRamping  = "ramping" // it will change by itself
	stateTargeted = "targeted"
	statePartial  = "partial"
)

// ruleNow is a rule at one time.
type ruleNow struct {
	Name   string `json:"name"`
	When   string `json:"when,omitempty"`
	Counts bool   `json:"counts"` // by its schedule
	Share  string `json:"share"`
	Target string `json:"target"` // at the end of its ramp

	slots int
}

// flagStates tell of all rollouts, in the order of their keys. One whose file is wrong is left out, and told of.
func (t *repoTree) flagStates(now time.Time) []flagState {
	definitions, problems := experiment.Parse(t.files)
	for key := range t.files.Rollouts {
		file := t.found[definition{experiment.KindRollout, key}].name
		if _, ok := definitions.Rollout(key); !ok {
			t.leaveOut(file, problems)
		}
	}
	states := []flagState{}
	for _, r := range definitions.Rollouts() {
		s := stateOf(r, now)
		s.File = t.found[definition{experiment.KindRollout, r.Key}].name
		states = append(states, s)
	}
	return states
}

func stateOf(r *experiment.Rollout, now time.Time) flagState {
	s := flagState{
		Key: r.Key, Owner: r.Owner, Environments: r.Environments, Sets: pathsOf(r), Expires: r.Expires,
		Expired: r.Expires != "" && now.UTC().Format(time.DateOnly) >= r.Expires,
	}
	for i := range r.Rules {
		rule := &r.Rules[i]
		one := ruleNow{Name: rule.Name, When: rule.When, Target: percent(rule.Share())}
		one.slots, one.Counts = rule.At(now)
		one.Share = percent(one.slots)
		s.Rules = append(s.Rules, one)
		s.moves(rule, now)
	}
	s.State = s.state(r)
	return s
}

// pathsOf are all that a rollout sets, sorted.
func pathsOf(r *experiment.Rollout) []string {
	var paths []string
	for _, set := range append([][]experiment.Setting{r.Set}, ruleSets(r)...) {
		for _, s := range set {
			paths = append(paths, s.Path.String())
		}
	}
	return union(paths, nil)
}

func ruleSets(r *experiment.Rollout) [][]experiment.Setting {
	var sets [][]experiment.Setting
	for _, rule := range r.Rules {
		sets = append(sets, rule.Set)
	}
	return sets
}

// moves notes when a rule has changed by itself, and when it will.
func (s *flagState) moves(rule *experiment.Rule, now time.Time) {
	for _, at := range rule.Changes() {
		if at.After(now) {
			if s.Next == nil || at.Before(*s.Next) {
				s.Next = &at
			}
			return
		}
		s.last = latest(s.last, at)
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// state says in one word whom the rules include.
func (s *flagState) state(r *experiment.Rollout) string {
	all, none, targeted, own := true, true, len(r.Prerequisites) > 0, 0
	asked := s.asked()
	for _, i := range asked {
		all = all && s.Rules[i].slots == experiment.Slots
		none = none && s.Rules[i].slots == 0
		targeted = targeted || s.Rules[i].When != ""
		if len(r.Rules[i].Set) > 0 {
			own++
		}
	}
	alike := own == 0 || len(asked) == 1 // all of them set the same
	ends := len(asked) > 0 && s.Rules[asked[len(asked)-1]].When == "" && len(r.Prerequisites) == 0
	switch {
	case s.Next != nil:
		return stateRamping
	case none:
		return stateNobody
	case all && ends && alike:
		return stateEveryone
	case targeted:
		return stateTargeted
	default:
		return statePartial
	}
}

// asked are the rules that count, up to the first that is for everybody: none after it is ever asked.
func (s *flagState) asked() []int {
	var asked []int
	for i, rule := range s.Rules {
		if !rule.Counts {
			continue
		}
		if asked = append(asked, i); rule.When == "" {
			break
		}
	}
	return asked
}

// shares are those of the rules, in words.
func (s *flagState) shares() string {
	var words []string
	for _, i := range s.asked() {
		words = append(words, s.Rules[i].Name+" "+s.Rules[i].Share)
	}
	return cmp.Or(strings.Join(words, ", "), "-")
}

// everyEnvironment tells whether a rollout counts wherever there is an environment.
func (t *repoTree) everyEnvironment(s flagState) bool {
	return !slices.ContainsFunc(t.manifest.Names(), func(env string) bool { return !slices.Contains(s.Environments, env) })
}
