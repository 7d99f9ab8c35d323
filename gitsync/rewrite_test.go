package gitsync_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/internal/gittest"
)

func TestForcePush(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	base := change(remote, "Base")
	lost1, lost2 := change(remote, "Lost 1"), change(remote, "Lost 2")
	remote.Push()
	w := follow(t, remote.URL())
	w.next()

	remote.Git("reset", "--quiet", "--hard", base)
	new1, new2 := change(remote, "New 1"), change(remote, "New 2")
	remote.ForcePush()
	w.Hint()
	u := w.next()
	if got, want := hashes(u.Commits), new1+" "+new2; got != want {
		t.Errorf("new commits %s, want %s", got, want)
	}
	want := &gitsync.Rewrite{
		Old: hash(t, lost2), New: hash(t, new2), Fork: hash(t, base),
		Lost: []gitsync.Hash{hash(t, lost2), hash(t, lost1)}, LostTotal: 2,
	}
	if diff := cmp.Diff(want, u.Rewrite); diff != "" {
		t.Errorf("rewrite (-want +got):\n%s", diff)
	}
	if got := mirrorRef(t, w, "refs/trunkline/keep/"+lost2); got != lost2 {
		t.Errorf("the lost head is kept as %q, want %s", got, lost2)
	}
	if _, err := w.Commit(hash(t, lost1)); err != nil {
		t.Errorf("a lost commit: %v", err)
	}
}

func TestForcePushToAnAmendedHeadIsIncremental(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	remote.Write(map[string]string{"config/large.yaml": filler(1, 400_000)})
	remote.Commit("Large")
	for range 40 {
		change(remote, "Step")
		remote.Write(map[string]string{"config/n.yaml": remote.Head()})
	}
	remote.Push()
	var sizes []int64
	w := follow(t, remote.URL(), observed(gitsync.Observer{Fetched: fetchedInto(&sizes)}))
	w.next()
	remote.Git("reset", "--quiet", "--hard", "HEAD~30")
	change(remote, "Elsewhere")
	remote.ForcePush()
	w.Hint()
	w.next()
	w.stop()
	if len(sizes) != 2 || sizes[1] > sizes[0]/20 {
		t.Errorf("packs of %v bytes: want the second a small part of the first", sizes)
	}
}

func TestBranchGoesBack(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	first := change(remote, "First")
	second := change(remote, "Second")
	remote.Push()
	w := follow(t, remote.URL())
	w.next()
	remote.Git("reset", "--quiet", "--hard", first)
	remote.ForcePush()
	w.Hint()
	u := w.next()
	if len(u.Commits) != 0 || u.Head.String() != first || u.Rewrite == nil || u.Rewrite.Fork.String() != first {
		t.Errorf("update %+v with rewrite %+v, want no commits and the fork at %s", u, u.Rewrite, first)
	}
	if u.Rewrite.LostTotal != 1 || u.Rewrite.Lost[0].String() != second {
		t.Errorf("lost %v, want %s", u.Rewrite.Lost, second)
	}
}

// A pull that merges the branch into local work, pushed: the old head becomes a second parent.
func TestFoxtrotMerge(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	base := change(remote, "Base")
	remote.Push()
	remote.Git("checkout", "--quiet", "-b", "mine")
	remote.Write(map[string]string{"config/mine.yaml": "a: 1\n"})
	mine := remote.Commit("Mine", gittest.Author("Mia", "mia@example.com"))
	remote.Git("checkout", "--quiet", gittest.Branch)
	theirs := change(remote, "Theirs", gittest.Author("Theo", "theo@example.com"))
	remote.Push()
	w := follow(t, remote.URL())
	w.next()

	remote.Git("checkout", "--quiet", "mine")
	remote.Git("merge", "--quiet", "--no-edit", gittest.Branch)
	merge := remote.Head()
	remote.Git("push", "--quiet", "origin", "mine:"+gittest.Branch)
	w.Hint()
	u := w.next()
	if got, want := hashes(u.Commits), mine+" "+merge; got != want {
		t.Errorf("new commits %s, want %s", got, want)
	}
	want := &gitsync.Rewrite{
		Old: hash(t, theirs), New: hash(t, merge), Fork: hash(t, base), Foxtrot: true,
		Lost: []gitsync.Hash{hash(t, theirs)}, LostTotal: 1,
	}
	if diff := cmp.Diff(want, u.Rewrite); diff != "" {
		t.Errorf("rewrite (-want +got):\n%s", diff)
	}
}

// A merge by the first parent, as hosting services make them, is one new commit and no rewrite.
func TestMergeNamesWhatItBroughtIn(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	change(remote, "Base")
	remote.Push()
	w := follow(t, remote.URL())
	w.next()
	remote.Git("checkout", "--quiet", "-b", "feature")
	for _, name := range []string{"Ann", "Bob", "Ann"} {
		remote.Write(map[string]string{"config/feature.yaml": "by: " + name + remote.Head() + "\n"})
		remote.Commit("Feature", gittest.Author(name, strings.ToLower(name)+"@example.com"))
	}
	remote.Git("checkout", "--quiet", gittest.Branch)
	main := change(remote, "Main", gittest.Author("Cid", "cid@example.com"))
	remote.Git("merge", "--quiet", "--no-ff", "--no-edit", "feature")
	merge := remote.Head()
	remote.Push()
	w.Hint()
	u := w.next()
	if got, want := hashes(u.Commits), main+" "+merge; got != want || u.Rewrite != nil {
		t.Fatalf("new commits %s and rewrite %v, want %s and none", got, u.Rewrite, want)
	}
	var names []string
	for _, p := range u.Commits[1].Merged {
		names = append(names, p.Name)
	}
	if diff := cmp.Diff([]string{"Ann", "Bob"}, names); diff != "" {
		t.Errorf("authors of the merged (-want +got):\n%s", diff)
	}
}

func TestUnrelatedHistory(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	old := change(remote, "Old")
	remote.Push()
	w := follow(t, remote.URL())
	w.next()
	remote.Git("checkout", "--quiet", "--orphan", "other")
	change(remote, "Other 1")
	head := change(remote, "Other 2")
	remote.Git("push", "--quiet", "--force", "origin", "other:"+gittest.Branch)
	w.Hint()
	u := w.next()
	if hashes(u.Commits) != head || u.Rewrite == nil || !u.Rewrite.Fork.IsZero() || u.Rewrite.Foxtrot {
		t.Errorf("update %+v with rewrite %+v, want the head alone and no fork", u, u.Rewrite)
	}
	if _, err := w.Commit(hash(t, old)); err != nil {
		t.Errorf("the old head: %v", err)
	}
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	change(remote, "Before")
	first, second, third := change(remote, "1"), change(remote, "2"), change(remote, "3")
	remote.Push()
	w := follow(t, remote.URL(), origin(hash(t, first)))
	if got, want := hashes(w.next().Commits), first+" "+second+" "+third; got != want {
		t.Errorf("commits %s, want those from the origin on: %s", got, want)
	}
}

func TestOriginNotOnTheBranch(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	first := change(remote, "First")
	remote.Push()
	stranger := strings.Repeat("ab", 20)
	w := follow(t, remote.URL(), origin(hash(t, stranger)))
	s := w.fails()
	if !strings.Contains(s.LastError, stranger[:12]) || !strings.Contains(s.LastError, "--origin") {
		t.Errorf("error %q, want it to name the origin and what to do", s.LastError)
	}
	if !w.Head().IsZero() || s.RemoteHead.String() != first {
		t.Errorf("head %s and remote head %s, want none and %s", w.Head(), s.RemoteHead, first)
	}
	w.none()
}

// With an origin the chain must go on holding it: an unrelated history is refused, and the last good head stays.
func TestOriginLeavesTheBranch(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	first := change(remote, "First")
	remote.Push()
	w := follow(t, remote.URL(), origin(hash(t, first)))
	w.next()
	remote.Git("checkout", "--quiet", "--orphan", "other")
	change(remote, "Other")
	remote.Git("push", "--quiet", "--force", "origin", "other:"+gittest.Branch)
	w.fails()
	w.none()
	if w.Head().String() != first {
		t.Errorf("head is %s, want the last good one %s", w.Head(), first)
	}
}

// A new mirror cannot know a head that the branch left meanwhile: it says so instead of guessing.
func TestRewriteOfAHeadNobodyHas(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	first := change(remote, "First")
	remote.Push()
	gone := hash(t, strings.Repeat("cd", 20))
	w := follow(t, remote.URL(), taken(gone))
	u := w.next()
	if u.Rewrite == nil || !u.Rewrite.Unknown || u.Rewrite.Old != gone || hashes(u.Commits) != first {
		t.Errorf("update %+v with rewrite %+v, want the old head unknown and the new one alone", u, u.Rewrite)
	}
}

func TestRewriteWhileAway(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	base := change(remote, "Base")
	lost := change(remote, "Lost")
	remote.Push()
	dir := t.TempDir()
	w := follow(t, remote.URL(), at(dir))
	w.next()
	w.stop()
	remote.Git("reset", "--quiet", "--hard", base)
	fresh := change(remote, "Fresh")
	remote.ForcePush()
	again := follow(t, remote.URL(), at(dir), taken(hash(t, lost)))
	u := again.next()
	if u.Restored || hashes(u.Commits) != fresh || u.Rewrite == nil || u.Rewrite.Fork.String() != base {
		t.Errorf("update %+v with rewrite %+v, want %s forked at %s", u, u.Rewrite, fresh, base)
	}
}

func TestKeep(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	first := change(remote, "First")
	remote.Push()
	w := follow(t, remote.URL())
	w.next()
	if err := w.Keep(hash(t, first)); err != nil {
		t.Fatal(err)
	}
	if got := mirrorRef(t, w, "refs/trunkline/keep/"+first); got != first {
		t.Errorf("kept as %q, want %s", got, first)
	}
	if err := w.Keep(hash(t, strings.Repeat("ef", 20))); !errors.Is(err, gitsync.ErrNotFound) {
		t.Errorf("keeping what is not there: %v, want ErrNotFound", err)
	}
}
