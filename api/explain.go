package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/experiment"
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
	// Owners set the path, or one above or below it, for some of those who ask; told to those with the right define.
	Owners []Owner `json:"owners,omitempty"`
	// Decisions are what became of whom the context tells of, owner by owner, and Resolved is the value for them.
	Decisions []experiment.Explanation `json:"decisions,omitempty"`
	Resolved  *value.Value             `json:"resolved,omitempty"`
}

// Owner is a rollout or an experiment.
type Owner struct {
	Kind experiment.Kind `json:"kind"`
	Key  string          `json:"key"`
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

// explain answers GET /v1/explain/{path}?env=&at=&context=.
func (a *api) explain(w http.ResponseWriter, r *http.Request) {
	who, text := access.FromContext(r.Context()), r.PathValue("path")
	path, err := value.ParsePath(text)
	if err != nil {
		(&problem{http.StatusBadRequest, "badPath", err.Error(), `one path is explained at a time: write segments with dots, list items as [0], other keys as ["a.b"]`}).write(w)
		return
	}
	env, refused := a.environment(r.URL.Query().Get("env"), who)
	if refused == nil {
		refused = mayExplainUnits(r, who)
	}
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
		answer := a.explanation(r.Context(), who, at, env, path, e)
		if refused := a.explainUnits(r, who, snapshot, path, &answer); refused != nil {
			refused.write(w)
			return
		}
		writeJSON(w, http.StatusOK, answer)
	}
}

// mayExplainUnits refuses a context of somebody who may not see how rollouts and experiments are defined, and one of the past.
func mayExplainUnits(r *http.Request, who *access.Identity) *problem {
	switch {
	case !saysContext(r):
		return nil
	case asksOf(r) != "":
		return contextOfThePast
	}
	return lacks(who, access.Define|access.History)
}

// explainUnits adds who sets the path, and with a context what became of whom it tells of.
func (a *api) explainUnits(r *http.Request, who *access.Identity, snapshot *compile.Snapshot, path value.Path, out *Explanation) *problem {
	context, refused := contextOf(r, who)
	if refused != nil || !who.Grant.May(access.Define) {
		return refused
	}
	version := &apply.Version{Snapshot: snapshot}
	if live := a.o.Live.Get(out.Environment); live != nil && asksOf(r) == "" {
		version = live // with what operators have stopped
	}
	out.Owners = ownersOf(version, who, path)
	if !saysContext(r) || version.Snapshot.Overrides == nil {
		return nil
	}
	now, set := version.Clock(time.Now()), version.Snapshot.Overrides
	for _, o := range out.Owners {
		if x, ok := set.Explain(context, now, o.Kind, o.Key); ok {
			out.Decisions = append(out.Decisions, x)
		}
	}
	if v, ok := resolved(version, who, false, set.Choose(nil, context, now), path); ok && !out.Truncated {
		out.Resolved = version.Snapshot.ShownAt(path, v)
	}
	return nil
}

// ownersOf are those that set a path, or something above or below it, of which the reader sees something.
func ownersOf(v *apply.Version, who *access.Identity, path value.Path) []Owner {
	set, may := v.Snapshot.Overrides, scope(v, who)
	if set == nil {
		return nil
	}
	here := []value.Pattern{value.Literal(path)}
	see := func(root *value.Value) *value.Value { return value.Select(may.Select(root), here) }
	var owners []Owner
	for arm := range set.Arms() {
		if o := (Owner{arm.Kind, arm.Key}); !slices.Contains(owners, o) && set.Touches(arm.Choice, see) {
			owners = append(owners, o)
		}
	}
	return owners
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
