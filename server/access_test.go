package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/trunkline/trunkline/client/wire"
)

// token makes a token by the operator's own.
func (s *running) token(data, grant string) http.Header {
	s.tb.Helper()
	operator, err := os.ReadFile(filepath.Join(data, "operator.token"))
	if err != nil {
		s.tb.Fatal(err)
	}
	body := fmt.Sprintf(`{"name": "test", "grant": %s}`, grant)
	res, answer := s.request(http.MethodPost, s.url+"/v1/tokens", []byte(body), bearer(strings.TrimSpace(string(operator))))
	var made struct{ Token string }
	if err := json.Unmarshal(answer, &made); err != nil || made.Token == "" {
		s.tb.Fatalf("%s: %s", res.Status, answer)
	}
	return bearer(made.Token)
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

// stream opens a stream.
func (s *running) stream(header http.Header, hello string) *websocket.Conn {
	s.tb.Helper()
	d := websocket.Dialer{Subprotocols: []string{wire.Subprotocol}}
	ws, res, err := d.Dial("ws"+strings.TrimPrefix(s.url, "http")+"/v1/stream", header)
	if err != nil {
		s.tb.Fatalf("stream: %v %v", err, res)
	}
	s.tb.Cleanup(func() { _ = ws.Close() })
	if err := ws.WriteMessage(websocket.TextMessage, []byte(hello)); err != nil {
		s.tb.Fatal(err)
	}
	return ws
}

// next reads the next message, other than a ping.
func next(tb testing.TB, ws *websocket.Conn) string {
	tb.Helper()
	for {
		_ = ws.SetReadDeadline(time.Now().Add(patience))
		_, data, err := ws.ReadMessage()
		if err != nil {
			return err.Error()
		}
		if !strings.HasPrefix(string(data), `{"type":"ping"`) {
			return string(data)
		}
	}
}

// What is planted where it is not granted: a path with its keys, a value, an environment and the name of a file.
var canaries = []string{"canaryPath", "canaryKey", "canaryValue", "canaryEnv", "canaryFile"}

// tried is an experiment in some slots of a layer that forces u1 into its second variant.
func tried(key, slots, variant, set string) string {
	return fmt.Sprintf("description: %s\nowner: team\nenvironments: [prod]\nstatus: running\nlayer: main\nsalt: salt%s\nphase: 1\nslots: [%s]\ntraffic: 20%%\n"+
		"plan: {unitsTotal: 120000, minimumEffect: {relative: 10%%}, alpha: 0.05, power: 0.8, minRuntime: 7d, onInconclusive: rollback}\nforce: {u1: %s}\n"+
		"variants: {control: {weight: 50%%}, %s: {weight: 50%%, set: {%s}}}\n", key, key, slots, variant, variant, set)
}

func planted(tb testing.TB) (*running, string) {
	tb.Helper()
	remote, data := shop(tb), tb.TempDir()
	s := start(tb, remote, settings(remote, data))
	s.becomes("prod", "checkout.timeout", `"30s"`)
	s.push("Plant", map[string]string{
		"trunkline.yaml": "version: 1\nenvironments: {staging: {}, prod: {extends: canaryEnv}, prodEu: {extends: prod}, canaryEnv: {}}\npublic: [checkout.ui.**, canaryPublic]\n" +
			"flags: [checkout.**, canaryPath.**]\n",
		"rollouts/canaryFile.yaml":             "environments: [prod, canaryEnv]\nset: {canaryPath.canaryKey: canaryValue2}\nrules: [{name: all, when: segment(\"canaryFile\")}]\n",
		"rollouts/halted.yaml":                 "environments: [prod]\nset: {checkout.ui.button.color: green}\nrules: [{name: all}]\n",
		"segments/canaryFile.yaml":             "when: context.country == \"DE\"\n",
		"rollouts/shared.yaml":                 "environments: [prod]\nset: {checkout.timeout: 25s, canaryPath.sub.canaryKey: 7}\nrules: [{name: all, when: context.country == \"DE\"}]\n",
		"layers/main.yaml":                     "unit: targetingKey\nsalt: abcdef\n",
		"experiments/open.yaml":                tried("open", "0-1999", "green", "checkout.ui.button.text: Now"),
		"experiments/canaryFileTried.yaml":     tried("canaryFileTried", "2000-3999", "canaryValue", "canaryPath.canaryTried: 2"),
		"config/canaryPath/gone.yaml":          "canaryKey: 1\n",
		"config/canaryPath.yaml":               "canaryKey: canaryValue\ncanaryTried: 1\nunlogged: canaryValue9\n",
		"config/canaryPath/sub.yaml":           "canaryKey: 5\n",
		"environments/canaryEnv/x.yaml":        "y: canaryValue\n",
		"environments/canaryEnv/checkout.yaml": "retries: 7\n",
		"policies/canaryFile.yaml":             "policies:\n  - {id: small, match: canaryPath.sub.canaryKey, expression: self < 9, messageExpression: '\"canaryValue \" + string(self)'}\n",
	})
	eventually(tb, "the canaries are live", func() bool { return strings.Contains(s.value("canaryEnv", ""), "canaryValue") })
	operator := s.token(data, `{"environments": ["*"], "patterns": ["**"], "rights": ["operate"]}`)
	for _, key := range []string{"canaryFile", "halted"} {
		body := fmt.Sprintf(`{"environment": "prod", "key": %q, "reason": "to try"}`, key)
		if res, answer := s.request(http.MethodPost, s.url+"/v1/stops", []byte(body), operator); res.StatusCode != http.StatusCreated {
			tb.Errorf("%s: %s %s", body, res.Status, answer)
		}
	}
	for path, body := range map[string]string{
		"/v1/pins":   fmt.Sprintf(`{"environment": "canaryEnv", "commit": %q, "reason": "canaryValue"}`, s.planted()),
		"/v1/tokens": `{"name": "canaryValue", "grant": {"environments": ["canaryEnv"], "patterns": ["canaryPath.**"]}}`,
	} {
		if res, answer := s.request(http.MethodPost, s.url+path, []byte(body), operator); res.StatusCode != http.StatusCreated {
			tb.Errorf("%s: %s %s", body, res.Status, answer)
		}
	}
	next(tb, s.stream(operator, `{"type":"hello","env":"prod","patterns":["canaryPath.**"],"client":{"name":"canaryValue"}}`))
	s.remote.Remove("config/canaryPath/gone.yaml")
	s.push("Take away what is not granted", nil)
	eventually(tb, "it is gone", func() bool { return s.value("prod", "canaryPath.gone") == "" })
	s.push("Break what is beneath", map[string]string{"environments/canaryEnv/checkout.yaml": "retries: many\n"})
	s.push("Break what is not granted", map[string]string{"environments/canaryEnv/checkout.yaml": "retries: 7\n", "config/canaryPath/sub.yaml": "canaryKey: 50\n"})
	eventually(tb, "prod is blocked", func() bool {
		blocked := s.status().Environments["prod"].Blocked
		return blocked != nil && strings.Contains(blocked.Subject, "not granted")
	})
	return s, data
}

func TestNothingOutsideTheGrantIsTold(t *testing.T) {
	rows := append(routes(openAPI(t)), wire.TypeSnapshot, wire.TypeCurrent, wire.TypeAssignments, wire.TypeDefinitions, wire.TypeDelta, wire.TypeChunk, wire.TypePing, wire.TypeError)
	var all strings.Builder
	for name, rights := range map[string]string{
		"reader": "", "historian": `, "rights": ["history"]`, "operator of a part": `, "rights": ["history", "operate", "reveal", "define"]`,
	} {
		t.Run(name, func(t *testing.T) {
			s, data := planted(t)
			who := s.token(data, fmt.Sprintf(limited, rights))
			for _, row := range append(rows, "metrics", "log", wire.TypeGoaway) { // which ends the server
				told := surface[row](s, who)
				all.WriteString(told)
				for _, canary := range canaries {
					if strings.Contains(told, canary) {
						t.Errorf("%s tells of %s: %s", row, canary, told)
					}
				}
			}
		})
	}
	for _, code := range telling {
		if !strings.Contains(all.String(), `"code":"`+code+`"`) {
			t.Errorf("no row makes the server answer %s", code)
		}
	}
}

func TestRights(t *testing.T) {
	s, data := planted(t)
	read := s.token(data, fmt.Sprintf(limited, ""))
	historian := s.token(data, `{"environments": ["*"], "patterns": ["**"], "rights": ["history"]}`)
	operator := s.token(data, `{"environments": ["*"], "patterns": ["**"], "rights": ["history", "operate"]}`)
	part := s.token(data, fmt.Sprintf(limited, `, "rights": ["operate"]`))
	public := s.token(data, `{"environments": ["prod"], "public": true}`)
	for _, test := range []struct {
		name, method, path, body string
		who                      http.Header
		want                     int
		holds                    string
	}{
		{"a reader reads", "GET", "/v1/config/checkout.timeout?env=prod", "", read, 200, `"30s"`},
		{"what is not granted is not there", "GET", "/v1/config/canaryPath?env=prod", "", read, 404, "pathNotFound"},
		{"an environment either", "GET", "/v1/config/checkout?env=staging", "", read, 404, "use one of prod"},
		{"the only granted environment is the one", "GET", "/v1/config/checkout.timeout", "", read, 200, `"30s"`},
		{"versions need history", "GET", "/v1/versions", "", read, 403, "right to history"},
		{"status without history names no author", "GET", "/v1/status", "", read, 200, `"commit"`},
		{"history", "GET", "/v1/versions", "", historian, 200, "canaryPath"},
		{"tokens need operate", "GET", "/v1/tokens", "", historian, 403, "right to operate"},
		{"metrics too", "GET", "/metrics", "", historian, 403, "rightMissing"},
		{"an operator sees metrics", "GET", "/metrics", "", operator, 200, "trunkline_build_info"},
		{"an operator sees tokens of less", "GET", "/v1/tokens", "", operator, 200, "checkout.**"},
		{"one of a part accepts nothing", "POST", "/v1/accept", `{"commit": "0123456", "reason": "x"}`, part, 403, "all environments"},
		{"nor grants more than it has", "POST", "/v1/tokens", `{"name": "x", "grant": {"environments": ["prod"], "patterns": ["**"]}}`, part, 403, "more than the credential"},
		{"nor a right it has not", "POST", "/v1/tokens", `{"name": "x", "grant": {"environments": ["*"], "patterns": ["**"], "rights": ["reveal"]}}`, operator, 403, "more than the credential"},
		{"nor sees tokens of more", "DELETE", "/v1/tokens/canaryValue", "", part, 404, "unknownToken"},
		{"what is public", "GET", "/v1/config", "", public, 200, `{"checkout":{"ui":`},
		{"and nothing else", "GET", "/v1/config/checkout.timeout", "", public, 404, "pathNotFound"},
		{"records need history", "GET", "/v1/audit", "", read, 403, "right to history"},
		{"records", "GET", "/v1/audit?path=canaryPath.**", "", historian, 200, `"commit":`},
		{"a report is of everything", "GET", "/v1/audit/report", "", part, 403, "right to history"},
		{"a report", "GET", "/v1/audit/report", "", historian, 200, `"environments"`},
		{"the chain is whole", "GET", "/v1/audit/verify", "", historian, 200, `"checked":`},
		{"a bad pattern", "GET", "/v1/audit?path=a*", "", historian, 400, "badQuery"},
		{"a bad time", "GET", "/v1/audit?since=yesterday", "", historian, 400, "2027-01-31T09:00:00Z"},
		{"one of a part pins nothing", "POST", "/v1/pins", `{"environment": "prod", "commit": "0123456", "reason": "x"}`, part, 403, "whole environment"},
		{"nor another environment", "POST", "/v1/pins", `{"environment": "staging", "commit": "0123456", "reason": "x"}`, part, 404, "unknownEnvironment"},
		{"a pin needs a reason", "POST", "/v1/pins", `{"environment": "prod", "commit": "0123456", "reason": ""}`, operator, 400, "noReason"},
		{"and a version", "POST", "/v1/pins", `{"environment": "prod", "commit": "0123456", "reason": "x"}`, operator, 404, "unknownVersion"},
		{"and a time to come", "POST", "/v1/pins", `{"environment": "prod", "commit": "0123456", "reason": "x", "expires": "2020-01-01T00:00:00Z"}`, operator, 400, "badTime"},
		{"nothing is pinned", "DELETE", "/v1/pins/prod", `{"reason": "x"}`, operator, 404, "notPinned"},
		{"old values need history", "GET", "/v1/config/checkout.timeout?at=" + s.first(), "", read, 403, "right to history"},
		{"and so do old answers", "POST", "/v1/query?at=" + s.first(), `{"pattern": "**"}`, read, 403, "right to history"},
		{"differences", "GET", "/v1/diff?from=" + s.first(), "", read, 403, "right to history"},
		{"the matrix", "GET", "/v1/matrix", "", read, 403, "right to history"},
		{"blame", "GET", "/v1/blame/checkout.timeout", "", read, 403, "right to history"},
		{"and explanations", "GET", "/v1/explain/checkout.timeout", "", read, 403, "right to history"},
		{"an old value", "GET", "/v1/config/checkout.timeout?env=prod&at=" + s.first(), "", historian, 200, `"30s"`},
		{"a query", "POST", "/v1/query?env=prod", `{"pattern": "**", "where": {"eq": "30s"}}`, read, 200, `"path":"checkout.timeout"`},
		{"a query of what is not granted", "POST", "/v1/query?env=prod", `{"pattern": "canaryPath.**"}`, read, 200, `"matches":[]`},
		{"a query that is none", "POST", "/v1/query?env=prod", `{"pattern": "**", "where": {"stratsWith": "x"}}`, read, 400, "did you mean startsWith"},
		{"explaining somebody needs define", "GET", "/v1/explain/checkout.timeout?env=prod&context=" + german, "", historian, 403, "right to define"},
		{"and so does the list of overrides", "GET", "/v1/overrides", "", historian, 403, "right to define"},
		{"stops need operate", "GET", "/v1/stops", "", historian, 403, "right to operate"},
		{"one of a part stops nothing", "POST", "/v1/stops", `{"environment": "prod", "key": "shared", "reason": "x"}`, part, 403, "whole environment"},
		{"nor in another environment", "DELETE", "/v1/stops/staging/shared", `{"reason": "x"}`, part, 404, "unknownEnvironment"},
		{"a stop needs a reason", "POST", "/v1/stops", `{"environment": "prod", "key": "shared", "reason": ""}`, operator, 400, "noReason"},
		{"somebody's value", "GET", "/v1/config/checkout.timeout?context=" + german, "", read, 200, `"25s"`},
		{"nobody's", "GET", "/v1/config/checkout.timeout", "", read, 200, `"30s"`},
		{"a context of the past", "GET", "/v1/config/checkout.timeout?env=prod&context=" + german + "&at=" + s.first(), "", historian, 400, "contextOfThePast"},
		{"a context that is none", "GET", "/v1/config/checkout.timeout?context=5", "", read, 400, "badContext"},
		{"a bad token is none", "GET", "/v1/config/checkout", "", bearer("tlk_nonsense"), 401, "credentialMalformed"},
		{"unknown fields", "POST", "/v1/tokens", `{"name": "x", "grnt": {}}`, operator, 400, "badBody"},
	} {
		res, body := s.request(test.method, s.url+test.path, []byte(test.body), test.who)
		if res.StatusCode != test.want || !strings.Contains(string(body), test.holds) {
			t.Errorf("%s: %s %s, want %d with %s", test.name, res.Status, body, test.want, test.holds)
		}
	}
	if _, status := s.request("GET", s.url+"/v1/status", nil, read); slices.ContainsFunc([]string{"author", "subject", "repo", "sessions", "checksum"}, func(key string) bool {
		return strings.Contains(string(status), `"`+key+`"`)
	}) {
		t.Errorf("status tells too much: %s", status)
	}
}

func TestRevealedValues(t *testing.T) {
	remote, data := shop(t), t.TempDir()
	s := start(t, remote, settings(remote, data))
	s.becomes("prod", "checkout.timeout", `"30s"`)
	plain := s.token(data, `{"environments": ["prod"], "patterns": ["**"]}`)
	reveal := s.token(data, `{"environments": ["prod"], "patterns": ["**"], "rights": ["reveal"]}`)
	for name, who := range map[string]http.Header{"redacted": plain, "revealed": reveal} {
		read := s.as(who, http.MethodGet, "/v1/config/database")
		streamed := next(t, s.stream(who, `{"type":"hello"}`))
		for where, text := range map[string]string{"read": read, "stream": streamed} {
			if got := !strings.Contains(text, "$redacted"); got != (name == "revealed") {
				t.Errorf("%s, %s: %s", name, where, text)
			}
		}
	}
}

// A token that ends takes its streams with it, within a second.
func TestRevokedTokensEndStreams(t *testing.T) {
	remote, data := shop(t), t.TempDir()
	s := start(t, remote, settings(remote, data))
	s.becomes("prod", "checkout.timeout", `"30s"`)
	who := s.token(data, fmt.Sprintf(limited, ""))
	ws := s.stream(who, `{"type":"hello"}`)
	next(t, ws)
	operator, err := os.ReadFile(filepath.Join(data, "operator.token"))
	if err != nil {
		t.Fatal(err)
	}
	if res, body := s.request(http.MethodDelete, s.url+"/v1/tokens/test", nil, bearer(strings.TrimSpace(string(operator)))); res.StatusCode != 200 {
		t.Fatalf("%s: %s", res.Status, body)
	}
	if m := next(t, ws); !strings.HasPrefix(m, `{"type":"goaway"`) {
		t.Errorf("the stream is told %s", m)
	}
	if m := next(t, ws); !strings.Contains(m, "4001") {
		t.Errorf("the stream ends with %s", m)
	}
	if res, body := s.request(http.MethodGet, s.url+"/v1/config/checkout", nil, who); res.StatusCode != 401 {
		t.Errorf("the token is still good: %s %s", res.Status, body)
	}
}

// A page's WebSocket shows a ticket, once.
func TestTickets(t *testing.T) {
	remote, data := shop(t), t.TempDir()
	s := start(t, remote, settings(remote, data))
	s.becomes("prod", "checkout.timeout", `"30s"`)
	who := s.token(data, fmt.Sprintf(limited, ""))
	_, answer := s.request(http.MethodPost, s.url+"/v1/tickets", nil, who)
	var ticket struct{ Ticket string }
	if err := json.Unmarshal(answer, &ticket); err != nil || ticket.Ticket == "" {
		t.Fatalf("%s", answer)
	}
	address := "ws" + strings.TrimPrefix(s.url, "http") + "/v1/stream?ticket=" + ticket.Ticket
	d := websocket.Dialer{Subprotocols: []string{wire.Subprotocol}}
	ws, _, err := d.Dial(address, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"hello"}`))
	if m := next(t, ws); strings.Contains(m, "database") || !strings.Contains(m, "checkout") {
		t.Errorf("by ticket: %s", m)
	}
	if _, res, err := d.Dial(address, nil); err == nil || res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a ticket serves twice: %v", res)
	}
	if log := s.log.String(); strings.Contains(log, ticket.Ticket) {
		t.Error("the ticket stands in the log")
	}
}

// A page's event stream shows a ticket, once, and the log does not hold it.
func TestTicketsOfEvents(t *testing.T) {
	remote, data := shop(t), t.TempDir()
	s := start(t, remote, settings(remote, data))
	s.becomes("prod", "checkout.timeout", `"30s"`)
	who := s.token(data, fmt.Sprintf(limited, ""))
	_, answer := s.request(http.MethodPost, s.url+"/ofrep/v1/evaluate/flags", nil, who)
	var all struct {
		EventStreams []struct{ Endpoint struct{ RequestURI string } }
	}
	if err := json.Unmarshal(answer, &all); err != nil || len(all.EventStreams) != 1 {
		t.Fatalf("%s", answer)
	}
	at := all.EventStreams[0].Endpoint.RequestURI
	s.listen(http.Header{}, at)
	if res, body := s.request(http.MethodGet, s.url+at, nil, nil); res.StatusCode != http.StatusUnauthorized || !strings.Contains(string(body), `"errorCode":"GENERAL"`) {
		t.Errorf("a ticket serves twice: %s %s", res.Status, body)
	}
	_, ticket, _ := strings.Cut(at, "ticket=")
	if log := s.log.String(); ticket == "" || strings.Contains(log, ticket) {
		t.Errorf("the ticket %q stands in the log", ticket)
	}
}

// Who was shown a sensitive value is on record, with the credential's name, and so is who was refused; the values are not.
func TestRevealsAreOnRecord(t *testing.T) {
	remote, data := shop(t), t.TempDir()
	s := start(t, remote, settings(remote, data))
	s.becomes("prod", "checkout.timeout", `"30s"`)
	reveal := s.token(data, `{"environments": ["prod"], "patterns": ["**"], "rights": ["reveal"]}`)
	secret := s.as(reveal, http.MethodGet, "/v1/config/database.primary.dsn")
	s.as(reveal, http.MethodGet, "/v1/config/database.primary.dsn")
	s.as(reveal, http.MethodGet, "/v1/config/checkout.timeout") // which is no secret
	next(t, s.stream(reveal, `{"type":"hello","patterns":["database.**"]}`))
	s.stop() // what is added up is stored

	again := start(t, remote, settings(remote, data))
	again.becomes("prod", "checkout.timeout", `"30s"`)
	_, records := again.get("/v1/audit?kind=reveal")
	for _, wanted := range []string{
		`"by":"token:test"`, `"path":"database.primary.dsn"`, `"count":"2"`, `"path":"database.**"`,
	} {
		if !strings.Contains(records, wanted) {
			t.Errorf("no %s in %s", wanted, records)
		}
	}
	if strings.Contains(records, "checkout.timeout") || strings.Contains(records, "postgres") || !strings.Contains(secret, "postgres") {
		t.Errorf("records %s", records)
	}
}
