package experiment_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

func TestContextsThatAreRefused(t *testing.T) {
	long := strings.Repeat("x", 17<<10)
	var wide []string
	for i := range 256 {
		wide = append(wide, fmt.Sprintf(`"a%d": 1`, i))
	}
	for text, want := range map[string]string{
		`[]`:                                    "the context is a list",
		`"u1"`:                                  "the context is a string",
		`{"a": "` + long + `"}`:                 "more than 16384",
		"{" + strings.Join(wide, ",") + "}":     "257 values, more than 256",
		`{"a": {"b": {"c": {"d": {"e": {}}}}}}`: "6 maps and lists deep",
	} {
		v, err := value.ParseJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := experiment.ParseContext(v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v", text, err)
		}
	}
}

// TestUnits holds which attributes name a unit, and by what: an integer by its digits, and so the same in every language.
func TestUnits(t *testing.T) {
	s := good(t, map[string]string{"rollouts/r.yaml": "environments: [prod]\nunit: account.id\nfallback: device\nsalt: s\nset: {flag: true}\nrules: [{name: half, percentage: 50%}]\n"}).
		In("prod", experiment.Options{})
	for attributes, name := range map[string]string{
		`{"account": {"id": "u1"}}`:                                               "u1",
		`{"account": {"id": 12345678901234567}}`:                                  "12345678901234567",
		`{"account": {"id": -7}}`:                                                 "-7",
		`{"account": {"id": ""}, "device": "d"}`:                                  "d",
		`{"account": {"id": null}, "device": 5}`:                                  "5",
		`{"account": {"id": 1.5}, "device": "d"}`:                                 "d",
		`{"account": {"id": ["x"]}, "device": "d"}`:                               "d",
		`{"account": "x", "device": "d"}`:                                         "d",
		`{"account": {"id": "a\u0000b"}, "device": "d"}`:                          "d",
		`{"account": {"id": "` + strings.Repeat("x", 1025) + `"}, "device": "d"}`: "d",
		`{"account": {"id": "` + strings.Repeat("ü", 512) + `"}}`:                 strings.Repeat("ü", 512),
		`{"device": true}`:                                                        "",
		`{"account": {"id": 0}}`:                                                  "0",
	} {
		x, _ := s.Explain(whoIs(t, attributes), noon, experiment.KindRollout, "r")
		if x.Unit != name || x.In != (name != "" && experiment.Slot("s", name) < 5000) {
			t.Errorf("%.60s: the unit is %q, in %t", attributes, x.Unit, x.In)
		}
	}
}

// TestClaims holds that what a credential says counts more than what a client says of itself.
func TestClaims(t *testing.T) {
	claims, err := value.ParseJSON([]byte(`{"plan": "pro", "email": null, "roles": ["a"]}`))
	if err != nil {
		t.Fatal(err)
	}
	who := whoIs(t, `{"plan": "free", "email": "x@example.com", "country": "DE", "nothing": null}`).With(claims)
	if got := who.Value().String(); got != `{"country":"DE","plan":"pro","roles":["a"]}` {
		t.Errorf("%s", got)
	}
	if got := (experiment.Context{}).With(claims).Value().String(); got != `{"plan":"pro","roles":["a"]}` {
		t.Errorf("%s", got)
	}
	if got := who.With(value.Empty).Value(); got != who.Value() {
		t.Errorf("no claims make %s", got)
	}
	s := good(t, map[string]string{"rollouts/r.yaml": "environments: [prod]\nset: {flag: true}\nrules: [{name: pro, when: 'context.plan == \"pro\" && \"a\" in context.roles'}]\n"}).In("prod", experiment.Options{})
	if got := chosen(s, &who, noon); !slices.Equal(got, []string{"rollout r=on"}) {
		t.Errorf("%v", got)
	}
}

// TestRuleNow holds what a rule says of itself at a time.
func TestRuleNow(t *testing.T) {
	one := func(text string) *experiment.Rule {
		d := good(t, map[string]string{"rollouts/r.yaml": "environments: [prod]\nsalt: s\nset: {flag: true}\nrules: [{name: r, " + text + "}]\n"})
		return &d.Rollouts()[0].Rules[0]
	}
	start := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	ramp := one("ramp: {start: 2026-12-01T09:00:00Z, over: 100h, from: 1%, to: 51%}")
	for after, want := range map[time.Duration]int{-time.Minute: 0, 0: 100, 50 * time.Hour: 2600, 100 * time.Hour: 5100, 1000 * time.Hour: 5100} {
		if slots, counts := ramp.At(start.Add(after)); !counts || slots != want {
			t.Errorf("after %s: %d, want %d", after, slots, want)
		}
	}
	if at := ramp.Changes(); len(at) != 51 || !at[0].Equal(start) || !at[50].Equal(start.Add(100*time.Hour)) {
		t.Errorf("it changes %v", at)
	}
	scheduled := one("percentage: 30%, schedule: {start: 2026-12-01T09:00:00Z, end: 2026-12-01T10:00:00Z}")
	for after, want := range map[time.Duration]int{-time.Second: 0, 0: 3000, time.Hour - time.Second: 3000, time.Hour: 0} {
		if slots, counts := scheduled.At(start.Add(after)); slots != want || counts != (want > 0) {
			t.Errorf("after %s: %d, %t", after, slots, counts)
		}
	}
	if at := scheduled.Changes(); len(at) != 2 || !at[1].Equal(start.Add(time.Hour)) {
		t.Errorf("it changes %v", at)
	}
}
