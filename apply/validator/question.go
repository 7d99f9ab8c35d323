package validator

import (
	"slices"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/value"
)

// questionVersion is of the question and of the answer. A new key of the question does not change it.
const questionVersion = 1

// question writes what is asked.
func question(c compile.Candidate, reveal bool) []byte {
	nowhere := value.Place{}
	return value.NewMap([]value.Entry{
		{Key: "version", Value: value.NewInt(questionVersion, nowhere)},
		{Key: "environment", Value: value.NewString(c.Environment, nowhere)},
		{Key: "commit", Value: commit(c)},
		{Key: "rollback", Value: value.NewBool(c.Rollback, nowhere)},
		{Key: "values", Value: values(c.New, reveal)},
		{Key: "baseline", Value: values(c.Old, reveal)},
	}, nowhere).AppendJSON(nil)
}

func commit(c compile.Candidate) *value.Value {
	if c.Commit == nil {
		return value.NewNull(value.Place{})
	}
	entries := append(slices.Clone(c.Commit.Entries()), value.Entry{Key: "id", Value: value.NewString(c.ID, value.Place{})})
	return value.NewMap(entries, value.Place{})
}

func values(s *compile.Snapshot, reveal bool) *value.Value {
	switch {
	case s == nil:
		return value.NewNull(value.Place{})
	case reveal:
		return s.Values
	default:
		return s.Delivered
	}
}
