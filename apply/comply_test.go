package apply_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/gitsync"
)

// signed is a config repo of one environment whose commits must be signed.
func signed(x int) map[string]string {
	return map[string]string{
		"trunkline.yaml": "version: 1\nenvironments: {prod: {}}\ncommits: {signed: required}\n", "config/a.yaml": fmt.Sprintf("x: %d\n", x),
	}
}

// open is the same without the requirement.
func open(x int) map[string]string {
	files := signed(x)
	files["trunkline.yaml"] = "version: 1\nenvironments: {prod: {}}\n"
	return files
}

// by makes a commit that somebody signed; nobody did where the name is empty.
func (h *history) by(who string, files map[string]string, parents ...gitsync.Hash) gitsync.Hash {
	c := h.commit(files, parents...)
	if who != "" {
		h.signers[c] = who
	}
	return c
}

var keys = apply.Options{Keys: &gitsync.Keyring{}}

func (p *process) expectX(x int) {
	p.t.Helper()
	p.expect(map[string]string{"prod": fmt.Sprintf(`{"a":{"x":%d}}`, x)})
}

func TestCommitsMustBeSigned(t *testing.T) {
	h, log := newHistory(), newLog()
	introduced := h.by("", signed(1)) // no baseline asks it of this one
	p := begin(t, h, log, keys)
	p.see(introduced)
	at := introduced
	for i, step := range []struct {
		who  string
		x    int // what is live after it
		rule string
	}{
		{"ada", 2, ""}, {"mallory", 2, "untrustedSigner"}, {"ada", 2, "untrustedSigner"}, {"", 2, "unsigned"},
	} {
		at = h.by(step.who, signed(i+2), at)
		p.see(at)
		p.expectX(step.x)
		d := log.decisions[len(log.decisions)-1]
		if rule := firstRule(d); rule != step.rule {
			t.Errorf("step %d: rejected by %q, want %q", i, rule, step.rule)
		}
		if wantSigner := step.who == "ada"; (d.Signer != nil) != wantSigner || wantSigner && d.Signer.Principal != "ada" {
			t.Errorf("step %d: signer %v", i, d.Signer)
		}
	}
}

func firstRule(d apply.Decision) string {
	if len(d.Problems) == 0 {
		return ""
	}
	return d.Problems[0].Rule
}

func TestAnUnsignedCommitCannotHide(t *testing.T) {
	for name, build := range map[string]func(h *history, base gitsync.Hash) gitsync.Hash{
		"under a signed merge": func(h *history, base gitsync.Hash) gitsync.Hash {
			return h.by("ada", signed(3), base, h.by("", signed(3), base))
		},
		"under a signed commit of the same push": func(h *history, base gitsync.Hash) gitsync.Hash {
			return h.by("ada", signed(4), h.by("", signed(3), base))
		},
		"on a branch older than the baseline": func(h *history, base gitsync.Hash) gitsync.Hash {
			side := h.by("", signed(3), h.commits[base].Parents[0])
			return h.by("ada", signed(3), base, h.by("ada", signed(3), side))
		},
		"behind a commit that drops the requirement": func(h *history, base gitsync.Hash) gitsync.Hash {
			return h.by("", open(3), base)
		},
		"after a commit that dropped the requirement": func(h *history, base gitsync.Hash) gitsync.Hash {
			return h.by("ada", open(4), h.by("", open(3), base))
		},
		"in an environment that it adds": func(h *history, base gitsync.Hash) gitsync.Hash {
			files := open(3)
			files["trunkline.yaml"] = "version: 1\nenvironments: {prod: {}, qa: {}}\n"
			return h.by("", files, base)
		},
		"behind a return to a version before the requirement": func(h *history, base gitsync.Hash) gitsync.Hash {
			return h.by("", open(1), base)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, log := newHistory(), newLog()
			first := h.by("", open(1))
			base := h.by("ada", signed(2), first)
			p := begin(t, h, log, keys)
			p.see(first, base)
			head := build(h, base)
			p.see(head)
			p.expectX(2)
			for _, d := range log.decisions[2:] {
				if rule := firstRule(d); d.Verdict != apply.Rejected || rule != "unsigned" || len(d.Problems) != 1 {
					t.Errorf("%s: %s by %q, %d problems", d.Environment, d.Verdict, rule, len(d.Problems))
				}
			}
			again := begin(t, h, log, keys)
			again.expectX(2)
		})
	}
}

func TestAnExactReturnBeginsAnew(t *testing.T) {
	h, log := newHistory(), newLog()
	a := h.by("ada", signed(1))
	b := h.by("ada", signed(2), a)
	unsigned := h.by("", signed(3), b)
	back := h.by("ada", signed(2), unsigned)
	on := h.by("ada", signed(4), back)
	older := h.by("ada", signed(1), h.by("", signed(5), on))
	p := begin(t, h, log, keys)
	for _, step := range []struct {
		head gitsync.Hash
		x    int
	}{{a, 1}, {b, 2}, {unsigned, 2}, {back, 2}, {on, 4}, {older, 1}} {
		p.see(step.head)
		p.expectX(step.x)
	}
	if v := p.live.Get("prod"); v.Commit.Hash != older {
		t.Errorf("live is %s", v.Commit.Subject)
	}
}

func TestAuthorsMustBeListed(t *testing.T) {
	h, log := newHistory(), newLog()
	manifest := "version: 1\nenvironments: {prod: {}}\ncommits: {authors: ['*@Example.com', ben@example.org]}\n"
	at := gitsync.Hash{}
	p := begin(t, h, log, apply.Options{})
	for i, step := range []struct {
		email string
		x     int
	}{{"anybody@x.org", 0}, {"ada@example.com", 1}, {"BEN@example.org", 2}, {"eve@example.com.evil.org", 2}} {
		parents := []gitsync.Hash{at}
		if i == 0 {
			parents = nil
		}
		at = h.commit(map[string]string{"trunkline.yaml": manifest, "config/a.yaml": fmt.Sprintf("x: %d\n", i)}, parents...)
		c := h.commits[at]
		c.Author.Email = step.email
		h.commits[at] = c
		p.see(at)
		p.expectX(step.x)
	}
	want := fmt.Sprintf(`commit %s: its author, "eve@example.com.evil.org", is none of commits.authors in the manifest of the version before`, at.Short())
	if got := log.decisions[3].Problems[0]; got.Message != want || !strings.Contains(got.Hint, "trunkline accept "+at.Short()) {
		t.Errorf("problem %s", got)
	}
}

func TestAnOperatorAcceptsWhatIsThere(t *testing.T) {
	h, log := newHistory(), newLog()
	a := h.by("ada", signed(1))
	unsigned := h.by("", signed(2), a)
	head := h.by("ada", signed(3), unsigned)
	p := begin(t, h, log, keys)
	p.see(a, head)
	p.expectX(1)
	elsewhere := h.by("", signed(9))
	if _, err := p.rec.Accept(context.Background(), elsewhere.String(), apply.Acceptance{}); !errors.Is(err, apply.ErrUnreachable) {
		t.Errorf("a commit that is not on the branch is accepted: %v", err)
	}
	got, err := p.rec.Accept(context.Background(), unsigned.Short(), apply.Acceptance{By: "grace", Reason: "pairing"})
	if err != nil || got != unsigned {
		t.Fatal(got, err)
	}
	p.expectX(3)
	want := []string{"prod valid applied", "prod rejected unsigned", "prod rejected unsigned", "prod valid applied"}
	if diff := cmp.Diff(want, log.verdicts()); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	if d := log.decisions[3]; d.Accepted != unsigned || d.Commit.Hash != head || log.acceptances[0].By != "grace" {
		t.Errorf("decision %+v, acceptance %+v", d, log.acceptances[0])
	}
	if s := p.rec.Status(); s.Environments[0].Blocked != nil {
		t.Errorf("still blocked: %v", s.Environments[0].Blocked)
	}
	again := begin(t, h, log, keys)
	again.expectX(3)
	again.see(h.by("ada", signed(4), head))
	again.expectX(4)
}

// What is accepted counts although the head has another fault.
func TestAnAcceptanceOutlivesABadHead(t *testing.T) {
	h, log := newHistory(), newLog()
	a := h.by("ada", signed(1))
	unsigned := h.by("", signed(2), a)
	broken := signed(3)
	broken["config/a.yaml"] = "x: ["
	head := h.by("ada", broken, unsigned)
	p := begin(t, h, log, keys)
	p.see(a, head)
	if _, err := p.rec.Accept(context.Background(), unsigned.String(), apply.Acceptance{}); err != nil {
		t.Fatal(err)
	}
	p.expectX(1)
	again := begin(t, h, log, keys)
	again.see(h.by("ada", signed(4), head))
	again.expectX(4)
}

// Each rejection says which commit, what is wrong with it, and what to do.
func TestWordsOfCommitRules(t *testing.T) {
	for who, want := range map[string]string{
		"":        "commit %s: not signed (unsigned); mend and push it again",
		"mallory": "commit %s: signed by a key that is not trusted (untrustedSigner); mend and push it again",
		"forger":  "commit %s: bad signature (badSignature); mend and push it again",
	} {
		h, log := newHistory(), newLog()
		base := h.by("ada", signed(1))
		head := h.by(who, signed(2), base)
		p := begin(t, h, log, keys)
		p.see(base, head)
		const wayOut = ", restore exactly the files of a valid version, or have an operator accept it: trunkline accept %[1]s --reason TEXT"
		problem := log.decisions[1].Problems[0]
		if got, want := problem.String(), "error: "+fmt.Sprintf(want+wayOut, head.Short()); got != want || problem.Stage != "commit" {
			t.Errorf("%s: %s\nwant %s", problem.Stage, got, want)
		}
	}
}

func TestTooManyCommitsAtOnce(t *testing.T) {
	h, log := newHistory(), newLog()
	base := h.by("ada", signed(1))
	p := begin(t, h, log, keys)
	p.see(base)
	head := h.by("ada", signed(2), base)
	h.beyond = 1001
	p.see(head)
	want := "error: the commit brings along more than 1000 commits that were not judged before (tooManyCommits); "
	if got := log.decisions[1].Problems[0].String(); !strings.HasPrefix(got, want) {
		t.Errorf("problem %s", got)
	}
}

func TestWhatIsBroughtAlongIsBounded(t *testing.T) {
	h, log := newHistory(), newLog()
	base := h.by("ada", signed(1))
	p := begin(t, h, log, keys)
	p.see(base)
	side := base
	for range 30 {
		side = h.by("", signed(2), side)
	}
	p.see(h.by("ada", signed(2), base, side))
	if d := log.decisions[1]; len(d.Problems) != 20 {
		t.Errorf("%d commits are told of", len(d.Problems))
	}
}
