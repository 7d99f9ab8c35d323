package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/server"
)

// grown is a data directory whose log holds verdicts on so many commits.
func grown(t *testing.T, commits int) string {
	t.Helper()
	data := t.TempDir()
	bus, err := natsserver.NewServer(&natsserver.Options{
		ServerName: "trunkline", DontListen: true, NoSigs: true, NoLog: true, JetStream: true, StoreDir: filepath.Join(data, "bus"),
	})
	if err != nil {
		t.Fatal(err)
	}
	bus.Start()
	defer func() {
		bus.Shutdown()
		bus.WaitForShutdown()
	}()
	conn, err := nats.Connect("", nats.InProcessServer(bus))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	log, err := audit.Open(t.Context(), js, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- log.Run(ctx) }()
	list := make([]apply.Decision, commits)
	for i := range list {
		list[i] = apply.Decision{
			Commit: gitsync.Commit{Hash: gitsync.Hash{1, byte(i >> 8), byte(i)}}, Environment: "prod", Due: 1, Verdict: apply.Rejected, At: time.Now(),
		}
	}
	if err := log.Record(t.Context(), apply.Events{Decisions: list}); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-ended
	return data
}

func TestTrimmingOverHTTP(t *testing.T) {
	const extra = 100
	remote, data := shop(t), grown(t, apply.MaxRemembered+extra)
	s := start(t, remote, settings(remote, data))
	s.becomes("prod", "checkout.timeout", `"30s"`)
	eventually(t, "all is on record", func() bool { return s.status().Log.Pending == 0 })
	operator := s.token(data, `{"environments": ["*"], "patterns": ["**"], "rights": ["history", "operate"]}`)
	part := s.token(data, `{"environments": ["prod"], "patterns": ["**"], "rights": ["history", "operate"]}`)
	trim := func(body string, who http.Header) (int, string) {
		res, answer := s.request(http.MethodPost, s.url+"/v1/audit/trim", []byte(body), who)
		return res.StatusCode, string(answer)
	}
	for _, test := range []struct {
		name, body string
		who        http.Header
		status     int
		want       string
	}{
		{"nobody", `{"keep": 1, "reason": "room"}`, nil, http.StatusForbidden, "operate"},
		{"an operator of a part", `{"keep": 1, "reason": "room"}`, part, http.StatusForbidden, "operate"},
		{"no body", ``, operator, http.StatusBadRequest, `"badTrim"`},
		{"a large body", `{"reason": "` + strings.Repeat("x", 64<<10) + `"}`, operator, http.StatusRequestEntityTooLarge, `"tooLarge"`},
		{"a misspelt key", `{"before": "2026-01-31T00:00:00Z", "because": "room"}`, operator, http.StatusBadRequest, "because"},
		{"nothing to keep", `{"reason": "room"}`, operator, http.StatusBadRequest, "name a time as before"},
		{"no reason", `{"keep": 5000, "reason": " "}`, operator, http.StatusBadRequest, "say why"},
		{"a long reason", `{"keep": 5000, "reason": "` + strings.Repeat("x", 1001) + `"}`, operator, http.StatusBadRequest, "say why"},
		{"what a start needs", `{"keep": 5, "reason": "room"}`, operator, http.StatusConflict, "keep more records"},
		{"nothing that is older", `{"keep": 50000, "reason": "room"}`, operator, http.StatusOK, `"size":{"records":2`},
	} {
		if status, answer := trim(test.body, test.who); status != test.status || !strings.Contains(answer, test.want) {
			t.Errorf("%s: %d %s, want %q", test.name, status, answer, test.want)
		}
	}

	keeping := func(dry bool) (done server.Trimmed) {
		_, answer := trim(fmt.Sprintf(`{"keep": 2050, "reason": "room", "dryRun": %t}`, dry), operator)
		if err := json.Unmarshal([]byte(answer), &done); err != nil {
			t.Fatal(err)
		}
		return done
	}
	planned := keeping(true)
	if c := planned.Checkpoint; c == nil || !planned.DryRun || planned.Size.First != 1 || c.From != 1 || c.UpTo < extra/2 {
		t.Fatalf("planned %+v", planned)
	}
	done := keeping(false)
	c := done.Checkpoint
	if c == nil || c.UpTo != planned.Checkpoint.UpTo || done.Size.First != c.UpTo+1 || c.Reason != "room" || c.By == "" {
		t.Errorf("done %+v", done)
	}
	if _, body := s.request(http.MethodGet, s.url+"/v1/audit/verify", nil, operator); !strings.Contains(string(body), `"trimmed":true`) || strings.Contains(string(body), `"break"`) {
		t.Errorf("the log is verified: %s", body)
	}
}
