package history_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/history"
)

func TestNamesOfVersions(t *testing.T) {
	w, first := repoOf(t, map[string]string{"config/a.yaml": "x: 1\n"})
	w.remote.Git("tag", "v1.0")
	w.remote.Git("tag", "--annotate", "--message", "the first", "stable")
	second := w.push("Second", map[string]string{"config/a.yaml": "x: 2\n"})
	w.remote.Git("push", "--quiet", "--tags", "origin")
	w.remote.Git("tag", first.String()[:8], second.String()) // which looks like another commit
	w.remote.Git("push", "--quiet", "--tags", "origin")
	third := w.push("Third", map[string]string{"config/a.yaml": "x: 3\n"})
	bad := w.push("Bad", map[string]string{"config/a.yaml": "x: [\n"})
	when := func(h gitsync.Hash, later time.Duration) string {
		return w.committed(h).Add(later).Format(time.RFC3339)
	}

	for name, want := range map[string]struct {
		commit gitsync.Hash
		basis  history.Basis
	}{
		"":                                   {third, history.ByLive},
		second.String():                      {second, history.ByCommit},
		strings.ToUpper(second.String()[:9]): {second, history.ByCommit},
		bad.String():                         {bad, history.ByCommit},
		first.String()[:8]:                   {first, history.ByCommit},
		"v1.0":                               {first, history.ByTag},
		"refs/tags/stable":                   {first, history.ByTag},
		when(second, 0):                      {second, history.ByLog},
		when(bad, time.Hour):                 {third, history.ByLog},
	} {
		at, err := w.Resolve(t.Context(), name, "default")
		if err != nil || at.Commit.Hash != want.commit || at.Basis != want.basis {
			t.Errorf("%q is %s by %s, %v; want %s by %s", name, at.Commit.Subject, at.Basis, err, want.commit.Short(), want.basis)
		}
		if tags := []string{"stable", "v1.0"}; want.commit == first && !slices.Equal(at.Tags, tags) {
			t.Errorf("%q has the tags %v", name, at.Tags)
		}
	}
	for name, want := range map[string]error{
		"v1.1": gitsync.ErrNotFound, "0123456": gitsync.ErrNotFound, strings.Repeat("0", 39) + "1": gitsync.ErrNotFound, "abc": gitsync.ErrNotFound,
		when(first, -time.Hour): history.ErrBeforeHistory,
	} {
		if _, err := w.Resolve(t.Context(), name, "default"); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", name, err, want)
		} else {
			t.Log(err)
		}
	}
	w.log.forgotten = true
	for at, want := range map[string]gitsync.Hash{when(second, 0): second, when(third, time.Hour): bad} {
		if got := w.at(at, "default"); got.Commit.Hash != want || got.Basis != history.ByBranch {
			t.Errorf("without a log %s is %s by %s", at, got.Commit.Subject, got.Basis)
		}
	}
	if _, err := w.Resolve(t.Context(), "", "nowhere"); !errors.Is(err, history.ErrNoEnvironment) {
		t.Errorf("live in nowhere: %v", err)
	}
}
