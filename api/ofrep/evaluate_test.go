package ofrep_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/access"
)

// TestOneFlag holds what each kind of flag is answered, byte by byte.
func TestOneFlag(t *testing.T) {
	h, _ := serving(t, shop)
	const version = `"commit":"commit1","environment":"prod"}}`
	const needs = `"errorCode":"TARGETING_KEY_MISSING"`
	for _, test := range []struct {
		name, key, context string
		status             int
		want               string
	}{
		{"nobody owns it", "checkout.timeout", `{}`, 200, `{"key":"checkout.timeout","value":20,"reason":"STATIC","metadata":{` + version},
		{"a list", "checkout.limits", `{}`, 200, `{"key":"checkout.limits","value":[1,2],"reason":"STATIC","metadata":{` + version},
		{"a number keeps its fraction", "search.depth", `{}`, 200, `{"key":"search.depth","value":1.0,"reason":"STATIC","metadata":{` + version},
		{"null is a value", "checkout.banner", `{}`, 200, `{"key":"checkout.banner","value":null,"reason":"STATIC","metadata":{` + version},
		{"a rule for all that it matches", "search.newRanking", `{"country": "DE"}`, 200, `{"key":"search.newRanking","value":true,"reason":"TARGETING_MATCH","variant":"on","metadata":{"rollout":"ranking","rule":"german","variant":"on",` + version},
		{"no rule", "search.newRanking", `{"country": "IT"}`, 200, `{"key":"search.newRanking","value":false,"reason":"DEFAULT","metadata":{` + version},
		{"nothing said", "search.newRanking", ``, 200, `{"key":"search.newRanking","value":false,"reason":"DEFAULT","metadata":{` + version},
		{"a split without a unit", "search.newRanking", `{"country": "FR"}`, 400, needs},
		{"forced in", "search.newRanking", `{"accountId": "vip"}`, 200, `{"key":"search.newRanking","value":true,"reason":"TARGETING_MATCH","variant":"on","metadata":{"rollout":"ranking","variant":"on","forced":true,` + version},
		{"forced out", "search.newRanking", `{"accountId": "not", "country": "DE"}`, 200, `"value":false,"reason":"DEFAULT"`},
		{"stopped", "paused.x", `{}`, 200, `{"key":"paused.x","value":1,"reason":"DEFAULT","metadata":{"rollout":"off","inEffect":false,` + version},
		{"forced into an experiment", "checkout.ui.button.color", `{"targetingKey": "qa", "country": "DE"}`, 200, `{"key":"checkout.ui.button.color","value":"green","reason":"TARGETING_MATCH","variant":"green","metadata":{"experiment":"button","phase":2,"layer":"checkout","variant":"green","forced":true,` + version},
		{"not targeted", "checkout.ui.button.color", `{"targetingKey": "u1"}`, 200, `{"key":"checkout.ui.button.color","value":"blue","reason":"DEFAULT","metadata":{` + version},
		{"an experiment without a unit", "checkout.ui.button.color", `{"country": "DE"}`, 400, needs},
		{"a map above", "checkout.ui", `{"targetingKey": "qa", "country": "DE"}`, 200, `"value":{"button":{"color":"green","size":2}},"reason":"TARGETING_MATCH"`},
		{"what stands nowhere", "checkout.none", `{}`, 404, `{"key":"checkout.none","errorCode":"FLAG_NOT_FOUND"`},
		{"no path", "a..b", `{}`, 404, `{"key":"a..b","errorCode":"FLAG_NOT_FOUND"`},
		{"sensitive", "secret.dsn", `{}`, 400, `{"key":"secret.dsn","errorCode":"GENERAL"`},
		{"sensitive, and set", "secret.dsn", `{"country": "DE"}`, 400, `{"key":"secret.dsn","errorCode":"GENERAL"`},
		{"an escaped slash", "checkout%2Ftimeout", `{}`, 200, `{"key":"checkout/timeout","value":20`},
		{"a raw slash", "checkout/timeout", `{}`, 200, `{"key":"checkout/timeout","value":20`},
		{"a JSON Pointer", "%2Fcheckout%2Ftimeout", `{}`, 200, `{"key":"/checkout/timeout","value":20`},
		{"an item", "checkout.limits%5B1%5D", `{}`, 200, `{"key":"checkout.limits[1]","value":2`},
		{"a member of a set one", "checkout/ui/button/color", `{"targetingKey": "qa", "country": "DE"}`, 200, `"value":"green"`},
		{"a context that is none", "checkout.timeout", `[1]`, 400, `{"key":"checkout.timeout","errorCode":"INVALID_CONTEXT"`},
		{"a context of null", "checkout.timeout", `null`, 200, `"value":20`},
		{"too deep a context", "search.newRanking", `{"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}`, 400, `"errorCode":"INVALID_CONTEXT"`},
	} {
		body := ""
		if test.context != "" {
			body = about(test.context)
		}
		w := as(h, everybody, http.MethodPost, single+test.key, body)
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.want) || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s, want %d %s", test.name, w.Code, w.Body, test.status, test.want)
		}
		if test.status == 200 && strings.HasPrefix(test.want, "{") && strings.HasSuffix(test.want, version) && w.Body.String() != test.want {
			t.Errorf("%s: %s, want %s", test.name, w.Body, test.want)
		}
	}
}

// TestSeveralInEffect holds that a map holds what all rollouts below it set, and those below a map what it sets as a whole.
func TestSeveralInEffect(t *testing.T) {
	h, _ := serving(t, content{
		values: "ui: {color: blue, size: 2, font: {face: a, weight: 1}}", flags: []string{"ui", "ui.**"},
		files: map[string]string{
			"rollouts/color.yaml": "environments: [prod]\nset: {ui.color: green}\nrules: [{name: german, when: 'context.country == \"DE\"'}]\n",
			"rollouts/font.yaml":  "environments: [prod]\nset: {ui.font: {face: b, weight: 2}}\nrules: [{name: large, when: 'context.screen > 100'}]\n",
		},
	})
	context := about(`{"country": "DE", "screen": 200}`)
	for key, want := range map[string]string{
		"ui":           `"value":{"color":"green","font":{"face":"b","weight":2},"size":2},"reason":"TARGETING_MATCH"`,
		"ui.font":      `"value":{"face":"b","weight":2},`,
		"ui.font.face": `"value":"b","reason":"TARGETING_MATCH","variant":"on","metadata":{"rollout":"font","rule":"large"`,
	} {
		if w := as(h, everybody, "POST", single+key, context); !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %s, want %s", key, w.Body, want)
		}
		if w := as(h, everybody, "POST", bulk, context); key != "ui.font" && !strings.Contains(w.Body.String(), want) { // which no pattern names
			t.Errorf("in the list: %s, want %s", w.Body, want)
		}
	}
}

// TestSplit holds that a unit gets one variant, both are there, and the reason is told.
func TestSplit(t *testing.T) {
	h, _ := serving(t, shop)
	variants := map[string]int{}
	for _, unit := range []string{"u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8", "u9", "u10", "u11", "u12"} {
		first := read[flag](t, as(h, everybody, "POST", single+"checkout.ui.button.color", about(`{"country":"DE","targetingKey":"`+unit+`"}`)).Body)
		again := read[flag](t, as(h, everybody, "POST", single+"checkout.ui.button.color", about(`{"targetingKey":"`+unit+`","country":"DE","x":1}`)).Body)
		want := map[string]any{"control": "blue", "green": "green"}[first.Variant]
		if first.Reason != "SPLIT" || first.Value != want || again.Variant != first.Variant || first.Metadata["variant"] != first.Variant || first.Metadata["phase"] != 2.0 {
			t.Errorf("%s: %+v, then %+v", unit, first, again)
		}
		variants[first.Variant]++
	}
	if len(variants) != 2 {
		t.Errorf("%v", variants)
	}
}

// TestWhatIsAskedWrongly holds that each error has the form that clients read.
func TestWhatIsAskedWrongly(t *testing.T) {
	h, l := serving(t, shop)
	for _, test := range []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"no JSON", "POST", single + "a", `{"context"`, 400, `{"key":"a","errorCode":"PARSE_ERROR"`},
		{"no JSON, all flags", "POST", bulk, `{"context"`, 400, `{"errorCode":"PARSE_ERROR"`},
		{"a list", "POST", bulk, `[]`, 400, `{"errorCode":"PARSE_ERROR"`},
		{"a name twice", "POST", bulk, `{"context": {"a": 1, "a": 2}}`, 400, `{"errorCode":"PARSE_ERROR"`},
		{"too much", "POST", single + "a", about(`{"a": "` + strings.Repeat("x", 70_000) + `"}`), 413, `{"key":"a","errorCode":"INVALID_CONTEXT"`},
		{"much", "POST", bulk, about(`{"a": "` + strings.Repeat("x", 20_000) + `"}`), 400, `{"errorCode":"INVALID_CONTEXT"`},
		{"a method", "GET", single + "a", ``, 405, `{"key":"a","errorCode":"GENERAL"`},
		{"a method of the events", "POST", "/ofrep/v1/events", ``, 405, `{"errorCode":"GENERAL"`},
		{"a route", "POST", "/ofrep/v1/configuration", ``, 404, `{"errorCode":"GENERAL"`},
		{"no key", "POST", single, `{}`, 404, `{"key":"","errorCode":"FLAG_NOT_FOUND"`},
		{"another environment", "POST", "/env/staging" + single + "a", `{}`, 400, `{"key":"a","errorCode":"GENERAL","errorDetails":"no environment \"staging\" is served: use one of prod"}`},
		{"the environment", "POST", "/env/prod" + single + "checkout.timeout", `{}`, 200, `"value":20`},
	} {
		w := as(h, everybody, test.method, test.path, test.body)
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.want) || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s, want %d %s", test.name, w.Code, w.Body, test.status, test.want)
		}
	}
	l.PutVersion("staging", compiled(t, "staging", "commit2", content{values: "a: 5"}))
	if w := as(h, everybody, "POST", bulk, ""); w.Code != 400 || !strings.Contains(w.Body.String(), "prod, staging") || !strings.Contains(w.Body.String(), "/env/") {
		t.Errorf("several environments: %d %s", w.Code, w.Body)
	}
	one := caller(t, `{"environments": ["stag*"], "patterns": ["**"]}`)
	if w := as(h, one, "POST", single+"a", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"environment":"staging"`) {
		t.Errorf("the only one of the credential: %d %s", w.Code, w.Body)
	}
	hidden, none := as(h, one, "POST", "/env/prod"+bulk, ""), as(h, one, "POST", "/env/carp"+bulk, "")
	if strings.ReplaceAll(hidden.Body.String(), "prod", "carp") != none.Body.String() || hidden.Code != none.Code {
		t.Errorf("what is not granted is told: %s, %s", hidden.Body, none.Body)
	}
	l.PutVersion("prod", nil)
	l.PutVersion("staging", nil)
	if w := as(h, everybody, "POST", single+"a", ""); w.Code != 503 || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), `{"key":"a","errorCode":"GENERAL"`) {
		t.Errorf("nothing is served: %d %s", w.Code, w.Body)
	}
}

// TestGrants holds that what is not granted is not there, in whatever way it is asked for.
func TestGrants(t *testing.T) {
	h, _ := serving(t, shop)
	part := caller(t, `{"environments": ["prod"], "patterns": ["checkout.ui.button.color", "search.depth"]}`)
	for key, want := range map[string]string{
		"checkout.ui.button.color": `"value":"green"`, "checkout.ui": `"value":{"button":{"color":"green"}},`, "checkout": `"value":{"ui":{"button":{"color":"green"}}},`,
		"search": `"value":{"depth":1.0},"reason":"DEFAULT"`, "search.newRanking": "FLAG_NOT_FOUND", "checkout.timeout": "FLAG_NOT_FOUND", "secret": "FLAG_NOT_FOUND",
	} {
		w := as(h, part, "POST", single+key, about(`{"targetingKey": "qa", "accountId": "vip", "country": "DE"}`))
		if key == "search" {
			want = `"value":{"depth":1.0}` // and not what the rollout does to its neighbour
		}
		if !strings.Contains(w.Body.String(), want) || strings.Contains(w.Body.String(), "ranking") {
			t.Errorf("%s: %s", key, w.Body)
		}
	}
	claims := *part
	claims.Claims = parsed(t, `{"targetingKey": "qa"}`)
	if got := read[flag](t, as(h, &claims, "POST", single+"checkout.ui.button.color", about(`{"targetingKey": "me", "country": "DE"}`)).Body); got.Variant != "green" || got.Metadata["forced"] != true {
		t.Errorf("what the credential says does not count: %+v", got)
	}
}

// TestReveals holds that who may see what is sensitive does, and that it is noted.
func TestReveals(t *testing.T) {
	var noted []string
	h, _ := serving(t, shop)
	h.OnReveal(func(_ *access.Identity, env, path string) { noted = append(noted, env+" "+path) })
	reveal := caller(t, `{"environments": ["prod"], "patterns": ["**"], "rights": ["reveal"]}`)
	for context, want := range map[string]string{`{}`: `"value":"postgres://u:p@h/db"`, `{"country": "DE"}`: `"value":"postgres://other"`} {
		if w := as(h, reveal, "POST", single+"secret.dsn", about(context)); !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %s", context, w.Body)
		}
	}
	as(h, reveal, "POST", single+"secret.pool", "")
	as(h, everybody, "POST", single+"secret.dsn", "")
	as(h, reveal, "POST", bulk, "") // which lists nothing that is sensitive
	if got := strings.Join(noted, ", "); got != "prod secret.dsn, prod secret.dsn" {
		t.Errorf("noted are %s", got)
	}
}
