package compile

import (
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/expr"
)

// extension is what a schema has of ours: the keyword x-sensitive, and a count of how often it was asked.
type extension struct {
	sensitive bool
	meter     *meter
}

// meter counts the steps of a judgement. A schema that refers to itself twice takes time beyond all bounds on a deep value.
type meter struct {
	steps   int
	formats map[string]bool // that schemas name and nobody knows
}

// knownFormats are those that are asserted.
var knownFormats = []string{
	"date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "iri", "iri-reference", "json-pointer", "period", "regex",
	"relative-json-pointer", "semver", "time", "uri", "uri-reference", "uri-template", "uuid",
}

type tooCostly struct{}

// add counts steps, and panics where there have been too many: the library knows no other way to stop.
func (m *meter) add(steps int) {
	if m.steps += steps; m.steps > maxSchemaSteps {
		panic(tooCostly{})
	}
}

// regexps makes regular expressions that count what they cost.
func (m *meter) regexps(text string) (jsonschema.Regexp, error) {
	re, err := expr.CompileRegexp(text)
	if err != nil {
		return nil, err
	}
	return meteredRegexp{re, m}, nil
}

type meteredRegexp struct {
	*expr.Regexp
	meter *meter
}

// MatchString counts before it matches.
func (r meteredRegexp) MatchString(s string) bool {
	r.meter.add(int(r.Cost(s)))
	return r.Regexp.MatchString(s)
}

// Validate judges nothing: it counts.
func (e extension) Validate(*jsonschema.ValidatorContext, any) {
	e.meter.add(1)
}

func (m *meter) compile(_ *jsonschema.CompilerContext, obj map[string]any) (jsonschema.SchemaExt, error) {
	if format, ok := obj["format"].(string); ok && !slices.Contains(knownFormats, format) {
		m.formats[format] = true
	}
	marked, _ := obj["x-sensitive"].(bool)
	return extension{marked, m}, nil
}

func isSensitive(s *jsonschema.Schema) bool {
	return s.WriteOnly || slices.ContainsFunc(s.Extensions, func(e jsonschema.SchemaExt) bool {
		own, ok := e.(extension)
		return ok && own.sensitive
	})
}

// sensitiveMarks are the patterns of what a schema calls writeOnly or x-sensitive anywhere, whatever conditions stand around it:
// a value is better hidden once too often.
func sensitiveMarks(s *jsonschema.Schema, at value.Pattern) []value.Pattern {
	w := &markWalk{at: map[*jsonschema.Schema]int{}, open: map[*jsonschema.Schema]bool{}, marks: map[*jsonschema.Schema][]mark{}}
	w.visit(s)
	marks := w.marks[s]
	if w.overflow {
		marks = []mark{{deep}}
	}
	var above mark
	if text := at.String(); text != "" {
		above = mark{text}
	}
	patterns := make([]value.Pattern, len(marks))
	for i, m := range marks {
		patterns[i] = slices.Concat(above, m).pattern()
	}
	return patterns
}

// mark is a sensitive place below a schema: the segments of a pattern.
type mark []string

const deep = "**"

// pattern is the mark as a pattern. One that is too long to be parsed becomes one that selects more.
func (m mark) pattern() value.Pattern {
	for {
		text := ""
		for _, step := range m {
			if text != "" && step[0] != '[' {
				text += "."
			}
			text += step
		}
		if p, err := value.ParsePattern(text); err == nil {
			return p
		}
		m = append(m[:max(0, len(m)-2):len(m)], deep)
	}
}

// below is the mark as it is seen from one step above.
func (m mark) below(step string) mark {
	if step == "" {
		return m
	}
	return append(mark{step}, m...)
}

// anywhere is the mark at any depth. A pattern holds two ** at most, so that those between the first and the last go.
func (m mark) anywhere() mark {
	last := -1
	for i, step := range m {
		if step == deep {
			last = i
		}
	}
	first := slices.Index(m, deep)
	if first != last {
		m = slices.Concat(m[:first+1], m[last+1:])
	}
	return m.below(deep)
}

// markWalk finds the marks of every schema below one. Schemas that refer to each other in a circle share theirs, at any depth:
// this is Tarjan's algorithm, so that each is visited once, however they refer to each other.
type markWalk struct {
	at       map[*jsonschema.Schema]int // the number in which a schema was met
	open     map[*jsonschema.Schema]bool
	stack    []*jsonschema.Schema
	marks    map[*jsonschema.Schema][]mark
	work     int
	overflow bool
}

func (w *markWalk) visit(s *jsonschema.Schema) (least int) {
	number := len(w.at) + 1
	w.at[s], w.open[s], least = number, true, number
	w.stack = append(w.stack, s)
	for _, e := range edges(s) {
		if w.at[e.to] == 0 {
			least = min(least, w.visit(e.to))
		} else if w.open[e.to] {
			least = min(least, w.at[e.to])
		}
	}
	if least == number {
		i := slices.Index(w.stack, s)
		w.settle(w.stack[i:])
		w.stack = w.stack[:i]
	}
	return least
}

// settle finds the marks of schemas that refer to each other in a circle, or of one that does not.
func (w *markWalk) settle(circle []*jsonschema.Schema) {
	var marks []mark
	descends := false
	for _, s := range circle {
		if isSensitive(s) {
			marks = append(marks, mark{})
		}
		for _, e := range edges(s) {
			if w.open[e.to] {
				descends = descends || e.step != ""
				continue
			}
			for _, m := range w.marks[e.to] {
				marks = append(marks, m.below(e.step))
			}
		}
	}
	if descends {
		for i, m := range marks {
			marks[i] = m.anywhere()
		}
	}
	if w.work += len(marks); len(marks) > maxMarks || w.work > maxMarkWork {
		w.overflow, marks = true, nil
	}
	marks = distinct(marks)
	for _, s := range circle {
		w.marks[s] = marks
		delete(w.open, s)
	}
}

// distinct leaves out what stands twice, and what lies deeper than any value.
func distinct(marks []mark) []mark {
	slices.SortFunc(marks, func(a, b mark) int { return slices.Compare(a, b) })
	marks = slices.CompactFunc(marks, func(a, b mark) bool { return slices.Equal(a, b) })
	return slices.DeleteFunc(marks, func(m mark) bool { return len(m) > value.MaxDepth+value.MaxDeepWildcards })
}

// edge leads from a schema to one that judges the same value, or, with a step, one below it.
type edge struct {
	step string
	to   *jsonschema.Schema
}

// edges are the ways down from a schema. What is sensitive as a whole has none. Keywords of older drafts count as well.
func edges(s *jsonschema.Schema) []edge {
	if isSensitive(s) {
		return nil
	}
	var found []edge
	add := func(step string, schemas ...*jsonschema.Schema) {
		for _, to := range schemas {
			if to != nil {
				found = append(found, edge{step, to})
			}
		}
	}
	add("", s.Ref, s.RecursiveRef, s.Not, s.If, s.Then, s.Else)
	if s.DynamicRef != nil {
		add("", s.DynamicRef.Ref)
	}
	add("", slices.Concat(s.AllOf, s.AnyOf, s.OneOf)...)
	for _, same := range s.DependentSchemas {
		add("", same)
	}
	for _, same := range s.Dependencies {
		add("", schemasOf(same)...)
	}
	for key, below := range s.Properties {
		add(value.Path{key}.String(), below)
	}
	for _, below := range s.PatternProperties {
		add("*", below)
	}
	add("*", s.UnevaluatedProperties, s.Items2020, s.Contains, s.UnevaluatedItems)
	add("*", s.PrefixItems...)
	add("*", slices.Concat(schemasOf(s.AdditionalProperties), schemasOf(s.Items), schemasOf(s.AdditionalItems))...)
	return found
}

// schemasOf are the schemas of a keyword that may hold one, several, or something else.
func schemasOf(keyword any) []*jsonschema.Schema {
	switch k := keyword.(type) {
	case *jsonschema.Schema:
		return []*jsonschema.Schema{k}
	case []*jsonschema.Schema:
		return k
	default:
		return nil
	}
}

// covered tells whether a mark selects a path or something above it.
func covered(marks []value.Pattern, path value.Path) bool {
	return slices.ContainsFunc(marks, func(m value.Pattern) bool { return m.Covers(path) })
}
