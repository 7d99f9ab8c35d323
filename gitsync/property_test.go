package gitsync_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/internal/gittest"
)

// Whatever shape a history has and wherever a branch jumps, an update says what the graph says. Git's own rev-list is no judge
// here: where clocks run backwards it may call a commit new that is reachable.
func TestUpdatesAgreeWithTheGraph(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	random := rand.New(rand.NewPCG(1, 2))
	commits := tangle(t, remote, random, 80)
	g := readGraph(t, remote)
	move := func() string {
		h := commits[random.IntN(len(commits))]
		git(t, remote.Path(), "update-ref", "refs/heads/main", h)
		return h
	}
	old := move()
	w := follow(t, remote.URL())
	w.next()
	for range 60 {
		head := move()
		if head == old {
			continue
		}
		w.Hint()
		u := w.next()
		if u.From.String() != old || u.Head.String() != head {
			t.Errorf("update from %s to %s, want from %s to %s", u.From, u.Head, old, head)
		}
		g.check(t, u, old, head)
		if t.Failed() {
			return
		}
		old = head
	}
}

// graph holds each commit's parents.
type graph map[string][]string

func readGraph(t *testing.T, remote *gittest.Remote) graph {
	t.Helper()
	g := graph{}
	for line := range strings.Lines(git(t, remote.Path(), "rev-list", "--all", "--parents")) {
		fields := strings.Fields(line)
		g[fields[0]] = fields[1:]
	}
	return g
}

// chain is the first-parent chain, newest first.
func (g graph) chain(from string) []string {
	list := []string{from}
	for len(g[from]) > 0 {
		from = g[from][0]
		list = append(list, from)
	}
	return list
}

func (g graph) reach(from string) map[string]bool {
	seen := map[string]bool{}
	var walk func(string)
	walk = func(h string) {
		if !seen[h] {
			seen[h] = true
			for _, p := range g[h] {
				walk(p)
			}
		}
	}
	walk(from)
	return seen
}

func (g graph) check(t *testing.T, u gitsync.Update, old, head string) {
	t.Helper()
	chain, before := g.chain(head), g.reach(old)
	fork := slices.IndexFunc(chain, func(h string) bool { return before[h] })
	if grown := slices.Contains(chain, old); grown != (u.Rewrite == nil) {
		t.Errorf("rewrite %+v, and the old head is on the chain: %t", u.Rewrite, grown)
	}
	fresh := chain[:1] // unrelated: the head alone
	if fork >= 0 {
		fresh = slices.Clone(chain[:fork])
		slices.Reverse(fresh)
	}
	if got, want := hashes(u.Commits), strings.Join(fresh, " "); got != want {
		t.Errorf("commits %s, want %s", got, want)
	}
	for _, c := range u.Commits {
		g.checkMerged(t, c)
	}
	if r := u.Rewrite; r != nil {
		if r.Foxtrot != g.reach(head)[old] {
			t.Errorf("foxtrot is %t, and the old head is reachable: %t", r.Foxtrot, !r.Foxtrot)
		}
		if want := (gitsync.Hash{}); fork < 0 && r.Fork != want || fork >= 0 && r.Fork.String() != chain[fork] {
			t.Errorf("fork %s, want the commit at %d of %v", r.Fork, fork, chain)
		}
		gone := g.chain(old)
		if i := slices.IndexFunc(gone, func(h string) bool { return slices.Contains(chain, h) }); i >= 0 {
			gone = gone[:i]
		}
		if fmt.Sprint(r.Lost) != fmt.Sprint(gone) || r.LostTotal != len(gone) {
			t.Errorf("lost %s, want %s", r.Lost, gone)
		}
	}
}

// checkMerged relies on every commit having an author of its own.
func (g graph) checkMerged(t *testing.T, c gitsync.Commit) {
	t.Helper()
	if len(c.Parents) < 2 {
		return
	}
	want := map[string]bool{}
	first := g.reach(c.Parents[0].String())
	for _, p := range c.Parents[1:] {
		for h := range g.reach(p.String()) {
			if !first[h] {
				want[h] = true
			}
		}
	}
	if len(c.Merged) != len(want) {
		t.Errorf("%s merged the work of %d, want %d", c.Hash, len(c.Merged), len(want))
	}
}

// tangle makes commits with up to three parents among earlier ones, some with clocks that run backwards, and some roots.
func tangle(t *testing.T, remote *gittest.Remote, random *rand.Rand, n int) []string {
	t.Helper()
	var s strings.Builder
	for i := range n {
		text := fmt.Sprintf("n: %d\n", i)
		fmt.Fprintf(&s, "reset refs/heads/tangle\ncommit refs/heads/tangle\nmark :%d\ncommitter P%d <p%d@example.com> %d +0000\ndata 1\nc\n",
			i+1, i, i, 1_700_000_000+random.IntN(100))
		if i > 0 && random.IntN(15) > 0 {
			fmt.Fprintf(&s, "from :%d\n", max(i-random.IntN(4), 1))
			for range random.IntN(3) {
				fmt.Fprintf(&s, "merge :%d\n", 1+random.IntN(i))
			}
		}
		fmt.Fprintf(&s, "M 100644 inline config/n%d.yaml\ndata %d\n%s\nreset refs/heads/c%d\nfrom :%d\n\n", i%7, len(text), text, i, i+1)
	}
	cmd := gittest.Command(t.Context(), remote.Path(), "fast-import", "--quiet", "--force")
	cmd.Stdin = strings.NewReader(s.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("fast-import: %v\n%s", err, out)
	}
	return strings.Fields(git(t, remote.Path(), "for-each-ref", "--format=%(objectname)", "refs/heads/c*"))
}
