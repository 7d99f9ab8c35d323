package server_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// twin makes one of two servers that differ in nothing but what is not granted: one has hidden values, environments, rollouts, experiments,
// stops and clients, the other has none of them. Both have the same commits, and the same key of fingerprints.
func twin(t *testing.T, hidden bool) (s *running, data string) {
	t.Helper()
	remote, data := shop(t), t.TempDir()
	set := settings(remote, data)
	set.DigestKeyFile = filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(set.DigestKeyFile, []byte(strings.Repeat("k", 40)), 0o600); err != nil {
		t.Fatal(err)
	}
	s = start(t, remote, set)
	s.becomes("prod", "checkout.timeout", `"30s"`)
	environments, shared := "staging: {}, prod: {}, prodEu: {extends: prod}", "checkout.timeout: 25s"
	files := map[string]string{
		"layers/main.yaml":     "unit: targetingKey\nsalt: abcdef\n",
		"experiments/all.yaml": tried("open", "0-1999", "green", "checkout.ui.button.text: Now"),
		"rollouts/halted.yaml": "environments: [prod]\nset: {checkout.ui.button.color: green}\nrules: [{name: all}]\n",
		"config/other.yaml":    "a: 1\n", "environments/prod/checkout.yaml": "retries: 7\n",
	}
	if hidden {
		environments, shared = environments+", canaryEnv: {}", "checkout.timeout: 25s, canaryPath.sub.canaryKey: 7"
		files["config/canaryPath/sub.yaml"], files["environments/canaryEnv/checkout.yaml"] = "canaryKey: 5\ntried: 1\nrolled: 1\n", "retries: 9\n"
		files["experiments/canaryFileTried.yaml"] = tried("canaryFileTried", "2000-3999", "canaryValue", "canaryPath.sub.tried: 3")
		files["rollouts/canaryFile.yaml"] = "environments: [prod, canaryEnv]\nset: {canaryPath.sub.rolled: 2}\nrules: [{name: all, when: segment(\"canaryFile\")}]\n"
		files["segments/canaryFile.yaml"] = "when: context.country == \"DE\"\n"
	}
	files["rollouts/shared.yaml"] = "environments: [prod]\nset: {" + shared + "}\nrules: [{name: all, when: context.country == \"DE\"}]\n"
	files["trunkline.yaml"] = "version: 1\nenvironments: {" + environments + "}\npublic: [checkout.ui.**]\nsensitive: [checkout.payment]\n"
	s.push("Plant", files)
	s.becomes("prod", "checkout.retries", "7")
	operator := s.token(data, `{"environments": ["*"], "patterns": ["**"], "rights": ["operate"]}`)
	for _, key := range []string{"halted", "canaryFile"}[:map[bool]int{false: 1, true: 2}[hidden]] {
		if res, answer := s.request(http.MethodPost, s.url+"/v1/stops", fmt.Appendf(nil, `{"environment": "prod", "key": %q, "reason": "x"}`, key), operator); res.StatusCode != http.StatusCreated {
			t.Fatalf("%s: %s", key, answer)
		}
	}
	change := map[string]string{"config/other.yaml": "a: 2\n"}
	if hidden {
		change["config/canaryPath/sub.yaml"] = "canaryKey: 6\ntried: 1\nrolled: 1\n"
		next(t, s.stream(operator, `{"type":"hello","env":"prod","client":{"name":"canaryValue"}}`))
	}
	s.push("Change what is not granted", change)
	s.becomes("prod", "other.a", "2")
	return s, data
}

var (
	times  = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z|Date:\[[^\]]*\]|Content-Length:\[\d+\]`)
	hashes = regexp.MustCompile(`\b[0-9a-f]{40}\b`)
	unique = regexp.MustCompile(`stream=[^"&]*|ticket=[^"&]*|"sequence":\d+|"next":\d+|"id":"[^"]*"|http://127\.0\.0\.1:\d+`)
	byBody = regexp.MustCompile(`Etag:\["[0-9a-f]{24}\.[^\]]*`) // of evaluations, which tell the commit
)

// tells is an answer without what differs between any two servers: commits are told by their place on the branch.
func (s *running) tells(answer string) string {
	for i, commit := range strings.Fields(s.remote.Git("log", "--format=%H")) {
		answer = strings.NewReplacer(commit, fmt.Sprintf("commit%d", i), commit[:12], fmt.Sprintf("commit%d", i)).Replace(answer)
	}
	for _, what := range []*regexp.Regexp{times, hashes, unique, byBody} {
		answer = what.ReplaceAllString(answer, "…")
	}
	return answer
}

// TestHiddenContentChangesNoAnswer asks both of two servers: no size, count, checksum, cursor, hint or order tells which of them hides something.
func TestHiddenContentChangesNoAnswer(t *testing.T) {
	bare, bareData := twin(t, false)
	full, fullData := twin(t, true)
	person := url.QueryEscape(`{"country": "DE", "targetingKey": "u1"}`)
	asks := []string{
		"GET /v1/status", "GET /v1/versions", "GET /v1/versions?limit=1", "GET /v1/versions?path=**", "GET /v1/overrides", "GET /v1/stops", "GET /v1/pins", "GET /v1/tokens",
		"GET /v1/audit", "GET /v1/audit?limit=1", "GET /v1/audit?order=oldest", "GET /v1/audit?env=canaryEnv", "GET /v1/audit/report", "GET /v1/audit/verify",
		"GET /v1/matrix", "GET /v1/matrix?env=prod&env=canaryEnv", "GET /v1/diff?toEnv=canaryEnv", "GET /v1/diff?from=HEAD2", "GET /v1/diff?from=HEAD1&to=HEAD0", "GET /v1/diff?from=HEAD2&format=patch",
		`POST /v1/query {"pattern": "**"}`, `POST /v1/query?at=HEAD1 {"pattern": "**"}`, `POST /v1/query {"pattern": "*.sub.**"}`, `POST /v1/query {"pattern": "**", "context": {"country": "DE"}}`,
		`POST /v1/stops {"environment": "prod", "key": "canaryFile", "reason": "x"}`, `DELETE /v1/stops/prod/canaryFile {"reason": "x"}`, `DELETE /v1/pins/canaryEnv {"reason": "x"}`,
		"POST /ofrep/v1/evaluate/flags", `POST /ofrep/v1/evaluate/flags {"context": {"country": "DE", "targetingKey": "u1"}}`, "POST /env/canaryEnv/ofrep/v1/evaluate/flags",
		"GET /metrics", "GET /readyz", "GET /v1/blame/**",
	}
	for _, path := range []string{"", "checkout", "checkout.payment", "checkout.none", "canaryPath", "canaryPath.sub.canaryKey", "canaryPat"} {
		for _, query := range []string{"", "?env=canaryEnv", "?context=" + person, "?at=HEAD1"} {
			asks = append(asks, "GET /v1/config/"+path+query, "GET /v1/explain/"+path+query, "GET /v1/blame/"+path+query)
		}
		asks = append(asks, `POST /ofrep/v1/evaluate/flags/`+path+` {"context": {"country": "DE", "targetingKey": "u1"}}`)
	}
	for _, grant := range []string{
		`{"environments": ["prod"], "patterns": ["checkout.**"], "rights": ["reveal", "history", "publish", "operate", "define"]}`,
		`{"environments": ["prod"], "patterns": ["*.ui.**"]}`, `{"environments": ["prod"], "public": true}`,
	} {
		who := map[*running]http.Header{bare: bare.token(bareData, grant), full: full.token(fullData, grant)}
		answer := func(s *running, ask string) string {
			commits := strings.Fields(s.remote.Git("log", "--format=%H"))
			method, rest, _ := strings.Cut(strings.NewReplacer("HEAD0", commits[0], "HEAD1", commits[1], "HEAD2", commits[2]).Replace(ask), " ")
			path, body, _ := strings.Cut(rest, " ")
			res, told := s.request(method, s.url+path, []byte(body), who[s])
			return s.tells(fmt.Sprint(res.Status, res.Header, string(told)))
		}
		for _, ask := range asks {
			if a, b := answer(bare, ask), answer(full, ask); a != b {
				t.Errorf("%s: %s is answered\n%s\nand where something is hidden\n%s", grant, ask, a, b)
			}
		}
		for _, hello := range []string{
			`{"type":"hello"}`, `{"type":"hello","env":"canaryEnv"}`, `{"type":"hello","patterns":["canaryPath.**"]}`, `{"type":"hello","evaluate":"local"}`,
			`{"type":"hello","context":{"country":"DE","targetingKey":"u1"}}`, `{"type":"hello","patterns":["canaryPath.**"],"evaluate":"local"}`,
		} {
			a, b := bare.tells(next(t, bare.stream(who[bare], hello))), full.tells(next(t, full.stream(who[full], hello)))
			if a != b {
				t.Errorf("%s: %s is answered\n%s\nand where something is hidden\n%s", grant, hello, a, b)
			}
		}
	}
}

// What is wrong with the manifest is not told to who is granted values at paths that are called as its own members are.
func TestTheManifestIsNoValue(t *testing.T) {
	remote, data := shop(t), t.TempDir()
	s := start(t, remote, settings(remote, data))
	s.becomes("prod", "checkout.timeout", `"30s"`)
	who := s.token(data, `{"environments": ["*"], "patterns": ["flags.**", "environments.**", "sensitive.**", "public.**"], "rights": ["history"]}`)
	broken := s.push("Break", map[string]string{
		"trunkline.yaml": "version: 1\nenvironments: {staging: {}, prod: {extends: canaryEnv}, prodEu: {}}\nflags: ['canaryPath.[x']\nsensitive: ['canaryPath.[x']\npublic: ['canaryPath.[x']\n",
	})
	eventually(t, "prod is blocked", func() bool { return s.status().Environments["prod"].Blocked != nil })
	if _, all := s.get("/v1/status"); !strings.Contains(all, "canaryEnv") || !strings.Contains(all, "canaryPath") {
		t.Errorf("the problems are not told: %s", all)
	}
	for _, path := range []string{"/v1/status", "/v1/versions", "/v1/audit", "/v1/config?env=prod&at=" + broken} {
		if told := s.as(who, http.MethodGet, path); strings.Contains(told, "canary") {
			t.Errorf("%s: %s", path, told)
		}
	}
}

// Who may revoke some tokens learns nothing of others, also by a name that one of each has.
func TestTokensOfMoreAreNotThere(t *testing.T) {
	remote, data := shop(t), t.TempDir()
	s := start(t, remote, settings(remote, data))
	s.becomes("prod", "checkout.timeout", `"30s"`)
	whole := s.token(data, `{"environments": ["*"], "patterns": ["**"]}`)
	part := s.token(data, fmt.Sprintf(limited, `, "rights": ["operate"]`))
	res, answer := s.request(http.MethodDelete, s.url+"/v1/tokens/test", nil, part) // all of the name, of what it may know
	if res.StatusCode != http.StatusOK || strings.Count(string(answer), `"id"`) != 1 {
		t.Errorf("%s %s", res.Status, answer)
	}
	for name, test := range map[string]struct {
		who  http.Header
		want int
	}{"whole": {whole, http.StatusOK}, "part": {part, http.StatusUnauthorized}} {
		if res, _ := s.request(http.MethodGet, s.url+"/v1/config/checkout?env=prod", nil, test.who); res.StatusCode != test.want {
			t.Errorf("the token of the %s is answered %s", name, res.Status)
		}
	}
}
