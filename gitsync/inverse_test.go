package gitsync_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/internal/gittest"
)

// What git revert makes is found to take back what it was told to revert.
func TestInverseOfGitRevert(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		// play makes commits and returns the oldest and the newest that the head takes back; nothing when it takes back none.
		play    func(r *gittest.Remote) (first, last string)
		commits int
	}{
		"the commit before": {func(r *gittest.Remote) (string, string) {
			h := set(r, "a", 2)
			r.Git("revert", "--no-edit", "HEAD")
			return h, h
		}, 1},
		"an earlier commit": {func(r *gittest.Remote) (string, string) {
			h := set(r, "a", 2)
			set(r, "b", 2)
			set(r, "c", 2)
			r.Git("revert", "--no-edit", h)
			return h, h
		}, 1},
		"a commit that added, removed and changed": {func(r *gittest.Remote) (string, string) {
			r.Remove("config/b.yaml")
			r.Write(map[string]string{"config/new/d.yaml": "d: 1\n", "config/a.yaml": "a: 2\n"})
			h := r.Commit("All of it")
			set(r, "c", 2)
			r.Git("revert", "--no-edit", h)
			return h, h
		}, 1},
		"the nearest of several": {func(r *gittest.Remote) (string, string) {
			set(r, "a", 2)
			set(r, "a", 1)
			h := set(r, "a", 2)
			set(r, "b", 2)
			r.Git("revert", "--no-edit", h)
			return h, h
		}, 1},
		"no more than needed": {func(r *gittest.Remote) (string, string) {
			h := set(r, "a", 2)
			set(r, "b", 2)
			set(r, "b", 1)
			set(r, "c", 2)
			r.Git("revert", "--no-edit", h)
			return h, h
		}, 1},
		"a merge": {func(r *gittest.Remote) (string, string) {
			r.Git("checkout", "--quiet", "-b", "feature")
			set(r, "a", 2)
			set(r, "b", 2)
			r.Git("checkout", "--quiet", gittest.Branch)
			set(r, "c", 2)
			r.Git("merge", "--quiet", "--no-ff", "--no-edit", "feature")
			h := r.Head()
			set(r, "c", 3)
			r.Git("revert", "--no-edit", "-m", "1", h)
			return h, h
		}, 1},
		"a revert": {func(r *gittest.Remote) (string, string) {
			set(r, "a", 2)
			r.Git("revert", "--no-edit", "HEAD")
			h := r.Head()
			set(r, "b", 2)
			r.Git("revert", "--no-edit", h)
			return h, h
		}, 1},
		"a range in one commit": {func(r *gittest.Remote) (string, string) {
			first := set(r, "a", 2)
			set(r, "b", 2)
			last := set(r, "a", 3)
			set(r, "c", 2)
			r.Git("revert", "--no-commit", first+"^.."+last)
			r.Commit("Revert the three")
			return first, last
		}, 3},
		"a range that reaches to the head": {func(r *gittest.Remote) (string, string) {
			first := set(r, "a", 2)
			last := set(r, "b", 2)
			r.Git("revert", "--no-commit", first+"^.."+last)
			r.Commit("Revert both")
			return first, last
		}, 2},
		"a squash-merged revert": {func(r *gittest.Remote) (string, string) {
			h := set(r, "a", 2)
			set(r, "b", 2)
			r.Git("checkout", "--quiet", "-b", "undo")
			r.Git("revert", "--no-edit", h)
			r.Git("checkout", "--quiet", gittest.Branch)
			set(r, "c", 2)
			r.Git("merge", "--quiet", "--squash", "undo")
			r.Commit(`Revert "set a to 2" (#7)`)
			return h, h
		}, 1},
		"a merged revert": {func(r *gittest.Remote) (string, string) {
			h := set(r, "a", 2)
			set(r, "b", 2)
			r.Git("checkout", "--quiet", "-b", "undo")
			r.Git("revert", "--no-edit", h)
			r.Git("checkout", "--quiet", gittest.Branch)
			set(r, "c", 2)
			r.Git("merge", "--quiet", "--no-ff", "--no-edit", "undo")
			return h, h
		}, 1},
		"beside other folders": {func(r *gittest.Remote) (string, string) {
			r.Write(map[string]string{"docs/a.md": "new", "config/a.yaml": "a: 2\n"})
			h := r.Commit("Both")
			r.Write(map[string]string{"docs/b.md": "new"})
			r.Commit("Docs")
			set(r, "b", 2)
			r.Git("revert", "--no-commit", h)
			r.Write(map[string]string{"docs/a.md": "it stays, and says more"})
			r.Commit("Undo")
			return h, h
		}, 1},
		"a mode": {func(r *gittest.Remote) (string, string) {
			r.Git("update-index", "--chmod=+x", "config/a.yaml")
			r.Git("commit", "--quiet", "--message", "Executable")
			h := r.Head()
			r.Git("checkout", "--quiet", "--", ".")
			set(r, "b", 2)
			r.Git("revert", "--no-edit", h)
			return h, h
		}, 1},
		"all there ever was": {func(r *gittest.Remote) (string, string) {
			first, last := r.Git("rev-list", "--max-parents=0", "HEAD"), r.Head()
			r.Remove("config")
			r.Write(map[string]string{"docs/a.md": "none any more"})
			r.Commit("Empty the folder")
			return first, last
		}, 3},
		"a part of a commit": {func(r *gittest.Remote) (string, string) {
			r.Write(map[string]string{"config/a.yaml": "a: 2\n", "config/b.yaml": "b: 2\n"})
			h := r.Commit("Two files")
			set(r, "c", 2)
			r.Git("revert", "--no-commit", h)
			r.Git("checkout", "HEAD", "--", "config/b.yaml")
			r.Commit("Revert a alone")
			return "", ""
		}, 0},
		"a commit and more": {func(r *gittest.Remote) (string, string) {
			h := set(r, "a", 2)
			set(r, "c", 2)
			r.Git("revert", "--no-commit", h)
			set(r, "b", 2)
			return "", ""
		}, 0},
		"a file that changed elsewhere since": {func(r *gittest.Remote) (string, string) {
			lines := func(first, last int) map[string]string {
				return map[string]string{"config/a.yaml": fmt.Sprintf("a: %d\n%sz: %d\n", first, strings.Repeat("# same\n", 20), last)}
			}
			r.Write(lines(1, 1))
			r.Commit("Long")
			r.Write(lines(2, 1))
			h := r.Commit("Its beginning")
			r.Write(lines(2, 2))
			r.Commit("Its end")
			r.Git("revert", "--no-edit", h)
			return "", ""
		}, 0},
		"nothing": {func(r *gittest.Remote) (string, string) {
			set(r, "a", 2)
			r.Commit("Empty")
			r.Commit("Empty again")
			return "", ""
		}, 0},
		"what was never so": {func(r *gittest.Remote) (string, string) {
			set(r, "a", 2)
			set(r, "a", 3)
			return "", ""
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			remote := gittest.NewRemote(t)
			for _, name := range []string{"a", "b", "c"} {
				set(remote, name, 1)
			}
			first, last := tt.play(remote)
			remote.Push()
			w := follow(t, remote.URL())
			span, found, err := w.Chain("config").Inverse(t.Context(), w.next().Head)
			must(t, err)
			want := gitsync.Span{Commits: tt.commits}
			if first != "" {
				want.First, want.Last = hash(t, first), hash(t, last)
			}
			if diff := cmp.Diff(want, span); diff != "" || found != (first != "") {
				t.Errorf("took back (-want +got), found %t:\n%s%s", found, diff, remote.Git("log", "--oneline", "--first-parent"))
			}
		})
	}
}

func set(r *gittest.Remote, name string, n int) string {
	r.Write(map[string]string{"config/" + name + ".yaml": fmt.Sprintf("%s: %d\n", name, n)})
	return r.Commit(fmt.Sprintf("set %s to %d", name, n))
}

// Sums alone convince nobody: whoever makes two that are equal gains nothing.
func TestInverseComparesTheFiles(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	set(remote, "a", 1)
	first := hash(t, set(remote, "a", 2))
	second := hash(t, set(remote, "b", 2))
	remote.Push()
	w := follow(t, remote.URL())
	chain := w.Chain("config")
	steps(t, chain, w.next().Head)
	gitsync.Forge(chain, second, first)
	if span, found, err := chain.Inverse(t.Context(), second); err != nil || found {
		t.Errorf("took back %v, %t, %v", span, found, err)
	}
}
