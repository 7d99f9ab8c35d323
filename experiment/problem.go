package experiment

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/value"
)

// Problem is one finding in the files. Path is the path of the configuration that it is about, where it is about one.
type Problem struct {
	Place        value.Pos `json:"place"`
	Path         string    `json:"path,omitempty"`
	Rule         string    `json:"rule"`
	Message      string    `json:"message"`
	Hint         string    `json:"hint,omitempty"`
	Warning      bool      `json:"warning,omitempty"`
	Environments []string  `json:"environments,omitempty"` // sorted; nil: all
}

// String writes the problem on one line: place, message, rule, hint.
func (p Problem) String() string {
	s := fmt.Sprintf("%s: %s (%s)", p.Place, p.Message, p.Rule)
	if p.Hint != "" {
		s += "; " + p.Hint
	}
	return s
}

// report collects the problems of one file, or of what files say of each other.
type report struct {
	problems     []Problem
	environments []string // of the file; nil: all
	errors       int
}

func (r *report) add(p Problem) {
	if !p.Warning {
		r.errors++
	}
	p.Message, p.Hint = clip(p.Message), clip(p.Hint)
	r.problems = append(r.problems, p)
}

// clip shortens a text that repeats what stands in a file.
func clip(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage], "") + "…"
}

func (r *report) fail(at *value.Value, rule, hint, message string, args ...any) {
	r.add(Problem{Place: at.Pos(), Rule: rule, Message: fmt.Sprintf(message, args...), Hint: hint, Environments: r.environments})
}

func (r *report) warn(at *value.Value, rule, hint, message string, args ...any) {
	r.add(Problem{Place: at.Pos(), Rule: rule, Message: fmt.Sprintf(message, args...), Hint: hint, Environments: r.environments, Warning: true})
}

// union is what is in one of two sorted lists of names; nil is all.
func union(a, b []string) []string {
	if a == nil || b == nil {
		return nil
	}
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// common is what is in both of two sorted lists of names.
func common(a, b []string) []string {
	var both []string
	for len(a) > 0 && len(b) > 0 {
		switch strings.Compare(a[0], b[0]) {
		case -1:
			a = a[1:]
		case 1:
			b = b[1:]
		default:
			both = append(both, a[0])
			a, b = a[1:], b[1:]
		}
	}
	return both
}
