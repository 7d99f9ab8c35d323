package experiment

import (
	"slices"
	"time"

	"github.com/trunkline/trunkline/value"
)

// Kind is what a file defines.
type Kind string

// The kinds of files. Rollouts and experiments are decided for whoever asks; the others are what they lean on.
const (
	KindRollout    Kind = "rollout"
	KindExperiment Kind = "experiment"
	KindLayer      Kind = "layer"
	KindSegment    Kind = "segment"
	KindMetric     Kind = "metric"
	KindContext    Kind = "context"
)

// Attribute names a member of the context, as accountId or device.id.
type Attribute struct {
	Name string
	path value.Path
}

// TargetingKey is the attribute that names the unit where the file names none: the one that OpenFeature clients send.
var TargetingKey = Attribute{"targetingKey", value.Path{"targetingKey"}}

// Unit is which attributes name the unit: the first of them that is there. Its name is a string of 1 to [MaxUnit] bytes without a NUL, or an
// integer, which stands for its decimal digits.
type Unit struct {
	Attribute Attribute
	Fallback  Attribute // may be the zero Attribute
}

// Setting is a value that an arm puts in the place of the configured one.
type Setting struct {
	Path  value.Path
	Value *value.Value
}

// Tree is values of nothing but the setting.
func (s Setting) Tree() *value.Value {
	v := s.Value
	for _, key := range slices.Backward(s.Path) {
		v = value.NewMap([]value.Entry{{Key: key, Value: v}}, value.Place{})
	}
	return v
}

// Prerequisite is a rollout that must be in effect for the unit, or an experiment that it must be in, with one variant or any.
type Prerequisite struct {
	Kind    Kind
	Key     string
	Variant string // of an experiment; "" is any
	at      *value.Value
}

// Rollout is a flag: an override that is targeted, gradual or scheduled.
type Rollout struct {
	Key, Description, Owner string
	Expires                 string // a date, as 2027-03-01; "" never. It only reminds people
	Environments            []string
	Unit                    Unit
	Set                     []Setting
	Rules                   []Rule
	Prerequisites           []Prerequisite
	Force                   map[string]int // a unit's arm; -1 is the configured value

	salt salt
	arms []arm // the rollout's own set, where it has one, then those of rules
	at   *value.Value
}

// Rule says for whom a rollout is in effect.
type Rule struct {
	Name string
	When string // "" always holds
	Set  []Setting

	condition condition
	share     curve
	window    window
	arm       int
	at        *value.Value
}

// Share is how many slots the rule includes at the end of its ramp.
func (r *Rule) Share() int { return r.share.end() }

// At tells whether the rule counts at a time, by its schedule, and how many slots it includes then; none where it does not count.
func (r *Rule) At(now time.Time) (slots int, counts bool) {
	if !r.window.open(now.Unix()) {
		return 0, false
	}
	return r.share.at(now.Unix()), true
}

// Changes are when what [Rule.At] tells changes, in order.
func (r *Rule) Changes() []time.Time {
	var times []time.Time
	for _, at := range r.changes() {
		times = append(times, time.Unix(at, 0).UTC())
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}

// Salt is what places units under the rollout; "" where no rule has a percentage.
func (r *Rollout) Salt() string { return r.salt.text }

// Status is where an experiment stands.
type Status string

// The statuses. Only a running experiment assigns anybody.
const (
	Draft   Status = "draft"
	Running Status = "running"
	Paused  Status = "paused"
	Decided Status = "decided"
)

// holds tells whether an experiment owns its slots and paths: while it runs and while it rests.
func (s Status) holds() bool { return s == Running || s == Paused }

// Experiment is a comparison of variants.
type Experiment struct {
	Key, Description, Owner string
	Environments            []string
	Status                  Status
	Layer                   string
	Phase                   int
	Slots                   Ranges    // of the layer
	Targeting               string    // "" is everybody
	Variants                []Variant // in the order of their names
	Control                 string    // the variant that others are compared with
	Force                   map[string]int
	Prerequisites           []Prerequisite
	Metrics                 Metrics
	Plan                    *Plan // nil where there is none

	salt      salt
	targeting condition
	layer     *value.Value // where the layer is named
	arms      []arm
	bounds    []bound
	at        *value.Value
	phaseAt   *value.Value
	metricsAt []*value.Value // where metrics are named
}

// Salt is what places units among the variants.
func (e *Experiment) Salt() string { return e.salt.text }

// Variant is one arm of an experiment.
type Variant struct {
	Name  string
	Slots Ranges // of the experiment; all variants' are all slots
	Set   []Setting
}

// Weight is the variant's share, in slots.
func (v *Variant) Weight() int { return v.Slots.Count() }

// bound is where the slots of an arm end.
type bound struct {
	last uint16
	arm  uint8
}

// Metrics are what an experiment is judged by.
type Metrics struct {
	Primary, Secondary []string
	Guardrails         []Guardrail
}

// Guardrail is a metric that must not get worse by more than a margin.
type Guardrail struct {
	Metric string
	Margin Amount
}

// Amount is a difference: of a metric itself, or relative to the control's.
type Amount struct {
	Size     float64
	Relative bool
}

// Plan is what was settled before an experiment began.
type Plan struct {
	UnitsTotal     int
	MinimumEffect  Amount
	Alpha, Power   float64
	MinRuntime     int64  // seconds
	End            string // RFC 3339; "" is none
	OnInconclusive string
}

// Layer is traffic that experiments share, so that a unit is in one of them at most.
type Layer struct {
	Key, Description, Owner string
	Unit                    Unit
	Holdout                 Ranges // slots that no experiment gets

	salt salt
	at   *value.Value
}

// Salt is what places units in the layer.
func (l *Layer) Salt() string { return l.salt.text }

// Segment is a named condition.
type Segment struct {
	Key, Description, Owner string
	When                    string

	condition condition
	at        *value.Value
}

// Metric says what an outcome means.
type Metric struct {
	Key, Name, Description, Owner string
	Kind                          string // proportion, mean or ratio
	Numerator                     Events
	Denominator                   Events // of a ratio
	Better                        string // higher or lower

	at *value.Value
}

// Events are what is counted of each unit.
type Events struct {
	Event       string
	Aggregation string // any, count, sum, mean, min, max or last
	Value       string // the property of the event that is summed, and the like
}

// arm is one of the ways a definition can be in effect.
type arm struct {
	name     string
	settings []Setting
	at       *value.Value
	tree     *value.Value // the settings as a tree; value.Empty where there are none
}

func newArm(name string, settings []Setting, at *value.Value) arm {
	return arm{name, settings, at, overlay(settings)}
}
