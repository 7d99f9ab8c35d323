package value

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"
)

// format is how values of a Go type are written in a document.
type format[T any] struct {
	expected string
	read     func(v *Value) (T, bool)
}

var (
	durations = format[time.Duration]{"a duration, as 90s or 7d", func(v *Value) (time.Duration, bool) {
		d, err := ParseDuration(v.Str())
		return d, err == nil
	}}
	sizes = format[Size]{"a size, as 512MB or 10MiB, or an integer of bytes", func(v *Value) (Size, bool) {
		if v.Kind() == Int {
			return Size(v.Int()), v.Int() >= 0
		}
		s, err := ParseSize(v.Str())
		return s, err == nil
	}}
	times = format[time.Time]{"a time of RFC 3339, as 2026-12-01T09:00:00Z", func(v *Value) (time.Time, bool) {
		var t time.Time
		err := t.UnmarshalText([]byte(v.Str()))
		return t, err == nil
	}}
	semvers = format[semver]{"a semantic version, as 1.4.0", func(v *Value) (semver, bool) {
		return parseSemver(v.Str())
	}}
)

// scales are the formats a query may compare by, instead of by texts.
var scales = []struct {
	name     string
	expected string
	against  func(with *Value) (measure, bool)
}{
	{"duration", durations.expected, against(durations, cmp.Compare[time.Duration])},
	{"size", sizes.expected, against(sizes, cmp.Compare[Size])},
	{"time", times.expected, against(times, time.Time.Compare)},
	{"semver", semvers.expected, against(semvers, semver.compare)},
}

var scaleNames = func() (names []string) {
	for _, s := range scales {
		names = append(names, s.name)
	}
	return names
}()

// measure tells how a value stands to what a query compares with, and whether the two can be compared at all.
type measure func(m *meter, v *Value) (order int, ok bool)

func against[T any](f format[T], compare func(a, b T) int) func(with *Value) (measure, bool) {
	return func(with *Value) (measure, bool) {
		right, ok := f.read(with)
		return func(m *meter, v *Value) (int, bool) {
			if len(v.Str()) > maxFormatted {
				return 0, false
			}
			m.spend(stepsPerFormat + len(v.Str())/formatBytesPerStep)
			left, ok := f.read(v)
			return compare(left, right), ok
		}, ok
	}
}

// semver is a version of Semantic Versioning 2.0.0. Its numbers stay texts, because they have no bound.
type semver struct {
	core       []string
	prerelease []string
}

// semverForm is the expression of semver.org; a leading v is allowed, as in tags.
var semverForm = regexp.MustCompile(`^v?((?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*))` +
	`(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?` +
	`(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?$`)

func parseSemver(s string) (semver, bool) {
	parts := semverForm.FindStringSubmatch(s)
	if parts == nil {
		return semver{}, false
	}
	v := semver{core: strings.Split(parts[1], ".")}
	if parts[2] != "" {
		v.prerelease = strings.Split(parts[2], ".")
	}
	return v, true
}

// compare orders by precedence (semver.org, 11): build metadata does not count, and a prerelease comes before its release.
func (v semver) compare(w semver) int {
	if order := slices.CompareFunc(v.core, w.core, compareIdentifiers); order != 0 {
		return order
	}
	if len(v.prerelease) == 0 || len(w.prerelease) == 0 {
		return cmp.Compare(len(w.prerelease), len(v.prerelease))
	}
	return slices.CompareFunc(v.prerelease, w.prerelease, compareIdentifiers)
}

// compareIdentifiers orders numbers by what they are worth, texts by their bytes, and numbers before texts.
func compareIdentifiers(a, b string) int {
	numeric := func(s string) bool { return strings.Trim(s, "0123456789") == "" }
	switch {
	case numeric(a) && numeric(b):
		return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
	case numeric(a):
		return -1
	case numeric(b):
		return 1
	default:
		return strings.Compare(a, b)
	}
}
