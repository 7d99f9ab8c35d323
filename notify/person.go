package notify

import (
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// person is for whom a session asks, and what was chosen for it. A session has none as long as it says nothing and nothing is chosen.
type person struct {
	context *experiment.Context // nil: it says nothing of itself
	claims  *value.Value        // of the credential, which are in the context where there is one

	by      *chooser // that chose what follows; nil: nothing is chosen
	choices []experiment.Choice
	face    *face
	roll    roll
	told    roll // what the client was told of its assignments last
}

// speaksOf is whom the session asks for from now on: whom a context tells of, or where there is none whom it asked for. Nothing is chosen
// for it yet.
func (s *session) speaksOf(context jsontext.Value) (*person, error) {
	p := &person{claims: s.who.Claims}
	if len(context) > 0 && context.Kind() != 'n' {
		return p, p.parse(context)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asks != nil {
		p.context = s.asks.context
	}
	return p, nil
}

// parse reads a context, and lays the claims over it.
func (p *person) parse(context jsontext.Value) error {
	attributes, err := value.ParseJSON(context)
	if err != nil {
		return fmt.Errorf("the context: %w", err)
	}
	parsed, err := experiment.ParseContext(attributes)
	if err != nil {
		return err
	}
	if parsed = parsed.With(p.claims); parsed.Value().Len() > 0 {
		p.context = &parsed
	}
	return nil
}

// badContext refuses a context.
func badContext(err error) *refusal {
	return &refusal{wire.CloseBadMessage, "badContext", brief(err.Error()), "send a map of a few attributes, as {\"targetingKey\": \"u1\"}"}
}

// matters tells whether there is anything to keep.
func (p *person) matters() bool { return p.context != nil || p.by != nil || len(p.told) > 0 }

// decision is what a chooser chose; nothing where it had chosen before.
type decision struct {
	by      *chooser
	made    bool
	choices []experiment.Choice
}

// decide has a chooser choose. It takes no lock.
func (p *person) decide(c *chooser) decision {
	switch {
	case c == nil || p.by == c:
		return decision{by: c}
	case p.by != nil && c.after.Value() == p.by:
		return decision{c, true, c.again(p.choices, p.subject())}
	}
	var room [usualChoices]experiment.Choice
	return decision{c, true, slices.Clone(c.set.Choose(room[:0], p.subject(), c.at))}
}

// subject is the context that choices are made by; nil for nobody in particular. That of claims alone is made when it is first asked for.
func (p *person) subject() *experiment.Context {
	if p.context == nil && p.claims != nil && p.claims.Len() > 0 {
		claimed := experiment.Context{}.With(p.claims)
		p.context = &claimed
	}
	return p.context
}

// settle takes over a decision. The view's lock must be held.
func (p *person) settle(d decision) {
	switch {
	case p == nil:
	case d.by == nil:
		p.by, p.choices, p.face, p.roll = nil, nil, nil, nil
	case !d.made:
	case p.face != nil && p.face.of == d.by.overrides && slices.Equal(p.choices, d.choices):
		p.by = d.by
	default:
		p.by, p.choices, p.face, p.roll = d.by, d.choices, d.by.face(d.choices), d.by.roll(d.choices)
	}
}
