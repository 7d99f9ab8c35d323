package notify

import (
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// mayDecide judges whether a client may decide by itself who gets what.
func mayDecide(grant access.Grant, m *wire.Client) *refusal {
	if m.Evaluate != wire.EvaluateLocal || grant.May(access.Define) {
		return nil
	}
	return &refusal{
		wire.CloseForbidden, "forbidden", "the credential may not see how rollouts and experiments are defined",
		"use one with the right define, or leave out evaluate",
	}
}

// defined is what a view of clients that decide by themselves was sent last, and what it was made of.
type defined struct {
	whole *experiment.Set
	scope string
	held  time.Time
	text  *value.Value
}

// definitionsOf are the definitions that the view shows of a version that it has just seen; nil where its clients do not decide by
// themselves.
func (v *view) definitionsOf(version *apply.Version) *value.Value {
	whole, d := laid(version, v.grant.May(access.Reveal)), &v.defined
	if v.local && (d.text == nil || d.whole != whole || d.scope != v.seen.scope.Key() || !d.held.Equal(version.Held)) {
		*d = defined{whole, v.seen.scope.Key(), version.Held, v.define(version, v.seen.scope)}
	}
	return d.text
}

// define makes the definitions of a version as far as a scope sees something of them.
func (v *view) define(version *apply.Version, scope access.Scope) *value.Value {
	if !v.local {
		return nil
	}
	return definitions(version, laid(version, v.grant.May(access.Reveal)), scope)
}

func definitions(version *apply.Version, of *experiment.Set, scope access.Scope) *value.Value {
	if of == nil {
		return value.Empty
	}
	d := of.Export(scope.Select)
	if d.Len() == 0 || version.Held.IsZero() {
		return d
	}
	held, _ := d.Set(value.Path{"held"}, value.NewString(version.Held.UTC().Format(time.RFC3339), value.Place{}))
	return held
}
