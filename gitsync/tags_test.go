package gitsync_test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/internal/gittest"
)

// tagged is what a follower knows of tags, with the commits as git prints them.
func tagged(w *following) map[string]string {
	list := map[string]string{}
	for name, h := range w.Tags() {
		list[name] = h.String()
	}
	return list
}

func wantTags(t *testing.T, w *following, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, tagged(w)); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
}

func TestTags(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	first := change(remote, "1")
	remote.Git("tag", "v1", first)
	remote.Git("tag", "--annotate", "--message", "One", "release/one", first)
	remote.Git("tag", "--annotate", "--message", "Of a tag", "outer", "release/one")
	remote.Git("tag", "a-tree", "HEAD^{tree}")
	remote.Git("tag", "--annotate", "--message", "File", "a-file", "HEAD:config/app.yaml")
	remote.Git("checkout", "--quiet", "-b", "aside")
	aside := change(remote, "Aside")
	remote.Git("tag", "aside")
	remote.Git("checkout", "--quiet", gittest.Branch)
	remote.Push()
	remote.Git("push", "--quiet", "--tags", "origin")
	dir := t.TempDir()
	w := follow(t, remote.URL(), at(dir))
	w.next()
	want := map[string]string{"v1": first, "release/one": first, "outer": first}
	wantTags(t, w, want)
	if refs := git(t, mirrorOf(t, w), "for-each-ref", "refs/tags"); refs != "" {
		t.Errorf("the mirror fetched tags: %s", refs)
	}

	// The branch stays where it is.
	remote.Git("tag", "v1.1", first)
	remote.Git("push", "--quiet", "origin", "v1.1", ":refs/tags/outer")
	w.looks()
	want["v1.1"] = first
	delete(want, "outer")
	wantTags(t, w, want)
	w.none()

	// A commit and its tag come together; another tag moves.
	second := change(remote, "2")
	remote.Git("tag", "v2", second)
	remote.Git("tag", "--force", "v1", second)
	remote.Git("push", "--quiet", "--force", "origin", "main", "v1", "v2")
	w.Hint()
	w.next()
	want["v1"], want["v2"] = second, second
	wantTags(t, w, want)

	// The commit of a tag that was there before comes by a merge.
	remote.Git("merge", "--quiet", "--no-ff", "--no-edit", "--strategy-option=ours", "aside")
	remote.Push()
	w.Hint()
	w.next()
	want["aside"] = aside
	poll(t, "the tag of a merged commit", func() (map[string]gitsync.Hash, bool) { return w.Tags(), len(w.Tags()) == len(want) })
	wantTags(t, w, want)

	// They are known after a restart that does not reach the remote, and after one that does.
	w.stop()
	remote.Fault(gittest.Status(http.StatusServiceUnavailable))
	again := follow(t, remote.URL(), at(dir), taken(hash(t, remote.Head())))
	wantTags(t, again, want)
	again.fails()
	wantTags(t, again, want)
	remote.Fault(gittest.None)
	again.looks()
	wantTags(t, again, want)
	again.stop()

	// They are those of the remote that is followed.
	other := gittest.NewRemote(t)
	change(other, "Other")
	wantTags(t, follow(t, other.URL(), at(dir), still()), map[string]string{})
}

// A damaged file of tags costs no more than the tags, until the next look.
func TestTagsOnDisk(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]func(good string) string{
		"empty":         func(string) string { return "" },
		"noise":         func(string) string { return "\x00\xff\n\n garbage" },
		"cut off":       func(good string) string { return good[:len(good)-20] },
		"other commits": func(good string) string { return strings.ReplaceAll(good, " v", "0 v") },
		"hostile names": func(good string) string { return strings.ReplaceAll(good, " v1", " ../../v1\x1b") },
		"not there":     nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			remote := gittest.NewRemote(t)
			change(remote, "1")
			remote.Git("tag", "v1")
			remote.Git("push", "--quiet", "origin", "main", "v1")
			dir := t.TempDir()
			w := follow(t, remote.URL(), at(dir))
			w.next()
			w.stop()
			file := filepath.Join(dir, "tags")
			if content == nil {
				must(t, os.Remove(file))
			} else {
				data, err := os.ReadFile(file)
				must(t, err)
				must(t, os.WriteFile(file, []byte(content(string(data))), 0o600))
			}
			wantTags(t, follow(t, remote.URL(), at(dir), still()), map[string]string{})
		})
	}
}

// What cannot be shown is no name.
func TestHostileTags(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	first := change(remote, "1")
	remote.Push()
	names := []string{"good", "deep/er", "Über-1", "v1", "a\u202eb", "a\u00a0b", "bad\xff", "zero\u200bwidth", "-x", strings.Repeat("l", 241)}
	var list strings.Builder
	for _, name := range names {
		fmt.Fprintf(&list, "%s refs/tags/%s\n", first, name)
	}
	must(t, os.WriteFile(filepath.Join(remote.Path(), "packed-refs"), []byte(list.String()), 0o644))
	w := follow(t, remote.URL())
	w.next()
	if got := slices.Sorted(maps.Keys(w.Tags())); !slices.Equal(got, []string{"deep/er", "good", "v1", "Über-1"}) {
		t.Errorf("tags %q", got)
	}
}

func TestTagsAreBounded(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	first := change(remote, "1")
	remote.Push()
	var list strings.Builder
	for i := range 10_050 {
		fmt.Fprintf(&list, "%s refs/tags/v%05d\n", first, i)
	}
	must(t, os.WriteFile(filepath.Join(remote.Path(), "packed-refs"), []byte(list.String()), 0o644))
	w := follow(t, remote.URL())
	w.next()
	names := slices.Sorted(maps.Keys(w.Tags()))
	if len(names) != 10_000 || names[0] != "v00050" {
		t.Errorf("%d tags from %s on", len(names), names[0])
	}
}

// A mirror that was made anew is asked for the commits again.
func TestTagsOfARenewedMirror(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	first := change(remote, "1")
	lost := change(remote, "To be lost")
	remote.Git("tag", "v1", first)
	remote.Git("tag", "lost", lost)
	remote.Git("push", "--quiet", "origin", "main", "v1", "lost")
	w := follow(t, remote.URL())
	w.next()
	wantTags(t, w, map[string]string{"v1": first, "lost": lost})
	remote.Git("reset", "--quiet", "--hard", first)
	remote.ForcePush()
	w.Hint()
	w.next()
	wantTags(t, w, map[string]string{"v1": first, "lost": lost})
	mirror := mirrorOf(t, w)
	each("*.pack", os.Remove)(t, "", mirror)
	must(t, os.RemoveAll(filepath.Join(mirror, "refs", "trunkline", "keep")))
	gitsync.DropCaches(w.Follower)
	if _, err := w.Tree(hash(t, remote.Git("rev-parse", "HEAD^{tree}"))); err == nil {
		t.Fatal("the mirror is not damaged")
	}
	w.until("a new mirror", func(s gitsync.State) bool { return s.Generation == 2 })
	poll(t, "the tags of the new mirror", func() (map[string]gitsync.Hash, bool) { return w.Tags(), len(w.Tags()) == 1 })
	wantTags(t, w, map[string]string{"v1": first})
}
