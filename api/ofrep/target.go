package ofrep

import (
	"net/http"
	"slices"
	"time"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// target is a flag: what stands at a path, written beforehand as far as that can be.
type target struct {
	key       string
	path      value.Path
	owners    []*owner
	head      []byte        // of an answer, up to its value
	base      shown         // what is configured
	arms      map[arm]shown // those that set the path, or one above it
	below     bool          // others set a part of what stands there: that is put together for whoever asks
	sensitive bool          // it is hidden from those without the right to reveal, for somebody at least
	whole     []byte        // the answer for everybody, where nobody owns the path
}

// arm is a choice, forced or not.
type arm struct{ definition, arm uint16 }

// shown is a value as JSON.
type shown struct {
	json   []byte // nil where nothing stands
	hidden bool   // it is redacted
}

func show(v *value.Value, ok bool) shown {
	if !ok {
		return shown{}
	}
	return shown{v.AppendJSON(nil), v.Kind() == value.Redacted}
}

// newTarget makes a flag, or nil where nothing stands for anybody.
func (v *view) newTarget(key string, path value.Path) *target {
	t := &target{key: key, path: path, owners: v.paths.of(path)}
	t.base = show(v.at(v.full, nil, path))
	t.sensitive = v.sensitive(path, nil)
	some := t.base.json != nil
	for _, o := range t.owners {
		for _, a := range o.arms {
			choices := []experiment.Choice{a.Choice}
			t.sensitive = t.sensitive || v.sensitive(path, choices)
			if !slices.ContainsFunc(a.Settings, func(s experiment.Setting) bool {
				return len(s.Path) <= len(path) && slices.Equal(s.Path, path[:len(s.Path)])
			}) {
				t.below = true
				continue
			}
			if t.arms == nil {
				t.arms = map[arm]shown{}
			}
			set := show(v.at(v.full, choices, path))
			t.arms[arm{a.Choice.Definition, a.Choice.Arm}] = set
			some = some || set.json != nil
		}
	}
	if !some {
		return nil
	}
	t.head = append(appendText(append(t.head, `{"key":`...), key), `,"value":`...)
	if len(t.owners) == 0 && !t.base.hidden {
		t.whole = v.appendAnswer(nil, t, &decision{}, true)
	}
	return t
}

// sensitive tells whether what stands at a path for who has some choices is hidden from those without the right to reveal.
func (v *view) sensitive(path value.Path, choices []experiment.Choice) bool {
	if v.plain.base == nil {
		return false
	}
	found, ok := v.at(v.full, choices, path)
	plain, also := v.at(v.plain, choices, path)
	return ok && (!also || plain.Sum() != found.Sum())
}

// size is about how many bytes are kept of the flag.
func (t *target) size() int {
	n := len(t.key) + len(t.head) + len(t.base.json) + len(t.whole)
	for _, s := range t.arms {
		n += len(s.json)
	}
	return n
}

// decision is what was decided of a flag.
type decision struct {
	choices []experiment.Choice // in effect, of the owners
	by      *owner              // the first that is in effect; else one that is in effect for nobody
	outcome experiment.Outcome  // of it
	split   bool                // the place of a unit decided
	needs   *owner              // one that a unit was missing for
	room    [4]experiment.Choice
}

// outcomes tell what a definition came to.
type outcomes func(definition int) experiment.Outcome

func (v *view) outcomes(who *experiment.Context, now time.Time) outcomes {
	return func(n int) experiment.Outcome { return v.full.set.Decide(who, now, n) }
}

// decide asks the owners of a flag.
func (t *target) decide(d *decision, ask outcomes) {
	d.choices = d.room[:0]
	off := 0
	for _, o := range t.owners {
		outcome := ask(o.number)
		switch {
		case outcome.In:
			if d.split = d.split || outcome.Split; len(d.choices) == 0 {
				d.by, d.outcome = o, outcome
			}
			d.choices = append(d.choices, outcome.Choice)
		case outcome.Check == experiment.CheckUnit:
			d.needs = o
		case outcome.Check == experiment.CheckStatus:
			off++
		}
	}
	if off > 0 && off == len(t.owners) {
		d.by = t.owners[0]
	}
}

// value is what the flag is for who has been decided about.
func (v *view) value(t *target, d *decision) shown {
	switch len(d.choices) {
	case 0:
		return t.base
	case 1:
		if s, sets := t.arms[arm{d.choices[0].Definition, d.choices[0].Arm}]; sets {
			return s
		}
		if !t.below {
			return t.base
		}
	}
	return show(v.at(v.full, d.choices, t.path))
}

// failed tells why a flag has no value for somebody; nil where it has one.
func (t *target) failed(d *decision, s shown) *failure {
	switch {
	case len(d.choices) == 0 && d.needs != nil:
		return &failure{http.StatusBadRequest, codeKey, "a part of the units is included, and the context names none: send targetingKey, or the attribute that the rollout or the experiment goes by"}
	case s.json == nil:
		return noValue(t.key)
	case s.hidden:
		return redactedValue
	}
	return nil
}

func noValue(key string) *failure {
	return &failure{http.StatusNotFound, codeNotFound, quoted(clip(key)) + " holds no value"}
}

var redactedValue = general("the value is sensitive, and the credential has not the right to reveal")

// Reasons. What is stopped or rests is no DISABLED: clients take the default of their code then, not what is configured.
const (
	reasonStatic  = "STATIC"
	reasonMatch   = "TARGETING_MATCH"
	reasonSplit   = "SPLIT"
	reasonDefault = "DEFAULT"
)

func (t *target) reason(d *decision) string {
	switch {
	case len(t.owners) == 0:
		return reasonStatic
	case len(d.choices) == 0:
		return reasonDefault
	case d.split:
		return reasonSplit
	}
	return reasonMatch
}

// appendAnswer writes what was evaluated; alone is that of one flag, which tells the version, too.
func (v *view) appendAnswer(b []byte, t *target, d *decision, alone bool) []byte {
	b = append(append(b, t.head...), v.value(t, d).json...)
	b = append(append(append(b, `,"reason":"`...), t.reason(d)...), '"')
	if len(d.choices) > 0 {
		b = appendText(append(b, `,"variant":`...), v.full.set.Arm(d.outcome.Choice).Name)
	}
	if !alone && d.by == nil {
		return append(b, '}')
	}
	b = append(b, `,"metadata":{`...)
	if d.by != nil {
		b = v.appendMetadata(b, d)
		if alone {
			b = append(b, ',')
		}
	}
	if alone {
		b = append(b, v.about...)
	}
	return append(b, '}', '}')
}

// appendMetadata tells who decided.
func (v *view) appendMetadata(b []byte, d *decision) []byte {
	b = append(b, d.by.about...)
	if len(d.choices) == 0 {
		return append(b, `,"inEffect":false`...)
	}
	if rule := v.full.set.Rule(d.by.number, d.outcome); rule != "" {
		b = appendText(append(b, `,"rule":`...), rule)
	}
	b = appendText(append(b, `,"variant":`...), v.full.set.Arm(d.outcome.Choice).Name)
	if d.outcome.Choice.Forced {
		b = append(b, `,"forced":true`...)
	}
	return b
}
