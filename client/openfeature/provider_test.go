package openfeature_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/client/local"
	trunkline "github.com/trunkline/trunkline/client/openfeature"
)

// TestEvaluations holds values, reasons, variants, codes and metadata as the SDK tells them.
func TestEvaluations(t *testing.T) {
	s := selling(t)
	_, flags := connected(t, provider(s))
	commit := s.live.Get("prod").ID
	ada := openfeature.NewEvaluationContext("u1", map[string]any{"email": "ada@example.com", "age": 20})
	nobody, qa := openfeature.NewTargetlessEvaluationContext(nil), openfeature.NewEvaluationContext("qa", nil)
	meta := func(pairs ...any) openfeature.FlagMetadata {
		m := openfeature.FlagMetadata{"commit": commit, "environment": "prod"}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i].(string)] = pairs[i+1]
		}
		return m
	}
	page := map[string]any{"size": int64(20), "hosts": []any{"b", "c"}}
	for _, c := range []struct {
		flag      string
		otherwise any
		who       openfeature.EvaluationContext
		want      any
		reason    openfeature.Reason
		variant   string
		code      openfeature.ErrorCode
		metadata  openfeature.FlagMetadata
	}{
		{"search.ranking", true, nobody, false, "DEFAULT", "", "", meta()},
		{"search.ranking", false, ada, true, "TARGETING_MATCH", "on", "", meta("rollout", "ranking", "rule", "staff", "variant", "on", "inEffect", true)},
		{"search.ranking", "x", ada, "x", "ERROR", "", "TYPE_MISMATCH", meta("rollout", "ranking", "rule", "staff", "variant", "on", "inEffect", true)},
		{"search.depth", int64(1), nobody, int64(3), "DEFAULT", "", "", meta("rollout", "halted", "inEffect", false)},
		{"search.depth", 1.5, nobody, 3.0, "DEFAULT", "", "", meta("rollout", "halted", "inEffect", false)},
		{"search.ratio", 1.5, nobody, 0.5, "STATIC", "", "", meta()},
		{"search.ratio", int64(1), nobody, int64(1), "ERROR", "", "TYPE_MISMATCH", meta()},
		{"checkout.color", "x", qa, "green", "TARGETING_MATCH", "green", "", meta("experiment", "button", "phase", int64(2), "layer", "checkout", "variant", "green", "inEffect", true, "forced", true)},
		{"checkout.color", "x", nobody, "x", "ERROR", "", "TARGETING_KEY_MISSING", meta()},
		{"search.page", nil, ada, page, "TARGETING_MATCH", "on", "", meta("rollout", "page", "rule", "grown", "variant", "on", "inEffect", true)},
		{"search.page.size", int64(1), ada, int64(20), "TARGETING_MATCH", "on", "", meta("rollout", "page", "rule", "grown", "variant", "on", "inEffect", true)},
		{"search.page.size", int64(1), openfeature.NewEvaluationContext("u", map[string]any{"age": "old"}), int64(10), "DEFAULT", "", "", meta("condition", "")},
		{"nothing", map[string]any{}, nobody, nil, "STATIC", "", "", meta()},
		{"nothing", "x", nobody, "x", "ERROR", "", "TYPE_MISMATCH", meta()},
		{"secret", "x", nobody, "x", "ERROR", "", "GENERAL", meta()},
		{"nowhere", true, nobody, true, "ERROR", "", "FLAG_NOT_FOUND", meta()},
		{"no..path", true, nobody, true, "ERROR", "", "FLAG_NOT_FOUND", meta()},
		{"search.ranking", true, openfeature.NewEvaluationContext("u", map[string]any{"deep": map[string]any{"a": []any{[]any{[]any{[]any{1}}}}}}), true, "ERROR", "", "INVALID_CONTEXT", openfeature.FlagMetadata{"environment": "prod"}},
	} {
		got, d := ask(flags, c.flag, c.otherwise, c.who)
		if _, tells := c.metadata["condition"]; tells && d.FlagMetadata["condition"] != nil {
			delete(d.FlagMetadata, "condition")
			delete(c.metadata, "condition")
		}
		if !reflect.DeepEqual(got, c.want) || d.Reason != c.reason || d.Variant != c.variant || d.ErrorCode != c.code || !reflect.DeepEqual(d.FlagMetadata, c.metadata) {
			t.Errorf("%s of %v:\n%v %+v\nwant %v %s %s %s %v", c.flag, c.who.Attributes(), got, d, c.want, c.reason, c.variant, c.code, c.metadata)
		}
	}
}

// ask evaluates a flag by the type of its default.
func ask(flags openfeature.IClient, flag string, otherwise any, who openfeature.EvaluationContext) (any, openfeature.ResolutionDetail) {
	ctx := context.Background()
	switch otherwise := otherwise.(type) {
	case bool:
		d, _ := flags.BooleanValueDetails(ctx, flag, otherwise, who)
		return d.Value, d.ResolutionDetail
	case string:
		d, _ := flags.StringValueDetails(ctx, flag, otherwise, who)
		return d.Value, d.ResolutionDetail
	case int64:
		d, _ := flags.IntValueDetails(ctx, flag, otherwise, who)
		return d.Value, d.ResolutionDetail
	case float64:
		d, _ := flags.FloatValueDetails(ctx, flag, otherwise, who)
		return d.Value, d.ResolutionDetail
	default:
		d, _ := flags.ObjectValueDetails(ctx, flag, otherwise, who)
		return d.Value, d.ResolutionDetail
	}
}

// TestSplits holds that units are split as the set splits them.
func TestSplits(t *testing.T) {
	s := selling(t)
	_, flags := connected(t, provider(s))
	set := s.live.Get("prod").Snapshot.Overrides
	seen := map[string]int{}
	for i := range 200 {
		unit := fmt.Sprintf("u%d", i)
		d, err := flags.StringValueDetails(t.Context(), "checkout.color", "x", openfeature.NewEvaluationContext(unit, nil))
		who, _ := local.Context(map[string]any{"targetingKey": unit})
		want := set.Assignments(set.Choose(nil, &who, time.Now()))[0].Variant
		if err != nil || d.Reason != openfeature.SplitReason || d.Variant != want || d.Value != map[string]string{"control": "blue", "green": "green"}[want] {
			t.Fatalf("%s: %+v, want %s", unit, d, want)
		}
		seen[want]++
	}
	if len(seen) != 2 {
		t.Error(seen)
	}
}

// events are what an API tells.
func events(api *openfeature.EvaluationAPI, kinds ...openfeature.EventType) <-chan openfeature.EventDetails {
	told := make(chan openfeature.EventDetails, 100)
	for _, kind := range kinds {
		callback := func(d openfeature.EventDetails) { told <- d }
		api.AddHandler(kind, &callback)
	}
	return told
}

func next[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(generous):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// TestEvents holds that programs hear which flags may be others, and when they are stale and live again.
func TestEvents(t *testing.T) {
	s := selling(t)
	api, flags := connected(t, provider(s))
	changed, stale := events(api, openfeature.ProviderConfigChange), events(api, openfeature.ProviderStale)
	s.live.PutJSON("prod", `{"search":{"ranking":false,"depth":4,"ratio":0.5,"page":{"size":10,"hosts":["a"]}},"checkout":{"color":"blue"}}`)
	if d := next(t, changed); !slices.Contains(d.FlagChanges, "search.depth") || !slices.Contains(d.FlagChanges, "secret") || d.EventMetadata["commit"] != s.live.Get("prod").ID {
		t.Errorf("%+v", d)
	}
	s.live.Definitions = definitions(t, map[string]string{"rollouts/ranking": "environments: [prod]\nset: {search.ranking: true}\nrules: [{name: all}]\n"})
	s.live.PutJSON("prod", `{"search":{"ranking":false,"depth":4}}`)
	if d := next(t, changed); !slices.Contains(d.FlagChanges, "search.ranking") || !slices.Contains(d.FlagChanges, "checkout.color") {
		t.Errorf("%+v", d)
	}
	if !flags.Boolean(t.Context(), "search.ranking", false, openfeature.NewTargetlessEvaluationContext(nil)) {
		t.Error("the new definitions do not count")
	}
	s.stop()
	next(t, stale)
	if state := flags.State(); state != openfeature.StaleState || !flags.Boolean(t.Context(), "search.ranking", false, openfeature.NewTargetlessEvaluationContext(nil)) {
		t.Errorf("without a server: %s", state)
	}
	ready := events(api, openfeature.ProviderReady)
	serve(t, s.live, s.addr, access.Define)
	next(t, ready)
	if state := flags.State(); state != openfeature.ReadyState {
		t.Error(state)
	}
}

// TestWithoutTheRight holds that a refusal is fatal, and leaves nothing running.
func TestWithoutTheRight(t *testing.T) {
	s := selling(t)
	other := serve(t, s.live, "127.0.0.1:0", 0)
	api := isolated.NewAPI()
	defer func() { _ = api.Shutdown(context.Background()) }()
	err := api.SetProviderAndWait(t.Context(), provider(other))
	var failed *openfeature.ProviderInitError
	if !errors.As(err, &failed) || failed.ErrorCode != openfeature.ProviderFatalCode {
		t.Errorf("%v", err)
	}
	if state := api.NewClient().State(); state != openfeature.FatalState {
		t.Error(state)
	}
}

// TestNotReady holds that before there are values flags have the defaults of the code, and that a start that takes too long can end.
func TestNotReady(t *testing.T) {
	p := trunkline.New(local.Options{Options: client.Options{URL: "http://127.0.0.1:1"}})
	if d := p.BooleanEvaluation(t.Context(), "a", true, nil); !d.Value || d.Reason != openfeature.ErrorReason || d.ResolutionDetail().ErrorCode != openfeature.ProviderNotReadyCode {
		t.Errorf("%+v", d)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.InitWithContext(ctx, openfeature.EvaluationContext{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	p.Shutdown()
	if err := trunkline.New(local.Options{Options: client.Options{URL: "no server"}}).Init(openfeature.EvaluationContext{}); err == nil {
		t.Error("no server is one")
	}
}

// TestStartedAgain holds that a provider may be started after it was shut down, and that shutting down ends what was begun.
func TestStartedAgain(t *testing.T) {
	p := provider(selling(t))
	for range 2 {
		if err := p.InitWithContext(t.Context(), openfeature.EvaluationContext{}); err != nil {
			t.Fatal(err)
		}
		if d := p.IntEvaluation(t.Context(), "search.depth", 0, nil); d.Value != 3 {
			t.Errorf("%+v", d)
		}
		p.Shutdown()
		if d := p.IntEvaluation(t.Context(), "search.depth", 7, nil); d.Value != 7 {
			t.Errorf("after a shutdown: %+v", d)
		}
	}
	if p.Metadata().Name != "Trunkline" || p.Hooks() != nil {
		t.Error(p.Metadata())
	}
}

func BenchmarkEvaluation(b *testing.B) {
	p := provider(selling(b))
	_, flags := connected(b, p)
	who := openfeature.NewEvaluationContext("user-1234567", map[string]any{"country": "DE"})
	flat := openfeature.FlattenedContext{"targetingKey": "user-1234567", "country": "DE"}
	b.Run("provider", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p.BooleanEvaluation(context.Background(), "search.ranking", false, flat)
		}
	})
	b.Run("sdk", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			flags.Boolean(context.Background(), "search.ranking", false, who)
		}
	})
}
