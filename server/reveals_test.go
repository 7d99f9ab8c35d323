package server_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/audit"
	"github.com/trunkline/trunkline/server"
)

// shown are the counts of records, by who, environment, path and commit.
func shown(t *testing.T, read func(at func(who *access.Identity, env, path, commit string))) map[string]int {
	t.Helper()
	counts := map[string]int{}
	at, end := server.NewReveals(func(events []audit.Event) {
		for _, e := range events {
			n, err := strconv.Atoi(e.Details["count"])
			key := strings.Join([]string{e.By, e.Environment, e.Details["path"], e.Details["commit"]}, " ")
			if _, twice := counts[key]; err != nil || twice || e.Kind != "reveal" {
				t.Errorf("a record %+v", e)
			}
			counts[key] = n
		}
	})
	read(at)
	end()
	before := len(counts)
	end() // a second time there is nothing
	if len(counts) != before {
		t.Error("something is told twice")
	}
	return counts
}

func holder(name string) *access.Identity {
	return &access.Identity{Name: name, Kind: access.KindToken}
}

// Who reads so much that it cannot be told apart hides neither that nor what others read.
func TestReadsAreNotHiddenByOthers(t *testing.T) {
	counts := shown(t, func(at func(*access.Identity, string, string, string)) {
		for n := range 3 * server.MaxIdentityReveals {
			at(holder("loud"), "staging", fmt.Sprint("path", n), "")
		}
		at(holder("loud"), "prod", "secret", "")
		at(holder("loud"), "staging", "path0", "")
		at(holder("quiet"), "prod", "secret", "")
		at(holder("quiet"), "prod", "secret", "")
		at(holder("quiet"), "prod", "secret", "c0ffee")
	})
	for key, want := range map[string]int{
		"token:loud staging path0 ": 2, "token:loud staging  ": 2 * server.MaxIdentityReveals, "token:loud prod  ": 1,
		"token:quiet prod secret ": 2, "token:quiet prod secret c0ffee": 1,
	} {
		if counts[key] != want {
			t.Errorf("%q is told %d times, not %d", key, counts[key], want)
		}
	}
	if want := server.MaxIdentityReveals + 2 + 2; len(counts) != want {
		t.Errorf("%d records, want %d", len(counts), want)
	}
}

// Beyond all room who read stays on record, as long as there is any.
func TestReadersStayOnRecord(t *testing.T) {
	counts := shown(t, func(at func(*access.Identity, string, string, string)) {
		crowd := server.MaxReveals / server.MaxIdentityReveals
		for n := range crowd {
			for path := range server.MaxIdentityReveals {
				at(holder(fmt.Sprint("one", n)), "prod", fmt.Sprint("path", path), "")
			}
		}
		at(holder("late"), "prod", "secret", "")
		for n := range server.MaxRevealed - crowd + 4 {
			at(holder(fmt.Sprint("other", n)), "prod", "secret", "")
		}
	})
	if counts["token:late prod  "] != 1 || counts["   "] != 5 || len(counts) != server.MaxReveals+server.MaxRevealed-server.MaxReveals/server.MaxIdentityReveals+1 {
		t.Errorf("%d and %d of %d records", counts["token:late prod  "], counts["   "], len(counts))
	}
}

// A condition asks of values that no match shows.
func TestConditionsOnSensitiveValuesAreOnRecord(t *testing.T) {
	remote, data := shop(t), t.TempDir()
	s := start(t, remote, settings(remote, data))
	s.becomes("prod", "checkout.timeout", `"30s"`)
	ask := func(grant, query string) {
		t.Helper()
		res, body := s.request(http.MethodPost, s.url+"/v1/query?env=prod", []byte(query), s.token(data, grant))
		if res.StatusCode != http.StatusOK || strings.Contains(string(body), "dsn") {
			t.Errorf("%s: %s %s", query, res.Status, body)
		}
	}
	whole := `{"environments": ["prod"], "patterns": ["**"], "rights": ["reveal"]}`
	ask(whole, `{"pattern": "**.dsn", "wher\u0065": {"not": {"startsWith": "p"}}}`)
	ask(whole, `{"pattern": "database.*", "where": {"path": "dsn", "startsWith": "x"}}`)
	ask(whole, `{"pattern": "checkout.*", "where": {"eq": "x"}}`)                                        // which are no secrets
	ask(`{"environments": ["prod"], "patterns": ["**"]}`, `{"pattern": "**.dsn", "where": {"eq": "x"}}`) // of which is seen that there is something
	s.stop()

	again := start(t, remote, settings(remote, data))
	again.becomes("prod", "checkout.timeout", `"30s"`)
	_, records := again.get("/v1/audit?kind=reveal")
	for path, want := range map[string]int{"**.dsn": 1, "database.*": 1, "checkout.*": 0} {
		if got := strings.Count(records, fmt.Sprintf(`"path":%q`, path)); got != want {
			t.Errorf("%s is on record %d times, not %d: %s", path, got, want, records)
		}
	}
	if strings.Count(records, `"count":"1"`) != 2 {
		t.Errorf("counted otherwise than once: %s", records)
	}
}
