package gitsync_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/internal/gittest"
)

// steps walks from a commit to the beginning.
func steps(t *testing.T, c *gitsync.Chain, head gitsync.Hash) []gitsync.Step {
	t.Helper()
	var list []gitsync.Step
	must(t, c.Walk(t.Context(), head, func(s gitsync.Step) bool { list = append(list, s); return true }))
	return list
}

// told is what a step says, for comparison with what git says.
func told(s gitsync.Step) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s %d\n", s.Commit, s.Parent, s.When.Unix())
	for _, f := range s.Files {
		fmt.Fprintf(&text, "%s %s %s\n", f.Old, f.New, f.Path)
	}
	return text.String()
}

// gitTells is the same by git diff-tree.
func gitTells(remote *gittest.Remote, commit, folder string) string {
	var text strings.Builder
	parent := strings.Fields(remote.Git("rev-list", "--parents", "--max-count=1", commit) + " " + strings.Repeat("0", 40))[1]
	fmt.Fprintf(&text, "%s %s %s\n", commit, parent, remote.Git("show", "--no-patch", "--format=%ct", commit))
	from := parent
	if parent == strings.Repeat("0", 40) {
		from = emptyTree
	}
	args := []string{"diff-tree", "-r", "--no-renames", "--raw", "--abbrev=40", from, commit}
	if folder != "" {
		args = append(args, "--relative="+folder+"/")
	}
	for line := range strings.Lines(remote.Git(args...)) {
		info, path, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		fields := strings.Fields(info)
		fmt.Fprintf(&text, "%s %s %s\n", fields[2], fields[3], path)
	}
	return text.String()
}

// emptyTree is Git's name for a folder without entries.
const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

func treeOf(t *testing.T, remote *gittest.Remote, commit, folder string) string {
	t.Helper()
	name := commit + "^{tree}"
	if folder != "" {
		name = commit + ":" + folder + "/"
	}
	out, err := gittest.Command(t.Context(), remote.Work(), "rev-parse", "--verify", "--quiet", name).Output()
	if err != nil {
		return emptyTree
	}
	return strings.TrimSpace(string(out))
}

// varied makes commits of all kinds: in and beside a folder, in depth, of modes, links and submodules, a file that becomes a folder and
// back, merges, and nothing.
func varied(t *testing.T, remote *gittest.Remote) {
	t.Helper()
	work := func(name string) string { return filepath.Join(remote.Work(), filepath.FromSlash(name)) }
	remote.Write(map[string]string{"beside.yaml": "a: 1\n"})
	remote.Commit("Without the folder")
	remote.Write(map[string]string{"config/app.yaml": "a: 1\n", "config/db/primary.yaml": "b: 1\n", "config/db/deep/er.yaml": "c: 1\n"})
	remote.Commit("The folder")
	remote.Write(map[string]string{"beside.yaml": "a: 2\n"})
	remote.Commit("Beside it")
	remote.Commit("Nothing")
	must(t, os.Chmod(work("config/app.yaml"), 0o755))
	remote.Commit("A mode")
	must(t, os.Symlink("app.yaml", work("config/link.yaml")))
	remote.Git("update-index", "--add", "--cacheinfo", "160000,"+strings.Repeat("ab", 20)+",config/module")
	remote.Git("add", "config/link.yaml")
	remote.Git("commit", "--quiet", "--message", "A link and a submodule")
	remote.Git("rm", "--quiet", "--cached", "config/module")
	remote.Git("commit", "--quiet", "--message", "No submodule")
	remote.Remove("config/db/primary.yaml")
	remote.Write(map[string]string{"config/db/primary.yaml/inner.yaml": "d: 1\n", "config/db.yaml": "e: 1\n", "config/db-2.yaml": "e: 2\n"})
	remote.Commit("A file becomes a folder")
	remote.Remove("config/db/primary.yaml")
	remote.Write(map[string]string{"config/db/primary.yaml": "b: 2\n"})
	remote.Commit("And a file again")
	remote.Git("checkout", "--quiet", "-b", "feature")
	remote.Write(map[string]string{"config/feature.yaml": "f: 1\n"})
	remote.Commit("Feature")
	remote.Git("checkout", "--quiet", gittest.Branch)
	remote.Write(map[string]string{"config/app.yaml": "a: 3\n"})
	remote.Commit("Main")
	remote.Git("merge", "--quiet", "--no-ff", "--no-edit", "feature")
	remote.Remove("config")
	remote.Commit("The folder goes")
	remote.Write(map[string]string{"config": "now a file\n"})
	remote.Commit("A file in its place")
	remote.Push()
}

// What a step says of a commit is what git says of it.
func TestChainAgreesWithGit(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	varied(t, remote)
	w := follow(t, remote.URL())
	head := w.next().Head
	commits := strings.Fields(remote.Git("rev-list", "--first-parent", "HEAD"))
	for _, folder := range []string{"", "config", "config/db", "none"} {
		list := steps(t, w.Chain(folder), head)
		if len(list) != len(commits) {
			t.Fatalf("%q: %d steps, want %d", folder, len(list), len(commits))
		}
		for i, s := range list {
			want := gitTells(remote, commits[i], folder)
			if folder == "none" {
				want, _, _ = strings.Cut(want, "\n")
				want += "\n"
			}
			if diff := cmp.Diff(want, told(s)); diff != "" {
				t.Errorf("%q (-want +got):\n%s", folder, diff)
			}
			if tree := treeOf(t, remote, commits[i], folder); s.Tree.String() != tree || s.Many {
				t.Errorf("%q: tree of %s is %s, want %s", folder, s.Commit, s.Tree, tree)
			}
		}
	}
	if w.Chain("/config/") != w.Chain("config") || w.Chain("./config") != w.Chain("config") {
		t.Error("one folder has several chains")
	}
}

// A chain goes on from a newer head by looking at the new commits alone, and history may be rewritten beneath it.
func TestChainGrows(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	base := change(remote, "1")
	for i := range 20 {
		change(remote, fmt.Sprint(i+2))
	}
	remote.Push()
	w := follow(t, remote.URL())
	chain := w.Chain("config")
	if n := len(steps(t, chain, w.next().Head)); n != 21 {
		t.Fatalf("%d steps, want 21", n)
	}
	built := gitsync.Compared(chain)
	change(remote, "New")
	remote.Push()
	w.Hint()
	if n := len(steps(t, chain, w.next().Head)); n != 22 || gitsync.Compared(chain) != built+1 {
		t.Errorf("%d steps, of which %d were compared, want 22 and 1", n, gitsync.Compared(chain)-built)
	}
	remote.Git("reset", "--quiet", "--hard", base)
	change(remote, "Another history")
	remote.ForcePush()
	w.Hint()
	head := w.next().Head
	if got := steps(t, chain, head); len(got) != 2 || got[1].Commit.String() != base || gitsync.Compared(chain) != built+2 {
		t.Errorf("%d steps of another history, of which %d were compared", len(got), gitsync.Compared(chain)-built-1)
	}
	stop := 0
	must(t, chain.Walk(t.Context(), head, func(gitsync.Step) bool { stop++; return false }))
	if stop != 1 {
		t.Errorf("visited %d after the end", stop)
	}
	must(t, chain.Walk(t.Context(), gitsync.Hash{}, func(gitsync.Step) bool { t.Error("visited nothing"); return true }))
}

// What is beyond the bounds is told as such, and costs nothing but time.
func TestChainIsBounded(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	files := map[string]string{}
	for i := range 201 {
		files[fmt.Sprintf("config/%03d.yaml", i)] = "a: 1\n"
	}
	remote.Write(files)
	remote.Commit("Very many")
	delete(files, "config/000.yaml")
	for name := range files {
		files[name] = "a: 2\n"
	}
	remote.Write(files)
	many := remote.Commit("As many as are kept")
	for i := range 5 {
		change(remote, fmt.Sprint(i))
	}
	remote.Git("revert", "--no-edit", many)
	remote.Push()
	w := follow(t, remote.URL())
	head := w.next().Head
	whole := steps(t, w.Chain("config"), head)
	if first := whole[len(whole)-1]; !first.Many || first.Files != nil {
		t.Errorf("201 files: many %t, %d named", first.Many, len(first.Files))
	}
	if second := whole[len(whole)-2]; second.Many || len(second.Files) != 200 {
		t.Errorf("200 files: many %t, %d named", second.Many, len(second.Files))
	}
	small := gitsync.NewChain(w.Follower, "config")
	gitsync.Crowd(small)
	if diff := cmp.Diff(whole, steps(t, small, head)); diff != "" {
		t.Errorf("a chain without room for lists of files (-with +without):\n%s", diff)
	}
	if span, found, err := small.Inverse(t.Context(), head); err != nil || !found || span.First.String() != many || span.Last != span.First {
		t.Errorf("took back %v, %t, %v", span, found, err)
	}
}

// Trees that a hostile repository makes are compared up to a bound.
func TestChainOfHostileTrees(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	first := change(remote, "1")
	change(remote, "2")
	tree := "040000 tree " + remote.Git("rev-parse", "HEAD:config")
	for range 12 { // 2^12 times, and then 30^3 more
		tree = "040000 tree " + mktree(t, remote, tree+"\ta\n"+tree+"\tb\n")
	}
	for range 3 {
		var list strings.Builder
		for i := range 30 {
			fmt.Fprintf(&list, "%s\td%02d\n", tree, i)
		}
		tree = "040000 tree " + mktree(t, remote, list.String())
	}
	bomb := mktree(t, remote, "040000 tree "+remote.Git("rev-parse", "HEAD:config")+"\tconfig\n"+tree+"\tx\n")
	remote.Git("reset", "--quiet", "--hard")
	commit := func(tree string) string {
		h := remote.Git("commit-tree", tree, "-p", "HEAD", "-m", "Made")
		remote.Git("update-ref", "HEAD", h)
		return h
	}
	commit(bomb)
	revert := commit(remote.Git("rev-parse", first+"^{tree}"))
	remote.Git("push", "--quiet", "origin", "HEAD:main")
	w := follow(t, remote.URL())
	head := w.next().Head
	list := steps(t, w.Chain(""), head)
	if len(list) != 4 || !list[0].Many || !list[1].Many {
		t.Errorf("%d steps: %+v", len(list), list)
	}
	if span, found, err := w.Chain("").Inverse(t.Context(), hash(t, revert)); err != nil || found {
		t.Errorf("took back %v, %t, %v: over trees that were not compared", span, found, err)
	}
	if list := steps(t, w.Chain("config"), head); list[1].Many || len(list[1].Files) != 0 || len(list[0].Files) != 1 {
		t.Errorf("beside the folder: %+v", list)
	}
}

func mktree(t *testing.T, remote *gittest.Remote, list string) string {
	t.Helper()
	cmd := gittest.Command(t.Context(), remote.Work(), "mktree")
	cmd.Stdin = strings.NewReader(list)
	out, err := cmd.Output()
	must(t, err)
	return strings.TrimSpace(string(out))
}

func TestChainErrors(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	change(remote, "1")
	remote.Push()
	w := follow(t, remote.URL())
	head := w.next().Head
	goOn := func(gitsync.Step) bool { return true }
	if err := w.Chain("").Walk(t.Context(), hash(t, strings.Repeat("ab", 20)), goOn); !errors.Is(err, gitsync.ErrNotFound) {
		t.Errorf("a commit that is not there: %v, want ErrNotFound", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Chain("").Walk(ended, head, goOn); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
}

// Several goroutines walk through one chain while the mirror fetches and joins its packs.
func TestChainIsShared(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	first := change(remote, "0")
	remote.Push()
	w := follow(t, remote.URL(), packing(3))
	w.next()
	done := make(chan struct{})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for {
				var last gitsync.Hash
				err := w.Chain("config").Walk(t.Context(), w.Head(), func(s gitsync.Step) bool { last = s.Commit; return true })
				if err == nil {
					_, _, err = w.Chain("config").Inverse(t.Context(), w.Head())
				}
				if err != nil || last.String() != first {
					t.Errorf("ended at %s, %v", last, err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range 10 {
		change(remote, fmt.Sprint(i%3+1))
		remote.Push()
		w.Hint()
		w.next()
	}
	close(done)
	group.Wait()
}

// Trees are read as go-git reads them.
func FuzzParseTree(f *testing.F) {
	name := strings.Repeat("\xab", 20)
	f.Add([]byte("100644 a\x00" + name + "40000 b\x00" + name + "120000 c\x00" + name))
	f.Add([]byte("100755 a\x00" + name + "160000 b\x00" + name + "100664 c\x00" + name + "7 d\x00" + name))
	f.Fuzz(func(t *testing.T, raw []byte) {
		o := &plumbing.MemoryObject{}
		o.SetType(plumbing.TreeObject)
		_, _ = o.Write(raw)
		tree, err := object.DecodeTree(nil, o)
		list, ok := gitsync.ParseTree(raw)
		if ok != (err == nil) || ok && len(list) != len(tree.Entries) {
			t.Fatalf("%q: %t and %d entries, want %v and %v", raw, ok, len(list), err, tree)
		}
		for i, e := range list {
			want := tree.Entries[i]
			if e.Name != want.Name || e.Hash != gitsync.Hash(want.Hash) || e.Mode != gitsync.ModeOf(want.Mode) {
				t.Errorf("%q: entry %+v, want %+v", raw, e, want)
			}
		}
	})
}
