package ofrep_test

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/api/ofrep"
)

func keys(f flags) string {
	var all []string
	for _, one := range f.Flags {
		all = append(all, one.Key)
	}
	return strings.Join(all, " ")
}

// TestWhatIsListed holds that the manifest and the grant bound what is listed, and what a pattern names.
func TestWhatIsListed(t *testing.T) {
	const all, leaves = `{"environments": ["prod"], "patterns": ["**"]}`, "checkout.banner checkout.limits checkout.timeout checkout.ui.button.color checkout.ui.button.size"
	for _, test := range []struct {
		name, grant string
		flags       []string
		want        string
	}{
		{"a manifest that names none", all, nil, leaves + " paused.x search.depth search.newRanking secret.pool"},
		{"below a pattern", all, []string{"checkout.**"}, leaves},
		{"members", all, []string{"search.*"}, "search.depth search.newRanking"},
		{"a map as one flag", all, []string{"checkout.ui", "search.*"}, "checkout.ui search.depth search.newRanking"},
		{"a map and what is below", all, []string{"checkout.ui", "checkout.ui.**"}, "checkout.ui checkout.ui.button.color checkout.ui.button.size"},
		{"part of it granted", `{"environments": ["prod"], "patterns": ["checkout.ui.button.size", "search.**"]}`, []string{"checkout.**", "search.depth"}, "checkout.ui.button.size search.depth"},
		{"what is public", `{"environments": ["prod"], "public": true}`, []string{"**"}, "search.depth search.newRanking"},
		{"sensitive values", all, []string{"secret.**"}, "secret.pool"},
		{"to those who may see them", `{"environments": ["prod"], "patterns": ["**"], "rights": ["reveal"]}`, []string{"secret.**"}, "secret.dsn secret.pool"},
		{"nothing", all, []string{"none.**"}, ""},
	} {
		c := shop
		c.flags, c.public = test.flags, []string{"search.**"}
		h, _ := serving(t, c)
		if got := keys(read[flags](t, as(h, caller(t, test.grant), "POST", bulk, "").Body)); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// TestWhatOnlyAnArmHas holds that a member that is there for some alone is listed for them, and for nobody else.
func TestWhatOnlyAnArmHas(t *testing.T) {
	h, _ := serving(t, content{
		values: "a: {b: 1}", flags: []string{"a.**"},
		files: map[string]string{"rollouts/r.yaml": "environments: [prod]\nset: {a: {b: 2, c: 3}}\nrules: [{name: german, when: 'context.country == \"DE\"'}]\n"},
	})
	for country, want := range map[string]string{"DE": "a.b a.c", "FR": "a.b"} {
		if got := keys(read[flags](t, as(h, everybody, "POST", bulk, about(`{"country": "`+country+`"}`)).Body)); got != want {
			t.Errorf("%s: %s", country, got)
		}
	}
}

// TestListLimits holds that too much is an error with a next step, and not a part.
func TestListLimits(t *testing.T) {
	var many, large strings.Builder
	for i := range ofrep.MaxFlags + 1 {
		fmt.Fprintf(&many, "f%05d: 1\n", i)
	}
	for i := range 100 {
		fmt.Fprintf(&large, `,"f%05d":%q`, i, strings.Repeat("x", 50_000))
	}
	for _, values := range []string{many.String(), "{" + large.String()[1:] + "}"} {
		h, _ := serving(t, content{values: values})
		w := as(h, everybody, "POST", bulk, "")
		if w.Code != 400 || !strings.HasPrefix(w.Body.String(), `{"errorCode":"GENERAL"`) || !strings.Contains(w.Body.String(), "flags: [flags.**]") {
			t.Errorf("%d %.200s", w.Code, w.Body)
		}
		if w := as(h, everybody, "POST", single+"f00001", ""); w.Code != 200 {
			t.Errorf("one flag: %d %.200s", w.Code, w.Body)
		}
	}
}

// TestFreshness holds that an ETag stands for all that was answered, the context included, and for nothing else.
func TestFreshness(t *testing.T) {
	h, l := serving(t, shop)
	who := caller(t, `{"environments": ["prod"], "patterns": ["**"]}`)
	tag := func(context string) string {
		w := as(h, who, "POST", bulk, about(context))
		if w.Code != 200 || w.Header().Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return w.Header().Get("ETag")
	}
	german, vip := tag(`{"country": "DE", "targetingKey": "qa"}`), tag(`{"country": "DE", "targetingKey": "qa", "accountId": "not"}`)
	if german == vip || german != tag(`{"targetingKey": "qa", "country": "DE", "noise": 5}`) {
		t.Errorf("%s and %s", german, vip)
	}
	again := as(h, who, "POST", bulk+"?flagConfigEtag=commit1&flagConfigLastModified=5", about(`{"country": "DE", "targetingKey": "qa"}`), "If-None-Match", german)
	if again.Code != http.StatusNotModified || again.Body.Len() != 0 || again.Header().Get("ETag") != german {
		t.Errorf("%d %v %s", again.Code, again.Header(), again.Body)
	}
	if w := as(h, who, "POST", bulk, about(`{"country": "DE", "targetingKey": "qa", "accountId": "not"}`), "If-None-Match", german); w.Code != 200 {
		t.Errorf("the ETag of another context is good: %d", w.Code)
	}
	l.PutVersion("prod", compiled(t, "prod", "commit2", shop))
	if w := as(h, who, "POST", bulk, about(`{"country": "DE", "targetingKey": "qa"}`), "If-None-Match", german); w.Code != 200 || !strings.Contains(w.Body.String(), `"metadata":{"commit":"commit2","environment":"prod"}`) {
		t.Errorf("another commit: %d %s", w.Code, w.Body)
	}
}

// TestBulkIsAllSingles holds that a list says of each flag what is said of it alone, whoever is asked about.
func TestBulkIsAllSingles(t *testing.T) {
	h, _ := serving(t, shop)
	noon := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	h.Clock(func() time.Time { return noon })
	rapid.Check(t, func(t *rapid.T) {
		context := fmt.Sprintf(`{"country": %q`, rapid.SampledFrom([]string{"DE", "FR", "IT", ""}).Draw(t, "country"))
		for _, attribute := range []string{"targetingKey", "accountId"} {
			if unit := rapid.SampledFrom([]string{"", "qa", "vip", "not", "u1", "u2", "u3"}).Draw(t, attribute); unit != "" {
				context += fmt.Sprintf(`, %q: %q`, attribute, unit)
			}
		}
		context = about(context + "}")
		list := read[flags](t, as(h, everybody, "POST", bulk, context).Body)
		for _, f := range list.Flags {
			one := read[flag](t, as(h, everybody, "POST", single+f.Key, context).Body)
			delete(one.Metadata, "commit")
			delete(one.Metadata, "environment")
			if len(one.Metadata) == 0 {
				one.Metadata = nil
			}
			if fmt.Sprint(one) != fmt.Sprint(f) {
				t.Errorf("%s: %v in the list, %v alone", context, f, one)
			}
		}
		if len(list.Flags) != 8 {
			t.Errorf("%s: %s", context, keys(list))
		}
	})
}

// TestFormOfRefusals holds that what the guard refuses is read by OpenFeature's clients, and keeps its status and headers.
func TestFormOfRefusals(t *testing.T) {
	tokens, err := access.OpenTokens(t.TempDir()+"/tokens.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	text, _, err := tokens.New(access.TokenOptions{Name: "web", Grant: grant(t, `{"environments": ["prod"], "patterns": ["**"]}`)})
	if err != nil {
		t.Fatal(err)
	}
	h, _ := serving(t, shop)
	guard := access.NewGuard(access.GuardOptions{
		Tokens: tokens, CredentialsOnly: true, Origins: []string{"https://app.example"}, Limits: access.Limits{Requests: access.Rate{PerSecond: 0.001, Burst: 4}},
	})
	entry := ofrep.Entry(guard.WrapFunc(h.Serve, access.AcceptTickets()))
	ask := func(path string, headers ...string) (int, http.Header, string) {
		w := as(entry, everybody, "POST", path, "{}", headers...)
		return w.Code, w.Header(), w.Body.String()
	}
	good := "Bearer " + text
	for _, test := range []struct {
		name, path string
		headers    []string
		status     int
		want       string
	}{
		{"no credential", single + "a", nil, 401, `{"key":"a","errorCode":"GENERAL","errorDetails":"this server asks everybody for a credential: send`},
		{"for the list", bulk, nil, 401, `{"errorCode":"GENERAL","errorDetails":"this server asks`},
		{"a bad one", single + "a%2Fb", []string{"Authorization", "Bearer tlk_nonsense"}, 401, `{"key":"a/b","errorCode":"GENERAL"`},
		{"a foreign page", bulk, []string{"Authorization", good, "Origin", "https://evil.example"}, 403, `{"errorCode":"GENERAL"`},
		{"a good one", single + "checkout.timeout", []string{"Authorization", good}, 200, `"value":20`},
		{"as a key", single + "checkout.timeout", []string{"X-API-Key", text}, 200, `"value":20`},
		{"a listed page", bulk, []string{"Authorization", good, "Origin", "https://app.example"}, 200, `{"flags":[`},
		{"its own error", single + "none", []string{"Authorization", good}, 404, `{"key":"none","errorCode":"FLAG_NOT_FOUND"`},
		{"too many", single + "a", []string{"Authorization", good, "Origin", "https://app.example"}, 429, `{"key":"a","errorCode":"GENERAL","errorDetails":"too many requests`},
	} {
		status, header, body := ask(test.path, test.headers...)
		if status != test.status || !strings.HasPrefix(body, test.want) && !strings.Contains(body, test.want) || header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s, want %d %s", test.name, status, body, test.status, test.want)
		}
		if slices.Contains(test.headers, "https://app.example") && !strings.Contains(header.Get("Access-Control-Expose-Headers"), "ETag, Retry-After") {
			t.Errorf("%s: a page may read %v", test.name, header)
		}
		if status == 401 && header.Get("WWW-Authenticate") == "" || status == 429 && strings.Trim(header.Get("Retry-After"), "0123456789") != "" {
			t.Errorf("%s: %v", test.name, header)
		}
	}
}

// TestRefusalsAreCounted holds that what is refused for want of a right, or by a limit, is counted once, and nothing else is.
func TestRefusalsAreCounted(t *testing.T) {
	_, l := serving(t, shop)
	counted, guard := counting()
	h := ofrep.New(ofrep.Options{Live: l, Guard: guard})
	entry := ofrep.Entry(guard.WrapFunc(h.Serve))
	large := strings.Repeat(" ", 64<<10) + "{}"
	for _, test := range []struct {
		path, body string
		status     int
		want       string
	}{
		{single + "checkout.timeout", large, 413, `{"key":"checkout.timeout","errorCode":"INVALID_CONTEXT"`},
		{bulk, large, 413, `{"errorCode":"INVALID_CONTEXT"`},
		{single + "secret.dsn", "{}", 400, `{"key":"secret.dsn","errorCode":"GENERAL"`},
		{single + "none", "{}", 404, `{"key":"none"`},
		{bulk, "[]", 400, `{"errorCode":"PARSE_ERROR"`},
		{bulk, "{}", 200, `{"flags":[`},
	} {
		r := httptest.NewRequest(http.MethodPost, "http://localhost"+test.path, strings.NewReader(test.body))
		r.RemoteAddr = near
		w := httptest.NewRecorder()
		entry.ServeHTTP(w, r)
		if w.Code != test.status || !strings.HasPrefix(w.Body.String(), test.want) {
			t.Errorf("%s: %d %s", test.path, w.Code, w.Body)
		}
	}
	if want := map[string]int{"tooLarge": 2, access.ReasonRight: 1}; !maps.Equal(counted, want) {
		t.Errorf("counted are %v, want %v", counted, want)
	}
}

// TestSlowBodies holds that a body that does not come in time is told so, in the form of OFREP, and counted.
func TestSlowBodies(t *testing.T) {
	_, l := serving(t, shop)
	counted, guard := counting()
	h := ofrep.New(ofrep.Options{Live: l, Guard: guard})
	server := httptest.NewUnstartedServer(ofrep.Entry(guard.WrapFunc(h.Serve)))
	server.Config.ReadTimeout = 50 * time.Millisecond
	server.Start()
	for path, want := range map[string]string{single + "checkout.timeout": `{"key":"checkout.timeout","errorCode":"GENERAL"`, bulk: `{"errorCode":"GENERAL"`} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n{")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		if res.StatusCode != http.StatusRequestTimeout || !strings.HasPrefix(string(body), want) {
			t.Errorf("%s: %s %s", path, res.Status, body)
		}
		_ = conn.Close()
	}
	server.Close()
	if want := map[string]int{"tooSlow": 2}; !maps.Equal(counted, want) {
		t.Errorf("counted are %v, want %v", counted, want)
	}
}
