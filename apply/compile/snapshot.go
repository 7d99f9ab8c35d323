package compile

import (
	"slices"
	"sync"

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

	marks    []value.Pattern // what this tree itself calls sensitive
	policies *policySet
	sight    *sight // nil for one that was not compiled
}

// Sum is the checksum of what is delivered; sensitive values count by their keyed fingerprints.
func (s *Snapshot) Sum() value.Sum { return s.Delivered.Sum() }

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

func (s *Snapshot) seen() *sight {
	if s.sight == nil {
		return newSight(value.NewRedactor(nil, value.Shown), s.Delivered, nil)
	}
	return s.sight
}

// snapshot is what became of an environment.
func (r *run) snapshot(env string) *Snapshot {
	values, marks, redactors := r.values[env], r.sensitive(env), r.redactorsOf(env)
	return &Snapshot{
		Environment: env, Manifest: r.own, Values: values, Delivered: redactors.delivered.Redact(values, marks),
		marks: r.marks, policies: r.policies, sight: newSight(redactors.shown, values, marks),
	}
}
