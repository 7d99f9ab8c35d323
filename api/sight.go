package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
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
	full := unnarrowed(v, who)
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

// unnarrowed are the values of a version as the reader's rights show them, wherever they stand.
func unnarrowed(v *apply.Version, who *access.Identity) *value.Value {
	if who.Grant.May(access.Reveal) {
		return v.Snapshot.Values
	}
	return v.Snapshot.Delivered
}

// asked is the version that a request asks of, the one that is live unless it names another, and what the reader sees of it. What is
// seen of old versions is not kept.
func (a *api) asked(w http.ResponseWriter, r *http.Request, who *access.Identity) (reading, *problem) {
	context, refused := contextOf(r, who)
	if refused != nil {
		return reading{}, refused
	}
	if name := asksOf(r); name != "" {
		if saysContext(r) {
			return reading{}, contextOfThePast
		}
		version, refused := a.earlier(w, r, who, name)
		if refused != nil {
			return reading{}, refused
		}
		return reading{version: version, past: version.ID, who: who, values: scope(version, who).Select(unnarrowed(version, who))}, nil
	}
	version, refused := a.version(queryValue(r, "env"), who)
	if refused != nil {
		return reading{}, refused
	}
	rd := reading{version: version, who: who, values: a.sights.seen(version, who), context: context}
	if _, rd.overrides = version.Snapshot.Of(who.Grant.May(access.Reveal)); rd.overrides != nil {
		rd.settable = a.settables.of(version)
	}
	return rd, nil
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
		if refused := lacks(access.FromContext(r.Context()), right); refused != nil {
			refused.write(w)
			return
		}
		next(w, r)
	}
}

func lacks(who *access.Identity, right access.Right) *problem {
	if who.Grant.May(right) {
		return nil
	}
	return &problem{
		http.StatusForbidden, "forbidden", fmt.Sprintf("the credential has not the right to %s", right&^who.Grant.Rights()),
		"ask an operator for a token with it: trunkline token new NAME --right " + strings.Join(right.Names(), ","),
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
