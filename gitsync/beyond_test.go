package gitsync_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/internal/gittest"
)

// history makes commits whose parents are given by their numbers, all with dates that mean nothing, and follows the last.
func history(t *testing.T, parents [][]int, dates *rand.Rand) (*following, []gitsync.Hash) {
	t.Helper()
	remote := gittest.NewRemote(t)
	change(remote, "Files")
	tree := remote.Git("rev-parse", "HEAD^{tree}")
	dir, names := t.TempDir(), make([]string, len(parents))
	for i, above := range parents {
		raw := "tree " + tree + "\n"
		for _, p := range above {
			raw += "parent " + names[p] + "\n"
		}
		date := 1_500_000_000 + dates.IntN(400_000_000)
		raw += fmt.Sprintf("author A <a@b> %d +0000\ncommitter A <a@b> %d +0000\n\n%d\n", date, date, i)
		file := filepath.Join(dir, fmt.Sprint(i))
		must(t, os.WriteFile(file, []byte(raw), 0o600))
		names[i] = remote.Git("hash-object", "-t", "commit", "-w", file)
	}
	remote.Git("reset", "--quiet", names[len(names)-1])
	remote.ForcePush()
	w := follow(t, remote.URL())
	w.next()
	commits := make([]gitsync.Hash, len(names))
	for i, name := range names {
		commits[i] = hash(t, name)
	}
	return w, commits
}

// below are the numbers of all that is reachable from some commits.
func below(parents [][]int, from ...int) map[int]bool {
	seen := map[int]bool{}
	for todo := from; len(todo) > 0; todo = todo[1:] {
		if !seen[todo[0]] {
			seen[todo[0]] = true
			todo = append(todo, parents[todo[0]]...)
		}
	}
	return seen
}

func TestBeyondIsExactWhateverTheDates(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 7))
	const n = 40
	parents := [][]int{nil}
	for i := 1; i < n-1; i++ {
		above := []int{max(0, i-1-random.IntN(4))}
		for random.IntN(3) == 0 && i > 1 && len(above) < 3 {
			if other := random.IntN(i); !slices.Contains(above, other) {
				above = append(above, other)
			}
		}
		parents = append(parents, above)
	}
	var tips []int // the last commit joins all that is left over, so that everything is fetched
	for i := range parents {
		if !slices.ContainsFunc(parents, func(above []int) bool { return slices.Contains(above, i) }) {
			tips = append(tips, i)
		}
	}
	parents = append(parents, tips)
	w, commits := history(t, parents, random)
	for range 200 {
		head, covered := random.IntN(n), random.Perm(n)[:random.IntN(4)]
		var bases []gitsync.Hash
		for _, c := range covered {
			bases = append(bases, commits[c])
		}
		list, all, err := w.Beyond(commits[head], bases, n)
		if err != nil || !all {
			t.Fatalf("beyond %v of %d: all %t, %v", covered, head, all, err)
		}
		hidden := below(parents, covered...)
		var want []gitsync.Hash
		for i := range below(parents, head) {
			if !hidden[i] {
				want = append(want, commits[i])
			}
		}
		for i, h := range list {
			at := slices.Index(commits, h)
			for _, p := range parents[at] {
				if slices.Contains(list[:i], commits[p]) {
					t.Errorf("%d stands before its descendant %d", p, at)
				}
			}
		}
		if sorted(list) != sorted(want) {
			t.Errorf("beyond %v of %d: %d commits, want %d", covered, head, len(list), len(want))
		}
	}
}

func sorted(list []gitsync.Hash) string {
	var names []string
	for _, h := range list {
		names = append(names, h.Short())
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestBeyondIsBounded(t *testing.T) {
	t.Parallel()
	w, commits := history(t, [][]int{nil, {0}, {1}, {2}, {3}, {1}, {4, 5}}, rand.New(rand.NewPCG(1, 1)))
	for head, want := range map[int]int{4: 3, 6: 3, 3: 3, 2: 2} {
		list, all, err := w.Beyond(commits[head], commits[:1], 3)
		if err != nil || len(list) != want || all != (head < 4) {
			t.Errorf("beyond the first of %d: %d commits, all %t, %v; want %d", head, len(list), all, err, want)
		}
	}
	if list, all, err := w.Beyond(commits[2], []gitsync.Hash{{1}}, 9); err != nil || len(list) != 3 || !all {
		t.Errorf("beyond a commit that is not there: %d commits, all %t, %v", len(list), all, err)
	}
	if _, _, err := w.Beyond(gitsync.Hash{1}, commits[:1], 9); err == nil {
		t.Error("a head that is not there has commits")
	}
}
