package compile

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/trunkline/trunkline/value"
)

// ManifestFile is the file that tells how a config repo is to be read. It may be missing.
const ManifestFile = "trunkline.yaml"

// DefaultEnvironment is the one environment of a repo that names none.
const DefaultEnvironment = "default"

// Manifest is what a config repo says of itself.
type Manifest struct {
	// Environments by name. Without any in the file they are the folders under environments/, or else "default" alone.
	Environments map[string]Environment
	// Together: an environment is valid only if all are.
	Together bool
	// Sensitive are the patterns of values that are delivered redacted.
	Sensitive []value.Pattern
	// PlainSecrets are the patterns of values that may look like secrets in plain text.
	PlainSecrets []value.Pattern

	guessed bool // the file names no environments
}

// Environment is one environment's entry.
type Environment struct {
	Extends string // whose overlays lie beneath its own
	Retired bool   // is no longer served, and may be removed
	at      *value.Value
}

// Names are the environments that are served, sorted.
func (m *Manifest) Names() []string {
	var names []string
	for name, env := range m.Environments {
		if !env.Retired {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Chain are the environments whose overlays make up one environment, the lowest first and itself last.
func (m *Manifest) Chain(env string) []string {
	var chain []string
	for at := env; at != ""; at = m.Environments[at].Extends {
		chain = append(chain, at)
	}
	slices.Reverse(chain)
	return chain
}

// above are the environments that a change to env's overlay touches: itself, and those that extend it.
func (m *Manifest) above(env string) []string {
	var names []string
	for _, name := range m.Names() {
		if slices.Contains(m.Chain(name), env) {
			names = append(names, name)
		}
	}
	return names
}

var environmentName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,62}$`)

const environmentNameHint = "letters, digits, _ and -, beginning with a letter, at most 63"

// manifestReader turns a document into a Manifest and says what is wrong with it.
type manifestReader struct {
	report func(Problem)
	m      *Manifest
}

// readManifest reads the document of trunkline.yaml, nil when there is none. folders are the names under environments/.
func readManifest(doc *value.Value, folders []string, report func(Problem)) *Manifest {
	r := &manifestReader{report, &Manifest{Environments: map[string]Environment{}}}
	if doc != nil {
		r.document(doc)
	}
	r.m.guessed = len(r.m.Environments) == 0
	if r.m.guessed {
		for _, name := range folders {
			r.m.Environments[name] = Environment{}
		}
	}
	if len(r.m.Environments) == 0 {
		r.m.Environments[DefaultEnvironment] = Environment{}
	}
	r.references()
	return r.m
}

func (r *manifestReader) problem(at *value.Value, path, rule, hint, message string, args ...any) {
	r.report(Problem{Stage: StageDecode, Path: path, Rule: rule, Message: fmt.Sprintf(message, args...), Hint: hint}.at(at))
}

var manifestKeys = []string{"version", "environments", "apply", "sensitive", "secrets"}

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
		case "sensitive":
			r.m.Sensitive = r.patterns("sensitive", e.Value)
		case "secrets":
			r.secrets(e.Value)
		default:
			r.unknown(e, e.Key, manifestKeys)
		}
	}
	if _, ok := doc.Get("version"); !ok {
		r.problem(doc, "", "manifestVersion", "write version: 1 at the top", "the manifest has no version")
	}
}

func (r *manifestReader) unknown(e value.Entry, path string, known []string) {
	r.problem(e.Value, path, "unknownKey", suggestion(e.Key, known, "known keys: "), "the manifest knows no key %q", e.Key)
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

func (r *manifestReader) secrets(v *value.Value) {
	if v.Kind() != value.Map {
		r.problem(v, "secrets", "manifestValue", "write secrets: {allow: [tests.fixtures.**]}", "secrets is a %s; it must be a map", v.Kind())
		return
	}
	for _, e := range v.Entries() {
		if e.Key != "allow" {
			r.unknown(e, "secrets."+e.Key, []string{"allow"})
			continue
		}
		r.m.PlainSecrets = r.patterns("secrets.allow", e.Value)
	}
}

func (r *manifestReader) patterns(key string, v *value.Value) []value.Pattern {
	if v.Kind() != value.List {
		r.problem(v, key, "manifestValue", "write "+key+": [database.*.dsn]", "%s is a %s; it must be a list of patterns", key, v.Kind())
		return nil
	}
	var patterns []value.Pattern
	for _, e := range v.Entries() {
		p, err := value.ParsePattern(e.Value.Str())
		if err != nil {
			r.problem(e.Value, key, "pattern", "* is one segment, ** any number of them", "%v", err)
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
			hint = suggestion(env.Extends, names, "known environments: ")
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
