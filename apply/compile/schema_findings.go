package compile

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/trunkline/trunkline/value"
)

// schemaFinding is what a schema holds against a value, relative to where it is bound.
type schemaFinding struct {
	path       value.Path
	keyword    string
	message    string
	hint       string
	showsValue bool            // the message repeats what was found
	reasons    []schemaFinding // why none of the alternatives fits; they stand after the message
	key        string          // the name that is not allowed, whose map is looked for afterwards
}

// text is the whole message. hidden tells which findings must not show their value.
func (f schemaFinding) text(hidden func(schemaFinding) bool) string {
	if f.showsValue && hidden(f) {
		return "the value (not shown: it is or looks secret) does not satisfy the schema"
	}
	if len(f.reasons) == 0 {
		return f.message
	}
	why := make([]string, len(f.reasons))
	for i, reason := range f.reasons {
		why[i] = reason.text(hidden)
	}
	return oneLine(f.message + strings.Join(why, "; or "))
}

func byWhere(a, b schemaFinding) int {
	return cmp.Or(
		slices.Compare(a.path, b.path), cmp.Compare(a.keyword, b.keyword), cmp.Compare(a.hint, b.hint),
		cmp.Compare(a.key, b.key), cmp.Compare(a.message, b.message),
	)
}

// judge validates a value and lists every cause.
func (b *boundSchema) judge(v *value.Value) (found []schemaFinding) {
	compared := b.allowed * v.Weight()
	b.cost.steps = compared / comparedPerStep
	if compared > maxCompared {
		return b.tooCostly("its longest enum is compared with each value: let it list fewer")
	}
	defer func() {
		switch p := recover(); p {
		case nil:
		case tooCostly{}:
			found = b.tooCostly("simplify the schema: does it refer to itself more than once?")
		default:
			found = []schemaFinding{{keyword: "schemaInvalid", message: fmt.Sprintf("the schema %s could not judge the value", b.file), hint: "simplify the schema"}}
		}
	}()
	var invalid *jsonschema.ValidationError
	if !errors.As(b.schema.Validate(plain(v)), &invalid) {
		return nil
	}
	found = b.causes(found, invalid)
	locate(found, v)
	slices.SortFunc(found, byWhere) // the library goes through maps in any order
	return found[:min(len(found), maxSchemaFinds)]
}

// causes appends the causes that name something to mend. The alternatives of anyOf and oneOf are told together, because none of
// their causes alone is what is wrong.
func (b *boundSchema) causes(found []schemaFinding, e *jsonschema.ValidationError) []schemaFinding {
	switch k := e.ErrorKind.(type) {
	case *kind.AnyOf:
		return append(found, b.alternatives(e))
	case *kind.OneOf:
		if len(k.Subschemas) > 0 {
			f := b.finding(e, "oneOf")
			f.message = "the value fits several alternatives of which only one may fit"
			return append(found, f)
		}
		return append(found, b.alternatives(e))
	case *kind.AdditionalProperties:
		return b.unexpected(found, e, k.Properties)
	case *kind.PropertyNames:
		return append(found, b.badKey(e, k.Property))
	case *kind.Contains, *kind.MinContains:
		return append(found, b.leaf(e)) // what its items lack is not what is wrong
	case *kind.Not:
		f := b.finding(e, "not")
		f.message = "the value is what the schema excludes"
		return append(found, f)
	case *kind.FalseSchema:
		f := b.finding(e, "")
		f.keyword, f.message = "false", "no value is allowed here"
		return append(found, f)
	}
	if len(e.Causes) == 0 {
		return append(found, b.leaf(e))
	}
	for _, cause := range e.Causes {
		found = b.causes(found, cause)
	}
	return found
}

// badKey is the finding of a key that propertyNames refuses. Where it stands the library does not tell reliably.
func (b *boundSchema) badKey(e *jsonschema.ValidationError, key string) schemaFinding {
	f := b.finding(e, "")
	f.path, f.keyword, f.key = nil, "propertyNames", key
	f.message = fmt.Sprintf("the key %q is not allowed here", key)
	for _, cause := range e.Causes {
		if why := b.causes(nil, cause); len(why) > 0 {
			slices.SortFunc(why, byWhere)
			f.message += ": " + why[0].text(shown)
			break
		}
	}
	return f
}

func shown(schemaFinding) bool { return false }

// locate finds the maps that hold the keys which are not allowed. A name that fails in one map fails wherever the same schema
// judges it, so that as many maps hold it as there are findings, or else which of them is meant cannot be told and the first are
// taken.
func locate(found []schemaFinding, root *value.Value) {
	taken := map[string]int{}
	for i := range found {
		f := &found[i]
		if f.key == "" {
			continue
		}
		name := f.hint + "\x00" + f.key
		f.path = holder(root, f.key, taken[name])
		taken[name]++
	}
}

// holder is the path of a key in the n-th map that holds it.
func holder(root *value.Value, key string, n int) (path value.Path) {
	var walk func(v *value.Value, at value.Path) bool
	walk = func(v *value.Value, at value.Path) bool {
		if _, has := v.Get(key); has {
			if n--; n < 0 {
				path = append(slices.Clone(at), key)
				return true
			}
		}
		for i, e := range v.Entries() {
			step := e.Key
			if v.Kind() == value.List {
				step = strconv.Itoa(i)
			}
			if walk(e.Value, append(at, step)) {
				return true
			}
		}
		return false
	}
	walk(root, nil)
	return path
}

// finding begins a finding at the place of an error. The hint names the schema's own place.
func (b *boundSchema) finding(e *jsonschema.ValidationError, keyword string) schemaFinding {
	file, pointer, _ := strings.Cut(strings.TrimPrefix(e.SchemaURL, schemaBase), "#")
	if keyword != "" {
		pointer += "/" + keyword
	}
	return schemaFinding{path: slices.Clone(e.InstanceLocation), keyword: keyword, hint: fmt.Sprintf("see %s at %s", file, pointer)}
}

var english = message.NewPrinter(language.English)

func (b *boundSchema) tooCostly(hint string) []schemaFinding {
	return []schemaFinding{{keyword: "schemaTooCostly", message: fmt.Sprintf("the schema %s takes too long to judge the value", b.file), hint: hint}}
}

func (b *boundSchema) leaf(e *jsonschema.ValidationError) schemaFinding {
	keyword := "schema"
	if kw := e.ErrorKind.KeywordPath(); len(kw) > 0 {
		keyword = kw[0]
	}
	f := b.finding(e, keyword)
	switch k := e.ErrorKind.(type) {
	case *kind.Enum:
		f.message = oneLine(fmt.Sprintf("it is none of %s", few(k.Want)))
	case *kind.Const:
		f.message = oneLine(fmt.Sprintf("it is not %s", few([]any{k.Want})))
	case *kind.Type:
		f.message = fmt.Sprintf("it is %s; it must be %s", typeName(k.Got), strings.Join(mapped(k.Want, typeName), " or "))
	case *kind.Required:
		f.message = oneLine("missing: " + strings.Join(k.Missing[:min(len(k.Missing), MaxProblems)], ", "))
	case *kind.Maximum:
		f.message = fmt.Sprintf("%s is more than the maximum, %s", decimal(k.Got), decimal(k.Want))
	case *kind.Minimum:
		f.message = fmt.Sprintf("%s is less than the minimum, %s", decimal(k.Got), decimal(k.Want))
	case *kind.ExclusiveMaximum:
		f.message = fmt.Sprintf("%s is not less than %s", decimal(k.Got), decimal(k.Want))
	case *kind.ExclusiveMinimum:
		f.message = fmt.Sprintf("%s is not more than %s", decimal(k.Got), decimal(k.Want))
	case *kind.MultipleOf:
		f.message = fmt.Sprintf("%s is no multiple of %s", decimal(k.Got), decimal(k.Want))
	default:
		f.message = oneLine(k.LocalizedString(english))
	}
	f.showsValue = showsValue(e.ErrorKind)
	return f
}

// few lists allowed values, as many as people read.
func few(allowed []any) string {
	const most = 10
	var texts []string
	for _, v := range allowed[:min(len(allowed), most)] {
		text, err := json.Marshal(v)
		if err != nil {
			continue // what a schema holds came from a document
		}
		texts = append(texts, string(text))
	}
	list := strings.Join(texts, ", ")
	if len(allowed) > most {
		list += fmt.Sprintf(" and %d more", len(allowed)-most)
	}
	return list
}

// showsValue tells whether the message repeats something of the value, be it only its length.
func showsValue(k jsonschema.ErrorKind) bool {
	switch k.(type) {
	case *kind.Maximum, *kind.Minimum, *kind.ExclusiveMaximum, *kind.ExclusiveMinimum, *kind.MultipleOf, *kind.Enum, *kind.Const,
		*kind.Format, *kind.Pattern, *kind.MinLength, *kind.MaxLength, *kind.ContentEncoding, *kind.ContentMediaType:
		return true
	default:
		return false
	}
}

// decimal writes a number as people do.
func decimal(r *big.Rat) string {
	if r.IsInt() {
		return r.RatString()
	}
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'g', -1, 64)
}

func typeName(name string) string {
	switch name {
	case "object":
		return "a map"
	case "array":
		return "a list"
	case "integer":
		return "an integer"
	default:
		return "a " + name
	}
}

func mapped(in []string, f func(string) string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = f(s)
	}
	return out
}

func (b *boundSchema) alternatives(e *jsonschema.ValidationError) schemaFinding {
	f := b.finding(e, e.ErrorKind.KeywordPath()[0])
	f.message = "the value fits none of the alternatives: "
	for _, cause := range e.Causes {
		if inner := b.causes(nil, cause); len(inner) > 0 && len(f.reasons) < 4 {
			f.reasons = append(f.reasons, slices.MinFunc(inner, byWhere))
		}
	}
	return f
}

// unexpected points at each key that the schema does not know.
func (b *boundSchema) unexpected(found []schemaFinding, e *jsonschema.ValidationError, keys []string) []schemaFinding {
	for _, key := range keys {
		f := b.finding(e, "additionalProperties")
		f.path = append(f.path, key)
		f.message = fmt.Sprintf("the schema knows no key %q here", key)
		if near := value.Nearest(key, knownProperties(b.schema, e.InstanceLocation)); near != "" {
			f.hint = fmt.Sprintf("did you mean %s? %s", near, f.hint)
		}
		found = append(found, f)
	}
	return found
}

// knownProperties are the keys a schema names at a place, as far as they can be told without judging.
func knownProperties(s *jsonschema.Schema, at []string) []string {
	for _, segment := range at {
		for s != nil && s.Ref != nil && s.Properties == nil {
			s = s.Ref
		}
		if s == nil {
			return nil
		}
		s = s.Properties[segment]
	}
	for s != nil && s.Ref != nil && s.Properties == nil {
		s = s.Ref
	}
	if s == nil {
		return nil
	}
	keys := make([]string, 0, len(s.Properties))
	for key := range s.Properties {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
