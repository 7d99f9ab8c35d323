package api

import (
	"net/http"
	"slices"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/history"
	"github.com/trunkline/trunkline/value"
)

// Matrix is the answer of GET /v1/matrix: where environments differ.
type Matrix struct {
	At           Ref       `json:"at"` // without a commit where the environments are at several
	Environments []string  `json:"environments"`
	Commits      []string  `json:"commits"`         // of the environments, in their order
	Unfit        []string  `json:"unfit,omitempty"` // environments that are left out, because the version does not compile for them
	Paths        []PathRow `json:"paths"`
	Total        int       `json:"total"`
	Truncated    bool      `json:"truncated"`
}

// PathRow is a path at which not all environments have the same.
type PathRow struct {
	Path    string                  `json:"path"`
	Values  map[string]*value.Value `json:"values"`
	Missing []string                `json:"missing,omitempty"` // environments in which nothing stands there
}

// matrix answers GET /v1/matrix?at=&path=&env=&env=. Without environments it is about all that the reader may know of.
func (a *api) matrix(w http.ResponseWriter, r *http.Request) {
	who, q := access.FromContext(r.Context()), r.URL.Query()
	what, refused := selection(who, q.Get("path"))
	if refused != nil {
		refused.write(w)
		return
	}
	envs, refused := a.environments(q["env"], who)
	if refused != nil {
		refused.write(w)
		return
	}
	var sides []history.Side
	for _, env := range envs {
		at, err := a.o.History.Resolve(r.Context(), versionName(q.Get("at")), env)
		if err != nil {
			a.unreached(err, who).write(w)
			return
		}
		sides = append(sides, history.Side{At: at, Environment: env})
	}
	m, err := a.o.History.Matrix(r.Context(), sides, len(q["env"]) == 0, what)
	if err != nil {
		a.unreached(err, who).write(w)
		return
	}
	writeJSON(w, http.StatusOK, matrixOf(m, sides[0].At))
}

// environments are those that a request names, or all that are live and granted.
func (a *api) environments(named []string, who *access.Identity) ([]string, *problem) {
	served := a.served(who)
	if len(named) == 0 {
		if len(served) == 0 {
			_, refused := a.version("", who)
			return nil, refused
		}
		return served, nil
	}
	if len(named) > maxCompared {
		return nil, &problem{http.StatusBadRequest, "badQuery", "more environments are named than are compared", "name fewer"}
	}
	var envs []string
	for _, name := range named {
		env, refused := a.environment(name, who)
		if refused != nil {
			return nil, refused
		}
		if !slices.Contains(envs, env) {
			envs = append(envs, env)
		}
	}
	return envs, nil
}

func matrixOf(m *history.Matrix, at history.At) Matrix {
	out := Matrix{
		At: refOf(at, ""), Environments: []string{}, Commits: []string{}, Unfit: m.Unfit, Paths: make([]PathRow, len(m.Rows)), Total: m.Total, Truncated: m.Truncated,
	}
	for _, side := range m.Sides {
		commit := side.Commit.Hash.String()
		out.Environments, out.Commits = append(out.Environments, side.Environment), append(out.Commits, commit)
		if commit != out.At.Commit {
			out.At.Commit, out.At.Tags = "", nil
		}
	}
	for i, row := range m.Rows {
		out.Paths[i] = PathRow{Path: row.Path.String(), Values: map[string]*value.Value{}}
		for k, env := range out.Environments {
			if v := row.Values[k]; v != nil {
				out.Paths[i].Values[env] = v
			} else {
				out.Paths[i].Missing = append(out.Paths[i].Missing, env)
			}
		}
	}
	return out
}
