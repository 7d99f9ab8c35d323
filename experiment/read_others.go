package experiment

import (
	"slices"

	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/expr"
)

// layer reads the document of layers/key.yaml.
func (r *reader) layer(key string, doc *value.Value) *Layer {
	x := &Layer{Key: key, Unit: Unit{Attribute: TargetingKey}, at: doc}
	holdout := 0
	r.members(doc, "a layer", []member{
		{"description", "", r.text("description", &x.Description)},
		{"owner", "", r.text("owner", &x.Owner)},
		{"unit", "", r.attribute("unit", &x.Unit.Attribute)},
		{"fallback", "", r.attribute("fallback", &x.Unit.Fallback)},
		{"salt", "salt: '5d1f7a26c3e8', some random letters and digits", r.salt(&x.salt)},
		{"holdout", "", r.share("holdout", &holdout)},
	})
	x.Holdout = final(holdout)
	return x
}

// segment reads the document of segments/key.yaml.
func (r *reader) segment(key string, doc *value.Value) *Segment {
	x := &Segment{Key: key, at: doc}
	r.members(doc, "a segment", []member{
		{"description", "", r.text("description", &x.Description)},
		{"owner", "", r.text("owner", &x.Owner)},
		{"when", `when: context.email.endsWith("@example.com")`, r.condition("when", &x.condition)},
	})
	x.When = x.condition.text
	return x
}

// aggregations are what may be made of a unit's events, by the kind of metric; the first is meant where none is written.
var aggregations = map[string][]string{
	"proportion": {"any"},
	"mean":       {"sum", "count", "mean", "min", "max", "last"},
	"ratio":      {"sum", "count"},
}

// metric reads the document of metrics/key.yaml.
func (r *reader) metric(key string, doc *value.Value) *Metric {
	x := &Metric{Key: key, Name: key, Better: "higher", at: doc}
	r.members(doc, "a metric", []member{
		{"name", "", r.text("name", &x.Name)},
		{"description", "", r.text("description", &x.Description)},
		{"owner", "", r.text("owner", &x.Owner)},
		{"kind", "kind: proportion", r.oneOf("kind", &x.Kind, "proportion", "mean", "ratio")},
		{"event", "event: purchase", r.text("event", &x.Numerator.Event)},
		{"aggregation", "", r.text("aggregation", &x.Numerator.Aggregation)},
		{"value", "", r.text("value", &x.Numerator.Value)},
		{"denominator", "", func(v *value.Value) {
			r.members(v, "the denominator", []member{
				{"event", "event: visit", r.text("event", &x.Denominator.Event)},
				{"aggregation", "", r.text("aggregation", &x.Denominator.Aggregation)},
				{"value", "", r.text("value", &x.Denominator.Value)},
			})
			r.events(x, v, &x.Denominator)
		}},
		{"better", "", r.oneOf("better", &x.Better, "higher", "lower")},
	})
	r.events(x, doc, &x.Numerator)
	if _, divided := doc.Get("denominator"); divided != (x.Kind == "ratio") && r.errors == 0 {
		r.wrong(doc, "write kind: ratio and denominator: {event: visit, aggregation: count}, or neither", "a ratio has a denominator, and nothing else does")
	}
	return x
}

// events settle what is made of a unit's events, and whether it needs a value of them.
func (r *reader) events(x *Metric, at *value.Value, e *Events) {
	known := aggregations[x.Kind]
	if known == nil || r.errors > 0 {
		return
	}
	if e.Aggregation == "" {
		e.Aggregation = known[0]
		if e.Value == "" && x.Kind != "proportion" {
			e.Aggregation = "count"
		}
	}
	counts := e.Aggregation == "any" || e.Aggregation == "count"
	switch {
	case !slices.Contains(known, e.Aggregation):
		r.wrong(at, value.Suggestion(e.Aggregation, known, "known are "), "%s is no aggregation of a %s", e.Aggregation, x.Kind)
	case !counts && e.Value == "":
		r.wrong(at, "add value: amount, the property of the event", "the aggregation %s needs a value", e.Aggregation)
	case counts && e.Value != "":
		r.wrong(at, "remove value, or write aggregation: sum", "the aggregation %s looks at no value", e.Aggregation)
	}
}

// context reads what is declared of attributes: a part of JSON Schema 2020-12. Nothing declared is a nil shape.
func (r *reader) context(v *value.Value) *expr.Shape {
	if v == nil || v.Kind() == value.Null {
		return nil
	}
	shape := r.shape(v, "context", 0)
	if shape.Kind != expr.MapShape {
		r.wrong(v, "write context: {properties: {country: {type: string}}}", "the context is a map of attributes")
		return nil
	}
	return shape
}

var shapeKinds = map[string]expr.ShapeKind{
	"string": expr.TextShape, "integer": expr.WholeShape, "number": expr.NumberShape, "boolean": expr.FlagShape, "array": expr.ListShape, "object": expr.MapShape,
}

// shape reads the schema of one attribute.
func (r *reader) shape(v *value.Value, name string, depth int) *expr.Shape {
	s := &expr.Shape{}
	if depth > MaxContextDepth {
		r.wrong(v, "flatten it", "%s lies deeper than %d", name, MaxContextDepth)
		return s
	}
	var kind, text string
	r.members(v, "the schema of "+name, []member{
		{"$schema", "", r.text("$schema", &text)},
		{"title", "", r.text("title", &text)},
		{"description", "", r.text("description", &text)},
		{"type", "", r.oneOf("type", &kind, "string", "integer", "number", "boolean", "array", "object")},
		{"items", "", func(v *value.Value) { s.Items = r.shape(v, name+"[]", depth+1) }},
		{"properties", "", func(v *value.Value) {
			s.Members = map[string]*expr.Shape{}
			r.named(v, "properties", "properties: {country: {type: string}}", MaxAttributes, func(e value.Entry) {
				s.Members[e.Key] = r.shape(e.Value, e.Key, depth+1)
			})
		}},
		{"additionalProperties", "", func(v *value.Value) {
			if s.Open = v.Bool(); v.Kind() != value.Bool {
				r.wrong(v, "write additionalProperties: true", "additionalProperties is true or false")
			}
		}},
	})
	s.Kind = shapeKinds[kind]
	_, additional := v.Get("additionalProperties")
	switch {
	case kind == "" && (s.Members != nil || additional):
		s.Kind = expr.MapShape
	case s.Kind != expr.MapShape && (s.Members != nil || additional), s.Kind != expr.ListShape && s.Items != nil:
		r.wrong(v, "properties and additionalProperties are an object's, items are an array's", "the schema of %s does not fit its type", name)
	}
	return s
}
