package api

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/history"
	"github.com/trunkline/trunkline/value"
)

// Diff is the answer of GET /v1/diff: what leads from one version, or environment, to another.
type Diff struct {
	From    Ref      `json:"from"`
	To      Ref      `json:"to"`
	Changes []Change `json:"changes"`
	Total   int      `json:"total"`
	// Truncated: not all of them are listed.
	Truncated bool `json:"truncated"`
}

// Change is one value that differs. What is sensitive or looks secret is redacted.
type Change struct {
	Path     string       `json:"path"`
	Op       string       `json:"op"` // add, remove, replace
	Old      *value.Value `json:"old,omitempty"`
	New      *value.Value `json:"new,omitempty"`
	OldPlace *value.Pos   `json:"oldPlace,omitempty"`
	NewPlace *value.Pos   `json:"newPlace,omitempty"`
}

// diff answers GET /v1/diff?from=&to=&env=, and ?at=&env=&toEnv= for two environments at one version.
func (a *api) diff(w http.ResponseWriter, r *http.Request) {
	who, q := access.FromContext(r.Context()), r.URL.Query()
	from, to, refused := a.sides(r, who)
	if refused != nil {
		refused.write(w)
		return
	}
	what, refused := selection(who, q.Get("path"))
	if refused != nil {
		refused.write(w)
		return
	}
	d, err := a.o.History.Diff(r.Context(), from, to, what)
	if err != nil {
		a.unreached(err, who).write(w)
		return
	}
	answer := Diff{
		From: refOf(from.At, from.Environment), To: refOf(to.At, to.Environment), Changes: make([]Change, len(d.Changes)),
		Total: d.Total, Truncated: d.Truncated,
	}
	for i, c := range d.Changes {
		answer.Changes[i] = changeOf(c)
	}
	switch q.Get("format") {
	case "", "json":
		writeJSON(w, http.StatusOK, answer)
	case "text":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write(diffText(answer, d))
	case "patch":
		writePatch(w, d)
	default:
		(&problem{http.StatusBadRequest, "badFormat", "format is json, text or patch", "leave it out for json"}).write(w)
	}
}

// sides are the two versions that a request compares.
func (a *api) sides(r *http.Request, who *access.Identity) (from, to history.Side, refused *problem) {
	q := r.URL.Query()
	names := [2]string{versionName(q.Get("from")), versionName(q.Get("to"))}
	if at := versionName(q.Get("at")); at != "" {
		names = [2]string{at, at}
	}
	if names[0] == "" && q.Get("toEnv") == "" {
		return from, to, &problem{http.StatusBadRequest, "noVersion", "the request names no version to compare from", "name one as from=, or another environment as toEnv="}
	}
	env, refused := a.environment(q.Get("env"), who)
	if refused != nil {
		return from, to, refused
	}
	envs := [2]string{env, env}
	if toEnv := q.Get("toEnv"); toEnv != "" {
		if envs[1], refused = a.environment(toEnv, who); refused != nil {
			return from, to, refused
		}
	}
	for i, side := range []*history.Side{&from, &to} {
		at, err := a.o.History.Resolve(r.Context(), names[i], envs[i])
		if err != nil {
			return from, to, a.unreached(err, who)
		}
		*side = history.Side{At: at, Environment: envs[i]}
	}
	return from, to, nil
}

func changeOf(c history.Change) Change {
	out := Change{Path: c.Path.String(), Op: "replace", Old: c.Old, New: c.New, OldPlace: placeOf(c.OldPlace), NewPlace: placeOf(c.NewPlace)}
	switch {
	case c.Old == nil:
		out.Op = "add"
	case c.New == nil:
		out.Op = "remove"
	}
	return out
}

// placeOf is nil where there is no place to tell.
func placeOf(at value.Pos) *value.Pos {
	if at.File == "" {
		return nil
	}
	return &at
}

// writePatch answers with a JSON Patch. One that holds a part of the changes leads nowhere.
func writePatch(w http.ResponseWriter, d *history.Diff) {
	if d.Truncated {
		(&problem{http.StatusRequestEntityTooLarge, "tooLarge", fmt.Sprintf("there are %d changes, too many for one patch", d.Total), "narrow it with path="}).write(w)
		return
	}
	changes := make([]value.Change, len(d.Changes))
	for i, c := range d.Changes {
		changes[i] = c.Change
	}
	w.Header().Set("Content-Type", "application/json-patch+json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(value.AppendPatch(nil, changes), '\n'))
}

// diffText is the difference as the command prints it.
func diffText(answer Diff, d *history.Diff) []byte {
	var b strings.Builder
	title := answer.To.Env
	if answer.From.Env != title {
		title = answer.From.Env + " → " + title
	}
	if len(d.Changes) > 0 {
		fmt.Fprintln(&b, title)
	}
	for _, c := range d.Changes {
		switch {
		case c.Old == nil:
			fmt.Fprintf(&b, "  + %s = %s\n", c.Path, brief(c.New))
		case c.New == nil:
			fmt.Fprintf(&b, "  - %s was %s\n", c.Path, brief(c.Old))
		default:
			fmt.Fprintf(&b, "  ~ %s: %s → %s\n", c.Path, brief(c.Old), brief(c.New))
		}
	}
	if d.Truncated {
		fmt.Fprintf(&b, "  … these are %d of %d: narrow it with path=\n", len(d.Changes), d.Total)
	}
	return []byte(b.String())
}

// brief is a value on one line, short enough to read.
func brief(v *value.Value) string {
	const most = 100
	if v.Kind() == value.Redacted {
		return "(redacted, " + v.Fingerprint() + ")"
	}
	if text := []rune(v.String()); len(text) > most {
		return string(text[:most]) + "…"
	}
	return v.String()
}
