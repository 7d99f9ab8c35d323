package api_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/value"
)

var overridden = map[string]string{
	"trunkline.yaml":        "version: 1\nenvironments: {prod: {}}\nsensitive: [app.dsn]\n",
	"config/app.yaml":       "timeout: 20\nui: {color: blue, size: 2}\nplain: 1\ndsn: postgres://a\nhidden: 1\n",
	"rollouts/quick.yaml":   "environments: [prod]\nowner: team\nexpires: 2027-01-01\nset: {app.timeout: 25, app.hidden: 2}\nrules: [{name: german, when: 'context.country == \"DE\"'}]\n",
	"rollouts/color.yaml":   "environments: [prod]\nset: {app.ui.color: green}\nrules: [{name: all}]\n",
	"rollouts/secret.yaml":  "environments: [prod]\nset: {app.dsn: 'postgres://b'}\nrules: [{name: german, when: 'context.country == \"DE\"'}]\n",
	"rollouts/another.yaml": "environments: [prod]\nset: {app.ui.size: 3}\nrules: [{name: large, when: 'context.screen > 100', schedule: {start: 2099-01-01T00:00:00Z}}]\n",
}

const german = `{"country": "DE"}`

func asked(path, context string) string {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return path + separator + "context=" + url.QueryEscape(context)
}

func parsedJSON(tb testing.TB, text string) *value.Value {
	tb.Helper()
	v, err := value.ParseJSON([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// TestReadsOfSomebody holds that a read is about whom its context tells of, however it is sent, and about nobody in particular without one.
func TestReadsOfSomebody(t *testing.T) {
	w := begin(t, overridden)
	all, part := reader(t, "prod", "**"), reader(t, "prod", "app.ui.color app.timeout")
	claims := *part
	claims.Claims = parsedJSON(t, german)
	for _, test := range []struct {
		name, path string
		who        *access.Identity
		want       string
	}{
		{"nobody", "/v1/config/app.timeout", all, "200 20"},
		{"nobody, of what is for all", "/v1/config/app.ui.color", all, `200 "green"`},
		{"somebody", asked("/v1/config/app.timeout", german), all, "200 25"},
		{"somebody else", asked("/v1/config/app.timeout", `{"country": "FR"}`), all, "200 20"},
		{"a map", asked("/v1/config/app.ui", german), all, `200 {"color":"green","size":2}`},
		{"a JSON Pointer", asked("/v1/config/%2Fapp%2Ftimeout", german), all, "200 25"},
		{"what nobody sets", asked("/v1/config/app.plain", german), all, "200 1"},
		{"everything", asked("/v1/config", german), all, `"hidden":2,"plain":1,"timeout":25,"ui":{"color":"green","size":2}`},
		{"what is granted", asked("/v1/config", german), part, `200 {"app":{"timeout":25,"ui":{"color":"green"}}}`},
		{"what is not", asked("/v1/config/app.hidden", german), part, "404"},
		{"a part of a map", asked("/v1/config/app.ui", german), part, `200 {"color":"green"}`},
		{"a sensitive value", asked("/v1/config/app.dsn", german), all, `200 {"$redacted":true`},
		{"a credential's word counts more", asked("/v1/config/app.timeout", `{"country": "FR"}`), &claims, "200 25"},
		{"and without another", "/v1/config/app.timeout", &claims, "200 25"},
		{"no JSON", asked("/v1/config/app", `{`), all, "400"},
		{"no map", asked("/v1/config/app", `"u1"`), all, "badContext"},
		{"too large", asked("/v1/config/app", `{"a": "`+strings.Repeat("x", 20_000)+`"}`), all, "badContext"},
		{"the past", asked("/v1/config/app.timeout?at=HEAD", german), all, "contextOfThePast"},
	} {
		if got := w.get(test.who, test.path); !strings.Contains(got, test.want) || strings.HasPrefix(test.want, "200") && got != test.want && !strings.Contains(test.want, "redacted") {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
	secret := &access.Identity{Name: "s", Kind: access.KindToken, Grant: access.Whole(access.Reveal)}
	if got := w.get(secret, asked("/v1/config/app.dsn", german)); got != `200 "postgres://b"` {
		t.Errorf("revealed: %s", got)
	}
}

// TestContextInAHeader holds that a context may stay out of logs of addresses, and that caches are told.
func TestContextInAHeader(t *testing.T) {
	w := begin(t, overridden)
	ask := func(path string, headers ...string) *httptest.ResponseRecorder {
		r, answer := httptest.NewRequest(http.MethodGet, path, nil), httptest.NewRecorder()
		for _, h := range headers {
			r.Header.Add("Trunkline-Context", h)
		}
		w.handler.ServeHTTP(answer, r.WithContext(access.NewContext(r.Context(), reader(t, "prod", "**"))))
		return answer
	}
	if got := ask("/v1/config/app.timeout", german); got.Body.String() != "25" || got.Header().Get("Vary") != "Trunkline-Context" {
		t.Errorf("%v %s", got.Header(), got.Body)
	}
	if got := ask("/v1/config/app.plain", german); got.Body.String() != "1" || got.Header().Get("Vary") != "" {
		t.Errorf("%v %s", got.Header(), got.Body)
	}
	if a, b := ask("/v1/config/app.timeout", german).Header().Get("ETag"), ask("/v1/config/app.timeout").Header().Get("ETag"); a == b {
		t.Errorf("two values have the ETag %s", a)
	}
	for _, twice := range []*httptest.ResponseRecorder{ask("/v1/config/app", german, german), ask(asked("/v1/config/app", german), german)} {
		if twice.Code != 400 {
			t.Errorf("%d %s", twice.Code, twice.Body)
		}
	}
}

// TestVaryTellsNothing holds that the headers of a read say nothing of rollouts that set what is not granted.
func TestVaryTellsNothing(t *testing.T) {
	headers := func(files map[string]string) http.Header {
		w, answer := begin(t, files), httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/v1/config/app", nil)
		w.handler.ServeHTTP(answer, r.WithContext(access.NewContext(r.Context(), reader(t, "prod", "app.plain"))))
		answer.Header().Del("Trunkline-Commit")
		return answer.Header()
	}
	without := map[string]string{"trunkline.yaml": overridden["trunkline.yaml"], "config/app.yaml": overridden["config/app.yaml"]}
	if with, none := headers(overridden), headers(without); !maps.EqualFunc(with, none, slices.Equal[[]string]) {
		t.Errorf("%v with rollouts, and %v without", with, none)
	}
}

// TestQueriesOfSomebody holds that a query may tell of somebody in its body.
func TestQueriesOfSomebody(t *testing.T) {
	w := begin(t, overridden)
	for body, want := range map[string]string{
		`{"pattern": "app.timeout", "context": {"country": "DE"}}`:                            `"value":25`,
		`{"pattern": "app.timeout"}`:                                                          `"value":20`,
		`{"pattern": "app.**", "where": {"eq": 25}, "context": {"country": "DE"}}`:            `{"matches":[{"path":"app.timeout","value":25}],"truncated":false}`,
		`{"pattern": "app.dsn", "context": {"country": "DE"}}`:                                `"$redacted":true`,
		`{"pattern": "app.timeout", "context": 5}`:                                            `badContext`,
		`{"pattern": "app.timeout", "context": {}}`:                                           `"value":20`,
		`{"pattern": "app.*", "where": {"path": "context", "exists": true}}`:                  `"matches":[]`,
		`{"pattern": "app.timeout", "contxt": {}}`:                                            `badQuery`,
		`{"pattern": "app.timeout", "context": {"country": "DE"}, "context": {}}`:             `badQuery`,
		`{"pattern": "app.timeout", "where": {"not": {"eq": 20}}, "context": {"screen": 17}}`: `"matches":[]`,
	} {
		r, answer := httptest.NewRequest(http.MethodPost, "/v1/query", strings.NewReader(body)), httptest.NewRecorder()
		w.handler.ServeHTTP(answer, r.WithContext(access.NewContext(r.Context(), reader(t, "prod", "**"))))
		if !strings.Contains(answer.Body.String(), want) {
			t.Errorf("%s: %s, want %s", body, answer.Body, want)
		}
	}
}

// TestReadsTakeNoMemoryForOverrides holds that rollouts elsewhere cost a read of another path nothing.
func TestReadsTakeNoMemoryForOverrides(t *testing.T) {
	without := map[string]string{"trunkline.yaml": overridden["trunkline.yaml"], "config/app.yaml": overridden["config/app.yaml"]}
	took := func(files map[string]string) float64 {
		w, answer := begin(t, files), &discarded{header: http.Header{}}
		r := httptest.NewRequest(http.MethodGet, "/v1/config/app.plain?env=prod", nil)
		r = r.WithContext(access.NewContext(r.Context(), reader(t, "prod", "**")))
		return testing.AllocsPerRun(200, func() { w.handler.ServeHTTP(answer, r) })
	}
	if bare, ours := took(without), took(overridden); ours > bare {
		t.Errorf("%v allocations, and %v with rollouts of other paths", bare, ours)
	}
}

// discarded takes answers.
type discarded struct{ header http.Header }

func (d *discarded) Header() http.Header         { return d.header }
func (d *discarded) Write(b []byte) (int, error) { return len(b), nil }
func (d *discarded) WriteHeader(int)             {}

// TestOverridesThatAreSeen holds that rollouts are told of to those with the right, as far as they set what is granted.
func TestOverridesThatAreSeen(t *testing.T) {
	w := begin(t, overridden)
	defines := func(patterns string) *access.Identity {
		grant, err := access.NewGrant([]string{"prod"}, strings.Fields(patterns), access.Define|access.History)
		if err != nil {
			t.Fatal(err)
		}
		return &access.Identity{Name: "test", Kind: access.KindToken, Grant: grant}
	}
	for _, test := range []struct {
		name, path string
		who        *access.Identity
		want       []string
		not        []string
	}{
		{"all", "/v1/overrides", defines("**"), []string{`"key":"another","status":"running"`, `"next":"2099-01-01T00:00:00Z"`, `"paths":["app.hidden","app.timeout"]`, `"owner":"team","expires":"2027-01-01"`}, nil},
		{"a part", "/v1/overrides?env=prod", defines("app.timeout"), []string{`"key":"quick"`, `"paths":["app.timeout"]`}, []string{"hidden", "color", "another", "secret"}},
		{"without the right", "/v1/overrides", reader(t, "prod", "**"), []string{"403", "right to define"}, nil},
		{"who sets it", "/v1/explain/app.timeout", defines("**"), []string{`"owners":[{"kind":"rollout","key":"quick"}]`}, []string{"decisions", "resolved"}},
		{"who sets a part", "/v1/explain/app.ui", defines("app.ui.color"), []string{`"owners":[{"kind":"rollout","key":"color"}]`}, []string{"another"}},
		{"nobody", "/v1/explain/app.plain", defines("**"), []string{`"steps"`}, []string{"owners"}},
		{"not told", "/v1/explain/app.timeout", reader(t, "prod", "**"), []string{`"steps"`}, []string{"owners", "quick"}},
		{"somebody", asked("/v1/explain/app.timeout", german), defines("**"), []string{`"in":true,"arm":"on"`, `"check":"rule","decided":true`, `"resolved":25`}, nil},
		{"somebody else", asked("/v1/explain/app.timeout", `{}`), defines("**"), []string{`"in":false`, "no rule matches", `"resolved":20`}, nil},
		{"without the right, with a context", asked("/v1/explain/app.timeout", german), reader(t, "prod", "**"), []string{"403", "right to define"}, []string{"quick"}},
		{"a sensitive value", asked("/v1/explain/app.dsn", german), defines("**"), []string{`"resolved":{"$redacted":true`}, []string{"postgres"}},
		{"the past", asked("/v1/explain/app.timeout?at=HEAD", german), defines("**"), []string{"contextOfThePast"}, nil},
	} {
		got := w.get(test.who, test.path)
		for _, want := range test.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %s, want %s", test.name, got, want)
			}
		}
		for _, not := range test.not {
			if strings.Contains(got, not) {
				t.Errorf("%s: %s, which tells of %s", test.name, got, not)
			}
		}
	}
}

// TestStopsOfTheOnlyEnvironment holds that the only environment need not be named, and that one that is not there is told of as such.
func TestStopsOfTheOnlyEnvironment(t *testing.T) {
	w := begin(t, overridden)
	who := &access.Identity{Name: "o", Kind: access.KindToken, Grant: access.Whole(access.Operate)}
	for body, want := range map[string]string{
		`{"key": "quick", "reason": "it is too quick"}`:                           `"environment":"prod","kind":"rollout","key":"quick"`,
		`{"environment": "nowhere", "key": "quick", "reason": "it is too quick"}`: "unknownEnvironment",
		`{"key": "quack", "reason": "it is too quick"}`:                           "unknownDefinition",
	} {
		r, answer := httptest.NewRequest(http.MethodPost, "/v1/stops", strings.NewReader(body)), httptest.NewRecorder()
		w.handler.ServeHTTP(answer, r.WithContext(access.NewContext(r.Context(), who)))
		if !strings.Contains(answer.Body.String(), want) {
			t.Errorf("%s: %s, want %s", body, answer.Body, want)
		}
	}
}
