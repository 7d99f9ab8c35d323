package apply_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/gitsync"
)

func pin(env string) apply.Pin { return apply.Pin{Environment: env, By: "token:grace", Reason: "fire"} }

func off(env string, forced bool) apply.Unpin {
	return apply.Unpin{Pin: apply.Pin{Environment: env}, By: "token:grace", Reason: "out", Forced: forced}
}

func (p *process) pin(name gitsync.Hash, pin apply.Pin) apply.Pin {
	p.t.Helper()
	made, err := p.rec.Pin(context.Background(), name.Short(), pin)
	if err != nil {
		p.t.Fatalf("%v", err)
	}
	return made
}

func TestAPinHolds(t *testing.T) {
	h, log := newHistory(), newLog()
	first := h.commit(repo("x: 1\n"))
	bad := h.commit(repo("x: 2\n"), first)
	p := start(t, h, log)
	p.see(first, bad)
	made := p.pin(first, pin("prod"))
	if made.From != bad || made.Commit != first || p.live.Get("prod").Cause != apply.CausePin {
		t.Errorf("pin %+v, live %s", made, p.live.Get("prod").Cause)
	}
	p.expect(served2("1", "2"))
	if _, err := p.rec.Unpin(context.Background(), off("prod", false)); !errors.Is(err, apply.ErrFledFrom) {
		t.Errorf("unpinned back into what was fled from: %v", err)
	}
	third := h.commit(repo("x: 3\n"), bad)
	p.see(third)
	p.expect(served2("1", "3"))
	expectVerdicts(t, log, "prod valid applied", "staging valid applied", "prod valid applied", "staging valid applied",
		"prod valid withheld", "staging valid applied")
	if s := p.rec.Status().Environments[0]; s.Pin == nil || s.Pin.Reason != "fire" || s.Live.Commit.Hash != first || s.Newest.Commit.Hash != third {
		t.Errorf("status %+v", s)
	}

	again := start(t, h, log)
	again.expect(served2("1", "3"))
	if s := again.rec.Status().Environments[0]; s.Pin == nil || s.Pin.From != bad || s.Live.Since.IsZero() {
		t.Errorf("status after a restart %+v", s)
	}
	if _, err := again.rec.Unpin(context.Background(), off("prod", false)); err != nil {
		t.Fatal(err)
	}
	again.expect(served2("3", "3"))
	if u := log.unpins[0]; u.Forced || u.By != "token:grace" || again.live.Get("prod").Cause != apply.CauseUnpin {
		t.Errorf("unpin %+v, live %s", u, again.live.Get("prod").Cause)
	}
	start(t, h, log).expect(served2("3", "3"))
}

func TestAPinIsForcedOff(t *testing.T) {
	h, log := newHistory(), newLog()
	first := h.commit(repo("x: 1\n"))
	second := h.commit(repo("x: 2\n"), first)
	p := start(t, h, log)
	p.see(first, second)
	p.pin(first, pin("prod"))
	p.pin(second, pin("prod")) // freezes what is live; still, second is what was fled from at first
	p.pin(first, pin("prod"))
	if _, err := p.rec.Unpin(context.Background(), off("prod", true)); err != nil {
		t.Fatal(err)
	}
	p.expect(served2("2", "2"))
	if u := log.unpins[0]; !u.Forced {
		t.Errorf("unpin %+v", u)
	}
	if _, err := p.rec.Unpin(context.Background(), off("prod", true)); !errors.Is(err, apply.ErrNotPinned) {
		t.Errorf("unpinned twice: %v", err)
	}
}

func TestWhatCanBePinned(t *testing.T) {
	const schema, policy = "schemas/a.schema.json", "policies/a.yaml"
	h, log := newHistory(), newLog()
	first := h.commit(repo("x: 1\n"))
	unfit := h.commit(repo("x: a\n", schema, `{"properties": {"x": {"type": "integer"}}}`), first)
	frowned := h.commit(repo("x: 4\n", policy, "policies: [{id: p, match: a.x, expression: self < 3}]\n"), unfit)
	broken := h.commit(repo("x: ["), frowned)
	p := start(t, h, log)
	p.see(first, broken)
	for name, commit := range map[string]string{"a schema": unfit.Short(), "the syntax": broken.String(), "no commit": "0123456789ab", "too short": first.String()[:6]} {
		if _, err := p.rec.Pin(context.Background(), commit, pin("prod")); !errors.Is(err, apply.ErrUnfit) && !errors.Is(err, apply.ErrUnknownVersion) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := p.rec.Pin(context.Background(), first.String(), pin("nowhere")); !errors.Is(err, apply.ErrUnfit) {
		t.Errorf("an environment that there is not: %v", err)
	}
	p.pin(frowned, pin("prod")) // what policies say of it is for calmer hours
	p.expect(served2("4", "1"))
}

func TestAPinThatTheLogDoesNotTakeIsNone(t *testing.T) {
	h, log := newHistory(), newLog()
	first := h.commit(repo("x: 1\n"))
	second := h.commit(repo("x: 2\n"), first)
	p := start(t, h, log)
	p.see(first, second)
	log.full = true
	if _, err := p.rec.Pin(context.Background(), first.String(), pin("prod")); !errors.Is(err, errFull) {
		t.Errorf("pinned without a record: %v", err)
	}
	p.expect(served2("2", "2"))
}

// A pin's time ends it, but not by falling back into what was fled from.
func TestAPinExpiresOnward(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, log := newHistory(), newLog()
		first := h.commit(repo("x: 1\n"))
		bad := h.commit(repo("x: 2\n"), first)
		p := begin(t, h, log, apply.Options{Now: time.Now})
		p.see(first, bad)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.rec.Run(ctx) }()
		timed := pin("prod")
		timed.Expires = time.Now().Add(time.Hour)
		p.pin(first, timed)
		time.Sleep(2 * time.Hour)
		p.expect(served2("1", "2"))
		p.see(h.commit(repo("x: 3\n"), bad))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		p.expect(served2("3", "3"))
		if u := log.unpins[0]; u.By != "expiry" || u.Forced {
			t.Errorf("unpin %+v", u)
		}
		cancel()
		<-done
	})
}

// What is pinned is served whatever the manifest says by now, and does not hold up the other environments.
func TestAPinOutlivesTighterBounds(t *testing.T) {
	h, log := newHistory(), newLog()
	first := h.commit(repo("x: 1\n", "config/b.yaml", "y: 1\n"))
	tight := repo("x: 2\n")
	tight["trunkline.yaml"] = both + "bounds: {files: 1}\napply: together\n"
	second := h.commit(tight, first)
	p := start(t, h, log)
	p.see(first)
	p.pin(first, pin("prod"))
	p.see(second)
	again := start(t, h, log)
	want := map[string]string{"prod": `{"a":{"x":1},"b":{"y":1}}`, "staging": `{"a":{"x":2}}`}
	again.expect(want)
	tight["config/a.yaml"] = "x: 3\n"
	again.see(h.commit(tight, second))
	want["staging"] = `{"a":{"x":3}}`
	again.expect(want)
}

// One pin after the other flees from the newest version that was live among them.
func TestAPinFleesFromTheNewest(t *testing.T) {
	h, log := newHistory(), newLog()
	first := h.commit(repo("x: 1\n"))
	bad := h.commit(repo("x: 2\n"), first)
	worse := h.commit(repo("x: 3\n"), bad)
	p := start(t, h, log)
	p.see(first, bad)
	p.pin(first, pin("prod"))
	p.see(worse)
	p.pin(worse, pin("prod")) // tried
	if made := p.pin(first, pin("prod")); made.From != worse {
		t.Errorf("fled from %s", made.From.Short())
	}
	if _, err := p.rec.Unpin(context.Background(), off("prod", false)); !errors.Is(err, apply.ErrFledFrom) {
		t.Errorf("unpinned back into what was fled from: %v", err)
	}
}

// A log that does not answer holds up neither pins nor commits for long, and what it takes later is taken back.
func TestAPinThatIsRecordedTooLate(t *testing.T) {
	h, log := newHistory(), newLog()
	first := h.commit(repo("x: 1\n"))
	second := h.commit(repo("x: 2\n"), first)
	p := start(t, h, log)
	p.see(first, second)
	log.late = true
	if _, err := p.rec.Pin(context.Background(), first.String(), pin("prod")); err == nil {
		t.Error("pinned")
	}
	log.late = false
	p.expect(served2("2", "2"))
	start(t, h, log).expect(served2("2", "2"))
	p.pin(first, pin("prod"))
	log.late = true
	if _, err := p.rec.Unpin(context.Background(), off("prod", true)); err == nil {
		t.Error("unpinned")
	}
	log.late = false
	p.expect(served2("1", "2"))
	start(t, h, log).expect(served2("1", "2"))
}
