package client

import (
	"encoding/json"
	"time"

	"github.com/trunkline/trunkline/client/wire"
	"github.com/trunkline/trunkline/value"
)

// State is all that is known of an environment at one moment: one version, and its values. It is immutable, so what is read from one
// State belongs together. All its methods may be called on a nil State, which holds nothing.
type State struct {
	Values     *value.Value // a map
	Cursor     string       // names the content to the server
	Commit     string
	Author     string // with the right to the history alone, as Subject
	Subject    string
	RollbackOf string // the commit whose content Commit restores

	// Assignments are the variants of experiments that whoever asks has, as far as something of them can be seen, in the order of the
	// experiments' keys. They may come a moment after the values that they belong to.
	Assignments []Assignment
	// Definitions are what package local decides by, with [Local] alone: rollouts and experiments as JSON.
	Definitions json.RawMessage
}

// Assignment is a variant of an experiment that somebody has.
type Assignment = wire.Assignment

// Get finds a value. It is not found where nothing stands, or where what stands is redacted.
func (s *State) Get(path string) (*value.Value, bool) {
	if s == nil || s.Values == nil {
		return nil, false
	}
	v, ok := s.Values.Lookup(path)
	return v, ok && v.Kind() != value.Redacted
}

// String reads a string, or the default where there is none.
func (s *State) String(path, otherwise string) string {
	if v, ok := s.Get(path); ok && v.Kind() == value.String {
		return v.Str()
	}
	return otherwise
}

// Int reads an integer, or the default where there is none.
func (s *State) Int(path string, otherwise int64) int64 {
	if v, ok := s.Get(path); ok && v.Kind() == value.Int {
		return v.Int()
	}
	return otherwise
}

// Float reads a number, integers included, or the default where there is none.
func (s *State) Float(path string, otherwise float64) float64 {
	if v, ok := s.Get(path); ok && (v.Kind() == value.Float || v.Kind() == value.Int) {
		return v.Float()
	}
	return otherwise
}

// Bool reads a boolean, or the default where there is none.
func (s *State) Bool(path string, otherwise bool) bool {
	if v, ok := s.Get(path); ok && v.Kind() == value.Bool {
		return v.Bool()
	}
	return otherwise
}

// Duration reads a duration written like 90s or 7d, or the default where there is none.
func (s *State) Duration(path string, otherwise time.Duration) time.Duration {
	if v, ok := s.Get(path); ok {
		if d, err := value.ParseDuration(v.Str()); err == nil {
			return d
		}
	}
	return otherwise
}

// Decode reads a value into what target points to, as [value.Decode] does.
func (s *State) Decode(path string, target any) error { return value.Decode(s.values(), path, target) }

func (s *State) values() *value.Value {
	if s == nil {
		return nil
	}
	return s.Values
}
