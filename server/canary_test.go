package server_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/trunkline/trunkline/client/wire"
)

const limited = `{"environments": ["prod"], "patterns": ["checkout.**"]%s}`

// surface is everything that answers somebody: a row for each route of the OpenAPI document and each message of the stream. Whoever
// adds one adds its row.
var surface = map[string]func(s *running, who http.Header) string{
	"GET /v1/config/{path}": func(s *running, who http.Header) string {
		all := ""
		for _, path := range []string{"", "checkout", "checkout.none", "canaryPat", "checkout?env=canaryEn", "checkout?env=", "%00", "checkout.ui%5Bx"} {
			all += s.as(who, http.MethodGet, "/v1/config/"+path)
		}
		s.alike(who, "/v1/config/", "canaryPath.canaryKey", "carapaces.canaryKey")
		s.alike(who, "/v1/config/", "canaryPath.sub", "carapaces.sub")
		s.alike(who, "/v1/config/", "checkout?env=canaryEnv", "checkout?env=carapaces")
		all += s.as(who, http.MethodGet, "/v1/config?at="+s.first()) + s.as(who, http.MethodGet, "/v1/config?at="+s.planted())
		s.alike(who, "/v1/config/", "canaryPath?at="+s.planted(), "carapaces?at="+s.planted())
		s.alike(who, "/v1/config/", "checkout?env=canaryEnv&at="+s.planted(), "checkout?env=carapaces&at="+s.planted())
		s.alike(who, "/v1/config/", "canaryPath.canaryKey?context="+german, "carapaces.canaryKey?context="+german)
		return all + s.as(who, http.MethodGet, "/v1/config?context="+german)
	},
	"POST /v1/query": func(s *running, who http.Header) string {
		all := ""
		for _, query := range []string{
			`{"pattern": "**"}`, `{"pattern": "canaryPat*"}`, `{"pattern": "*", "where": {"path": "sub", "exists": true}}`, `{"pattern": "**", "wher": 1}`,
			`{"pattern": "**", "context": {"country": "DE"}}`,
		} {
			for _, at := range []string{"", s.first(), s.planted()} {
				_, body := s.request(http.MethodPost, s.url+"/v1/query?at="+at, []byte(query), who)
				all += string(body)
			}
		}
		return all
	},
	"GET /v1/versions": route(http.MethodGet, "/v1/versions?limit=50"),
	"GET /v1/diff": func(s *running, who http.Header) string {
		all := ""
		for _, query := range []string{"", "&format=text", "&format=patch", "&env=prod", "&path=canaryPat", "&path=*.*", "&to=" + s.planted(), "&to=canaryFil", "&to=" + s.broken()} {
			all += s.as(who, http.MethodGet, "/v1/diff?from="+s.first()+query)
		}
		between := "/v1/diff?from=" + s.first() + "&"
		s.alike(who, between, "path=canaryPath.**", "path=carapaces.**")
		s.alike(who, between, "env=canaryEnv", "env=carapaces")
		s.alike(who, between, "env=prod&toEnv=canaryEnv", "env=prod&toEnv=carapaces")
		return all
	},
	"GET /v1/matrix": func(s *running, who http.Header) string {
		s.alike(who, "/v1/matrix?env=prod&", "env=canaryEnv", "env=carapaces")
		s.alike(who, "/v1/matrix?env=prod&", "path=canaryPath.**", "path=carapaces.**")
		return s.as(who, http.MethodGet, "/v1/matrix") + s.as(who, http.MethodGet, "/v1/matrix?env=prod&at="+s.planted())
	},
	"GET /v1/blame/{path}": func(s *running, who http.Header) string {
		all := ""
		for _, path := range []string{"", "**", "checkout", "*.sub.**", "checkout.none", "canaryPat", "%00", "?at=" + s.planted()} {
			all += s.as(who, http.MethodGet, "/v1/blame/"+path)
		}
		s.alike(who, "/v1/blame/", "canaryPath", "carapaces")
		s.alike(who, "/v1/blame/", "canaryPath.gone.canaryKey", "carapaces.gone.canaryKey")
		s.alike(who, "/v1/blame/", "canaryPath.**", "carapaces.**")
		s.alike(who, "/v1/blame/", "checkout?env=canaryEnv", "checkout?env=carapaces")
		return all
	},
	"GET /v1/explain/{path}": func(s *running, who http.Header) string {
		all := ""
		for _, path := range []string{"", "checkout", "checkout.timeout", "checkout.none", "canaryPat", "%00", "?at=" + s.planted(), "checkout?context=" + german, "?context=" + german} {
			all += s.as(who, http.MethodGet, "/v1/explain/"+path)
		}
		s.alike(who, "/v1/explain/", "canaryPath?context="+german, "carapaces?context="+german)
		s.alike(who, "/v1/explain/", "canaryPath", "carapaces")
		s.alike(who, "/v1/explain/", "canaryPath.sub.canaryKey", "carapaces.sub.canaryKey")
		s.alike(who, "/v1/explain/", "checkout?env=canaryEnv", "checkout?env=carapaces")
		return all
	},
	"GET /v1/status": func(s *running, who http.Header) string {
		told := s.as(who, http.MethodGet, "/v1/status")
		if strings.Contains(told, `"sessions"`) {
			s.tb.Errorf("the status tells of others' sessions: %s", told)
		}
		return told
	},
	"POST /v1/accept": route(http.MethodPost, "/v1/accept"),
	"GET /v1/tokens":  route(http.MethodGet, "/v1/tokens"),
	"POST /v1/tokens": route(http.MethodPost, "/v1/tokens"),
	"DELETE /v1/tokens/{name}": func(s *running, who http.Header) string {
		s.alikeAs(http.MethodDelete, who, "/v1/tokens/", "canaryValue", "carapaces")
		return s.as(who, http.MethodDelete, "/v1/tokens/test2")
	},
	"GET /v1/audit": func(s *running, who http.Header) string {
		s.alike(who, "/v1/audit?", "env=canaryEnv", "env=carapaces")
		s.alike(who, "/v1/audit?", "path=canaryPath.**", "path=carapaces.**")
		all := s.followed(who, "Plant")
		for _, query := range []string{"", "&format=csv", "&order=oldest", "&kind=pin&kind=stop&kind=credential", "&author=token", "&path=**"} {
			all += s.as(who, http.MethodGet, "/v1/audit?limit=100"+query)
		}
		if strings.Contains(all, `"prev"`) {
			s.tb.Errorf("the records tell of those before them: %s", all)
		}
		return all
	},
	"GET /v1/audit/report":          route(http.MethodGet, "/v1/audit/report"),
	"GET /v1/audit/verify":          route(http.MethodGet, "/v1/audit/verify"),
	"POST /v1/audit/trim":           route(http.MethodPost, "/v1/audit/trim"),
	"GET /v1/pins":                  route(http.MethodGet, "/v1/pins"),
	"POST /v1/pins":                 route(http.MethodPost, "/v1/pins"),
	"DELETE /v1/pins/{environment}": route(http.MethodDelete, "/v1/pins/prod"),
	"GET /v1/overrides": func(s *running, who http.Header) string {
		s.alike(who, "/v1/overrides", "?env=canaryEnv", "?env=carapaces")
		return s.as(who, http.MethodGet, "/v1/overrides") + s.as(who, http.MethodGet, "/v1/overrides?env=prod")
	},
	"GET /v1/stops": func(s *running, who http.Header) string {
		told := s.as(who, http.MethodGet, "/v1/stops")
		if strings.HasPrefix(told, "200") && !strings.Contains(told, `"key":"halted"`) {
			s.tb.Errorf("the stops are %s", told)
		}
		return told
	},
	"POST /v1/stops":                       route(http.MethodPost, "/v1/stops"),
	"DELETE /v1/stops/{environment}/{key}": route(http.MethodDelete, "/v1/stops/prod/canaryFil"),
	"POST /ofrep/v1/evaluate/flags/{key}": func(s *running, who http.Header) string {
		all := ""
		for _, key := range []string{"checkout", "checkout.timeout", "checkout%2Ftimeout", "canaryPat", "%00", "[", "checkout.none"} {
			for _, body := range []string{"", `{"context": {"country": "DE"}}`, `{"context": 1}`, `{`} {
				_, answer := s.request(http.MethodPost, s.url+"/ofrep/v1/evaluate/flags/"+key, []byte(body), who)
				all += string(answer)
			}
		}
		s.alikeAs(http.MethodPost, who, "/ofrep/v1/evaluate/flags/", "canaryPath.canaryKey", "carapaces.canaryKey")
		s.alikeAs(http.MethodPost, who, "/ofrep/v1/evaluate/flags/", "canaryPath", "carapaces")
		s.alikeAs(http.MethodPost, who, "/env/", "canaryEnv/ofrep/v1/evaluate/flags/checkout", "carapaces/ofrep/v1/evaluate/flags/checkout")
		return all
	},
	"POST /ofrep/v1/evaluate/flags": func(s *running, who http.Header) string {
		_, german := s.request(http.MethodPost, s.url+"/ofrep/v1/evaluate/flags", []byte(`{"context": {"country": "DE"}}`), who)
		s.alikeAs(http.MethodPost, who, "/env/", "canaryEnv/ofrep/v1/evaluate/flags", "carapaces/ofrep/v1/evaluate/flags")
		if !strings.Contains(string(german), `"checkout.timeout","value":"25s"`) {
			s.tb.Errorf("the list is %s", german)
		}
		return s.as(who, http.MethodPost, "/ofrep/v1/evaluate/flags") + string(german)
	},
	"GET /ofrep/v1/events": func(s *running, who http.Header) string {
		events := s.listen(who, "/ofrep/v1/events")
		s.push("Change what is not granted, and no flag", map[string]string{"config/canaryPath/sub.yaml": "canaryKey: 4\n"})
		eventually(s.tb, "it is live", func() bool { return s.value("prod", "canaryPath.sub.canaryKey") == "4" })
		s.push("Change a flag", s.edited("config/checkout.yaml", "captureLater: false", "captureLater: true"))
		s.alike(who, "/env/", "canaryEnv/ofrep/v1/events", "carapaces/ofrep/v1/events")
		first := s.heard(events) // the hidden change made none
		if live := s.status().Environments["prod"].Live.Commit; !strings.Contains(first, live) {
			eventually(s.tb, "the flag is live", func() bool { return strings.Contains(first, s.status().Environments["prod"].Live.Commit) })
		}
		return first
	},
	"POST /v1/tickets":     route(http.MethodPost, "/v1/tickets"),
	"GET /v1/stream":       route(http.MethodGet, "/v1/stream"),
	"POST /webhook/github": route(http.MethodPost, "/webhook/github"),
	"GET /healthz":         route(http.MethodGet, "/healthz"),
	"GET /readyz":          route(http.MethodGet, "/readyz"),
	"GET /metrics":         route(http.MethodGet, "/metrics"),

	wire.TypeSnapshot: streamed(`{"type":"hello","env":"prod"}`, wire.TypeSnapshot),
	wire.TypeError:    streamed(`{"type":"hello","env":"canaryEn"}`, wire.TypeError),
	wire.TypeCurrent: func(s *running, who http.Header) string {
		var first wire.Server
		_ = json.Unmarshal([]byte(next(s.tb, s.stream(who, `{"type":"hello","env":"prod"}`))), &first)
		return streamed(`{"type":"hello","env":"prod","cursor":"`+first.Cursor+`"}`, wire.TypeCurrent)(s, who)
	},
	wire.TypeDelta: func(s *running, who http.Header) string {
		ws := s.stream(who, `{"type":"hello","env":"prod"}`)
		first := next(s.tb, ws)
		s.push("Change what is not granted", map[string]string{"config/canaryPath/sub.yaml": "canaryKey: 6\n"})
		eventually(s.tb, "it is live", func() bool { return s.value("prod", "canaryPath.sub.canaryKey") == "6" })
		s.push("Change what is", s.edited("config/checkout.yaml", "30s", "25s"))
		delta := next(s.tb, ws) // the first frame after the snapshot: the hidden change made none
		if !strings.Contains(delta, "25s") || !strings.HasPrefix(delta, `{"type":"delta"`) {
			s.tb.Errorf("the first frame is %s", delta)
		}
		return first + delta
	},
	wire.TypeAssignments: func(s *running, who http.Header) string {
		ws := s.stream(who, `{"type":"hello","env":"prod","context":{"targetingKey":"u1"}}`)
		first, list := next(s.tb, ws), next(s.tb, ws)
		if !strings.HasPrefix(list, `{"type":"assignments"`) || !strings.Contains(list, `"experiment":"open"`) {
			s.tb.Errorf("the second frame is %s", list)
		}
		return first + list
	},
	wire.TypeDefinitions: func(s *running, who http.Header) string {
		ws := s.stream(who, `{"type":"hello","env":"prod","evaluate":"local"}`)
		first := next(s.tb, ws)
		if strings.HasPrefix(first, `{"type":"error"`) {
			return first // without the right
		}
		if !strings.HasPrefix(first, `{"type":"definitions"`) || !strings.Contains(first, `"experiments":{"open"`) || !strings.Contains(first, `"shared"`) {
			s.tb.Errorf("the first frame is %s", first)
		}
		return first + next(s.tb, ws)
	},
	wire.TypeChunk: func(s *running, who http.Header) string {
		s.push("Grow", map[string]string{"config/checkout/ui/large.yaml": "lines:\n" + strings.Repeat("- "+strings.Repeat("x", 1000)+"\n", 300)})
		eventually(s.tb, "it is live", func() bool { return s.value("prod", "checkout.ui.large") != "" })
		ws := s.stream(who, `{"type":"hello","env":"prod"}`)
		all := next(s.tb, ws)
		var first wire.Server
		if err := json.Unmarshal([]byte(all), &first); err != nil || first.Chunks == 0 {
			s.tb.Errorf("the first frame is %.200s", all)
		}
		for range first.Chunks {
			all += next(s.tb, ws)
		}
		return all
	},
	"metrics": func(s *running, _ http.Header) string { // which are of all environments
		_, metrics := s.request(http.MethodGet, s.ops+"/metrics", nil, nil)
		return strings.ReplaceAll(string(metrics), `environment="canaryEnv"`, "")
	},
	"log": func(s *running, _ http.Header) string { // holds names, and no values
		if log := s.log.String(); strings.Contains(log, "canaryValue9") || strings.Contains(log, "tlk_") {
			return log
		}
		return ""
	},
	wire.TypeGoaway: func(s *running, who http.Header) string {
		ws := s.stream(who, `{"type":"hello","env":"prod","patterns":["checkout.timeout"]}`)
		next(s.tb, ws)
		s.stop()
		goaway := next(s.tb, ws)
		if !strings.HasPrefix(goaway, `{"type":"goaway"`) {
			s.tb.Errorf("the last frame is %s", goaway)
		}
		return goaway
	},
	wire.TypePing: func(*running, http.Header) string { return "" }, // holds a cursor alone: see docs/protocol.md
}

const german = "%7B%22country%22%3A%22DE%22%7D" // a context

// alike asks for what is there and not granted, and for what is not there: both are answered in the same words.
func (s *running) alike(who http.Header, before, there, not string) {
	s.tb.Helper()
	s.alikeAs(http.MethodGet, who, before, there, not)
}

// listen opens an event stream, and hands on the data of its events until the test ends.
func (s *running) listen(who http.Header, path string) <-chan string {
	s.tb.Helper()
	r, err := http.NewRequestWithContext(s.tb.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		s.tb.Fatal(err)
	}
	r.Header = who.Clone()
	res, err := http.DefaultClient.Do(r)
	if err != nil || res.StatusCode != http.StatusOK {
		s.tb.Fatalf("%s: %v %v", path, res, err)
	}
	data := make(chan string, 100)
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "id: ") {
		// the stream has begun when it names its state
	}
	go func() {
		defer close(data)
		for lines.Scan() {
			if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				data <- text
			}
		}
	}()
	s.tb.Cleanup(func() { _ = res.Body.Close() })
	return data
}

// heard is the next event.
func (s *running) heard(events <-chan string) string {
	s.tb.Helper()
	select {
	case event := <-events:
		return event
	case <-time.After(patience):
		s.tb.Fatal("no event")
		return ""
	}
}

// followed are the records that somebody is told of as they come, up to one of a subject.
func (s *running) followed(who http.Header, subject string) string {
	s.tb.Helper()
	r, err := http.NewRequestWithContext(s.tb.Context(), http.MethodGet, s.url+"/v1/audit?follow", nil)
	if err != nil {
		s.tb.Fatal(err)
	}
	r.Header = who.Clone()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer res.Body.Close()
	all := res.Status
	for lines := bufio.NewScanner(res.Body); lines.Scan() && !strings.Contains(all, `"subject":"`+subject+`"`); {
		all += lines.Text()
	}
	return all
}

func (s *running) alikeAs(method string, who http.Header, before, there, not string) {
	s.tb.Helper()
	names := strings.NewReplacer("canaryPath", "…", "canaryEnv", "…", "carapaces", "…")
	hidden, held := s.request(method, s.url+before+there, nil, who)
	absent, not404 := s.request(method, s.url+before+not, nil, who)
	if a, b := names.Replace(hidden.Status+string(held)), names.Replace(absent.Status+string(not404)); a != b {
		s.tb.Errorf("%s is answered %s, and %s %s", there, a, not, b)
	}
}

// first, broken and planted are commits of the remote: the oldest one, one that breaks what is beneath, and the one that plants the canaries.
func (s *running) first() string { return s.remote.Git("rev-list", "--max-parents=0", "HEAD") }

func (s *running) broken() string  { return s.remote.Git("rev-parse", ":/Break what is beneath") }
func (s *running) planted() string { return s.remote.Git("rev-parse", ":/Plant") }

// as asks with a credential and returns the answer whole, headers included.
func (s *running) as(who http.Header, method, path string) string {
	s.tb.Helper()
	res, body := s.request(method, s.url+path, nil, who)
	return fmt.Sprint(res.Status, res.Header, string(body))
}

func route(method, path string) func(*running, http.Header) string {
	return func(s *running, who http.Header) string { return s.as(who, method, path) }
}

func streamed(hello, kind string) func(*running, http.Header) string {
	return func(s *running, who http.Header) string {
		answer := next(s.tb, s.stream(who, hello))
		if !strings.HasPrefix(answer, `{"type":"`+kind+`"`) {
			s.tb.Errorf("%s is answered %s", hello, answer)
		}
		return answer
	}
}
