package compile

import (
	"path"
	"regexp"
	"slices"
	"strings"

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
	// Flags are the patterns of what OpenFeature clients may list.
	Flags []value.Pattern
	// Public are the patterns of what a browser's token may read.
	Public []value.Pattern
	// Sensitive are the patterns of values that are delivered redacted.
	Sensitive []value.Pattern
	// PlainSecrets are the patterns of values that may look like secrets in plain text.
	PlainSecrets []value.Pattern
	// Context declares the attributes that conditions may look at, as a part of JSON Schema; nil where nothing is declared.
	Context *value.Value
	// Directories are where the parts of the config repo lie.
	Directories Directories
	// Commits is what each commit must satisfy that follows a version with this manifest.
	Commits CommitRules
	// Bounds are tighter than the limits of the server.
	Bounds Bounds

	named    map[string]*value.Value // directories that the file names, where it does
	ignore   []string                // globs of files that are not read
	bindings []binding
	guessed  bool // the file names no environments
}

// Directories name folders below the root of the config repo.
type Directories struct {
	Config, Environments, Schemas, Policies          string
	Rollouts, Experiments, Layers, Segments, Metrics string
}

var defaultDirectories = Directories{
	Config: "config", Environments: "environments", Schemas: "schemas", Policies: "policies",
	Rollouts: "rollouts", Experiments: "experiments", Layers: "layers", Segments: "segments", Metrics: "metrics",
}

// directory is one of the Directories, by its key in the manifest.
type directory struct {
	key  string
	path *string
}

func (d *Directories) each() []directory {
	return []directory{
		{"config", &d.Config},
		{"environments", &d.Environments},
		{"schemas", &d.Schemas},
		{"policies", &d.Policies},
		{"rollouts", &d.Rollouts},
		{"experiments", &d.Experiments},
		{"layers", &d.Layers},
		{"segments", &d.Segments},
		{"metrics", &d.Metrics},
	}
}

// CommitRules are requirements on commits themselves, whatever they change.
type CommitRules struct {
	// Signed: a key of the server's settings has signed it.
	Signed bool
	// Authors are globs of the addresses that an author may claim, `*` for any characters. Without any, everybody may.
	Authors []string
}

// Any tells whether something is required.
func (c CommitRules) Any() bool { return c.Signed || len(c.Authors) > 0 }

// Author tells whether an address may be an author's.
func (c CommitRules) Author(email string) bool {
	return len(c.Authors) == 0 || slices.ContainsFunc(c.Authors, func(glob string) bool {
		return globSegment(strings.ToLower(glob), strings.ToLower(email))
	})
}

// Bounds limit the files of a config repo.
type Bounds struct {
	Files     int64 // how many there are
	TreeBytes int64 // what they hold together
	FileBytes int64 // what one of them holds
}

var serverBounds = Bounds{Files: MaxFiles, TreeBytes: MaxTreeBytes, FileBytes: MaxFileBytes}

// tightest are the bounds that hold where both do.
func (b Bounds) tightest(other Bounds) Bounds {
	return Bounds{min(b.Files, other.Files), min(b.TreeBytes, other.TreeBytes), min(b.FileBytes, other.FileBytes)}
}

// binding binds a schema to values that its own place does not mirror.
type binding struct {
	match  value.Pattern
	schema string // the file
	at     *value.Value
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

// passes tells whether a file or folder is passed over: a hidden one, or one that the manifest ignores.
func (m *Manifest) passes(file, name string) bool {
	return strings.HasPrefix(name, ".") && name != ".." || slices.ContainsFunc(m.ignore, func(glob string) bool {
		return globPath(strings.Split(glob, "/"), strings.Split(file, "/"))
	})
}

// globPath matches a path segment by segment; ** stands for any number of them, none included.
func globPath(glob, file []string) bool {
	if len(glob) == 0 {
		return len(file) == 0
	}
	if glob[0] == "**" {
		return globPath(glob[1:], file) || len(file) > 0 && globPath(glob, file[1:])
	}
	return len(file) > 0 && globSegment(glob[0], file[0]) && globPath(glob[1:], file[1:])
}

// globSegment matches text by a glob of which path.Match knows the syntax; the reader has refused those that have another.
func globSegment(glob, text string) bool {
	matched, err := path.Match(glob, text)
	return matched && err == nil
}

// complete adds what the file leaves out: folders are the names under environments/.
func (m *Manifest) complete(folders []string) {
	m.guessed = len(m.Environments) == 0
	if m.guessed {
		for _, name := range folders {
			m.Environments[name] = Environment{}
		}
	}
	if len(m.Environments) == 0 {
		m.Environments[DefaultEnvironment] = Environment{}
	}
}

// boundSchemas names the bindings of schemas.
func (m *Manifest) boundSchemas() string {
	var b strings.Builder
	for _, one := range m.bindings {
		b.WriteString(one.match.String() + "\n" + one.schema + "\n")
	}
	return b.String()
}
