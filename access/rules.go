package access

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/trunkline/trunkline/value"
)

// rule gives a name and a grant to the JWTs whose claims meet all its conditions.
type rule struct {
	when  []condition
	name  template
	grant Grant
}

// condition is met by a claim that one of the matchers matches, or that is a list with such an item.
type condition struct {
	claim    value.Path
	matchers []matcher
}

func (c condition) met(claims *value.Value) bool {
	claim, ok := claims.At(c.claim)
	if !ok {
		return false
	}
	if claim.Kind() != value.List {
		return c.matches(claim)
	}
	return slices.ContainsFunc(claim.Entries(), func(e value.Entry) bool { return c.matches(e.Value) })
}

func (c condition) matches(v *value.Value) bool {
	text, ok := claimText(v)
	return ok && slices.ContainsFunc(c.matchers, func(m matcher) bool { return m.matches(text) })
}

func allMet(conditions []condition, claims *value.Value) bool {
	return !slices.ContainsFunc(conditions, func(c condition) bool { return !c.met(claims) })
}

// claimText is a scalar claim as text, by which claims are compared: issuers differ in whether they write "1" or 1.
func claimText(v *value.Value) (string, bool) {
	switch v.Kind() {
	case value.String:
		return v.Str(), true
	case value.Int, value.Float, value.Bool:
		return string(v.AppendJSON(nil)), true
	default:
		return "", false
	}
}

// matcher is a text in which * stands for any characters but / and :, and ** for any at all. Issuers put what others may choose, such
// as the name of a branch, between slashes and colons, so that a plain * cannot reach from one part into the next.
type matcher string

func (m matcher) matches(text string) bool { return glob(string(m), text) }

// glob follows all ways to match at once, so that its time is bounded by the product of the lengths.
func glob(pattern, text string) bool {
	if !strings.Contains(pattern, "*") {
		return pattern == text
	}
	tokens := globTokens(pattern)
	at, next := make([]bool, len(tokens)+1), make([]bool, len(tokens)+1) // how many tokens may have been matched
	at[0] = true
	matchNothing(tokens, at)
	for i := range len(text) {
		clear(next)
		for n, token := range tokens {
			switch {
			case !at[n]:
			case token == anything, token == anyPart && text[i] != '/' && text[i] != ':':
				next[n] = true
			case token == globToken(text[i]):
				next[n+1] = true
			}
		}
		at, next = next, at
		matchNothing(tokens, at)
	}
	return at[len(tokens)]
}

// globToken is a byte or a wildcard.
type globToken int

const (
	anyPart globToken = 256 + iota
	anything
)

func globTokens(pattern string) []globToken {
	var tokens []globToken
	for i := 0; i < len(pattern); i++ {
		switch {
		case strings.HasPrefix(pattern[i:], "**"):
			tokens = append(tokens, anything)
			i++
		case pattern[i] == '*':
			tokens = append(tokens, anyPart)
		default:
			tokens = append(tokens, globToken(pattern[i]))
		}
	}
	return tokens
}

// matchNothing lets wildcards match nothing.
func matchNothing(tokens []globToken, at []bool) {
	for n, token := range tokens {
		if at[n] && (token == anyPart || token == anything) {
			at[n+1] = true
		}
	}
}

// template makes a name of claims: what stands between braces is a claim.
type template []templatePart

type templatePart struct {
	text  string
	claim value.Path // where it is not text
}

func parseTemplate(s string) (template, error) {
	var t template
	for s != "" {
		text, rest, found := strings.Cut(s, "{")
		if strings.Contains(text, "}") {
			return nil, errors.New("a } closes nothing")
		}
		if text != "" {
			t = append(t, templatePart{text: text})
		}
		if !found {
			break
		}
		claim, rest, found := strings.Cut(rest, "}")
		path, err := parseClaim(claim)
		if !found || err != nil {
			return nil, errors.New("{ begins no claim: write {sub} or {/kubernetes.io/namespace}")
		}
		t, s = append(t, templatePart{claim: path}), rest
	}
	return t, nil
}

// name fills the template in. It fails where a claim is missing, or the name would be empty, too long or not printable.
func (t template) name(claims *value.Value) (string, bool) {
	var b strings.Builder
	for _, part := range t {
		b.WriteString(part.text)
		if part.claim == nil {
			continue
		}
		claim, ok := claims.At(part.claim)
		if !ok {
			return "", false
		}
		text, ok := claimText(claim)
		if !ok || text == "" {
			return "", false
		}
		b.WriteString(text)
	}
	name := b.String()
	bad := func(r rune) bool { return !unicode.IsPrint(r) }
	return name, name != "" && len(name) <= maxClaimName && !strings.ContainsFunc(name, bad)
}

// parseClaim reads the name of a claim, or the path to one within another: sub, or /kubernetes.io/namespace.
func parseClaim(s string) (value.Path, error) {
	path, err := value.ParsePath(s)
	if err == nil && len(path) == 0 {
		err = errors.New("a claim has no name")
	}
	return path, err
}

// matchersForm is one text or a list of them.
type matchersForm []matcher

func (f *matchersForm) UnmarshalJSON(data []byte) error {
	v, err := value.ParseJSON(data)
	if err != nil {
		return err
	}
	items := []value.Entry{{Value: v}}
	if v.Kind() == value.List {
		items = v.Entries()
	}
	if len(items) == 0 || len(items) > maxMatchers {
		return fmt.Errorf("a claim is compared with 1 to %d values", maxMatchers)
	}
	for _, item := range items {
		text, ok := claimText(item.Value)
		if !ok || text == "" {
			return fmt.Errorf("a claim cannot be compared with %s", item.Value.Kind().Article())
		}
		*f = append(*f, matcher(text))
	}
	return nil
}

// conditions checks what a rule requires, in the order of the claims' names.
func conditions(form map[string]matchersForm) ([]condition, error) {
	if len(form) > maxConditions {
		return nil, fmt.Errorf("it has %d conditions; %d are the most", len(form), maxConditions)
	}
	var list []condition
	for _, name := range slices.Sorted(maps.Keys(form)) {
		path, err := parseClaim(name)
		if err != nil {
			return nil, &formError{value.Path{name}.Pointer(), err}
		}
		list = append(list, condition{path, form[name]})
	}
	return list, nil
}
