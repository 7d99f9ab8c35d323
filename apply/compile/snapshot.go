package compile

import (
	"slices"
	"sync"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// Snapshot is one tree, compiled for one environment. It is immutable.
type Snapshot struct {
	Environment string
	Manifest    *Manifest
	// Values are the configuration as it was written.
	Values *value.Value
	// Delivered are the values with what is marked sensitive redacted, by this tree or by its baseline.
	Delivered *value.Value
	// Definitions are the rollouts and experiments of the tree, with what they lean on; nil where it has none.
	Definitions *experiment.Definitions
	// Overrides are what is laid over Values for those who ask, and DeliveredOverrides what is laid over Delivered, with the same numbers.
	// Both are nil where nothing is in the environment.
	Overrides, DeliveredOverrides *experiment.Set

	marks    []value.Pattern // what this tree itself calls sensitive
	policies *policySet
	sight    *sight // nil for one that was not compiled

	shownOverrides func() *experiment.Set // nil for one that was not compiled
}

// Sum is the checksum of what is delivered; sensitive values count by their keyed fingerprints.
func (s *Snapshot) Sum() value.Sum { return s.Delivered.Sum() }

// Of is what is delivered: to those who may see what is sensitive, and to all others. The overrides are nil where there are none.
func (s *Snapshot) Of(reveals bool) (*value.Value, *experiment.Set) {
	if reveals {
		return s.Values, s.Overrides
	}
	return s.Delivered, s.DeliveredOverrides
}

// With is the snapshot with other options of its overrides.
func (s *Snapshot) With(o experiment.Options) *Snapshot {
	if s.Overrides == nil {
		return s
	}
	return s.overlaid(s.Overrides.With(o), s.DeliveredOverrides.With(o))
}

// WithThose is the snapshot with the overrides of another one, which came of the same definitions and marks.
func (s *Snapshot) WithThose(of *Snapshot) *Snapshot {
	return s.overlaid(of.Overrides, of.DeliveredOverrides)
}

func (s *Snapshot) overlaid(own, delivered *experiment.Set) *Snapshot {
	other := *s
	other.Overrides, other.DeliveredOverrides = own, delivered
	other.shownOverrides = other.showOverrides()
	return &other
}

// MarkedBy is the snapshot as a baseline that calls sensitive what another one does, too. Its own values stay as they are redacted.
func (s *Snapshot) MarkedBy(other *Snapshot) *Snapshot {
	marked := *s
	marked.marks = slices.Concat(s.marks, other.marks)
	return &marked
}

// sight is how people see a snapshot.
type sight struct {
	redactor *value.Redactor
	marks    []value.Pattern
	values   func() *value.Value
}

func newSight(redactor *value.Redactor, values *value.Value, marks []value.Pattern) *sight {
	return &sight{redactor, marks, sync.OnceValue(func() *value.Value { return redactor.Redact(values, marks) })}
}

// Shown are the values as people may see them: without what this tree or its baseline marks, and without what looks secret. They are
// made when they are first asked for, and share what did not change with those of other snapshots of the same Compiler.
func (s *Snapshot) Shown() *value.Value { return s.seen().values() }

// ShownAt is what stands, or stood, at a path, as people may see it by what this snapshot knows to be sensitive: a value of one of its
// layers, or of another version.
func (s *Snapshot) ShownAt(path value.Path, v *value.Value) *value.Value {
	return s.seen().redactor.RedactAt(path, v, s.seen().marks)
}

// ShownOverrides are the overrides as people may see them, as [Snapshot.Shown] are the values; nil where there are none. They are made when
// they are first asked for.
func (s *Snapshot) ShownOverrides() *experiment.Set {
	if s.shownOverrides == nil {
		return s.showOverrides()()
	}
	return s.shownOverrides()
}

func (s *Snapshot) showOverrides() func() *experiment.Set {
	set, seen := s.Overrides, s.seen()
	return sync.OnceValue(func() *experiment.Set {
		if set == nil {
			return nil
		}
		return set.Redacted(func(path value.Path, v *value.Value) *value.Value { return seen.redactor.RedactAt(path, v, seen.marks) })
	})
}

func (s *Snapshot) seen() *sight {
	if s.sight == nil {
		return newSight(value.NewRedactor(nil, value.Shown), s.Delivered, nil)
	}
	return s.sight
}

// snapshot is what became of an environment.
func (r *run) snapshot(env string) *Snapshot {
	values, marks, redactors, over := r.values[env], r.sensitive(env), r.redactorsOf(env), r.overlaidOn(env)
	s := &Snapshot{
		Environment: env, Manifest: r.own, Values: values, Delivered: redactors.delivered.Redact(values, marks),
		Definitions: r.defined.definitions, Overrides: over.own, DeliveredOverrides: over.delivered,
		marks: r.marks, policies: r.policies, sight: newSight(redactors.shown, values, marks),
	}
	s.shownOverrides = s.showOverrides()
	return s
}
