package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/history"
	"github.com/trunkline/trunkline/value"
)

// Explanation is the answer of GET /v1/explain/{path}: how what stands there came about.
type Explanation struct {
	At          Ref           `json:"at"`
	Environment string        `json:"environment"`
	Path        string        `json:"path"`
	Value       *value.Value  `json:"value,omitempty"` // absent where a layer took it away, or where it is too large
	Steps       []ExplainStep `json:"steps"`
	// Truncated: values that are too large are left out.
	Truncated bool `json:"truncated"`
}

// ExplainStep is what one layer does at the path.
type ExplainStep struct {
	Kind        string `json:"kind"` // base or overlay
	Environment string `json:"environment,omitempty"`
	Folder      string `json:"folder"`
	value.Pos
	Op        value.Op     `json:"op"`
	Value     *value.Value `json:"value,omitempty"` // what the layer itself says, merge controls as they are written
	Effective bool         `json:"effective"`
	Change    Origin       `json:"change"` // of what the layer says
}

// explain answers GET /v1/explain/{path}?env=&at=.
func (a *api) explain(w http.ResponseWriter, r *http.Request) {
	who, text := access.FromContext(r.Context()), r.PathValue("path")
	path, err := value.ParsePath(text)
	if err != nil {
		(&problem{http.StatusBadRequest, "badPath", err.Error(), `one path is explained at a time: write segments with dots, list items as [0], other keys as ["a.b"]`}).write(w)
		return
	}
	env, refused := a.environment(r.URL.Query().Get("env"), who)
	if refused != nil {
		refused.write(w)
		return
	}
	at, snapshot, refused := a.snapshot(r.Context(), who, versionName(r.URL.Query().Get("at")), env)
	if refused != nil {
		refused.write(w)
		return
	}
	what, _ := selection(who, "")
	e, err := a.o.History.Explain(r.Context(), at, env, path, what)
	switch {
	case errors.Is(err, history.ErrNothing):
		missing(who.Grant.Scope(nil, nil).Select(snapshot.Values), text).write(w)
	case err != nil:
		a.unreached(err, who).write(w)
	default:
		writeJSON(w, http.StatusOK, a.explanation(r.Context(), who, at, env, path, e))
	}
}

func (a *api) explanation(ctx context.Context, who *access.Identity, at history.At, env string, path value.Path, e *history.Explanation) Explanation {
	out := Explanation{At: refOf(at, ""), Environment: env, Path: path.String(), Value: e.Value, Truncated: e.Truncated}
	about := a.verdicts(ctx, env)
	for _, s := range e.Steps {
		if s.Environment != "" && !who.Grant.Allows(s.Environment) {
			if !s.Effective {
				continue
			}
			s.Folder, s.Place = "", value.Pos{} // what it extends is not told of, but that the value comes from it
			s.Environment = env
		}
		kind := "overlay"
		if s.Environment == "" {
			kind = "base"
		}
		out.Steps = append(out.Steps, ExplainStep{
			Kind: kind, Environment: s.Environment, Folder: s.Folder, Pos: s.Place, Op: s.Op, Value: s.Value, Effective: s.Effective,
			Change: about.origin(s.Origin),
		})
	}
	return out
}
