package compile

import (
	"fmt"
	"strings"

	"github.com/trunkline/trunkline/value"
)

// unmatched warns of what was meant for values that are nowhere: a mistyped name there switches a protection off without a word.
func (r *run) unmatched(schemas *schemaSet, policies *policySet) {
	if len(r.standing()) == 0 || len(r.standing()) < len(r.served) {
		return // what an environment with errors holds is not known
	}
	warn := func(what, rule string, p Problem) {
		p.Stage, p.Severity, p.Rule = StageCommit, Warning, rule
		p.Message = what + " is for no value of any environment"
		if p.Hint == "" {
			p.Hint = "is a name mistyped? What it was meant to protect is not"
		}
		r.everywhere(p)
	}
	for _, b := range schemas.bound {
		if !r.anywhere(b.match) {
			warn("the schema for "+b.match.String(), "schemaUnused", b.at)
		}
	}
	for _, p := range policies.policies {
		if !r.anywhere(p.match) {
			warn(fmt.Sprintf("the policy %s, for %s,", p.id, p.match), "policyUnused", Problem{}.at(p.at))
		}
	}
	offered := func(key string, patterns []value.Pattern) {
		for _, p := range patterns {
			if !r.anywhere(p) {
				warn(fmt.Sprintf("the pattern %s of %s", p, key), key+"Unused", Problem{File: ManifestFile, Hint: "is a name mistyped?"})
			}
		}
	}
	offered("flags", r.own.Flags)
	offered("public", r.own.Public)
	for _, m := range r.own.Sensitive {
		// A mark reaches into lists, where ** would have to be looked for everywhere.
		if !strings.Contains(m.String(), "**") && !r.anywhere(m) && !r.redacts(m) {
			warn(fmt.Sprintf("the pattern %s of sensitive", m), "sensitiveUnused", Problem{File: ManifestFile})
		}
	}
}

// redacts tells whether a mark redacts something in an environment.
func (r *run) redacts(m value.Pattern) bool {
	for _, env := range r.served {
		if value.NewRedactor(r.key, value.Delivered).Redact(r.values[env], []value.Pattern{m}) != r.values[env] {
			return true
		}
	}
	return false
}

// anywhere tells whether a pattern selects something in an environment. One that would have to be looked for long is given the benefit
// of the doubt.
func (r *run) anywhere(p value.Pattern) bool {
	for _, env := range r.served {
		found := false
		looked := p.Each(r.values[env], maxSought, func(value.Path, *value.Value, []string) bool {
			found = true
			return false
		})
		if found || looked > maxSought {
			return true
		}
	}
	return false
}
