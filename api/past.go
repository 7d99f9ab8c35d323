package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/history"
	"github.com/trunkline/trunkline/value"
)

// Ref is a version that was asked for.
type Ref struct {
	Commit string        `json:"commit,omitempty"`
	Env    string        `json:"env,omitempty"`
	Basis  history.Basis `json:"basis"` // what it was named by
	Tags   []string      `json:"tags,omitempty"`
}

func refOf(at history.At, env string) Ref {
	return Ref{Commit: at.Commit.Hash.String(), Env: env, Basis: at.Basis, Tags: at.Tags}
}

const headerBasis = "Trunkline-Basis"

// asksOf is the version that a request names by at=; empty when it asks for what is live. Most do, and are told by a glance.
func asksOf(r *http.Request) string {
	if raw := r.URL.RawQuery; !strings.Contains(raw, "at=") && !strings.Contains(raw, "%") {
		return ""
	}
	return versionName(queryValue(r, "at"))
}

// versionName mends a time whose zone was written with a + that a query reads as a space: no name of a version holds one.
func versionName(text string) string { return strings.ReplaceAll(text, " ", "+") }

// earlier is the version that a request names, made to look like one that is live. The answer tells what it was named by.
func (a *api) earlier(w http.ResponseWriter, r *http.Request, who *access.Identity, name string) (*apply.Version, *problem) {
	if refused := lacks(who, access.History); refused != nil {
		return nil, refused
	}
	if a.o.History == nil {
		return nil, &problem{http.StatusNotFound, "noHistory", "a working tree has no earlier versions", "ask a server that follows a repository"}
	}
	env, refused := a.environment(queryValue(r, "env"), who)
	if refused != nil {
		return nil, refused
	}
	at, snapshot, refused := a.snapshot(r.Context(), who, name, env)
	if refused != nil {
		return nil, refused
	}
	w.Header()[headerBasis] = []string{string(at.Basis)}
	return &apply.Version{ID: at.Commit.Hash.String(), Commit: at.Commit, Snapshot: snapshot}, nil
}

// environment is the one that a request names; without a name, the only one that the reader may know of. Whether a version has it, and
// whether anything is live in it, is another matter.
func (a *api) environment(env string, who *access.Identity) (string, *problem) {
	if env != "" && who.Grant.Allows(env) {
		return env, nil
	}
	version, refused := a.version(env, who)
	if refused != nil {
		return "", refused
	}
	return version.Snapshot.Environment, nil
}

// snapshot finds a version by its name, and compiles it.
func (a *api) snapshot(ctx context.Context, who *access.Identity, name, env string) (at history.At, s *compile.Snapshot, refused *problem) {
	at, err := a.o.History.Resolve(ctx, name, env)
	if err == nil {
		s, err = a.o.History.Snapshot(ctx, at.Commit.Hash, env)
	}
	if err != nil {
		return at, nil, a.unreached(err, who)
	}
	return at, s, nil
}

// unreached tells why a version cannot be shown. What it says of the version's content is no more than the reader sees.
func (a *api) unreached(err error, who *access.Identity) *problem {
	var ambiguous *gitsync.AmbiguousError
	var unfit *history.UnfitError
	switch {
	case errors.As(err, &ambiguous):
		names := make([]string, len(ambiguous.Candidates))
		for i, c := range ambiguous.Candidates {
			names[i] = c.String()
		}
		return &problem{http.StatusConflict, "ambiguousVersion", err.Error(), "give more digits; they are " + strings.Join(names, ", ")}
	case errors.Is(err, gitsync.ErrNotFound):
		return &problem{http.StatusNotFound, "unknownVersion", err.Error(), "name a commit by seven digits or more, a tag, or a time as 2027-01-31T09:00:00Z; see /v1/versions"}
	case errors.Is(err, history.ErrBeforeHistory):
		return &problem{http.StatusNotFound, "beforeHistory", err.Error(), "name a later time"}
	case errors.Is(err, history.ErrNoEnvironment):
		return &problem{http.StatusNotFound, "unknownEnvironment", err.Error(), "see /v1/versions for when there was one"}
	case errors.As(err, &unfit):
		return a.unfit(unfit, who)
	case errors.Is(err, history.ErrBusy):
		return &problem{http.StatusServiceUnavailable, "busy", err.Error(), "try again in a moment"}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &problem{http.StatusServiceUnavailable, "brokenOff", "the request ended before its answer was found", "try again"}
	}
	a.o.Slog.Error("the past cannot be read", "component", "api", "err", err)
	return &problem{http.StatusServiceUnavailable, "pastUnavailable", "the history cannot be read", "try again in a moment; the server's log says why"}
}

// unfit tells why a version has no values, to those who may see where, and how to find one that has.
func (a *api) unfit(e *history.UnfitError, who *access.Identity) *problem {
	p := &problem{http.StatusConflict, "unfit", e.Summary(), fmt.Sprintf(
		"ask for a version that is valid: /v1/versions?env=%s&verdict=valid lists them, and so does trunkline history --env %s --verdict valid", e.Environment, e.Environment,
	)}
	for _, seen := range a.beyond(who).problems(visible([]compile.Problem{e.Problem}, who, a.o.Live.Get(e.Environment))) {
		p.Message += ": " + seen.String()
	}
	return p
}

// selection is what a reader sees of what a pattern selects; an empty one selects everything.
func selection(who *access.Identity, text string) (history.Selection, *problem) {
	what := history.Selection{Knows: who.Grant.Allows}
	if !who.Grant.Everything() {
		may := who.Grant.Scope(nil, nil)
		what.See, what.Sight = may.Select, may.Key()
	}
	if text == "" {
		return what, nil
	}
	pattern, err := patternOf(text)
	if err != nil {
		return what, &problem{http.StatusBadRequest, "badPath", err.Error(), `write segments with dots, * for one, ** for any number, other keys as ["a.b"]`}
	}
	what.Patterns = []value.Pattern{pattern}
	return what, nil
}

// patternOf reads a pattern, or a path in any of its forms.
func patternOf(text string) (value.Pattern, error) {
	if path, err := value.ParsePath(text); err == nil {
		return value.Literal(path), nil
	}
	return value.ParsePattern(text)
}
