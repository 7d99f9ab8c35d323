package ofrep_test

import (
	"context"
	"net/http/httptest"
	"testing"

	provider "github.com/open-feature/go-sdk-contrib/providers/ofrep"
	"github.com/open-feature/go-sdk/openfeature"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/api/ofrep"
)

// TestGoClient asks with OpenFeature's client for Go, over a socket and behind a guard.
func TestGoClient(t *testing.T) {
	tokens, err := access.OpenTokens(t.TempDir()+"/tokens.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	text, _, err := tokens.New(access.TokenOptions{Name: "shop", Grant: grant(t, `{"environments": ["prod"], "patterns": ["**"]}`)})
	if err != nil {
		t.Fatal(err)
	}
	h, _ := serving(t, shop)
	guard := access.NewGuard(access.GuardOptions{Tokens: tokens, CredentialsOnly: true})
	server := httptest.NewServer(ofrep.Entry(guard.WrapFunc(h.Serve)))
	defer server.Close()
	client := func(domain string, option provider.Option) *openfeature.Client {
		t.Helper()
		if err := openfeature.SetNamedProviderAndWait(domain, provider.NewProvider(server.URL+"/env/prod", option)); err != nil {
			t.Fatal(err)
		}
		return openfeature.NewClient(domain)
	}
	c := client("bearer", provider.WithBearerToken(text))
	qa := openfeature.NewEvaluationContext("qa", map[string]any{"country": "DE", "age": 5, "tags": []string{"a"}})
	color, err := c.StringValueDetails(t.Context(), "checkout.ui.button.color", "none", qa)
	if err != nil || color.Value != "green" || color.Variant != "green" || color.Reason != openfeature.TargetingMatchReason || color.FlagMetadata["experiment"] != "button" {
		t.Errorf("%+v %v", color, err)
	}
	if v, err := c.BooleanValueDetails(t.Context(), "search/newRanking", false, qa); err != nil || !v.Value || v.FlagMetadata["rule"] != "german" {
		t.Errorf("by slashes: %+v %v", v, err)
	}
	if v, err := c.IntValueDetails(t.Context(), "checkout.timeout", 1, openfeature.EvaluationContext{}); err != nil || v.Value != 20 || v.Reason != openfeature.StaticReason {
		t.Errorf("an integer: %+v %v", v, err)
	}
	if v, err := c.FloatValueDetails(t.Context(), "search.depth", 2, openfeature.EvaluationContext{}); err != nil || v.Value != 1 {
		t.Errorf("a number: %+v %v", v, err)
	}
	if v, err := c.ObjectValueDetails(t.Context(), "checkout.ui.button", nil, qa); err != nil || v.Value.(map[string]any)["color"] != "green" {
		t.Errorf("a map: %+v %v", v, err)
	}
	// What is stopped is what is configured, and not the default of the client's code.
	if v, err := c.IntValueDetails(t.Context(), "paused.x", 7, qa); err != nil || v.Value != 1 || v.FlagMetadata["inEffect"] != false {
		t.Errorf("stopped: %+v %v", v, err)
	}
	for key, want := range map[string]openfeature.ErrorCode{
		"none": openfeature.FlagNotFoundCode, "checkout.ui.button.color": openfeature.TargetingKeyMissingCode, "checkout.limits": openfeature.TypeMismatchCode,
		"secret.dsn": openfeature.GeneralCode,
	} {
		v, err := c.StringValueDetails(context.Background(), key, "otherwise", openfeature.NewTargetlessEvaluationContext(map[string]any{"country": "FR"}))
		if err == nil || v.ErrorCode != want || v.Value != "otherwise" {
			t.Errorf("%s: %+v %v", key, v, err)
		}
	}
	if v, err := client("key", provider.WithApiKeyAuth(text)).IntValue(t.Context(), "checkout.timeout", 1, qa); err != nil || v != 20 {
		t.Errorf("by a key: %d %v", v, err)
	}
	if v, err := client("bad", provider.WithBearerToken("tlk_bad")).IntValueDetails(t.Context(), "checkout.timeout", 1, qa); err == nil || v.ErrorCode != openfeature.GeneralCode || v.Value != 1 {
		t.Errorf("without a good credential: %+v %v", v, err)
	}
}
