package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/api"
	"github.com/trunkline/trunkline/internal/gittest"
)

// told is a server with a history: a tag on the first version, a change, one that does not fit a schema, and one on top.
type told struct {
	*running
	data                     string
	first, second, bad, last string
}

func tell(t *testing.T) *told {
	t.Helper()
	remote, data := shop(t), t.TempDir()
	remote.Git("tag", "v1.0")
	remote.Git("push", "--quiet", "--tags", "origin")
	s := &told{running: start(t, remote, settings(remote, data)), data: data, first: remote.Head()}
	s.becomes("prod", "checkout.timeout", `"30s"`)
	s.second = s.push("Shorter", s.edited("config/checkout.yaml", "30s", "20s"))
	s.becomes("prod", "checkout.timeout", `"20s"`)
	s.bad = s.push("A port of words", s.edited("config/database/primary.yaml", "port: 5432", "port: many"))
	eventually(t, "prod is blocked", func() bool { return s.status().Environments["prod"].Blocked != nil })
	s.last = s.push("Mend, and retry more often", map[string]string{
		"config/database/primary.yaml": s.edited("config/database/primary.yaml", "port: many", "port: 5432")["config/database/primary.yaml"],
		"config/checkout.yaml":         s.edited("config/checkout.yaml", "retries: 3", "retries: 4")["config/checkout.yaml"],
	})
	s.becomes("prod", "checkout.retries", "4")
	eventually(t, "all is on record", func() bool { _, body := s.get("/v1/versions"); return strings.Contains(body, s.last) })
	return s
}

func TestEarlierVersions(t *testing.T) {
	s := tell(t)
	var versions api.VersionList
	_, body := s.get("/v1/versions")
	if err := json.Unmarshal([]byte(body), &versions); err != nil {
		t.Fatal(err)
	}
	judged := versions.Versions[2].Judged // of the second
	for at, want := range map[string][3]string{
		"":          {`"20s"`, s.last, ""},
		s.first:     {`"30s"`, s.first, "commit"},
		s.first[:9]: {`"30s"`, s.first, "commit"},
		"v1.0":      {`"30s"`, s.first, "tag"},
		s.second:    {`"20s"`, s.second, "commit"},
		judged.Format("2006-01-02T15:04:05.999999999Z07:00"):               {`"20s"`, s.second, "log"},
		judged.Add(-1).UTC().Format("2006-01-02T15:04:05.999999999+00:00"): {`"30s"`, s.first, "log"},
		"2026-06-01T00:00:00Z": {`"20s"`, s.last, "branch"}, // commits of the tests are older than their records
	} {
		for _, name := range []string{url.QueryEscape(at), at} { // a + in a time is often left as it is
			res, body := s.get("/v1/config/checkout.timeout?env=prod&at=" + name)
			if got := [3]string{body, res.Header.Get("Trunkline-Commit"), res.Header.Get("Trunkline-Basis")}; got != want {
				t.Errorf("at %q: %v, want %v", name, got, want)
			}
		}
		res, answer := s.request(http.MethodPost, s.url+"/v1/query?env=prod&at="+url.QueryEscape(at), []byte(`{"pattern": "checkout.timeout"}`), nil)
		if !strings.Contains(string(answer), `"value":`+want[0]) || res.Header.Get("Trunkline-Commit") != want[1] || res.Header.Get("Trunkline-Basis") != want[2] {
			t.Errorf("a query at %q: %s %v", at, answer, res.Header)
		}
	}
	if tags := versions.Versions[3].Tags; len(tags) != 1 || tags[0] != "v1.0" {
		t.Errorf("the first version has the tags %v", tags)
	}
}

func TestVersionsThatAreAskedFor(t *testing.T) {
	s := tell(t)
	s.remote.Write(s.edited("config/checkout.yaml", "20s", "30s"))
	s.remote.Commit(`Revert "Shorter"`, gittest.Body("This reverts commit "+s.second+"."))
	s.remote.Push()
	s.announce()
	s.becomes("prod", "checkout.timeout", `"30s"`)
	eventually(t, "all is on record", func() bool { _, body := s.get("/v1/versions"); return strings.Contains(body, "Revert") })
	for query, want := range map[string]string{
		"":                                  "Revert \"Shorter\", Mend, and retry more often, A port of words, Shorter, Begin",
		"env=staging":                       "Revert \"Shorter\", Mend, and retry more often, A port of words, Shorter, Begin",
		"env=staging&path=checkout.timeout": "", // it has its own
		"env=prod&path=checkout.timeout":    "Revert \"Shorter\", Shorter",
		"path=database.**&verdict=rejected": "A port of words",
		"verdict=valid&limit=1":             "Revert \"Shorter\"",
		"author=nobody":                     "",
		"author=ADA&verdict=rejected":       "A port of words",
		"until=2020-01-01T00:00:00Z":        "",
		"since=2020-01-01T00:00:00%2B01:00&path=checkout.retries": "Mend, and retry more often",
		"env=canary": "",
	} {
		_, body := s.get("/v1/versions?" + query)
		var list api.VersionList
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			t.Fatalf("%s: %v: %s", query, err, body)
		}
		var subjects []string
		for _, v := range list.Versions {
			subjects = append(subjects, v.Subject)
		}
		if got := strings.Join(subjects, ", "); got != want {
			t.Errorf("%q: %s", query, got)
		}
		if query == "env=prod&path=checkout.timeout" {
			if l := list.Versions[0].Environments["prod"].Lineage; l == nil || l.Kind != "revert" || l.First != s.second || !l.Confirmed {
				t.Errorf("the revert takes back %+v", l)
			}
		}
	}
	for query, want := range map[string]string{"path=a*": "badQuery", "since=yesterday": "badQuery", "verdict=good": "badQuery", "limit=201": "badLimit", "before=v1.0": "badCommit"} {
		if res, body := s.get("/v1/versions?" + query); res.StatusCode != 400 || !strings.Contains(body, want) {
			t.Errorf("%s: %s %s", query, res.Status, body)
		}
	}
}

func TestBadNamesOfVersions(t *testing.T) {
	s := tell(t)
	for path, want := range map[string]string{
		"/v1/config/checkout?env=prod&at=v1.1":                       `404 "unknownVersion" v1.0`,
		"/v1/config/checkout?env=prod&at=0123456":                    `404 "unknownVersion" no commit and no tag`,
		"/v1/config/checkout?env=prod&at=" + strings.Repeat("0", 40): `404 "unknownVersion"`,
		"/v1/config/checkout?env=prod&at=" + s.first[:4]:             `404 "unknownVersion"`,
		"/v1/config/checkout?env=prod&at=2020-01-01T00:00:00Z":       `404 "beforeHistory" 2026-01-01`,
		"/v1/config/checkout?env=prod&at=yesterday":                  `404 "unknownVersion" 2027-01-31T09:00:00Z`,
		"/v1/config/checkout?env=canary&at=" + s.first:               `404 "unknownEnvironment" does not serve canary`,
		"/v1/config/checkout?at=" + s.first:                          `400 "noEnvironment"`,
		"/v1/config/checkout.timeuot?env=prod&at=" + s.first:         `404 "pathNotFound" did you mean checkout.timeout?`,
		"/v1/config/checkout.timeuot?env=prod":                       `404 "pathNotFound" did you mean checkout.timeout?`,
		"/v1/config/database?env=prod&at=" + s.bad:                   `409 "unfit" database.primary.port`,
		"/v1/diff?env=prod":                                          `400 "noVersion"`,
		"/v1/diff?env=prod&from=v9":                                  `404 "unknownVersion"`,
		"/v1/diff?env=prod&from=v1.0&to=" + s.bad:                    `409 "unfit"`,
		"/v1/diff?env=prod&from=v1.0&format=xml":                     `400 "badFormat"`,
		"/v1/diff?env=prod&from=v1.0&path=a..b":                      `400 "badPath"`,
		"/v1/diff?env=prod&toEnv=canary&at=v1.0":                     `200 "op":"remove"`,
		"/v1/diff?env=canary&from=v1.0":                              `404 "unknownEnvironment"`,
		"/v1/matrix?env=prod&env=canary&at=v1.0":                     `404 "unknownEnvironment"`,
		"/v1/matrix?path=*x":                                         `400 "badPath"`,
		"/v1/blame/checkout.timeuot?env=prod":                        `404 "pathNotFound" did you mean checkout.timeout?`,
		"/v1/blame/checkout?env=canary":                              `404 "unknownEnvironment"`,
		"/v1/blame/a..b?env=prod":                                    `400 "badPath"`,
		"/v1/blame/none.**?env=prod":                                 `200 "entries":[]`,
		"/v1/explain/checkout.*?env=prod":                            `400 "badPath"`,
		"/v1/explain/checkout.timeuot?env=prod":                      `404 "pathNotFound" did you mean checkout.timeout?`,
	} {
		code, holds, _ := strings.Cut(want, " ")
		res, body := s.get(path)
		for _, part := range strings.SplitN(holds, " ", 2) {
			if fmt.Sprint(res.StatusCode) != code || !strings.Contains(body, part) {
				t.Errorf("%s: %s %s, want %s", path, res.Status, body, want)
			}
		}
	}
	// Why a version does not compile is told to those who see where.
	limited := s.token(s.data, `{"environments": ["prod"], "patterns": ["checkout.**"], "rights": ["history"]}`)
	if res, body := s.request(http.MethodGet, s.url+"/v1/config/checkout?at="+s.bad, nil, limited); res.StatusCode != 409 || strings.Contains(string(body), "port") {
		t.Errorf("who sees the checkout alone: %s %s", res.Status, body)
	}
}

func TestDifferencesOverHTTP(t *testing.T) {
	s := tell(t)
	for path, want := range map[string]string{
		"/v1/diff?env=prod&from=v1.0&format=patch":                          `[{"op":"replace","path":"/checkout/retries","value":4},{"op":"replace","path":"/checkout/timeout","value":"20s"}]`,
		"/v1/diff?env=prod&from=v1.0&to=" + s.second + "&format=text":       "prod\n  ~ checkout.timeout: \"30s\" → \"20s\"\n",
		"/v1/diff?env=prod&from=" + s.last + "&format=text":                 "",
		"/v1/diff?env=staging&toEnv=prod&path=checkout.timeout&format=text": "staging → prod\n  ~ checkout.timeout: \"60s\" → \"20s\"\n",
	} {
		if _, body := s.get(path); strings.TrimSuffix(body, "\n") != strings.TrimSuffix(want, "\n") {
			t.Errorf("%s: %s", path, body)
		}
	}
	var d api.Diff
	_, body := s.get("/v1/diff?env=prod&from=v1.0&path=checkout.timeout")
	if err := json.Unmarshal([]byte(body), &struct {
		From, To *api.Ref
		Total    *int
	}{&d.From, &d.To, &d.Total}); err != nil {
		t.Fatal(err)
	}
	if d.From.Commit != s.first || d.From.Basis != "tag" || d.To.Commit != s.last || d.To.Basis != "live" || d.Total != 1 ||
		!strings.Contains(body, `"oldPlace":{"file":"config/checkout.yaml","line":1,"column":10}`) {
		t.Errorf("from the tag: %s", body)
	}
	s.push("New secret", map[string]string{"config/secrets.yaml": "token: hunter2-plain-words\nplain: 1\n"})
	s.becomes("prod", "secrets.plain", "1")
	for _, path := range []string{
		"/v1/diff?env=prod&from=v1.0", "/v1/diff?env=prod&from=v1.0&format=text", "/v1/diff?env=prod&from=v1.0&format=patch", "/v1/matrix", "/v1/blame/secrets?env=prod",
		"/v1/explain/secrets.token?env=prod",
	} {
		if res, body := s.get(path); res.StatusCode != 200 || strings.Contains(body, "hunter2") {
			t.Errorf("%s shows a secret: %s %s", path, res.Status, body)
		}
	}
}

// What is old is revealed to those alone to whom what is live is, and that is on record.
func TestOldValuesAreRevealedAsLiveOnesAre(t *testing.T) {
	s := tell(t)
	history := s.token(s.data, `{"environments": ["prod"], "patterns": ["**"], "rights": ["history"]}`)
	reveal := s.token(s.data, `{"environments": ["prod"], "patterns": ["**"], "rights": ["history", "reveal"]}`)
	if body := s.as(history, http.MethodGet, "/v1/config/database.primary.dsn?at=v1.0"); !strings.Contains(body, "$redacted") {
		t.Errorf("without the right: %s", body)
	}
	if body := s.as(reveal, http.MethodGet, "/v1/config/database.primary.dsn?at=v1.0"); !strings.Contains(body, "postgres") {
		t.Errorf("with the right: %s", body)
	}
	s.request(http.MethodPost, s.url+"/v1/query?at=v1.0", []byte(`{"pattern": "database.primary.*"}`), reveal)
	for _, path := range []string{"/v1/diff?from=v1.0&toEnv=prod", "/v1/blame/database", "/v1/explain/database.primary.dsn"} {
		if body := s.as(reveal, http.MethodGet, path); strings.Contains(body, "postgres") {
			t.Errorf("%s is for people, and shows it all the same: %s", path, body)
		}
	}
	s.stop()
	again := start(t, s.remote, settings(s.remote, s.data))
	again.becomes("prod", "checkout.retries", "4")
	_, records := again.get("/v1/audit?kind=reveal")
	for _, wanted := range []string{`"path":"database.primary.dsn"`, `"path":"database.primary.*"`, fmt.Sprintf(`"commit":%q`, s.first)} {
		if !strings.Contains(records, wanted) {
			t.Errorf("no %s on record: %s", wanted, records)
		}
	}
}

func TestBlameAndExplanationsOverHTTP(t *testing.T) {
	s := tell(t)
	var blame struct {
		Entries []struct{ Path, File, Commit, Subject, Verdict string }
		Total   int
	}
	_, body := s.get("/v1/blame/checkout.*?env=prod")
	if err := json.Unmarshal([]byte(body), &blame); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range blame.Entries {
		got[e.Path] = e.Subject + " " + e.Verdict
	}
	if got["checkout.timeout"] != "Shorter valid" || got["checkout.retries"] != "Mend, and retry more often valid" || got["checkout.currency"] != "Begin valid" || blame.Total != len(blame.Entries) {
		t.Errorf("blame: %s", body)
	}
	for _, path := range []string{"checkout.payment.providers[1]", "%2Fcheckout%2Fpayment%2Fproviders"} {
		if _, body := s.get("/v1/blame/" + path + "?env=prod"); !strings.Contains(body, `"path":"checkout.payment.providers","value":["card","invoice"]`) {
			t.Errorf("a list is one value: %s", body)
		}
	}
	_, body = s.get("/v1/explain/checkout.timeout?env=staging&at=v1.0")
	var e struct {
		Steps []struct {
			Kind, Environment, Op, File string
			Effective                   bool
			Change                      struct{ Subject string }
		}
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil || len(e.Steps) != 2 {
		t.Fatalf("%v: %s", err, body)
	}
	if base, over := e.Steps[0], e.Steps[1]; base.Kind != "base" || base.Effective || over.Kind != "overlay" || over.Environment != "staging" ||
		!over.Effective || over.Op != "replace" || over.Change.Subject != "Begin" || over.File != "environments/staging/checkout.yaml" {
		t.Errorf("explained: %s", body)
	}
}

// Of a map that came or went as a whole, a reader of a part is told that part, if it was in it, and nothing of the rest.
func TestPartsOfMapsThatComeAndGo(t *testing.T) {
	remote, data := shop(t), t.TempDir()
	s := start(t, remote, settings(remote, data))
	s.becomes("prod", "checkout.timeout", `"30s"`)
	limited := s.token(data, `{"environments": ["prod"], "patterns": ["store.cart.**", "store.*.open"], "rights": ["history"]}`)
	came := s.push("Open a store", map[string]string{"config/store.yaml": "cart: {size: 5, colors: [red]}\nhidden: 1\nnorth: {open: 8, canary: 1}\n"})
	s.push("Open a mall without it", map[string]string{"config/mall.yaml": "cart: {size: 5}\n"})
	went := s.push("Close the store", map[string]string{"config/store.yaml": "canary: 1\n"})
	s.push("Close it for good", map[string]string{"config/store.yaml": "", "config/mall.yaml": "x: 1\n"})
	s.becomes("prod", "mall.x", "1")
	eventually(t, "all is on record", func() bool {
		_, body := s.get("/v1/versions?limit=1")
		return strings.Contains(body, "Close it for good") && s.status().Log.Pending == 0
	})

	_, body := s.request(http.MethodGet, s.url+"/v1/versions", nil, limited)
	var versions api.VersionList
	if err := json.Unmarshal(body, &versions); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, v := range versions.Versions {
		for _, c := range v.Environments["prod"].Changes {
			if got[v.Commit] += c.Path + " "; v.Commit == came && c.Old+c.New != "" {
				t.Errorf("a digest is told of %s", c.Path)
			}
		}
	}
	const part = "store.cart store.north.open "
	if got[came] != part || got[went] != part || len(got) != 2 || strings.Contains(string(body), "canary") || strings.Contains(string(body), "mall") {
		t.Errorf("versions: %s", body)
	}
	_, body = s.request(http.MethodGet, s.url+"/v1/audit", nil, limited)
	if n := strings.Count(string(body), `{"path":"store.north.open"}`); n != 2 || strings.Contains(string(body), "canary") || strings.Contains(string(body), "mall") {
		t.Errorf("records: %s", body)
	}
}

// What a commit takes back is told by the paths that are seen.
func TestLineageOfAPart(t *testing.T) {
	remote, data := shop(t), t.TempDir()
	s := start(t, remote, settings(remote, data))
	s.becomes("prod", "checkout.timeout", `"30s"`)
	limited := s.token(data, `{"environments": ["prod"], "patterns": ["extra.**"], "rights": ["history"]}`)
	write := func(subject string, retries, canary, other int) {
		s.push(subject, map[string]string{
			"config/extra.yaml": fmt.Sprintf("tries: %d\n", retries), "config/canaryPath.yaml": fmt.Sprintf("canaryKey: %d\ncanaryOther: %d\n", canary, other),
		})
		s.becomes("prod", "canaryPath", fmt.Sprintf(`{"canaryKey":%d,"canaryOther":%d}`, canary, other))
	}
	write("Begin", 1, 1, 1)
	write("Change three", 2, 2, 2)
	write("Take back two", 1, 1, 2)
	write("Change something else", 5, 1, 2)
	eventually(t, "all is on record", func() bool {
		_, body := s.get("/v1/versions?limit=1")
		return strings.Contains(body, "something else") && s.status().Log.Pending == 0
	})
	_, whole := s.get("/v1/versions")
	_, part := s.request(http.MethodGet, s.url+"/v1/versions", nil, limited)
	const kind = `"kind":"partialRevert"`
	if !strings.Contains(whole, kind) || !strings.Contains(whole, `"paths":["canaryPath.canaryKey","extra.tries"]`) {
		t.Errorf("who sees all: %s", whole)
	}
	if !strings.Contains(string(part), kind) || !strings.Contains(string(part), `"paths":["extra.tries"]`) || strings.Contains(string(part), "canary") {
		t.Errorf("who sees a part: %s", part)
	}
	if _, records := s.request(http.MethodGet, s.url+"/v1/audit", nil, limited); strings.Contains(string(records), "canary") {
		t.Errorf("records: %s", records)
	}
}

func TestMatrixOverHTTP(t *testing.T) {
	s := tell(t)
	doc := openAPI(t)
	for query, wants := range map[string][]string{
		"path=checkout.timeout": {
			`"environments":["prod","prodEu","staging"]`, `"paths":[{"path":"checkout.timeout","values":{"prod":"20s","prodEu":"20s","staging":"60s"}}]`,
			`"basis":"live"`, `"commit":"` + s.last, `"total":1`,
		},
		"path=checkout.*&env=prod&env=prodEu&at=v1.0": {`"environments":["prod","prodEu"]`, `"path":"checkout.currency","values":{"prod":"USD","prodEu":"EUR"}`, `"tags":["v1.0"]`},
		"path=search.**&env=prod&env=staging":         {`"values":{"prod":12,"staging":3}`},
		"at=" + s.bad:                                 {`"environments":[]`, `"unfit":["prod","prodEu","staging"]`, `"total":0`},
	} {
		_, body := s.get("/v1/matrix?" + query)
		conforms(t, doc, "Matrix", body)
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s: no %s in %s", query, want, body)
			}
		}
	}
	// Environments that are at several versions are compared as they are.
	s.push("Bad for staging", s.edited("environments/staging/checkout.yaml", "60s", "a minute"))
	eventually(t, "staging is blocked", func() bool { return s.status().Environments["staging"].Blocked != nil })
	good := s.edited("config/checkout.yaml", "20s", "25s")
	good["environments/prod/only.yaml"] = "x: 1\n"
	s.push("And good for prod", good)
	s.becomes("prod", "checkout.timeout", `"25s"`)
	_, body := s.get("/v1/matrix?path=checkout.timeout")
	conforms(t, doc, "Matrix", body)
	if !strings.Contains(body, `"at":{"basis":"live"}`) || !strings.Contains(body, `"prod":"25s"`) || !strings.Contains(body, `"staging":"60s"`) || !strings.Contains(body, `"`+s.last+`"]`) {
		t.Errorf("at several versions: %s", body)
	}
	if _, body := s.get("/v1/matrix?path=only.*"); !strings.Contains(body, `"values":{"prod":1,"prodEu":1},"missing":["staging"]`) {
		t.Errorf("what one has not: %s", body)
	}
}
