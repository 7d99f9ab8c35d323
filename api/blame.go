package api

import (
	"context"
	"net/http"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/history"
	"github.com/trunkline/trunkline/value"
)

// Blame is the answer of GET /v1/blame/{path}: which commits last changed values.
type Blame struct {
	At          Ref          `json:"at"`
	Environment string       `json:"environment"`
	Entries     []BlameEntry `json:"entries"`
	Total       int          `json:"total"` // values that were asked for
	// Truncated: not all of them are told.
	Truncated bool `json:"truncated"`
}

// BlameEntry is one value, which is a scalar, a list or an empty map.
type BlameEntry struct {
	Path      string       `json:"path"`
	Value     *value.Value `json:"value"`
	value.Pos              // without a file where an environment beyond the grant says it
	Origin
}

// Origin is the commit that last changed something.
type Origin struct {
	Commit    string         `json:"commit"`
	Author    audit.Person   `json:"author"`           // as the commit claims
	Signer    *audit.Signer  `json:"signer,omitempty"` // whose key signed it, verified when it was judged
	CoAuthors []audit.Person `json:"coAuthors,omitempty"`
	Merged    []audit.Person `json:"merged,omitempty"` // authors of what a merge brought in
	Committed time.Time      `json:"committed"`
	Subject   string         `json:"subject"`
	Verdict   apply.Verdict  `json:"verdict,omitempty"` // in the environment, where the log tells
	// Older: it was changed before that commit, which is the oldest that was looked at.
	Older bool `json:"older,omitempty"`
}

// blame answers GET /v1/blame/{path or pattern}?env=&at=.
func (a *api) blame(w http.ResponseWriter, r *http.Request) {
	who, text := access.FromContext(r.Context()), r.PathValue("path")
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
	what, refused := selection(who, text)
	if refused != nil {
		refused.write(w)
		return
	}
	if path, err := value.ParsePath(text); err == nil { // not a pattern: something must stand there
		seen := who.Grant.Scope(nil, nil).Select(snapshot.Values)
		if _, found := seen.At(path); !found {
			a.vanished(r.Context(), w, who, at, env, path, missing(seen, text))
			return
		}
		what.Patterns = []value.Pattern{value.Literal(beforeList(seen, path))}
	}
	b, err := a.o.History.Blame(r.Context(), at, env, what)
	if err != nil {
		a.unreached(err, who).write(w)
		return
	}
	answer := Blame{At: refOf(at, ""), Environment: env, Entries: make([]BlameEntry, len(b.Entries)), Total: b.Total, Truncated: b.Truncated}
	about := a.verdicts(r.Context(), env)
	for i, e := range b.Entries {
		answer.Entries[i] = BlameEntry{Path: e.Path.String(), Value: e.Value, Pos: e.Place, Origin: about.origin(e.Origin)}
	}
	writeJSON(w, http.StatusOK, answer)
}

// beforeList cuts a path where it leads into a list, which is one value.
func beforeList(root *value.Value, path value.Path) value.Path {
	for i, key := range path {
		if root.Kind() == value.List {
			return path[:i]
		}
		root, _ = root.Step(key)
	}
	return path
}

// verdicts tells what was decided of commits in an environment, as far as the log knows.
type verdicts struct {
	find  func(gitsync.Hash) *audit.CommitRecord
	known map[gitsync.Hash]*audit.CommitRecord
}

// verdicts asks the log no more than a bounded number of times.
func (a *api) verdicts(ctx context.Context, env string) *verdicts {
	left := maxVerdicts
	find := func(h gitsync.Hash) *audit.CommitRecord {
		if left--; a.o.Log == nil || left < 0 {
			return nil
		}
		answer, err := a.o.Log.Query(ctx, audit.Query{Commit: h.String(), Environment: env, Kinds: []audit.Kind{audit.KindCommit}, Limit: 1})
		if err != nil || len(answer.Entries) == 0 {
			return nil // the log may be behind, or have been trimmed: the commit is told all the same
		}
		return answer.Entries[0].Record.CommitRecord
	}
	return &verdicts{find: find, known: map[gitsync.Hash]*audit.CommitRecord{}}
}

// of is nil where the log does not tell.
func (v *verdicts) of(commit gitsync.Hash) *audit.CommitRecord {
	record, known := v.known[commit]
	if !known {
		record = v.find(commit)
		v.known[commit] = record
	}
	return record
}

func (v *verdicts) origin(o history.Origin) Origin {
	c := o.Commit
	out := Origin{
		Commit: c.Hash.String(), Author: personOf(c.Author), CoAuthors: personsOf(c.CoAuthors), Merged: personsOf(c.Merged),
		Committed: tellable(c.Committer.When), Subject: c.Subject, Older: o.Older,
	}
	if record := v.of(c.Hash); record != nil {
		out.Verdict, out.Signer, out.Committed = record.Verdict, record.Signer, record.Committed
	}
	return out
}

// tellable is a time as it can be written: a commit may claim any zone and any year.
func tellable(t time.Time) time.Time {
	for _, t := range []time.Time{t, t.UTC()} {
		if _, err := t.MarshalJSON(); err == nil {
			return t
		}
	}
	return time.Time{}
}

func personOf(p gitsync.Person) audit.Person { return audit.Person{Name: p.Name, Email: p.Email} }

func personsOf(people []gitsync.Person) []audit.Person {
	var out []audit.Person
	for _, p := range people {
		out = append(out, personOf(p))
	}
	return out
}
