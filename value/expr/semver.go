package expr

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// version is a version of Semantic Versioning 2.0.0. Its numbers stay texts, because they have no bound; an absent one is zero.
type version struct {
	core       [3]string
	prerelease string
}

// parseVersion reads a version without taking memory. A leading v is passed over, the minor and the patch number may be left out, and
// build metadata does not count.
func parseVersion(s string) (v version, ok bool) {
	if len(s) > maxVersionText {
		return v, false
	}
	rest, build, built := strings.Cut(strings.TrimPrefix(s, "v"), "+")
	core, prerelease, pre := strings.Cut(rest, "-")
	if built && !identifiers(build, false) || pre && !identifiers(prerelease, true) {
		return v, false
	}
	v.prerelease = prerelease
	for i := range v.core {
		number, after, more := strings.Cut(core, ".")
		if !numeric(number) || len(number) > 1 && number[0] == '0' {
			return v, false
		}
		v.core[i] = number
		if !more {
			return v, true
		}
		core = after
	}
	return v, false
}

// identifiers tells whether s is what may stand after a hyphen or a plus: identifiers joined by dots, and in a prerelease no number
// with a leading zero.
func identifiers(s string, prerelease bool) bool {
	for more := true; more; {
		var id string
		id, s, more = strings.Cut(s, ".")
		if id == "" || prerelease && len(id) > 1 && id[0] == '0' && numeric(id) {
			return false
		}
		for i := range len(id) {
			if c := id[i]; c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
				return false
			}
		}
	}
	return true
}

func numeric(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// compare orders by precedence (semver.org, 11): build metadata does not count, and a prerelease comes before its release.
func (v *version) compare(w *version) int {
	for i := range v.core {
		if order := compareNumbers(v.core[i], w.core[i]); order != 0 {
			return order
		}
	}
	if v.prerelease == "" || w.prerelease == "" {
		return cmp.Compare(len(w.prerelease), len(v.prerelease))
	}
	return comparePrereleases(v.prerelease, w.prerelease)
}

func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

func comparePrereleases(a, b string) int {
	for {
		left, restA, moreA := strings.Cut(a, ".")
		right, restB, moreB := strings.Cut(b, ".")
		switch order := compareIdentifiers(left, right); {
		case order != 0:
			return order
		case !moreA || !moreB:
			return cmp.Compare(len(restA), len(restB))
		}
		a, b = restA, restB
	}
}

// compareIdentifiers orders numbers by what they are worth, texts by their bytes, and numbers before texts.
func compareIdentifiers(a, b string) int {
	switch left, right := numeric(a), numeric(b); {
	case left && right:
		return compareNumbers(a, b)
	case left:
		return -1
	case right:
		return 1
	default:
		return strings.Compare(a, b)
	}
}

var semverType = cel.ObjectType("semver", traits.ComparerType)

// semantic are the functions of versions: semver("1.2.0") makes one, and <, <=, >, >=, == and != compare two.
func semantic() []cel.EnvOption {
	options := []cel.EnvOption{cel.Function("semver", cel.Overload("semver_string", []*cel.Type{cel.StringType}, semverType,
		cel.UnaryBinding(func(text ref.Val) ref.Val {
			v, err := versionOf(text)
			if err != nil {
				return err
			}
			return &semver{v, text.(types.String)}
		})))}
	for operator, id := range map[string]string{
		operators.Less: "less_semver", operators.LessEquals: "less_equals_semver",
		operators.Greater: "greater_semver", operators.GreaterEquals: "greater_equals_semver",
	} {
		options = append(options, cel.Function(operator, cel.Overload(id, []*cel.Type{semverType, semverType}, cel.BoolType)))
	}
	return options
}

// semver is a version as CEL sees it.
type semver struct {
	version
	text types.String
}

var _ traits.Comparer = &semver{}

// Compare orders by precedence.
func (s *semver) Compare(other ref.Val) ref.Val {
	o, ok := other.(*semver)
	if !ok {
		return types.MaybeNoSuchOverloadErr(other)
	}
	return types.Int(s.compare(&o.version))
}

// Equal tells whether two versions have the same precedence.
func (s *semver) Equal(other ref.Val) ref.Val {
	o, ok := other.(*semver)
	return types.Bool(ok && s.compare(&o.version) == 0)
}

// ConvertToNative is for results that leave CEL; versions do not.
func (s *semver) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("a version cannot be made a %s", t)
}

// ConvertToType knows its own type, and texts.
func (s *semver) ConvertToType(t ref.Type) ref.Val {
	if t == types.StringType {
		return s.text
	}
	return convert(s, semverType, t)
}

// Type is CEL's name of versions.
func (s *semver) Type() ref.Type { return semverType }

// Value is the version as it was written.
func (s *semver) Value() any { return string(s.text) }
