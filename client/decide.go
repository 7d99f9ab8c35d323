package client

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/trunkline/trunkline/client/wire"
)

// define takes definitions, which count from the state that they name on.
func (r *run) define(m *wire.Server) error {
	switch {
	case r.o.Evaluate != Local:
		return nil // nobody asked
	case m.Chunks > 0:
		r.parts = &parts{head: m}
		return nil
	case len(m.Definitions) > maxDefinitions || countNodes(m.Definitions) > r.bounds.nodes:
		return r.forget(fmt.Sprintf("definitions are larger than %d bytes, or hold more than %d values", maxDefinitions, r.bounds.nodes))
	}
	r.definitions = m
	return nil
}

// defined gives a state its definitions: those that came before it, else those of the state before.
func (r *run) defined(o *offer) error {
	if r.o.Evaluate != Local {
		return nil
	}
	m := r.definitions
	r.definitions = nil
	switch {
	case m != nil && m.Cursor != o.state.Cursor:
		return r.forget("definitions come before another state than they belong to")
	case m == nil && r.has == nil:
		return r.forget("a state comes without its definitions")
	case m == nil || r.has != nil && bytes.Equal(m.Definitions, r.has.state.Definitions):
		o.state.Definitions = r.has.state.Definitions
	default:
		o.state.Definitions = m.Definitions
	}
	return nil
}

// unassign lets a state begin with the assignments there are. After a greeting the server tells of them only if there are any.
func (r *run) unassign(o *offer) {
	if r.has != nil {
		o.state.Assignments = r.has.state.Assignments
	} else if s := r.State(); s != nil {
		o.state.Assignments = s.Assignments
	}
	if !r.greeted && len(o.state.Assignments) > 0 {
		r.unassigned = time.After(r.times.assign)
	}
	r.greeted = true
}

// assigned takes the list of all assignments, in the place of the one before.
func (r *run) assigned(m *wire.Server) error {
	switch {
	case r.parts != nil:
		return r.forget("a snapshot breaks off")
	case r.has == nil || r.has.state.Cursor != m.Cursor:
		return r.forget("assignments are of another state than we have")
	case len(m.Assignments) > maxAssignments:
		return r.forget(fmt.Sprintf("there are more than %d assignments", maxAssignments))
	}
	r.assign(m.Assignments)
	return nil
}

// assign makes assignments those of the state that the server takes us to have. Who reads sees them when the program has accepted that.
func (r *run) assign(list []Assignment) {
	r.unassigned = nil
	o := r.has
	if o == nil || slices.Equal(o.state.Assignments, list) {
		return
	}
	state := *o.state
	state.Assignments = list
	o.state = &state
	if o.accepted() {
		r.feeder.Put(o.state)
		r.keep.put(o)
		r.event(Event{Kind: Assigned, State: o.state})
	}
}
