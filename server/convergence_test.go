package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/trunkline/trunkline/client/wire"
)

// How far the clients have followed stands in the status, as described, and in the metrics; what they say is for those who may read
// everything.
func TestConvergenceIsTold(t *testing.T) {
	doc := openAPI(t)
	remote, data := shop(t), t.TempDir()
	s := start(t, remote, settings(remote, data))
	s.becomes("prod", "checkout.timeout", `"30s"`)
	ws := s.stream(nil, `{"type":"hello","env":"prod","client":{"name":"job","version":"7"}}`)
	m, err := wire.ParseServer([]byte(next(t, ws)))
	if err != nil {
		t.Fatal(err)
	}
	if err := ws.WriteMessage(websocket.TextMessage, wire.Encode(wire.Client{Type: wire.TypeNack, Cursor: m.Cursor, Reason: "no such shop"})); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the rejection stands in the status", func() bool {
		of := s.status().Environments["prod"].Sessions
		return of != nil && of.Total == 1 && of.Rejected == 1 && len(of.Rejections) == 1 && of.Rejections[0].Reason == "no such shop" &&
			of.Rejections[0].Commit == m.Commit && of.ByVersion[0].Commit == m.Commit && of.ByClient[0].Name == "job" && of.ByClient[0].Rejected == 1
	})
	_, status := s.get("/v1/status")
	conforms(t, doc, "Status", status)
	_, metrics := s.request(http.MethodGet, s.ops+"/metrics", nil, nil)
	for _, wanted := range []string{`{environment="prod",state="rejected"} 1`, `{environment="prod",state="current"} 0`, `{environment="staging",state="pending"} 0`} {
		if !strings.Contains(string(metrics), "trunkline_environment_sessions"+wanted) {
			t.Errorf("no %s in the metrics", wanted)
		}
	}
	for rights, wanted := range map[string]bool{`, "rights": ["history"]`: false, "": false} {
		_, body := s.request(http.MethodGet, s.url+"/v1/status", nil, s.token(data, strings.Replace(limited, "%s", rights, 1)))
		if strings.Contains(string(body), `"byClient"`) != wanted || strings.Contains(string(body), "no such shop") {
			t.Errorf("with the rights %q: %s", rights, body)
		}
	}
}
