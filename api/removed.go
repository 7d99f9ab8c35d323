package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/history"
	"github.com/trunkline/trunkline/value"
)

// Removed tells where to what stood at a path went. It comes with the error pathNotFound of blame.
type Removed struct {
	Origin             // the commit that took it away
	Last    string     `json:"last"`              // the newest version that has it, whatever its verdict
	Place   *value.Pos `json:"place,omitempty"`   // where it stands in that version
	Overlay *value.Pos `json:"overlay,omitempty"` // what takes it away, where an overlay does
}

// vanished answers that nothing stands at a path, and, where something that the reader may see did, who took it away.
func (a *api) vanished(ctx context.Context, w http.ResponseWriter, who *access.Identity, at history.At, env string, path value.Path, p *problem) {
	r, refused := a.removal(ctx, who, at, env, path)
	switch {
	case refused != nil:
		refused.write(w)
		return
	case r == nil || r.Last == nil:
		if r != nil && r.Older && who.Grant.Scope(nil, nil).Sees(path) {
			p.Hint = fmt.Sprintf("nothing stood there since %s, and what is older was not looked at; %s", r.Commit.Hash.Short(), p.Hint)
		}
		p.write(w)
		return
	}
	about := a.verdicts(ctx, env)
	told := struct {
		problem
		Removed Removed `json:"removed"`
	}{*p, Removed{Origin: about.origin(r.Origin), Last: r.Last.Hash.String(), Place: placeOf(r.Place), Overlay: placeOf(r.Taker)}}
	told.Hint = removalWords(r)
	if record := about.of(r.Last.Hash); record == nil || record.Verdict == apply.Valid {
		told.Hint += fmt.Sprintf("; it is there at=%s, in a request, or --at %s for the command", r.Last.Hash.Short(), r.Last.Hash.Short())
	}
	told.Hint += "; " + p.Hint
	writeJSON(w, p.status, map[string]any{"error": told})
}

// removal is nil where the reader may see nothing at the path, whatever stood there.
func (a *api) removal(ctx context.Context, who *access.Identity, at history.At, env string, path value.Path) (*history.Removal, *problem) {
	if !slices.ContainsFunc(who.Grant.Patterns(), func(p value.Pattern) bool { return reaches(p, path) }) {
		return nil, nil
	}
	what, _ := selection(who, "")
	r, err := a.o.History.Removed(ctx, at, env, path, what)
	if err != nil {
		return nil, a.unreached(err, who)
	}
	return r, nil
}

// removalWords tell of a removal in a sentence.
func removalWords(r *history.Removal) string {
	var b strings.Builder
	c := r.Commit
	fmt.Fprintf(&b, "%s %q of %s, %s, removed it", c.Hash.Short(), c.Subject, c.Author.Name, tellable(c.Committer.When).UTC().Format(time.RFC3339))
	if r.Place.File != "" {
		fmt.Fprintf(&b, " from %s", r.Place)
	}
	if r.Taker.File != "" {
		fmt.Fprintf(&b, ", by %s", r.Taker)
	}
	return b.String()
}
