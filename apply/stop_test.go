package apply_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// flag is a rollout that turns x to 2 for everybody.
const flag = "environments: [prod, staging]\nset: {a.x: 2}\nrules: [{name: all, percentage: 100%}]\n"

func halt(key string) apply.Stop {
	return apply.Stop{Environment: "prod", Key: key, By: "token:grace", Reason: "fire"}
}

func goOn(key string) apply.Resume {
	return apply.Resume{Stop: apply.Stop{Environment: "prod", Key: key}, By: "token:grace", Reason: "out"}
}

func (p *process) halt(s apply.Stop) {
	p.t.Helper()
	if _, err := p.rec.Stop(context.Background(), s); err != nil {
		p.t.Fatalf("%v", err)
	}
}

// given is what somebody gets in an environment.
func (p *process) given(env string) string {
	v := p.live.Get(env)
	values, overrides := v.Snapshot.Of(false)
	if overrides == nil {
		return values.String()
	}
	return overrides.Values(values, overrides.Choose(nil, nil, v.Clock(time.Now()))).String()
}

func (p *process) expectGiven(prod, staging string) {
	p.t.Helper()
	for env, want := range map[string]string{"prod": prod, "staging": staging} {
		if got := p.given(env); got != fmt.Sprintf(`{"a":{"x":%s}}`, want) {
			p.t.Fatalf("in %s everybody gets %s", env, got)
		}
	}
}

func TestAStopHolds(t *testing.T) {
	h, log := newHistory(), newLog()
	first := h.commit(repo("x: 1\n", "rollouts/f.yaml", flag))
	p := start(t, h, log)
	p.see(first)
	p.expectGiven("2", "2")
	since := p.live.Get("prod").Since
	p.halt(halt("f"))
	p.expectGiven("1", "2")
	v := p.live.Get("prod")
	if v.Cause != apply.CauseStop || !v.Since.Equal(since) || len(v.Stops) != 1 || v.Stops[0].Kind != experiment.KindRollout || v.Stops[0].Reason != "fire" {
		t.Errorf("live %+v", v)
	}
	if s := p.rec.Status(); len(s.Environments[0].Stops) != 1 || len(s.Environments[1].Stops) != 0 {
		t.Errorf("status %+v", s.Environments)
	}

	second := h.commit(repo("x: 3\n", "rollouts/f.yaml", "# a comment\n"+flag), first)
	p.see(second)
	p.expectGiven("3", "2")
	again := start(t, h, log)
	again.expectGiven("3", "2")
	if v := again.live.Get("prod"); v.Cause != apply.CauseStart || len(v.Stops) != 1 {
		t.Errorf("after a restart %s %v", v.Cause, v.Stops)
	}

	if _, err := again.rec.Resume(context.Background(), goOn("f")); err != nil {
		t.Fatal(err)
	}
	again.expectGiven("2", "2")
	if v := again.live.Get("prod"); v.Cause != apply.CauseResume || v.Stops != nil {
		t.Errorf("resumed %s %v", v.Cause, v.Stops)
	}
	start(t, h, log).expectGiven("2", "2")
}

func TestAStopEndsWithItsFile(t *testing.T) {
	for name, files := range map[string][]string{
		"changed": {"rollouts/f.yaml", strings.Replace(flag, "a.x: 2", "a.x: 4", 1)},
		"removed": {"rollouts/g.yaml", strings.Replace(flag, "a.x: 2", "a.x: 4", 1)},
	} {
		h, log := newHistory(), newLog()
		first := h.commit(repo("x: 1\n", "rollouts/f.yaml", flag))
		second := h.commit(repo("x: 1\n", files...), first)
		p := start(t, h, log)
		p.see(first)
		p.halt(halt("f"))
		p.see(second)
		p.expectGiven("4", "4")
		if s := p.rec.Status(); len(s.Environments[0].Stops) != 0 {
			t.Errorf("%s: it stands: %+v", name, s.Environments[0].Stops)
		}
		if len(log.resumes) != 1 || log.resumes[0].By != "change" || log.resumes[0].Stop.Reason != "fire" {
			t.Errorf("%s: on record %+v", name, log.resumes)
		}
		back := h.commit(repo("x: 1\n", "rollouts/f.yaml", flag), second)
		p.see(back)
		p.expectGiven("2", "2")
	}
}

// A stop counts for what a pin keeps out, and for what it holds.
func TestAStopUnderAPin(t *testing.T) {
	h, log := newHistory(), newLog()
	none := h.commit(repo("x: 1\n"))
	first := h.commit(repo("x: 1\n", "rollouts/f.yaml", flag), none)
	p := start(t, h, log)
	p.see(none, first)
	p.halt(halt("f"))
	p.pin(none, pin("prod"))
	if len(p.live.Get("prod").Stops) != 0 || len(p.rec.Status().Environments[0].Stops) != 1 {
		t.Errorf("live %v, status %v", p.live.Get("prod").Stops, p.rec.Status().Environments[0].Stops)
	}
	p.see(h.commit(repo("x: 5\n", "rollouts/f.yaml", flag), first))
	p.expectGiven("1", "2")
	if _, err := p.rec.Unpin(context.Background(), off("prod", true)); err != nil {
		t.Fatal(err)
	}
	p.expectGiven("5", "2")
}

// What is pinned may not be at hand after a start: nobody can tell then that the file changed.
func TestAStopOfWhatIsNotAtHand(t *testing.T) {
	h, log := newHistory(), newLog()
	first := h.commit(repo("x: 1\n", "rollouts/f.yaml", flag))
	second := h.commit(repo("x: 3\n", "rollouts/f.yaml", strings.Replace(flag, "a.x: 2", "a.x: 4", 1)), first)
	third := h.commit(repo("x: 5\n", "rollouts/f.yaml", strings.Replace(flag, "a.x: 2", "a.x: 4", 1)), second)
	p := start(t, h, log)
	p.see(first)
	p.halt(halt("f"))
	p.pin(first, pin("prod"))
	p.see(second)

	commit := h.commits[first]
	delete(h.commits, first)
	lost := start(t, h, log)
	lost.see(third)
	if len(log.resumes) != 0 {
		t.Errorf("on record %+v", log.resumes)
	}
	h.commits[first] = commit
	start(t, h, log).expectGiven("1", "4")
}

// A pin holds time as well, even where it pins what is live.
func TestTimeStandsStillUnderAPin(t *testing.T) {
	h, log := newHistory(), newLog()
	first := h.commit(repo("x: 1\n", "rollouts/f.yaml", flag))
	p := start(t, h, log)
	p.see(first)
	if v := p.live.Get("prod"); !v.Clock(time.Unix(7, 0)).Equal(time.Unix(7, 0)) {
		t.Error("time stands still without a pin")
	}
	made := p.pin(first, pin("prod"))
	for _, p := range []*process{p, start(t, h, log)} {
		if v := p.live.Get("prod"); !v.Clock(time.Unix(7, 0)).Equal(made.At) || v.Cause != apply.CausePin {
			t.Errorf("the time is %s, cause %s", v.Clock(time.Unix(7, 0)), v.Cause)
		}
	}
	if _, err := p.rec.Unpin(context.Background(), off("prod", false)); err != nil {
		t.Fatal(err)
	}
	if v := p.live.Get("prod"); !v.Held.IsZero() || v.Cause != apply.CauseUnpin {
		t.Errorf("unpinned: held %s, cause %s", v.Held, v.Cause)
	}
}

func TestWhatCannotBeStopped(t *testing.T) {
	h, log := newHistory(), newLog()
	first := h.commit(repo("x: 1\ny: 1\n", "rollouts/button.yaml", strings.Replace(flag, "prod, staging", "staging", 1), "rollouts/both.yaml", flag,
		"layers/l.yaml", "salt: l0l0\n", "experiments/both.yaml", "environments: [prod]\nstatus: running\nlayer: l\nsalt: e0e0\ntraffic: 100%\n"+
			"variants: {control: {weight: 50%}, green: {weight: 50%, set: {a.y: 2}}}\nmetrics: {primary: [m]}\n"+
			"plan: {unitsTotal: 1000, minimumEffect: {relative: 10%}, alpha: 0.05, power: 0.8, minRuntime: 7d, onInconclusive: rollback}\n",
		"metrics/m.yaml", "name: m\nkind: proportion\nevent: bought\n"))
	p := start(t, h, log)
	p.see(first)
	for _, c := range []struct {
		stop apply.Stop
		want error
	}{
		{halt("button"), apply.ErrUnknownDefinition},
		{halt("bot"), apply.ErrUnknownDefinition},
		{halt("both"), apply.ErrAmbiguousDefinition},
		{apply.Stop{Environment: "nowhere", Key: "both"}, apply.ErrUnknownDefinition},
		{apply.Stop{Environment: "prod", Kind: experiment.KindLayer, Key: "l"}, apply.ErrUnknownDefinition},
	} {
		if _, err := p.rec.Stop(context.Background(), c.stop); !errors.Is(err, c.want) {
			t.Errorf("stop %s: %v", c.stop.Key, err)
		}
	}
	if _, err := p.rec.Stop(context.Background(), halt("bot")); err == nil || !strings.Contains(err.Error(), "did you mean both?") {
		t.Errorf("the nearest is not told: %v", err)
	}
	if _, err := p.rec.Resume(context.Background(), goOn("both")); !errors.Is(err, apply.ErrNotStopped) {
		t.Errorf("resumed: %v", err)
	}
	for _, kind := range []experiment.Kind{experiment.KindRollout, experiment.KindExperiment} {
		s := halt("both")
		s.Kind = kind
		p.halt(s)
	}
	if _, err := p.rec.Resume(context.Background(), goOn("both")); !errors.Is(err, apply.ErrAmbiguousDefinition) {
		t.Errorf("resumed one of two: %v", err)
	}
}

// What the log does not take in time is taken back, so that a restart finds what is so now.
func TestAStopThatIsNotRecorded(t *testing.T) {
	h, log := newHistory(), newLog()
	first := h.commit(repo("x: 1\n", "rollouts/f.yaml", flag))
	p := start(t, h, log)
	p.see(first)
	log.late = true
	if _, err := p.rec.Stop(context.Background(), halt("f")); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v", err)
	}
	log.late = false
	p.expectGiven("2", "2")
	start(t, h, log).expectGiven("2", "2")

	p.halt(halt("f"))
	log.late = true
	if _, err := p.rec.Resume(context.Background(), goOn("f")); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v", err)
	}
	log.late = false
	p.expectGiven("1", "2")
	start(t, h, log).expectGiven("1", "2")
}

// A condition that cannot be evaluated is counted.
func TestConditionsThatFail(t *testing.T) {
	h, log := newHistory(), newLog()
	first := h.commit(repo("x: 1\n", "rollouts/f.yaml", "environments: [prod]\nset: {a.x: 2}\nrules: [{name: old, when: context.age > 3}]\n"))
	var failed []string
	p := begin(t, h, log, apply.Options{Observe: apply.Observer{Undecided: func(env string, kind experiment.Kind) { failed = append(failed, env+" "+string(kind)) }}})
	p.see(first)
	who, err := experiment.ParseContext(parse(t, `{"age": "old"}`))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := p.live.Get("prod").Snapshot.Overrides.Choose(nil, &who, time.Now()); len(got) != 0 {
			t.Errorf("chosen %v", got)
		}
	}
	if diff := cmp.Diff([]string{"prod rollout", "prod rollout"}, failed); diff != "" {
		t.Error(diff)
	}
}

func parse(t *testing.T, text string) *value.Value {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// A record tells what a commit does to those whom a rollout concerns.
func TestEffectsAreDecided(t *testing.T) {
	h, log := newHistory(), newLog()
	first := h.commit(repo("x: 1\n"))
	second := h.commit(repo("x: 1\n", "rollouts/f.yaml", flag), first)
	p := start(t, h, log)
	p.see(first, second)
	for _, d := range log.decisions[2:] {
		if len(d.Effects) != 1 || d.Effects[0].Gained != experiment.Slots || d.Effects[0].Key != "f" {
			t.Errorf("in %s %+v", d.Environment, d.Effects)
		}
	}
}

// As long as neither definitions nor stops change, the sets stay, so that nobody is decided about again.
func TestSetsStay(t *testing.T) {
	h, log := newHistory(), newLog()
	first := h.commit(repo("x: 1\n", "rollouts/f.yaml", flag))
	second := h.commit(repo("x: 3\n", "rollouts/f.yaml", flag), first)
	p := start(t, h, log)
	p.see(first)
	before := p.live.Get("prod").Snapshot
	p.see(second)
	after := p.live.Get("prod").Snapshot
	if after.Overrides != before.Overrides || after.DeliveredOverrides != before.DeliveredOverrides {
		t.Error("the sets are others, though only a value changed")
	}
	p.halt(halt("f"))
	stopped := p.live.Get("prod").Snapshot
	p.see(h.commit(repo("x: 4\n", "rollouts/f.yaml", flag), second))
	if again := p.live.Get("prod").Snapshot; stopped.Overrides == after.Overrides || again.Overrides != stopped.Overrides {
		t.Error("a stop, and a value after it")
	}
	p.expectGiven("4", "2")
}
