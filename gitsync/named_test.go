package gitsync_test

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/internal/gittest"
)

func TestNamed(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	first := change(remote, "1")
	second := change(remote, "2")
	lost := change(remote, "To be lost")
	remote.Git("checkout", "--quiet", "-b", "feature", second)
	side := change(remote, "Aside")
	remote.Git("checkout", "--quiet", gittest.Branch)
	remote.Push()
	dir := t.TempDir()
	w := follow(t, remote.URL(), at(dir))
	w.next()
	remote.Git("reset", "--quiet", "--hard", second)
	remote.Write(map[string]string{"config/more.yaml": "a: 1\n"})
	remote.Commit("More")
	remote.Git("merge", "--quiet", "--no-ff", "--no-edit", "feature")
	head := remote.Head()
	for name, commit := range map[string]string{
		"v1": first, "release/2024-01": second, "20240101": second, first[:7]: second, second: first, "v10": first, "v11": first, "other": first,
	} {
		remote.Git("tag", name, commit)
	}
	remote.Git("push", "--quiet", "--force", "--tags", "origin", "main")
	w.Hint()
	w.next()
	for name, want := range map[string]string{
		first: first, strings.ToUpper(first): first, second: second,
		first[:7]: first, first[:8]: first, first[:39]: first, strings.ToUpper(second[:9]): second, head[:7]: head,
		lost[:7]: lost, lost: lost,
		side: side,
		"v1": first, "refs/tags/v1": first, "release/2024-01": second, "refs/tags/release/2024-01": second, "20240101": second,
		"refs/tags/" + first[:7]: second, "refs/tags/" + second: first,
	} {
		if h, err := w.Named(t.Context(), name); err != nil || h.String() != want {
			t.Errorf("%q is %s, %v, want %s", name, h, err, want)
		}
	}
	tree := remote.Git("rev-parse", "HEAD^{tree}")
	for name, says := range map[string]string{
		"v12":                     `no commit and no tag "v12"; the nearest tags are v1, v10, v11`,
		"refs/tags/releas":        "nearest tags",
		first[:6]:                 "",
		side[:7]:                  "", // it is on no first-parent chain
		tree:                      "",
		strings.Repeat("ab", 20):  "",
		strings.Repeat("ab", 4):   "",
		"":                        `no tag ""`,
		"tags/v1":                 "",
		"\x1b[31m\u202e":          `"[31m"`,
		strings.Repeat("é", 5000): "",
	} {
		h, err := w.Named(t.Context(), name)
		if !errors.Is(err, gitsync.ErrNotFound) || !h.IsZero() || !strings.Contains(err.Error(), says) || len(err.Error()) > 500 {
			t.Errorf("%.50q is %s, %.500v, want ErrNotFound and %s", name, h, err, says)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	w.stop()
	again := follow(t, remote.URL(), at(dir), still())
	if _, err := again.Named(ended, first[:7]); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
	if h, err := again.Named(t.Context(), lost[:7]); err != nil || h.String() != lost {
		t.Errorf("after a restart %s is %s, %v", lost[:7], h, err)
	}
}

func TestNamedWithoutTags(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	w := follow(t, remote.URL(), still())
	_, err := w.Named(t.Context(), "abc")
	if !errors.Is(err, gitsync.ErrNotFound) || !strings.Contains(err.Error(), "7 digits or more") {
		t.Errorf("in an empty mirror: %v", err)
	}
	if _, err := w.Named(t.Context(), "abcdef0"); !errors.Is(err, gitsync.ErrNotFound) {
		t.Errorf("in an empty mirror: %v", err)
	}
}

// Two commits whose names begin alike are told apart by more digits.
func TestAmbiguousName(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	change(remote, "Something")
	one, two := alike(t, remote)
	n := 0
	for n < 40 && one[n] == two[n] {
		n++
	}
	push := func(h string) {
		remote.Git("push", "--quiet", "--force", "origin", h+":refs/heads/main")
	}
	push(one)
	w := follow(t, remote.URL())
	w.next()
	if h, err := w.Named(t.Context(), one[:n]); err != nil || h.String() != one {
		t.Errorf("%s is %s, %v", one[:n], h, err)
	}
	push(two)
	w.Hint()
	w.next()
	var ambiguous *gitsync.AmbiguousError
	_, err := w.Named(t.Context(), one[:n])
	if !errors.As(err, &ambiguous) || errors.Is(err, gitsync.ErrNotFound) {
		t.Fatalf("%s: %v, want an *AmbiguousError", one[:n], err)
	}
	want := []gitsync.Hash{hash(t, min(one, two)), hash(t, max(one, two))}
	if ambiguous.Name != one[:n] || !slices.Equal(ambiguous.Candidates, want) || !strings.Contains(err.Error(), "more digits") {
		t.Errorf("%+v: %v", ambiguous, err)
	}
	for _, h := range []string{one, two} {
		if got, err := w.Named(t.Context(), h[:n+1]); err != nil || got.String() != h {
			t.Errorf("%s is %s, %v, want %s", h[:n+1], got, err, h)
		}
	}
}

// alike makes two commits without parents whose names have 7 digits in common.
func alike(t *testing.T, remote *gittest.Remote) (one, two string) {
	t.Helper()
	tree := remote.Git("rev-parse", "HEAD^{tree}")
	text := func(i int) string {
		return fmt.Sprintf("tree %s\nauthor A <a@b> 1700000000 +0000\ncommitter A <a@b> 1700000000 +0000\n\n%d\n", tree, i)
	}
	seen := map[string]int{}
	for i := 0; ; i++ {
		c := text(i)
		sum := sha1.Sum(fmt.Appendf(nil, "commit %d\x00%s", len(c), c))
		key := fmt.Sprintf("%x", sum)[:7]
		if j, is := seen[key]; is {
			return written(t, remote, text(j)), written(t, remote, c)
		}
		seen[key] = i
	}
}

func written(t *testing.T, remote *gittest.Remote, commit string) string {
	t.Helper()
	cmd := gittest.Command(t.Context(), remote.Work(), "hash-object", "-t", "commit", "-w", "--stdin")
	cmd.Stdin = strings.NewReader(commit)
	out, err := cmd.Output()
	must(t, err)
	return strings.TrimSpace(string(out))
}

// An abbreviation is found whether the chains know the history or not, and as the branch grows.
func TestNamedAgreesWithGit(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	grow(t, remote, 300, 2, 10)
	w := follow(t, remote.URL())
	w.next()
	steps(t, w.Chain("config"), w.Head())
	for round := range 3 {
		for _, h := range strings.Fields(remote.Git("rev-list", "HEAD")) {
			short := remote.Git("rev-parse", "--short=7", h)
			if got, err := w.Named(t.Context(), short); err != nil || got.String() != h {
				t.Fatalf("%s is %s, %v, want %s", short, got, err, h)
			}
			if round > 0 {
				break
			}
		}
		change(remote, fmt.Sprint(round))
		remote.Push()
		w.Hint()
		w.next()
	}
}
