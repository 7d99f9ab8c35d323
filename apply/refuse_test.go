package apply_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/gitsync"
)

var refusing = apply.Options{RefuseRewrites: true, Origin: gitsync.Hash{1}}

// turnedAway looks, and expects a refusal.
func turnedAway(t *testing.T, p *process, head gitsync.Hash) {
	t.Helper()
	if err := p.look(head); !errors.Is(err, gitsync.ErrNotTaken) {
		t.Fatalf("take: %v, want a refusal", err)
	}
}

func TestARewriteIsRefusedUntilAccepted(t *testing.T) {
	h, log := newHistory(), newLog()
	first := h.commit(repo("x: 1\n"))
	second := h.commit(repo("x: 2\n"), first)
	other := h.commit(repo("x: 3\n"), first)
	p := begin(t, h, log, refusing)
	p.see(first, second)
	turnedAway(t, p, other)
	turnedAway(t, p, other)
	p.expect(inBoth(`{"a":{"x":2}}`))
	refused := p.rec.Status().Refused
	if refused == nil || refused.Old != second || refused.New != other {
		t.Errorf("status tells %+v", refused)
	}
	if len(log.rewrites) != 1 || !log.rewrites[0].Refused {
		t.Fatalf("on record are %+v", log.rewrites)
	}

	p = begin(t, h, log, refusing)
	turnedAway(t, p, other)
	p.expect(inBoth(`{"a":{"x":2}}`))
	if len(log.rewrites) != 1 {
		t.Errorf("after a restart it is on record %d times", len(log.rewrites))
	}
	if _, err := p.rec.Accept(t.Context(), other.String()[:10], apply.Acceptance{By: "ada", Reason: "history was cleaned"}); err != nil {
		t.Fatal(err)
	}
	p.see(other)
	p.expect(inBoth(`{"a":{"x":3}}`))
	if len(log.rewrites) != 2 || log.rewrites[1].Refused || p.rec.Status().Refused != nil {
		t.Errorf("it is followed, and on record are %+v", log.rewrites)
	}
}

func TestARefusalEndsWhenTheBranchIsBack(t *testing.T) {
	h, log := newHistory(), newLog()
	first := h.commit(repo("x: 1\n"))
	second := h.commit(repo("x: 2\n"), first)
	other := h.commit(repo("x: 3\n"), first)
	third := h.commit(repo("x: 4\n"), second)
	p := begin(t, h, log, refusing)
	p.see(first, second)
	turnedAway(t, p, other)
	turnedAway(t, p, first) // it was only shortened
	if err := p.rec.Take(t.Context(), gitsync.Update{From: second, Head: second}); err != nil {
		t.Fatal(err)
	}
	if p.rec.Status().Refused != nil {
		t.Error("the branch is back, and still refused")
	}
	p.see(third)
	p.expect(inBoth(`{"a":{"x":4}}`))
}

func TestAMergeThatMovesTheTrunkIsRefused(t *testing.T) {
	h, log := newHistory(), newLog()
	first := h.commit(repo("x: 1\n"))
	second := h.commit(repo("x: 2\n"), first)
	own := h.commit(repo("x: 3\n"), first)
	foxtrot := h.commit(repo("x: 4\n"), own, second)
	p := begin(t, h, log, refusing)
	p.see(first, second)
	turnedAway(t, p, foxtrot)
}

func TestWithoutLogAndOriginNothingIsFollowed(t *testing.T) {
	h, log := newHistory(), newLog()
	first := h.commit(repo("x: 1\n"))
	p := begin(t, h, log, apply.Options{RefuseRewrites: true})
	turnedAway(t, p, first)
	p.expect(map[string]string{})
	if refused := p.rec.Status().Refused; refused == nil || !strings.Contains(refused.String(), "--origin") {
		t.Errorf("status tells %v", refused)
	}
	if len(log.rewrites) != 0 {
		t.Errorf("on record is %+v", log.rewrites)
	}
}

func inBoth(values string) map[string]string {
	return map[string]string{"staging": values, "prod": values}
}
