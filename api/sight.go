package api

import (
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/value"
)

// sights keeps what readers with restricted grants see of what is live, so that it is narrowed once a version.
type sights struct {
	mu   sync.Mutex
	kept map[sightKey]narrowed
}

type sightKey struct{ env, grant string }

type narrowed struct {
	version *apply.Version
	values  *value.Value
}

// seen is what a reader sees of a version.
func (s *sights) seen(v *apply.Version, who *access.Identity) *value.Value {
	full := v.Snapshot.Delivered
	if who.Grant.May(access.Reveal) {
		full = v.Snapshot.Values
	}
	if who.Grant.Everything() {
		return full
	}
	key := sightKey{v.Snapshot.Environment, who.Grant.Key()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.kept[key]; n.version == v {
		return n.values
	}
	if len(s.kept) >= maxSights || s.kept == nil {
		s.kept = map[sightKey]narrowed{}
	}
	values := scope(v, who).Select(full)
	s.kept[key] = narrowed{v, values}
	return values
}

// redacted is what a reader would see of a version without the right to reveal.
func redacted(v *apply.Version, who *access.Identity) *value.Value {
	if who.Grant.Everything() {
		return v.Snapshot.Delivered
	}
	return scope(v, who).Select(v.Snapshot.Delivered)
}

// scope is what a reader may see of a version.
func scope(v *apply.Version, who *access.Identity) access.Scope {
	return who.Grant.Scope(v.Snapshot.Manifest.Public, nil)
}

// served are the environments that a reader may know of.
func (a *api) served(who *access.Identity) []string {
	return slices.DeleteFunc(slices.Clone(a.o.Live.Environments()), func(env string) bool { return !who.Grant.Allows(env) })
}

// needs refuses a reader who lacks a right.
func needs(right access.Right, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !access.FromContext(r.Context()).Grant.May(right) {
			(&problem{
				http.StatusForbidden, "forbidden", fmt.Sprintf("the credential has not the right to %s", right),
				"ask an operator for a token with it: trunkline token new --right " + right.String(),
			}).write(w)
			return
		}
		next(w, r)
	}
}

// needsAll refuses a reader who lacks a right over everything there is.
func needsAll(right access.Right, next http.HandlerFunc) http.HandlerFunc {
	return needs(right, func(w http.ResponseWriter, r *http.Request) {
		if !access.FromContext(r.Context()).Grant.Covers(access.Whole(right)) {
			(&problem{
				http.StatusForbidden, "forbidden", "this touches all environments, and the credential is for some",
				"ask an operator whose credential is for all",
			}).write(w)
			return
		}
		next(w, r)
	})
}
