package apply_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/apply/compile"
)

// oracle is a validator that answers as it is told, by environment; where it is not, it gives no answer.
type oracle struct {
	mu      sync.Mutex
	answers map[string]string // "valid", or what it has against it
	asked   []string
}

func (*oracle) Name() string { return "oracle" }

func (o *oracle) Validate(_ context.Context, c compile.Candidate) ([]compile.Problem, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, c.Environment)
	switch answer := o.answers[c.Environment]; answer {
	case "":
		return nil, errors.New("no connection")
	case "valid":
		return nil, nil
	default:
		return []compile.Problem{{Path: "a.x", Message: answer, Rule: "quota"}}, nil
	}
}

func (o *oracle) say(answers ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answers = map[string]string{}
	for i := 0; i < len(answers); i += 2 {
		o.answers[answers[i]] = answers[i+1]
	}
	o.asked = nil
}

func served2(prod, staging string) map[string]string {
	return map[string]string{"prod": `{"a":{"x":` + prod + `}}`, "staging": `{"a":{"x":` + staging + `}}`}
}

func reconsider(t *testing.T, p *process) bool {
	t.Helper()
	waits, err := p.rec.Reconsider(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return waits
}

func TestWhatCannotBeToldIsPending(t *testing.T) {
	h, log, v := newHistory(), newLog(), &oracle{}
	o := apply.Options{Validators: []compile.Validator{v}}
	first := h.commit(repo("x: 1\n"))
	p := begin(t, h, log, o)
	v.say("prod", "valid", "staging", "valid")
	p.see(first)

	v.say("staging", "valid")
	second := h.commit(repo("x: 2\n"), first)
	third := h.commit(repo("x: 3\n"), second)
	p.see(second, third)
	p.expect(served2("1", "3"))
	expectVerdicts(t, log, "prod valid applied", "staging valid applied", "prod pending", "staging valid applied",
		"prod pending", "staging valid applied")
	waiting := p.rec.Status().Environments[0].Pending
	if waiting == nil || waiting.Commit.Hash != second || waiting.For != "the validator oracle gave no answer: no connection" {
		t.Fatalf("pending %+v", waiting)
	}
	if diff := cmp.Diff([]string{"prod", "staging", "staging"}, sortedStrings(v.asked)); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	v.say()
	if !reconsider(t, p) || len(log.decisions) != 6 {
		t.Fatalf("%d decisions; it should wait", len(log.decisions))
	}
	if since := p.rec.Status().Environments[0].Pending.Since; !since.Equal(waiting.Since) {
		t.Errorf("it waits since %s, and not since %s", since, waiting.Since)
	}
	if diff := cmp.Diff([]string{"prod"}, v.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}

	v.say("prod", "valid")
	if reconsider(t, p) {
		t.Error("something waits still")
	}
	p.expect(served2("3", "3"))
	expectVerdicts(t, log, "prod valid applied", "staging valid applied", "prod pending", "staging valid applied",
		"prod pending", "staging valid applied", "prod valid superseded", "prod valid applied")
	if d := log.decisions[7]; d.Baseline != second || p.rec.Status().Environments[0].Pending != nil {
		t.Errorf("decided against %s", d.Baseline.Short())
	}
}

func TestTheFirstDefiniteAnswerBinds(t *testing.T) {
	h, log, v := newHistory(), newLog(), &oracle{}
	o := apply.Options{Validators: []compile.Validator{v}}
	first := h.commit(repo("x: 1\n"))
	p := begin(t, h, log, o)
	v.say("prod", "valid", "staging", "valid")
	p.see(first)
	v.say("staging", "too much")
	second := h.commit(repo("x: 2\n"), first)
	p.see(second)
	v.say("prod", "too much", "staging", "valid")
	reconsider(t, p)
	p.expect(served2("1", "1"))
	if d := log.decisions[len(log.decisions)-1]; firstRule(d) != "validator.quota" || d.Problems[0].File != "config/a.yaml" {
		t.Errorf("problems %v", d.Problems)
	}
	v.say("prod", "valid", "staging", "valid")
	again := begin(t, h, log, o)
	reconsider(t, again)
	again.expect(served2("1", "1"))
	if len(v.asked) > 0 {
		t.Errorf("asked again: %v", v.asked)
	}
	if b := again.rec.Status().Environments[0].Blocked; b == nil || b.Problems[0].Rule != "rejectedBefore" {
		t.Errorf("blocked %+v", b)
	}
	again.see(h.commit(repo("x: 3\n"), second))
	again.expect(served2("3", "3"))
}

// A process that is killed between the records of two environments is bound by the first.
func TestWhatIsOnRecordBindsAfterAKill(t *testing.T) {
	h, log, v := newHistory(), newLog(), &oracle{}
	o := apply.Options{Validators: []compile.Validator{v}, LogRequired: true}
	first := h.commit(repo("x: 1\n"))
	p := begin(t, h, log, o)
	v.say("prod", "valid", "staging", "valid")
	p.see(first)
	v.say("prod", "too much", "staging", "valid")
	second := h.commit(repo("x: 2\n"), first)
	log.room = 1
	if err := p.look(second); err == nil {
		t.Fatal("the process was not killed")
	}
	v.say("prod", "valid", "staging", "valid")
	again := begin(t, h, log, o)
	again.see(second)
	again.expect(served2("1", "2"))
	if diff := cmp.Diff([]string{"staging"}, v.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestPendingOutlivesARestart(t *testing.T) {
	h, log, v := newHistory(), newLog(), &oracle{}
	o := apply.Options{Validators: []compile.Validator{v}}
	first := h.commit(repo("x: 1\n"))
	p := begin(t, h, log, o)
	v.say("prod", "valid", "staging", "valid")
	p.see(first)
	v.say("staging", "valid")
	second := h.commit(repo("x: 2\n"), first)
	p.see(second)
	again := begin(t, h, log, o)
	again.expect(served2("1", "2"))
	if w := again.rec.Status().Environments[0].Pending; w == nil || w.Commit.Hash != second {
		t.Errorf("pending %+v", w)
	}
	third := h.commit(repo("x: 3\n"), second)
	again.see(third)
	again.expect(served2("1", "3"))
	v.say("prod", "valid")
	reconsider(t, again)
	again.expect(served2("3", "3"))
}

func TestEnvironmentsThatGoLiveTogetherWaitTogether(t *testing.T) {
	h, log, v := newHistory(), newLog(), &oracle{}
	together := func(x string) map[string]string {
		files := repo("x: " + x + "\n")
		files["trunkline.yaml"] = both + "apply: together\n"
		return files
	}
	first := h.commit(together("1"))
	p := begin(t, h, log, apply.Options{Validators: []compile.Validator{v}})
	v.say("prod", "valid", "staging", "valid")
	p.see(first)
	v.say("staging", "valid")
	second := h.commit(together("2"), first)
	p.see(second)
	p.expect(served2("1", "1"))
	v.say("prod", "valid", "staging", "valid")
	reconsider(t, p)
	p.expect(served2("2", "2"))

	v.say("prod", "too much")
	p.see(h.commit(together("3"), second))
	p.expect(served2("2", "2"))
	if got := log.verdicts()[6:]; !cmp.Equal(got, []string{"prod rejected validator.quota", "staging rejected applyTogether"}) {
		t.Errorf("verdicts %v", got)
	}
}

// A branch that left a pending commit behind does not ask about it.
func TestPendingEndsWithItsBranch(t *testing.T) {
	h, log, v := newHistory(), newLog(), &oracle{}
	first := h.commit(repo("x: 1\n"))
	p := begin(t, h, log, apply.Options{Validators: []compile.Validator{v}})
	v.say("prod", "valid", "staging", "valid")
	p.see(first)
	v.say()
	p.see(h.commit(repo("x: 2\n"), first))
	v.say("prod", "valid", "staging", "valid")
	p.see(h.commit(repo("x: 3\n"), first))
	p.expect(served2("3", "3"))
	if reconsider(t, p) || len(v.asked) != 2 {
		t.Errorf("asked %v", v.asked)
	}
}

func TestRunAsksEverMoreSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, log, v := newHistory(), newLog(), &oracle{}
		first := h.commit(repo("x: 1\n"))
		p := begin(t, h, log, apply.Options{Validators: []compile.Validator{v}})
		v.say("prod", "valid", "staging", "valid")
		p.see(first)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.rec.Run(ctx) }()
		v.say("staging", "valid")
		p.see(h.commit(repo("x: 2\n"), first))
		time.Sleep(time.Hour)
		v.mu.Lock()
		asked := strings.Count(strings.Join(v.asked, " "), "prod")
		v.mu.Unlock()
		if asked < 15 || asked > 60 {
			t.Errorf("asked %d times in an hour", asked)
		}
		v.say("prod", "valid")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		p.expect(served2("2", "2"))
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	})
}

func sortedStrings(list []string) []string {
	set := map[string]int{}
	for _, s := range list {
		set[s]++
	}
	var out []string
	for _, s := range []string{"prod", "staging"} {
		for range set[s] {
			out = append(out, s)
		}
	}
	return out
}

// What becomes pending when it is accepted is asked about, too.
func TestAcceptedAndPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, log, v := newHistory(), newLog(), &oracle{}
		base := h.by("ada", signed(1))
		o := keys
		o.Validators = []compile.Validator{v}
		p := begin(t, h, log, o)
		v.say("prod", "valid")
		p.see(base)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.rec.Run(ctx) }()
		unsigned := h.by("", signed(2), base)
		p.see(unsigned)
		v.say()
		if _, err := p.rec.Accept(context.Background(), unsigned.Short(), apply.Acceptance{}); err != nil {
			t.Fatal(err)
		}
		p.expectX(1)
		v.say("prod", "valid")
		time.Sleep(time.Minute)
		synctest.Wait()
		p.expectX(2)
		cancel()
		<-done
	})
}

// An environment that a later commit drops is still waited for.
func TestPendingInAnEnvironmentThatIsDropped(t *testing.T) {
	h, log, v := newHistory(), newLog(), &oracle{}
	with := repo("x: 2\n")
	with["trunkline.yaml"] = "version: 1\nenvironments: {prod: {}, staging: {}, qa: {}}\n"
	first := h.commit(repo("x: 1\n"))
	added := h.commit(with, first)
	dropped := h.commit(repo("x: 3\n"), added)
	p := begin(t, h, log, apply.Options{Validators: []compile.Validator{v}})
	v.say("prod", "valid", "staging", "valid")
	p.see(first, added, dropped)
	v.say("prod", "valid", "staging", "valid", "qa", "valid")
	if reconsider(t, p) {
		t.Error("something waits still")
	}
	want := []string{"qa valid applied", "qa rejected environmentRemoved"}
	if got := log.verdicts(); !cmp.Equal(got[len(got)-2:], want) {
		t.Errorf("verdicts %v, want at the end %v", got, want)
	}
	begin(t, h, log, apply.Options{Validators: []compile.Validator{v}}).expect(map[string]string{
		"prod": `{"a":{"x":3}}`, "staging": `{"a":{"x":3}}`, "qa": `{"a":{"x":2}}`,
	})
}

// A commit that makes environments go live together waits for one in which an earlier commit is pending.
func TestTogetherWaitsForWhatWaits(t *testing.T) {
	h, log, v := newHistory(), newLog(), &oracle{}
	joint := repo("x: 3\n")
	joint["trunkline.yaml"] = both + "apply: together\n"
	first := h.commit(repo("x: 1\n"))
	second := h.commit(repo("x: 2\n"), first)
	third := h.commit(joint, second)
	p := begin(t, h, log, apply.Options{Validators: []compile.Validator{v}})
	v.say("prod", "valid", "staging", "valid")
	p.see(first)
	v.say("staging", "valid")
	p.see(second, third)
	p.expect(served2("1", "2"))
	v.say("prod", "valid", "staging", "valid")
	reconsider(t, p)
	reconsider(t, p)
	p.expect(served2("3", "3"))
}
