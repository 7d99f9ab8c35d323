package notify

import (
	"slices"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/value"
)

// causeOf is why a version that the view has just seen is live, after the one that it showed before, which may be nil. That an operator
// has stopped or resumed something is told to those alone who see something of it.
func (v *view) causeOf(version, before *apply.Version) string {
	cause := version.Cause
	switch {
	case cause != apply.CauseStop && cause != apply.CauseResume, v.seen.scope.All():
		return string(cause)
	case before == nil && cause == apply.CauseStop && v.seesAny(version, version.Stops):
		return string(cause)
	case before != nil && (v.seesAny(version, others(version.Stops, before.Stops)) || v.seesAny(before, others(before.Stops, version.Stops))):
		return string(cause)
	case before != nil && before.ID == version.ID:
		return v.cause
	}
	return string(apply.CauseCommit)
}

// others are the stops of a list that are not among some.
func others(stops, among []apply.Stop) []apply.Stop {
	return slices.DeleteFunc(slices.Clone(stops), func(s apply.Stop) bool { return slices.Contains(among, s) })
}

// seesAny tells whether one of some stops is of what sets something that is seen.
func (v *view) seesAny(version *apply.Version, stops []apply.Stop) bool {
	set := laid(version, v.grant.May(access.Reveal))
	if set == nil || len(stops) == 0 {
		return false
	}
	for arm := range set.Arms() {
		stopped := slices.ContainsFunc(stops, func(s apply.Stop) bool { return s.Kind == arm.Kind && s.Key == arm.Key })
		if stopped && set.Touches(arm.Choice, v.seen.scope.Select) {
			return true
		}
	}
	return false
}

// concerns tells whether what a version takes back is more than values that are not seen. It takes no lock: who may see history has no
// public grant, so what is seen is always the same.
func (v *view) concerns(l *apply.Lineage) bool {
	scope := v.grant.Scope(nil, v.patterns)
	return len(l.Paths) == 0 || slices.ContainsFunc(l.Paths, func(text string) bool {
		path, err := value.ParsePath(text)
		return err == nil && scope.Sees(path)
	})
}
