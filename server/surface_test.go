package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

// openAPI reads the document that describes the HTTP surface.
func openAPI(t *testing.T) map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "docs", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := yaml.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(doc) // the forms the schema library takes
	if err != nil {
		t.Fatal(err)
	}
	plain, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return plain.(map[string]any)
}

// conforms judges an answer by a schema of the document.
func conforms(t *testing.T, doc map[string]any, schema, body string) {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource("openapi:///doc", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("openapi:///doc#/components/schemas/" + schema)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	if err != nil {
		t.Fatalf("%s: %v: %s", schema, err, body)
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("%s: %v: %s", schema, err, body)
	}
}

func TestSurfaceIsAsDescribed(t *testing.T) {
	doc := openAPI(t)
	remote := shop(t)
	data := t.TempDir()
	s := start(t, remote, settings(remote, data))
	s.becomes("prod", "checkout.timeout", `"30s"`)
	s.push("Shorter", s.edited("config/checkout.yaml", "30s", "20s"))
	s.becomes("prod", "checkout.timeout", `"20s"`)
	remote.Git("revert", "--no-edit", "HEAD")
	remote.Push()
	s.announce()
	s.becomes("prod", "checkout.timeout", `"30s"`)
	s.push("Worse", s.edited("environments/staging/checkout.yaml", "60s", "a minute"))
	eventually(t, "staging is blocked", func() bool { return s.status().Environments["staging"].Blocked != nil })

	_, status := s.get("/v1/status")
	conforms(t, doc, "Status", status)
	_, answer := s.request(http.MethodPost, s.url+"/v1/query?env=prod", []byte(`{"pattern": "**", "where": {"type": "number"}, "limit": 2}`), nil)
	conforms(t, doc, "QueryAnswer", string(answer))
	if !strings.Contains(string(answer), `"truncated":true`) {
		t.Errorf("the query is answered %s", answer)
	}
	_, versions := s.get("/v1/versions?limit=3")
	conforms(t, doc, "VersionList", versions)
	for _, wanted := range []string{`"next"`, `"rollbackOf"`, `"rejected"`, `"live"`, `"applied"`, `"problems"`} {
		if !strings.Contains(versions, wanted) {
			t.Errorf("the versions show no %s: %s", wanted, versions)
		}
	}
	for path, schema := range map[string]string{
		"/v1/diff?env=prod&from=HEAD~": "Error", "/v1/diff?env=prod&toEnv=staging": "Diff", "/v1/matrix": "Matrix", "/v1/blame/**?env=prod": "Blame",
		"/v1/explain/checkout.timeout?env=staging": "Explanation", "/v1/diff?env=prod&from=" + remote.Git("rev-parse", "HEAD~2"): "Diff",
	} {
		_, body := s.get(path)
		conforms(t, doc, schema, body)
	}
	begun := s.edited("environments/staging/checkout.yaml", "a minute", "60s")
	begun["rollouts/quick.yaml"] = "environments: [prod]\nowner: team\nunit: targetingKey\nsalt: quick1\nset: {checkout.timeout: 25s}\n" +
		"rules: [{name: german, when: 'context.country == \"DE\"'}, {name: half, when: 'context.country == \"FR\"', percentage: 50%}]\n"
	s.push("Begin a rollout", begun)
	eventually(t, "the rollout is live", func() bool {
		_, value := s.get("/v1/config/checkout.timeout?env=prod&context=" + url.QueryEscape(`{"country": "DE"}`))
		return value == `"25s"`
	})
	operator := s.token(data, `{"environments": ["*"], "patterns": ["**"], "rights": ["history", "operate", "define"]}`)
	for _, ask := range []struct{ method, path, body, schema, holds string }{
		{"GET", "/v1/overrides?env=prod", "", "OverrideList", `"status":"running"`},
		{"GET", "/v1/explain/checkout.timeout?env=prod", "", "Explanation", `"owners":[{"kind":"rollout","key":"quick"}]`},
		{"GET", "/v1/explain/checkout.timeout?env=prod&context=" + url.QueryEscape(`{"country": "DE"}`), "", "Explanation", `"resolved":"25s"`},
		{"POST", "/env/prod/ofrep/v1/evaluate/flags/checkout.timeout", `{"context": {"country": "DE"}}`, "Evaluation", `"rule":"german"`},
		{"POST", "/env/prod/ofrep/v1/evaluate/flags/checkout%2Ftimeout", `{"context": {"country": "FR"}}`, "EvaluationFailure", "TARGETING_KEY_MISSING"},
		{"POST", "/ofrep/v1/evaluate/flags/checkout.timeout", "", "EvaluationFailure", "/env/"},
		{"POST", "/env/prod/ofrep/v1/evaluate/flags", `{"context": {"country": "FR"}}`, "Evaluations", "TARGETING_KEY_MISSING"},
		{"POST", "/v1/query?env=prod", `{"pattern": "checkout.timeout", "context": {"country": "DE"}}`, "QueryAnswer", `"25s"`},
		{"POST", "/v1/query?env=prod", `{"pattern": "checkout.timeout", "context": []}`, "Error", "badContext"},
		{"POST", "/v1/stops", `{"environment": "prod", "key": "quick", "reason": "it is too quick"}`, "Stop", `"kind":"rollout"`},
		{"POST", "/env/prod/ofrep/v1/evaluate/flags/checkout.timeout", `{"context": {"country": "DE"}}`, "Evaluation", `"value":"30s","reason":"DEFAULT","metadata":{"rollout":"quick","inEffect":false`},
		{"GET", "/v1/stops", "", "StopList", `"reason":"it is too quick"`},
		{"GET", "/v1/overrides?env=prod", "", "OverrideList", `"status":"stopped"`},
		{"GET", "/v1/status", "", "Status", `"stops":[{"environment":"prod","kind":"rollout","key":"quick"`},
		{"POST", "/v1/stops", `{"environment": "prod", "key": "quack", "reason": "x"}`, "Error", "unknownDefinition"},
		{"DELETE", "/v1/stops/prod/quick", `{"reason": "it is not"}`, "Stop", `"key":"quick"`},
		{"DELETE", "/v1/stops/prod/quick", `{"reason": "it is not"}`, "Error", "notStopped"},
	} {
		_, body := s.request(ask.method, s.url+ask.path, []byte(ask.body), operator)
		if conforms(t, doc, ask.schema, string(body)); !strings.Contains(string(body), ask.holds) {
			t.Errorf("%s %s is answered %s, without %s", ask.method, ask.path, body, ask.holds)
		}
	}
	for _, path := range []string{"/v1/config/none?env=prod", "/v1/config/checkout", "/v1/versions?limit=x", "/v1/none"} {
		_, body := s.get(path)
		conforms(t, doc, "Error", body)
	}
	for _, route := range routes(doc) {
		method, path, _ := strings.Cut(route, " ")
		res, body := s.request(method, s.url+filled(path)+"?env=prod", nil, nil)
		if res.StatusCode == http.StatusMethodNotAllowed || strings.Contains(string(body), `"notFound"`) {
			t.Errorf("%s is described, and not there: %s", route, body)
		}
	}
}

// routes are all that the document describes, as "GET /v1/status".
func routes(doc map[string]any) []string {
	var all []string
	for path, item := range doc["paths"].(map[string]any) {
		for method := range item.(map[string]any) {
			all = append(all, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(all)
	return all
}

// filled puts something in the place of a path's parameters.
func filled(path string) string {
	return strings.NewReplacer("{path}", "checkout", "{name}", "nobody", "{environment}", "prod", "{key}", "checkout").Replace(path)
}

func TestMetricsAreWellNamed(t *testing.T) {
	remote := shop(t)
	s := start(t, remote, settings(remote, t.TempDir()))
	s.becomes("prod", "checkout.timeout", `"30s"`)
	s.push("Worse", s.edited("environments/staging/checkout.yaml", "60s", "a minute"))
	eventually(t, "staging is blocked", func() bool { return s.status().Environments["staging"].Blocked != nil })

	_, metrics := s.request(http.MethodGet, s.ops+"/metrics", nil, nil)
	problems, err := promlint.New(strings.NewReader(string(metrics))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, wanted := range []string{
		"trunkline_looks_total{outcome=", "trunkline_fetch_duration_seconds_count", "trunkline_judge_duration_seconds_count",
		`trunkline_verdicts_total{environment="staging",verdict="rejected"} 1`, `trunkline_live_version_info{commit="`,
		"trunkline_last_good_look_age_seconds", `trunkline_blocked_seconds{environment="staging"}`, "trunkline_sessions 0",
		"trunkline_delivered_bytes_total", "trunkline_delivery_delay_seconds_count", "trunkline_audit_records_pending 0",
		`trunkline_webhooks_total{event="push",outcome="accepted"} 1`,
	} {
		if !strings.Contains(string(metrics), wanted) {
			t.Errorf("no %s in the metrics", wanted)
		}
	}
	described, err := os.ReadFile(filepath.Join("..", "docs", "operate.md"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(metrics)) {
		name, ok := strings.CutPrefix(line, "# TYPE trunkline_")
		if name, _, _ = strings.Cut(name, " "); ok && name != "build_info" && !strings.Contains(string(described), "trunkline_"+name) {
			t.Errorf("trunkline_%s is not described", name)
		}
	}
}

// TestEveryRouteIsGuarded asks each route as a page of another site would, through a proxy, and under another name.
func TestEveryRouteIsGuarded(t *testing.T) {
	remote := shop(t)
	for name, header := range map[string]http.Header{
		"another host":   {"Host": {"config.example"}},
		"foreign origin": {"Origin": {"https://evil.example"}},
		"proxy":          {"X-Forwarded-For": {"203.0.113.9"}},
		"forwarded":      {"Forwarded": {"for=203.0.113.9"}},
	} {
		t.Run(name, func(t *testing.T) { // each has a server of its own, which would soon refuse to hear more of such requests
			s := start(t, remote, settings(remote, t.TempDir()))
			s.becomes("prod", "checkout.timeout", `"30s"`)
			for path := range openAPI(t)["paths"].(map[string]any) {
				if path == "/webhook/github" {
					continue // its signature is its credential
				}
				res, body := s.request(http.MethodGet, s.url+filled(path)+"?env=prod", nil, header)
				if !slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusMisdirectedRequest}, res.StatusCode) {
					t.Errorf("%s: %s %s", path, res.Status, body)
				}
			}
			if _, metrics := s.get("/metrics"); !strings.Contains(string(metrics), `trunkline_requests_refused_total{reason="`) {
				t.Error("refusals are not counted")
			}
		})
	}
}

// TestWebhookBodies sends what is no push of ours: nothing of it makes the server look or end.
func TestWebhookBodies(t *testing.T) {
	remote := shop(t)
	s := start(t, remote, settings(remote, t.TempDir()))
	s.becomes("prod", "checkout.timeout", `"30s"`)
	looks := remote.Requests()
	for body, want := range map[string]int{
		`{"ref": "refs/heads/main", "repository": {"clone_url": "https://github.com/other/repo.git"}}`: http.StatusAccepted,
		fmt.Sprintf(`{"ref": "refs/heads/other", "repository": {"clone_url": %q}}`, remote.URL()):      http.StatusAccepted,
		`not JSON`: http.StatusBadRequest,
		`{"ref": "refs/heads/main", "padding": "` + strings.Repeat("x", 1<<20) + `"}`: http.StatusRequestEntityTooLarge,
	} {
		if res, answer := s.deliver([]byte(body)); res.StatusCode != want {
			t.Errorf("%.60s: %s %s", body, res.Status, answer)
		}
	}
	if now := remote.Requests(); now != looks {
		t.Errorf("the remote was asked %d times", now-looks)
	}
}
