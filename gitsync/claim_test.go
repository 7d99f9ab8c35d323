package gitsync_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/internal/gittest"
)

// What git writes is understood.
func TestClaimsOfGit(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		play func(r *gittest.Remote) gitsync.Claim // makes the head, and says what it claims
	}{
		"revert": {func(r *gittest.Remote) gitsync.Claim {
			h := set(r, "a", 2)
			r.Git("revert", "--no-edit", h)
			return gitsync.Claim{Commits: []string{h}, Subject: "set a to 2"}
		}},
		"of a merge": {func(r *gittest.Remote) gitsync.Claim {
			r.Git("checkout", "--quiet", "-b", "feature")
			set(r, "a", 2)
			r.Git("checkout", "--quiet", gittest.Branch)
			set(r, "b", 2)
			r.Git("merge", "--quiet", "--no-ff", "--no-edit", "feature")
			h := r.Head()
			r.Git("revert", "--no-edit", "-m", "1", h)
			return gitsync.Claim{Commits: []string{h}, Subject: "Merge branch 'feature'"}
		}},
		"of a revert": {func(r *gittest.Remote) gitsync.Claim {
			set(r, "a", 2)
			r.Git("revert", "--no-edit", "HEAD")
			h := r.Head()
			r.Git("revert", "--no-edit", h)
			return gitsync.Claim{Reapply: true, Commits: []string{h}, Subject: `Revert "set a to 2"`}
		}},
		"by reference": {func(r *gittest.Remote) gitsync.Claim {
			h := set(r, "a", 2)
			short := r.Git("rev-parse", "--short", h)
			r.Git("-c", `core.editor=sed -i "1s/.*/Revert what was too much/"`, "revert", "--reference", "--edit", h)
			return gitsync.Claim{Commits: []string{short}}
		}},
		"with quotation marks": {func(r *gittest.Remote) gitsync.Claim {
			r.Write(map[string]string{"config/a.yaml": "a: 2\n"})
			h := r.Commit(`Say "yes" to "all"`)
			r.Git("revert", "--no-edit", h)
			return gitsync.Claim{Commits: []string{h}, Subject: `Say "yes" to "all"`}
		}},
		"of several, squashed": {func(r *gittest.Remote) gitsync.Claim {
			one, two := set(r, "a", 2), set(r, "b", 2)
			r.Git("checkout", "--quiet", "-b", "undo")
			r.Git("revert", "--no-edit", two, one)
			r.Git("checkout", "--quiet", gittest.Branch)
			r.Git("merge", "--quiet", "--squash", "undo")
			r.Git("-c", `core.editor=sed -i "1s/.*/Revert both/"`, "commit", "--quiet", "--edit")
			return gitsync.Claim{Commits: []string{one, two}}
		}},
		"squashed as it is": {func(r *gittest.Remote) gitsync.Claim {
			h := set(r, "a", 2)
			r.Git("checkout", "--quiet", "-b", "feature")
			r.Git("revert", "--no-edit", h)
			set(r, "b", 2)
			r.Git("checkout", "--quiet", gittest.Branch)
			r.Git("merge", "--quiet", "--squash", "feature")
			r.Git("commit", "--quiet", "--no-edit")
			return gitsync.Claim{}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			remote := gittest.NewRemote(t)
			set(remote, "a", 1)
			want := tt.play(remote)
			c := head(t, remote)
			got, ok := gitsync.ClaimOf(c)
			if diff := cmp.Diff(want, got); diff != "" || ok != (want.Subject != "" || want.Commits != nil) {
				t.Errorf("claim %t (-want +got):\n%s\n%s", ok, diff, c.Message)
			}
		})
	}
}

// What git of another version, hosting services and people write.
func TestClaims(t *testing.T) {
	t.Parallel()
	const a, b = "0123456789abcdef0123456789abcdef01234567", "89abcdef0123456789abcdef0123456789abcdef"
	var many strings.Builder
	for i := range 200 {
		fmt.Fprintf(&many, "This reverts commit %040x.\n", i)
	}
	for name, tt := range map[string]struct {
		message string
		want    gitsync.Claim
		claims  bool
	}{
		"reapply": {
			`Reapply "x"` + "\n\nThis reverts commit " + a + ".\n",
			gitsync.Claim{Reapply: true, Commits: []string{a}, Subject: `Revert "x"`},
			true,
		},
		"revert of a reapply": {
			`Revert "Reapply "x""` + "\n\nThis reverts commit " + a + ".\n",
			gitsync.Claim{Commits: []string{a}, Subject: `Reapply "x"`},
			true,
		},
		"three deep": {
			`Revert "Revert "Revert "x"""`,
			gitsync.Claim{Subject: `Revert "Revert "x""`},
			true,
		},
		"merge": {
			`Revert "Merge x"` + "\n\nThis reverts commit " + a + ", reversing\nchanges made to " + b + ".\n",
			gitsync.Claim{Commits: []string{a}, Subject: "Merge x"},
			true,
		},
		"merge in one line": {
			`Revert "Merge x"` + "\n\nThis reverts commit " + a + ", reversing changes made to " + b + ".\n",
			gitsync.Claim{Commits: []string{a}, Subject: "Merge x"},
			true,
		},
		"reference": {
			"Revert x: it was slow\n\nThis reverts commit 0123abc (x, 2024-01-01).\n",
			gitsync.Claim{Commits: []string{"0123abc"}},
			true,
		},
		"button of GitHub": {
			`Revert "title (#12)" (#13)` + "\n\nReverts org/repo#12\n",
			gitsync.Claim{Subject: "title (#12)"},
			true,
		},
		"button of GitHub, twice": {
			`Revert "Revert "title (#12)" (#13)" (#14)`,
			gitsync.Claim{Reapply: true, Subject: `Revert "title (#12)" (#13)`},
			true,
		},
		"button of GitLab": {
			`Revert "title"` + "\n\nThis reverts merge request !12\n",
			gitsync.Claim{Subject: "title"},
			true,
		},
		"list of a squashed branch": {"Revert both (#9)\n\n* Revert \"x\"\n\nThis reverts commit " + a + ".\n\n* This reverts commit " + b +
			"\n\n* This reverts commit " + a + ".\n", gitsync.Claim{Commits: []string{a, b}}, true},
		"conventional": {
			"revert: feat(x): y\n\nThis reverts commit 0123456.\n",
			gitsync.Claim{Commits: []string{"0123456"}},
			true,
		},
		"without an empty line": {
			"Revert \"x\"\nThis reverts commit " + a + ".\n",
			gitsync.Claim{Commits: []string{a}, Subject: "x"},
			true,
		},
		"very many": {"Revert all\n\n" + many.String(), gitsync.Claim{Commits: firstClaims(100)}, true},

		"quoted by another's subject": {"Add x (#5)\n\n* Try x\n\n* Revert \"Try x\"\n\nThis reverts commit " + a + ".\n", gitsync.Claim{}, false},
		"quoted in the body":          {"Revert x\n\n> This reverts commit " + a + ".\n", gitsync.Claim{}, false},
		"in the middle of a line":     {"Revert x\n\nSee why This reverts commit " + a + " did not help.\n", gitsync.Claim{}, false},
		"only words":                  {"Revert the change of yesterday\n", gitsync.Claim{}, false},
		"too short":                   {"Revert x\n\nThis reverts commit 012345.\n", gitsync.Claim{}, false},
		"too long":                    {"Revert x\n\nThis reverts commit " + a + "0.\n", gitsync.Claim{}, false},
		"no digits":                   {"Revert x\n\nThis reverts commit 0123456z.\n", gitsync.Claim{}, false},
		"cut off":                     {`Revert "a very long tit…` + "\n\n…le\"\n", gitsync.Claim{}, false},
		"no word":                     {"", gitsync.Claim{}, false},
		"no quotation":                {`Revert ""`, gitsync.Claim{}, false},
		"one mark":                    {`Revert "`, gitsync.Claim{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			subject, _, _ := strings.Cut(strings.TrimSpace(tt.message), "\n\n")
			c := gitsync.Commit{Subject: gitsync.OneLine(subject), Message: tt.message}
			got, ok := gitsync.ClaimOf(c)
			if diff := cmp.Diff(tt.want, got); ok != tt.claims || ok && diff != "" {
				t.Errorf("claims %t, want %t (-want +got):\n%s", ok, tt.claims, diff)
			}
		})
	}
}

func firstClaims(n int) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("%040x", i))
	}
	return list
}

// Whatever a message says, what is claimed is written in it.
func FuzzClaimOf(f *testing.F) {
	f.Add(`Revert "Revert "x""`, "This reverts commit 0123456789abcdef0123456789abcdef01234567.")
	f.Add(`Reapply "x" (#1)`, "* This reverts commit 0123abc (x, 2024-01-01).")
	f.Fuzz(func(t *testing.T, subject, body string) {
		c, ok := gitsync.ClaimOf(gitsync.Commit{Subject: subject, Message: subject + "\n\n" + body})
		if ok != (c.Subject != "" || len(c.Commits) > 0) || len(c.Commits) > 100 {
			t.Errorf("claims %t: %+v", ok, c)
		}
		quoted := strings.TrimSuffix(strings.TrimPrefix(c.Subject, `Revert "`), `"`)
		if !strings.Contains(subject, c.Subject) && !strings.Contains(subject, quoted) {
			t.Errorf("%q quotes %q?", subject, c.Subject)
		}
		for _, name := range c.Commits {
			if len(name) < 7 || len(name) > 40 || !strings.Contains(subject+"\n"+body, name) {
				t.Errorf("names %q", name)
			}
		}
	})
}
