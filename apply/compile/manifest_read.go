package compile

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/value"
)

// manifestReader turns a document into a Manifest and says what is wrong with it.
type manifestReader struct {
	report func(Problem)
	m      *Manifest
}

// readManifest reads the document of trunkline.yaml, nil when there is none.
func readManifest(doc *value.Value, report func(Problem)) *Manifest {
	m := &Manifest{Environments: map[string]Environment{}, Directories: defaultDirectories, Bounds: serverBounds}
	r := &manifestReader{report, m}
	if doc != nil {
		r.document(doc)
	}
	r.references()
	return m
}

func (r *manifestReader) problem(at *value.Value, path, rule, hint, message string, args ...any) {
	r.report(Problem{Stage: StageDecode, Path: path, Rule: rule, Message: fmt.Sprintf(message, args...), Hint: hint}.at(at))
}

var manifestKeys = []string{
	"version", "environments", "apply", "flags", "public", "sensitive", "secrets", "context", "commits", "directories", "ignore", "schemas", "bounds",
}

func (r *manifestReader) document(doc *value.Value) {
	for _, e := range doc.Entries() {
		switch e.Key {
		case "version":
			if e.Value.Kind() != value.Int || e.Value.Int() != 1 {
				r.problem(e.Value, "version", "manifestVersion", "write version: 1", "this server reads version 1 of the manifest")
			}
		case "environments":
			r.environments(e.Value)
		case "apply":
			if e.Value.Str() != "together" && e.Value.Str() != "each" {
				r.problem(e.Value, "apply", "manifestValue", "write apply: together, or remove the line", "apply is together or each")
			}
			r.m.Together = e.Value.Str() == "together"
		case "flags":
			r.m.Flags = r.patterns("flags", e.Value)
		case "public":
			r.m.Public = r.patterns("public", e.Value)
		case "sensitive":
			r.m.Sensitive = r.patterns("sensitive", e.Value)
		case "secrets":
			r.secrets(e.Value)
		case "context":
			r.m.Context = e.Value // what it declares is read with the conditions that rely on it
		case "commits":
			r.commits(e.Value)
		case "directories":
			r.directories(e.Value)
		case "ignore":
			r.m.ignore = r.globs("ignore", "ignore: ['**/README.md']", e.Value)
		case "schemas":
			r.bindings(e.Value)
		case "bounds":
			r.bounds(e.Value)
		default:
			r.unknown(e, e.Key, manifestKeys)
		}
	}
	if _, ok := doc.Get("version"); !ok {
		r.problem(doc, "", "manifestVersion", "write version: 1 at the top", "the manifest has no version")
	}
}

func (r *manifestReader) unknown(e value.Entry, path string, known []string) {
	r.problem(e.Value, path, "unknownKey", value.Suggestion(e.Key, known, "known keys: "), "the manifest knows no key %q", e.Key)
}

func (r *manifestReader) environments(v *value.Value) {
	if v.Kind() != value.Map {
		r.problem(v, "environments", "manifestValue", "write environments: {staging: {}, prod: {}}", "environments is a %s; it must be a map by name", v.Kind())
		return
	}
	if v.Len() > MaxEnvironments {
		r.problem(v, "environments", "tooManyEnvironments", "split the repo", "there are %d environments, more than %d", v.Len(), MaxEnvironments)
		return
	}
	for _, e := range v.Entries() {
		path := value.Path{"environments", e.Key}.String()
		switch {
		case !environmentName.MatchString(e.Key):
			r.problem(e.Value, path, "environmentName", environmentNameHint, "%q cannot name an environment", e.Key)
		case e.Value.Kind() == value.Null:
			r.m.Environments[e.Key] = Environment{at: e.Value}
		case e.Value.Kind() != value.Map:
			r.problem(e.Value, path, "manifestValue", "write "+e.Key+": {}", "an environment's entry is a map")
		default:
			r.m.Environments[e.Key] = r.environment(e.Value, path)
		}
	}
}

var environmentKeys = []string{"extends", "retired"}

func (r *manifestReader) environment(v *value.Value, path string) Environment {
	env := Environment{at: v}
	for _, e := range v.Entries() {
		switch e.Key {
		case "extends":
			env.Extends = e.Value.Str()
			env.at = e.Value
			if env.Extends == "" {
				r.problem(e.Value, path+".extends", "manifestValue", "name an environment, or remove the line", "extends names one environment")
			}
		case "retired":
			env.Retired = e.Value.Bool()
			if e.Value.Kind() != value.Bool {
				r.problem(e.Value, path+".retired", "manifestValue", "write retired: true", "retired is true or false")
			}
		default:
			r.unknown(e, path+"."+e.Key, environmentKeys)
		}
	}
	return env
}

// section goes through the members of a map.
func (r *manifestReader) section(v *value.Value, key, example string, known []string, member func(name, path string, v *value.Value)) {
	if v.Kind() != value.Map {
		r.problem(v, key, "manifestValue", "write "+example, "%s is a %s; it must be a map", key, v.Kind())
		return
	}
	for _, e := range v.Entries() {
		if slices.Contains(known, e.Key) {
			member(e.Key, key+"."+e.Key, e.Value)
		} else {
			r.unknown(e, key+"."+e.Key, known)
		}
	}
}

func (r *manifestReader) secrets(v *value.Value) {
	r.section(v, "secrets", "secrets: {allow: [tests.fixtures.**]}", []string{"allow"}, func(_, path string, v *value.Value) {
		r.m.PlainSecrets = r.patterns(path, v)
	})
}

func (r *manifestReader) commits(v *value.Value) {
	r.section(v, "commits", "commits: {signed: required}", []string{"signed", "authors"}, func(name, path string, v *value.Value) {
		if name == "authors" {
			r.m.Commits.Authors = r.globs(path, "authors: ['*@example.com']", v)
			return
		}
		r.m.Commits.Signed = v.Str() == "required"
		if !r.m.Commits.Signed && v.Str() != "optional" {
			r.problem(v, path, "manifestValue", "write signed: required, or remove the line", "signed is required or optional")
		}
	})
}

// directories read where the parts are. They may not lie in each other, or a file would be of two parts. Where something is wrong
// the parts are looked for at their usual places.
func (r *manifestReader) directories(v *value.Value) {
	d, wrong := defaultDirectories, false
	at, named := map[string]*string{}, map[string]*value.Value{}
	var known []string
	for _, one := range d.each() {
		at[one.key] = one.path
		known = append(known, one.key)
	}
	r.section(v, "directories", "directories: {config: settings}", known, func(name, key string, v *value.Value) {
		dir := v.Str()
		if dir == "" || dir == "." || dir != path.Clean(dir) || path.IsAbs(dir) || strings.HasPrefix(dir, "..") {
			r.problem(v, key, "manifestValue", "name a folder below the root of the config repo, as deploy/config", "%q cannot be a directory here", dir)
			wrong = true
			return
		}
		*at[name], named[name] = dir, v
	})
	for i, name := range known {
		for _, other := range known[i+1:] {
			if clash := *at[name] + "/"; !strings.HasPrefix(clash, *at[other]+"/") && !strings.HasPrefix(*at[other]+"/", clash) {
				continue
			}
			where := named[name]
			if where == nil {
				where = named[other]
			}
			r.problem(where, "directories", "manifestValue", "give each a folder of its own", "the directories of %s and %s lie in each other", name, other)
			wrong = true
		}
	}
	if wrong {
		return
	}
	r.m.Directories, r.m.named = d, map[string]*value.Value{}
	for name, v := range named {
		r.m.named[*at[name]] = v
	}
}

func (r *manifestReader) bounds(v *value.Value) {
	at := map[string]*int64{"files": &r.m.Bounds.Files, "treeBytes": &r.m.Bounds.TreeBytes, "fileBytes": &r.m.Bounds.FileBytes}
	r.section(v, "bounds", "bounds: {files: 200}", []string{"files", "treeBytes", "fileBytes"}, func(name, path string, v *value.Value) {
		if most := *at[name]; v.Kind() != value.Int || v.Int() < 1 || v.Int() > most {
			r.problem(v, path, "manifestValue", fmt.Sprintf("write a whole number from 1 to %d, which is the server's own limit", most),
				"%s is no number within the server's limit", path)
			return
		}
		*at[name] = v.Int()
	})
}

// bindings read which schemas judge values that their place does not mirror.
func (r *manifestReader) bindings(v *value.Value) {
	const example = "schemas: [{path: database.*, schema: schemas/database.json}]"
	if v.Kind() != value.List {
		r.problem(v, "schemas", "manifestValue", "write "+example, "schemas is a %s; it must be a list", v.Kind())
		return
	}
	for i, e := range v.Entries() {
		b := binding{at: e.Value}
		key, found := fmt.Sprintf("schemas[%d]", i), 0
		r.section(e.Value, key, example, []string{"path", "schema"}, func(name, key string, v *value.Value) {
			found++
			if name == "schema" {
				b.schema = v.Str()
				return
			}
			var err error
			if b.match, err = value.ParsePattern(v.Str()); err != nil {
				r.problem(v, key, "pattern", patternHint, "%v", err)
			}
		})
		if e.Value.Kind() == value.Map && (found < 2 || b.schema == "") {
			r.problem(e.Value, key, "manifestValue", "write "+example, "a binding names a path and the file of a schema")
		}
		if b.schema != "" && b.match.String() != "" {
			r.m.bindings = append(r.m.bindings, b)
		}
	}
	if len(r.m.bindings) > maxBindings {
		r.problem(v, "schemas", "tooManyBindings", "let patterns select more", "there are %d bindings, more than %d", len(r.m.bindings), maxBindings)
		r.m.bindings = nil
	}
}

func (r *manifestReader) globs(key, example string, v *value.Value) []string {
	if v.Kind() != value.List {
		r.problem(v, key, "manifestValue", "write "+example, "%s is a %s; it must be a list", key, v.Kind())
		return nil
	}
	if v.Len() > maxGlobs {
		r.problem(v, key, "manifestValue", "let one stand for several", "%s has %d globs, more than %d", key, v.Len(), maxGlobs)
		return nil
	}
	var globs []string
	for _, e := range v.Entries() {
		glob := e.Value.Str()
		if _, err := path.Match(glob, ""); err != nil || glob == "" || strings.Count(glob, "**") > value.MaxDeepWildcards || len(glob) > maxPathBytes {
			r.problem(e.Value, key, "glob", "* is any characters of a name, ? one, ** any number of folders", "%q is no glob", glob)
			continue
		}
		globs = append(globs, glob)
	}
	return globs
}

const patternHint = "* is one segment, ** any number of them"

func (r *manifestReader) patterns(key string, v *value.Value) []value.Pattern {
	if v.Kind() != value.List {
		r.problem(v, key, "manifestValue", "write "+key+": [database.*.dsn]", "%s is a %s; it must be a list of patterns", key, v.Kind())
		return nil
	}
	var patterns []value.Pattern
	for _, e := range v.Entries() {
		p, err := value.ParsePattern(e.Value.Str())
		if err != nil {
			r.problem(e.Value, key, "pattern", patternHint, "%v", err)
			continue
		}
		patterns = append(patterns, p)
	}
	return patterns
}

// references checks what environments say of each other, and cuts what does not hold so that chains end.
func (r *manifestReader) references() {
	names := make([]string, 0, len(r.m.Environments))
	for name := range r.m.Environments {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		env := r.m.Environments[name]
		if env.Extends == "" {
			continue
		}
		hint, message := "", ""
		if _, ok := r.m.Environments[env.Extends]; !ok {
			message = fmt.Sprintf("%s extends %q, which is no environment", name, env.Extends)
			hint = value.Suggestion(env.Extends, names, "known environments: ")
		} else if r.cyclic(name) {
			message = fmt.Sprintf("%s extends itself, by way of %s", name, env.Extends)
			hint = "remove one extends of the circle"
		}
		if message != "" {
			r.report(Problem{Stage: StageDecode, Path: "environments." + name + ".extends", Rule: "extends", Message: message, Hint: hint}.at(env.at))
			env.Extends = ""
			r.m.Environments[name] = env
		}
	}
}

func (r *manifestReader) cyclic(name string) bool {
	at := r.m.Environments[name].Extends
	for range len(r.m.Environments) {
		if at == name {
			return true
		}
		at = r.m.Environments[at].Extends
	}
	return false
}
