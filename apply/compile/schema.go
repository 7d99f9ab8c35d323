package compile

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/trunkline/trunkline/value"
)

// schemaBase is what the names of schema files are resolved against. Nothing is ever fetched from it.
const schemaBase = "trunkline://config/"

// schemaSet are the compiled schemas of one state of schemas/.
type schemaSet struct {
	folder   folderKey
	bindings string         // of the manifest
	bound    []*boundSchema // by path
	marks    []value.Pattern
	problems []Problem
}

// boundSchema is a schema with the values that it judges.
type boundSchema struct {
	file   string
	match  value.Pattern
	at     Problem // where it is bound
	key    schemaKey
	schema *jsonschema.Schema
	cost   *meter
	// allowed is how many values the longest enum lists: it may be compared with each value.
	allowed int
}

// schemaKey names a schema by all that it depends on.
type schemaKey struct {
	file string
	hash Hash // of the file, or of all of schemas/ when it refers to others
}

// compileSchemas compiles schemas/, or takes it from the commit before.
func (r *run) compileSchemas() *schemaSet {
	if len(r.standing()) == 0 {
		return &schemaSet{}
	}
	if r.schemas == nil || r.schemas.folder != r.layout.schemas.key || r.schemas.bindings != r.own.boundSchemas() {
		r.schemas = r.newSchemaSet()
	}
	for _, p := range r.schemas.problems {
		r.everywhere(p)
	}
	return r.schemas
}

func (r *run) newSchemaSet() *schemaSet {
	set := &schemaSet{folder: r.layout.schemas.key, bindings: r.own.boundSchemas()}
	cost := &meter{formats: map[string]bool{}}
	compiler := newSchemaCompiler(cost)
	files := map[string]file{}
	bindings := r.own.bindings
	longest := 0
	r.layout.schemas.each(func(f file) {
		doc := r.parsed[f.path]
		if doc == nil || doc.value == nil {
			return
		}
		if err := compiler.AddResource(schemaBase+f.path, plain(doc.value)); err != nil {
			set.problems = append(set.problems, schemaProblem(f.path, doc.value, err))
			return
		}
		longest = max(longest, longestEnum(doc.value))
		files[f.path] = f
		if isBound(f.path) {
			bindings = append(bindings[:len(bindings):len(bindings)], binding{match: value.Literal(schemaMount(f)), schema: f.path})
		}
	})
	schemas := map[string]*jsonschema.Schema{} // nil for those that cannot be used
	for _, b := range bindings {
		f, ok := files[b.schema]
		if !ok {
			set.missing(b, r)
			continue
		}
		doc := r.parsed[f.path].value
		schema, known := schemas[f.path]
		if !known {
			var err error
			if schema, err = compileSchema(compiler, schemaBase+f.path); err != nil {
				set.problems = append(set.problems, schemaProblem(f.path, doc, err))
			}
			schemas[f.path] = schema
		}
		if schema == nil {
			continue
		}
		bound := &boundSchema{
			file: f.path, match: b.match, at: Problem{File: f.path, Line: 1, Column: 1}, schema: schema, cost: cost,
			key: schemaKey{f.path, f.hash}, allowed: longestEnum(doc),
		}
		if b.at != nil {
			bound.at = Problem{}.at(b.at)
		}
		if refersElsewhere(doc) {
			bound.key.hash = set.folder.hash
			bound.allowed = longest
		}
		set.bound = append(set.bound, bound)
		set.marks = append(set.marks, sensitiveMarks(schema, b.match)...)
	}
	set.marks = canonical(set.marks)
	r.layout.schemas.each(func(f file) {
		if doc := r.parsed[f.path]; doc != nil && doc.value != nil {
			set.unknownFormats(doc.value, cost.formats)
		}
	})
	return set
}

// unknownFormats points out formats that are not asserted, where a document names them.
func (s *schemaSet) unknownFormats(v *value.Value, unknown map[string]bool) {
	if len(unknown) == 0 {
		return
	}
	for _, e := range v.Entries() {
		if e.Key == "format" && unknown[e.Value.Str()] {
			s.problems = append(s.problems, Problem{
				Stage: StageSchemas, Severity: Warning, Rule: "unknownFormat", Message: fmt.Sprintf("the format %q is not known, so nothing is asked of it", oneLine(e.Value.Str())),
				Hint: value.Suggestion(e.Value.Str(), knownFormats, "known formats: "),
			}.at(e.Value))
		}
		s.unknownFormats(e.Value, unknown)
	}
}

// missing reports a binding to a schema that is not there, or cannot be read, which is told where it stands.
func (s *schemaSet) missing(b binding, r *run) {
	if r.parsed[b.schema] != nil {
		return
	}
	var known []string
	r.layout.schemas.each(func(f file) { known = append(known, f.path) })
	s.problems = append(s.problems, Problem{
		Stage: StageSchemas, Rule: "schemaMissing", Message: fmt.Sprintf("there is no schema %s", b.schema),
		Hint: value.Suggestion(b.schema, known, "schemas lie in "+r.own.Directories.Schemas+"/: "),
	}.at(b.at))
}

// longestEnum is the size of the longest list of allowed values in a document.
func longestEnum(v *value.Value) int {
	longest := 0
	for _, e := range v.Entries() {
		if e.Key == "enum" {
			longest = max(longest, e.Value.Weight())
		}
		longest = max(longest, longestEnum(e.Value))
	}
	return longest
}

func newSchemaCompiler(cost *meter) *jsonschema.Compiler {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.RegisterVocabulary(&jsonschema.Vocabulary{URL: schemaBase + "vocabulary", Compile: cost.compile})
	c.AssertVocabs()
	c.UseLoader(noLoader{})
	c.UseRegexpEngine(cost.regexps)
	return c
}

// noLoader refuses whatever a schema refers to and is not a file under schemas/.
type noLoader struct{}

var errForeignSchema = errors.New("a schema may refer only to files under schemas/")

func (noLoader) Load(string) (any, error) { return nil, errForeignSchema }

// compileSchema also turns a panic of the library into an error: a schema is a stranger's document.
func compileSchema(c *jsonschema.Compiler, url string) (s *jsonschema.Schema, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the schema cannot be compiled: %v", p)
		}
	}()
	return c.Compile(url)
}

// isBound tells whether a schema judges the place that mirrors its own. Others serve only as the targets of $ref.
func isBound(file string) bool {
	return strings.HasSuffix(strings.TrimSuffix(file, path.Ext(file)), ".schema")
}

func schemaMount(f file) value.Path {
	mount := slices.Clone(f.mount)
	last := strings.TrimSuffix(mount[len(mount)-1], ".schema")
	if last == "_index" {
		return mount[:len(mount)-1]
	}
	mount[len(mount)-1] = last
	return mount
}

// schemaProblem tells why a schema cannot be used, at the place of it where that is known.
func schemaProblem(file string, doc *value.Value, err error) Problem {
	p := Problem{Stage: StageSchemas, File: file, Line: 1, Column: 1, Rule: "schemaInvalid", Hint: "a schema follows JSON Schema 2020-12"}
	var invalid *jsonschema.SchemaValidationError
	var load *jsonschema.LoadURLError
	switch {
	case errors.As(err, &load):
		p.Message = fmt.Sprintf("the schema refers to %s, which is not here", strings.TrimPrefix(load.URL, schemaBase))
		p.Hint = errForeignSchema.Error()
	case errors.As(err, &invalid):
		p.Message = "the schema is not valid"
		at, _, _ := strings.Cut(strings.TrimPrefix(invalid.URL, schemaBase), "#")
		var why *jsonschema.ValidationError
		if !errors.As(invalid.Err, &why) {
			break
		}
		if found := (&boundSchema{}).causes(nil, why); len(found) > 0 {
			first := slices.MinFunc(found, byWhere)
			p.Message += " at " + doc.PathString(first.path) + ": " + first.text(shown)
			if at == file {
				p = p.at(reach(doc, first.path))
			}
		}
	default:
		p.Message = "the schema cannot be used: " + oneLine(err.Error())
	}
	return p
}

func oneLine(s string) string {
	s = strings.ReplaceAll(s, schemaBase, "")
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "…"
	}
	return s
}

// refersElsewhere tells whether a schema depends on more than its own file.
func refersElsewhere(v *value.Value) bool {
	for _, e := range v.Entries() {
		switch text := e.Value.Str(); e.Key {
		case "$ref", "$dynamicRef":
			if !strings.HasPrefix(text, "#") {
				return true
			}
		case "$schema":
			if !strings.Contains(text, "//json-schema.org/") {
				return true // a dialect of its own
			}
		}
		if refersElsewhere(e.Value) {
			return true
		}
	}
	return false
}

// plain converts a value to the types the library judges.
func plain(v *value.Value) any {
	switch v.Kind() {
	case value.Null:
		return nil
	case value.Bool:
		return v.Bool()
	case value.Int:
		return v.Int()
	case value.Float:
		return v.Float()
	case value.List:
		items := make([]any, v.Len())
		for i, e := range v.Entries() {
			items[i] = plain(e.Value)
		}
		return items
	case value.Map:
		members := make(map[string]any, v.Len())
		for _, e := range v.Entries() {
			members[e.Key] = plain(e.Value)
		}
		return members
	default:
		return v.Str()
	}
}

// schemaMemoKey names a judgement by what it depends on.
type schemaMemoKey struct {
	content value.Sum
	schema  schemaKey
}

// applySchemas is stage 4 for one environment: every schema judges the values it is bound to.
func (r *run) applySchemas(set *schemaSet, env string) {
	j := &schemaJudge{run: r}
	for _, b := range set.bound {
		looked := b.match.Each(r.values[env], maxSchemaTotal*walkShare, func(path value.Path, v *value.Value, _ []string) bool {
			for _, f := range j.ask(b, v) {
				r.found.add(r.schemaFinding(f, path, v, env))
			}
			return j.steps <= maxSchemaTotal
		})
		if j.steps += looked / walkShare; j.steps > maxSchemaTotal {
			r.found.add(Problem{
				Stage: StageSchemas, Environments: []string{env}, File: b.file, Line: 1, Column: 1, Rule: "schemaTooCostly",
				Message: "the schemas of one commit take too long to judge it", Hint: "simplify them: do they refer to themselves more than once?",
			})
			return
		}
	}
}

// schemaJudge judges one environment.
type schemaJudge struct {
	*run
	steps int
}

// ask tells what a schema holds against a value.
func (j *schemaJudge) ask(b *boundSchema, v *value.Value) []schemaFinding {
	key := schemaMemoKey{v.Sum(), b.key}
	answer, known := j.findings.get(key)
	if !known {
		answer.found = b.judge(v)
		answer.steps = b.cost.steps
		j.findings.put(key, answer)
	}
	j.steps += answer.steps
	return answer.found
}

// schemaAnswer is what a schema holds against a value, and what it took to find out. The steps count again each time the answer is
// remembered, so that a verdict does not depend on what is kept.
type schemaAnswer struct {
	found []schemaFinding
	steps int
}

// schemaFinding puts a finding about a value at a mount where it was written: the same content may come from another file in each
// environment.
func (r *run) schemaFinding(f schemaFinding, mount value.Path, v *value.Value, env string) Problem {
	path := append(slices.Clone(mount), f.path...)
	p := Problem{
		Stage: StageSchemas, Environments: []string{env}, Path: r.values[env].PathString(path), Pointer: path.Pointer(),
		Rule: f.keyword, Hint: f.hint,
		Message: f.text(func(f schemaFinding) bool { return r.hidden(slices.Concat(mount, f.path), reach(v, f.path), env) }),
	}
	return p.at(reach(v, f.path))
}

// reach is the value at a path, or the deepest above it that is there.
func reach(v *value.Value, path value.Path) *value.Value {
	for _, segment := range path {
		next, ok := v.Step(segment)
		if !ok {
			break
		}
		v = next
	}
	return v
}
