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

// An acceptance of where the branch went is good for that move once, and an acceptance of a commit's rules for none.
func TestAnAcceptedMoveIsGoodOnce(t *testing.T) {
	h, log := newHistory(), newLog()
	first := h.commit(repo("x: 1\n"))
	second := h.commit(repo("x: 2\n"), first)
	other := h.commit(repo("x: 3\n"), first)
	p := begin(t, h, log, refusing)
	p.see(first, second)
	turnedAway(t, p, other)
	accept := func(h gitsync.Hash) {
		t.Helper()
		if _, err := p.rec.Accept(t.Context(), h.String(), apply.Acceptance{By: "ada", Reason: "it is right"}); err != nil {
			t.Fatal(err)
		}
	}
	accept(other)
	p.see(other)
	turnedAway(t, p, second)
	accept(second)
	p.see(second)
	turnedAway(t, p, other)
	p = begin(t, h, log, refusing)
	turnedAway(t, p, other)
	p.expect(inBoth(`{"a":{"x":2}}`))
}

func TestAcceptingAMoveWaivesNoRules(t *testing.T) {
	h, log := newHistory(), newLog()
	signed := func(base string, parents ...gitsync.Hash) gitsync.Hash {
		files := repo(base)
		files["trunkline.yaml"] = both + "commits: {signed: required}\n"
		return h.commit(files, parents...)
	}
	first := signed("x: 1\n")
	h.signers[first] = "ada"
	second := signed("x: 2\n", first)
	h.signers[second] = "ada"
	other := signed("x: 3\n", first)
	o := refusing
	o.Keys = keys.Keys
	p := begin(t, h, log, o)
	p.see(first, second)
	turnedAway(t, p, other)
	if _, err := p.rec.Accept(t.Context(), other.String(), apply.Acceptance{By: "ada", Reason: "it is right"}); err != nil {
		t.Fatal(err)
	}
	p.see(other)
	p.expect(inBoth(`{"a":{"x":1}}`)) // which the branch still holds
}

// A new mirror does not hold what the log remembers: that the branch left it is told all the same.
func TestARewriteIsNoticedWithANewMirror(t *testing.T) {
	for name, o := range map[string]apply.Options{"refused": refusing, "followed": {}} {
		t.Run(name, func(t *testing.T) {
			h, log := newHistory(), newLog()
			first := h.commit(repo("x: 1\n"))
			second := h.commit(repo("x: 2\n"), first)
			other := h.commit(repo("x: 3\n"), first)
			p := begin(t, h, log, o)
			p.see(first, second)
			delete(h.commits, second)
			p = &process{t: t, h: h, log: log, live: apply.NewLive()}
			o.Mirror, o.Log, o.Live, o.Key, o.Remembered = h, log, p.live, key, log.remembered
			p.rec = apply.New(o)
			_ = p.rec.Start(t.Context()) // it cannot serve what is gone
			err := p.look(other)
			if o.RefuseRewrites != errors.Is(err, gitsync.ErrNotTaken) {
				t.Errorf("take: %v", err)
			}
			if len(log.rewrites) != 1 || log.rewrites[0].Refused != o.RefuseRewrites || log.rewrites[0].Old != second {
				t.Errorf("on record are %+v", log.rewrites)
			}
		})
	}
}
