package gitsync_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/internal/gittest"
)

// tree is what a model says of a folder: paths to content and mode.
type tree map[string]string

// modelled is a commit of a made history.
type modelled struct {
	parent int // -1 at a beginning
	tree   tree
	beside int // a file that is not in the folder
}

// Whatever a history looks like, what Inverse finds is what comparing every span with the commit finds.
func TestInverseAgreesWithBruteForce(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	change(remote, "Something to begin with")
	remote.Push()
	w := follow(t, remote.URL())
	w.next()
	mirror := mirrorOf(t, w)
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		history := drawHistory(t)
		hashes := imported(t, mirror, history, n)
		gitsync.DropCaches(w.Follower)
		fresh := gitsync.NewChain(w.Follower, "config")
		for i, h := range hashes {
			want := bruteForce(history, hashes, i)
			for _, chain := range []*gitsync.Chain{fresh, w.Chain("config")} {
				span, found, err := chain.Inverse(t.Context(), h)
				if err != nil || found != (want.Commits > 0) || span != want {
					t.Fatalf("commit %d takes back %v, %v, want %v", i, span, err, want)
				}
			}
		}
	})
}

// drawHistory makes commits that change little, go back often and branch off sometimes.
func drawHistory(t *rapid.T) []modelled {
	history := []modelled{{parent: -1, tree: tree{"a": "1", "b": "1"}}}
	for range rapid.IntRange(2, 14).Draw(t, "commits") {
		parent := len(history) - 1
		if rapid.IntRange(0, 9).Draw(t, "branch off") == 0 {
			parent = rapid.IntRange(-1, parent).Draw(t, "parent")
		}
		c := modelled{parent: parent, tree: tree{}}
		if parent >= 0 {
			c.tree, c.beside = maps.Clone(history[parent].tree), history[parent].beside
		}
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			c.beside++
		case 1:
			i := rapid.IntRange(0, len(history)-1).Draw(t, "undone")
			undo(c.tree, before(history, i), history[i].tree)
		case 2:
			i, j := rapid.IntRange(0, len(history)-1).Draw(t, "from"), rapid.IntRange(0, len(history)-1).Draw(t, "to")
			undo(c.tree, before(history, i), history[j].tree)
		default:
			for range rapid.IntRange(1, 2).Draw(t, "edits") {
				edit(c.tree, rapid.SampledFrom([]string{"a", "b", "c", "d/e", "d/f", "d"}).Draw(t, "path"),
					rapid.SampledFrom([]string{"", "1", "2", "2x"}).Draw(t, "content"))
			}
		}
		history = append(history, c)
	}
	return history
}

func before(history []modelled, i int) tree {
	if p := history[i].parent; p >= 0 {
		return history[p].tree
	}
	return tree{}
}

// undo brings back the old content of what differs, where that can be done.
func undo(at, old, new tree) {
	for path := range difference(old, new) {
		edit(at, path, old[path])
	}
}

// edit sets a file. What it cannot stand beside goes.
func edit(at tree, path, content string) {
	delete(at, path)
	if content == "" {
		return
	}
	for other := range at {
		if strings.HasPrefix(other, path+"/") || strings.HasPrefix(path, other+"/") {
			delete(at, other)
		}
	}
	at[path] = content
}

// difference is what lies between two trees: the old and the new content of a path.
func difference(old, new tree) map[string][2]string {
	list := map[string][2]string{}
	for _, side := range []tree{old, new} {
		for path := range side {
			if old[path] != new[path] {
				list[path] = [2]string{old[path], new[path]}
			}
		}
	}
	return list
}

// bruteForce compares every span below a commit with it. Of those that it takes back and that hold no other such span it chooses the
// one that ends nearest.
func bruteForce(history []modelled, hashes []gitsync.Hash, i int) gitsync.Span {
	own := difference(history[i].tree, before(history, i))
	var chain []int
	for at := history[i].parent; at >= 0; at = history[at].parent {
		chain = append(chain, at)
	}
	type span struct{ last, first int } // places on the chain
	var spans []span
	for last := range chain {
		for first := last; first < len(chain) && len(own) > 0; first++ {
			if maps.Equal(difference(before(history, chain[first]), history[chain[last]].tree), own) {
				spans = append(spans, span{last, first})
			}
		}
	}
	spans = slices.DeleteFunc(slices.Clone(spans), func(s span) bool {
		return slices.ContainsFunc(spans, func(o span) bool { return o != s && s.last <= o.last && o.first <= s.first })
	})
	if len(spans) == 0 {
		return gitsync.Span{}
	}
	s := slices.MinFunc(spans, func(a, b span) int { return a.last - b.last })
	return gitsync.Span{First: hashes[chain[s.first]], Last: hashes[chain[s.last]], Commits: s.first - s.last + 1}
}

// imported writes a history into a repository by git fast-import.
func imported(t *rapid.T, repository string, history []modelled, n int) []gitsync.Hash {
	var s bytes.Buffer
	for i, c := range history {
		fmt.Fprintf(&s, "reset refs/heads/made%d\ncommit refs/heads/made%d\nmark :%d\ncommitter Grace <grace@example.com> %d +0000\ndata 1\nc\n",
			n, n, i+1, 1_700_000_000+i)
		if c.parent >= 0 {
			fmt.Fprintf(&s, "from :%d\n", c.parent+1)
		}
		fmt.Fprintf(&s, "deleteall\nM 100644 inline beside\ndata 1\n%d\n", c.beside%10)
		for path, content := range c.tree {
			mode := "100644"
			if strings.HasSuffix(content, "x") {
				mode = "100755"
			}
			fmt.Fprintf(&s, "M %s inline config/%s\ndata 1\n%s\n", mode, path, content[:1])
		}
	}
	marks := filepath.Join(repository, "marks")
	cmd := gittest.Command(t.Context(), repository, "fast-import", "--quiet", "--force", "--export-marks="+marks)
	cmd.Stdin = &s
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("fast-import: %v\n%s", err, out)
	}
	data, err := os.ReadFile(marks)
	if err != nil {
		t.Fatal(err)
	}
	hashes := make([]gitsync.Hash, len(history))
	for line := range strings.Lines(string(data)) {
		var mark int
		var digits string
		if _, err := fmt.Sscanf(line, ":%d %s", &mark, &digits); err != nil {
			t.Fatal(err)
		}
		if hashes[mark-1], err = gitsync.ParseHash(digits); err != nil {
			t.Fatal(err)
		}
	}
	return hashes
}
