package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/value"
)

// Right is what a caller may do beside reading. Rights combine with |.
type Right uint8

// The rights.
const (
	Reveal  Right = 1 << iota // read what is sensitive
	History                   // read who changed what: versions, authors, blame, the audit log
	Publish                   // send exposures and outcomes
	Operate                   // pin, unpin, stop, resume
	Define                    // see how rollouts and experiments are defined: to decide them locally, or to ask why

	AllRights = Reveal | History | Publish | Operate | Define
)

var rightNames = []string{"reveal", "history", "publish", "operate", "define"}

// Names are the rights one by one.
func (r Right) Names() []string {
	var names []string
	for i, name := range rightNames {
		if r&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

func (r Right) String() string { return strings.Join(r.Names(), " and ") }

// ParseRights reads the names of rights.
func ParseRights(names []string) (Right, error) {
	var rights Right
	for _, name := range names {
		i := slices.Index(rightNames, name)
		if i < 0 {
			return 0, fmt.Errorf("no right is called %q: there are %s", name, strings.Join(rightNames, ", "))
		}
		rights |= 1 << i
	}
	return rights, nil
}

// Grant is what a credential allows: environments, what may be read in them, and rights. It is immutable; the zero Grant allows
// nothing.
//
// As JSON, and in settings as YAML, it is
//
//	{"environments": ["prod", "staging*"], "patterns": ["checkout.**"], "rights": ["history"]}
//
// where a name may end in *, and "public": true takes the place of the patterns.
type Grant struct {
	environments []string
	patterns     []value.Pattern
	public       bool
	rights       Right
	everything   bool // may be read
	key          string
}

var grantEnvironment = regexp.MustCompile(`^(\*|[A-Za-z][A-Za-z0-9_-]{0,62}\*?)$`)

// NewGrant makes a grant. Each environment is a name, the beginning of one with * after it, or * for all. Without patterns, which
// are those of [value.ParsePattern], nothing may be read; then there must be a right.
func NewGrant(environments, patterns []string, rights Right) (Grant, error) {
	g := Grant{rights: rights}
	var err error
	if g.environments, err = grantedEnvironments(environments); err != nil {
		return Grant{}, err
	}
	if len(patterns) > MaxGrantPatterns {
		return Grant{}, fmt.Errorf("the grant has %d patterns; %d are the most", len(patterns), MaxGrantPatterns)
	}
	if g.patterns, err = value.ParsePatterns(patterns); err != nil {
		return Grant{}, fmt.Errorf("the grant's patterns: %w", err)
	}
	if len(patterns) == 0 && rights == 0 {
		return Grant{}, errors.New("the grant allows nothing: give it patterns (** for everything) or rights")
	}
	return g.keyed(), nil
}

// PublicGrant makes a grant for browsers, whose credentials anybody can read: it allows to read what the manifest of the live
// version calls public, and to publish.
func PublicGrant(environments []string) (Grant, error) {
	g := Grant{public: true, rights: Publish}
	var err error
	if g.environments, err = grantedEnvironments(environments); err != nil {
		return Grant{}, err
	}
	return g.keyed(), nil
}

// Whole is the grant of all environments and values, with some rights.
func Whole(rights Right) Grant {
	all, err := value.ParsePatterns([]string{"**"})
	if err != nil {
		panic(err)
	}
	return Grant{environments: []string{"*"}, patterns: all, rights: rights}.keyed()
}

// grantedEnvironments checks names and puts them into their canonical form.
func grantedEnvironments(names []string) ([]string, error) {
	switch {
	case len(names) == 0:
		return nil, errors.New("the grant names no environment: name some, or * for all")
	case len(names) > MaxEnvironments:
		return nil, fmt.Errorf("the grant names %d environments; %d are the most", len(names), MaxEnvironments)
	}
	for _, name := range names {
		if !grantEnvironment.MatchString(name) {
			return nil, fmt.Errorf("the grant's environment %q is neither a name, the beginning of one with * after it, nor *", name)
		}
	}
	if slices.Contains(names, "*") {
		return []string{"*"}, nil
	}
	names = slices.Clone(names)
	slices.Sort(names)
	return slices.Compact(names), nil
}

// keyed sets what follows from the rest, the key among it: what the grant is, with separators that neither names nor patterns hold.
func (g Grant) keyed() Grant {
	parts := append(slices.Clone(g.environments), fmt.Sprintf("\x01%t %d", g.public, g.rights))
	for _, p := range g.patterns {
		parts = append(parts, p.String())
	}
	g.key = strings.Join(parts, "\x00")
	g.everything = !g.public && len(g.patterns) == 1 && g.patterns[0].All()
	return g
}

// Key is the same for two grants that allow the same, and for no others. That of the zero Grant is empty.
func (g Grant) Key() string { return g.key }

// Environments are the names as they were given, sorted.
func (g Grant) Environments() []string { return slices.Clone(g.environments) }

// Patterns are those of what may be read, in the form of [value.ParsePatterns]; none of a public grant.
func (g Grant) Patterns() []value.Pattern { return slices.Clone(g.patterns) }

// Public tells whether what may be read is what the live manifest calls public.
func (g Grant) Public() bool { return g.public }

// Rights are all rights together.
func (g Grant) Rights() Right { return g.rights }

// May tells whether the grant has a right.
func (g Grant) May(right Right) bool { return g.rights&right == right }

// Allows tells whether the grant covers an environment. What is asked of another must be answered as if there were none of the name.
func (g Grant) Allows(env string) bool {
	for _, name := range g.environments {
		if last := len(name) - 1; name == env || name[last] == '*' && strings.HasPrefix(env, name[:last]) {
			return true
		}
	}
	return false
}

// Everything tells whether all values may be read, sensitive ones redacted without [Reveal].
func (g Grant) Everything() bool { return g.everything }

// Covers tells whether everything that another grant allows is allowed by this one. It may be false where only an enumeration of all
// paths could tell.
func (g Grant) Covers(other Grant) bool {
	for _, name := range other.environments {
		if !g.Allows(name) { // which holds of the beginning of a name as of a name
			return false
		}
	}
	readable := g.Everything() || len(other.patterns) == 0 && (!other.public || g.public)
	if !readable {
		readable = !other.public && !g.public && !slices.ContainsFunc(other.patterns, func(p value.Pattern) bool {
			return !slices.ContainsFunc(g.patterns, func(own value.Pattern) bool { return own.String() == p.String() })
		})
	}
	return readable && g.May(other.rights)
}

type grantForm struct {
	Environments []string `json:"environments"`
	Patterns     []string `json:"patterns,omitempty"`
	Public       bool     `json:"public,omitempty"`
	Rights       []string `json:"rights,omitempty"`
}

// MarshalJSON writes the canonical form.
func (g Grant) MarshalJSON() ([]byte, error) {
	form := grantForm{Environments: g.environments, Public: g.public, Rights: g.rights.Names()}
	if form.Environments == nil {
		form.Environments = []string{}
	}
	for _, p := range g.patterns {
		form.Patterns = append(form.Patterns, p.String())
	}
	return json.Marshal(form)
}

// UnmarshalJSON reads a grant and checks it. Unknown and repeated names are errors.
func (g *Grant) UnmarshalJSON(data []byte) error {
	var form grantForm
	if err := readForm(data, &form); err != nil {
		return err
	}
	rights, err := ParseRights(form.Rights)
	if err != nil {
		return err
	}
	switch {
	case !form.Public:
		*g, err = NewGrant(form.Environments, form.Patterns, rights)
	case len(form.Patterns) > 0:
		return errors.New("a public grant has no patterns: what is public stands in the manifest")
	case rights&^Publish != 0:
		return fmt.Errorf("a public grant cannot have the right %s: anybody can read its token", rights&^Publish)
	default:
		*g, err = PublicGrant(form.Environments)
	}
	return err
}
